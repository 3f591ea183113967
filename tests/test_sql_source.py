"""Rows from databases: the same body over a SQLite file and a real PostgreSQL server."""

import datetime as dt
import json
import logging
import sqlite3
import sys
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from projects import FIRST_DAY, day, rows
from store_backends import new_postgresql_database

from monitor import wiring
from monitor.cli.main import run
from monitor.configuration.datasets import SourceSettings
from monitor.core.records import Window
from monitor.errors import (
    AskedWrongly,
    ConfigError,
    MonitorError,
    PathNotFound,
    SourceUnreadable,
    UnknownName,
)
from monitor.ports import Sample
from monitor.service import Service
from monitor.settings import load_settings
from monitor.sources import _sql_database
from monitor.sources.files import FileSource
from monitor.sources.sql import SqlSource, make

START = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
HOUR, DAY = dt.timedelta(hours=1), dt.timedelta(days=1)
FIRST_DAY_OF_YEAR, SECOND_DAY = Window(START, START + DAY), Window(START + DAY, START + 2 * DAY)
BERLIN = ZoneInfo("Europe/Berlin")


@dataclass(frozen=True)
class Base:
    """One database that can be written by tests."""

    name: str
    url: str
    root: Path

    @property
    def is_sqlite(self) -> bool:
        return self.name == "sqlite"

    def run(self, text: str, many: Sequence[Sequence[Any]] | None = None) -> None:
        """A statement with `?` for parameters, committed."""
        if self.is_sqlite:
            with sqlite3.connect(self.root / "rows.db") as db:
                db.executemany(text, many) if many is not None else db.execute(text)
            db.close()
            return
        import psycopg

        with psycopg.connect(self.dsn) as server, server.cursor() as cursor:
            statement: Any = text.replace("%", "%%").replace("?", "%s") if many else text
            cursor.executemany(statement, many) if many else cursor.execute(statement)

    @property
    def dsn(self) -> str:
        return self.url.replace("+psycopg", "")

    def fill(self, table: str, columns: dict[str, str], values: Sequence[Sequence[Any]]) -> None:
        """A new table: names as they are to be quoted, types of this database, and its rows."""
        quoted = {'"' + name.replace('"', '""') + '"': kind for name, kind in columns.items()}
        declared = ", ".join(f"{name} {kind}" for name, kind in quoted.items())
        self.run(f"CREATE TABLE {table} ({declared})")
        if values:
            places = ", ".join("?" * len(columns))
            self.run(f"INSERT INTO {table} VALUES ({places})", values)

    def source(
        self, table: str = "", *, query: str = "", time: str | None = "at", **more: Any
    ) -> SqlSource:
        which = {"query": query} if query else {"table": table}
        more_sql = {key: more.pop(key) for key in ("timeout",) if key in more}
        asked = {"sql": {"url": self.url, **which, **more_sql}, "time": time, **more}
        return SqlSource(SourceSettings.model_validate(asked), self.root)


@pytest.fixture(scope="module")
def server_url(postgresql: Path) -> str:
    return new_postgresql_database(postgresql)


@pytest.fixture(params=["sqlite", "postgresql"])
def base(request: pytest.FixtureRequest, tmp_path: Path) -> Base:
    if request.param == "sqlite":
        return Base("sqlite", "sqlite:///rows.db", tmp_path)
    made = Base("postgresql", request.getfixturevalue("server_url"), tmp_path)
    made.run("DROP SCHEMA IF EXISTS shop CASCADE; DROP SCHEMA public CASCADE; CREATE SCHEMA public")
    made.run("GRANT USAGE ON SCHEMA public TO PUBLIC")
    return made


only_postgresql = pytest.mark.parametrize("base", ["postgresql"], indirect=True)
only_sqlite = pytest.mark.parametrize("base", ["sqlite"], indirect=True)


def text(moment: dt.datetime) -> str:
    return moment.replace(tzinfo=None).isoformat(sep=" ")


def hours(base: Base, count: int = 48, table: str = "hours", *, key: bool = True) -> None:
    """One row an hour: when, its number, a float with gaps, a word with gaps, a flag."""
    columns = {
        "at": "TIMESTAMP" if base.is_sqlite else "timestamptz",
        "n": "INTEGER PRIMARY KEY" if key else "INTEGER",
        "x": "double precision",
        "word": "text",
        "flag": "boolean",
    }
    moments = [START + i * HOUR for i in range(count)]
    base.fill(
        table,
        columns,
        [
            (
                text(moment) if base.is_sqlite else moment,
                i,
                None if i % 5 == 0 else i / 8,
                None if i % 7 == 0 else f"w{i % 3}",
                bool(i % 2),
            )
            for i, moment in enumerate(moments)
        ],
    )


def values(sample: Sample, name: str) -> list[Any]:
    listed: list[Any] = sample.table[name].to_pylist()
    return listed


# --- What the port promises ---


def test_all_rows(base: Base) -> None:
    hours(base)
    sample = base.source("hours").read()
    assert list(sample.columns) == ["at", "n", "x", "word", "flag"]
    assert (sample.info.rows, sample.info.rows_in_window) == (48, 48)
    assert (sample.info.method, sample.info.seed) == ("all", None)
    assert sample.info.newest == START + 47 * HOUR
    assert sorted(values(sample, "n")) == list(range(48))
    numbers, words = (sample.columns[name].drawn() for name in ("x", "word"))
    assert numbers.dtype == "float" and numbers.missing == 10
    assert sorted(words.levels) == ["w0", "w1", "w2"] and words.missing == 7
    assert sample.columns["flag"].dtype == "boolean" and sample.columns["n"].dtype == "integer"
    assert sample.columns["at"].dtype == "time" and sample.notices == ()
    assert sample.times is not None and sorted(sample.times)[0] == START.timestamp()


def test_a_window_is_half_open(base: Base) -> None:
    hours(base)
    source = base.source("hours")
    first = source.read(FIRST_DAY_OF_YEAR)
    assert sorted(values(first, "n")) == list(range(24))
    assert first.info.newest == START + 23 * HOUR
    assert sorted(values(source.read(SECOND_DAY), "n")) == list(range(24, 48))
    almost = Window(START + dt.timedelta(microseconds=1), START + HOUR)
    assert source.read(almost).info.rows == 0
    assert source.read(Window(START, START + dt.timedelta(microseconds=1))).info.rows == 1


def test_an_empty_window_knows_the_columns_and_the_newest_row(base: Base) -> None:
    hours(base)
    late = base.source("hours").read(Window(START + 9 * DAY, START + 10 * DAY), limit=5)
    assert list(late.columns) == ["at", "n", "x", "word", "flag"]
    assert (late.info.rows, late.info.rows_in_window, late.info.method) == (0, 0, "all")
    assert late.info.newest == START + 47 * HOUR
    early = base.source("hours").read(Window(START - 9 * DAY, START - 8 * DAY))
    assert early.info.newest is None and early.info.rows == 0


def test_columns_are_projected(base: Base) -> None:
    hours(base)
    source = base.source("hours")
    sample = source.read(FIRST_DAY_OF_YEAR, columns=["x", "absent", "n", "x"])
    assert list(sample.columns) == ["x", "n"] and sample.info.rows == 24
    assert source.read(FIRST_DAY_OF_YEAR, columns=["absent"]).info.rows == 24
    assert base.source("hours", time=None).read(columns=[]).info.rows == 48


def test_a_query_is_a_dataset(base: Base) -> None:
    hours(base)
    asked = "SELECT at, n * 2 AS twice, 'a:b %s ?' AS odd FROM hours WHERE n < 30 -- the first;\n;"
    sample = base.source(query=asked).read(SECOND_DAY)
    assert sorted(values(sample, "twice")) == [48, 50, 52, 54, 56, 58]
    assert set(values(sample, "odd")) == {"a:b %s ?"}


def test_a_view_is_a_table(base: Base) -> None:
    hours(base)
    base.run("CREATE VIEW recent AS SELECT at, n FROM hours WHERE n >= 12")
    source = base.source("recent")
    assert source.read(FIRST_DAY_OF_YEAR, limit=100).info.rows_in_window == 12
    assert source.read(FIRST_DAY_OF_YEAR, limit=5).info.rows == 5


def test_the_span(base: Base) -> None:
    hours(base)
    span = base.source("hours").span()
    assert span == Window(START, START + 47 * HOUR + dt.timedelta(microseconds=1))
    assert base.source("hours", time=None).span() is None
    base.run("DELETE FROM hours")
    assert base.source("hours").span() is None


def test_batches_are_one_dataset(base: Base, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_sql_database, "BATCH_ROWS", 7)
    hours(base)
    sample = base.source("hours").read(FIRST_DAY_OF_YEAR, columns=["n", "x"])
    assert sorted(values(sample, "n")) == list(range(24))
    assert sample.table.schema.types == [pa.int64(), pa.float64()]


# --- Time ---


def test_rows_without_a_time_are_noticed(base: Base) -> None:
    hours(base)
    base.run("INSERT INTO hours (n) VALUES (100)")
    sample = base.source("hours").read(FIRST_DAY_OF_YEAR)
    assert sample.info.rows == 24
    [notice] = sample.notices
    assert notice.kind == "time_unreadable" and notice.text.startswith("1 rows have no")
    base.run("DELETE FROM hours WHERE n < 100")
    with pytest.raises(SourceUnreadable, match="no row has a readable time in 'at'"):
        base.source("hours").read(FIRST_DAY_OF_YEAR)
    with pytest.raises(SourceUnreadable, match="no row has a readable time"):
        base.source("hours").span()
    assert base.source("hours").read().info.rows == 1


def local_times() -> list[dt.datetime]:
    """Every half hour around both changes of the clock in Berlin, as the clock shows them."""
    changes = (dt.datetime(2026, 3, 29), dt.datetime(2026, 10, 25))
    return [change + i * dt.timedelta(minutes=30) for change in changes for i in range(12)]


def windows_around_the_changes() -> list[Window]:
    changes = (dt.datetime(2026, 3, 29, tzinfo=dt.UTC), dt.datetime(2026, 10, 25, tzinfo=dt.UTC))
    halves = (-4, -2, 0, 1, 2, 3, 4)
    starts = [change + i * dt.timedelta(minutes=30) for change in changes for i in halves]
    return [Window(start, start + HOUR) for start in starts]


TIMES: list[tuple[str, str, str, Callable[[dt.datetime], Any], pa.DataType]] = [
    ("local", "TIMESTAMP", "timestamp", lambda m: m, pa.timestamp("us")),
    ("days", "DATE", "date", lambda m: m.date(), pa.date32()),
    ("seconds", "INTEGER", "bigint", lambda m: int(m.timestamp()), pa.int64()),
    ("ms", "INTEGER", "bigint", lambda m: int(m.timestamp() * 1000), pa.int64()),
    ("ns", "INTEGER", "bigint", lambda m: int(m.timestamp()) * 10**9 + 1, pa.int64()),
    ("fractions", "REAL", "double precision", lambda m: m.timestamp() + 0.25, pa.float64()),
    ("decimals", "NUMERIC", "numeric", lambda m: m.timestamp() + 0.25, pa.float64()),
]


@pytest.mark.parametrize("kind", TIMES, ids=[kind[0] for kind in TIMES])
def test_windows_mean_what_they_mean_for_files(base: Base, kind: Any) -> None:
    _, lite, server, stored, arrow = kind
    told = [stored(moment.replace(tzinfo=dt.UTC)) for moment in local_times()]
    plain = [m.replace(tzinfo=None) if isinstance(m, dt.datetime) else m for m in told]
    pq.write_table(
        pa.table({"at": pa.array(plain, arrow), "n": range(len(plain))}),
        base.root / "rows.parquet",
    )
    written = [str(v) if base.is_sqlite and isinstance(v, dt.date) else v for v in plain]
    base.fill("t", {"at": lite if base.is_sqlite else server, "n": "integer"},
              list(zip(written, range(len(plain)), strict=True)))  # fmt: skip
    files = FileSource(SourceSettings(path="rows.parquet", time="at", timezone=BERLIN), base.root)
    source = base.source("t", timezone=BERLIN)
    assert source.span() == files.span()
    seen = 0
    for window in windows_around_the_changes():
        expected, found = files.read(window), source.read(window)
        assert sorted(values(found, "n")) == values(expected, "n"), window
        assert found.info.newest == expected.info.newest
        counted = source.read(window, limit=1)
        assert counted.info.rows_in_window == expected.info.rows_in_window
        assert counted.info.newest == expected.info.newest
        seen += found.info.rows
    assert seen > 0


@only_sqlite
def test_text_of_any_offset_is_an_instant(base: Base) -> None:
    told = [
        "2026-01-01 00:00:00",
        "2026-01-01T00:30:00Z",
        "2026-01-01T14:59:59.5+14:00",
        "2025-12-31T12:30:00-12:00",
        "2026-01-01",
        "2026-01-01 01:00",
    ]
    others = ["2025-12-31 23:59:59.999999", "2026-01-01 15:00:00+14:00", "n/a", None, b"x", ""]
    base.fill("t", {"at": "TEXT"}, [(value,) for value in [*told, *others]])
    hour = Window(START, START + HOUR)
    sample = base.source("t").read(hour)
    assert sorted(values(sample, "at")) == sorted(told[:5])
    assert sample.info.newest == START + dt.timedelta(minutes=59, seconds=59, milliseconds=500)
    assert sample.notices[0].text.startswith("4 rows have no readable time")


@only_postgresql
def test_infinity_and_other_impossible_times_are_no_times(base: Base) -> None:
    base.fill("t", {"at": "timestamptz", "local": "timestamp", "day": "date", "clock": "time"}, [])
    base.run(
        "INSERT INTO t VALUES ('2026-01-01', 'infinity', '-infinity', '24:00'),"
        " ('infinity', '2026-01-01', '0044-03-15 BC', '12:30'),"
        " ('-infinity', '20000-01-01', '2026-01-01', NULL)"
    )
    sample = base.source("t").read()
    assert values(sample, "local") == [None, dt.datetime(2026, 1, 1), None]
    assert values(sample, "day") == [None, None, dt.date(2026, 1, 1)]
    assert values(sample, "clock") == [None, dt.time(12, 30), None]
    late = base.source("t").read(Window(START + DAY, START + 2 * DAY))
    assert late.info.newest == START and late.info.rows == 0


@only_postgresql
@pytest.mark.parametrize("kind", ["text", "boolean", "time", "jsonb", "uuid"])
def test_a_column_that_tells_no_time_is_refused(base: Base, kind: str) -> None:
    base.fill("t", {"at": kind}, [])
    with pytest.raises(AskedWrongly, match=f"'at' tells no time: its type is {kind}"):
        base.source("t").read(FIRST_DAY_OF_YEAR)


# --- Names and values nobody expects ---

HOSTILE = ['at"; DROP TABLE t; --', "a b%s%(x)s", ":bind", "select", "Größe", "A", "a", "?", "\\'"]


def test_hostile_names_are_names(base: Base) -> None:
    kind = "TIMESTAMP" if base.is_sqlite else "timestamptz"
    names = [name for name in HOSTILE if not (base.is_sqlite and name == "A")]
    when = text(START) if base.is_sqlite else START
    table = '"odd ""; -- %s :x.t"'
    base.run("CREATE TABLE t (x integer)")
    base.fill(table, {name: kind if name == HOSTILE[0] else "text" for name in names},
              [(when, *("'; DROP TABLE t; --" for _ in names[1:]))])  # fmt: skip
    source = base.source(table, time=HOSTILE[0])
    for limit in (None, 10):
        sample = source.read(FIRST_DAY_OF_YEAR, limit=limit)
        assert list(sample.columns) == names
        assert values(sample, "select") == ["'; DROP TABLE t; --"]
    assert source.span() is not None and source.fingerprint()
    assert base.source("t", time=None).read().info.rows == 0


def test_a_table_in_another_schema(base: Base) -> None:
    if base.is_sqlite:
        hours(base)
        assert base.source("main.hours").read().info.rows == 48
        return
    base.run("CREATE SCHEMA shop")
    hours(base, table="shop.hours")
    assert base.source("shop.hours").read(limit=10).info.rows_in_window == 48
    with pytest.raises(UnknownName, match="no schema named 'shpo'"):
        base.source("shpo.hours").read()


def test_unknown_tables_and_columns_are_told_with_what_there_is(base: Base) -> None:
    hours(base)
    with pytest.raises(UnknownName, match=r"no table in .* named 'hour'; there are: hours") as told:
        base.source("hour").read(FIRST_DAY_OF_YEAR)
    assert told.value.hint == "did you mean 'hours'?"
    with pytest.raises(UnknownName, match="no column named 'aat'") as told:
        base.source("hours", time="aat").read(FIRST_DAY_OF_YEAR)
    assert told.value.hint == "did you mean 'at', the only column that tells a time?"
    with pytest.raises(AskedWrongly, match=r"query .* cannot be run by .*nope"):
        base.source(query="SELECT nope FROM hours").read()
    if base.is_sqlite:  # which gives the second one another name
        return
    with pytest.raises(AskedWrongly, match=r"two columns of the query .* same name: n"):
        base.source(query="SELECT n, n FROM hours", time=None).read()


# --- Types ---


@only_postgresql
def test_types_of_postgresql(base: Base) -> None:
    base.run("CREATE TYPE mood AS ENUM ('sad', 'ok')")
    row = {
        "i2": ("int2", "1", pa.int64(), 1),
        "i8": ("int8", "9223372036854775807", pa.int64(), 2**63 - 1),
        "f4": ("float4", "0.1", pa.float32(), float(np.float32(0.1))),
        "f8": ("float8", "'NaN'", pa.float64(), None),
        "num": ("numeric(10,2)", "12.50", pa.float64(), 12.5),
        "huge": ("numeric", "1e400", pa.float64(), float("inf")),
        "yes": ("boolean", "true", pa.bool_(), True),
        "vc": ("varchar(9)", "'é''%'", pa.string(), "é'%"),
        "raw": ("bytea", "'\\x00ff'", pa.binary(), b"\x00\xff"),
        "day": ("date", "'2026-07-01'", pa.date32(), dt.date(2026, 7, 1)),
        "clock": ("time", "'12:30:00.5'", pa.time64("us"), dt.time(12, 30, 0, 500000)),
        "local": ("timestamp", "'2026-07-01'", pa.timestamp("us"), dt.datetime(2026, 7, 1)),
        "inst": ("timestamptz", "'2026-01-01 02:00+02'", pa.timestamp("us", "UTC"), START),
        "id": ("uuid", "'00000000-0000-0000-0000-000000000001'", pa.string(),
               "00000000-0000-0000-0000-000000000001"),
        "js": ("jsonb", """'{"a": [1]}'""", pa.string(), '{"a": [1]}'),
        "arr": ("integer[]", "'{1,2}'", pa.string(), "{1,2}"),
        "mood": ("mood", "'ok'", pa.string(), "ok"),
        "net": ("inet", "'10.0.0.1'", pa.string(), "10.0.0.1/32"),
        "span": ("interval", "'1 day 02:00'", pa.string(), "1 day 02:00:00"),
    }  # fmt: skip
    base.fill("t", {name: kind for name, (kind, *_) in row.items()}, [])
    base.run(f"INSERT INTO t VALUES ({', '.join(literal for _, literal, *_ in row.values())})")
    base.run("INSERT INTO t DEFAULT VALUES")
    sample = base.source("t", time=None).read()
    assert {f.name: f.type for f in sample.table.schema} == {n: r[2] for n, r in row.items()}
    for name, (_, _, _, expected) in row.items():
        found, nothing = values(sample, name)
        assert nothing is None
        assert np.isnan(found) if expected is None else found == expected, name
    assert not any(column.problem for column in sample.columns.values())


@only_sqlite
def test_types_of_sqlite(base: Base) -> None:
    columns = {"i": "INTEGER", "price": "DECIMAL(9,2)", "b": "BOOLEAN", "day": "DATE",
               "at": "DATETIME", "any": "", "raw": "BLOB"}  # fmt: skip
    written = [
        (1, 2.0, 1, "2026-07-01", "2026-07-01 10:00:00", 1, b"\x00\xff"),
        (2, 2.5, 0, "2026-07-02", "2026-07-01T11:00:00.5", "x", b"a"),
        (None,) * 7,
    ]
    base.fill("t", columns, written)
    sample = base.source("t").read()
    assert {f.name: str(f.type) for f in sample.table.schema} == {
        "i": "int64", "price": "double", "b": "bool", "day": "date32[day]",
        "at": "timestamp[us]", "any": "string", "raw": "binary",
    }  # fmt: skip
    assert values(sample, "any") == ["1", "x", None] and values(sample, "b") == [True, False, None]


# --- Samples ---


@pytest.mark.parametrize("key", [True, False], ids=["key", "no key"])
def test_a_sample_is_uniform_and_the_same_again(base: Base, key: bool) -> None:
    count, limit, draws = 240, 60, 30
    hours(base, count, key=key)
    source = base.source("hours")
    window = Window(START, START + 300 * HOUR)
    times_drawn = np.zeros(count)
    for seed in range(draws):
        sample = source.read(window, columns=["n"], limit=limit, seed=seed)
        assert (sample.info.rows, sample.info.rows_in_window) == (limit, count)
        assert (sample.info.method, sample.info.seed) == ("reservoir", seed)
        assert sample.info.newest == START + (count - 1) * HOUR
        drawn = values(sample, "n")
        assert len(set(drawn)) == limit
        times_drawn[drawn] += 1
        if seed < 3:
            assert values(source.read(window, columns=["n"], limit=limit, seed=seed), "n") == drawn
    expected = draws * limit / count
    spread = float(((times_drawn - expected) ** 2).sum() / (expected * (1 - limit / count)))
    assert count - 5 * (2 * count) ** 0.5 < spread < count + 5 * (2 * count) ** 0.5


@only_postgresql
def test_a_sample_by_key_does_not_depend_on_where_rows_lie(base: Base) -> None:
    hours(base, 200)
    source = base.source("hours")
    before = sorted(values(source.read(columns=["n"], limit=20, seed=1), "n"))
    base.run("UPDATE hours SET x = 1 WHERE n % 3 = 0")  # moves rows to the end
    assert sorted(values(source.read(columns=["n"], limit=20, seed=1), "n")) == before


def test_only_the_sample_travels(base: Base, monkeypatch: pytest.MonkeyPatch) -> None:
    """PostgreSQL sends what is kept, or a little more; SQLite is read in this process anyway."""
    if base.is_sqlite:
        return
    for key in (True, False):
        hours(base, 5000, table=f"hours_{key}".lower(), key=key)
        source = base.source(f"hours_{key}".lower())
        sent: list[int] = []
        stream = _sql_database.Database.stream

        def counting(*arguments: Any, stream: Any = stream, sent: list[int] = sent) -> Any:
            for batch in stream(*arguments):
                sent.append(batch.num_rows)
                yield batch

        with monkeypatch.context() as patch:
            patch.setattr(_sql_database.Database, "stream", counting)
            assert source.read(limit=100).info.rows_in_window == 5000
        assert 100 <= sum(sent) < 500


def test_a_limit_beyond_the_rows_takes_all(base: Base) -> None:
    hours(base)
    for limit in (48, 49, 10**6):
        info = base.source("hours").read(limit=limit).info
        assert (info.rows, info.rows_in_window, info.method) == (48, 48, "all")
    with pytest.raises(AskedWrongly, match="at least one row"):
        base.source("hours").read(limit=0)


# --- Fingerprints ---


def test_a_fingerprint_is_of_the_rows_and_not_of_their_order(base: Base) -> None:
    hours(base)
    source = base.source("hours")
    first = source.fingerprint()
    assert first.startswith("sha256:") and len(first) == 71 and source.fingerprint() == first
    again = base.source(query="SELECT * FROM hours ORDER BY x DESC, n")
    if not base.is_sqlite:  # where a query has no declared types
        assert again.fingerprint() == first
    base.run("UPDATE hours SET x = x + 0.000000001 WHERE n = 7")
    changed = source.fingerprint()
    assert changed != first
    base.run("DELETE FROM hours WHERE n = 7")
    assert source.fingerprint() not in (first, changed)


def test_values_that_swap_rows_change_the_fingerprint(base: Base) -> None:
    base.fill("t", {"a": "integer", "b": "integer"}, [(1, 1), (2, 2), (2, 2)])
    source = base.source("t", time=None)
    before = source.fingerprint()
    base.run("UPDATE t SET b = 3 - b")
    assert source.fingerprint() != before
    base.run("UPDATE t SET b = 3 - b")
    assert source.fingerprint() == before


@only_sqlite
def test_a_fingerprint_in_a_log_of_changes_is_seen(base: Base) -> None:
    hours(base)
    source = base.source("hours")
    writer = sqlite3.connect(base.root / "rows.db")
    try:
        writer.execute("PRAGMA journal_mode=WAL")
        first = source.fingerprint()
        with writer:
            writer.execute("UPDATE hours SET x = 1 WHERE n = 3")
        assert source.fingerprint() != first
    finally:
        writer.close()


# --- Only reading ---


def test_a_query_that_writes_is_refused(base: Base) -> None:
    hours(base)
    for asked in (
        "DELETE FROM hours",
        "SELECT 1) AS answer; DELETE FROM hours; --",
        "SELECT 1) AS answer; COMMIT; DELETE FROM hours; --",
        "WITH gone AS (DELETE FROM hours RETURNING n) SELECT n FROM gone",
    ):
        with pytest.raises(AskedWrongly):
            base.source(query=asked, time=None).read()
    assert base.source("hours").read().info.rows == 48


@only_postgresql
def test_a_function_that_writes_is_refused(base: Base) -> None:
    hours(base)
    base.run(
        "CREATE FUNCTION wipe() RETURNS integer LANGUAGE sql AS $$ DELETE FROM hours; SELECT 1 $$"
    )
    with pytest.raises(AskedWrongly, match="writes; rows are only ever read"):
        base.source(query="SELECT wipe() AS n", time=None).read()
    assert base.source("hours").read().info.rows == 48


def test_nothing_is_left_open(base: Base) -> None:
    hours(base)
    source = base.source("hours")
    source.read(FIRST_DAY_OF_YEAR)
    with pytest.raises(UnknownName):
        base.source("nowhere").read()
    if base.is_sqlite:
        opened = [fd.resolve() for fd in Path("/proc/self/fd").iterdir()]
        assert base.root / "rows.db" not in opened
        return
    import psycopg

    with psycopg.connect(base.dsn) as server:
        others = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
        assert server.execute(others).fetchone() == (1,)


# --- What goes wrong ---


def test_a_slow_statement_is_given_up(base: Base) -> None:
    hours(base)
    slow = (
        "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c) SELECT n FROM c"
        " WHERE n < 0"
        if base.is_sqlite
        else "SELECT 1 AS n FROM pg_sleep(30)"
    )
    began = time.monotonic()
    with pytest.raises(SourceUnreadable, match="took longer than 1s to answer"):
        base.source(query=slow, time=None, timeout="1s").read()
    assert time.monotonic() - began < 15


@only_postgresql
def test_a_server_that_goes_away_in_the_middle(base: Base, monkeypatch: pytest.MonkeyPatch) -> None:
    import psycopg

    monkeypatch.setattr(_sql_database, "BATCH_ROWS", 100)
    hours(base, 5000)
    source = base.source("hours")
    admitted = 0
    stream = _sql_database.Database.stream

    def killing(*arguments: Any) -> Any:
        nonlocal admitted
        for batch in stream(*arguments):
            admitted += batch.num_rows
            if admitted == 200:
                with psycopg.connect(base.dsn, autocommit=True) as server:
                    server.execute(
                        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                        " WHERE datname = current_database() AND pid <> pg_backend_pid()"
                    )
            yield batch

    monkeypatch.setattr(_sql_database.Database, "stream", killing)
    with pytest.raises(SourceUnreadable, match=r"cannot be read: .*terminat"):
        source.read()
    assert 200 <= admitted < 5000
    monkeypatch.setattr(_sql_database.Database, "stream", stream)
    assert source.read().info.rows == 5000


@only_sqlite
def test_files_that_are_no_database(base: Base) -> None:
    with pytest.raises(PathNotFound, match=r"there is no database .*rows\.db"):
        base.source("t")
    (base.root / "rows.db").write_bytes(b"PAR1" * 1000)
    with pytest.raises(SourceUnreadable, match="file is not a database"):
        base.source("t").read()
    (base.root / "rows.db").unlink()
    base.fill("t", {"a": "text"}, [])
    base.run("INSERT INTO t VALUES (CAST(x'ff' AS TEXT))")
    with pytest.raises(SourceUnreadable, match="UTF-8"):
        base.source("t", time=None).read()


@only_postgresql
def test_rows_this_user_may_not_see(base: Base) -> None:
    hours(base)
    role = f"r{uuid.uuid4().hex[:8]}"
    base.run(f"CREATE ROLE {role} LOGIN")
    refused = Base("postgresql", base.url.replace("monitor@", f"{role}@"), base.root)
    with pytest.raises(SourceUnreadable, match="permission denied for table hours"):
        refused.source("hours").read()


PASSWORD = "s3cr%t/hush"
QUOTED = "s3cr%25t%2Fhush"


def everything(error: BaseException) -> str:
    hint = getattr(error, "hint", "")
    return f"{error!s} {error!r} {hint} {error.__cause__!r}"


@only_postgresql
def test_a_wrong_password_is_not_told(
    base: Base, postgresql: Path, caplog: pytest.LogCaptureFixture
) -> None:
    role = f"r{uuid.uuid4().hex[:8]}"
    base.run(f"CREATE ROLE {role} LOGIN PASSWORD 'another'")
    access = postgresql / "data" / "pg_hba.conf"
    access.write_text(f"local all {role} scram-sha-256\n{access.read_text()}")
    base.run("SELECT pg_reload_conf()")
    database = base.url.partition("@/")[2].partition("?")[0]
    url = f"postgresql://{role}:{QUOTED}@/{database}?host={postgresql}&application_name=hushhush"
    source = Base("postgresql", url, base.root).source("t")
    caplog.set_level(logging.DEBUG)
    deadline = time.monotonic() + 10
    with pytest.raises(SourceUnreadable, match="password authentication failed") as caught:
        while time.monotonic() < deadline:  # the server reads its rules again soon
            try:
                source.read()
            except UnknownName:
                time.sleep(0.05)
    told = everything(caught.value) + repr(vars(source)) + caplog.text
    assert database in str(caught.value) and str(postgresql) in str(caught.value)
    for secret in (PASSWORD, QUOTED, "hush", role):
        assert secret not in told


@pytest.mark.parametrize(
    "url",
    [
        f"postgresql://someone:{QUOTED}@127.0.0.1:1/shop",
        f"postgres://someone:{QUOTED}@127.0.0.1:1/shop?sslpassword=hush1",
        f"postgresql+psycopg://someone:{QUOTED}@127.0.0.1:port/shop",
        f"postgresql://someone:{QUOTED}@127.0.0.1:1/shop?nosuchoption=hush1",
        f"mysql://someone:{QUOTED}@host/shop",
        f"someone:{QUOTED}",
        f"sqlite:///hush{QUOTED}.db",
    ],
)
def test_no_error_tells_a_secret(url: str, tmp_path: Path) -> None:
    pytest.importorskip("psycopg", reason="psycopg is not installed")
    config = tmp_path / "monitor.yaml"
    config.write_text(
        "monitors:\n  m:\n    production:\n      sql:\n"
        f"        url: '{url}'\n        table: t\n      time: at\n"
    )
    with pytest.raises(MonitorError) as caught:
        settings = load_settings(config)
        production = settings.monitors["m"].production
        assert "hush" not in repr(settings) + str(production) + production.place
        wiring.open_source(production, tmp_path).read()
    if not url.startswith("sqlite"):  # the path of a file is a path
        assert "hush" not in everything(caught.value) and "s3cr" not in everything(caught.value)
    if ":1/" in url and "?nosuch" not in url:
        assert isinstance(caught.value, SourceUnreadable)
        assert "postgresql://127.0.0.1:1/shop cannot be read" in str(caught.value)


def test_a_missing_driver_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    asked = {"sql": {"url": f"postgresql://u:{QUOTED}@host/db", "table": "t"}}
    with pytest.raises(AskedWrongly, match="PostgreSQL need psycopg, which is not") as caught:
        make(SourceSettings.model_validate(asked), tmp_path)
    assert caught.value.hint == "install drift-monitor[postgres]"


# --- Configuration ---


@pytest.mark.parametrize(
    ("production", "told"),
    [
        (
            "{path: a.csv, sql: {url: 'sqlite:///a', table: t}, time: at}",
            "3: monitors.m.production: rows come from `path` or from `sql`, not from both",
        ),
        (
            "{sql: {url: 'sqlite:///a', table: t}, format: csv, time: at}",
            "3: monitors.m.production: `format` says how files of a `path` are written",
        ),
        ("{time: at}", "3: monitors.m.production: give `path` (files), `sql` (a table or query"),
        (
            "\n      sql:\n        url: sqlite:///a\n        table: t\n        query: SELECT 1",
            "4: monitors.m.production.sql: give either `table` (like shop.events) or `query`",
        ),
        (
            "\n      sql:\n        url: sqlite:///a\n        tabel: t",
            "6: monitors.m.production.sql.tabel: unknown key; did you mean `table`?",
        ),
        (
            "\n      sql:\n        table: t\n        url: oracle://u:hush@h/db",
            "6: monitors.m.production.sql.url: is no address of a database",
        ),
        (
            "\n      sql:\n        url: sqlite:///a\n        table: a.b.c",
            "6: monitors.m.production.sql.table: 'a.b.c' names no table",
        ),
        (
            "\n      sql:\n        url: sqlite:///a\n        query: ' ; '",
            "4: monitors.m.production.sql: the `query` is empty",
        ),
        (
            "\n      sql:\n        url: sqlite:///a\n        table: t\n        timeout: soon",
            "7: monitors.m.production.sql.timeout: 'soon' is not a length of time",
        ),
    ],
)
def test_mistakes_are_told_at_their_line(tmp_path: Path, production: str, told: str) -> None:
    config = tmp_path / "monitor.yaml"
    config.write_text(f"monitors:\n  m:\n    production: {production}\n")
    with pytest.raises(ConfigError) as caught:
        load_settings(config)
    assert f"monitor.yaml:{told}" in str(caught.value)
    assert "hush" not in str(caught.value)


# --- The whole way ---


def orders(base: Base) -> Path:
    """The small project of the other tests, its rows in a database and in files; its folder."""
    columns = {"at": "TIMESTAMP" if base.is_sqlite else "timestamptz",
               "amount": "double precision", "age": "bigint", "region": "text"}  # fmt: skip
    reference = rows(1, 2000, FIRST_DAY - dt.timedelta(days=30))
    days = pa.concat_tables(
        [rows(10 + n, 400, day(n).start, shift=2.0 * (n == 1)) for n in range(2)]
    )
    for name, table in (("reference", reference), ("production", days)):
        pq.write_table(table, base.root / f"{name}.parquet")
        written = [
            (row["at"].isoformat() if base.is_sqlite else row["at"], *list(row.values())[1:])
            for row in table.to_pylist()
        ]
        base.fill(name, columns, written)
    return base.root


def configuration(reference: str, production: str) -> str:
    return (
        "store: sqlite:///monitor.db\nmonitors:\n  orders:\n"
        f"    reference: {reference}\n    production: {{{production}, time: at}}\n"
        "    explorer: never\n"
    )


def checked(folder: Path, name: str, text: str, number: int) -> Any:
    (folder / name).mkdir()
    config = folder / name / "monitor.yaml"
    config.write_text(text)
    service = Service(load_settings(config))
    try:
        return service.check("orders", day(number)).check
    finally:
        service.close()


def test_the_verdict_is_that_of_the_same_rows_in_files(base: Base) -> None:
    folder = orders(base)
    url = f"sqlite:///{folder}/rows.db" if base.is_sqlite else base.url
    sql = [f"{{sql: {{url: '{url}', table: {name}}}}}" for name in ("reference", "production")]
    for number in (0, 1):
        by_sql = checked(folder, f"sql{number}", configuration(sql[0], sql[1][1:-1]), number)
        in_files = configuration("../reference.parquet", "path: ../production.parquet")
        by_files = checked(folder, f"files{number}", in_files, number)
        assert by_sql.verdict == by_files.verdict
        assert by_sql.headline == by_files.headline
        assert [c.name for c in by_sql.columns] == [c.name for c in by_files.columns]
    assert str(by_sql.verdict) == "drifted"


@only_sqlite
def test_the_command_line_checks_a_database(
    base: Base, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = orders(base)
    monkeypatch.setenv("DB_URL", "sqlite:///rows.db")
    config = folder / "monitor.yaml"
    config.write_text(
        configuration(
            "{from: 2026-03-02, to: 2026-03-03}", "sql: {url: ${DB_URL}, table: production}"
        )
    )
    at = ["--config", str(config)]
    assert run(["config", "check", *at]) == 0
    assert run(["reference", "build", "orders", *at]) == 0
    assert "table production from 2026-03-02" in capsys.readouterr().out
    assert run(["check", "orders", "--at", "2026-03-03", "--json", "-", *at]) == 1
    told = json.loads(capsys.readouterr().out)
    assert told["verdict"] == "drifted" and told["sample"]["rows"] == 400
