"""What the SQL source needs of a database, and what is the same for every one of them."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, ClassVar
from zoneinfo import ZoneInfo

import pyarrow as pa
import sqlalchemy as sa
from sqlalchemy.sql.elements import quoted_name

from monitor.core.aggregates import Family, Found, Measure
from monitor.core.windows import Span
from monitor.errors import AskedWrongly, MonitorError, SourceUnreadable, UnknownName, nearest
from monitor.tables.stretches import Range

BATCH_ROWS = 50_000
CONNECT_S = 10  # to wait for a server, or for a lock, unless the address says otherwise
_MASK = "***"
_LISTED = 30  # names shown in a message

Condition = sa.ColumnElement[bool]
ToArrow = Callable[[Sequence[Any]], pa.Array]


@dataclass(frozen=True, slots=True, eq=False)
class Field:
    """One column of the rows: how it is asked for, and how what comes becomes Arrow."""

    name: str
    kind: str  # the database's own name of its type
    stored: sa.ColumnElement[Any]
    value: sa.ColumnElement[Any]  # what is asked for: the stored value made safe to carry
    to_arrow: ToArrow
    family: Family = "other"  # what can be asked of its values


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """What is read from: a table, or the answer to a query."""

    place: str  # for people
    clause: sa.FromClause
    schema: str | None = None
    table: str | None = None  # None: a query

    def select(self, fields: Sequence[Field]) -> sa.Select[Any]:
        values = [field.value.label(_exactly(field.name)) for field in fields]
        return sa.select(*values).select_from(self.clause)

    @classmethod
    def of_table(cls, place: str, schema: str | None, table: str) -> "Rows":
        named = sa.table(_exactly(table), schema=None if schema is None else _exactly(schema))
        return cls(place, named, schema, table)

    @classmethod
    def of_query(cls, place: str, query: str) -> "Rows":
        """The query as it was written: a colon in it is a colon, not a parameter."""
        text = query.strip(" \t\r\n;").replace(":", "\\:")
        # On lines of its own, or a comment at its end would swallow what comes after.
        return cls(place, sa.text(f"\n{text}\n").columns().subquery("answer"))


@dataclass(frozen=True, slots=True)
class Draw:
    """A uniform random sample of at most `limit` rows, fixed by `seed`."""

    limit: int
    seed: int


class Database(ABC):
    """One database, read and never written. Every block of `reading` is one transaction.

    Connections are not kept: a source is read once a window, and a connection that lies about
    for an hour is one that breaks.
    """

    computes: ClassVar[frozenset[Measure | type[Found]]]  # of what not every database knows

    def __init__(self, engine: sa.Engine, place: str, secrets: Sequence[str], timeout: Span):
        self.engine = engine
        self.place = place
        self._secrets = sorted(filter(None, secrets), key=len, reverse=True)
        self._timeout = timeout

    @property
    def timeout_s(self) -> float:
        return self._timeout.duration.total_seconds()

    @contextmanager
    def reading(self, rows: Rows) -> Iterator[sa.Connection]:
        """One read-only transaction that sees one state of the database throughout.

        Raises AskedWrongly for what the configuration has wrong, SourceUnreadable for the rest.
        """
        try:
            with self.engine.connect() as db, db.begin():
                self._begin(db)
                yield db
        except (sa.exc.DBAPIError, sa.exc.TimeoutError) as error:
            unknown = self._is_unknown_table(error, rows)
            told = self._no_such_table(rows) if unknown else self._told(error, rows)
            raise told from None
        except UnicodeDecodeError:
            raise self._unreadable("it holds text that is not UTF-8") from None
        except pa.ArrowException as error:
            raise self._unreadable(self._discreet(str(error))) from None

    def stream(
        self, db: sa.Connection, query: sa.Select[Any], fields: Sequence[Field]
    ) -> Iterator[pa.Table]:
        """The answer in batches, first of all an empty one; the server keeps what is not read."""
        yield pa.table({field.name: field.to_arrow([]) for field in fields})
        self._restart(db)
        options = {"stream_results": True, "yield_per": BATCH_ROWS}
        with db.execute(query, execution_options=options) as answer:
            for part in answer.partitions():
                columns = zip(*part, strict=True)
                arrays = {f.name: f.to_arrow(c) for f, c in zip(fields, columns, strict=True)}
                yield pa.table(arrays)
                self._restart(db)

    def names(self, db: sa.Connection, rows: Rows) -> list[tuple[str, Any]]:
        """Every column with what the driver says of its type; no row is read."""
        self._restart(db)
        everything: sa.Select[Any] = (
            sa.select(sa.literal_column("*")).select_from(rows.clause).limit(0)
        )
        with db.execute(everything) as answer:
            described = [(str(column[0]), column[1]) for column in answer.cursor.description]
        repeated = {n for n, _ in described if [m for m, _ in described].count(n) > 1}
        if repeated:
            raise AskedWrongly(
                f"two columns of the {rows.place} have the same name: {', '.join(repeated)}",
                hint="rename one of them with AS",
            )
        return described

    def count(self, db: sa.Connection, rows: Rows, condition: Condition) -> int:
        self._restart(db)
        query = sa.select(sa.func.count()).select_from(rows.clause).where(condition)
        return int(db.execute(query).scalar_one())

    # --- What differs from database to database ---

    @abstractmethod
    def fields(self, db: sa.Connection, rows: Rows, time: str | None) -> list[Field]:
        """The columns of the rows; `time` is the one that tells when a row happened."""

    @abstractmethod
    def inside(self, time: Field, within: Range, zone: ZoneInfo) -> Condition:
        """Holds for every row whose time lies in a range, and perhaps for some others.

        AskedWrongly when a column of this type tells no time.
        """

    @abstractmethod
    def untimed(self, time: Field) -> Condition:
        """Holds for rows without a time."""

    @abstractmethod
    def edges(
        self, db: sa.Connection, rows: Rows, time: Field, within: Range, zone: ZoneInfo
    ) -> Iterator[pa.Table]:
        """Times of rows of a range, the oldest and the newest among them; others may be outside."""

    @abstractmethod
    def drawn(
        self, db: sa.Connection, rows: Rows, query: sa.Select[Any], condition: Condition, draw: Draw
    ) -> tuple[sa.Select[Any], int | None]:
        """The query for a few more rows than the draw needs, chosen uniformly, and how many rows
        there are to choose from; the query as it is, and None, where all must be looked at."""

    @abstractmethod
    def digest(self, db: sa.Connection, rows: Rows, fields: Sequence[Field]) -> str:
        """A text that changes with the values of the rows and not with their order."""

    @abstractmethod
    def plain(self, field: Field) -> sa.ColumnElement[Any]:
        """The value that an aggregate takes, of the field's family; null where it is missing."""

    @abstractmethod
    def doubtful(self, field: Field) -> Condition:
        """Holds for values that are not of the family their column was declared with."""

    @abstractmethod
    def _begin(self, db: sa.Connection) -> None:
        """Settings of a transaction that was just opened."""

    @abstractmethod
    def _restart(self, db: sa.Connection) -> None:
        """A new statement begins, or a new batch of one: the time it may take starts anew."""

    # --- Errors ---

    @abstractmethod
    def _judged(self, error: sa.exc.SQLAlchemyError, reason: str, rows: Rows) -> MonitorError:
        """What a failure of the driver means, `reason` being its text without secrets."""

    @abstractmethod
    def _is_unknown_table(self, error: sa.exc.SQLAlchemyError, rows: Rows) -> bool: ...

    def _told(self, error: sa.exc.SQLAlchemyError, rows: Rows) -> MonitorError:
        lines = str(getattr(error, "orig", None) or error).strip().splitlines()
        return self._judged(error, self._discreet(lines[0] if lines else "no reason given"), rows)

    def _discreet(self, text: str) -> str:
        for secret in self._secrets:
            text = text.replace(secret, _MASK)
        return text[:300]

    def _too_slow(self, rows: Rows) -> SourceUnreadable:
        return SourceUnreadable(
            f"{self.place} took longer than {self._timeout} to answer about the {rows.place}",
            hint="give the time column an index, or set a longer `timeout`",
        )

    def _unreadable(self, reason: str) -> SourceUnreadable:
        return SourceUnreadable(f"{self.place} cannot be read: {reason}")

    def _writes(self, rows: Rows) -> AskedWrongly:
        return AskedWrongly(
            f"the {rows.place} writes; rows are only ever read", hint="write a SELECT"
        )

    def _no_such_table(self, rows: Rows) -> MonitorError:
        """Says what there is instead."""
        assert rows.table is not None
        with self.reading(Rows(rows.place, rows.clause)) as db:
            known = sa.inspect(db)
            schemas = known.get_schema_names()
            if rows.schema is not None and rows.schema not in schemas:
                return UnknownName("schema", rows.schema, _some(rows.schema, schemas))
            there = [*known.get_table_names(rows.schema), *known.get_view_names(rows.schema)]
        return UnknownName(f"table in {self.place}", rows.table, _some(rows.table, there))


def column(name: str) -> sa.ColumnElement[Any]:
    """A column by exactly this name: always quoted, so that no name is ever read as SQL."""
    return sa.column(_exactly(name))


def _exactly(name: str) -> quoted_name:
    return quoted_name(name, quote=True)


def _some(name: str, known: Sequence[str]) -> Sequence[str]:
    """As many names as can be read, the nearest among them."""
    near = nearest(name, known)
    return list(dict.fromkeys([*([near] if near else []), *sorted(known)]))[:_LISTED]
