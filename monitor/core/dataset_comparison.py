"""COMPARE, the whole of it: every column, then all columns together, then one judgement of both.

1. Each column alone.
2. The tests of the whole dataset, on the rows of both sides.
3. Columns and dataset tests are one family: however many there are, something in a check without
   drift is called drifted no more often than alpha says.
4. Where a dataset test was asked to rank the causes, its view of the columns replaces their
   importance, after the judgement and never before: it was learnt from the very window that is
   judged, and weights that had seen the data would make the false-alarm rate a promise no more.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from monitor.core.columns import Stream
from monitor.core.comparison import Current, Plan, columns_alone, judged
from monitor.core.dataset_socket import Found, find_in_table
from monitor.core.records import ColumnResult, Finding
from monitor.core.side_by_side import Run
from monitor.core.summaries.kept import Summaries
from monitor.core.table import rows_of
from monitor.core.verdict import judge_dataset

UNHEARD = 0.01  # importance of a column that the ranking test did not use, where the mean is 1


def compare_table(
    reference: Mapping[str, Stream],
    current: Current,
    plan: Plan,
    summaries: Summaries | None = None,
    run: Run = map,
) -> tuple[tuple[ColumnResult, ...], tuple[Finding, ...]]:
    """The columns, and the findings on the whole dataset; arguments as of `columns_alone`."""
    alone = columns_alone(reference, current, plan, summaries, run)
    found = _found(reference, current.columns, alone, plan, run)
    findings = tuple(each.finding for each in found)
    columns = judged(alone, plan, findings)
    ranking = next((f.by_column for f in found if f.finding.test == plan.ranked_by), {})
    return _ranked(columns, ranking), judge_dataset(findings, alone, plan.rule)


def _found(
    reference: Mapping[str, Stream],
    current: Mapping[str, Stream],
    alone: Sequence[ColumnResult],
    plan: Plan,
    run: Run,
) -> list[Found]:
    if not plan.dataset_tests:
        return []
    rows = rows_of(reference, current, alone, run)
    tests = plan.dataset_tests.items()
    found = (find_in_table(name, test, rows, plan.rule) for name, test in tests)
    return [each for each in found if each is not None]


def _ranked(
    columns: Sequence[ColumnResult], shares: Mapping[str, float]
) -> tuple[ColumnResult, ...]:
    """Compared columns with their shares as importance, scaled to mean 1; as they are without."""
    compared = [c.name for c in columns if c.compared]
    total = sum(shares.get(name, 0.0) for name in compared)
    if not total:
        return tuple(columns)
    mean = total / len(compared)
    importance = {name: max(UNHEARD, shares.get(name, 0.0) / mean) for name in compared}
    return tuple(replace(c, importance=importance.get(c.name, c.importance)) for c in columns)
