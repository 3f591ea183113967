"""What a SQL database tells of itself and of the whole: for metrics, probes and the stall watch."""

from collections.abc import Collection
from datetime import datetime

import sqlalchemy as sa

from monitor.core.consequences import Message
from monitor.stores._sql_engine import Part
from monitor.stores._sql_rows import record_of
from monitor.stores._sql_tables import Moment, checks, outbox


class Vitals(Part):
    """Single numbers and moments."""

    def schema(self) -> tuple[str | None, str]:
        return self._database.schema()

    def last_stored(self) -> datetime | None:
        newest = sa.func.max(checks.c.stored_at, type_=Moment).label("at")
        moment: datetime | None = self._database.rows(sa.select(newest))[0]["at"]
        return moment

    def newest_message(self, kinds: Collection[str]) -> Message | None:
        query = sa.select(outbox).where(outbox.c.kind.in_(list(kinds)))
        rows = self._database.rows(query.order_by(outbox.c.place.desc()).limit(1))
        return record_of(Message, rows[0]) if rows else None
