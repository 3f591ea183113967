"""Unseen levels: is more of the window new than the reference leads us to expect?

A finite reference never holds every level. The share of a fresh window that it has not seen is
estimated by Good and Turing as f₁ / n, with f₁ the levels that occur once in n reference rows.
"""

from monitor.core.drift_socket import Bounds, Evidence, TestSpec
from monitor.core.records import Kind
from monitor.core.summary import Pair

SPEC = TestSpec(
    title="unseen share",
    kinds=(Kind.CATEGORY, Kind.BOOLEAN),
    effect="share of rows with a level the reference does not hold, beyond the expected share",
    unit="share of rows, 0 to 1",
    tolerance=0.05,
    must_see=0.3,
    asks="Do levels arrive that the reference has never seen?",
    blind_to="changes among known levels",
    null_law="binomial with the Good–Turing share of the reference",
    source="Good (1953)",
    guard=True,
)
NAMED = 5


def measure(pair: Pair, bounds: Bounds) -> Evidence | None:
    """Evidence from the levels of both sides; says nothing when every level is known."""
    n, m = pair.sizes
    unseen = {v: c for v, c in pair.current.counts.items() if v not in pair.reference.counts}
    if not unseen or not n:
        return None
    hits = sum(unseen.values())
    singletons = sum(count == 1 for count in pair.reference.counts.values())
    expected = min(1.0, singletons / n)
    share = hits / m
    allowed = min(1.0, expected + bounds.tolerance)
    chance = min(1.0, (singletons + 1) / (n + 1))  # f₁ itself is a sample: one more, to be fair
    return Evidence(
        statistic=share,
        effect=max(0.0, share - expected),
        low=max(0.0, _inverse_beta(hits, m - hits + 1, 0.025) - expected),
        high=max(0.0, _inverse_beta(hits + 1, m - hits, 0.975) - expected),
        p_value=_at_least(hits, m, chance),
        p_tolerance=_at_least(hits, m, allowed),
        threshold=_limit(m, allowed, bounds.alpha) - expected,
        note=f"new: {_names(unseen)}",
    )


def _at_least(hits: int, m: int, share: float) -> float:
    """P(X ≥ hits) for X ~ Binomial(m, share)."""
    from scipy import special

    return 1.0 if share >= 1 else float(special.bdtrc(hits - 1, m, share))


def _inverse_beta(a: int, b: int, probability: float) -> float:
    """Quantile of Beta(a, b), the ends of the exact interval of Clopper & Pearson; 1 when b = 0."""
    from scipy import special

    return float(special.betaincinv(a, b, probability)) if b else 1.0


def _limit(m: int, share: float, alpha: float) -> float:
    """The smallest observed share that alpha calls more than `share`."""
    low, high = 0, m + 1
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if _at_least(middle, m, share) <= alpha else (middle, high)
    return min(1.0, high / m)


def _names(levels: dict[str, int]) -> str:
    ranked = sorted(levels, key=lambda level: -levels[level])
    more = f" and {len(ranked) - NAMED} more" if len(ranked) > NAMED else ""
    return ", ".join(repr(level[:40]) for level in ranked[:NAMED]) + more
