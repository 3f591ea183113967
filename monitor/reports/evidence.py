"""Columns, findings and expectations one by one: what changed, in its own units, and figures."""

import math
from collections.abc import Mapping, Sequence

from markupsafe import Markup

from monitor.core import numerals
from monitor.core.columns import Kind
from monitor.core.headline import times_as_high
from monitor.core.over_time.spending import ACCUMULATED
from monitor.core.records import ColumnResult, ExpectationResult, Finding, Verdict
from monitor.reports import bars, picture, words

_PROMISES = ("freshness", "volume")  # of the feed: nothing is estimated, nothing compared


def _bound(finding: Finding) -> str:
    """How far the effect may be from that of all rows."""
    if finding.exact:
        return "exact"
    if not math.isfinite(finding.error_bound):
        return "from points, bound not known"
    return f"within ± {numerals.number(finding.error_bound)}"


def lead(column: ColumnResult) -> Finding | None:
    """The finding that says most about a column: the largest effect in units of its tolerance."""
    measured = [f for f in column.findings if f.effect is not None and math.isfinite(f.effect)]
    deciding = [f for f in measured if f.decides] or measured
    return max(deciding, key=_strength, default=None)


def _strength(finding: Finding) -> float:
    unit = bars.first_positive(finding.tolerance, finding.threshold)
    return abs(finding.effect or 0.0) / (unit or 1.0)


def rows_needed(column: ColumnResult) -> int | None:
    """How many window rows it would take to decide the easiest undecided finding of a column."""
    open_ones = (f for f in column.findings if f.verdict is Verdict.UNDECIDED)
    return min((f.rows_needed for f in open_ones if f.rows_needed), default=None)


def about(column: ColumnResult) -> str:
    """Kind, importance and mark of a column in a few words."""
    told = [column.kind.value]
    if column.role:
        told.append(f"the model's {column.role}" if column.is_output else column.role)
    if column.importance != 1:
        told.append(f"importance {numerals.number(column.importance)}")
    if column.critical:
        told.append("critical")
    return ", ".join(told)


def missing_line(column: ColumnResult) -> list[str]:
    """The share of missing values, where it moved."""
    before, now = column.missing_reference, column.missing_current
    if before is None or now is None or abs(now - before) < 0.01:
        return []
    return [f"missing {numerals.share(before)} → {numerals.share(now)}"]


def number_lines(column: ColumnResult) -> list[str]:
    """Mean, and spread where it moved: mean 30.1 k → 48.6 k, +0.54 sd (62 % higher)."""
    what = " length" if column.kind is Kind.TEXT else ""
    before, after = column.statistics.get("mean", (None, None))
    if before is None or after is None:
        return []
    lines = [f"mean{what} {numerals.pair(before, after)}{_move(column.statistics, before, after)}"]
    sd_before, sd_after = column.statistics.get("sd", (None, None))
    if sd_before and sd_after and not 0.8 <= sd_after / sd_before <= 1.25:
        lines.append(f"sd{what} {numerals.pair(sd_before, sd_after)}")
    return lines


def _move(
    statistics: Mapping[str, tuple[float | None, float | None]], before: float, after: float
) -> str:
    told = []
    sd = statistics.get("sd", (None, None))[0]
    if sd and math.isfinite(steps := (after - before) / sd) and abs(steps) >= 0.005:
        told.append(f"{'+' if steps > 0 else ''}{numerals.number(steps, 2)} sd")
    if times := times_as_high(before, after, sd):
        told.append(times)
    elif before > 0 and after > 0 and 0.01 <= abs(change := after / before - 1) < 10:
        told.append(f"{numerals.share(abs(change))} {'higher' if change > 0 else 'lower'}")
    return "".join(f", {text}" for text in told)


def level_lines(column: ColumnResult, *, named: bool) -> list[str]:
    """The level that moved most, and which are new or gone."""
    shape = column.shape
    if shape is None:
        return []
    lines = []
    levels = picture.levels_of(shape, named=named)
    most = max(levels, key=lambda level: abs(level.current - level.reference), default=None)
    if most and most.current != most.reference and _sane(shape.current):
        told = f"{numerals.share(most.reference)} → {numerals.share(most.current)}"
        lines.append(f"`{words.shorten(most.name, 40)}`: {told} of rows")
    for names, state in ((shape.new_levels, "new"), (shape.lost_levels, "lost")):
        if names and named:
            lines.append(
                f"{state}: {words.listing((f'`{words.shorten(name, 30)}`' for name in names), 4)}"
            )
        elif names:
            lines.append(f"{words.plural(len(names), 'level')} {state}")
    return lines


def _sane(shares: Sequence[float]) -> bool:
    return any(value > 0 for value in shares)


def figures(finding: Finding, sides: tuple[str, str]) -> str:
    """Every figure of a finding on one line, each with its name; none where its words have all."""
    if finding.test in _PROMISES:
        return ""
    low, high = finding.effect_low, finding.effect_high
    interval = ""
    if low is not None and high is not None:
        interval = f" [{measure(finding, low)}, {measure(finding, high)}]"
    same = finding.statistic == finding.effect
    named = (
        ("statistic", None if same else finding.statistic, ""),
        ("statistic and effect" if same else "effect", finding.effect, interval),
        ("threshold", finding.threshold, ""),
        ("tolerance", finding.tolerance, ""),
        ("would show from", finding.minimum_detectable, ""),
    )
    told = [
        f"{name} {measure(finding, value)}{rest}"
        for name, value, rest in named
        if value is not None
    ]
    if finding.p_value is not None:
        told.append(f"any change: p {words.chance(finding.p_value)}")
    if finding.p_tolerance is not None:
        told.append(f"more than the tolerance: p {words.chance(finding.p_tolerance)}")
    if finding.rows_reference or finding.rows_current:
        rows = numerals.count(finding.rows_reference), numerals.count(finding.rows_current)
        told.append(f"n {rows[0]} {sides[0]}, {rows[1]} {sides[1]}")
        told.append(_bound(finding))
    if finding.rows_needed and finding.verdict is Verdict.UNDECIDED:
        told.append(f"needs about {numerals.count(finding.rows_needed)} rows")
    return " · ".join([*told, *(() if finding.decides else ("reports only",))])


def measure(finding: Finding, value: float | None) -> str:
    """A figure of a finding in the unit of its test."""
    if finding.test.endswith(("_share", "_levels")):
        return numerals.share(value)
    if finding.test == ACCUMULATED:
        return numerals.number(value, 2)
    unit = {"freshness": " h", "volume": " rows"}.get(finding.test, "")
    return numerals.number(value) + unit


def statistics_line(column: ColumnResult) -> str:
    """Mean, sd, median, min and max on both sides."""
    sides = (f"{name} {numerals.pair(*pair)}" for name, pair in column.statistics.items())
    return " · ".join(sides)


def expectation_picture(result: ExpectationResult) -> Markup:
    """How many rows broke an expectation, or where the observed value lies."""
    if result.unexpected_share is not None and math.isfinite(result.unexpected_share):
        return bars.share_bar(result.unexpected_share)
    expected = result.expected if isinstance(result.expected, Mapping) else {}
    low, high = _real(expected.get("min_value")), _real(expected.get("max_value"))
    observed = _real(result.observed)
    if observed is None or (low is None and high is None):
        return Markup("")
    return bars.range_line(observed, low, high)


def _real(value: object) -> float | None:
    """A finite float, or None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if abs(value) < 1e300 else None


def rows_broken(result: ExpectationResult) -> str:
    """The share and number of rows that broke an expectation."""
    if result.unexpected_share is None or not math.isfinite(result.unexpected_share):
        return ""
    told = f"{numerals.share(result.unexpected_share)} of rows"
    return f"{told} ({numerals.count(result.unexpected_rows)})" if result.unexpected_rows else told
