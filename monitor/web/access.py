"""Who may come in: tokens for programs, sessions for browsers, everybody on a lone machine.

1. A program shows its token with every request: `Authorization: Bearer dm_...`.
2. A browser signs in with a token once and has a session from then on, by a cookie that no script
   can read. What it sends by a form must carry a mark that only our own pages know.
3. While no token was ever made and only this machine can reach the service, whoever sits at it may
   do everything. The first token closes that door.
"""

import hmac
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from hashlib import sha256
from urllib.parse import parse_qs, urlsplit

from fastapi import Request

from monitor.core.people import Deed, Scope, Session, Token, allows
from monitor.desk import TOKEN_PREFIX, Actor, Desk, digest_of
from monitor.errors import AskedWrongly
from monitor.ports import Clock, Store

COOKIE = "monitor_session"
SESSION_LASTS = timedelta(days=14)
MARK = "mark"  # the field of a form that tells it from one on a stranger's page
FORM_BYTES = 64_000
_USED_EVERY = timedelta(minutes=1)
_LONE_HOSTS = {"localhost", "127.0.0.1", "::1"}


class NotSignedIn(AskedWrongly):
    """Nobody we know: show a token, or sign in with one."""


class NotAllowed(AskedWrongly):
    """Somebody we know, whose token does not allow this."""


@dataclass(frozen=True, slots=True)
class Visitor:
    """Whoever asks, and what they may."""

    name: str
    scopes: frozenset[Scope]
    via: str  # page, api
    token: str  # id; empty on a lone machine
    mark: str = ""  # for the forms of their pages

    @property
    def actor(self) -> Actor:
        return Actor(self.name, self.via)

    def may(self, scope: Scope) -> bool:
        return allows(self.scopes, scope)


Asks = Callable[[Request], Awaitable[Visitor]]


class Gate:
    """Lets requests in, or raises NotSignedIn or NotAllowed."""

    def __init__(self, store: Store, desk: Desk, clock: Clock, *, lone: bool) -> None:
        """`lone`: the service listens to this machine alone."""
        self._store = store
        self._desk = desk
        self._clock = clock
        self._lone = lone
        self._secret = secrets.token_bytes(32)  # marks the forms of a lone machine

    def api(self, scope: Scope) -> Asks:
        """A program that may do this."""

        async def ask(request: Request) -> Visitor:
            visitor = self._lone_visitor(request, "api") or self._bearer(request)
            if request.method not in ("GET", "HEAD"):
                _no_stranger_page(request)
            return _allowed(visitor, scope)

        return ask

    def page(self, scope: Scope) -> Asks:
        """A person who may see this."""

        async def ask(request: Request) -> Visitor:
            return _allowed(self._person(request), scope)

        return ask

    def form(self, scope: Scope) -> Asks:
        """A person who may do this, by a form of one of our own pages."""

        async def ask(request: Request) -> Visitor:
            visitor = _allowed(self._person(request), scope)
            _no_stranger_page(request)
            fields = await form_of(request)
            if not hmac.compare_digest(fields.get(MARK, "").encode(), visitor.mark.encode()):
                raise NotAllowed(
                    "this form is not from one of our pages, or the page is old",
                    hint="load the page again and repeat it",
                )
            return visitor

        return ask

    def sign_in(self, shown: str) -> str:
        """Begin a session; what its cookie holds. Raises NotSignedIn."""
        token = self._token(shown.strip())
        cookie = secrets.token_urlsafe(32)
        now = self._clock()
        ends = min(now + SESSION_LASTS, token.expires_at or now + SESSION_LASTS)
        self._store.add_session(Session(digest_of(cookie), token.id, now, ends))
        self._desk.note(Actor(token.name, "page"), Deed.SIGNED_IN, token.id)
        return cookie

    def sign_out(self, request: Request, visitor: Visitor) -> None:
        if cookie := request.cookies.get(COOKIE):
            self._store.drop_session(digest_of(cookie))
            self._desk.note(visitor.actor, Deed.SIGNED_OUT, visitor.token)

    @property
    def is_open(self) -> bool:
        """Whether no token is asked for."""
        return self._lone and not self._store.list_tokens()

    # --- Who is it? ---

    def _lone_visitor(self, request: Request, via: str) -> Visitor | None:
        """Whoever sits at this machine. A name that only seems to lead here is not let in: a page
        elsewhere could have it lead to this machine."""
        if not self.is_open:
            return None
        if _host_of(request.headers.get("host", "")) not in _LONE_HOSTS:
            raise NotAllowed(
                "this service listens to its own machine alone",
                hint="open it as http://127.0.0.1, or make a token: `monitor token make`",
            )
        mark = hmac.new(self._secret, b"mark", sha256).hexdigest()
        return Visitor("somebody at this machine", frozenset({Scope.ADMIN}), via, "", mark)

    def _bearer(self, request: Request) -> Visitor:
        kind, _, shown = request.headers.get("authorization", "").partition(" ")
        if kind.lower() != "bearer":
            raise NotSignedIn("a token is needed", hint="send it as `Authorization: Bearer dm_...`")
        token = self._token(shown.strip())
        return Visitor(token.name, token.scopes, "api", token.id)

    def _person(self, request: Request) -> Visitor:
        if (visitor := self._lone_visitor(request, "page")) is not None:
            return visitor
        cookie = request.cookies.get(COOKIE, "")
        session = self._store.find_session(digest_of(cookie)) if cookie else None
        if session is None or session.expires_at <= self._clock():
            raise NotSignedIn("sign in with a token")
        token = self._store.find_token(session.token)
        if token is None or not token.is_good(self._clock()):
            raise NotSignedIn("the token of this session is revoked or over")
        mark = hmac.new(cookie.encode(), b"mark", sha256).hexdigest()
        return Visitor(token.name, token.scopes, "page", token.id, mark)

    def _token(self, shown: str) -> Token:
        """The token somebody shows; one that is wrong in any way is told in the same words."""
        prefix, _, rest = shown.partition("_")
        token_id, _, secret = rest.partition("_")
        token = self._store.find_token(token_id) if prefix == TOKEN_PREFIX else None
        digest = token.digest if token else ""
        fits = hmac.compare_digest(digest_of(secret), digest)
        if token is None or not fits or not token.is_good(self._clock()):
            raise NotSignedIn("this token is unknown, revoked or over")
        now = self._clock()
        if token.used_at is None or now - token.used_at >= _USED_EVERY:
            self._store.touch_token(token.id, now)
        return token


async def form_of(request: Request) -> dict[str, str]:
    """The fields of a form as a browser sends it by itself."""
    body = await request.body()
    if len(body) > FORM_BYTES:
        raise AskedWrongly("this form is too large")
    fields = parse_qs(body.decode("utf-8", "replace"), keep_blank_values=True, max_num_fields=100)
    return {name: values[-1] for name, values in fields.items()}


def _allowed(visitor: Visitor, scope: Scope) -> Visitor:
    if not visitor.may(scope):
        has = ", ".join(sorted(visitor.scopes))
        raise NotAllowed(f"this needs a token with the scope {scope}; this one has {has}")
    return visitor


def _no_stranger_page(request: Request) -> None:
    """A browser says which page a request is from; ours must be on the same host."""
    site = request.headers.get("sec-fetch-site", "")  # old browsers do not say
    origin = urlsplit(request.headers.get("origin", "")).netloc
    foreign = bool(origin) and origin != request.headers.get("host", "")
    if site not in ("", "same-origin", "none") or (not site and foreign):
        raise NotAllowed("a page elsewhere may not do this")


def _host_of(header: str) -> str:
    try:
        return urlsplit(f"//{header}").hostname or ""
    except ValueError:
        return ""
