"""Table (d): how large a drift must be to be seen in four windows of five, and what that costs.

A normal column is shifted; the currency is the PSI that the shift has in the whole population, the
same for every test. Beside the tests of the house stand the fixed rules: as they are written, and
with their cut moved to where they cry wolf as seldom as the house does, in a share alpha of the
windows whose PSI is just tolerated. All rules see the same draws.
"""

from collections.abc import Iterator
from functools import cache

import numpy as np

from benchmarks.trust.exact_effects import effect_of
from benchmarks.trust.populations import QUIET, Change
from benchmarks.trust.rates import Sums
from benchmarks.trust.running import Job, Scope
from benchmarks.trust.samples import sampler_of
from benchmarks.trust.shortcuts import counting_only
from benchmarks.trust.single import must_see, tests_of
from monitor.briefing import drift_tests, make_plan
from monitor.configuration.comparing import DriftSettings
from monitor.core.cells import Pair
from monitor.core.columns import Column, Kind
from monitor.core.comparison import compare_columns
from monitor.core.drift_socket import Bounds, Evidence
from monitor.core.records import Finding, Verdict
from monitor.core.verdict import column_p

ALPHA = 0.01
REFERENCE = 20_000  # beyond the exact law of KS, which would take most of the time
PROMISE_REFERENCE = 5000
WINDOWS = (50, 100, 200, 500, 1000, 2000, 5000, 10_000)
SIZES = (0.0, 0.1, 0.13, 0.16, 0.2, 0.25, 0.32, 0.4, 0.5, 0.65, 0.85, 1.1, 1.5, 2.0, 3.0)  # PSI
OTHERS_SIZES = (0.0, 0.1, 0.13, 0.16, 0.2, 0.25, 0.32, 0.4, 0.65, 1.1)
DEFAULTS = ("psi", "ks")
BLOCK, BLOCKS = 250, 8
OTHERS_WINDOWS = (200, 1000, 5000)  # of tests that are no default, in the first block only
MOVED_ON = 4000  # windows whose PSI is just tolerated, by which a cut is moved
PROMISE_ROWS, PROMISE_SIZE, PROMISE, PROMISE_BLOCKS = 1000, 0.2, 0.9, 40


def jobs(scope: Scope) -> list[Job]:
    windows: tuple[int, ...] = WINDOWS
    blocks, promises = scope.blocks(BLOCKS), PROMISE_BLOCKS
    if scope.fast:
        windows, blocks, promises = (200, 1000), 1, 1
    found: list[Job] = [
        (seen, (m, block, scope.seed, scope.fast)) for block in range(blocks) for m in windows
    ]
    if not scope.fast:
        found += [(seen_by_others, (m, scope.seed)) for m in OTHERS_WINDOWS]
    return [*found, *((promised, (block, scope.seed)) for block in range(promises))]


@cache
def shift_of(size: float) -> Change:
    """The shift of a normal column, in standard deviations, with this PSI."""
    from scipy import optimize

    if size == 0:
        return QUIET

    def excess(by: float) -> float:
        return effect_of("psi", "normal", Change("shift", by)) - size

    return Change("shift", float(optimize.brentq(excess, 0.0, 4.0, xtol=1e-6)))


def _pairs(m: int, block: int, seed: int, sizes: tuple[float, ...]) -> Iterator[tuple[float, Pair]]:
    """BLOCK references, each beside windows of all sizes of drift made of the same draw."""
    rng, sampler = np.random.default_rng([seed, m, block]), sampler_of("normal")
    for _ in range(BLOCK):
        reference, base = sampler.reference(rng, REFERENCE), sampler.base(rng, m)
        for size in sizes:
            window = sampler.window(rng, base, m, shift_of(size), reference)
            yield size, Pair("x", Kind.NUMBER, reference, window)


def _measure(test: str, both: Pair) -> Evidence:
    spec = drift_tests()[test].SPEC
    found = drift_tests()[test].measure(both, Bounds(ALPHA, spec.tolerance, must_see(spec.unit)))
    assert found is not None
    return found


def seen(m: int, block: int, seed: int, fast: bool) -> Sums:
    """Of every rule and size: trials, and how often it says drifted."""
    found: Sums = {}
    moved = _moved_cuts(m, seed, 1 if fast else MOVED_ON // BLOCK)
    with counting_only("p_value"):
        for size, both in _pairs(m, block, seed, SIZES):
            psi, ks = (_measure(test, both) for test in DEFAULTS)
            effects = psi.effect or 0.0, ks.effect or 0.0
            _count(found, f"PSI > 0.1|{m}|{size:g}", effects[0] > 0.1)
            _count(found, f"PSI > 0.2|{m}|{size:g}", effects[0] > 0.2)
            _count(found, f"KS p < .05|{m}|{size:g}", ks.p_value is not None and ks.p_value < 0.05)
            _count(found, f"PSI, cut moved|{m}|{size:g}", effects[0] > moved[0])
            _count(found, f"KS, cut moved|{m}|{size:g}", effects[1] > moved[1])
    with counting_only("p_tolerance"):
        for size, both in _pairs(m, block, seed, SIZES):
            proofs = [_measure(test, both).p_tolerance for test in DEFAULTS]
            for test, p in zip(DEFAULTS, proofs, strict=True):
                _count(found, f"{test}|{m}|{size:g}", p is not None and p <= ALPHA)
            both_p = column_p([Finding("", Verdict.PASSED, "", p_tolerance=p) for p in proofs])[1]
            _count(found, f"default|{m}|{size:g}", both_p is not None and both_p <= ALPHA)
    return found


def seen_by_others(m: int, seed: int) -> Sums:
    """The same for the tests that run when they are named, on the draws of the first block."""
    found: Sums = {}
    others = [test for test in tests_of("normal") if test not in DEFAULTS]
    with counting_only("p_tolerance"):
        for size, both in _pairs(m, 0, seed, OTHERS_SIZES):
            for test in others:
                p = _measure(test, both).p_tolerance
                _count(found, f"{test}|{m}|{size:g}", p is not None and p <= ALPHA)
    return found


def _count(found: Sums, key: str, hit: bool) -> None:
    sums = found.setdefault(key, [0.0, 0.0])
    sums[0] += 1
    sums[1] += hit


@cache
def _moved_cuts(m: int, seed: int, blocks: int) -> tuple[float, float]:
    """The PSI and the KS distance above which a share ALPHA of just tolerated windows lies."""
    tolerated = (drift_tests()["psi"].SPEC.tolerance,)
    seeds = [seed + 1 + block for block in range(blocks)]
    with counting_only("p_tolerance"):
        effects = [
            [_measure(test, both).effect for test in DEFAULTS]
            for other in seeds
            for _, both in _pairs(m, 0, other, tolerated)
        ]
    psi, ks = np.quantile(np.array(effects, dtype=np.float64), 1 - ALPHA, axis=0)
    return float(psi), float(ks)


def promised(block: int, seed: int) -> Sums:
    """One drifted column, compared as a check does: trials, drifted; by PSI and by default."""
    rng = np.random.default_rng([seed, PROMISE_ROWS, block, 1])
    by = shift_of(PROMISE_SIZE).size
    found: Sums = {}
    plans = {name: make_plan(DriftSettings(tests=names)) for name, names in
             (("PSI alone", ("psi",)), ("the defaults", ()))}  # fmt: skip
    for _ in range(BLOCK * 2):
        reference = _column(rng.standard_normal(PROMISE_REFERENCE))
        window = _column(rng.standard_normal(PROMISE_ROWS) + by)
        for name, plan in plans.items():
            result = compare_columns({"x": reference}, {"x": window}, plan)[0]
            _count(found, f"promise|{name}", result.verdict is Verdict.DRIFTED)
    return found


def _column(values: np.ndarray) -> Column:
    return Column("x", "float", values.size, 0, numbers=values)
