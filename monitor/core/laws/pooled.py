"""Both samples on one grid of cells, and its permutations: what any relabelling would show.

Which cells there are is read off the pooled ranks alone, so under no change every way of dealing
the pooled rows to both sides is equally likely, and a statistic of the cells has an exact
permutation law however coarse they are. Half of the cells are even in rank, half grow finer
towards both tails, where few rows can decide much.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from monitor.core.cells import Counts
from monitor.core.columns import Floats

MOST_CELLS = 256
PERMUTATIONS = 999
SEED = 0
FEW_TO_DRAW = 1500  # rows of the smaller side up to which drawing them singly is faster
FEW_TO_HOLD = 10**6  # rows of both sides, which drawing singly keeps in memory


@dataclass(frozen=True, eq=False)
class Grid:
    """Counts of both sides, shape (K,), in cells that hold whole runs of equal values.

    `pooled` are the sorted values of both sides, shape (N,); cell k ends after rank `ends[k]`.
    """

    pooled: Floats
    ends: NDArray[np.int64]
    reference: Counts
    current: Counts

    @property
    def both(self) -> Counts:
        return self.reference + self.current

    @cached_property
    def centres(self) -> Floats:
        """Mean value of each cell, shape (K,); the values must be finite."""
        return self._means(self.pooled)

    @cached_property
    def squares(self) -> Floats:
        """Mean squared value of each cell, shape (K,)."""
        return self._means(self.pooled**2)

    @cached_property
    def gaps(self) -> Floats:
        """Distances of neighbouring centres, shape (K − 1,)."""
        return np.diff(self.centres)

    def shares_at(self, side: Floats) -> Floats:
        """Mean over each cell of the share of sorted `side` at or below its values, shape (K,)."""
        return self._means(np.searchsorted(side, self.pooled, "right") / side.size)

    def _means(self, values: Floats) -> Floats:
        starts = np.r_[0, self.ends[:-1]]
        return np.asarray(np.add.reduceat(values, starts) / np.diff(self.ends, prepend=0))


def grid_of(reference: Floats, current: Floats, most: int = MOST_CELLS) -> Grid:
    """The common grid, of at most `most` cells, of two sorted samples, shapes (n,) and (m,).

    Neither may be empty.

    >>> grid = grid_of(np.array([1.0, 2.0, 2.0]), np.array([2.0, 5.0]))
    >>> grid.reference.tolist(), grid.current.tolist(), grid.centres.tolist()
    ([1, 2, 0], [0, 1, 1], [1.0, 2.0, 5.0])
    """
    pooled = np.sort(np.concatenate([reference, current]), kind="stable")
    cuts = np.unique(pooled[_ranks(pooled.size, most) - 1])
    ends, before = (np.searchsorted(side, cuts, "right") for side in (pooled, reference))
    both, known = np.diff(ends, prepend=0), np.diff(before, prepend=0)
    return Grid(pooled, ends, known, both - known)


def shares_ahead(reference: Floats, current: Floats) -> tuple[Floats, Floats]:
    """By how much more of the reference than of the window lies at or below each value, and how far
    it is to the next value: of two sorted samples, shapes (n + m - 1,); neither may be empty.

    >>> [side.tolist() for side in shares_ahead(np.array([0.0, 1.0]), np.array([1.0, 3.0]))]
    [[0.5, 0.5, 0.5], [1.0, 0.0, 2.0]]
    """
    pooled = np.sort(np.concatenate([reference, current]), kind="stable")
    before, now = (
        np.searchsorted(side, pooled[:-1], "right") / side.size for side in (reference, current)
    )
    return before - now, np.diff(pooled)


def shares_below(counts: Counts) -> Floats:
    """Share of the rows in each cell or below, shape (K,)."""
    return np.asarray(np.cumsum(counts) / counts.sum())


Score = Callable[[NDArray[np.int64]], Floats]


def permutation_p(grid: Grid, score: Score, inflation: float = 1.0) -> float:
    """(1 + #{≥}) / (1 + R) of `score` over random windows of the same size.

    `score` takes windows as counts, shape (R, K), and gives (R,). The score at hand is divided by
    `inflation` first: by how much more it varies than it would with independent rows.
    """
    n, m = int(grid.reference.sum()), int(grid.current.sum())
    one_by_one = min(n, m) <= FEW_TO_DRAW and n + m <= FEW_TO_HOLD
    drawn = np.random.default_rng(SEED).multivariate_hypergeometric(
        grid.both, m, size=PERMUTATIONS, method="count" if one_by_one else "marginals"
    )
    seen = float(score(grid.current[np.newaxis])[0]) / inflation
    return float((1 + np.sum(score(drawn) >= seen * (1 - 1e-9))) / (1 + PERMUTATIONS))


def differences(grid: Grid, windows: NDArray[np.int64]) -> Floats:
    """Share below in the rest minus share below in each window, shape (R, K)."""
    n, m = int(grid.reference.sum()), int(grid.current.sum())
    below = np.cumsum(grid.both) / (n + m)
    return np.asarray((below - np.cumsum(windows, axis=1) / m) * ((n + m) / n))


def _ranks(rows: int, most: int) -> NDArray[np.int64]:
    """Ranks 1 to `rows` at which cells end, the last one among them."""
    if rows <= most:
        return np.arange(1, rows + 1)
    half = most // 2
    even = np.linspace(0, 1, half + 1)[1:]
    steep = np.log(rows)
    tails = 1 / (1 + np.exp(-np.linspace(-steep, steep, half)))
    return np.unique(np.clip(np.ceil(rows * np.r_[even, tails]), 1, rows).astype(np.int64))
