"""G-test: the likelihood ratio of "one population" against "two" on the 2 × k table of levels.

G = 2 Σ observed · ln(observed / expected), both sides counted, as scipy's `chi2_contingency` with
`lambda_="log-likelihood"` and without correction. The reference is a sample like the window, never
a truth without error. The effect is G · (1/n + 1/m), close to PSI for small changes.
Source: Wilks (1938); Sokal & Rohlf (1981).
"""

import numpy as np

from monitor.core.cells import Counts, Pair, shares
from monitor.core.columns import Floats, Kind
from monitor.core.drift_socket import Bounds, Evidence, TestSpec
from monitor.core.laws.chi_family import Divergence, additive, delta_variance, evidence_of

SPEC = TestSpec(
    title="G-test",
    kinds=(Kind.CATEGORY, Kind.BOOLEAN),
    effect="likelihood ratio by rows; close to PSI for small changes",
    unit="nats, 0 or more",
    tolerance=0.1,
    must_see=0.5,
    asks="Could the levels of both sides come from one population?",
    blind_to="changes among levels too rare to count alone; missing values",
    null_law="chi-square with levels − 1 degrees of freedom; a gamma law of the same mean and "
    "variance where levels expect fewer than 100 rows",
    source="Wilks (1938); Sokal & Rohlf (1981)",
    default=False,
    aliases=("g", "likelihood_ratio", "log_likelihood_ratio"),
)


def measure(pair: Pair, bounds: Bounds) -> Evidence | None:
    """Evidence from the merged levels of a pair."""
    return evidence_of(pair, bounds, _estimate, additive(_score))


def g_statistic(reference: Counts, current: Counts) -> float:
    """G of two count vectors of shape (k,), none empty on both sides; 0 or more.

    >>> round(g_statistic(np.array([5, 5, 8]), np.array([4, 6, 8])), 10)
    0.2023755972
    """
    n, m = float(reference.sum()), float(current.sum())
    return max(0.0, float(np.sum(_score(reference, current, n, m))) / (1 / n + 1 / m))


def _estimate(reference: Counts, current: Counts) -> Divergence:
    n, m = int(reference.sum()), int(current.sum())
    p, q = shares(reference, current)
    pooled = (n * p + m * q) / (n + m)
    slopes = 2 * (n + m) / m * np.log(p / pooled), 2 * (n + m) / n * np.log(q / pooled)
    statistic = g_statistic(reference, current)
    return Divergence(
        effect=statistic * (1 / n + 1 / m),
        statistic=statistic,
        variance=delta_variance(p, q, *slopes, n, m),
    )


def _score(reference: Floats | Counts, current: Floats | Counts, n: float, m: float) -> Floats:
    """What one level adds to G · (1/n + 1/m)."""
    from scipy import special

    pooled = (reference + current) / (n + m)
    before = special.xlogy(reference, reference / n / pooled)
    now = special.xlogy(current, current / m / pooled)
    return np.asarray(2 * (before + now) * (1 / n + 1 / m))
