"""How often somebody may ask, and how much they may send; what is counted stays bounded."""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from math import ceil

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from monitor.errors import AskedWrongly

BODY_BYTES = 1_000_000
SMALL_BYTES = 64_000  # of a body; what is larger shares `TOGETHER_BYTES` with all others
TOGETHER_BYTES = 32_000_000
_LATER_S = 5
KEPT = 10_000  # askers that are remembered; who was not heard of for longest is forgotten


class TooOften(AskedWrongly):
    """Asked too often; the same request is welcome after `retry_after_s`."""

    def __init__(self, retry_after_s: float) -> None:
        self.retry_after_s = max(1, ceil(retry_after_s))
        super().__init__(
            f"asked too often; again in {self.retry_after_s} s",
            hint="wait as long as `Retry-After` says",
        )


@dataclass(frozen=True, slots=True)
class Allowance:
    """So many at once, and so many a second in the long run."""

    at_once: int
    per_s: float


class Meter:
    """Counts what each asker uses of an allowance. Safe for threads."""

    def __init__(
        self, allowance: Allowance, clock_s: Callable[[], float], kept: int = KEPT
    ) -> None:
        self._allowance = allowance
        self._clock_s = clock_s
        self._kept = kept
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()  # how many, and when
        self._lock = threading.Lock()

    def spend(self, asker: str) -> None:
        """One more; raises TooOften when nothing is left."""
        most, per_s = self._allowance.at_once, self._allowance.per_s
        with self._lock:
            now_s = self._clock_s()
            left, then_s = self._left.pop(asker, (float(most), now_s))
            left = min(most, left + (now_s - then_s) * per_s)
            allowed = left >= 1
            self._left[asker] = (left - 1 if allowed else left, now_s)
            while len(self._left) > self._kept:
                self._left.popitem(last=False)
        if not allowed:
            raise TooOften((1 - left) / per_s)

    def __len__(self) -> int:
        return len(self._left)


class Limits:
    """What is counted: everything from an address, what a token asks, what strangers try."""

    def __init__(
        self,
        *,
        address: Allowance = Allowance(1000, 100.0),  # many people may be behind one
        token: Allowance = Allowance(300, 30.0),
        stranger: Allowance = Allowance(20, 0.5),
        sign_in: Allowance = Allowance(10, 0.1),
        clock_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._address = Meter(address, clock_s)
        self._token = Meter(token, clock_s)
        self._stranger = Meter(stranger, clock_s)
        self._sign_in = Meter(sign_in, clock_s)

    def of_address(self, address: str) -> None:
        """A request from there, whoever sends it."""
        self._address.spend(address)

    def of_token(self, token_id: str) -> None:
        """A request under a token that is good."""
        self._token.spend(token_id)

    def stranger(self, address: str) -> None:
        """A token that is not good. Who shows a good one is never held up by strangers."""
        self._stranger.spend(address)

    def sign_in(self, address: str) -> None:
        """Somebody tries to sign in."""
        self._sign_in.spend(address)


class SizeLimit:
    """Ends a request whose body is larger than allowed, said beforehand or not, and one that is
    large while many are."""

    def __init__(
        self, app: ASGIApp, most: int = BODY_BYTES, together: int = TOGETHER_BYTES
    ) -> None:
        self._app = app
        self._most = most
        self._together = together
        self._held = 0  # of requests that are not answered yet

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        declared = dict(scope["headers"]).get(b"content-length", b"")
        too_large = declared.isdigit() and int(declared) > self._most
        seen = 0

        async def counted() -> Message:
            nonlocal seen
            message = await receive()
            size = len(message.get("body", b""))
            seen += size
            self._held += size
            if too_large or seen > self._most:
                raise HTTPException(413, f"a request may hold {self._most} bytes")
            if seen > SMALL_BYTES and self._held > self._together:
                later = {"Retry-After": str(_LATER_S)}
                raise HTTPException(503, "too much is being sent at once", later)
            return message

        try:
            await self._app(scope, counted, send)
        finally:
            self._held -= seen
