"""Small pictures over time as SVG: every one has the same axis, real units, and words for all.

A tile or bar is a link to its check. Only the row of checks can be reached by keyboard: the same
link, once more in every row, would be a hundred steps to walk through.
"""

from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import tzinfo
from functools import cached_property, lru_cache
from typing import NamedTuple
from urllib.parse import quote

from markupsafe import Markup, escape

from monitor.archive import CheckLine, ColumnLine
from monitor.core import words
from monitor.core.numerals import count, number, share
from monitor.core.records import Verdict
from monitor.web.axis import spans
from monitor.web.history import History, Mark
from monitor.web.strips import LENGTH as STRIP

_SKIPPED = ' tabindex="-1"'
_HOT = ' class="hot"'
_WIDE, _HIGH = 1000, 100  # the inside of a chart, stretched to its place
_LETTER = 0.95  # width of a letter of a label, in per cent of a chart on a desk
_LANES = 4  # of labels, at most
_STRENGTHS = (0.25, 0.5, 1.0, 2.0, 5.0)  # times the tolerance: where a tile gets darker
_ICON_PX = {40: 12, 80: 8}  # up to so many checks: size of their icons


@lru_cache(maxsize=4096)
def strip(lines: tuple[CheckLine, ...], zone: tzinfo, root: str, from_left: bool = False) -> Markup:
    """The newest checks, a tile each; one step for the keyboard.

    The newest is at the right, below that of other monitors, but `from_left` and on a phone.
    """
    part = 100 / max(1, len(lines))
    verdicts = [str(c.verdict) for c in lines]
    counts = ", ".join(f"{verdicts.count(v)} {v}" for v in dict.fromkeys(reversed(verdicts)))
    tiles = (
        f'<a href="{escape(root)}/checks/{quote(c.id, safe="")}" class="{c.verdict}"'
        f"{'' if place == len(lines) - 1 else _SKIPPED}>"
        f"<title>{words.window(c.window, zone)}: {c.verdict}</title>"
        f'<use href="#s-{c.verdict}" x="{part * (place + 0.5):.1f}%" y="7" width="9"'
        f' height="9"/></a>'
        for place, c in enumerate(lines)
    )
    return Markup(
        f'<span class="strip-room{" from-left" if from_left else ""}">'
        f'<svg class="strip" width="{100 * len(lines) / STRIP:.1f}%" height="24" role="group"'
        f' aria-label="{counts}"><g transform="translate(-4.5 0)">{"".join(tiles)}</g></svg></span>'
    )


@dataclass(frozen=True)
class Series:
    """One measure of every check, for a chart."""

    name: str
    values: Sequence[float | None]
    told: Callable[[float | None], str]  # a value with its unit
    limit: float | None = None  # a line across, and what it means
    limit_told: str = ""
    bars: bool = False
    hot: Sequence[bool] = ()  # values that are breaches

    @cached_property
    def top(self) -> float:
        known = [v for v in (*self.values, self.limit) if v is not None]
        return max(known, default=0.0) * 1.08 or 1.0

    @property
    def tells(self) -> bool:
        """Whether there is anything to draw: breaches that never were are a line of nothing."""
        return any(self.values if self.hot else (v is not None for v in self.values))

    @cached_property
    def texts(self) -> Sequence[str]:
        return [self.told(value) for value in self.values]

    @property
    def now(self) -> str:
        return self.texts[-1]


class _Slot(NamedTuple):
    """One check on the axis, and the text that every row repeats of it."""

    line: CheckLine
    x: float
    width: float
    address: str
    link: str  # to the check; the keyboard skips it
    window: str
    tile: str  # where a tile of it stands
    bar: str
    hit: str  # what the pointer meets: the whole height of its window


class Charts:
    """Draws a history."""

    def __init__(self, history: History, root: str) -> None:
        self.history = history
        self._lines = history.lines
        self._root = root
        self._slots = list(_slots(history, root))
        self._grid = _grid([x for x, _ in history.axis.ticks])

    # --- The checks themselves ---

    def checks(self) -> Markup:
        """A tile a check with the shape of its verdict; the row that the keyboard reaches."""
        size = next((px for most, px in _ICON_PX.items() if len(self._lines) <= most), 5)
        tiles = (
            f'<a href="{p.address}"{"" if p is self._slots[-1] else _SKIPPED} '
            f'class="{p.line.verdict}"><title>{p.window}: {escape(p.line.headline)}</title>'
            f'<use href="#s-{p.line.verdict}" x="{p.x + p.width / 2:.2f}%" y="{(18 - size) / 2}"'
            f' width="{size}" height="{size}"/></a>'
            for p in self._slots
        )
        return Markup(
            f'<svg class="verdicts" width="100%" height="18" role="group" '
            f'aria-label="{len(self._lines)} checks, the newest last">'
            f'<g transform="translate({-size / 2} 0)">{"".join(tiles)}</g></svg>'
        )

    # --- Columns ---

    def column(self, name: str) -> Markup:
        """A tile a check: low and grey within the tolerance, full and coloured where it drifted."""
        cells, called = self.history.columns[name], escape(name)
        tiles = []
        for slot in self._slots:
            cell = cells.get(slot.line.id)
            told = f"{called}, {slot.window}: {escape(cell_in_words(cell))}"
            tiles.append(f"{slot.link}{_tile(cell, slot.tile)}<title>{told}</title></a>")
        drifted = sum(cell.verdict is Verdict.DRIFTED for cell in cells.values())
        told = f"{name}: drifted in {drifted} of {words.plural(len(self._lines), 'check')}"
        return self._picture("heat", told, "".join(tiles))

    def column_now(self, name: str) -> str:
        """The newest effect in words."""
        cell = self.history.columns[name].get(self._lines[-1].id)
        if cell is None or cell.verdict is Verdict.UNDECIDED:
            return "not judged"
        return f"{times(cell.strength)} tolerance"

    # --- Measures ---

    def series(self) -> list[Series]:
        """What is known of the checks beside their columns; only what there is."""
        history = self.history
        tallies = [history.tallies[c.id] for c in self._lines]
        shares = [t.drifted / t.columns if t.columns else None for t in tallies]
        found = [
            self._rows(),
            Series("Missing values", [t.missing_current for t in tallies], share,
                   _last([t.missing_reference for t in tallies]), "in the reference"),
            self._freshness(),
            Series("Columns drifted", shares, share, bars=True, hot=[bool(s) for s in shares]),
            Series("Expectations failed", [_failed(t.expectations, t.failed) for t in tallies],
                   _whole, bars=True, hot=[t.failed > 0 for t in tallies]),
        ]  # fmt: skip
        return [s for s in found if s.tells]

    def _rows(self) -> Series:
        rows = [float(c.rows) for c in self._lines]
        least = self.history.promised.get("volume")
        hot = [least is not None and r < least for r in rows]
        return Series("Rows", rows, _whole, least, "promised", bars=True, hot=hot)

    def _freshness(self) -> Series:
        ages, most = self.history.ages_h(), self.history.promised.get("freshness")
        hot = [most is not None and age is not None and age > most for age in ages]
        return Series("Age of the newest row", ages, hours, most, "promised", bars=True, hot=hot)

    def drawn(self, series: Series) -> Markup:
        """Bars from zero, or steps; a dash where nothing is known."""
        shapes = self._bars(series) if series.bars else self._steps(series)
        told = f"{series.name}: now {series.now}"
        return self._picture("series", told, shapes + self._limit(series) + self._hits(series))

    def _bars(self, series: Series) -> str:
        hot = series.hot or [False] * len(series.values)
        bars = []
        for slot, value, is_hot in zip(self._slots, series.values, hot, strict=True):
            if value:
                y = _y(value, series.top)
                high = f' y="{y:.1f}" height="{_HIGH - y:.1f}"'
                bars.append(f"<rect {slot.bar}{high}{_HOT if is_hot else ''}/>")
        return "".join(bars)

    def _steps(self, series: Series) -> str:
        path, joined = [], False
        for slot, value in zip(self._slots, series.values, strict=True):
            if value is not None:
                y = f"{_y(value, series.top):.1f}"
                end = 10 * (slot.x + slot.width)
                path.append(f"{'L' if joined else 'M'}{10 * slot.x:.1f} {y}H{end:.1f}")
            joined = value is not None
        return f'<path class="step" d="{"".join(path)}"/>'

    def _limit(self, series: Series) -> str:
        if series.limit is None:
            return ""
        return f'<path class="limit" d="M0 {_y(series.limit, series.top):.1f}H{_WIDE}"/>'

    def _hits(self, series: Series) -> str:
        return "".join(
            f"{slot.link}{slot.hit}<title>{slot.window}: {escape(text)}</title></a>"
            for slot, text in zip(self._slots, series.texts, strict=True)
        )

    def table(self, series: Sequence[Series]) -> Markup:
        """The same as text: a row a check, the newest first."""
        measures = [(f'<td data-th="{escape(s.name)}">', s.texts) for s in series]
        rows = (
            f'<tr><th scope="row">{slot.window}</th>'
            f'<td data-th="Verdict">{slot.line.verdict}</td>'
            f"{''.join(f'{cell}{escape(texts[n])}</td>' for cell, texts in measures)}</tr>"
            for n, slot in reversed(list(enumerate(self._slots)))
        )
        return Markup("".join(rows))

    def _picture(self, kind: str, told: str, inside: str) -> Markup:
        return Markup(
            f'<svg class="{kind}" viewBox="0 0 {_WIDE} {_HIGH}" preserveAspectRatio="none" '
            f'role="img" aria-label="{escape(told)}">{self._grid}{inside}</svg>'
        )

    # --- Axis and marks ---

    def axis(self) -> Markup:
        """Dates under the charts."""
        labels = "".join(
            f'<text x="{x}%" y="12" class="{_anchor(x)}">{escape(label)}</text>'
            for x, label in self.history.axis.ticks
        )
        return Markup(
            f'<svg class="dates" width="100%" height="16" aria-hidden="true">{labels}</svg>'
        )

    def marks(self) -> Markup:
        """What happened, each with its label where there is room for one."""
        lanes = _lanes(self.history.marks, self.history.axis.at)
        shapes = "".join(self._mark(mark, 18 * lane, labelled) for mark, lane, labelled in lanes)
        height = 18 * (1 + max((lane for _, lane, _ in lanes), default=0))
        return Markup(
            f'<svg class="marks" width="100%" height="{height}" aria-hidden="true">{shapes}</svg>'
        )

    def _mark(self, mark: Mark, y: int, labelled: bool) -> str:
        x = self.history.axis.at(mark.start)
        end = x if mark.end is None else self.history.axis.at(mark.end)
        body = (
            f'<circle cx="{x}%" cy="{y + 9}" r="4"/>' if mark.end is None
            else f'<rect x="{x}%" y="{y + 5}" width="{max(0.6, end - x):.2f}%" height="8"/>'
        )  # fmt: skip
        label = _label(mark, x, end, y) if labelled else ""
        inside = f"{body}{label}<title>{escape(mark.told)}</title>"
        if mark.link:
            inside = f'<a href="{escape(self._root + mark.link)}"{_SKIPPED}>{inside}</a>'
        return f'<g class="{mark.kind}{" open" if mark.goes_on else ""}">{inside}</g>'


_GAP = 0.2  # between bars, of the width of a window


def _slots(history: History, root: str) -> Iterator[_Slot]:
    at, zone = escape(f"{root}/checks/"), history.axis.zone
    for line, (x, width) in zip(history.lines, spans(history.lines, history.axis), strict=True):
        left, wide = 10 * x, 10 * width  # of the inside of a chart
        address = f"{at}{quote(line.id, safe='')}"
        yield _Slot(
            line,
            x,
            width,
            address=address,
            link=f'<a href="{address}"{_SKIPPED}>',
            window=words.window(line.window, zone),
            tile=f'x="{left + wide * _GAP / 4:.1f}" width="{wide * (1 - _GAP / 2):.1f}"',
            bar=f'x="{left + wide * _GAP / 2:.1f}" width="{wide * (1 - _GAP):.1f}"',
            hit=f'<rect class="hit" x="{left:.1f}" y="0" width="{wide:.1f}" height="{_HIGH}"/>',
        )


def cell_in_words(cell: ColumnLine | None) -> str:
    """What one check says of one column."""
    if cell is None:
        return "not compared"
    if not cell.test or cell.effect is None:
        return str(cell.verdict)
    return f"{cell.verdict}, {_test(cell.test)} {number(cell.effect)}{_threshold(cell.threshold)}"


@lru_cache(maxsize=256)
def _test(name: str) -> str:
    spoken = name.replace("_", " ")
    return spoken.upper() if len(spoken) <= 3 else spoken


@lru_cache(maxsize=256)  # a column keeps its threshold from check to check
def _threshold(value: float | None) -> str:
    return "" if value is None else f" (threshold {number(value)})"


def times(strength: float) -> str:
    """How many times as large.

    >>> times(0.092), times(3.04), times(18.2), times(1e12)
    ('0.1 ×', '3 ×', '18 ×', 'over 1000 ×')
    """
    if strength > 1000:
        return "over 1000 ×"
    return f"{number(round(strength, 1) if strength < 10 else round(strength))} ×"


def hours(value: float | None) -> str:
    """An age as people say it.

    >>> hours(0.5), hours(30.0), hours(100.0), hours(None)
    ('30 min', '30 h', '4.2 days', 'not known')
    """
    if value is None:
        return "not known"
    if value < 1:
        return f"{value * 60:.0f} min"
    return f"{value:.3g} h" if value < 48 else f"{value / 24:.1f} days"


def _tile(cell: ColumnLine | None, at: str) -> str:
    if cell is None or cell.verdict is Verdict.UNDECIDED:
        return f'<rect class="t none" {at} y="46" height="8"/>'
    step = bisect_right(_STRENGTHS, cell.strength)
    if cell.verdict is Verdict.DRIFTED:
        return f'<rect class="t hot h{max(3, step)}" {at} y="4" height="92"/>'
    return f'<rect class="t h{min(3, step)}" {at} y="28" height="44"/>'


def _grid(ticks: Sequence[float]) -> str:
    lines = "".join(f"M{10 * x:.1f} 0V{_HIGH}" for x in ticks)
    return f'<path class="grid" d="{lines}"/>' if lines else ""


def _y(value: float, top: float) -> float:
    return _HIGH * (1 - max(0.0, value) / top)


def _whole(value: float | None) -> str:
    return "not known" if value is None else count(int(value))


def _failed(evaluated: int, failed: int) -> float | None:
    return float(failed) if evaluated else None


def _last(values: Sequence[float | None]) -> float | None:
    return next((v for v in reversed(values) if v is not None), None)


def _anchor(x: float) -> str:
    return "first" if x < 4 else "last" if x > 96 else "mid"


def _label(mark: Mark, x: float, end: float, y: int) -> str:
    """Beside the mark: after it, or before it where the chart ends."""
    turned = _turned(mark, end)
    at, anchor, shift = (x, "last", -7) if turned else (end, "first", 7)
    return f'<text x="{at}%" y="{y + 13}" dx="{shift}" class="{anchor}">{escape(mark.label)}</text>'


def _turned(mark: Mark, end: float) -> bool:
    return end + _LETTER * len(mark.label) + 1 > 100


def _lanes(marks: Sequence[Mark], at: Callable[..., float]) -> list[tuple[Mark, int, bool]]:
    """(mark, lane, whether there is room for its label): marks do not lie on one another."""
    free: list[float] = []  # where each lane is free again
    placed = []
    for mark in marks:
        x, end = at(mark.start), at(mark.end or mark.start)
        text = _LETTER * len(mark.label) + 1.5
        left, right = (x - text, end + 1) if _turned(mark, end) else (x - 1, end + text)
        lane = next((i for i, until in enumerate(free) if until <= left), len(free))
        if lane < _LANES:
            free[lane:] = [right, *free[lane + 1 :]]
            placed.append((mark, lane, True))
        else:
            placed.append((mark, _LANES - 1, False))
    return placed
