"""Parquet: row groups that the time statistics rule out are never read."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from monitor.configuration.datasets import CsvSettings
from monitor.errors import SourceUnreadable
from monitor.tables.blocks import Block, ParquetBlock, grouped
from monitor.tables.gate import Gate
from monitor.tables.places import Place
from monitor.tables.reading import refuse_empty, refuse_repeated, signature, without_rows

SUFFIXES = (".parquet", ".pq", ".parq")

_MAGIC = b"PAR1"
_BATCH_ROWS = 65_536
_UNITS = {"milliseconds": "ms", "microseconds": "us", "nanoseconds": "ns"}


def make(settings: CsvSettings) -> "Parquet":
    return Parquet()


class Parquet:
    """Parquet files; text arrives dictionary-encoded when everything is read anyway."""

    states_columns = True

    def batches(
        self, path: Place, columns: Sequence[str] | None, gate: Gate, *, whole: bool
    ) -> Iterator[pa.Table]:
        refuse_empty(path)
        _refuse_other(path)
        source = path.for_arrow()
        with _opened(source) as plain:
            schema = plain.schema_arrow
            refuse_repeated(path, schema.names)
            yield without_rows(schema)
            wanted = schema.names if columns is None else columns
            names = [name for name in schema.names if name in wanted]
            groups = _groups(plain, gate)
            if not whole:
                for batch in plain.iter_batches(_BATCH_ROWS, row_groups=groups, columns=names):
                    yield pa.Table.from_batches([batch])
                return
            texts = [name for name in names if _is_text(schema.field(name).type)]
            with _opened(source, texts, plain.metadata, pre_buffer=True) as file:
                yield file.read_row_groups(groups, columns=names)

    def blocks(self, path: Place, gate: Gate) -> Iterator[Block]:
        """The file as blocks that are read column by column; the gate learns its times."""
        refuse_empty(path)
        _refuse_other(path)
        state = path.state()
        with _opened(path.for_arrow()) as file:
            schema = file.schema_arrow
            refuse_repeated(path, schema.names)
            metadata = file.metadata
            yield ParquetBlock(path, metadata, schema, state, ())  # which columns there are
            for groups in _joined(metadata, _groups(file, gate)):
                block = ParquetBlock(path, metadata, schema, state, groups)
                if gate.column is not None:
                    block = replace(block, inside=gate.inside(_times(file, block, gate.column)))
                yield block

    def values(self, path: Place) -> int:
        """Rows times columns of a file, without reading them."""
        refuse_empty(path)
        _refuse_other(path)
        found = pq.read_metadata(path.for_arrow())
        return int(found.num_rows) * int(found.num_columns)

    def learn(self, rows: pa.Table) -> None:
        """Nothing to learn: the file says what its columns hold."""

    def finish(self, table: pa.Table) -> pa.Table:
        return table


def _opened(
    source: Any, texts: Sequence[str] = (), metadata: Any = None, *, pre_buffer: bool = False
) -> pq.ParquetFile:
    """With `pre_buffer` the packed bytes of all row groups are held at once."""
    return pq.ParquetFile(
        source,
        metadata=metadata,
        read_dictionary=list(texts),
        pre_buffer=pre_buffer,
        page_checksum_verification=True,  # of the files that have some
    )


def _refuse_other(path: Place) -> None:
    """Say what is wrong in the cases people meet, before the library says it in its words."""
    with path.open() as file:
        head = file.read(len(_MAGIC))
        file.seek(-min(path.size(), len(_MAGIC)), 2)
        tail = file.read()
    if head != _MAGIC:
        raise SourceUnreadable(f"{path}: not Parquet: the content is {signature(head) or 'other'}")
    if tail != _MAGIC:
        raise SourceUnreadable(
            f"{path}: the end of the Parquet file is missing: it is cut off or still being written"
        )


def _joined(metadata: pq.FileMetaData, groups: Sequence[int]) -> list[tuple[int, ...]]:
    """Small row groups together, as many as make a block worth reading."""
    places = grouped([metadata.row_group(group).num_rows for group in groups])
    return [tuple(groups[place] for place in block) for block in places]


def _times(file: pq.ParquetFile, block: ParquetBlock, column: str) -> pa.Table:
    """The times of a block; nulls where the file has no such column."""
    if column not in block.schema.names:
        return pa.table({"": pa.nulls(block.rows)})
    return file.read_row_groups(list(block.groups), columns=[column])


def _groups(file: pq.ParquetFile, gate: Gate) -> list[int]:
    """The row groups that may hold rows for the gate; the others are remembered by it."""
    everything = range(file.num_row_groups)
    if gate.column is None or gate.column not in file.schema_arrow.names or gate.takes_all:
        return list(everything)
    kind = file.schema_arrow.field(gate.column).type
    described = file.metadata.schema
    paths = [described.column(i).path for i in range(file.metadata.num_columns)]
    place = paths.index(gate.column) if gate.column in paths else None
    return [i for i in everything if not _passed_over(file, i, gate, (place, kind))]


def _passed_over(
    file: pq.ParquetFile, group: int, gate: Gate, times: tuple[int | None, pa.DataType]
) -> bool:
    metadata, (place, kind) = file.metadata.row_group(group), times
    if place is not None:
        statistics = metadata.column(place).statistics
        bounds = _bounds(file.metadata.schema.column(place), statistics, kind)
        if bounds is not None:
            return gate.passes_over_range(bounds, metadata.num_rows, statistics.null_count)
    return gate.passes_over(file.read_row_group(group, columns=[gate.column]))


def _bounds(described: Any, statistics: Any, kind: pa.DataType) -> pa.ChunkedArray | None:
    """Lowest and highest time of a row group; None when the file does not say.

    Raw integers, because the library's own way to a datetime needs pandas for nanoseconds.
    """
    if statistics is None or not statistics.has_min_max or not statistics.has_null_count:
        return None
    raw = pa.array([statistics.min_raw, statistics.max_raw])
    if pa.types.is_date32(kind):
        return pa.chunked_array([raw.cast(pa.int32()).cast(kind)])
    if not pa.types.is_timestamp(kind) or described.physical_type != "INT64":
        return None
    unit = _UNITS.get(json.loads(described.logical_type.to_json()).get("timeUnit", ""))
    return pa.chunked_array([raw.cast(pa.timestamp(unit, kind.tz))]) if unit else None


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))
