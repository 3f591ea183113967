"""Rows that come row by row and do not fit into memory: the same results from files of our own."""

import errno
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv
import pytest

from monitor.api import Result, compare
from monitor.core.records import Verdict
from monitor.errors import SourceUnreadable
from monitor.tables import scratch
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


HOLDING = """
import sys, time
import pyarrow as pa
from monitor.cli import main
from monitor.tables.spool import Spool

def hold(arguments, standalone_mode):
    spool = Spool(held_bytes=10)
    spool.add(pa.table({"x": list(range(100))}))
    print("held", flush=True)
    time.sleep(60)

main.app = hold
main.main()
"""


@pytest.fixture
def holding(tmp_path: Path) -> Iterator[Callable[[], subprocess.Popen[str]]]:
    """Starts commands that hold rows on disk until they are told to end."""
    running: list[subprocess.Popen[str]] = []

    def start() -> subprocess.Popen[str]:
        command = [sys.executable, "-c", HOLDING]
        environment = {**os.environ, "TMPDIR": str(tmp_path)}
        process = subprocess.Popen(
            command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        running.append(process)
        assert process.stdout is not None and process.stdout.readline() == "held\n"
        return process

    yield start
    for process in running:
        process.kill()
        process.communicate()


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)], ids=["SIGTERM", "SIGINT"]
)
def test_a_command_that_is_told_to_end_leaves_no_files(
    tmp_path: Path, holding: Callable[[], subprocess.Popen[str]], number: int, code: int
) -> None:
    process = holding()
    assert len(list(tmp_path.iterdir())) == 1
    process.send_signal(number)
    assert process.wait(timeout=30) == code
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_process_left_is_removed_by_the_next(
    tmp_path: Path,
    holding: Callable[[], subprocess.Popen[str]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    killed = holding()
    (left,) = tmp_path.iterdir()
    running = holding()
    (kept,) = {*tmp_path.iterdir()} - {left}
    killed.kill()
    killed.wait()
    assert left.exists() and str(killed.pid) in left.name
    spool = SMALL()
    spool.add(pa.table({"x": np.arange(9000)}))
    assert not left.exists()
    assert kept.exists() and str(running.pid) in kept.name and len(list(tmp_path.iterdir())) == 2


def test_folders_that_are_not_ours_are_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "in-use").touch()
    (tmp_path / "drift-monitor-link").symlink_to(elsewhere)
    (tmp_path / "drift-monitor-just-made").mkdir()
    (tmp_path / "drift-monitor-file").touch()
    before = sorted(tmp_path.rglob("*"))
    scratch.remove_leftovers()
    assert sorted(tmp_path.rglob("*")) == before


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
