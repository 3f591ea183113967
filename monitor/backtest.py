"""The story replayed over history: how many alarms would there have been? Nothing stored or sent.

1. look      at each window as a check does: sample it and compare it, without validation; or take
             the findings of the stored checks as they are
2. measure   the columns again under other tolerances, where that can make a difference
3. replay    the monitor's own rule and others on the same findings
4. advise    the most sensitive rule that keeps the alarm budget on quiet history
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from statistics import median_low

from monitor.core.comparison import Plan, compare_columns
from monitor.core.drift_socket import Rule
from monitor.core.over_time.budget import Budget
from monitor.core.records import Check, ColumnResult, Finding, Verdict, Window
from monitor.core.replay.advice import Backtest, advise
from monitor.core.replay.alarms import deciding_columns
from monitor.core.replay.history import Looked, columns_of, replayed
from monitor.core.replay.rivals import FACTORS, Setting, main_tests, rivals, scene_of, tolerances
from monitor.core.verdict import column_p
from monitor.errors import AskedWrongly
from monitor.ports import Sample, Source
from monitor.references import Reference
from monitor.steps.holding import Held, hold_against
from monitor.steps.kit import Look, Timings, Watch
from monitor.steps.looking import SOURCE, compare_rows, confirm_files, sample_window

SETTLED = 1e-7  # a p this small rejects at every level in use, and under every smaller tolerance
HOPELESS = 0.25  # a p this large rejects nowhere, nor does the larger one under a wider tolerance

Others = Mapping[str, Mapping[str, float]]


@dataclass(frozen=True, slots=True)
class Question:
    """What a backtest is asked."""

    budget: Budget
    step: timedelta  # between two checks
    quiet_until: datetime | None = None  # None: all of history counts as quiet
    stored: bool = False
    own_budget: Budget | None = None  # that the monitor keeps; None: `budget`, if it keeps one


# --- 1. look ---


def look_back(watch: Watch, reference: Reference | None, window: Window, source: Source) -> Looked:
    """One window of the past, read and compared as a check does, and under other tolerances.

    A drift is not explained: nobody would read it.
    """
    watch, timings = replace(watch, explain=False), Timings()
    sample, look = sample_window(watch, window, source, timings)
    if sample is None or not sample.info.rows:
        reason = look.dataset[0].reason if sample is None else "no rows in the window"
        return Looked(window, unseen=reason)
    held, look = hold_against(watch, reference, window, (sample, look), source, timings)
    look = compare_rows(watch, held.reference, sample, look, timings, held.measure)
    look = confirm_files(held.reference, sample, look)
    found = _looked(window, look)
    return replace(found, at=_elsewhere(watch, held, sample, found))


def look_at_check(check: Check) -> Looked:
    """A stored check, as it was measured."""
    assert check.window is not None, "the checks of a monitor are about windows"
    dataset, segments = check.dataset.findings, check.segments
    return _looked(
        check.window, Look(check.sample, check.columns, None, dataset, segments=segments)
    )


def _looked(window: Window, look: Look) -> Looked:
    unread = [f.reason for f in look.dataset if f.test == SOURCE]
    if any(c.compared for c in look.columns) and not unread:
        return Looked(window, look.sample.rows, look.columns, look.dataset, look.segments)
    reasons = [f.reason for f in look.dataset if f.verdict is Verdict.UNDECIDED]
    return Looked(window, unseen=(unread or reasons or ["nothing was compared"])[0])


# --- 2. measure ---


def other_tolerances(plan: Plan) -> Others:
    """Multiples of each test's own tolerance, the widest first, less what is configured already."""
    configured = tolerances(plan)
    found = {f"x{factor:g}": tolerances(plan, factor) for factor in sorted(FACTORS, reverse=True)}
    return {name: values for name, values in found.items() if values != configured}


def _elsewhere(watch: Watch, held: Held, sample: Sample, look: Looked) -> Others:
    """p_tolerance by column under the other tolerances.

    An effect within a tolerance gets p = 1, which no rule rejects, and so does one far from proven
    to exceed a smaller tolerance; one that is proven beyond doubt to exceed a wide tolerance
    exceeds every smaller one: none of these is measured again.
    """
    columns = deciding_columns(look, watch.plan.tests)
    configured = tolerances(watch.plan)
    hopeless = {c.name for c in columns if (c.p_tolerance or 0.0) >= HOPELESS}
    found: dict[str, Mapping[str, float]] = {}
    settled: dict[str, float] = {}
    for name, tolerance in other_tolerances(watch.plan).items():
        wider = all(limit >= configured[test] for test, limit in tolerance.items())
        known = settled.keys() | (hopeless if wider else set())
        above = [c.name for c in columns if c.name not in known and _above(c, tolerance)]
        again = _again(watch, held, sample, tolerance, above)
        told = {c.name: _with(c, again.get(c.name, ()), tolerance) for c in columns}
        found[name] = {k: p for k, p in {**told, **settled}.items() if p is not None}
        settled |= {name: p for name, p in found[name].items() if p <= SETTLED}
    return found


def _above(column: ColumnResult, tolerance: Mapping[str, float]) -> bool:
    return any((f.effect or 0.0) > tolerance[f.test] for f in _main(column, tolerance))


def _main(column: ColumnResult, tolerance: Mapping[str, float]) -> list[Finding]:
    return [f for f in column.findings if f.test in tolerance and f.p_tolerance is not None]


def _with(
    column: ColumnResult, again: Sequence[Finding], tolerance: Mapping[str, float]
) -> float | None:
    """p_tolerance of a column with the findings under another tolerance in place of its own."""
    p = {f.test: f.p_tolerance for f in again}
    within = {f.test: replace(f, p_tolerance=p.get(f.test, 1.0)) for f in _main(column, tolerance)}
    return column_p([within.get(f.test, f) for f in column.findings])[1]


def _again(
    watch: Watch,
    held: Held,
    sample: Sample,
    tolerance: Mapping[str, float],
    names: Sequence[str],
) -> dict[str, Sequence[Finding]]:
    """The findings of some columns under another tolerance."""
    if not names or held.reference is None:
        return {}
    tests = main_tests(watch.plan)
    plan = replace(
        watch.plan,
        tests=tests,
        chosen=tuple(tests),
        only=tuple(names),
        rule=Rule(alpha=watch.plan.rule.alpha, tolerance=tolerance),
    )
    columns = compare_columns(
        held.reference.sample.columns,
        sample.columns,
        plan,
        held.reference.summaries,
        measure=held.measure,
    )
    return {c.name: c.findings for c in columns}


# --- 3. replay, 4. advise ---


def backtest(watch: Watch, looked: Iterable[Looked], question: Question) -> Backtest:
    """Every rule on the same windows, oldest first; AskedWrongly when nothing was compared."""
    past = list(looked)
    seen = [look for look in past if not look.unseen]
    if not seen:
        why = f": {past[0].unseen}" if past else ""
        raise AskedWrongly(f"no window of {watch.name} could be looked at{why}")
    others = {} if question.stored else other_tolerances(watch.plan)
    setting = Setting(
        plan=watch.plan,
        scene=scene_of(seen),
        measured=frozenset(f.test for look in seen for c in look.compared for f in c.findings),
        budget=question.budget,
        checks_in_budget=question.budget.checks_per_alarm(question.step),
        own_budget=question.own_budget or question.budget,
        checks=watch.checks_per_alarm,
        segmented=bool(watch.segments),
        others=others,
    )
    trials = tuple(replayed(rule, past) for rule in rivals(setting))
    return Backtest(
        monitor=watch.name,
        trials=trials,
        columns=columns_of(past, trials),
        advice=advise(trials, question.budget, question.quiet_until),
        scene=setting.scene,
        unseen=tuple((look.window.start, look.unseen) for look in past if look.unseen),
        rows=median_low([look.rows for look in seen]),
        stored=question.stored,
        absent=_absent(watch, question),
    )


def _absent(watch: Watch, question: Question) -> tuple[str, ...]:
    """What the rules beside the monitor's own could not be asked, and why."""
    told = []
    if question.stored:
        told.append("other tolerances: stored checks hold one only")
    if watch.segments:
        told.append("segments under other rules: they were judged by the current one only")
    if watch.plan.rule.classical and not watch.plan.dataset_tests:
        told.append(
            "tests of the whole dataset under tolerance rules: none ran beside the current rule"
        )
    return tuple(told)
