"""A table or a query of a database as one dataset: PostgreSQL or SQLite."""

import hashlib
import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pyarrow as pa
import sqlalchemy as sa

from monitor.configuration.datasets import SourceSettings, SqlSettings
from monitor.configuration.fields import table_name
from monitor.core.records import Notice, SampleInfo, Window
from monitor.core.time_columns import TIMES_ARE, no_time, unknown_time
from monitor.errors import AskedWrongly, ConfigError, SourceUnreadable
from monitor.ports import Sample, Source
from monitor.sources._sql_aggregates import Asked, SqlTable
from monitor.sources._sql_database import Database, Draw, Field, Rows
from monitor.sources._sql_postgresql import open_postgresql
from monitor.sources._sql_sqlite import open_sqlite
from monitor.tables.columns import to_sample
from monitor.tables.gate import Gate
from monitor.tables.reservoir import Reservoir
from monitor.tables.spool import Spool
from monitor.tables.streams import Streams, streamed_sample
from monitor.tables.stretches import Range
from monitor.tables.times import row_times, to_datetime
from monitor.tables.unify import unify

_MOMENTS = re.compile(r"(date|datetime|timestamp\w*)\b", re.IGNORECASE)


def make(settings: SourceSettings, root: Path) -> Source:
    """The source of rows in a database; the path of a SQLite file is relative to `root`."""
    return SqlSource(settings, root)


class SqlSource:
    """Rows of a table or a query, read in one read-only transaction a call.

    The window, the columns and, where the database can, the drawing of the sample are left to the
    database; how a sample is drawn stands with each of them. Rows come in no promised order.
    """

    def __init__(self, settings: SourceSettings, root: Path) -> None:
        """Raises ConfigError, PathNotFound for a SQLite file that is not there, AskedWrongly
        without the driver; a server is not asked yet."""
        assert settings.sql is not None
        self._settings = settings
        self._database = _open(settings.sql, root)
        self._rows = _rows(settings.sql)

    def read(
        self,
        window: Window | None = None,
        *,
        columns: Sequence[str] | None = None,
        limit: int | None = None,
        seed: int = 0,
    ) -> Sample:
        """Rows of a window as the port promises; an unknown table is asked wrongly, not empty."""
        if limit is not None and limit < 1:
            raise AskedWrongly("a sample needs at least one row")
        if window is not None and self._settings.time is None:
            raise AskedWrongly("a window needs `time`: the column that says when a row happened")
        with self._database.reading(self._rows) as db:
            look = _Look(self._settings, self._database, self._rows, db)
            return look.sample(window, columns, Draw(limit, seed) if limit else None)

    def columns(self, sought: Collection[str] = ()) -> list[str]:
        with self._database.reading(self._rows) as db:
            return [name for name, _ in self._database.names(db, self._rows)]

    def times(self, named: str | None = None) -> list[str]:
        """By the types of columns; text and numbers of one that is named may well be times."""
        with self._database.reading(self._rows) as db:
            fields = self._database.fields(db, self._rows, None)
        known = [field.name for field in fields if field.name == named]
        return [*dict.fromkeys([*known, *_times(fields)])]

    def fingerprint(self) -> str:
        """`sha256:...` over names and types of the columns and the values of all rows.

        The order of the rows does not count. The database looks at every row.
        """
        with self._database.reading(self._rows) as db:
            fields = self._database.fields(db, self._rows, self._settings.time)
            told = [f"{field.name}\0{field.kind}\n" for field in fields]
            told.append(self._database.digest(db, self._rows, fields))
        return f"sha256:{hashlib.sha256(''.join(told).encode()).hexdigest()}"

    def span(self) -> Window | None:
        """First row time to a microsecond after the last; None without rows or a time column.

        Raises SourceUnreadable (also when no row has a readable time), UnknownName.
        """
        if self._settings.time is None:
            return None
        with self._database.reading(self._rows) as db:
            look = _Look(self._settings, self._database, self._rows, db)
            return look.span()


def _times(fields: Iterable[Field]) -> list[str]:
    """Columns of a type that tells a moment, which a time of day does not."""
    return [f.name for f in fields if _MOMENTS.match(f.kind)]


class _Look:
    """One transaction's look at the rows."""

    def __init__(
        self, settings: SourceSettings, database: Database, rows: Rows, db: sa.Connection
    ) -> None:
        self._zone = settings.timezone
        self._database = database
        self._rows = rows
        self._db = db
        self._fields = {field.name: field for field in database.fields(db, rows, settings.time)}
        self._time: Field | None = None
        if settings.time is not None:
            if settings.time not in self._fields:
                times = _times(database.fields(db, rows, None))
                raise unknown_time(settings.time, self._fields, times)
            self._time = self._fields[settings.time]

    def sample(
        self, window: Window | None, columns: Sequence[str] | None, draw: Draw | None
    ) -> Sample:
        """1. Ask for the rows; 2. keep some; 3. tell the newest and what was noticed."""
        wanted = self._fields if columns is None else dict.fromkeys(columns)
        names = [name for name in wanted if name in self._fields]
        within, gate = Range.of(window), Gate(self._name, window, self._zone)
        # 1. Ask.
        condition = sa.true() if window is None else self._inside(within)
        asked = self._needed(names)
        query, counted = self._rows.select(asked).where(condition), None
        if draw is not None:
            query, counted = self._database.drawn(self._db, self._rows, query, condition, draw)
        # 2. Keep.
        batches = self._database.stream(self._db, query, asked)
        admitted = (gate.admit(batch).select(names) for batch in batches)
        kept, info = _gathered(admitted, draw, counted)
        # 3. Tell.
        notices: list[Notice] = []
        if self._time is not None:
            if gate.newest_us is None or info.rows < info.rows_in_window:
                self._show_edges(gate, Range(end_us=within.end_us))
            notices = self._notices(gate, needed=window is not None)
            info = replace(info, newest=_moment(gate.newest_us))
        if isinstance(kept, Spool):
            streamed = streamed_sample(
                kept.blocks(), names, info, self._zone, time=self._name, notices=notices
            )
            return self._with_the_database(streamed, condition)
        table = unify([piece for piece in kept if piece.num_rows] or kept, self._zone)
        return to_sample(table, info, notices, row_times(table, self._name, self._zone))

    def _with_the_database(self, sample: Sample, inside: sa.ColumnElement[bool]) -> Sample:
        """So many rows are better aggregated where they lie."""
        asked = Asked(self._database, self._rows, inside, self._fields)
        assert isinstance(sample.columns, Streams)
        return replace(sample, table=SqlTable(sample.columns, sample.info, asked))

    def span(self) -> Window | None:
        gate = Gate(self._name, None, self._zone, rows=False)
        self._show_edges(gate, Range())
        if gate.oldest_us is None or gate.newest_us is None:
            self._notices(gate, needed=True)
            return None
        return Window(to_datetime(gate.oldest_us), to_datetime(gate.newest_us + 1))

    @property
    def _name(self) -> str | None:
        return None if self._time is None else self._time.name

    def _inside(self, within: Range) -> sa.ColumnElement[bool]:
        assert self._time is not None
        return self._database.inside(self._time, within, self._zone)

    def _needed(self, names: Sequence[str]) -> list[Field]:
        """What has to come: rows without any column could not be counted."""
        asked = dict.fromkeys([*names, *([self._time.name] if self._time else [])])
        return [self._fields[name] for name in asked or list(self._fields)[:1]]

    def _show_edges(self, gate: Gate, within: Range) -> None:
        """Let the gate see the oldest and the newest time of a range."""
        assert self._time is not None
        for times in self._database.edges(self._db, self._rows, self._time, within, self._zone):
            gate.admit(times)

    def _notices(self, gate: Gate, *, needed: bool) -> list[Notice]:
        """Of rows without a time; SourceUnreadable when times are needed and no row has one."""
        assert self._time is not None
        untimed = self._database.untimed(self._time)
        count = self._database.count(self._db, self._rows, untimed)
        if not count:
            return []
        name = self._time.name
        if needed and gate.newest_us is None:
            everything = Gate(name, None, self._zone, rows=False)
            self._show_edges(everything, Range())
            if everything.newest_us is None:
                told = no_time(name, _times(self._fields.values()))
                raise SourceUnreadable(f"{self._rows.place}: {told}", hint=TIMES_ARE)
        text = f"{count} rows have no readable time in {name!r}"
        return [Notice("time_unreadable", text, name)]


def _gathered(
    batches: Iterable[pa.Table], draw: Draw | None, counted: int | None
) -> tuple[list[pa.Table] | Spool, SampleInfo]:
    """The rows that stay, on disk where they are too many to hold, and how they were drawn.

    `counted` is how many rows of the window the database has, when it drew already.
    """
    if draw is None:
        spool = Spool()
        for batch in batches:
            spool.add(batch)
        info = SampleInfo(spool.seen, spool.seen, "all")
        return (spool if spool.on_disk else spool.pieces), info
    reservoir = Reservoir(draw.limit, draw.seed)
    for batch in batches:
        reservoir.add(batch)
    pieces, info = reservoir.take(), reservoir.info()
    if counted is not None and counted > draw.limit:
        info = SampleInfo(info.rows, counted, "reservoir", draw.seed)
    return pieces, info


def _moment(epoch_us: int | None) -> datetime | None:
    return None if epoch_us is None else to_datetime(epoch_us)


def _rows(sql: SqlSettings) -> Rows:
    if sql.query is not None:
        return Rows.of_query(sql.place, sql.query)
    schema, table = table_name(sql.table or "")
    return Rows.of_table(sql.place, schema, table)


def _open(sql: SqlSettings, root: Path) -> Database:
    try:
        url = sa.make_url(sql.url.get_secret_value())
        backend = url.drivername.partition("+")[0]
    except (sa.exc.ArgumentError, ValueError):  # its text may hold the password
        raise ConfigError(
            "the address of the database cannot be read",
            hint="write postgresql://user:password@host/name; in a password, @ is %40 and / is %2F",
        ) from None
    if backend == "sqlite":
        return open_sqlite(url, root, sql.timeout)
    return open_postgresql(url, sql.timeout)
