"""Columns of a dataset that is too large to be held: read block by block, when they are asked for.

While a column passes by, the rows that are drawn of every column are kept, so that what needs
rows side by side (segments, slices, correlations) has them without a second pass.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache, reduce
from typing import Protocol, runtime_checkable
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from monitor.core.columns import Column, Floats
from monitor.core.records import Notice, SampleInfo
from monitor.errors import SourceUnreadable
from monitor.ports import Sample
from monitor.tables import arrays
from monitor.tables.blocks import BLOCK_ROWS, Block, changed_files
from monitor.tables.columns import to_column, to_piece
from monitor.tables.times import epoch_seconds
from monitor.tables.unify import as_type, joint_type

DRAWN_ROWS = 10_000, 100_000  # at least and at most
DRAWN_VALUES = 5_000_000  # of all columns together, within these limits
SEED = 20_261_128
HEAD_PARTS = 3  # blocks at least, of which the head of a column is made
HEADS = 4  # columns whose heads are kept


def rows_to_draw(columns: int) -> int:
    """How many rows are drawn of a dataset with so many columns."""
    least, most = DRAWN_ROWS
    return min(most, max(least, DRAWN_VALUES // max(1, columns)))


Finish = Callable[[pa.Table], pa.Table]  # settles the types of columns that were read as text


@dataclass(frozen=True, eq=False)
class Streams(Mapping[str, "StreamedColumn"]):
    """The columns of blocks by name; two blocks may hold a column in two types, or not at all."""

    blocks: tuple[Block, ...]
    names: tuple[str, ...]
    zone: ZoneInfo
    finish: Finish | None = None  # None: columns are what their types say

    @cached_property
    def rows(self) -> int:
        return sum(block.rows for block in self.blocks)

    @cached_property
    def drawn(self) -> tuple[NDArray[np.int64] | None, ...]:
        """Which rows of each block are drawn, in order; None is all of them."""
        wanted = rows_to_draw(len(self.names))
        if self.rows <= wanted:
            return (None,) * len(self.blocks)
        chance = np.random.default_rng(SEED)
        places = np.sort(chance.choice(self.rows, wanted, replace=False, shuffle=False))
        starts = np.cumsum([0, *(block.rows for block in self.blocks)])
        cuts = np.searchsorted(places, starts)
        return tuple(
            places[low:high] - start
            for low, high, start in zip(cuts[:-1], cuts[1:], starts[:-1], strict=True)
        )

    @property
    def drawn_count(self) -> int:
        """How many rows are drawn of each column."""
        parts = zip(self.drawn, self.blocks, strict=True)
        return sum(block.rows if places is None else len(places) for places, block in parts)

    def remember(self, column: "StreamedColumn") -> None:
        """Keep what was read of a column's head, and let go of the oldest: there may be many."""
        self._heads.append(column)
        if len(self._heads) > HEADS:
            self._heads.popleft().forget()

    @cached_property
    def _heads(self) -> "deque[StreamedColumn]":
        return deque()

    @cached_property
    def _columns(self) -> dict[str, "StreamedColumn"]:
        return {name: StreamedColumn(name, self) for name in self.names}

    def __getitem__(self, name: str) -> "StreamedColumn":
        return self._columns[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.names)

    def __len__(self) -> int:
        return len(self.names)


def one_after_another(parts: Sequence[pa.ChunkedArray]) -> pa.ChunkedArray | None:
    """The values of blocks, of which some may be coded text and others plain; None without any."""
    if not parts:
        return None
    if not _alike([part.type for part in parts]):
        parts = [
            part.cast(part.type.value_type) if pa.types.is_dictionary(part.type) else part
            for part in parts
        ]
    chunks = [chunk for part in parts for chunk in part.chunks]
    return pa.chunked_array(chunks, parts[0].type)


def _alike(types: Sequence[pa.DataType]) -> bool:
    """Whether all are the same; a set of them would spell each out for its hash."""
    return all(kind == types[0] for kind in types[1:])


def scattered(blocks: int) -> list[int]:
    """Numbers of blocks so that the first few of them lie far apart.

    >>> scattered(6)
    [0, 5, 3, 1, 4, 2]
    """
    steps = max(1, (blocks - 1).bit_length())
    halves = [int(f"{i:0{steps}b}"[::-1], 2) / 2**steps for i in range(2**steps)]
    spread = [int(share * blocks) for share in halves]
    return list(dict.fromkeys([0, blocks - 1, *spread])) if blocks else []


def has(block: Block, name: str) -> bool:
    """Whether a block has a column; a list of its names would be made anew for each."""
    return bool(block.schema.get_field_index(name) >= 0)


@lru_cache(maxsize=256)
def _without_values(kind: pa.DataType) -> Column:
    """What a type alone says of a column: its family, or why it is not compared."""
    return to_column("", pa.chunked_array([], kind))


class StreamedColumn:
    """One column; `head` and `drawn` are kept once they were read."""

    def __init__(self, name: str, streams: Streams) -> None:
        self.name = name
        self._streams = streams
        self._head: Column | None = None
        self._read_before: dict[int, pa.ChunkedArray] = {}  # blocks, until the column passes by
        self._drawn: Column | None = None
        self._drawn_values: pa.ChunkedArray | None = None
        self.held: pa.ChunkedArray | None = None  # all of it, where an adapter asked for the rows

    @cached_property
    def _type(self) -> pa.DataType:
        """The type that holds the values of all blocks."""
        name, blocks = self.name, self._streams.blocks
        types = [block.schema.field(name).type for block in blocks if has(block, name)]
        return types[0] if _alike(types) else reduce(joint_type, types)

    @cached_property
    def _empty(self) -> Column:
        kind = self._settled(pa.chunked_array([], self._type)).type
        return replace(_without_values(kind), name=self.name)

    @property
    def kind(self) -> None:
        return None

    @property
    def dtype(self) -> str:
        return self._empty.dtype

    @property
    def problem(self) -> str:
        return self._empty.problem

    @property
    def rows(self) -> int:
        return self._streams.rows

    @cached_property
    def missing(self) -> int:
        """As the files tell, else counted: they take NaN for a value, and what is no time."""
        known = [
            self._nulls(block) if has(block, self.name) else block.rows
            for block in self._streams.blocks
        ]
        if None not in known:
            return sum(nulls for nulls in known if nulls is not None)
        return sum(piece.missing for piece in self.pieces())

    def _nulls(self, block: Block) -> int | None:
        kind = block.schema.field(self.name).type
        told = kind == self._type and not pa.types.is_floating(kind) and not self._streams.finish
        return block.nulls(self.name) if told else None

    def head(self) -> Column:
        """Rows from the beginning, the end and between: data are often sorted, or began otherwise.

        As many as a block has, of blocks of which at least one holds a value if any does.
        """
        head = self._head
        if head is None:
            parts = self._scattered()
            values = one_after_another([parts[number] for number in sorted(parts)])
            head = self._empty if values is None else to_piece(self.name, values)
            self._head = head
            self._streams.remember(self)
        return head

    def _scattered(self) -> dict[int, pa.ChunkedArray]:
        """The first rows of some blocks by their number."""
        told, found, rows, values = self._streams.blocks, dict[int, pa.ChunkedArray](), 0, 0
        most = max(BLOCK_ROWS // HEAD_PARTS, BLOCK_ROWS // max(1, len(told)))
        for number in scattered(len(told)):
            block = told[number]
            if rows + HEAD_PARTS > BLOCK_ROWS and values:
                break
            if not has(block, self.name) or block.nulls(self.name) == block.rows:
                continue
            part = self._read(block)
            if rows < BLOCK_ROWS:
                self._read_before[number] = part
            part = part.slice(0, most)
            found[number] = part
            rows, values = rows + len(part), values + len(part) - part.null_count
        return found

    def forget(self) -> None:
        """Let go of what `head` read."""
        self._head = None
        self._read_before.clear()

    def pieces(self) -> Iterator[Column]:
        kept: list[pa.ChunkedArray] = []
        head = self._head if len(self._streams.blocks) == 1 else None
        for values, places in zip(self.arrays(), self._streams.drawn, strict=True):
            kept.append(values if places is None else values.take(arrays.places(places)))
            known = head is not None and head.rows == len(values)
            piece = head if head is not None and known else to_piece(self.name, values)
            if piece.problem and not self.problem:  # its rows would count as if they held nothing
                raise SourceUnreadable(f"{self.name!r} {piece.problem}")
            yield piece
        self._head = None
        if self._drawn_values is None:
            self._drawn_values = one_after_another(kept)

    def drawn(self) -> Column:
        """Never raises: one column that cannot be read must not take its neighbours along."""
        if self._drawn is None:
            try:
                self._drawn = to_column(self.name, self.drawn_values())
            except Exception as error:
                rows = self._streams.drawn_count
                self._drawn = Column(self.name, "other", rows, 0, problem=str(error)[:300])
        return self._drawn

    def drawn_values(self) -> pa.ChunkedArray:
        """The values of the drawn rows; of a column that was not read yet it reads them all."""
        if self._drawn_values is None:
            for _ in self.pieces():
                pass
        if self._drawn_values is None:  # there is no block
            return self._settled(pa.chunked_array([], self._type))
        return self._drawn_values

    def array(self) -> pa.ChunkedArray:
        """All values at once, for those who cannot do with less; kept from then on."""
        if self.held is None:
            values = one_after_another([*self.arrays()])
            self.held = (
                self._settled(pa.chunked_array([], self._type)) if values is None else values
            )
        return self.held

    def arrays(self) -> Iterator[pa.ChunkedArray]:
        """The values of each block; those that `head` has read are not read again."""
        at = 0
        for number, block in enumerate(self._streams.blocks):
            if self.held is not None:
                yield self.held.slice(at, block.rows)
            else:
                known = self._read_before.pop(number, None)
                yield self._read(block) if known is None else known
            at += block.rows

    def plain(self, block: Block) -> pa.ChunkedArray:
        """The values of one block, of the type that all blocks share."""
        values, kind = self._read(block), self._settled(pa.chunked_array([], self._type)).type
        return values if values.type == kind else values.cast(kind)

    def _read(self, block: Block) -> pa.ChunkedArray:
        if not has(block, self.name):
            return self._settled(pa.chunked_array([pa.nulls(block.rows, self._type)]))
        values = block.column(self.name)
        coded = pa.types.is_dictionary(values.type) and values.type.value_type == self._type
        return self._settled(values if coded else as_type(values, self._type, self._streams.zone))

    def _settled(self, values: pa.ChunkedArray) -> pa.ChunkedArray:
        finish = self._streams.finish
        return values if finish is None else finish(pa.table({self.name: values})).column(0)


@runtime_checkable
class DrawnTable(Protocol):
    """A table whose rows are not at hand, except those that are drawn of every column."""

    def parts(self) -> Iterator[pa.Table]:
        """All rows, some at a time, of one schema."""

    def drawn(self, names: Sequence[str]) -> pa.Table:
        """Some columns of the drawn rows."""

    def drawn_column(self, name: str) -> pa.ChunkedArray: ...


class StreamedTable:
    """The rows for adapters: reads the columns that are asked for, as an Arrow table would."""

    def __init__(self, streams: Streams) -> None:
        self._streams = streams

    @property
    def column_names(self) -> list[str]:
        return list(self._streams.names)

    @property
    def num_rows(self) -> int:
        return self._streams.rows

    def column(self, name: str) -> pa.ChunkedArray:
        return self._streams[name].array()

    def __getitem__(self, name: str) -> pa.ChunkedArray:
        return self.column(name)

    def select(self, names: Sequence[str]) -> pa.Table:
        return pa.table({name: self.column(name) for name in names})

    def parts(self) -> Iterator[pa.Table]:
        """All rows in order, those of a block at a time, text as text; all of one schema."""
        for block in self._streams.blocks:
            yield pa.table({name: self._streams[name].plain(block) for name in self._streams})

    def drawn(self, names: Sequence[str]) -> pa.Table:
        """Some columns of the drawn rows."""
        return pa.table({name: self.drawn_column(name) for name in names})

    def drawn_column(self, name: str) -> pa.ChunkedArray:
        return self._streams[name].drawn_values()


def streamed_sample(
    blocks: Iterable[Block],
    names: Sequence[str],
    info: SampleInfo,
    zone: ZoneInfo,
    *,
    finish: Finish | None = None,
    time: str | None = None,
    notices: Iterable[Notice] = (),
) -> Sample:
    """A sample of all rows of some blocks, of which only drawn rows are ever held.

    Blocks without rows say nothing about the columns, unless there are no others.
    """
    told = list(blocks)
    filled = tuple(block for block in told if block.rows) or tuple(told)
    known = tuple(name for name in names if any(has(block, name) for block in filled))
    streams = Streams(filled, known, zone, finish)
    times = _times(streams, time) if time in streams else None
    table = StreamedTable(streams)
    return Sample(info, streams, table, tuple(notices), times, lambda: changed_files(filled))


def _times(streams: Streams, time: str | None) -> Floats | None:
    assert time is not None
    drawn = [
        values if places is None else values.take(arrays.places(places))
        for values, places in zip(streams[time].arrays(), streams.drawn, strict=True)
    ]
    values = one_after_another(drawn)
    return None if values is None else epoch_seconds(values, streams.zone)
