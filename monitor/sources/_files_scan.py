"""One pass over the files of a dataset: which rows come in, and what is noticed on the way."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

import pyarrow as pa

from monitor.configuration.datasets import SourceSettings
from monitor.core.layouts import empty_told, files_told, lacking
from monitor.core.records import Notice, Window
from monitor.core.time_columns import TIMES_ARE, no_time, unknown_time
from monitor.errors import SourceUnreadable
from monitor.tables.blocks import Block, TableBlock
from monitor.tables.columns import HELD_VALUES
from monitor.tables.dataset import Files, open_format
from monitor.tables.frames import plain
from monitor.tables.gate import Extent, Gate
from monitor.tables.glance import first_rows, times_in
from monitor.tables.places import Place, State, readable
from monitor.tables.reading import Blank, Columnar, Growing, reading, without_rows
from monitor.tables.roll import Roll, Seen
from monitor.tables.times import to_datetime
from monitor.tables.unify import unify

SMALL_BYTES = 2**22  # files that together are no larger are held without another look


@dataclass(frozen=True, slots=True, eq=False)
class Known:
    """What is remembered of a file: in which state it told what."""

    state: State
    extent: Extent
    columns: pa.Table  # without rows


class Scan:
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
        self._roll = Roll()
        self.notices = list(files.notices)

    def rows(self, columns: Sequence[str] | None, *, whole: bool) -> Iterator[pa.Table]:
        """The rows that come in, file by file, only the columns asked for."""
        time = self._settings.time
        asked = [*columns, *([time] if time else [])] if columns is not None else None
        needed = None if asked is None else list(dict.fromkeys(asked))
        for name, path in self._named():
            state, noted = path.state(), len(self.notices)
            if known := self._passed_over(name, path):
                yield _only(known.columns, columns)
                continue
            seen = self._roll.begin(name, self._gate.begin_file())
            empty = pa.table({})
            for table in self._read(seen, path, needed, whole):
                seen.has(table.column_names)
                empty = table.slice(0, 0)
                rows = _only(self._gate.admit(table), columns)
                seen.rows += rows.num_rows
                self._format.learn(rows)
                yield rows if whole else plain(rows)
            now = path.state_now()
            if seen.rows and _is_rewritten(state, now):
                told = f"{path}: it was written anew while it was read"
                raise SourceUnreadable(
                    told, hint="write another file and rename it when it is whole"
                )
            if state is not None and state == now and noted == len(self.notices):
                self._extents[path] = Known(state, seen.extent, empty)

    def _named(self) -> Iterator[tuple[str, Place]]:
        """The files with their names relative to the dataset, which are unlike."""
        for name, path in zip(self._files.names, self._files.paths, strict=True):
            yield readable(name) or path.name, path

    def _passed_over(self, name: str, path: Place) -> Known | None:
        """What is remembered of a file nothing of which comes in; None of one to be read."""
        known = self._known(path)
        if known is None or not self._gate.passes_over_file(known.extent):
            return None
        self._roll.begin(name, known.extent).has(known.columns.column_names)
        return known

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
            with suppress(FileNotFoundError, Blank), reading(path, self._files.format):
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
        for name, path in self._named():
            state, told = path.state(), len(self.notices)
            if known := self._passed_over(name, path):
                yield TableBlock(known.columns)
                continue
            seen, schema = self._roll.begin(name, self._gate.begin_file()), pa.schema([])
            for block in self._blocks_of(seen, path):
                schema = block.schema
                seen.has(schema.names)
                seen.rows += block.rows
                yield block
            if state is not None and state == path.state_now() and told == len(self.notices):
                self._extents[path] = Known(state, seen.extent, without_rows(schema))

    def _blocks_of(self, seen: Seen, path: Place) -> Iterator[Block]:
        assert isinstance(self._format, Columnar)
        try:
            with reading(path, self._files.format):
                yield from self._format.blocks(path, self._gate)
        except Blank as error:
            seen.blank = str(error)
        except FileNotFoundError:
            self._note(path, "file_vanished", "vanished before it was read")

    def names(self, columns: Sequence[str] | None) -> list[str]:
        """The columns that were seen and asked for, after the checks that only the end allows."""
        self._check()
        known = self._roll.columns()
        asked = known if columns is None else dict.fromkeys(columns)
        return [name for name in asked if name in known]

    @property
    def settle(self) -> Callable[[pa.Table], pa.Table] | None:
        """What only all rows together could tell of columns, such as the types of text."""
        return None if isinstance(self._format, Columnar) else self._format.finish

    def finish(self, pieces: Sequence[pa.Table], columns: Sequence[str] | None) -> pa.Table:
        """The pieces as one table, after the checks that only the end allows.

        Files without rows of the window say nothing about its columns, unless there are no others.
        """
        self._check()
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

    @property
    def layouts(self) -> dict[str, tuple[str, ...]]:
        """The columns of each file that rows came from, where several files state them."""
        several = len(self._roll.files) > 1 and self._format.states_columns
        return self._roll.layouts(filled=True) if several else {}

    def _read(
        self, seen: Seen, path: Place, needed: Sequence[str] | None, whole: bool
    ) -> Iterator[pa.Table]:
        try:
            with reading(path, self._files.format):
                yield from self._format.batches(path, needed, self._gate, whole=whole)
        except Blank as error:
            seen.blank = str(error)
        except FileNotFoundError:
            self._note(path, "file_vanished", "vanished before it was read")
        except Growing:
            self._note(path, "file_growing", "the last line is not complete")

    def _note(self, path: Place, kind: str, text: str) -> None:
        """Normal while a service watches a folder; an error when someone named these files."""
        if not self._tolerant:
            raise SourceUnreadable(f"{path}: {text}")
        self.notices.append(Notice(kind, f"{path.name}: {text}"))

    def _check(self) -> None:
        """What only the end allows to say: of files that hold nothing, of times, of columns."""
        suspects = self._roll.of_window(self._gate)
        self._check_blank([seen.name for seen in suspects if seen.blank])
        self._check_times()
        self._check_rowless(suspects)
        if not self._format.states_columns:
            for lack in lacking(self._roll.layouts(filled=True)):
                self.notices.append(Notice("files_uneven", lack.text))

    def _check_blank(self, suspects: Sequence[str]) -> None:
        """A file that holds nothing is told of where rows of the window may have been meant for
        it, and no reason not to look at the others."""
        files = self._roll.files
        if files and all(seen.blank for seen in files):
            told = f"{self._settings.place}: all {len(files)} files are empty"
            raise SourceUnreadable(files[0].blank if len(files) == 1 else told)
        if suspects:
            self.notices.append(Notice("file_empty", empty_told(suspects, len(files))))

    def _check_rowless(self, suspects: Sequence[Seen]) -> None:
        """SourceUnreadable when rows of the window could have been in a file that holds nothing.

        One that names its columns says that it has no rows, and is told of where rows are missed.
        """
        roll, count = self._roll, len(self._roll.files)
        if self._tolerant and any(seen.rows for seen in roll.files):
            return
        blank = [seen.name for seen in suspects if seen.blank]
        if self._tolerant and blank:
            raise SourceUnreadable(
                f"no row of the window was found, and {files_told(blank)}, where its rows could "
                f"have been, {'is' if len(blank) == 1 else 'are'} empty",
                hint="write the file again, or remove it if there is nothing to tell",
            )
        rowless = [seen.name for seen in suspects if seen.rowless]
        if rowless and count > 1:
            have = "has" if len(rowless) == 1 else "have"
            told = f"{len(rowless)} of {count} files {have} no rows: {files_told(rowless)}"
            self.notices.append(Notice("file_without_rows", told))

    def _check_times(self) -> None:
        """UnknownName when no file has the time column, SourceUnreadable when no row tells it."""
        gate, known = self._gate, self._roll.columns()
        if gate.column is None or not known:
            return
        if gate.column not in known:
            raise unknown_time(gate.column, known, self._times_there())
        if not gate.unreadable:
            return
        example = f" (they look like {gate.example!r})" if gate.example else ""
        told = f"{gate.unreadable} of {gate.seen} rows have no readable time in {gate.column!r}"
        without = "".join(
            f"; {lack.text}" for lack in lacking(self._roll.layouts(filled=False), [gate.column])
        )
        if self._needs_times and gate.unreadable == gate.seen:
            told = no_time(gate.column, self._times_there(), seen=f"{example}{without}")
            raise SourceUnreadable(f"{self._settings.place}: {told}", hint=TIMES_ARE)
        self.notices.append(Notice("time_unreadable", f"{told}{example}{without}", gate.column))

    def _times_there(self) -> list[str]:
        return times_in(first_rows(self._files, self._settings), self._settings.timezone)


def _is_rewritten(before: State | None, after: State | None) -> bool:
    """Whether a file is another than it was; one that only grew has new rows at its end."""
    if before is None or after is None:
        return False
    return before != after and after[0] <= before[0]


def _only(table: pa.Table, columns: Sequence[str] | None) -> pa.Table:
    """The named columns that are there, in the order asked for."""
    if columns is None:
        return table
    return table.select([name for name in dict.fromkeys(columns) if name in table.column_names])
