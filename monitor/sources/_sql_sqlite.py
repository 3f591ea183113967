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

_ISO_DAY = "[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]*"
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
    return SQLite(engine, str(path), (), timeout)


class SQLite(Database):
    """Every row of a window comes through this process, where the reservoir keeps some.

    Nothing is shipped by that: the file is read here in any case. Times are numbers since 1970 or
    text that begins with a day (2026-07-01); the database looks up the days around a window, and
    the gate, which knows offsets and clocks, lets in what is inside.
    """

    def fields(self, db: sa.Connection, rows: Rows, time: str | None) -> list[Field]:
        declared: dict[str, str] = {}
        if rows.table is not None:
            found = sa.inspect(db).get_columns(rows.table, rows.schema)
            declared = {known["name"]: str(known["type"]).upper() for known in found}
        return [
            _field(name, "TIMESTAMP" if name == time else declared.get(name, ""))
            for name, _ in self.names(db, rows)
        ]

    def inside(self, time: Field, within: Range, zone: ZoneInfo) -> Condition:
        return sa.or_(self._texts(time, within), *self._numbers(time, within))

    def untimed(self, time: Field) -> Condition:
        return sa.not_(sa.or_(_is_number(time.stored), _is_day(time.stored)))

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
        """The sum of a 128-bit hash of each row."""
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

    def _begin(self, db: sa.Connection) -> None:
        connection = db.connection.driver_connection
        assert isinstance(connection, sqlite3.Connection)
        watch = db.info["watch"] = _Stopwatch(self.timeout_s)
        connection.set_progress_handler(watch.is_over, _STEPS)
        db.exec_driver_sql("PRAGMA query_only=ON")
        db.exec_driver_sql("BEGIN")

    def _restart(self, db: sa.Connection) -> None:
        db.info["watch"].restart()

    def _texts(self, time: Field, within: Range) -> Condition:
        """A day on both sides, and one more: no offset is longer."""
        start, end = (moment.date() for moment in within.instants())
        day = timedelta(days=2)
        low = start - day if start - date.min > day else date.min
        high = end + day if date.max - end > day else date.max
        text = sa.func.typeof(time.stored) == "text"
        return sa.and_(text, time.stored >= str(low), time.stored < f"{high}~")

    def _numbers(self, time: Field, within: Range) -> Iterator[Condition]:
        wide = Range(within.start_us - 1, within.end_us + 1)  # whole numbers are not rounded
        for low, high in wide.numbers(whole=False):
            inside = sa.and_(time.stored >= low, time.stored < high)
            yield sa.and_(_is_number(time.stored), inside)

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
        if name == "SQLITE_ERROR":
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


def _is_number(stored: sa.ColumnElement[Any]) -> Condition:
    return sa.func.typeof(stored).in_(["integer", "real"])


def _is_day(stored: sa.ColumnElement[Any]) -> Condition:
    text = sa.func.typeof(stored) == "text"
    return sa.and_(text, stored.op("GLOB", is_comparison=True)(_ISO_DAY))


def _ends(db: sa.Connection, rows: Rows, time: Field, condition: Condition) -> tuple[Any, Any]:
    ends = sa.select(sa.func.min(time.stored), sa.func.max(time.stored))
    oldest, newest = db.execute(ends.select_from(rows.clause).where(condition)).one()
    return oldest, newest


def _near(text: str) -> tuple[str, str] | None:
    """The days around that of a text, as first and last; None when it begins with no day."""
    try:
        day = date.fromisoformat(text[:10])
        return str(day - timedelta(days=3)), f"{day + timedelta(days=3)}~"
    except (ValueError, OverflowError):
        return None


# --- Types ---


def _field(name: str, declared: str) -> Field:
    stored = column(name)
    signs = next((signs for signs in _DECLARED if any(sign in declared for sign in signs)), ())
    return Field(name, declared, stored, stored, _DECLARED.get(signs, to_array))


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
