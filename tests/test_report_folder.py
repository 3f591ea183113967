"""The reports folder: whole files or none, and never outside."""

import os
from pathlib import Path

import pytest

from monitor.errors import AskedWrongly
from monitor.reports.folder import Nowhere, ReportFolder
from monitor.tables.addresses import place_of
from monitor.tables.local_files import LocalPlace


def test_a_report_is_written_whole_and_replaced_whole(tmp_path: Path) -> None:
    folder = ReportFolder(LocalPlace(tmp_path / "new" / "reports"))
    place = folder.write("a.html", "<p>ü")
    assert Path(place).read_bytes() == "<p>ü".encode()
    assert folder.location("a.html") == place
    folder.write("a.html", "second")
    assert Path(place).read_text() == "second"
    assert [path.name for path in Path(place).parent.iterdir()] == ["a.html"]


@pytest.mark.parametrize(
    "name",
    ["", ".", "..", "../a", "a/b", "/etc/passwd", "a\\b", ".hidden", "c:x", "a\nb", "a\x00", " a",
     "ü" * 121, "half\ud800" * 60],
)  # fmt: skip
def test_a_name_cannot_leave_the_folder(tmp_path: Path, name: str) -> None:
    folder = ReportFolder(LocalPlace(tmp_path / "reports"))
    for use in (folder.location, lambda n: folder.write(n, "x")):
        with pytest.raises(AskedWrongly, match="file name"):
            use(name)
    assert list(tmp_path.iterdir()) == []


def test_links_lead_to_the_service_when_there_is_one(tmp_path: Path) -> None:
    folder = ReportFolder(LocalPlace(tmp_path), "https://monitor.example/base/")
    assert folder.write("kredit ü.html", "x") == (
        "https://monitor.example/base/reports/kredit%20%C3%BC.html"
    )


def test_a_failed_write_leaves_the_old_report(tmp_path: Path) -> None:
    folder = ReportFolder(LocalPlace(tmp_path))
    folder.write("a.html", "old")
    with pytest.raises(UnicodeEncodeError):
        folder.write("a.html", "\ud800")
    assert [path.read_text() for path in tmp_path.iterdir()] == ["old"]


@pytest.mark.skipif(os.name != "posix", reason="permissions of a posix file system")
def test_others_may_read_as_the_umask_says(tmp_path: Path) -> None:
    place = ReportFolder(LocalPlace(tmp_path)).write("a.html", "x")
    other = tmp_path / "other"
    other.write_text("x")
    assert Path(place).stat().st_mode == other.stat().st_mode


def test_nowhere_keeps_nothing() -> None:
    assert Nowhere().write("a.html", "x") == Nowhere().location("a.html") == ""


@pytest.mark.parametrize("root", ["reports", "memory://reports"])
def test_a_report_is_deleted_and_one_that_is_gone_stays_gone(root: str, tmp_path: Path) -> None:
    reports = ReportFolder(place_of(root, tmp_path, {}))
    reports.write("a.html", "<p>a</p>")
    reports.write("b.html", "<p>b</p>")
    for name in ("a.html", "a.html", "../b.html", ""):
        reports.remove(name)
    assert reports.holding(["a.html", "b.html"]) == {"b.html"}
