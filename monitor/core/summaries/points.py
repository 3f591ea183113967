"""Equi-rank points: a few sorted values that stand for many, with a proven error of their ranks.

Of K points, point i (from 0) is the smallest value that at least a share (i + ½) / K of the rows
does not exceed. The share of points up to any value then differs from the share of rows up to it
by at most 1 / (2K): #{i: (i + ½) / K ≤ F} lies within ½ of K·F. That holds for every distribution,
ties and all. Points of points add their errors; points of several parts, weighed by the rows they
stand for, have the mean of the errors of the parts.
Source: Munro & Paterson (1980); Agarwal et al. (2013) for merging.
"""

from collections.abc import Sequence

import numpy as np

from monitor.core.columns import Floats


def cut_error(points: int) -> float:
    """The largest error of a rank, as a share of the rows, that a cut to `points` points adds."""
    return 1 / (2 * points)


def equi_rank(values: Floats, most: int) -> Floats:
    """At most `most` points of sorted values, shape (n,); all of them where there are no more.

    >>> equi_rank(np.arange(1.0, 101.0), 4).tolist()
    [13.0, 38.0, 63.0, 88.0]
    """
    if values.size <= most:
        return values
    # ceil((2i + 1) n / 2K) - 1, in whole numbers
    places = ((2 * np.arange(most, dtype=np.int64) + 1) * values.size - 1) // (2 * most)
    return values[places]


def merged_points(parts: Sequence[Floats], rows: Sequence[float], most: int) -> Floats:
    """At most `most` points of several parts; the points of part j stand for `rows[j]` rows.

    >>> merged_points([np.array([1.0, 3.0]), np.array([2.0])], [2.0, 2.0], 2).tolist()
    [1.0, 2.0]
    """
    held = [(part, size / part.size) for part, size in zip(parts, rows, strict=True) if part.size]
    if not held:
        return np.empty(0)
    values = np.concatenate([part for part, _ in held])
    weights = np.concatenate([np.full(part.size, weight) for part, weight in held])
    order = np.argsort(values, kind="stable")
    up_to = np.cumsum(weights[order])
    ranks = (np.arange(most) + 0.5) / most * up_to[-1]
    places = np.searchsorted(up_to, ranks * (1 - 1e-12), "left")  # a sum of weights is rounded
    found: Floats = values[order][places]
    return found
