"""Rows that come one after another, of all columns at once: held while they are few, else on disk.

CSV, NDJSON and databases give rows, not columns. What does not fit into memory is written to Arrow
files of our own, from which columns are read one at a time like those of any large dataset; the
files are removed with the last block that needs them.
"""

from pathlib import Path

import pyarrow as pa

from monitor.errors import SourceUnreadable
from monitor.tables.blocks import Block, SpoolBlock, grouped
from monitor.tables.frames import plain
from monitor.tables.scratch import ScratchFolder

HELD_BYTES = 2**28  # 256 MB


class Spool:
    """Takes tables in order; `pieces` as long as they are held, `blocks` once they are not."""

    def __init__(self, held_bytes: int = HELD_BYTES) -> None:
        self._room = held_bytes
        self.pieces: list[pa.Table] = []
        self.seen = 0
        self._files: list[_File] = []
        self._folder: ScratchFolder | None = None

    @property
    def on_disk(self) -> bool:
        return self._folder is not None

    def add(self, rows: pa.Table) -> None:
        """Rows, which come after all rows added before. SourceUnreadable when the disk is full."""
        self.seen += rows.num_rows
        self.pieces.append(rows)
        self._room -= rows.nbytes
        if self._room < 0:
            try:
                self._write_out()
            except OSError as error:
                raise SourceUnreadable(
                    f"the rows do not fit into memory, nor onto disk: {error}",
                    hint="free some room where temporary files go (TMPDIR), or sample fewer rows",
                ) from None

    def blocks(self) -> list[Block]:
        """All rows that were added; nothing can be added any more."""
        assert self._folder is not None
        for file in self._files:
            file.writer.close()
        return [block for file in self._files for block in file.blocks(self._folder)]

    def _write_out(self) -> None:
        if self._folder is None:
            self._folder = ScratchFolder()
        for piece in self.pieces:
            rows = plain(piece)
            if not self._files or not self._files[-1].schema.equals(rows.schema):
                path = self._folder.path / f"{len(self._files)}.arrow"
                self._files.append(_File(path, rows.schema))
            self._files[-1].write(rows)
        self.pieces = []


class _File:
    """One Arrow file: all rows that came with one schema in a row."""

    def __init__(self, path: Path, schema: pa.Schema) -> None:
        self.path, self.schema = path, schema
        self.writer = pa.ipc.new_file(str(path), schema)
        self._sizes: list[int] = []

    def write(self, rows: pa.Table) -> None:
        for batch in rows.to_batches():
            self.writer.write_batch(batch)
            self._sizes.append(batch.num_rows)

    def blocks(self, folder: object) -> list[Block]:
        return [
            SpoolBlock(self.path, self.schema, group, sum(self._sizes[i] for i in group), folder)
            for group in grouped(self._sizes)
        ]
