"""Deeds of people in a SQL database: each with its audit entry and all that follows from it."""

from collections.abc import Callable, Collection
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from monitor.core.people import (
    Acknowledgement,
    Answer,
    AuditEntry,
    CheckRequest,
    Deed,
    Silence,
    SilenceKind,
)
from monitor.errors import StoreConflict
from monitor.ledger import Act, Before, Once
from monitor.stores._sql_engine import Part
from monitor.stores._sql_episodes import make_current, put_episodes
from monitor.stores._sql_ledger_tables import (
    acknowledgements,
    answers,
    audit,
    check_requests,
    silences,
    tokens,
)
from monitor.stores._sql_rows import (
    Row,
    add,
    changed,
    claim_first,
    newest_of,
    record_of,
    row_of,
    unclaimed,
    window_of,
)
from monitor.stores._sql_tables import episodes, outbox, references, retrain_requests

ANSWERS_KEPT = timedelta(days=2)
_SETTLED = ("succeeded", "failed")


class Acts(Part):
    """What people did, and what holds because of it."""

    def act(self, act: Act, once: Once | None = None) -> Once | None:
        with self._database.writing() as db:
            if once is not None:
                db.execute(sa.delete(answers).where(answers.c.at < once.at - ANSWERS_KEPT))
                if not add(db, answers, row_of(once, answers)):
                    return _answered(db, once)
            if not add(db, audit, row_of(act.entry, audit)):
                raise StoreConflict(f"there is an audit entry {act.entry.id} already")
            for part, apply in _APPLIED.items():
                if (value := getattr(act, part)) is not None:
                    apply(db, act, value)
            for message in act.messages:
                add(db, outbox, row_of(message, outbox))
        return None

    def answered(self, key: str, asker: str) -> Once | None:
        same = (answers.c.key == key, answers.c.asker == asker)
        rows = self._database.rows(sa.select(answers).where(*same))
        return record_of(Once, rows[0]) if rows else None

    def audit(
        self, monitor: str | None = None, *, before: Before = None, limit: int = 50
    ) -> list[AuditEntry]:
        query = newest_of(audit, audit.c.at, before, limit)
        if monitor is not None:
            query = query.where(audit.c.monitor == monitor)
        return [_entry(row) for row in self._database.rows(query)]

    def audit_of(self, subjects: Collection[str]) -> list[AuditEntry]:
        query = sa.select(audit).where(audit.c.subject.in_(list(subjects)))
        rows = self._database.rows(query.order_by(audit.c.at, audit.c.id))
        return [_entry(row) for row in rows]

    def acknowledgements(self, episodes: Collection[str]) -> dict[str, Acknowledgement]:
        query = sa.select(acknowledgements).where(acknowledgements.c.episode.in_(list(episodes)))
        found = [record_of(Acknowledgement, row) for row in self._database.rows(query)]
        return {one.episode: one for one in found}

    def silences(self, *, since: datetime | None = None) -> list[Silence]:
        query = sa.select(silences).order_by(silences.c.start.desc(), silences.c.id)
        if since is not None:
            unlifted = sa.func.coalesce(silences.c.lifted_at, silences.c.end) > since
            query = query.where(silences.c.end > since, unlifted)
        return [_silence(row) for row in self._database.rows(query)]

    def get_check_request(self, request_id: str) -> CheckRequest | None:
        query = sa.select(check_requests).where(check_requests.c.id == request_id)
        rows = self._database.rows(query)
        return _check_request(rows[0]) if rows else None

    def newest_check_requests(
        self, *, state: str | None = None, before: Before = None, limit: int = 50
    ) -> list[CheckRequest]:
        query = newest_of(check_requests, check_requests.c.requested_at, before, limit)
        if state is not None:
            query = query.where(check_requests.c.state == state)
        return [_check_request(row) for row in self._database.rows(query)]

    def oldest_check_requests(
        self, *, state: str | None = None, limit: int = 200
    ) -> list[CheckRequest]:
        query = sa.select(check_requests)
        if state is not None:
            query = query.where(check_requests.c.state == state)
        oldest = (check_requests.c.requested_at, check_requests.c.id)
        rows = self._database.rows(query.order_by(*oldest).limit(limit))
        return [_check_request(row) for row in rows]

    def claim_check_request(self, now: datetime, until: datetime) -> CheckRequest | None:
        free = (check_requests.c.state == "pending", unclaimed(check_requests, now, until))
        oldest = (check_requests.c.requested_at, check_requests.c.id)
        query = sa.select(check_requests).where(*free).order_by(*oldest)
        with self._database.writing() as db:
            row = claim_first(db, check_requests, query, free, until)
        return _check_request(row) if row else None

    def settle_check_request(self, request_id: str, *, check: str | None, error: str = "") -> None:
        state = "done" if check else "failed"
        mine = (check_requests.c.id == request_id, check_requests.c.state == "pending")
        settle = sa.update(check_requests).where(*mine)
        with self._database.writing() as db:
            db.execute(settle.values(state=state, check=check, error=error))


# --- What a deed changes; each raises StoreConflict when it does not fit what is stored ---


def _acknowledge(db: sa.Connection, act: Act, given: Acknowledgement) -> None:
    here = sa.select(episodes.c.id).where(
        episodes.c.id == given.episode, episodes.c.resolved_by.is_(None)
    )
    if db.execute(here).first() is None:
        raise StoreConflict(f"episode {given.episode} is over")
    if not add(db, acknowledgements, row_of(given, acknowledgements)):
        raise StoreConflict(f"episode {given.episode} is acknowledged already")


def _resolve(db: sa.Connection, act: Act, ended: Any) -> None:
    """Only as it was read: a check that changed it meanwhile is not undone."""
    same = (
        episodes.c.id == ended.id,
        episodes.c.resolved_by.is_(None),
        episodes.c.last_check == ended.last_check,
    )
    if db.execute(sa.select(episodes.c.id).where(*same).with_for_update()).first() is None:
        raise StoreConflict(f"episode {ended.id} is over, or another check has changed it")
    put_episodes(db, [ended])


def _silence_for(db: sa.Connection, act: Act, given: Silence) -> None:
    add(db, silences, row_of(given, silences))


def _lift(db: sa.Connection, act: Act, silence_id: str) -> None:
    lasting = (
        silences.c.id == silence_id,
        silences.c.lifted_at.is_(None),
        silences.c.end > act.entry.at,
    )
    if not changed(db, sa.update(silences).where(*lasting).values(lifted_at=act.entry.at)):
        raise StoreConflict(f"silence {silence_id} is over already")


def _want(db: sa.Connection, act: Act, wanted: CheckRequest) -> None:
    add(db, check_requests, row_of(wanted, check_requests))


def _ask(db: sa.Connection, act: Act, request: Any) -> None:
    add(db, retrain_requests, row_of(request, retrain_requests))


def _take_answer(db: sa.Connection, act: Act, answer: Answer) -> None:
    """What succeeded or failed is settled; the same answer again changes nothing."""
    values = {
        "state": answer.state,
        "answered_at": answer.at,
        "answer": answer.text,
        "model_version": answer.model_version,
        "new_reference": answer.reference,
    }
    open_one = (
        retrain_requests.c.id == answer.request,
        retrain_requests.c.state.not_in(_SETTLED),
    )
    if not changed(db, sa.update(retrain_requests).where(*open_one).values(**values)):
        raise StoreConflict(f"retrain request {answer.request} is settled already")


def _promote(db: sa.Connection, act: Act, version: str) -> None:
    monitor = act.entry.monitor or ""
    mine = (references.c.monitor == monitor, references.c.version == version)
    row = db.execute(sa.select(references).where(*mine)).mappings().first()
    if row is None:
        raise StoreConflict(f"{monitor} has no reference {version}")
    make_current(db, monitor, row, promoted=True)


def _make_token(db: sa.Connection, act: Act, token: Any) -> None:
    row = row_of(token, tokens) | {"scopes": sorted(token.scopes)}
    if not add(db, tokens, row):
        raise StoreConflict(f"there is a token {token.id} already")


def _revoke(db: sa.Connection, act: Act, token_id: str) -> None:
    good = (tokens.c.id == token_id, tokens.c.revoked_at.is_(None))
    if not changed(db, sa.update(tokens).where(*good).values(revoked_at=act.entry.at)):
        raise StoreConflict(f"token {token_id} is revoked already")


def _resend(db: sa.Connection, act: Act, message_id: str) -> None:
    failed = (outbox.c.id == message_id, outbox.c.state == "failed")
    again: dict[str, Any] = {"state": "pending", "next_at": None, "failed_at": None}
    again |= {"attempts": 0, "created_at": act.entry.at}  # patience is counted anew
    if not changed(db, sa.update(outbox).where(*failed).values(**again)):
        raise StoreConflict(f"message {message_id} was not given up")


_APPLIED: dict[str, Callable[[sa.Connection, Act, Any], None]] = {
    "acknowledged": _acknowledge,
    "resolved": _resolve,
    "silence": _silence_for,
    "lifted": _lift,
    "wanted": _want,
    "retrain": _ask,
    "answer": _take_answer,
    "promoted": _promote,
    "token": _make_token,
    "revoked": _revoke,
    "resent": _resend,
}


# --- Rows ---


def _answered(db: sa.Connection, once: Once) -> Once:
    same = (answers.c.key == once.key, answers.c.asker == once.asker)
    return record_of(Once, db.execute(sa.select(answers).where(*same)).mappings().one())


def _silence(row: Row) -> Silence:
    return record_of(Silence, row, kind=SilenceKind(row["kind"]))


def _entry(row: Row) -> AuditEntry:
    return record_of(AuditEntry, row, deed=Deed(row["deed"]))


def _check_request(row: Row) -> CheckRequest:
    return record_of(CheckRequest, row, window=window_of(row))
