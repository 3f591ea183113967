"""Changes whose true effect is exactly what a test tolerates, found on whole populations.

A population is a sample without noise: numbers at evenly spaced shares, levels in numbers so large
that rounding does not matter. The test itself measures its effect there, so each is held to its own
definition of an effect, with cells at the population's own quantiles. Some effects hold shares
against the pooled ones, so levels are counted in the proportion of both samples.
"""

from collections.abc import Callable
from functools import cache

import numpy as np
from scipy import optimize

from benchmarks.trust import populations
from benchmarks.trust.populations import LEVELS, Change
from benchmarks.trust.shortcuts import counting_only
from monitor.briefing import drift_tests
from monitor.core.cells import Pair
from monitor.core.columns import Kind
from monitor.core.drift_socket import Bounds
from monitor.core.summaries.summary import Summary

POINTS = 20_000  # of a population of numbers: shares are right to one in as many
ROWS = 8 * 10**8  # of both populations of levels together
PRECISE = 0.01  # an effect this near to the tolerance, relatively, is exactly it
FARTHEST = {"shift": 3.0, "scale": 12.0}


@cache
def change_at_tolerance(test: str, law: str, way: str, share: float = 0.5) -> Change | None:
    """The change of a law that is just tolerated; None when no change of this way is as large.

    `share` of the rows are those of the window.
    """
    tolerance = drift_tests()[test].SPEC.tolerance
    low, high = _range(law, way)

    def excess(size: float) -> float:
        return effect_of(test, law, Change(way, size), share) - tolerance

    if not excess(low) < 0 < excess(high):
        return None
    size = float(optimize.brentq(excess, low, high, xtol=1e-6, rtol=1e-6))
    return Change(way, size) if abs(excess(size)) <= PRECISE * tolerance else None


def effect_of(test: str, law: str, change: Change, share: float = 0.5) -> float:
    """The true effect of a change, as the test defines it."""
    kind, summary = _population(law)
    pair = Pair("x", kind, summary(populations.QUIET, 1 - share), summary(change, share))
    with counting_only("p_tolerance"):  # random tables of whole populations tell nothing
        found = drift_tests()[test].measure(pair, Bounds(0.01, 0.1, 1.0))
    return 0.0 if found is None or found.effect is None else found.effect


def _population(law: str) -> tuple[Kind, Callable[[Change, float], Summary]]:
    if law in LEVELS:
        return Kind.CATEGORY, lambda change, share: populations.counted(
            np.round(share * ROWS * populations.level_shares(law, change)).astype(np.int64)
        )
    shares = (np.arange(POINTS) + 0.5) / POINTS
    return Kind.NUMBER, lambda change, _: Summary(
        POINTS, 0, values=populations.values(law, shares, change)
    )


def _range(law: str, way: str) -> tuple[float, float]:
    """Sizes of a change from none at all to the largest."""
    if way in FARTHEST:
        return (0.0 if way == "shift" else 1.0), FARTHEST[way]
    start = 0.1
    if law in LEVELS:
        p = populations.level_shares(law)
        start = float(p[populations.rare_level(p)] if way.startswith("rare") else p[0])
    return start, 0.999 if way.endswith("up") else 1e-6
