"""A store in a SQL database: SQLite unless told otherwise, or PostgreSQL.

Reading never waits for writing. In SQLite a writer takes the write lock before it looks (BEGIN
IMMEDIATE), so two processes queue instead of locking each other out half-way; in PostgreSQL
unique keys and conditional updates decide who was first.
"""

from collections.abc import Mapping, Sequence
from dataclasses import fields
from datetime import UTC, datetime, timedelta
from math import inf
from pathlib import Path
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from monitor.core.records import (
    Cause,
    Check,
    Episode,
    EpisodeChange,
    Message,
    RetrainRequest,
    Window,
)
from monitor.core.wire import check_from_json, check_to_json, plain
from monitor.errors import StoreConflict, StoreUnavailable
from monitor.ports import Outcome, StoredCheck, StoredReference, state_token
from monitor.stores._sql_engine import Database
from monitor.stores._sql_tables import (
    OPEN,
    WINDOW,
    Moment,
    checks,
    episodes,
    expectation_results,
    findings,
    outbox,
    references,
    retrain_requests,
    window_summaries,
)

Record = TypeVar("Record")
Row = Mapping[Any, Any]


def make(url: str, root: Path) -> "SqlStore":
    """The store at a SQLAlchemy URL, at the newest schema; SQLite paths are relative to `root`.

    Raises ConfigError when the URL cannot be used, StoreUnavailable when the database cannot.
    """
    return SqlStore(Database(url, root))


class SqlStore:
    """`ports.Store` over one database; safe for threads and for several processes."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def close(self) -> None:
        self._database.close()

    def save(self, outcome: Outcome) -> bool:
        row = _check_row(outcome)
        document = row["document"]
        with self._database.writing() as db:
            before = _state(db, row["monitor"])
            if not _add(db, checks, row):
                _must_be_known(db, row, self._database.place)
                return False
            if outcome.based_on not in (None, before):
                raise StoreConflict(f"{row['monitor']} was decided on by another check meanwhile")
            _add_all(db, findings, _finding_rows(row["id"], document))
            _add_all(db, expectation_results, _expectation_rows(row["id"], document))
            if outcome.summaries is not None:
                _add(db, window_summaries, {"check_id": row["id"], "content": outcome.summaries})
            _put_episodes(db, outcome.changes)
            if outcome.retrain:
                _add(db, retrain_requests, _retrain_row(outcome.retrain))
            for message in outcome.messages:
                _add(db, outbox, _row(message, outbox))
        return True

    def state(self, monitor: str) -> str:
        with self._database.reading() as db:
            return _state(db, monitor)

    def find_check(self, monitor: str, window: Window) -> StoredCheck | None:
        exactly = (
            checks.c.monitor == monitor,
            checks.c.window_start == window.start,
            checks.c.window_end == window.end,
        )
        query = sa.select(checks).where(*exactly).order_by(checks.c.revision.desc()).limit(1)
        return next(iter(self._checks(query)), None)

    def get_check(self, check_id: str) -> StoredCheck | None:
        return next(iter(self._checks(sa.select(checks).where(checks.c.id == check_id))), None)

    def summaries(self, check_id: str) -> bytes | None:
        query = sa.select(window_summaries).where(window_summaries.c.check_id == check_id)
        rows = self._database.rows(query)
        return bytes(rows[0]["content"]) if rows else None

    def list_checks(
        self, monitor: str | None = None, *, before: datetime | None = None, limit: int = 30
    ) -> list[StoredCheck]:
        query = sa.select(checks).where(_latest_revision())
        if monitor is not None:
            query = query.where(checks.c.monitor == monitor)
        if before is not None:
            query = query.where(checks.c.window_start < before)
        newest = (checks.c.window_start.desc(), checks.c.window_end.desc(), checks.c.monitor)
        return self._checks(query.order_by(*newest).limit(limit))

    def last_window(self, monitor: str) -> Window | None:
        return self._first_of(monitor, checks.c.window_start.desc(), checks.c.window_end.desc())

    def first_window(self, monitor: str) -> Window | None:
        return self._first_of(monitor, checks.c.window_start, checks.c.window_end)

    def _first_of(self, monitor: str, *order: Any) -> Window | None:
        query = sa.select(checks.c.window_start, checks.c.window_end)
        query = query.where(checks.c.monitor == monitor).order_by(*order).limit(1)
        rows = self._database.rows(query)
        return _window(rows[0]) if rows else None

    def open_episodes(self, monitor: str) -> list[Episode]:
        query = sa.select(episodes).where(episodes.c.monitor == monitor, OPEN)
        rows = self._database.rows(query.order_by(episodes.c.opened_at, episodes.c.id))
        return [_episode(row) for row in rows]

    def list_episodes(self, monitor: str | None = None, *, limit: int = 50) -> list[Episode]:
        query = sa.select(episodes).order_by(episodes.c.opened_at.desc(), episodes.c.id)
        if monitor is not None:
            query = query.where(episodes.c.monitor == monitor)
        return [_episode(row) for row in self._database.rows(query.limit(limit))]

    def last_retrain(self, monitor: str) -> RetrainRequest | None:
        return next(iter(self.list_retrains(monitor)), None)

    def list_retrains(self, monitor: str | None = None) -> list[RetrainRequest]:
        newest = (retrain_requests.c.requested_at.desc(), retrain_requests.c.id)
        query = sa.select(retrain_requests).order_by(*newest)
        if monitor is not None:
            query = query.where(retrain_requests.c.monitor == monitor)
        return [_retrain(row) for row in self._database.rows(query)]

    def add_reference(self, reference: StoredReference) -> None:
        query = sa.select(references.c.version, references.c.rank)
        mine = query.where(references.c.monitor == reference.monitor)
        with self._database.writing() as db:
            last = db.execute(mine.order_by(references.c.rank.desc()).limit(1)).first()
            if last is not None and last.version == reference.version:
                return
            row = _row(reference, references) | {"rank": last.rank + 1 if last else 1}
            keep = _insert(db, references).values(row)
            db.execute(
                keep.on_conflict_do_update(
                    index_elements=["monitor", "version"], set_={"rank": row["rank"]}
                )
            )

    def current_reference(self, monitor: str) -> StoredReference | None:
        return next(iter(self.list_references(monitor)), None)

    def list_references(self, monitor: str) -> list[StoredReference]:
        query = sa.select(references).where(references.c.monitor == monitor)
        rows = self._database.rows(query.order_by(references.c.rank.desc()))
        return [_record(StoredReference, row) for row in rows]

    def add_message(self, message: Message, retrain: RetrainRequest | None = None) -> bool:
        with self._database.writing() as db:
            if not _add(db, outbox, _row(message, outbox)):
                return False
            if retrain:
                _add(db, retrain_requests, _retrain_row(retrain))
        return True

    def claim_message(self, now: datetime, lease_s: float) -> Message | None:
        until = now + timedelta(seconds=lease_s)
        due = (
            sa.func.coalesce(outbox.c.next_at, now, type_=Moment) <= now,
            sa.func.coalesce(outbox.c.claimed_until, now, type_=Moment) <= now,
        )
        oldest = (outbox.c.created_at, outbox.c.place)
        query = sa.select(outbox).where(*_first_in_line(), *due).order_by(*oldest).limit(1)
        with self._database.writing() as db:
            while (row := db.execute(query).mappings().first()) is not None:
                claim = sa.update(outbox).where(outbox.c.id == row["id"], _PENDING, *due)
                if db.execute(claim.values(claimed_until=until)).rowcount:
                    return _record(Message, row)
        return None

    def mark_sent(self, message_id: str, now: datetime, receipt: Mapping[str, Any]) -> None:
        self._settle(message_id, "delivered", state="sent", sent_at=now, error="", receipt=receipt)

    def mark_delayed(self, message_id: str, next_at: datetime, error: str) -> None:
        self._settle(message_id, None, next_at=next_at, error=error)

    def mark_failed(self, message_id: str, now: datetime, error: str) -> None:
        self._settle(message_id, "refused", state="failed", failed_at=now, error=error)

    def list_messages(
        self, *, state: str | None = None, episode: str | None = None, limit: int = 200
    ) -> list[Message]:
        query = sa.select(outbox).order_by(outbox.c.created_at, outbox.c.place)
        if state is not None:
            query = query.where(outbox.c.state == state)
        if episode is not None:
            query = query.where(outbox.c.episode == episode)
        return [_record(Message, row) for row in self._database.rows(query.limit(limit))]

    def next_due(self) -> datetime | None:
        due = sa.func.coalesce(outbox.c.next_at, outbox.c.created_at)
        free = sa.case((outbox.c.claimed_until > due, outbox.c.claimed_until), else_=due)
        query = sa.select(sa.func.min(free, type_=Moment).label("due")).where(*_first_in_line())
        moment: datetime | None = self._database.rows(query)[0]["due"]
        return moment

    def _settle(self, message_id: str, request_state: str | None, **values: Any) -> None:
        """End an attempt. A message that is settled stays so: a late answer changes nothing."""
        values |= {"attempts": outbox.c.attempts + 1, "claimed_until": None}
        change = sa.update(outbox).where(outbox.c.id == message_id, _PENDING).values(**values)
        with self._database.writing() as db:
            if db.execute(change).rowcount and request_state:
                request = sa.update(retrain_requests).where(retrain_requests.c.id == message_id)
                db.execute(request.values(state=request_state))

    def _checks(self, query: sa.Select[Any]) -> list[StoredCheck]:
        return [_stored_check(row, self._database.place) for row in self._database.rows(query)]


# --- Statements ---

_PENDING = outbox.c.state == "pending"


def _first_in_line() -> tuple[Any, ...]:
    """Pending, and no earlier message of the same episode and channel is."""
    ahead = outbox.alias("ahead")
    earlier = sa.tuple_(ahead.c.created_at, ahead.c.place) < sa.tuple_(
        outbox.c.created_at, outbox.c.place
    )
    same_line = (ahead.c.episode == outbox.c.episode, ahead.c.channel == outbox.c.channel)
    blocked = sa.exists().where(ahead.c.state == "pending", *same_line, earlier)
    return _PENDING, ~blocked


def _latest_revision() -> Any:
    later = checks.alias("later")
    same = [later.c[name] == checks.c[name] for name in WINDOW[:-1]]
    return ~sa.exists().where(*same, later.c.revision > checks.c.revision)


def _insert(db: sa.Connection, table: sa.Table) -> sqlite.Insert | postgresql.Insert:
    """An insert that can say what happens to a row that is there already."""
    return sqlite.insert(table) if db.dialect.name == "sqlite" else postgresql.insert(table)


def _add(db: sa.Connection, table: sa.Table, row: Row) -> bool:
    """Insert a row; False when that would repeat what must be unique."""
    statement = _insert(db, table).values(dict(row)).on_conflict_do_nothing()
    return db.execute(statement.execution_options(preserve_rowcount=True)).rowcount == 1


def _must_be_known(db: sa.Connection, row: Row, place: str) -> None:
    """A check was refused: right if its window and revision are stored, else its id is taken."""
    same = [checks.c[name] == row[name] for name in WINDOW]
    if db.execute(sa.select(checks.c.id).where(*same)).first() is None:
        raise StoreConflict(f"{place} holds another check with the id {row['id']}")


def _add_all(db: sa.Connection, table: sa.Table, rows: list[dict[str, Any]]) -> None:
    if rows:
        db.execute(sa.insert(table), rows)


def _state(db: sa.Connection, monitor: str) -> str:
    newest = sa.select(sa.func.max(checks.c.window_start)).where(checks.c.monitor == monitor)
    mine = sa.select(episodes.c.id, episodes.c.last_check).where(
        episodes.c.monitor == monitor, OPEN
    )
    open_ones = sorted(tuple(row) for row in db.execute(mine))
    return state_token(db.execute(newest).scalar(), open_ones)


def _put_episodes(db: sa.Connection, changes: Sequence[EpisodeChange]) -> None:
    """Resolved ones first, so that their successor finds the place free."""
    for episode in sorted((c.episode for c in changes), key=lambda e: e.resolved_by is None):
        row = _row(episode, episodes) | {"worst": plain(episode.worst)}
        keep = _insert(db, episodes).values(row)
        db.execute(keep.on_conflict_do_update(index_elements=["id"], set_=row))


# --- Records to rows and back ---


def _row(record: Any, table: sa.Table) -> dict[str, Any]:
    return {c.name: getattr(record, c.name) for c in table.c if hasattr(record, c.name)}


def _record(kind: type[Record], row: Row, **converted: Any) -> Record:
    names = [field.name for field in fields(kind)]  # type: ignore[arg-type]  # every record is one
    return kind(**{name: row[name] for name in names if name in row} | converted)


def _check_row(outcome: Outcome) -> dict[str, Any]:
    check = outcome.check
    if check.monitor is None or check.window is None:
        raise ValueError("only a check of a monitor's window can be stored")
    return _row(check, checks) | {
        "window_start": check.window.start,
        "window_end": check.window.end,
        "revision": outcome.revision,
        "document": check_to_json(check),
        "report": outcome.report,
        "stored_at": datetime.now(UTC),
    }


def _stored_check(row: Row, place: str) -> StoredCheck:
    try:
        check: Check = check_from_json(row["document"])
    except ValueError as error:
        raise StoreUnavailable(f"check {row['id']} in {place} cannot be read: {error}") from None
    return _record(StoredCheck, row, check=check)


def _finding_rows(check_id: str, document: Row) -> list[dict[str, Any]]:
    found = [(None, finding) for finding in document["dataset"]["findings"]]
    found += [(c["name"], finding) for c in document["columns"] for finding in c["findings"]]
    return [
        _part(findings, check_id, position, finding) | {"column": column}
        for position, (column, finding) in enumerate(found)
    ]


def _expectation_rows(check_id: str, document: Row) -> list[dict[str, Any]]:
    results = document["expectations"]["results"] if document["expectations"] else []
    return [
        _part(expectation_results, check_id, position, result)
        for position, result in enumerate(results)
    ]


def _part(table: sa.Table, check_id: str, position: int, values: Row) -> dict[str, Any]:
    kept = {c.name: values[c.name] for c in table.c if c.name in values}
    return kept | {"check_id": check_id, "position": position}


def _retrain_row(request: RetrainRequest) -> dict[str, Any]:
    window = request.window
    return _row(request, retrain_requests) | {
        "window_start": window and window.start,
        "window_end": window and window.end,
    }


def _retrain(row: Row) -> RetrainRequest:
    window = _window(row) if row["window_start"] else None
    return _record(RetrainRequest, row, window=window, reasons=tuple(row["reasons"]))


def _episode(row: Row) -> Episode:
    return _record(
        Episode,
        row,
        cause=Cause(row["cause"]),
        columns=tuple(row["columns"]),
        worst=inf if row["worst"] is None else row["worst"],
    )


def _window(row: Row) -> Window:
    return Window(row["window_start"], row["window_end"])
