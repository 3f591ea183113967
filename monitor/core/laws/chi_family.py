"""The law that PSI, chi-square and their kin share: effect / f follows a (non-central) χ².

With n reference and m window rows, f = 1/n + 1/m and B cells, an estimated divergence Ê of two
discrete distributions obeys Ê / f ~ χ²(B−1) without drift and ≈ χ'²(B−1, λ = E/f) at true effect
E (Yurdakul 2018; Yurdakul & Naranjo 2020). Away from zero the variance of Ê can exceed that of the
non-central law; f is then inflated to match it, which keeps the error rate at the boundary E = δ.
Where cells expect few rows, `fixed_margins` has a better null law. Rows that are alike count for
fewer: n and m are those that would vary as much (`Pair.effective`).
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from monitor.core.cells import Counts, Pair
from monitor.core.columns import Floats
from monitor.core.drift_socket import Bounds, Evidence
from monitor.core.laws.fixed_margins import Score, dense, sum_p
from monitor.core.laws.promises import COVERAGE, POWER

MOST_ROWS = 10**9  # a window no one has


@dataclass(frozen=True, slots=True)
class Divergence:
    """An estimated divergence of two sets of shares, in units of PSI, with the law of its size."""

    effect: float
    statistic: float  # as it is known elsewhere
    variance: float  # of the effect, by the delta method, for independent rows
    widening: float = 1.0  # how much wider still, where few rows stand in a cell


@dataclass(frozen=True, slots=True)
class Scale:
    """How a test tells what follows the law in units of PSI: one strictly increasing map.

    `told` and `meant` undo each other; `most` is the largest value there is, as it is told.
    """

    told: Callable[[float], float]
    meant: Callable[[float], float]
    most: float = math.inf

    def tell(self, value: float) -> float:
        return min(self.most, self.told(value))


def root_scale(unit: float) -> Scale:
    """Distances d from 0 to 1 whose square times `unit` is in units of PSI."""
    return Scale(lambda value: math.sqrt(value / unit), lambda told: unit * told**2, 1.0)


AS_IT_IS = Scale(lambda value: value, lambda told: told)
Estimator = Callable[[Counts, Counts], Divergence]
NullLaw = Callable[[Counts, Counts, float], tuple[float, str] | None]


def evidence_of(
    pair: Pair,
    bounds: Bounds,
    estimate: Estimator,
    null: NullLaw,
    scale: Scale = AS_IT_IS,
    off: float = 0.0,
) -> Evidence:
    """Evidence of a cell-based test on one column; `estimate` sees the merged counts (B,).

    `null` knows a better p-value than χ²(B−1) and its name, or None; it is given the merged counts
    and the design effect. `bounds` and all of the evidence are on the told `scale`. The effect of
    all rows may be smaller by `off`, and p is that of the smallest.
    """
    meant, design = _meant(bounds, scale), pair.design_effect

    def needed() -> int | None:
        return rows_to_see(pair.sizes[0], max(1, pair.most_cells - 1), meant, design)

    nothing = nothing_to_compare(pair, needed)
    if nothing:
        return nothing
    reference, current = pair.cells
    found = estimate(reference, current)
    f = sum(1 / rows for rows in pair.effective)
    degrees = max(reference.size - 1, 1)
    inflated = f * _inflation(found, f, design)
    better = null(reference, current, design) if reference.size > 1 else (1.0, "")
    p_value, law = better or (_upper(found.effect / f, degrees), "")
    if off:
        p_value = max(p_value, _upper(max(0.0, found.effect - off) / f, degrees))
    low, high = _interval(found.effect, degrees, inflated)
    smallest = effect_seen(f, degrees, meant)
    return Evidence(
        statistic=found.statistic,
        effect=scale.tell(found.effect),
        low=scale.tell(low),
        high=scale.tell(high),
        p_value=p_value,
        p_tolerance=_upper(found.effect / inflated, degrees, meant.tolerance / inflated),
        threshold=scale.tell(_threshold(inflated, degrees, meant)),
        minimum_detectable=scale.tell(smallest),
        rows_needed=needed() if smallest > meant.must_see else None,
        law=law,
        error_bound=None if pair.slack else 0.0,
    )


def nothing_to_compare(pair: Pair, needed: Callable[[], int | None]) -> Evidence | None:
    """Why no cell-based test can say anything of this pair; None when it can."""
    n, m = pair.sizes
    if not n or not m:
        return Evidence(missing_input=f"no values in the {'window' if n else 'reference'}")
    if pair.cells[0].size > 1 or pair.most_cells == 1:
        return None
    return Evidence(missing_input=f"no cell is filled enough by {m} rows", rows_needed=needed())


def additive(score: Score) -> NullLaw:
    """The null law of a sum of `score` over cells, where χ² is too short for it."""

    def null(reference: Counts, current: Counts, design_effect: float) -> tuple[float, str] | None:
        if dense(reference, current, design_effect):
            return None
        return sum_p(score, reference, current, design_effect), ""

    return null


def _meant(bounds: Bounds, scale: Scale) -> Bounds:
    return Bounds(bounds.alpha, scale.meant(bounds.tolerance), scale.meant(bounds.must_see))


def delta_variance(p: Floats, q: Floats, slope_p: Floats, slope_q: Floats, n: int, m: int) -> float:
    """Variance of a smooth function of multinomial shares p (of n rows) and q (of m rows).

    `slope_p`, `slope_q` are its partial derivatives; all shapes (B,).
    """

    def spread(share: Floats, slope: Floats) -> float:
        return float(np.sum(share * slope**2) - np.sum(share * slope) ** 2)

    return max(0.0, spread(p, slope_p) / n + spread(q, slope_q) / m)


def _inflation(found: Divergence, f: float, design_effect: float) -> float:
    """How much wider the estimate varies than the non-central law says; at least 1."""
    if found.effect <= 0:
        return found.widening
    return found.widening * max(1.0, found.variance * design_effect / (4 * found.effect * f))


def widened_by_few(reference: Counts, current: Counts, rows: float) -> float:
    """1 + rows / (1 + the fewest rows in a cell of either side).

    A distance that grows like a root leaps where a cell is nearly empty, and the delta method looks
    at its slope alone. `rows` is chosen by simulation of effects at their tolerance, see the tests.
    """
    return 1 + rows / (1 + float(min(reference.min(), current.min())))


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
    """Two-sided confidence interval of the true effect, by inverting the non-central law.

    The estimate lies above the truth when rows are few, at times above all that the law allows: it
    is then the upper end itself.
    """
    tail = (1 - COVERAGE) / 2
    low = _noncentrality(effect / f, degrees, 1 - tail) * f
    return low, max(effect, _noncentrality(effect / f, degrees, tail) * f)


def _threshold(f: float, degrees: int, bounds: Bounds) -> float:
    """The estimate above which more than the tolerance is proven."""
    return _quantile(1 - bounds.alpha, degrees, bounds.tolerance / f) * f


@lru_cache(maxsize=4096)  # of columns without missing values it is the same
def effect_seen(f: float, degrees: int, bounds: Bounds) -> float:
    """The true effect whose estimate exceeds the threshold with probability POWER.

    A matter of rows and cells alone, whatever the window at hand shows.
    """
    return _noncentrality(_threshold(f, degrees, bounds) / f, degrees, 1 - POWER) * f


def rows_to_see(n: int, degrees: int, bounds: Bounds, design_effect: float = 1.0) -> int | None:
    """The fewest window rows that see an effect of must_see; None when no window would do."""

    def blind(rows: int) -> bool:
        return effect_seen((1 / n + 1 / rows) * design_effect, degrees, bounds) > bounds.must_see

    return smallest_window(blind)


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
