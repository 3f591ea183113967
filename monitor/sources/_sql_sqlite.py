"""Rows of a SQLite file: values without fixed types, read in this process."""

import sqlite3
import time
from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from hashlib import blake2b
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa
import sqlalchemy as sa

from monitor.core.aggregates import Family
from monitor.core.windows import Span
from monitor.errors import AskedWrongly, ConfigError, MonitorError, PathNotFound
from monitor.sources._sql_database import (
    CONNECT_S,
    Condition,
    Database,
    Draw,
    Field,
    Rows,
    ToArrow,
    column,
)
from monitor.tables.frames import to_array
from monitor.tables.stretches import Range
from monitor.tables.times import EARLIEST_US, LATEST_US, to_datetime

_ISO_DAY = "[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]*"
_DAY_US = 86_400_000_000
_STEPS = 20_000  # of SQLite's machine between two looks at the clock; some milliseconds


def open_sqlite(url: sa.URL, root: Path, timeout: Span) -> Database:
    """The file at an address, relative to `root`; it is only ever opened to be read."""
    name = str(url.database or "")
    if name in ("", ":memory:") or name.startswith("file:"):
        raise ConfigError("no file is named", hint="write sqlite:///shop.db")
    path = root / Path(name).expanduser()
    if not path.is_file():
        raise PathNotFound(f"there is no database {path}")
    address = f"{path.absolute().as_uri()}?mode=ro"

    def connect() -> sqlite3.Connection:
        return sqlite3.connect(address, uri=True, timeout=CONNECT_S, isolation_level=None)

    engine = sa.create_engine("sqlite://", creator=connect, poolclass=sa.NullPool)
    return SQLite(engine, path, timeout)


FileState = tuple[tuple[int, int], ...]  # size and time of change of each file


class SQLite(Database):
    """Every row of a window comes through this process, where the reservoir keeps some.

    Nothing is shipped by that: the file is read here in any case. Times are numbers since 1970 or
    text that begins with a day (2026-07-01); the database looks up the days around a window, and
    the gate, which knows offsets and clocks, lets in what is inside.
    """

    computes = frozenset(["min", "max", "sum", "mean", "distinct"])

    def __init__(self, engine: sa.Engine, path: Path, timeout: Span) -> None:
        super().__init__(engine, str(path), (), timeout)
        self._path = path
        self._digests: dict[str, tuple[FileState, str]] = {}

    def fields(self, db: sa.Connection, rows: Rows, time: str | None) -> list[Field]:
        declared: dict[str, str] = {}
        names = [name for name, _ in self.names(db, rows)]
        if rows.table is not None:
            found = sa.inspect(db).get_columns(rows.table, rows.schema)
            declared = {known["name"]: str(known["type"]).upper() for known in found}
        if time is not None:
            declared[time] = "TIMESTAMP"
        return [_field(name, declared.get(name, "")) for name in names]

    def inside(self, time: Field, within: Range, zone: ZoneInfo) -> Condition:
        return sa.or_(self._texts(time, within), *self._numbers(time, within))

    def untimed(self, time: Field) -> Condition:
        number = sa.func.typeof(time.stored).in_(["integer", "real"])
        return sa.not_(sa.or_(number, _is_day(time.stored)))

    def edges(
        self, db: sa.Connection, rows: Rows, time: Field, within: Range, zone: ZoneInfo
    ) -> Iterator[pa.Table]:
        for numbers in self._numbers(time, within):
            ends = _ends(db, rows, time, numbers)
            yield pa.table({time.name: time.to_arrow(ends)})
        days = sa.and_(_is_day(time.stored), self._texts(time, within))
        oldest, newest = _ends(db, rows, time, days)
        if oldest is None:
            return
        early, late = (_near(text) for text in (oldest, newest))
        if early and late:  # offsets apart, the first and the last time are of these days
            days = sa.and_(days, sa.or_(time.stored < early[1], time.stored >= late[0]))
        query = sa.select(time.stored.label(time.name)).select_from(rows.clause).where(days)
        yield from self.stream(db, query, [time])

    def drawn(
        self, db: sa.Connection, rows: Rows, query: sa.Select[Any], condition: Condition, draw: Draw
    ) -> tuple[sa.Select[Any], int | None]:
        return query, None

    def digest(self, db: sa.Connection, rows: Rows, fields: Sequence[Field]) -> str:
        """The sum of a 128-bit hash of each row; remembered while the file stays as it is."""
        state = db.info["state"]
        known = self._digests.get(rows.place)
        if known is None or known[0] != state:
            known = state, self._sum_of_hashes(db, rows, fields)
            if state == self._state():
                self._digests[rows.place] = known
        return known[1]

    def plain(self, field: Field) -> sa.ColumnElement[Any]:
        return sa.collate(field.stored, "BINARY") if field.family == "text" else field.stored

    def doubtful(self, field: Field) -> Condition:
        """Any value may lie in any column."""
        if field.family == "boolean":
            return sa.and_(field.stored.is_not(None), field.stored.not_in([0, 1]))
        return sa.func.typeof(field.stored).not_in(["null", *_STORED[field.family]])

    def _sum_of_hashes(self, db: sa.Connection, rows: Rows, fields: Sequence[Field]) -> str:
        self._restart(db)
        total = count = 0
        query = sa.select(*(field.stored for field in fields)).select_from(rows.clause)
        with db.execute(query, execution_options={"yield_per": 10_000}) as answer:
            for part in answer.partitions():
                for row in part:
                    code = blake2b(repr(tuple(row)).encode(), digest_size=16).digest()
                    total += int.from_bytes(code)
                count += len(part)
                self._restart(db)
        return f"{count} {total % 2**128}"

    def _state(self) -> FileState:
        """What tells whether the file, or the log of changes beside it, was written to."""
        files = (self._path, self._path.with_name(f"{self._path.name}-wal"))
        found = [file.stat() for file in files if file.exists()]
        return tuple((state.st_size, state.st_mtime_ns) for state in found)

    def _begin(self, db: sa.Connection) -> None:
        connection = db.connection.driver_connection
        assert isinstance(connection, sqlite3.Connection)
        watch = db.info["watch"] = _Stopwatch(self.timeout_s)
        db.info["state"] = self._state()  # before anything is read, so it is never newer than that
        connection.set_progress_handler(watch.is_over, _STEPS)
        db.exec_driver_sql("PRAGMA query_only=ON")
        db.exec_driver_sql("BEGIN")

    def _restart(self, db: sa.Connection) -> None:
        db.info["watch"].restart()

    def _texts(self, time: Field, within: Range) -> Condition:
        """The days of a range and one more on both sides: no offset is longer."""
        low_us = max(within.start_us - _DAY_US, EARLIEST_US)
        high_us = min(within.end_us - 1 + _DAY_US, LATEST_US)
        low, high = (to_datetime(us).date() for us in (low_us, high_us))
        text = sa.func.typeof(time.stored) == "text"
        return sa.and_(text, time.stored >= str(low), time.stored < f"{high}~")

    def _numbers(self, time: Field, within: Range) -> Iterator[Condition]:
        for kind in ("integer", "real"):
            for low, high in within.numbers(whole=kind == "integer"):
                inside = sa.and_(time.stored >= low, time.stored < high)
                yield sa.and_(sa.func.typeof(time.stored) == kind, inside)

    # --- Errors ---

    def _is_unknown_table(self, error: sa.exc.SQLAlchemyError, rows: Rows) -> bool:
        told = str(getattr(error, "orig", ""))
        return rows.table is not None and told.startswith(("no such table", "unknown database"))

    def _judged(self, error: sa.exc.SQLAlchemyError, reason: str, rows: Rows) -> MonitorError:
        name = getattr(getattr(error, "orig", None), "sqlite_errorname", "")
        if name == "SQLITE_INTERRUPT":
            return self._too_slow(rows)
        if name.startswith("SQLITE_READONLY"):
            return self._writes(rows)
        if name == "SQLITE_ERROR" or isinstance(error, sa.exc.ProgrammingError):
            return AskedWrongly(f"the {rows.place} cannot be run by {self.place}: {reason}")
        return self._unreadable(reason)


class _Stopwatch:
    """Says whether a statement has had its time."""

    def __init__(self, limit_s: float) -> None:
        self._limit_s = limit_s
        self.restart()

    def restart(self) -> None:
        self._ends_at = time.monotonic() + self._limit_s

    def is_over(self) -> bool:
        return time.monotonic() > self._ends_at


def _is_day(stored: sa.ColumnElement[Any]) -> Condition:
    text = sa.func.typeof(stored) == "text"
    return sa.and_(text, stored.op("GLOB", is_comparison=True)(_ISO_DAY))


def _ends(db: sa.Connection, rows: Rows, time: Field, condition: Condition) -> tuple[Any, Any]:
    """The least and the greatest value; asked for in one go, SQLite would use no index."""
    oldest, newest = (
        sa.select(pick(time.stored)).select_from(rows.clause).where(condition).scalar_subquery()
        for pick in (sa.func.min, sa.func.max)
    )
    found = db.execute(sa.select(oldest, newest)).one()
    return found[0], found[1]


def _near(text: str) -> tuple[str, str] | None:
    """The days around that of a text, as first and last; None when it begins with no day."""
    try:
        day = date.fromisoformat(text[:10])
        return str(day - timedelta(days=2)), f"{day + timedelta(days=2)}~"
    except (ValueError, OverflowError):
        return None


# --- Types ---


def _field(name: str, declared: str) -> Field:
    stored = column(name)
    signs = next((signs for signs in _DECLARED if any(sign in declared for sign in signs)), ())
    return Field(name, declared, stored, stored, _DECLARED.get(signs, to_array), _family(declared))


def _family(declared: str) -> Family:
    """The family of a declared type; times are texts or numbers that only the gate understands."""
    found = (family for sign, family in _FAMILIES if sign in declared)
    return next(found, "other")


def _booleans(values: Sequence[Any]) -> pa.Array:
    """0 and 1, which is how SQLite writes them; anything else as it is."""
    if all(value in (0, 1, None) for value in values):
        return pa.array([None if value is None else bool(value) for value in values], pa.bool_())
    return to_array(values)


def _floats(values: Sequence[Any]) -> pa.Array:
    """SQLite writes 2.0 as 2 where a column was declared a decimal."""
    plain = to_array(values)
    return plain.cast(pa.float64()) if pa.types.is_integer(plain.type) else plain


def _moments(values: Sequence[Any]) -> pa.Array:
    """Text of times as times, whichever of them all can be; numbers as they are."""
    plain = to_array(values)
    if not pa.types.is_string(plain.type):
        return plain
    for kind in (pa.date32(), pa.timestamp("us"), pa.timestamp("us", "UTC")):
        try:
            return plain.cast(kind)
        except pa.ArrowInvalid:
            continue
    return plain


_DECLARED: dict[tuple[str, ...], ToArrow] = {
    ("BOOL",): _booleans,
    ("DATE", "TIME"): _moments,
    ("REAL", "FLOA", "DOUB", "DEC", "NUMERIC"): _floats,
}
_FAMILIES: tuple[tuple[str, Family], ...] = (
    ("BOOL", "boolean"), ("DATE", "other"), ("TIME", "other"),
    *((sign, "fraction") for sign in ("REAL", "FLOA", "DOUB", "DEC", "NUMERIC")),
    ("INT", "whole"), ("CHAR", "text"), ("CLOB", "text"), ("TEXT", "text"),
)  # fmt: skip
_STORED: dict[Family, list[str]] = {
    "whole": ["integer"], "fraction": ["integer", "real"], "text": ["text"],
    "other": ["integer", "real", "text", "blob"],
}  # fmt: skip
