"""Rank correlations of many columns at once, of one pair with its noise, and of two differences.

Ranks are taken within each side, so that a column that moved as a whole leaves them as they were.
"""

from dataclasses import dataclass

import numpy as np

from monitor.core.columns import Codes, Floats

FEW_COLUMNS, ROWS_AT_ONCE = 64, 64
CLOSE_TO_ONE = 1 - 1e-9  # Fisher's z of a correlation of 1 is infinite
HALVINGS = 60  # of an interval that brackets a quantile; leaves nothing of it


@dataclass(frozen=True, slots=True, eq=False)
class Correlations:
    """Of every two columns: the correlation and how many rows hold both; shapes (k, k)."""

    r: Floats  # NaN where a column does not vary
    rows: Floats


@dataclass(frozen=True, slots=True)
class Correlation:
    """Of one pair: the correlation, and the standard error of its Fisher z on so many rows."""

    r: float
    noise: float
    rows: float = np.inf


def grades(values: Floats) -> Floats:
    """Mid-ranks as shares, 0 to 1; NaN stays NaN, ties share their mean rank. Shape (n,).

    >>> grades(np.array([10.0, np.nan, 20.0, 20.0])).round(3).tolist()
    [0.167, nan, 0.667, 0.667]
    """
    found = np.full(values.size, np.nan)
    held = np.flatnonzero(~np.isnan(values))
    if held.size:
        found[held] = _ranked(values[held]).grades
    return found


@dataclass(frozen=True, slots=True, eq=False)
class _Ranked:
    """Values as mid-ranks, and which of them are equal."""

    grades: Floats  # shape (n,), 0 to 1
    places: Codes  # shape (n,): the place of each value among the distinct ones

    def above(self, weights: Floats) -> Floats:
        """Mean over all rows j of weight j where its value is larger, ½ of it where equal; (n,)."""
        sums = np.bincount(self.places, weights=weights)
        larger = sums.sum() - np.cumsum(sums) + sums / 2
        return np.asarray(larger[self.places] / self.places.size)


def _ranked(values: Floats) -> _Ranked:
    _, places, sizes = np.unique(values, return_inverse=True, return_counts=True)
    middles = (np.cumsum(sizes) - sizes / 2) / values.size
    return _Ranked(middles[places], places)


def spread_of(ranks: Floats) -> Floats:
    """Rows a column of grades is worth when held against another, shape (k,) of (n, k).

    Rows outside the most frequent value: a column that is nearly always the same tells little.
    """
    counted = []
    for column in ranks.T:
        held = column[~np.isnan(column)]
        sizes = np.unique(held, return_counts=True)[1]
        counted.append(held.size - int(sizes.max(initial=0)))
    return np.array(counted, dtype=np.float64)


def all_pairs(ranks: Floats) -> Correlations:
    """Spearman's correlation of every two columns of grades, shape (n, k), on the rows of both.

    Grades are those of each column alone; where values are missing this differs a little from
    ranking the rows of each pair anew, which `of_pair` does.
    """
    held = (~np.isnan(ranks)).astype(np.float64)
    centred = np.where(np.isnan(ranks), 0.0, ranks - 0.5)
    rows = _products(held, held)
    with np.errstate(divide="ignore", invalid="ignore"):
        means = _products(centred, held) / rows  # of the row's column, on rows that hold both
        squares = _products(centred**2, held) / rows - means**2
        products = _products(centred, centred) / rows - means * means.T
        r = products / np.sqrt(squares * squares.T)
    r[~((squares > 1e-12) & (squares.T > 1e-12))] = np.nan
    return Correlations(np.clip(r, -1, 1), rows)


def _products(one: Floats, other: Floats) -> Floats:
    """one.T @ other, some rows at a time: larger products start threads that wait for each other.

    Not so for many columns, where threads have enough to do.
    """
    if one.shape[1] > FEW_COLUMNS:
        return np.asarray(one.T @ other)
    total = np.zeros((one.shape[1], other.shape[1]))
    for start in range(0, one.shape[0], ROWS_AT_ONCE):
        part = slice(start, start + ROWS_AT_ONCE)
        total += one[part].T @ other[part]
    return total


def of_pair(x: Floats, y: Floats, design_effect: float = 1.0) -> Correlation | None:
    """Spearman's correlation of two columns on the rows that hold both, with its noise.

    The standard error is the larger of two: Bonett & Wright (2000), √((1 + r²/2) / (n - 3)), good
    for small samples of anything like a normal; and the spread of the influence of single rows,
    which allows for ties and for dependence of any form. None when a column does not vary or fewer
    than five rows hold both.
    """
    both = ~(np.isnan(x) | np.isnan(y))
    n = int(np.count_nonzero(both))
    if n / design_effect < 5:
        return None
    ranks = _ranked(x[both]), _ranked(y[both])
    u, v = (side.grades - 0.5 for side in ranks)
    spread = float(np.sqrt(np.mean(u * u) * np.mean(v * v)))
    if spread < 1e-9:
        return None
    r = float(np.clip(np.mean(u * v) / spread, -CLOSE_TO_ONE, CLOSE_TO_ONE))
    rows = n / design_effect
    wright = (1 + r * r / 2) / (rows - 3)
    rowwise = float(np.var(_influence(*ranks, r))) / (rows - 3) / (1 - r * r) ** 2
    return Correlation(r, float(np.sqrt(max(wright, rowwise))), rows)


def _influence(one: _Ranked, other: _Ranked, r: float) -> Floats:
    """How much each row moves the correlation, shape (n,), its effect on the ranks included."""
    u, v = one.grades - 0.5, other.grades - 0.5
    squares = float(np.mean(u * u)), float(np.mean(v * v))
    product = u * v + one.above(v) + other.above(u)
    scale = (u * u + 2 * one.above(u)) / squares[0] + (v * v + 2 * other.above(v)) / squares[1]
    return np.asarray(product / np.sqrt(squares[0] * squares[1]) - r / 2 * scale)


def difference_bound(before: Correlation, now: Correlation, quantile: float) -> float:
    """Lower bound of |r_now - r_before|, `quantile` standard normal units below it.

    The bounds of both correlations are put together as in Zou (2007), which keeps them apart near
    ±1, where their noise is lopsided. May be negative.

    >>> round(difference_bound(Correlation(0.0, 0.1), Correlation(0.5, 0.1), 0.0), 6)
    0.5
    """
    low, high = (now, before) if now.r < before.r else (before, now)
    up = np.tanh(np.arctanh(low.r) + quantile * low.noise) - low.r
    down = high.r - np.tanh(np.arctanh(high.r) - quantile * high.noise)
    return float(high.r - low.r - np.hypot(up, down))


def freedom(before: Correlation, now: Correlation) -> float:
    """Degrees of freedom of the noise of a difference (Welch), which is estimated, too."""
    parts = [(side.noise**2, max(side.rows - 3, 1.0)) for side in (before, now)]
    return float(sum(v for v, _ in parts) ** 2 / sum(v * v / rows for v, rows in parts))


def p_at_most(before: Correlation, now: Correlation, tolerance: float) -> float:
    """p of "the two correlations differ by at most `tolerance`"; 1 when they do."""
    from scipy.special import stdtr

    if abs(now.r - before.r) <= tolerance:
        return 1.0
    low, high = 0.0, 40.0
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        inside = difference_bound(before, now, middle) > tolerance
        low, high = (middle, high) if inside else (low, middle)
    # The other end of the tolerated range adds as much again where there is no tolerance.
    tail = float(stdtr(freedom(before, now), -low))
    return min(1.0, 2 * tail if tolerance == 0 else tail)


def p_unchanged(before: Correlation, now: Correlation) -> float:
    """p of "the two correlations are equal", two-sided, on the scale of Fisher's z."""
    from scipy.special import stdtr

    steps = abs(np.arctanh(now.r) - np.arctanh(before.r)) / np.hypot(before.noise, now.noise)
    return float(2 * stdtr(freedom(before, now), -steps))
