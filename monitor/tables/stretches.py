"""Which stored values of a time column tell an instant of a range: what a database can look for."""

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from fractions import Fraction
from math import ceil, inf, nextafter
from zoneinfo import ZoneInfo

import pyarrow as pa

from monitor.core.records import Window
from monitor.tables.times import (
    EARLIEST_US,
    EPOCH_LIMITS,
    LATEST_US,
    instants,
    to_datetime,
    to_epoch_us,
)

_EPOCH = datetime(1970, 1, 1)
_US = timedelta(microseconds=1)
_DAY = timedelta(days=1)
_UNITS_US = (Fraction(1_000_000), Fraction(1_000), Fraction(1), Fraction(1, 1_000))
_LONGEST_SHIFT_US = 26 * 3_600_000_000  # no clock is further from UTC, a skipped hour included
_INT64 = 2**63 - 1

Stretch = tuple[float, float]  # from the first value up to, not with, the second


@dataclass(frozen=True, slots=True)
class Range:
    """Instants from `start_us` up to, not with, `end_us`; microseconds since 1970.

    Every method answers with the first stored value that is inside and the first that is too
    late, and agrees with `tables.times.instants` on what a stored value tells.
    """

    start_us: int = EARLIEST_US
    end_us: int = LATEST_US

    @classmethod
    def of(cls, window: Window | None) -> "Range":
        """The range of a window; without one all the time there is."""
        return cls() if window is None else cls(to_epoch_us(window.start), to_epoch_us(window.end))

    def instants(self) -> tuple[datetime, datetime]:
        """Of a column that tells instants."""
        return to_datetime(self.start_us), to_datetime(self.end_us)

    def local(self, zone: ZoneInfo) -> tuple[datetime, datetime]:
        """Of a column of times without an offset, which are local to `zone`."""
        return _local(self.start_us, zone), _local(self.end_us, zone)

    def days(self, zone: ZoneInfo) -> tuple[date, date]:
        """Of a column of dates, which stand for their local midnight."""
        start, end = self.local(zone)
        return _day_from(start), _day_from(end)

    def numbers(self, *, whole: bool) -> Iterator[Stretch]:
        """Of a column of numbers; their size says whether they count s, ms, us or ns since 1970.

        Whole numbers are told apart exactly, others are rounded to the microsecond.
        """
        limits = (0, *(int(limit) for limit in EPOCH_LIMITS), None)
        for unit_us, above, upto in zip(_UNITS_US, limits, limits[1:], strict=False):
            start, end = (_number(us, unit_us, whole) for us in (self.start_us, self.end_us))
            for low, high in _sizes(above or 0, upto, whole):
                if max(start, low) < min(end, high):
                    yield max(start, low), min(end, high)


def _number(us: int, unit_us: Fraction, whole: bool) -> float:
    """The first number of a unit that is not before an instant."""
    if whole:
        return max(-_INT64, min(ceil(us / unit_us), _INT64))
    return float((us - Fraction(1, 2)) / unit_us)


def _sizes(above: int, upto: int | None, whole: bool) -> list[Stretch]:
    """The numbers whose size is more than `above` and at most `upto`, on both sides of zero."""
    if upto is None:
        return [(_after(above, whole), inf), (-inf, -above)]
    if not above:
        return [(-upto, _after(upto, whole))]
    return [(_after(above, whole), _after(upto, whole)), (-upto, -above)]


def _after(number: int, whole: bool) -> float:
    return number + 1 if whole else nextafter(number, inf)


def _local(us: int, zone: ZoneInfo) -> datetime:
    """The first time on the local clock that is not before an instant.

    Where the clock is put back an hour is shown twice and stands for its first showing; where it
    is put forward the skipped hour stands for the moment of the skip. So local times never run
    backwards, and the first one can be searched for.
    """
    low = max(us - _LONGEST_SHIFT_US, EARLIEST_US + _LONGEST_SHIFT_US)
    high = min(us + _LONGEST_SHIFT_US, LATEST_US - _LONGEST_SHIFT_US)
    if low >= high:
        return datetime.min if us <= high else datetime.max
    found = low + bisect_left(range(low, high), us, key=lambda naive_us: _told(naive_us, zone))
    return _EPOCH + found * _US


def _told(naive_us: int, zone: ZoneInfo) -> int:
    stored = pa.chunked_array([pa.array([naive_us], pa.timestamp("us"))])
    moment: int = instants(stored, zone).cast(pa.int64())[0].as_py()
    return moment


def _day_from(moment: datetime) -> date:
    """The first day whose midnight is not before a local time."""
    if moment.time() == time() or moment.date() == date.max:
        return moment.date()
    return moment.date() + _DAY
