"""The one sentence of a check: what happened and its main causes, for someone woken at night."""

from collections.abc import Sequence

from monitor.core.numerals import count, pair, share
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
from monitor.core.words import plural

CAUSES = 3
_UNUSABLE = {"unreadable_share": "values that are no numbers", "infinite_share": "infinite values"}


def headline(
    verdict: Verdict,
    columns: Sequence[ColumnResult],
    dataset: Sequence[Finding],
    expectations: ExpectationReport | None,
    sample: SampleInfo,
    *,
    names: bool = True,
    moved_at: str = "",
) -> str:
    """One sentence; `names` False keeps level names out of it.

    `moved_at` is the one moment at which the drifted columns moved, where there is one.
    """
    if verdict is Verdict.VIOLATED:
        return _violated(dataset, expectations)
    if verdict is Verdict.DRIFTED:
        return _drifted(columns, names) + (f"; they moved at about {moved_at}" if moved_at else "")
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
        or _unusable_change(column)
        or _new_levels(column, names)
        or _mean_change(column)
        or _level_change(column, names)
        or "changed its distribution"
    )


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
        key=lambda c: -c.weight,
    )
    first = f"Drifted: `{drifted[0].name}` {change_in_words(drifted[0], names=names)}"
    compared = sum(c.compared for c in columns)
    if len(drifted) == 1:
        return f"{first}; no other of {compared} columns drifted" if compared > 1 else first
    others = ", ".join(f"`{c.name}`" for c in drifted[1:CAUSES])
    rest = len(drifted) - CAUSES
    more = f" and {rest} more" if rest > 0 else ""
    return f"{first}; {len(drifted)} of {compared} columns drifted, next {others}{more}"


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
        many = plural(len(errors), "expectation")
        return f"Undecided: {many} could not be evaluated: {_failure(errors[0])}"
    blind = [c for c in columns if c.verdict is Verdict.UNDECIDED]
    if not blind:
        return "Undecided: there is no column that can be compared"
    return f"Undecided: {_blind(blind, sample)}"


def _blind(blind: Sequence[ColumnResult], sample: SampleInfo) -> str:
    """Columns that cannot be judged, the critical ones first, and what it would take."""
    blind = sorted(blind, key=lambda c: not c.critical)
    needed = max((_rows_needed(c) for c in blind), default=0)
    what = plural(len(blind), "column")
    if needed <= sample.rows:
        return f"{what} cannot be judged: `{blind[0].name}`: {blind[0].reason}"
    rows = plural(sample.rows, "row")
    return f"{what} cannot be judged on {rows}; {count(needed)} rows would do"


def _rows_needed(column: ColumnResult) -> int:
    """The fewest rows at which one of the column's tests can decide; 0 when rows are no help."""
    return min((f.rows_needed for f in column.findings if f.rows_needed and not f.guard), default=0)


def _passed(
    columns: Sequence[ColumnResult], expectations: ExpectationReport | None, sample: SampleInfo
) -> str:
    compared = [c for c in columns if c.compared]
    decided = sum(c.verdict is not Verdict.UNDECIDED for c in compared)
    parts = [f"{decided} of {len(compared)} columns are as in training"] if compared else []
    if decided < len(compared):
        parts.append(f"{len(compared) - decided} undecided")
    if expectations:
        held = expectations.evaluated - expectations.failed
        parts.append(f"{held} of {plural(expectations.evaluated, 'expectation')} met")
    parts.append(f"{count(sample.rows_in_window)} rows")
    return f"Passed: {', '.join(parts)}"


def _guard(column: ColumnResult, test: str) -> Finding | None:
    """A guard's finding when it drifted."""
    found = (f for f in column.findings if f.test == test and f.verdict is Verdict.DRIFTED)
    return next(found, None)


def _missing_change(column: ColumnResult) -> str:
    if _guard(column, "missing_share") is None:
        return ""
    before, now = share(column.missing_reference), share(column.missing_current)
    return f"is missing in {now} of rows, {before} in training"


def _unusable_change(column: ColumnResult) -> str:
    for test, what in _UNUSABLE.items():
        if finding := _guard(column, test):
            return f"changed its share of {what} by {share(finding.effect)} of rows"
    return ""


def _new_levels(column: ColumnResult, names: bool) -> str:
    finding = _guard(column, "unseen_share")
    levels = column.shape.new_levels if column.shape else ()
    if finding is None or len(levels) < 2:  # one new level is told with its share
        return ""
    named = ", ".join(f"`{level[:40]}`" for level in levels[:CAUSES])
    more = ", ..." if len(levels) > CAUSES else ""
    told = f" ({named}{more})" if names else ""
    return f"has levels unknown in training in {share(finding.effect)} of rows{told}"


def _mean_change(column: ColumnResult) -> str:
    before, now = column.statistics.get("mean", (None, None))
    sd, sd_now = column.statistics.get("sd", (None, None))
    if before is None or now is None:
        return ""
    what = "length" if column.kind is Kind.TEXT else "mean"
    if abs(now - before) <= 0.1 * (sd or 0.0):
        return _spread_change(sd or 0.0, sd_now or 0.0) or "changed its shape"
    figures = f"({what} {pair(before, now)})"
    direction = "higher" if now > before else "lower"
    relative = abs(now - before) / abs(before) if before else 0.0
    if not 0.005 <= relative < 10:
        return f"is {direction} than in training {figures}"
    return f"is {share(relative)} {direction} than in training {figures}"


def _spread_change(sd: float, sd_now: float) -> str:
    if abs(sd_now - sd) <= 0.1 * sd:
        return ""
    return (
        f"is spread {'wider' if sd_now > sd else 'closer'} than in training (sd {pair(sd, sd_now)})"
    )


def _level_change(column: ColumnResult, names: bool) -> str:
    shape = column.shape
    if shape is None or not shape.levels:
        return ""
    moves = [c - r for r, c in zip(shape.reference, shape.current, strict=True)]
    at = max(range(len(moves)), key=lambda i: abs(moves[i]))
    level = f"`{shape.levels[at][:40]}`" if names else "one level"
    return f"has {level} at {share(shape.current[at])}, {share(shape.reference[at])} in training"
