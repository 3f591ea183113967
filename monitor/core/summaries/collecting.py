"""A column, piece by piece → its summary, in bounded memory however many rows there are.

1. Each piece is seen as the kind of the column: numbers, lengths of text, or levels.
2. Numbers fill a buffer, which is sorted; up to EXACT_UP_TO of them nothing is lost. A full buffer
   is cut to points and begins anew; rows below the reference's cuts are counted before that.
3. Levels are added up; beyond a size only those that matter are counted, once more and exactly
   where they are those of a reference.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Protocol, TypeGuard, runtime_checkable

import numpy as np

from monitor.core import spelling
from monitor.core.columns import Column, Floats, Kind, Stream
from monitor.core.summaries.levels import LevelTally
from monitor.core.summaries.merging import merge
from monitor.core.summaries.summary import Cut, Summary

EXACT_UP_TO = 2**24  # numbers of a column, 128 MB
POINTS = 2**15  # that stand for as many numbers


@runtime_checkable
class SelfSummarizing(Protocol):
    """A column whose summary is made where its rows are, or was made before."""

    def summary(self, kind: Kind, reference: Summary | None) -> Summary:
        """As `summarize`."""


def makes_its_own(column: Stream) -> TypeGuard[SelfSummarizing]:
    """Whether a column is one; asked of its class, because Python remembers that answer."""
    return issubclass(type(column), SelfSummarizing)


Asked = Mapping[str, tuple[Kind, Summary | None]]  # by column: as which kind, against what


@runtime_checkable
class Foretold(Protocol):
    """Columns that are summarized all at once, and so want to know beforehand what is asked."""

    def expect(self, asked: Asked) -> None:
        """These summaries will be asked for; nothing is made yet."""


def summarize(column: Stream, kind: Kind, reference: Summary | None = None) -> Summary:
    """The summary of a column seen as `kind`, whatever its dtype is in this file.

    Values are compared as values: 1, 1.0 and "1" are one level, and text that spells a number is
    that number in a number column. `reference` tells how booleans are spelt on the other side,
    which levels it has, and where its cells begin.

    >>> ones = Column("x", "string", 3, 1, codes=np.array([0, 0]), levels=("1.0",))
    >>> dict(summarize(ones, Kind.CATEGORY).counts)
    {'1': 2}
    """
    if makes_its_own(column):
        return _spelt(column.summary(kind, reference), kind, reference)
    found = summary_of(column.pieces(), kind, reference, rows=column.rows)
    return _recounted(found, column) if found.count_error and reference is None else found


def _recounted(summary: Summary, column: Stream) -> Summary:
    """The levels that were kept, now counted exactly: a window is held against their shares."""
    counts = dict.fromkeys(summary.counts, 0)
    for piece in column.pieces():
        for level, size in spelling.level_counts(piece).items():
            if level in counts:
                counts[level] += size
    rest = summary.present - sum(counts.values())
    return replace(summary, counts=counts, rest=rest, count_error=0)


def summary_of(
    pieces: Iterable[Column], kind: Kind, reference: Summary | None = None, *, rows: int
) -> Summary:
    """The same of the pieces of a column; `rows` is how many to expect."""
    collector: NumberCollector | LevelCollector
    if kind in (Kind.NUMBER, Kind.TEXT):
        collector = NumberCollector(rows, reference.cuts if reference else ())
    else:
        collector = LevelCollector(reference.counts if reference else ())
    for piece in pieces:
        collector.add(piece, kind)
    return _spelt(collector.done(), kind, reference)


def _spelt(summary: Summary, kind: Kind, reference: Summary | None) -> Summary:
    """Levels in the words of the reference."""
    if kind is Kind.BOOLEAN:
        return replace(summary, counts=spelling.as_booleans(summary.counts))
    if kind is Kind.CATEGORY and reference is not None:
        return replace(summary, counts=spelling.spelt_like(summary.counts, reference.counts))
    return summary


class LevelCollector:
    """Rows by level → a summary; counts of the `kept` levels stay exact."""

    def __init__(self, kept: Collection[str] = ()) -> None:
        self._tally = LevelTally(kept)
        self._rows = self._missing = 0

    def add(self, piece: Column, kind: Kind) -> None:
        """The next piece of the column; levels are levels, whatever kind they are of."""
        self._rows += piece.rows
        self._missing += piece.missing
        self._tally.add(spelling.level_counts(piece).items())

    def done(self) -> Summary:
        """What was counted."""
        told = self._tally.done()
        counts, rest, error = told.counts, told.rest, told.error
        return Summary(self._rows, self._missing, counts=counts, rest=rest, count_error=error)


class NumberCollector:
    """Numbers in any order → a summary; holds at most `most` of them at once."""

    def __init__(
        self, rows: int, cuts: Sequence[Cut] = (), *, most: int = EXACT_UP_TO, points: int = POINTS
    ) -> None:
        self._buffer = np.empty(max(1, min(rows, most)))
        self._most = most
        self._filled = 0
        self._cuts, self._points = cuts, points
        self._full: list[Summary] = []  # buffers that were cut to points
        self._rows = self._missing = self._unreadable = 0

    def add(self, piece: Column, kind: Kind) -> None:
        """The next piece of the column."""
        values, unreadable = _as_numbers(piece) if kind is Kind.NUMBER else (_lengths(piece), 0)
        self._rows += piece.rows
        self._missing += piece.missing
        self._unreadable += unreadable
        self._take(values)

    def _take(self, values: Floats) -> None:
        while values.size:
            if self._filled == self._buffer.size:
                self._make_room()
            part = values[: self._buffer.size - self._filled]
            self._buffer[self._filled : self._filled + part.size] = part
            self._filled += part.size
            values = values[part.size :]

    def done(self) -> Summary:
        """What was collected; the collector is used up."""
        if not self._full:
            values = self._sorted()
            return Summary(self._rows, self._missing, values, unreadable=self._unreadable)
        self._full.append(self._cut_off())
        whole = merge(self._full, points=self._points)
        return replace(whole, rows=self._rows, missing=self._missing, unreadable=self._unreadable)

    def _make_room(self) -> None:
        if self._filled < self._most:  # more rows than were expected
            self._buffer = np.resize(self._buffer, min(2 * self._filled, self._most))
        else:
            self._full.append(self._cut_off())

    def _sorted(self) -> Floats:
        values = self._buffer[: self._filled]
        values.sort()
        return values

    def _cut_off(self) -> Summary:
        values = self._sorted()
        self._filled = 0
        held = Summary(values.size, 0, values)
        below = dict(zip(self._cuts, held.up_to(self._cuts).tolist(), strict=True))
        part = replace(held, below=below).condensed(self._points)
        part = replace(part, below=below)
        # Too few to be cut: they would be overwritten by what fills the buffer next.
        return part if part.rank_error else replace(part, values=values.copy())


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
