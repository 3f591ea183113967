"""What alarms in measured windows, rule by rule: the columns that fire, an empty tuple for none."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from monitor.core.drift_socket import DriftTest, Rule
from monitor.core.over_time.spending import Before, beside, can_judge, hold_back, spend
from monitor.core.records import ColumnResult, Finding, Slice, Verdict
from monitor.core.replay.history import Fires, Looked, Names
from monitor.core.verdict import column_p, is_violated, judge_columns, judge_dataset

CLASSICAL = ("ks", "chi_squared")  # the classical p of numbers and of levels


def by_verdict(looked: Sequence[Looked]) -> list[Names]:
    """As it was judged: drifted columns, drift of the whole dataset, drifted segments."""
    return [
        _drifted(look.columns, look.dataset) + _drifted_segments(look.segments) for look in looked
    ]


def _drifted(columns: Sequence[ColumnResult], dataset: Sequence[Finding]) -> Names:
    return tuple(
        [c.name for c in columns if c.verdict is Verdict.DRIFTED]
        + [f.test for f in dataset if f.verdict is Verdict.DRIFTED]
    )


def _drifted_segments(segments: Sequence[Slice]) -> Names:
    return tuple(s.where for s in segments if s.verdict is Verdict.DRIFTED)


def by_tolerance(tests: Mapping[str, DriftTest], alpha: float, at: str = "") -> Fires:
    """Tolerance and evidence at level `alpha`, under the configured tolerances or those named.

    Columns and tests of the whole dataset are one family, as in a check.
    """
    rule = Rule(alpha=alpha)

    def fires(looked: Sequence[Looked]) -> list[Names]:
        return [_drifted(*_judged(look, tests, rule, at)) for look in looked]

    return fires


def _judged(
    look: Looked, tests: Mapping[str, DriftTest], rule: Rule, at: str = ""
) -> tuple[tuple[ColumnResult, ...], tuple[Finding, ...]]:
    """Columns and dataset tests as the tolerance rule judges them together."""
    columns = deciding_columns(look, tests, at)
    dataset = [_proven(f, rule.alpha) for f in look.dataset if f.of_drift]
    return judge_columns(columns, rule, dataset), judge_dataset(dataset, columns, rule)


def _proven(finding: Finding, alpha: float) -> Finding:
    """A dataset test decided by tolerance at level `alpha`, whatever decided it in the check."""
    proven = finding.p_tolerance is not None and finding.p_tolerance <= alpha
    return replace(finding, decides=True, verdict=Verdict.DRIFTED if proven else Verdict.PASSED)


def deciding_columns(
    look: Looked, tests: Mapping[str, DriftTest], at: str = ""
) -> list[ColumnResult]:
    """The compared columns with the p_tolerance of what decides under the tolerance rule."""
    columns = [_under_tolerance(c, tests) for c in look.compared]
    if not at:
        return columns
    return [replace(c, p_tolerance=look.at[at].get(c.name, c.p_tolerance)) for c in columns]


def _under_tolerance(column: ColumnResult, tests: Mapping[str, DriftTest]) -> ColumnResult:
    """Under a classical rule other findings decide than under the tolerance rule."""
    findings = tuple(
        replace(f, decides=tests[f.test].SPEC.decides) if f.test in tests else f
        for f in column.findings
    )
    return replace(column, findings=findings, p_tolerance=column_p(findings)[1])


def by_budget(
    tests: Mapping[str, DriftTest],
    checks: float,
    rule: Rule,
    *,
    families: int = 1,
    segments: bool = False,
) -> Fires:
    """Evidence that adds up from window to window until it makes one alarm in `checks`.

    One window is judged at alpha over `families`. Dataset tests stand beside the evidence of
    columns, and `segments` where they were judged by the same rule.
    """
    alone = replace(rule, alpha=rule.alpha / families)

    def fires(looked: Sequence[Looked]) -> list[Names]:
        told, before = [], Before()
        for look in looked:
            columns, dataset = _judged(look, tests, alone)
            others: Names = ()
            if can_judge(columns) and not is_violated(look.dataset, None):
                columns, found = spend(columns, before, checks, rule)
                kept = {c.name: c.accrued for c in columns if c.accrued is not None}
                before = Before(kept, alarm=found.verdict is Verdict.DRIFTED)
                others = _drifted((), beside(dataset, found, checks))
                if segments:
                    others += _drifted_segments(beside(look.segments, found, checks))
            else:
                columns = hold_back(columns, rule)
            told.append(_drifted(columns, ()) + others)
        return told

    return fires


def by_p_value(alpha: float) -> Fires:
    """Any column whose classical p is at most `alpha`: KS for numbers, chi-squared for levels."""
    return lambda looked: [_surprising(look, alpha) for look in looked]


def _surprising(look: Looked, alpha: float) -> Names:
    return tuple(
        c.name
        for c in look.compared
        if any(
            f.p_value is not None and f.p_value <= alpha for f in c.findings if f.test in CLASSICAL
        )
    )


def by_share(share: float, alpha: float) -> Fires:
    """At least this share of the compared columns has a classical p of at most `alpha`."""

    def fires(looked: Sequence[Looked]) -> list[Names]:
        found = [(look, _surprising(look, alpha)) for look in looked]
        return [n if n and len(n) >= share * len(look.compared) else () for look, n in found]

    return fires


def by_threshold(test: str, limit: float) -> Fires:
    """Any column whose statistic of one test is above a fixed number."""

    def above(column: ColumnResult) -> bool:
        return any(
            f.statistic is not None and f.statistic > limit
            for f in column.findings
            if f.test == test
        )

    return lambda looked: [tuple(c.name for c in k.compared if above(c)) for k in looked]
