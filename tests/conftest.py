"""How the tests run: seeded, without a stopwatch, one server and one demo project for all."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from monitor.demo.project import install_project

settings.register_profile("seeded", derandomize=True, deadline=None)
settings.load_profile("seeded")


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
