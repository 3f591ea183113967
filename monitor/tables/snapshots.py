"""Files of our own: rows of production that serve as reference, and frozen references."""

import hashlib
import json
import logging
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import chain

import pyarrow as pa
import pyarrow.parquet as pq

from monitor.configuration.datasets import FROZEN
from monitor.core.columns import Stream
from monitor.core.comparison import Plan
from monitor.core.records import Window
from monitor.errors import SourceUnreadable
from monitor.ports import Sample, Source, StoredReference
from monitor.tables.frozen import frozen_of, read_frozen, write_frozen
from monitor.tables.places import Place
from monitor.tables.reading import reading
from monitor.tables.streams import DrawnTable

log = logging.getLogger(__name__)

_OPTIONAL = b"drift_monitor.optional"  # in the metadata of a snapshot
_WRITTEN = re.compile(r"[^/]+/[0-9a-f]{16}\.parquet")  # below the folder


class SnapshotFolder:
    """Files `FOLDER/MONITOR/HASH.parquet` and `.reference`, named by what they hold."""

    def __init__(
        self, folder: str, place: Callable[[str], Place], open_file: Callable[[str], Source]
    ) -> None:
        self._folder = folder.rstrip("/")
        self._place = place
        self._open_file = open_file

    def write(self, monitor: str, sample: Sample) -> str:
        """Write the rows, whole or not at all; the same rows make the same file."""
        sink = pa.BufferOutputStream()
        table = sample.table
        parts = table.parts() if isinstance(table, DrawnTable) else [table]
        write_parts(parts, sink, sample.optional)
        content = sink.getvalue().to_pybytes()
        name = hashlib.sha256(content).hexdigest()[:16]
        path = f"{self._folder}/{monitor}/{name}.parquet"
        self._place(path).write(content)
        return path

    def source(self, path: str) -> Source:
        return Snapshot(self._open_file(path), self._place(path))

    def wrote(self, path: str) -> bool:
        start = f"{self._folder}/"
        return path.startswith(start) and bool(_WRITTEN.fullmatch(path.removeprefix(start)))

    def freeze(
        self, stored: StoredReference, sample: Sample, plan: Plan, *, keep: bool = True
    ) -> Sample:
        frozen = frozen_of(sample, plan, stored.version, stored.origin)
        if keep:
            write_frozen(self._frozen_place(stored), frozen)
        return frozen.sample(sample.columns.__getitem__)

    def frozen(self, stored: StoredReference, again: Callable[[str], Stream]) -> Sample | None:
        try:
            found = read_frozen(self._frozen_place(stored))
        except FileNotFoundError:
            return None
        except SourceUnreadable as error:
            log.warning("monitor=%s %s; it is frozen anew", stored.monitor, error)
            return None
        return found.sample(again) if found.version == stored.version else None

    def _frozen_place(self, stored: StoredReference) -> Place:
        name = stored.version.removeprefix("sha256:")[:16]
        return self._place(f"{self._folder}/{stored.monitor}/{name}{FROZEN}")


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One snapshot as a source: its rows, and which columns some of their files lacked."""

    rows: Source
    place: Place

    def read(
        self,
        window: Window | None = None,
        *,
        columns: Sequence[str] | None = None,
        limit: int | None = None,
        seed: int = 0,
    ) -> Sample:
        sample = self.rows.read(window, columns=columns, limit=limit, seed=seed)
        try:
            with reading(self.place, "a snapshot"):
                metadata = pq.read_schema(self.place.for_arrow()).metadata or {}
        except FileNotFoundError:
            raise self.place.missing() from None
        return replace(sample, optional=tuple(json.loads(metadata.get(_OPTIONAL, b"[]"))))

    def fingerprint(self) -> str:
        return self.rows.fingerprint()

    def span(self) -> Window | None:
        return self.rows.span()


def write_parts(
    parts: Iterable[pa.Table], sink: pa.NativeFile, optional: Sequence[str] = ()
) -> None:
    """Rows that are not held together, as row groups of one Parquet file."""
    rest = iter(parts)
    first = next(rest)
    schema = first.schema
    if optional:
        told = {**(schema.metadata or {}), _OPTIONAL: json.dumps([*optional]).encode()}
        schema = schema.with_metadata(told)
    with pq.ParquetWriter(sink, schema, compression="zstd") as writer:
        for part in chain([first], rest):
            writer.write_table(part)
