"""What people do about tokens: make, rotate, revoke."""

from collections.abc import Collection
from dataclasses import replace
from datetime import timedelta

from monitor.core.people import Deed, Scope, Token
from monitor.deeds.planning import Actor, Planning
from monitor.errors import UnknownName
from monitor.ledger import Act
from monitor.tokens import new_token


class TokenDeeds(Planning):
    """One who has a token may do what its scopes say, until it ends."""

    def make_token(
        self,
        actor: Actor,
        name: str,
        scopes: Collection[Scope],
        why: str,
        *,
        lasts: timedelta | None = None,
    ) -> tuple[Act, str]:
        """A new token, and what its owner shows; that is told once and kept nowhere."""
        entry = self._entry(actor, Deed.TOKEN_MADE, "", why, None)
        token, shown = new_token(name, scopes, entry.at, entry.who, lasts)
        told = {"name": token.name, "scopes": sorted(token.scopes)}
        return Act(replace(entry, subject=token.id, details=told), token=token), shown

    def rotate_token(self, actor: Actor, token_id: str, why: str) -> tuple[Act, str]:
        """A new token in place of one that ends at once."""
        old = self._token(token_id)
        lasts = old.expires_at - old.made_at if old.expires_at else None
        act, shown = self.make_token(actor, old.name, old.scopes, why, lasts=lasts)
        told = {**act.entry.details, "instead_of": old.id}
        return replace(act, entry=replace(act.entry, details=told), revoked=old.id), shown

    def revoke_token(self, actor: Actor, token_id: str, why: str) -> Act:
        """Let a token in no more; the sessions it began end with it."""
        token = self._token(token_id)
        entry = self._entry(actor, Deed.TOKEN_REVOKED, token.id, why, None)
        return Act(replace(entry, details={"name": token.name}), revoked=token.id)

    def _token(self, token_id: str) -> Token:
        token = self._store.find_token(token_id)
        if token is None:
            raise UnknownName("token", token_id, [t.id for t in self._store.list_tokens()])
        return token
