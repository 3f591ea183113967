"""WHEN: which windows are due, and that each gets its check.

The store tells what has been looked at; a schedule only says when to ask it. So nothing is lost
while the service is down, a window is never looked at twice for a restart, and several schedulers
may share a store: each claims a window before it looks, and leaves those that others hold.
"""

import logging
import queue
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from monitor.archive import Store
from monitor.check_requests import CheckRequests
from monitor.claiming import Claimant
from monitor.core.records import Window
from monitor.due import MonitorStatus, due_windows, look, passed_over
from monitor.errors import AskedWrongly, MonitorError, StoreUnavailable, one_line
from monitor.ports import Clock
from monitor.settings import MonitorSettings
from monitor.sight import logs
from monitor.steps.deciding import subject
from monitor.waking import Waker, schedule_trigger

log = logging.getLogger(__name__)

PATIENCE = 3  # failed tries of one window before the windows after it are looked at, and
PATIENCE_LASTS = timedelta(hours=2)  # at least so long
FIRST_WAIT_S = 60.0  # after a failure, twice as long after each further one
LONGEST_WAIT_S = 3600.0
_OVERSLEPT = timedelta(minutes=5)


@dataclass
class _Round:
    """What one monitor is at: the windows of its current wake-up, and what went wrong before."""

    active: bool = False
    woken_again: bool = False
    waiting: deque[Window] = field(default_factory=deque)
    running: Window | None = None
    error: str = ""
    failures: int = 0  # in a row
    tries: dict[Window, "_Tries"] = field(default_factory=dict)
    skipped: tuple[Window, ...] = ()


@dataclass
class _Tries:
    """Of one window that could not be looked at."""

    since: datetime
    count: int = 0


def wait_s(failures: int) -> float:
    """Seconds until the next try after that many failures in a row.

    >>> [wait_s(n) for n in (1, 2, 3, 7, 100)]
    [60.0, 120.0, 240.0, 3600.0, 3600.0]
    """
    return float(min(LONGEST_WAIT_S, FIRST_WAIT_S * 2.0 ** min(failures - 1, 30)))


class Scheduler:
    """Looks at every window of every monitor when it is due, through `run(name, window, again)`.

    A wake-up puts a monitor in line. Its turn claims and looks at its oldest due window and sends
    it back to the end of the line for the next, so a monitor with much to make up for holds up
    nobody. A window whose run raised is tried again, after waits that grow, and the ones after it
    wait; after PATIENCE tries in PATIENCE_LASTS they wait no longer, and it is listed in the status
    once it is passed. AskedWrongly (the configuration or reference must change first) is not
    counted as a try. `give_up(name, window, reason)` then records that nobody could look.
    Windows that people asked for take their turns in the same line.
    """

    def __init__(
        self,
        monitors: Mapping[str, MonitorSettings],
        store: Store,
        run: Callable[[str, Window, bool], Any],
        clock: Clock,
        *,
        give_up: Callable[[str, Window, str], Any] | None = None,
        claimant: Claimant | None = None,
        threads: int = 1,
    ) -> None:
        self._give_up = give_up
        self._monitors = monitors
        self._store = store
        self._run = run
        self._clock = clock
        self._claimant = claimant or Claimant(store, clock)
        self._rounds = {name: _Round() for name in monitors}
        self._lock = threading.Lock()
        self._line: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._requests = CheckRequests(monitors, store, run, clock, self._claimant)
        self._asked = False  # whether what people asked for has a place in the line
        self._stopping = threading.Event()
        self._moved_at: datetime | None = None
        self.failed_tries = 0  # since the start, of all monitors
        self._claimant.follow(self.moved_at)
        # Ours and not a pool's: a check that outlives its grace must not hold up the exit.
        self._threads = [
            threading.Thread(target=self._serve, name=f"checks-{n}", daemon=True)
            for n in range(threads)
        ]
        triggers = {name: schedule_trigger(settings) for name, settings in monitors.items()}
        self._waker = Waker(triggers, self.wake, clock, look=self._look_for_requests)

    def start(self) -> None:
        """Wake every monitor at once, for what was missed, and from now on by its schedule."""
        for name in self._monitors:
            self.wake(name)
        self._moved_at = self._clock()
        for thread in self._threads:
            thread.start()
        self._waker.start()

    def stop(self, grace_s: float = 0.0) -> bool:
        """Begin nothing new and wait for what runs; False when it still ran after `grace_s`."""
        self._stopping.set()
        self._waker.stop()
        deadline = time.monotonic() + grace_s
        for _ in self._threads:
            self._line.put(None)
        for thread in self._threads:
            if thread.ident is not None:
                thread.join(max(0.0, deadline - time.monotonic()))
        left = [name for name, r in self._rounds.items() if r.running is not None]
        for name in left:
            log.warning("given up monitor=%s reason=stopping grace_s=%g", name, grace_s)
        return not any(thread.is_alive() for thread in self._threads)

    @property
    def alive(self) -> bool:
        """Whether somebody watches the clock and somebody looks."""
        return self._waker.alive and all(thread.is_alive() for thread in self._threads)

    def moved_at(self) -> datetime | None:
        """When it last got on: now while it has nothing to do, else the end of its last turn.

        None before the first turn, and where nobody watches the clock. A clock that is late by
        minutes does not wake anybody any more.
        """
        if not self.alive:
            return self._moved_at
        now = self._clock()
        wakes = map(self._waker.next, self._monitors)
        asleep = any(wake is not None and now - wake > _OVERSLEPT for wake in wakes)
        busy = any(at.active for at in self._rounds.values())
        return self._moved_at if busy or asleep else now

    def wake(self, name: str) -> None:
        """Put a monitor in line; one that is at it already looks once more afterwards."""
        with self._lock:
            now_at = self._rounds[name]
            now_at.woken_again = now_at.active
            if now_at.active:
                return
            now_at.active = True
        self._line.put(partial(self._serve_monitor, name))

    def status(self) -> list[MonitorStatus]:
        """Every monitor, in the order of the configuration."""
        last, now = self._store.last_windows(), self._clock()
        return [self._status(name, last.get(name), now) for name in self._monitors]

    def _status(self, name: str, last: Window | None, now: datetime) -> MonitorStatus:
        at = self._rounds[name]
        return replace(
            look(self._monitors[name], last, now),
            next_wake=self._waker.next(name),
            running=at.running,
            error=at.error,
            skipped=at.skipped,
        )

    # --- In the thread that looks ---

    def _serve(self) -> None:
        while (turn := self._line.get()) is not None and not self._stopping.is_set():
            turn()
            self._moved_at = self._clock()

    def _serve_monitor(self, name: str) -> None:
        try:
            more = self._turn(name)
        except Exception as error:
            more = False
            self._rounds[name].waiting.clear()
            self._put_off(name, error, f"monitor={name}")
        if more:
            self._line.put(partial(self._serve_monitor, name))
        else:
            self._rest(name)

    def _rest(self, name: str) -> None:
        """Leave the line, unless the monitor was woken meanwhile."""
        with self._lock:
            at = self._rounds[name]
            at.active = at.woken_again
            at.woken_again = False
        if at.active:
            self._line.put(partial(self._serve_monitor, name))

    def _turn(self, name: str) -> bool:
        """One window of one monitor; True when more of this wake-up wait.

        1. The first turn of a wake-up asks the store what is due.
        2. The oldest window is claimed; when another process has it, this monitor is left to that
           one for a while.
        3. The window is looked at, unless another process just did.
        4. A failure ends the wake-up, or lets the next window go ahead when patience is over.
        """
        at = self._rounds[name]
        if not at.waiting:
            at.waiting.extend(self._due(name))
        if not at.waiting:
            self._works(at)
            return False
        window = at.waiting.popleft()
        about = logs.about(**subject(name, window))
        with about, self._claimant.holding(name, window) as ours:
            go_on = self._claimed(name, window) if ours else self._leave(name)
        if not go_on:
            at.waiting.clear()
        return bool(at.waiting)

    def _due(self, name: str) -> list[Window]:
        settings, last = self._monitors[name], self._store.last_window(name)
        due = due_windows(settings, last, self._clock())
        if left_out := passed_over(settings, last, due):
            log.warning(
                "passed over monitor=%s windows=%d before=%s catch_up=%d",
                *(name, left_out, due[0].start.isoformat(), settings.catch_up),
            )
        return due

    def _leave(self, name: str) -> bool:
        """Another process is at it; should that one die, its claim runs out."""
        again_s = self._claimant.lease.renewed_s
        self._waker.put_off(name, self._clock() + timedelta(seconds=again_s))
        return False

    def _claimed(self, name: str, window: Window) -> bool:
        at = self._rounds[name]
        at.running = window
        try:
            return self._look(name, window)
        finally:
            at.running = None

    def _look(self, name: str, window: Window) -> bool:
        """Whether the windows after this one may be looked at now."""
        at, began = self._rounds[name], time.monotonic()
        told = f"monitor={name} start={window.start.isoformat()} end={window.end.isoformat()}"
        try:
            if self._store.find_check(name, window) is not None:
                log.info("known %s", told)
            else:
                result = self._run(name, window, False)
                log.info("checked %s took_s=%.2f result=%s", told, time.monotonic() - began, result)
        except Exception as error:
            self._put_off(name, error, told)
            return not isinstance(error, AskedWrongly) and self._is_over(name, window)
        self._works(at)
        at.tries.pop(window, None)
        self._note_skipped(name, at, window)
        return True

    # --- What fails ---

    def _put_off(self, name: str, error: Exception, told: str) -> None:
        """Try again later, the later the longer it lasts; what stays the same is said once."""
        at = self._rounds[name]
        known, at.error = at.error, one_line(error)
        at.failures += 1
        self.failed_tries += 1
        again_s = wait_s(at.failures)
        self._waker.put_off(name, self._clock() + timedelta(seconds=again_s))
        if at.error == known:
            log.info("still failing %s failures=%d again_s=%g", told, at.failures, again_s)
        elif isinstance(error, AskedWrongly):
            log.error("cannot be checked %s error=%r", told, at.error)
        elif isinstance(error, MonitorError):
            log.warning("failed %s again_s=%g error=%r", told, again_s, at.error)
        else:
            trace = getattr(error, "told", "") or traceback.format_exc()
            log.error("failed %s error=%r", told, at.error, extra={"trace": trace})

    def _works(self, at: _Round) -> None:
        at.error, at.failures = "", 0

    def _is_over(self, name: str, window: Window) -> bool:
        """Count a failed try; whether that was enough of them."""
        at, now = self._rounds[name], self._clock()
        tried = at.tries.setdefault(window, _Tries(now))
        tried.count += 1
        if tried.count < PATIENCE or now - tried.since < PATIENCE_LASTS:
            return False
        self._record_failure(name, window, at)
        return True

    def _record_failure(self, name: str, window: Window, at: _Round) -> None:
        """Patience is over: that nobody could look is a check too, and people are told."""
        if self._give_up is None:
            return
        try:
            self._give_up(name, window, at.error)
            at.tries.pop(window, None)
        except Exception as error:
            log.error("not recorded monitor=%s error=%r", name, one_line(error))

    def _note_skipped(self, name: str, at: _Round, window: Window) -> None:
        """A window that failed and is older than one that is stored will not come up again."""
        passed = sorted((w for w in at.tries if w.start < window.start), key=_start)
        for old in passed:
            del at.tries[old]
            at.skipped = (*at.skipped, old)
            log.error(
                "skipped monitor=%s start=%s end=%s hint='monitor backfill %s --from %s --to %s'",
                *(name, old.start.isoformat(), old.end.isoformat()),
                *(name, old.start.isoformat(), old.end.isoformat()),
            )

    # --- What people asked for ---

    def _look_for_requests(self) -> None:
        """In the thread that watches the clock: give them a place in the line, one at a time."""
        with suppress(StoreUnavailable):  # the monitors' own turns tell of it
            if not self._asked and self._requests.pending():
                self._asked = True
                self._line.put(self._serve_request)

    def _serve_request(self) -> None:
        """The oldest window that people want looked at; the next one goes to the line's end."""
        try:
            self._asked = self._requests.serve_one()
        except Exception as error:  # its claim runs out, and it is tried again
            self._asked = False
            log.error("a requested check was not made error=%r", one_line(error))
        if self._asked:
            self._line.put(self._serve_request)


def _start(window: Window) -> datetime:
    return window.start
