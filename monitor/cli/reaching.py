"""A service to ask: that of monitor.yaml, in this process, or one elsewhere by `--server`."""

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from monitor.cli.monitors import actor, open_configured
from monitor.errors import AskedWrongly, NotSignedIn, PathNotFound

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime, tzinfo

    from monitor.client import Client
    from monitor.service import Service


@contextmanager
def reach(config: Path, server: str | None, token_file: Path | None) -> "Iterator[Client]":
    """Both are asked in the same way, so that both answer the same."""
    from monitor.client import Client

    if server is not None:
        with Client(server, _token(token_file)) as client:
            try:
                yield client
            except NotSignedIn as error:
                hint = "name a token in MONITOR_TOKEN, or its file with --token-file"
                raise NotSignedIn(str(error), hint=hint) from None
        return
    if token_file is not None:
        raise AskedWrongly("--token-file is for --server", hint="name the service, too")
    with open_configured(config) as service, _here(service) as client:
        yield client


@contextmanager
def _here(service: "Service") -> "Iterator[Client]":
    """The API over the store of monitor.yaml; whoever sits here may do everything."""
    from monitor.client import Client, InProcess
    from monitor.serving import local_app

    app = local_app(service, actor())
    with Client("http://127.0.0.1", transport=InProcess(app), sleep=lambda _: None) as client:
        yield client


def _token(file: Path | None) -> str:
    from monitor.settings import token_of_environment

    if file is None:
        return token_of_environment()
    try:
        return file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        raise PathNotFound(f"the token in {file} cannot be read") from None


def zone_of(client: "Client", monitor: str | None) -> "tzinfo":
    """In which times without an offset are meant: that of the monitor, else UTC."""
    from datetime import UTC
    from zoneinfo import ZoneInfo

    if monitor is None:
        return UTC
    return ZoneInfo(client.monitor(monitor).schedule.timezone)


def minute(told: "datetime | None") -> str:
    """A time in a table: `2026-03-01 12:00`, in UTC."""
    from datetime import UTC

    return f"{told.astimezone(UTC):%Y-%m-%d %H:%M}" if told else ""
