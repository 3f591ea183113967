"""How a report writes chances, dates, names and arguments: short, in human units."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta, tzinfo
from typing import Any

from monitor.core.numerals import NOTHING, count, number, share
from monitor.core.records import SampleInfo, Window

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_TESTS = {
    "psi": "PSI",
    "ks": "KS",
    "chi_squared": "chi-square",
    "accumulated": "evidence of several checks",
}


def chance(p_value: object) -> str:
    """A p-value, with its relation.

    >>> chance(0.0), chance(0.0312), chance(0.999)
    ('< 0.001', '= 0.031', '= 1')
    """
    if not isinstance(p_value, int | float) or not 0 <= p_value <= 1:
        return f"= {NOTHING}"
    return "< 0.001" if p_value < 0.001 else f"= {p_value:.2g}"


def label(test: str) -> str:
    """The name people use for a test."""
    return _TESTS.get(test, test.replace("_", " "))


def shorten(text: str, most: int) -> str:
    """`text`, cut to `most` characters with an ellipsis."""
    return text if len(text) <= most else text[: most - 1].rstrip() + "…"


def listing(names: Iterable[str], most: int = 6) -> str:
    """A few names and how many more there are.

    >>> listing("abcdefgh", most=2)
    'a, b and 6 more'
    """
    all_names = [shorten(name, 40) for name in names]
    rest = len(all_names) - most
    shown = ", ".join(all_names[:most])
    return f"{shown} and {rest} more" if rest > 0 else shown


def plural(many: int, noun: str) -> str:
    """A count and its noun: 1 column, 2 columns."""
    return f"{count(many)} {noun}" + ("" if many == 1 else "s")


def day(moment: datetime, zone: tzinfo, *, year: bool = True) -> str:
    """A date with its weekday: Sun 31 Mar 2019."""
    local = moment.astimezone(zone)
    text = f"{_DAYS[local.weekday()]} {local.day} {_MONTHS[local.month - 1]}"
    return f"{text} {local.year}" if year else text


def moment(time: datetime, zone: tzinfo) -> str:
    """A point in time: Sun 31 Mar 2019 23:59 UTC."""
    local = time.astimezone(zone)
    return f"{day(time, zone)} {local:%H:%M} {_zone_name(local)}"


def window(span: Window, zone: tzinfo) -> str:
    """A window as people say it; whole days without the hours that go without saying.

    >>> from datetime import UTC
    >>> first = datetime(2019, 3, 31, tzinfo=UTC)
    >>> window(Window(first, datetime(2019, 4, 1, tzinfo=UTC)), UTC)
    'Sun 31 Mar 2019 00:00–24:00 UTC'
    >>> window(Window(first, datetime(2019, 4, 2, tzinfo=UTC)), UTC)
    'Sun 31 Mar – Mon 1 Apr 2019 UTC'
    """
    start, end = span.start.astimezone(zone), span.end.astimezone(zone)
    name = "/".join(dict.fromkeys((_zone_name(start), _zone_name(end))))  # CET/CEST
    whole = not any((start.hour, start.minute, end.hour, end.minute))
    last = end - timedelta(microseconds=1)  # the end is not part of the window
    if start.date() == last.date():
        until = "24:00" if end.date() > start.date() else f"{end:%H:%M}"
        return f"{day(start, zone)} {start:%H:%M}–{until} {name}"
    same_year = start.year == last.year
    if whole:
        return f"{day(start, zone, year=not same_year)} – {day(last, zone)} {name}"
    return (
        f"{day(start, zone, year=not same_year)} {start:%H:%M} – {day(end, zone)} {end:%H:%M} "
        f"{name}"
    )


def _zone_name(local: datetime) -> str:
    return local.tzname() or "UTC"


def sampling(info: SampleInfo) -> str:
    """How the rows were drawn, in words."""
    if not info.rows_in_window:
        return "no rows"
    if info.rows >= info.rows_in_window:
        return "all rows"
    method = {"reservoir": "random sample", "": "sample"}.get(info.method, info.method)
    seed = f", seed {info.seed}" if info.seed is not None else ""
    return f"{method} of {count(info.rows)} out of {count(info.rows_in_window)}{seed}"


def version(text: str) -> str:
    """A content hash, as long as it takes to recognise it."""
    return text.removeprefix("sha256:")[:12]


def expectation(kind: str) -> str:
    """expect_column_values_to_not_be_null, as a phrase."""
    phrase = kind.removeprefix("expect_").replace("_", " ").strip()
    for opening in ("column values ", "column ", "table "):
        phrase = phrase.removeprefix(opening)
    return phrase or kind


def wanted(arguments: object, *, named: bool) -> str:
    """What an expectation asks for; lists of values are counted when they may not be `named`."""
    if not isinstance(arguments, Mapping):
        return plain(arguments, named=named)
    rest = {k: v for k, v in arguments.items() if v is not None and k != "column"}
    told = [_between(rest.pop("min_value", None), rest.pop("max_value", None), named)]
    if "mostly" in rest:
        told.append(f"in at least {share(rest.pop('mostly'))} of rows")
    told += [f"{key.replace('_', ' ')} {plain(value, named=named)}" for key, value in rest.items()]
    return ", ".join(text for text in told if text)


def _between(low: Any, high: Any, named: bool) -> str:
    if low is not None and high is not None:
        return f"{plain(low, named=named)} to {plain(high, named=named)}"
    if low is not None:
        return f"at least {plain(low, named=named)}"
    return f"at most {plain(high, named=named)}" if high is not None else ""


def plain(value: object, *, named: bool = True) -> str:
    """Any plain JSON value in a few words."""
    if value is None:
        return NOTHING
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | float):
        return number(value, 6)
    if isinstance(value, Mapping):
        value = [f"{key}: {plain(item)}" for key, item in value.items()]
    if isinstance(value, list | tuple):
        return listing(plain(item) for item in value) if named else plural(len(value), "value")
    return shorten(str(value), 120)
