"""A column → what is kept of it: sorted numbers or counted levels; the only binning in the house.

Cells are the one partition every cell-based test shares. Numbers: ten cells from reference
quantiles, an atom is a cell of its own, outer cells are open. Categories: levels with enough rows,
all others in one rest cell. Neighbours merge until every cell can carry a test.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from monitor.core.records import Column, Floats, Kind

CELLS = 10
ATOM_SHARE = 0.1  # a value with at least this share of the reference is a cell of its own
MIN_EXPECTED = 5.0  # rows a cell must expect on the smaller side
LARGEST_WHOLE = 2.0**53  # above, float64 cannot tell neighbouring integers apart
Counts = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
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

    @property
    def infinite(self) -> int:
        return 0 if self.values is None else int(np.isinf(self.values).sum())


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
    counts = _level_counts(column)
    if kind is Kind.BOOLEAN:
        counts = _fold(counts, {"1": "true", "0": "false", "True": "true", "False": "false"})
    elif reference is not None:
        counts = _fold(counts, _boolean_spelling(counts, reference.counts))
    return Summary(column.rows, column.missing, counts=counts)


def canonical(number: float) -> str:
    """A number as a level: 1.0 is "1", 2.5 is "2.5"."""
    whole = abs(number) < LARGEST_WHOLE and number == int(number)
    return str(int(number)) if whole else repr(float(number))


def _as_numbers(column: Column) -> tuple[Floats, int]:
    """Values as float64 and how many were no numbers."""
    if column.numbers is not None:
        return column.numbers, 0
    assert column.codes is not None
    parsed = np.array([_number(level) for level in column.levels], dtype=np.float64)
    values = parsed[column.codes] if column.levels else np.empty(0)
    readable = ~np.isnan(values)
    return values[readable], int(values.size - readable.sum())


def _number(text: str) -> float:
    try:
        return {"true": 1.0, "false": 0.0}[text] if text in ("true", "false") else float(text)
    except ValueError:
        return math.nan


def _lengths(column: Column) -> Floats:
    if column.numbers is not None:
        return np.array([len(canonical(v)) for v in column.numbers], dtype=np.float64)
    lengths = np.array([len(level) for level in column.levels], dtype=np.float64)
    return lengths[column.codes] if column.levels else np.empty(0)


def _level_counts(column: Column) -> dict[str, int]:
    counts: dict[str, int] = {}
    if column.numbers is not None:
        values, sizes = np.unique(column.numbers, return_counts=True)
        pairs = zip((canonical(v) for v in values), sizes, strict=True)
    else:
        assert column.codes is not None
        sizes = np.bincount(column.codes, minlength=len(column.levels))
        pairs = zip((_plain(level) for level in column.levels), sizes, strict=True)
    for level, size in pairs:
        if size:
            counts[level] = counts.get(level, 0) + int(size)
    return counts


def _plain(level: str) -> str:
    """Drop the fraction of a whole number written as one, and nothing else: "007" stays."""
    head, point, tail = level.partition(".")
    whole = point and tail.strip("0") == "" and tail and head.lstrip("+-").isdigit()
    return head if whole else level


def _fold(counts: Mapping[str, int], spelling: Mapping[str, str]) -> dict[str, int]:
    folded: dict[str, int] = {}
    for level, size in counts.items():
        name = spelling.get(level, level)
        folded[name] = folded.get(name, 0) + size
    return folded


def _boolean_spelling(counts: Mapping[str, int], reference: Mapping[str, int]) -> dict[str, str]:
    """How the reference writes true and false, when this side writes them as booleans do."""
    if not counts or not set(counts) <= {"true", "false"} or set(counts) & set(reference):
        return {}
    ways = (("1", "0"), ("True", "False"), ("TRUE", "FALSE"), ("yes", "no"), ("t", "f"))
    for true, false in ways:
        if {true, false} & set(reference):
            return {"true": true, "false": false}
    return {}


@dataclass(frozen=True, eq=False)
class Pair:
    """One column on both sides, as every drift test receives it."""

    name: str
    kind: Kind
    reference: Summary
    current: Summary

    @property
    def numeric(self) -> bool:
        return self.kind in (Kind.NUMBER, Kind.TEXT)

    @property
    def sizes(self) -> tuple[int, int]:
        """Comparable values (reference, current)."""
        return self.reference.present, self.current.present

    @cached_property
    def fine_cells(self) -> tuple[Counts, Counts]:
        """Counts (cells,) of both sides before merging."""
        if self.numeric:
            assert self.reference.values is not None and self.current.values is not None
            cuts = _cuts(self.reference.values)
            return _counts(self.reference.values, cuts), _counts(self.current.values, cuts)
        levels = sorted(self.reference.counts.keys() | self.current.counts.keys())
        return (
            np.array([self.reference.counts.get(v, 0) for v in levels], dtype=np.int64),
            np.array([self.current.counts.get(v, 0) for v in levels], dtype=np.int64),
        )

    @cached_property
    def cells(self) -> tuple[Counts, Counts]:
        """Counts (cells,) of both sides after merging; chosen from pooled totals alone."""
        n, m = self.sizes
        reference, current = self.fine_cells
        if not n or not m:
            return reference[:0], current[:0]
        pooled = reference + current
        expected = np.asarray(pooled * (min(n, m) / (n + m)), dtype=np.float64)
        groups = _neighbours(expected) if self.numeric else _rest(expected)
        merged = [
            np.bincount(groups, weights=side).astype(np.int64) for side in (reference, current)
        ]
        kept = merged[0] + merged[1] > 0
        return merged[0][kept], merged[1][kept]


def shares(reference: Counts, current: Counts) -> tuple[Floats, Floats]:
    """Shares of both sides, with half a count in every cell when some cell is empty on one side.

    >>> shares(np.array([5, 5]), np.array([10, 0]))[1].round(4).tolist()
    [0.9545, 0.0455]
    """
    add = 0.5 if np.any((reference == 0) | (current == 0)) else 0.0
    return (reference + add) / (reference + add).sum(), (current + add) / (current + add).sum()


Cut = tuple[float, str]  # a value and the side it falls on: counts below are a searchsorted


def _cuts(values: Floats) -> list[Cut]:
    """Where the cells of sorted reference values begin and end."""
    n = values.size
    if not n:
        return []
    quantiles = values[np.minimum(np.arange(1, CELLS) * n // CELLS, n - 1)]
    cuts: set[Cut] = {(float(q), "right") for q in quantiles}
    for atom in set(quantiles.tolist()) | {float(values[0]), float(values[-1])}:
        low, high = np.searchsorted(values, atom, "left"), np.searchsorted(values, atom, "right")
        if high - low >= ATOM_SHARE * n:
            cuts |= {(float(atom), "left"), (float(atom), "right")}
    return sorted(cuts)  # "left" sorts before "right"


def _counts(values: Floats, cuts: list[Cut]) -> Counts:
    sides = {side: [c for c, s in cuts if s == side] for side in ("left", "right")}
    below = {s: iter(np.searchsorted(values, np.array(c), s)) for s, c in sides.items() if c}  # type: ignore[call-overload]
    ends = [0, *(int(next(below[side])) for _, side in cuts), values.size]
    return np.asarray(np.diff(ends), dtype=np.int64)


def _neighbours(expected: Floats) -> NDArray[np.int64]:
    """Group number of each cell: neighbours join from the left until each group expects enough."""
    groups = np.zeros(expected.size, dtype=np.int64)
    group, filled = 0, 0.0
    for index, share in enumerate(expected):
        if filled >= MIN_EXPECTED:
            group, filled = group + 1, 0.0
        groups[index] = group
        filled += share
    if filled < MIN_EXPECTED and group:  # what is left over joins the last full group
        groups[groups == group] = group - 1
    return groups


def _rest(expected: Floats) -> NDArray[np.int64]:
    """Group number of each level: its own when it expects enough rows, else the rest cell."""
    own = expected >= MIN_EXPECTED
    groups = np.zeros(expected.size, dtype=np.int64)
    groups[own] = np.arange(1, own.sum() + 1)
    return groups


def describe(summary: Summary) -> dict[str, float | None]:
    """mean, sd, median, min, max of the finite values; None where there are none.

    >>> describe(Summary(3, 0, np.array([1.0, 2.0, 6.0])))["mean"]
    3.0
    """
    values = summary.values
    if values is None or not (finite := values[np.isfinite(values)]).size:
        return dict.fromkeys(("mean", "sd", "median", "min", "max"))
    scale = float(np.max(np.abs(finite))) or 1.0  # 1e300 squared would overflow
    scaled = finite / scale
    found = {
        "mean": float(scaled.mean()) * scale,
        "sd": float(scaled.std()) * scale,
        "median": float(np.median(scaled)) * scale,
        "min": float(finite[0]),
        "max": float(finite[-1]),
    }
    return {name: value if math.isfinite(value) else None for name, value in found.items()}
