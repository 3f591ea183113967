"""Which rows a window lets in, and what the times of all rows tell on the way."""

import re
from dataclasses import dataclass
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from monitor.core.records import Window
from monitor.tables import arrays
from monitor.tables.times import instants, to_epoch_us


@dataclass(slots=True)
class Extent:
    """What a file told about its times: enough to pass it over while it stays as it is."""

    rows: int = 0
    unreadable: int = 0
    times_us: tuple[int, int] | None = None  # the oldest and the newest

    def stretch(self, low_us: int, high_us: int) -> None:
        low, high = self.times_us or (low_us, high_us)
        self.times_us = min(low, low_us), max(high, high_us)


class Gate:
    """Lets in rows with `start <= time < end`; without a window every row, readable time or not.

    Remembers of all rows, let in or not: how many there were, how many had no readable time, and
    the oldest and the newest time before the window's end, in microseconds since 1970.
    """

    def __init__(
        self, column: str | None, window: Window | None, zone: ZoneInfo, *, rows: bool = True
    ) -> None:
        self.column = column
        self._zone = zone
        self._window = window
        self._rows = rows  # False: only the memory is wanted, no row is let in
        self._start_us = to_epoch_us(window.start) if window else None
        self._end_us = to_epoch_us(window.end) if window else None
        self.seen = 0
        self.unreadable = 0
        self.oldest_us: int | None = None
        self.newest_us: int | None = None
        self.example = ""  # what a value that is no time looks like: 9 for digits, a for letters
        self._extent = Extent()

    @property
    def takes_all(self) -> bool:
        """Whether every row comes in."""
        return self._rows and self._window is None

    def begin_file(self) -> Extent:
        """A new file begins; what is returned fills up while the file passes."""
        self._extent = Extent()
        return self._extent

    def lies_outside(self, extent: Extent) -> bool:
        """Whether nothing of a file known from before comes in; its times are known, then."""
        if extent.times_us is None:
            return False
        return not self._rows or (self._window is not None and self._outside(*extent.times_us))

    def meets(self, low_us: int, high_us: int) -> bool:
        """Whether a stretch of time, both ends included, and the window share a moment."""
        return self._window is None or not self._outside(low_us, high_us)

    def passes_over_file(self, extent: Extent) -> bool:
        """Whether nothing of a file known from before comes in; if so, it is remembered.

        A file without a readable time is read again, so that what is wrong with it is told again.
        """
        if not self.lies_outside(extent):
            return False
        assert extent.times_us is not None
        self.seen += extent.rows
        self.unreadable += extent.unreadable
        self._stretch(*extent.times_us)
        return True

    def admit(self, table: pa.Table) -> pa.Table:
        """The rows of a table that come in."""
        inside = self.inside(table)
        if not self._rows:
            return table.slice(0, 0)
        return table if inside is None else table.filter(arrays.flags(inside))

    def inside(self, table: pa.Table) -> NDArray[np.bool_] | None:
        """Which rows of a table (its times suffice) come in, shape (rows,); None is all of them."""
        if self.column is None:
            self._count(table.num_rows, 0)
            return None
        times = self._times(table)
        self._remember(times, table.num_rows)
        self._keep_example(table, times)
        if self._window is None:
            return None
        inside = self._inside(times)
        return None if inside.all() else inside

    def passes_over(self, table: pa.Table) -> bool:
        """Whether nothing of a table (its times suffice) comes in; if so, it is remembered."""
        times = self._times(table)
        if self._rows and (self._window is None or self._inside(times).any()):
            return False
        self._remember(times, table.num_rows)
        self._keep_example(table, times)
        return True

    def passes_over_range(self, bounds: pa.ChunkedArray, rows: int, nulls: int) -> bool:
        """The same for rows of which only the lowest and highest time and the nulls are known."""
        low, high = instants(bounds, self._zone).cast(pa.int64()).to_pylist()
        if low is None or high is None:
            return False
        if self._rows and (self._start_us is None or not self._outside(low, high)):
            return False
        self._count(rows, nulls)
        self._extent.stretch(low, high)
        self._stretch(low, high)
        return True

    def _outside(self, low: int, high: int) -> bool:
        assert self._start_us is not None and self._end_us is not None
        return high < self._start_us or low >= self._end_us

    def _times(self, table: pa.Table) -> pa.ChunkedArray:
        """Epoch microseconds; all null when this file lacks the time column."""
        if self.column not in table.column_names:
            return pa.chunked_array([pa.nulls(table.num_rows, pa.int64())])
        return instants(table[self.column], self._zone).cast(pa.int64())

    def _inside(self, times: pa.ChunkedArray) -> NDArray[np.bool_]:
        reached = pc.and_(pc.greater_equal(times, self._start_us), pc.less(times, self._end_us))
        inside: NDArray[np.bool_] = reached.fill_null(False).to_numpy()
        return inside

    def _remember(self, times: pa.ChunkedArray, rows: int) -> None:
        self._count(rows, times.null_count)
        low, high = pc.min_max(times).as_py().values()
        if low is None:
            return
        self._extent.stretch(low, high)
        if self._end_us is not None and low < self._end_us <= high:
            high = pc.max(times.filter(pc.less(times, self._end_us))).as_py()
        self._stretch(low, high)

    def _count(self, rows: int, unreadable: int) -> None:
        self.seen += rows
        self.unreadable += unreadable
        self._extent.rows += rows
        self._extent.unreadable += unreadable

    def _stretch(self, low: int, high: int) -> None:
        """Take a range of times in; what lies at or after the window's end does not count."""
        if self._end_us is not None and low >= self._end_us:
            return
        self.oldest_us = low if self.oldest_us is None else min(self.oldest_us, low)
        self.newest_us = high if self.newest_us is None else max(self.newest_us, high)

    def _keep_example(self, table: pa.Table, times: pa.ChunkedArray) -> None:
        if self.example or not times.null_count or self.column not in table.column_names:
            return
        values = table[self.column].filter(times.is_null()).drop_null()
        if len(values):
            text = _text(values[0])[:40]
            self.example = re.sub(r"[^\W\d_]", "a", re.sub(r"\d", "9", text))


def _text(value: pa.Scalar) -> str:
    """A value as text; a time beyond the calendar as the number it is stored as."""
    try:
        return str(value.as_py())
    except (OverflowError, ValueError):
        return str(value.cast(pa.int64()).as_py())
