"""Arrow IPC and Feather files, and streams of record batches."""

from collections.abc import Iterator, Sequence
from typing import Any

import pyarrow as pa

from monitor.configuration.datasets import CsvSettings
from monitor.errors import SourceUnreadable
from monitor.tables.gate import Gate
from monitor.tables.places import Place
from monitor.tables.reading import refuse_empty, refuse_repeated, signature, without_rows

SUFFIXES = (".arrow", ".feather", ".ipc", ".arrows")

_MAGIC = b"ARROW1"
_STREAM_START = b"\xff\xff\xff\xff"


def make(settings: CsvSettings) -> "Arrow":
    return Arrow()


class Arrow:
    """Arrow files, batch by batch."""

    states_columns = True

    def batches(
        self, path: Place, columns: Sequence[str] | None, gate: Gate, *, whole: bool
    ) -> Iterator[pa.Table]:
        refuse_empty(path)
        with path.open() as file:
            head = file.read(len(_MAGIC))
        with _stored(path.for_arrow()) as stored:
            reader = _reader(path, stored, head)
            refuse_repeated(path, reader.schema.names)
            known = reader.schema.names
            names = [n for n in (columns if columns is not None else known) if n in known]
            yield without_rows(reader.schema)
            for batch in _stored_batches(reader):
                rows = pa.Table.from_batches([batch]).select(names)
                _refuse_damage(rows)
                yield rows

    def learn(self, rows: pa.Table) -> None:
        """Nothing to learn: the file says what its columns hold."""

    def finish(self, table: pa.Table) -> pa.Table:
        return table


def _refuse_damage(rows: pa.Table) -> None:
    """ArrowInvalid for places beyond their list, which Arrow reads without a look.

    Text that is no UTF-8 is shown as its bytes, as that of other files is.
    """
    for column in rows.columns:
        for chunk in column.chunks:
            _as_bytes(chunk).validate(full=True)


def _as_bytes(values: pa.Array) -> pa.Array:
    """The same values, text as the bytes it is made of; nothing is copied."""
    if isinstance(values, pa.DictionaryArray):
        levels = _as_bytes(values.dictionary)
        return pa.DictionaryArray.from_arrays(values.indices, levels, safe=False)
    if pa.types.is_string(values.type):
        return values.view(pa.binary())
    return values.view(pa.large_binary()) if pa.types.is_large_string(values.type) else values


def _stored(file: Any) -> pa.NativeFile:
    return pa.OSFile(file) if isinstance(file, str) else pa.PythonFile(file, mode="r")


def _reader(
    path: Place, stored: pa.NativeFile, head: bytes
) -> pa.RecordBatchFileReader | pa.RecordBatchStreamReader:
    try:
        if head == _MAGIC:
            return pa.ipc.open_file(stored)
        if head.startswith(_STREAM_START):
            return pa.ipc.open_stream(stored)
    except pa.ArrowInvalid as error:
        raise SourceUnreadable(
            f"{path}: the Arrow file is cut off, corrupt or still being written: {error}"
        ) from None
    raise SourceUnreadable(f"{path}: not Arrow: the content is {signature(head) or 'other'}")


def _stored_batches(
    reader: pa.RecordBatchFileReader | pa.RecordBatchStreamReader,
) -> Iterator[pa.RecordBatch]:
    if isinstance(reader, pa.RecordBatchFileReader):
        return (reader.get_batch(i) for i in range(reader.num_record_batches))
    return iter(reader)
