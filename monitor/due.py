"""WHICH windows are due: complete, newer than the last that was looked at, and how that stands."""

from collections import deque
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo

from monitor.core.records import Window
from monitor.core.windows import following, latest_complete, window_at
from monitor.settings import MonitorSettings

_INSTANT = timedelta(microseconds=1)


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


def passed_over(settings: MonitorSettings, last: Window | None, due: list[Window]) -> int:
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


def look(settings: MonitorSettings, last: Window | None, now: datetime) -> MonitorStatus:
    """The status by the newest window that has a check, with or without a scheduler."""
    lag = len(due_windows(settings, last, now))
    return MonitorStatus(settings.name, settings.timezone, last, lag)
