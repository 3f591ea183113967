"""Summaries as bytes: stored with checks and references, readable by later versions.

The form: eight bytes that say what it is and in which version, length and checksum of a header, the
header as JSON (everything but long arrays, of which it tells the lengths), then the arrays one
after another: packed, which has a checksum of its own (version 1), or as they are, for those who
keep one and want them at once (version 2). What a later version adds to the header, an earlier one
passes over; what it cannot read correctly gets a new version number, and a reader of it keeps
reading the old ones.
"""

import json
import struct
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import asdict, fields
from typing import Any

import numpy as np

from monitor.core.columns import Kind
from monitor.core.summaries.moments import Moments
from monitor.core.summaries.summary import Summary

MAGIC = b"DMSUMM"
PACKED, PLAIN = 1, 2  # versions of the form
_LENGTH = struct.Struct("<QI")  # and CRC-32
_DAMAGE = struct.error, zlib.error, ValueError, KeyError, TypeError, AttributeError
MOST_BYTES = 2**31  # of all arrays together; those of a reference of 4000 columns
_LEVEL = 1  # of compression: sorted doubles gain little from more
_PIECE = 2**16  # packed bytes that are looked at together
_WORD = 8  # bytes of a number: arrays that are not packed begin at a multiple of it

Kept = Mapping[str, tuple[Kind, Summary]]  # by column


class UnknownForm(ValueError):
    """Bytes that are no summaries, or of a version that only a later release can read."""


def to_bytes(summaries: Kept, *, packed: bool = True) -> bytes:
    """The summaries of some columns, with the kind each was seen as.

    Not `packed` they take more room and no time to read; that they are whole is the reader's care.
    """
    arrays: list[np.ndarray[Any, Any]] = []
    columns = {name: _told(kind, kept, arrays) for name, (kind, kept) in summaries.items()}
    header = json.dumps({"columns": columns}, ensure_ascii=False).encode()
    start = MAGIC + (PACKED if packed else PLAIN).to_bytes(2, "little")
    header += b" " * (-(len(start) + _LENGTH.size + len(header)) % _WORD)
    told = _LENGTH.pack(len(header), zlib.crc32(header))
    body = _packed(arrays) if packed else [array.tobytes() for array in arrays]
    return b"".join([start, told, header, *body])


def _packed(arrays: Iterable[np.ndarray[Any, Any]]) -> list[bytes]:
    packer = zlib.compressobj(_LEVEL)
    return [*(packer.compress(array.data) for array in arrays), packer.flush()]


def from_bytes(content: bytes | memoryview) -> dict[str, tuple[Kind, Summary]]:
    """What `to_bytes` wrote. Raises UnknownForm when it is something else, cut off or too new.

    >>> one = {"x": (Kind.NUMBER, Summary(3, 1, np.array([1.0, 2.5])))}
    >>> from_bytes(to_bytes(one))["x"][1].values.tolist()
    [1.0, 2.5]
    """
    start = len(MAGIC) + 2
    if content[: len(MAGIC)] != MAGIC:
        raise UnknownForm("these bytes are no summaries")
    version = int.from_bytes(content[len(MAGIC) : start], "little")
    if version not in (PACKED, PLAIN):
        raise UnknownForm(f"summaries of form {version}; this version reads {PACKED} and {PLAIN}")
    try:
        length, checksum = _LENGTH.unpack_from(content, start)
        start += _LENGTH.size
        header = bytes(content[start : start + length])
        if zlib.crc32(header) != checksum:
            raise ValueError("the header is not what was written")
        columns = json.loads(header)["columns"]
        _refuse_too_much(columns)
        arrays = memoryview(content)[start + length :]
        body = _Packed(arrays) if version == PACKED else _Plain(arrays)
        found = {name: _read(told, body) for name, told in columns.items()}
        body.finish()
    except _DAMAGE as error:
        raise UnknownForm(f"the summaries are cut off or corrupt ({error})") from None
    return found


def _refuse_too_much(columns: Mapping[str, Any]) -> None:
    """A header can tell of anything; what it tells of is made room for."""
    size = sum(_size(told) for told in columns.values())
    if size > MOST_BYTES:
        raise ValueError(f"{size} bytes of numbers are told, and at most {MOST_BYTES} are read")


def _size(told: Mapping[str, Any]) -> int:
    """Bytes of the array of a column."""
    many = told["values"] if "values" in told else len(told["levels"])
    if not isinstance(many, int) or many < 0:
        raise ValueError(f"{many!r} is no number of values")
    return 8 * many


def _told(kind: Kind, kept: Summary, arrays: list[np.ndarray[Any, Any]]) -> dict[str, Any]:
    told: dict[str, Any] = {
        "kind": str(kind),
        "rows": kept.rows,
        "missing": kept.missing,
        "unreadable": kept.unreadable,
    }
    if kept.values is None:
        counts = np.fromiter(kept.counts.values(), "<i8", len(kept.counts))
        arrays.append(counts)
        told |= {"levels": [*kept.counts], "rest": kept.rest, "count_error": kept.count_error}
        return told
    arrays.append(kept.values.astype("<f8", order="C", copy=False))
    told |= {"values": kept.values.size, "rank_error": kept.rank_error}
    if kept.known is not None:
        told["moments"] = asdict(kept.known)
    if kept.below:
        told["below"] = [[value, side, rows] for (value, side), rows in kept.below.items()]
    return told


class _Plain:
    """The arrays one after another, where they are."""

    def __init__(self, arrays: memoryview) -> None:
        self._arrays = arrays

    def take(self, size: int) -> memoryview:
        """The next `size` bytes. ValueError when there are fewer."""
        part, self._arrays = self._arrays[:size], self._arrays[size:]
        if len(part) < size:
            raise ValueError("an array is missing")
        return part

    def finish(self) -> None:
        """ValueError when there is more than was told."""
        if len(self._arrays):
            raise ValueError("the arrays are longer than the header tells")


class _Packed:
    """The packed arrays one after another: never all held twice, and never more than is told."""

    def __init__(self, packed: memoryview) -> None:
        self._packed = packed
        self._engine = zlib.decompressobj()

    def take(self, size: int) -> bytes:
        """The next `size` bytes. ValueError when there are fewer, zlib.error when damaged."""
        parts = []
        while size:
            parts.append(self._some(size))
            size -= len(parts[-1])
        return b"".join(parts)

    def finish(self) -> None:
        """The checksum follows the last array. ValueError when there is more than was told."""
        while not self._engine.eof:
            if self._some(_PIECE):
                raise ValueError("the arrays are longer than the header tells")

    def _some(self, most: int) -> bytes:
        packed: bytes | memoryview = self._engine.unconsumed_tail
        if not packed:
            packed, self._packed = self._packed[:_PIECE], self._packed[_PIECE:]
        part = self._engine.decompress(packed, most)
        if not part and not packed:
            raise ValueError("an array is missing")
        return part


def _read(told: Mapping[str, Any], body: _Packed | _Plain) -> tuple[Kind, Summary]:
    part = body.take(_size(told))
    return Kind(told["kind"]), (_numbers if "values" in told else _levels)(told, part)


def _numbers(told: Mapping[str, Any], part: bytes | memoryview) -> Summary:
    return Summary(
        told["rows"],
        told["missing"],
        np.frombuffer(part, "<f8"),
        unreadable=told["unreadable"],
        rank_error=told["rank_error"],
        known=_moments(told["moments"]) if "moments" in told else None,
        below={(value, side): rows for value, side, rows in told.get("below", ())},
    )


def _moments(told: Mapping[str, Any]) -> Moments:
    return Moments(**{field.name: told[field.name] for field in fields(Moments)})


def _levels(told: Mapping[str, Any], part: bytes | memoryview) -> Summary:
    sizes = np.frombuffer(part, "<i8").tolist()
    return Summary(
        told["rows"],
        told["missing"],
        counts=dict(zip(told["levels"], sizes, strict=True)),
        rest=told["rest"],
        count_error=told["count_error"],
    )
