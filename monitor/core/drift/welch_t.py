"""Welch's t: did the mean move, in standard deviations of the reference?

p is that of Welch's t where the column is near enough to normal; where skewness or rare large
values break that law, the same t is held against permutations of the pooled rows. Beyond the
tolerance the t law is corrected for skewness, and few rows of a skewed column prove little. A
constant reference has no deviation, and coming alive is told as a share. Infinite values are left
to a finding of their own.
Source: Welch (1947); Hall (1992) for skewness; Janssen (1997) for the permutation of t.
"""

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from monitor.core.cells import Pair
from monitor.core.columns import Floats, Kind
from monitor.core.drift_socket import Bounds, Evidence, TestSpec
from monitor.core.laws.chi_family import smallest_window
from monitor.core.laws.mean_law import MeanLaw, evidence_of_gap, gap_seen, satterthwaite
from monitor.core.laws.norms import errors_per_variance
from monitor.core.laws.pooled import Grid, grid_of, permutation_p
from monitor.core.laws.scale import Scaled, by_deviation, came_alive, is_constant, too_few

SPEC = TestSpec(
    title="shift of the mean",
    kinds=(Kind.NUMBER, Kind.TEXT),
    effect="difference of the means, in standard deviations of the reference",
    unit="standard deviation of the reference, 0 or more",
    tolerance=0.25,  # KS .1 for a normal column
    must_see=0.9,  # KS .35
    asks="Did the mean move?",
    blind_to="every change that leaves the mean in place; infinite and missing values",
    null_law="Welch's t; permutations of the pooled rows where the column is skewed",
    source="Welch (1947); Hall (1992)",
    default=False,
    needs_rows=True,
    aliases=("t_test", "ttest", "ttest_ind", "welch"),
)
TRUSTED_SKEWNESS = 0.1  # of the difference: a level of .01 is then .012
TRUSTED_KURTOSIS = 0.1  # excess kurtosis over rows
FEW_ROWS = 40  # of both sides: too few to tell a heavy tail by


@dataclass(frozen=True, slots=True)
class Moments:
    """Mean, variance and skewness of one side, with its independent rows."""

    mean: float
    variance: float
    skewness: float
    rows: float

    @classmethod
    def of(cls, values: Floats, rows: float) -> "Moments":
        mean = float(values.mean())
        variance = float(np.mean((values - mean) ** 2))
        sd = math.sqrt(variance)
        away = (values - mean) / sd if sd > 0 else np.zeros(1)
        skewness = float(np.mean(away * away**2))
        return cls(mean, variance * values.size / (values.size - 1), skewness, rows)

    @property
    def error(self) -> float:
        """Squared standard error of the mean."""
        return self.variance / self.rows

    @property
    def third(self) -> float:
        """Third cumulant of the mean."""
        return self.skewness * math.sqrt(self.variance) ** 3 / self.rows**2


def measure(pair: Pair, bounds: Bounds) -> Evidence | None:
    """Evidence from the finite values of a pair."""
    reference, current = pair.reference.finite, pair.current.finite
    nothing = too_few(reference, current, "finite values")
    if nothing or is_constant(reference):
        return nothing or came_alive(pair, bounds)
    scaled = by_deviation(reference, current)
    before, now = (
        Moments.of(side, side.size / pair.design_effect)
        for side in (scaled.reference, scaled.current)
    )
    gap = now.mean - before.mean
    p_value, law = _p_value(scaled, before, now, pair.design_effect)
    found = evidence_of_gap(
        gap, _law(before, now, gap, bounds.tolerance, scaled.unsure), p_value, bounds
    )
    smallest = effect_seen(before.skewness, before.rows, now.rows, bounds)
    return replace(
        found,
        statistic=_t(before, now),
        minimum_detectable=smallest,
        rows_needed=rows_to_see(before.skewness, before.rows, bounds, pair.design_effect)
        if smallest > bounds.must_see
        else None,
        law=f"{law}; the window's mean is {'higher' if gap > 0 else 'lower'}" if gap else law,
    )


def _t(before: Moments, now: Moments) -> float:
    """t = difference of the means (window − reference) over its standard error."""
    error = math.sqrt(before.error + now.error)
    return (now.mean - before.mean) / error if error > 0 else 0.0


def _p_value(scaled: Scaled, before: Moments, now: Moments, inflation: float) -> tuple[float, str]:
    from scipy import special

    if not _is_nearly_normal(scaled, before.rows, now.rows):
        grid = grid_of(scaled.reference, scaled.current)
        p = permutation_p(grid, lambda windows: _scores(grid, windows), inflation)
        return p, "permutations of t, for a skewed column"
    degrees = satterthwaite(before.error, before.rows, now.error, now.rows)
    return min(1.0, 2 * float(special.stdtr(degrees, -abs(_t(before, now))))), "Welch's t"


def _is_nearly_normal(scaled: Scaled, n: float, m: float) -> bool:
    """Whether the pooled shape lets t follow its law; skewness cancels in sides of equal size."""
    pooled = np.concatenate([scaled.reference, scaled.current])
    pooled = pooled - pooled.mean()
    sd = float(np.sqrt(np.mean(pooled**2)))
    pooled = pooled / sd
    skewness, kurtosis = float(np.mean(pooled * pooled**2)), float(np.mean(pooled**2 * pooled**2))
    tilted = abs(skewness * (1 / m**2 - 1 / n**2)) / (1 / n + 1 / m) ** 1.5
    heavy = (kurtosis - 3) / min(n, m)
    return tilted <= TRUSTED_SKEWNESS and (heavy <= TRUSTED_KURTOSIS or n + m < FEW_ROWS)


def _scores(grid: Grid, windows: NDArray[np.int64]) -> Floats:
    """Squared t of each window against the rest, shape (R,)."""
    rests = grid.both - windows
    sums, squares = [], []
    for side in (rests, windows):
        rows = side.sum(axis=1)
        mean = side @ grid.centres / rows
        spread = np.maximum(side @ grid.squares / rows - mean**2, 0.0)
        sums.append(mean)
        squares.append(spread / np.maximum(rows - 1, 1))
    error = squares[0] + squares[1]
    gap = (sums[0] - sums[1]) ** 2
    return np.asarray(np.divide(gap, error, out=np.where(gap > 0, np.inf, 0.0), where=error > 0))


def _law(before: Moments, now: Moments, gap: float, tolerance: float, unsure: float) -> MeanLaw:
    """The law of the estimated difference, careful about what few rows cannot show.

    The deviation that is the unit is an estimate too, `unsure` by that share; in a skewed column
    it errs together with the mean of the reference.
    """
    per = errors_per_variance(before.rows, now.rows)
    error = before.variance * per[0] + now.variance * per[1]
    side = 1 if gap > 0 else -1
    skewness = -side * max(-side * now.skewness, -side * before.skewness)
    tilt = -side * (replace(now, skewness=skewness).third - before.third) / error**1.5
    together = max(0.0, side * tolerance * before.skewness * before.error)
    return MeanLaw(
        math.sqrt(error + together + (tolerance * unsure) ** 2),
        satterthwaite(before.error, before.rows, now.error, now.rows),
        max(0.0, tilt),
    )


def effect_seen(skewness: float, n: float, m: float, bounds: Bounds) -> float:
    """The true shift that is proven to exceed the tolerance with probability .8.

    `skewness` is that of the reference; the window is thought to have its spread and shape.
    """
    f = 1 / n + 1 / m
    tilt = abs(skewness * (1 / m**2 - 1 / n**2)) / f**1.5
    return gap_seen(MeanLaw(math.sqrt(f), satterthwaite(1 / n, n, 1 / m, m), tilt), bounds)


def rows_to_see(skewness: float, n: float, bounds: Bounds, design: float) -> int | None:
    """The fewest window rows that see a shift of must_see; None when no window would do."""
    return smallest_window(
        lambda rows: effect_seen(skewness, n, rows / design, bounds) > bounds.must_see
    )
