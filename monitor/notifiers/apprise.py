"""Alerts on any service that the library apprise speaks to: Discord, Telegram, ntfy and others.

It connects by itself, by several libraries. Python tells of every connection before it is made
(`socket.connect`, an audit event), and that is where those of apprise are judged.
"""

import logging
import socket
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import cache
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies

from monitor.configuration.channels import AppriseSettings
from monitor.core.plain_text import body, subject
from monitor.core.reach import WORLD, Reach
from monitor.core.records import Message
from monitor.errors import AskedWrongly, DeliveryDelayed, DeliveryRefused
from monitor.ports import Around
from monitor.posting import must_allow, permitted_by_name

_KINDS = {
    "episode.opened": "failure",
    "episode.worsened": "failure",
    "episode.resolved": "success",
    "episode.acknowledged": "info",
    "digest": "info",
    "test": "info",
}
_PROXY_PORTS = {"http": 80, "https": 443}


class Apprise:
    """One service; apprise says whether it took a message, and no more."""

    def __init__(self, url: str, name: str, reach: Reach = WORLD) -> None:
        """AskedWrongly when apprise is not installed, or does not know the address."""
        try:
            import apprise
        except ImportError:
            raise AskedWrongly(
                f"the channel {name} needs apprise",
                hint="pip install 'drift-monitor[apprise]'",
            ) from None
        # It logs addresses, which hold tokens, and what services answer.
        logging.getLogger("apprise").setLevel(logging.CRITICAL + 1)
        # By itself it follows redirects, wherever they lead.
        self._service = apprise.Apprise(asset=apprise.AppriseAsset(http_redirects=False))
        self._name = name
        self._reach = reach
        if not self._service.add(url):
            raise AskedWrongly(
                f"apprise does not know the address of the channel {name}",
                hint="write it as apprise names its services, like discord://ID/TOKEN",
            )
        for server in self._service:
            server.redirects = False  # whatever its address says

    def send(self, message: Message, thread: Mapping[str, Any]) -> Mapping[str, Any]:
        """A refusal may be for good or may pass, and apprise tells neither: it is tried again."""
        for server in self._service:
            if any("{host}" in template for template in server.templates):
                permitted_by_name(self._reach, server.host or "")  # what a proxy would be asked for
        with _judged(self._reach) as judge:
            taken = self._service.notify(
                title=subject(message),
                body="\n".join(body(message)),
                notify_type=_KINDS.get(message.kind, "warning"),
                body_format="text",
            )
        if not taken and judge.refused is not None:
            raise judge.refused
        if not taken:
            raise DeliveryDelayed(f"apprise: {self._name} did not take it")
        return {}


def make(settings: AppriseSettings, around: Around) -> Apprise:
    return Apprise(settings.url.get_secret_value(), around.name, around.reach)


# --- Which connections are made ---


def _proxies() -> frozenset[tuple[str, int]]:
    """Where the proxies of the environment are: it is their word where a name leads."""
    found: set[tuple[str, int]] = set()
    for text in getproxies().values():
        with suppress(ValueError, OSError):
            parts = urlsplit(text if "://" in text else f"http://{text}")
            port = parts.port or _PROXY_PORTS.get(parts.scheme, 1080)
            places = socket.getaddrinfo(parts.hostname, port, type=socket.SOCK_STREAM)
            found |= {(str(where[0]), port) for *_, where in places}
    return frozenset(found)


@dataclass(slots=True)
class _Judge:
    """Lets connections through to permitted addresses, and to proxies of the environment."""

    reach: Reach
    proxies: frozenset[tuple[str, int]] = field(default_factory=_proxies)
    refused: DeliveryRefused | None = None

    def __call__(self, place: object) -> None:
        """OSError, as when nobody is there: whoever connects goes on to the next address."""
        if not isinstance(place, tuple) or place[:2] in self.proxies:
            return  # a socket of this machine's own has a path
        try:
            must_allow(self.reach, str(place[0]), str(place[0]))
        except DeliveryRefused as error:
            self.refused = error
            raise PermissionError(str(error)) from None
        except ValueError:  # a name, which would be looked up behind our back
            raise PermissionError("no address") from None


_JUDGE: ContextVar[_Judge | None] = ContextVar("judge of connections", default=None)
_CONNECTS = ("socket.connect", "socket.sendto", "socket.sendmsg")


@contextmanager
def _judged(reach: Reach) -> Iterator[_Judge]:
    """Every connection made in here, and in threads that take our context along, is judged."""
    _listen()
    judge = _Judge(reach)
    before = _JUDGE.set(judge)
    try:
        yield judge
    finally:
        _JUDGE.reset(before)


@cache
def _listen() -> None:
    """For as long as the process lives: what listens to audit events cannot be taken away."""

    def heard(event: str, arguments: tuple[Any, ...]) -> None:
        if event in _CONNECTS and (judge := _JUDGE.get()) is not None:
            judge(arguments[1])

    sys.addaudithook(heard)
