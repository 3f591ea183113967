"""Files of our own: rows of production that serve as reference, and frozen references."""

import hashlib
import logging
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from monitor.core.frozen import Pictures
from monitor.core.records import Stream
from monitor.errors import SourceUnreadable
from monitor.ports import Sample, Source, StoredReference
from monitor.settings import FROZEN
from monitor.tables.frozen import Frozen, drawn_rows, read_frozen, write_frozen

log = logging.getLogger(__name__)

FOLDER = "reference_data"


class SnapshotFolder:
    """Files `reference_data/MONITOR/HASH.parquet` and `.reference`, named by what they hold."""

    def __init__(self, root: Path, open_file: Callable[[str], Source]) -> None:
        self._root = root
        self._open_file = open_file

    def write(self, monitor: str, sample: Sample) -> str:
        """Write the rows, whole or not at all; the same rows make the same file."""
        sink = pa.BufferOutputStream()
        pq.write_table(sample.table, sink, compression="zstd")
        content = sink.getvalue()
        name = hashlib.sha256(content).hexdigest()[:16]
        path = Path(FOLDER) / monitor / f"{name}.parquet"
        target = self._root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        half_written = target.with_suffix(".tmp")
        half_written.write_bytes(content)
        half_written.replace(target)
        return str(path)

    def source(self, path: str) -> Source:
        return self._open_file(path)

    def freeze(self, stored: StoredReference, sample: Sample, found: Pictures) -> None:
        frozen = Frozen(stored.version, stored.origin, found, drawn_rows(sample, found))
        write_frozen(self._place(stored), frozen)

    def frozen(self, stored: StoredReference, again: Callable[[str], Stream]) -> Sample | None:
        try:
            found = read_frozen(self._place(stored))
        except FileNotFoundError:
            return None
        except SourceUnreadable as error:
            log.warning("monitor=%s %s; it is frozen anew", stored.monitor, error)
            return None
        return found.sample(again) if found.version == stored.version else None

    def _place(self, stored: StoredReference) -> Path:
        name = stored.version.removeprefix("sha256:")[:16]
        return self._root / FOLDER / stored.monitor / f"{name}{FROZEN}"
