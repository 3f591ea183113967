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

from monitor.core.columns import Floats, Kind
from monitor.core.summaries.levels import MOST_LEVELS
from monitor.core.summaries.summary import Cut, Summary

MIN_EXPECTED = 5.0  # rows a cell must expect on the smaller side
# Of both sides together, above which a level is counted singly whatever the luck of the reference:
# levels that were kept for having come often in it would come less often in any window.
SURE_SHARE = 4 / MOST_LEVELS
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
        known, now = self.reference.counts, self.current.counts
        sides, uncounted = (self.reference, self.current), self.reference.rest or self.current.rest
        levels = sorted(known.keys() | now.keys())
        if uncounted:  # what the reference does not count singly, nobody does
            least = SURE_SHARE * sum(self.sizes)
            levels = [v for v in levels if v in known and known[v] + now.get(v, 0) >= least]
        counted = [[side.counts.get(v, 0) for v in levels] for side in sides]
        if uncounted:
            for side, sizes in zip(sides, counted, strict=True):
                sizes.append(side.present - sum(sizes))
        return np.array(counted[0], dtype=np.int64), np.array(counted[1], dtype=np.int64)

    @cached_property
    def cells(self) -> tuple[Counts, Counts]:
        """Counts (cells,) of both sides after merging, none empty on both."""
        reference, current = (self._merged(side) for side in self.fine_cells)
        kept = reference + current > 0
        return reference[kept], current[kept]

    @cached_property
    def slack(self) -> tuple[Floats, Floats] | None:
        """By how many rows of all in its cell a count in `cells` may be off; None when by none."""
        sides = self.reference, self.current
        fine = _slack_of_numbers(*sides) if self.numeric else self._slack_of_levels()
        if fine is None:
            return None
        kept = np.sum([self._merged(side) for side in self.fine_cells], axis=0) > 0
        reference, current = (self._merged(side)[kept] for side in fine)
        if not self.numeric:
            return reference, current
        # Cells that were merged have no border between them any more.
        return np.minimum(reference, fine[0].max()), np.minimum(current, fine[1].max())

    def _slack_of_levels(self) -> tuple[Floats, Floats] | None:
        """Of levels and the rest: counts of the reference may be too small, the rest too large.

        In a window the levels of the reference are counted exactly.
        """
        off, cells = float(self.reference.count_error), self.fine_cells[0].size
        if not off:
            return None
        most = min(off * (cells - 1), float(self.fine_cells[0][-1]))
        return np.append(np.full(cells - 1, off), most), np.zeros(cells)

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
    borders = np.concatenate(([0], side.up_to(cuts), [side.present]))
    return np.asarray(borders[1:] - borders[:-1])


def _slack_of_numbers(reference: Summary, current: Summary) -> tuple[Floats, Floats] | None:
    """Of cells between cuts, shapes (cells,): the rows below each border may be off.

    The cuts are what they are: quantiles of points are borders as good as those of all rows.
    """
    if not (reference.rank_error or current.rank_error):
        return None
    cuts, sides = reference.cuts, []
    for side in (reference, current):
        told = all(cut in side.below for cut in cuts)
        error = 0.0 if told or not side.rank_error else side.rank_error * side.present + 0.5
        borders = np.full(len(cuts), error)
        sides.append(np.append(borders, 0.0) + np.append(0.0, borders))
    return (sides[0], sides[1]) if np.any(sides) else None


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
