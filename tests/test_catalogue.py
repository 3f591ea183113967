"""Sockets: what is listed without being imported, what is loaded, and what strangers add."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from monitor import catalogue
from monitor.errors import AskedWrongly, UnknownName


@pytest.fixture
def socket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A socket package `house.horns` with three files, and a stranger's package beside it."""
    horns = tmp_path / "house" / "horns"
    horns.mkdir(parents=True)
    (tmp_path / "house" / "__init__.py").write_text("")
    (horns / "__init__.py").write_text("")
    (horns / "loud.py").write_text("VOLUME = 11\n")
    (horns / "_helper.py").write_text("")
    (horns / "needy.py").write_text("import a_library_that_is_not_there\n")
    (horns / "faulty.py").write_text("import house.lost\n")
    (tmp_path / "stranger.py").write_text("VOLUME = 3\nclass Soft:\n    VOLUME = 1\n")
    (tmp_path / "broken.py").write_text("raise RuntimeError('no brass')\n")
    installed = tmp_path / "stranger-2.0.dist-info"
    installed.mkdir()
    (installed / "METADATA").write_text("Metadata-Version: 2.1\nName: stranger\nVersion: 2.0\n")
    (installed / "entry_points.txt").write_text(
        "[drift_monitor.horns]\nloud = stranger\nsoft = stranger:Soft\nbroken = broken\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    catalogue._installed.cache_clear()
    yield "house.horns"
    for name in [name for name in sys.modules if name.split(".")[0] in ("house", "stranger")]:
        del sys.modules[name]
    catalogue._built_in.cache_clear()
    catalogue._installed.cache_clear()


def test_files_and_entry_points_are_listed_without_being_imported(socket: str) -> None:
    assert catalogue.names(socket) == ("broken", "faulty", "loud", "needy", "soft")
    assert not {"house.horns.loud", "stranger"} & set(sys.modules)


def test_a_built_in_name_wins(socket: str) -> None:
    assert catalogue.load(socket, "loud", "horn").VOLUME == 11


def test_an_entry_point_may_name_an_object(socket: str) -> None:
    assert catalogue.load(socket, "soft", "horn").VOLUME == 1


@pytest.mark.parametrize("name", ["lowd", "_helper", "loud.VOLUME", "", "__init__"])
def test_an_unknown_name_answers_with_the_listing(socket: str, name: str) -> None:
    with pytest.raises(UnknownName, match=r"no horn named .*broken, faulty, loud") as caught:
        catalogue.load(socket, name, "horn")
    if name == "lowd":
        assert caught.value.hint == "did you mean 'loud'?"


def test_a_stranger_that_fails_is_named(socket: str) -> None:
    with pytest.raises(AskedWrongly, match=r"horn 'broken' of stranger 2\.0 .*no brass") as caught:
        catalogue.load(socket, "broken", "horn")
    assert "'broken'" in caught.value.hint


def test_a_library_that_is_not_installed_is_named(socket: str) -> None:
    with pytest.raises(AskedWrongly, match="'needy' needs the library 'a_library_that_is_not_th"):
        catalogue.load(socket, "needy", "horn")


def test_a_file_of_ours_that_is_missing_is_a_fault_of_ours(socket: str) -> None:
    with pytest.raises(ModuleNotFoundError, match=r"house\.lost"):
        catalogue.load(socket, "faulty", "horn")


def test_loading_a_built_in_reads_no_metadata() -> None:
    code = (
        "from monitor import catalogue; catalogue.load('monitor.sources', 'files', 'source'); "
        "assert catalogue._installed.cache_info().misses == 0; "
        "catalogue.names('monitor.sources'); assert catalogue._installed.cache_info().misses == 1"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
