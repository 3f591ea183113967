"""The databases that the store tests run over, and a PostgreSQL server of their own."""

import os
import shutil
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import pytest

from monitor import wiring
from monitor.archive import Store


@dataclass(frozen=True)
class Backend:
    """One empty database, and how to open it."""

    name: str
    url: str
    root: Path

    def open(self) -> Store:
        from monitor.stores import sql

        return sql.make(self.url, self.root, wiring.now)


def _binaries() -> Path | None:
    folders = [*sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)]
    if found := shutil.which("initdb"):
        folders.append(Path(found).resolve().parent)
    return next((f for f in folders if (f / "initdb").exists() and (f / "pg_ctl").exists()), None)


def _as_nobody(folder: Path) -> list[str]:
    """PostgreSQL refuses to run as root: give the folder to an unprivileged user and be that."""
    if os.geteuid() != 0:
        return []
    tool = shutil.which("setpriv")
    if tool is None:
        pytest.skip("PostgreSQL refuses to run as root, and there is no setpriv here")
    os.chown(folder, 65534, 65534)
    return [tool, "--reuid=65534", "--regid=65534", "--clear-groups"]


def _run(command: list[str], folder: Path) -> None:
    log = folder / "log"
    done = subprocess.run(
        command, cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    if done.returncode:
        more = log.read_text() if log.exists() else ""
        pytest.fail(f"{command} failed:\n{done.stdout}{done.stderr}{more}")


@contextmanager
def postgresql_server() -> Iterator[Path]:
    """The folder of the socket of a new server, which ends with the block."""
    if find_spec("psycopg") is None:
        pytest.skip("psycopg is not installed")
    if (bin_folder := _binaries()) is None:
        pytest.skip("no PostgreSQL server binaries")
    folder = Path(tempfile.mkdtemp(prefix="pg-"))  # no `tmp_path`: a socket's path must be short
    user = _as_nobody(folder)
    control = [*user, str(bin_folder / "pg_ctl"), "-D", str(folder / "data"), "-w", "-s"]
    try:
        initdb = [str(bin_folder / "initdb"), "-D", str(folder / "data"), "-U", "monitor"]
        _run([*user, *initdb, "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"], folder)
        options = (
            f"-c listen_addresses='' -c unix_socket_directories='{folder}' -c fsync=off"
            " -c dynamic_shared_memory_type=mmap"  # in its folder, and gone with it
        )
        _run([*control, "-l", str(folder / "log"), "-o", options, "start"], folder)
        try:
            yield folder
        finally:
            _run([*control, "-m", "immediate", "stop"], folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def restart_postgresql(folder: Path) -> None:
    """Stop a server of `postgresql_server` without letting anybody finish, and start it again."""
    bin_folder = _binaries()
    assert bin_folder is not None
    control = [*_as_nobody(folder), str(bin_folder / "pg_ctl"), "-D", str(folder / "data"), "-w"]
    _run([*control, "-s", "-l", str(folder / "log"), "-m", "immediate", "restart"], folder)


def new_postgresql_database(socket: Path) -> str:
    """The URL of an empty database on the server."""
    import psycopg

    name = f"m{uuid.uuid4().hex}"
    with psycopg.connect(f"host={socket} user=monitor dbname=postgres", autocommit=True) as db:
        # Since version 15 it goes through the log, block by block, which takes five times as long.
        files = "STRATEGY FILE_COPY" if db.info.server_version >= 150_000 else ""
        db.execute(f"CREATE DATABASE {name} {files}")
    return f"postgresql+psycopg://monitor@/{name}?host={socket}"
