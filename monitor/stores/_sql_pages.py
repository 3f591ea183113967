"""Long lists in a SQL database, a part at a time: the newest first, by (time, id)."""

from collections.abc import Collection
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from monitor.core.people import AuditEntry, CheckRequest, Deed
from monitor.core.records import Episode, Message, RetrainRequest
from monitor.stores._sql_acts import check_request_of
from monitor.stores._sql_engine import Part
from monitor.stores._sql_episodes import episode_of, retrain_of
from monitor.stores._sql_ledger_tables import audit, check_requests
from monitor.stores._sql_rows import Row, record_of
from monitor.stores._sql_tables import episodes, outbox, retrain_requests

Before = tuple[datetime, str] | None


class Pages(Part):
    """What is listed by those who ask from afar."""

    def page_of_episodes(
        self,
        monitor: str | None = None,
        *,
        is_open: bool | None = None,
        before: Before = None,
        limit: int = 50,
    ) -> list[Episode]:
        query = _newest(episodes, episodes.c.opened_at, before, limit)
        if monitor is not None:
            query = query.where(episodes.c.monitor == monitor)
        if is_open is not None:
            over = episodes.c.resolved_by.is_not(None)
            query = query.where(~over if is_open else over)
        return [episode_of(row) for row in self._database.rows(query)]

    def page_of_retrains(
        self, monitor: str | None = None, *, before: Before = None, limit: int = 50
    ) -> list[RetrainRequest]:
        query = _newest(retrain_requests, retrain_requests.c.requested_at, before, limit)
        if monitor is not None:
            query = query.where(retrain_requests.c.monitor == monitor)
        return [retrain_of(row) for row in self._database.rows(query)]

    def page_of_messages(
        self, *, state: str | None = None, before: Before = None, limit: int = 50
    ) -> list[Message]:
        query = _newest(outbox, outbox.c.created_at, before, limit)
        if state is not None:
            query = query.where(outbox.c.state == state)
        return [record_of(Message, row) for row in self._database.rows(query)]

    def page_of_check_requests(
        self, *, state: str | None = None, before: Before = None, limit: int = 50
    ) -> list[CheckRequest]:
        query = _newest(check_requests, check_requests.c.requested_at, before, limit)
        if state is not None:
            query = query.where(check_requests.c.state == state)
        return [check_request_of(row) for row in self._database.rows(query)]

    def get_check_request(self, request_id: str) -> CheckRequest | None:
        query = sa.select(check_requests).where(check_requests.c.id == request_id)
        rows = self._database.rows(query)
        return check_request_of(rows[0]) if rows else None

    def audit_of(self, subjects: Collection[str]) -> list[AuditEntry]:
        query = sa.select(audit).where(audit.c.subject.in_(list(subjects)))
        rows = self._database.rows(query.order_by(audit.c.at, audit.c.id))
        return [_entry(row) for row in rows]


def _newest(
    table: sa.Table, at: sa.ColumnElement[datetime], before: Before, limit: int
) -> sa.Select[Any]:
    query = sa.select(table).order_by(at.desc(), table.c.id.desc()).limit(limit)
    if before is None:
        return query
    moment, item = before
    return query.where(sa.or_(at < moment, sa.and_(at == moment, table.c.id < item)))


def _entry(row: Row) -> AuditEntry:
    return record_of(AuditEntry, row, deed=Deed(row["deed"]))
