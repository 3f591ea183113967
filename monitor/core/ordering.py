"""How well a score tells two sides apart: AUC, its noise, and what it proves.

AUC is the chance that a row of the window scores above one of the reference, ties counting half:
½ is no difference at all.
"""

from dataclasses import dataclass

import numpy as np

from monitor.core.columns import Floats
from monitor.core.drift_socket import Bounds
from monitor.core.laws.promises import POWER

MOST_ROWS = 2**40  # of a window that is still worth asking for


@dataclass(frozen=True, slots=True)
class Ordering:
    """AUC of one score, its variance (DeLong), and z of "both sides score alike"."""

    auc: float
    variance: float
    z: float  # positive where the window scores higher
    sizes: tuple[int, int]

    def p_higher(self, design_effect: float) -> float:
        """Mann-Whitney p of "the window scores no higher", one-sided."""
        from scipy.special import ndtr

        return float(ndtr(-self.z / np.sqrt(design_effect)))


def ordering(reference: Floats, current: Floats) -> Ordering:
    """Of scores of shapes (n,) and (m,), both at least 2, finite.

    >>> ordering(np.array([1.0, 2.0]), np.array([2.0, 3.0])).auc
    0.875
    """
    n, m = reference.size, current.size
    _, places, sizes = np.unique(
        np.concatenate((reference, current)), return_inverse=True, return_counts=True
    )
    of_reference = np.bincount(places[:n], minlength=sizes.size)
    of_current = np.bincount(places[n:], minlength=sizes.size)
    # of each row, the share of the other side that it beats
    beaten = ((np.cumsum(of_reference) - of_reference / 2) / n)[places[n:]]
    beating = 1 - ((np.cumsum(of_current) - of_current / 2) / m)[places[:n]]
    auc = float(beaten.mean())
    variance = float(beating.var(ddof=1)) / n + float(beaten.var(ddof=1)) / m
    total = n + m
    ties = float(np.sum(sizes.astype(np.float64) ** 3 - sizes)) / (total * (total - 1))
    null = (total + 1 - ties) / (12 * n * m)
    z = (auc - 0.5) / np.sqrt(null) if null > 0 else 0.0
    return Ordering(auc, variance, float(z), (n, m))


def expected_variance(auc: float, n: float, m: float) -> float:
    """Variance of an AUC of this size on n and m rows (Hanley & McNeil 1982)."""
    one, two = auc / (2 - auc), 2 * auc**2 / (1 + auc)
    return (auc * (1 - auc) + (m - 1) * (one - auc**2) + (n - 1) * (two - auc**2)) / (n * m)


def _steps(bounds: Bounds) -> float:
    """Standard errors between the tolerance and an effect that is proven 8 times in 10."""
    from scipy.special import ndtri

    return float(ndtri(POWER) - ndtri(bounds.alpha))


def visible_from(bounds: Bounds, sizes: tuple[float, float]) -> float:
    """The AUC that (n, m) held-out rows prove to be above the tolerance 8 times in 10; up to 1."""
    noise = float(np.sqrt(expected_variance(bounds.tolerance, *sizes)))
    return min(1.0, bounds.tolerance + _steps(bounds) * noise)


def needed(bounds: Bounds, n: float, design_effect: float = 1.0) -> int | None:
    """Rows of the window at which an AUC of must_see is visible; None: with none, however many.

    `n` are the independent rows of the reference.

    >>> needed(Bounds(0.01, tolerance=0.6, must_see=0.75), 5000)
    41
    """
    low, high = 1, 2
    while visible_from(bounds, (n, high)) > bounds.must_see:
        if high > MOST_ROWS:
            return None
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        seen = visible_from(bounds, (n, middle)) <= bounds.must_see
        low, high = (low, middle) if seen else (middle, high)
    return int(np.ceil(high * design_effect))
