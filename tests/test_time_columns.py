"""Which columns tell when a row happened, whoever is asked: rows, files, frozen references, SQL."""

import datetime as dt
import sqlite3
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from monitor.api import freeze
from monitor.configuration.datasets import SourceSettings
from monitor.core.time_columns import no_time, times_among
from monitor.ports import Described
from monitor.tables.columns import to_column
from monitor.wiring import open_source

DAY = dt.datetime(2026, 3, 1)
ROWS = pa.table(
    {
        "at": [DAY + dt.timedelta(minutes=n) for n in range(60)],
        "day": [DAY.date()] * 60,
        "text": [f"2026-03-01 10:{n:02}" for n in range(60)],
        "clock": [dt.time(10, n) for n in range(60)],
        "took": [dt.timedelta(days=n) for n in range(60)],
        "amount": [n / 7 for n in range(60)],
    }
)
MOMENTS = ["at", "day", "text"]


def described(settings: SourceSettings) -> Described:
    source = open_source(settings, Path())
    assert isinstance(source, Described)
    return source


def test_times_of_day_and_durations_tell_no_moment() -> None:
    assert times_among({n: to_column(n, ROWS[n]) for n in ROWS.column_names}) == MOMENTS


def test_files_and_what_was_frozen_of_them_agree(tmp_path: Path) -> None:
    file, frozen = tmp_path / "rows.parquet", tmp_path / "rows.reference"
    pq.write_table(ROWS, file)
    freeze(str(file), frozen)
    for path in (file, frozen):
        assert described(SourceSettings(path=str(path))).times() == MOMENTS


def test_a_column_that_is_named_needs_one_time_alone(tmp_path: Path) -> None:
    file = tmp_path / "rows.parquet"
    pq.write_table(ROWS, file)
    files = described(SourceSettings(path=str(file)))
    assert "amount" in files.times("amount")  # seconds since 1970, perhaps
    assert "clock" not in files.times("clock")


@pytest.mark.parametrize("kind", ["TIMESTAMP", "DATE", "DateTime"])
def test_a_database_tells_moments_by_their_types(tmp_path: Path, kind: str) -> None:
    with sqlite3.connect(tmp_path / "rows.db") as db:
        db.execute(f"CREATE TABLE t (at {kind}, clock TIME, valid DATERANGE, n INTEGER)")
    db.close()
    sql = {"url": f"sqlite:///{tmp_path}/rows.db", "table": "t"}
    assert described(SourceSettings.model_validate({"sql": sql})).times() == ["at"]


def test_a_column_without_times_is_not_named_as_one_that_has_some() -> None:
    told = "no row has a readable time in 'at'"
    assert no_time("at", ["at"]) == told
    assert no_time("at", ["at", "day", "b"]) == f"{told}; there are times in 'day', 'b'"
