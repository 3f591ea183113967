"""Numbers on the scale of the reference: what its spread is, and when it has none.

Distances along the axis of values mean something only in units of how far the reference itself
spreads: its interquartile range, or its standard deviation where half of it is one value. A
constant reference has no spread; that it came alive is then told as the share of rows that differ
from the constant, on the same scale from 0 to 1 as every share.
"""

import math
from dataclasses import dataclass, replace

import numpy as np

from monitor.core.cells import Pair
from monitor.core.columns import Floats
from monitor.core.drift_socket import Bounds, Evidence
from monitor.core.laws.proportions import evidence_of_shares

FARTHEST = 1e60  # in units of the scale; farther values stand here, so that squares stay finite
HIDDEN_TAIL = 1.5  # a sample's own kurtosis is too small where the tail is heavy
CORRELATED = 1 / 3  # of the two quartiles of one sample


@dataclass(frozen=True, eq=False)
class Scaled:
    """Both sides as (value − median of the reference) / scale, sorted, finite."""

    reference: Floats
    current: Floats
    unsure: float  # relative standard error of the scale itself


def too_few(reference: Floats, current: Floats, what: str = "values") -> Evidence | None:
    """That there is nothing to compare, when a side is empty or a single row without spread."""
    if not reference.size or not current.size:
        side = "window" if reference.size else "reference"
        return Evidence(missing_input=f"no {what} in the {side}")
    if min(reference.size, current.size) == 1:
        return Evidence(missing_input="one row tells nothing of its own chance: 2 are the fewest")
    return None


def is_constant(reference: Floats) -> bool:
    """Whether sorted values, none missing, are one value."""
    return bool(reference[0] == reference[-1])


def came_alive(pair: Pair, bounds: Bounds) -> Evidence:
    """Evidence on a constant reference: effect = share of window rows that differ from it."""
    constant, current = pair.reference.finite[0], pair.current.finite
    differ = int(np.count_nonzero(current != constant))
    found = evidence_of_shares(
        0, pair.reference.finite.size, differ, current.size, bounds, pair.design_effect
    )
    law = "the reference is constant: the effect is the share of rows that differ from it"
    return replace(found, law=law)


def by_quartiles(reference: Floats, current: Floats) -> Scaled:
    """Both sides in units of the reference's IQR, else of its standard deviation.

    >>> by_quartiles(np.arange(9.0), np.array([4.0, 8.0])).current.tolist()
    [0.0, 1.0]
    """
    largest = float(max(abs(reference[0]), abs(reference[-1])))
    shrunk = reference / largest
    low, high = np.quantile(shrunk, [0.25, 0.75])
    if high <= low:
        return by_deviation(reference, current)
    unsure = _unsure_of_quartiles(shrunk) / float(high - low)
    return _scaled(reference, current, float(high - low) * largest, unsure)


def by_deviation(reference: Floats, current: Floats) -> Scaled:
    """Both sides in units of the reference's standard deviation (divided by n).

    >>> by_deviation(np.array([1.0, 3.0]), np.array([5.0])).current.tolist()
    [2.0]
    """
    largest = float(max(abs(reference[0]), abs(reference[-1])))
    shrunk = reference / largest - float(np.mean(reference / largest))
    deviation = max(float(np.sqrt(np.mean(shrunk**2))), math.ulp(0.0))
    kurtosis = float(np.mean((shrunk / deviation) ** 2 * (shrunk / deviation) ** 2))
    unsure = HIDDEN_TAIL * math.sqrt(max(0.0, kurtosis - 1) / (4 * reference.size))
    return _scaled(reference, current, deviation * largest, unsure)


def _scaled(reference: Floats, current: Floats, scale: float, unsure: float) -> Scaled:
    middle = reference[reference.size // 2] / 2  # halves, because a difference may overflow
    scale = max(scale, math.ulp(0.0))
    with np.errstate(over="ignore"):
        sides = [
            np.clip((side / 2 - middle) / scale * 2, -FARTHEST, FARTHEST)
            for side in (reference, current)
        ]
    return Scaled(sides[0], sides[1], unsure)


def _unsure_of_quartiles(values: Floats) -> float:
    """Standard error of the IQR of sorted values, from how far order statistics lie apart."""
    n = values.size
    half = math.sqrt(0.25 * 0.75 / n)
    errors = []
    for share in (0.25, 0.75):
        low, high = np.quantile(values, [max(0.0, share - half), min(1.0, share + half)])
        errors.append(float(high - low) / 2)
    low_error, high_error = errors
    together = low_error**2 + high_error**2 - 2 * CORRELATED * low_error * high_error
    return math.sqrt(max(0.0, together))
