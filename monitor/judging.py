"""What libraries may connect to that make connections by themselves.

Python tells of every connection before it is made (`socket.connect`, an audit event), by whatever
library and after whatever name was looked up. That is where an address is judged.
"""

import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import cache
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies

from monitor.core.reach import Reach
from monitor.errors import DeliveryRefused
from monitor.posting import must_allow

_CONNECTS = ("socket.connect", "socket.sendto", "socket.sendmsg")
_PORTS = {"http": 80, "https": 443}
_KINDS = ("http", "https", "all")  # getproxies() also tells of `no`: hosts that need no proxy


def _proxies() -> frozenset[tuple[str, int]]:
    """Where the proxies of the environment are: it is their word where a name leads."""
    found: set[tuple[str, int]] = set()
    told = getproxies()
    for text in (told[kind] for kind in _KINDS if kind in told):
        with suppress(ValueError, OSError):
            parts = urlsplit(text if "://" in text else f"http://{text}")
            port = parts.port or _PORTS.get(parts.scheme, 1080)
            places = socket.getaddrinfo(parts.hostname, port, type=socket.SOCK_STREAM)
            found |= {(str(where[0]), port) for *_, where in places}
    return frozenset(found)


@dataclass(slots=True)
class Judge:
    """Lets connections through to permitted addresses, and to proxies of the environment."""

    reach: Reach
    proxies: frozenset[tuple[str, int]] = field(default_factory=_proxies)
    refused: DeliveryRefused | None = None  # the last one

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


_JUDGE: ContextVar[Judge | None] = ContextVar("judge of connections", default=None)


@contextmanager
def judged(reach: Reach) -> Iterator[Judge]:
    """Every connection made in here, and in threads that take our context along, is judged."""
    _listen()
    judge = Judge(reach)
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
