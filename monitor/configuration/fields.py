"""Values as people write them in configuration: lengths of time, moments, zones, names."""

import re
from datetime import UTC, datetime, tzinfo
from typing import Annotated
from zoneinfo import ZoneInfo, available_timezones

from pydantic import AfterValidator, BeforeValidator, Field, PlainSerializer

from monitor.core.over_time.budget import Budget
from monitor.core.windows import Span
from monitor.errors import nearest

_FIRST_YEAR, _LAST_YEAR = 1000, 9000  # room on both sides for windows and time zones


def parse_time(text: str, zone: tzinfo) -> datetime:
    """An ISO 8601 time as aware UTC; without an offset it is local to `zone`. ValueError if not."""
    try:
        moment = datetime.fromisoformat(text)
        local = moment.replace(tzinfo=zone) if moment.tzinfo is None else moment
        told = local.astimezone(UTC)
    except OverflowError:
        raise ValueError(f"{text!r} is out of range") from None
    if not _FIRST_YEAR <= told.year <= _LAST_YEAR:
        raise ValueError(f"{text!r} is out of range")
    return told


def _zone(value: object) -> object:
    if isinstance(value, ZoneInfo):
        return value
    try:
        return ZoneInfo(str(value))
    except (KeyError, ValueError, OSError):
        near = nearest(str(value), available_timezones()) or "one like Europe/Berlin"
        raise ValueError(f"there is no time zone {value!r}; write {near}") from None


def _span(value: object) -> object:
    return value if isinstance(value, Span) else Span.parse(str(value))


def _age(value: object) -> object:
    """A year counts 365 days."""
    years = re.fullmatch(r"\s*(\d{1,2})\s*y\s*", str(value), re.ASCII)
    if years and 0 < int(years[1]) <= 10:
        return Span(365 * int(years[1]), "d")
    return _span(value)


def _wait(value: object) -> object:
    return Span(0, "s") if str(value) in ("0", "0s") else _span(value)


def _budget(value: object) -> object:
    return value if isinstance(value, Budget) else Budget.parse(str(value))


def _moment(value: object) -> object:
    try:
        parse_time(str(value), UTC)
    except ValueError:
        hint = "write 2026-03-01 or 2026-03-01T12:00+01:00"
        raise ValueError(f"{str(value)!r} is not a time; {hint}") from None
    return str(value)


def monitor_name(value: str) -> str:
    """The name, when it can name a monitor: names become file names and addresses.

    >>> monitor_name("car_loan")
    'car_loan'
    """
    if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_-]{0,63}", value):
        raise ValueError("cannot name a monitor: use at most 64 letters, digits, _ and -")
    return value


_TABLE_PART = r'(?:"(?:[^"]|"")+"|[^".]+)'


def table_name(text: str) -> tuple[str | None, str]:
    """Schema, if one is written, and table; names with dots in them stand in double quotes.

    >>> table_name("shop.events"), table_name('"a.b"')
    (('shop', 'events'), (None, 'a.b'))
    """
    if not re.fullmatch(rf"(?:{_TABLE_PART}\.)?{_TABLE_PART}", text):
        raise ValueError(f'{text!r} names no table; write events, shop.events or "a.b"')
    parts = [
        part[1:-1].replace('""', '"') if part.startswith('"') else part
        for part in re.findall(_TABLE_PART, text)
    ]
    return (parts[0] if len(parts) == 2 else None), parts[-1]


SpanText = Annotated[Span, BeforeValidator(_span), PlainSerializer(str)]
AgeText = Annotated[Span, BeforeValidator(_age), PlainSerializer(str)]  # 1y too
WaitText = Annotated[Span, BeforeValidator(_wait), PlainSerializer(str)]  # 0 is allowed
BudgetText = Annotated[Budget, BeforeValidator(_budget), PlainSerializer(str)]
MomentText = Annotated[str, BeforeValidator(_moment)]
MonitorName = Annotated[str, AfterValidator(monitor_name)]
Zone = Annotated[ZoneInfo, BeforeValidator(_zone), PlainSerializer(str)]
Share = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0)]
MOST_WEIGHT = 1e9  # weights are compared with each other: beyond this one of them is alone
Weight = Annotated[float, Field(ge=1 / MOST_WEIGHT, le=MOST_WEIGHT)]
