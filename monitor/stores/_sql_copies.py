"""Everything stored, copied: into a file, out of one, and as plain rows for other programs.

A backup is a SQLite database at the schema of its time, whatever kind of database it was made of,
so what one kind holds can be taken over into the other.
"""

import base64
import os
import sqlite3
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from monitor.errors import AskedWrongly, StoreUnavailable
from monitor.stores._sql_engine import VERSION_TABLE, Database, Part
from monitor.stores._sql_filling import SCHEMA
from monitor.stores._sql_ledger_tables import answers, claims, replicas, sessions, tokens
from monitor.stores._sql_tables import Moment, tables

_PASSING = (sessions, answers, claims, replicas)  # of a running service, and of no use elsewhere
_KEPT = [table for table in tables.sorted_tables if table not in _PASSING]
_AT_ONCE = 200  # rows held in memory
Take = Callable[[str, Mapping[str, str], Iterator[dict[str, Any]]], None]


class Copies(Part):
    """Backup, restore and export, each of the state at one moment."""

    def backup(self, file: Path) -> dict[str, int]:
        if file.exists():
            raise AskedWrongly(f"{file} exists already", hint="name a new file")
        with _unfinished(file) as part:
            if self._database.is_sqlite_file:
                with self._database.reading() as db, closing(sqlite3.connect(part)) as copy:
                    raw: Any = db.connection.driver_connection
                    raw.backup(copy)  # in one step: others may write meanwhile
                    copy.execute("PRAGMA journal_mode=DELETE")  # one file, with nothing beside it
                return _cleared(part)
            with _opened(part) as copy_of, self._database.snapshot() as db:
                return _copy(db, copy_of)

    def restore(self, file: Path) -> dict[str, int]:
        _must_be_a_backup(file)
        with tempfile.TemporaryDirectory() as folder:
            copied = Path(folder) / "copy.db"
            with closing(_to_read(file)) as given, closing(sqlite3.connect(copied)) as copy:
                given.backup(copy)
            with _opened(copied) as ours, ours.reading() as source:  # at the newest schema now
                return self._take_over(source)

    def _take_over(self, source: sa.Connection) -> dict[str, int]:
        with self._database.writing() as db:
            if not _is_empty(db):
                raise AskedWrongly(
                    f"{self._database.place} is not empty, and a backup replaces nothing",
                    hint="name an empty store under `store:` in the configuration",
                )
            return _copy_rows(source, db)

    def export(self, take: Take) -> None:
        with self._database.snapshot() as db:
            for table in _KEPT:
                shown = [c for c in table.c if c is not tokens.c.digest]
                take(table.name, {c.name: _kind(c) for c in shown}, _plain_rows(db, table, shown))


def _is_empty(db: sa.Connection) -> bool:
    return not any(
        db.execute(sa.select(sa.literal(1)).select_from(t).limit(1)).all() for t in _KEPT
    )


@contextmanager
def _opened(file: Path) -> Iterator[Database]:
    database = Database(f"sqlite:///{file}", Path(), SCHEMA)
    try:
        yield database
    finally:
        database.close()


@contextmanager
def _unfinished(file: Path) -> Iterator[Path]:
    """A new file beside it that takes its place at the end; only its owner may read it."""
    part = file.with_name(f".{file.name}.part")
    try:
        os.close(os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    except OSError as error:
        raise AskedWrongly(f"{file} cannot be written: {error.strerror}") from None
    try:
        yield part
        part.replace(file)
    except sqlite3.Error as error:
        raise StoreUnavailable(f"the backup {file} could not be written: {error}") from None
    finally:
        for beside in ("", "-wal", "-shm", "-journal"):
            part.with_name(part.name + beside).unlink(missing_ok=True)


def _to_read(file: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True)


def _must_be_a_backup(file: Path) -> None:
    try:
        with closing(_to_read(file)) as db:
            known = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?"
            if db.execute(known, (VERSION_TABLE,)).fetchone():
                return
    except sqlite3.Error:
        pass
    raise AskedWrongly(f"{file} is no backup of a store", hint="`monitor backup FILE` writes one")


def _cleared(file: Path) -> dict[str, int]:
    """A copy without what passes; rows by table."""
    with _opened(file) as copy:
        with copy.writing() as db:
            for table in _PASSING:
                db.execute(sa.delete(table))
        with copy.reading() as db:
            count = sa.func.count()
            found = {
                t.name: db.execute(sa.select(count).select_from(t)).scalar_one() for t in _KEPT
            }
        copy.leave_one_file()
    return found


def _copy(source: sa.Connection, into: Database) -> dict[str, int]:
    with into.writing() as db:
        found = _copy_rows(source, db)
    into.leave_one_file()
    return found


def _copy_rows(source: sa.Connection, db: sa.Connection) -> dict[str, int]:
    found = {}
    for table in _KEPT:
        found[table.name] = 0
        for rows in _batches(source, sa.select(table)):
            db.execute(sa.insert(table), [dict(row) for row in rows])
            found[table.name] += len(rows)
    if db.dialect.name == "postgresql":  # numbers go on after those that were taken over
        db.exec_driver_sql(
            "SELECT setval(pg_get_serial_sequence('outbox', 'place'), max(place)) FROM outbox"
        )
    return found


def _batches(db: sa.Connection, query: sa.Select[Any]) -> Iterator[list[sa.RowMapping]]:
    found = db.execution_options(yield_per=_AT_ONCE).execute(query).mappings()
    for rows in found.partitions():
        yield list(rows)


# --- Plain rows ---


def _kind(column: sa.Column[Any]) -> str:
    """What a column holds: text, integer, number, boolean, time, json or bytes (in base 64)."""
    kinds: tuple[tuple[type[Any], str], ...] = (
        (Moment, "time"),
        (sa.Boolean, "boolean"),
        (sa.Integer, "integer"),
        (sa.Float, "number"),
        (sa.LargeBinary, "bytes"),
        (sa.JSON, "json"),
    )
    its = column.type
    inner = getattr(its, "impl_instance", its)
    return next(
        (kind for of, kind in kinds if isinstance(its, of) or isinstance(inner, of)), "text"
    )


def _plain_rows(
    db: sa.Connection, table: sa.Table, shown: list[sa.Column[Any]]
) -> Iterator[dict[str, Any]]:
    for rows in _batches(db, sa.select(*shown).order_by(*table.primary_key.columns)):
        for row in rows:
            yield {name: _plain(value) for name, value in row.items()}


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, bytes | memoryview):
        return base64.b64encode(value).decode()
    return value
