"""The cells that every cell-based test shares, and how empty ones are smoothed.

Numbers: ten cells from reference quantiles, an atom is a cell of its own, outer cells are open.
Levels: those with enough rows, all others in one rest cell. Neighbours merge until every cell can
carry a test; which ones do is read off pooled totals alone, so that the null law stays valid.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from monitor.core.records import Floats, Kind
from monitor.core.summary import Cut, Summary

MIN_EXPECTED = 5.0  # rows a cell must expect on the smaller side
Counts = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Pair:
    """One column on both sides, as every drift test receives it."""

    name: str
    kind: Kind
    reference: Summary
    current: Summary
    design_effect: float = 1.0  # rows that are alike count for this many times fewer; at least 1

    @property
    def numeric(self) -> bool:
        return self.kind in (Kind.NUMBER, Kind.TEXT)

    @property
    def sizes(self) -> tuple[int, int]:
        """Comparable values (reference, current)."""
        return self.reference.present, self.current.present

    @property
    def effective(self) -> tuple[float, float]:
        """Independent values that would vary as much (reference, current): what a law counts."""
        n, m = self.sizes
        return n / self.design_effect, m / self.design_effect

    @cached_property
    def fine_cells(self) -> tuple[Counts, Counts]:
        """Counts (cells,) of both sides before merging."""
        if self.numeric:
            assert self.reference.values is not None and self.current.values is not None
            cuts = self.reference.cuts
            return _counts(self.reference.values, cuts), _counts(self.current.values, cuts)
        levels = sorted(self.reference.counts.keys() | self.current.counts.keys())
        return (
            np.array([self.reference.counts.get(v, 0) for v in levels], dtype=np.int64),
            np.array([self.current.counts.get(v, 0) for v in levels], dtype=np.int64),
        )

    @cached_property
    def cells(self) -> tuple[Counts, Counts]:
        """Counts (cells,) of both sides after merging, none empty on both."""
        n, m = self.sizes
        reference, current = self.fine_cells
        if not n or not m:
            return reference[:0], current[:0]
        pooled = reference + current
        expected = np.asarray(pooled * (min(n, m) / (n + m)), dtype=np.float64)
        groups = _neighbours(expected) if self.numeric else _rest(expected)
        merged = [
            np.bincount(groups, weights=side).astype(np.int64) for side in (reference, current)
        ]
        kept = merged[0] + merged[1] > 0
        return merged[0][kept], merged[1][kept]

    @property
    def most_cells(self) -> int:
        """How many cells there could be however large the window: those merging cannot remove."""
        reference, current = self.fine_cells
        pooled = reference + current
        if self.numeric:
            return max(1, int(np.count_nonzero(pooled)))
        rare = (pooled > 0) & (pooled < MIN_EXPECTED)
        return max(1, int(np.count_nonzero(pooled >= MIN_EXPECTED)) + int(rare.any()))


def shares(reference: Counts, current: Counts) -> tuple[Floats, Floats]:
    """Shares of both sides, with half a count in every cell when some cell is empty on one side.

    >>> shares(np.array([5, 5]), np.array([10, 0]))[1].round(4).tolist()
    [0.9545, 0.0455]
    """
    add = 0.5 if np.any((reference == 0) | (current == 0)) else 0.0
    return (reference + add) / (reference + add).sum(), (current + add) / (current + add).sum()


def _counts(values: Floats, cuts: list[Cut]) -> Counts:
    sides = {side: [c for c, s in cuts if s == side] for side in ("left", "right")}
    below = {s: iter(np.searchsorted(values, np.array(c), s)) for s, c in sides.items() if c}  # type: ignore[call-overload]
    ends = [0, *(int(next(below[side])) for _, side in cuts), values.size]
    return np.asarray(np.diff(ends), dtype=np.int64)


def _neighbours(expected: Floats) -> NDArray[np.int64]:
    """Group number of each cell: neighbours join from the left until each group expects enough."""
    groups = np.zeros(expected.size, dtype=np.int64)
    group, filled = 0, 0.0
    for index, share in enumerate(expected):
        if filled >= MIN_EXPECTED:
            group, filled = group + 1, 0.0
        groups[index] = group
        filled += share
    if filled < MIN_EXPECTED and group:  # what is left over joins the last full group
        groups[groups == group] = group - 1
    return groups


def _rest(expected: Floats) -> NDArray[np.int64]:
    """Group number of each level: its own when it expects enough rows, else the rest cell."""
    own = expected >= MIN_EXPECTED
    groups = np.zeros(expected.size, dtype=np.int64)
    groups[own] = np.arange(1, own.sum() + 1)
    return groups
