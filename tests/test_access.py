"""Who may come in: every route has a rule, and every rule is kept."""

import asyncio
import logging
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi.routing import APIRoute
from projects import write_project
from starlette.types import Message
from web_service import NOW, ROOT, WebService, id_of, methods_of, rules_of

from monitor import wiring
from monitor.cli.main import run
from monitor.core.people import Scope, allows
from monitor.errors import AskedWrongly
from monitor.service import Service
from monitor.serving import must_be_guarded
from monitor.settings import load_settings
from monitor.stores import sql
from monitor.web.access import COOKIE, FormRule, PageRule, ProgramRule
from monitor.web.api.retraining import Trainer
from monitor.web.app import OPEN
from monitor.web.limits import Allowance, Limits, Meter, TooOften
from monitor.web.signing_in import ours

FORM = {"Content-Type": "application/x-www-form-urlencoded"}


@pytest.fixture
def service(tmp_path: Path) -> Iterator[WebService]:
    made = WebService(tmp_path)
    yield made
    made.store.close()


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebService]:
    """One for tests that leave nothing behind but tokens."""
    made = WebService(tmp_path_factory.mktemp("reports"))
    yield made
    made.store.close()


@pytest.fixture
def lone(tmp_path: Path) -> Iterator[WebService]:
    made = WebService(tmp_path, lone=True)
    yield made
    made.store.close()


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebService]:
    """A lone machine for tests that leave nothing behind."""
    made = WebService(tmp_path_factory.mktemp("reports"), lone=True)
    yield made
    made.store.close()


# --- Every route ---


def routes_of(tmp: Path = Path()) -> list[APIRoute]:
    made = WebService(tmp)
    try:
        return made.routes()
    finally:
        made.store.close()


ROUTES = [(r, method) for r in routes_of() for method in sorted(methods_of(r) - {"HEAD"})]
NAMES = [f"{method} {route.path}" for route, method in ROUTES]


def rule_of(service: WebService, place: int) -> tuple[Any, str, str]:
    """The rule, the method and an address of a route, in this service."""
    name, method = ROUTES[place][0].path, ROUTES[place][1]
    (route,) = [r for r in service.routes() if r.path == name and method in methods_of(r)]
    path = route.path
    for part in ("{name:path}", "{check_id:path}"):
        path = path.replace(part, "x")
    for part in route.param_convertors:
        path = path.replace(f"{{{part}}}", "x")
    rules = rules_of(route)
    assert rules or route.path in OPEN, "a route that nobody watches"
    assert len(rules) <= 1, "two rules say two things"
    return (rules[0] if rules else None), method, path


def test_what_is_open_is_known_one_by_one() -> None:
    assert {r.path for r in routes_of() if not rules_of(r)} == set(OPEN)


@pytest.mark.parametrize("place", range(len(ROUTES)), ids=NAMES)
def test_every_route_keeps_its_rule(shared: WebService, place: int) -> None:
    service = shared
    rule, method, path = rule_of(service, place)
    if rule is None:
        return
    good = next(s for s in (Scope.READ, Scope.OPERATE, Scope.ADMIN) if allows({s}, rule.scope))  # type: ignore[arg-type]
    poor = [s for s in Scope if not allows(frozenset({s}), rule.scope)]
    asked = Asked(service, method, path)
    right = service.token(good)
    if isinstance(rule, ProgramRule | Trainer):
        assert asked.with_token("") == 401
        assert asked.with_token("dm_000000000000_" + "x" * 43) == 401
        assert [asked.with_token(service.token(scope)) for scope in poor] == [403] * len(poor)
        rich = [service.token(s) for s in Scope if s not in poor]
        assert not {401, 403} & {asked.with_token(token) for token in [right, *rich]}
        session = asked.with_session(service.gate.sign_in(service.token(good), "here"))
        assert (session in (401, 403)) is (method != "GET")
        service.revoke(right)
        assert asked.with_token(right) == 401
        over = service.token(good, days=1)
        service.now += timedelta(days=1)
        assert asked.with_token(over) == 401
        return
    assert isinstance(rule, PageRule | FormRule)
    refused = (303, 401)
    assert asked.with_token("") in refused
    assert asked.with_token(right) in refused, "a token opens no page by itself"
    begun = service.gate.sign_in(right, "here")
    if isinstance(rule, PageRule):
        assert asked.with_session(begun) not in (*refused, 403)
    else:
        assert asked.with_session(begun) == 403, "a form without our mark"
    if rule.scope is not Scope.READ:
        poorer = service.gate.sign_in(service.token(Scope.READ), "here")
        assert asked.with_session(poorer) == 403
    service.revoke(right)
    assert asked.with_session(begun) in refused


class Asked:
    """One address, asked in the way of programs and in the way of browsers."""

    def __init__(self, service: WebService, method: str, path: str) -> None:
        self._service, self._method, self._path = service, method, path

    def with_token(self, shown: str) -> int:
        return self._status(self._service.client(shown))

    def with_session(self, cookie: str) -> int:
        return self._status(self._service.client(session=cookie))

    def _status(self, client: httpx.Client) -> int:
        machine = self._path.startswith("/api/")
        kind = {"Content-Type": "application/json"} if machine else FORM
        if self._method == "GET":
            return client.get(self._path).status_code
        content = "{}" if machine else "why=x"
        answer = client.request(self._method, self._path, content=content, headers=kind)
        return answer.status_code


def test_sign_in_needs_a_token_that_reads(shared: WebService) -> None:
    answer = sign_in(shared, shared.token(Scope.CAPTURE))
    assert (answer.status_code, "opens no page" in answer.text) == (401, True)


# --- Lone machines ---


def test_on_a_lone_machine_everybody_may_until_there_is_a_token(lone: WebService) -> None:
    program, browser = lone.client(), lone.client()
    assert program.get("/api/v1/tokens").status_code == 200
    assert browser.get("/").status_code == 200
    assert browser.get("/sign-in").headers["location"] == "/"
    shown = lone.token(Scope.READ)
    assert program.get("/api/v1/tokens").status_code == 401
    assert browser.get("/").headers["location"] == "/sign-in?next=%2F"
    lone.revoke(shown)
    assert program.get("/api/v1/monitors").status_code == 401, "the door stays closed"


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "LocalHost:8080",
        "127.0.0.1",
        "127.0.0.1:65535",
        "127.8.8.8",
        "[::1]",
        "[::1]:80",
    ],
)
def test_a_lone_machine_is_called_by_its_own_names(alone: WebService, host: str) -> None:
    assert alone.client(host=host).get("/api/v1/monitors").status_code == 200


@pytest.mark.parametrize(
    "host",
    ["", " ", "evil.example", "127.0.0.1.evil.example", "[oops", "localhost.", "127.0.0.1.",
     "a@127.0.0.1", "evil.example@localhost", "127.0.0.1:80@evil.example", "127.0.0.1/x",
     "localhost#", "localhost?", "localhost:", "localhost:x", "localhost:80:80", "localhost:123456",
     "localhost evil.example", "localhost,evil.example", "::1", "[::1", "::1]", "[127.0.0.1]",
     "[::1]x", "[::1%25eth0]", "[::ffff:127.0.0.1]", "0.0.0.0", "[::]", "10.0.0.1", "127.1",
     "2130706433", "0x7f.0.0.1", "localhost.evil.example", "a.localhost", "ⓛocalhost",
     "localhost\\x"],
)  # fmt: skip
def test_and_by_no_other(alone: WebService, host: str) -> None:
    raw = [(b"host", host.encode())]
    assert _status_of(alone, raw) == 403
    assert _status_of(alone, [(b"host", b"localhost"), *raw]) == 403, "nor by two at once"
    assert _status_of(alone, [*raw, (b"host", b"localhost")]) == 403


def test_a_name_that_is_made_to_lead_here_opens_nothing(alone: WebService) -> None:
    """A page at evil.example whose name leads to 127.0.0.1 a moment later: for the browser it is
    the same place, so it may read answers and send whatever it likes."""
    host = "evil.example:8080"
    said = {"host": host, "origin": f"http://{host}", "sec-fetch-site": "same-origin"}
    browser = alone.client(**said)
    for route in alone.routes():
        path = re.sub(r"{[^}]+}", "x", route.path)
        if path in OPEN:
            continue
        kind = {"Content-Type": "application/json"} if path.startswith("/api/") else FORM
        for method in sorted(methods_of(route)):
            answer = browser.request(method, path, content="{}", headers=kind)
            assert answer.status_code == 403, (method, path)
    assert alone.store.audit() == []


def _status_of(service: WebService, headers: list[tuple[bytes, bytes]]) -> int:
    """What the application answers, past all that a client would mend."""
    told: list[Message] = []
    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "GET",
        "scheme": "http", "path": "/api/v1/monitors", "raw_path": b"/api/v1/monitors",
        "query_string": b"", "root_path": "", "headers": headers, "client": ("127.0.0.1", 5),
        "server": ("127.0.0.1", 80),
    }  # fmt: skip

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        told.append(message)

    asyncio.run(service.app(scope, receive, send))
    return int(told[0]["status"])


@pytest.mark.parametrize(
    "headers",
    [
        {"x-forwarded-for": "203.0.113.9"},
        {"forwarded": "for=203.0.113.9"},
        {"via": "1.1 proxy"},
    ],
)
def test_a_lone_machine_is_alone(lone: WebService, headers: dict[str, str]) -> None:
    for path in ("/api/v1/monitors", "/"):
        assert lone.client(**headers).get(path).status_code == 403


def test_what_a_proxy_shows_elsewhere_is_not_alone(tmp_path: Path) -> None:
    service = WebService(tmp_path, lone=True, base_url="https://drift.example")
    assert service.client().get("/api/v1/monitors").status_code == 401


def test_what_others_can_reach_is_not_served_without_a_token(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = write_project(tmp_path, suite=False)
    serve = ["serve", "--host", "0.0.0.0", "--port", "0", "--config", str(config)]
    assert run(serve) == 64
    assert "monitor token make" in capsys.readouterr().err
    made = ["token", "make", "mia", "--days", "1", "--why", "a test", "--config", str(config)]
    assert run(made) == 0
    warned = capsys.readouterr().err
    assert "this is the first token: from now on pages and API ask everybody" in warned
    assert "needs one with --scope admin" in warned
    assert run([*made, "--scope", "admin"]) == 0
    assert capsys.readouterr().err == ""
    with closing(Service(load_settings(config))) as service:
        must_be_guarded(service, "0.0.0.0")
        for token in service.store.list_tokens():
            service.desk.do(service.desk.revoke_token(ROOT, token.id, "a test"))
        with pytest.raises(AskedWrongly, match="no token to ask for"):
            must_be_guarded(service, "192.0.2.1")
        must_be_guarded(service, "127.0.0.1")


# --- Strangers' pages ---


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"sec-fetch-site": "cross-site", "origin": "http://127.0.0.1"},
    ],
)
def test_a_page_elsewhere_may_not_write(lone: WebService, headers: dict[str, str]) -> None:
    client = lone.client(**headers)
    written = {"monitor": None, "until": (NOW + timedelta(hours=1)).isoformat(), "why": "x"}
    assert client.post("/api/v1/silences/mute", json=written).status_code == 403
    assert client.post("/sign-in", content="token=x", headers=FORM).status_code == 403
    assert client.post("/sign-out", content="mark=x", headers=FORM).status_code == 403
    assert lone.store.audit() == []


def test_our_own_pages_may_whatever_the_proxy_calls_us(tmp_path: Path) -> None:
    service = WebService(tmp_path, base_url="https://drift.example/loans")
    shown = service.token(Scope.OPERATE)
    client = service.client(shown, origin="https://drift.example")
    written = {"monitor": "loan", "until": (NOW + timedelta(hours=1)).isoformat(), "why": "x"}
    assert client.post("/api/v1/silences/mute", json=written).status_code == 201


def test_a_simple_form_is_no_write(lone: WebService) -> None:
    """What a page elsewhere can send without being asked: it is none of JSON."""
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""):
        headers = {"content-type": kind} if kind else {}
        answer = lone.client().post("/api/v1/silences/mute", content="{}", headers=headers)
        assert answer.status_code == 415


# --- Sessions ---


def sign_in(service: WebService, shown: str, back: str = "/", **headers: str) -> httpx.Response:
    with service.client(**headers) as client:
        return client.post("/sign-in", data={"token": shown, "next": back})


def test_signing_in_and_out(service: WebService) -> None:
    shown = service.token(Scope.READ)
    answer = sign_in(service, shown, "/operations?x=1")
    assert (answer.status_code, answer.headers["location"]) == (303, "/operations?x=1")
    kept = answer.headers["set-cookie"]
    assert "HttpOnly" in kept and "SameSite=lax" in kept and "Path=/;" in kept
    assert "Secure" not in kept
    cookie = kept.split(";")[0].removeprefix(f"{COOKIE}=")
    page = service.client(session=cookie).get("/").text
    mark = page.partition('name="mark" value="')[2].partition('"')[0]
    service.now += timedelta(minutes=1)
    out = service.client(session=cookie).post("/sign-out", data={"mark": mark})
    assert out.headers["location"] == "/sign-in"
    assert service.client(session=cookie).get("/").status_code == 303
    told = [(e.deed, e.who, e.via) for e in service.store.audit()][:2]
    assert told == [("signed out", "mia", "page"), ("signed in", "mia", "page")]


def test_the_mark_of_one_session_is_not_that_of_another(service: WebService) -> None:
    cookies = [service.gate.sign_in(service.token(Scope.READ), "here") for _ in range(2)]
    page = service.client(session=cookies[0]).get("/").text
    mark = page.partition('name="mark" value="')[2].partition('"')[0]
    answer = service.client(session=cookies[1]).post("/sign-out", data={"mark": mark})
    assert answer.status_code == 403


def test_behind_a_proxy_the_cookie_is_ours_alone(tmp_path: Path) -> None:
    service = WebService(tmp_path, base_url="https://drift.example/loans")
    prefixed = InPath(service, "/loans")
    answer = prefixed.post("/loans/sign-in", data={"token": service.token(Scope.READ), "next": "/"})
    assert answer.headers["location"] == "/loans/"
    kept = answer.headers["set-cookie"]
    assert "Path=/loans;" in kept and "Secure" in kept
    assert "max-age=" in answer.headers["strict-transport-security"]
    assert prefixed.get("/loans/operations").headers["location"] == (
        "/loans/sign-in?next=%2Foperations"
    )


class InPath(httpx.Client):
    """Asks as a server does that knows the path a proxy put before ours."""

    def __init__(self, service: WebService, path: str) -> None:
        async def app(scope: Any, receive: Any, send: Any) -> None:
            await service.app({**scope, "root_path": path}, receive, send)

        from monitor.client import InProcess

        super().__init__(base_url="http://127.0.0.1", transport=InProcess(app))


def test_a_session_ends_with_its_time_and_with_its_token(service: WebService) -> None:
    brief = service.gate.sign_in(service.token(Scope.READ, days=1), "here")
    long = service.gate.sign_in(service.token(Scope.READ), "here")
    service.now += timedelta(days=1)
    assert service.client(session=brief).get("/").status_code == 303
    assert service.client(session=long).get("/").status_code == 200
    service.now += timedelta(days=13)
    assert service.client(session=long).get("/").status_code == 303


@pytest.mark.parametrize(
    "back",
    [
        "//evil.example",
        "https://evil.example",
        "/\\evil.example",
        "javascript:x",
        "",
        "/a\nb",
        "/a b",
    ],
)
def test_signing_in_leads_nowhere_else(shared: WebService, back: str) -> None:
    assert ours(back) == "/"
    assert sign_in(shared, shared.token(Scope.READ), back).headers["location"] == "/"


def test_a_wrong_token_is_told_in_one_way(service: WebService) -> None:
    shown = service.token(Scope.READ)
    gone = service.token(Scope.READ)
    service.revoke(gone)
    wrong = [shown[:-1], shown + "x", shown.upper(), "dm_", "", "dm_\0_x", gone, "x" * 5000]
    told = {sign_in(service, one).text.count("unknown, revoked or over") for one in wrong}
    assert told == {1}


@pytest.mark.parametrize(
    "body", ["&" * 300, "a=%ff%fe", "a=1;" * 20000, "\ud800".encode("utf-8", "surrogatepass")]
)
def test_forms_that_are_none(shared: WebService, body: Any) -> None:
    answer = shared.client().post("/sign-in", content=body, headers=FORM)
    assert answer.status_code in (401, 422)


# --- Secrets ---


def test_of_what_owners_show_nothing_is_kept(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    service = WebService(tmp_path, store=sql.make("sqlite:///m.db", tmp_path, wiring.now))
    admin = service.token(Scope.ADMIN)
    made = service.client(admin).post(
        "/api/v1/tokens",
        json={"name": "ci", "scopes": ["read"], "why": "x"},
        headers={"Idempotency-Key": "one"},
    )
    shown = made.json()["shown"]
    again = service.client(admin).post(
        "/api/v1/tokens",
        json={"name": "ci", "scopes": ["read"], "why": "x"},
        headers={"Idempotency-Key": "one"},
    )
    assert again.status_code == 201 and again.json()["shown"] is None
    cookie = service.gate.sign_in(shown, "here")
    service.client(session=cookie).get("/")
    with closing(sqlite3.connect(tmp_path / "m.db")) as database:
        dump = "\n".join(database.iterdump())
    secrets = (shown, shown.split("_", 2)[2], admin.split("_", 2)[2], cookie)
    for secret in secrets:
        assert secret not in dump
        assert secret not in caplog.text
        assert secret not in repr(service.stored(shown))
    service.store.close()


# --- Limits ---


class Seconds:
    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def test_a_meter_refills_and_forgets_whom_it_did_not_see() -> None:
    clock = Seconds()
    meter = Meter(Allowance(2, 0.5), clock, kept=3)
    meter.spend("a")
    meter.spend("a")
    with pytest.raises(TooOften) as told:
        meter.spend("a")
    assert told.value.retry_after_s == 2
    clock.now_s = 2.0
    meter.spend("a")
    for asker in "bcdefg":
        meter.spend(asker)
    assert len(meter) == 3


def test_who_asks_too_often_is_told_when_to_come_back(tmp_path: Path) -> None:
    clock = Seconds()
    tight = Limits(token=Allowance(2, 0.1), sign_in=Allowance(3, 0.1), clock_s=clock)
    service = WebService(tmp_path, limits=tight)
    shown = service.token(Scope.READ)
    client = service.client(shown)
    statuses = [client.get("/api/v1/monitors").status_code for _ in range(3)]
    assert statuses == [200, 200, 429]
    answer = client.get("/api/v1/monitors")
    assert answer.headers["retry-after"] == "10"
    assert answer.headers["content-type"] == "application/problem+json"
    assert service.client(service.token(Scope.READ)).get("/api/v1/monitors").status_code == 200
    tried = [sign_in(service, "wrong").status_code for _ in range(4)]
    assert tried == [401, 401, 401, 429]


def test_an_address_and_a_stranger_are_limited_too(tmp_path: Path) -> None:
    clock = Seconds()
    tight = Limits(address=Allowance(6, 1.0), stranger=Allowance(2, 0.1), clock_s=clock)
    service = WebService(tmp_path, limits=tight)
    stranger, friend = service.client("dm_x"), service.client(service.token(Scope.READ))
    assert [stranger.get("/api/v1/monitors").status_code for _ in range(3)] == [401, 401, 429]
    assert friend.get("/api/v1/monitors").status_code == 200, "strangers hold up nobody"
    assert [friend.get("/style.css").status_code for _ in range(3)] == [200, 200, 429]
    clock.now_s = 1.0
    assert friend.get("/healthz").status_code == 200


@pytest.mark.parametrize("chunked", [False, True])
def test_a_request_has_a_size(shared: WebService, chunked: bool) -> None:
    shown = shared.token(Scope.OPERATE)
    client = shared.client(shown, **{"content-type": "application/json"})
    whole = b'{"why": "' + b"x" * 1_000_000 + b'"}'

    def pieces() -> Iterator[bytes]:
        for start in range(0, len(whole), 10_000):
            yield whole[start : start + 10_000]

    transport = Chunked(shared.app)
    with httpx.Client(base_url="http://127.0.0.1", transport=transport) as raw:
        content = pieces() if chunked else whole
        answer = raw.post(
            "/api/v1/episodes/e0/acknowledge", content=content, headers=client.headers
        )
    assert answer.status_code == 413
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["x-content-type-options"] == "nosniff"


class Chunked(httpx.BaseTransport):
    """Hands a body over piece by piece, without saying how long it is."""

    def __init__(self, app: Any) -> None:
        from monitor.client import InProcess

        self._inner = InProcess(app)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        if isinstance(request.stream, httpx.ByteStream):
            return self._inner.handle_request(request)
        assert isinstance(request.stream, httpx.SyncByteStream)
        pieces = list(request.stream)

        class Stream(httpx.AsyncByteStream):
            async def __aiter__(self) -> Any:
                for piece in pieces:
                    yield piece

        again = httpx.Request(request.method, request.url, headers=request.headers, stream=Stream())
        return self._inner.handle_request(again)


# --- What every answer carries ---


@pytest.mark.parametrize(
    "path", ["/", "/sign-in", "/style.css", "/healthz", "/api/v1/monitors", "/nowhere", "/api/v2"]
)
def test_every_answer_is_careful(shared: WebService, path: str) -> None:
    headers = shared.client().get(path).headers
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy and "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "same-origin"
    assert headers["x-frame-options"] == "DENY"
    assert "Authorization" in headers["vary"]


def test_a_token_is_used_to_the_minute(service: WebService) -> None:
    shown = service.token(Scope.READ)
    client = service.client(shown)
    client.get("/api/v1/monitors")
    assert service.stored(shown).used_at == NOW
    service.now += timedelta(seconds=59)
    client.get("/api/v1/monitors")
    assert service.stored(shown).used_at == NOW
    service.now += timedelta(seconds=1)
    client.get("/api/v1/monitors")
    assert service.stored(shown).used_at == NOW + timedelta(minutes=1)
    assert id_of(shown) == service.stored(shown).id
