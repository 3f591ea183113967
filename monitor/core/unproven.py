"""DECIDE, aside: columns that seem to be beyond their tolerance without proof, and what proves it.

They are watched, and the check passes; somebody who reads it should know that the rule, or the few
rows of a window, is all that stands between this and a drift. Classical rules ask for no proof.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import NormalDist

from monitor.core.comparison import TOLD_DESIGN_EFFECT
from monitor.core.drift_socket import Rule
from monitor.core.laws.promises import Z_POWER
from monitor.core.numerals import count
from monitor.core.over_time.budget import Budget, e_value, needed
from monitor.core.over_time.phases import Cadence
from monitor.core.over_time.spending import accumulated, adds_evidence, so_far
from monitor.core.records import ColumnResult, Finding, SampleInfo, Verdict, most_telling
from monitor.core.verdict import deciding, level_of, shared_by_tests, tolerances
from monitor.core.windows import Span
from monitor.core.words import plural

UNPROVEN = "unproven"  # the notice that tells it
USUAL = Budget.parse("1 per 90d")  # the budget that is named to somebody who has none
MOST_CHECKS = 60  # that are worth waiting for
LONGEST = 31  # times as long as a window is now


@dataclass(frozen=True, slots=True)
class Series:
    """How a monitor goes on: its name, its windows, and whether the other side is one, too."""

    monitor: str
    cadence: Cadence
    both_sides: bool = False


@dataclass(frozen=True, slots=True)
class Terms:
    """What columns are judged by: the rule that was used, an alarm budget where there is one."""

    rule: Rule = field(default_factory=Rule)
    checks_per_alarm: float | None = None  # the budget
    maintained: bool = False
    series: Series | None = None  # None: two samples that are compared once
    versus: str = "in training"  # how one says what they were compared with: "the day before"


TERMS = Terms()


def unproven(columns: Sequence[ColumnResult], rule: Rule) -> list[ColumnResult]:
    """The watched columns that look like more than is tolerated, the most telling first.

    Looking so is an effect above the tolerance with a p_tolerance that counts as evidence (e above
    1, p below a quarter). Chance makes that of one window in four where the truth is the tolerance
    itself, and seldom where it is far within.
    """
    if rule.classical:
        return []
    return list(most_telling(c for c in columns if c.verdict is Verdict.WATCH and looks_beyond(c)))


def looks_beyond(column: ColumnResult) -> bool:
    """Whether a window speaks for more than is tolerated, whether it proves it or not."""
    p = column.p_tolerance
    return p is not None and float(e_value(p)) > 1 and column.strength > 1


def held_by(column: ColumnResult, dataset: Sequence[Finding], rows: int, terms: Terms) -> str:
    """Why it is no drift, as the end of a sentence: "175 rows do not prove it"."""
    if terms.checks_per_alarm is not None:
        return _held_by_budget(column, dataset, terms)
    if column.p_tolerance is not None and column.p_tolerance <= terms.rule.alpha:
        return "that is not proven when all columns are judged together"
    if shared_by_tests(column, terms.rule.alpha):
        return "that is not proven when the tests of the column are judged together"
    return f"{plural(rows, 'row')} {'does' if rows == 1 else 'do'} not prove it"


def _held_by_budget(column: ColumnResult, dataset: Sequence[Finding], terms: Terms) -> str:
    if terms.maintained:
        return "nothing follows from a window under maintenance"
    if not adds_evidence(column):
        return "its rows are too few to count as evidence within the alarm budget"
    gathered = accumulated(dataset)
    so = f" ({so_far(gathered)})" if gathered else ""
    return f"the alarm budget waits for more evidence{so}"


def what_proves_it(
    column: ColumnResult,
    columns: Sequence[ColumnResult],
    dataset: Sequence[Finding],
    sample: SampleInfo,
    terms: Terms,
) -> str:
    """Which setting keeps a column from being drifted, and what it would take, in sentences."""
    seems = f"`{column.name}` seems to be beyond its tolerance"
    series, budget = terms.series, terms.checks_per_alarm
    if budget is not None:
        more = _by_checks(column, columns, budget)
        ways = [
            f"`false_alarms` waits for evidence of several checks{more}",
            "`alpha` in its place judges each window by itself",
        ]
    else:
        level = level_of(column, columns, terms.rule.alpha, dataset)
        ways = [*_by_sharing(column, terms.rule.alpha), _by_rows(column, level, sample, series)]
    if series is None:
        return f"{seems}, which is not proven: {'; '.join(ways)}"
    if budget is None and adds_evidence(column):
        step = (series.cadence.step or series.cadence.span).duration
        more = _by_checks(column, columns, USUAL.checks_per_alarm(step))
        ways.append(f"`drift: {{false_alarms: {USUAL}}}` adds up what lasts{more}")
    return (
        f"{seems} and is no drift yet: {'; '.join(ways)}. "
        f"`monitor backtest {series.monitor}` tells what each rule would have done"
    )


def _by_sharing(column: ColumnResult, alpha: float) -> list[str]:
    """What the level is shared with, where that is all that is in the way."""
    if column.p_tolerance is not None and column.p_tolerance <= alpha:
        shared = "the tests of all columns share `alpha`"
        return [f"{shared}, and `critical: true` lets this one answer for itself"]
    if shared_by_tests(column, alpha):
        return [f"the {len(tolerances(column.findings))} tests of this column share `alpha`"]
    return []


def _by_rows(column: ColumnResult, level: float, sample: SampleInfo, series: Series | None) -> str:
    """How many rows prove what one window shows, and the setting that gives them."""
    if column.design_effect >= TOLD_DESIGN_EFFECT:
        return (
            f"windows of the reference vary so much that rows count for "
            f"{column.design_effect:.1f} times fewer (`calibrate`)"
        )
    times = times_to_prove(column, level, both_sides=series is not None and series.both_sides)
    if times is None:
        return "so few rows of the reference leave it open, however many a window has"
    rows = _rounded_up(sample.rows * times)
    setting = _setting(series, sample, rows, times)
    return f"about {count(rows)} rows like these prove it most of the time{setting}"


def times_to_prove(column: ColumnResult, level: float, *, both_sides: bool = False) -> float | None:
    """How many times the rows prove most of the time (some 80 %) what these show; None: none do.

    `level` is that of the column, which its k tests share; `both_sides` says that the other side
    grows as well.
    """
    p = tolerances(column.findings)
    found = [f for f in deciding(column.findings) if (f.p_tolerance or 1.0) < 0.5]
    each = [_times(f, level / len(p), both_sides=both_sides) for f in found]
    return min((times for times in each if times is not None), default=None)


def _times(finding: Finding, level: float, *, both_sides: bool) -> float | None:
    """The same of one test: in units of noise, what exceeds the tolerance grows with the rows."""
    law, root = (_dkw, 1) if finding.test == "ks" else (_normal, 2)
    share = (law(finding.p_tolerance or 0.0) / (law(level) + Z_POWER)) ** root  # left of the noise
    if both_sides:
        return math.pow(share, -2 / root)
    # The noise of the other side, in units of that of the window
    fixed = math.pow(finding.rows_current / finding.rows_reference, root / 2)
    left = (1 + fixed) * share - fixed
    return math.pow(left, -2 / root) if left > 0 else None


def _normal(p: float) -> float:
    return -NormalDist().inv_cdf(p)


def _dkw(p: float) -> float:
    """By the inequality that the KS test judges its tolerance by: its noise is 1/√n + 1/√m.

    D varies by half of that, and the largest distance of few rows exceeds that of many.
    """
    return math.sqrt(math.log(4 / p) / 2)


def _rounded_up(rows: float) -> int:
    """To two digits: it is an estimate.

    >>> _rounded_up(1231.0), _rounded_up(40.0)
    (1300, 40)
    """
    unit: int = 10 ** max(0, math.floor(math.log10(rows)) - 1)
    return math.ceil(round(rows / unit, 3)) * unit


def _setting(series: Series | None, sample: SampleInfo, rows: int, times: float) -> str:
    """The setting that gives so many rows; "" where nobody would set that."""
    if series is None:
        return ""
    if sample.rows < sample.rows_in_window:  # a wider window would be drawn down again
        return f" (`sample: {{rows: {rows}}}`)" if rows <= sample.rows_in_window else ""
    span = series.cadence.span
    if series.cadence.step is not None or times > LONGEST:
        return ""
    try:
        wider = Span.parse(f"{math.ceil(times) * span.count}{span.unit}")
    except ValueError:  # longer than a window may be
        return ""
    return f" (`window: {wider}` in place of `{span}`)"


def _by_checks(column: ColumnResult, columns: Sequence[ColumnResult], checks: float) -> str:
    """After how many checks like this one evidence raises the alarm; "" where that is far."""
    if not adds_evidence(column):
        return ""
    total = sum(c.importance for c in columns if c.compared)
    wanted = needed(checks) * total / column.importance
    gathered = max(1.0, column.accrued.evidence) if column.accrued else 1.0
    grows = float(e_value(1.0 if column.p_tolerance is None else column.p_tolerance))
    more = math.ceil(math.log(max(1.0, wanted / gathered)) / math.log(grows)) if grows > 1 else 0
    if not 0 < more <= MOST_CHECKS:
        return ""
    checks_like_it = plural(more, "more check" if column.accrued else "check")
    return f" (about {checks_like_it} like this one)"
