"""L∞: the largest change of the share of any one cell.

max |q − p|: 0 for equal shares, 1 when all rows moved from one level to another. It looks at each
level alone, rare ones too, and overlooks a change spread over many. p comes from random tables with
the same margins; among more than 100 levels from the chance that no level alone strays as far. The
tolerance test is the exact one of two shares of rows, times the number of cells that may have moved
as far as tolerated.
Source: Breck et al. (2019), who compare training and serving data by it; Bonferroni's inequality.
"""

import math

import numpy as np

from monitor.core.cells import Counts, Pair
from monitor.core.columns import COMPARED_KINDS, Floats
from monitor.core.drift_socket import Bounds, Evidence, TestSpec
from monitor.core.laws.promises import COVERAGE
from monitor.core.laws.proportions import change_interval, tolerance_limit, tolerance_p
from monitor.core.laws.random_tables import MOST_LEVELS, table_p
from monitor.core.laws.share_gaps import FAR, Gaps, evidence_of_gaps, margin

SPEC = TestSpec(
    title="largest change of a share",
    kinds=COMPARED_KINDS,
    effect="largest change of the share of one cell or level",
    unit="share of rows, 0 to 1",
    tolerance=0.1,  # of even shares of two to ten cells: about a PSI of .1 and of .5
    must_see=0.3,
    asks="Is there a cell (or a level) whose share changed?",
    blind_to="changes inside one cell; many small changes; missing values",
    null_law="random tables with the same margins; independent binomial counts among more than "
    "100 levels",
    source="Breck, Polyzotis, Roy, Whang & Zinkevich (2019)",
    default=False,
    aliases=("l_inf", "linf", "l_infinity_distance", "l_infinity_norm", "max_share_change"),
    conservative="few rows: the statistic takes few values, and ties count against the change",
)


def measure(pair: Pair, bounds: Bounds) -> Evidence | None:
    """Evidence from the cells of a pair, each level by itself."""
    return evidence_of_gaps(pair, bounds, _null, _look, _effect_seen, merged=False)


def l_infinity(reference: Counts, current: Counts) -> Floats:
    """Of count vectors of shape (..., B), neither without rows; shape (...), 0 to 1.

    >>> round(float(l_infinity(np.array([50, 30, 15, 5]), np.array([40, 30, 20, 10]))), 10)
    0.1
    """
    n, m = reference.sum(axis=-1, keepdims=True), current.sum(axis=-1, keepdims=True)
    return np.asarray(np.abs(current / m - reference / n).max(axis=-1))


def _null(reference: Counts, current: Counts, design_effect: float) -> tuple[float, str]:
    inflation = math.sqrt(design_effect)
    if reference.size > MOST_LEVELS:
        return _of_independent_levels(reference, current, inflation), "p from binomial counts"
    return table_p(reference, current, l_infinity, inflation), "p from random tables"


def _of_independent_levels(reference: Counts, current: Counts, inflation: float) -> float:
    """1 − Π P(one level's share changes less), its pooled rows falling on either side by lot.

    The margins hold a level of share s back to √(1 − s) of the spread of a binomial count.
    """
    from scipy import special

    n, m = int(reference.sum()), int(current.sum())
    pooled, largest = reference + current, float(l_infinity(reference, current)) / inflation
    gap = largest / np.sqrt(np.maximum(1 - pooled / (n + m), 1 / (n + m)))
    f, centre = 1 / n + 1 / m, pooled / n
    up, down = np.ceil((centre + gap) / f - 1e-9), np.floor((centre - gap) / f + 1e-9)
    share = m / (n + m)
    above = np.where(up <= pooled, special.bdtrc(np.minimum(up, pooled) - 1, pooled, share), 0.0)
    below = np.where(down >= 0, special.bdtr(np.maximum(down, 0.0), pooled, share), 0.0)
    return float(-np.expm1(np.sum(np.log1p(-np.minimum(above + below, 1 - 1e-15)))))


def _look(gaps: Gaps, bounds: Bounds) -> Evidence:
    sizes, reach = gaps.sizes, gaps.sizes + FAR * gaps.spread
    largest = int(np.argmax(sizes))
    before, now, n = float(gaps.p[largest]), float(gaps.q[largest]), gaps.rows_behind(largest)
    trials = max(1, int(np.count_nonzero(reach >= bounds.tolerance)))
    shared = Bounds(bounds.alpha / trials, bounds.tolerance, bounds.must_see)
    one = tolerance_p(before, n, now, gaps.m, bounds.tolerance)
    low, high = _interval(gaps, np.flatnonzero(reach >= sizes[largest]), largest)
    return Evidence(
        statistic=float(sizes[largest]),
        effect=float(sizes[largest]),
        low=low,
        high=high,
        p_tolerance=min(1.0, trials * one),
        threshold=tolerance_limit(before, n, gaps.m, shared, upward=now >= before),
    )


def _interval(gaps: Gaps, candidates: Counts, largest: int) -> tuple[float, float]:
    """Of the largest true change, for all cells at once that may be the one."""
    from scipy import special

    z = float(special.ndtri(1 - (1 - COVERAGE) / 2 / candidates.size))
    p, q = gaps.p.tolist(), gaps.q.tolist()
    found = {i: change_interval(p[i], gaps.n, q[i], gaps.m, z) for i in candidates.tolist()}
    low, high = found[largest]
    return max(0.0, low, -high), min(1.0, max(max(-a, b) for a, b in found.values()))


def _effect_seen(shares: Floats, f: float, bounds: Bounds) -> float:
    reach = shares + FAR * np.sqrt(shares * (1 - shares) * f)
    trials = max(1, int(np.count_nonzero(reach >= bounds.tolerance)))
    return bounds.tolerance + margin(f, bounds.alpha / trials)
