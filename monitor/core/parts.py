"""Rows by what they hold: both sides cut into the same parts by the values of one column.

Levels are parts of their own, numbers are cut at quantiles of the reference, and rows without a
value are the last part. Who wants only some rows of a column takes them with `where`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from monitor.core import spelling
from monitor.core.columns import Codes, Column, Flags, Floats, Kind
from monitor.core.numerals import count, number

CUTTING = (Kind.NUMBER, Kind.CATEGORY, Kind.BOOLEAN)
TEXT_CHARS = 40  # of a level that is named
_UNPLACED = "its source does not tell which rows hold a value"


@dataclass(frozen=True, slots=True, eq=False)
class Parts:
    """Which part each row of either side belongs to; parts are numbered from 0."""

    column: str
    texts: tuple[str, ...]  # what the rows of a part have in common, as "country = 'US'"
    reference: Codes  # shape (reference rows,)
    current: Codes  # shape (window rows,)

    @property
    def sizes(self) -> tuple[Codes, Codes]:
        """Rows of each part on both sides, shapes (parts,)."""
        return (
            np.bincount(self.reference, minlength=len(self.texts)),
            np.bincount(self.current, minlength=len(self.texts)),
        )


def where(column: Column, rows: Flags) -> Column:
    """The column in some rows alone; `rows` has shape (rows,).

    >>> x = Column("x", "float", 3, 1, np.array([1.0, 3.0]), present=np.array([True, False, True]))
    >>> kept = where(x, np.array([False, True, True]))
    >>> kept.rows, kept.missing, kept.numbers.tolist()
    (2, 1, [3.0])
    """
    size = int(np.count_nonzero(rows))
    if column.numbers is None and column.codes is None:  # a column that never has a value
        return replace(column, rows=size, missing=size, present=None)
    if column.present is None and column.missing:
        return Column(column.name, column.dtype, size, size, problem=_UNPLACED)
    kept = rows if column.present is None else rows[column.present]
    held = int(np.count_nonzero(kept))
    return replace(
        column,
        rows=size,
        missing=size - held,
        numbers=None if column.numbers is None else column.numbers[kept],
        codes=None if column.codes is None else column.codes[kept],
        present=None if column.present is None else column.present[rows],
    )


def by_length(column: Column) -> Column:
    """A column of text as the number of letters in each value."""
    levels, places = spelling.levels_by_value(column)
    letters = np.array([float(len(level)) for level in levels], dtype=np.float64)
    return replace(column, numbers=letters[places], codes=None, levels=())


def cut(
    reference: Column, current: Column, kind: Kind, *, pieces: int = 4, names: bool = True
) -> Parts:
    """Both sides in parts: a number column in `pieces` of as many reference rows each.

    Levels come in the order of their reference rows, the most frequent first. Without `names` no
    text tells a value: "`country` in segment 3". Values that are no numbers count as missing.
    """
    if kind is Kind.NUMBER:
        return _cut_numbers(reference, current, pieces, names)
    return _cut_levels(reference, current, kind, names)


def largest(parts: Parts, most: int) -> Parts:
    """At most `most` parts, the largest by reference rows, then window rows; the others as one."""
    if len(parts.texts) <= most:
        return parts
    before, now = parts.sizes
    order = np.lexsort((-now, -before))
    kept = np.sort(order[: most - 1])
    places = np.full(len(parts.texts), most - 1)
    places[kept] = np.arange(most - 1)
    rest = f"{parts.column} = one of {count(len(parts.texts) - most + 1)} other values"
    texts = (*(parts.texts[i] for i in kept), rest)
    return Parts(parts.column, texts, places[parts.reference], places[parts.current])


def _cut_numbers(reference: Column, current: Column, pieces: int, names: bool) -> Parts:
    before, now = _in_one_precision(_numbers(reference), _numbers(current))
    held = np.sort(before[~np.isnan(before)])
    places = np.arange(1, pieces) * held.size // pieces
    cuts = np.unique(held[places]) if held.size else np.empty(0)
    texts = (*_ranges(reference.name, cuts, names), f"`{reference.name}` missing")
    return Parts(reference.name, texts, _piece_of(before, cuts), _piece_of(now, cuts))


def _piece_of(values: Floats, cuts: Floats) -> Codes:
    """A value on a cut belongs below it; NaN is the last part."""
    pieces = np.searchsorted(cuts, values, "left")
    pieces[np.isnan(values)] = cuts.size + 1
    return pieces


def _ranges(column: str, cuts: Floats, names: bool) -> list[str]:
    if not names:
        return [f"`{column}` in segment {i + 1}" for i in range(cuts.size + 1)]
    told = _told_apart(cuts)
    if not told:
        return [f"any {column}"]
    between = [f"{low} < {column} ≤ {high}" for low, high in pairwise(told)]
    return [f"{column} ≤ {told[0]}", *between, f"{column} > {told[-1]}"]


def _told_apart(cuts: Floats) -> list[str]:
    """The cuts to as many digits as it takes to tell them apart."""
    told: list[str] = []
    for digits in (3, 4, 6, 9):
        told = [number(float(cut), digits) for cut in cuts]
        if len(set(told)) == len(told):
            break
    return told


def _numbers(column: Column) -> Floats:
    """The value of each row, NaN where there is none, shape (rows,)."""
    if column.numbers is not None:
        return _spread(column, column.numbers, np.nan)
    if column.codes is None or not column.levels:
        return np.full(column.rows, np.nan)
    values = np.array([spelling.number_in(level) for level in column.levels])
    return _spread(column, values[column.codes], np.nan)


def _in_one_precision(before: Floats, now: Floats) -> tuple[Floats, Floats]:
    """Both as float32 when one of them is, so that a value on a cut stays on it."""
    sides = [spelling.is_single(side[~np.isnan(side)]) for side in (before, now)]
    if sides[0] == sides[1]:
        return before, now
    return (before, spelling.single(now)) if sides[0] else (spelling.single(before), now)


def _cut_levels(reference: Column, current: Column, kind: Kind, names: bool) -> Parts:
    before, codes_before = spelling.levels_by_value(reference)
    now, codes_now = spelling.levels_by_value(current)
    if kind is Kind.BOOLEAN:
        before, now = _as_booleans(before), _as_booleans(now)
    else:
        now = _spelt_like(now, before)
    rows = _rows_by_level(before, codes_before)
    also = _rows_by_level(now, codes_now)
    ranked = sorted(rows.keys() | also.keys(), key=lambda v: (-rows.get(v, 0), v))
    places = {level: place for place, level in enumerate(ranked)}
    return Parts(
        reference.name,
        (*_level_texts(reference.name, ranked, names), f"`{reference.name}` missing"),
        _place_of_rows(reference, before, codes_before, places),
        _place_of_rows(current, now, codes_now, places),
    )


def _level_texts(column: str, levels: Sequence[str], names: bool) -> list[str]:
    if not names:
        return [f"`{column}` in segment {place + 1}" for place in range(len(levels))]
    return [f"{column} = '{shortened(level)}'" for level in levels]


def shortened(level: str) -> str:
    return level if len(level) <= TEXT_CHARS else f"{level[: TEXT_CHARS - 1]}…"


def _as_booleans(levels: Sequence[str]) -> list[str]:
    return [next(iter(spelling.as_booleans({level: 1}))) for level in levels]


def _spelt_like(levels: Sequence[str], reference: Sequence[str]) -> list[str]:
    distinct = dict.fromkeys(levels, 1)
    words = dict(
        zip(distinct, spelling.spelt_like(distinct, dict.fromkeys(reference, 1)), strict=True)
    )
    return [words[level] for level in levels]


def _rows_by_level(levels: Sequence[str], codes: Codes) -> dict[str, int]:
    """Levels that occur, and in how many rows."""
    rows: dict[str, int] = {}
    for level, size in zip(levels, np.bincount(codes, minlength=len(levels)).tolist(), strict=True):
        if size:
            rows[level] = rows.get(level, 0) + size
    return rows


def _place_of_rows(
    column: Column, levels: Sequence[str], codes: Codes, places: dict[str, int]
) -> Codes:
    """The part of each row; a row without a value belongs to the last one."""
    missing = len(places)
    of_level = np.array([places.get(level, missing) for level in levels], dtype=np.int64)
    return _spread(column, of_level[codes], missing)


def _spread(column: Column, values: NDArray[Any], missing: float) -> NDArray[Any]:
    """The values on their rows, `missing` on the others; from (present,) to (rows,)."""
    if column.present is None and column.missing == 0:
        return values
    rows = np.full(column.rows, missing, dtype=values.dtype)
    if column.present is not None:
        rows[column.present] = values
    return rows
