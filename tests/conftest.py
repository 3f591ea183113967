"""How the tests run: seeded, without a stopwatch, and with one PostgreSQL server for all."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

settings.register_profile("seeded", derandomize=True, deadline=None)
settings.load_profile("seeded")


@pytest.fixture(scope="session")
def postgresql() -> Iterator[Path]:
    """The folder of the socket of a server that ends with the tests; skips without one."""
    from store_backends import postgresql_server

    with postgresql_server() as socket:
        yield socket
