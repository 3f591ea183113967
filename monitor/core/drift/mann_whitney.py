"""Mann–Whitney: is a row of the window more often above, or more often below, a reference row?

AUC = P(window > reference) + ½ P(equal); the effect |2 AUC − 1| is the rank-biserial correlation.
p is exact for small samples without ties, else normal with the variance corrected for ties and for
continuity. Beyond the tolerance each side's own spread of ranks counts, with t quantiles, since
the variance of the null law is wrong once the sides differ. Infinite values are the largest and
the smallest.
Source: Mann & Whitney (1947); Brunner & Munzel (2000); DeLong et al. (1988).
"""

import math
from dataclasses import replace

import numpy as np

from monitor.core.cells import Pair
from monitor.core.columns import Floats, Kind
from monitor.core.drift_socket import Bounds, Evidence, TestSpec
from monitor.core.laws.chi_family import smallest_window
from monitor.core.laws.mean_law import MeanLaw, evidence_of_gap, gap_seen, satterthwaite
from monitor.core.laws.scale import too_few

SPEC = TestSpec(
    title="rank-biserial correlation",
    kinds=(Kind.NUMBER, Kind.TEXT),
    effect="|2 AUC − 1|: how much more often one side is above the other than below",
    unit="share, 0 to 1",
    tolerance=0.15,  # a normal column shifted by .25 sd: .141, KS .1
    must_see=0.5,  # by .9 sd: .48, KS .35
    asks="Are the window's values mostly larger, or mostly smaller?",
    blind_to="changes of spread or shape that leave the middle in place; missing values",
    null_law="exact for small samples without ties, else normal, corrected for ties",
    source="Mann & Whitney (1947); Brunner & Munzel (2000)",
    default=False,
    needs_rows=True,
    aliases=("mann_whitney_u", "mannw", "mannwhitneyu", "ranksums", "wilcoxon_rank_sum"),
)
EXACT_UP_TO = 40  # rows of both sides together
EVEN = 1 / 12  # variance of ranks, as shares, where neither side is above


def measure(pair: Pair, bounds: Bounds) -> Evidence | None:
    """Evidence from the sorted values of a pair."""
    reference, current = pair.reference.values, pair.current.values
    assert reference is not None and current is not None
    nothing = too_few(reference, current)
    if nothing:
        return nothing
    n, m = pair.effective
    above = _placements(reference, current)
    gap = 2 * float(np.mean(above)) - 1
    law = _law(_variance(_placements(current, reference), n), n, _variance(above, m), m)
    exact = pair.design_effect == 1 and _is_small(reference, current)
    p_value = _exact_p(reference, current) if exact else _normal_p(gap, reference, current, pair)
    found = evidence_of_gap(gap, law, p_value, bounds)
    smallest = effect_seen(n, m, bounds)
    return replace(
        found,
        high=min(1.0, found.high or 0.0),
        p_tolerance=max(found.p_tolerance or 0.0, _by_chance(min(n, m), abs(gap), bounds)),
        minimum_detectable=smallest,
        rows_needed=rows_to_see(n, bounds, pair.design_effect)
        if smallest > bounds.must_see
        else None,
        law=_direction(gap, "exact law" if exact else "normal law"),
    )


def _placements(reference: Floats, values: Floats) -> Floats:
    """Share of the sorted reference below each value, equal ones counted half; shape (k,)."""
    below, upto = (np.searchsorted(reference, values, side) for side in ("left", "right"))
    return np.asarray((below + upto) / (2 * reference.size))


def _variance(placements: Floats, rows: float) -> float:
    """Squared error of the mean placement; at least half a row, for a few may all agree."""
    spread = float(np.var(placements)) * placements.size / (placements.size - 1)
    return max(spread / rows, 0.25 / (rows * (rows + 1)))


def _law(before: float, n: float, now: float, m: float) -> MeanLaw:
    return MeanLaw(2 * math.sqrt(before + now), satterthwaite(before, n, now, m))


def _by_chance(rows: float, effect: float, bounds: Bounds) -> float:
    """How likely all rows lie on one side, each with the largest tolerated probability."""
    return ((1 + min(bounds.tolerance, 1.0)) / 2) ** rows if effect > bounds.tolerance else 0.0


def _is_small(reference: Floats, current: Floats) -> bool:
    rows = reference.size + current.size
    return rows <= EXACT_UP_TO and np.unique(np.concatenate([reference, current])).size == rows


def _exact_p(reference: Floats, current: Floats) -> float:
    from scipy import stats

    return float(min(1.0, stats.mannwhitneyu(reference, current, method="exact").pvalue))


def _normal_p(gap: float, reference: Floats, current: Floats, pair: Pair) -> float:
    """Two-sided normal tail of U, variance corrected for ties, half a step for continuity."""
    n, m = reference.size, current.size
    rows = n + m
    pooled = np.sort(np.concatenate([reference, current]), kind="stable")
    ties = np.diff(np.flatnonzero(np.r_[True, pooled[1:] != pooled[:-1], True])).astype(float)
    tied = float(np.sum(ties**3 - ties)) / (rows * (rows - 1))
    variance = n * m / 12 * (rows + 1 - tied) * pair.design_effect
    if variance <= 0:
        return 1.0
    distance = max(0.0, abs(gap) * n * m / 2 - 0.5)
    return math.erfc(distance / math.sqrt(2 * variance))


def _direction(gap: float, law: str) -> str:
    if gap == 0:
        return law
    return f"{law}; the window is {'above' if gap > 0 else 'below'} more often"


def effect_seen(n: float, m: float, bounds: Bounds) -> float:
    """The true effect that is proven to exceed the tolerance with probability .8."""
    return gap_seen(_law(EVEN / n, n, EVEN / m, m), bounds)


def rows_to_see(n: float, bounds: Bounds, design: float) -> int | None:
    """The fewest window rows that see an effect of must_see; None when no window would do."""
    return smallest_window(lambda rows: effect_seen(n, rows / design, bounds) > bounds.must_see)
