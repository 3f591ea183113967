"""That the scheduler itself is alive: a ping to somebody outside, and an alert when all stall.

A service that stopped looking sends no alerts, and looks like one with nothing to say. So somebody
outside is told again and again that it gets on, and misses it when it does not; and where at least
one process of the service lives, it tells people itself.
"""

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from monitor.archive import Store
from monitor.core.messages import RECOVERED, STALLED, of_service
from monitor.core.records import Window
from monitor.due import due_windows
from monitor.errors import DeliveryError, MonitorError
from monitor.ports import Clock
from monitor.posting import Endpoint, post_json
from monitor.settings import MonitorSettings
from monitor.waking import schedule_trigger

log = logging.getLogger(__name__)

LOOK_S = 60.0  # how often the store is asked whether anybody gets on
_NAMED = 3  # monitors that an alert names


@dataclass(frozen=True, slots=True)
class Pulse:
    """How the schedulers of all replicas get on, as the store tells it."""

    overdue: tuple[str, ...]  # monitors with a window that should long have been looked at
    moved_at: datetime | None  # when a scheduler, or anybody, last got on
    patience: timedelta

    def is_stalled(self, now: datetime) -> bool:
        """Windows are due, and for longer than patience lasts nobody got on."""
        late = self.moved_at is None or now - self.moved_at > self.patience
        return bool(self.overdue) and late


class StallWatch:
    """Tells people once that every scheduler stalled, and once that one gets on again.

    Any number of processes may watch one store: what they would say has the same id in each.
    """

    def __init__(
        self,
        monitors: Mapping[str, MonitorSettings],
        store: Store,
        clock: Clock,
        *,
        patience: timedelta,
        channels: Sequence[str] = (),
    ) -> None:
        self._monitors = monitors
        self._store = store
        self._clock = clock
        self._patience = patience
        self._channels = channels
        self._began = clock()  # a service that was just started has not stalled
        self._wakes: dict[str, Any] = {}
        self._open: datetime | None = None  # since when, of the stall that was told
        self._asked = False
        self.stalled = False  # as of the last look

    def pulse(self) -> Pulse:
        """As the store tells it now."""
        now, lasts = self._clock(), self._store.last_windows()
        overdue = tuple(
            name
            for name, settings in self._monitors.items()
            if self._is_overdue(settings, lasts.get(name), now - self._patience)
        )
        moves = [*(r.moved_at for r in self._store.replicas()), self._store.last_stored()]
        # What a clock that was ahead wrote says nothing of how things are.
        known = [m for m in moves if m is not None and m <= now + self._patience]
        return Pulse(overdue, max(known, default=None), self._patience)

    def look(self) -> Pulse:
        """Ask the store how things are, and tell people when that changed.

        1. The first look asks whether a stall was told already: before a restart, or by others.
        2. A stall is told once; its id follows from when somebody last got on.
        3. Its end is told to those who heard of it.
        """
        pulse, now = self.pulse(), self._clock()
        if not self._asked:
            self._open, self._asked = self._told(), True
        self.stalled = pulse.is_stalled(now) and now - self._began > self._patience
        if self.stalled and self._open is None:
            self._open = self._told() or self._tell_stall(pulse, now)
        elif not pulse.is_stalled(now) and self._open is not None:
            self._say(RECOVERED, "The scheduler gets on again", self._open, now)
            self._open = None
        return pulse

    def _told(self) -> datetime | None:
        """Since when, of a stall that was told and whose end was not."""
        newest = self._store.newest_message((STALLED, RECOVERED))
        if newest is None or newest.kind != STALLED:
            return None
        return datetime.fromisoformat(newest.payload["opened_at"])

    def _tell_stall(self, pulse: Pulse, now: datetime) -> datetime:
        since = pulse.moved_at or self._began
        names = ", ".join(pulse.overdue[:_NAMED])
        more = len(pulse.overdue) - _NAMED
        named = f"{names} and {more} more" if more > 0 else names
        headline = (
            f"The scheduler stalled: nothing was looked at since {since:%Y-%m-%d %H:%M} UTC, "
            f"and windows are due of {named}"
        )
        log.error("stalled since=%s overdue=%d", since.isoformat(), len(pulse.overdue))
        self._say(STALLED, headline, since, now)
        return since

    def _say(self, kind: str, headline: str, since: datetime, now: datetime) -> None:
        for message in of_service(kind, headline, self._channels, since=since, at=now):
            self._store.add_message(message)

    def _is_overdue(self, settings: MonitorSettings, last: Window | None, then: datetime) -> bool:
        """Whether a schedule had long woken for a window, and nobody looked at it.

        A monitor that was never looked at is due since this process began to watch.
        """
        due = due_windows(settings, last, then)
        if not due:
            return False
        if settings.name not in self._wakes:
            self._wakes[settings.name] = schedule_trigger(settings)
        complete = due[0].end + settings.lateness.duration if last else self._began
        wake = self._wakes[settings.name].get_next_fire_time(None, complete)
        return wake is not None and wake <= then


class Heartbeat:
    """Pings an address as long as the scheduler of this process really gets on."""

    def __init__(
        self,
        watch: StallWatch,
        clock: Clock,
        *,
        endpoint: Endpoint | None = None,
        every: timedelta = timedelta(minutes=5),
        patience: timedelta = timedelta(minutes=90),
        moved_at: Callable[[], datetime | None] = lambda: None,
        replica: str = "",
    ) -> None:
        """`moved_at` tells when the scheduler of this process last got on; None: it has none."""
        self._watch = watch
        self._clock = clock
        self._endpoint = endpoint
        self._every_s = every.total_seconds()
        self._patience = patience
        self._moved_at = moved_at
        self._replica = replica
        self._next_s = 0.0

    def run(self, stop: threading.Event) -> None:
        """Look, and ping, until told to stop; whatever fails is told and outlived."""
        while not stop.is_set():
            try:
                self.beat()
            except MonitorError as error:
                log.warning("no heartbeat: the store does not answer error=%r", str(error))
            except Exception:
                log.exception("no heartbeat")
            stop.wait(self._until_next_s())

    def _until_next_s(self) -> float:
        """Until the next look, or the next ping where that comes before; never at once."""
        if self._endpoint is None:
            return LOOK_S
        left_s = self._next_s - time.monotonic()
        return max(1.0, min(LOOK_S, left_s if left_s > 0 else self._every_s))

    def beat(self) -> bool:
        """One look at how things are; whether a ping was sent and taken.

        Without an answer of the store there is no ping: nobody gets on without it.
        """
        pulse, now = self._watch.look(), self._clock()
        if self._endpoint is None or time.monotonic() < self._next_s:
            return False
        moved_at = self._moved_at()
        if moved_at is None or now - moved_at > self._patience or pulse.is_stalled(now):
            log.warning("no heartbeat: the scheduler does not get on")
            return False
        return self._ping(self._endpoint, now)

    def _ping(self, endpoint: Endpoint, now: datetime) -> bool:
        """A ping that fails is tried again at the next look; its receiver has patience, too."""
        told = {"event": "service.alive", "replica": self._replica, "sent_at": now.isoformat()}
        try:
            post_json(endpoint, told, key=f"alive-{self._replica}-{now.timestamp():.0f}", now=now)
        except DeliveryError as error:
            log.warning("heartbeat not taken error=%r", str(error))
            return False
        self._next_s = time.monotonic() + self._every_s
        return True
