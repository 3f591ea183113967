"""Hellinger distance: how far apart the roots of the shares of cells lie.

H = √(1 − Σ √(p·q)), with H² = ½ Σ (√p − √q)²: 0 for equal shares, 1 for shares without a common
cell. 8·H² is close to PSI for small changes and follows the same law, with a longer tail where a
cell is empty: the statistic is exact, but the effect that is judged has half a row added to each
cell when one is empty on one side, as in PSI.
Source: Hellinger (1909); Pardo (2006) for the law of divergences of its family.
"""

import math

import numpy as np

from monitor.core.cells import Counts, Pair, shares
from monitor.core.columns import COMPARED_KINDS, Floats
from monitor.core.drift_socket import Bounds, Evidence, TestSpec
from monitor.core.laws.chi_family import (
    Divergence,
    additive,
    delta_variance,
    evidence_of,
    root_scale,
    widened_by_few,
)

SPEC = TestSpec(
    title="Hellinger distance",
    kinds=COMPARED_KINDS,
    effect="distance of the roots of the shares of cells",
    unit="0 to 1",
    tolerance=0.11,  # a PSI of .1 and of .5 for small changes: √(PSI / 8), rounded
    must_see=0.25,
    asks="Did the shares of the cells (or of the levels) move?",
    blind_to="changes inside one cell; missing values",
    null_law="8 · square of the distance / (1/n + 1/m) ~ chi-square with cells − 1 degrees of "
    "freedom; a gamma law of the same mean and variance where cells expect fewer than 100 rows",
    source="Hellinger (1909); Pardo (2006)",
    default=False,
    aliases=("hellinger_distance",),
)
UNIT = 8.0  # a squared distance times this is in units of PSI
FEW = 1.0  # keeps the error at the tolerance in windows of 50 rows


def measure(pair: Pair, bounds: Bounds) -> Evidence | None:
    """Evidence from the merged cells of a pair."""
    return evidence_of(pair, bounds, _estimate, additive(_score), root_scale(UNIT))


def hellinger(reference: Counts, current: Counts) -> float:
    """The distance of two count vectors of shape (B,), neither without rows; 0 to 1.

    >>> round(hellinger(np.array([50, 30, 15, 5]), np.array([40, 30, 20, 10])), 10)
    0.0941841049
    >>> hellinger(np.array([1, 0]), np.array([0, 1]))
    1.0
    """
    n, m = float(reference.sum()), float(current.sum())
    return math.sqrt(min(1.0, float(np.sum(_score(reference, current, n, m))) / UNIT))


def _estimate(reference: Counts, current: Counts) -> Divergence:
    p, q = shares(reference, current)
    slopes = 4 * (1 - np.sqrt(q / p)), 4 * (1 - np.sqrt(p / q))
    variance = delta_variance(p, q, *slopes, int(reference.sum()), int(current.sum()))
    return Divergence(
        effect=float(np.sum(_score(p, q, 1.0, 1.0))),
        statistic=hellinger(reference, current),
        variance=variance,
        widening=widened_by_few(reference, current, FEW),
    )


def _score(reference: Floats | Counts, current: Floats | Counts, n: float, m: float) -> Floats:
    """What one cell adds to eight times the squared distance."""
    return np.asarray(4 * (np.sqrt(current / m) - np.sqrt(reference / n)) ** 2)
