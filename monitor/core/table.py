"""The rows of both sides with their columns side by side, for tests of how columns hang together.

Rows and columns are capped: a test of the whole table costs more than one of a column, and ten
thousand rows place a correlation to ± 0.02.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from monitor.core import spelling
from monitor.core.columns import Column, Flags, Floats, Kind, Stream
from monitor.core.parts import cut, where
from monitor.core.records import ColumnResult
from monitor.core.side_by_side import Run
from monitor.core.summaries.collecting import measured

MOST_ROWS = 10_000  # of a side; a seeded draw of them where there are more
MOST_COLUMNS = 200  # the most important ones
SEED = 20_240_229


@dataclass(frozen=True, slots=True, eq=False)
class Variable:
    """One column on both sides, a value a row.

    Numbers, lengths of text, true as 1 and false as 0; of other levels the place of the level, the
    most frequent in the reference first. NaN is a missing value; numbers may be infinite.
    """

    name: str
    kind: Kind
    reference: Floats  # shape (n,)
    current: Floats  # shape (m,)
    design_effect: float = 1.0

    @property
    def ordered(self) -> bool:
        """Whether more and less mean something; the places of levels are only names."""
        return self.kind is not Kind.CATEGORY


@dataclass(frozen=True, eq=False)
class Rows:
    """Both sides of a table, as every test of the whole dataset receives them."""

    variables: tuple[Variable, ...]
    columns: int  # that could have been looked at; more than there are variables when capped

    @property
    def sizes(self) -> tuple[int, int]:
        """Rows (reference, current)."""
        if not self.variables:
            return 0, 0
        return self.variables[0].reference.size, self.variables[0].current.size

    @cached_property
    def design_effect(self) -> float:
        """Rows count for this many times fewer in the column in which they are most alike."""
        return max((v.design_effect for v in self.variables), default=1.0)

    @property
    def effective(self) -> tuple[float, float]:
        """Independent rows that would vary as much (reference, current)."""
        n, m = self.sizes
        return n / self.design_effect, m / self.design_effect

    @property
    def left_out(self) -> str:
        """What was not looked at, in words; "" when everything was."""
        if self.columns <= len(self.variables):
            return ""
        return f"the {len(self.variables)} most important of {self.columns} columns"


def rows_of(
    reference: Mapping[str, Stream],
    current: Mapping[str, Stream],
    results: Sequence[ColumnResult],
    run: Run = map,
) -> Rows:
    """The compared columns of both sides, row by row, the most important ones first.

    Left out are columns that could not be read, and those whose source does not tell which rows
    hold a value. At most MOST_ROWS rows a side, drawn by a fixed seed.
    """

    def sides(name: str) -> tuple[Column, Column]:
        return reference[name].drawn(), current[name].drawn()

    compared = sorted((r for r in results if r.compared), key=lambda r: -r.importance)
    chosen: list[tuple[ColumnResult, Column, Column]] = []
    looked_at = 0
    # Drawing a column takes its time, so only until there are enough.
    while wanted := compared[looked_at : looked_at + MOST_COLUMNS - len(chosen)]:
        drawn = run(sides, [r.name for r in wanted])
        chosen += [(r, *both) for r, both in zip(wanted, drawn, strict=True) if _placed(*both)]
        looked_at += len(wanted)
    unusable = looked_at - len(chosen)
    before = _draw([side for _, side, _ in chosen], 0)
    now = _draw([side for _, _, side in chosen], 1)
    variables = (_variable(r, _some(b, before), _some(n, now)) for r, b, n in chosen)
    return Rows(tuple(variables), len(compared) - unusable)


def _placed(*sides: Column) -> bool:
    return all(not c.problem and (c.present is not None or c.missing in (0, c.rows)) for c in sides)


def _draw(side: Sequence[Column], place: int) -> Flags | None:
    """Which rows to look at, shape (rows,); None is all of them."""
    rows = max((column.rows for column in side), default=0)
    if rows <= MOST_ROWS:
        return None
    drawn = np.zeros(rows, dtype=np.bool_)
    chance = np.random.default_rng([SEED, place])
    drawn[chance.choice(rows, MOST_ROWS, replace=False)] = True
    return drawn


def _some(column: Column, drawn: Flags | None) -> Column:
    return column if drawn is None else where(column, drawn)


def _variable(result: ColumnResult, reference: Column, current: Column) -> Variable:
    sides = (
        _levels(reference, current, result.kind)
        if result.kind in (Kind.CATEGORY, Kind.BOOLEAN)
        else _in_one_precision(_numbers(reference, result.kind), _numbers(current, result.kind))
    )
    return Variable(result.name, result.kind, *sides, result.design_effect)


def _numbers(column: Column, kind: Kind) -> Floats:
    """The number, or the letters, of each row, shape (rows,)."""
    values = measured(column, kind)
    if not column.missing:
        return values
    rows = np.full(column.rows, np.nan)
    if column.present is not None:
        rows[column.present] = values
    return rows


def _in_one_precision(before: Floats, now: Floats) -> tuple[Floats, Floats]:
    """A value is no other value for having lost digits on one side."""
    single = [spelling.is_single(side[~np.isnan(side)]) for side in (before, now)]
    if single[0] == single[1]:
        return before, now
    return (before, spelling.single(now)) if single[0] else (spelling.single(before), now)


def _levels(reference: Column, current: Column, kind: Kind) -> tuple[Floats, Floats]:
    parts = cut(reference, current, kind)
    missing = len(parts.texts) - 1
    places = np.arange(missing + 1, dtype=np.float64)
    places[missing] = np.nan
    if kind is Kind.BOOLEAN:
        numbers = {f"{reference.name} = '{word}'": i for i, word in enumerate(("false", "true"))}
        places = np.array([numbers.get(text, np.nan) for text in parts.texts])
    return places[parts.reference], places[parts.current]
