"""WHEN: which windows are due, and that each gets its check.

The store tells what has been looked at; a schedule only says when to ask it. So nothing is lost
while the service is down, a window is never looked at twice for a restart, and several schedulers
may share a store.
"""

import logging
import queue
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any

from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.base import BaseTrigger
from apscheduler.triggers.combining import OrTrigger
from apscheduler.triggers.cron import CronTrigger

from monitor.core.crontab import Crontab
from monitor.core.records import Window
from monitor.core.windows import Span, following, latest_complete, window_at
from monitor.errors import AskedWrongly, MonitorError
from monitor.ports import Clock, Store
from monitor.settings import MonitorSettings
from monitor.sight import logs
from monitor.steps.deciding import subject

log = logging.getLogger(__name__)

PATIENCE = 3  # failed tries of one window before the windows after it are looked at
_INSTANT = timedelta(microseconds=1)
_OVERSLEPT = timedelta(minutes=5)


def due_windows(settings: MonitorSettings, last: Window | None, now: datetime) -> list[Window]:
    """Windows that are complete and newer than `last`, oldest first.

    At most the newest `settings.catch_up`; without a `last`, only the newest complete one: what
    was before the first look is for `monitor backfill`.
    """
    span, zone, step = settings.window, settings.timezone, settings.step
    window = latest_complete(now, span, zone, settings.lateness.duration, step)
    if last is None:
        return [window]
    due: deque[Window] = deque()
    while _is_newer(window, last, settings) and len(due) < settings.catch_up:
        due.appendleft(window)
        window = window_at(window.start - _INSTANT, span, zone, step)
    return list(due)


def _is_newer(window: Window, last: Window, settings: MonitorSettings) -> bool:
    """Overlapping windows follow by their start; others leave out what was looked at already."""
    overlapping = settings.step is not None and settings.step != settings.window
    return window.start > last.start if overlapping else window.start >= last.end


def _passed_over(settings: MonitorSettings, last: Window | None, due: list[Window]) -> int:
    """How many windows lie between the last check and the oldest that is made up for."""
    if last is None or len(due) < settings.catch_up:
        return 0
    first = following(last, settings.window, settings.timezone, settings.step)
    step = settings.step or settings.window
    return max(0, round((due[0].start - first.start) / step.duration))


@dataclass(frozen=True, slots=True)
class MonitorStatus:
    """How one monitor's schedule stands."""

    name: str
    timezone: tzinfo  # in which its windows begin at midnight
    last: Window | None  # the newest window that has a check
    lag: int  # complete windows without one, as far as they will be made up for
    next_wake: datetime | None = None  # None: nobody watches the clock here
    running: Window | None = None
    error: str = ""  # why the last try failed; empty when it did not
    skipped: tuple[Window, ...] = ()  # given up since the start: `monitor backfill` looks at them


def look(settings: MonitorSettings, store: Store, now: datetime) -> MonitorStatus:
    """The status as the store tells it, with or without a scheduler."""
    last = store.last_window(settings.name)
    lag = len(due_windows(settings, last, now))
    return MonitorStatus(settings.name, settings.timezone, last, lag)


@dataclass
class _Round:
    """What one monitor is at: the windows of its current wake-up, and what went wrong before."""

    active: bool = False
    woken_again: bool = False
    waiting: deque[Window] = field(default_factory=deque)
    running: Window | None = None
    error: str = ""
    failed_tries: dict[Window, int] = field(default_factory=dict)
    skipped: tuple[Window, ...] = ()


class Scheduler:
    """Looks at every window of every monitor when it is due, through `run(name, window, again)`.

    A wake-up puts a monitor in line. Its turn looks at its oldest due window and sends it back to
    the end of the line for the next, so a monitor with much to make up for holds up nobody.
    A window whose run raised is tried again at the next wake-up, and the ones after it wait;
    after PATIENCE tries they wait no longer, and it is listed in the status once it is passed.
    AskedWrongly (the configuration or reference must change first) is not counted as a try.
    `give_up(name, window, reason)` then records that nobody could look.
    """

    def __init__(
        self,
        monitors: Mapping[str, MonitorSettings],
        store: Store,
        run: Callable[[str, Window, bool], Any],
        clock: Clock,
        *,
        give_up: Callable[[str, Window, str], Any] | None = None,
        threads: int = 1,
    ) -> None:
        self._give_up = give_up
        self._monitors = monitors
        self._store = store
        self._run = run
        self._clock = clock
        self._rounds = {name: _Round() for name in monitors}
        self._lock = threading.Lock()
        self._line: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._stopping = threading.Event()
        self._moved_at: datetime | None = None
        self.failed_tries = 0  # since the start, of all monitors
        # Ours and not a pool's: a check that outlives its grace must not hold up the exit.
        self._threads = [
            threading.Thread(target=self._serve, name=f"checks-{n}", daemon=True)
            for n in range(threads)
        ]
        self._waker = BackgroundScheduler(timezone=UTC)

    def start(self) -> None:
        """Wake every monitor at once, for what was missed, and from now on by its schedule."""
        for name, settings in self._monitors.items():
            self._waker.add_job(
                self.wake,
                schedule_trigger(settings),
                (name,),
                id=name,
                name=name,
                coalesce=True,
                max_instances=1,
                misfire_grace_time=None,
            )
            self.wake(name)
        self._moved_at = self._clock()
        for thread in self._threads:
            thread.start()
        self._waker.start()

    def stop(self, grace_s: float = 0.0) -> bool:
        """Begin nothing new and wait for what runs; False when it still ran after `grace_s`."""
        self._stopping.set()
        if self._waker.running:
            self._waker.shutdown(wait=False)
        deadline = time.monotonic() + grace_s
        for _ in self._threads:
            self._line.put(None)
        for thread in self._threads:
            if thread.ident is not None:
                thread.join(max(0.0, deadline - time.monotonic()))
        left = [name for name, r in self._rounds.items() if r.running is not None]
        for name in left:
            log.warning("given up monitor=%s reason=stopping grace_s=%g", name, grace_s)
        return not left

    @property
    def alive(self) -> bool:
        """Whether somebody watches the clock and somebody looks."""
        return self._waker.running and all(thread.is_alive() for thread in self._threads)

    def moved_at(self) -> datetime | None:
        """When it last got on: now while it has nothing to do, else the end of its last turn.

        None before the first turn, and where nobody watches the clock. A clock that is late by
        minutes does not wake anybody any more.
        """
        if not self.alive:
            return self._moved_at
        now = self._clock()
        wakes = [job.next_run_time for job in self._waker.get_jobs()]
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
        self._line.put(name)

    def status(self) -> list[MonitorStatus]:
        """Every monitor, in the order of the configuration."""
        return [self._status(name) for name in self._monitors]

    def _status(self, name: str) -> MonitorStatus:
        job = self._waker.get_job(name)
        at = self._rounds[name]
        return replace(
            look(self._monitors[name], self._store, self._clock()),
            next_wake=getattr(job, "next_run_time", None),  # absent before the start
            running=at.running,
            error=at.error,
            skipped=at.skipped,
        )

    # --- In the thread that looks ---

    def _serve(self) -> None:
        while (name := self._line.get()) is not None and not self._stopping.is_set():
            try:
                more = self._turn(name)
            except Exception as error:
                more = False
                self._rounds[name].waiting.clear()
                self._rounds[name].error = _told(error)
                log.exception("unreadable monitor=%s error=%r", name, _told(error))
            self._moved_at = self._clock()
            if more:
                self._line.put(name)
            else:
                self._rest(name)

    def _rest(self, name: str) -> None:
        """Leave the line, unless the monitor was woken meanwhile."""
        with self._lock:
            at = self._rounds[name]
            at.active = at.woken_again
            at.woken_again = False
        if at.active:
            self._line.put(name)

    def _turn(self, name: str) -> bool:
        """One window of one monitor; True when more of this wake-up wait.

        1. The first turn of a wake-up asks the store what is due.
        2. The oldest window is looked at, unless another process just did.
        3. A failure ends the wake-up, or lets the next window go ahead when patience is over.
        """
        at = self._rounds[name]
        if not at.waiting:
            at.waiting.extend(self._due(name))
        if not at.waiting:
            at.error = ""
            return False
        window = at.waiting.popleft()
        at.running = window
        try:
            with logs.about(**subject(name, window)):
                go_on = self._look(name, window)
        finally:
            at.running = None
        if not go_on:
            at.waiting.clear()
        return bool(at.waiting)

    def _due(self, name: str) -> list[Window]:
        settings, last = self._monitors[name], self._store.last_window(name)
        due = due_windows(settings, last, self._clock())
        if passed_over := _passed_over(settings, last, due):
            log.warning(
                "passed over monitor=%s windows=%d before=%s catch_up=%d",
                *(name, passed_over, due[0].start.isoformat(), settings.catch_up),
            )
        return due

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
        except AskedWrongly as error:
            at.error = _told(error)
            self.failed_tries += 1
            log.error("cannot be checked %s error=%r", told, at.error)
            return False
        except Exception as error:
            at.error = _told(error)
            return self._failed(name, window, told, error)
        at.error = ""
        at.failed_tries.pop(window, None)
        self._note_skipped(name, at, window)
        return True

    def _failed(self, name: str, window: Window, told: str, error: Exception) -> bool:
        at = self._rounds[name]
        tries = at.failed_tries[window] = at.failed_tries.get(window, 0) + 1
        self.failed_tries += 1
        if isinstance(error, MonitorError):
            log.warning("failed %s try=%d error=%r", told, tries, at.error)
        else:
            trace = getattr(error, "told", "") or traceback.format_exc()
            log.error("failed %s try=%d error=%r", told, tries, at.error, extra={"trace": trace})
        if tries < PATIENCE:
            return False
        self._record_failure(name, window, at)
        return True

    def _record_failure(self, name: str, window: Window, at: _Round) -> None:
        """Patience is over: that nobody could look is a check too, and people are told."""
        if self._give_up is None:
            return
        try:
            self._give_up(name, window, at.error)
            at.failed_tries.pop(window, None)
        except Exception as error:
            log.error("not recorded monitor=%s error=%r", name, _told(error))

    def _note_skipped(self, name: str, at: _Round, window: Window) -> None:
        """A window that failed and is older than one that is stored will not come up again."""
        passed = sorted((w for w in at.failed_tries if w.start < window.start), key=_start)
        for old in passed:
            del at.failed_tries[old]
            at.skipped = (*at.skipped, old)
            log.error(
                "skipped monitor=%s start=%s end=%s hint='monitor backfill %s --from %s --to %s'",
                *(name, old.start.isoformat(), old.end.isoformat()),
                *(name, old.start.isoformat(), old.end.isoformat()),
            )


def _start(window: Window) -> datetime:
    return window.start


def _told(error: Exception) -> str:
    """An error in one line, with its remedy."""
    hint = getattr(error, "hint", "")
    text = str(error) if isinstance(error, MonitorError) else f"{type(error).__name__}: {error}"
    return " ".join(f"{text} ({hint})".split()) if hint else " ".join(text.split())


# --- When to wake up ---


def schedule_trigger(settings: MonitorSettings) -> BaseTrigger:
    """The moments at which a monitor's schedule wakes it."""
    schedule = settings.schedule
    if schedule.every is not None:
        given = "timezone" in schedule.model_fields_set
        zone = schedule.timezone if given else settings.timezone
        return _Every(schedule.every, settings.lateness.duration, zone)
    assert schedule.cron is not None
    return _cron_trigger(Crontab.parse(schedule.cron), schedule.timezone)


def _cron_trigger(line: Crontab, zone: tzinfo) -> BaseTrigger:
    """The library counts weekdays from Monday and takes two kinds of day as both: cron does not."""
    days = {"day": _listed(line.days)}
    weekdays = {"day_of_week": ",".join(line.weekdays)}
    kinds = [days, weekdays] if line.either else [{**days, **weekdays}]
    triggers = [
        CronTrigger(
            minute=_listed(line.minutes),
            hour=_listed(line.hours),
            month=_listed(line.months),
            second=0,
            timezone=zone,
            **kind,
        )
        for kind in kinds
    ]
    return OrTrigger(triggers) if len(triggers) > 1 else triggers[0]


def _listed(numbers: tuple[int, ...]) -> str:
    return ",".join(map(str, numbers))


class _Every(BaseTrigger):  # type: ignore[misc]  # the library has no types
    """Every full hour (day, week ...) of the local clock, as late as windows are waited for.

    So a window is looked at as soon as it counts as complete, and days stay days when the clock
    changes, which a fixed interval does not give.
    """

    def __init__(self, every: Span, lateness: timedelta, zone: tzinfo) -> None:
        self._every, self._lateness, self._zone = every, lateness, zone

    def get_next_fire_time(self, previous: datetime | None, now: datetime) -> datetime:
        begin = (previous or now) - self._lateness
        return window_at(begin, self._every, self._zone).end + self._lateness
