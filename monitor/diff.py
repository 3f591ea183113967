"""Stored windows held against each other, B against A; no row is read, only what checks kept.

1. find     the stored checks that each side names: an id, a time, or every window of a range
2. restore  what they kept of each column; several windows add up to one
3. compare  B with A, by the monitor's own plan
4. decide   as a check does; nothing is stored, and nobody is told
"""

import shlex
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from monitor.archive import Store
from monitor.core import words
from monitor.core.columns import Column, Kind, Stream
from monitor.core.comparison import Plan, compare_columns
from monitor.core.frozen import FrozenColumn, Picture
from monitor.core.over_time.calibration import Measure, Yardstick
from monitor.core.over_time.variation import Variation
from monitor.core.records import Check, Finding, Notice, Verdict, Window
from monitor.core.summaries.summary import Summary
from monitor.core.summaries.windows import added_up, any_hidden, without_levels
from monitor.errors import AskedWrongly
from monitor.ports import Clock, Sample
from monitor.steps.deciding import check_id, decide
from monitor.steps.holding import as_reference
from monitor.steps.kit import Look, Timings, Watch
from monitor.steps.looking import watched
from monitor.steps.stored import Stored, find

Columns = Mapping[str, FrozenColumn]


def diff(watch: Watch, store: Store, asked: tuple[str, str], clock: Clock) -> Check:
    """What a check of B against A says; `watch` is briefed without a reference.

    Raises AskedWrongly for what names no stored window, CouldNotLook for windows of which nothing
    was kept.
    """
    timings = Timings()
    with timings.step("sample"):
        # 1. find
        before, now = (find(text, watch, store) for text in asked)
        _must_differ(before, now)
        # 2. restore
        before, now = _spelt_alike(before, now, watch)
        columns = restored(before, watch.plan)
        kinds = {name: column.kind for name, column in columns.items()} | dict(watch.plan.kinds)
        plan = replace(watch.plan, kinds=kinds, dataset_tests={}, ranked_by="")
        others = restored(now, plan)
    # 3. compare
    with timings.step("compare"):
        found = compare_columns(columns, others, plan, measure=yardsticks(before, now))
    lost, notices = _schema(watch, before, columns, others)
    told = (*before.notices, *now.notices, *_provisos(before, now, watch), *notices)
    look = Look(now.sample, found, dataset=lost, notices=(*told, *watched(found)))
    # 4. decide
    called = before.called(watch)
    held = as_reference(watch.name, before.window, called, Sample(before.sample, columns, None))
    watch = replace(watch, plan=plan, held_against=called)
    check = decide(watch, held, now.window, look, timings)
    name = check_id(f"{check_id(watch.name, now.window, 0)}-against", before.window, 0)
    setup = _setup(watch, before, now, asked)
    return replace(check, id=name, made_at=clock(), setup=setup)


def _must_differ(before: Stored, now: Stored) -> None:
    if [c.id for c in before.checks] == [c.id for c in now.checks]:
        raise AskedWrongly(
            f"both sides are {' and '.join(c.id for c in before.checks[:2])}",
            hint="name two windows, or two ranges of them",
        )


def _setup(watch: Watch, before: Stored, now: Stored, asked: tuple[str, str]) -> dict[str, Any]:
    """How it was made; what needs rows had no part in it."""
    told = {k: v for k, v in watch.setup.items() if k not in ("segments", "expectations")}
    return told | {
        "compared_with": f"in A, {before.called(watch)}",
        "diff": {"A": [c.id for c in before.checks], "B": [c.id for c in now.checks]},
        "command": shlex.join(["monitor", "diff", watch.name, *asked]),
    }


# --- 2. restore ---


def _spelt_alike(before: Stored, now: Stored, watch: Watch) -> tuple[Stored, Stored]:
    """Levels as hashes on both sides where some of them are, or may not be shown any more."""
    kept = [s for side in (before, now) for each in side.kept for _, s in each.values()]
    if watch.show_values != "never" and not any_hidden(kept):
        return before, now
    hidden = [
        replace(side, kept=tuple(without_levels(each, watch.name) for each in side.kept))
        for side in (before, now)
    ]
    return hidden[0], hidden[1]


def restored(side: Stored, plan: Plan) -> dict[str, FrozenColumn]:
    """Every column that was to be compared, as the kind that the plan says, else as it was seen.

    One of which nothing was kept, or which was seen as another kind, says so.
    """
    wanted = [name for name in side.results if plan.wants(name)]
    compared = [name for name in wanted if any(c.compared for c in side.results[name])]
    pictures = {name: _picture(name, side, plan) for name in compared}
    return {name: FrozenColumn(name, p, _no_rows, None) for name, p in pictures.items()}


def _no_rows() -> Column:
    return Column("", "other", 0, 0)


def _picture(name: str, side: Stored, plan: Plan) -> Picture:
    parts = [kept[name] for kept in side.kept if name in kept]
    seen = [*dict.fromkeys(kind for kind, _ in parts)]
    wanted = plan.kinds.get(name, seen[-1] if seen else Kind.CATEGORY)
    if not parts:
        reason = side.results[name][-1].reason
        return Picture(wanted, "other", 0, 0, f"nothing was kept of it: {reason}")
    if seen != [wanted]:
        told = " and as ".join(kind for kind in seen if kind is not wanted)
        problem = f"it was seen as {told}, and is {wanted} here; check the windows --again"
        return Picture(wanted, "other", 0, 0, problem)
    whole = added_up([summary for _, summary in parts])
    if whole.rest or whole.count_error:  # the other side counted other levels singly
        return Picture(
            wanted, "other", whole.rows, whole.missing, "too many levels were seen in it"
        )
    return Picture(wanted, "other", whole.rows, whole.missing, summary=whole)


# --- 3. compare ---


def yardsticks(before: Stored, now: Stored) -> Measure:
    """Rows count as they did in the checks of their windows.

    How much windows vary beyond independent rows was measured then; of several windows it is taken
    to add up as if they varied independently of one another.
    """

    def measure(column: Stream, kind: Kind, summary: Summary) -> Yardstick:
        beyond = (_excess(column.name, before) + _excess(column.name, now)) / 2
        return Yardstick(summary, Variation(1.0, 1 + beyond), against_window=True)

    return measure


def _excess(name: str, side: Stored) -> float:
    """Variance of a side's mean beyond that of independent rows, in variances of one row."""
    windows = side.rows_counted[name]
    rows = max(1, sum(part for part, _ in windows))
    return sum(part * (effect - 1) for part, effect in windows) / rows**2


def _schema(
    watch: Watch, side: Stored, before: Columns, now: Columns
) -> tuple[tuple[Finding, ...], tuple[Notice, ...]]:
    """Columns that only one side has: a lost one is a finding, a new one a notice."""
    lost = [name for name in before if name not in now]
    findings = tuple(
        Finding(
            test="schema",
            verdict=Verdict.VIOLATED,
            reason=f"the column {name} is in {side.called(watch)} and not in the other one",
        )
        for name in lost
        if name != watch.label
    )
    late = [
        Notice("label_absent", f"the label {name} has not arrived yet", name)
        for name in lost
        if name == watch.label
    ]
    new = [
        Notice("column_new", f"{name} is not in {side.called(watch)} and is not compared", name)
        for name in now
        if name not in before
    ]
    return findings, (*late, *new)


def _provisos(before: Stored, now: Stored, watch: Watch) -> list[Notice]:
    """What to bear in mind: what was not looked at, and what the two sides have in common."""
    told = [("needs_rows", f"not looked at, for it takes rows: {_takes_rows(watch)}")]
    if watch.checks_per_alarm is not None:
        level = f"alpha {watch.plan.rule.alpha:g} decides"
        told.append(("no_budget", f"an alarm budget is kept over windows in order; here {level}"))
    checks = (*before.checks, *now.checks)
    if len({c.reference.version for c in checks if c.reference}) > 1:
        text = "the windows were held against different data and have other cells, so PSI and its "
        told.append(("other_reference", f"{text}kin are known within their error bound"))
    if max(len(before.checks), len(now.checks)) > 1 and any(
        c.sample.rows < c.sample.rows_in_window for c in checks
    ):
        text = "windows of a range count by the rows that were drawn, not by all they held"
        told.append(("windows_sampled", text))
    start = max(before.window.start, now.window.start)
    end = min(before.window.end, now.window.end)
    if start < end:
        shared = words.window(Window(start, end), watch.timezone)
        text = f"both sides hold rows of {shared}, so they differ less than they would"
        told.append(("windows_overlap", text))
    return [Notice(kind, text) for kind, text in told]


def _takes_rows(watch: Watch) -> str:
    named = ", ".join(watch.plan.dataset_tests)
    parts = [
        f"tests of all columns together ({named})" if named else "",
        f"segments ({', '.join(watch.segments)})" if watch.segments else "",
        "expectations" if watch.setup.get("expectations") else "",
        "which rows moved, and when",
    ]
    return "; ".join(part for part in parts if part)
