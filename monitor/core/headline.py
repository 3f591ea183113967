"""The one sentence of a check: what happened and its main causes, for someone woken at night."""

from collections.abc import Sequence

from monitor.core.records import (
    ColumnResult,
    ExpectationReport,
    ExpectationResult,
    Finding,
    Kind,
    SampleInfo,
    Severity,
    Verdict,
)

CAUSES = 3


def headline(
    verdict: Verdict,
    columns: Sequence[ColumnResult],
    dataset: Sequence[Finding],
    expectations: ExpectationReport | None,
    sample: SampleInfo,
    *,
    names: bool = True,
) -> str:
    """One sentence; `names` False keeps level names out of it."""
    if verdict is Verdict.VIOLATED:
        return _violated(dataset, expectations)
    if verdict is Verdict.DRIFTED:
        return _drifted(columns, names)
    if verdict is Verdict.UNDECIDED:
        return _undecided(columns, dataset, expectations, sample)
    return _passed(columns, expectations, sample)


def change_in_words(column: ColumnResult, *, names: bool = True) -> str:
    """What changed in one column, in units where it has them.

    >>> from monitor.core.records import Kind, Verdict
    >>> age = ColumnResult("age", Kind.NUMBER, Verdict.DRIFTED, "", statistics={
    ...     "mean": (40.0, 50.0), "sd": (10.0, 10.0)})
    >>> change_in_words(age)
    'is 25 % higher than in training (mean 40 → 50)'
    """
    return (
        _missing_change(column)
        or _mean_change(column)
        or _level_change(column, names)
        or "changed its distribution"
    )


def number(value: float) -> str:
    """A number as people read it.

    >>> number(30123.4), number(0.1234), number(2500000.0), number(48.0)
    ('30.1 k', '0.123', '2.5 M', '48')
    """
    for limit, divisor, unit in (
        (1e12, 0, ""),
        (1e9, 1e9, " G"),
        (1e6, 1e6, " M"),
        (1e4, 1e3, " k"),
    ):
        if abs(value) >= limit:
            return f"{value / divisor:.3g}{unit}" if divisor else f"{value:.3g}"
    return f"{value:.4g}" if abs(value) >= 1000 else f"{value:.3g}"


def percent(share: float) -> str:
    """A share of rows in per cent, with a digit where it matters.

    >>> percent(0.5), percent(0.012), percent(0.0001)
    ('50 %', '1.2 %', '0.01 %')
    """
    value = share * 100
    return f"{value:.0f} %" if value >= 9.95 or value == 0 else f"{value:.2g} %"


def _violated(dataset: Sequence[Finding], expectations: ExpectationReport | None) -> str:
    broken = [f.reason for f in dataset if f.verdict is Verdict.VIOLATED]
    failed = [_failure(r) for r in _failed_critical(expectations)]
    causes = broken + failed
    more = f"; and {len(causes) - CAUSES} more" if len(causes) > CAUSES else ""
    return f"Violated: {'; '.join(causes[:CAUSES])}{more}"


def _failed_critical(expectations: ExpectationReport | None) -> list[ExpectationResult]:
    results = expectations.results if expectations else ()
    return [r for r in results if r.success is False and r.severity is Severity.CRITICAL]


def _failure(result: ExpectationResult) -> str:
    return f"`{result.column}`: {result.reason}" if result.column else result.reason


def _drifted(columns: Sequence[ColumnResult], names: bool) -> str:
    drifted = sorted(
        (c for c in columns if c.verdict is Verdict.DRIFTED),
        key=lambda c: -c.importance * c.strength,
    )
    first = f"Drifted: `{drifted[0].name}` {change_in_words(drifted[0], names=names)}"
    compared = sum(c.compared for c in columns)
    if len(drifted) == 1:
        return f"{first}; no other of {compared} columns moved" if compared > 1 else first
    others = ", ".join(f"`{c.name}`" for c in drifted[1:CAUSES])
    rest = len(drifted) - CAUSES
    more = f" and {rest} more" if rest > 0 else ""
    return f"{first}; {len(drifted)} of {compared} columns moved, next {others}{more}"


def _undecided(
    columns: Sequence[ColumnResult],
    dataset: Sequence[Finding],
    expectations: ExpectationReport | None,
    sample: SampleInfo,
) -> str:
    unread = [f.reason for f in dataset if f.verdict is Verdict.UNDECIDED]
    if unread:
        return f"Undecided: {unread[0]}"
    if sample.rows_in_window == 0:
        return "Undecided: no rows in the window"
    errors = [r for r in (expectations.results if expectations else ()) if r.success is None]
    if errors:
        return (
            f"Undecided: {len(errors)} expectations could not be evaluated: {_failure(errors[0])}"
        )
    blind = [c for c in columns if c.verdict is Verdict.UNDECIDED]
    if not blind:
        return "Undecided: there is no column that can be compared"
    needed = max((f.rows_needed or 0 for c in blind for f in c.findings), default=0)
    enough = f"; {needed} rows would do" if needed > sample.rows else ""
    return f"Undecided: {len(blind)} columns cannot be judged on {sample.rows} rows{enough}"


def _passed(
    columns: Sequence[ColumnResult], expectations: ExpectationReport | None, sample: SampleInfo
) -> str:
    compared = [c for c in columns if c.compared]
    decided = sum(c.verdict is not Verdict.UNDECIDED for c in compared)
    parts = [f"{decided} of {len(compared)} columns are as in training"] if compared else []
    if expectations:
        parts.append(f"{expectations.evaluated - expectations.failed} expectations hold")
    parts.append(f"{sample.rows_in_window:,} rows".replace(",", " "))
    return f"Passed: {', '.join(parts)}"


def _missing_change(column: ColumnResult) -> str:
    missing = next((f for f in column.findings if f.test == "missing_share"), None)
    if missing is None or missing.verdict is not Verdict.DRIFTED:
        return ""
    before, now = column.missing_reference or 0.0, column.missing_current or 0.0
    return f"is missing in {percent(now)} of rows, {percent(before)} in training"


def _mean_change(column: ColumnResult) -> str:
    before, now = column.statistics.get("mean", (None, None))
    sd = column.statistics.get("sd", (None, None))[0]
    if before is None or now is None:
        return ""
    what = "length" if column.kind is Kind.TEXT else "mean"
    figures = f"({what} {number(before)} → {number(now)})"
    if abs(now - before) < 0.1 * (sd or 0.0):
        return f"changed its shape {figures}"
    direction = "higher" if now > before else "lower"
    relative = abs(now - before) / abs(before) if before else 0.0
    if not 0.005 <= relative < 10:
        return f"is {direction} than in training {figures}"
    return f"is {percent(relative)} {direction} than in training {figures}"


def _level_change(column: ColumnResult, names: bool) -> str:
    shape = column.shape
    if shape is None or not shape.levels:
        return ""
    moves = [c - r for r, c in zip(shape.reference, shape.current, strict=True)]
    at = max(range(len(moves)), key=lambda i: abs(moves[i]))
    level = f"`{shape.levels[at][:40]}`" if names else "one level"
    return (
        f"has {level} at {percent(shape.current[at])}, {percent(shape.reference[at])} in training"
    )
