"""Anderson–Darling: squared differences of the cumulative shares, those in the tails weighed up.

A² = nm/N ∫ (F − G)² / (H (1 − H)) dH over the pooled rows H; p is that of the limiting weighted
sum of chi-squares (weights 1 / (j (j + 1)) without ties, from the pooled ranks in any case). The
effect takes the equal mixture of both sides for H, so it does not grow with the rows. Infinite
values are the largest and the smallest.
Source: Pettitt (1976); Scholz & Stephens (1987).
"""

import numpy as np

from monitor.core.cells import Pair
from monitor.core.columns import Floats, Kind
from monitor.core.drift_socket import Bounds, Evidence, TestSpec
from monitor.core.laws.rank_norm import ORDERS, Weight, evidence_of_ranks

SPEC = TestSpec(
    title="Anderson–Darling distance",
    kinds=(Kind.NUMBER, Kind.TEXT),
    effect="root mean square difference of the cumulative shares, each over its own deviation",
    unit="0 to 1",
    tolerance=0.17,  # a normal column shifted by .25 sd: .173, KS .1
    must_see=0.6,  # by .9 sd: .59, KS .35
    asks="Do the cumulative shares differ, in the middle or in the tails?",
    blind_to="how far values moved; missing values",
    null_law="a weighted sum of chi-squares",
    source="Pettitt (1976)",
    default=False,
    needs_rows=True,
    aliases=("ad", "anderson", "anderson_ksamp"),
)
AXES = 1 / (ORDERS * (ORDERS + 1))


def measure(pair: Pair, bounds: Bounds) -> Evidence | None:
    """Evidence from the sorted values of a pair."""
    return evidence_of_ranks(pair, bounds, Weight(_weight, _slope, AXES, _no_exact_p))


def _weight(below: Floats) -> Floats:
    return np.asarray(1 / (below * (1 - below)))


def _slope(below: Floats) -> Floats:
    return np.asarray((2 * below - 1) / (below * (1 - below)) ** 2)


def _no_exact_p(reference: Floats, current: Floats) -> None:
    return None
