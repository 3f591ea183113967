"""A large dataset as blocks of rows, each of which is read one column at a time.

A block knows which of its rows come in. Blocks are read by several threads; each thread opens a
file for itself, because readers of files are not made to be shared.
"""

import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from monitor.errors import SourceUnreadable
from monitor.tables import arrays
from monitor.tables.places import Place, State
from monitor.tables.reading import reading

BLOCK_ROWS = 2**18  # some row groups together; a block is held while it is worked on


class Block(Protocol):
    """Some rows of a dataset."""

    @property
    def rows(self) -> int:
        """How many come in."""

    @property
    def schema(self) -> pa.Schema: ...

    def column(self, name: str) -> pa.ChunkedArray:
        """One column of the rows that come in, text coded where the file is. SourceUnreadable."""

    def nulls(self, name: str) -> int | None:
        """How many values are null, when that is known without reading them."""


@dataclass(frozen=True, slots=True, eq=False)
class TableBlock:
    """Rows that are in memory."""

    table: pa.Table

    @property
    def rows(self) -> int:
        return int(self.table.num_rows)

    @property
    def schema(self) -> pa.Schema:
        return self.table.schema

    def column(self, name: str) -> pa.ChunkedArray:
        return self.table[name]

    def nulls(self, name: str) -> int | None:
        return int(self.table[name].null_count)


@dataclass(frozen=True, slots=True, eq=False)
class ParquetBlock:
    """Row groups of a Parquet file."""

    path: Place
    metadata: pq.FileMetaData
    schema: pa.Schema
    state: State | None  # of the file when its metadata were read
    groups: tuple[int, ...]
    inside: NDArray[np.bool_] | None = None  # which of their rows come in; None is all

    @property
    def rows(self) -> int:
        if self.inside is not None:
            return int(np.count_nonzero(self.inside))
        return sum(self.metadata.row_group(group).num_rows for group in self.groups)

    def column(self, name: str) -> pa.ChunkedArray:
        try:
            with reading(self.path, "parquet"):
                file = _opened(self)
                found = file.read_row_groups(list(self.groups), columns=[name], use_threads=False)
        except FileNotFoundError:
            raise changed(self.path) from None
        finally:
            self.refuse_other(self.path.state())
        values = found.column(name)
        return values if self.inside is None else values.filter(arrays.flags(self.inside))

    def refuse_other(self, state: State | None) -> None:
        """Raise SourceUnreadable when the file is another one than that of the metadata."""
        if state is not None and self.state is not None and state != self.state:
            raise changed(self.path) from None

    def nulls(self, name: str) -> int | None:
        if self.inside is not None:
            return None
        place = _place_of(self.metadata, self.schema, name)
        if place is None:
            return None
        found = [_nulls(self.metadata.row_group(group).column(place)) for group in self.groups]
        return None if None in found else sum(n for n in found if n is not None)


@dataclass(frozen=True, slots=True, eq=False)
class SpoolBlock:
    """Record batches of an Arrow file of our own, which lives as long as its blocks."""

    path: Path
    schema: pa.Schema
    batches: tuple[int, ...]
    rows: int
    folder: Any = field(repr=False)  # holds the file: removed with the last block

    def column(self, name: str) -> pa.ChunkedArray:
        place = self.schema.get_field_index(name)
        options = pa.ipc.IpcReadOptions(included_fields=[place], use_threads=False)
        with pa.OSFile(str(self.path)) as stored:
            reader = pa.ipc.open_file(stored, options=options)
            read = [reader.get_batch(i).column(0) for i in self.batches]
        return pa.chunked_array(read, type=self.schema.field(place).type)

    def nulls(self, name: str) -> int | None:
        return None


def in_blocks(table: pa.Table) -> list[Block]:
    """Rows that are in memory, as blocks; nothing is copied."""
    starts = range(0, max(1, table.num_rows), BLOCK_ROWS)
    return [TableBlock(table.slice(start, BLOCK_ROWS)) for start in starts]


def grouped(sizes: Sequence[int]) -> list[tuple[int, ...]]:
    """Numbers of neighbouring row groups (or batches) of some sizes that make a block each.

    >>> grouped([200_000, 100_000, 5, 300_000])
    [(0, 1), (2, 3)]
    """
    blocks: list[tuple[int, ...]] = []
    held, rows = [], 0
    for number, size in enumerate(sizes):
        held.append(number)
        rows += size
        if rows >= BLOCK_ROWS:
            blocks.append(tuple(held))
            held, rows = [], 0
    return [*blocks, tuple(held)] if held else blocks


_mine = threading.local()
_OPEN = 4  # files a thread keeps open


def _opened(block: ParquetBlock) -> pq.ParquetFile:
    """The file, opened once by this thread as long as it is among the last ones used."""
    opened: dict[int, tuple[Any, pq.ParquetFile]] = _mine.__dict__.setdefault("files", {})
    metadata, key = block.metadata, id(block.metadata)
    if key not in opened or opened[key][0] is not metadata:
        for old in [*opened][: 1 - _OPEN]:
            opened.pop(old)[1].close()
        block.refuse_other(block.path.state_now())
        texts = [f.name for f in block.schema if _is_text(f.type)]
        file = pq.ParquetFile(
            block.path.for_arrow(),
            metadata=metadata,
            read_dictionary=texts,
            pre_buffer=False,
            page_checksum_verification=True,
        )
        opened[key] = metadata, file
    return opened[key][1]


def changed_files(blocks: Iterable[Block]) -> list[str]:
    """Files of some blocks that were replaced, changed or removed since the blocks were made.

    Each file is asked once, and anew: of an object store only that tells of a change in the middle.
    """
    files = {block.path: block.state for block in blocks if isinstance(block, ParquetBlock)}
    return [
        str(path)
        for path, state in files.items()
        if state is not None and path.state_now() != state
    ]


def changed(path: Place) -> SourceUnreadable:
    """What the rows of a file were is unknown once it is another one than was looked at."""
    return SourceUnreadable(
        f"{path} was replaced, changed or removed while it was read",
        hint="put new files beside the old ones, or in place of them between two checks",
    )


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _place_of(metadata: pq.FileMetaData, schema: pa.Schema, name: str) -> int | None:
    """The number of a column in the file; it is that in the schema where nothing is nested."""
    place = schema.get_field_index(name)
    flat = place >= 0 and metadata.num_columns == len(schema)
    return place if flat and metadata.schema.column(place).path == name else None


def _nulls(column: Any) -> int | None:
    told = column.statistics
    return int(told.null_count) if told is not None and told.has_null_count else None
