"""DECIDE within an alarm budget: evidence of many checks, and what of one check waits for more.

1. Every column that could be judged adds to the evidence it has gathered (`budget.add`).
2. While the alarm is on, the check is drifted: by the columns that are rejected in this window,
   by those that would keep the alarm on alone, and at least by the one with the most evidence.
3. While it is not, what one window shows is a watch; only a critical column answers for itself.
   A column with too few rows adds nothing, whatever they show, and is undecided.
4. Segments and tests of the whole dataset gather no evidence. Each of the two has a quarter of the
   budget to itself and spends it window by window: p at most 1 / (4 A) among all there are.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar

import numpy as np

from monitor.core.columns import Floats
from monitor.core.drift_socket import Rule
from monitor.core.numerals import number
from monitor.core.over_time import budget
from monitor.core.records import Accrued, Check, ColumnResult, Finding, Slice, Verdict
from monitor.core.verdict import answers_for_itself, dataset_p_tolerance, main_findings
from monitor.core.words import plural

ACCUMULATED = "accumulated"  # the finding that tells the evidence of all columns
SHARE = 0.25  # of the budget, for segments and for tests of the whole dataset
Part = TypeVar("Part", ColumnResult, Finding, Slice)
Beside = TypeVar("Beside", Finding, Slice)


@dataclass(frozen=True, slots=True)
class Before:
    """What earlier checks had gathered."""

    columns: Mapping[str, Accrued] = field(default_factory=dict)
    alarm: bool = False


def accumulated(findings: Sequence[Finding]) -> Finding | None:
    """The finding that tells the evidence gathered; None in a check that added none."""
    return next((f for f in findings if f.test == ACCUMULATED), None)


def gathered_by(check: Check) -> Before | None:
    """What had been gathered up to a check; None when it added nothing."""
    finding = accumulated(check.dataset.findings)
    if finding is None:
        return None
    kept = {c.name: c.accrued for c in check.columns if c.accrued is not None}
    return Before(kept, alarm=finding.verdict is Verdict.DRIFTED)


def can_judge(columns: Sequence[ColumnResult]) -> bool:
    """Whether any column can add evidence."""
    return any(adds_evidence(c) for c in columns)


def spend(
    columns: Sequence[ColumnResult], before: Before, checks_per_alarm: float, rule: Rule
) -> tuple[tuple[ColumnResult, ...], Finding]:
    """Judged columns as the budget sees them, and the finding `accumulated`.

    Pure: the same columns after the same checks make the same evidence.
    """
    compared = [c for c in columns if c.compared]
    importance = np.array([c.importance for c in compared])
    kept = [before.columns.get(c.name, Accrued(1.0, 0)) for c in compared]
    then = budget.Gathered(np.array([a.evidence for a in kept]), np.array(before.alarm))
    p = np.array([c.p_tolerance if adds_evidence(c) else None for c in compared], np.float64)
    now = budget.add(then, p, importance, checks_per_alarm)
    grown = {
        c.name: replace(c, accrued=_accrued(a, float(e), adds_evidence(c)))
        for c, a, e in zip(compared, kept, now.evidence, strict=True)
    }
    finding = _finding(compared, before, now, importance, checks_per_alarm)
    judged = [grown.get(c.name, c) for c in columns]
    if not now.alarm:
        return hold_back(judged, rule, finding), finding
    behind = _behind(compared, now.evidence, importance, checks_per_alarm)
    return tuple(_carrying(c, finding) if c.name in behind else c for c in judged), finding


def hold_back(
    columns: Sequence[ColumnResult], rule: Rule, finding: Finding | None = None
) -> tuple[ColumnResult, ...]:
    """Columns while no alarm is on: those that drifted in this window alone wait for more."""
    return tuple(c if answers_for_itself(c, rule) else _held(c, finding) for c in columns)


def _held(column: ColumnResult, finding: Finding | None) -> ColumnResult:
    if column.verdict is not Verdict.DRIFTED or adds_evidence(column):
        return waiting(column, finding)
    reason = f"{column.reason}; too few rows to count as evidence within the alarm budget"
    return replace(column, verdict=Verdict.UNDECIDED, reason=reason)


def beside(
    parts: Sequence[Beside], finding: Finding, checks_per_alarm: float
) -> tuple[Beside, ...]:
    """Segments, or findings on the whole dataset, as the budget sees them.

    While an alarm is on they stand; else those that do not prove enough in this window wait.
    """
    if finding.verdict is Verdict.DRIFTED:
        return tuple(parts)
    most = SHARE / checks_per_alarm / max(1, sum(_tested(part) for part in parts))
    return tuple(part if _alone(part) <= most else waiting(part, finding) for part in parts)


def _tested(part: Finding | Slice) -> bool:
    """Whether a part is one of several tests; the p of a segment counts the others already."""
    return isinstance(part, Finding) and part.of_drift


def _alone(part: Finding | Slice) -> float:
    p = part.p_tolerance if isinstance(part, Finding) else part.p_value
    return 1.0 if p is None else p


def waiting(part: Part, finding: Finding | None = None) -> Part:
    """A column, finding or segment that drifted, as something to watch; others as they are."""
    if part.verdict is not Verdict.DRIFTED:
        return part
    gathered = f" ({so_far(finding)})" if finding else ""
    waits = f"in this window alone: the alarm budget waits for more evidence{gathered}"
    return replace(part, verdict=Verdict.WATCH, reason=f"{part.reason}; {waits}")


def adds_evidence(column: ColumnResult) -> bool:
    """Whether a column has the rows it takes: a matter of rows alone, not of what they show.

    Were strong findings on few rows counted and weak ones not, evidence would grow by itself.
    """
    return column.p_tolerance is not None and any(
        f.p_tolerance is not None and f.rows_needed is None and f.verdict is not Verdict.UNDECIDED
        for f in main_findings(column)
    )


def _accrued(before: Accrued, evidence: float, judged: bool) -> Accrued:
    gathering = before.checks if before.evidence > 1 else 0
    return Accrued(evidence, gathering + 1 if judged else before.checks)


def _behind(
    columns: Sequence[ColumnResult], evidence: Floats, importance: Floats, checks_per_alarm: float
) -> set[str]:
    """The columns that would keep the alarm on alone; at least the one with the most evidence."""
    parts = evidence * importance / importance.sum()
    enough = min(parts.max(), budget.kept_above(checks_per_alarm))
    return {c.name for c, part in zip(columns, parts, strict=True) if part >= enough}


def _carrying(column: ColumnResult, finding: Finding) -> ColumnResult:
    if column.verdict is Verdict.DRIFTED or column.accrued is None:
        return column
    last = plural(column.accrued.checks, "check")
    reason = (
        f"the alarm is on (evidence of all columns {so_far(finding)}), and this column gathered "
        f"evidence in the last {last}; this window alone does not prove it; {column.reason}"
    )
    return replace(column, verdict=Verdict.DRIFTED, reason=reason)


def _finding(
    columns: Sequence[ColumnResult],
    before: Before,
    now: budget.Gathered,
    importance: Floats,
    checks_per_alarm: float,
) -> Finding:
    evidence = float(budget.together(now.evidence, importance))
    alarm = bool(now.alarm)
    finding = Finding(
        test=ACCUMULATED,
        verdict=Verdict.DRIFTED if alarm else Verdict.PASSED,
        reason="",
        statistic=evidence,
        effect=evidence,
        threshold=budget.needed(checks_per_alarm),
        p_tolerance=dataset_p_tolerance(columns),
    )
    return replace(finding, reason=_reason(finding, before.alarm, checks_per_alarm))


def is_full(finding: Finding) -> bool:
    """Whether there is as much evidence as counts: drift goes on, or went on until just now."""
    return finding.statistic is not None and finding.statistic >= 0.999 * (finding.threshold or 0)


def is_enough_alone(finding: Finding) -> bool:
    """Whether this window raises the alarm without those before it, or there is no alarm."""
    alone = 1.0 if finding.p_tolerance is None else float(budget.e_value(finding.p_tolerance))
    return finding.verdict is not Verdict.DRIFTED or alone >= (finding.threshold or 0.0)


def so_far(finding: Finding) -> str:
    """The evidence against what an alarm takes: 12 of 90."""
    return f"{number(finding.statistic, 2)} of {number(finding.threshold)}"


def _reason(finding: Finding, alarmed: bool, checks_per_alarm: float) -> str:
    end = number(budget.kept_above(checks_per_alarm), 2)
    if finding.verdict is Verdict.DRIFTED and is_full(finding):
        return (
            "the checks so far prove a drift together: their evidence reached the "
            f"{number(finding.threshold)} that one false alarm in {number(checks_per_alarm)} "
            "checks takes"
        )
    if finding.verdict is Verdict.DRIFTED:
        return (
            f"the checks so far prove a drift together: their evidence is still {so_far(finding)}, "
            f"and the alarm ends below {end}"
        )
    if alarmed:
        return f"the evidence fell below {end}: the alarm is over, and evidence begins again"
    return f"the evidence of the checks so far is {so_far(finding)} that an alarm takes"
