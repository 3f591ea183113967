"""Cramér–von Mises: the mean squared difference of the cumulative shares of both sides.

The statistic is nm/N times that mean over the pooled rows; p is exact for small samples without
ties, else that of the limiting weighted sum of chi-squares, its weights taken from the pooled
ranks, ties included. The effect is the root mean square difference over the equal mixture of both
sides, so it does not grow with the rows. Infinite values are the largest and the smallest.
Source: Anderson (1962); Kiefer (1959).
"""

import numpy as np

from monitor.core.cells import Pair
from monitor.core.columns import Floats, Kind
from monitor.core.drift_socket import Bounds, Evidence, TestSpec
from monitor.core.laws.rank_norm import ORDERS, Weight, evidence_of_ranks

SPEC = TestSpec(
    title="Cramér–von Mises distance",
    kinds=(Kind.NUMBER, Kind.TEXT),
    effect="root mean square difference of the cumulative shares",
    unit="share, 0 to 0.58",
    tolerance=0.075,  # a normal column shifted by .25 sd: .076, KS .1
    must_see=0.25,  # by .9 sd: .26, KS .35
    asks="Do the cumulative shares differ over the whole range of values?",
    blind_to="changes in the tails; how far values moved; missing values",
    null_law="exact for small samples without ties, else a weighted sum of chi-squares",
    source="Anderson (1962)",
    default=False,
    needs_rows=True,
    aliases=("cramer_von_mises_2samp", "cramervonmises", "cramervonmises_2samp", "cvm"),
)
EXACT_UP_TO = 20
AXES = 1 / (np.pi * ORDERS) ** 2


def measure(pair: Pair, bounds: Bounds) -> Evidence | None:
    """Evidence from the sorted values of a pair."""
    return evidence_of_ranks(pair, bounds, Weight(_even, _flat, AXES, _exact_p))


def _even(below: Floats) -> Floats:
    return np.ones_like(below)


def _flat(below: Floats) -> Floats:
    return np.zeros_like(below)


def _exact_p(reference: Floats, current: Floats) -> float | None:
    """Two small samples without ties; None for any other."""
    from scipy import stats

    rows = reference.size, current.size
    if min(rows) < 2 or max(rows) > EXACT_UP_TO:
        return None
    if np.unique(np.concatenate([reference, current])).size < sum(rows):
        return None
    return float(np.clip(stats.cramervonmises_2samp(reference, current, "exact").pvalue, 0, 1))
