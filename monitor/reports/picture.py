"""Pictures of a column as inline SVG: reference and window as shares, over the same cells."""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape

from monitor.core import numerals
from monitor.core.records import ColumnResult, Shape
from monitor.reports import words

Pair = tuple[float | None, float | None]

# The last level of a shape may stand for all that were not worth a bar of their own.
_REST = re.compile(r"(\d+) other levels")
_TALL = 100  # units of height inside a picture; it is stretched to fit


@dataclass(frozen=True, slots=True)
class Level:
    """One level of a column with its share of rows on both sides."""

    name: str
    reference: float
    current: float
    mark: str = ""  # new, lost
    count: int = 1  # more than one: what is left over, taken together


def column_picture(
    column: ColumnResult, *, named: bool, sides: tuple[str, str] | None = None
) -> Markup:
    """The picture of one column, or a word where there is none.

    With `sides` to label it is large, and shows missing values where their share moved.
    """
    drawn = _shape_picture(column, named=named, sides=sides)
    before, now = column.missing_reference, column.missing_current
    if sides is None or before is None or now is None or abs(now - before) < 0.01:
        return drawn
    row = _level_row(Level("missing", before, now), 0, 1, 1.0)
    return drawn + Markup(f'<svg class="lev" height="1.5em">{row}</svg>')


def _shape_picture(column: ColumnResult, *, named: bool, sides: tuple[str, str] | None) -> Markup:
    shape = column.shape
    if shape is None or not (_sane(shape.reference) or _sane(shape.current)):
        return Markup('<p class="none">no picture</p>')
    if shape.levels:
        return level_bars(shape, most=8 if sides else 5, named=named)
    if len(shape.edges) < 2 or not all(map(math.isfinite, shape.edges)):
        return Markup('<p class="none">no picture</p>')
    return histogram(shape, column.statistics, sides=sides)


def histogram(
    shape: Shape, statistics: Mapping[str, Pair], *, sides: tuple[str, str] | None
) -> Markup:
    """Reference as a grey area and window as a line, on one axis; with `sides`, their means too."""
    reference, current = _finite(shape.reference), _finite(shape.current)
    tallest = max([*reference, *current, 1e-12])
    cells = max(len(reference), len(current))
    curves = (
        f'<path class="ref" d="{_steps(reference, tallest)}V{_TALL}Z"/>'
        f'<path class="now" d="{_steps(current, tallest)}V{_TALL}"/>'
    )
    low, high = _ends(shape.edges)
    below, above = _outside(shape, statistics)
    means = _means(shape, statistics, sides) if sides else ""
    height, under, style = (46, 60, "big") if sides else (78, 98, "pic")
    axis = (
        f'<text x="0" y="{under}%">{below}{numerals.number(low)}</text>'
        f'<text x="100%" y="{under}%" class="end">{above}{numerals.number(high)}</text>'
    )
    return Markup(
        f'<svg class="{style}">'
        f'<svg viewBox="0 0 {cells} {_TALL}" preserveAspectRatio="none" height="{height}%">'
        f"{curves}</svg>{axis}{means}</svg>"
    )


def _ends(edges: Sequence[float]) -> tuple[float, float]:
    """What the axis says at its ends; bars of one whole number each are told by that number."""
    low, high = edges[0], edges[-1]
    whole = len(edges) - 1 == high - low and low % 1 == 0.5
    return (low + 0.5, high - 0.5) if whole else (low, high)


def _steps(shares: Sequence[float], tallest: float) -> str:
    """An SVG path over equal cells of width one, from the floor upwards."""
    path, last = [f"M0 {_TALL}"], _TALL
    for value in shares:
        y = round(_TALL - (_TALL - 4) * value / tallest)
        path.append("h1" if y == last else f"V{y}h1")
        last = y
    return "".join(path)


def _outside(shape: Shape, statistics: Mapping[str, Pair]) -> tuple[str, str]:
    """The outer cells hold all that lies beyond them; say so where something does."""
    lowest = [value for value in statistics.get("min", ()) if value is not None]
    highest = [value for value in statistics.get("max", ()) if value is not None]
    below = "≤ " if lowest and min(lowest) < shape.edges[0] else ""
    return below, "≥ " if highest and max(highest) > shape.edges[-1] else ""


def _means(shape: Shape, statistics: Mapping[str, Pair], sides: tuple[str, str]) -> str:
    """A line at each mean, down to a row of its own where its label stands."""
    width = shape.edges[-1] - shape.edges[0]
    means = statistics.get("mean", (None, None))
    if not 0 < width < math.inf:
        return ""
    places = [
        min(max(100 * (mean - shape.edges[0]) / width, 0.0), 100.0)
        if mean is not None and math.isfinite(mean)
        else None
        for mean in means
    ]
    lefts = [x is not None and _label_left(x, other) for x, other in _both_ways(places)]
    # Both labels to the right: the left line goes deeper, so that it crosses no label, nor
    # the other line this one's; otherwise the right line does.
    first_is_left = places[0] is None or places[1] is None or places[0] < places[1]
    depths = (98, 81) if first_is_left is not any(lefts) else (81, 98)
    lines, labels = "", ""
    rows = zip(sides, ("ref", "now"), means, places, lefts, depths, strict=True)
    for name, style, mean, x, left, y in rows:
        if x is not None:
            lines += f'<line class="m{style}" x1="{x:.1f}%" x2="{x:.1f}%" y2="{y}%"/>'
            side, gap = ("end ", "-.5em") if left else ("", ".5em")
            labels += (
                f'<text x="{x:.1f}%" y="{y}%" dx="{gap}" class="{side}t{style}">'
                f"{name} mean {numerals.number(mean)}</text>"
            )
    return lines + labels


def _both_ways(places: Sequence[float | None]) -> list[tuple[float | None, float | None]]:
    return [(places[0], places[1]), (places[1], places[0])]


def _label_left(x: float, other: float | None) -> bool:
    """Away from the other line where there is room, else towards the middle."""
    if other is None or not 40 < x < 60:
        return x > 50
    return x < other


def level_bars(shape: Shape, *, most: int, named: bool) -> Markup:
    """A pair of bars a level: grey reference over dark window, with both shares written."""
    levels = levels_of(shape, named=named)
    single = [level for level in levels if level.count == 1]
    whole = len(levels) == len(single) <= most + 1  # never "1 more" where it could be named
    shown = sorted(single, key=_telling, reverse=True)[: None if whole else most]
    shown.sort(key=lambda level: level.reference, reverse=True)
    rest = [level for level in levels if level not in shown]
    widest = max([*(max(level.reference, level.current) for level in shown), 1e-12])
    if rest:
        many = sum(level.count for level in rest)
        sums = sum(level.reference for level in rest), sum(level.current for level in rest)
        shown.append(Level(f"{many} more", *sums, count=max(many, 2)))
    rows = "".join(_level_row(level, i, len(shown), widest) for i, level in enumerate(shown))
    return Markup(f'<svg class="lev" height="{1.5 * len(shown):g}em">{rows}</svg>')


def levels_of(shape: Shape, *, named: bool) -> list[Level]:
    """The levels of a shape; numbered instead of named where values may not be shown."""
    new, lost = set(shape.new_levels), set(shape.lost_levels)
    found = []
    sides = zip(_finite(shape.reference), _finite(shape.current), strict=False)
    for i, (name, (reference, current)) in enumerate(zip(shape.levels, sides, strict=False)):
        mark = "new" if name in new else "lost" if name in lost else ""
        rest = _REST.fullmatch(name) if i == len(shape.levels) - 1 else None
        told = (name if name.strip() else f'"{name}"') if named or rest else f"level {i + 1}"
        found.append(Level(told, reference, current, mark, int(rest[1]) if rest else 1))
    return found


def _telling(level: Level) -> float:
    """Common levels and those that moved are worth a row."""
    moved = abs(level.current - level.reference)
    return max(level.reference, level.current) + 3 * moved + (0.05 if level.mark else 0)


def _level_row(level: Level, index: int, rows: int, widest: float) -> str:
    step = 100 / rows
    top = index * step
    line = f'y="{top + 0.72 * step:.4g}%"'
    name = (
        f'<svg width="36%"><text {line}>{escape(words.shorten(level.name, 18))}'
        f"<title>{escape(words.shorten(level.name, 200))}</title></text></svg>"
    )
    bars = ""
    if level.count == 1:
        bars += _bar("ref", top + 0.16 * step, 0.3 * step, level.reference / widest)
        bars += _bar("bar", top + 0.5 * step, 0.3 * step, level.current / widest)
    mark = f'<tspan class="mark">{level.mark} </tspan>' if level.mark else ""
    told = f"{numerals.share(level.reference)} → {numerals.share(level.current)}".replace(" %", "%")
    return f'{name}{bars}<text class="end" x="100%" {line}>{mark}{told}</text>'


def _bar(style: str, y: float, height: float, part: float) -> str:
    size = f'width="{26 * part:.3g}%" height="{height:.4g}%"'
    return f'<rect class="{style}" x="38%" y="{y:.4g}%" {size}/>'


def _finite(shares: Sequence[float]) -> list[float]:
    return [value if math.isfinite(value) and value > 0 else 0.0 for value in shares]


def _sane(shares: Sequence[float]) -> bool:
    return any(math.isfinite(value) and value > 0 for value in shares)
