"""Rows kept as files of our own: a range of production that serves as reference."""

import hashlib
from collections.abc import Callable

import pyarrow as pa
import pyarrow.parquet as pq

from monitor.ports import Sample, Source
from monitor.tables.places import Place


class SnapshotFolder:
    """Parquet files `FOLDER/MONITOR/HASH.parquet`, named by what they hold."""

    def __init__(
        self, folder: str, place: Callable[[str], Place], open_file: Callable[[str], Source]
    ) -> None:
        self._folder = folder.rstrip("/")
        self._place = place
        self._open_file = open_file

    def write(self, monitor: str, sample: Sample) -> str:
        """Write the rows, whole or not at all; the same rows make the same file."""
        sink = pa.BufferOutputStream()
        pq.write_table(sample.table, sink, compression="zstd")
        content = sink.getvalue().to_pybytes()
        name = hashlib.sha256(content).hexdigest()[:16]
        path = f"{self._folder}/{monitor}/{name}.parquet"
        self._place(path).write(content)
        return path

    def source(self, path: str) -> Source:
        return self._open_file(path)
