"""A frozen reference as one file: an Arrow file of the drawn rows that carries the summaries.

Any tool that reads Arrow can look at the rows; what the columns are travels in the metadata of its
schema. Between rows and footer, where Arrow looks at nothing, stand the summaries, in the versioned
form of `core/summaries/binary.py`, and a digest of all other bytes: Arrow itself takes damaged
bytes for rows, and may bring the process down with them.
"""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import pyarrow as pa

from monitor.core.columns import COMPARED_KINDS, Column, Kind, Stream
from monitor.core.comparison import Plan
from monitor.core.frozen import FrozenColumn, Picture, Pictures, freeze
from monitor.core.records import SampleInfo
from monitor.core.side_by_side import side_by_side
from monitor.core.summaries.binary import Kept, UnknownForm, from_bytes, to_bytes
from monitor.errors import AskedWrongly, SourceUnreadable
from monitor.ports import Sample
from monitor.tables.columns import to_column
from monitor.tables.packed import unpacked
from monitor.tables.places import Place
from monitor.tables.reading import reading, refuse_empty
from monitor.tables.reservoir import thin
from monitor.tables.streams import DRAWN_ROWS, DrawnTable

_PICTURES = b"drift_monitor.pictures"
_SEAL = b"DMSEAL01"  # and 32 bytes of SHA-256; a multiple of eight, as Arrow aligns
_SEAL_BYTES = len(_SEAL) + 32
_END_BYTES = 10  # the length of the footer, and ARROW1
_HEAD_BYTES = 8  # ARROW1 and two bytes of nothing, before the stream begins
MOST_BYTES = 2**31  # of the drawn rows, unpacked
MOST_ROWS = 2**20


@dataclass(frozen=True, slots=True, eq=False)
class Frozen:
    """A reference that was frozen: what it was made of, and the pictures of its columns."""

    version: str  # sha256:... of the data
    origin: str  # for people: where the data lay
    pictures: Mapping[str, Picture]
    drawn: pa.Table
    optional: tuple[str, ...] = ()  # columns that some files of the data lacked

    @property
    def rows(self) -> int:
        return max((picture.rows for picture in self.pictures.values()), default=0)

    def sample(self, again: Callable[[str], Stream] | None = None) -> Sample:
        """As what comparisons take; `again` reads a column of all rows anew."""
        columns = {
            name: FrozenColumn(name, picture, partial(self._drawn, name), again)
            for name, picture in self.pictures.items()
        }
        info = SampleInfo(self.rows, self.rows, "all")
        return Sample(info, columns, self.drawn, optional=self.optional)

    def _drawn(self, name: str) -> Column:
        """Of a column that identifies rows nothing is kept."""
        known = self.drawn.schema.get_field_index(name) >= 0
        return to_column(name, self.drawn[name]) if known else Column(name, "other", 0, 0)


def frozen_of(sample: Sample, plan: Plan, version: str, origin: str) -> Frozen:
    """The columns that a plan wants, with its kinds where it has some, as they are frozen."""
    columns: Mapping[str, Stream] = sample.columns
    if not all(plan.wants(name) for name in columns):
        columns = {name: column for name, column in columns.items() if plan.wants(name)}
    with side_by_side(columns) as run:
        pictures = freeze(columns, plan, run)
    optional = tuple(name for name in sample.optional if name in pictures)
    return Frozen(version, origin, pictures, _drawn_rows(sample, pictures), optional)


def _drawn_rows(sample: Sample, pictures: Pictures) -> pa.Table:
    """The rows that are drawn of a sample, without the columns that identify them."""
    names = [name for name, picture in pictures.items() if picture.kind is not Kind.ID]
    if isinstance(sample.table, DrawnTable):
        return sample.table.drawn(names)
    return thin(sample.table.select(names), DRAWN_ROWS[1], 0)[0]


def write_frozen(place: Place, frozen: Frozen) -> None:
    """Write the file, whole or not at all."""
    summaries = {n: (p.kind, p.summary) for n, p in frozen.pictures.items() if p.summary}
    kept = to_bytes(summaries, packed=False)  # the seal tells whether they are whole
    told = {
        "version": frozen.version,
        "origin": frozen.origin,
        "columns": {name: _told(picture) for name, picture in frozen.pictures.items()},
        "optional": frozen.optional,
        "summaries": len(kept),  # bytes
    }
    if frozen.drawn.nbytes > MOST_BYTES:
        raise AskedWrongly(
            f"{place}: a draw of the rows takes {frozen.drawn.nbytes} bytes, and a frozen "
            f"reference holds {MOST_BYTES} at most",
            hint="leave columns of long texts out with --exclude",
        )
    table = frozen.drawn.combine_chunks().replace_schema_metadata({_PICTURES: json.dumps(told)})
    sink = pa.BufferOutputStream()
    with pa.ipc.new_file(
        sink, table.schema, options=pa.ipc.IpcWriteOptions(compression="lz4")
    ) as w:
        w.write_table(table)
    place.write(_sealed(memoryview(sink.getvalue()), kept))


def read_frozen(place: Place) -> Frozen:
    """Read the file. SourceUnreadable when it is damaged, or written by a later version.

    FileNotFoundError when there is none.
    """
    with reading(place, "a frozen reference"):
        refuse_empty(place)
        content = place.read()
        if not _is_whole(content):
            raise SourceUnreadable(
                f"{place}: this is no frozen reference, or it is cut off or damaged",
                hint="freeze the reference anew",
            )
        try:
            table = _rows(content)
        except ValueError as error:
            raise SourceUnreadable(f"{place}: {error}", hint="freeze the reference anew") from None
    try:
        # Arrow trusts what it reads: places beyond their list would end the process.
        table.validate(full=True)
        return _frozen(table, memoryview(content)[: _footer_at(content) - _SEAL_BYTES])
    except (LookupError, ValueError, TypeError, AttributeError) as error:
        told = str(error) if isinstance(error, UnknownForm) else f"it has another form ({error})"
        raise SourceUnreadable(
            f"{place}: {told}", hint="freeze the reference anew, or update Drift Monitor"
        ) from None


def _rows(content: bytes) -> pa.Table:
    """The rows; ValueError when they would take more memory than a frozen reference ever does.

    What was measured is what is read: the stream inside the file, and not what its footer names.
    """
    stream = pa.py_buffer(content).slice(_HEAD_BYTES)
    size, rows = unpacked(stream)
    if size > MOST_BYTES or rows > MOST_ROWS:
        told = f"{rows} rows of {size} bytes"
        raise ValueError(f"it tells of {told}, and at most {MOST_ROWS} of {MOST_BYTES} are read")
    return pa.ipc.open_stream(stream).read_all()


def _frozen(table: pa.Table, body: memoryview) -> Frozen:
    """The file less seal and footer, and the rows in it."""
    told = json.loads(table.schema.metadata[_PICTURES])
    kept = from_bytes(body[len(body) - told["summaries"] :])
    pictures = _pictures(told["columns"], kept)
    drawn = table.replace_schema_metadata(None)
    optional = tuple(map(str, told.get("optional", ())))  # files of earlier versions know of none
    return Frozen(str(told["version"]), str(told["origin"]), pictures, drawn, optional)


def _pictures(told: Mapping[str, Any], kept: Kept) -> dict[str, Picture]:
    """Pictures and their summaries; ValueError where one does not fit the other."""
    pictures = {
        name: Picture(
            Kind(column["kind"]),
            column["dtype"],
            column["rows"],
            column["missing"],
            column["problem"],
            kept[name][1] if name in kept else None,
        )
        for name, column in told.items()
    }
    for name, picture in pictures.items():
        if name in kept and (kept[name][0], kept[name][1].rows) != (picture.kind, picture.rows):
            raise ValueError(f"what is told of {name!r} is not what was summarized")
        if name not in kept and picture.kind in COMPARED_KINDS and not picture.problem:
            raise ValueError(f"{name!r} has no summary")
    return pictures


def _sealed(content: memoryview, summaries: bytes) -> bytes:
    at = _footer_at(content)
    zeros = bytes(-len(summaries) % 8)  # Arrow aligns its footer
    body, footer = (content[:at], zeros, summaries), content[at:]
    return b"".join([*body, _SEAL, _digest(*body, footer), footer])


def _is_whole(content: bytes) -> bool:
    at, view = _footer_at(content), memoryview(content)  # a slice of bytes would be a copy
    if at < _SEAL_BYTES:
        return False
    seal, body, footer = view[at - _SEAL_BYTES : at], view[: at - _SEAL_BYTES], view[at:]
    return seal == _SEAL + _digest(body, footer)


def _footer_at(content: bytes | memoryview) -> int:
    told = content[-_END_BYTES : -_END_BYTES + 4]
    return len(content) - _END_BYTES - int.from_bytes(told, "little")


def _digest(*parts: bytes | memoryview) -> bytes:
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part)
    return digest.digest()


def _told(picture: Picture) -> dict[str, str | int]:
    return {
        "kind": str(picture.kind),
        "dtype": picture.dtype,
        "rows": picture.rows,
        "missing": picture.missing,
        "problem": picture.problem,
    }
