"""Tables (a) and (b) once more where rows depend on one another, with calibration on.

A normal column that follows its own past from row to row (AR(1)), with a level that turns with the
day of the week. The reference is a number of daily windows in a row, the window a later day. How
much such days vary is measured on the reference alone, as a monitor does.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from zlib import crc32

import numpy as np

from benchmarks.trust.exact_effects import change_at_tolerance
from benchmarks.trust.populations import QUIET, Change
from benchmarks.trust.rates import NOMINAL, Sums
from benchmarks.trust.running import Job, Scope
from benchmarks.trust.shortcuts import counting_only
from benchmarks.trust.single import CLAIMS, must_see, tests_of
from monitor.briefing import drift_tests
from monitor.core.cells import Pair
from monitor.core.columns import Column, Floats, Kind
from monitor.core.drift_socket import Bounds
from monitor.core.over_time.calibration import Calibration
from monitor.core.over_time.phases import Cadence, PastWindows, past_windows, windows_of
from monitor.core.records import Window
from monitor.core.summaries.collecting import summarize
from monitor.core.summaries.summary import Summary
from monitor.core.windows import Span

DEPENDENCE = ((0.0, 0.0), (0.5, 0.0), (0.8, 0.0), (0.9, 0.0), (0.0, 0.2), (0.0, 0.5), (0.5, 0.2),
              (0.8, 0.2), (0.8, 0.5))  # fmt: skip
SIZES = ((28, 200), (28, 1000), (56, 200), (91, 200))  # windows of the reference, rows of a window
BLOCK, BLOCKS = 250, 20
OTHERS_BLOCKS = 2  # of tests that are no default and run when named
SLOW_SIZE = SIZES[0]  # the only one for tests that permute or solve for eigenvalues
SLOW = ("energy", "anderson_darling", "cramer_von_mises", "wasserstein", "welch_t")
WAYS = ("shift", "scale")
START = datetime(2024, 1, 1, tzinfo=UTC)  # a Monday
DAY = timedelta(days=1)
CADENCE = Cadence(Span(1, "d"), UTC)


@dataclass(frozen=True, slots=True)
class Series:
    """How rows depend on one another: correlation of neighbours, spread of the days of the week."""

    claim: str
    phi: float
    week: float
    days: int
    rows: int

    @property
    def name(self) -> str:
        return f"{self.claim}|{self.phi:g}|{self.week:g}|{self.days}|{self.rows}"


def jobs(claim: str, scope: Scope) -> list[Job]:
    all_series = [Series(claim, *pair, *size) for pair in DEPENDENCE for size in SIZES]
    if scope.fast:
        return [(block, (series, 0, 20, scope.seed)) for series in all_series[:: len(SIZES)]]
    numbers = range(scope.blocks(BLOCKS))
    return [(block, (s, number, BLOCK, scope.seed)) for number in numbers for s in all_series]


def block(series: Series, number: int, size: int, seed: int) -> Sums:
    """Of every test and way: trials, p ≤ 1 %, p ≤ 5 %, nothing measured, sum of design effects."""
    rng = np.random.default_rng([seed, crc32(series.name.encode()), number])
    found: Sums = {}
    with counting_only(CLAIMS[series.claim]):
        for _ in range(size):
            for test, way, pair in _pairs(series, rng, number):
                p = _p_of(series.claim, test, pair)
                sums = found.setdefault(f"{test}|{way}|{series.name}", [0.0] * 5)
                hits = [p is not None and p <= nominal for nominal in NOMINAL]
                for place, value in enumerate((1, *hits, p is None, pair.design_effect)):
                    sums[place] += value
    return found


def _p_of(claim: str, test: str, pair: Pair) -> float | None:
    spec = drift_tests()[test].SPEC
    bounds = Bounds(min(NOMINAL), spec.tolerance, must_see(spec.unit))
    found = drift_tests()[test].measure(pair, bounds)
    return None if found is None else getattr(found, CLAIMS[claim])


def _pairs(
    series: Series, rng: np.random.Generator, number: int
) -> Iterator[tuple[str, str, Pair]]:
    """One draw of both sides, as every test and way to change meets it."""
    day = series.days + int(rng.integers(1, 15))  # some day of the weeks after
    reference, window = _draw(series, rng, day)
    column = Column("x", "float", reference.size, 0, numbers=reference)
    summary = summarize(column, Kind.NUMBER)
    phase = CADENCE.phase(Window(START + day * DAY, START + (day + 1) * DAY))
    calibration = Calibration(_past(series.days, series.rows))
    yardstick = calibration.against_reference(phase)(column, Kind.NUMBER, summary)
    effect = yardstick.design_effect(yardstick.summary.present, series.rows)
    level = float(_levels(series, day))
    sides: dict[Change, Pair] = {}
    for test in _tests(number, (series.days, series.rows) == SLOW_SIZE):
        for way, change in _changes(series.claim, test):
            if change not in sides:
                now = Summary(series.rows, 0, values=np.sort(_changed(window, change) + level))
                sides[change] = Pair("x", Kind.NUMBER, yardstick.summary, now, effect)
            yield test, way, sides[change]


def _draw(series: Series, rng: np.random.Generator, day: int) -> tuple[Floats, Floats]:
    """The reference in order of time, and the later day without its level."""
    rows, held = series.rows, series.days * series.rows
    noise = _autoregressive(rng, series.phi, held)
    reference = noise + np.repeat(_levels(series, np.arange(series.days)), rows)
    return reference, _autoregressive(rng, series.phi, rows)  # days later: nothing is left


def _autoregressive(rng: np.random.Generator, phi: float, rows: int) -> Floats:
    """A stationary AR(1) series with variance 1, shape (rows,)."""
    from scipy import signal

    noise = rng.standard_normal(rows)
    if not phi:
        return noise
    noise[1:] *= np.sqrt(1 - phi**2)
    return np.asarray(signal.lfilter([1.0], [1.0, -phi], noise))


def _levels(series: Series, day: object) -> Floats:
    """What the day of the week adds: a sine wave with a standard deviation of `week`."""
    return np.asarray(series.week * np.sqrt(2) * np.sin(2 * np.pi * np.asarray(day) / 7))


def _changed(values: Floats, change: Change) -> Floats:
    if change.way == "shift":
        return values + change.size
    return values * change.size if change.way == "scale" else values


@cache
def _past(days: int, rows: int) -> PastWindows:
    """The days of the reference, with rows evenly over each."""
    begin = START.timestamp()
    times = begin + DAY.total_seconds() * (np.arange(days * rows) + 0.5) / rows
    return past_windows(times, windows_of(times, CADENCE), CADENCE)


@cache
def _tests(number: int, slow: bool) -> tuple[str, ...]:
    """The tests that a block still measures: the defaults in all, the others in the first ones."""

    def wanted(test: str) -> bool:
        if drift_tests()[test].SPEC.default:
            return True
        return number < OTHERS_BLOCKS and (slow or test not in SLOW)

    return tuple(test for test in tests_of("normal") if wanted(test))


@cache
def _changes(claim: str, test: str) -> tuple[tuple[str, Change], ...]:
    if claim == "null":
        return (("", QUIET),)
    found = ((way, change_at_tolerance(test, "normal", way)) for way in WAYS)
    return tuple((way, change) for way, change in found if change is not None)
