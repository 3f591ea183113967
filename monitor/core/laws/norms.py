"""Is an L2 distance of two distribution functions more than tolerated? The law of its noise.

The estimated difference is the true one plus Gaussian noise, whose squared length is a weighted
sum of chi-squares: the weights are the eigenvalues of the covariance of both empirical
distribution functions. A true length is put along the axis of the largest variance, where a large
estimate is most likely: so the level holds whatever the shape of the change.
"""

import math
from collections.abc import Sequence

import numpy as np

from monitor.core.columns import Floats
from monitor.core.drift_socket import Bounds, Evidence
from monitor.core.laws.chi_family import MOST_ROWS
from monitor.core.laws.promises import COVERAGE, POWER
from monitor.core.laws.quadratic_law import exceedance, length_at, truth_at

STAND_INS = 3  # rows
SKEWED_ROWS = 8
NODES = 64  # of the covariance; larger ones start threads that wait for each other
TAIL = (1 - COVERAGE) / 2


def errors_per_variance(n: float, m: float) -> tuple[float, float]:
    """What one unit of each side's own variance adds to the squared error of a difference.

    About 1/n and 1/m; but a few rows show too little of their own spread, so a few rows of the
    other side stand in for what they cannot show.

    >>> [round(error, 6) for error in errors_per_variance(1e12, 47)]
    [0.001277, 0.02]
    """
    lent = STAND_INS / (m * (m + STAND_INS)), STAND_INS / (n * (n + STAND_INS))
    return 1 / (n + STAND_INS) + lent[0], 1 / (m + STAND_INS) + lent[1]


def least_p(n: float, m: float) -> float:
    """The smallest p that n and m rows can give: one way of dealing them among all.

    >>> round(least_p(2, 3), 12)  # one of ten
    0.1
    """
    from scipy import special

    return float(np.exp(special.betaln(n + 1, m + 1)) * (n + m + 1))


def eigenvalues(below: Sequence[Floats], weights: Floats, errors: Sequence[float]) -> Floats:
    """Variances of noise along its axes, descending, shape (K,).

    `below` are the shares of rows up to each of K nodes, for each side, `weights` how much of the
    squared length a node carries, `errors` what one unit of a side's variance adds.
    """
    covariance = np.zeros((weights.size, weights.size))
    for shares, error in zip(below, errors, strict=True):
        covariance += (np.minimum.outer(shares, shares) - np.outer(shares, shares)) * error
    root = np.sqrt(weights)
    found = np.linalg.eigvalsh(covariance * root * root[:, np.newaxis])
    return np.asarray(np.maximum(found[::-1], 0.0))


def evidence_of_length(
    effect: float,
    p_value: float,
    noise: Floats,
    plain: Floats,
    rows: tuple[float, float],
    bounds: Bounds,
    design_effect: float = 1.0,
) -> Evidence:
    """Evidence of an L2 distance.

    `noise` are the variances of both sides together; `plain` those of one row of the reference,
    from which follows what `rows` (independent ones: reference, current) would see whatever the
    window shows. `design_effect` rows count as one of them.
    """
    n, m = rows
    noise = noise * _widening(n, m)
    smallest = length_seen(_plain_noise(plain, n, m), bounds)
    proven = effect > bounds.tolerance
    p_tolerance = max(least_p(n, m), exceedance(effect, noise, bounds.tolerance)) if proven else 1.0
    blind = smallest > bounds.must_see
    return Evidence(
        statistic=effect,
        effect=effect,
        low=min(effect, truth_at(TAIL, noise, effect)),
        high=effect + length_at(TAIL, noise),
        p_value=p_value,
        p_tolerance=p_tolerance,
        threshold=max(bounds.tolerance, length_at(bounds.alpha, noise, bounds.tolerance)),
        minimum_detectable=smallest,
        rows_needed=rows_for_length(plain, rows, bounds, design_effect) if blind else None,
    )


def length_seen(noise: Floats, bounds: Bounds) -> float:
    """The true L2 distance that is proven to exceed the tolerance with probability .8."""
    threshold = length_at(bounds.alpha, noise, bounds.tolerance)
    return max(threshold, truth_at(POWER, noise, threshold))


def rows_for_length(
    plain: Floats, rows: tuple[float, float], bounds: Bounds, design_effect: float
) -> int | None:
    """The fewest window rows that see a distance of must_see, `rows` being too few of them.

    None when no window would do.
    """
    from scipy import optimize

    n, m = rows

    def excess(log_rows: float) -> float:
        return length_seen(_plain_noise(plain, n, math.exp(log_rows)), bounds) - bounds.must_see

    least, most = math.log(m), math.log(MOST_ROWS)
    if excess(most) >= 0:
        return None
    return math.ceil(design_effect * math.exp(optimize.brentq(excess, least, most)) * (1 + 1e-9))


def _plain_noise(plain: Floats, n: float, m: float) -> Floats:
    return np.asarray(plain * (1 / n + 1 / m) * _widening(n, m))


def _widening(n: float, m: float) -> float:
    """How much wider than normal noise few rows vary: their law is skewed, their spread a guess.

    Found by simulation: without it the error at the tolerance is .02 at nominal .01 for 50 rows.
    """
    return 1 + SKEWED_ROWS / min(n, m)
