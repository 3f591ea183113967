"""What a report draws of a column: shares on one shared axis, a few dozen numbers at most."""

import numpy as np

from monitor.core.records import Floats, Shape
from monitor.core.summary import Pair

BARS = 24
TAIL = 0.005  # share of rows on either end that does not stretch the axis
LEVELS = 12  # named levels; the others become one bar
OTHERS = "other levels"
NAMED_CHANGES = 20


def draw_shape(pair: Pair) -> Shape | None:
    """The shape of a column; None when one side has nothing to draw on a shared axis."""
    return _of_numbers(pair) if pair.numeric else _of_levels(pair)


def _of_numbers(pair: Pair) -> Shape | None:
    assert pair.reference.values is not None and pair.current.values is not None
    sides = [v[np.isfinite(v)] for v in (pair.reference.values, pair.current.values)]
    filled = [v for v in sides if v.size]
    if not filled:
        return None
    edges = _edges(filled)
    reference, current = (_shares(v, edges) for v in sides)
    return Shape(reference=reference, current=current, edges=tuple(edges.tolist()))


def _edges(sides: list[Floats]) -> Floats:
    """Equal-width bars over the bulk of both sides; whole numbers get whole-number bars."""
    low = min(float(v[int(TAIL * (v.size - 1))]) for v in sides)
    high = max(float(v[int((1 - TAIL) * (v.size - 1))]) for v in sides)
    whole = all(bool(np.all(v == np.trunc(v))) for v in sides)
    if whole and high - low < BARS:
        return np.arange(low - 0.5, high + 1.0)
    if high <= low:
        pad = abs(low) * 0.1 or 0.5
        low, high = low - pad, high + pad
    with np.errstate(over="ignore"):
        edges = low + np.arange(BARS + 1) / BARS * high - np.arange(BARS + 1) / BARS * low
    return edges if np.all(np.isfinite(edges)) else np.array([low, high])


def _shares(values: Floats, edges: Floats) -> tuple[float, ...]:
    """Share of rows in each bar; what lies outside is counted in the first and last bar."""
    inner = np.searchsorted(values, edges[1:-1], "left")
    counts = np.diff(np.concatenate(([0], inner, [values.size])))
    return tuple((counts / max(1, values.size)).round(6).tolist())


def _of_levels(pair: Pair) -> Shape | None:
    before, now = pair.reference.counts, pair.current.counts
    n, m = max(1, sum(before.values())), max(1, sum(now.values()))
    share = {v: (before.get(v, 0) / n, now.get(v, 0) / m) for v in before.keys() | now.keys()}
    if not share:
        return None
    ranked = sorted(share, key=lambda v: (-max(share[v]), v))
    shown = ranked if len(ranked) <= LEVELS + 1 else ranked[:LEVELS]
    shown = sorted(shown, key=lambda v: (-share[v][0], -share[v][1], v))
    rows = [share[v] for v in shown]
    names = list(shown)
    if len(shown) < len(ranked):
        rest = ranked[LEVELS:]
        rows.append((sum(share[v][0] for v in rest), sum(share[v][1] for v in rest)))
        names.append(f"{len(rest)} {OTHERS}")
    return Shape(
        reference=tuple(round(r, 6) for r, _ in rows),
        current=tuple(round(c, 6) for _, c in rows),
        levels=tuple(names),
        new_levels=tuple(v for v in ranked if v not in before)[:NAMED_CHANGES],
        lost_levels=tuple(v for v in ranked if v not in now)[:NAMED_CHANGES],
    )
