"""Records to rows and back, and the statements that every part of the SQL store makes."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from monitor.core.records import Window
from monitor.ledger import Before
from monitor.stores._sql_tables import Moment

Record = TypeVar("Record")
Row = Mapping[Any, Any]


def row_of(record: Any, table: sa.Table) -> dict[str, Any]:
    """The fields of a record that its table has, with its window in two columns."""
    row = {c.name: getattr(record, c.name) for c in table.c if hasattr(record, c.name)}
    if "window_start" in table.c:
        window = record.window
        row |= {"window_start": window and window.start, "window_end": window and window.end}
    return row


def record_of(kind: type[Record], row: Row, /, **converted: Any) -> Record:
    known, names = dict(row), kind.__dataclass_fields__  # type: ignore[attr-defined]  # a record
    return kind(**{name: known[name] for name in names if name in known} | converted)


def newest_of(
    table: sa.Table, at: sa.ColumnElement[datetime], before: Before, limit: int
) -> sa.Select[Any]:
    """Rows of a table, the newest first; only those before an item."""
    query = sa.select(table).order_by(at.desc(), table.c.id.desc()).limit(limit)
    if before is None:
        return query
    moment, item = before
    return query.where(sa.or_(at < moment, sa.and_(at == moment, table.c.id < item)))


def window_of(row: Row) -> Window:
    return Window(row["window_start"], row["window_end"])


def insert(db: sa.Connection, table: sa.Table) -> sqlite.Insert | postgresql.Insert:
    """An insert that can say what happens to a row that is there already."""
    return sqlite.insert(table) if db.dialect.name == "sqlite" else postgresql.insert(table)


def add(db: sa.Connection, table: sa.Table, row: Row) -> bool:
    """Insert a row; False when that would repeat what must be unique."""
    statement = insert(db, table).values(dict(row)).on_conflict_do_nothing()
    return db.execute(statement.execution_options(preserve_rowcount=True)).rowcount == 1


def add_all(db: sa.Connection, table: sa.Table, rows: list[dict[str, Any]]) -> None:
    if rows:
        db.execute(sa.insert(table), rows)


def changed(db: sa.Connection, statement: sa.Update | sa.Delete) -> bool:
    """Run it; whether it met a row."""
    return db.execute(statement).rowcount > 0


def unclaimed(table: sa.Table, now: datetime, until: datetime) -> sa.ColumnElement[bool]:
    """That nobody holds a row, or whoever did is late; or had a clock that was ahead."""
    held = table.c.claimed_until
    over = sa.func.coalesce(held, now, type_=Moment) <= now
    return sa.or_(over, held > until + (until - now))


def claim_first(
    db: sa.Connection,
    table: sa.Table,
    query: sa.Select[Any],
    free: Sequence[sa.ColumnElement[bool]],
    until: datetime,
) -> Row | None:
    """Claim the first row of a query for as long as rows are `free`; None when none is left."""
    while (row := db.execute(query.limit(1)).mappings().first()) is not None:
        claim = sa.update(table).where(table.c.id == row["id"], *free)
        if changed(db, claim.values(claimed_until=until)):
            return row
    return None
