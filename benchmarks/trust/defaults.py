"""Table (c): the defaults where nothing drifts, on fifty correlated columns, beside Evidently's.

A check is the whole comparison of the house, from columns to verdict; Evidently is given the same
rows and told which columns are numbers. Some windows share a reference, so what they show hangs
together, and the bounds count references, not windows.
"""

from collections.abc import Mapping
from functools import cache
from typing import Any

import numpy as np

from benchmarks.trust import populations
from benchmarks.trust.populations import LEVELS, SHAPES
from benchmarks.trust.rates import Sums
from benchmarks.trust.running import Job, Scope
from benchmarks.trust.tables import dataset_findings
from monitor.briefing import make_plan
from monitor.configuration.comparing import DriftSettings
from monitor.core.columns import Column, Floats, Kind
from monitor.core.comparison import Plan, compare_columns
from monitor.core.records import Verdict
from monitor.core.summaries.kept import Summaries
from monitor.core.verdict import judge_check

REFERENCES = (5000, 100_000)
WINDOWS = (50, 200, 1000, 10_000)
NUMBERS, CATEGORIES = 30, 20
COMMON = 0.5  # correlation of any two columns, on the scale of the normal variables behind them
AGAINST = 5  # windows of each size that share a reference
BLOCKS = {5000: 40, 100_000: 8}
EVIDENTLY_BLOCKS, EVIDENTLY_REFERENCE = 8, 5000
MEASURES = ("column alarm", "column undecided", "check alarm", "check undecided")
Shares = Mapping[str, Floats]


def jobs(scope: Scope) -> list[Job]:
    ours = [
        (ours_once, (n, block, scope.seed))
        for n in REFERENCES
        for block in range(1 if scope.fast else BLOCKS[n])
    ]
    count = 1 if scope.fast else EVIDENTLY_BLOCKS
    return [*ours, *((evidently_once, (block, scope.seed)) for block in range(count))]


def correlated(rng: np.random.Generator, rows: int) -> Shares:
    """Uniform shares of every column, shape (rows,), by name; each pair correlated by COMMON."""
    from scipy import special

    common = rng.standard_normal(rows) * np.sqrt(COMMON)
    names = [f"n{i:02}" for i in range(NUMBERS)] + [f"c{i:02}" for i in range(CATEGORIES)]
    own = np.sqrt(1 - COMMON)
    return {name: special.ndtr(common + own * rng.standard_normal(rows)) for name in names}


def column(name: str, shares: Floats) -> Column:
    """The column that has these shares, by a law that its number tells."""
    number = int(name[1:])
    if name[0] == "n":
        return Column(name, "float", shares.size, 0, numbers=_numbers(number, shares))
    law = list(LEVELS)[number % len(LEVELS)]
    return Column(name, "string", shares.size, 0, codes=_codes(law, shares), levels=_names(law))


def _numbers(number: int, shares: Floats) -> Floats:
    law = list(SHAPES)[number % len(SHAPES)]
    order = np.argsort(shares)
    found = np.empty(shares.size)
    found[order] = populations.values(law, shares[order])
    return found


def _codes(law: str, shares: Floats) -> Any:
    edges = np.cumsum(populations.level_shares(law))[:-1]
    return np.searchsorted(edges, shares).astype(np.int64)


@cache
def _names(law: str) -> tuple[str, ...]:
    return tuple(f"level {k}" for k in range(LEVELS[law]))


@cache
def _plan() -> Plan:
    kinds = {f"n{i:02}": Kind.NUMBER for i in range(NUMBERS)}
    kinds |= {f"c{i:02}": Kind.CATEGORY for i in range(CATEGORIES)}
    return make_plan(DriftSettings(), kinds=kinds)


def _columns(shares: Shares) -> dict[str, Column]:
    return {name: column(name, each) for name, each in shares.items()}


def ours_once(n: int, block: int, seed: int) -> Sums:
    """One reference and AGAINST windows of each size: references, then hits and their squares."""
    rng = np.random.default_rng([seed, n, block])
    reference, summaries = _columns(correlated(rng, n)), Summaries()
    found: Sums = {}
    for m in WINDOWS:
        hits = np.zeros(len(MEASURES))
        for _ in range(AGAINST):
            hits += _verdicts(reference, _columns(correlated(rng, m)), summaries, m)
        found[f"ours|{n}|{m}"] = [1.0, *hits.tolist(), *(hits**2).tolist()]
    return found


def _verdicts(
    reference: dict[str, Column], window: dict[str, Column], summaries: Summaries, rows: int
) -> Floats:
    """Alarms and undecided: of columns and of the check."""
    columns = compare_columns(reference, window, _plan(), summaries)
    together = dataset_findings(reference, window, columns, _plan().rule)
    verdict = judge_check(columns, together, None, rows=rows, expected_to_compare=True)
    drifted = Verdict.DRIFTED in {verdict, *(f.verdict for f in together)}
    alarms = sum(c.verdict is Verdict.DRIFTED for c in columns)
    undecided = sum(c.verdict is Verdict.UNDECIDED for c in columns)
    check = drifted, not drifted and verdict is Verdict.UNDECIDED
    return np.array([alarms, undecided, *check], dtype=np.float64)


def evidently_once(block: int, seed: int) -> Sums:
    """The same with Evidently: columns it calls drifted; whether any is; whether half are."""
    rng = np.random.default_rng([seed, EVIDENTLY_REFERENCE, block])
    reference = _frame(_columns(correlated(rng, EVIDENTLY_REFERENCE)))
    found: Sums = {}
    for m in WINDOWS:
        drifted = _evidently(reference, _frame(_columns(correlated(rng, m))))
        total = NUMBERS + CATEGORIES
        hits = np.array([drifted, drifted > 0, 2 * drifted >= total], dtype=np.float64)
        found[f"evidently|{EVIDENTLY_REFERENCE}|{m}"] = [1.0, *hits.tolist(), *(hits**2).tolist()]
    return found


def _frame(columns: Mapping[str, Column]) -> Any:
    import pandas as pd

    def plain(column: Column) -> Any:
        if column.numbers is not None:
            return column.numbers
        return np.array(column.levels, dtype=object)[column.codes]

    return pd.DataFrame({name: plain(each) for name, each in columns.items()})


def _evidently(reference: Any, current: Any) -> int:
    """How many columns drift by its defaults; it picks the method by kind and number of rows."""
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from evidently import DataDefinition, Dataset, Report
        from evidently.presets import DataDriftPreset

        definition = DataDefinition(
            numerical_columns=[name for name in reference if name[0] == "n"],
            categorical_columns=[name for name in reference if name[0] == "c"],
        )
        before, now = (
            Dataset.from_pandas(side, data_definition=definition) for side in (reference, current)
        )
        metrics = Report([DataDriftPreset()]).run(now, before).dict()["metrics"]
    counted = next(m for m in metrics if m["metric_name"].startswith("DriftedColumnsCount"))
    return int(counted["value"]["count"])
