"""Files of our own: rows of production that serve as reference, and frozen references."""

import hashlib
import logging
import re
from collections.abc import Callable, Iterable
from itertools import chain

import pyarrow as pa
import pyarrow.parquet as pq

from monitor.configuration.datasets import FROZEN
from monitor.core.columns import Stream
from monitor.core.comparison import Plan
from monitor.errors import SourceUnreadable
from monitor.ports import Sample, Source, StoredReference
from monitor.tables.frozen import frozen_of, read_frozen, write_frozen
from monitor.tables.places import Place
from monitor.tables.streams import DrawnTable

log = logging.getLogger(__name__)

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
        if isinstance(table, DrawnTable):
            write_parts(table.parts(), sink)
        else:
            pq.write_table(table, sink, compression="zstd")
        content = sink.getvalue().to_pybytes()
        name = hashlib.sha256(content).hexdigest()[:16]
        path = f"{self._folder}/{monitor}/{name}.parquet"
        self._place(path).write(content)
        return path

    def source(self, path: str) -> Source:
        return self._open_file(path)

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


def write_parts(parts: Iterable[pa.Table], sink: pa.NativeFile) -> None:
    """Rows that are not held together, as row groups of one Parquet file."""
    rest = iter(parts)
    first = next(rest)
    with pq.ParquetWriter(sink, first.schema, compression="zstd") as writer:
        for part in chain([first], rest):
            writer.write_table(part)
