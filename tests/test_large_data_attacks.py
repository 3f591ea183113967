"""Hostile data on the way of datasets that are too large to be held."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from monitor import api
from monitor.configuration.datasets import SourceSettings
from monitor.core import comparison
from monitor.core.columns import Kind
from monitor.core.records import Verdict
from monitor.errors import SourceUnreadable
from monitor.sources import _files_scan, files
from monitor.sources.files import FileSource
from monitor.tables import blocks, frozen, snapshots, streams
from monitor.tables.columns import to_column
from monitor.tables.local_files import LocalPlace

ROWS = 6000


@pytest.fixture(autouse=True)
def _streamed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything is too large to be held, and a block is small."""
    monkeypatch.setattr(files, "HELD_VALUES", 10)
    monkeypatch.setattr(_files_scan, "HELD_VALUES", 10)
    monkeypatch.setattr(_files_scan, "SMALL_BYTES", 0)
    monkeypatch.setattr(blocks, "BLOCK_ROWS", 500)
    monkeypatch.setattr(streams, "BLOCK_ROWS", 500)
    monkeypatch.setattr(streams, "DRAWN_ROWS", (300, 1000))


def _write(path: Path, columns: dict[str, Any]) -> Path:
    path.parent.mkdir(exist_ok=True)
    pq.write_table(pa.table(columns), path, row_group_size=250)
    return path


def _text(rows: int = ROWS) -> list[str]:
    return [f"level {i % 4}" for i in range(rows)]


@pytest.mark.parametrize(
    "other", [pa.array(range(ROWS)), pa.nulls(ROWS), None], ids=["numbers", "nulls", "absent"]
)
def test_text_that_is_something_else_in_another_file(tmp_path: Path, other: pa.Array) -> None:
    _write(tmp_path / "d" / "0.parquet", {"x": _text(), "y": np.arange(ROWS) % 7})
    second = {"y": np.arange(ROWS) % 7} | ({} if other is None else {"x": other})
    _write(tmp_path / "d" / "1.parquet", second)
    found = api.compare(tmp_path / "d", tmp_path / "d", segments=["y"])
    assert {c.name: c.verdict for c in found.check.columns} == {
        "x": Verdict.PASSED,
        "y": Verdict.PASSED,
    }


_REST = np.random.default_rng(1).normal(size=ROWS // 2)
_BEGIN_OTHERWISE = {
    "whole and different": (np.r_[np.arange(ROWS // 2) * 1.0, _REST], Kind.NUMBER),
    "all null": (pa.array([None] * (ROWS // 2) + [i % 5 for i in range(ROWS // 2)]), Kind.CATEGORY),
    "ids after nulls": (pa.array([None] * (ROWS // 2) + [*range(ROWS // 2)]), Kind.ID),
    "dates": (["2020-01-01"] * (ROWS // 2) + _text(ROWS // 2), Kind.CATEGORY),
    "distinct text": (
        [f"k{i}" for i in range(600)] + _text(ROWS - 600),
        Kind.CATEGORY,
    ),
}


@pytest.mark.parametrize("case", _BEGIN_OTHERWISE)
def test_kind_is_not_that_of_the_first_rows_alone(tmp_path: Path, case: str) -> None:
    values, kind = _BEGIN_OTHERWISE[case]
    file = _write(tmp_path / "a.parquet", {"x": values})
    column = FileSource(SourceSettings(path=str(file)), tmp_path).read().columns["x"]
    assert comparison.kind_of(column, comparison.Plan({}))[0] is kind


def test_a_first_row_group_of_few_rows_does_not_decide(tmp_path: Path) -> None:
    _write(tmp_path / "d" / "0.parquet", {"x": ["k0", "k1"], "t": pa.array([0, 1], pa.int64())})
    later = {"x": [f"k{i}" for i in range(ROWS)], "t": pa.array(range(ROWS), pa.int64())}
    _write(tmp_path / "d" / "1.parquet", later)
    source = FileSource(SourceSettings(path=str(tmp_path / "d"), time="t"), tmp_path)
    column = source.read().columns["x"]
    assert comparison.kind_of(column, comparison.Plan({}))[0] is Kind.ID


def test_few_heads_are_kept(tmp_path: Path) -> None:
    file = _write(tmp_path / "a.parquet", {f"x{i}": np.arange(ROWS) for i in range(9)})
    columns = FileSource(SourceSettings(path=str(file)), tmp_path).read().columns
    for column in columns.values():
        column.head()
    kept = [c for c in columns.values() if c._read_before]  # type: ignore[attr-defined]
    assert len(kept) == streams.HEADS


@pytest.mark.parametrize("how", ["replaced", "overwritten", "removed", "cut off"])
def test_a_file_that_changes_is_not_mixed_with_itself(tmp_path: Path, how: str) -> None:
    rng = np.random.default_rng(2)
    file = _write(tmp_path / "a.parquet", {"x": rng.normal(size=ROWS), "y": _text()})
    new = _write(tmp_path / "b.parquet", {"x": rng.normal(5, 1, ROWS), "y": _text()})
    columns = FileSource(SourceSettings(path=str(file)), tmp_path).read().columns
    if how == "replaced":
        new.replace(file)
    elif how == "overwritten":
        file.write_bytes(new.read_bytes())
    elif how == "removed":
        file.unlink()
    else:
        file.write_bytes(file.read_bytes()[:3000])
    with pytest.raises(SourceUnreadable, match="while it was read"):
        list(columns["x"].pieces())
    drawn = columns["x"].drawn()  # does not take its neighbours along
    assert "while it was read" in drawn.problem
    assert drawn.rows == columns.drawn_count  # type: ignore[attr-defined]


def test_a_file_that_vanishes_during_a_comparison_is_undecided(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = _write(tmp_path / "a.parquet", {"x": _text(), "y": _text()})
    now = _write(tmp_path / "b.parquet", {"x": _text(), "y": _text()})

    def vanishing(*given: Any) -> Any:
        now.unlink(missing_ok=True)
        return compared(*given)

    compared = comparison._compare
    monkeypatch.setattr(comparison, "_compare", vanishing)
    found = api.compare(before, now)
    assert found.verdict is Verdict.UNDECIDED
    assert all("while it was read" in c.reason for c in found.check.columns)


def test_codes_of_no_level_are_a_problem_and_no_crash() -> None:
    damaged = pa.DictionaryArray.from_arrays(pa.array([0, 7]), pa.array(["a"]), safe=False)
    values = pa.chunked_array([damaged, damaged])
    assert "codes up to 7" in to_column("x", values).problem


def test_a_large_range_of_production_becomes_a_snapshot(tmp_path: Path) -> None:
    _write(tmp_path / "d" / "0.parquet", {"x": _text(), "y": np.arange(ROWS)})
    _write(tmp_path / "d" / "1.parquet", {"y": np.arange(ROWS) * 0.5})

    def opened(path: str) -> FileSource:
        return FileSource(SourceSettings(path=path), tmp_path)

    folder = snapshots.SnapshotFolder(
        str(tmp_path / "kept"), lambda path: LocalPlace(Path(path)), opened
    )
    path = folder.write("m", opened(str(tmp_path / "d")).read())
    kept = pq.read_table(path)
    assert kept["x"].to_pylist() == _text() + [None] * ROWS
    assert kept["y"].to_pylist() == [*range(ROWS), *(np.arange(ROWS) * 0.5)]
    assert path == folder.write("m", opened(str(tmp_path / "d")).read())
    assert folder.wrote(path)
    beside = [f"{tmp_path}/kept/old.csv", f"{tmp_path}/kept/m/train.parquet", f"{path}.csv"]
    assert not any(folder.wrote(other) for other in beside)


def _damaged(content: bytes, change: Any) -> bytes:
    table = pa.ipc.open_file(pa.BufferReader(content)).read_all()
    told = dict(table.schema.metadata)
    size = json.loads(told[frozen._PICTURES])["summaries"]
    end = frozen._footer_at(content) - frozen._SEAL_BYTES
    told[frozen._PICTURES] = change(told[frozen._PICTURES])
    sink = pa.BufferOutputStream()
    with pa.ipc.new_file(sink, table.schema.with_metadata(told)) as writer:
        writer.write_table(table.replace_schema_metadata(told))
    return frozen._sealed(memoryview(sink.getvalue()), content[end - size : end])


def _changed(**fields: Any) -> Any:
    def change(pictures: bytes) -> bytes:
        told = json.loads(pictures)
        told["columns"]["x"] |= fields
        return json.dumps(told).encode()

    return change


@pytest.mark.parametrize(
    "change",
    [
        lambda _: b"{",
        lambda _: b"[]",
        lambda _: b"\xff",
        lambda _: b'{"columns": {}}',
        _changed(kind="nonsense"),
        _changed(kind="category"),
        _changed(kind="id"),
        _changed(rows=-5),
        _changed(rows="many"),
    ],
)
def test_a_frozen_reference_that_contradicts_itself_is_refused(tmp_path: Path, change: Any) -> None:
    file = tmp_path / "x.reference"
    api.freeze(_write(tmp_path / "a.parquet", {"x": np.arange(ROWS) * 0.5}), file)
    file.write_bytes(_damaged(file.read_bytes(), change))
    with pytest.raises(SourceUnreadable, match="another form"):
        frozen.read_frozen(LocalPlace(file))


def test_a_frozen_reference_of_an_earlier_version_knows_no_optional_columns(tmp_path: Path) -> None:
    file = tmp_path / "x.reference"
    _write(tmp_path / "d" / "0.parquet", {"x": _text(), "y": np.arange(ROWS) * 0.5})
    api.freeze(_write(tmp_path / "d" / "1.parquet", {"x": _text()}).parent, file)
    assert frozen.read_frozen(LocalPlace(file)).optional == ("y",)

    def earlier(told: bytes) -> str:
        return json.dumps({k: v for k, v in json.loads(told).items() if k != "optional"})

    file.write_bytes(_damaged(file.read_bytes(), earlier))
    assert frozen.read_frozen(LocalPlace(file)).optional == ()


def test_flipped_bits_of_a_frozen_reference_do_not_end_the_process(tmp_path: Path) -> None:
    file = tmp_path / "x.reference"
    api.freeze(_write(tmp_path / "a.parquet", {"x": _text(), "y": np.arange(ROWS) * 0.5}), file)
    good, rng = file.read_bytes(), np.random.default_rng(3)
    for place in rng.integers(0, len(good), 60):
        bad = bytearray(good)
        bad[place] ^= 1 << int(rng.integers(8))
        file.write_bytes(bad)
        try:
            sample = frozen.read_frozen(LocalPlace(file)).sample()
        except SourceUnreadable:
            continue
        assert set(sample.columns) == {"x", "y"}
