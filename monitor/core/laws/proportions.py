"""Two shares of rows against each other: did they change, and by more than is tolerated?

The tolerance test sums the exact probabilities of all outcomes at least as far apart as the one at
hand (where the reference has many, of every k-th, which stands for its neighbours), at the most
likely shares that differ by the tolerance (those of Farrington & Manning 1990);
the interval is the hybrid score interval of Newcombe (1998). Both hold for few rows and for shares
near zero, where the normal law is too short.
"""

import math
from collections.abc import Callable
from functools import lru_cache

import numpy as np

from monitor.core.columns import Floats
from monitor.core.drift_socket import Bounds, Evidence
from monitor.core.laws.chi_family import smallest_window
from monitor.core.laws.promises import Z_COVERAGE, Z_POWER

SMALL_EXPECTED = 5.0
ENUMERATED = 100  # outcomes of the reference that are looked at
RESOLUTION = 2**-16  # of the largest change there can be
Point = tuple[float, float]
MARGIN_LIKELY = 3.0  # standard errors, at their widest


def evidence_of_shares(
    hits_reference: int,
    n: int,
    hits_current: int,
    m: int,
    bounds: Bounds,
    design_effect: float = 1.0,
) -> Evidence:
    """Evidence on the change of a share: effect = |current − reference|, in share of rows.

    `hits` of `n` reference and `m` window rows. p_value by Fisher's exact test when a count is
    small, else by the pooled score test; p_tolerance as `tolerance_p`. Every law counts each
    `design_effect` rows as one.

    >>> e = evidence_of_shares(0, 1000, 500, 1000, Bounds(0.01, 0.05, 0.3))
    >>> e.effect, e.p_tolerance < 1e-9
    (0.5, True)
    """
    if not n or not m:
        return Evidence(missing_input=f"no rows in the {'window' if n else 'reference'}")
    before, now = hits_reference / n, hits_current / m
    x, y = (effective_count(hits, design_effect) for hits in (hits_reference, hits_current))
    n, m = (effective_rows(rows, design_effect) for rows in (n, m))
    low, high = change_interval(before, n, now, m)
    smallest = _effect_seen(before, n, m, bounds)
    blind = smallest > bounds.must_see
    return Evidence(
        statistic=abs(now - before),
        effect=abs(now - before),
        low=max(0.0, low, -high),
        high=max(-low, high),
        p_value=change_p(x, n, y, m),
        p_tolerance=tolerance_p(before, n, now, m, bounds.tolerance),
        threshold=tolerance_limit(before, n, m, bounds, upward=now >= before),
        minimum_detectable=smallest,
        rows_needed=_rows_to_see(before, n, bounds, design_effect) if blind else None,
    )


def effective_count(count: int, design_effect: float) -> int:
    """How many independent rows vary as `count` rows do; whole, as the exact laws need them.

    >>> effective_count(1000, 1.0), effective_count(1000, 2.5)
    (1000, 400)
    """
    return round(count / design_effect)


def effective_rows(rows: int, design_effect: float) -> int:
    """The same of all rows of a side: where there are any, they are at least one."""
    return max(1, effective_count(rows, design_effect))


def change_p(hits_reference: int, n: int, hits_current: int, m: int) -> float:
    """Two-sided p of "both shares are equal"."""
    hits = hits_reference + hits_current
    smaller = min(hits, n + m - hits) * min(n, m) / (n + m)
    if smaller < SMALL_EXPECTED:
        return _fisher(hits_current, m, hits, n + m)
    pooled = hits / (n + m)
    deviation = math.sqrt(pooled * (1 - pooled) * (1 / n + 1 / m))
    return math.erfc(abs(hits_reference / n - hits_current / m) / deviation / math.sqrt(2))


def tolerance_p(before: float, n: int, now: float, m: int, tolerance: float) -> float:
    """p of "the true shares differ by at most `tolerance`", in either direction; 0 to 1.

    >>> tolerance_p(0.1, 10**9, 4 / 20, 20, 0.05) > 0.16  # P(at least 4 of 20) at a share of .15
    True
    """
    gap = abs(now - before)
    if gap <= tolerance:
        return 1.0
    if now < before:  # count the complement, so that the change is always upward
        before, now = 1 - before, 1 - now
    q, p = _restricted(now, m, before, n, tolerance)
    outcomes, weights = _outcomes(p, n)
    gap -= 0.5 / min(n, m)  # the finer side must not break the ties of the coarser one
    above = _at_least(np.ceil(m * (outcomes + gap) - 1e-9), m, q)
    below = 1 - _at_least(np.floor(m * (outcomes - gap) + 1e-9) + 1, m, q)
    return float(min(1.0, np.sum(weights * (above + below))))


def _outcomes(p: float, n: int) -> tuple[Floats, Floats]:
    """Shares that n reference rows may show when the truth is p, with their probabilities.

    Of many outcomes each k-th stands for its neighbours: a normal law would have lighter tails on
    one side, and tails count where alpha is small.
    """
    from scipy import special

    deviation = math.sqrt(n * p * (1 - p))
    low, high = max(0, math.floor(n * p - 8 * deviation - 8)), n * p + 8 * deviation + 8
    step = max(1, math.ceil((high - low) / ENUMERATED))
    hits = np.arange(low, min(n, math.floor(high)) + 1, step)
    logs = -special.gammaln(hits + 1) - special.gammaln(n - hits + 1)
    logs = logs + special.xlogy(hits, p) + special.xlog1py(n - hits, -p)
    weights = np.exp(logs - logs.max())
    return hits / n, weights / weights.sum()


def _at_least(hits: Floats, m: int, q: float) -> Floats:
    """P(X ≥ hits) for X ~ Binomial(m, q), for any whole numbers."""
    from scipy import special

    inside = np.clip(hits, 1, m)
    found = special.betainc(inside, m - inside + 1, q)
    return np.asarray(np.where(hits < 1, 1.0, np.where(hits > m, 0.0, found)))


def _restricted(now: float, m: int, before: float, n: int, gap: float) -> tuple[float, float]:
    """Maximum likelihood shares under `now − before = gap` (closed form of the cubic)."""
    ratio = n / m
    a = 1 + ratio
    b = -(1 + ratio + now + ratio * before + gap * (ratio + 2))
    c = gap**2 + gap * (2 * now + ratio + 1) + now + ratio * before
    d = -now * gap * (1 + gap)
    v = b**3 / (3 * a) ** 3 - b * c / (6 * a**2) + d / (2 * a)
    u = math.copysign(math.sqrt(max(0.0, b**2 / (3 * a) ** 2 - c / (3 * a))), v)
    cosine = 1.0 if u == 0 else min(1.0, max(-1.0, v / u**3))
    restricted = 2 * u * math.cos((math.pi + math.acos(cosine)) / 3) - b / (3 * a)
    share = min(1.0, max(gap, restricted))
    return share, share - gap


def change_interval(
    before: float, n: int, now: float, m: int, z: float = Z_COVERAGE
) -> tuple[float, float]:
    """Interval of the change `now − before`, by default of 95 %; `z` standard deviations wide.

    >>> low, high = change_interval(0.0, 1000, 0.0, 100)
    >>> round(low, 3), round(high, 3)
    (-0.004, 0.037)
    """
    (before_low, before_high), (now_low, now_high) = _wilson(before, n, z), _wilson(now, m, z)
    change = now - before
    return (
        change - math.hypot(now - now_low, before_high - before),
        change + math.hypot(now_high - now, before - before_low),
    )


def _wilson(share: float, rows: int, z: float) -> tuple[float, float]:
    z2 = z**2
    centre = share + z2 / (2 * rows)
    half = z * math.sqrt(share * (1 - share) / rows + z2 / (4 * rows**2))
    return max(0.0, (centre - half) / (1 + z2 / rows)), min(1.0, (centre + half) / (1 + z2 / rows))


@lru_cache(maxsize=1024)  # the same limit is the threshold and tells what would be seen
def tolerance_limit(before: float, n: int, m: int, bounds: Bounds, *, upward: bool) -> float | None:
    """The smallest change in one direction that is proven to exceed the tolerance."""

    def evidence(gap: float) -> float:
        now = before + gap if upward else before - gap
        return _deviations(tolerance_p(before, n, now, m, bounds.tolerance))

    enough = _deviations(bounds.alpha)
    least, most = bounds.tolerance, 1 - before if upward else before
    if most <= least or (at_most := evidence(most)) < enough:
        return None
    low, high = (least, 0.0), (most, at_most)  # at the tolerance p is about a half
    near = least + MARGIN_LIKELY * math.sqrt(0.25 / n + 0.25 / m)  # most often it is no farther
    if near < most:
        there = near, evidence(near)
        low, high = (low, there) if there[1] >= enough else (there, high)
    return _crossing(evidence, enough, low, high, (most - least) * RESOLUTION)


def _deviations(p: float) -> float:
    """The standard deviations at which a normal law has this tail: nearly a line of the change."""
    from scipy import special

    return -float(special.ndtri(min(max(p, 1e-300), 0.999)))


def _crossing(
    value: Callable[[float], float], wanted: float, low: Point, high: Point, resolution: float
) -> float:
    """The first place, or at most `resolution` beyond it, where `value` is as large as is wanted.

    It is smaller just after `low` and not at `high`, each a place and a value. Where a line between
    the two is as large as wanted is tried, with a place just before it; then the middle, unless one
    of the two left less than half of the way.
    """

    def narrowed(at: float, low: Point, high: Point) -> tuple[Point, Point]:
        if not low[0] < at < high[0]:
            return low, high
        there = at, value(at)
        return (low, there) if there[1] >= wanted else (there, high)

    while (width := high[0] - low[0]) > resolution:
        guess = low[0] + width * (wanted - low[1]) / max(high[1] - low[1], 1e-9)
        low, high = narrowed(guess + resolution / 4, low, high)
        low, high = narrowed(guess - resolution / 4, low, high)
        if high[0] - low[0] > width / 2:
            low, high = narrowed((low[0] + high[0]) / 2, low, high)
    return high[0]


def _effect_seen(before: float, n: int, m: int, bounds: Bounds) -> float:
    """The true change that is proven with probability .8, in the direction that has room."""
    upward = before <= 0.5
    limit = tolerance_limit(before, n, m, bounds, upward=upward)
    if limit is None:
        return 1.0
    now = min(before + limit, 0.5) if upward else max(before - limit, 0.5)
    return min(1.0, limit + Z_POWER * math.sqrt(now * (1 - now) / m + before * (1 - before) / n))


def _rows_to_see(before: float, n: int, bounds: Bounds, design_effect: float) -> int | None:
    """The fewest window rows that see a change of must_see; None when no window would do.

    `n` counts independent reference rows, the answer rows as they come.
    """

    def blind(rows: int) -> bool:
        independent = effective_rows(rows, design_effect)
        return _effect_seen(before, n, independent, bounds) > bounds.must_see

    return smallest_window(blind)


def _fisher(hits: int, drawn: int, marked: int, total: int) -> float:
    """Two-sided Fisher p: tables at most as likely as the one seen, given both margins."""
    from scipy import special

    low, high = max(0, marked + drawn - total), min(marked, drawn)
    k = np.arange(low, high + 1)

    def log_choose(a: float, b: np.ndarray) -> np.ndarray:
        return np.asarray(
            special.gammaln(a + 1) - special.gammaln(b + 1) - special.gammaln(a - b + 1)
        )

    logs = log_choose(marked, k) + log_choose(total - marked, drawn - k)
    weights = np.exp(logs - logs.max())
    likely = weights[hits - low] * (1 + 1e-7)
    return float(min(1.0, weights[weights <= likely].sum() / weights.sum()))
