"""DECIDE: findings → the verdict of a column, of all columns, of the check.

Columns are judged together, so that many columns do not cry wolf: weighted Benjamini–Hochberg on
their p_tolerance, weights the importance with mean 1. The check is `violated` before `drifted`
before `undecided` before `passed`; what could not be looked at is never a pass.
"""

import math
from collections.abc import Sequence
from dataclasses import replace

from monitor.core.drift_socket import Rule
from monitor.core.records import (
    ColumnResult,
    ExpectationReport,
    Finding,
    Severity,
    Slice,
    Verdict,
)

LARGEST_P = 0.99  # ACAT turns p = 1 into minus infinity


def deciding(findings: Sequence[Finding]) -> list[Finding]:
    """The findings that decide: those that say so; the chosen tests when none of them does."""
    main = [f for f in findings if not f.guard]
    reporting = [f for f in main if not f.decides]
    left_to_report = len(reporting) == len(main)
    return [f for f in findings if f.decides or (left_to_report and f in reporting)]


def column_p(findings: Sequence[Finding]) -> tuple[float | None, float | None]:
    """(p_value, p_tolerance) of a column: min(1, k · smallest) over k findings."""
    return (
        _bonferroni([f.p_value for f in findings if f.p_value is not None]),
        _bonferroni(tolerances(findings)),
    )


def tolerances(findings: Sequence[Finding]) -> list[float]:
    """p_tolerance of the deciding findings that have one."""
    return [f.p_tolerance for f in deciding(findings) if f.p_tolerance is not None]


def strength_of(findings: Sequence[Finding]) -> float:
    """The largest effect in units of its tolerance, for ranking; 0 without findings."""
    return max((f.strength for f in deciding(findings) if f.effect is not None), default=0.0)


def judge_columns(
    columns: Sequence[ColumnResult], rule: Rule, dataset: Sequence[Finding] = ()
) -> tuple[ColumnResult, ...]:
    """Every compared column with its verdict and the sentence that explains it.

    `dataset` are the tests of drift in the whole dataset, which belong to the same family.
    """
    rejected, _ = _rejected([c for c in columns if c.compared], rule.alpha, dataset)
    return tuple(_judge(c, rule, c.name in rejected) if c.compared else c for c in columns)


def judge_dataset(
    dataset: Sequence[Finding], columns: Sequence[ColumnResult], rule: Rule
) -> tuple[Finding, ...]:
    """The findings on the whole dataset, judged together with the columns."""
    _, rejected = _rejected([c for c in columns if c.compared], rule.alpha, dataset)
    kept = {f.test for f in dataset if f.decides and (rule.classical or f.test in rejected)}
    return tuple(f if f.test in kept else _hushed(f) for f in dataset)


def _hushed(finding: Finding) -> Finding:
    if finding.verdict is not Verdict.DRIFTED:
        return finding
    reason = f"{finding.reason}; not when it is judged together with all columns"
    return replace(finding, verdict=Verdict.WATCH, reason=reason)


def _judge(column: ColumnResult, rule: Rule, rejected: bool) -> ColumnResult:
    if not column.findings:  # it could not be compared: the reason is there already
        return column
    own = answers_for_itself(column, rule)
    decisive = deciding(column.findings)
    fired = [f for f in decisive if f.verdict is Verdict.DRIFTED]
    drifted = bool(fired) if rule.classical else rejected or own
    if drifted:
        strongest = min(fired or decisive, key=_by_evidence)
        return replace(column, verdict=Verdict.DRIFTED, reason=strongest.reason)
    return _quiet(column, min(fired, key=_by_evidence) if fired else None, rule.alpha)


def answers_for_itself(column: ColumnResult, rule: Rule) -> bool:
    """Whether a critical column drifted, whatever the others say."""
    alone = column.p_tolerance is not None and column.p_tolerance <= rule.alpha
    return column.critical and alone


def main_findings(column: ColumnResult) -> list[Finding]:
    """The deciding findings that can make a column decidable: guards alone cannot."""
    decisive = deciding(column.findings)
    if column.missing_reference == column.missing_current == 1.0:
        return decisive  # nothing but missing values on both sides: their share is all there is
    return [f for f in decisive if not f.guard]


def _quiet(column: ColumnResult, alone: Finding | None, alpha: float) -> ColumnResult:
    """The verdict of a column that did not drift; `alone` is what fired by itself."""
    main = main_findings(column)
    if all(f.verdict is Verdict.UNDECIDED for f in main):
        reason = main[0].reason if main else "no test applies to this column"
        return replace(column, verdict=Verdict.UNDECIDED, reason=reason)
    if alone is not None:
        reason = f"{alone.reason}; {_not_with(column, alpha)}"
        return replace(column, verdict=Verdict.WATCH, reason=reason)
    watched = [f for f in column.findings if f.verdict in (Verdict.WATCH, Verdict.DRIFTED)]
    if watched:
        return replace(column, verdict=Verdict.WATCH, reason=watched[0].reason)
    strongest = max(deciding(column.findings), key=lambda f: f.strength)
    return replace(column, verdict=Verdict.PASSED, reason=strongest.reason)


def _not_with(column: ColumnResult, alpha: float) -> str:
    """Together with what a finding that fired by itself proves nothing."""
    if shared_by_tests(column, alpha):
        return f"not when the {len(tolerances(column.findings))} tests of the column share `alpha`"
    return "not when all columns are judged together"


def shared_by_tests(column: ColumnResult, alpha: float) -> bool:
    """Whether one test proves it, and not when the tests of this column are judged together."""
    p = tolerances(column.findings)
    return column.p_tolerance is not None and min(p, default=1.0) <= alpha < column.p_tolerance


def _by_evidence(finding: Finding) -> tuple[float, float]:
    return 1.0 if finding.p_tolerance is None else finding.p_tolerance, -finding.strength


def _rejected(
    columns: Sequence[ColumnResult], alpha: float, dataset: Sequence[Finding] = ()
) -> tuple[set[str], set[str]]:
    """Names of columns, and of dataset tests, that are rejected at the level `alpha`.

    Weighted Benjamini–Hochberg (Genovese, Roeder & Wasserman 2006) on p_tolerance.
    """
    weighted = _weighted_p(columns, dataset)
    ranked = sorted(p for part in weighted for p in part.values())
    passing = [p for k, p in enumerate(ranked, start=1) if p <= alpha * k / len(ranked)]
    cut = passing[-1] if passing else -1.0
    by_column, by_test = ({name for name, p in part.items() if p <= cut} for part in weighted)
    return by_column, by_test


def level_of(
    column: ColumnResult,
    columns: Sequence[ColumnResult],
    alpha: float,
    dataset: Sequence[Finding] = (),
) -> float:
    """The p_tolerance at which a column drifts, given what the others show.

    That of Benjamini–Hochberg with as many rejected as there are when the column surely is.
    """
    if column.critical:
        return alpha
    others = [c for c in columns if c.compared and c.name != column.name]
    sure = [*others, replace(column, p_tolerance=0.0)]
    judged = sum(map(len, _weighted_p(sure, dataset)))
    rejected = sum(map(len, _rejected(sure, alpha, dataset)))
    weight = _weighted_p([*others, replace(column, p_tolerance=1.0)], dataset)[0][column.name]
    return alpha * rejected / judged / weight


def _weighted_p(
    columns: Sequence[ColumnResult], dataset: Sequence[Finding] = ()
) -> tuple[dict[str, float], dict[str, float]]:
    """p_tolerance over importance (mean 1) of columns and dataset tests, which count 1 each."""
    known = [(c, c.p_tolerance) for c in columns if c.p_tolerance is not None]
    tests = {f.test: f.p_tolerance for f in dataset if f.p_tolerance is not None}
    mean = (sum(c.importance for c, _ in known) + len(tests)) / max(1, len(known) + len(tests))
    return (
        {c.name: p * mean / c.importance for c, p in known},
        {test: p * mean for test, p in tests.items()},
    )


def dataset_p_tolerance(columns: Sequence[ColumnResult]) -> float:
    """The smallest level at which something would be rejected; 1 when nothing can be judged."""
    ranked = sorted(_weighted_p(columns)[0].values())
    return min([1.0, *(p * len(ranked) / k for k, p in enumerate(ranked, start=1))])


def dataset_p(columns: Sequence[ColumnResult]) -> float | None:
    """Did anything change at all? The ACAT combination of the classical p (Liu & Xie 2020)."""
    tested = [c for c in columns if c.p_value is not None]
    total = sum(c.importance for c in tested)
    if not total:
        return None
    statistic = 0.0
    for column in tested:
        p = min(column.p_value or 0.0, LARGEST_P)
        # tan((1/2 - p) pi) is 1 / (p pi) for tiny p, where the tangent loses its digits
        tangent = 1 / (max(p, 1e-300) * math.pi) if p < 1e-15 else math.tan((0.5 - p) * math.pi)
        statistic += column.importance / total * tangent
    combined = (
        1 / (statistic * math.pi) if statistic > 1e15 else 0.5 - math.atan(statistic) / math.pi
    )
    return min(1.0, max(0.0, combined))


def judge_check(
    columns: Sequence[ColumnResult],
    dataset: Sequence[Finding],
    expectations: ExpectationReport | None,
    *,
    rows: int,
    expected_to_compare: bool,
    segments: Sequence[Slice] = (),
) -> Verdict:
    """The verdict of a check, worst first: violated, drifted, undecided, passed.

    `segments` are those the user named; one that drifted counts as a column does.
    """
    if is_violated(dataset, expectations):
        return Verdict.VIOLATED
    verdicts = [c.verdict for c in columns] + [s.verdict for s in segments]
    if Verdict.DRIFTED in verdicts or any(f.verdict is Verdict.DRIFTED for f in dataset):
        return Verdict.DRIFTED
    if rows == 0 or _blind(columns, dataset, expectations, expected_to_compare):
        return Verdict.UNDECIDED
    return Verdict.PASSED


def beyond_whole(columns: Sequence[ColumnResult], segments: Sequence[Slice]) -> list[Slice]:
    """Segments in which a column drifted that did not drift in the whole, the most certain first.

    The others say once more what the columns say already.
    """
    whole = {c.name for c in columns if c.verdict is Verdict.DRIFTED}
    hidden = [s for s in segments if s.verdict is Verdict.DRIFTED and not whole >= {*s.columns}]
    return sorted(hidden, key=lambda s: 1.0 if s.p_value is None else s.p_value)


def undecided_names(columns: Sequence[ColumnResult], dataset: Sequence[Finding]) -> tuple[str, ...]:
    """The columns, and the tests of the whole dataset, that cannot be judged."""
    found = [c.name for c in columns if c.verdict is Verdict.UNDECIDED]
    return (*found, *(f.test for f in dataset if f.verdict is Verdict.UNDECIDED))


def is_violated(dataset: Sequence[Finding], expectations: ExpectationReport | None) -> bool:
    """Whether an expectation or a promise of the feed is broken."""
    failed = expectations is not None and any(
        r.success is False and r.severity is Severity.CRITICAL for r in expectations.results
    )
    return failed or any(f.verdict is Verdict.VIOLATED for f in dataset)


def _blind(
    columns: Sequence[ColumnResult],
    dataset: Sequence[Finding],
    expectations: ExpectationReport | None,
    expected_to_compare: bool,
) -> bool:
    """Whether something that had to be looked at was not.

    A column to watch is no pass: with all others undecided, none is known to be as it was.
    """
    compared = [c for c in columns if c.compared]
    undecided = [c for c in compared if c.verdict is Verdict.UNDECIDED]
    passed = any(c.verdict is Verdict.PASSED for c in compared)
    unevaluated = expectations is not None and any(r.success is None for r in expectations.results)
    return bool(
        unevaluated
        or any(f.verdict is Verdict.UNDECIDED and not f.of_drift for f in dataset)
        or any(c.critical for c in undecided)
        or (expected_to_compare and not passed and (undecided or not compared))
    )


def _bonferroni(values: Sequence[float]) -> float | None:
    return min(1.0, len(values) * min(values)) if values else None
