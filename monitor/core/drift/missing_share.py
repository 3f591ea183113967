"""Missing values: did the share of rows without a value change?"""

from monitor.core.cells import Pair
from monitor.core.columns import COMPARED_KINDS
from monitor.core.drift_socket import Bounds, Evidence, TestSpec
from monitor.core.laws.proportions import evidence_of_shares

SPEC = TestSpec(
    title="change of the missing share",
    kinds=COMPARED_KINDS,
    effect="change of the share of rows without a value",
    unit="share of rows, 0 to 1",
    tolerance=0.05,
    must_see=0.3,
    asks="Did the share of missing values change?",
    blind_to="everything about the values that are there",
    null_law="two proportions; Fisher's exact test for small counts",
    source="Farrington & Manning (1990)",
    guard=True,
)


def measure(pair: Pair, bounds: Bounds) -> Evidence | None:
    """Evidence from the missing counts; says nothing when no side misses a value."""
    reference, current = pair.reference, pair.current
    if not reference.missing and not current.missing:
        return None
    return evidence_of_shares(
        reference.missing,
        reference.rows,
        current.missing,
        current.rows,
        bounds,
        pair.design_effect,
    )
