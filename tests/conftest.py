"""How the tests run: seeded, and without a stopwatch, so that a busy machine changes nothing."""

from pathlib import Path

import pytest
from hypothesis import settings

from monitor.demo.project import install_project

settings.register_profile("seeded", derandomize=True, deadline=None)
settings.load_profile("seeded")


@pytest.fixture(scope="session")
def demo_project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo project without public data sets, made once: for reading only."""
    folder = tmp_path_factory.mktemp("demo")
    install_project(folder, datasets=False)
    return folder
