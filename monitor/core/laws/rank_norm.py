"""Squared differences of shares over the ranks: what Cramér–von Mises and Anderson–Darling share.

Effect: √ ∫ (F − G)² w(H) dH with H the equal mixture of both sides, so that it does not depend on
how many rows there are. Statistic: nm/N ∫ (F − G)² w(H) dH with H the pooled sample, which without
change is a weighted sum of chi-squares. The weights are eigenvalues on the cells of the pooled
sample and so allow for ties; without ties they are the classical ones.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from monitor.core.cells import Pair
from monitor.core.columns import Floats
from monitor.core.drift_socket import Bounds, Evidence
from monitor.core.laws.norms import NODES, eigenvalues, errors_per_variance, evidence_of_length
from monitor.core.laws.pooled import Grid, grid_of
from monitor.core.laws.quadratic_law import exceedance
from monitor.core.laws.scale import too_few

# Axes of the laws without ties; those left out carry less than a hundredth of the noise.
ORDERS = np.arange(1.0, 101.0)


@dataclass(frozen=True, slots=True)
class Weight:
    """How much a squared difference counts at a share `h` of rows below, with its slope."""

    at: Callable[[Floats], Floats]
    slope: Callable[[Floats], Floats]
    axes: Floats  # the eigenvalues without ties, descending
    exact: Callable[[Floats, Floats], float | None]  # p of small samples, None where there is none


def evidence_of_ranks(pair: Pair, bounds: Bounds, weight: Weight) -> Evidence:
    """Evidence from the sorted values of a pair; infinite ones are the largest and smallest."""
    reference, current = pair.reference.values, pair.current.values
    assert reference is not None and current is not None
    nothing = too_few(reference, current)
    if nothing:
        return nothing
    n, m = pair.effective
    grid = grid_of(reference, current, NODES)
    effect, statistic = rank_distance(reference, current, weight)
    noise = _noise(grid, (reference, current), (n, m), weight, effect)
    exact = weight.exact(reference, current) if pair.design_effect == 1 else None
    p_value = _p_value(grid, statistic / pair.design_effect, weight) if exact is None else exact
    law = "exact law" if exact is not None else "asymptotic law"
    found = evidence_of_length(
        effect, p_value, noise, weight.axes, (n, m), bounds, pair.design_effect
    )
    return replace(found, statistic=statistic, law=law)


def rank_distance(reference: Floats, current: Floats, weight: Weight) -> tuple[float, float]:
    """Effect and statistic of two sorted samples of shapes (n,) and (m,), none empty."""
    n, m = reference.size, current.size
    means, pooled_means = [], []
    for values in (reference, current):
        before = np.searchsorted(reference, values, "right") / n
        now = np.searchsorted(current, values, "right") / m
        squares = (before - now) ** 2
        means.append(_mean(squares, (before + now) / 2, weight))
        pooled_means.append(_mean(squares, (n * before + m * now) / (n + m), weight))
    statistic = n * m / (n + m) ** 2 * (n * pooled_means[0] + m * pooled_means[1])
    return float(np.sqrt((means[0] + means[1]) / 2)), float(statistic)


def _mean(squares: Floats, below: Floats, weight: Weight) -> float:
    inside = below < 1  # at the top both shares are 1
    return float(np.sum(squares[inside] * weight.at(below[inside])) / squares.size)


def _p_value(grid: Grid, statistic: float, weight: Weight) -> float:
    """Tail of the law without change, with the covariance that relabelling has."""
    both, heights = grid.both, grid.shares_at(grid.pooled)
    total = int(both.sum())
    inside = heights < 1
    carried = weight.at(heights[inside]) * both[inside] / total
    axes = eigenvalues((heights[inside],), carried, (total / (total - 1),))
    return exceedance(float(np.sqrt(statistic)), axes)


def _noise(
    grid: Grid,
    values: tuple[Floats, Floats],
    rows: tuple[float, float],
    weight: Weight,
    effect: float,
) -> Floats:
    """Variances of the estimate's noise; more where the noise of the mixture adds to it."""
    sides = grid.reference / grid.reference.sum(), grid.current / grid.current.sum()
    before, now = grid.shares_at(values[0]), grid.shares_at(values[1])
    mixture = (before + now) / 2
    inside = mixture < 1
    mass = np.where(inside, (sides[0] + sides[1]) / 2, 0.0)
    height = np.where(inside, mixture, 0.5)
    carried = mass * weight.at(height)
    errors = errors_per_variance(*rows)
    axes = eigenvalues((before, now), carried, errors)
    if effect <= 0 or axes[0] <= 0:
        return axes
    gap = before - now
    own = 0.5 * (gap**2 * weight.at(height) + _from(gap**2 * weight.slope(height) * mass))
    moved = 2 * _from(gap * carried)
    variance = (
        _variance(sides[0], own + moved) * errors[0] + _variance(sides[1], own - moved) * errors[1]
    )
    return axes * max(1.0, variance / (4 * effect**2 * float(axes[0])))


def _from(values: Floats) -> Floats:
    """Sum of the values from each cell on."""
    return np.asarray(np.cumsum(values[::-1])[::-1])


def _variance(shares: Floats, values: Floats) -> float:
    return float(shares @ (values - shares @ values) ** 2)
