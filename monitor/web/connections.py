"""Connections that owe us something for so long and no longer, and so many and no more.

Whoever sends a request a byte at a time, or takes its answer so, holds a connection and does us no
other harm; but connections are counted by the machine. A limit that refuses the next one would
shut out others, so the one that kept us waiting for longest makes room.
"""

import asyncio
import sys
from collections.abc import Callable
from itertools import count
from typing import ClassVar, cast

import h11
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.h11_impl import H11Protocol

WHOLE_S = 30.0  # for a request from the connection, or the answer before, to its last byte
MOST = 500

_OWE = (h11.IDLE, h11.SEND_BODY)  # a request is not here yet, or not all of it
_TURNS = count()  # clocks of loops may stand still for a millisecond, while many come


def _files() -> int:
    """How many this process may have open; connections are among them."""
    if sys.platform == "win32":  # which counts otherwise
        return 2 * MOST
    import resource

    soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return 2 * MOST if soft == resource.RLIM_INFINITY else soft


class _Flow(FlowControl):
    """Tells when reading goes on: then it is for the other side again to do something."""

    def __init__(self, transport: asyncio.Transport, resumed: Callable[[], None]) -> None:
        super().__init__(transport)
        self._resumed = resumed

    def resume_reading(self) -> None:
        super().resume_reading()
        self._resumed()


class Patient(H11Protocol):
    """HTTP/1.1 as uvicorn speaks it with h11, which bounds what a request says of itself."""

    whole_s: ClassVar[float] = WHOLE_S
    most: ClassVar[int] = min(MOST, _files() // 2)
    turn: int | None = None  # in the order in which it became theirs; None: it is ours

    _timer: asyncio.TimerHandle | None = None
    _is_full = False  # what was sent last is not taken yet

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.flow = _Flow(transport, self._look)
        self._look()
        if len(self.connections) > self.most:
            self._make_room()

    def connection_lost(self, exc: Exception | None) -> None:
        self._owes(False)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._look()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._look()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._is_full = True
        self._look()

    def resume_writing(self) -> None:
        super().resume_writing()
        self._is_full = False
        self._look()

    def _look(self) -> None:
        """Whose turn it is. What is closing may still have to be taken; what we do not read for now
        cannot be sent."""
        unsent = self.conn.their_state in _OWE and not self.flow.read_paused
        self._owes(self._is_full or self.transport.is_closing() or unsent)

    def _owes(self, owes: bool) -> None:
        """The time begins when something is owed, and does not begin anew with every byte."""
        if not owes and self._timer is not None:
            self._timer.cancel()
            self._timer = self.turn = None
        elif owes and self._timer is None:
            self.turn = next(_TURNS)
            self._timer = self.loop.call_later(self.whole_s, self.transport.abort)

    def _make_room(self) -> None:
        """Who has to go is not counted from now on: the loop ends it a round later, and until then
        all that came together would choose the same one."""
        others = cast("set[Patient]", self.connections)
        owing = [one for one in others if one.turn is not None]
        longest = min(owing, key=lambda one: one.turn or 0, default=self)
        others.discard(longest)
        longest.transport.abort()
