"""Rows kept as files of our own: a range of production that serves as reference."""

import hashlib
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from monitor.ports import Sample, Source

FOLDER = "reference_data"


class SnapshotFolder:
    """Parquet files `reference_data/MONITOR/HASH.parquet`, named by what they hold."""

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
