"""A column → what is kept of it: sorted numbers or counted levels, and what follows from them.

A reference is summarized once and held against many windows, so everything that depends on one
side alone (order, cell borders, mean and spread) is worked out on first use and kept.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from monitor.core import spelling
from monitor.core.records import Column, Floats, Kind

CELLS = 10
ATOM_SHARE = 0.1  # a value with at least this share of the reference is a cell of its own
Cut = tuple[float, str]  # a value and the side it falls on: counts below are a searchsorted


@dataclass(frozen=True, eq=False)
class Summary:
    """What is kept of one column on one side.

    Numbers (and lengths of text): `values`, sorted, shape (present,), may hold +-inf.
    Levels: `counts` by level. `unreadable` counts values that are no numbers in a number column.
    """

    rows: int
    missing: int
    values: Floats | None = None
    counts: Mapping[str, int] = field(default_factory=dict)
    unreadable: int = 0

    @property
    def present(self) -> int:
        """Values that can be compared."""
        return self.rows - self.missing - self.unreadable

    @cached_property
    def finite(self) -> Floats:
        """The finite values, sorted; empty for levels."""
        if self.values is None:
            return np.empty(0)
        low = np.searchsorted(self.values, -np.inf, "right")
        return self.values[low : np.searchsorted(self.values, np.inf, "left")]

    @property
    def infinite(self) -> int:
        return 0 if self.values is None else self.values.size - self.finite.size

    @cached_property
    def whole(self) -> bool:
        """Whether every finite value is a whole number."""
        return bool(np.all(self.finite == np.trunc(self.finite)))

    @cached_property
    def cuts(self) -> list[Cut]:
        """Where the cells begin and end when this is the reference, in order."""
        return _cuts(np.empty(0) if self.values is None else self.values)

    @cached_property
    def description(self) -> dict[str, float | None]:
        """mean, sd, median, min, max of the finite values; None where there are none.

        >>> Summary(3, 0, np.array([1.0, 2.0, 6.0])).description["mean"]
        3.0
        """
        return _described(self.finite)

    @cached_property
    def is_single(self) -> bool:
        return self.values is not None and spelling.is_single(self.values)

    @cached_property
    def rounded(self) -> "Summary":
        """The same as if it had been kept as float32; the order of values stays."""
        assert self.values is not None
        return replace(self, values=spelling.single(self.values))


class Summaries:
    """The summaries of one dataset's columns, each made when first asked for and then kept.

    They hold a sorted copy of every compared number column, so they cost its memory once more.
    """

    def __init__(self) -> None:
        self._kept: dict[tuple[str, Kind], tuple[Column, Summary]] = {}

    def of(self, column: Column, kind: Kind) -> Summary:
        column_then, summary = self._kept.get((column.name, kind), (None, None))
        if summary is None or column_then is not column:
            summary = summarize(column, kind)
            self._kept[column.name, kind] = column, summary
        return summary


def summarize(column: Column, kind: Kind, reference: Summary | None = None) -> Summary:
    """The summary of a column seen as `kind`, whatever its dtype is in this file.

    Values are compared as values: 1, 1.0 and "1" are one level, and text that spells a number is
    that number in a number column. `reference` tells how booleans are spelt on the other side.

    >>> ones = Column("x", "string", 3, 1, codes=np.array([0, 0]), levels=("1.0",))
    >>> dict(summarize(ones, Kind.CATEGORY).counts)
    {'1': 2}
    """
    if kind is Kind.NUMBER:
        values, unreadable = _as_numbers(column)
        return Summary(column.rows, column.missing, np.sort(values), unreadable=unreadable)
    if kind is Kind.TEXT:
        return Summary(column.rows, column.missing, np.sort(_lengths(column)))
    counts = spelling.level_counts(column)
    if kind is Kind.BOOLEAN:
        counts = spelling.as_booleans(counts)
    elif reference is not None:
        counts = spelling.spelt_like(counts, reference.counts)
    return Summary(column.rows, column.missing, counts=counts)


def in_one_precision(one: Summary, other: Summary) -> tuple[Summary, Summary]:
    """Both as float32 when one of them is: a value is no other value for having lost digits."""
    if one.values is None or other.values is None or one.is_single == other.is_single:
        return one, other
    return (one, other.rounded) if one.is_single else (one.rounded, other)


def measured(column: Column, kind: Kind) -> Floats:
    """The values of a number or text column in the order of its rows, shape (rows - missing,).

    Letters of text; NaN for what is no number in a number column.
    """
    if kind is Kind.TEXT:
        return _lengths(column)
    if column.numbers is not None:
        return column.numbers
    return _by_level(column, [spelling.number_in(level) for level in column.levels])


def _as_numbers(column: Column) -> tuple[Floats, int]:
    """Values as float64 and how many were no numbers."""
    values = measured(column, Kind.NUMBER)
    if column.numbers is not None:
        return values, 0
    readable = ~np.isnan(values)
    return values[readable], int(values.size - readable.sum())


def _lengths(column: Column) -> Floats:
    """Letters in each value."""
    if column.numbers is None:
        return _by_level(column, [float(len(level)) for level in column.levels])
    values, places = np.unique(column.numbers, return_inverse=True)
    lengths = np.array([len(spelling.canonical(v)) for v in values.tolist()], dtype=np.float64)
    return lengths[places] if values.size else np.empty(0)


def _by_level(column: Column, numbers: list[float]) -> Floats:
    """One number a value, given one a level; a column without values has neither."""
    if column.codes is None or not numbers:
        return np.empty(0)
    return np.array(numbers, dtype=np.float64)[column.codes]


def _cuts(values: Floats) -> list[Cut]:
    """Ten quantiles of sorted values, and both sides of every atom."""
    n = values.size
    if not n:
        return []
    quantiles: NDArray[np.float64] = values[np.minimum(np.arange(1, CELLS) * n // CELLS, n - 1)]
    cuts: set[Cut] = {(float(q), "right") for q in quantiles}
    for atom in set(quantiles.tolist()) | {float(values[0]), float(values[-1])}:
        low, high = np.searchsorted(values, atom, "left"), np.searchsorted(values, atom, "right")
        if high - low >= ATOM_SHARE * n:
            cuts |= {(float(atom), "left"), (float(atom), "right")}
    return sorted(cuts)  # "left" sorts before "right"


def _described(finite: Floats) -> dict[str, float | None]:
    """Of sorted finite values, shape (k,)."""
    if not finite.size:
        return dict.fromkeys(("mean", "sd", "median", "min", "max"))
    scale = float(max(abs(finite[0]), abs(finite[-1]))) or 1.0  # 1e300 squared would overflow
    scaled = finite / scale
    middle = scaled[(finite.size - 1) // 2], scaled[finite.size // 2]
    found = {
        "mean": float(scaled.mean()) * scale,
        "sd": float(scaled.std()) * scale,
        "median": float(middle[0] + middle[1]) / 2 * scale,
        "min": float(finite[0]),
        "max": float(finite[-1]),
    }
    return {name: value if math.isfinite(value) else None for name, value in found.items()}
