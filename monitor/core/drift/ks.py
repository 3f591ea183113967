"""Kolmogorov–Smirnov: the largest distance between the two distribution functions.

D = max |F − G|, with D and p as `scipy.stats.ks_2samp` computes them: the exact law up to 10 000
values a side, the asymptotic one beyond and where rows are alike and count for fewer. Ties make p
conservative. Whether D exceeds the tolerance is judged by the inequality of Dvoretzky, Kiefer &
Wolfowitz with Massart's constant on both sides, which is proven for every sample size and hence
conservative.
Source: Hodges (1958) and Gnedenko & Korolyuk (1951) for the exact law, Massart (1990).
"""

import math
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from monitor.core.cells import Pair
from monitor.core.columns import Floats, Kind
from monitor.core.drift_socket import Bounds, Evidence, TestSpec
from monitor.core.laws.chi_family import smallest_window
from monitor.core.laws.promises import COVERAGE, Z_POWER

SPEC = TestSpec(
    title="KS",
    kinds=(Kind.NUMBER, Kind.TEXT),
    effect="largest difference of the cumulative shares",
    unit="share, 0 to 1",
    tolerance=0.1,
    must_see=0.35,
    asks="Is there a value below which the share of rows changed?",
    blind_to="changes in the tails that move few rows; missing values",
    null_law="two-sample Kolmogorov–Smirnov, exact up to 10 000 values a side; ties conservative",
    source="Hodges (1958); Massart (1990)",
    aliases=("kolmogorov_smirnov", "ks_2samp", "ks_test"),
    conservative="where values are tied, D is smaller than the law of distinct values says",
)
EXACT_UP_TO = 10_000
MANY = 10_000  # rows from which the limit, moved on, is as good as the exact law of one sample
BLOCK = 16, 64  # values, at least and at most
Places = NDArray[np.int64]
Ranks = tuple[Places, Places]  # how many values are at most, and how many are below


def measure(pair: Pair, bounds: Bounds) -> Evidence | None:
    """Evidence from the sorted values of a pair, or from points that stand for them."""
    n, m = pair.sizes
    if not n or not m:
        return Evidence(missing_input=f"no values in the {'window' if n else 'reference'}")
    reference, current = pair.reference.values, pair.current.values
    assert reference is not None and current is not None
    d = ks_distance(reference, current)
    off = pair.reference.rank_error + pair.current.rank_error
    careful = replace(bounds, tolerance=bounds.tolerance + off)
    p_value, law = _p_value(pair, d, off)
    rows = pair.effective
    noise = _noise(*rows)
    margin = _margin(1 - COVERAGE) * noise + off
    smallest = effect_seen(*rows, careful)
    return Evidence(
        statistic=d,
        effect=d,
        low=max(0.0, d - margin),
        high=min(1.0, d + margin),
        p_value=p_value,
        p_tolerance=_tolerance_p(d, careful.tolerance, noise),
        threshold=min(1.0, careful.tolerance + _margin(bounds.alpha) * noise),
        minimum_detectable=smallest,
        rows_needed=rows_to_see(rows[0], careful, pair.design_effect)
        if smallest > bounds.must_see
        else None,
        law=law,
        error_bound=off,
    )


def ks_distance(reference: Floats, current: Floats) -> float:
    """D of two sorted samples of shapes (n,) and (m,); 0 to 1; neither may be empty.

    1. Both distribution functions are known where blocks of the larger sample begin.
    2. Between two of these neither can grow by more than it does from one to the next. Only where
       that leaves room for a larger distance are the values between looked at.
    3. There the distance is largest at a value of the smaller sample, or just before it.

    >>> ks_distance(np.arange(1.0, 21.0), np.arange(4.0, 24.0))
    0.15000000000000002
    """
    few, many = sorted((reference, current), key=len)
    # 1.
    places = np.arange(0, many.size, _block(many.size))
    grid = many[places]
    own = places + 1, places
    ranks = _corrected(many, grid, *own), _ranks(few, grid)
    after, before = (
        np.array([of_few / few.size, of_many / many.size])
        for of_many, of_few in zip(*ranks, strict=True)
    )
    largest = float(max(np.max(np.abs(after[0] - after[1])), np.max(np.abs(before[0] - before[1]))))
    # 2.
    low = np.concatenate([[[0.0], [0.0]], after], axis=1)  # at the beginning of each block
    high = np.concatenate([before, [[1.0], [1.0]]], axis=1)  # at its end
    room = np.maximum(high[0] - low[1], high[1] - low[0])
    ends = np.rint(np.stack([low[0], high[0]]) * few.size).astype(np.int64)
    promising = np.argsort(-room)
    opened, more = 0, 16
    while opened < promising.size and room[promising[opened]] > largest:
        blocks = promising[opened : opened + more]
        # 3.
        blocks = blocks[room[blocks] > largest]
        largest = max(largest, _at_values(few, many, _ranges(*ends[:, blocks])))
        opened, more = opened + more, more * 8
    return largest


def _block(values: int) -> int:
    """Small blocks cost searches for where they begin, large ones leave too many to be opened."""
    least, most = BLOCK
    return int(min(most, max(least, math.sqrt(values) / 9)))


def _ranks(values: Floats, at: Floats) -> Ranks:
    """How many of some sorted values are at most, and how many are below, each of others."""
    below = np.searchsorted(values, at, "left")
    return _corrected(values, at, below, below)


def _corrected(values: Floats, at: Floats, after: Places, before: Places) -> Ranks:
    """The same, given what would be right if no value came twice: searched for where one does.

    >>> ones = np.array([1.0, 1.0, 2.0])
    >>> [ranks.tolist() for ranks in _corrected(ones, ones[:1], np.array([1]), np.array([0]))]
    [[2], [0]]
    """
    last = values.size - 1
    more = (after <= last) & (values[np.minimum(after, last)] == at)
    fewer = (before > 0) & (values[np.maximum(before - 1, 0)] == at)
    after, before = after.copy(), before.copy()
    after[more] = np.searchsorted(values, at[more], "right")
    before[fewer] = np.searchsorted(values, at[fewer], "left")
    return after, before


def _ranges(starts: NDArray[np.int64], ends: NDArray[np.int64]) -> NDArray[np.int64]:
    """All places from each start up to its end.

    >>> _ranges(np.array([7, 2]), np.array([9, 3])).tolist()
    [7, 8, 2]
    """
    sizes = np.maximum(ends - starts, 0)
    firsts = np.repeat(starts - (np.cumsum(sizes) - sizes), sizes)
    return firsts + np.arange(firsts.size)


def _at_values(few: Floats, many: Floats, places: NDArray[np.int64]) -> float:
    """The largest distance at some values of the smaller sample, or just before them."""
    if not places.size:
        return 0.0
    values = few[np.sort(places)]
    ranks = zip(_ranks(few, values), _ranks(many, values), strict=True)
    distances = [of_few / few.size - of_many / many.size for of_few, of_many in ranks]
    return float(np.max(np.abs(distances)))


def _p_value(pair: Pair, d: float, off: float) -> tuple[float, str]:
    """Of the smallest D that all rows can have: points prove no more than that."""
    n, m = pair.sizes
    if off or max(n, m) > EXACT_UP_TO or pair.design_effect > 1:
        rows = max(1, round(n * m / (n + m) / pair.design_effect))
        return asymptotic_p(max(0.0, d - off), rows), "asymptotic law"
    if n == m:
        return _equal_sizes_p(n, round(d * n)), "exact law"
    if d * max(n, m) < 1 + 1e-9:  # without ties no two samples are closer
        return 1.0, "exact law"
    from scipy import stats

    found = stats.ks_2samp(pair.reference.values, pair.current.values, method="exact")
    return float(found.pvalue), "exact law"


def asymptotic_p(d: float, rows: int) -> float:
    """P(D ≥ d) of one sample of `rows` rows, which two samples of nm/(n + m) follow in the limit.

    Few rows: the exact law of one sample. Many: Kolmogorov's limit, its argument moved on as
    Vrbik (2020) has it, which leaves an error below 3e-6.

    >>> round(asymptotic_p(0.01, 10_000), 5)
    0.26822
    """
    from scipy import special

    if rows < MANY:
        from scipy import stats

        return float(np.clip(stats.kstwo.sf(d, rows), 0, 1))
    z = d * math.sqrt(rows)
    moved = z + 1 / (6 * math.sqrt(rows)) + (z - 1) / (4 * rows)
    return float(special.kolmogorov(max(0.0, moved)))


def _equal_sizes_p(n: int, steps: int) -> float:
    """P(D ≥ steps / n): 2 Σ (−1)^(i−1) C(2n, n − i·steps) / C(2n, n), summed from the last term.

    Gnedenko & Korolyuk (1951). Left to scipy, p = 1 may come out as a hair above 1, which it takes
    for a failure, warns, and falls back to the asymptotic law.
    """
    if steps <= 1:
        return 1.0
    negligible = math.ceil(math.sqrt(800 * n) / steps)  # terms fall like exp(−(i·steps)² / n)
    total = 0.0
    for i in range(min(n // steps, negligible), 0, -1):
        above = np.arange((i - 1) * steps, i * steps)
        total = float(np.prod((n - above) / (n + above + 1))) * (1 - total)
    return min(1.0, 2 * total)


def _noise(n: float, m: float) -> float:
    return 1 / math.sqrt(n) + 1 / math.sqrt(m)


def _margin(alpha: float) -> float:
    """How many units of noise D stays within its truth, except with probability alpha."""
    return math.sqrt(math.log(4 / alpha) / 2)


def _tolerance_p(d: float, tolerance: float, noise: float) -> float:
    """The alpha at which D would just exceed tolerance + margin."""
    if d <= tolerance:
        return 1.0
    return min(1.0, 4 * math.exp(-2 * ((d - tolerance) / noise) ** 2))


def effect_seen(n: float, m: float, bounds: Bounds) -> float:
    """The true D whose estimate exceeds the threshold with probability .8, nearly normal."""
    spread = 0.5 * math.sqrt(1 / n + 1 / m)
    return bounds.tolerance + _margin(bounds.alpha) * _noise(n, m) + Z_POWER * spread


def rows_to_see(n: float, bounds: Bounds, design_effect: float = 1.0) -> int | None:
    """The fewest window rows that see an effect of must_see; None when no window would do.

    `n` are independent reference rows, `design_effect` how many window rows count as one.
    """
    return smallest_window(
        lambda rows: effect_seen(n, rows / design_effect, bounds) > bounds.must_see
    )
