"""The outbox in a SQL database: messages are claimed by a conditional update and settled once."""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from monitor.core.consequences import Message
from monitor.core.digests import DIGEST
from monitor.ledger import Before
from monitor.stores._sql_engine import Part
from monitor.stores._sql_rows import add, claim_first, newest_of, record_of, row_of, unclaimed
from monitor.stores._sql_tables import Moment, outbox, retrain_requests

_PENDING = outbox.c.state == "pending"


class Outbox(Part):
    """What is to be said, and what became of it."""

    def add_message(self, message: Message) -> bool:
        with self._database.writing() as db:
            return add(db, outbox, row_of(message, outbox))

    def channels_told(self, episode: str) -> set[str]:
        query = sa.select(outbox.c.channel).where(outbox.c.episode == episode).distinct()
        return {row["channel"] for row in self._database.rows(query)}

    def gather(
        self, channel: str, now: datetime, make: Callable[[list[Message]], Message]
    ) -> Message | None:
        due = sa.func.coalesce(outbox.c.next_at, now, type_=Moment) <= now
        waiting = (outbox.c.channel == channel, outbox.c.kind != DIGEST, _PENDING, due)
        query = sa.select(outbox).where(*waiting).order_by(outbox.c.created_at, outbox.c.place)
        with self._database.writing() as db:
            rows = db.execute(query.with_for_update()).mappings().all()
            if not rows:
                return None
            digest = make([record_of(Message, row) for row in rows])
            add(db, outbox, row_of(digest, outbox))
            told = sa.update(outbox).where(outbox.c.place.in_([row["place"] for row in rows]))
            receipt = {"digest": digest.id}
            db.execute(told.values(state="sent", sent_at=now, claimed_until=None, receipt=receipt))
        return digest

    def claim_message(self, now: datetime, lease_s: float) -> Message | None:
        until = now + timedelta(seconds=lease_s)
        is_due = sa.func.coalesce(outbox.c.next_at, now, type_=Moment) <= now
        free = (_PENDING, is_due, unclaimed(outbox, now, until))
        oldest = (outbox.c.created_at, outbox.c.place)
        query = sa.select(outbox).where(*_first_in_line(), *free).order_by(*oldest)
        with self._database.writing() as db:
            row = claim_first(db, outbox, query, free, until)
        return record_of(Message, row) if row else None

    def mark_sent(self, message_id: str, now: datetime, receipt: Mapping[str, Any]) -> None:
        self._settle(message_id, "delivered", state="sent", sent_at=now, error="", receipt=receipt)

    def mark_delayed(self, message_id: str, next_at: datetime, error: str) -> None:
        self._settle(message_id, None, next_at=next_at, error=error)

    def mark_failed(self, message_id: str, now: datetime, error: str) -> None:
        self._settle(message_id, "refused", state="failed", failed_at=now, error=error)

    def get_message(self, message_id: str) -> Message | None:
        rows = self._database.rows(sa.select(outbox).where(outbox.c.id == message_id))
        return record_of(Message, rows[0]) if rows else None

    def newest_messages(
        self, *, state: str | None = None, before: Before = None, limit: int = 50
    ) -> list[Message]:
        query = newest_of(outbox, outbox.c.created_at, before, limit)
        if state is not None:
            query = query.where(outbox.c.state == state)
        return [record_of(Message, row) for row in self._database.rows(query)]

    def oldest_messages(
        self, *, state: str | None = None, episode: str | None = None, limit: int = 200
    ) -> list[Message]:
        query = sa.select(outbox).order_by(outbox.c.created_at, outbox.c.place)
        if state is not None:
            query = query.where(outbox.c.state == state)
        if episode is not None:
            query = query.where(outbox.c.episode == episode)
        return [record_of(Message, row) for row in self._database.rows(query.limit(limit))]

    def count_messages(self) -> dict[str, int]:
        query = sa.select(outbox.c.state, sa.func.count().label("count")).group_by(outbox.c.state)
        return {row["state"]: row["count"] for row in self._database.rows(query)}

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
                request = sa.update(retrain_requests).where(
                    retrain_requests.c.id == message_id,
                    retrain_requests.c.answered_at.is_(None),  # its own word is worth more
                )
                db.execute(request.values(state=request_state))


def _first_in_line() -> tuple[Any, ...]:
    """Pending, and no earlier message of the same episode and channel is."""
    ahead = outbox.alias("ahead")
    earlier = sa.tuple_(ahead.c.created_at, ahead.c.place) < sa.tuple_(
        outbox.c.created_at, outbox.c.place
    )
    same_line = (ahead.c.episode == outbox.c.episode, ahead.c.channel == outbox.c.channel)
    blocked = sa.exists().where(ahead.c.state == "pending", *same_line, earlier)
    return _PENDING, ~blocked
