"""The alarm budget: false episodes in years without drift, and how soon a drift is told."""

from dataclasses import asdict

from benchmarks.quiet_years import delay, simulate_quiet_years
from benchmarks.trust.rates import Sums
from benchmarks.trust.running import Job, Scope

YEARS = 1000
CHECKS_PER_ALARM = 90.0  # one false alarm a quarter of daily checks
KINDS = ("exact", "tolerance")
DELAYS = tuple((size, rows) for rows in (200, 1000) for size in (0.15, 0.2, 0.3, 0.5))


def jobs(scope: Scope) -> list[Job]:
    years = 50 if scope.fast else YEARS
    series = 20 if scope.fast else 200
    return [
        *((quiet, (kind, years, scope.seed)) for kind in KINDS),
        *((late, (size, rows, series, scope.seed)) for size, rows in DELAYS),
    ]


def quiet(kind: str, years: int, seed: int) -> Sums:
    """Years, budget a year, mean a year, its upper 99 % bound."""
    found = simulate_quiet_years(years, checks_per_alarm=CHECKS_PER_ALARM, p_values=kind, seed=seed)
    return {f"quiet|{kind}": [found.years, found.budget, found.mean, found.upper_99]}


def late(size: float, rows: int, series: int, seed: int) -> Sums:
    """Series; mean and median checks to the alarm; share that alarm; share one window proves."""
    found = asdict(delay(size, rows, checks_per_alarm=CHECKS_PER_ALARM, series=series, seed=seed))
    median = found["median"] if found["median"] < float("inf") else 0.0
    mean = found["mean"] if found["mean"] < float("inf") else 0.0
    return {f"delay|{size:g}|{rows}": [series, mean, median, found["seen"], found["at_once"]]}
