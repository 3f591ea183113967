"""The null law of a sum over cells in which some expect few rows.

Without drift, and given both margins of the 2 × B table, the window's count in a cell is a
hypergeometric draw. Mean and variance of a sum of one score a cell follow: the mean exactly, the
covariance of two cells up to the second of the orthogonal polynomials that two cells of one draw
share (Hahn polynomials: E[P_k(X_j) | X_i] is a multiple of P_k(X_i)). A gamma law with this mean
and variance takes the place of χ²: it keeps its level where χ² is too short (PSI in a window of
60 rows: .05 in place of .09 at nominal .05), and it still costs no random table.
Source: Satterthwaite (1946) for matching two moments; Griffiths (1971) for the polynomials.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from monitor.core.cells import Counts
from monitor.core.columns import Floats

DENSE = 100.0  # rows
HALF_ROW = 0.5  # an empty cell enters as half a row: the tail is too long for two moments else
POINTS = 64  # of each count that are looked at, a quarter of a standard deviation apart or less
ROOM = 1e-300  # no division by zero where a count cannot vary
Score = Callable[[Floats, Floats, float, float], Floats]  # (reference, current, n, m) -> a cell's


@dataclass(frozen=True, slots=True)
class _Draws:
    """Counts each cell may show, shape (B, POINTS), and how likely they are."""

    reference: Floats
    current: Floats
    chance: Floats

    def mean(self, values: Floats) -> Floats:
        return np.asarray((self.chance * values).sum(axis=1))


def dense(reference: Counts, current: Counts, design_effect: float) -> bool:
    """Whether every cell expects so many rows that χ² is as good a law as any."""
    n, m = int(reference.sum()), int(current.sum())
    smallest = float((reference + current).min()) * min(n, m) / (n + m)
    return smallest / design_effect >= DENSE


def sum_p(score: Score, reference: Counts, current: Counts, design_effect: float) -> float:
    """P(a sum of scores at least as large as this one), both margins given; counts (B,), B ≥ 1.

    Rows that are alike count as one row for each `design_effect` of them.

    >>> sum_p(lambda x, y, n, m: (y / m - x / n) ** 2, np.array([5, 5]), np.array([5, 5]), 1.0)
    1.0
    """
    before, now = reference / design_effect, current / design_effect
    n, m = float(before.sum()), float(now.sum())
    pooled, times = np.unique(before + now, return_counts=True)  # equal cells have equal laws

    def scores(one: Floats, other: Floats) -> Floats:
        return score(np.where(one > 0, one, HALF_ROW), np.where(other > 0, other, HALF_ROW), n, m)

    draws = _draws(pooled, n, m)
    share = pooled / (n + m)
    mean, variance = _moments(draws, scores(draws.reference, draws.current), share, times)
    return _gamma_tail(float(scores(before, now).sum()), mean, variance)


def _draws(pooled: Floats, n: float, m: float) -> _Draws:
    """Hypergeometric counts of each cell; only each k-th where they spread over many."""
    from scipy import special

    total = n + m
    spread = np.sqrt(pooled * (total - pooled) * n * m / total**3)
    step = np.maximum(1.0, np.ceil(spread / 4))[:, None]
    cells = pooled[:, None]
    middle = np.floor(cells * m / total)
    first = np.maximum(np.ceil(np.maximum(0.0, cells - n)), middle - POINTS // 2 * step)
    counts = first + step * np.arange(POINTS)
    possible = counts <= np.minimum(cells, m) + 1e-9
    counts = np.where(possible, counts, first)
    rest = np.maximum(cells - counts, 0.0)
    logs = -special.gammaln(counts + 1) - special.gammaln(rest + 1)
    logs -= special.gammaln(np.maximum(m - counts, 0.0) + 1)
    logs -= special.gammaln(np.maximum(n - rest, 0.0) + 1)
    chance = np.where(possible, np.exp(logs - logs.max(axis=1, keepdims=True)), 0.0)
    return _Draws(rest, counts, chance / chance.sum(axis=1, keepdims=True))


def _moments(draws: _Draws, scores: Floats, share: Floats, times: Counts) -> tuple[float, float]:
    """Mean and variance of the sum over cells; `share` (B,) of the pooled rows, `times` each."""
    means = draws.mean(scores)
    off = scores - means[:, None]
    first = draws.current - draws.mean(draws.current)[:, None]
    first /= np.sqrt(draws.mean(first**2) + ROOM)[:, None]
    second = first**2 - 1 - draws.mean(first**3)[:, None] * first
    second /= np.sqrt(draws.mean(second**2) + ROOM)[:, None]
    odds = share / np.maximum(1 - share, ROOM)  # two cells correlate by minus the root of both
    linear, square = draws.mean(off * first) * np.sqrt(odds), draws.mean(off * second) * odds
    alone = float(np.sum(times * draws.mean(off**2)))
    return float(np.sum(times * means)), alone + _pairs(square, times) - _pairs(linear, times)


def _pairs(values: Floats, times: Counts) -> float:
    """The sum of v_i v_j over all i ≠ j, each value there so many times."""
    return float(np.sum(times * values) ** 2 - np.sum(times * values**2))


def _gamma_tail(value: float, mean: float, variance: float) -> float:
    from scipy import special

    if variance <= 0 or mean <= 0:  # the margins leave nothing to vary
        return 1.0
    return float(special.gammaincc(mean**2 / variance, max(0.0, value) * mean / variance))
