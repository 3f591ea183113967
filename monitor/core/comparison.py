"""COMPARE: every column of the reference against the same column of the window.

1. Which columns: those on both sides, less what is excluded; times and identifiers are only listed.
2. Each column alone: both sides as the frozen kind, its tests, the rule. What breaks in one column
   stays in that column.
3. All columns together: the verdict of each, with false-discovery control.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace

from monitor.core.cells import Pair
from monitor.core.columns import COMPARED_KINDS, Column, Floats, Kind, Stream
from monitor.core.dataset_socket import DatasetTest
from monitor.core.drift_socket import DriftTest, Rule, find
from monitor.core.kinds import FEW_INTEGERS, decide_kind
from monitor.core.numerals import count
from monitor.core.onset import onset
from monitor.core.over_time.calibration import Measure, Yardstick
from monitor.core.records import OUTPUTS, ColumnResult, Finding, Verdict
from monitor.core.shape import draw_shape
from monitor.core.side_by_side import Run
from monitor.core.summaries.collecting import Asked, Foretold, makes_its_own, summarize
from monitor.core.summaries.kept import Summaries
from monitor.core.summaries.summary import Summary, in_one_precision
from monitor.core.summaries.windows import WindowSummaries
from monitor.core.verdict import column_p, judge_columns, strength_of
from monitor.errors import AskedWrongly

TOLD_DESIGN_EFFECT = 1.5  # a smaller one makes no difference worth a sentence
MODEL_OUTPUT = 2.0  # importance of what the model says, when nothing is configured


@dataclass(frozen=True, slots=True)
class Plan:
    """What to compare, and how; everything that configuration can say about it."""

    tests: Mapping[str, DriftTest]  # all there are, by name
    chosen: tuple[str, ...] = ()  # empty: the defaults of each kind
    rule: Rule = field(default_factory=Rule)
    only: tuple[str, ...] = ()  # empty: all common columns
    exclude: tuple[str, ...] = ()
    kinds: Mapping[str, Kind] = field(default_factory=dict)  # frozen or overridden
    importance: Mapping[str, float] = field(default_factory=dict)
    critical: frozenset[str] = frozenset()
    roles: Mapping[str, str] = field(default_factory=dict)  # prediction, probability, label
    names: bool = True  # False: levels are numbered, and no value of a single row is told
    dataset_tests: Mapping[str, DatasetTest] = field(default_factory=dict)  # those to be run
    ranked_by: str = ""  # the dataset test by whose view of the columns causes are ranked

    def wants(self, name: str) -> bool:
        """Whether a column is to be compared; one that is not is neither lost, new nor retyped."""
        return (not self.only or name in self.only) and name not in self.exclude

    def importance_of(self, name: str) -> float:
        """As configured; what the model says counts for more than one of its inputs."""
        return self.importance.get(name, MODEL_OUTPUT if self.roles.get(name) in OUTPUTS else 1.0)

    def tests_for(self, kind: Kind) -> dict[str, DriftTest]:
        """The tests that look at a column of this kind: the chosen ones and every guard."""
        return {
            name: test
            for name, test in self.tests.items()
            if kind in test.SPEC.kinds
            and (test.SPEC.guard or (name in self.chosen if self.chosen else test.SPEC.default))
        }


@dataclass(frozen=True, slots=True, eq=False)
class Current:
    """The other side of every comparison: the columns of a window, and what goes with them."""

    columns: Mapping[str, Stream]
    times: Floats | None = None  # epoch seconds of the drawn rows, shape (rows,): tell an onset
    measure: Measure | None = None  # how much such windows vary; without it rows are independent
    kept: WindowSummaries | None = None  # takes what is to be stored of each compared column

    def yardstick(self, column: Stream, kind: Kind, summary: Summary) -> Yardstick:
        """What a column of the reference is to the window: all of it, unless measured."""
        return self.measure(column, kind, summary) if self.measure else Yardstick(summary)

    def keep(self, name: str, kind: Kind, summary: Summary, reference: Summary) -> None:
        if self.kept is not None:
            self.kept.add(name, kind, summary, reference)


def compare_columns(
    reference: Mapping[str, Stream],
    current: Mapping[str, Stream],
    plan: Plan,
    summaries: Summaries | None = None,
    times: Floats | None = None,
    measure: Measure | None = None,
) -> tuple[ColumnResult, ...]:
    """One result per common column, in the reference's order, judged together."""
    return judged(columns_alone(reference, Current(current, times, measure), plan, summaries), plan)


def columns_alone(
    reference: Mapping[str, Stream],
    current: Current,
    plan: Plan,
    summaries: Summaries | None = None,
    run: Run = map,
) -> list[ColumnResult]:
    """Every common column with its findings, not judged yet.

    `summaries` are those of the reference, kept from one window to the next.
    """
    kept = Summaries() if summaries is None else summaries
    common = [name for name in reference if name in current.columns and plan.wants(name)]
    if isinstance(reference, Foretold):
        reference.expect(kinds_of(reference, common, plan))
    if isinstance(current.columns, Foretold):
        current.columns.expect(_foreseen(reference, common, plan, kept))

    def compare(name: str) -> ColumnResult:
        return _compare_safely(reference[name], current, plan, kept)

    return list(run(compare, common))


def judged(
    alone: Sequence[ColumnResult], plan: Plan, dataset: Sequence[Finding] = ()
) -> tuple[ColumnResult, ...]:
    """Columns judged together, and together with the findings on the whole dataset."""
    columns = judge_columns(alone, plan.rule, dataset)
    return tuple(_with_yardstick(column) for column in columns)


_FROZEN = {Kind.TIME: "it tells a time", Kind.ID: "it identifies rows"}


def kind_of(column: Stream, plan: Plan) -> tuple[Kind, str]:
    """The kind of a reference column and why: as frozen or configured, else decided now.

    A streamed column is judged by its first piece.
    """
    if column.name in plan.kinds:
        kind = plan.kinds[column.name]
        return kind, _FROZEN.get(kind, "as frozen or configured")
    if column.kind is not None:
        return column.kind, _FROZEN.get(column.kind, "as frozen")
    decision = decide_kind(column.head())
    return decision.kind, decision.reason


def kinds_of(columns: Mapping[str, Stream], names: Iterable[str], plan: Plan) -> Asked:
    """What will be asked of columns of a reference, as far as it is known before they are read."""
    found = {name: kind_of(columns[name], plan)[0] for name in names if not columns[name].problem}
    return {name: (kind, None) for name, kind in found.items() if kind in COMPARED_KINDS}


def _foreseen(
    reference: Mapping[str, Stream], names: Iterable[str], plan: Plan, summaries: Summaries
) -> Asked:
    """The same of the window: kinds, and the reference's summaries where one need not be read for.

    What goes wrong here goes wrong again where the column is compared, and is told there.
    """
    asked = dict(kinds_of(reference, names, plan))
    for name in asked:
        column = reference[name]
        if isinstance(column, Column) or makes_its_own(column):
            with suppress(Exception):
                asked[name] = picture_of(reference[name], asked[name][0], plan, summaries)
    return asked


def picture_of(
    column: Stream, kind: Kind, plan: Plan, summaries: Summaries
) -> tuple[Kind, Summary]:
    """The kind of a compared reference column, and its summary; `kind` is what `kind_of` says.

    Integers of which a first piece held few distinct values may turn out to have many.
    """
    summary = summaries.of(column, kind)
    counted = kind is Kind.CATEGORY and column.dtype in ("integer", "float")
    known = column.name in plan.kinds or column.kind is not None
    if counted and not known and len(summary.counts) > FEW_INTEGERS:
        return Kind.NUMBER, summaries.of(column, Kind.NUMBER)
    return kind, summary


def _compare_safely(
    reference: Stream, window: Current, plan: Plan, summaries: Summaries
) -> ColumnResult:
    """One bad column never ends a check: what breaks here is told here, but what nobody can ask."""
    try:
        return _compare(reference, window, plan, summaries)
    except AskedWrongly:
        raise
    except Exception as error:
        reason = f"this column could not be compared ({type(error).__name__}: {error})"
        return _undecided(reference, plan, reason[:300])


def _compare(reference: Stream, window: Current, plan: Plan, summaries: Summaries) -> ColumnResult:
    current = window.columns[reference.name]
    kind, why = kind_of(reference, plan)
    if kind not in COMPARED_KINDS:
        return _listed(reference, current, kind, why)
    problem = reference.problem or current.problem
    if problem:
        return _undecided(reference, plan, problem)
    kind, before = picture_of(reference, kind, plan, summaries)
    try:
        now = summarize(current, kind, before)
    except AskedWrongly as error:  # frozen as another kind, which nobody asked for
        return _undecided(reference, plan, str(error))
    window.keep(reference.name, kind, now, before)
    yardstick = window.yardstick(reference, kind, before)
    pair = Pair(
        reference.name,
        kind,
        *in_one_precision(yardstick.summary, now),
        yardstick.design_effect(yardstick.summary.present, now.present),
    )
    found = _result(pair, plan, _findings(pair, (reference, current), plan))
    result = replace(found, compared_with=yardstick.compared_with)
    moved = any(f.verdict is Verdict.DRIFTED and not f.guard for f in result.findings)
    if window.times is None or not moved:
        return result
    return replace(result, onset=onset(pair, current.drawn(), window.times))


def _findings(pair: Pair, columns: tuple[Stream, Stream], plan: Plan) -> tuple[Finding, ...]:
    tests = plan.tests_for(pair.kind)
    exact = pair.reference.exact and pair.current.exact
    found = (
        _find_in_drawn_rows(name, test, pair, columns, plan)
        if test.SPEC.needs_rows and not exact
        else find(name, test, pair, plan.rule, names=plan.names)
        for name, test in tests.items()
    )
    return tuple(sorted((f for f in found if f), key=lambda f: (f.guard, not f.decides)))


def _find_in_drawn_rows(
    name: str, test: DriftTest, pair: Pair, columns: tuple[Stream, Stream], plan: Plan
) -> Finding | None:
    """A test that points would mislead, on the rows that were drawn of a side kept as points.

    A draw is a sample like any other, so the law of the test holds with its rows.
    """
    sides = [
        side if side.exact else summarize(column.drawn(), pair.kind)
        for side, column in zip((pair.reference, pair.current), columns, strict=True)
    ]
    if any(
        whole and not size
        for whole, size in zip(pair.sizes, (s.present for s in sides), strict=True)
    ):
        reason = f"{test.SPEC.title}: it needs rows, and only points of the values are kept"
        return Finding(name, Verdict.UNDECIDED, reason, exact=False, error_bound=math.inf)
    found = find(name, test, replace(pair, reference=sides[0], current=sides[1]), plan.rule)
    if found is None:
        return None
    rows = " and ".join(count(s.present) for s in sides)
    told = f"{found.reason}; on {rows} rows, of which the larger sides are drawn"
    return replace(found, reason=told, exact=False, error_bound=math.inf)


def _result(pair: Pair, plan: Plan, findings: tuple[Finding, ...]) -> ColumnResult:
    p_value, p_tolerance = column_p(findings)
    before, now = pair.reference.description, pair.current.description
    return ColumnResult(
        name=pair.name,
        kind=pair.kind,
        verdict=Verdict.UNDECIDED,
        reason="no test applies to this column",
        importance=plan.importance_of(pair.name),
        critical=pair.name in plan.critical,
        role=plan.roles.get(pair.name),
        design_effect=pair.design_effect,
        missing_reference=_share(pair.reference.missing, pair.reference.rows),
        missing_current=_share(pair.current.missing, pair.current.rows),
        p_value=p_value,
        p_tolerance=p_tolerance,
        strength=strength_of(findings),
        findings=findings,
        statistics=_statistics(pair, before, now, plan),
        shape=draw_shape(pair, names=plan.names),
    )


def _with_yardstick(column: ColumnResult) -> ColumnResult:
    """The reason tells what the column was compared with, and what its rows counted for."""
    told = [column.reason]
    if column.compared_with:
        told.append(f"compared with {column.compared_with}")
    if column.design_effect >= TOLD_DESIGN_EFFECT:
        told.append(
            f"rows count for {column.design_effect:.1f} times fewer: windows of the reference "
            "vary that much more than independent rows"
        )
    return replace(column, reason="; ".join(told)) if len(told) > 1 else column


def _statistics(
    pair: Pair,
    before: Mapping[str, float | None],
    now: Mapping[str, float | None],
    plan: Plan,
) -> dict[str, tuple[float | None, float | None]]:
    """Both sides of each statistic; the extremes are values of single rows, shown as values are."""
    if not pair.numeric:
        return {}
    shown = before if plan.names else [k for k in before if k not in ("min", "max")]
    return {k: (before[k], now[k]) for k in shown}


def _listed(reference: Stream, current: Stream, kind: Kind, why: str) -> ColumnResult:
    """A time or an identifier: there, but not compared."""
    return ColumnResult(
        name=reference.name,
        kind=kind,
        verdict=Verdict.PASSED,
        reason=f"not compared: {why}",
        missing_reference=_share(reference.missing, reference.rows),
        missing_current=_share(current.missing, current.rows),
        compared=False,
    )


def _undecided(reference: Stream, plan: Plan, reason: str) -> ColumnResult:
    return ColumnResult(
        name=reference.name,
        kind=plan.kinds.get(reference.name, Kind.CATEGORY),
        verdict=Verdict.UNDECIDED,
        reason=reason,
        importance=plan.importance_of(reference.name),
        critical=reference.name in plan.critical,
        role=plan.roles.get(reference.name),
    )


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None
