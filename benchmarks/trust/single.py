"""Tables (a) and (b): one column, no change, or a change of exactly what is tolerated.

1. A task is a claim, a law and a number of reference rows; it serves all windows and all tests.
2. A pilot of a few draws tells what each test costs, and so how many replicates it gets.
3. Replicates come in blocks, each with a seed of its own: both sides are drawn afresh, and every
   test that still wants replicates measures the same draw.
"""

import statistics
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from zlib import crc32

import numpy as np

from benchmarks.trust import populations
from benchmarks.trust.exact_effects import change_at_tolerance
from benchmarks.trust.populations import (
    EDGES,
    LEVEL_WAYS,
    LEVELS,
    NUMBER_WAYS,
    QUIET,
    SHAPES,
    SHARES,
)
from benchmarks.trust.rates import NOMINAL, Sums
from benchmarks.trust.running import Job, Pool, Scope
from benchmarks.trust.samples import Sampler, sampler_of
from benchmarks.trust.shortcuts import counting_only
from monitor.briefing import drift_tests
from monitor.core.cells import Pair
from monitor.core.columns import Kind
from monitor.core.drift_socket import Bounds

CLAIMS = {"null": "p_value", "tolerance": "p_tolerance"}
REFERENCES = (5000, 100_000)
WINDOWS = (50, 200, 1000, 10_000)
COSTLY_WINDOWS = (50, 1000)  # of tests that cost more than COSTLY_S a window,
COSTLY_REFERENCE = 5000  # and the only reference they are measured with
COSTLY_S = 0.008
REHEARSED_S = 0.002  # a rehearsal leaves out what costs more
BLOCK = 250
PILOT = 6
LADDER = (500, 1000, 2000, 5000, 10_000, 20_000)  # replicates of one figure
NO_ROWS_NEEDED = 1e6  # a must_see that everything sees, so that no test counts rows to see it


@dataclass(frozen=True, slots=True)
class Task:
    """What is drawn together."""

    claim: str
    law: str
    n: int

    @property
    def name(self) -> str:
        return f"{self.claim}|{self.law}|{self.n}"


@dataclass(frozen=True, slots=True)
class Case:
    """What is counted apart: a test, a way to change, a window."""

    test: str
    way: str
    m: int

    def key(self, task: Task) -> str:
        return "|".join((self.test, task.law, self.way, str(task.n), str(self.m)))


Replicates = dict[Case, int]


def tasks(claim: str) -> list[Task]:
    laws = (*SHAPES, *EDGES, *LEVELS, *SHARES)
    return [Task(claim, law, n) for n in REFERENCES for law in laws]


@cache
def cases(task: Task, only: tuple[str, ...] = ()) -> tuple[Case, ...]:
    """Every test that applies (or those named), in every way that can reach its tolerance."""
    return tuple(
        Case(test, way, m)
        for test in tests_of(task.law)
        if not only or test in only
        for m in WINDOWS
        for way in _ways(task, test, m)
    )


def tests_of(law: str) -> list[str]:
    """Tests of numbers or levels; guards where what they guard against can happen."""

    def applies(test: str) -> bool:
        spec = drift_tests()[test].SPEC
        if law in SHARES:
            return spec.guard and Kind.NUMBER in spec.kinds
        if law in LEVELS:
            kinds = Kind.CATEGORY in spec.kinds
            return kinds and not (spec.guard and Kind.NUMBER in spec.kinds)
        return Kind.NUMBER in spec.kinds and not spec.guard

    return [test for test in drift_tests() if applies(test)]


def _ways(task: Task, test: str, m: int) -> list[str]:
    if task.claim == "null":
        return [""]
    if task.law in SHARES:
        return ["up", "down"] if SHARES[task.law] > 0.1 else ["up"]
    spec = drift_tests()[test].SPEC
    if spec.guard:
        return ["new levels"] if test == "unseen_share" else []
    if task.law in LEVELS:
        ways: tuple[str, ...] = LEVEL_WAYS
    else:
        ways = NUMBER_WAYS if task.law == "normal" else NUMBER_WAYS[:2]
    share = _window_share(task, m)
    return [way for way in ways if change_at_tolerance(test, task.law, way, share)]


def replicates(costs: dict[Case, float], n: int, cap_s: float) -> Replicates:
    """The most replicates that a figure may have, given seconds a replicate; 0 for left out.

    >>> replicates({Case("x", "", 50): 0.0001, Case("y", "", 200): 1.0}, 5000, 4.0)
    {Case(test='x', way='', m=50): 20000, Case(test='y', way='', m=200): 0}
    """

    def chosen(case: Case, cost: float) -> int:
        if cost > COSTLY_S and (case.m not in COSTLY_WINDOWS or n != COSTLY_REFERENCE):
            return 0
        return max((r for r in LADDER if r * cost <= cap_s), default=LADDER[0])

    return {case: chosen(case, cost) for case, cost in costs.items()}


def pilot(task: Task, seed: int) -> dict[Case, float]:
    """Seconds that one replicate of each case takes; the first does not count, it warms up."""
    spent: dict[Case, list[float]] = {case: [] for case in cases(task)}
    with counting_only(CLAIMS[task.claim]):
        for case, took_s, _ in _measured(task, dict.fromkeys(spent, PILOT), 0, PILOT, seed):
            spent[case].append(took_s)
    return {case: statistics.median(each[1:]) for case, each in spent.items()}


def block(task: Task, wanted: Replicates, number: int, seed: int) -> Sums:
    """Trials, p ≤ 1 %, p ≤ 5 %, nothing measured: of one block of replicates."""
    found: Sums = {case.key(task): [0, 0, 0, 0] for case in wanted}
    with counting_only(CLAIMS[task.claim]):
        for case, _, p in _measured(task, wanted, number, BLOCK, seed):
            sums = found[case.key(task)]
            sums[0] += 1
            for place, nominal in enumerate(NOMINAL, start=1):
                sums[place] += p is not None and p <= nominal
            sums[3] += p is None
    return {key: sums for key, sums in found.items() if sums[0]}


def _measured(
    task: Task, wanted: Replicates, number: int, size: int, seed: int
) -> Iterator[tuple[Case, float, float | None]]:
    """Each case on each draw of a block: its seconds and the p that counts."""
    rng = np.random.default_rng([seed, crc32(task.name.encode()), number])
    sampler = sampler_of(task.law)
    first = number * BLOCK
    for k in range(size):
        due = [case for case, until in wanted.items() if first + k < until]
        if not due:
            return
        yield from _one_draw(task, sampler, due, rng)


def _one_draw(
    task: Task, sampler: Sampler, due: list[Case], rng: np.random.Generator
) -> Iterator[tuple[Case, float, float | None]]:
    reference = sampler.reference(rng, task.n)
    asked = CLAIMS[task.claim]
    for m in WINDOWS:
        # Drawn even when no case wants it, so that a figure does not hang on its neighbours.
        base = sampler.base(rng, m)
        pairs: dict[populations.Change, Pair] = {}
        for case in due:
            if case.m != m:
                continue
            change = _change(task, case)
            if change not in pairs:
                window = sampler.window(rng, base, m, change, reference)
                pairs[change] = Pair("x", sampler.kind, reference, window)
            began = time.process_time()
            spec = drift_tests()[case.test].SPEC
            bounds = Bounds(min(NOMINAL), spec.tolerance, must_see(spec.unit))
            found = drift_tests()[case.test].measure(pairs[change], bounds)
            took_s = time.process_time() - began
            yield case, took_s, None if found is None else getattr(found, asked)


def _change(task: Task, case: Case) -> populations.Change:
    if not case.way:
        return QUIET
    if task.law in SHARES or case.way == "new levels":
        return populations.Change(case.way, drift_tests()[case.test].SPEC.tolerance)
    found = change_at_tolerance(case.test, task.law, case.way, _window_share(task, case.m))
    assert found is not None
    return found


def _window_share(task: Task, m: int) -> float:
    """Of all rows, where the effect of levels may hang on it."""
    return m / (task.n + m) if task.law in LEVELS else 0.5


def must_see(unit: str) -> float:
    return 1.0 if "0 to 1" in unit else NO_ROWS_NEEDED


def jobs(claim: str, scope: Scope, pool: Pool) -> list[Job]:
    """All blocks of a claim, once pilots told what each figure costs."""
    wanted = (min(REFERENCES),) if scope.fast else scope.references or REFERENCES
    chosen = [task for task in tasks(claim) if task.n in wanted]
    costs = pool.each([(pilot, (task, scope.seed)) for task in chosen])
    plans = [
        rehearsed(cost) if scope.fast else replicates(cost, task.n, scope.cap_s)
        for task, cost in zip(chosen, costs, strict=True)
    ]
    return [
        (block, (task, plan, number, scope.seed))
        for task, plan in zip(chosen, plans, strict=True)
        for number in range(-(-max(plan.values(), default=0) // BLOCK))
    ]


def rehearsed(costs: dict[Case, float]) -> Replicates:
    """One block of what is quick."""
    return {case: BLOCK if cost < REHEARSED_S else 0 for case, cost in costs.items()}
