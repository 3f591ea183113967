"""The law that PSI, chi-square and their kin share: effect / f follows a (non-central) χ².

With n reference and m window rows, f = 1/n + 1/m and B cells, an estimated divergence Ê of two
discrete distributions obeys Ê / f ~ χ²(B−1) without drift and ≈ χ'²(B−1, λ = E/f) at true effect
E (Yurdakul 2018; Yurdakul & Naranjo 2020). Away from zero the variance of Ê can exceed that of the
non-central law; f is then inflated to match it, which keeps the error rate at the boundary E = δ.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from monitor.core.cells import Counts, Pair
from monitor.core.drift_socket import Bounds, Evidence
from monitor.core.records import Floats

POWER = 0.8
COVERAGE = 0.95
MOST_ROWS = 10**9  # a window no one has


@dataclass(frozen=True, slots=True)
class Divergence:
    """An estimated divergence of two sets of shares, with what its sampling law needs."""

    effect: float
    statistic: float
    variance: float  # by the delta method
    p_value: float | None = None  # when the test has a better law than χ²(B−1)
    law: str = ""


Estimator = Callable[[Counts, Counts], Divergence]


def evidence_of(pair: Pair, bounds: Bounds, estimate: Estimator) -> Evidence:
    """Evidence of a cell-based test on one column; `estimate` sees the merged counts (B,)."""
    n, m = pair.sizes
    if not n or not m:
        return Evidence(missing_input=f"no values in the {'window' if n else 'reference'}")
    reference, current = pair.cells
    most = pair.most_cells - 1
    if reference.size == 1 and most:
        needed = rows_to_see(n, most, bounds)
        return Evidence(missing_input=f"no cell is filled enough by {m} rows", rows_needed=needed)
    degrees = max(reference.size - 1, 1)
    found = estimate(reference, current)
    f = 1 / n + 1 / m
    inflated = f * _inflation(found, f)
    p_value = _upper(found.effect / f, degrees) if found.p_value is None else found.p_value
    low, high = _interval(found.effect, degrees, inflated)
    smallest = effect_seen(f, degrees, bounds)
    return Evidence(
        statistic=found.statistic,
        effect=found.effect,
        low=low,
        high=high,
        p_value=p_value if reference.size > 1 else 1.0,
        p_tolerance=_upper(found.effect / inflated, degrees, bounds.tolerance / inflated),
        threshold=_threshold(inflated, degrees, bounds),
        minimum_detectable=smallest,
        rows_needed=rows_to_see(n, max(most, 1), bounds) if smallest > bounds.must_see else None,
        law=found.law,
    )


def delta_variance(p: Floats, q: Floats, slope_p: Floats, slope_q: Floats, n: int, m: int) -> float:
    """Variance of a smooth function of multinomial shares p (of n rows) and q (of m rows).

    `slope_p`, `slope_q` are its partial derivatives; all shapes (B,).
    """

    def spread(share: Floats, slope: Floats) -> float:
        return float(np.sum(share * slope**2) - np.sum(share * slope) ** 2)

    return max(0.0, spread(p, slope_p) / n + spread(q, slope_q) / m)


def _inflation(found: Divergence, f: float) -> float:
    """How much wider the estimate varies than the non-central law says; at least 1."""
    if found.effect <= 0:
        return 1.0
    return max(1.0, found.variance / (4 * found.effect * f))


def _upper(x: float, degrees: int, noncentrality: float = 0.0) -> float:
    """P(χ'² ≥ x)."""
    from scipy import special

    if noncentrality <= 0:
        return float(special.chdtrc(degrees, x))
    below = float(special.chndtr(x, degrees, noncentrality))
    return min(1.0, max(0.0, 1.0 - below)) if math.isfinite(below) else 1.0


def _quantile(probability: float, degrees: int, noncentrality: float) -> float:
    from scipy import special

    if noncentrality <= 0:
        return float(special.chdtri(degrees, 1 - probability))
    return float(special.chndtrix(probability, degrees, noncentrality))


def _noncentrality(x: float, degrees: int, below: float) -> float:
    """The λ at which P(χ'² ≤ x) = below; 0 when even the central law lies above x."""
    from scipy import special

    if special.chdtr(degrees, x) <= below:
        return 0.0
    found = float(special.chndtrinc(x, degrees, below))
    return found if math.isfinite(found) else 0.0


def _interval(effect: float, degrees: int, f: float) -> tuple[float, float]:
    """Two-sided confidence interval of the true effect, by inverting the non-central law."""
    tail = (1 - COVERAGE) / 2
    low = _noncentrality(effect / f, degrees, 1 - tail) * f
    return low, max(low, _noncentrality(effect / f, degrees, tail) * f)


def _threshold(f: float, degrees: int, bounds: Bounds) -> float:
    """The estimate above which more than the tolerance is proven."""
    return _quantile(1 - bounds.alpha, degrees, bounds.tolerance / f) * f


def effect_seen(f: float, degrees: int, bounds: Bounds) -> float:
    """The true effect whose estimate exceeds the threshold with probability POWER.

    A matter of rows and cells alone, whatever the window at hand shows.
    """
    return _noncentrality(_threshold(f, degrees, bounds) / f, degrees, 1 - POWER) * f


def rows_to_see(n: int, degrees: int, bounds: Bounds) -> int | None:
    """The fewest window rows that see an effect of must_see; None when no window would do."""
    return smallest_window(
        lambda rows: effect_seen(1 / n + 1 / rows, degrees, bounds) > bounds.must_see
    )


def smallest_window(blind: Callable[[int], bool]) -> int | None:
    """The fewest window rows for which `blind` is false, by bisection; None when there are none."""
    low, high = 1, 64
    while blind(high):
        low, high = high, high * 8
        if high > MOST_ROWS:
            return None
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if blind(middle) else (low, middle)
    return high
