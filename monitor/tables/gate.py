"""Which rows a window lets in, and what the times of all rows tell on the way."""

import re
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from monitor.core.records import Window
from monitor.tables.times import instants, to_epoch_us


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

    @property
    def takes_all(self) -> bool:
        """Whether every row comes in."""
        return self._rows and self._window is None

    def admit(self, table: pa.Table) -> pa.Table:
        """The rows of a table that come in."""
        if self.column is None:
            self.seen += table.num_rows
            return table if self._rows else table.slice(0, 0)
        times = self._times(table)
        self._remember(times, table.num_rows)
        self._keep_example(table, times)
        if not self._rows:
            return table.slice(0, 0)
        if self._window is None:
            return table
        inside = self._inside(times)
        return table if inside.all() else table.filter(pa.array(inside))

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
        self.seen += rows
        self.unreadable += nulls
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
        self.seen += rows
        self.unreadable += times.null_count
        if self._end_us is not None:
            times = times.filter(pc.less(times, self._end_us))
        low, high = pc.min_max(times).as_py().values()
        if low is not None:
            self._stretch(low, high)

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
            text = str(values[0].as_py())[:40]
            self.example = re.sub(r"[^\W\d_]", "a", re.sub(r"\d", "9", text))
