"""Rows of Spark: a real cluster of several processes against the same rows in local files."""

import datetime as dt
import json
import re
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pushdown_cases
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import spark_cluster

from monitor import api
from monitor.configuration.datasets import SourceSettings
from monitor.core.aggregates import Among, Count, Missing, Not, Of, Repeated
from monitor.core.columns import Kind
from monitor.core.records import Check, Finding, Verdict, Window
from monitor.core.summaries.collecting import Foretold, summarize
from monitor.errors import (
    AskedWrongly,
    CouldNotLook,
    PathNotFound,
    SourceUnreadable,
    UnknownName,
)
from monitor.service import open_service
from monitor.sources import _spark_cluster, files
from monitor.sources.spark import make
from monitor.tables.streams import rows_to_draw
from monitor.validation.validator import SuiteValidator

START = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
DAY = dt.timedelta(days=1)
FIRST_DAY = Window(START, START + DAY)
ROWS = 270_000  # over ten days
DAY_US = 86_400_000_000
WIDE = 12  # columns of the large dataset
LATE_PARTS = 5  # a number of partitions by which a job is known
OTHER_BORDERS = 5e-4  # PSI that cells may add whose borders are off by the bound of ranks


def rows_of(rows: int, seed: int, moved: float = 0.0) -> pa.Table:
    """Columns of every kind; `moved` is how far they drift."""
    chance = np.random.default_rng(seed)
    first_us = int(START.timestamp()) * 1_000_000
    at = first_us + np.sort(chance.integers(0, 10 * DAY_US, rows))
    shares = [0.4 - moved / 2, 0.2 + moved / 2, 0.2, 0.1, 0.1]
    levels = np.array(["DE", "FR", "US", "IT", "ES"])
    words = np.array([f"word {'x' * n}" for n in range(40)])
    amount = chance.lognormal(3, 1, rows) * (1 + moved)
    amount[0], amount[1] = np.inf, -np.inf
    return pa.table(
        {
            "at": pa.array(at, pa.timestamp("us", "UTC")),
            "id": np.arange(rows),
            "amount": pa.array(amount, mask=chance.random(rows) < 0.02),
            "single": chance.beta(2, 5, rows).astype(np.float32),
            "age": chance.integers(18, 90, rows) + int(10 * moved),
            "few": chance.integers(0, 12, rows),
            "late": np.where(np.arange(rows) < rows // 2, 1, chance.integers(0, 60, rows)),
            "price": chance.integers(0, 10_000, rows) / 100,
            "country": levels[chance.choice(5, rows, p=shares)],
            "flag": pa.array(
                chance.random(rows) < 0.3 + moved / 3, mask=chance.random(rows) < 0.01
            ),
            "note": words[chance.integers(0, 40, rows)],
            "a.b `c`": chance.normal(moved, 1, rows),
        }
    )


# --- What runs ---


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[spark_cluster.Cluster]:
    spark_cluster.home()
    with spark_cluster.running(tmp_path_factory.mktemp("cluster")) as started:
        yield started


@pytest.fixture(scope="session")
def spark(cluster: spark_cluster.Cluster) -> Iterator[Any]:
    from pyspark.sql import SparkSession

    patched = pytest.MonkeyPatch()
    for key, value in spark_cluster.environment("1g").items():
        patched.setenv(key, value)
    builder = SparkSession.builder.master(cluster.master).appName("tests")
    for told in (*spark_cluster.QUIET, "spark.sql.files.maxPartitionBytes=2m"):
        key, _, value = told.partition("=")
        builder = builder.config(key, value)
    builder = builder.config("spark.driver.host", spark_cluster.HOST)
    builder = builder.config("spark.executor.memory", "512m")
    session = builder.getOrCreate()
    session.sparkContext.setLogLevel("OFF")
    yield session
    session.stop()
    patched.undo()


@pytest.fixture(scope="session")
def connect(cluster: spark_cluster.Cluster) -> str:
    pytest.importorskip("grpc", reason="grpcio is not installed (extra `spark`)")
    return f"sc://{spark_cluster.HOST}:{cluster.start_connect()}"


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The reference and ten days of production as files that all processes can read."""
    made = tmp_path_factory.mktemp("data")
    pq.write_table(rows_of(ROWS, 1), made / "reference.parquet", row_group_size=40_000)
    moved = rows_of(ROWS // 2, 3, moved=0.3)
    pq.write_table(moved, made / "production.parquet", row_group_size=20_000)
    return made


def source(folder: Path, name: str = "production.parquet", **more: Any) -> Any:
    place = more.pop("place", {"path": name})
    settings = SourceSettings.model_validate({"spark": place, "time": "at", **more})
    return make(settings, folder)


# --- The same as local files ---


@pytest.fixture(scope="session")
def both(spark: Any, folder: Path) -> tuple[Check, Check]:
    """The check of local files, and the one of the same files on the cluster."""
    paths = [str(folder / name) for name in ("reference.parquet", "production.parquet")]
    local = api.compare(*paths, time_column="at")
    frames = [spark.read.parquet(path) for path in paths]
    return local.check, api.compare(*frames, time_column="at").check


def assert_within_bounds(local: Check, far: Check) -> None:
    """Every statistic is that of all rows, give or take the bound that the finding states."""
    assert [c.name for c in far.columns] == [c.name for c in local.columns]
    for here, there in zip(local.columns, far.columns, strict=True):
        assert (there.kind, there.verdict) == (here.kind, here.verdict), here.name
        assert there.missing_reference == here.missing_reference
        assert there.missing_current == here.missing_current
        assert [f.test for f in there.findings] == [f.test for f in here.findings]
        for one, other in zip(here.findings, there.findings, strict=True):
            assert_within_bound(here.name, one, other)
        for name, (before, now) in here.statistics.items():
            found = there.statistics[name]
            if name != "median":
                assert found == pytest.approx((before, now), rel=1e-9), (here.name, name)


def assert_within_bound(name: str, here: Finding, there: Finding) -> None:
    told = (name, here.test, here.statistic, there.statistic, there.error_bound)
    assert there.verdict is here.verdict, told
    assert (there.rows_reference, there.rows_current) == (here.rows_reference, here.rows_current)
    assert (here.statistic is None) == (there.statistic is None), told
    if here.statistic is not None and there.statistic is not None:
        off = abs(here.statistic - there.statistic)
        # The bound is of the cells there are; their borders are off by ranks as well.
        borders = OTHER_BORDERS if here.test == "psi" and not there.exact else 0.0
        assert off <= there.error_bound + borders + 1e-9 * abs(here.statistic), told


def test_the_cluster_says_what_local_files_say(both: tuple[Check, Check]) -> None:
    local, far = both
    assert_within_bounds(local, far)
    assert far.verdict is local.verdict is Verdict.DRIFTED
    assert far.window == local.window
    assert far.sample.rows == local.sample.rows == ROWS // 2
    assert far.sample.newest is not None


def test_the_comparison_was_one_of_summaries(both: tuple[Check, Check]) -> None:
    """Else this file proves nothing: more rows than are drawn, and numbers that are not exact."""
    local, far = both
    assert rows_to_draw(WIDE) < ROWS // 2
    amounts = {c.name: c for c in far.columns}["amount"]
    assert any(0 < f.error_bound < 0.01 for f in amounts.findings)
    assert all(f.exact for c in local.columns for f in c.findings)


def test_how_rows_are_partitioned_changes_nothing_beyond_the_bound(
    spark: Any, folder: Path, both: tuple[Check, Check]
) -> None:
    names = ["amount", "late", "country", "note"]
    frames = [
        spark.read.parquet(str(folder / name)).select(names).repartition(parts)
        for name, parts in (("reference.parquet", 18), ("production.parquet", 1))
    ]
    local = replace(both[0], columns=tuple(c for c in both[0].columns if c.name in names))
    assert_within_bounds(local, api.compare(*frames).check)


@pytest.mark.slow
def test_three_million_rows_say_the_same(spark: Any, tmp_path: Path) -> None:
    """Partitions of more numbers than a task holds exactly, merged in several tiers."""
    names = ["amount", "age", "country", "note"]
    for name, seed in (("before.parquet", 5), ("now.parquet", 6)):
        rows = rows_of(3_000_000, seed, moved=0.1 * (seed - 5)).select(names)
        pq.write_table(rows, tmp_path / name, row_group_size=100_000)
    paths = [str(tmp_path / "before.parquet"), str(tmp_path / "now.parquet")]
    local = api.compare(*paths).check
    frames = [spark.read.parquet(path) for path in paths]
    assert_within_bounds(local, api.compare(*frames).check)
    few, many = frames[0].coalesce(1), frames[1].repartition(300)
    assert_within_bounds(local, api.compare(few, many).check)


def test_few_rows_are_the_same_to_the_last_digit(spark: Any, tmp_path: Path) -> None:
    for name, seed in (("before.parquet", 1), ("now.parquet", 2)):
        pq.write_table(rows_of(4_000, seed, moved=0.2 * (seed - 1)), tmp_path / name)
    paths = [str(tmp_path / "before.parquet"), str(tmp_path / "now.parquet")]
    local = api.compare(*paths).check
    far = api.compare(*(spark.read.parquet(path) for path in paths)).check
    assert [c.findings for c in far.columns] == [c.findings for c in local.columns]


# --- Reading as the port promises ---


def test_a_window_is_looked_up_and_counted(spark: Any, folder: Path) -> None:
    whole = pq.read_table(folder / "production.parquet")
    sample = source(folder).read(FIRST_DAY, columns=["at", "amount", "nowhere"])
    inside = [at for at in whole["at"].to_pylist() if FIRST_DAY.start <= at < FIRST_DAY.end]
    assert sample.info.rows == sample.info.rows_in_window == len(inside)
    assert sample.info.newest == max(inside)
    assert list(sample.columns) == ["at", "amount"]
    assert sample.times is not None and sample.times.size == len(inside)


def test_an_empty_window_knows_its_columns_and_what_came_before(spark: Any, folder: Path) -> None:
    later = Window(START + 20 * DAY, START + 21 * DAY)
    sample = source(folder).read(later)
    newest = max(pq.read_table(folder / "production.parquet")["at"].to_pylist())
    assert (sample.info.rows, sample.info.newest) == (0, newest)
    assert sample.columns["country"].dtype == "string"
    earlier = source(folder).read(Window(START - DAY, START))
    assert (earlier.info.rows, earlier.info.newest) == (0, None)


def test_a_limited_sample_is_exact_seeded_and_uniform(spark: Any, folder: Path) -> None:
    def ids(seed: int) -> Any:
        sample = source(folder).read(columns=["id"], limit=5_000, seed=seed)
        assert sample.info.method == "reservoir"
        assert (sample.info.rows, sample.info.rows_in_window) == (5_000, ROWS // 2)
        return sample.table["id"].to_numpy()

    first, again, other = ids(1), ids(1), ids(2)
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
    assert len(set(first.tolist())) == 5_000
    halves = np.histogram(first, bins=10, range=(0, ROWS // 2))[0]
    assert abs(halves - 500).max() < 6 * np.sqrt(500 * 0.9)


@pytest.mark.parametrize("kind", ["timestamp_ntz", "date", "bigint", "double"])
def test_times_of_every_make_are_those_of_the_zone(spark: Any, tmp_path: Path, kind: str) -> None:
    """Two local days around a change of the clocks, one row an hour."""
    stored = {
        "timestamp_ntz": "TIMESTAMP_NTZ'2026-03-28 00:00:00' + make_dt_interval(0, id)",
        "date": "date_add(DATE'2026-03-28', CAST(id DIV 24 AS INT))",
        "bigint": "1774652400 + 3600 * id",
        "double": "CAST(1774652400 + 3600 * id AS DOUBLE) * 1000",
    }
    query = f"SELECT id, {stored[kind]} AS at FROM range(48)"
    made = source(tmp_path, place={"query": query}, timezone="Europe/Berlin")
    midnight = dt.datetime(2026, 3, 29, tzinfo=dt.timezone(dt.timedelta(hours=1)))
    sample = made.read(Window(midnight, midnight + dt.timedelta(hours=23)))
    # The local day has 23 hours; numbers count real ones, so one more is in the next day.
    expected = range(24, 47) if kind in ("bigint", "double") else range(24, 48)
    assert sample.table["id"].to_pylist() == list(expected)
    span = made.span()
    assert span is not None and span.start == midnight - DAY


def test_rows_without_a_time_are_told(spark: Any, tmp_path: Path) -> None:
    query = "SELECT id, IF(id < 3, NULL, timestamp_micros(id)) AS at FROM range(10)"
    sample = source(tmp_path, place={"query": query}).read()
    assert [(n.kind, n.column) for n in sample.notices] == [("time_unreadable", "at")]
    assert sample.times is None
    none = source(tmp_path, place={"query": "SELECT id, CAST(NULL AS DATE) AS at FROM range(3)"})
    with pytest.raises(SourceUnreadable, match="no row has a readable time"):
        none.read(FIRST_DAY)
    with pytest.raises(SourceUnreadable, match="no row has a readable time"):
        none.span()


def test_a_fingerprint_is_of_the_values_and_not_of_their_order(spark: Any, tmp_path: Path) -> None:
    def told(query: str) -> str:
        found: str = source(tmp_path, place={"query": query}).fingerprint()
        return found

    rows = "SELECT id % 7 AS a, CAST(NULL AS INT) AS b, map('k', id) AS m FROM range(50)"
    first = told(rows)
    assert first.startswith("sha256:")
    assert told(f"SELECT * FROM ({rows}) ORDER BY rand(3)") == first
    assert told(rows.replace("50", "51")) != first
    assert told(rows.replace("'k'", "'l'")) != first
    swapped = "SELECT CAST(NULL AS BIGINT) AS a, CAST(id % 7 AS INT) AS b, map('k', id) AS m"
    assert told(f"{swapped} FROM range(50)") != first


def test_rows_stay_on_the_cluster(
    spark: Any, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sample = source(folder, "reference.parquet").read()
    columns: object = sample.columns
    assert isinstance(columns, Foretold)
    assert sample.table.num_rows == ROWS
    drawn = sample.columns["amount"].drawn()
    assert drawn.rows == rows_to_draw(WIDE) == sample.times.size
    assert len(sample.table.drawn(["at", "note"])) == drawn.rows
    monkeypatch.setattr("monitor.sources._spark_columns.MOST_ROWS", ROWS - 1)
    with pytest.raises(CouldNotLook, match="too many to be held"):
        sample.table.select(["amount"])


def test_values_that_are_not_compared_have_a_problem(spark: Any, tmp_path: Path) -> None:
    query = "SELECT IF(id % 4 = 0, NULL, array(id)) AS list, id AS n FROM range(200000)"
    columns = source(tmp_path, place={"query": query}, time=None).read().columns
    assert columns["list"].problem == "values of type array are not compared"
    assert (columns["list"].dtype, columns["list"].missing) == ("other", 50_000)
    assert columns["n"].missing == 0


def test_a_column_is_summarized_as_any_kind(spark: Any, tmp_path: Path) -> None:
    query = "SELECT id % 30 AS n FROM range(200000)"
    [column] = source(tmp_path, place={"query": query}, time=None).read().columns.values()
    assert len(summarize(column, Kind.CATEGORY).counts) == 30
    assert summarize(column, Kind.NUMBER).description["max"] == 29
    assert summarize(column, Kind.TEXT).description["max"] == 2


# --- Asked wrongly, and what cannot be looked at ---


def test_a_table_by_name_and_one_that_is_not_there(spark: Any, tmp_path: Path) -> None:
    spark.sql("SELECT id AS n FROM range(5)").createOrReplaceTempView("events")
    found = source(tmp_path, place={"table": "events"}, time=None).read()
    assert found.table["n"].to_pylist() == [0, 1, 2, 3, 4]
    with pytest.raises(PathNotFound, match="there is no table event;") as caught:
        source(tmp_path, place={"table": "event"}, time=None).read()
    assert "events" in caught.value.hint


@pytest.mark.parametrize(
    ("place", "time", "error", "text"),
    [
        ({"path": "nowhere.parquet"}, None, PathNotFound, "nowhere.parquet"),
        ({"query": "DROP TABLE events"}, None, AskedWrongly, "PARSE_SYNTAX_ERROR"),
        ({"query": "SELECT nothing FROM range(3)"}, None, AskedWrongly, "nothing"),
        ({"query": "SELECT id FROM range(3)"}, "at", UnknownName, "no column named 'at'"),
        ({"query": "SELECT '2026' AS at"}, "at", AskedWrongly, "is of type string"),
        ({"query": "SELECT 1 AS a, 2 AS a"}, None, AskedWrongly, "same name: a"),
        ({"query": "SELECT raise_error('no') AS a"}, None, SourceUnreadable, "no"),
    ],
)
def test_what_is_wrong_is_told(
    spark: Any, tmp_path: Path, place: Any, time: str | None, error: type[Exception], text: str
) -> None:
    with pytest.raises(error, match=text):
        source(tmp_path, place=place, time=time).read(FIRST_DAY if time else None)


def test_there_is_one_session_of_its_make(spark: Any, tmp_path: Path) -> None:
    place = {"query": "SELECT 1 AS a", "master": "local[1]"}
    with pytest.raises(AskedWrongly, match="already, and local\\[1\\] is asked for"):
        source(tmp_path, place=place, time=None).read()


def test_a_job_that_takes_too_long_is_cancelled(spark: Any, tmp_path: Path) -> None:
    query = "SELECT sum(xxhash64(id) % 3) AS n FROM range(1000000000000)"
    slow = source(tmp_path, place={"query": query, "timeout": "3s"}, time=None)
    with pytest.raises(SourceUnreadable, match="took longer than 3 s"):
        slow.fingerprint()
    assert not spark.sparkContext.statusTracker().getActiveJobsIds()


def test_nobody_answers_and_no_token_is_told(tmp_path: Path) -> None:
    spark_cluster.home()
    pytest.importorskip("grpc", reason="grpcio is not installed (extra `spark`)")
    remote = f"sc://127.0.0.1:{spark_cluster.free_port()}/;token=geheim"
    far = source(tmp_path, place={"query": "SELECT 1", "remote": remote})
    with pytest.raises(SourceUnreadable, match="no Spark Connect server answers") as caught:
        far.read()
    assert "geheim" not in str(caught.value)


def test_secrets_of_the_configuration_are_struck_out(spark: Any, tmp_path: Path) -> None:
    place = {"query": "SELECT raise_error('see hush-hush') AS a", "config": {"k": "hush-hush"}}
    with pytest.raises(SourceUnreadable) as caught:
        source(tmp_path, place=place, time=None).read()
    assert "hush" not in str(caught.value)
    place["query"] = "SELECT 1"
    assert "hush" not in repr(SourceSettings.model_validate({"spark": place}))


# --- The whole of a check ---


def test_a_monitor_watches_what_spark_reads(spark: Any, folder: Path, tmp_path: Path) -> None:
    config = f"""
store: memory://
monitors:
  far:
    reference: {folder / "reference.parquet"}
    production:
      spark: {{path: {folder / "production.parquet"}}}
      time: at
    window: 10d
    explorer: never
"""
    (tmp_path / "monitor.yaml").write_text(config)
    service = open_service(tmp_path / "monitor.yaml")
    check = service.check("far", Window(START, START + 10 * DAY)).check
    service.close()
    assert check.verdict is Verdict.DRIFTED
    assert check.sample.rows == ROWS // 2
    assert "country" in check.headline


def test_a_range_of_production_serves_as_reference(
    spark: Any, folder: Path, tmp_path: Path
) -> None:
    """Eight days, more rows than are drawn: kept as a snapshot, frozen, and not asked for again."""
    config = f"""
store: memory://
monitors:
  far:
    reference: {{from: 2026-01-01, to: 2026-01-09}}
    production:
      spark: {{path: {folder / "production.parquet"}}}
      time: at
    drift: {{columns: [amount, country]}}
    explorer: never
"""
    (tmp_path / "monitor.yaml").write_text(config)
    service = open_service(tmp_path / "monitor.yaml")
    check = service.check("far", Window(START + 9 * DAY, START + 10 * DAY)).check
    service.close()
    assert check.verdict is Verdict.PASSED
    assert check.reference is not None
    assert check.reference.rows > rows_to_draw(WIDE)


def suite_file(folder: Path, *expectations: tuple[str, dict[str, Any]]) -> Path:
    told = [{"type": f"expect_{kind}", "kwargs": more} for kind, more in expectations]
    path = folder / "suite.json"
    path.write_text(json.dumps({"name": "s", "expectations": told}))
    return path


MEDIAN = ("column_median_to_be_between", {"column": "few", "min_value": 0})
SMALL = (
    "column_values_to_be_between",
    {"column": "few", "min_value": 0, "max_value": 5, "mostly": 0.1},
)


@pytest.mark.parametrize("most", [ROWS, 1000])
def test_what_the_cluster_does_not_know_is_held_against_all_rows_or_none(
    spark: Any, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    monkeypatch.setattr("monitor.sources._spark_columns.MOST_ROWS", most)
    frame = spark.read.parquet(str(folder / "production.parquet"))
    suite = suite_file(tmp_path, SMALL, MEDIAN)
    check = api.compare(frame, frame, columns=["few"], suite=suite).check
    assert check.expectations is not None
    small, median = check.expectations.results
    assert small.success
    assert small.unexpected_share == pytest.approx(0.5, abs=0.01)
    if most == ROWS:
        assert median.success
    else:
        assert median.success is None
        assert f"{ROWS // 2} rows are too many to be held" in median.reason


def test_a_suite_of_which_nothing_can_be_asked_says_so_once(
    spark: Any, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("monitor.sources._spark_columns.MOST_ROWS", 1000)
    frame = spark.read.parquet(str(folder / "production.parquet"))
    check = api.compare(frame, frame, columns=["few"], suite=suite_file(tmp_path, MEDIAN)).check
    [told] = [f.reason for f in check.dataset.findings if f.test == "validation"]
    assert f"{ROWS // 2} rows are too many to be held" in told


@pytest.fixture(scope="module")
def rows_of_a_suite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("suite")
    pq.write_table(pushdown_cases.table(), made / "rows.parquet", row_group_size=50)
    return made


def test_the_cluster_says_of_a_suite_what_pandas_says(
    spark: Any, rows_of_a_suite: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And answers without a row, except where only rows can tell."""
    suite = pushdown_cases.suite_file(rows_of_a_suite)
    asked = {"path": "rows.parquet", "time": "at"}
    local = files.make(SourceSettings.model_validate(asked), rows_of_a_suite)
    held = local.read(pushdown_cases.WINDOW)
    monkeypatch.setattr("monitor.sources.spark.rows_to_draw", lambda columns: 10)
    monkeypatch.setattr("monitor.sources._spark_columns.MOST_ROWS", 1)
    sample = source(rows_of_a_suite, "rows.parquet").read(pushdown_cases.WINDOW)
    validator = SuiteValidator(timeout_s=60)
    try:
        wanted = validator.validate(suite, held, show_values="never").results
        found = validator.validate(suite, sample, show_values="never").results
    finally:
        validator.close()
    refused = "too many to be held"
    pushdown_cases.assert_same(found, wanted, but=refused)
    left = pushdown_cases.asked_elsewhere(found, refused)
    assert left == [
        case
        for case in pushdown_cases.SUITE
        if case[1].get("regex") in pushdown_cases.ONLY_HERE or case in pushdown_cases.NOWHERE
    ]


def test_aggregates_and_values_over_spark_connect(
    connect: str, rows_of_a_suite: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("monitor.sources.spark.rows_to_draw", lambda columns: 10)
    place = {"path": "rows.parquet", "remote": connect}
    table = source(rows_of_a_suite, place=place).read(pushdown_cases.WINDOW).table
    there = Not(Missing("gaps"))
    asked = [
        Count(),
        Of("max", "whole"),
        Count(Among("name", ("it's",))),
        Repeated(("gaps",), there),
    ]
    assert table.aggregate(asked) == dict(zip(asked, [240, 239, 19, 216], strict=True))
    assert table.some_values(["gaps"], there, least=2, limit=2) == [(1,), (2,)]
    assert len(table.some_values(["name", "gaps"], there, least=0, limit=3)) == 3


# --- When things break, and from afar ---


def slowly(batches: Any) -> Any:
    for batch in batches:
        time.sleep(0.3)
        yield batch


def test_a_worker_that_dies_in_the_middle_of_a_job_changes_nothing(
    spark: Any, cluster: spark_cluster.Cluster, folder: Path, both: tuple[Check, Check]
) -> None:
    from pyspark import cloudpickle

    cloudpickle.register_pickle_by_value(sys.modules[__name__])
    paths = [str(folder / name) for name in ("reference.parquet", "production.parquet")]
    names = ["amount", "age", "country", "flag", "note"]
    before, now = (spark.read.parquet(path).select(names) for path in paths)
    late = now.repartition(LATE_PARTS).mapInArrow(slowly, now.schema)
    found: list[Check] = []
    asked = threading.Thread(target=lambda: found.append(api.compare(before, late).check))
    asked.start()
    tracker = spark.sparkContext.statusTracker()
    seen: set[int] = set()

    def at_work() -> bool:
        """Rows are counted, then drawn, and in the third job summarized."""
        stages = [tracker.getStageInfo(stage) for stage in tracker.getActiveStageIds()]
        slow = [s for s in stages if s and s.numTasks == LATE_PARTS and s.numActiveTasks]
        seen.update(stage.stageId for stage in slow)
        return len(seen) == 3

    spark_cluster.wait_until(at_work, "the job that summarizes the slow rows")
    victim = cluster.processes[1]
    assert spark_cluster.children(victim.pid), "the worker has an executor"
    spark_cluster.kill(victim.pid)
    cluster.start_worker()
    asked.join(spark_cluster.STARTS_WITHIN_S)
    assert found, "the comparison ended"
    local = replace(both[0], columns=tuple(c for c in both[0].columns if c.name in names))
    assert_within_bounds(local, found[0])


def whose_package(batches: Any) -> Any:
    """On an executor: where the package lies that it would run."""
    import monitor

    for _ in batches:
        yield pa.record_batch([pa.array([monitor.__file__])], names=["place"])


def test_executors_run_the_package_of_the_driver(spark: Any, both: tuple[Check, Check]) -> None:
    from pyspark import cloudpickle

    cloudpickle.register_pickle_by_value(sys.modules[__name__])
    [place] = spark.range(1, numPartitions=1).mapInArrow(whose_package, "place string").collect()
    assert re.search(r"drift_monitor_[0-9a-f]{16}\.zip", place["place"])


def test_spark_connect_says_the_same(connect: str, folder: Path, both: tuple[Check, Check]) -> None:
    from pyspark.sql.connect.session import SparkSession

    session = SparkSession.builder.remote(connect).create()
    names = ["amount", "late", "country", "a.b `c`"]
    paths = [str(folder / name) for name in ("reference.parquet", "production.parquet")]
    columns = ["`a.b ``c```" if "." in name else name for name in names]
    frames = [session.read.parquet(path).select(columns) for path in paths]
    local = replace(both[0], columns=tuple(c for c in both[0].columns if c.name in names))
    assert_within_bounds(local, api.compare(*frames).check)
    place = {"path": "production.parquet", "remote": connect}
    assert source(folder, place=place).read(FIRST_DAY).info.rows > 0
    wrong = source(folder, place={"query": "SELECT raise_error('no') AS at", "remote": connect})
    kept = _spark_cluster._remotes[connect]
    with pytest.raises(SourceUnreadable, match="no"):
        wrong.fingerprint()
    assert connect not in _spark_cluster._remotes, "the next look begins a new session"
    kept.stop()
    session.stop()
