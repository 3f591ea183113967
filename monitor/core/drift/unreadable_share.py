"""Values that are no numbers in a number column: did their share change?"""

from monitor.core.cells import Pair
from monitor.core.columns import Kind
from monitor.core.drift_socket import Bounds, Evidence, TestSpec
from monitor.core.laws.proportions import evidence_of_shares

SPEC = TestSpec(
    title="change of the unreadable share",
    kinds=(Kind.NUMBER,),
    effect="change of the share of rows whose value is no number",
    unit="share of rows, 0 to 1",
    tolerance=0.05,
    must_see=0.3,
    asks="Do values arrive that cannot be read as the numbers the reference holds?",
    blind_to="everything about the values that can be read",
    null_law="two proportions; Fisher's exact test for small counts",
    source="Farrington & Manning (1990)",
    guard=True,
)


def measure(pair: Pair, bounds: Bounds) -> Evidence | None:
    """Evidence from the unreadable counts; says nothing when every value is a number."""
    before, now = pair.reference.unreadable, pair.current.unreadable
    if not before and not now:
        return None
    rows = pair.reference.rows, pair.current.rows
    return evidence_of_shares(before, rows[0], now, rows[1], bounds, pair.design_effect)
