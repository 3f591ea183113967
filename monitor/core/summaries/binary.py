"""Summaries as bytes: stored with checks and references, readable by later versions.

The form: eight bytes that say what it is and in which version, length and checksum of a header, the
header as JSON (everything but long arrays, of which it tells the lengths), then the arrays one
after another, packed, which has a checksum of its own. What a later version adds to the header, an
earlier one passes over; what it cannot read correctly gets a new version number, and a reader of it
keeps reading the old ones.
"""

import json
import struct
import zlib
from collections.abc import Mapping
from dataclasses import asdict, fields
from typing import Any

import numpy as np

from monitor.core.records import Kind
from monitor.core.summaries.moments import Moments
from monitor.core.summaries.summary import Summary

MAGIC = b"DMSUMM"
VERSION = 1
_LENGTH = struct.Struct("<QI")  # and CRC-32
_DAMAGE = struct.error, zlib.error, ValueError, KeyError, TypeError, AttributeError
MOST_BYTES = 2**31  # of all arrays together; those of a reference of 4000 columns
_LEVEL = 1  # of compression: sorted doubles gain little from more

Kept = Mapping[str, tuple[Kind, Summary]]  # by column


class UnknownForm(ValueError):
    """Bytes that are no summaries, or of a version that only a later release can read."""


def to_bytes(summaries: Kept) -> bytes:
    """The summaries of some columns, with the kind each was seen as."""
    arrays: list[np.ndarray[Any, Any]] = []
    columns = {name: _told(kind, kept, arrays) for name, (kind, kept) in summaries.items()}
    header = json.dumps({"columns": columns}, ensure_ascii=False).encode()
    body = zlib.compress(b"".join(array.tobytes() for array in arrays), _LEVEL)
    told = _LENGTH.pack(len(header), zlib.crc32(header))
    return b"".join([MAGIC, VERSION.to_bytes(2, "little"), told, header, body])


def from_bytes(content: bytes) -> dict[str, tuple[Kind, Summary]]:
    """What `to_bytes` wrote. Raises UnknownForm when it is something else, cut off or too new.

    >>> one = {"x": (Kind.NUMBER, Summary(3, 1, np.array([1.0, 2.5])))}
    >>> from_bytes(to_bytes(one))["x"][1].values.tolist()
    [1.0, 2.5]
    """
    start = len(MAGIC) + 2
    if content[: len(MAGIC)] != MAGIC:
        raise UnknownForm("these bytes are no summaries")
    version = int.from_bytes(content[len(MAGIC) : start], "little")
    if version != VERSION:
        raise UnknownForm(f"summaries of form {version}; this version reads {VERSION}")
    try:
        length, checksum = _LENGTH.unpack_from(content, start)
        start += _LENGTH.size
        header = content[start : start + length]
        if zlib.crc32(header) != checksum:
            raise ValueError("the header is not what was written")
        columns = json.loads(header)["columns"]
        body = memoryview(_unpacked(content[start + length :], columns))
        found = {}
        for name, told in columns.items():
            found[name], body = _read(told, body)
    except _DAMAGE as error:
        raise UnknownForm(f"the summaries are cut off or corrupt ({error})") from None
    return found


def _unpacked(body: bytes, columns: Mapping[str, Any]) -> bytes:
    """The arrays: never more bytes than the header tells, whatever the packed ones would become.

    The checksum at their end says that they are complete, so one byte more is asked for.
    """
    size = sum(_size(told) for told in columns.values())
    if size > MOST_BYTES:
        raise ValueError(f"{size} bytes of numbers are told, and at most {MOST_BYTES} are read")
    unpacking = zlib.decompressobj()
    found = unpacking.decompress(body, size + 1)
    if len(found) > size or not unpacking.eof:
        raise ValueError("the arrays are not as long as the header tells")
    return found


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
    arrays.append(kept.values.astype("<f8"))
    told |= {"values": kept.values.size, "rank_error": kept.rank_error}
    if kept.known is not None:
        told["moments"] = asdict(kept.known)
    if kept.below:
        told["below"] = [[value, side, rows] for (value, side), rows in kept.below.items()]
    return told


def _read(told: Mapping[str, Any], body: memoryview) -> tuple[tuple[Kind, Summary], memoryview]:
    """A summary, and the arrays of those that follow."""
    size = _size(told)
    if len(body) < size:
        raise ValueError("an array is missing")
    part = body[:size]
    summary = _numbers(told, part) if "values" in told else _levels(told, part)
    return (Kind(told["kind"]), summary), body[size:]


def _numbers(told: Mapping[str, Any], part: memoryview) -> Summary:
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


def _levels(told: Mapping[str, Any], part: memoryview) -> Summary:
    sizes = np.frombuffer(part, "<i8").tolist()
    return Summary(
        told["rows"],
        told["missing"],
        counts=dict(zip(told["levels"], sizes, strict=True)),
        rest=told["rest"],
        count_error=told["count_error"],
    )
