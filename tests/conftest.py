"""How the tests run: seeded, without a stopwatch, one server and one demo project for all.

Several processes share the work where each is given the same empty folder (`--shared=FOLDER`):
whoever comes to a file of tests first claims it there and runs all of it, and the others pass it
over without a word. So they are done at about the same time, whatever each file takes. A folder
that another run left behind has a claim for each file: whoever can claim none there says so.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from monitor.demo.project import install_project

settings.register_profile("seeded", derandomize=True, deadline=None)
settings.load_profile("seeded")


def pytest_addoption(parser: pytest.Parser) -> None:
    what = "run only the files that no other process has claimed in this folder"
    parser.addoption("--shared", type=Path, metavar="FOLDER", help=what)


def pytest_configure(config: pytest.Config) -> None:
    folder: Path | None = config.getoption("--shared")
    if folder is not None:
        config.pluginmanager.register(Claims(folder))


class Claims:
    """Which files are ours: whoever is first to ask for one has it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._was_empty = not any(folder.iterdir())
        self._ours: dict[str, bool] = {}

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> bool | None:
        """True: nothing is left to do for this test, another process has its file."""
        name = item.path.name
        if name not in self._ours:
            self._ours[name] = self._claim(name)
        return None if self._ours[name] else True

    def pytest_sessionfinish(self) -> None:
        if self._ours and not self._was_empty and not any(self._ours.values()):
            what = f"no test ran: {self._folder} was not empty and has a claim for each file"
            pytest.exit(what, returncode=pytest.ExitCode.USAGE_ERROR)

    def _claim(self, name: str) -> bool:
        try:
            (self._folder / name).touch(exist_ok=False)
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
