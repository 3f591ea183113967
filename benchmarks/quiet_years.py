"""Years of checks under an alarm budget: false episodes, and how soon a drift shows.

Both run the arithmetic of the product (`monitor.core.over_time.budget`) on p-values of three kinds:
exact uniform ones of correlated columns, the hardest that a valid test can give; the PSI test's own
p_tolerance on windows without drift; and the same with one column shifted.
"""

import math
from dataclasses import dataclass
from functools import cache

import numpy as np

from monitor.core.cells import Counts, Pair
from monitor.core.columns import Floats, Kind
from monitor.core.drift import psi
from monitor.core.drift_socket import Bounds
from monitor.core.over_time import budget
from monitor.core.summaries.summary import Summary

DAYS = 365
DECIDING = 2  # findings that decide a number: KS and PSI; p_tolerance is Bonferroni over them
CELLS = 10
POOL = 2000  # windows whose p-values stand for all
BOUNDS = Bounds(0.01, 0.1, 0.5)


@dataclass(frozen=True, slots=True)
class QuietYears:
    """False episodes a year, over many years in which nothing drifts."""

    years: int
    budget: float  # episodes a year that the budget allows
    mean: float
    standard_error: float
    upper_99: float  # one-sided bound of the mean


@dataclass(frozen=True, slots=True)
class Delay:
    """Checks from the first drifted window to the alarm, which counts itself."""

    psi: float
    rows: int
    mean: float  # of the series that alarm
    median: float
    seen: float  # share of the series that alarm at all, within the checks that were simulated
    at_once: float  # share that one window proves by the rule without a budget


def simulate_quiet_years(
    years: int = 1000,
    *,
    columns: int = 30,
    checks_per_alarm: float = 90.0,
    correlation: float = 0.5,
    p_values: str = "exact",
    seed: int = 0,
) -> QuietYears:
    """False episodes in `years` of daily checks of `columns` that share a factor.

    `p_values` "exact": uniform on (0, 1), as at the boundary of a tolerance that is met exactly;
    "tolerance": those of the PSI test, tolerance 0.1, on windows of 1 000 rows without drift.
    """
    rng = np.random.default_rng(seed)
    importance = np.ones(columns)
    state = budget.nothing_yet(columns, (years,))
    episodes = np.zeros(years)
    tolerance = np.sort(psi_p_values(0.0, 1000, POOL, seed)) if p_values != "exact" else None
    for _ in range(DAYS):
        p = _correlated(rng, years, columns, correlation)
        if tolerance is not None:  # the same ranks under the law of the test
            p = tolerance[np.minimum((p * tolerance.size).astype(np.int64), tolerance.size - 1)]
        before = state.alarm
        state = budget.add(state, p, importance, checks_per_alarm)
        episodes += state.alarm & ~before
    error = float(np.std(episodes, ddof=1)) / math.sqrt(years)
    mean = float(np.mean(episodes))
    return QuietYears(years, DAYS / checks_per_alarm, mean, error, mean + 2.326 * error)


def delay(
    size: float,
    rows: int,
    *,
    columns: int = 30,
    checks_per_alarm: float = 90.0,
    series: int = 500,
    checks: int = 200,
    seed: int = 0,
) -> Delay:
    """How soon a shift that gives one of `columns` a PSI of `size` raises the alarm.

    The reference has 10 000 rows. The other columns do not drift, and have gathered nothing.
    """
    drifted, calm = (psi_p_values(psi_of, rows, POOL, seed) for psi_of in (size, 0.0))
    rng = np.random.default_rng(seed)
    state = budget.nothing_yet(columns, (series,))
    first = np.full(series, np.inf)
    for number in range(checks):
        p = rng.choice(calm, (series, columns))
        p[:, 0] = rng.choice(drifted, series)
        state = budget.add(state, p, np.ones(columns), checks_per_alarm)
        first = np.where(state.alarm & np.isinf(first), number + 1.0, first)
    seen = first[np.isfinite(first)]
    return Delay(
        psi=size,
        rows=rows,
        mean=float(np.mean(seen)) if seen.size else math.inf,
        median=float(np.median(first)),
        seen=seen.size / series,
        at_once=float(np.mean(drifted * columns <= BOUNDS.alpha)),
    )


def _correlated(rng: np.random.Generator, years: int, columns: int, correlation: float) -> Floats:
    """Uniform p-values, shape (years, columns), whose normal scores share a factor."""
    from scipy import special

    shared = rng.normal(size=(years, 1)) * math.sqrt(correlation)
    own = rng.normal(size=(years, columns)) * math.sqrt(1 - correlation)
    p: Floats = special.ndtr(shared + own)
    return p


@cache
def _shift(size: float) -> float:
    """The shift of a standard normal column, in standard deviations, with this true PSI."""
    low, high = 0.0, 3.0
    for _ in range(60):
        middle = (low + high) / 2
        p, q = np.full(CELLS, 1 / CELLS), _shares(middle)
        low, high = (middle, high) if np.sum((p - q) * np.log(p / q)) < size else (low, middle)
    return low


def _shares(shift: float) -> Floats:
    """Shares of the ten reference-decile cells after a shift."""
    from scipy import stats

    inner = stats.norm.ppf(np.arange(1, CELLS) / CELLS) - shift
    shares: Floats = np.diff(np.concatenate([[0.0], stats.norm.cdf(inner), [1.0]]))
    return shares


@cache
def psi_p_values(size: float, rows: int, windows: int, seed: int) -> Floats:
    """p_tolerance of a column (KS never being the smaller) for windows with a true PSI of `size`.

    The test of the product on counts of the reference-decile cells, shape (windows,).
    """
    rng = np.random.default_rng((seed, rows, int(size * 1000)))
    then = rng.multinomial(10_000, np.full(CELLS, 1 / CELLS), windows)
    now = rng.multinomial(rows, _shares(_shift(size)) if size else np.full(CELLS, 0.1), windows)
    found = [_p_tolerance(r, c) for r, c in zip(then, now, strict=True)]
    p_values: Floats = np.minimum(1.0, DECIDING * np.array(found))
    return p_values


def _p_tolerance(reference: Counts, current: Counts) -> float:
    pair = Pair("x", Kind.CATEGORY, _levels(reference), _levels(current))
    evidence = psi.measure(pair, BOUNDS)
    assert evidence is not None and evidence.p_tolerance is not None
    return evidence.p_tolerance


def _levels(counts: Counts) -> Summary:
    return Summary(int(counts.sum()), 0, counts={str(i): int(c) for i, c in enumerate(counts)})


def main() -> None:
    for checks_per_alarm in (30.0, 90.0):
        for p_values in ("exact", "tolerance"):
            print(simulate_quiet_years(checks_per_alarm=checks_per_alarm, p_values=p_values))
    for rows in (500, 1000):
        for size in (0.1, 0.13, 0.15, 0.2, 0.3):
            print(delay(size, rows))


if __name__ == "__main__":
    main()
