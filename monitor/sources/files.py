"""A file, a folder or a pattern as one dataset: Parquet, CSV, NDJSON or Arrow."""

import hashlib
from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path

import pyarrow as pa

from monitor.configuration.datasets import SourceSettings
from monitor.core.layouts import partly_there
from monitor.core.records import Notice, SampleInfo, Window
from monitor.errors import AskedWrongly, PathNotFound, SourceUnreadable
from monitor.ports import Sample, Source
from monitor.sources._files_scan import Known, Scan
from monitor.tables.blocks import Block
from monitor.tables.columns import HELD_VALUES, to_sample
from monitor.tables.dataset import Files, list_files, open_format
from monitor.tables.gate import Gate
from monitor.tables.glance import first_rows, times_in
from monitor.tables.places import Place
from monitor.tables.reading import Blank, Growing, reading
from monitor.tables.reservoir import Reservoir
from monitor.tables.spool import Spool
from monitor.tables.streams import scattered, streamed_sample
from monitor.tables.times import row_times

ENDS = 2  # the first and the last file of a dataset are always asked which columns they have


def make(settings: SourceSettings, root: Path) -> Source:
    """The source of a dataset of files; a relative path is relative to `root`."""
    return FileSource(settings, root)


class FileSource:
    """A dataset of files; which there are, and whether they changed, is looked up at every call.

    The extent of times of a file is remembered while the file stays as it is, so a window costs
    the files that may hold rows of it and not the whole history.
    """

    def __init__(self, settings: SourceSettings, root: Path) -> None:
        self._settings = settings
        self._root = root
        self._extents: dict[Place, Known] = {}

    def read(
        self,
        window: Window | None = None,
        *,
        columns: Sequence[str] | None = None,
        limit: int | None = None,
        seed: int = 0,
    ) -> Sample:
        """Rows of a window as the port promises; text may be dictionary-encoded in `table`.

        1. List the files; nothing there is an empty sample if a window was asked for.
        2. Read file by file; the gate lets in the rows of the window, the reservoir keeps some.
        3. Make one table of what was kept, and tell what was noticed on the way.
        """
        self._refuse_nonsense(window, limit)
        # 1. List.
        try:
            files = self._files()
        except PathNotFound as error:
            if window is None:
                raise
            nothing = SampleInfo(rows=0, rows_in_window=0, method="all")
            return to_sample(pa.table({}), nothing, [Notice("no_files", str(error))])
        # 2. Read.
        if limit is None and (streamed := self._streamed(files, window, columns)) is not None:
            return streamed
        scan = Scan(self._settings, files, window, self._extents)
        if limit is None:
            return self._all(scan, columns)
        reservoir = Reservoir(limit, seed)
        for rows in scan.rows(columns, whole=False):
            reservoir.add(rows)
        # 3. Make one table.
        return self._held(scan, reservoir.take(), columns, reservoir.info(scan.newest))

    def _all(self, scan: Scan, columns: Sequence[str] | None) -> Sample:
        """Every row that comes in: held when they are few, else from files of our own."""
        spool = Spool()
        for rows in scan.rows(columns, whole=True):
            spool.add(rows)
        info = SampleInfo(spool.seen, spool.seen, "all", newest=scan.newest)
        if not spool.on_disk:
            return self._held(scan, spool.pieces, columns, info)
        return self._of_blocks(scan, spool.blocks(), scan.names(columns), info)

    def _held(
        self, scan: Scan, pieces: Sequence[pa.Table], columns: Sequence[str] | None,
        info: SampleInfo,
    ) -> Sample:  # fmt: skip
        table = scan.finish(pieces, columns)
        times = row_times(table, self._settings.time, self._settings.timezone)
        return _with_layouts(to_sample(table, info, scan.notices, times), scan)

    def _of_blocks(
        self, scan: Scan, blocks: Sequence[Block], names: Sequence[str], info: SampleInfo
    ) -> Sample:
        sample = streamed_sample(
            blocks,
            names,
            info,
            self._settings.timezone,
            finish=scan.settle,
            time=self._settings.time,
            notices=scan.notices,
        )
        return _with_layouts(sample, scan)

    def _streamed(
        self, files: Files, window: Window | None, columns: Sequence[str] | None
    ) -> Sample | None:
        """All rows of the window without holding them; None when they are few enough to hold."""
        scan = Scan(self._settings, files, window, self._extents)
        if not scan.may_be_large():
            return None
        blocks = list(scan.blocks())
        names = scan.names(columns)
        rows = sum(block.rows for block in blocks)
        if rows * len(names) <= HELD_VALUES:
            return None
        info = SampleInfo(rows, rows, "all", newest=scan.newest)
        return self._of_blocks(scan, blocks, names, info)

    def columns(self, sought: Collection[str] = ()) -> list[str]:
        files = self._files()
        paths = files.paths
        found: dict[str, None] = {}
        for number, path in enumerate(dict.fromkeys((paths[0], paths[-1], *paths))):
            if number >= ENDS and found and found.keys() >= set(sought):
                break
            found.update(dict.fromkeys(self._columns_of(path, files, set(sought) - {*found})))
        return [*found]

    def times(self, named: str | None = None) -> list[str]:
        rows = first_rows(self._files(), self._settings)
        return times_in(rows, self._settings.timezone, named)

    def layouts(self, most: int) -> dict[str, tuple[str, ...]]:
        files = self._files()
        if not open_format(files.format, self._settings).states_columns:
            return {}
        count = len(files.paths)
        some = range(count) if count <= most else sorted(scattered(count)[:most])
        return {
            files.names[n] or files.paths[n].name: tuple(self._columns_of(files.paths[n], files))
            for n in some
        }

    def _columns_of(self, path: Place, files: Files, sought: Collection[str] = ()) -> list[str]:
        """What a file states, none of a blank one; else what its rows have up to what is sought."""
        nothing = Gate(None, None, self._settings.timezone, rows=False)
        form = open_format(files.format, self._settings)
        found: dict[str, None] = {}
        try:
            with reading(path, files.format):
                for table in form.batches(path, [], nothing, whole=False):
                    found.update(dict.fromkeys(table.column_names))
                    if form.states_columns or found.keys() >= set(sought):
                        break
        except (Blank, Growing):
            pass
        except FileNotFoundError:
            raise SourceUnreadable(f"{path} vanished while it was read") from None
        return [*found]

    def fingerprint(self) -> str:
        """`sha256:` and the SHA-256 of a single file, or of all names and their SHA-256.

        Names are relative to the dataset. A file whose size and time of change are those of an
        earlier call is not read again. Raises PathNotFound, SourceUnreadable.
        """
        files = self._files()
        digests = [_digest_of(path) for path in files.paths]
        if files.names == ("",):
            return f"sha256:{digests[0]}"
        lines = [f"{name}\0{digest}\n" for name, digest in zip(files.names, digests, strict=True)]
        return f"sha256:{hashlib.sha256(''.join(lines).encode()).hexdigest()}"

    def span(self) -> Window | None:
        """First row time to a microsecond after the last; None without rows or a time column.

        Raises PathNotFound, SourceUnreadable (also when no row has a readable time), UnknownName.
        """
        if self._settings.time is None:
            return None
        scan = Scan(self._settings, self._files(), None, self._extents, times_only=True)
        for _ in scan.rows([], whole=False):
            pass
        scan.finish([], [])
        return scan.span

    def _refuse_nonsense(self, window: Window | None, limit: int | None) -> None:
        if limit is not None and limit < 1:
            raise AskedWrongly("a sample needs at least one row")
        if window is not None and self._settings.time is None:
            raise AskedWrongly("a window needs `time`: the column that says when a row happened")

    def _files(self) -> Files:
        try:
            with reading(self._settings.place, "a dataset"):
                return list_files(self._settings, self._root)
        except FileNotFoundError as error:
            raise SourceUnreadable(f"{error.filename} vanished while it was listed") from None


def _with_layouts(sample: Sample, scan: Scan) -> Sample:
    layouts = scan.layouts
    return replace(sample, layouts=layouts, optional=partly_there(layouts))


def _digest_of(path: Place) -> str:
    with reading(path, "a file"):
        try:
            return path.digest()
        except FileNotFoundError:
            raise SourceUnreadable(f"{path} vanished while it was read") from None
