"""What a report says before it is drawn: the main causes, since when, and each column in words."""

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from statistics import median
from typing import TYPE_CHECKING

from markupsafe import Markup

from monitor.core import numerals
from monitor.core.over_time.spending import ACCUMULATED
from monitor.core.records import (
    Check,
    ColumnResult,
    ExpectationResult,
    Finding,
    Notice,
    Severity,
    Verdict,
    Window,
    most_telling,
)
from monitor.core.unproven import UNPROVEN
from monitor.reports import bars, evidence, picture, words

if TYPE_CHECKING:
    from monitor.ports import PastCheck

MOST_PAST = 30
_BAD = (Verdict.DRIFTED, Verdict.VIOLATED, Verdict.UNDECIDED)


@dataclass(frozen=True, slots=True)
class Cause:
    """One reason for the verdict: what it is about, a picture, and what to read of it."""

    name: str
    about: str  # number column, critical expectation, whole window
    state: Verdict
    picture: Markup
    first: tuple[str, ...]  # lines that say it
    then: tuple[str, ...] = ()  # lines for those who read on
    is_whole: bool = False  # about no single column, so its name is a word


@dataclass(frozen=True, slots=True)
class Story:
    """A check as the page tells it."""

    check: Check
    past: tuple["PastCheck", ...]  # oldest first, without this one
    zone: tzinfo
    named: bool  # whether levels and examples may be shown

    @property
    def sides(self) -> tuple[str, str]:
        """What the two sides are called: two bare files are no training and no window."""
        if not self.check.monitor:
            return "reference", "current"
        if "diff" in self.check.setup:
            return "A", "window"
        before = str(self.check.setup.get("compared_with", "training"))
        return before.removeprefix("the ").removeprefix("a "), "window"

    def compared(self) -> str:
        """The two data sets of a comparison, as people named them; "" for a check of a monitor."""
        setup = self.check.setup
        if self.check.monitor or not {"reference", "current"} <= setup.keys():
            return ""
        frozen = ", a frozen reference" if setup.get("frozen") else ""
        return f"{setup['current']} against {setup['reference']}{frozen}"

    def causes(self) -> list[Cause]:
        """The main causes: broken expectations, the feed, columns, then what speaks of them all.

        What moved says more than how many checks it took to prove it.
        """
        feed = [f for f in self.check.dataset.findings if not f.of_drift and f.test != ACCUMULATED]
        found = [*self._expectation_causes(), *self._dataset_causes(feed)]
        whole = [f for f in self.check.dataset.findings if f.of_drift or f.test == ACCUMULATED]
        together = self._dataset_causes(whole)
        drifted = self.check.causes()
        columns = drifted if found or together or drifted else self._nearest()
        return [*found, *(self._column_cause(column) for column in columns), *together]

    def _expectation_causes(self) -> list[Cause]:
        """Failed critical expectations, one cause a column however many of them it fails."""
        results = self.check.expectations.results if self.check.expectations else ()
        undecided = self.check.verdict is Verdict.UNDECIDED
        wanted = [
            r for r in results
            if r.severity is Severity.CRITICAL
            and (r.success is False or (r.success is None and undecided))
        ]  # fmt: skip
        groups: dict[str, list[ExpectationResult]] = {}
        for result in sorted(wanted, key=lambda r: -(r.unexpected_share or 0.0)):
            groups.setdefault(result.column or result.type, []).append(result)
        return [self._expectation_cause(group) for group in groups.values()]

    def _expectation_cause(self, group: Sequence[ExpectationResult]) -> Cause:
        first, *others = group
        more = words.plural(len(others), "more expectation") + " failed too." if others else ""
        return Cause(
            name=first.column or "the table",
            about=f"critical expectation: {words.expectation(first.type)}",
            state=Verdict.UNDECIDED if first.success is None else Verdict.VIOLATED,
            picture=evidence.expectation_picture(first),
            first=(first.reason,),
            then=tuple(line for line in (evidence.rows_broken(first), more) if line),
        )

    def _dataset_causes(self, findings: Sequence[Finding]) -> list[Cause]:
        """A test of drift that could not decide is no cause: the columns decided without it."""
        return [
            Cause(
                name=words.label(finding.test),
                about=self._about(finding),
                state=finding.verdict,
                picture=self._dataset_picture(finding),
                first=tuple(t for t in (finding.what, finding.reason) if t)[:1],
                then=self._then(finding),
                is_whole=True,
            )
            for finding in findings
            if finding.verdict in ((Verdict.DRIFTED,) if finding.of_drift else _BAD)
        ]

    @staticmethod
    def _about(finding: Finding) -> str:
        if finding.test == ACCUMULATED:
            return "this check and those before it"
        return "all columns together" if finding.of_drift else "whole window"

    def _then(self, finding: Finding) -> tuple[str, ...]:
        """For those who read on: usual rows, what evidence is, the figures behind a sentence."""
        if finding.test == "volume":
            return self._usual_rows()
        if finding.test == ACCUMULATED:
            return (
                "Evidence grows with every window that speaks for more than is tolerated and "
                "shrinks with every other that could be judged: 1 is none, "
                f"{numerals.number(finding.threshold)} raises the alarm, and it counts no higher.",
            )
        return (finding.reason.removesuffix(f"; {finding.what}"),) if finding.what else ()

    def _dataset_picture(self, finding: Finding) -> Markup:
        """What arrived against what was promised; rows against those of past checks."""
        value = finding.effect if finding.of_drift else finding.statistic
        limit = finding.threshold
        if finding.test == "volume" and self.past:
            rows = [past.rows for past in self.past]
            return bars.sparkline([*rows, self.check.sample.rows_in_window], line_at=limit)
        if value is None or limit is None:
            return Markup("")
        if finding.test == ACCUMULATED:
            then = [past.evidence for past in self.past]
            return bars.sparkline([*then, value], line_at=limit)
        if finding.test == "volume":
            return bars.range_line(value, limit, None, " rows")
        return bars.range_line(value, None, limit, " h" if finding.test == "freshness" else "")

    def _usual_rows(self) -> tuple[str, ...]:
        rows = [past.rows for past in self.past]
        if not rows:
            return ()
        now, usual = self.check.sample.rows_in_window, round(median(rows))
        seen = f"the last {len(rows)} checks saw {numerals.count(usual)} in the middle"
        return (f"{numerals.count(now)} rows; {seen}",)

    def _column_cause(self, column: ColumnResult) -> Cause:
        """What changed in units first; the statistic is for those who read on."""
        changes = (*evidence.missing_line(column), *self.effects(column))
        since = self.column_since(column)
        return Cause(
            name=column.name,
            about=evidence.about(column),
            state=column.verdict,
            picture=picture.column_picture(column, named=self.named, sides=self.sides),
            first=changes or (column.reason,),
            then=(*((column.reason,) if changes else ()), *((since,) if since else ())),
        )

    def _nearest(self) -> list[ColumnResult]:
        """Nothing broke: the columns that came closest to their tolerance."""
        compared = [c for c in self.check.columns if c.compared and c.strength > 0]
        return list(most_telling(compared)[:3])

    def unproven(self) -> list[str]:
        """What would prove that a watched column drifted."""
        return [n.text for n in self.check.notices if n.kind == UNPROVEN]

    def notices(self) -> list[Notice]:
        """The notices that are not told above."""
        return [n for n in self.check.notices if n.kind != UNPROVEN]

    def since(self) -> str:
        """How long the verdict has been what it is."""
        state = self.check.verdict
        run = _run([past.verdict is state for past in self.past])
        if not self.past:
            return ""
        if run == len(self.past):
            return f"{state} in all of the last {len(self.past) + 1} checks"
        if not run:
            return f"new: the check before said {self.past[-1].verdict}"
        return f"{state} for {run + 1} checks, since {self.start(self.past[-run])}"

    def column_since(self, column: ColumnResult) -> str:
        """How long a column has been drifted."""
        if column.verdict is not Verdict.DRIFTED or not self.past:
            return ""
        then = [past.columns.get(column.name) for past in self.past]
        run = _run([c is not None and c.verdict is Verdict.DRIFTED for c in then])
        if not run:
            return "Not drifted in the check before."
        return f"Drifted for {run + 1} checks, since {self.start(self.past[-run])}."

    def start(self, past: "PastCheck") -> str:
        """The day a check was about."""
        return words.day(past.window.start, self.zone)

    def moment(self, moment: datetime) -> str:
        return words.moment(moment, self.zone)

    def when(self, window: Window) -> str:
        return words.window(window, self.zone)

    def spark(self, column: ColumnResult) -> Markup:
        """Past strengths of a column up to this check; the line is the tolerance."""
        then = [past.columns.get(column.name) for past in self.past]
        strengths = [
            c.strength if c is not None and c.verdict is not Verdict.UNDECIDED else None
            for c in (*then, column)
        ]
        return bars.sparkline(strengths)

    def effects(self, column: ColumnResult) -> list[str]:
        """What changed in a column, in its own units."""
        lines = evidence.level_lines(column, named=self.named) if column.shape else []
        return [*evidence.number_lines(column), *lines]

    def tally(self) -> str:
        """How the strip of past checks reads in words."""
        states = [*(past.verdict for past in self.past), self.check.verdict]
        counts = [f"{states.count(state)} {state}" for state in Verdict if state in states]
        return f"Of {len(states)} checks: {', '.join(counts)}."

    def open_expectations(self) -> list[ExpectationResult]:
        """What failed or could not be evaluated, the most severe first."""
        results = self.check.expectations.results if self.check.expectations else ()
        order = list(Severity)
        return sorted(
            (r for r in results if r.success is not True),
            key=lambda r: (order.index(r.severity), r.success is None, -(r.unexpected_share or 0)),
        )

    def command(self) -> str:
        """How to make this check again."""
        given = self.check.setup.get("command")
        if isinstance(given, str):
            return given
        name, span = self.check.monitor, self.check.window
        if name is None or span is None:
            return ""
        start, end = span.start.isoformat(), span.end.isoformat()
        return f"monitor backfill {shlex.quote(name)} --from {start} --to {end} --again"

    def columns_to_show(self) -> list[ColumnResult]:
        """Drifted, then watched columns, the most telling first."""
        watched = [c for c in self.check.columns if c.verdict is Verdict.WATCH and c.compared]
        return [*self.check.causes(), *most_telling(watched)]

    def undecided(self) -> list[ColumnResult]:
        return [c for c in self.check.columns if c.verdict is Verdict.UNDECIDED and c.compared]

    def unchanged(self) -> list[ColumnResult]:
        calm = [c for c in self.check.columns if c.verdict is Verdict.PASSED and c.compared]
        return list(most_telling(calm))

    def not_compared(self) -> list[ColumnResult]:
        return [c for c in self.check.columns if not c.compared]


def told(check: Check, history: Sequence["PastCheck"], *, zone: tzinfo, named: bool) -> Story:
    """The story of a check; only the newest past checks are kept."""
    return Story(check, tuple(history)[-MOST_PAST:], zone, named)


def _run(flags: Sequence[bool]) -> int:
    """How many flags are set at the end."""
    for length, flag in enumerate(reversed(flags)):
        if not flag:
            return length
    return len(flags)
