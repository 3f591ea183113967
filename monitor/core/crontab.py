"""Cron lines as cron means them: five fields, read strictly, and Sunday is 0."""

import re
from dataclasses import dataclass

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_WEEKDAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_LONGEST_MONTH = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
_PART = re.compile(r"(\*|(\w+)(?:-(\w+))?)(?:/(\d+))?", re.ASCII)


@dataclass(frozen=True, slots=True)
class _Field:
    name: str
    low: int
    high: int
    words: tuple[str, ...] = ()  # names of the numbers from `low` on


_FIELDS = (
    _Field("minute", 0, 59),
    _Field("hour", 0, 23),
    _Field("day of month", 1, 31),
    _Field("month", 1, 12, _MONTHS),
    _Field("day of week", 0, 7, _WEEKDAYS),
)


@dataclass(frozen=True, slots=True)
class Crontab:
    """When a cron line fires.

    As cron has it, a line that restricts both kinds of day fires on days that fit `either`; when
    one of them begins with a star, both must fit.
    """

    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    days: tuple[int, ...]
    months: tuple[int, ...]
    weekdays: tuple[str, ...]  # mon, tue, ...; names, because numbers differ between systems
    either: bool

    @classmethod
    def parse(cls, line: str) -> "Crontab":
        """Read `line`; ValueError says which field is wrong and what it may hold.

        >>> Crontab.parse("30 6 * * 1-5").weekdays
        ('mon', 'tue', 'wed', 'thu', 'fri')
        >>> Crontab.parse("0 0 * * 0").weekdays
        ('sun',)
        """
        texts = line.lower().split()
        if len(texts) != len(_FIELDS):
            raise ValueError(
                f"{line!r} has {len(texts)} fields; a cron line has five: "
                "minute, hour, day of month, month, day of week"
            )
        minutes, hours, days, months, weekdays = map(_read, texts, _FIELDS)
        either = not (texts[2].startswith("*") or texts[4].startswith("*"))
        if not either and not _some_month_has(days, months):
            raise ValueError(f"{line!r} never fires: no such month has such a day")
        names = tuple(dict.fromkeys(_WEEKDAYS[n % 7] for n in weekdays))
        return cls(minutes, hours, days, months, names, either)


def _some_month_has(days: tuple[int, ...], months: tuple[int, ...]) -> bool:
    return any(min(days) <= _LONGEST_MONTH[month - 1] for month in months)


def _read(text: str, field: _Field) -> tuple[int, ...]:
    """The numbers a field names, in order."""
    numbers: set[int] = set()
    for part in text.split(","):
        numbers.update(_part(part, field))
    return tuple(sorted(numbers))


def _part(part: str, field: _Field) -> range:
    match = _PART.fullmatch(part)
    if match is None:
        raise _wrong(part, field)
    step = int(match[4] or 1)
    if match[1] == "*":
        first, last = field.low, field.high - (field.high == 7)
    else:
        first = _number(match[2], field, part)
        last = _number(match[3], field, part) if match[3] else first
        if match[4] and not match[3]:
            last = field.high  # 5/15: from 5 on, every 15
        if field.high == 7 and last == 0 and first > 0:
            last = 7  # fri-sun
    if first > last or step < 1:
        raise _wrong(part, field)
    return range(first, last + 1, step)


def _number(text: str, field: _Field, part: str) -> int:
    if text in field.words:
        return field.low + field.words.index(text)
    if not text.isdecimal() or not field.low <= int(text) <= field.high:
        raise _wrong(part, field)
    return int(text)


def _wrong(part: str, field: _Field) -> ValueError:
    words = f" or {field.words[0]} to {field.words[-1]}" if field.words else ""
    return ValueError(
        f"{part!r} is no {field.name}; write {field.low} to {field.high}{words}, "
        "* for all, ranges like 1-5, steps like */2, and commas between"
    )
