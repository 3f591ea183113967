"""Unseen levels: is more of the window new than the reference leads us to expect?

A finite reference never holds every level. The share of a fresh window that it has not seen is
estimated by Good and Turing as f₁ / n, with f₁ the levels that occur once in n reference rows. The
estimate has a variance of (f₁ + 2 f₂) / n² (Esty 1983), about that of a share counted in
n · f₁ / (f₁ + 2 f₂) rows; as such a share it enters the tolerance test of two proportions. A
reference with more levels than are counted singly cannot tell which are new; PSI has the others.
"""

from collections.abc import Collection

import numpy as np

from monitor.core.cells import Pair
from monitor.core.columns import Kind
from monitor.core.drift_socket import Bounds, Evidence, TestSpec
from monitor.core.laws.proportions import (
    change_interval,
    effective_count,
    effective_rows,
    tolerance_limit,
    tolerance_p,
)
from monitor.core.numerals import share

SPEC = TestSpec(
    title="unseen share",
    kinds=(Kind.CATEGORY, Kind.BOOLEAN),
    effect="share of rows with a level the reference does not hold, beyond the expected share",
    unit="share of rows, 0 to 1",
    tolerance=0.05,
    must_see=0.3,
    asks="Do levels arrive that the reference has never seen?",
    blind_to="changes among known levels",
    null_law="two proportions, the reference's estimated by Good and Turing",
    source="Good (1953); Esty (1983)",
    guard=True,
    conservative="few unseen levels to expect: their count takes few values",
)
NAMED = 5
QUANTILES = (np.arange(100) + 0.5) / 100  # of the share that the reference leaves open


def measure(pair: Pair, bounds: Bounds) -> Evidence | None:
    """Evidence from the levels of both sides; says nothing when every level is known, or unsure."""
    n, m = pair.sizes
    unseen = {v: c for v, c in pair.current.counts.items() if v not in pair.reference.counts}
    if not unseen or not n or pair.reference.rest:
        return None
    hits = sum(unseen.values()) + pair.current.rest
    once, twice = (list(pair.reference.counts.values()).count(times) for times in (1, 2))
    design = pair.design_effect
    expected, rows = once / n, effective_rows(_rows_behind(n, once, twice), design)
    drawn = effective_rows(m, design)
    excess = hits / m - expected
    low, high = change_interval(expected, rows, hits / m, drawn)
    limit = tolerance_limit(expected, rows, drawn, bounds, upward=True)
    return Evidence(
        statistic=max(0.0, excess),
        effect=max(0.0, excess),
        low=max(0.0, low),
        high=max(0.0, high),
        p_value=_at_least(effective_count(hits, design), drawn, expected, rows),
        p_tolerance=tolerance_p(expected, rows, hits / m, drawn, bounds.tolerance)
        if excess > 0
        else 1.0,
        threshold=limit,
        named=f"new: {_names(unseen)}",
        what="; ".join(filter(None, (_expected(hits / m, expected), _blanks(pair, unseen)))),
    )


def _rows_behind(n: int, once: int, twice: int) -> int:
    """In how many rows a share would have been counted that varies like the estimate."""
    return max(1, round(n * once / (once + 2 * twice))) if once else n


def _at_least(hits: int, m: int, expected: float, rows: int) -> float:
    """P(X ≥ hits) for X ~ Binomial(m, share), when `rows` rows show the share to be `expected`."""
    from scipy import special

    if hits < 1:
        return 1.0
    seen = expected * rows
    shares = special.betaincinv(seen + 1, max(rows - seen, 1.0), QUANTILES)
    return float(np.mean(special.bdtrc(hits - 1, m, shares)))


def _expected(seen: float, expected: float) -> str:
    """Beside an effect that is less than the share of rows: how many were to be expected."""
    if share(seen) == share(max(0.0, seen - expected)):
        return ""
    return (
        f"levels the reference does not hold are in {share(seen)} of rows, and by those that "
        f"occur once in it {share(expected)} were to be expected"
    )


def _blanks(pair: Pair, unseen: Collection[str]) -> str:
    """How many of the new levels are old ones with other blanks around them."""
    known = {level.strip() for level in pair.reference.counts}
    if not (padded := sum(level.strip() in known for level in unseen)):
        return ""
    are = "is" if padded == 1 else "are"
    return f"less the blanks around them, {padded} of the {len(unseen)} new levels {are} known"


def _names(levels: dict[str, int]) -> str:
    ranked = sorted(levels, key=lambda level: -levels[level])
    more = f" and {len(ranked) - NAMED} more" if len(ranked) > NAMED else ""
    return ", ".join(repr(level[:40]) for level in ranked[:NAMED]) + more
