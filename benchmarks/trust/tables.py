"""The tests of the whole table as a check runs them by default, and what they exist for."""

from collections.abc import Mapping, Sequence
from functools import cache

import numpy as np

from benchmarks.trust.rates import Sums
from benchmarks.trust.running import Job, Scope
from monitor import catalogue
from monitor.briefing import make_plan
from monitor.configuration.comparing import DriftSettings
from monitor.core.columns import Column
from monitor.core.comparison import compare_columns
from monitor.core.dataset_socket import DatasetTest, find_in_table
from monitor.core.drift_socket import Rule
from monitor.core.records import ColumnResult, Finding, Verdict
from monitor.core.table import rows_of

SOCKET = "monitor.core.dataset_drift"
CORRELATION = 0.5  # of two columns in the reference; the window has it the other way round
REFERENCE = 5000
WINDOWS = (100, 200, 500, 1000)
FLIPS, FLIPS_BLOCK = 1000, 50


def dataset_findings(
    reference: Mapping[str, Column],
    window: Mapping[str, Column],
    columns: Sequence[ColumnResult],
    rule: Rule,
) -> list[Finding]:
    """What the dataset tests that run by default find."""
    defaults = {name: test for name, test in _dataset_tests().items() if test.SPEC.default}
    rows = rows_of(reference, window, columns)
    found = (find_in_table(name, test, rows, rule) for name, test in defaults.items())
    return [each.finding for each in found if each is not None]


@cache
def _dataset_tests() -> dict[str, DatasetTest]:
    names = catalogue.names(SOCKET)
    return {name: catalogue.load(SOCKET, name, "dataset test") for name in names}


def jobs(scope: Scope) -> list[Job]:
    """Of the correlation flip."""
    blocks = 1 if scope.fast else FLIPS // FLIPS_BLOCK
    return [(flips, (m, block, scope.seed)) for m in WINDOWS for block in range(blocks)]


def flips(m: int, block: int, seed: int) -> Sums:
    """Trials; seen by correlation change; by any column test; the same where nothing flipped."""
    rng = np.random.default_rng([seed, m, block])
    found: Sums = {}
    for way, correlation in (("flip", -CORRELATION), ("quiet", CORRELATION)):
        sums = [0.0, 0.0, 0.0]
        for _ in range(FLIPS_BLOCK):
            reference = _two_columns(rng, REFERENCE, CORRELATION)
            window = _two_columns(rng, m, correlation)
            plan = make_plan(DriftSettings())
            columns = compare_columns(reference, window, plan)
            together = dataset_findings(reference, window, columns, plan.rule)
            sums[0] += 1
            sums[1] += any(f.verdict is Verdict.DRIFTED for f in together)
            sums[2] += any(c.verdict is Verdict.DRIFTED for c in columns)
        found[f"{way}|{m}"] = sums
    return found


def _two_columns(rng: np.random.Generator, rows: int, correlation: float) -> dict[str, Column]:
    """Two standard normal columns of a given correlation."""
    x, own = rng.standard_normal((2, rows))
    y = correlation * x + np.sqrt(1 - correlation**2) * own
    return {
        name: Column(name, "float", rows, 0, numbers=values)
        for name, values in (("x", x), ("y", y))
    }
