"""Rows by level, however many levels there are: exact up to a size, heavy hitters beyond it.

When there are too many levels, the count of the largest that has to go is taken off every count
(Misra & Gries 1982). A count is then too small by at most what was taken off, which is at most the
rows over the levels kept; the rows taken off are the rest. Merging adds counts and takes off again,
with the errors added up (Agarwal et al. 2013). Levels that are named beforehand, those of the
reference, are never taken off: their counts stay exact.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np

MOST_LEVELS = 100_000


@dataclass(frozen=True, slots=True)
class LevelCounts:
    """Counts by level; `rest` rows are of levels that are not counted or counted too low."""

    counts: Mapping[str, int] = field(default_factory=dict)
    rest: int = 0
    error: int = 0  # rows by which a count may be too small


class LevelTally:
    """Adds up counts; takes off when there are more than `most` levels beside the `kept` ones."""

    def __init__(self, kept: Collection[str] = (), most: int = MOST_LEVELS) -> None:
        self._kept = frozenset(kept)
        self._most = most
        self._counts: dict[str, int] = {}
        self._rest = 0
        self._error = 0

    def add(self, counts: Iterable[tuple[str, int]]) -> None:
        """Rows by level; a level may come several times, one without rows does not count."""
        held = self._counts
        for level, size in counts:
            if size:
                held[level] = held.get(level, 0) + size
        if len(held) > self._most + len(self._kept):
            self._take_off()

    def add_tally(self, other: LevelCounts) -> None:
        """What another tally counted."""
        self._rest += other.rest
        self._error += other.error
        self.add(other.counts.items())

    def done(self) -> LevelCounts:
        return LevelCounts(self._counts, self._rest, self._error)

    def _take_off(self) -> None:
        """Half of the levels go, so that this happens once in many pieces."""
        passing = {v: c for v, c in self._counts.items() if v not in self._kept}
        if len(passing) <= self._most:
            return
        sizes = np.fromiter(passing.values(), np.int64, len(passing))
        keep = self._most // 2
        off = int(np.partition(sizes, sizes.size - keep - 1)[sizes.size - keep - 1])
        for level, size in passing.items():
            self._rest += min(size, off)
            if size > off:
                self._counts[level] = size - off
            else:
                del self._counts[level]
        self._error += off
