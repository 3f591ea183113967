"""Mean and spread of the finite values of a column, exactly, and of several parts together."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from monitor.core.columns import Floats

PART = 2**15  # values that are worked on at once: they stay in the processor's cache


@dataclass(frozen=True, slots=True)
class Moments:
    """Of finite values; the standard deviation divides by their number."""

    rows: int
    mean: float
    sd: float
    low: float
    high: float
    whole: bool  # every value is a whole number

    @classmethod
    def of(cls, finite: Floats) -> "Moments":
        """Of sorted finite values, shape (k,).

        >>> Moments.of(np.array([1.0, 2.0, 6.0])).mean
        3.0
        """
        if not finite.size:
            return cls(0, math.nan, math.nan, math.inf, -math.inf, True)
        scale = float(max(abs(finite[0]), abs(finite[-1]))) or 1.0  # 1e300 squared would overflow
        if 1e-100 < scale < 1e100:
            mean = float(finite.mean())
            sd = math.sqrt(_squares(finite, mean) / finite.size)
        else:
            scaled = finite / scale
            mean, sd = float(scaled.mean()) * scale, float(scaled.std()) * scale
        return cls(finite.size, mean, sd, float(finite[0]), float(finite[-1]), is_whole(finite))


def _squares(values: Floats, mean: float) -> float:
    """The sum of squared distances from the mean, part by part: a copy of all would cost most."""
    room, total = np.empty(min(values.size, PART)), 0.0
    for start in range(0, values.size, PART):
        part = values[start : start + PART]
        apart = np.subtract(part, mean, out=room[: part.size])
        np.multiply(apart, apart, out=apart)  # a dot product would start threads
        total += float(apart.sum())
    return total


def merged_moments(parts: Sequence[Moments]) -> Moments:
    """Of all parts together (Chan, Golub & LeVeque 1979), without squares that overflow.

    >>> one, other = (Moments.of(np.array(v)) for v in ([1.0, 2.0], [6.0]))
    >>> round(merged_moments([one, other]).sd, 6) == round(float(np.std([1, 2, 6])), 6)
    True
    """
    held = [part for part in parts if part.rows]
    if not held:
        return Moments.of(np.empty(0))
    total = held[0]
    for part in held[1:]:
        total = _joined(total, part)
    return total


def _joined(one: Moments, other: Moments) -> Moments:
    rows = one.rows + other.rows
    shares = one.rows / rows, other.rows / rows
    mean = one.mean * shares[0] + other.mean * shares[1]
    between = math.sqrt(shares[0] * shares[1]) * (other.mean - one.mean)
    sd = math.hypot(math.sqrt(shares[0]) * one.sd, math.sqrt(shares[1]) * other.sd, between)
    low, high = min(one.low, other.low), max(one.high, other.high)
    return Moments(rows, mean, sd, low, high, one.whole and other.whole)


def is_whole(values: Floats) -> bool:
    """Whether every value is a whole number; a first look spares most columns the long one."""
    return _whole(values[:: max(1, values.size // 64)]) and _whole(values)


def _whole(values: Floats) -> bool:
    return bool(np.all(values == np.trunc(values)))
