"""What a report draws of a column: shares on one shared axis, a few dozen numbers at most."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from heapq import nsmallest

import numpy as np

from monitor.core.cells import Pair
from monitor.core.columns import Floats
from monitor.core.records import Shape
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
    ends = np.append(np.searchsorted(values, edges[1:-1], "left"), values.size)
    counts = ends.copy()
    counts[1:] -= ends[:-1]
    return tuple((counts / max(1, values.size)).round(6).tolist())


def _of_levels(pair: Pair) -> Shape | None:
    before, now = pair.reference.counts, pair.current.counts
    names = sorted(before.keys() | now.keys())
    if not names:
        return None
    reference = _level_shares(before, names, pair.reference.present)
    current = _level_shares(now, names, pair.current.present)
    ranked = np.argsort(-np.maximum(reference, current), kind="stable")
    shown = ranked if ranked.size <= LEVELS + 1 else ranked[:LEVELS]
    shown = shown[np.lexsort((shown, -current[shown], -reference[shown]))]
    levels = [names[place] for place in shown.tolist()]
    sides = [reference[shown].tolist(), current[shown].tolist()]
    if (rest := ranked[shown.size :]).size:
        levels.append(f"{rest.size} {OTHERS}")
        for side, share, of in zip(
            sides, (reference, current), (pair.reference, pair.current), strict=True
        ):
            side.append(float(share[rest].sum()) + of.rest / max(1, of.present))
    order = dict(zip((names[place] for place in ranked.tolist()), range(ranked.size), strict=True))
    new = () if pair.reference.rest else now.keys() - before.keys()  # there, some are not counted
    return Shape(
        reference=tuple(round(share, 6) for share in sides[0]),
        current=tuple(round(share, 6) for share in sides[1]),
        levels=tuple(levels),
        new_levels=_first(new, order),
        lost_levels=_first(before.keys() - now.keys(), order),
    )


def _level_shares(counts: Mapping[str, int], names: Sequence[str], rows: int) -> Floats:
    sizes = np.fromiter((counts.get(name, 0) for name in names), np.float64, len(names))
    return np.asarray(sizes / max(1, rows))


def _first(names: Iterable[str], order: Mapping[str, int]) -> tuple[str, ...]:
    return tuple(nsmallest(NAMED_CHANGES, names, key=order.__getitem__))


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
