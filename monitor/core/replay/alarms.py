"""What alarms in measured windows, rule by rule: the columns that fire, an empty tuple for none."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from monitor.core.drift_socket import DriftTest, Rule
from monitor.core.over_time.spending import Before, can_judge, hold_back, spend
from monitor.core.records import ColumnResult, Verdict
from monitor.core.replay.history import Fires, Looked, Names
from monitor.core.verdict import column_p, judge_columns

CLASSICAL = ("ks", "chi_squared")  # the classical p of numbers and of levels


def by_verdict(looked: Sequence[Looked]) -> list[Names]:
    """As it was judged: drifted columns, drift of the whole dataset, drifted segments."""
    return [
        tuple(
            [c.name for c in look.columns if c.verdict is Verdict.DRIFTED]
            + [f.test for f in look.dataset if f.verdict is Verdict.DRIFTED]
            + [s.where for s in look.segments if s.verdict is Verdict.DRIFTED]
        )
        for look in looked
    ]


def by_tolerance(tests: Mapping[str, DriftTest], alpha: float, at: str = "") -> Fires:
    """Tolerance and evidence at level `alpha`, under the configured tolerances or those named."""

    def fires(looked: Sequence[Looked]) -> list[Names]:
        return [_drifted(deciding_columns(look, tests, at), alpha) for look in looked]

    return fires


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


def _drifted(columns: Sequence[ColumnResult], alpha: float) -> Names:
    judged = judge_columns(columns, Rule(alpha=alpha))
    return tuple(c.name for c in judged if c.findings and c.verdict is Verdict.DRIFTED)


def by_budget(tests: Mapping[str, DriftTest], checks: float, rule: Rule) -> Fires:
    """Evidence that adds up from window to window until it makes one alarm in `checks`."""

    def fires(looked: Sequence[Looked]) -> list[Names]:
        told, before = [], Before()
        for look in looked:
            columns = judge_columns(deciding_columns(look, tests), rule)
            if can_judge(columns):
                columns, found = spend(columns, before, checks, rule)
                kept = {c.name: c.accrued for c in columns if c.accrued is not None}
                before = Before(kept, alarm=found.verdict is Verdict.DRIFTED)
            else:
                columns = hold_back(columns, rule)
            told.append(tuple(c.name for c in columns if c.verdict is Verdict.DRIFTED))
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
