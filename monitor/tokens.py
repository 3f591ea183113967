"""What opens the service: how a token is made, what its owner shows, and what is kept of it."""

import secrets
from collections.abc import Collection
from datetime import datetime, timedelta
from hashlib import sha256

from monitor.core.people import Scope, Token
from monitor.errors import AskedWrongly

NAME_CHARS = 80
TOKEN_PREFIX = "dm"
_SECRET_BYTES = 32


def new_token(
    name: str, scopes: Collection[Scope], at: datetime, who: str, lasts: timedelta | None
) -> tuple[Token, str]:
    """A token, and what its owner shows; AskedWrongly for one that makes no sense."""
    if not name.strip() or len(name) > NAME_CHARS:
        raise AskedWrongly(f"a token has a name of 1 to {NAME_CHARS} characters")
    if not scopes:
        raise AskedWrongly("a token without scopes opens nothing", hint=f"of {', '.join(Scope)}")
    if lasts is not None and lasts <= timedelta(0):
        raise AskedWrongly("a token lasts longer than no time")
    token_id, secret = secrets.token_hex(6), secrets.token_urlsafe(_SECRET_BYTES)
    token = Token(
        id=token_id,
        name=name.strip(),
        scopes=frozenset(scopes),
        digest=digest_of(secret),
        made_at=at,
        made_by=who,
        expires_at=at + lasts if lasts is not None else None,
    )
    return token, f"{TOKEN_PREFIX}_{token_id}_{secret}"


def digest_of(secret: str) -> str:
    """What is kept of a secret with 256 random bits; nobody guesses one, so no salt is needed."""
    return sha256(secret.encode()).hexdigest()
