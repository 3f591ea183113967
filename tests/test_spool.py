"""Rows that come row by row and do not fit into memory: the same results from files of our own."""

import errno
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv
import pytest

from monitor.api import Result, compare
from monitor.core.records import Verdict
from monitor.errors import SourceUnreadable
from monitor.tables.spool import Spool

SMALL = partial(Spool, held_bytes=10_000)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    rng = np.random.default_rng(5)
    for side, shift in (("before", 0.0), ("now", 0.5)):
        for part in range(3):
            rows = 4000
            table = pa.table({
                "x": rng.normal(shift, 1, rows).round(3),
                "n": rng.integers(0, 1000, rows),
                "code": [f"{c:03d}" for c in rng.integers(0, 40, rows)],
                "flag": ["true" if f else "false" for f in rng.random(rows) < 0.3],
                "at": ["2026-03-02 10:00:00"] * rows,
                "note": [None if i % 7 else "hello there" for i in range(rows)],
            })  # fmt: skip
            place = tmp_path / side / f"{part}.csv"
            place.parent.mkdir(exist_ok=True)
            pa_csv.write_csv(table.drop_columns(["note"]) if part == 1 else table, place)
    return tmp_path


def told(result: Result) -> list[object]:
    """What was found, without what tells how the rows were read."""
    return [
        (c.name, c.kind, c.verdict, c.missing_current, [(f.test, f.statistic) for f in c.findings])
        for c in result.check.columns
    ]


def test_rows_on_disk_say_what_rows_in_memory_say(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sides = str(folder / "before"), str(folder / "now")
    held = compare(*sides, time_column="at")
    monkeypatch.setattr("monitor.sources.files.Spool", SMALL)
    spooled = compare(*sides, time_column="at")
    assert told(spooled) == told(held)
    assert held.verdict is spooled.verdict is Verdict.DRIFTED
    assert spooled.check.window == held.check.window


def test_its_files_go_with_the_last_block(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    spool = SMALL()
    for start in range(0, 9000, 3000):
        spool.add(pa.table({"x": np.arange(start, start + 3000)}))
    blocks = spool.blocks()
    [folder] = tmp_path.iterdir()
    assert sum(block.rows for block in blocks) == spool.seen == 9000
    assert [v for b in blocks for v in b.column("x").to_pylist()] == list(range(9000))
    del blocks, spool
    assert not folder.exists()


def test_a_new_schema_begins_a_new_file(tmp_path: Path) -> None:
    spool = SMALL()
    for values in ([1, 2], [1.5], ["a"]):
        spool.add(pa.table({"x": values * 2000}))
    types = [block.schema.field("x").type for block in spool.blocks()]
    assert types == [pa.int64(), pa.float64(), pa.string()]


def test_a_full_disk_is_not_able_to_look(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("tempfile.mkdtemp", full)
    with pytest.raises(SourceUnreadable, match=r"nor onto disk: .*No space left"):
        SMALL().add(pa.table({"x": np.arange(9000)}))
