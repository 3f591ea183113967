"""Wasserstein distance: how far rows must move, on average, to turn one side into the other.

W1 = ∫ |F − G| dx, in units of the reference's interquartile range, else of its standard deviation;
a constant reference has no unit, and coming alive is told as a share. Infinite values are left to
a finding of their own. p comes from permutations of the pooled rows. Beyond the tolerance: the
estimate exceeds the truth by at most the length of the noise, which stays below its mean
μ = √(2/π) ∫ √(F(1−F)/n + G(1−G)/m) dx by t = zσ with the probability of a normal z, σ² the variance
of the difference of means (the covariance of a sample is nowhere negative, so no signs vary more).
Where the difference is many times its error the noise cannot flip its sign and adds no length.
Source: Vallender (1974); Borell (1975) and Tsirelson, Ibragimov & Sudakov (1976); contact set
after Linton, Song & Whang (2010).
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from monitor.core.cells import Pair
from monitor.core.columns import Floats, Kind
from monitor.core.drift_socket import Bounds, Evidence, TestSpec
from monitor.core.laws.chi_family import smallest_window
from monitor.core.laws.norms import errors_per_variance, least_p
from monitor.core.laws.pooled import (
    Grid,
    differences,
    grid_of,
    permutation_p,
    shares_ahead,
    shares_below,
)
from monitor.core.laws.promises import Z_COVERAGE, Z_POWER
from monitor.core.laws.scale import by_quartiles, came_alive, is_constant, too_few

SPEC = TestSpec(
    title="Wasserstein distance",
    kinds=(Kind.NUMBER, Kind.TEXT),
    effect="mean distance that rows moved, in interquartile ranges of the reference",
    unit="IQR of the reference (its standard deviation where the IQR is 0), 0 or more",
    tolerance=0.2,  # a normal column shifted by .25 sd: W1 .186, KS .1
    must_see=0.7,  # by .9 sd: W1 .67, KS .35
    asks="How far did values move, near and far moves weighed by their length?",
    blind_to="moves that are short beside the spread of the reference; infinite and missing values",
    null_law="permutations of the pooled rows; noise of the distance bounded by its concentration",
    source="Vallender (1974); Borell (1975)",
    default=False,
    needs_rows=True,
    aliases=("wasserstein_distance", "wasserstein_normed", "earth_mover", "emd", "w1"),
)
MEAN_SIZE = math.sqrt(2 / math.pi)  # of a standard normal
CONTACT = 4.0  # standard errors beyond which the sign of a difference is taken as known


@dataclass(frozen=True, slots=True)
class Noise:
    """How far the estimate may lie above the truth: mean length, and deviation."""

    mean: float
    deviation: float

    def tail(self, excess: float) -> float:
        """Bound of the probability that the estimate exceeds the truth by `excess`."""
        from scipy import special

        if self.deviation <= 0:
            return float(excess <= 0)
        return float(special.ndtr((self.mean - excess) / self.deviation))

    def margin(self, alpha: float) -> float:
        """The excess that has a probability of at most alpha."""
        from scipy import special

        return self.mean - float(special.ndtri(alpha)) * self.deviation


def measure(pair: Pair, bounds: Bounds) -> Evidence | None:
    """Evidence from the sorted finite values of a pair."""
    reference, current = pair.reference.finite, pair.current.finite
    nothing = too_few(reference, current, "finite values")
    if nothing or is_constant(reference):
        return nothing or came_alive(pair, bounds)
    scaled = by_quartiles(reference, current)
    n, m = (side.size / pair.design_effect for side in (reference, current))
    grid = grid_of(scaled.reference, scaled.current)
    effect = wasserstein(scaled.reference, scaled.current)
    noise = _noise(grid, (n, m), bounds.tolerance * scaled.unsure)
    known = _Known.of(scaled.reference)
    smallest = known.effect_seen(n, m, bounds)
    return Evidence(
        statistic=effect,
        effect=effect,
        low=max(0.0, effect - noise.mean - Z_COVERAGE * noise.deviation),
        high=effect + noise.mean + Z_COVERAGE * noise.deviation,
        p_value=permutation_p(grid, lambda w: _scores(grid, w), math.sqrt(pair.design_effect)),
        p_tolerance=_tolerance_p(effect - bounds.tolerance, noise, (n, m)),
        threshold=bounds.tolerance + max(0.0, noise.margin(bounds.alpha)),
        minimum_detectable=smallest,
        rows_needed=known.rows_to_see(n, bounds, pair.design_effect)
        if smallest > bounds.must_see
        else None,
    )


def _tolerance_p(excess: float, noise: Noise, rows: tuple[float, float]) -> float:
    return max(least_p(*rows), noise.tail(excess)) if excess > 0 else 1.0


def wasserstein(reference: Floats, current: Floats) -> float:
    """W1 of two sorted samples of shapes (n,) and (m,), in their own unit; neither may be empty.

    >>> wasserstein(np.arange(1.0, 21.0), np.arange(4.0, 24.0))
    3.0
    """
    ahead, widths = shares_ahead(reference, current)
    return float(np.sum(np.abs(ahead) * widths))


def _scores(grid: Grid, windows: NDArray[np.int64]) -> Floats:
    return np.asarray(np.abs(differences(grid, windows)[:, :-1]) @ grid.gaps)


def _noise(grid: Grid, rows: tuple[float, float], unsure: float) -> Noise:
    """Noise of the estimate; `unsure` is what the error of the scale adds to its deviation."""
    sides = grid.reference, grid.current
    per = errors_per_variance(*rows)
    before, now = (shares_below(side)[:-1] for side in sides)
    errors = np.sqrt(before * (1 - before) * per[0] + now * (1 - now) * per[1])
    touching = np.abs(before - now) <= CONTACT * errors
    mean = MEAN_SIZE * float(np.sum((errors * grid.gaps)[touching]))
    known = _variance(grid, sides[0])
    seen = max(known, _variance(grid, sides[1]))  # a window may lack the reference's rare values
    variance = known * per[0] + seen * per[1]
    return Noise(mean, math.sqrt(variance + unsure**2))


def _variance(grid: Grid, counts: NDArray[np.int64]) -> float:
    share = counts / counts.sum()
    return float(share @ (grid.centres - share @ grid.centres) ** 2)


@dataclass(frozen=True, slots=True)
class _Known:
    """What the reference alone tells of the noise of one row: its mean length and deviation."""

    mean: float
    deviation: float

    @classmethod
    def of(cls, reference: Floats) -> "_Known":
        below = np.arange(1, reference.size) / reference.size
        length = float(np.sum(np.sqrt(below * (1 - below)) * np.diff(reference)))
        return cls(MEAN_SIZE * length, float(reference.std()))

    def effect_seen(self, n: float, m: float, bounds: Bounds) -> float:
        """The true distance whose estimate exceeds the threshold with probability .8, or more."""
        f = math.sqrt(1 / n + 1 / m)
        margin = Noise(self.mean * f, self.deviation * f).margin(bounds.alpha)
        return bounds.tolerance + margin + Z_POWER * self.deviation * f

    def rows_to_see(self, n: float, bounds: Bounds, design: float) -> int | None:
        """The fewest window rows that see a distance of must_see; None when no window would do."""
        return smallest_window(
            lambda rows: self.effect_seen(n, rows / design, bounds) > bounds.must_see
        )
