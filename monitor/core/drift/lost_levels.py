"""Lost levels: which levels of the reference should have occurred in the window and did not?

It names what disappeared; how much that matters is decided by PSI, which counts the same rows.
"""

import math

from monitor.core.cells import Pair
from monitor.core.columns import Kind
from monitor.core.drift_socket import Bounds, Evidence, TestSpec

SPEC = TestSpec(
    title="lost levels",
    kinds=(Kind.CATEGORY, Kind.BOOLEAN),
    effect="reference share of the levels that are gone",
    unit="share of rows, 0 to 1",
    tolerance=0.05,
    must_see=0.3,
    asks="Did a level disappear that a window of this size should contain?",
    blind_to="levels too rare to be expected in the window",
    null_law="chance that all rows of the most frequent of them fell on the side of the "
    "reference, times the number of levels",
    source="Bonferroni bound on (1 − share) to the power of the window's rows",
    guard=True,
    conservative="the chance of each level counts once for every level there is",
    decides=False,
)
NAMED = 5


def measure(pair: Pair, bounds: Bounds) -> Evidence | None:
    """Evidence on the levels absent beyond chance; says nothing when there are none."""
    n, m = pair.sizes
    if not n or not m:
        return None
    levels, elsewhere = len(pair.reference.counts), math.log(n / (n + m)) / pair.design_effect
    absent = {
        level: levels * math.exp(count * elsewhere)
        for level, count in pair.reference.counts.items()
        if level not in pair.current.counts
    }
    gone = sorted(
        (level for level, p in absent.items() if p <= bounds.alpha),
        key=lambda level: -pair.reference.counts[level],
    )
    if not gone:
        return None
    share = sum(pair.reference.counts[level] for level in gone) / n
    more = f" and {len(gone) - NAMED} more" if len(gone) > NAMED else ""
    named = ", ".join(repr(level[:40]) for level in gone[:NAMED]) + more
    p_value = min(1.0, absent[gone[0]])
    return Evidence(statistic=share, effect=share, p_value=p_value, named=f"gone: {named}")
