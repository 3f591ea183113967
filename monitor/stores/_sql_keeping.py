"""What grows old in a SQL database: found and forgotten a little at a time."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from monitor.stores._sql_engine import Part
from monitor.stores._sql_ledger_tables import audit, check_requests, silences
from monitor.stores._sql_tables import OPEN, checks, episodes, outbox, window_summaries

# Newest windows of each monitor whose documents stay: the history that a report shows, and how far
# back evidence that gathers is looked for.
DOCUMENTS_KEPT = 30
_FREED_PAGES = 2000  # given back at once
Condition = sa.ColumnElement[bool]


class Keeping(Part):
    """Forgets what is too old, and nothing that is still needed."""

    def count_old(self, kind: str, before: datetime) -> int:
        with self._database.reading() as db:
            counts = (
                db.execute(sa.select(sa.func.count()).select_from(table).where(*old)).scalar_one()
                for table, old in _OLD[kind](before)
            )
            return sum(counts)

    def forget_old(self, kind: str, before: datetime, limit: int) -> int:
        with self._database.writing() as db:
            return sum(_forget(db, kind, table, old, limit) for table, old in _OLD[kind](before))

    def old_reports(self, before: datetime, limit: int) -> list[tuple[str, str]]:
        query = sa.select(checks.c.id, checks.c.report).where(*_old_reports(before))
        rows = self._database.rows(query.order_by(checks.c.window_start).limit(limit))
        return [(row["id"], row["report"]) for row in rows]

    def forget_reports(self, check_ids: list[str]) -> None:
        bare = sa.update(checks).where(checks.c.id.in_(check_ids)).values(report=None)
        with self._database.writing() as db:
            db.execute(bare)

    def compact(self) -> None:
        self._database.compact(_FREED_PAGES)


def _forget(
    db: sa.Connection, kind: str, table: sa.Table, old: tuple[Condition, ...], limit: int
) -> int:
    key = next(iter(table.primary_key.columns))
    oldest = sa.select(key).where(*old).order_by(*_AGE[table.name]).limit(limit)
    found = db.execute(oldest).scalars().all()
    if not found:
        return 0
    chosen = key.in_(found)
    if kind == "documents":
        db.execute(sa.update(table).where(chosen).values(document=sa.JSON.NULL))
    else:
        db.execute(sa.delete(table).where(chosen))
    return len(found)


# --- What is old ---


def _of_old_windows(before: datetime) -> tuple[Condition, ...]:
    """Checks of windows that ended before, and were not just made up for."""
    ended = checks.c.window_start < before, checks.c.window_end < before  # the first has an index
    return *ended, checks.c.stored_at < before


def _named_by_open_episode() -> Condition:
    named = sa.union(
        sa.select(episodes.c.opened_by).where(OPEN), sa.select(episodes.c.last_check).where(OPEN)
    )
    return checks.c.id.in_(named)


def _newest(place: int) -> sa.ScalarSelect[Any]:
    """Where the place-th newest check of the same monitor starts; NULL when it has fewer."""
    other = checks.alias("other")
    mine = sa.select(other.c.window_start).where(other.c.monitor == checks.c.monitor)
    return mine.order_by(other.c.window_start.desc()).limit(1).offset(place - 1).scalar_subquery()


def _old_checks(before: datetime) -> tuple[Condition, ...]:
    """The newest check of a monitor says where its schedule goes on."""
    older = checks.c.window_start < _newest(1)
    return *_of_old_windows(before), older, ~_named_by_open_episode()


def _old_reports(before: datetime) -> tuple[Condition, ...]:
    return checks.c.report.is_not(None), *_old_checks(before)


def _old_documents(before: datetime) -> tuple[Condition, ...]:
    has_one = sa.cast(checks.c.document, sa.Text) != "null"
    older = checks.c.window_start < _newest(DOCUMENTS_KEPT)
    return *_of_old_windows(before), has_one, older, ~_named_by_open_episode()


def _old_summaries(before: datetime) -> tuple[Condition, ...]:
    of_old = sa.select(checks.c.id).where(*_old_checks(before))
    return (window_summaries.c.check_id.in_(of_old),)


def _old_messages(before: datetime) -> tuple[Condition, ...]:
    """Later messages of an open episode answer to the receipts of its first."""
    settled = outbox.c.state != "pending"
    of_open = sa.select(episodes.c.id).where(OPEN)
    free = sa.or_(outbox.c.episode.is_(None), outbox.c.episode.not_in(of_open))
    return settled, outbox.c.created_at < before, free


_Old = tuple[tuple[sa.Table, tuple[Condition, ...]], ...]
_OLD: dict[str, Callable[[datetime], _Old]] = {
    "checks": lambda before: ((checks, _old_checks(before)),),
    "documents": lambda before: ((checks, _old_documents(before)),),
    "summaries": lambda before: ((window_summaries, _old_summaries(before)),),
    "reports": lambda before: ((checks, _old_reports(before)),),
    "messages": lambda before: ((outbox, _old_messages(before)),),
    "audit": lambda before: (
        (audit, (audit.c.at < before,)),
        (silences, (silences.c.end < before,)),
        (
            check_requests,
            (check_requests.c.state != "pending", check_requests.c.requested_at < before),
        ),
    ),
}
_AGE: dict[str, tuple[Any, ...]] = {
    "checks": (checks.c.window_start,),
    "window_summaries": (window_summaries.c.check_id,),
    "outbox": (outbox.c.created_at,),
    "audit": (audit.c.at,),
    "silences": (silences.c.end,),
    "check_requests": (check_requests.c.requested_at,),
}
