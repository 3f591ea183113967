"""Which earlier window of production a window is held against, when it is not the reference.

The window just before, the same hours one week earlier, or the same period one year earlier: by the
local clock, so a day stays a day when the clocks change.
"""

from datetime import UTC, datetime, timedelta

from monitor.core.over_time.phases import Cadence
from monitor.core.records import Window
from monitor.core.windows import latest_complete

PREVIOUS, LAST_WEEK, LAST_YEAR = "previous", "same_hour_last_week", "same_period_last_year"
_REACH = {LAST_WEEK: timedelta(days=7), LAST_YEAR: timedelta(days=365)}
_UNITS = {"h": "hour", "d": "day", "w": "week", "mo": "month"}


def earlier_window(window: Window, compare_with: str, cadence: Cadence) -> Window:
    """The window that `window` is held against; it ends before that one begins.

    Of 29 February a year before is 28 February.

    >>> from monitor.core.windows import Span
    >>> day = Window(datetime(2024, 2, 29, tzinfo=UTC), datetime(2024, 3, 1, tzinfo=UTC))
    >>> before = earlier_window(day, LAST_YEAR, Cadence(Span(1, "d"), UTC))
    >>> before.start.isoformat(), before.end.isoformat()
    ('2023-02-28T00:00:00+00:00', '2023-03-01T00:00:00+00:00')
    """
    if compare_with == PREVIOUS:
        return latest_complete(window.start, cadence.span, cadence.zone, timedelta(0), cadence.step)
    start, end = (moment.astimezone(cadence.zone) for moment in (window.start, window.end))
    if compare_with == LAST_WEEK:
        return _placed(start - timedelta(days=7), end - start, window)
    before = _year_before(start)
    length = _year_before(end) - before if cadence.span.unit == "mo" else end - start
    return _placed(before, length, window)


def versus(compare_with: str, cadence: Cadence) -> str:
    """How one says what a window is compared with: "higher than ... the day before".

    >>> from monitor.core.windows import Span
    >>> [versus(PREVIOUS, Cadence(Span(n, "d"), UTC)) for n in (1, 2)]
    ['the day before', 'the 2 days before']
    """
    if compare_with == LAST_WEEK:
        return "a week before"
    if compare_with == LAST_YEAR:
        return "a year before"
    count, unit = cadence.span.count, _UNITS.get(cadence.span.unit)
    if unit is None:
        return "the window before"
    return f"the {unit} before" if count == 1 else f"the {count} {unit}s before"


def overlaps_itself(compare_with: str, cadence: Cadence) -> bool:
    """Whether windows last so long that the earlier one has not ended when they begin."""
    reach = _REACH.get(compare_with)
    return reach is not None and cadence.span.duration > reach


def _placed(start: datetime, length: timedelta, window: Window) -> Window:
    """As long by the local clock; where that leaves nothing (a skipped hour), as long in time."""
    begin, end = start.astimezone(UTC), (start + length).astimezone(UTC)
    return Window(begin, end if end > begin else begin + (window.end - window.start))


def _year_before(local: datetime) -> datetime:
    """The same day and time a year before; of 29 February it is 28 February."""
    leap_day = (local.month, local.day) == (2, 29)
    return local.replace(year=local.year - 1, day=28 if leap_day else local.day)
