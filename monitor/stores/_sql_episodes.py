"""Episodes, retrain requests and references in a SQL database."""

from collections.abc import Collection, Sequence
from math import inf
from typing import Any

import sqlalchemy as sa

from monitor.core.consequences import Cause, Episode, RetrainRequest
from monitor.core.wire import plain
from monitor.ledger import Before
from monitor.ports import StoredReference
from monitor.stores._sql_engine import Part
from monitor.stores._sql_rows import Row, insert, newest_of, record_of, row_of, window_of
from monitor.stores._sql_tables import OPEN, episodes, references, retrain_requests


class Episodes(Part):
    """What goes on, what was asked for because of it, and what it is held against."""

    def open_episodes(self, monitor: str | None = None) -> list[Episode]:
        query = sa.select(episodes).where(OPEN)
        if monitor is not None:
            query = query.where(episodes.c.monitor == monitor)
        rows = self._database.rows(query.order_by(episodes.c.opened_at, episodes.c.id))
        return [_episode(row) for row in rows]

    def get_episode(self, episode_id: str) -> Episode | None:
        rows = self._database.rows(sa.select(episodes).where(episodes.c.id == episode_id))
        return _episode(rows[0]) if rows else None

    def newest_episodes(
        self,
        monitor: str | None = None,
        *,
        is_open: bool | None = None,
        before: Before = None,
        limit: int = 50,
    ) -> list[Episode]:
        query = newest_of(episodes, episodes.c.opened_at, before, limit)
        if monitor is not None:
            query = query.where(episodes.c.monitor == monitor)
        if is_open is not None:
            query = query.where(OPEN if is_open else ~OPEN)
        return [_episode(row) for row in self._database.rows(query)]

    def last_retrain(self, monitor: str) -> RetrainRequest | None:
        return next(iter(self.newest_retrains(monitor, limit=1)), None)

    def get_retrain(self, request_id: str) -> RetrainRequest | None:
        query = sa.select(retrain_requests).where(retrain_requests.c.id == request_id)
        rows = self._database.rows(query)
        return _retrain(rows[0]) if rows else None

    def newest_retrains(
        self, monitor: str | None = None, *, before: Before = None, limit: int = 50
    ) -> list[RetrainRequest]:
        query = newest_of(retrain_requests, retrain_requests.c.requested_at, before, limit)
        if monitor is not None:
            query = query.where(retrain_requests.c.monitor == monitor)
        return [_retrain(row) for row in self._database.rows(query)]

    def add_reference(self, reference: StoredReference) -> None:
        with self._database.writing() as db:
            make_current(db, reference.monitor, row_of(reference, references))

    def current_reference(self, monitor: str) -> StoredReference | None:
        return next(iter(self.list_references(monitor)), None)

    def list_references(self, monitor: str) -> list[StoredReference]:
        query = sa.select(references).where(references.c.monitor == monitor)
        rows = self._database.rows(query.order_by(references.c.rank.desc()))
        return [record_of(StoredReference, row) for row in rows]

    def built_lately(self, limit: int) -> list[StoredReference]:
        newest = (references.c.built_at.desc(), references.c.monitor, references.c.rank.desc())
        rows = self._database.rows(sa.select(references).order_by(*newest).limit(limit))
        return [record_of(StoredReference, row) for row in rows]


def open_of(db: sa.Connection, monitor: str) -> Sequence[tuple[str, str]]:
    """(id, last check) of the open episodes of a monitor, in order of id."""
    mine = sa.select(episodes.c.id, episodes.c.last_check).where(
        episodes.c.monitor == monitor, OPEN
    )
    return sorted(tuple(row) for row in db.execute(mine))


def put_episodes(db: sa.Connection, changed: Collection[Episode]) -> None:
    """Resolved ones first, so that their successor finds the place free."""
    for episode in sorted(changed, key=lambda e: e.resolved_by is None):
        row = row_of(episode, episodes) | {"worst": plain(episode.worst)}
        keep = insert(db, episodes).values(row)
        db.execute(keep.on_conflict_do_update(index_elements=["id"], set_=row))


def make_current(db: sa.Connection, monitor: str, row: Row, *, promoted: bool = False) -> None:
    """Give a version of a reference the highest rank; one that is known keeps its record.

    One that is promoted remembers the version that was built before it of what is configured.
    """
    mine = sa.select(references.c.version, references.c.rank, references.c.configured_version)
    mine = mine.where(references.c.monitor == monitor).order_by(references.c.rank.desc())
    last = db.execute(mine.limit(1)).first()
    if last is not None and last.version == row["version"]:
        return
    over = (last.configured_version or last.version) if last and promoted else ""
    place = {
        "rank": last.rank + 1 if last else 1,
        "configured_version": "" if over == row["version"] else over,
    }
    keep = insert(db, references).values({**row, **place})
    known = ["monitor", "version"]
    db.execute(keep.on_conflict_do_update(index_elements=known, set_=place))


def _retrain(row: Row) -> RetrainRequest:
    window = window_of(row) if row["window_start"] else None
    return record_of(RetrainRequest, row, window=window, reasons=tuple(row["reasons"]))


def _episode(row: Row) -> Episode:
    worst: Any = row["worst"]
    return record_of(
        Episode,
        row,
        cause=Cause(row["cause"]),
        columns=tuple(row["columns"]),
        worst=inf if worst is None else worst,
    )
