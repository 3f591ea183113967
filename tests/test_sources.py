"""The file source against real files: every format through the same bodies."""

import datetime as dt
import gzip
import hashlib
import io
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from monitor import catalogue
from monitor.configuration.datasets import CsvSettings, SourceSettings
from monitor.core.records import Window
from monitor.errors import (
    AskedWrongly,
    MonitorError,
    PathNotFound,
    SourceUnreadable,
    UnknownName,
)
from monitor.ports import Sample
from monitor.settings import datasets_folder
from monitor.sources._files_scan import Scan
from monitor.sources.files import FileSource, make
from monitor.tables.places import Place
from monitor.tables.roll import Seen
from monitor.tables.times import to_datetime

START = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
ROWS = 48  # one an hour, two days
DAY = dt.timedelta(days=1)
FIRST_DAY, SECOND_DAY = Window(START, START + DAY), Window(START + DAY, START + 2 * DAY)
LONG_AGO = Window(START - 9 * DAY, START - 8 * DAY)

Writer = Callable[[Path, pa.Table], Path]


def hours(rows: int = ROWS, first: int = 0) -> pa.Table:
    """One row an hour: its number, a float with gaps, a word with gaps, a flag."""
    n = np.arange(first, first + rows)
    return pa.table(
        {
            "when": pa.array(
                [START + dt.timedelta(hours=int(i)) for i in n], pa.timestamp("us", "UTC")
            ),
            "n": n,
            "x": pa.array([None if i % 5 == 0 else i / 8 for i in n], pa.float64()),
            "word": pa.array([None if i % 7 == 0 else f"w{i % 3}" for i in n], pa.string()),
            "flag": pa.array([bool(i % 2) for i in n]),
        }
    )


# --- Writing the same rows in every format ---


def write_parquet(folder: Path, table: pa.Table, name: str = "data.parquet") -> Path:
    pq.write_table(table, folder / name, row_group_size=10)
    return folder / name


def write_csv(folder: Path, table: pa.Table, name: str = "data.csv") -> Path:
    pa_csv.write_csv(table, folder / name)
    return folder / name


def write_csv_gz(folder: Path, table: pa.Table, name: str = "data.csv.gz") -> Path:
    made = io.BytesIO()
    pa_csv.write_csv(table, made)
    (folder / name).write_bytes(gzip.compress(made.getvalue()))
    return folder / name


def json_lines(table: pa.Table) -> bytes:
    return b"".join(json.dumps(row, default=str).encode() + b"\n" for row in table.to_pylist())


def write_ndjson(folder: Path, table: pa.Table, name: str = "data.ndjson") -> Path:
    (folder / name).write_bytes(json_lines(table))
    return folder / name


def write_jsonl_gz(folder: Path, table: pa.Table, name: str = "data.jsonl.gz") -> Path:
    (folder / name).write_bytes(gzip.compress(json_lines(table)))
    return folder / name


def write_arrow(folder: Path, table: pa.Table, name: str = "data.arrow") -> Path:
    with pa.OSFile(str(folder / name), "wb") as file, pa.ipc.new_file(file, table.schema) as writer:
        writer.write_table(table, max_chunksize=10)
    return folder / name


def write_stream(folder: Path, table: pa.Table, name: str = "data.arrows") -> Path:
    with (
        pa.OSFile(str(folder / name), "wb") as file,
        pa.ipc.new_stream(file, table.schema) as writer,
    ):
        writer.write_table(table, max_chunksize=10)
    return folder / name


WRITERS: dict[str, Writer] = {
    "parquet": write_parquet,
    "csv": write_csv,
    "csv.gz": write_csv_gz,
    "ndjson": write_ndjson,
    "jsonl.gz": write_jsonl_gz,
    "arrow": write_arrow,
    "arrow stream": write_stream,
}
WITH_A_HEADER = {name: write for name, write in WRITERS.items() if "json" not in name}
every_format = pytest.mark.parametrize("write", WRITERS.values(), ids=WRITERS)
with_a_header = pytest.mark.parametrize("write", WITH_A_HEADER.values(), ids=WITH_A_HEADER)


def source(path: Path | str, time: str | None = "when", **more: Any) -> FileSource:
    return FileSource(SourceSettings(path=str(path), time=time, **more), Path("/nowhere"))


def csv_source(
    tmp_path: Path, content: bytes | str, *, name: str = "a.csv", **csv: Any
) -> FileSource:
    (tmp_path / name).write_bytes(content.encode() if isinstance(content, str) else content)
    return source(tmp_path / name, None, csv=CsvSettings(**csv))


def values(sample: Sample, name: str) -> list[Any]:
    listed: list[Any] = sample.table[name].to_pylist()
    return listed


def kinds(sample: Sample) -> list[str]:
    return [notice.kind for notice in sample.notices]


# --- Every format ---


@every_format
def test_all_rows(tmp_path: Path, write: Writer) -> None:
    sample = source(write(tmp_path, hours())).read()
    assert list(sample.columns) == ["when", "n", "x", "word", "flag"]
    assert (sample.info.rows, sample.info.rows_in_window) == (ROWS, ROWS)
    assert (sample.info.method, sample.info.seed) == ("all", None)
    assert sample.info.newest == START + dt.timedelta(hours=ROWS - 1)
    assert values(sample, "n") == list(range(ROWS))
    numbers, words = (sample.columns[name].drawn() for name in ("x", "word"))
    assert numbers.dtype == "float" and numbers.missing == 10
    assert numbers.numbers is not None and numbers.numbers[:2].tolist() == [0.125, 0.25]
    assert sorted(words.levels) == ["w0", "w1", "w2"] and words.missing == 7
    assert sample.columns["flag"].dtype == "boolean" and sample.columns["n"].dtype == "integer"
    assert sample.notices == ()


@every_format
def test_a_window_is_half_open(tmp_path: Path, write: Writer) -> None:
    files = source(write(tmp_path, hours()))
    assert values(files.read(FIRST_DAY), "n") == list(range(24))
    second = files.read(SECOND_DAY)
    assert values(second, "n") == list(range(24, 48))
    assert second.info.newest == START + dt.timedelta(hours=47)
    assert files.read(FIRST_DAY).info.newest == START + dt.timedelta(hours=23)


@every_format
def test_an_empty_window_knows_the_columns_and_the_newest_row(
    tmp_path: Path, write: Writer
) -> None:
    files = source(write(tmp_path, hours()))
    late = files.read(Window(START + 5 * DAY, START + 6 * DAY))
    assert list(late.columns) == ["when", "n", "x", "word", "flag"]
    assert (late.info.rows, late.info.rows_in_window, late.info.method) == (0, 0, "all")
    assert late.info.newest == START + dt.timedelta(hours=47)
    assert files.read(LONG_AGO).info.newest is None


@every_format
def test_columns_are_projected(tmp_path: Path, write: Writer) -> None:
    files = source(write(tmp_path, hours()))
    sample = files.read(FIRST_DAY, columns=["x", "absent", "n", "x"])
    assert list(sample.columns) == ["x", "n"] and sample.info.rows == 24
    assert files.read(FIRST_DAY, columns=["absent"]).info.rows == 24
    assert list(files.read(columns=["when"], limit=3).columns) == ["when"]


@every_format
def test_a_limit_draws_a_sample_in_stored_order(tmp_path: Path, write: Writer) -> None:
    files = source(write(tmp_path, hours()))
    sample = files.read(FIRST_DAY, limit=5, seed=3)
    drawn = values(sample, "n")
    assert len(drawn) == 5 and drawn == sorted(drawn) and set(drawn) <= set(range(24))
    assert (sample.info.rows, sample.info.rows_in_window) == (5, 24)
    assert (sample.info.method, sample.info.seed) == ("reservoir", 3)
    assert values(files.read(FIRST_DAY, limit=5, seed=3), "n") == drawn
    assert values(files.read(FIRST_DAY, limit=5, seed=4), "n") != drawn
    assert files.read(FIRST_DAY, limit=24).info.method == "all"


def test_the_sample_is_the_same_in_every_format(tmp_path: Path) -> None:
    drawn = [
        values(source(w(tmp_path, hours())).read(limit=9, seed=1), "n") for w in WRITERS.values()
    ]
    assert all(rows == drawn[0] for rows in drawn)


@every_format
def test_the_span(tmp_path: Path, write: Writer) -> None:
    span = source(write(tmp_path, hours())).span()
    assert span == Window(START, START + dt.timedelta(hours=47, microseconds=1))
    assert source(write(tmp_path, hours()), None).span() is None


@with_a_header
def test_no_span_without_rows(tmp_path: Path, write: Writer) -> None:
    assert source(write(tmp_path, hours(0))).span() is None


@with_a_header
def test_a_file_without_rows(tmp_path: Path, write: Writer) -> None:
    sample = source(write(tmp_path, hours(0))).read()
    assert list(sample.columns) == ["when", "n", "x", "word", "flag"] and sample.info.rows == 0


@every_format
def test_a_time_column_that_is_absent(tmp_path: Path, write: Writer) -> None:
    files = source(write(tmp_path, hours()), "wen")
    for attempt in (lambda: files.read(FIRST_DAY, columns=["x"]), files.read, files.span):
        with pytest.raises(UnknownName, match=r"no column named 'wen'.*word") as caught:
            attempt()
        assert caught.value.hint == "did you mean 'when', the only column that tells a time?"


@every_format
def test_an_empty_file(tmp_path: Path, write: Writer) -> None:
    path = write(tmp_path, hours())
    path.write_bytes(b"")
    with pytest.raises(SourceUnreadable, match=r"data\..* is empty \(0 bytes\)"):
        source(path).read()


@every_format
def test_a_file_that_is_cut_off(tmp_path: Path, write: Writer) -> None:
    path = write(tmp_path, hours())
    content = path.read_bytes()
    path.write_bytes(content[: len(content) * 2 // 3 - 2])
    with pytest.raises(SourceUnreadable, match=path.name):
        source(path).read()


@every_format
@pytest.mark.parametrize("noise", [b"\x00\x01\x02\x03" * 50, b"PAR1", b"PK\x03\x04" + b"z" * 99])
def test_content_that_is_not_what_the_name_says(
    tmp_path: Path, write: Writer, noise: bytes
) -> None:
    path = write(tmp_path, hours())
    path.write_bytes(noise)
    with pytest.raises((SourceUnreadable, UnknownName)) as caught:
        source(path, "when").read()
    assert path.name in str(caught.value) or isinstance(caught.value, UnknownName)


@every_format
def test_every_cut_is_unreadable_or_read(tmp_path: Path, write: Writer) -> None:
    """Whatever is left of a file: an error of ours or rows, never another exception."""
    path = write(tmp_path, hours(6))
    content = path.read_bytes()
    for end in range(0, len(content), max(1, len(content) // 40)):
        path.write_bytes(content[:end])
        try:
            assert source(path, None).read().info.rows <= 6
        except SourceUnreadable as error:
            assert path.name in str(error)


def test_names_and_content_that_contradict_each_other(tmp_path: Path) -> None:
    parquet = write_parquet(tmp_path, hours())
    as_csv, as_gz = tmp_path / "a.csv", tmp_path / "a.csv.gz"
    as_csv.write_bytes(parquet.read_bytes())
    as_gz.write_bytes(b"a,b\n1,2\n")
    (tmp_path / "a.parquet").write_bytes(gzip.compress(b"a"))
    with pytest.raises(SourceUnreadable, match=r"a\.csv: not CSV: the content is Parquet"):
        source(as_csv).read()
    with pytest.raises(
        SourceUnreadable, match=r"a\.csv\.gz: named \.gz, but the content is not gzip"
    ):
        source(as_gz).read()
    with pytest.raises(SourceUnreadable, match=r"a\.parquet: not Parquet: the content is gzip"):
        source(tmp_path / "a.parquet").read()


def damaged_arrow(folder: Path, what: str) -> Path:
    """An Arrow file with places beyond their list, which Arrow opens as if nothing were wrong."""
    words = pa.array(["north", "south", "west"] * 16)
    if what == "offsets":
        offsets = np.frombuffer(words.buffers()[1], np.int32).copy()
        offsets[20] = 10**9
        buffers = [None, pa.py_buffer(offsets), words.buffers()[2]]
        column = pa.Array.from_buffers(pa.string(), len(words), buffers)
    else:
        codes = pa.array([0, 1, 7] * 16, pa.int8())
        column = pa.DictionaryArray.from_arrays(codes, pa.array(["a", "b"]), safe=False)
    batch = pa.RecordBatch.from_arrays([pa.array(np.arange(48.0)), column], ["n", "word"])
    path = folder / "damaged.arrow"
    with pa.ipc.new_file(str(path), batch.schema) as writer:
        writer.write_batch(batch)
    return path


@pytest.mark.parametrize("what", ["offsets", "codes"])
def test_damage_inside_an_arrow_file_is_told(tmp_path: Path, what: str) -> None:
    path = damaged_arrow(tmp_path, what)
    with pytest.raises(SourceUnreadable, match=r"damaged\.arrow: not readable as arrow"):
        source(path, time=None).read()
    found = source(path, time=None).read(columns=["n"])
    assert found.info.rows == 48  # the others are as they were


def test_arrow_text_that_is_no_utf8_is_shown_as_bytes_as_ever(tmp_path: Path) -> None:
    raw = pa.array([b"a", b"\xff"]).view(pa.string())
    path = write_arrow(tmp_path, pa.table({"w": raw}))
    found = source(path, time=None).read().columns["w"]
    assert sorted(found.levels) == ["0xff", "a"]  # type: ignore[attr-defined]


PEAK = """
import sys, pyarrow as pa
from pathlib import Path
from monitor.settings import SourceSettings
from monitor.sources.files import FileSource
sample = FileSource(SourceSettings(path=sys.argv[1]), Path()).read(limit=100)
assert sample.info.rows_in_window == 1_000_000
print(pa.default_memory_pool().max_memory())
"""


def test_a_sample_does_not_hold_the_file(tmp_path: Path) -> None:
    numbers = np.random.default_rng(0).random(1_000_000)
    table = pa.table(dict.fromkeys("abcd", numbers))
    pq.write_table(table, tmp_path / "a.parquet", row_group_size=50_000)
    command = [sys.executable, "-c", PEAK, str(tmp_path / "a.parquet")]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    assert int(done.stdout) < table.nbytes / 2


# --- Times ---


@pytest.mark.parametrize(
    "writing",
    [
        lambda t: t.cast(pa.timestamp("us")),
        lambda t: t.cast(pa.timestamp("s", "Asia/Tokyo")),
        lambda t: t.cast(pa.timestamp("ns")),
        lambda t: pa.array([v.isoformat() for v in t.to_pylist()]),
        lambda t: pa.array([v.isoformat() for v in t.to_pylist()]).dictionary_encode(),
        lambda t: pa.array([f"{v:%Y-%m-%d %H:%M:%S}" for v in t.to_pylist()]),
        lambda t: pa.array([v.timestamp() for v in t.to_pylist()]),
        lambda t: pa.array([int(v.timestamp()) for v in t.to_pylist()]),
        lambda t: pa.array([int(v.timestamp() * 1000) for v in t.to_pylist()]),
        lambda t: pa.array([str(int(v.timestamp())) for v in t.to_pylist()]),
    ],
)
@pytest.mark.parametrize("write", [write_parquet, write_csv], ids=["parquet", "csv"])
def test_times_in_every_writing(tmp_path: Path, write: Writer, writing: Any) -> None:
    table = hours()
    times = writing(table["when"].combine_chunks())
    files = source(write(tmp_path, table.set_column(0, "when", times)))
    assert values(files.read(SECOND_DAY), "n") == list(range(24, 48))
    assert files.span() == Window(START, START + dt.timedelta(hours=47, microseconds=1))


def test_dates_and_local_times(tmp_path: Path) -> None:
    days = [dt.date(2026, 1, 1), dt.date(2026, 1, 2)]
    path = write_parquet(tmp_path, pa.table({"when": days, "n": [0, 1]}))
    assert values(source(path).read(SECOND_DAY), "n") == [1]
    berlin = source(path, timezone=ZoneInfo("Europe/Berlin"))
    assert berlin.span() == Window(
        START - dt.timedelta(hours=1), START + DAY - dt.timedelta(hours=1, microseconds=-1)
    )


def test_mixed_offsets_and_fractions(tmp_path: Path) -> None:
    lines = [
        "2026-01-01T23:59:59.999999Z",
        "2026-01-02T00:59:59+01:00",
        "2026-01-02 01:00:00+01",
        "2026-01-02",
    ]
    files = csv_source(tmp_path, "when,n\n" + "".join(f"{t},{i}\n" for i, t in enumerate(lines)))
    files = source(tmp_path / "a.csv")
    assert values(files.read(FIRST_DAY), "n") == [0, 1]
    assert values(files.read(SECOND_DAY), "n") == [2, 3]


def test_rows_without_a_readable_time_are_counted(tmp_path: Path) -> None:
    path = write_ndjson(
        tmp_path, pa.table({"when": ["2026-01-01", "jim@x.org", None], "n": [0, 1, 2]})
    )
    sample = source(path).read(FIRST_DAY)
    (notice,) = sample.notices
    assert values(sample, "n") == [0]
    assert (notice.kind, notice.column) == ("time_unreadable", "when")
    assert "2 of 3 rows" in notice.text and "'aaa@a.aaa'" in notice.text
    assert "jim" not in notice.text  # its shape is enough to find it
    assert source(path).read().info.rows == 3


def test_no_readable_time_at_all(tmp_path: Path) -> None:
    path = write_parquet(tmp_path, pa.table({"when": ["31/12/2026"], "n": [0]}))
    with pytest.raises(SourceUnreadable, match=r"no row has a readable time in 'when'.*99/99/9999"):
        source(path).read(FIRST_DAY)
    sample = source(path).read()  # no window, no need of times
    assert sample.info.rows == 1 and kinds(sample) == ["time_unreadable"]


@pytest.mark.parametrize(
    "kind",
    [pa.timestamp("us", "UTC"), pa.timestamp("ns"), pa.timestamp("ms"), pa.date32(), pa.string()],
)
def test_row_groups_outside_the_window_are_still_remembered(
    tmp_path: Path, kind: pa.DataType
) -> None:
    table = hours()
    times = pa.array([*table["when"].to_pylist()[:-1], None], pa.timestamp("us", "UTC"))
    path = write_parquet(tmp_path, table.set_column(0, "when", times.cast(kind)))
    early = source(path).read(Window(START, START + DAY))
    assert early.info.rows_in_window == 24
    assert "1 of 48 rows" in early.notices[0].text
    late = source(path).read(Window(START + 9 * DAY, START + 10 * DAY))
    newest = START + (DAY if kind == pa.date32() else dt.timedelta(hours=46))
    assert late.info.rows == 0 and late.info.newest == newest


def test_parquet_outside_the_window_is_not_read(tmp_path: Path) -> None:
    """Break the pages of a row group that the statistics rule out: nobody notices."""
    path = write_parquet(tmp_path, hours())
    metadata = pq.read_metadata(path).row_group(4)
    content = bytearray(path.read_bytes())
    for i in range(metadata.num_columns):
        start = metadata.column(i).dictionary_page_offset or metadata.column(i).data_page_offset
        content[start : start + 12] = b"\xff" * 12
    path.write_bytes(content)
    assert source(path).read(FIRST_DAY).info.rows == 24
    with pytest.raises(SourceUnreadable, match="not readable as parquet"):
        source(path).read(SECOND_DAY)


TIMES = st.lists(st.integers(0, 10_000_000), min_size=1, max_size=30)


@given(times_us=TIMES, cuts=st.lists(st.integers(0, 10_000_001), min_size=2, max_size=6))
@hypothesis_settings(max_examples=25, deadline=None)
def test_neighbouring_windows_partition_the_rows(
    tmp_path_factory: pytest.TempPathFactory, times_us: list[int], cuts: list[int]
) -> None:
    folder = tmp_path_factory.mktemp("rows")
    table = pa.table(
        {"when": pa.array(times_us, pa.timestamp("us", "UTC")), "n": range(len(times_us))}
    )
    files = source(write_parquet(folder, table))
    cuts = sorted({0, *cuts, 10_000_001})
    windows = [Window(to_datetime(a), to_datetime(b)) for a, b in pairwise(cuts)]
    found = [n for window in windows for n in values(files.read(window), "n")]
    assert sorted(found) == list(range(len(times_us)))


# --- Datasets of several files ---


def parts(
    folder: Path, *tables: pa.Table, write: Any = write_parquet, suffix: str = "parquet"
) -> Path:
    folder.mkdir(exist_ok=True)
    for i, table in enumerate(tables):
        write(folder, table, f"part-{i}.{suffix}")
    return folder


@pytest.mark.parametrize("pattern", ["", "*.parquet", "*", "**/*.parquet", "part-[01].parquet"])
def test_folders_and_patterns(tmp_path: Path, pattern: str) -> None:
    folder = parts(tmp_path / "d", hours(10), hours(10, first=10))
    assert values(source(folder / pattern).read(), "n") == list(range(20))


def test_a_relative_path_is_relative_to_the_root(tmp_path: Path) -> None:
    parts(tmp_path / "d", hours(3))
    assert make(SourceSettings(path="d/*.parquet"), tmp_path).read().info.rows == 3


def test_folders_are_searched_to_the_bottom_and_leftovers_ignored(tmp_path: Path) -> None:
    folder = parts(tmp_path / "d", hours(5))
    parts(folder / "day=2", hours(5, first=5))
    for name in ("_SUCCESS", ".part-9.parquet", "part-9.parquet.tmp", ".part-0.parquet.crc"):
        (folder / name).write_bytes(b"")
    (folder / "_temporary").mkdir()
    (folder / "_temporary" / "x.parquet").write_bytes(b"")
    sample = source(folder).read()
    assert sample.info.rows == 10 and sample.notices == ()


def test_files_of_no_known_format_are_told(tmp_path: Path) -> None:
    folder = parts(tmp_path / "d", hours(5))
    (folder / "README.md").write_text("hello")
    (notice,) = source(folder).read().notices
    assert notice.kind == "file_skipped" and "README.md" in notice.text


def test_different_formats_are_refused_by_name(tmp_path: Path) -> None:
    folder = parts(tmp_path / "d", hours(5))
    write_csv(folder, hours(5), "b.csv")
    with pytest.raises(
        AskedWrongly, match=r"csv \(b\.csv\), parquet \(part-0\.parquet\)"
    ) as caught:
        source(folder).read()
    assert "pattern" in caught.value.hint


def test_a_format_that_nobody_knows(tmp_path: Path) -> None:
    (tmp_path / "a.xlsx").write_bytes(b"x")
    for path in ("a.xlsx", "*.xlsx"):
        with pytest.raises(
            AskedWrongly, match=r"a\.xlsx does not tell its format.*\.parquet"
        ) as caught:
            source(tmp_path / path).read()
        assert caught.value.hint == "set `format` to one of arrow, csv, ndjson, parquet"


def test_the_format_may_be_given(tmp_path: Path) -> None:
    write_csv(tmp_path, hours(), "data.txt")
    assert source(tmp_path / "data.txt", format="csv").read().info.rows == ROWS
    assert source(tmp_path, format="csv").read().info.rows == ROWS


def test_columns_that_differ_from_file_to_file(tmp_path: Path) -> None:
    folder = parts(
        tmp_path / "d",
        pa.table({"a": [1], "b": [1], "only": ["x"], "none": pa.nulls(1)}),
        pa.table({"b": ["z"], "a": [0.5], "none": [True]}),
    )
    sample = source(folder, None).read()
    assert sample.table.to_pydict() == {
        "a": [1.0, 0.5], "b": ["1", "z"], "only": ["x", None], "none": [None, True],
    }  # fmt: skip
    assert sample.columns["only"].missing == 1


def test_csv_files_share_one_idea_of_their_columns(tmp_path: Path) -> None:
    tables = (pa.table({"a": ["1.50"]}), pa.table({"a": ["x"]}))
    folder = parts(tmp_path / "d", *tables, write=write_csv, suffix="csv")
    assert values(source(folder, None).read(), "a") == ["1.50", "x"]


def test_other_windows_do_not_change_the_type_of_this_one(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("when,x\n2026-01-01,broken\n2026-01-02,2\n")
    assert source(path).read(SECOND_DAY).columns["x"].dtype == "integer"
    assert source(path).read().columns["x"].dtype == "string"


def test_a_time_column_that_only_some_files_have(tmp_path: Path) -> None:
    folder = parts(tmp_path / "d", hours(3), pa.table({"n": [7]}))
    sample = source(folder).read(FIRST_DAY)
    assert values(sample, "n") == [0, 1, 2] and kinds(sample) == ["time_unreadable"]


@pytest.mark.parametrize("limit", [None, 2, 50])
def test_text_stays_text_whatever_the_limit(tmp_path: Path, limit: int | None) -> None:
    folder = parts(tmp_path / "d", hours(24), hours(24, first=24))
    sample = source(folder).read(limit=limit)
    assert sample.columns["word"].dtype == "string"
    assert set(sample.columns["word"].drawn().levels) <= {"w0", "w1", "w2"}


@with_a_header
def test_two_columns_of_one_name(tmp_path: Path, write: Writer) -> None:
    path = write(tmp_path, pa.table([[1], [2]], names=["a", "a"]))
    with pytest.raises(SourceUnreadable, match="two columns have the same name: 'a'"):
        source(path, None).read()


# --- Files that are not there, or come and go ---


def test_a_path_that_matches_nothing_says_what_there_is(tmp_path: Path) -> None:
    write_parquet(tmp_path, hours(1), "reference.parquet")
    with pytest.raises(
        PathNotFound, match=r"there is no .*refernce.*has: reference\.parquet"
    ) as caught:
        source(tmp_path / "refernce.parquet").read()
    assert caught.value.hint.endswith("reference.parquet'?")
    with pytest.raises(PathNotFound, match=r"nothing matches .*\*\.csv.*has: reference\.parquet"):
        source(tmp_path / "*.csv").read()
    with pytest.raises(PathNotFound, match="has: reference"):
        source(tmp_path / "no" / "such" / "*" / "x.csv").read()
    (tmp_path / "empty").mkdir()
    with pytest.raises(PathNotFound, match="no data file in"):
        source(tmp_path / "empty").fingerprint()


@pytest.mark.parametrize("path", ["gone.parquet", "*.nothing", "empty", "no/such/folder"])
def test_nothing_there_is_an_empty_window(tmp_path: Path, path: str) -> None:
    (tmp_path / "empty").mkdir()
    sample = source(tmp_path / path).read(FIRST_DAY)
    assert (sample.info.rows, sample.info.newest, dict(sample.columns)) == (0, None, {})
    assert kinds(sample) == ["no_files"]


def test_a_link_to_nothing_is_no_file(tmp_path: Path) -> None:
    folder = parts(tmp_path / "d", hours(3), hours(3, first=3))
    (folder / "part-2.parquet").symlink_to(folder / "gone")
    assert source(folder).read(FIRST_DAY).info.rows == 6


def test_a_file_that_vanishes_while_others_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = parts(tmp_path / "d", hours(3), hours(3, first=3))
    from monitor.tables import dataset

    list_files = dataset.list_files

    def list_and_lose(settings: SourceSettings, root: Path) -> dataset.Files:
        files = list_files(settings, root)
        Path(str(files.paths[-1])).unlink(missing_ok=True)
        return files

    monkeypatch.setattr("monitor.sources.files.list_files", list_and_lose)
    sample = source(folder).read(FIRST_DAY)
    assert values(sample, "n") == [0, 1, 2] and kinds(sample) == ["file_vanished"]
    parts(folder, hours(3), hours(3, first=3))
    with pytest.raises(SourceUnreadable, match=r"part-1\.parquet: vanished"):
        source(folder).read()
    parts(folder, hours(3), hours(3, first=3))
    with pytest.raises(SourceUnreadable, match=r"part-1\.parquet vanished"):
        source(folder).fingerprint()


@pytest.mark.parametrize(("size", "wrong"), [(-1, True), (1, False)])
def test_a_file_that_is_written_anew_while_it_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int, wrong: bool
) -> None:
    """One that grew meanwhile is no other file."""
    path = tmp_path / "a.csv"
    path.write_bytes(b"when,n\n2026-01-01,1\n")
    read = Scan._read

    def read_and_write(self: Scan, seen: Seen, place: Place, *asked: Any) -> Iterator[pa.Table]:
        yield from read(self, seen, place, *asked)
        content = path.read_bytes()
        path.write_bytes(content[:size] if size < 0 else content + b"\n" * size)

    monkeypatch.setattr(Scan, "_read", read_and_write)
    if wrong:
        with pytest.raises(SourceUnreadable, match=r"a\.csv: it was written anew"):
            source(path).read(FIRST_DAY)
    else:
        assert source(path).read(FIRST_DAY).info.rows == 1


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv", b"when,n\n2026-01-01,1\n2026-01-01,2\n2026-01"),
        ("a.ndjson", b'{"when": "2026-01-01", "n": 1}\n{"when": "2026-01-01", "n": 2}\n{"wh'),
    ],
)
def test_a_line_that_is_still_being_written(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    sample = source(tmp_path / name).read(FIRST_DAY)
    assert values(sample, "n") == [1, 2] and kinds(sample) == ["file_growing"]
    with pytest.raises(SourceUnreadable, match=r"the last line is not complete$"):
        source(tmp_path / name).read()


def test_a_half_written_parquet_file_in_the_window(tmp_path: Path) -> None:
    folder = parts(tmp_path / "d", hours(3), hours(40))
    content = (folder / "part-1.parquet").read_bytes()
    (folder / "part-1.parquet").write_bytes(content[:-20])
    with pytest.raises(
        SourceUnreadable, match=r"part-1\.parquet: the end of .* still being written"
    ):
        source(folder).read(FIRST_DAY)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read(tmp_path: Path) -> None:
    path = write_csv(tmp_path, hours(1))
    path.chmod(0)
    with pytest.raises(SourceUnreadable, match="Permission denied"):
        source(path).read()


def test_wishes_that_cannot_be_met(tmp_path: Path) -> None:
    path = write_csv(tmp_path, hours(1))
    with pytest.raises(AskedWrongly, match="at least one row"):
        source(path).read(limit=0)
    with pytest.raises(AskedWrongly, match="needs `time`"):
        source(path, None).read(FIRST_DAY)


# --- CSV ---


@pytest.mark.parametrize(
    ("content", "csv", "expected"),
    [
        ("a;b\n1,5;x\n", {"separator": ";", "decimal": ","}, {"a": [1.5], "b": ["x"]}),
        ("a\tb\n1\tx\n", {"separator": "\t"}, {"a": [1], "b": ["x"]}),
        ("\ufeffa,b\n1,é\n", {}, {"a": [1], "b": ["é"]}),
        ("\ufeffa,b\n1,é\n", {"encoding": "utf-8-sig"}, {"a": [1], "b": ["é"]}),
        ("ä,b\n1,é\n".encode("latin-1"), {"encoding": "latin-1"}, {"ä": [1], "b": ["é"]}),
        ("ä,b\n1,é\n".encode("utf-16"), {"encoding": "utf-16"}, {"ä": [1], "b": ["é"]}),
        ('a,b\n"",x\nNA,"NA"\n', {}, {"a": [None, None], "b": ["x", None]}),
        ("a,b\n-,NA\n1,x\n", {"missing": ("-",)}, {"a": [None, 1], "b": ["NA", "x"]}),
        ('a,b\n1,"x, ""y""\nz"\n', {}, {"a": [1], "b": ['x, "y"\nz']}),
        ('"a\nb",c\n1,2\n', {}, {"a\nb": [1], "c": [2]}),
        (",a\n0,x\n", {}, {"Unnamed: 0": [0], "a": ["x"]}),
        ("a,b\r\n1,2\r\n", {}, {"a": [1], "b": [2]}),
        ("a,b\n1,2", {}, {"a": [1], "b": [2]}),
        ("\n\na,b\n1,2\n\n\n", {}, {"a": [1], "b": [2]}),
        ("a,b\n", {}, {"a": [], "b": []}),
        ("a,b", {}, {"a": [], "b": []}),
        ("a,b\n\n\n", {}, {"a": [], "b": []}),
        ("zip,n\n007,1\n123,2\n", {}, {"zip": ["007", "123"], "n": [1, 2]}),
    ],
)
def test_csv_as_it_comes(tmp_path: Path, content: bytes | str, csv: Any, expected: Any) -> None:
    assert csv_source(tmp_path, content, **csv).read().table.to_pydict() == expected


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("a,b\n1,2\n3\n4,5\n", "row 2 below the header has 1 cells where the header has 2"),
        ("a,b\n1,2\n3,4,5\n", "row 2 below the header has 3 cells where the header has 2"),
        ("a,b,a\n1,2,3\n", "two columns have the same name: 'a'"),
        ("a,b\n1,é\n".encode("latin-1"), "not text in the expected encoding"),
        ("é,b\n1,2\n".encode("latin-1"), "not text in the expected encoding"),
        ("a,b\n1,2\n".encode("utf-16"), "UTF-16"),
        ("\n\n", "no header line"),
    ],
)
def test_csv_that_is_not_readable(tmp_path: Path, content: bytes | str, message: str) -> None:
    with pytest.raises(SourceUnreadable, match=message) as caught:
        csv_source(tmp_path, content).read()
    assert "a.csv" in str(caught.value)


def test_an_encoding_that_does_not_exist(tmp_path: Path) -> None:
    with pytest.raises(AskedWrongly, match="no text encoding named 'latin-99'"):
        csv_source(tmp_path, "a\n1\n", encoding="latin-99").read()


@pytest.mark.parametrize("late", ["word", "0.5", "2026-01-01"])
def test_a_type_that_shows_only_blocks_later(tmp_path: Path, late: str) -> None:
    rows = 1_200_000  # more than one block of text
    files = csv_source(tmp_path, "n,x\n" + "1234567,1\n" * rows + f"1,{late}\n")
    sample = files.read()
    assert sample.info.rows == rows + 1
    assert sample.columns["x"].dtype == ("float" if late == "0.5" else "string")
    assert sample.columns["n"].dtype == "integer"


# --- NDJSON ---


def ndjson_source(tmp_path: Path, *lines: str) -> FileSource:
    (tmp_path / "a.json").write_text("\n".join(lines) + "\n")
    return source(tmp_path / "a.json", None)


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (('{"a": 1}', '{"a": "x"}'), {"a": ["1", "x"]}),
        (('{"a": 1}', '{"a": 2.5}'), {"a": [1.0, 2.5]}),
        (('{"a": true}', '{"a": 1}'), {"a": ["true", "1"]}),
        (('{"a": 1}', "", '{"b": "x"}'), {"a": [1, None], "b": [None, "x"]}),
        (('{"a": "2026-01-01"}', '{"a": "x"}'), {"a": ["2026-01-01", "x"]}),
        (('{"a": "2026-01-01"}',), {"a": ["2026-01-01"]}),
        (('{"a": 1e400}', '{"a": 100000000000000000000}'), {"a": [float("inf"), 1e20]}),
        (('{"a": {"b": 1}}', '{"a": 2}'), {"a": ["{'b': 1}", "2"]}),
        (("{}",), {}),
    ],
)
def test_json_as_it_comes(tmp_path: Path, lines: Sequence[str], expected: Any) -> None:
    assert ndjson_source(tmp_path, *lines).read().table.to_pydict() == expected


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (('{"a": 1}', "{a: 1}", '{"a": 1}'), "line 2 is not JSON"),
        (('{"a": 1}', "3"), "line 2 is not a JSON object"),
        (("null", '{"a": 1}'), "line 1 is not a JSON object"),
        (("\r null", '{"a": 1}'), "line 1 is not a JSON object"),
        (("nullx", '{"a": 1}'), "line 1 is not JSON"),
        (('{"a": 1}', "  null", '{"a": 1}'), "line 2 is not a JSON object"),
        (('[{"a": 1}]',), "one JSON array"),
    ],
)
def test_json_that_is_not_readable(tmp_path: Path, lines: Sequence[str], message: str) -> None:
    with pytest.raises(SourceUnreadable, match=message):
        ndjson_source(tmp_path, *lines).read()


# --- Fingerprints ---


def test_the_fingerprint_of_one_file_is_that_of_its_bytes(tmp_path: Path) -> None:
    path = write_parquet(tmp_path, hours(3))
    expected = hashlib.sha256(path.read_bytes()).hexdigest()
    assert source(path).fingerprint() == f"sha256:{expected}"
    (tmp_path / "other").mkdir()
    path.rename(tmp_path / "other" / "renamed.parquet")
    assert source(tmp_path / "other" / "renamed.parquet").fingerprint() == f"sha256:{expected}"


def test_the_fingerprint_of_many_files(tmp_path: Path) -> None:
    here, there = (parts(tmp_path / name, hours(3), hours(2)) for name in ("here", "there"))
    first = source(here).fingerprint()
    assert source(there / "*.parquet").fingerprint() == first == source(here).fingerprint()
    (there / "part-1.parquet").rename(there / "part-2.parquet")
    assert source(there).fingerprint() != first
    write_parquet(here, hours(4), "part-1.parquet")
    assert source(here).fingerprint() != first


# --- The socket ---


def test_the_source_is_found_by_its_file_name(tmp_path: Path) -> None:
    path = write_csv(tmp_path, hours(2))
    assert "files" in catalogue.names("monitor.sources")
    module = catalogue.load("monitor.sources", "files", "source")
    assert module.make(SourceSettings(path=str(path)), tmp_path).read().info.rows == 2


def test_errors_carry_no_library_names(tmp_path: Path) -> None:
    path = write_parquet(tmp_path, hours(3))
    content = bytearray(path.read_bytes())
    content[-400:-8] = b"\xff" * 392
    path.write_bytes(content)
    with pytest.raises(MonitorError) as caught:
        source(path).read()
    assert caught.value.__cause__ is None and "Traceback" not in str(caught.value)


# --- Public data sets ---

DATASETS = datasets_folder()
needs_datasets = pytest.mark.skipif(DATASETS is None, reason="MONITOR_DATASETS names no folder")


def dataset(path: str, time: str | None = None) -> FileSource:
    assert DATASETS is not None
    return FileSource(SourceSettings(path=path, time=time), DATASETS)


def day(year: int, month: int, number: int) -> Window:
    start = dt.datetime(year, month, number, tzinfo=dt.UTC)
    return Window(start, start + DAY)


@needs_datasets
def test_car_loan_has_times_as_text() -> None:
    sample = dataset("nannyml-car-loan/monitoring.parquet", "timestamp").read(day(2019, 3, 31))
    times = values(sample, "timestamp")
    assert len(times) == sample.info.rows_in_window == 165
    assert all(text.startswith("2019-03-31") for text in times) and times == sorted(times)
    assert sample.columns["repaid"].dtype == "integer"
    assert "20K - 20K EUR" in {
        level.replace("€", "EUR") for level in sample.columns["salary_range"].drawn().levels
    }


@needs_datasets
def test_car_loan_reference_and_production_as_one_dataset() -> None:
    sample = dataset("nannyml-car-loan/*.parquet", "timestamp").read(limit=1_000, seed=1)
    assert (sample.info.rows, sample.info.rows_in_window) == (1_000, 100_000)
    assert sample.columns["repaid"].dtype == "float"  # float in one file, integer in the other


@needs_datasets
def test_bike_sharing_has_dates_as_text() -> None:
    sample = dataset("bike-sharing/hour.csv", "dteday").read(day(2011, 3, 10))
    humidity = sample.columns["hum"].drawn().numbers
    assert sample.info.rows == 22 and humidity is not None and not humidity.any()
    whole = dataset("bike-sharing/hour.csv").read()
    assert whole.info.rows == 17_379 and len(whole.columns) == 17
    assert not any(column.missing for column in whole.columns.values())


@needs_datasets
def test_flights_are_packed_and_have_a_column_without_a_name() -> None:
    sample = dataset("flights-2015/reference.csv.gz", "DATE").read()
    assert sample.info.rows == 49_992 and len(sample.columns) == 8
    assert sample.columns["Unnamed: 0"].dtype == "integer"
    assert len(sample.columns["AIRLINE"].drawn().levels) == 14
    assert sample.info.newest == dt.datetime(2015, 7, 1, tzinfo=dt.UTC)


@needs_datasets
def test_taxi_times_are_seconds_in_no_order() -> None:
    files = dataset("chicago-taxi/data.csv", "trip_start_timestamp")
    start, end = (dt.datetime(year, 1, 1, tzinfo=dt.UTC) for year in (2014, 2015))
    assert files.read(Window(start, end)).info.rows == 5_145


@needs_datasets
def test_dirty_beers_stay_dirty() -> None:
    sample = dataset("raha-pairs/beers/dirty.csv").read()
    assert sample.info.rows == 2_410 and len(sample.columns) == 11
    assert sample.columns["ounces"].dtype == sample.columns["abv"].dtype == "string"
    assert sample.columns["ibu"].missing == 1_005 and sample.columns["state"].missing == 127


def test_a_forgotten_separator_is_asked_about(tmp_path: Path) -> None:
    path = tmp_path / "euro.csv"
    path.write_text("a;b;c\n1;2;3\n")
    with pytest.raises(AskedWrongly, match="has one column, named 'a;b;c'") as told:
        make(SourceSettings(path=str(path)), tmp_path).read()
    assert "';'" in told.value.hint


@pytest.mark.parametrize("beyond", [2**62, -(2**62)])
def test_a_time_beyond_the_calendar_in_one_file_blinds_no_other(
    tmp_path: Path, beyond: int
) -> None:
    good = pa.table({"t": pa.array([dt.datetime(2026, 3, 2, 5, tzinfo=dt.UTC)]), "x": [1.0]})
    pq.write_table(good, tmp_path / "a.parquet")
    times = pa.array([beyond], pa.int64()).cast(pa.timestamp("us", "UTC"))
    pq.write_table(pa.table({"t": times, "x": [2.0]}), tmp_path / "b.parquet")
    source = make(SourceSettings(path="*.parquet", time="t"), tmp_path)
    day = Window(dt.datetime(2026, 3, 2, tzinfo=dt.UTC), dt.datetime(2026, 3, 3, tzinfo=dt.UTC))
    sample = source.read(day)
    assert sample.info.rows == 1
    assert "time_unreadable" in {notice.kind for notice in sample.notices}


def test_json_nested_beyond_measure_is_unreadable(tmp_path: Path) -> None:
    path = tmp_path / "deep.ndjson"
    path.write_text('{"a":' + "[" * 100_000 + "\n")
    with pytest.raises(SourceUnreadable, match="line 1 is not JSON"):
        make(SourceSettings(path=str(path)), tmp_path).read()
