"""What a message says moved: each cause with its name and a few numbers, the most telling first."""

from monitor.core.columns import Kind
from monitor.core.consequences import Cause
from monitor.core.episodes import BREACHES
from monitor.core.numerals import number, pair, share
from monitor.core.over_time.spending import ACCUMULATED
from monitor.core.records import Check, ColumnResult, ExpectationResult, Finding, Severity, Verdict
from monitor.core.verdict import beyond_whole
from monitor.core.words import level, line

NAME_CHARS = 120
TEXT_CHARS = 300
_LEVELS_TOLD = 3
_SEVERITIES = (Severity.CRITICAL, Severity.WARNING, Severity.INFO)


def causes_of(check: Check, cause: Cause, show_values: str) -> list[dict[str, str]]:
    """What made the episode's own verdict: names with a few small numbers, most telling first."""
    verdict = BREACHES[cause]
    whole = [
        _told(_test_name(finding), finding.reason)
        for finding in check.dataset.findings
        if finding.verdict is verdict
    ]
    if cause is Cause.DRIFT:
        columns = [_told(c.name, _numbers(c, check, show_values)) for c in check.causes()]
        segments = beyond_whole(check.columns, check.segments)
        return columns + [_told(s.where, s.reason) for s in segments] + whole
    if cause is Cause.QUALITY:
        return whole
    unread = (
        [r for r in check.expectations.results if r.success is None] if check.expectations else []
    )
    return whole + [_told(_expectation_name(r), r.reason) for r in unread]


def failed_of(check: Check) -> list[dict[str, str]]:
    """Failed expectations, critical ones first."""
    results = check.expectations.results if check.expectations else ()
    failed = [r for r in results if r.success is False]
    failed.sort(key=lambda r: _SEVERITIES.index(r.severity))
    return [_told(_expectation_name(r), r.reason) for r in failed]


def _test_name(finding: Finding) -> str:
    return "several checks" if finding.test == ACCUMULATED else finding.test.replace("_", " ")


def _expectation_name(result: ExpectationResult) -> str:
    return f"{result.column}: {result.type}" if result.column else result.type


def _told(name: str, text: str) -> dict[str, str]:
    return {"name": line(name, NAME_CHARS), "text": line(text, TEXT_CHARS)}


def _numbers(column: ColumnResult, check: Check, show_values: str) -> str:
    """The strongest finding, what moved, and where: "PSI 1.81 (tolerance 0.1), mean 30 → 48"."""
    fired = [f for f in column.findings if f.verdict is Verdict.DRIFTED]
    fired.sort(key=lambda f: (not f.decides, -f.strength))
    parts = [_strength(fired[0])] if fired else []
    parts += [_moved(column), _missing(column), _where(column, check)]
    if column.shape and show_values != "never":
        parts += [
            _levels("new", column.shape.new_levels),
            _levels("gone", column.shape.lost_levels),
        ]
    return ", ".join(part for part in parts if part)


def _strength(finding: Finding) -> str:
    name = finding.test.replace("_", " ")
    name = name.upper() if len(name) <= 3 else name
    size = finding.effect if finding.effect is not None else finding.statistic
    told = name if size is None else f"{name} {number(size)}"
    if finding.tolerance is not None:
        return f"{told} (tolerance {number(finding.tolerance)})"
    if finding.threshold is not None:
        return f"{told} (threshold {number(finding.threshold)})"
    return told


def _moved(column: ColumnResult) -> str:
    before, after = column.statistics.get("mean", (None, None))
    if before is None or after is None:
        return ""
    if number(before) == number(after):
        return ""
    what = "mean length" if column.kind is Kind.TEXT else "mean"
    return f"{what} {pair(before, after)}"


def _missing(column: ColumnResult) -> str:
    before, after = column.missing_reference, column.missing_current
    if before is None or after is None or abs(after - before) < 0.01:
        return ""
    return f"missing {share(before)} → {share(after)}"


def _where(column: ColumnResult, check: Check) -> str:
    found = next((s for s in check.slices if column.name in s.columns), None)
    if found is None:
        return ""
    how = "with the share of rows with" if found.mix else "only where"
    return f"{how} {found.where}"


def _levels(what: str, levels: tuple[str, ...]) -> str:
    named = [level(name, "'") for name in levels[:_LEVELS_TOLD]]
    more = f" and {len(levels) - len(named)} more" if len(levels) > len(named) else ""
    return f"{what} {', '.join(named)}{more}" if named else ""
