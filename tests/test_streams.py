"""Rows that are streamed say what rows that are held say, and damage is told, never counted."""

import datetime as dt
import json
import os
from collections.abc import Callable, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import projects
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from large_files import hold_at_most

from monitor.api import Result, compare, freeze
from monitor.configuration.datasets import SourceSettings
from monitor.core import dataset_comparison
from monitor.core.columns import Column, Kind
from monitor.core.records import Verdict, Window
from monitor.errors import CouldNotLook, SourceUnreadable
from monitor.ports import Sample
from monitor.service import Service
from monitor.settings import load_settings
from monitor.sources.files import FileSource, make
from monitor.steps import looking
from monitor.tables import streams
from monitor.tables.blocks import ParquetBlock, TableBlock
from monitor.tables.streams import StreamedTable, Streams
from monitor.validation.validator import SuiteValidator

START = dt.datetime(2026, 3, 28, tzinfo=dt.UTC)  # clocks change in Berlin in the night after
HOURS = 72
BEFORE, NOW = 3000, 1500

pytestmark = pytest.mark.usefixtures("everything_is_large")


@pytest.fixture
def everything_is_large(monkeypatch: pytest.MonkeyPatch) -> None:
    hold_at_most(10, monkeypatch)


class Held:
    """In here files are held, as small ones are."""

    def __enter__(self) -> None:
        self._patch = pytest.MonkeyPatch()
        hold_at_most(2**40, self._patch)

    def __exit__(self, *_: object) -> None:
        self._patch.undo()


def every_type(seed: int, rows: int, shift: float = 0.0) -> pa.Table:
    """A column of every kind there is, with gaps where there can be some."""
    rng = np.random.default_rng(seed)
    x = rng.normal(shift, 1, rows)
    gaps = rng.random(rows) < 0.1
    words = rng.choice(["north", "south", "west", ""], rows, p=[0.5, 0.3, 0.15, 0.05])
    moments = [
        START + dt.timedelta(seconds=float(s)) for s in np.linspace(0, HOURS * 3600 - 1, rows)
    ]
    return pa.table(
        {
            "at": pa.array(moments, pa.timestamp("us", "UTC")),
            "x": x,
            "x_null": pa.array(x, mask=gaps),
            "x_nan": np.where(gaps, np.nan, x),
            "x_both": pa.array(np.where(gaps, np.nan, x), mask=rng.random(rows) < 0.1),
            "x_inf": np.where(gaps, rng.choice([np.inf, -np.inf], rows), x),
            "single": x.astype(np.float32),
            "whole": pa.array(rng.integers(0, 500, rows), mask=gaps),
            "few": rng.integers(0, 5, rows),
            "flag": pa.array(rng.random(rows) < 0.3, mask=gaps),
            "word": pa.array(words, pa.string(), mask=gaps),
            "large_word": pa.array(words, pa.large_string()),
            "coded": pa.array(words, mask=gaps).dictionary_encode(),
            "money": pa.array([Decimal(int(v * 100)) / 100 for v in x], pa.decimal128(12, 2)),
            "day": pa.array([m.date() for m in moments]),
            "id": np.arange(rows) + seed * 10**6,
            "key": [f"k{seed}-{i}" for i in range(rows)],
            "text": [f"some words {i}" if g else "a b c" * 9 + str(i) for i, g in enumerate(gaps)],
            "nested": pa.array([{"a": i} for i in range(rows)]),
            "nothing": pa.nulls(rows, pa.float64()),
            "no_type": pa.nulls(rows),
            "dotted.name": x + 1,
            "raw": pa.array([w.encode() for w in words], pa.binary()),
        }
    )  # fmt: skip


def write(table: pa.Table, path: Path, group: int = 500, **how: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, path, row_group_size=group, **how)
    return path


@pytest.fixture(scope="module")
def sides(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    folder = tmp_path_factory.mktemp("sides")
    before = write(every_type(1, BEFORE), folder / "before.parquet")
    now = write(every_type(2, NOW, 0.6), folder / "now.parquet", 333)
    return str(before), str(now)


def told(result: Result) -> dict[str, Any]:
    """All that a comparison says, but how long it took."""
    document = result.to_dict()
    for key in ("id", "timings_s", "made_at", "setup"):
        document.pop(key, None)
    return document


def both_ways(*sides: str, **question: Any) -> tuple[Result, Result]:
    """Streamed, and held."""
    streamed = compare(*sides, **question)
    with Held():
        return streamed, compare(*sides, **question)


def source(path: Path, time: str | None = None, zone: str = "UTC") -> FileSource:
    settings = SourceSettings(path=str(path), time=time, timezone=ZoneInfo(zone))
    made = make(settings, Path())
    assert isinstance(made, FileSource)
    return made


def streamed(sample: Sample) -> Streams:
    assert isinstance(sample.columns, Streams)
    return sample.columns


def near(one: Any, other: Any) -> bool:
    """Equal, numbers up to the order in which they were added up."""
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(near(one[k], other[k]) for k in one)
    if isinstance(one, list):
        return len(one) == len(other) and all(map(near, one, other))
    if isinstance(one, float) and isinstance(other, float):
        return one == other or abs(one - other) <= 1e-12 * max(abs(one), abs(other))
    return bool(one == other)


# --- Streamed and held say the same ---


@pytest.mark.parametrize("group", [pytest.param(100, marks=pytest.mark.slow), 900, 10**6])
def test_every_kind_of_column_says_what_it_says_when_it_is_held(tmp_path: Path, group: int) -> None:
    before = write(every_type(1, BEFORE), tmp_path / "before.parquet", group)
    now = write(every_type(2, NOW, 0.6), tmp_path / "now.parquet", group)
    found, expected = both_ways(str(before), str(now))
    assert near(told(found), told(expected))
    kinds = {c.name: c.kind for c in found.check.columns}
    assert kinds["few"] is Kind.CATEGORY and kinds["id"] is kinds["key"] is Kind.ID
    assert kinds["text"] is Kind.TEXT and kinds["at"] is kinds["day"] is Kind.TIME
    assert all(f.exact for c in found.check.columns for f in c.findings)
    nested = next(c for c in found.check.columns if c.name == "nested")
    assert nested.verdict is Verdict.UNDECIDED and "not compared" in nested.reason


@pytest.mark.parametrize(
    "question",
    [
        {"time_column": "at"},
        {"columns": ("word", "x")},
        {"exclude": ("x",), "kinds": {"few": "number", "whole": "category"}},
        {"tests": ("wasserstein", "jensen_shannon"), "columns": ("x", "few")},
        {"dataset_tests": ("correlation_change",)},
        {"segments": ("word",)},
    ],
    ids=lambda q: next(iter(q)),
)  # fmt: skip
def test_every_question_is_answered_as_it_is_of_held_rows(
    sides: tuple[str, str], question: dict[str, Any]
) -> None:
    found, expected = both_ways(*sides, **question)
    assert near(told(found), told(expected))


@pytest.mark.parametrize("block", [pytest.param(1, marks=pytest.mark.slow), 700])
def test_blocks_threads_and_files_change_no_number(
    sides: tuple[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, block: int
) -> None:
    expected = compare(*sides)
    for part in range(6):
        table = every_type(2, NOW, 0.6).slice(part * 250, 250)
        write(table, tmp_path / "parts" / f"{part}.parquet", 77)
    monkeypatch.setattr("monitor.tables.blocks.BLOCK_ROWS", block)
    monkeypatch.setattr("monitor.tables.streams.BLOCK_ROWS", block)
    monkeypatch.setattr("monitor.core.side_by_side.WORKERS", 1 + block % 4)
    for now in (sides[1], str(tmp_path / "parts")):
        found = told(compare(sides[0], now))
        for column in found["columns"]:  # the times of a folder are the same rows
            assert near(
                column, next(c for c in told(expected)["columns"] if c["name"] == column["name"])
            )
        assert found["verdict"] == expected.verdict


def test_a_second_read_says_the_same_and_one_sample_may_be_asked_twice(
    sides: tuple[str, str],
) -> None:
    assert told(compare(*sides)) == told(compare(*sides))
    sample = source(Path(sides[0])).read()
    for _ in range(2):
        for column in streamed(sample).values():
            pieces = list(column.pieces())
            assert sum(piece.rows for piece in pieces) == BEFORE
            assert sum(piece.missing for piece in pieces) == column.missing


def test_missing_values_are_counted_as_they_are_in_held_columns(sides: tuple[str, str]) -> None:
    found = source(Path(sides[0])).read()
    with Held():
        expected = source(Path(sides[0])).read()
    for name, column in expected.columns.items():
        other = streamed(found)[name]
        assert (other.rows, other.missing, other.dtype, other.problem) == (
            column.rows, column.missing, column.dtype, column.problem
        ), name  # fmt: skip


# --- What the first rows show ---


def test_the_kind_is_decided_from_enough_rows_of_many_small_files(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    for day in range(60):
        codes = [f"c{v}" for v in rng.permutation(25)[:20]]
        write(pa.table({"code": codes, "n": np.arange(20) + day}), tmp_path / f"{day:02}.parquet")
    found = streamed(source(tmp_path).read())
    with Held():
        expected = source(tmp_path).read().columns
    for name in ("code", "n"):
        head = found[name].head()
        assert head.rows == 1200 == expected[name].rows
    result, other = both_ways(str(tmp_path), str(tmp_path))
    assert [c.kind for c in result.check.columns] == [c.kind for c in other.check.columns]


def test_a_first_block_without_values_does_not_decide_the_kind(tmp_path: Path) -> None:
    x = np.random.default_rng(4).normal(size=900)
    table = pa.table({"x": pa.array(x, mask=np.arange(900) < 300), "y": x})
    path = write(table, tmp_path / "late.parquet", 300)
    result, other = both_ways(str(path), str(path))
    assert near(told(result), told(other))


# --- Files that differ ---


def parts(folder: Path, *tables: pa.Table) -> Path:
    for number, table in enumerate(tables):
        write(table, folder / f"{number}.parquet", 50)
    return folder


RNG = np.random.default_rng(5)
N = 400
X, WORDS = RNG.normal(size=N), RNG.choice(["a", "b", "c"], N)
CODED = pa.dictionary(pa.int8(), pa.string())
DIFFERING: dict[str, tuple[pa.Table, ...]] = {
    "order": (pa.table({"x": X, "w": WORDS}), pa.table({"w": WORDS, "x": X})),
    "missing": (pa.table({"x": X, "w": WORDS}), pa.table({"x": X}), pa.table({"w": WORDS})),
    "new": (pa.table({"x": X}), pa.table({"x": X, "w": WORDS})),
    "int and float": (pa.table({"x": np.arange(N)}), pa.table({"x": X})),
    "int8 and int32": (pa.table({"x": pa.array(np.arange(N) % 90, pa.int8())}),
                       pa.table({"x": pa.array(np.arange(N), pa.int32())})),
    "int and text": (pa.table({"x": np.arange(N) % 7}), pa.table({"x": WORDS})),
    "float and text": (pa.table({"x": X.round(1)}), pa.table({"x": WORDS})),
    "bool and text": (pa.table({"x": X > 0}), pa.table({"x": WORDS})),
    "text and large text": (pa.table({"x": pa.array(WORDS, pa.string())}),
                            pa.table({"x": pa.array(WORDS, pa.large_string())})),
    "coded and text": (pa.table({"x": pa.array(WORDS).dictionary_encode()}),
                       pa.table({"x": pa.array(WORDS, pa.string())})),
    "coded as int8": (pa.table({"x": pa.array(WORDS.tolist(), CODED)}),
                      pa.table({"x": pa.array(WORDS).dictionary_encode()})),
    "nulls and text": (pa.table({"x": pa.nulls(N)}), pa.table({"x": WORDS})),
    "days and moments": (pa.table({"x": pa.array([START.date()] * N)}),
                         pa.table({"x": pa.array([START] * N, pa.timestamp("ns", "UTC"))})),
    "nested and number": (pa.table({"x": pa.array([{"a": 1}] * N)}), pa.table({"x": X})),
    "an empty one first": (pa.table({"x": WORDS, "gone": X}).slice(0, 0), pa.table({"x": X})),
    "an empty one last": (pa.table({"x": X}), pa.table({"x": WORDS, "gone": X}).slice(0, 0)),
}  # fmt: skip


@pytest.mark.parametrize("how", DIFFERING)
def test_files_that_differ_say_what_they_say_when_they_are_held(tmp_path: Path, how: str) -> None:
    folder = parts(tmp_path / "now", *DIFFERING[how])
    found = source(folder).read()
    with Held():
        expected = source(folder).read()
    assert [*streamed(found)] == [*expected.columns]
    for name, column in expected.columns.items():
        other = streamed(found)[name]
        assert (other.dtype, other.rows, other.missing) == (
            column.dtype, column.rows, column.missing
        )  # fmt: skip
        assert values(other.drawn()) == values(column.drawn())
        assert found.table.column(name).to_pylist() == expected.table.column(name).to_pylist()
    result, other_result = both_ways(str(folder), str(folder))
    assert near(told(result), told(other_result))


def values(column: Column) -> list[Any]:
    if column.numbers is not None:
        return list(column.numbers.tolist())
    if column.codes is None:
        return []
    return [column.levels[code] for code in column.codes]


def test_files_without_rows_are_held(tmp_path: Path) -> None:
    table = every_type(1, 10)
    no_rows, no_groups = tmp_path / "a.parquet", tmp_path / "b.parquet"
    write(table.slice(0, 0), no_rows)
    with pq.ParquetWriter(no_groups, table.schema):
        pass
    assert [pq.read_metadata(p).num_row_groups for p in (no_rows, no_groups)] == [1, 0]
    for path in (no_rows, no_groups, tmp_path):
        sample = source(path).read()
        assert sample.info.rows == 0 and [*sample.columns] == table.column_names


def test_a_column_that_is_asked_for_twice_is_there_once(sides: tuple[str, str]) -> None:
    sample = source(Path(sides[0])).read(columns=["x", "word", "x", "unknown"])
    assert [*streamed(sample)] == ["x", "word"] == sample.table.column_names


# --- Windows ---


def hour(first: int, hours: int = 1) -> Window:
    start = START + dt.timedelta(hours=first)
    return Window(start, start + dt.timedelta(hours=hours))


@pytest.mark.parametrize(
    ("window", "rows"),
    [
        (None, BEFORE),
        (hour(0, HOURS), BEFORE),
        (hour(10, 5), 208),
        (hour(20, 30), 1250),
        (hour(-10), 0),
        (hour(HOURS, 9), 0),
    ],
)
def test_a_window_has_the_rows_it_has_when_it_is_held(
    sides: tuple[str, str], window: Window | None, rows: int
) -> None:
    made = source(Path(sides[0]), "at")
    for _ in range(2):  # what is remembered of files changes nothing
        found = made.read(window)
        with Held():
            expected = source(Path(sides[0]), "at").read(window)
        assert found.info == expected.info and abs(found.info.rows - rows) <= 1
        assert found.notices == expected.notices
        for name, column in expected.columns.items():
            assert values(found.columns[name].drawn()) == values(column.drawn())
        if rows:
            assert found.times is not None and expected.times is not None
            assert found.times.tolist() == expected.times.tolist()


def test_the_hour_that_clocks_skip_and_repeat_is_read_as_it_is_held(tmp_path: Path) -> None:
    """Naive times are local to the zone: one hour is missing in spring, one twice in autumn."""
    for month, day in ((3, 29), (10, 25)):
        first = dt.datetime(2026, month, day)
        times = [first + dt.timedelta(minutes=m) for m in range(0, 24 * 60, 2)]
        path = write(
            pa.table({"at": pa.array(times, pa.timestamp("us")), "n": np.arange(720)}),
            tmp_path / f"{month}.parquet", 100,
        )  # fmt: skip
        zone = ZoneInfo("Europe/Berlin")
        for start in range(5):
            window = Window(
                dt.datetime(2026, month, day, start, tzinfo=zone),
                dt.datetime(2026, month, day, start + 2, 30, tzinfo=zone),
            )
            found = source(path, "at", "Europe/Berlin").read(window)
            with Held():
                expected = source(path, "at", "Europe/Berlin").read(window)
            assert found.info == expected.info
            assert values(found.columns["n"].drawn()) == values(expected.columns["n"].drawn())


def test_times_that_cannot_be_read_are_told_and_left_out(tmp_path: Path) -> None:
    times = [(START + dt.timedelta(minutes=m)).isoformat() for m in range(400)]
    times[7] = times[300] = "never"
    path = write(
        pa.table({"at": [None, *times[1:]], "n": np.arange(400)}), tmp_path / "t.parquet", 90
    )
    for window in (None, hour(0, 2)):
        found = source(path, "at").read(window)
        with Held():
            expected = source(path, "at").read(window)
        assert found.info == expected.info and found.notices == expected.notices
        assert [n.kind for n in found.notices] == ["time_unreadable"]
        assert (found.times is None) == (expected.times is None) == (window is None)
        if found.times is not None and expected.times is not None:
            assert found.times.tolist() == expected.times.tolist()
    for name in ("when", "at"):
        wrong = write(pa.table({"at": ["never"] * 90}), tmp_path / "wrong.parquet")
        with pytest.raises(Exception, match=r"no column named 'when'|no row has a readable time"):
            source(wrong, name).read(hour(0))


def test_a_window_over_files_of_different_columns(tmp_path: Path) -> None:
    """A file none of whose rows come in says nothing about the columns."""
    for day in range(3):
        start = START + dt.timedelta(days=day)
        times = [start + dt.timedelta(minutes=m) for m in range(1000)]
        table = pa.table({"at": pa.array(times, pa.timestamp("us", "UTC")), "x": np.arange(1000.0)})
        if day == 2:
            table = table.append_column("later", [["z"] * 1000])
        write(table, tmp_path / f"{day}.parquet", 100)
    made = source(tmp_path, "at")
    for window in (hour(0, 24), hour(20, 30), hour(48, 24), hour(0, 24)):
        found = made.read(window)
        with Held():
            expected = source(tmp_path, "at").read(window)
        assert [*found.columns] == [*expected.columns] and found.info == expected.info
        assert found.columns["x"].missing == expected.columns["x"].missing


# --- Drawn rows ---


@pytest.fixture
def few_are_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "DRAWN_ROWS", (200, 200))


@pytest.mark.usefixtures("few_are_drawn")
def test_the_same_rows_are_drawn_of_every_column(tmp_path: Path) -> None:
    n = np.arange(5000)
    moments = pa.array(n * 10**6, pa.timestamp("us", "UTC"))
    table = pa.table({"n": n, "f": n / 2, "w": [f"w{i}" for i in n], "at": moments})
    path = write(table, tmp_path / "n.parquet", 70)
    sample = source(path, "at").read()
    drawn = sample.columns["n"].drawn().numbers
    assert drawn is not None and drawn.size == 200 and np.all(np.diff(drawn) > 0)
    assert sample.columns["f"].drawn().numbers is not None
    assert (np.asarray(sample.columns["f"].drawn().numbers) * 2).tolist() == drawn.tolist()
    assert values(sample.columns["w"].drawn()) == [f"w{i:.0f}" for i in drawn]
    assert sample.times is not None and sample.times.tolist() == drawn.tolist()
    assert isinstance(sample.table, StreamedTable)
    assert sample.table.drawn(["n", "w"])["n"].to_pylist() == drawn.tolist()
    again = source(path).read(columns=["w", "n"])
    assert values(again.columns["n"].drawn()) == drawn.tolist()
    assert again.table.column("n").to_pylist() == n.tolist()


@pytest.mark.usefixtures("few_are_drawn")
def test_drawn_rows_are_uniform_and_all_of_few(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    few = write(pa.table({"n": np.arange(200)}), tmp_path / "few.parquet", 30)
    assert values(source(few).read().columns["n"].drawn()) == list(range(200))
    counts = np.zeros(10)
    for rows in range(1000, 5000, 10):
        monkeypatch.setattr(streams, "SEED", rows)
        counts += np.histogram(drawn_places(rows), 10, (0, rows))[0]
    expected = counts.sum() / 10
    assert np.all(np.abs(counts - expected) < 5 * np.sqrt(expected))


def drawn_places(rows: int) -> np.ndarray[Any, Any]:
    thirds = [rows // 3, rows // 3, rows - 2 * (rows // 3)]
    blocks = tuple(TableBlock(pa.table({"n": np.arange(size)})) for size in thirds)
    made = Streams(blocks, ("n",), ZoneInfo("UTC"), None)
    starts = np.cumsum([0, *thirds])
    found = [p + s for p, s in zip(made.drawn, starts, strict=False) if p is not None]
    return np.concatenate(found)


@pytest.mark.usefixtures("few_are_drawn")
def test_segments_are_compared_in_drawn_rows_and_it_is_said(sides: tuple[str, str]) -> None:
    result = compare(*sides, segments=("word",), time_column="at")
    assert [n.text for n in result.check.notices if n.kind == "segments_drawn"] == [
        "segments were compared in 200 rows drawn at random"
    ]
    assert {s.rows_current for s in result.check.segments} and all(
        s.rows_current <= 200 for s in result.check.segments
    )


def test_a_drift_inside_the_window_tells_since_when(tmp_path: Path) -> None:
    before, now = every_type(1, BEFORE), every_type(2, NOW)
    x = np.asarray(now["x"]).copy()
    x[NOW // 2 :] += 2
    now = now.set_column(now.column_names.index("x"), "x", pa.array(x))
    paths = [str(write(t, tmp_path / f"{i}.parquet")) for i, t in enumerate((before, now))]
    found, expected = both_ways(*paths, time_column="at")
    assert near(told(found), told(expected))
    onset = next(c.onset for c in found.check.columns if c.name == "x")
    assert onset is not None and abs(onset - (START + dt.timedelta(hours=36))) < dt.timedelta(
        hours=1
    )


def test_a_suite_is_held_against_all_rows(sides: tuple[str, str], tmp_path: Path) -> None:
    kwargs: Sequence[tuple[str, dict[str, Any]]] = (
        ("expect_table_row_count_to_be_between", {"min_value": NOW, "max_value": NOW}),
        ("expect_column_values_to_not_be_null", {"column": "x_null"}),
        ("expect_column_values_to_be_between", {"column": "x", "min_value": -9, "max_value": 2}),
        ("expect_column_values_to_be_in_set", {"column": "word", "value_set": ["north", "south"]}),
        ("expect_column_values_to_be_unique", {"column": "id"}),
        ("expect_column_mean_to_be_between", {"column": "money", "min_value": 0, "max_value": 1}),
    )
    suite = tmp_path / "suite.json"
    rules = [{"type": name, "kwargs": k, "severity": "critical"} for name, k in kwargs]
    suite.write_text(json.dumps({"name": "s", "expectations": rules}))
    found, expected = both_ways(*sides, suite=suite)
    assert near(told(found)["expectations"], told(expected)["expectations"])
    assert found.check.expectations is not None
    successes = [r.success for r in found.check.expectations.results]
    assert successes == [True, False, False, False, True, True]
    report = SuiteValidator().validate(
        str(suite), source(Path(sides[1])).read(), show_values="never"
    )
    assert report.evaluated == 6


# --- Damage ---


def refused(*sides: str, **question: Any) -> str:
    """The reason of a comparison that could not read one side."""
    result = compare(*sides, **question)
    assert result.verdict is Verdict.UNDECIDED and not result.check.columns
    return result.headline + " ".join(f.reason for f in result.check.dataset.findings)


def test_a_file_that_is_cut_off_is_told(sides: tuple[str, str], tmp_path: Path) -> None:
    content = Path(sides[1]).read_bytes()
    for share in (0.001, 0.3, 0.7, 0.999):
        cut = tmp_path / "cut.parquet"
        cut.write_bytes(content[: int(len(content) * share)])
        assert "the end of the Parquet file is missing" in refused(sides[0], str(cut))
    cut.write_bytes(b"")
    assert "is empty (0 bytes)" in refused(sides[0], str(cut))
    cut.write_text("x,y\n1,2\n" * 100)
    assert "not Parquet" in refused(sides[0], str(cut))
    cut.write_bytes(content[:4] + content[-4:])
    assert "not readable as parquet" in refused(sides[0], str(cut))


def data_of(path: Path, name: str, group: int = 1) -> tuple[int, int]:
    """Where the bytes of a column lie."""
    metadata = pq.read_metadata(path).row_group(group)
    for index in range(metadata.num_columns):
        column = metadata.column(index)
        if column.path_in_schema == name:
            start = column.dictionary_page_offset or column.data_page_offset
            return start, start + column.total_compressed_size
    raise AssertionError(name)


def damage(path: Path, name: str, seed: int, group: int = 1) -> None:
    """Overwrite bytes in the second half of one page."""
    content = bytearray(path.read_bytes())
    start, end = data_of(path, name, group)
    rng = np.random.default_rng(seed)
    for place in rng.integers((start + end) // 2, end, 5):
        content[place] ^= 0xFF
    path.write_bytes(bytes(content))


@pytest.mark.parametrize("name", ["x", "word", "money"])
def test_a_damaged_page_with_a_checksum_is_told_and_takes_no_other_column_along(
    sides: tuple[str, str], tmp_path: Path, name: str
) -> None:
    now = write(every_type(2, NOW, 0.6), tmp_path / "now.parquet", 500, write_page_checksum=True)
    expected = compare(sides[0], str(now), segments=("few",), dataset_tests=("correlation_change",))
    damage(now, name, 1)
    found = compare(sides[0], str(now), segments=("few",), dataset_tests=("correlation_change",))
    broken = next(c for c in found.check.columns if c.name == name)
    assert broken.verdict is Verdict.UNDECIDED and not broken.findings
    assert "SourceUnreadable" in broken.reason and "now.parquet" in broken.reason
    for column in found.check.columns:
        same = next(c for c in expected.check.columns if c.name == column.name)
        assert column.name == name or [f.statistic for f in column.findings] == [
            f.statistic for f in same.findings
        ]
    with Held():
        assert "checksum" in refused(sides[0], str(now)).lower()


@pytest.mark.parametrize("seed", range(3))
def test_a_damaged_page_without_a_checksum_is_told_or_a_column_alone_is_wrong(
    sides: tuple[str, str], tmp_path: Path, seed: int
) -> None:
    """Nobody can know what was written there; a packed page mostly tells that it does not open."""
    packed = ("zstd", "snappy", "none")[seed % 3]
    now = write(every_type(2, NOW), tmp_path / "now.parquet", 500, compression=packed)
    expected = compare(sides[0], str(now))
    for name in ("x", "word", "whole"):
        damage(now, name, seed)
    found = compare(sides[0], str(now))
    for column in found.check.columns:
        same = next(c for c in expected.check.columns if c.name == column.name)
        if column.name not in ("x", "word", "whole"):
            assert column == same


def replaced(path: Path, content: bytes) -> None:
    other = path.with_name("other.tmp")
    other.write_bytes(content)
    os.utime(other, (1, 1))
    other.replace(path)


def overwritten(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    os.utime(path, (1, 1))


CHANGES: dict[str, Callable[[Path], None]] = {
    "replaced": lambda path: replaced(path, path.with_name("twin.parquet").read_bytes()),
    "overwritten": lambda path: overwritten(path, path.with_name("twin.parquet").read_bytes()),
    "other columns": lambda path: replaced(path, path.with_name("narrow.parquet").read_bytes()),
    "cut off": lambda path: overwritten(path, path.read_bytes()[:5000]),
    "emptied": lambda path: overwritten(path, b""),
    "deleted": lambda path: path.unlink(),
}


@pytest.mark.parametrize("opened", [False, True], ids=["unopened", "opened"])
@pytest.mark.parametrize("how", CHANGES)
def test_a_file_that_changes_while_it_is_read_is_told(
    tmp_path: Path, how: str, opened: bool
) -> None:
    """The twin has the same layout to the byte, so that reading it would seem to go well."""
    plain = {"compression": "none", "use_dictionary": False}
    path, twin = tmp_path / "f.parquet", tmp_path / "twin.parquet"
    for number, place in enumerate((path, twin)):
        write(pa.table({"a": np.full(5000, number), "b": np.ones(5000)}), place, 500, **plain)
    write(pa.table({"c": np.ones(5000)}), tmp_path / "narrow.parquet", 500)
    assert path.stat().st_size == twin.stat().st_size
    found = streamed(source(path).read())
    if opened:
        assert found["a"].head().rows == 5000
    CHANGES[how](path)
    if opened and how == "deleted":  # the rows are still those that were there
        assert sum(piece.rows for piece in found["b"].pieces()) == 5000
        return
    with pytest.raises(
        SourceUnreadable, match=r"f\.parquet was replaced, changed or removed while it was read"
    ):
        list(found["b"].pieces())
    assert "while it was read" in found["b"].drawn().problem
    assert found["b"].drawn().rows == 5000


def test_a_file_that_changes_during_a_comparison_makes_no_verdict_of_mixed_rows(
    sides: tuple[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = write(every_type(2, NOW), tmp_path / "now.parquet", 500)
    read, calls = ParquetBlock.column, []

    def reading(block: ParquetBlock, name: str) -> pa.ChunkedArray:
        calls.append(name)
        if len(calls) == 40:
            replaced(now, Path(sides[1]).read_bytes())
        return read(block, name)

    monkeypatch.setattr(ParquetBlock, "column", reading)
    monkeypatch.setattr("monitor.tables.blocks.BLOCK_ROWS", 500)
    monkeypatch.setattr("monitor.tables.streams.BLOCK_ROWS", 500)
    result = compare(sides[0], str(now))
    clean = compare(sides[0], sides[0])
    assert result.verdict is Verdict.UNDECIDED and result.exit_code == 3
    undecided = [c for c in result.check.columns if "while it was read" in c.reason]
    assert len(undecided) > 10 and clean.verdict is Verdict.PASSED


@pytest.mark.parametrize("side", [0, 1], ids=["reference", "current"])
def test_a_file_that_changes_when_all_is_read_leaves_no_pass(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, side: int
) -> None:
    """No column is undecided then, and the rows are those of nobody knows which file."""
    both = [write(every_type(1, BEFORE), tmp_path / f"{name}.parquet") for name in "ab"]
    compared = dataset_comparison.compare_table

    def late(*given: Any) -> Any:
        found = compared(*given)
        os.utime(both[side], (1, 1))
        return found

    assert compare(*map(str, both)).verdict is Verdict.PASSED
    monkeypatch.setattr(looking, "compare_table", late)
    result = compare(*map(str, both))
    assert result.verdict is Verdict.UNDECIDED and result.exit_code == 3
    told = [(f.test, f.verdict, f.reason) for f in result.check.dataset.findings]
    reason = f"{both[side]} was replaced, changed or removed during the check"
    assert ("source", Verdict.UNDECIDED, reason) in told
    assert reason in result.headline
    assert all(c.verdict is not Verdict.UNDECIDED or "not compared" in c.reason
               for c in result.check.columns)  # fmt: skip


def test_a_file_that_changes_during_a_check_leaves_no_pass(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = Service(load_settings(projects.write_project(tmp_path, suite=False)))
    compared = dataset_comparison.compare_table

    def late(*given: Any) -> Any:
        found = compared(*given)
        twin = tmp_path / "twin"
        twin.write_bytes((tmp_path / "data" / "day0.parquet").read_bytes())
        os.utime(twin, ns=(1, (tmp_path / "data" / "day0.parquet").stat().st_mtime_ns))
        twin.replace(tmp_path / "data" / "day0.parquet")  # another file of one size and time
        return found

    try:
        assert (
            service.check("orders", projects.day(0), dry_run=True).check.verdict is Verdict.PASSED
        )
        monkeypatch.setattr(looking, "compare_table", late)
        check = service.check("orders", projects.day(0), dry_run=True).check
    finally:
        service.close()
    assert check.verdict is Verdict.UNDECIDED
    (found,) = [f for f in check.dataset.findings if f.test == "source"]
    assert "day0.parquet was replaced" in found.reason


# --- Many small row groups ---


def test_small_row_groups_are_read_together_with_a_time_column_too(tmp_path: Path) -> None:
    path = write(every_type(1, BEFORE), tmp_path / "small.parquet", 10)
    for window, rows in ((None, BEFORE), (hour(10, 5), 208)):
        found = source(path, "at").read(window)
        assert abs(found.info.rows - rows) <= 1 and len(streamed(found).blocks) == 1


def test_a_damaged_reference_is_told(sides: tuple[str, str], tmp_path: Path) -> None:
    before = write(
        every_type(1, BEFORE), tmp_path / "before.parquet", 1000, write_page_checksum=True
    )
    damage(before, "x", 3, 0)
    result = compare(str(before), sides[1])
    broken = next(c for c in result.check.columns if c.name == "x")
    assert broken.verdict is Verdict.UNDECIDED and "SourceUnreadable" in broken.reason
    with pytest.raises(CouldNotLook, match=r"before\.parquet"):
        freeze(str(before), tmp_path / "x.reference")
    assert not (tmp_path / "x.reference").exists()


def test_a_column_reads_each_block_once_when_it_is_compared(
    sides: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    read, calls = ParquetBlock.column, []

    def reading(block: ParquetBlock, name: str) -> pa.ChunkedArray:
        calls.append((id(block), name))
        return read(block, name)

    monkeypatch.setattr(ParquetBlock, "column", reading)
    monkeypatch.setattr("monitor.tables.blocks.BLOCK_ROWS", 500)
    monkeypatch.setattr("monitor.tables.streams.BLOCK_ROWS", 500)
    compare(*sides, columns=("x", "word", "few"), segments=("few",))
    assert len(calls) == len(set(calls))
