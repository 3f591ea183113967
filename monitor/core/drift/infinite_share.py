"""Infinite values: did the share of rows that hold +inf or -inf change?"""

from monitor.core.cells import Pair
from monitor.core.columns import Kind
from monitor.core.drift_socket import Bounds, Evidence, TestSpec
from monitor.core.laws.proportions import evidence_of_shares

SPEC = TestSpec(
    title="change of the infinite share",
    kinds=(Kind.NUMBER,),
    effect="change of the share of rows that hold an infinite value",
    unit="share of rows, 0 to 1",
    tolerance=0.05,
    must_see=0.3,
    asks="Did the share of infinite values change?",
    blind_to="everything about finite values",
    null_law="two proportions; Fisher's exact test for small counts",
    source="Farrington & Manning (1990)",
    guard=True,
)


def measure(pair: Pair, bounds: Bounds) -> Evidence | None:
    """Evidence from the infinite counts; says nothing when both sides are finite."""
    before, now = pair.reference.infinite, pair.current.infinite
    if not before and not now:
        return None
    rows = pair.reference.rows, pair.current.rows
    return evidence_of_shares(before, rows[0], now, rows[1], bounds, pair.design_effect)
