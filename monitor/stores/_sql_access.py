"""Tokens and sessions in a SQL database; of secrets there are digests only."""

from datetime import datetime

import sqlalchemy as sa

from monitor.core.people import Scope, Session, Token
from monitor.stores._sql_engine import Part
from monitor.stores._sql_ledger_tables import sessions, tokens
from monitor.stores._sql_rows import Row, add, record_of, row_of


class Access(Part):
    """Who may come in."""

    def find_token(self, token_id: str) -> Token | None:
        rows = self._database.rows(sa.select(tokens).where(tokens.c.id == token_id))
        return _token(rows[0]) if rows else None

    def list_tokens(self) -> list[Token]:
        newest = (tokens.c.made_at.desc(), tokens.c.id)
        return [_token(row) for row in self._database.rows(sa.select(tokens).order_by(*newest))]

    def touch_token(self, token_id: str, at: datetime) -> None:
        with self._database.writing() as db:
            db.execute(sa.update(tokens).where(tokens.c.id == token_id).values(used_at=at))

    def add_session(self, session: Session) -> None:
        with self._database.writing() as db:
            db.execute(sa.delete(sessions).where(sessions.c.expires_at <= session.made_at))
            add(db, sessions, row_of(session, sessions))

    def find_session(self, digest: str) -> Session | None:
        rows = self._database.rows(sa.select(sessions).where(sessions.c.digest == digest))
        return record_of(Session, rows[0]) if rows else None

    def drop_session(self, digest: str) -> None:
        with self._database.writing() as db:
            db.execute(sa.delete(sessions).where(sessions.c.digest == digest))


def _token(row: Row) -> Token:
    return record_of(Token, row, scopes=frozenset(map(Scope, row["scopes"])))
