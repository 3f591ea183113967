"""The law of a weighted sum of chi-squares: how long a vector of Gaussian noise gets.

A squared distance of two distribution functions is the squared length of a Gaussian vector. With
λ₁ ≥ λ₂ ≥ … the variances along its axes it is Σ λᵢ χ²(1), the first term non-central where the
truth is away from zero along the first axis. The tail is that of the saddlepoint approximation in
the form of Barndorff-Nielsen (1990), after Kuonen (1999): at most some hundredths of itself too
large from the middle to the far tail, so that it can be compared across many columns.
"""

import math
from collections.abc import Callable

import numpy as np

from monitor.core.columns import Floats

NEGLIGIBLE = 1e-6  # axes with a smaller share of the largest variance do not matter
NEAR_MEAN = 1e-3  # in standard deviations: here the tail is a limit of the form 0 / 0
MOST_STEPS = 200


def exceedance(length: float, weights: Floats, truth: float = 0.0) -> float:
    """P(‖truth · e₁ + Z‖ ≥ length) for Z ~ N(0, diag(weights)); 0 to 1.

    `weights` are variances, descending, shape (k,). The truth along the axis of the largest
    variance is the least favourable of its length in the upper tail. Without noise it is a step.

    >>> round(exceedance(1.96, np.array([1.0])), 3)  # exactly .05: one axis is the worst case
    0.052
    """
    top = float(weights[0]) if weights.size else 0.0
    if top <= 0 or not math.isfinite(length / math.sqrt(top)):
        return float(length <= truth)
    if length <= 0:
        return 1.0
    scaled = weights[weights > NEGLIGIBLE * top] / top
    return _tail((length / math.sqrt(top)) ** 2, scaled, truth**2 / top)


def length_at(probability: float, weights: Floats, truth: float = 0.0) -> float:
    """The length that is exceeded with `probability`, 0 to 1, of `truth` and noise."""
    most = truth + 40 * math.sqrt(float(weights.sum()))
    return _solve(lambda length: exceedance(length, weights, truth) - probability, most)


def truth_at(probability: float, weights: Floats, length: float) -> float:
    """The truth under which `length` is exceeded with `probability`; 0 where noise alone would."""
    most = length + 40 * math.sqrt(float(weights.sum()))
    return _solve(lambda truth: probability - exceedance(length, weights, truth), most)


def _solve(falling: Callable[[float], float], most: float) -> float:
    from scipy import optimize

    if falling(0.0) <= 0:
        return 0.0
    if falling(most) >= 0:  # without noise
        return most
    return float(optimize.brentq(falling, 0.0, most, xtol=1e-9 * most, rtol=1e-9))


def _tail(x: float, weights: Floats, noncentrality: float) -> float:
    """P(Σ λᵢ χ²(1) + …≥ x), the largest weight being 1."""
    from scipy import special

    s = _saddlepoint(x, weights, noncentrality)
    shrunk, first = 1 - 2 * s * weights, 1 - 2 * s
    generating = -0.5 * float(np.sum(np.log(shrunk))) + noncentrality * s / first
    second = float(np.sum(2 * (weights / shrunk) ** 2)) + 4 * noncentrality / first**3
    w = math.copysign(math.sqrt(max(0.0, 2 * (s * x - generating))), s)
    v = s * math.sqrt(second)
    if abs(w) < NEAR_MEAN:
        third = float(np.sum(8 * (weights / shrunk) ** 3)) + 24 * noncentrality / first**4
        return float(special.ndtr(-w - third / (6 * second**1.5)))
    return float(special.ndtr(-w - math.log(v / w) / w))


def _saddlepoint(x: float, weights: Floats, noncentrality: float) -> float:
    """Where the derivative of the cumulant generating function is x: Newton between brackets."""
    low = -(weights.size + noncentrality) / (2 * x) - 1.0
    high = 0.5
    s = 0.0 if x <= weights.sum() + noncentrality else 0.5 - 0.5 / (2 * x)
    for _ in range(MOST_STEPS):
        shrunk, first = 1 - 2 * s * weights, 1 - 2 * s
        excess = float((weights / shrunk).sum()) + noncentrality / first**2 - x
        if abs(excess) <= 1e-10 * x:
            break
        low, high = (low, s) if excess > 0 else (s, high)
        slope = 2 * float(((weights / shrunk) ** 2).sum()) + 4 * noncentrality / first**3
        s -= excess / slope
        if not low < s < high:
            s = (low + high) / 2
    return s
