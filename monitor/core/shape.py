"""What a report draws of a column: shares on one shared axis, a few dozen numbers at most."""

import re
from dataclasses import replace

import numpy as np

from monitor.core.cells import Pair
from monitor.core.records import Floats, Shape
from monitor.core.spelling import LARGEST_WHOLE

BARS = 24
TAIL = 0.005  # share of rows on either end that does not stretch the axis
LEVELS = 12  # named levels; the others become one bar
OTHERS = "other levels"
_OTHER = re.compile(rf"\d+ {OTHERS}")
NAMED_CHANGES = 20
CLOSEST = 1e-12  # relative width below which the bars of an axis could coincide
LARGEST = float(np.finfo(np.float64).max)


def draw_shape(pair: Pair, *, names: bool = True) -> Shape | None:
    """The shape of a column; None when there is nothing to draw. Without `names`, with numbers."""
    if pair.numeric:
        return _of_numbers(pair)
    shape = _of_levels(pair)
    return shape if names or shape is None else _numbered(shape)


def _of_numbers(pair: Pair) -> Shape | None:
    filled = [side for side in (pair.reference, pair.current) if side.finite.size]
    if not filled:
        return None
    edges = _edges([s.finite for s in filled], whole=all(s.whole for s in filled))
    reference, current = (_shares(s.finite, edges) for s in (pair.reference, pair.current))
    return Shape(reference=reference, current=current, edges=tuple(edges.tolist()))


def _edges(sides: list[Floats], *, whole: bool) -> Floats:
    """Equal-width bars over the bulk of both sides; of whole numbers each holds equally many."""
    low = min(float(v[int(TAIL * (v.size - 1))]) for v in sides)
    high = max(float(v[int((1 - TAIL) * (v.size - 1))]) for v in sides)
    if whole and max(abs(low), abs(high)) < LARGEST_WHOLE / 4:
        step = np.ceil((high - low + 1) / BARS)
        return np.arange(low - 0.5, high + step, step)
    if high - low <= CLOSEST * max(abs(low), abs(high)):  # one value, as far as an axis can tell
        pad = min(abs(low), LARGEST / 2) * 0.1 or 0.5
        low, high = low - pad, high + pad
    steps = np.arange(BARS + 1) / BARS
    return np.asarray(low * (1 - steps) + high * steps)  # high - low might overflow


def _shares(values: Floats, edges: Floats) -> tuple[float, ...]:
    """Share of rows in each bar; what lies outside is counted in the first and last bar."""
    inner = np.searchsorted(values, edges[1:-1], "left")
    counts = np.diff(np.concatenate(([0], inner, [values.size])))
    return tuple((counts / max(1, values.size)).round(6).tolist())


def _of_levels(pair: Pair) -> Shape | None:
    before, now = pair.reference.counts, pair.current.counts
    n, m = max(1, pair.reference.present), max(1, pair.current.present)
    share = {v: (before.get(v, 0) / n, now.get(v, 0) / m) for v in before.keys() | now.keys()}
    if not share:
        return None
    largest = {v: -max(sides) for v, sides in share.items()}
    ranked = sorted(sorted(share), key=largest.__getitem__)
    shown = ranked if len(ranked) <= LEVELS + 1 else ranked[:LEVELS]
    shown = sorted(shown, key=lambda v: (-share[v][0], -share[v][1], v))
    rows = [share[v] for v in shown]
    names = list(shown)
    if len(shown) < len(ranked):
        rest = ranked[LEVELS:]
        more = (sum(share[v][0] for v in rest), sum(share[v][1] for v in rest))
        rows.append((more[0] + pair.reference.rest / n, more[1] + pair.current.rest / m))
        names.append(f"{len(rest)} {OTHERS}")
    new = (v for v in ranked if v not in before)  # or not counted, where there are too many
    return Shape(
        reference=tuple(round(r, 6) for r, _ in rows),
        current=tuple(round(c, 6) for _, c in rows),
        levels=tuple(names),
        new_levels=() if pair.reference.rest else tuple(new)[:NAMED_CHANGES],
        lost_levels=tuple(v for v in ranked if v not in now)[:NAMED_CHANGES],
    )


def _numbered(shape: Shape) -> Shape:
    """Every level as `level 1`, `level 2` ..., in the order of the shape."""
    levels = dict.fromkeys((*shape.levels, *shape.new_levels, *shape.lost_levels))
    names = {
        level: level if _OTHER.fullmatch(level) else f"level {number}"
        for number, level in enumerate(levels, start=1)
    }
    return replace(
        shape,
        levels=tuple(names[v] for v in shape.levels),
        new_levels=tuple(names[v] for v in shape.new_levels),
        lost_levels=tuple(names[v] for v in shape.lost_levels),
    )
