"""How times, lengths of time and names from data are told to people: short, without riddles."""

from datetime import datetime, timedelta, tzinfo
from functools import lru_cache

from monitor.core.records import Window

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_DAY_S, _HOUR_S, _MINUTE_S = 86_400, 3_600, 60


def day(moment: datetime, zone: tzinfo) -> str:
    """A date with its weekday: Mon 5 Jan 2026."""
    local = moment.astimezone(zone)
    return f"{_DAYS[local.weekday()]} {local.day} {_MONTHS[local.month - 1]} {local.year}"


def day_and_time(moment: datetime, zone: tzinfo) -> str:
    """To the minute: Mon 5 Jan 2026 06:30."""
    return f"{day(moment, zone)} {moment.astimezone(zone):%H:%M}"


def near(moment: datetime, zone: tzinfo, now: datetime) -> str:
    """A moment as one says it at `now`: the time on the same day, no year in the same year.

    >>> from datetime import UTC
    >>> noon = datetime(2026, 1, 5, 12, tzinfo=UTC)
    >>> [near(noon, UTC, now) for now in (noon, noon + timedelta(9), noon + timedelta(400))]
    ['12:00 UTC', 'Mon 5 Jan 12:00 UTC', 'Mon 5 Jan 2026 12:00 UTC']
    """
    local, today = moment.astimezone(zone), now.astimezone(zone)
    clock = f"{local:%H:%M} {local.tzname()}"
    if local.date() == today.date():
        return clock
    date = day(moment, zone)
    return f"{date.removesuffix(f' {local.year}') if local.year == today.year else date} {clock}"


@lru_cache(maxsize=4096)  # a page tells the same windows over and over
def window(span: Window, zone: tzinfo) -> str:
    """A window in local time; whole days without the hours that go without saying.

    >>> from datetime import UTC
    >>> monday, hour = datetime(2026, 1, 5, tzinfo=UTC), timedelta(hours=1)
    >>> window(Window(monday, monday + 24 * hour), UTC)
    'Mon 5 Jan 2026'
    >>> window(Window(monday, monday + 168 * hour), UTC)
    'Mon 5 Jan 2026 – Sun 11 Jan 2026'
    >>> window(Window(monday, monday + hour), UTC)
    'Mon 5 Jan 2026 00:00–01:00'
    """
    last = span.end - timedelta(microseconds=1)
    first_day, last_day = day(span.start, zone), day(last, zone)
    if _begins_a_day(span.start, zone) and _begins_a_day(span.end, zone):
        return first_day if first_day == last_day else f"{first_day} – {last_day}"
    if first_day == last_day:
        end = span.end.astimezone(zone)
        until = f"{end:%H:%M}" if day(end, zone) == first_day else "24:00"
        return f"{day_and_time(span.start, zone)}–{until}"
    return f"{day_and_time(span.start, zone)} – {day_and_time(span.end, zone)}"


def _begins_a_day(moment: datetime, zone: tzinfo) -> bool:
    """Also where the clock skips midnight."""
    return day(moment, zone) != day(moment - timedelta(microseconds=1), zone)


def length(span: timedelta) -> str:
    """A length of time, in the two units that matter at most.

    >>> length(timedelta(minutes=200)), length(timedelta(days=5, minutes=1)), length(timedelta(0))
    ('3 h 20 min', '5 days', 'less than a minute')
    """
    seconds = abs(span) // timedelta(seconds=1)
    days, hours, minutes = seconds // _DAY_S, seconds // _HOUR_S % 24, seconds // _MINUTE_S % 60
    if days > 2:
        return f"{days} days"
    if days:
        return f"{days * 24 + hours} h"
    if hours:
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    return f"{minutes} min" if minutes else "less than a minute"


def plural(count: int, noun: str) -> str:
    """A count and its noun.

    >>> plural(1, "check"), plural(2, "check")
    ('1 check', '2 checks')
    """
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def level(name: str, quote: str = "`", most: int = 40) -> str:
    """A value of a column inside a sentence; one that nobody sees is named for what it is.

    >>> level("north"), level(""), level("  "), level(chr(7))
    ('`north`', 'empty text', 'text of blanks', 'unprintable text')
    """
    seen = _printable(name)
    if seen.strip():
        return f"{quote}{_cut(seen, most)}{quote}"
    if name.strip():
        return "unprintable text"
    return "text of blanks" if name else "empty text"


def line(text: str, most: int) -> str:
    """One printable line: names come from data and may hold line breaks or terminal codes.

    >>> line("one\\n two", 40), line("a long name", 7)
    ('one two', 'a long…')
    """
    return _cut(" ".join(_printable(text).split()), most)


def on_one_line(text: str) -> str:
    """A sentence of names from data, which could begin a line of their own.

    >>> on_one_line("`a\\nPassed` moved")
    '`a Passed` moved'
    """
    return " ".join(text.splitlines())


def _printable(text: str) -> str:
    return "".join(c if c.isprintable() else " " for c in text)


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1].rstrip() + "…"
