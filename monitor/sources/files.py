"""A file, a folder or a pattern as one dataset: Parquet, CSV, NDJSON or Arrow."""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import pyarrow as pa

from monitor.core.records import Floats, Notice, SampleInfo, Window
from monitor.errors import AskedWrongly, PathNotFound, SourceUnreadable, UnknownName
from monitor.ports import Sample, Source
from monitor.settings import SourceSettings
from monitor.tables.blocks import Block, TableBlock
from monitor.tables.columns import HELD_VALUES, to_sample
from monitor.tables.dataset import Files, list_files, open_format
from monitor.tables.frames import plain
from monitor.tables.gate import Extent, Gate
from monitor.tables.places import Place, State
from monitor.tables.reading import Columnar, Growing, reading, without_rows
from monitor.tables.reservoir import Reservoir
from monitor.tables.spool import Spool
from monitor.tables.streams import streamed_sample
from monitor.tables.times import epoch_seconds, to_datetime
from monitor.tables.unify import unify


def make(settings: SourceSettings, root: Path) -> Source:
    """The source of a dataset of files; a relative path is relative to `root`."""
    return FileSource(settings, root)


SMALL_BYTES = 2**22  # files that together are no larger are held without another look


@dataclass(frozen=True, slots=True, eq=False)
class Known:
    """What is remembered of a file: in which state it told what."""

    state: State
    extent: Extent
    columns: pa.Table  # without rows


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
        scan = _Scan(self._settings, files, window, self._extents)
        if limit is None:
            return self._all(scan, columns)
        reservoir = Reservoir(limit, seed)
        for rows in scan.rows(columns, whole=False):
            reservoir.add(rows)
        # 3. Make one table.
        return self._held(scan, reservoir.take(), columns, reservoir.info(scan.newest))

    def _all(self, scan: "_Scan", columns: Sequence[str] | None) -> Sample:
        """Every row that comes in: held when they are few, else from files of our own."""
        spool = Spool()
        for rows in scan.rows(columns, whole=True):
            spool.add(rows)
        info = SampleInfo(spool.seen, spool.seen, "all", newest=scan.newest)
        if not spool.on_disk:
            return self._held(scan, spool.pieces, columns, info)
        return self._of_blocks(scan, spool.blocks(), scan.names(columns), info)

    def _held(
        self, scan: "_Scan", pieces: Sequence[pa.Table], columns: Sequence[str] | None,
        info: SampleInfo,
    ) -> Sample:  # fmt: skip
        table = scan.finish(pieces, columns)
        return to_sample(table, info, scan.notices, self._times(table))

    def _of_blocks(
        self, scan: "_Scan", blocks: Sequence[Block], names: Sequence[str], info: SampleInfo
    ) -> Sample:
        return streamed_sample(
            blocks,
            names,
            info,
            self._settings.timezone,
            finish=scan.settle,
            time=self._settings.time,
            notices=scan.notices,
        )

    def _streamed(
        self, files: Files, window: Window | None, columns: Sequence[str] | None
    ) -> Sample | None:
        """All rows of the window without holding them; None when they are few enough to hold."""
        scan = _Scan(self._settings, files, window, self._extents)
        if not scan.may_be_large():
            return None
        blocks = list(scan.blocks())
        names = scan.names(columns)
        rows = sum(block.rows for block in blocks)
        if rows * len(names) <= HELD_VALUES:
            return None
        info = SampleInfo(rows, rows, "all", newest=scan.newest)
        return self._of_blocks(scan, blocks, names, info)

    def _times(self, table: pa.Table) -> Floats | None:
        time = self._settings.time
        if time is None or time not in table.column_names:
            return None
        return epoch_seconds(table[time], self._settings.timezone)

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
        scan = _Scan(self._settings, self._files(), None, self._extents, times_only=True)
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


class _Scan:
    """One pass over the files of a dataset, and what was noticed on the way."""

    def __init__(
        self,
        settings: SourceSettings,
        files: Files,
        window: Window | None,
        extents: dict[Place, Known],
        *,
        times_only: bool = False,
    ) -> None:
        self._extents = extents
        self._settings = settings
        self._files = files
        self._format = open_format(files.format, settings)
        self._gate = Gate(settings.time, window, settings.timezone, rows=not times_only)
        self._needs_times = window is not None or times_only
        self._tolerant = window is not None  # files come and go under a running service
        self._columns_seen: dict[str, None] = {}
        self.notices = list(files.notices)

    def rows(self, columns: Sequence[str] | None, *, whole: bool) -> Iterator[pa.Table]:
        """The rows that come in, file by file, only the columns asked for."""
        time = self._settings.time
        asked = [*columns, *([time] if time else [])] if columns is not None else None
        needed = None if asked is None else list(dict.fromkeys(asked))
        for path in self._files.paths:
            state, told = path.state(), len(self.notices)
            known = self._known(path)
            if known and self._gate.passes_over_file(known.extent):
                self._columns_seen.update(dict.fromkeys(known.columns.column_names))
                yield _only(known.columns, columns)
                continue
            extent = self._gate.begin_file()
            empty = pa.table({})
            for table in self._read(path, needed, whole):
                self._columns_seen.update(dict.fromkeys(table.column_names))
                empty = table.slice(0, 0)
                rows = _only(self._gate.admit(table), columns)
                self._format.learn(rows)
                yield rows if whole else plain(rows)
            if state is not None and state == path.state_now() and told == len(self.notices):
                self._extents[path] = Known(state, extent, empty)

    def may_be_large(self) -> bool:
        """Whether there are more values than one holds, as far as that is told without reading.

        Files that are known to lie outside the window do not count, and a few small ones are not
        even asked.
        """
        if not isinstance(self._format, Columnar):
            return False
        files = [path for path in self._files.paths if not self._lies_outside(path)]
        values = 0
        with suppress(FileNotFoundError):
            if sum(path.size() for path in files) <= SMALL_BYTES:
                return False
        for path in files:
            with suppress(FileNotFoundError), reading(path, self._files.format):
                values += self._format.values(path)
            if values > HELD_VALUES:
                return True
        return False

    def _lies_outside(self, path: Place) -> bool:
        known = self._known(path)
        return known is not None and self._gate.lies_outside(known.extent)

    def _known(self, path: Place) -> Known | None:
        """What is remembered of a file, while it stays as it was."""
        known = self._extents.get(path)
        return known if known is not None and path.state() == known.state else None

    def blocks(self) -> Iterator[Block]:
        """The rows that come in, as blocks of which nothing but times was read."""
        for path in self._files.paths:
            state, told, known = path.state(), len(self.notices), self._known(path)
            if known and self._gate.passes_over_file(known.extent):
                self._columns_seen.update(dict.fromkeys(known.columns.column_names))
                yield TableBlock(known.columns)
                continue
            extent, schema = self._gate.begin_file(), pa.schema([])
            for block in self._blocks_of(path):
                schema = block.schema
                self._columns_seen.update(dict.fromkeys(schema.names))
                yield block
            if state is not None and state == path.state_now() and told == len(self.notices):
                self._extents[path] = Known(state, extent, without_rows(schema))

    def _blocks_of(self, path: Place) -> Iterator[Block]:
        assert isinstance(self._format, Columnar)
        try:
            with reading(path, self._files.format):
                yield from self._format.blocks(path, self._gate)
        except FileNotFoundError:
            self._note(path, "file_vanished", "vanished before it was read")

    def names(self, columns: Sequence[str] | None) -> list[str]:
        """The columns that were seen and asked for, after the checks that only the end allows."""
        self._check_times()
        known = self._columns_seen
        return [name for name in (known if columns is None else columns) if name in known]

    @property
    def settle(self) -> Callable[[pa.Table], pa.Table] | None:
        """What only all rows together could tell of columns, such as the types of text."""
        return None if isinstance(self._format, Columnar) else self._format.finish

    def finish(self, pieces: Sequence[pa.Table], columns: Sequence[str] | None) -> pa.Table:
        """The pieces as one table, after the checks that only the end allows.

        Files without rows of the window say nothing about its columns, unless there are no others.
        """
        self._check_times()
        filled = [piece for piece in pieces if piece.num_rows] or pieces
        table = self._format.finish(unify(filled, self._settings.timezone))
        return _only(table, columns)

    @property
    def newest(self) -> datetime | None:
        newest_us = self._gate.newest_us
        return None if newest_us is None else to_datetime(newest_us)

    @property
    def span(self) -> Window | None:
        if self._gate.oldest_us is None or self._gate.newest_us is None:
            return None
        return Window(to_datetime(self._gate.oldest_us), to_datetime(self._gate.newest_us + 1))

    def _read(self, path: Place, needed: Sequence[str] | None, whole: bool) -> Iterator[pa.Table]:
        try:
            with reading(path, self._files.format):
                yield from self._format.batches(path, needed, self._gate, whole=whole)
        except FileNotFoundError:
            self._note(path, "file_vanished", "vanished before it was read")
        except Growing:
            self._note(path, "file_growing", "the last line is not complete")

    def _note(self, path: Place, kind: str, text: str) -> None:
        """Normal while a service watches a folder; an error when someone named these files."""
        if not self._tolerant:
            raise SourceUnreadable(f"{path}: {text}")
        self.notices.append(Notice(kind, f"{path.name}: {text}"))

    def _check_times(self) -> None:
        """UnknownName when no file has the time column, SourceUnreadable when no row tells it."""
        gate = self._gate
        if gate.column is None or not self._columns_seen:
            return
        if gate.column not in self._columns_seen:
            raise UnknownName("column", gate.column, self._columns_seen)
        if not gate.unreadable:
            return
        example = f" (they look like {gate.example!r})" if gate.example else ""
        told = f"{gate.unreadable} of {gate.seen} rows have no readable time in {gate.column!r}"
        if self._needs_times and gate.unreadable == gate.seen:
            raise SourceUnreadable(
                f"{self._settings.place}: no row has a readable time in {gate.column!r}{example}",
                hint="times are timestamps, ISO 8601 text, or seconds since 1970",
            )
        self.notices.append(Notice("time_unreadable", f"{told}{example}", gate.column))


def _only(table: pa.Table, columns: Sequence[str] | None) -> pa.Table:
    """The named columns that are there, in the order asked for."""
    if columns is None:
        return table
    return table.select([name for name in dict.fromkeys(columns) if name in table.column_names])


def _digest_of(path: Place) -> str:
    with reading(path, "a file"):
        try:
            return path.digest()
        except FileNotFoundError:
            raise SourceUnreadable(f"{path} vanished while it was read") from None
