"""Rows of PostgreSQL: its types, its clock, its own way to draw a sample."""

import math
import random
from collections.abc import Iterator, Sequence
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa
import sqlalchemy as sa

from monitor.core.aggregates import Family, Found
from monitor.core.windows import Span
from monitor.errors import AskedWrongly, MonitorError, SourceUnreadable
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
from monitor.tables.stretches import Range

_PORT = 5432
_INSTANT = sa.TIMESTAMP(timezone=True)
_LOCAL = sa.TIMESTAMP(timezone=False)
_KEEPALIVES = {"keepalives_idle": 30, "keepalives_interval": 10, "keepalives_count": 3}
# Values become the same text whatever the server, the role or the database have set.
_SETTINGS = {
    "TimeZone": "UTC",
    "DateStyle": "ISO",
    "IntervalStyle": "postgres",
    "extra_float_digits": "1",
    "bytea_output": "hex",
    "synchronize_seqscans": "off",  # a scan that begins in the middle would draw other rows
    "cursor_tuple_fraction": "1",  # every row is fetched
}


def open_postgresql(url: sa.URL, timeout: Span) -> Database:
    """The database at an address; nothing is connected yet."""
    address = url.set(drivername="postgresql+psycopg")
    waits = {} if "connect_timeout" in url.query else {"connect_timeout": CONNECT_S}
    try:
        engine = sa.create_engine(
            address,
            poolclass=sa.NullPool,
            connect_args={"client_encoding": "utf8", **_KEEPALIVES, **waits},
        ).execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
    except ModuleNotFoundError as error:
        raise AskedWrongly(
            f"rows of PostgreSQL need {error.name}, which is not installed",
            hint="install drift-monitor[postgres]",
        ) from None
    return PostgreSQL(engine, _place(url), _secrets(url), timeout)


class PostgreSQL(Database):
    """A sample is drawn by the server.

    A table with a primary key: the rows with the smallest seeded hashes of their keys, so the same
    rows make the same sample in whatever order they lie. Without one (also a view or a query):
    every row by a seeded coin that favours a few too many; the same as long as the rows lie as they
    lay and the server reads them the same way.
    """

    computes = frozenset(["min", "max", "sum", "mean", "deviation", "distinct", Found])

    def fields(self, db: sa.Connection, rows: Rows, time: str | None) -> list[Field]:
        return [_field(name, oid) for name, oid in self.names(db, rows)]

    def inside(self, time: Field, within: Range, zone: ZoneInfo) -> Condition:
        """Exactly the rows of the range."""
        return sa.or_(sa.false(), *self._stretches(time, within, zone))

    def untimed(self, time: Field) -> Condition:
        return time.stored.is_(None)

    def edges(
        self, db: sa.Connection, rows: Rows, time: Field, within: Range, zone: ZoneInfo
    ) -> Iterator[pa.Table]:
        for stretch in self._stretches(time, within, zone):
            ends = sa.select(sa.func.min(time.stored), sa.func.max(time.stored))
            found = db.execute(ends.select_from(rows.clause).where(stretch)).one()
            yield pa.table({time.name: time.to_arrow(tuple(found))})

    def drawn(
        self, db: sa.Connection, rows: Rows, query: sa.Select[Any], condition: Condition, draw: Draw
    ) -> tuple[sa.Select[Any], int | None]:
        count = self.count(db, rows, condition)
        if count <= draw.limit:
            return query, count
        share = _enough(draw.limit) / count
        keys = self._keys(db, rows)
        if keys:
            hashed = _hash(keys, draw.seed)
            few = query if share >= 1 else query.where(hashed < _threshold(share))
            return few.order_by(hashed).limit(draw.limit), count
        coin = random.Random(draw.seed).uniform(-1, 1)
        db.execute(sa.select(sa.func.setseed(sa.cast(coin, sa.Double))))
        return query.where(sa.func.random() < share), count

    def digest(self, db: sa.Connection, rows: Rows, fields: Sequence[Field]) -> str:
        """Two sums of 64-bit hashes, each of a whole row written as text."""
        row = sa.cast(sa.func.row(*(field.stored for field in fields)), sa.Text)
        sums = [sa.func.sum(sa.cast(_hash([row], seed), sa.Numeric)) for seed in (0, 1)]
        found = db.execute(sa.select(sa.func.count(), *sums).select_from(rows.clause)).one()
        return " ".join(str(value or 0) for value in found)

    def plain(self, field: Field) -> sa.ColumnElement[Any]:
        """What is no number is equal to itself here, and found by that; texts are their bytes."""
        if field.family in ("fraction", "decimal"):
            number: sa.ColumnElement[Any] = sa.cast(field.value, sa.Double)
            return sa.func.nullif(number, sa.literal(math.nan, number.type))
        if field.family == "day":
            return sa.cast(field.value, _LOCAL)
        return sa.collate(field.value, "C") if field.family == "text" else field.value

    def doubtful(self, field: Field) -> Condition:
        return sa.false()

    def _begin(self, db: sa.Connection) -> None:
        """Only for this transaction; the pool of a proxy hands the connection to others."""
        wait_ms = str(max(1, round(self.timeout_s * 1000)))
        asked = {**_SETTINGS, "statement_timeout": wait_ms}
        db.execute(sa.select(*(sa.func.set_config(k, v, True) for k, v in asked.items())))

    def _restart(self, db: sa.Connection) -> None:
        """The server does so by itself."""

    def _keys(self, db: sa.Connection, rows: Rows) -> list[sa.ColumnElement[Any]]:
        if rows.table is None:
            return []
        found = sa.inspect(db).get_pk_constraint(rows.table, rows.schema)["constrained_columns"]
        return [column(name) for name in found]

    def _stretches(self, time: Field, within: Range, zone: ZoneInfo) -> list[Condition]:
        stored = time.stored
        numbers = {"bigint": sa.BigInteger, "double precision": sa.Double, "numeric": sa.Numeric}
        if time.kind == "timestamp with time zone":
            return [_between(stored, within.instants(), _INSTANT)]
        if time.kind == "timestamp":
            return [_between(stored, within.local(zone), _LOCAL)]
        if time.kind == "date":
            return [_between(stored, within.days(zone), sa.Date())]
        if time.kind in numbers:
            bound = numbers[time.kind]()
            found = within.numbers(whole=time.kind == "bigint")
            return [_between(stored, stretch, bound) for stretch in found]
        raise AskedWrongly(
            f"column {time.name!r} tells no time: its type is {time.kind}",
            hint="write a `query` that casts it: SELECT *, created::timestamptz AS at FROM ...",
        )

    # --- Errors ---

    def _is_unknown_table(self, error: sa.exc.SQLAlchemyError, rows: Rows) -> bool:
        return rows.table is not None and _state(error) in ("42P01", "3F000")

    def _judged(self, error: sa.exc.SQLAlchemyError, reason: str, rows: Rows) -> MonitorError:
        state = _state(error)
        if state == "57014":
            return self._too_slow(rows)
        if state == "25006":
            return self._writes(rows)
        if state == "42501":
            return SourceUnreadable(f"{self.place}: {reason}", hint="grant this user SELECT on it")
        if state.startswith(("42", "0A")):  # a mistake, or what the server does not know to do
            return AskedWrongly(f"the {rows.place} cannot be run by {self.place}: {reason}")
        if state.startswith("22"):  # its text quotes a value
            reason = reason.partition(': "')[0]
        return self._unreadable(reason)


def _state(error: sa.exc.SQLAlchemyError) -> str:
    return getattr(getattr(error, "orig", None), "sqlstate", None) or ""


# --- Address ---


def _place(url: sa.URL) -> str:
    """Host, port and database, which people may see; never who connects, nor how."""
    host = url.host or _option(url, "host") or "localhost"
    port = url.port or _option(url, "port") or _PORT
    return f"postgresql://{host}:{port}/{url.database or _option(url, 'dbname') or ''}"


def _option(url: sa.URL, name: str) -> str:
    value = url.query.get(name, "")
    return value if isinstance(value, str) else ",".join(value)


def _secrets(url: sa.URL) -> list[str]:
    """What no message may repeat; an option may be a path to a key, or hold a password."""
    shown = {"host", "port", "dbname"}
    options = [_option(url, name) for name in url.query if name not in shown]
    return [
        str(url.password or ""),
        str(url.username or ""),
        *(text for text in options if len(text) > 3),
    ]


# --- Types ---


def _field(name: str, oid: int) -> Field:
    stored = column(name)
    kind = _KINDS.get(oid)
    if kind is None:  # an enumeration, uuid, json, an array ...: as the server writes it
        return Field(name, _type_name(oid), stored, sa.cast(stored, sa.Text), _texts)
    told, to_arrow = kind
    value, family = _tellable(stored, told), _FAMILIES.get(oid, "other")
    return Field(name, told, stored, value, to_arrow, family)


def _tellable(stored: sa.ColumnElement[Any], kind: str) -> sa.ColumnElement[Any]:
    """Null where Python has no such value: infinity, the years before 1 and after 9999, 24:00."""
    if kind not in _LIMITS:
        return stored
    of_type, first, last = _LIMITS[kind]
    inside = stored.between(sa.literal(first, of_type), sa.literal(last, of_type))
    return sa.case((inside, stored))


def _as(kind: pa.DataType) -> ToArrow:
    return lambda values: pa.array(values, kind)


def _texts(values: Sequence[Any]) -> pa.Array:
    return pa.array(values, pa.string())


def _decimals(values: Sequence[Any]) -> pa.Array:
    return pa.array([None if value is None else float(value) for value in values], pa.float64())


_WHOLE, _FLOAT = ("bigint", _as(pa.int64())), "double precision"
_TEXT = ("text", _texts)
_KINDS: dict[int, tuple[str, ToArrow]] = {
    16: ("boolean", _as(pa.bool_())),
    17: ("bytea", _as(pa.binary())),
    18: _TEXT,
    19: _TEXT,
    20: _WHOLE,
    21: _WHOLE,
    23: _WHOLE,
    25: _TEXT,
    26: _WHOLE,
    700: (_FLOAT, _as(pa.float32())),
    701: (_FLOAT, _as(pa.float64())),
    1042: _TEXT,
    1043: _TEXT,
    1082: ("date", _as(pa.date32())),
    1083: ("time", _as(pa.time64("us"))),
    1114: ("timestamp", _as(pa.timestamp("us"))),
    1184: ("timestamp with time zone", _as(pa.timestamp("us", "UTC"))),
    1700: ("numeric", _decimals),
}
# Floats of 32 bits are compared in 32 bits once they are here, and blanks at the end of a
# character(n) count there: nothing but whether they are missing is asked of them.
_FAMILIES: dict[int, Family] = {
    16: "boolean", 20: "whole", 21: "whole", 23: "whole", 25: "text", 701: "fraction",
    1043: "text", 1082: "day", 1114: "local", 1184: "moment", 1700: "decimal",
}  # fmt: skip
_LIMITS: dict[str, tuple[sa.types.TypeEngine[Any], Any, Any]] = {
    "date": (sa.Date(), date.min, date.max),
    "time": (sa.Time(), time.min, time.max),
    "timestamp": (_LOCAL, datetime.min, datetime.max),
    "timestamp with time zone": (_INSTANT, *Range().instants()),
}


def _type_name(oid: int) -> str:
    import psycopg

    known = psycopg.adapters.types.get(oid)
    return known.name if known else f"number {oid}"


# --- Conditions ---


def _between(
    stored: sa.ColumnElement[Any], ends: tuple[Any, Any], kind: sa.types.TypeEngine[Any]
) -> Condition:
    if type(kind) is sa.Numeric:  # a float would be cut to 15 digits on its way
        ends = Decimal(ends[0]), Decimal(ends[1])
    low, high = (sa.literal(end, kind) for end in ends)
    return sa.and_(stored >= low, stored < high)


def _enough(limit: int) -> float:
    """How many rows a coin should favour so that fewer than `limit` never happens.

    Twelve standard deviations; a computer breaks more often.
    """
    return limit + 12 * math.sqrt(limit) + 40


def _hash(values: Sequence[sa.ColumnElement[Any]], seed: int) -> sa.ColumnElement[Any]:
    """A whole number of 64 bits, any of them equally likely."""
    texts = [sa.cast(value, sa.Text) for value in values]
    joined = texts[0] if len(texts) == 1 else sa.func.concat_ws("\x1f", *texts)
    exact = sa.collate(joined, "C")
    return sa.func.hashtextextended(exact, sa.cast(seed % 2**63, sa.BigInteger))


def _threshold(share: float) -> sa.ColumnElement[Any]:
    return sa.literal(round(share * 2**64) - 2**63, sa.BigInteger)
