"""How large the packed parts of an Arrow stream become, told before anything is unpacked.

Arrow makes room for what a packed buffer says it becomes, and a small file can say anything. Every
message of a stream begins with a flatbuffer, of which only the places of the buffers matter here:
a packed buffer begins with the length it unpacks to, in eight bytes, or -1 where it is not packed.
"""

import struct
from collections.abc import Iterator

import pyarrow as pa

_DICTIONARY, _ROWS = 2, 3  # kinds of message with buffers
_KIND, _HEADER = 1, 2  # fields of a message
_LENGTH, _BUFFERS, _PACKED = 0, 2, 3  # fields of a batch of rows
_DATA = 1  # field of a batch of levels: its values, as a batch of rows


def unpacked(stream: pa.Buffer) -> tuple[int, int]:
    """Bytes and rows that a stream says it holds. ValueError where it makes no sense."""
    size = rows = 0
    try:
        for message in pa.ipc.MessageReader.open_stream(stream):
            if message.type not in ("record batch", "dictionary"):
                continue
            table = _batch(memoryview(message.metadata))
            rows = max(rows, table.number(_LENGTH))
            size += _size(table, memoryview(message.body))
    except (struct.error, IndexError) as error:
        raise ValueError(f"a message cannot be read: {error}") from None
    return size, rows


class _Table:
    """A table of a flatbuffer: a place, and where its fields are."""

    def __init__(self, content: memoryview, at: int) -> None:
        self._content, self._at = content, at
        self._fields = at - _read("<i", content, at)

    def place(self, field: int) -> int | None:
        """Where a field is; None for one that has its default."""
        length = _read("<H", self._content, self._fields)
        slot = 4 + 2 * field
        offset = _read("<H", self._content, self._fields + slot) if slot < length else 0
        return self._at + offset if offset else None

    def number(self, field: int) -> int:
        place = self.place(field)
        return 0 if place is None else _read("<q", self._content, place)

    def byte(self, field: int) -> int:
        place = self.place(field)
        return 0 if place is None else self._content[place]

    def table(self, field: int) -> "_Table":
        place = self.place(field)
        if place is None:
            raise ValueError("a message has no content")
        return _Table(self._content, place + _read("<I", self._content, place))

    def pairs(self, field: int) -> Iterator[tuple[int, int]]:
        """A list of pairs of numbers."""
        place = self.place(field)
        if place is not None:
            start = place + _read("<I", self._content, place)
            for number in range(_read("<I", self._content, start)):
                yield struct.unpack_from("<qq", self._content, start + 4 + 16 * number)


def _batch(metadata: memoryview) -> _Table:
    message = _Table(metadata, _read("<I", metadata, 0))
    header = message.table(_HEADER)
    return header.table(_DATA) if message.byte(_KIND) == _DICTIONARY else header


def _size(batch: _Table, body: memoryview) -> int:
    """Bytes of the buffers of a batch."""
    packed, total = batch.place(_PACKED) is not None, 0
    for offset, length in batch.pairs(_BUFFERS):
        told = _read("<q", body, offset) if packed and length else -1
        if told < -1 or offset < 0 or length < 0:
            raise ValueError("a buffer has no length")
        total += length if told == -1 else told
    return total


def _read(form: str, content: memoryview, at: int) -> int:
    if at < 0:
        raise ValueError("a place lies before the beginning")
    number: int = struct.unpack_from(form, content, at)[0]
    return number
