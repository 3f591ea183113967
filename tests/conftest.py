"""How the tests run: seeded, without a stopwatch, one server and one demo project for all.

Several processes share the work where each is given the same empty folder (`--shared=FOLDER`):
whoever comes to a file of tests first claims it there and runs all of it, and the others pass it
over without a word. So they are done at about the same time, whatever each file takes.
"""

from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from hypothesis import settings

from monitor.demo.project import install_project

settings.register_profile("seeded", derandomize=True, deadline=None)
settings.load_profile("seeded")


def pytest_addoption(parser: pytest.Parser) -> None:
    what = "run only the files that no other process has claimed in this folder"
    parser.addoption("--shared", type=Path, metavar="FOLDER", help=what)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> bool | None:
    """True: nothing is left to do for this test, another process has its file."""
    folder: Path | None = item.config.getoption("--shared")
    return None if folder is None or _claimed(folder / item.path.name) else True


@cache
def _claimed(claim: Path) -> bool:
    """Is the file ours? The first to ask has it."""
    try:
        claim.touch(exist_ok=False)
    except FileExistsError:
        return False
    return True


@pytest.fixture(scope="session")
def postgresql() -> Iterator[Path]:
    """The folder of the socket of a server that ends with the tests; skips without one."""
    from store_backends import postgresql_server

    with postgresql_server() as socket:
        yield socket


@pytest.fixture(scope="session")
def demo_project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo project without public data sets, made once: for reading only."""
    folder = tmp_path_factory.mktemp("demo")
    install_project(folder, datasets=False)
    return folder
