"""Total variation: which share of the rows would have to change cell to undo the difference?

½ Σ |p − q|: 0 for equal shares, 1 for shares without a common cell. Chance alone makes it positive,
the more so the more cells there are, so p comes from random tables with the same margins (from
their mean and variance among more than 100 levels). It is also the largest difference of the share
of any set of cells, and reached by those that grew: the tolerance test asks of the set seen to grow
whether its share did by more than the tolerance and what chance adds, √(2/π) standard deviations
for half of each cell that is not clearly different.
Source: Levin, Peres & Wilmer (2009), chapter 4; Davison & Hinkley (1997) for p.
"""

import math

import numpy as np

from monitor.core.cells import Counts, Pair
from monitor.core.columns import COMPARED_KINDS, Floats
from monitor.core.drift_socket import Bounds, Evidence, TestSpec
from monitor.core.laws.fixed_margins import sum_p
from monitor.core.laws.proportions import change_interval, tolerance_limit, tolerance_p
from monitor.core.laws.random_tables import MOST_LEVELS, table_p
from monitor.core.laws.share_gaps import FAR, Gaps, evidence_of_gaps, margin

SPEC = TestSpec(
    title="total variation",
    kinds=COMPARED_KINDS,
    effect="share of rows that would have to change cell",
    unit="share of rows, 0 to 1",
    tolerance=0.12,  # of a normal column that moves: a PSI of .1 and of .5
    must_see=0.3,
    asks="Did the shares of the cells (or of the levels) move?",
    blind_to="changes inside one cell; missing values; many small changes among few rows",
    null_law="random tables with the same margins; a gamma law of their mean and variance among "
    "more than 100 levels",
    source="Levin, Peres & Wilmer (2009); Davison & Hinkley (1997)",
    default=False,
    aliases=("tvd", "tv", "total_variation_distance"),
    conservative="few rows in few cells: the statistic takes few values, and ties count against "
    "the change",
)
CHANCE = 0.5 * math.sqrt(2 / math.pi)  # half the mean of |noise|, in standard deviations


def measure(pair: Pair, bounds: Bounds) -> Evidence | None:
    """Evidence from the merged cells of a pair."""
    return evidence_of_gaps(pair, bounds, _null, _look, _effect_seen, merged=True)


def total_variation(reference: Counts, current: Counts) -> Floats:
    """Of count vectors of shape (..., B), neither without rows; shape (...), 0 to 1.

    >>> round(float(total_variation(np.array([50, 30, 15, 5]), np.array([40, 30, 20, 10]))), 10)
    0.1
    """
    n, m = reference.sum(axis=-1, keepdims=True), current.sum(axis=-1, keepdims=True)
    return np.asarray(_score(reference, current, n, m).sum(axis=-1))


def _score(
    reference: Floats | Counts,
    current: Floats | Counts,
    n: float | Counts,
    m: float | Counts,
) -> Floats:
    """What one cell adds to the distance."""
    return np.asarray(0.5 * np.abs(current / m - reference / n))


def _null(reference: Counts, current: Counts, design_effect: float) -> tuple[float, str]:
    if reference.size > MOST_LEVELS:
        return sum_p(_score, reference, current, design_effect), "p from mean and variance"
    inflation = math.sqrt(design_effect)
    return table_p(reference, current, total_variation, inflation), "p from random tables"


def _look(gaps: Gaps, bounds: Bounds) -> Evidence:
    grown = gaps.q > gaps.p
    before, now = (min(1.0, float(share[grown].sum())) for share in (gaps.p, gaps.q))
    chance = CHANCE * float(gaps.spread[gaps.sizes < FAR * gaps.spread].sum())
    tolerated = Bounds(bounds.alpha, bounds.tolerance + chance, bounds.must_see)
    low, high = change_interval(before, gaps.n, now, gaps.m)
    return Evidence(
        statistic=now - before,
        effect=now - before,
        low=max(0.0, low - chance),
        high=max(0.0, min(1.0, high)),
        p_tolerance=tolerance_p(before, gaps.n, now, gaps.m, tolerated.tolerance),
        threshold=tolerance_limit(before, gaps.n, gaps.m, tolerated, upward=True),
    )


def _effect_seen(shares: Floats, f: float, bounds: Bounds) -> float:
    chance = CHANCE * float(np.sqrt(shares * (1 - shares) * f).sum())
    return bounds.tolerance + chance + margin(f, bounds.alpha)
