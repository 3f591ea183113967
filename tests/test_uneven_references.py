"""References some of whose files lack a column: known for as long as the reference is held."""

import logging
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from large_files import hold_at_most
from projects import day, rows

from monitor.api import freeze
from monitor.core.records import Check, Verdict
from monitor.service import Service
from monitor.settings import load_settings

RANGE = "{from: 2026-03-02, to: 2026-03-04}"


def write_pair(folder: Path, name: str, seed: int, number: int, *lost: str) -> None:
    """Two files of one day, of which the second lacks some columns."""
    folder.mkdir(exist_ok=True)
    for part, gone in (("a", []), ("b", lost)):
        table = rows(seed, 300, day(number).start).drop_columns([*gone])
        pq.write_table(table, folder / f"{name}-{part}.parquet")
        seed += 1


def project(folder: Path, reference: str = "train", drift: str = "") -> Service:
    """Each day one of two files has no `age`, as in training; on the last one no `region`, too."""
    write_pair(folder / "train", "train", 1, -30, "age")
    for number in range(4):
        lost = ["age", "region"] if number == 3 else ["age"]
        write_pair(folder / "data", f"day{number}", 10 + 2 * number, number, *lost)
    named = f"    reference: {reference}\n" if reference else ""
    (folder / "monitor.yaml").write_text(
        f"store: sqlite:///monitor.db\nmonitors:\n  m:\n{named}"
        "    production: {path: data/*.parquet, time: at}\n    explorer: never\n"
        f"    drift: {{calibrate: false{drift}}}\n"
    )
    return Service(load_settings(folder / "monitor.yaml"))


def schema_of(check: Check) -> list[str]:
    return [f.reason for f in check.dataset.findings if f.test == "schema"]


def uneven(check: Check) -> list[str]:
    return [n.text for n in check.notices if n.kind == "files_uneven"]


@pytest.mark.parametrize("large", [False, True])
@pytest.mark.parametrize("reference", ["train", RANGE, "train.reference"])
def test_what_files_of_a_reference_lacked_may_be_lacking(
    tmp_path: Path, reference: str, large: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if large:
        hold_at_most(4 * 500, monkeypatch)
    service = project(tmp_path, reference)
    if reference.endswith(".reference"):
        freeze(str(tmp_path / "train"), tmp_path / reference)
    for _ in range(2):  # the second time from what is kept of the reference
        check = service.check("m", day(2), again=True).check
        assert schema_of(check) == [] and check.verdict is not Verdict.VIOLATED
        assert uneven(check) == ["1 of 2 files has no column `age`: day2-b.parquet"]
        service = Service(load_settings(tmp_path / "monitor.yaml"))
    lost = service.check("m", day(3)).check
    assert schema_of(lost) == ["1 of 2 files has no column `region`: day3-b.parquet"]


def test_a_column_that_no_file_has_is_lost_also_where_some_may_lack_it(tmp_path: Path) -> None:
    service = project(tmp_path)
    (tmp_path / "data" / "day2-a.parquet").unlink()
    told = "the column `age` is in the reference and not in the window"
    assert schema_of(service.check("m", day(2)).check) == [told]


@pytest.mark.parametrize(("reference", "lost"), [("train", ["region"]), ("", ["age", "region"])])
def test_an_earlier_window_does_not_say_what_may_be_lacking(
    tmp_path: Path, reference: str, lost: list[str]
) -> None:
    service = project(tmp_path, reference, ", compare_with: previous")
    write_pair(tmp_path / "data", "day2", 14, 2, "age", "region")
    for number in (2, 3):  # violated on the second day as well, and of no other side is told
        check = service.check("m", day(number)).check
        [told] = schema_of(check)
        column = ", ".join(f"`{name}`" for name in lost)
        some = "column" if len(lost) == 1 else "columns"
        assert told == f"1 of 2 files has no {some} {column}: day{number}-b.parquet"
        assert not any("the reference" in text for text in uneven(check))


def test_an_uneven_reference_is_told_of_when_it_is_built(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    service = project(tmp_path)
    told = "the reference of m: 1 of 2 files has no column `age`: train-b.parquet"
    with caplog.at_level(logging.WARNING):
        first, second = (service.check("m", day(number)).check for number in (1, 2))
    assert [r.message for r in caplog.records].count(told) == 1
    assert not any("the reference" in text for text in uneven(first) + uneven(second))
    freeze(str(tmp_path / "train"), tmp_path / "train.reference")
    assert "train: 1 of 2 files has no column `age`" in caplog.records[-1].message
