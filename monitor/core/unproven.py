"""DECIDE, aside: columns that seem to be beyond their tolerance without proof, and what proves it.

They are watched, and the check passes; somebody who reads it should know that the rule, or the few
rows of a window, is all that stands between this and a drift.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from monitor.core.comparison import TOLD_DESIGN_EFFECT
from monitor.core.numerals import count
from monitor.core.over_time.budget import Budget, e_value, needed
from monitor.core.over_time.phases import Cadence
from monitor.core.over_time.spending import accumulated, so_far
from monitor.core.records import ColumnResult, Finding, Verdict, most_telling
from monitor.core.verdict import deciding
from monitor.core.words import plural

UNPROVEN = "unproven"  # the notice that tells it
USUAL = Budget.parse("1 per 90d")  # the budget that is named to somebody who has none
MOST_CHECKS = 60  # that are worth waiting for
LONGEST = 31  # times as long as a window is now


@dataclass(frozen=True, slots=True)
class Series:
    """How a monitor goes on: its name, its windows, and its alarm budget where it has one."""

    monitor: str
    cadence: Cadence
    checks_per_alarm: float | None = None


def unproven(columns: Sequence[ColumnResult]) -> list[ColumnResult]:
    """The watched columns that look like more than is tolerated, the most telling first.

    Looking so is more than an effect above the tolerance, which chance alone makes on few rows:
    it is a p_tolerance that counts as evidence (e above 1), which chance hardly ever makes.
    """
    return list(most_telling(c for c in columns if c.verdict is Verdict.WATCH and looks_beyond(c)))


def looks_beyond(column: ColumnResult) -> bool:
    """Whether a window speaks for more than is tolerated, whether it proves it or not."""
    p = column.p_tolerance
    return p is not None and float(e_value(p)) > 1 and column.strength > 1


def held_by(column: ColumnResult, dataset: Sequence[Finding], rows: int) -> str:
    """Why it is no drift, as the end of a sentence: "175 rows do not prove it"."""
    gathered = accumulated(dataset)
    if gathered is not None:
        return f"the alarm budget waits for more evidence ({so_far(gathered)})"
    if _proven_alone(column):
        return "that is not proven when all columns are judged together"
    return f"{plural(rows, 'row')} {'does' if rows == 1 else 'do'} not prove it"


def what_proves_it(
    column: ColumnResult,
    columns: Sequence[ColumnResult],
    alpha: float,
    rows: int,
    series: Series | None,
) -> str:
    """Which setting keeps a column from being drifted, and what it would take, in sentences."""
    name = f"`{column.name}`"
    if series is None:
        ways = _by_rows(column, alpha, rows, None) or _by_alpha(column, alpha)
        return f"{name} seems to be beyond its tolerance, which is not proven: {ways}"
    said = f"{name} seems to be beyond its tolerance and is no drift yet"
    replay = f"`monitor backtest {series.monitor}` tells what each rule would have done"
    if series.checks_per_alarm is not None:
        more = _by_checks(column, columns, series.checks_per_alarm)
        budget = f"`false_alarms` waits for evidence of several checks{more}"
        return f"{said}: {budget}; `alpha` in its place judges each window by itself. {replay}"
    ways = _by_rows(column, alpha, rows, series.cadence) or _by_alpha(column, alpha)
    step = (series.cadence.step or series.cadence.span).duration
    more = _by_checks(column, columns, USUAL.checks_per_alarm(step))
    lasting = f"`drift: {{false_alarms: {USUAL}}}` adds up what lasts{more}"
    return f"{said}: {ways}; {lasting}. {replay}"


def _proven_alone(column: ColumnResult) -> bool:
    return any(f.verdict is Verdict.DRIFTED for f in deciding(column.findings))


def _by_alpha(column: ColumnResult, alpha: float) -> str:
    """Where more rows are no answer: what else the level is shared with."""
    if not _proven_alone(column):
        return f"it takes more evidence than this window has at `alpha: {alpha:g}`"
    shared = f"the tests of all columns share `alpha: {alpha:g}`"
    if column.p_tolerance is not None and column.p_tolerance <= alpha:
        return f"{shared}; `critical: true` lets this one answer for itself, and more rows help"
    return f"{shared}; fewer columns or more rows would let this one through"


def _by_rows(column: ColumnResult, alpha: float, rows: int, cadence: Cadence | None) -> str:
    """How many rows prove what one window shows; "" where that is no matter of rows alone."""
    if _proven_alone(column):
        return ""
    if column.design_effect >= TOLD_DESIGN_EFFECT:
        return (
            f"windows of the reference vary so much that rows count for "
            f"{column.design_effect:.1f} times fewer (`calibrate`)"
        )
    enough = min((n for f in deciding(column.findings) if (n := rows_to_prove(f))), default=0)
    if enough <= rows:
        return ""
    wider = _wider(cadence, math.ceil(enough / rows))
    return f"about {count(enough)} rows like these prove it at `alpha: {alpha:g}`{wider}"


def rows_to_prove(finding: Finding) -> int:
    """About how many rows show an effect of this size in 80 % of windows; 0 where none do.

    What lies between the tolerance and the smallest effect that is seen shrinks as √(1/n + 1/m).

    >>> rows_to_prove(Finding("psi", Verdict.WATCH, "", effect=0.3, tolerance=0.1,
    ...     minimum_detectable=0.5, rows_reference=10**9, rows_current=100))
    400
    """
    size, seen, most = finding.effect, finding.minimum_detectable, finding.tolerance
    sides = finding.rows_reference, finding.rows_current
    if size is None or seen is None or most is None or not all(sides) or not most < size < seen:
        return 0
    noise = (1 / sides[0] + 1 / sides[1]) * ((size - most) / (seen - most)) ** 2
    left = noise - 1 / sides[0]
    return _rounded_up(1 / left) if left > 0 else 0


def _rounded_up(rows: float) -> int:
    """To two digits: it is an estimate.

    >>> _rounded_up(1231.0), _rounded_up(40.0)
    (1300, 40)
    """
    unit: int = 10 ** max(0, math.floor(math.log10(rows)) - 1)
    return math.ceil(round(rows / unit, 3)) * unit


def _wider(cadence: Cadence | None, times: int) -> str:
    """The setting of a window so many times as long; "" where nobody would set that."""
    if cadence is None or cadence.step is not None or times > LONGEST:
        return ""
    span = cadence.span
    return f" (`window: {times * span.count}{span.unit}` in place of `{span}`)"


def _by_checks(column: ColumnResult, columns: Sequence[ColumnResult], checks: float) -> str:
    """After how many checks like this one evidence raises the alarm; "" where that is far."""
    total = sum(c.importance for c in columns if c.compared)
    wanted = needed(checks) * total / column.importance
    so_far = max(1.0, column.accrued.evidence) if column.accrued else 1.0
    grows = float(e_value(1.0 if column.p_tolerance is None else column.p_tolerance))
    more = math.ceil(math.log(max(1.0, wanted / so_far)) / math.log(grows)) if grows > 1 else 0
    if not 0 < more <= MOST_CHECKS:
        return ""
    again = " more" if column.accrued else ""
    return f" (about {plural(more, f'{again.strip()} check'.strip())} like this one)"
