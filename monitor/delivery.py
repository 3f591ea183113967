"""The outbox loop: send what is due, one message at a time, back off, give up visibly."""

import logging
import random
import threading
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import PurePath
from typing import Any

from monitor.archive import Store
from monitor.core.consequences import Message
from monitor.core.digests import DIGEST, gathered
from monitor.errors import DeliveryDelayed, DeliveryRefused
from monitor.ports import Clock, Notifier
from monitor.sight import traces

log = logging.getLogger("monitor.delivery")

LEASE_S = 120.0  # longer than the slowest send, so that no two processes send the same message
IDLE_S = 2.0  # how long a new message waits for the loop at most
_BRIEFLY_S = 0.05  # a due message may be leased elsewhere or wait behind another: look again
_STORE_WAITS_S = (0.1, 0.5, 2.0, 5.0)  # for a busy store, before what was sent is forgotten
_ERROR_CHARS = 500


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to wait between tries, and when to give up.

    Waits double from `base_s` up to `cap_s`; half of each is random, so that what failed together
    does not come back together. A channel's own `Retry-After` wins when it is longer. A message is
    given up once it is older than `max_age` and has been tried `min_attempts` times: one that lay
    queued while the service was down, or behind another, still gets its chances.
    """

    base_s: float = 5.0
    cap_s: float = 3600.0
    longest_retry_after_s: float = 86_400.0
    max_age: timedelta = timedelta(days=3)
    min_attempts: int = 5

    def wait_s(self, attempts: int, luck: float, retry_after_s: float | None = None) -> float:
        """Seconds until the next try after `attempts` earlier failures; `luck` in [0, 1).

        >>> [Patience().wait_s(n, luck=0.0) for n in (0, 1, 2, 20)]
        [2.5, 5.0, 10.0, 1800.0]
        """
        full = min(self.cap_s, self.base_s * 2.0 ** min(attempts, 30))
        asked = min(retry_after_s or 0.0, self.longest_retry_after_s)
        return max(full / 2 + full / 2 * luck, asked)

    def is_over(self, message: Message, now: datetime) -> bool:
        """Whether the failed try that just ended was the last."""
        old = now - message.created_at > self.max_age
        return old and message.attempts + 1 >= self.min_attempts


class Delivery:
    """Takes messages from the store's outbox to the notifiers of their channels.

    Any number of deliveries may work on one store, in one process or several.
    """

    def __init__(
        self,
        store: Store,
        notifiers: Mapping[str, Notifier],
        clock: Clock,
        *,
        patience: Patience | None = None,
        lease_s: float = LEASE_S,
        rng: random.Random | None = None,
        gathering: Collection[str] = (),
    ) -> None:
        """`gathering`: channels that are told what is due as one message."""
        self._store = store
        self._gathering = gathering
        self._notifiers = notifiers
        self._clock = clock
        self._patience = patience or Patience()
        self._lease_s = lease_s
        self._rng = rng or random.Random()

    def deliver_due(self) -> int:
        """Handle every message that is due now; how many were tried."""
        handled = 0
        while self._deliver_one():
            handled += 1
        return handled

    def run(self, stop: threading.Event) -> None:
        """Deliver until `stop` is set; errors of the store are told and outlived."""
        while not stop.is_set():
            try:
                busy = self._deliver_one()
                wait_s = 0.0 if busy else self._until_next_s()
            except Exception as error:
                log.error("outbox unreadable error=%r wait_s=%g", _where(error), IDLE_S)
                wait_s = IDLE_S
            stop.wait(wait_s)

    def drain(self, timeout_s: float) -> bool:
        """Deliver until nothing is pending (True) or waiting longer has no point (False)."""
        deadline = time.monotonic() + timeout_s
        while True:
            if time.monotonic() < deadline and self._deliver_one():
                continue
            due = self._store.next_due()
            if due is None:
                return True
            wait_s = max(_BRIEFLY_S, (due - self._clock()).total_seconds())
            if time.monotonic() + wait_s >= deadline:
                return False
            time.sleep(min(wait_s, IDLE_S))

    def _deliver_one(self) -> bool:
        """One message from claim to verdict; False when none is due.

        1. Claim it: the lease keeps other deliverers away, and runs out should this one die. On a
           channel that gathers, one message takes the place of all that are due; it is next.
        2. Send it.
        3. Write down what became of it: sent, delayed or failed.
        """
        message = self._store.claim_message(self._clock(), self._lease_s)
        if message is None:
            return False
        if message.channel in self._gathering and message.kind != DIGEST:
            self._gather(message.channel)
            return True
        started = time.monotonic()
        try:
            with traces.span("deliver", channel=message.channel, kind=message.kind):
                receipt = self._send(message)
        except DeliveryRefused as refused:
            self._fail(message, str(refused))
        except DeliveryDelayed as delayed:
            self._delay(message, str(delayed), delayed.retry_after_s)
        except Exception as error:
            self._delay(message, _where(error), None)
        else:
            self._record(lambda: self._store.mark_sent(message.id, self._clock(), receipt))
            log.info("sent %s took_s=%.2f", _named(message), time.monotonic() - started)
        return True

    def _gather(self, channel: str) -> None:
        now = self._clock()
        digest = self._store.gather(channel, now, lambda due: gathered(channel, due, now))
        if digest is not None:
            told = len(digest.payload["entries"])
            log.info("gathered id=%s channel=%s episodes=%d", digest.id, channel, told)

    def _send(self, message: Message) -> Mapping[str, Any]:
        notifier = self._notifiers.get(message.channel)
        if notifier is None:
            known = ", ".join(sorted(self._notifiers)) or "none"
            raise DeliveryRefused(
                f"channel {message.channel!r} is not configured any more; there are: {known}"
            )
        return notifier.send(message, self._thread(message))

    def _thread(self, message: Message) -> Mapping[str, Any]:
        """The receipt of the first message of this episode that its channel took."""
        if message.episode is None:
            return {}
        told = self._store.oldest_messages(state="sent", episode=message.episode)
        receipts = (m.receipt for m in told if m.channel == message.channel)
        return next((receipt for receipt in receipts if DIGEST not in receipt), {})

    def _delay(self, message: Message, error: str, retry_after_s: float | None) -> None:
        now = self._clock()
        if self._patience.is_over(message, now):
            self._fail(message, f"given up after {message.attempts + 1} tries: {error}")
            return
        wait_s = self._patience.wait_s(message.attempts, self._rng.random(), retry_after_s)
        next_at = now + timedelta(seconds=wait_s)
        self._record(lambda: self._store.mark_delayed(message.id, next_at, error[:_ERROR_CHARS]))
        log.warning("delayed %s wait_s=%.1f error=%r", _named(message), wait_s, error)

    def _fail(self, message: Message, error: str) -> None:
        now = self._clock()
        self._record(lambda: self._store.mark_failed(message.id, now, error[:_ERROR_CHARS]))
        log.error("failed %s error=%r", _named(message), error)

    def _record(self, write: Callable[[], None]) -> None:
        """Write to the store, patiently: a send that is forgotten is sent again."""
        for wait_s in _STORE_WAITS_S:
            try:
                write()
                return
            except Exception as error:
                log.warning("outbox busy error=%s wait_s=%g", type(error).__name__, wait_s)
                time.sleep(wait_s)
        write()

    def _until_next_s(self) -> float:
        due = self._store.next_due()
        if due is None:
            return IDLE_S
        return min(IDLE_S, max(_BRIEFLY_S, (due - self._clock()).total_seconds()))


def _named(message: Message) -> str:
    return (
        f"id={message.id} channel={message.channel} kind={message.kind} "
        f"monitor={message.monitor} attempt={message.attempts + 1}"
    )


def _where(error: Exception) -> str:
    """An unexpected error by its kind and place; its text may hold an address or a token."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    place = (
        f" in {PurePath(trace.tb_frame.f_code.co_filename).name}:{trace.tb_lineno}" if trace else ""
    )
    return f"unexpected {type(error).__name__}{place}"
