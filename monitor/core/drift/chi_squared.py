"""Chi-square test of homogeneity on the 2 × k table of levels: are both sides one population?

The reference is a sample like the window, never a truth without error. Where an expected count is
below 5 the p-value comes from random tables with the same margins; among more than 100 levels the
one small cell there can be, the rest, no longer matters. It reports beside PSI, which decides;
named alone it decides itself, by its effect Σ (p − q)² / pooled share.
Source: Pearson (1900); Monte Carlo p with the +1 of Davison & Hinkley (1997).
"""

import numpy as np

from monitor.core.cells import MIN_EXPECTED, Counts, Pair
from monitor.core.columns import Floats, Kind
from monitor.core.drift_socket import Bounds, Evidence, TestSpec
from monitor.core.laws.chi_family import Divergence, delta_variance, evidence_of
from monitor.core.laws.random_tables import MOST_LEVELS, table_p

SPEC = TestSpec(
    title="chi-square",
    kinds=(Kind.CATEGORY, Kind.BOOLEAN),
    effect="squared distance of shares over pooled shares; close to PSI for small changes",
    unit="0 or more",
    tolerance=0.1,
    must_see=0.5,
    asks="Could the levels of both sides come from one population?",
    blind_to="changes among levels too rare to count alone; missing values",
    null_law="chi-square with levels − 1 degrees of freedom; random tables when counts are small",
    source="Pearson (1900); Davison & Hinkley (1997)",
    decides=False,
    aliases=("chisquare", "chi2", "chi_square", "chi2_contingency", "pearson_chi_squared"),
)


def measure(pair: Pair, bounds: Bounds) -> Evidence | None:
    """Evidence from the merged levels of a pair."""
    return evidence_of(pair, bounds, _estimate, _null)


def chi_squared(reference: Counts, current: Counts) -> float:
    """The statistic of the 2 × k table, without continuity correction; counts of shape (k,).

    >>> round(chi_squared(np.array([50, 30, 15, 5]), np.array([40, 30, 20, 10])), 10)
    3.4920634921
    """
    return float(_statistic(reference, current))


def _statistic(reference: Counts, current: Counts) -> Floats:
    """Of many tables at once, shapes (..., k) -> (...)."""
    n, m = (side.sum(axis=-1, keepdims=True) for side in (reference, current))
    expected = (reference + current) * (m / (n + m))
    scores = np.sum((current - expected) ** 2 / expected, axis=-1)
    return np.asarray(scores * ((n + m) / n)[..., 0])


def _estimate(reference: Counts, current: Counts) -> Divergence:
    n, m = int(reference.sum()), int(current.sum())
    statistic = chi_squared(reference, current)
    return Divergence(
        effect=statistic * (1 / n + 1 / m),
        statistic=statistic,
        variance=_variance(reference / n, current / m, n, m),
    )


def _variance(p: Floats, q: Floats, n: int, m: int) -> float:
    pooled = (n * p + m * q) / (n + m)
    gap = p - q
    common = gap**2 / pooled**2
    slope_p = 2 * gap / pooled - common * n / (n + m)
    slope_q = -2 * gap / pooled - common * m / (n + m)
    return delta_variance(p, q, slope_p, slope_q, n, m)


def _null(reference: Counts, current: Counts, design_effect: float) -> tuple[float, str] | None:
    n, m = int(reference.sum()), int(current.sum())
    smallest = float(np.min(reference + current)) * min(n, m) / (n + m) / design_effect
    if smallest >= MIN_EXPECTED or reference.size > MOST_LEVELS:
        return None
    return table_p(reference, current, _statistic, design_effect), "p from random tables"
