"""Which stretch of time a check looks at: spans, and windows aligned to local midnight.

Windows begin at boundaries, a fixed set of instants for every step and time zone:

1. Days and weeks begin at local midnight, counted from a Monday; months on their first day.
2. Shorter steps begin when the local clock shows a multiple of the step since midnight, and start
   anew at midnight: the last one of a day is shorter when the step does not divide the day.
3. A time the clock skips is no boundary. A time it shows twice is one twice only when the step is
   no longer than the clock was put back: hours stay hours, and a half-day is not cut in two.

A tumbling window lasts from one boundary to the next, so windows leave no gap and never overlap.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from functools import lru_cache

from monitor.core.records import Window

_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_DAY = timedelta(days=1)
_MONDAY = datetime(1970, 1, 5)  # weeks and everything longer than a day are counted from here
_INSTANT = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Span:
    """A length of time as people write it: 30s, 10m, 1h, 1d, 2w, 1mo.

    Days, weeks and months are calendar units: a local day has 23 to 25 hours.
    """

    count: int
    unit: str  # s, m, h, d, w, mo

    @classmethod
    def parse(cls, text: str) -> "Span":
        """Read `text`; ValueError says what is expected.

        >>> Span.parse("2w")
        Span(count=2, unit='w')
        """
        match = re.fullmatch(r"\s*(\d{1,6})\s*(s|min|mo|m|h|d|w)\s*", text, re.ASCII)
        if not match or int(match[1]) < 1:
            raise ValueError(f"{text!r} is not a length of time; write 30s, 10m, 1h, 1d, 2w or 1mo")
        span = cls(int(match[1]), "m" if match[2] == "min" else match[2])
        if span.duration > 3660 * _DAY:
            raise ValueError(f"{text!r} is longer than ten years")
        return span

    @property
    def duration(self) -> timedelta:
        """The nominal length; a month counts 30 days."""
        if self.unit == "mo":
            return timedelta(days=30 * self.count)
        return timedelta(seconds=self.count * _SECONDS[self.unit])

    def __str__(self) -> str:
        return f"{self.count}{self.unit}"


def window_at(moment: datetime, span: Span, zone: tzinfo, step: Span | None = None) -> Window:
    """The window of length `span` that starts at the last step boundary at or before `moment`.

    Steps default to the span itself (tumbling windows). With another step a window ends one span
    after its start: by the calendar for days and longer, by elapsed time below.

    >>> from zoneinfo import ZoneInfo
    >>> spring = datetime(2026, 3, 29, 12, tzinfo=UTC)
    >>> day = window_at(spring, Span(1, "d"), ZoneInfo("Europe/Berlin"))
    >>> day.start.isoformat(), (day.end - day.start) / timedelta(hours=1)
    ('2026-03-28T23:00:00+00:00', 23.0)
    """
    return _window_from(_boundary_before(moment, step or span, zone), span, zone, step)


def windows_from(
    first: datetime, until: datetime, span: Span, zone: tzinfo, step: Span | None = None
) -> Iterator[Window]:
    """Windows from the one that starts at or before `first` to the last that ends by `until`."""
    window = window_at(first, span, zone, step)
    while window.end <= until:
        yield window
        window = following(window, span, zone, step)


def following(window: Window, span: Span, zone: tzinfo, step: Span | None = None) -> Window:
    """The window at the first step boundary after the start of `window`.

    Stored windows of an earlier configuration need not start at a boundary of this one.
    """
    return _window_from(_boundary_after(window.start, step or span, zone), span, zone, step)


def latest_complete(
    now: datetime, span: Span, zone: tzinfo, lateness: timedelta, step: Span | None = None
) -> Window:
    """The newest window that ended at least `lateness` ago."""
    return _latest_before(now.astimezone(UTC) - lateness, span, zone, step)


@lru_cache(maxsize=256)  # many monitors of one shape are asked about at one moment
def _latest_before(reached: datetime, span: Span, zone: tzinfo, step: Span | None) -> Window:
    if step is None or step == span:
        end = _boundary_before(reached, span, zone)
        return window_at(end - _INSTANT, span, zone)
    # No window is shorter than this, so the walk back begins at the newest that can be complete.
    slack = timedelta(0) if span.unit in "smh" else (2 + span.count) * _DAY
    window = window_at(reached - max(span.duration - slack, timedelta(0)), span, zone, step)
    while window.end > reached:
        window = window_at(window.start - _INSTANT, span, zone, step)
    return window


def _window_from(start: datetime, span: Span, zone: tzinfo, step: Span | None) -> Window:
    if step is None or step == span:
        return Window(start, _boundary_after(start, span, zone))
    if span.unit in "smh":
        return Window(start, start + span.duration)
    local = start.astimezone(zone).replace(tzinfo=None)
    if span.unit == "mo":
        return Window(start, _instant(_add_months(local, span.count), zone))
    return Window(start, _instant(local + span.duration, zone))


# --- Boundaries ---


def _boundary_before(moment: datetime, step: Span, zone: tzinfo) -> datetime:
    """The last boundary at or before `moment`, in UTC."""
    local = _floor(moment.astimezone(zone).replace(tzinfo=None), step)
    # When the clock was put back, the next boundary by the clock may have passed already.
    reading = [_floor_up(local, step), local]
    while True:
        instants = [i for r in reading for i in _instants(r, step, zone) if i <= moment]
        if instants:
            return max(instants)
        local = _floor(local - _INSTANT, step)
        reading = [local]


def _boundary_after(moment: datetime, step: Span, zone: tzinfo) -> datetime:
    """The first boundary after `moment`, in UTC."""
    moment = moment.astimezone(UTC)
    reach = moment + step.duration
    while (found := _boundary_before(reach, step, zone)) <= moment:
        reach += step.duration
    while (earlier := _boundary_before(found - _INSTANT, step, zone)) > moment:
        found = earlier
    return found


def _instants(reading: datetime, step: Span, zone: tzinfo) -> list[datetime]:
    """When the local clock shows `reading`, as far as that is a boundary: never, once or twice."""
    first, second = _instant(reading, zone), _instant(reading.replace(fold=1), zone)
    if first.astimezone(zone).replace(tzinfo=None, fold=0) != reading:
        skipped_midnight = reading.time() == reading.min.time()
        return [first] if skipped_midnight else []
    return [first, second] if second - first >= step.duration else [first]


def _floor(reading: datetime, step: Span) -> datetime:
    """The last multiple of the step at or before what a local clock shows."""
    if step.unit == "mo":
        months = (reading.year * 12 + reading.month - 1) // step.count * step.count
        return datetime(months // 12, months % 12 + 1, 1)
    midnight = datetime.combine(reading.date(), reading.min.time())
    origin = midnight if step.duration < _DAY else _MONDAY
    return origin + (reading - origin) // step.duration * step.duration


def _floor_up(multiple: datetime, step: Span) -> datetime:
    """The multiple of the step after this one."""
    if step.unit == "mo":
        return _add_months(multiple, step.count)
    return _floor(multiple + step.duration, step)


def _add_months(reading: datetime, count: int) -> datetime:
    """The same day and time `count` months later, or the last day of a shorter month."""
    months = reading.year * 12 + reading.month - 1 + count
    year, month = months // 12, months % 12 + 1
    after = date(year + month // 12, month % 12 + 1, 1)
    last = (after - timedelta(days=1)).day
    return reading.replace(year=year, month=month, day=min(reading.day, last))


def _instant(reading: datetime, zone: tzinfo) -> datetime:
    return reading.replace(tzinfo=zone).astimezone(UTC)
