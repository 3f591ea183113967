"""Which process is at what, in a SQL database: a claim is taken by a conditional write."""

from datetime import datetime, timedelta

import sqlalchemy as sa

from monitor.core.people import Replica
from monitor.core.records import Window
from monitor.stores._sql_engine import Part
from monitor.stores._sql_ledger_tables import claims, replicas
from monitor.stores._sql_rows import add, insert, record_of, row_of, window_of

_FORGOTTEN = timedelta(days=1)


class Claims(Part):
    """Windows that are being looked at, and the processes that look."""

    def claim_window(
        self, monitor: str, window: Window, holder: str, now: datetime, until: datetime
    ) -> bool:
        row = {"monitor": monitor, "window_start": window.start, "window_end": window.end}
        row |= {"holder": holder, "until": until}
        absurd = until + (until - now)  # of a process whose clock was ahead
        free = sa.or_(claims.c.until <= now, claims.c.holder == holder, claims.c.until > absurd)
        take = sa.update(claims).where(*_exactly(monitor, window), free)
        with self._database.writing() as db:
            if add(db, claims, row):
                return True
            taken = db.execute(take.values(holder=holder, until=until))
            return taken.rowcount == 1

    def release_window(self, monitor: str, window: Window, holder: str) -> None:
        mine = sa.delete(claims).where(*_exactly(monitor, window), claims.c.holder == holder)
        with self._database.writing() as db:
            db.execute(mine)

    def claimed_windows(self, now: datetime) -> list[tuple[str, Window, str]]:
        query = sa.select(claims).where(claims.c.until > now).order_by(claims.c.window_start)
        rows = self._database.rows(query)
        return [(row["monitor"], window_of(row), row["holder"]) for row in rows]

    def beat(self, replica: Replica) -> None:
        row = row_of(replica, replicas) | {"parts": list(replica.parts)}
        unseen = replicas.c.seen_at < replica.seen_at - _FORGOTTEN
        absurd = replicas.c.seen_at > replica.seen_at + _FORGOTTEN  # its clock was ahead
        old = sa.delete(replicas).where(sa.or_(unseen, absurd))
        with self._database.writing() as db:
            keep = insert(db, replicas).values(row)
            db.execute(keep.on_conflict_do_update(index_elements=["id"], set_=row))
            db.execute(old)

    def leave(self, replica_id: str) -> None:
        with self._database.writing() as db:
            db.execute(sa.delete(claims).where(claims.c.holder == replica_id))
            db.execute(sa.delete(replicas).where(replicas.c.id == replica_id))

    def replicas(self) -> list[Replica]:
        query = sa.select(replicas).order_by(replicas.c.started_at.desc(), replicas.c.id)
        rows = self._database.rows(query)
        return [record_of(Replica, row, parts=tuple(row["parts"])) for row in rows]


def _exactly(monitor: str, window: Window) -> tuple[sa.ColumnElement[bool], ...]:
    return (
        claims.c.monitor == monitor,
        claims.c.window_start == window.start,
        claims.c.window_end == window.end,
    )
