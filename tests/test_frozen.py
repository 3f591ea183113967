"""Frozen references: they say what the rows say, hold what they must, and break loudly."""

import io
import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from large_files import hold_at_most
from projects import write_project

from monitor.api import Result, compare, freeze
from monitor.cli.main import run
from monitor.core.columns import Kind
from monitor.core.records import ColumnResult, Verdict
from monitor.core.summaries import binary
from monitor.errors import AskedWrongly, SourceUnreadable
from monitor.tables import frozen as form
from monitor.tables.addresses import place_of
from monitor.tables.frozen import read_frozen
from monitor.tables.packed import unpacked

ROWS = 70_000  # enough for numbers to be cut to points
Monitor = Callable[..., tuple[int, str, str]]


def rows(seed: int, count: int, shift: float = 0.0) -> pa.Table:
    rng = np.random.default_rng(seed)
    x = rng.normal(shift, 1, count)
    gaps = rng.random(count) < 0.1
    return pa.table(
        {
            "x": pa.array(x, mask=gaps),
            "zeros": np.where(rng.random(count) < 0.4, 0.0, rng.exponential(size=count)),
            "wild": np.where(gaps, np.inf, x),
            "single": x.astype(np.float32),
            "n": rng.integers(0, 900, count),
            "few": rng.integers(0, 5, count),
            "word": pa.array(rng.choice(["north", "south", ""], count), mask=gaps),
            "flag": rng.random(count) < 0.3,
            "text": [f"sentence {i % 977}" + " and more" * (i % 9) for i in rng.permutation(count)],
            "id": [f"SECRET-{seed}-{i}" for i in range(count)],
            "number_id": np.arange(count) + 123_456_789,
            "day": pa.array((np.arange(count) // 900).astype(np.int32)).cast(pa.date32()),
            "nested": pa.array([{"a": 1}] * count),
            "nothing": pa.nulls(count, pa.float64()),
        }
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("frozen")
    pq.write_table(rows(1, ROWS), made / "before.parquet")
    pq.write_table(rows(2, 5000, 0.5), made / "now.parquet")
    pq.write_table(rows(3, 5000), made / "same.parquet")
    freeze(str(made / "before.parquet"), made / "before.reference")
    return made


def by_name(result: Result) -> Mapping[str, ColumnResult]:
    return {column.name: column for column in result.check.columns}


@pytest.fixture
def monitor(capsys: pytest.CaptureFixture[str]) -> Monitor:
    def call(*arguments: str) -> tuple[int, str, str]:
        capsys.readouterr()
        code = run(list(arguments))
        said = capsys.readouterr()
        assert "Traceback" not in said.err
        return code, said.out, said.err

    return call


# --- They say what the rows say ---


@pytest.mark.parametrize("now", ["now", "same"])
@pytest.mark.parametrize("streamed", [False, True], ids=["held", "streamed"])
def test_a_frozen_reference_says_what_its_rows_say(
    folder: Path, now: str, streamed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    current = str(folder / f"{now}.parquet")
    expected = compare(str(folder / "before.parquet"), current)
    if streamed:
        hold_at_most(10, monkeypatch)
    found = compare(str(folder / "before.reference"), current)
    assert found.verdict is expected.verdict
    assert found.check.reference == expected.check.reference
    assert [*by_name(found)] == [*by_name(expected)]
    for name, column in by_name(expected).items():
        other = by_name(found)[name]
        assert (other.kind, other.verdict) == (column.kind, column.verdict), name
        assert other.missing_reference == column.missing_reference
        for one, same in zip(column.findings, other.findings, strict=True):
            assert one.test == same.test and same.rows_reference == one.rows_reference
            assert same.effect == pytest.approx(one.effect, abs=same.error_bound + 1e-12)
            if one.test == "ks" and one.rows_reference > 4 * 2**14:
                assert not same.exact and 0 < same.error_bound <= 1 / 2**15
            else:
                assert same.exact and same.statistic == one.statistic, (name, one.test)
        for statistic, (before, _) in column.statistics.items():
            if statistic != "median":
                assert other.statistics[statistic][0] == pytest.approx(before)


def test_kinds_are_those_of_the_rows_or_as_asked(folder: Path, tmp_path: Path) -> None:
    place = tmp_path / "asked.reference"
    stored = freeze(
        str(folder / "before.parquet"), place, kinds={"n": "category"}, id="text", exclude=("x",)
    )
    assert stored.kinds["n"] == "category" and stored.kinds["text"] == "id"
    assert "x" not in stored.kinds
    found = by_name(compare(str(place), str(folder / "same.parquet")))
    assert found["n"].kind is Kind.CATEGORY and found["n"].verdict is Verdict.PASSED
    assert found["text"].kind is Kind.ID and not found["text"].compared


def test_a_small_reference_is_frozen_without_loss(folder: Path, tmp_path: Path) -> None:
    place = tmp_path / "small.reference"
    freeze(str(folder / "now.parquet"), place)
    one, other = (
        compare(str(side), str(folder / "same.parquet"), segments=("word",), seed=1)
        for side in (folder / "now.parquet", place)
    )
    told = [r.to_dict() for r in (one, other)]
    for document in told:  # why an identifier was taken for one is not kept
        document["columns"] = [c for c in document["columns"] if c["compared"]]
    for key in ("columns", "dataset", "verdict", "headline", "segments", "slices", "reference"):
        assert told[0][key] == told[1][key]


def test_a_data_frame_is_frozen_as_its_file_is(folder: Path, tmp_path: Path) -> None:
    table = pq.read_table(folder / "before.parquet")
    stored = freeze(table, tmp_path / "frame.reference")
    assert stored.origin == "a Table in memory" and stored.version.startswith("sha256:")
    one, other = (
        compare(str(place), str(folder / "now.parquet"))
        for place in (tmp_path / "frame.reference", folder / "before.reference")
    )
    assert [c.findings for c in one.check.columns] == [c.findings for c in other.check.columns]


def test_a_frozen_reference_is_frozen_again(folder: Path, tmp_path: Path) -> None:
    again = freeze(str(folder / "before.reference"), tmp_path / "again.reference")
    first = read_frozen(place_of(str(folder / "before.reference"), Path()))
    assert again.version == first.version and again.rows == ROWS
    one, other = (
        compare(str(reference), str(folder / "now.parquet"))
        for reference in (folder / "before.reference", tmp_path / "again.reference")
    )
    assert [c.findings for c in one.check.columns] == [c.findings for c in other.check.columns]


def test_freezing_twice_makes_the_same_file(folder: Path, tmp_path: Path) -> None:
    for name in ("one", "two"):
        freeze(str(folder / "now.parquet"), tmp_path / f"{name}.reference")
    assert (tmp_path / "one.reference").read_bytes() == (tmp_path / "two.reference").read_bytes()


def test_what_needs_rows_side_by_side_has_the_drawn_ones(folder: Path) -> None:
    result = compare(
        str(folder / "before.reference"),
        str(folder / "now.parquet"),
        segments=("few",),
        dataset_tests=("correlation_change",),
    )
    assert len(result.check.segments) == 5
    assert any(f.test == "correlation_change" for f in result.check.dataset.findings)


# --- What is asked wrongly ---


@pytest.mark.parametrize(("name", "kind"), [("n", "category"), ("id", "category"), ("x", "text")])
def test_another_kind_than_the_frozen_one_is_asked_wrongly(
    folder: Path, name: str, kind: str
) -> None:
    with pytest.raises(AskedWrongly, match=rf"'{name}' was frozen as \w+ and cannot be") as error:
        compare(str(folder / "before.reference"), str(folder / "now.parquet"), kinds={name: kind})
    assert "freeze the reference anew" in (error.value.hint or "")


def test_new_data_are_never_a_frozen_reference(folder: Path, monitor: Monitor) -> None:
    sides = str(folder / "now.parquet"), str(folder / "before.reference")
    with pytest.raises(AskedWrongly, match=r"before\.reference is a frozen reference: it stands"):
        compare(*sides)
    code, _, err = monitor("compare", *sides)
    assert code == 64 and "hint: a frozen reference comes first" in err


def test_columns_that_are_not_there_are_not_frozen(folder: Path, tmp_path: Path) -> None:
    for asked in ({"kinds": {"nn": "category"}}, {"exclude": ("nn",)}, {"time_column": "nn"}):
        with pytest.raises(AskedWrongly, match="there is no column named 'nn'"):
            freeze(str(folder / "now.parquet"), tmp_path / "x.reference", **asked)


def test_places_that_cannot_be_frozen_to(folder: Path, tmp_path: Path) -> None:
    now = str(folder / "now.parquet")
    for name in ("x.parquet", "reference", ".reference.parquet"):
        with pytest.raises(AskedWrongly, match=r"must end in \.reference"):
            freeze(now, tmp_path / name)
    (tmp_path / "file").write_text("in the way")
    (tmp_path / "taken.reference").mkdir()
    for path in (tmp_path / "file" / "x.reference", tmp_path / "taken.reference"):
        with pytest.raises(AskedWrongly, match="cannot be written"):
            freeze(now, path)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["file", "taken.reference"]


def test_a_reference_that_is_not_there_is_asked_wrongly(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(AskedWrongly, match=r"there is no .*none\.reference"):
        compare(str(tmp_path / "none.reference"), str(folder / "now.parquet"))


# --- What the file holds ---


def summaries_in(content: bytes) -> bytes:
    """The bytes of the summaries, which stand before the seal."""
    table = pa.ipc.open_file(pa.BufferReader(content)).read_all()
    size = json.loads(table.schema.metadata[form._PICTURES])["summaries"]
    end = form._footer_at(content) - form._SEAL_BYTES
    return content[end - size : end]


def bare(path: Path) -> bytes:
    """Everything in a frozen file, unpacked."""
    table = pa.ipc.open_file(path).read_all()
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue() + summaries_in(path.read_bytes())


def test_no_value_of_an_identifier_is_in_the_file(folder: Path) -> None:
    content = bare(folder / "before.reference")
    assert b"SECRET" not in content
    for number in (123_456_789, 123_456_789 + 4242):
        for stored in (np.int64(number), np.float64(number), np.int32(number)):
            assert stored.tobytes() not in content
    assert b"north" in content  # levels are in it, and drawn rows: a frozen reference is data
    assert b"sentence 7" in content


def test_any_tool_that_reads_arrow_can_look_at_the_drawn_rows(folder: Path) -> None:
    table = pa.ipc.open_file(folder / "before.reference").read_all()
    table.validate(full=True)
    assert table.num_rows == ROWS
    assert {"id", "number_id"} & {*table.column_names} == set()
    assert table["word"].to_pylist() == pq.read_table(folder / "before.parquet")["word"].to_pylist()


def test_at_most_so_many_rows_are_drawn(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for held in (2**40, 10):
        hold_at_most(held, monkeypatch)
        monkeypatch.setattr("monitor.tables.streams.DRAWN_ROWS", (100, 300))
        monkeypatch.setattr("monitor.tables.frozen.DRAWN_ROWS", (100, 300))
        freeze(str(folder / "now.parquet"), tmp_path / "x.reference")
        drawn = pa.ipc.open_file(tmp_path / "x.reference").read_all()
        assert drawn.num_rows == 300
        sample = read_frozen(place_of(str(tmp_path / "x.reference"), Path())).sample()
        assert sample.info.rows == 5000 and sample.columns["x"].rows == 5000
        assert sample.columns["x"].drawn().rows == 300


def test_only_identifiers_make_a_file_too(tmp_path: Path) -> None:
    pq.write_table(rows(1, 2000).select(["id", "number_id"]), tmp_path / "ids.parquet")
    freeze(str(tmp_path / "ids.parquet"), tmp_path / "ids.reference")
    result = compare(str(tmp_path / "ids.reference"), str(tmp_path / "ids.parquet"))
    assert [c.compared for c in result.check.columns] == [False, False]
    assert result.check.reference is not None and result.check.reference.rows == 2000


# --- Damage ---


def unreadable(path: Path, folder: Path) -> str:
    result = compare(str(path), str(folder / "now.parquet"))
    assert result.verdict is Verdict.UNDECIDED and not result.check.columns
    return " ".join(f.reason for f in result.check.dataset.findings)


@pytest.mark.parametrize("seed", range(2))
def test_a_damaged_file_is_told(folder: Path, tmp_path: Path, seed: int) -> None:
    content = (folder / "before.reference").read_bytes()
    rng = np.random.default_rng(seed)
    place = tmp_path / "damaged.reference"
    for number in range(40):
        damaged = bytearray(content)
        near_end = len(content) - 30_000 if number % 2 else 0
        for at in rng.integers(near_end, len(content), int(rng.integers(1, 4))):
            damaged[at] ^= int(rng.integers(1, 256))
        place.write_bytes(damaged)
        with pytest.raises(SourceUnreadable, match="no frozen reference, or it is cut off"):
            read_frozen(place_of(str(place), Path()))
    assert "cut off or damaged" in unreadable(place, folder)


def test_a_file_that_is_cut_off_is_told(folder: Path, tmp_path: Path) -> None:
    content = (folder / "before.reference").read_bytes()
    place = tmp_path / "cut.reference"
    for end in (1, 7, 8, 30, 60, 1000, len(content) // 2, len(content) - 41, len(content) - 1):
        place.write_bytes(content[:end])
        assert "cut off or damaged" in unreadable(place, folder)
    place.write_bytes(b"")
    with pytest.raises(AskedWrongly, match=r"empty \(0 bytes\)"):
        compare(str(place), str(folder / "now.parquet"))


def test_other_files_are_no_frozen_references(folder: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.reference"
    pq.write_table(rows(1, 100), other)
    assert "no frozen reference" in unreadable(other, folder)
    with pa.ipc.new_file(str(other), rows(1, 100).schema) as writer:
        writer.write_table(rows(1, 100))
    assert "no frozen reference" in unreadable(other, folder)
    other.write_bytes(form._sealed(memoryview(other.read_bytes()), b""))
    assert "it has another form" in unreadable(other, folder)
    other.write_text("x,y\n1,2\n")
    assert "no frozen reference" in unreadable(other, folder)


def test_a_file_of_a_later_version_names_it(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "later.reference"
    with monkeypatch.context() as patch:
        patch.setattr(binary, "PLAIN", 7)
        freeze(str(folder / "now.parquet"), place)
    assert "summaries of form 7; this version reads 1 and 2" in unreadable(place, folder)


def packed(said_bytes: int, rows: int = 3) -> bytes:
    """A sealed file whose one packed buffer says that it becomes so many bytes."""
    table = pa.table({"x": np.zeros(1000)})
    sink = pa.BufferOutputStream()
    options = pa.ipc.IpcWriteOptions(compression="lz4")
    with pa.ipc.new_file(sink, table.schema, options=options) as writer:
        writer.write_table(table)
    content = sink.getvalue().to_pybytes()
    told = (8000).to_bytes(8, "little")
    assert content.count(told) == 1
    return form._sealed(memoryview(content.replace(told, said_bytes.to_bytes(8, "little"))), b"")


def test_a_file_that_would_become_too_large_is_not_unpacked(folder: Path, tmp_path: Path) -> None:
    place = tmp_path / "bomb.reference"
    place.write_bytes(packed(2**40))
    assert f"1000 rows of {2**40} bytes, and at most" in unreadable(place, folder)
    place.write_bytes(packed(8001))
    assert "bomb.reference" in unreadable(place, folder)
    with pa.ipc.new_file(str(place), pa.schema([("x", pa.null())])) as writer:
        nulls = pa.Array.from_buffers(pa.null(), 2**30, [None])
        writer.write_batch(pa.record_batch([nulls], names=["x"]))
    place.write_bytes(form._sealed(memoryview(place.read_bytes()), b""))
    assert f"it tells of {2**30} rows of 0 bytes" in unreadable(place, folder)


def test_what_is_measured_is_what_the_rows_take(folder: Path) -> None:
    content = (folder / "before.reference").read_bytes()
    size, count = unpacked(pa.py_buffer(content).slice(form._HEAD_BYTES))
    drawn = pa.ipc.open_file(folder / "before.reference").read_all()
    assert count == drawn.num_rows == ROWS
    assert drawn.nbytes <= size <= 1.01 * drawn.get_total_buffer_size() + 10_000


def test_more_than_a_file_may_hold_is_not_written(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(form, "MOST_BYTES", 1000)
    with pytest.raises(AskedWrongly, match="a frozen reference holds 1000 at most") as error:
        freeze(str(folder / "now.parquet"), tmp_path / "x.reference")
    assert "--exclude" in error.value.hint


# --- The command ---


def test_the_command_shows_what_is_in_a_file(
    folder: Path, tmp_path: Path, monitor: Monitor
) -> None:
    code, out, _ = monitor("reference", "show", str(folder / "before.reference"))
    version = read_frozen(place_of(str(folder / "before.reference"), Path())).version
    first, *columns = out.splitlines()
    assert code == 0
    assert first == f"{version}, {ROWS} rows from {folder}/before.parquet, {ROWS} of them drawn"
    assert [line.split() for line in columns[:2]] == [["x", "number", "float"],
                                                      ["zeros", "number", "float"]]  # fmt: skip
    assert any(line.split()[:2] == ["id", "id"] for line in columns)
    code, out, _ = monitor("reference", "show", str(folder / "before.reference"), "--json", "-")
    told = json.loads(out)
    assert told["rows"] == ROWS and told["columns"]["day"] == {"kind": "time", "dtype": "time"}
    code, _, err = monitor("reference", "show", str(folder / "befor.reference"))
    assert code == 64 and "did you mean" in err
    (tmp_path / "cut.reference").write_bytes(b"ARROW1")
    assert monitor("reference", "show", str(tmp_path / "cut.reference"))[0] == 3


def test_the_command_reads_csv_as_compare_does(tmp_path: Path, monitor: Monitor) -> None:
    path, place = tmp_path / "a.csv", tmp_path / "a.reference"
    lines = [f"{i % 17},5;2026-01-{i % 28 + 1:02};{'éà'[i % 2]}" for i in range(500)]
    path.write_bytes("\n".join(["x;at;w", *lines]).encode("latin-1"))
    how = ("--separator", ";", "--decimal", ",", "--encoding", "latin-1", "--time-column", "at")
    code, out, err = monitor("reference", "freeze", str(path), str(place), *how, "--json", "-")
    assert code == 0, err
    assert {name: c["kind"] for name, c in json.loads(out)["columns"].items()} == {
        "x": "number", "at": "time", "w": "category",
    }  # fmt: skip
    assert monitor("compare", str(place), str(path), *how)[0] == 0


def test_the_command_freezes_and_compare_takes_the_file(
    folder: Path, tmp_path: Path, monitor: Monitor
) -> None:
    place = str(tmp_path / "made.reference")
    code, out, _ = monitor(
        "reference", "freeze", str(folder / "before.parquet"), place,
        "--exclude", "x", "--kind", "few=number", "--json", "-",
    )  # fmt: skip
    told = json.loads(out)
    assert code == 0 and told["rows"] == ROWS and "x" not in told["columns"]
    assert told["columns"]["few"] == {"kind": "number", "dtype": "integer"}
    assert monitor("compare", place, str(folder / "now.parquet"))[0] == 1
    assert monitor("compare", place, str(folder / "same.parquet"))[0] == 0
    code, _, err = monitor("compare", place, str(folder / "now.parquet"), "--kind", "n=category")
    assert code == 64 and "was frozen as number" in err and "freeze the reference anew" in err
    for wrong in ("x.parquet", str(tmp_path / "no.parquet")):
        code, _, err = monitor("reference", "freeze", str(folder / "now.parquet"), wrong)
        assert code == 64 and "must end in .reference" in err
    assert monitor("reference", "freeze", str(tmp_path / "none.parquet"), place)[0] == 64
    cut = tmp_path / "cut.reference"
    cut.write_bytes(Path(place).read_bytes()[:-100])
    code, _, err = monitor("compare", str(cut), str(folder / "now.parquet"))
    assert code == 3


# --- In a project ---


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    write_project(tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def large(project: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project whose reference counts as one that is too large to be held."""
    hold_at_most(4 * 2000, monkeypatch)
    return project


def frozen_files(project: Path) -> list[Path]:
    return sorted((project / "reference_data").rglob("*.reference"))


def without_times(document: dict[str, Any]) -> dict[str, Any]:
    gone = ("timings_s", "made_at", "id", "setup")
    return {key: value for key, value in document.items() if key not in gone}


def checked(monitor: Monitor, day: str = "2026-03-05", *more: str) -> dict[str, Any]:
    code, out, err = monitor("check", "orders", "--at", day, "--json", "-", *more)
    assert code in (0, 1), err
    return without_times(json.loads(out))


def test_a_reference_that_is_held_is_not_frozen(project: Path, monitor: Monitor) -> None:
    checked(monitor)
    assert frozen_files(project) == []


def test_a_large_reference_is_frozen_once_and_again_when_the_file_is_gone(
    large: Path, monitor: Monitor
) -> None:
    first = checked(monitor)
    assert first["verdict"] == "drifted"
    (place,) = frozen_files(large)
    content, written = place.read_bytes(), place.stat().st_mtime_ns
    assert checked(monitor, "2026-03-05", "--again") == first
    assert place.stat().st_mtime_ns == written
    for harm in (place.unlink, lambda: place.write_bytes(content[:-50])):
        harm()
        assert checked(monitor, "2026-03-05", "--again") == first
        assert frozen_files(large) == [place] and place.read_bytes() == content


def test_a_large_reference_says_what_a_held_one_says(
    project: Path, monitor: Monitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = checked(monitor)
    hold_at_most(4 * 2000, monkeypatch)
    assert monitor("reference", "build", "orders")[0] == 0
    assert checked(monitor, "2026-03-05", "--again") == held
    assert len(frozen_files(project)) == 1


def test_raw_rows_that_changed_are_refused_as_ever(large: Path, monitor: Monitor) -> None:
    checked(monitor)
    table = pq.read_table("reference.parquet")
    pq.write_table(table.slice(0, 4000), "reference.parquet")
    code, _, err = monitor("check", "orders", "--at", "2026-03-05", "--again")
    assert code == 64 and "is not the one that was frozen on" in err
    assert monitor("reference", "build", "orders")[0] == 0
    assert len(frozen_files(large)) == 2
    assert checked(monitor, "2026-03-05", "--again")["reference"]["rows"] == 4000


def test_a_kind_that_is_configured_later_is_read_from_the_rows(
    large: Path, monitor: Monitor
) -> None:
    checked(monitor)
    config = large / "monitor.yaml"
    config.write_text(config.read_text() + "    columns: {age: {kind: category}}\n")
    found = checked(monitor, "2026-03-05", "--again")
    assert next(c for c in found["columns"] if c["name"] == "age")["kind"] == "category"


def test_a_promoted_picture_is_not_mixed_with_rows_that_took_the_place_of_its_own(
    large: Path, monitor: Monitor
) -> None:
    version = checked(monitor)["reference"]["version"]
    table, config = pq.read_table("reference.parquet"), large / "monitor.yaml"
    pq.write_table(table.slice(0, 4000), "newer.parquet")
    config.write_text(config.read_text().replace("reference.parquet", "newer.parquet"))
    assert monitor("reference", "build", "orders")[0] == 0
    assert monitor("reference", "promote", "orders", version, "--why", "it was better")[0] == 0
    pq.write_table(table.slice(0, 3000), "reference.parquet")
    assert checked(monitor, "2026-03-05", "--again")["reference"]["version"] == version
    config.write_text(config.read_text() + "    columns: {age: {kind: category}}\n")
    code, _, err = monitor("check", "orders", "--at", "2026-03-05", "--again")
    assert code == 64 and "reference.parquet holds other data now" in err


def test_a_dry_run_freezes_nothing(large: Path, monitor: Monitor) -> None:
    found = checked(monitor, "2026-03-05", "--dry-run")
    assert found["verdict"] == "drifted"
    assert not (large / "reference_data").exists() and not (large / "monitor.db").exists()


def test_a_dry_run_leaves_a_frozen_file_that_is_gone_as_it_is(
    large: Path, monitor: Monitor
) -> None:
    first = checked(monitor)
    (place,) = frozen_files(large)
    content = place.read_bytes()
    for harm in (place.unlink, lambda: place.write_bytes(content[:-50])):
        harm()
        left = {p: p.read_bytes() for p in frozen_files(large)}
        assert checked(monitor, "2026-03-05", "--dry-run")["columns"] == first["columns"]
        assert {p: p.read_bytes() for p in frozen_files(large)} == left


def test_a_large_range_of_production_serves_as_reference(large: Path, monitor: Monitor) -> None:
    config = large / "monitor.yaml"
    text = config.read_text()
    config.write_text(
        text.replace(
            "reference: reference.parquet", "reference: {from: 2026-03-02, to: 2026-03-06}"
        )
    )
    found = checked(monitor, "2026-03-06")
    assert found["reference"]["rows"] == 3200
    stored = sorted((large / "reference_data" / "orders").iterdir())
    assert [place.suffix for place in stored] == [".parquet", ".reference"]
    snapshot = pq.read_table(stored[0])
    days = [pq.read_table(large / "data" / f"day{day}.parquet") for day in range(4)]
    assert snapshot.equals(pa.concat_tables(days).select(snapshot.column_names))
    assert checked(monitor, "2026-03-06", "--again") == found


def test_a_frozen_file_is_the_reference_of_a_monitor(project: Path, monitor: Monitor) -> None:
    expected = checked(monitor)
    freeze("reference.parquet", "train.reference")
    Path("reference.parquet").unlink()
    config = project / "monitor.yaml"
    text = config.read_text()
    config.write_text(text.replace("reference: reference.parquet", "reference: train.reference"))
    monitor("reference", "build", "orders")
    found = checked(monitor, "2026-03-05", "--again")
    assert found["columns"] == expected["columns"] and found["verdict"] == "drifted"
    assert found["reference"] == expected["reference"]
    assert frozen_files(project) == []
    content = Path("train.reference").read_bytes()
    Path("train.reference").write_bytes(content[:1000])
    code, _, err = monitor("check", "orders", "--at", "2026-03-04", "--again")
    assert code == 3 and "cut off or damaged" in err


@pytest.mark.parametrize("how", [{"kinds": {"age": "category"}}, {"exclude": ("age",)}])
def test_a_file_that_was_frozen_otherwise_is_another_reference(
    project: Path, monitor: Monitor, how: dict[str, Any]
) -> None:
    freeze("reference.parquet", "train.reference")
    config = project / "monitor.yaml"
    text = config.read_text()
    config.write_text(text.replace("reference: reference.parquet", "reference: train.reference"))
    before = checked(monitor)
    freeze("reference.parquet", "train.reference")
    assert checked(monitor, "2026-03-05", "--again") == before
    freeze("reference.parquet", "train.reference", **how)
    code, _, err = monitor("check", "orders", "--at", "2026-03-05", "--again")
    assert code == 64 and "is not the one that was frozen on" in err
    assert "`monitor reference build orders` accepts it" in err
    assert monitor("reference", "build", "orders")[0] == 0
    ages = [c for c in checked(monitor, "2026-03-05", "--again")["columns"] if c["name"] == "age"]
    assert [c["kind"] for c in ages] == ([] if "exclude" in how else ["category"])


def test_a_window_of_a_frozen_file_is_asked_wrongly(project: Path, monitor: Monitor) -> None:
    freeze("reference.parquet", "train.reference")
    config = project / "monitor.yaml"
    text = config.read_text()
    config.write_text(re.sub(r"data/\*\.parquet", "train.reference", text))
    code, _, err = monitor("check", "orders", "--at", "2026-03-05")
    assert code == 64 and "is a frozen reference and has no windows" in err
