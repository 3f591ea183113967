"""Draws a backtest as one HTML page that needs nothing else, in the style of the reports."""

from collections.abc import Sequence
from datetime import datetime, timedelta, tzinfo

from markupsafe import Markup

from monitor.core.records import Window
from monitor.core.replay import words as backtest_words
from monitor.core.replay.advice import Backtest
from monitor.core.replay.history import ColumnPast, Trial, largest, typical
from monitor.reports import bars, words
from monitor.reports.html import printable, template

MOST_CELLS = 400  # of a strip; longer histories show the worst of neighbouring windows
MOST_COLUMNS = 200  # rows of the heat strip
STEPS = (0.5, 1.0, 2.0, 4.0)  # strengths at which the shade changes; 1 is the tolerance
_DAY = timedelta(days=1)

Cells = list[tuple[int, int, int]]  # first cell, how many, shade


class Picture:
    """What the template asks for: strips on one time axis."""

    def __init__(self, done: Backtest, zone: tzinfo) -> None:
        self.done, self.zone = done, zone
        windows = done.current.windows
        self._bin = -(-len(windows) // MOST_CELLS)
        self._cells = -(-len(windows) // self._bin)

    def heat(self, column: ColumnPast) -> Markup:
        """Effect over tolerance by window, with a tick under each alarm of the current rule."""
        shades = [None if s is None else sum(s >= step for step in STEPS) for s in column.strengths]
        alarmed = [column.name in (names or ()) for names in self.done.current.alarms]
        return self._strip(_rectangles(self._worst(shades)), self._worst(alarmed))

    def alarms(self, trial: Trial) -> Markup:
        """A bar at every alarm of a rule; a gap where nobody looked."""
        shades = [None if names is None else 5 if names else 0 for names in trial.alarms]
        return self._strip(_rectangles(self._worst(shades)), [])

    def _strip(self, cells: Cells, ticks: Sequence[int | None]) -> Markup:
        rows = "".join(
            f'<path class="h{shade}" d="M{x} 0h{width}v10h-{width}z"/>' for x, width, shade in cells
        )
        marks = "".join(
            f"M{x} 10.7h{width}v1.6h-{width}z" for x, width, on in _rectangles(ticks) if on
        )
        tick = f'<path class="tick" d="{marks}"/>' if marks else ""
        return Markup(
            f'<svg class="heat" viewBox="0 0 {self._cells} 12.5" preserveAspectRatio="none" '
            f'aria-hidden="true">{rows}{tick}</svg>'
        )

    def _worst(self, values: Sequence[int | None]) -> list[int | None]:
        """The largest of each bin; None where none of its windows was looked at."""
        bins = [values[i : i + self._bin] for i in range(0, len(values), self._bin)]
        return [max((v for v in part if v is not None), default=None) for part in bins]

    def axis(self) -> Markup:
        """First and last day, and beneath them that of the first alarm of the current rule.

        On a line of its own, which ends or begins at its place, it fits however narrow the page.
        """
        windows, alarmed = self.done.current.windows, self.done.current.alarmed
        dates = [self._date(0, windows[0], line=1)]
        dates += [self._date(100, windows[-1], line=1)] if len(windows) > 1 else []
        first = windows.index(alarmed[0]) if alarmed else 0
        if first:
            dates.append(self._date(100 * first / len(windows), alarmed[0], line=2, what="drift "))
        return Markup('<svg class="days{}">{}</svg>').format(
            " two" if first else "", Markup("").join(dates)
        )

    def _date(self, place: float, window: Window, *, line: int, what: str = "") -> Markup:
        side = "end" if place > 50 else ""
        text = Markup('<text x="{}%" y="{}rem" class="{}">{}</text>')
        told = f"{what}{words.day(window.start, self.zone)}"
        return text.format(f"{place:.4g}", f"{line * 0.95 - 0.05:.3g}", side, told)

    def spark(self, column: ColumnPast) -> Markup:
        return bars.sparkline(column.strengths)

    def day(self, moment: datetime) -> str:
        return words.day(moment, self.zone)

    def worst(self, column: ColumnPast) -> float:
        return largest(column.strengths)

    def usual(self, column: ColumnPast) -> float:
        return typical(column.strengths)

    def effect(self, column: ColumnPast) -> tuple[float, float]:
        """Median and largest effect."""
        return typical(column.effects), largest(column.effects)


def _rectangles(shades: Sequence[int | None]) -> Cells:
    """Runs of the same shade; nothing is drawn where nothing is known."""
    runs: Cells = []
    for place, shade in enumerate(shades):
        if shade is None:
            continue
        start, width, before = runs[-1] if runs else (-1, 0, -1)
        if before == shade and start + width == place:
            runs[-1] = start, width + 1, before
        else:
            runs.append((place, 1, int(shade)))
    return runs


def draw_backtest(done: Backtest, *, zone: tzinfo, command: str) -> str:
    """The page of a backtest; `command` makes it again."""
    page = template("backtest.html.j2").render(
        done=done,
        pic=Picture(done, zone),
        headline=backtest_words.headline(done, zone),
        advice=backtest_words.advice_lines(done.advice, zone),
        counting=backtest_words.counting_lines(done, zone),
        scene=backtest_words.scene_line(done),
        smallest_drift=backtest_words.smallest_drift,
        title=backtest_words.title,
        most_columns=MOST_COLUMNS,
        command=command,
    )
    return printable(page)
