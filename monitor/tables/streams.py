"""Columns of a dataset that is too large to be held: read block by block, when they are asked for.

While a column passes by, the rows that are drawn of every column are kept, so that what needs
rows side by side (segments, slices, correlations) has them without a second pass.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, reduce
from typing import Protocol, runtime_checkable
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from monitor.core.records import Column, Floats, Notice, SampleInfo
from monitor.errors import SourceUnreadable
from monitor.ports import Sample
from monitor.tables import arrays
from monitor.tables.blocks import BLOCK_ROWS, Block
from monitor.tables.columns import to_column, to_piece
from monitor.tables.times import epoch_seconds
from monitor.tables.unify import as_type, joint_type

DRAWN_ROWS = 10_000, 100_000  # at least and at most
DRAWN_VALUES = 5_000_000  # of all columns together, within these limits
SEED = 20_261_128


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
    def drawn_rows(self) -> int:
        sides = zip(self.blocks, self.drawn, strict=True)
        return sum(block.rows if places is None else places.size for block, places in sides)

    @cached_property
    def _columns(self) -> dict[str, "StreamedColumn"]:
        return {name: StreamedColumn(name, self) for name in self.names}

    def __getitem__(self, name: str) -> "StreamedColumn":
        return self._columns[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.names)

    def __len__(self) -> int:
        return len(self.names)


def has(block: Block, name: str) -> bool:
    """Whether a block has a column; a list of its names would be made anew for each."""
    return bool(block.schema.get_field_index(name) >= 0)


class StreamedColumn:
    """One column; `head` and `drawn` are kept once they were read."""

    def __init__(self, name: str, streams: Streams) -> None:
        self.name = name
        self._streams = streams
        # The first blocks, until the column passes by
        self._head: tuple[list[pa.ChunkedArray], Column] | None = None
        self._drawn: Column | None = None
        self._drawn_values: pa.ChunkedArray | None = None
        self.held: pa.ChunkedArray | None = None  # all of it, where an adapter asked for the rows

    @cached_property
    def _type(self) -> pa.DataType:
        """The type that holds the values of all blocks."""
        name, blocks = self.name, self._streams.blocks
        types = [block.schema.field(name).type for block in blocks if has(block, name)]
        return types[0] if len(set(types)) == 1 else reduce(joint_type, types)

    @cached_property
    def _empty(self) -> Column:
        return to_column(self.name, self._settled(pa.chunked_array([], self._type)))

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
        if self._head is None:
            read: list[pa.ChunkedArray] = []
            for values in self.arrays():
                read.append(values)
                if sum(map(len, read)) >= BLOCK_ROWS:
                    break
            if not read:
                return self._empty
            self._head = read, to_piece(self.name, _joined(read))
        return self._head[1]

    def pieces(self) -> Iterator[Column]:
        kept: list[pa.ChunkedArray] = []
        for values, places in zip(self.arrays(), self._streams.drawn, strict=True):
            kept.append(values if places is None else values.take(arrays.places(places)))
            known = self._head[1] if self._head and len(self._head[0]) == 1 else None
            self._head = self._head if known is None else None
            yield known or to_piece(self.name, values)
        self._head = None
        if self._drawn_values is None and kept:
            self._drawn_values = _joined(kept)

    def drawn(self) -> Column:
        """A column that cannot be read says so, and takes nobody along."""
        if self._drawn is None:
            try:
                self._drawn = to_column(self.name, self.drawn_values())
            except SourceUnreadable as error:
                rows = self._streams.drawn_rows
                self._drawn = Column(self.name, "other", rows, rows, problem=str(error))
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
            read = list(self.arrays())
            self.held = _joined(read) if read else pa.chunked_array([], self._type)
        return self.held

    def arrays(self) -> Iterator[pa.ChunkedArray]:
        """The values of each block; the first ones that `head` has read are not read again."""
        at, read = 0, self._head[0] if self._head else []
        for number, block in enumerate(self._streams.blocks):
            if self.held is not None:
                yield self.held.slice(at, block.rows)
            elif number < len(read):
                yield read[number]
            else:
                yield self.read(block)
            at += block.rows

    def read(self, block: Block) -> pa.ChunkedArray:
        """The values of one block; text may be coded. SourceUnreadable."""
        if not has(block, self.name):
            return self._settled(pa.chunked_array([pa.nulls(block.rows, self._type)]))
        values = block.column(self.name)
        coded = pa.types.is_dictionary(values.type) and values.type.value_type == self._type
        return self._settled(values if coded else as_type(values, self._type, self._streams.zone))

    def _settled(self, values: pa.ChunkedArray) -> pa.ChunkedArray:
        finish = self._streams.finish
        return values if finish is None else finish(pa.table({self.name: values})).column(0)


def _joined(parts: Sequence[pa.ChunkedArray]) -> pa.ChunkedArray:
    """Parts of one column, of which some may be coded and some not, as one."""
    if len({part.type for part in parts}) > 1:
        parts = [_plain(part) for part in parts]
    return pa.chunked_array([chunk for part in parts for chunk in part.chunks], parts[0].type)


def _plain(values: pa.ChunkedArray) -> pa.ChunkedArray:
    coded = pa.types.is_dictionary(values.type)
    return values.cast(values.type.value_type) if coded else values


@runtime_checkable
class DrawnTable(Protocol):
    """A table whose rows are not at hand, except those that are drawn of every column."""

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
        """All rows in order, a block at a time."""
        for block in self._streams.blocks:
            yield pa.table({n: _plain(column.read(block)) for n, column in self._streams.items()})

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
    return Sample(info, streams, StreamedTable(streams), tuple(notices), times)


def _times(streams: Streams, time: str | None) -> Floats | None:
    assert time is not None
    drawn = [
        values if places is None else values.take(arrays.places(places))
        for values, places in zip(streams[time].arrays(), streams.drawn, strict=True)
    ]
    return epoch_seconds(_joined(drawn), streams.zone) if drawn else None
