"""Two shares of rows against each other: exact and score tests with a tolerance.

The score test with a non-zero null difference is that of Farrington & Manning (1990).
"""

import math

import numpy as np

from monitor.core.chi_family import COVERAGE, smallest_window
from monitor.core.drift_socket import Bounds, Evidence

SMALL_EXPECTED = 5.0
Z_POWER = 0.8416  # standard normal quantile of the power .8


def evidence_of_shares(
    hits_reference: int, n: int, hits_current: int, m: int, bounds: Bounds, note: str = ""
) -> Evidence:
    """Evidence on the change of a share: effect = |current − reference|, in share of rows.

    `hits` of `n` reference and `m` window rows. p_value by Fisher's exact test when a count is
    small, else by the pooled score test; p_tolerance by the score test at the tolerance, two-sided.

    >>> e = evidence_of_shares(0, 1000, 500, 1000, Bounds(0.01, 0.05, 0.3))
    >>> e.effect, e.p_tolerance < 1e-9
    (0.5, True)
    """
    if not n or not m:
        return Evidence(missing_input=f"no rows in the {'window' if n else 'reference'}")
    before, now = hits_reference / n, hits_current / m
    half = _z(COVERAGE) * math.sqrt(before * (1 - before) / n + now * (1 - now) / m)
    limit = _limit(before, n, m, bounds)
    return Evidence(
        statistic=now,
        effect=abs(now - before),
        low=max(0.0, abs(now - before) - half),
        high=min(1.0, abs(now - before) + half),
        p_value=change_p(hits_reference, n, hits_current, m),
        p_tolerance=tolerance_p(before, n, now, m, bounds.tolerance),
        threshold=limit,
        minimum_detectable=_seen(limit, n, m),
        rows_needed=smallest_window(
            lambda rows: _seen(_limit(before, n, rows, bounds), n, rows) > bounds.must_see
        ),
        note=note,
    )


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
    """p of "the shares differ by at most `tolerance`", two-sided (twice the nearer tail)."""
    if abs(now - before) <= tolerance:
        return 1.0
    if now < before:  # test the complement, so that the difference is always upward
        before, now = 1 - before, 1 - now
    q, p = _restricted(now, m, before, n, tolerance)
    deviation = math.sqrt(q * (1 - q) / m + p * (1 - p) / n)
    if deviation <= 0:
        return 0.0
    z = (now - before - tolerance) / deviation
    return min(1.0, math.erfc(z / math.sqrt(2)))


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


def _limit(before: float, n: int, m: int, bounds: Bounds) -> float:
    """The smallest change that is proven to exceed the tolerance, in either direction."""
    upward = before <= 0.5

    def proven(gap: float) -> bool:
        now = before + gap if upward else before - gap
        return tolerance_p(before, n, now, m, bounds.tolerance) <= bounds.alpha

    low, high = bounds.tolerance, max(before, 1 - before)
    if not proven(high):
        return 1.0
    for _ in range(30):
        middle = (low + high) / 2
        low, high = (low, middle) if proven(middle) else (middle, high)
    return high


def _seen(limit: float, n: int, m: int) -> float:
    share = min(limit, 0.5)
    return limit + Z_POWER * math.sqrt(share * (1 - share) * (1 / n + 1 / m))


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


def _z(coverage: float) -> float:
    """Standard normal quantile of a two-sided coverage."""
    from scipy import special

    return float(special.ndtri(0.5 + coverage / 2))
