"""Jensen–Shannon distance: how well one row tells which side it comes from, by its cell alone.

The root of the divergence ½ Σ p·ln(p/a) + ½ Σ q·ln(q/a), a = (p + q) / 2, taken to base 2: 0 for
equal shares, 1 for shares without a common cell, as `scipy.spatial.distance.jensenshannon(p, q, 2)`
has it; other tools print the natural logarithm's, 0.83 times as large. Eight times the divergence
in nats is close to PSI for small changes and follows the same law. The statistic is exact; the
effect that is judged has half a row added to each cell when one is empty on one side, as in PSI.
Source: Lin (1991); Endres & Schindelin (2003) for the root being a distance.
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
    title="Jensen-Shannon distance",
    kinds=COMPARED_KINDS,
    effect="root of the Jensen-Shannon divergence of the shares of cells, to base 2",
    unit="0 to 1",
    tolerance=0.13,  # a PSI of .1 and of .5 for small changes: √(PSI / (8 ln 2)), rounded
    must_see=0.3,
    asks="Did the shares of the cells (or of the levels) move?",
    blind_to="changes inside one cell; missing values",
    null_law="8 · divergence in nats / (1/n + 1/m) ~ chi-square with cells − 1 degrees of freedom; "
    "a gamma law of the same mean and variance where cells expect fewer than 100 rows",
    source="Lin (1991); Endres & Schindelin (2003)",
    default=False,
    aliases=("jensenshannon", "js", "jensen_shannon_distance", "jensen_shannon_divergence"),
)
EIGHT_BITS = 8 * math.log(2)  # a divergence in bits times this is in units of PSI
FEW = 0.5  # keeps the error at the tolerance in windows of 50 rows


def measure(pair: Pair, bounds: Bounds) -> Evidence | None:
    """Evidence from the merged cells of a pair."""
    return evidence_of(pair, bounds, _estimate, additive(_score), root_scale(EIGHT_BITS))


def jensen_shannon(reference: Counts, current: Counts) -> float:
    """The distance to base 2 of two count vectors of shape (B,), neither without rows; 0 to 1.

    >>> round(jensen_shannon(np.array([50, 30, 15, 5]), np.array([40, 30, 20, 10])), 10)
    0.1128213708
    >>> jensen_shannon(np.array([1, 0]), np.array([0, 1]))
    1.0
    """
    n, m = float(reference.sum()), float(current.sum())
    divergence = float(np.sum(_score(reference, current, n, m))) / EIGHT_BITS
    return math.sqrt(min(1.0, max(0.0, divergence)))


def _estimate(reference: Counts, current: Counts) -> Divergence:
    p, q = shares(reference, current)
    middle = (p + q) / 2
    variance = delta_variance(
        p,
        q,
        4 * np.log(p / middle),
        4 * np.log(q / middle),
        int(reference.sum()),
        int(current.sum()),
    )
    return Divergence(
        effect=max(0.0, float(np.sum(_score(p, q, 1.0, 1.0)))),
        statistic=jensen_shannon(reference, current),
        variance=variance,
        widening=widened_by_few(reference, current, FEW),
    )


def _score(reference: Floats | Counts, current: Floats | Counts, n: float, m: float) -> Floats:
    """What one cell adds to eight times the divergence in nats."""
    from scipy import special

    p, q = reference / n, current / m
    middle = (p + q) / 2
    gains = special.xlogy(p, p) + special.xlogy(q, q) - 2 * special.xlogy(middle, middle)
    return np.asarray(4 * gains)
