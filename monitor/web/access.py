"""Who may come in: tokens for programs, sessions for browsers, everybody on a lone machine.

1. A program shows its token with every request: `Authorization: Bearer dm_...`.
2. A browser signs in with a token once and has a session from then on, by a cookie that no script
   can read. What it sends by a form must carry a mark that only our own pages know. It may read
   what programs read, so that links to JSON work, and writes by forms alone.
3. While no token was ever made and only this machine can reach the service, whoever sits at it may
   do everything. The first token closes that door, and so does a proxy before us.
"""

import hmac
import re
import secrets
from collections.abc import Collection
from dataclasses import dataclass
from datetime import timedelta
from hashlib import sha256
from ipaddress import ip_address
from urllib.parse import parse_qs, urlsplit

from fastapi import Request
from starlette.concurrency import run_in_threadpool

from monitor.archive import Store
from monitor.core.people import (
    NEEDS,
    Deed,
    Scope,
    Session,
    Silence,
    SilenceKind,
    Token,
    allows,
)
from monitor.deeds.planning import Actor
from monitor.desk import Desk
from monitor.errors import AskedWrongly, NotAllowed, NotSignedIn, StoreUnavailable
from monitor.ports import Clock
from monitor.tokens import TOKEN_PREFIX, digest_of
from monitor.web.limits import Limits

COOKIE = "monitor_session"
SESSION_LASTS = timedelta(days=14)
MARK = "mark"  # the field of a form that tells it from one on a stranger's page
FORM_BYTES = 64_000
_USED_EVERY = timedelta(minutes=1)
_READS = ("GET", "HEAD")
_SHOWN = re.compile(rf"{TOKEN_PREFIX}_([0-9a-f]{{12}})_([A-Za-z0-9_-]{{43}})")
_HOST = re.compile(r"(?:([a-zA-Z0-9.]+)|\[([0-9a-fA-F:]+)\])(?::[0-9]{1,5})?")
_FORWARDED = ("forwarded", "x-forwarded-for", "x-forwarded-host", "x-real-ip", "via")


@dataclass(frozen=True, slots=True)
class Visitor:
    """Whoever asks, and what they may."""

    name: str
    scopes: frozenset[Scope]
    via: str  # page, api, cli
    token: str  # id; empty on a lone machine
    mark: str = ""  # for the forms of their pages

    @property
    def actor(self) -> Actor:
        return Actor(self.name, self.via)

    def may(self, scope: Scope) -> bool:
        return allows(self.scopes, scope)

    def may_do(self, deed: str) -> bool:
        return self.may(NEEDS[deed])

    def may_lift(self, silence: Silence) -> bool:
        """Who may not set maintenance may not end it either."""
        is_mute = silence.kind is SilenceKind.MUTE
        return self.may_do(Deed.SILENCE_LIFTED if is_mute else Deed.MAINTENANCE_SET)


@dataclass(frozen=True)
class ProgramRule:
    """The rule of a route for programs: who shows a token that allows this."""

    gate: "Gate"
    scope: Scope

    def __call__(self, request: Request) -> Visitor:
        visitor = self.gate.program(request)
        return _let_in(request, visitor, self.scope)


@dataclass(frozen=True)
class PageRule:
    """The rule of a page: a person who may see this."""

    gate: "Gate"
    scope: Scope

    def __call__(self, request: Request) -> Visitor:
        return _let_in(request, self.gate.person(request), self.scope)


@dataclass(frozen=True)
class FormRule:
    """The rule of a form: a person who may do this, and sends it from one of our own pages."""

    gate: "Gate"
    scope: Scope

    async def __call__(self, request: Request) -> Visitor:
        visitor = await run_in_threadpool(self.gate.person, request)
        _let_in(request, visitor, self.scope)
        self.gate.no_stranger_page(request)
        fields = await form_of(request)
        if not hmac.compare_digest(fields.get(MARK, "").encode(), visitor.mark.encode()):
            raise NotAllowed(
                "this form is not from one of our pages, or the page is old",
                hint="load the page again and repeat it",
            )
        return visitor


class Gate:
    """Lets requests in, or raises NotSignedIn or NotAllowed."""

    def __init__(
        self,
        store: Store,
        desk: Desk,
        clock: Clock,
        *,
        lone: bool,
        base_url: str = "",
        limits: Limits | None = None,
    ) -> None:
        """`lone`: the service listens to this machine alone; `base_url` is where people see it."""
        shown_at = urlsplit(base_url)
        self._store = store
        self._desk = desk
        self._clock = clock
        self._lone = lone and (not shown_at.hostname or is_this_machine(shown_at.hostname))
        self._host = shown_at.netloc
        self.is_secure = shown_at.scheme == "https"
        self.limits = limits or Limits()
        self._closed = False  # a token was made: nothing opens the door again
        self._secret = secrets.token_bytes(32)  # marks the forms of a lone machine

    def api(self, scope: Scope) -> ProgramRule:
        return ProgramRule(self, scope)

    def page(self, scope: Scope) -> PageRule:
        return PageRule(self, scope)

    def form(self, scope: Scope) -> FormRule:
        return FormRule(self, scope)

    # --- Sessions ---

    def sign_in(self, shown: str, address: str) -> str:
        """Begin a session; what its cookie holds. Raises NotSignedIn, NotAllowed, TooOften."""
        try:
            token = self._token(shown.strip(), address)
        except NotSignedIn:
            self.limits.sign_in(address)  # who shows a good one is not held up by others
            raise
        if not allows(token.scopes, Scope.READ):
            raise NotAllowed("this token opens no page: it may not read")
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
        if self._lone and not self._closed:
            self._closed = bool(self._store.list_tokens())
        return self._lone and not self._closed

    # --- Who is it? ---

    def program(self, request: Request) -> Visitor:
        """Who sends a request to the API."""
        visitor = self._lone_visitor(request, "api")
        if request.method not in _READS:
            self.no_stranger_page(request)
        elif visitor is None and "authorization" not in request.headers:
            visitor = self._of_session(request)
        return visitor or self._bearer(request)

    def person(self, request: Request) -> Visitor:
        """Who looks at a page."""
        visitor = self._lone_visitor(request, "page") or self._of_session(request)
        if visitor is None:
            raise NotSignedIn("sign in with a token")
        return visitor

    def no_stranger_page(self, request: Request) -> None:
        """A browser says which page a request is from; ours must be on the same host."""
        site = request.headers.get("sec-fetch-site", "")  # old browsers do not say
        origin = request.headers.get("origin", "")  # "null" is a page that hides where it is from
        ours = {request.headers.get("host", ""), self._host} - {""}
        foreign = bool(origin) and urlsplit(origin).netloc not in ours
        if site not in ("", "same-origin", "none") or (not site and foreign):
            raise NotAllowed("a page elsewhere may not do this")

    def _lone_visitor(self, request: Request, via: str) -> Visitor | None:
        """Whoever sits at this machine. A name that only seems to lead here is not let in: a page
        elsewhere could have it lead to this machine. Nor is what a proxy brings from elsewhere."""
        if not self.is_open:
            return None
        brought = any(name in request.headers for name in _FORWARDED)
        if brought or not _asks_this_machine(request.headers.getlist("host")):
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
        token = self._token(shown.strip(), address_of(request))
        self.limits.of_token(token.id)
        return Visitor(token.name, token.scopes, "api", token.id)

    def _of_session(self, request: Request) -> Visitor | None:
        """Who signed in; None without a cookie."""
        cookie = request.cookies.get(COOKIE, "")
        if not cookie:
            return None
        session = self._store.find_session(digest_of(cookie))
        token = self._store.find_token(session.token) if session else None
        now = self._clock()
        if session is None or token is None or session.expires_at <= now or not token.is_good(now):
            raise NotSignedIn("this session is over", hint="sign in again")
        mark = hmac.new(cookie.encode(), b"mark", sha256).hexdigest()
        return Visitor(token.name, token.scopes, "page", token.id, mark)

    def _token(self, shown: str, address: str) -> Token:
        """The token somebody shows; one that is wrong in any way is told in the same words."""
        parts = _SHOWN.fullmatch(shown)
        token = self._store.find_token(parts[1]) if parts else None
        fits = parts and token and hmac.compare_digest(digest_of(parts[2]), token.digest)
        if token is None or not fits or not token.is_good(self._clock()):
            self.limits.stranger(address)
            raise NotSignedIn("this token is unknown, revoked or over")
        self._note_use(token)
        return token

    def _note_use(self, token: Token) -> None:
        now = self._clock()
        if token.used_at is None or now - token.used_at >= _USED_EVERY:
            try:
                self._store.touch_token(token.id, now)
            except StoreUnavailable:  # a disk that is full keeps nobody from reading
                return


class Sitting(Gate):
    """For one who sits here and has the store: it may do everything, in its own name."""

    def __init__(self, store: Store, desk: Desk, clock: Clock, actor: Actor) -> None:
        super().__init__(store, desk, clock, lone=True)
        self._actor = actor

    def program(self, request: Request) -> Visitor:
        return Visitor(self._actor.name, frozenset({Scope.ADMIN}), self._actor.via, "")


async def form_of(request: Request) -> dict[str, str]:
    """The fields of a form as a browser sends it by itself."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/x-www-form-urlencoded":
        raise AskedWrongly("this is not what a form of our pages sends")
    body = await request.body()
    if len(body) > FORM_BYTES:
        raise AskedWrongly("this form is too large")
    try:
        text = body.decode("utf-8")
        fields = parse_qs(text, keep_blank_values=True, max_num_fields=100)
    except ValueError:
        raise AskedWrongly("this form cannot be read") from None
    return {name: values[-1] for name, values in fields.items()}


def address_of(request: Request) -> str:
    """From where somebody asks, as far as it can be told."""
    return request.client.host if request.client else ""


def is_this_machine(host: str) -> bool:
    """Whether a name or address leads to this machine from itself alone.

    >>> [is_this_machine(host) for host in ("localhost", "::1", "0.0.0.0", "a.example")]
    [True, True, False, False]
    """
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def scopes_told(scopes: Collection[Scope]) -> str:
    """In order of the alphabet: `operate, read`."""
    return ", ".join(sorted(scopes))


def _let_in(request: Request, visitor: Visitor, scope: Scope) -> Visitor:
    if not visitor.may(scope):
        has = scopes_told(visitor.scopes)
        raise NotAllowed(f"this needs a token with the scope {scope}; this one has {has}")
    request.state.visitor = visitor
    return visitor


def _asks_this_machine(hosts: list[str]) -> bool:
    """Whether what a request calls us is a name that only this machine can have."""
    parts = _HOST.fullmatch(hosts[0]) if len(hosts) == 1 else None
    return parts is not None and is_this_machine((parts[1] or parts[2]).lower())
