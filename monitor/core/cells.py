"""The cells that every cell-based test shares, and how empty ones are smoothed.

Numbers: ten cells from reference quantiles, an atom is a cell of its own, outer cells are open.
Levels: those with enough rows, all others in one rest cell. Neighbours merge until every cell can
carry a test; which ones do is read off pooled totals alone, so that the null law stays valid.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from monitor.core.records import Floats, Kind
from monitor.core.summaries.summary import CELLS, Cut, Summary

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
            cuts = self.reference.cuts
            return _counts(self.reference, cuts), _counts(self.current, cuts)
        levels = sorted(self.reference.counts.keys() | self.current.counts.keys())
        sides = [[side.counts.get(v, 0) for v in levels] for side in (self.reference, self.current)]
        if self.reference.rest or self.current.rest:  # rows of levels that are not counted singly
            sides = [sides[0] + [self.reference.rest], sides[1] + [self.current.rest]]
        return np.array(sides[0], dtype=np.int64), np.array(sides[1], dtype=np.int64)

    @cached_property
    def cells(self) -> tuple[Counts, Counts]:
        """Counts (cells,) of both sides after merging, none empty on both."""
        reference, current = (self._merged(side) for side in self.fine_cells)
        kept = reference + current > 0
        return reference[kept], current[kept]

    @cached_property
    def slack(self) -> tuple[Floats, Floats] | None:
        """By how many rows a count in `cells` may be off on either side; None when by none."""
        sides = self.reference, self.current
        fine = _slack_of_numbers(*sides) if self.numeric else _slack_of_levels(*sides)
        if fine is None:
            return None
        kept = np.sum([self._merged(side) for side in self.fine_cells], axis=0) > 0
        return self._merged(fine[0])[kept], self._merged(fine[1])[kept]

    @cached_property
    def _groups(self) -> NDArray[np.int64]:
        """Which cell after merging each cell before it belongs to."""
        n, m = self.sizes
        if not n or not m:
            return np.empty(0, dtype=np.int64)
        pooled = self.fine_cells[0] + self.fine_cells[1]
        expected = np.asarray(pooled * (min(n, m) / (n + m)), dtype=np.float64)
        return _neighbours(expected) if self.numeric else _rest(expected)

    def _merged(self, fine: NDArray[Any]) -> NDArray[Any]:
        groups = self._groups
        return np.bincount(groups, weights=fine[: groups.size]).astype(fine.dtype)

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


def _counts(side: Summary, cuts: list[Cut]) -> Counts:
    return np.diff(side.up_to(cuts), prepend=0, append=side.present)


def _slack_of_numbers(reference: Summary, current: Summary) -> tuple[Floats, Floats] | None:
    """Of cells between cuts, shapes (cells,): each border may be off, and the cuts themselves.

    Cuts that were frozen with exact counts are what they are. Others are quantiles of points: the
    true one lies between two points, and rows of the window lie between these, too.
    """
    cuts = reference.cuts
    moved, sides = not reference.below and reference.rank_error > 0, []
    for side in (reference, current):
        error = 0.0 if cuts and all(cut in side.below for cut in cuts) else side.rank_error
        borders = np.full(len(cuts), error * side.present)
        if moved:
            low, high = _neighbourhood(reference, cuts)
            borders += side.up_to(high) - side.up_to(low)
        sides.append(np.append(borders, 0.0) + np.append(0.0, borders))
    return (sides[0], sides[1]) if np.any(sides) else None


def _neighbourhood(reference: Summary, cuts: list[Cut]) -> tuple[list[Cut], list[Cut]]:
    """The points between which the true quantile lies that each cut stands for.

    Where all of them are one value, as within an atom, the cut is what it is.
    """
    values = reference.values
    assert values is not None
    steps = int(np.ceil(2 * reference.rank_error * values.size))
    at = np.minimum(np.arange(1, CELLS) * values.size // CELLS, values.size - 1)
    low, high = (values[np.clip(at + step, 0, values.size - 1)] for step in (-steps, steps))
    lowest, highest = [], []
    for value, side in cuts:
        here = values[at] == value if side == "right" else np.zeros(at.size, dtype=np.bool_)
        lowest.append((float(np.min(low, where=here, initial=value)), side))
        highest.append((float(np.max(high, where=here, initial=value)), side))
    return lowest, highest


def _slack_of_levels(reference: Summary, current: Summary) -> tuple[Floats, Floats] | None:
    """Of levels in their order, shapes (cells,): counts may be too small, the rest too large."""
    if not reference.count_error and not current.count_error:
        return None
    levels = sorted(reference.counts.keys() | current.counts.keys())
    kept = [float(level not in reference.counts) for level in levels]  # the others are exact
    return (
        np.array([float(reference.count_error)] * len(levels) + [reference.rest]),
        np.array([current.count_error * loose for loose in kept] + [current.rest]),
    )


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
