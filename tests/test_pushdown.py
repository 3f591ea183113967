"""Expectations that a database answers: the same in every word as on the same rows in files."""

import json
import sqlite3
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pushdown_cases import (
    ALL,
    EVERYWHERE,
    INSIDE,
    ONLY_HERE,
    SEARCHES,
    TIMES,
    WINDOW,
    asked_elsewhere,
    assert_same,
    suite_file,
    table,
)
from store_backends import new_postgresql_database

from monitor.configuration.datasets import SourceSettings
from monitor.core.aggregates import Among, Count, Missing, Of
from monitor.core.records import ExpectationResult
from monitor.errors import CouldNotLook
from monitor.ports import Aggregating, Sample
from monitor.sources import files, sql
from monitor.tables.spool import Spool
from monitor.validation.patterns import portable
from monitor.validation.validator import SuiteValidator

TYPES = {
    "int64": "BIGINT", "double": "DOUBLE PRECISION", "decimal128(10, 2)": "DECIMAL(10, 2)",
    "bool": "BOOLEAN", "string": "VARCHAR(40)", "date32[day]": "DATE",
    "timestamp[us]": "TIMESTAMP", "timestamp[us, tz=UTC]": "TIMESTAMP WITH TIME ZONE",
}  # fmt: skip


@pytest.fixture(scope="module")
def validator() -> Iterator[SuiteValidator]:
    made = SuiteValidator(timeout_s=30)
    yield made
    made.close()


@pytest.fixture(scope="module")
def suite(tmp_path_factory: pytest.TempPathFactory) -> str:
    return suite_file(tmp_path_factory.mktemp("suite"))


@pytest.fixture(scope="module")
def expected(
    validator: SuiteValidator, suite: str, tmp_path_factory: pytest.TempPathFactory
) -> tuple[ExpectationResult, ...]:
    """What pandas says of the rows in a file."""
    folder = tmp_path_factory.mktemp("files")
    pq.write_table(table(), folder / "rows.parquet")
    settings = SourceSettings.model_validate({"path": "rows.parquet", "time": "at"})
    sample = files.make(settings, folder).read(WINDOW)
    return validator.validate(suite, sample, show_values="never").results


def create(rows: pa.Table, name: str) -> str:
    columns = ", ".join(
        f'"{field.name.replace(chr(34), chr(34) * 2)}" {TYPES[str(field.type)]}'
        for field in rows.schema
    )
    return f"CREATE TABLE {name} ({columns})"


def plain(value: Any) -> Any:
    """For SQLite, which knows neither times nor decimals."""
    if isinstance(value, Decimal):
        return float(value)
    return str(value) if hasattr(value, "isoformat") else value


def insert(db: Any, rows: pa.Table, mark: str, *, simply: bool) -> None:
    """Rows one by one; NaN stays what it is where the database has it."""
    columns = [column.to_pylist() for column in rows.columns]
    values = [tuple(map(plain, row) if simply else row) for row in zip(*columns, strict=True)]
    statement = f"INSERT INTO rows VALUES ({', '.join([mark] * rows.num_columns)})"
    db.cursor().executemany(statement, values)


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> sql.SqlSource:
    """The rows in a database, of a source that holds nothing in memory."""
    if request.param == "sqlite":
        with sqlite3.connect(tmp_path / "rows.db") as lite:
            lite.execute(create(table(), "rows").replace(" WITH TIME ZONE", ""))
            insert(lite, table(), "?", simply=True)
        lite.close()
        url = "sqlite:///rows.db"
    else:
        import psycopg

        url = new_postgresql_database(request.getfixturevalue("postgresql"))
        with psycopg.connect(url.replace("+psycopg", "")) as server:
            server.execute(create(table(), "rows"))
            insert(server, table(), "%s", simply=False)
    asked = {"sql": {"url": url, "table": "rows"}, "time": "at"}
    return sql.SqlSource(SourceSettings.model_validate(asked), tmp_path)


def on_disk(source: sql.SqlSource, monkeypatch: pytest.MonkeyPatch) -> Sample:
    monkeypatch.setattr(Spool.__init__, "__defaults__", (0,))
    sample = source.read(WINDOW)
    assert isinstance(sample.table, Aggregating)
    assert sample.info.rows == INSIDE
    return sample


def test_a_database_says_what_pandas_says(
    database: sql.SqlSource,
    validator: SuiteValidator,
    suite: str,
    expected: tuple[ExpectationResult, ...],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sample = on_disk(database, monkeypatch)
    assert_same(validator.validate(suite, sample, show_values="never").results, expected)


def refuse(*_: Any) -> Any:
    raise CouldNotLook("the rows are not here")


def test_no_row_is_read_for_what_the_database_knows(
    database: sql.SqlSource,
    validator: SuiteValidator,
    suite: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sample = on_disk(database, monkeypatch)
    monkeypatch.setattr(sample.table, "select", refuse)
    results = validator.validate(suite, sample, show_values="never").results
    left = asked_elsewhere(results, "the rows are not here")
    assert [case for case in EVERYWHERE if case in left] == []
    known = [case for case in [*TIMES, *SEARCHES] if case not in left]
    if "sqlite" in str(sample.table._asked.database.engine.url):
        assert known == []
    else:
        assert [c for c in [*TIMES, *SEARCHES] if c in left] == [
            case for case in SEARCHES if case[1].get("regex") in ONLY_HERE
        ]


def test_examples_are_looked_up_only_where_they_may_be_shown(
    database: sql.SqlSource,
    validator: SuiteValidator,
    suite: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sample = on_disk(database, monkeypatch)
    shown = validator.validate(suite, sample, show_values="all").results
    [unknown] = [r for r in shown if "back\\slash" in (r.expected.get("value_set") or ())]
    assert len(unknown.examples) == 5
    assert "outside the window" not in unknown.examples
    repeated = [r for r in shown if r.type == "expect_compound_columns_to_be_unique"]
    assert all(set(row) == {"flag", "gaps"} for row in repeated[0].examples)
    monkeypatch.setattr(sample.table, "some_values", refuse)
    hidden = validator.validate(suite, sample, show_values="levels").results
    assert not any(result.examples for result in hidden)


def test_a_database_that_changed_meanwhile_is_not_believed(
    database: sql.SqlSource, validator: SuiteValidator, suite: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    sample = on_disk(database, monkeypatch)
    changed = on_disk(database, monkeypatch)
    assert changed.table.aggregate([Count()]) == {Count(): INSIDE}
    changed.table._rows += 1
    assert changed.table.aggregate([Count()]) == {}
    looks = [validator.validate(suite, each, show_values="never") for each in (sample, changed)]
    asked, read = ([(r.success, r.reason) for r in look.results] for look in looks)
    assert read == asked


def test_sqlite_columns_that_hold_something_else_are_looked_at_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with sqlite3.connect(tmp_path / "rows.db") as db:
        db.execute("CREATE TABLE rows (n INTEGER, b BOOLEAN, k INTEGER)")
        db.executemany("INSERT INTO rows VALUES (?, ?, ?)", [(k, k % 2, k) for k in range(ALL)])
        db.execute(f"INSERT INTO rows VALUES ('many', 7, {ALL})")
    db.close()
    place = {"sql": {"url": "sqlite:///rows.db", "table": "rows"}}
    monkeypatch.setattr(Spool.__init__, "__defaults__", (0,))
    rows = sql.SqlSource(SourceSettings.model_validate(place), tmp_path).read().table
    asked = [Count(), Of("max", "n"), Count(Among("b", (True,))), Count(Missing("n"))]
    assert rows.aggregate([*asked, Of("max", "k")]) == {Count(): ALL + 1, Of("max", "k"): ALL}


def test_what_a_database_holds_in_a_column_of_numbers_and_is_none_is_bad_data(
    validator: SuiteValidator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "rows.csv").write_text("n\n" + "\n".join(map(str, range(ALL))) + "\nmany\n")
    with sqlite3.connect(tmp_path / "rows.db") as db:
        db.execute("CREATE TABLE rows (n INTEGER)")
        db.executemany("INSERT INTO rows VALUES (?)", [(k,) for k in range(ALL)])
        db.execute("INSERT INTO rows VALUES ('many')")
    db.close()
    bounds = {"column": "n", "min_value": 0, "max_value": ALL}
    expected = {"type": "expect_column_values_to_be_between", "kwargs": bounds}
    suite = tmp_path / "suite.json"
    suite.write_text(json.dumps({"name": "s", "expectations": [expected]}), encoding="utf-8")
    monkeypatch.setattr(Spool.__init__, "__defaults__", (0,))
    place = {"sql": {"url": "sqlite:///rows.db", "table": "rows"}}
    sources = (
        sql.SqlSource(SourceSettings.model_validate(place), tmp_path),
        files.make(SourceSettings.model_validate({"path": "rows.csv"}), tmp_path),
    )
    for source in sources:
        (found,) = validator.validate(str(suite), source.read(), show_values="never").results
        assert not found.success
        assert found.reason == (
            f"1 of 301 rows (0.33 %) are outside [0, {ALL}], because it holds no number"
        )


@pytest.mark.parametrize(
    ("pattern", "known"),
    [
        ("^[A-Z]{2}[0-9]*$", True), ("a|b", True), ("(ab){3}", True), ("(a+)?b", True),
        ("[^\\s,;-]+", True), ("x{2,4}?y", True), ("", False), ("a|", False), ("(a+)+", False),
        ("(a|b)*", False), ("(a|bc){3}", False), ("(?i)a", False), ("a(?=b)", False),
        ("\\bword", False), ("(a)\\1", False), ("a{1,300}", False), ("[[a]", False),
        ("a++", False), ("[]a]", False), ("\\x41", False),
    ],
)  # fmt: skip
def test_only_patterns_that_all_engines_read_alike_are_handed_on(pattern: str, known: bool) -> None:
    assert (portable(pattern) is not None) == known
