"""Is a difference of two means more than tolerated? Student's t, corrected for skewness.

With few rows of a skewed column the mean and its estimated error are low together, and t falls far
below its law. Hall's monotone cubic transformation (1992) takes that back; it is used only in the
direction in which skewness makes t too large.
"""

import math
from dataclasses import dataclass

from monitor.core.drift_socket import Bounds, Evidence
from monitor.core.laws.promises import COVERAGE, Z_POWER


@dataclass(frozen=True, slots=True)
class MeanLaw:
    """The law of an estimated difference: standard error, degrees of freedom, skewness.

    `skewness` is that of the estimate itself, taken towards larger values of t; at least 0.
    """

    error: float
    degrees: float
    skewness: float = 0.0

    def tail(self, t: float) -> float:
        """P(T ≥ t) for t ≥ 0."""
        from scipy import special

        return float(special.stdtr(self.degrees, -self._straight(t)))

    def quantile(self, alpha: float) -> float:
        """The t that is reached with probability alpha."""
        from scipy import special

        return self._bent(-float(special.stdtrit(self.degrees, alpha)))

    def _straight(self, t: float) -> float:
        if self.skewness <= 0:
            return t
        bent = 1 - self.skewness * t / 3
        return (1 - bent**3) / self.skewness - self.skewness / 6

    def _bent(self, z: float) -> float:
        if self.skewness <= 0:
            return z
        return 3 / self.skewness * (1 - math.cbrt(1 - self.skewness * (z + self.skewness / 6)))


def evidence_of_gap(gap: float, law: MeanLaw, p_value: float, bounds: Bounds) -> Evidence:
    """Evidence on the size of a signed difference `gap`, without what rows alone could see."""
    effect = abs(gap)
    margin = law.quantile((1 - COVERAGE) / 2) * law.error
    return Evidence(
        statistic=gap,
        effect=effect,
        low=max(0.0, effect - margin),
        high=effect + margin,
        p_value=p_value,
        p_tolerance=gap_p(effect, law, bounds.tolerance),
        threshold=bounds.tolerance + law.quantile(bounds.alpha) * law.error,
    )


def gap_p(effect: float, law: MeanLaw, tolerance: float) -> float:
    """p of "the true difference is at most `tolerance`", in either direction; 0 to 1.

    >>> round(gap_p(2.645, MeanLaw(error=1.0, degrees=1e9), 1.0), 3)
    0.05
    """
    if effect <= tolerance:
        return 1.0
    if law.error <= 0:
        return 0.0
    near, far = ((effect + side * tolerance) / law.error for side in (-1, 1))
    return min(1.0, law.tail(near) + law.tail(far))


def gap_seen(law: MeanLaw, bounds: Bounds) -> float:
    """The true difference that is proven to exceed the tolerance with probability .8."""
    return bounds.tolerance + (law.quantile(bounds.alpha) + Z_POWER) * law.error


def satterthwaite(before: float, n: float, now: float, m: float) -> float:
    """Degrees of freedom of a sum of two squared errors, `before` from n rows, `now` from m.

    >>> satterthwaite(1.0, 11, 1.0, 11)
    20.0
    """
    total = before + now
    if total <= 0:
        return max(1.0, min(n, m) - 1)
    parts = (before / total) ** 2 / max(1.0, n - 1) + (now / total) ** 2 / max(1.0, m - 1)
    return 1 / parts
