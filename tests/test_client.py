"""The client and the commands that use it: here, and over a real port with a token."""

import json
import re
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from making import a_check
from making import day as a_day
from projects import day, write_project
from served import served
from test_machines import breach
from web_service import NOW, WebService

from monitor.archive import Outcome
from monitor.cli.main import run
from monitor.client import TRIES, Client, InProcess
from monitor.core.people import Scope
from monitor.errors import (
    AskedWrongly,
    NotAllowed,
    NotSignedIn,
    ServiceUnavailable,
    StoreConflict,
    StoreUnavailable,
    UnknownName,
)
from monitor.service import Service
from monitor.settings import load_settings

WHY = "a test"


@pytest.fixture
def service(tmp_path: Path) -> Iterator[WebService]:
    made = WebService(tmp_path)
    yield made
    made.store.close()


def client_of(service: WebService, *scopes: Scope) -> Client:
    shown = service.token(*scopes) if scopes else ""
    return Client("http://127.0.0.1", shown, transport=InProcess(service.app))


def test_everything_there_is_can_be_asked(service: WebService) -> None:
    breach(service)
    for number in range(1, 6):
        service.store.save(Outcome(a_check(f"c{number}", a_day(number))))
    with client_of(service, Scope.ADMIN) as client:
        assert [m.name for m in client.monitors()] == ["churn", "loan"]
        assert client.monitor("loan").open_episodes == 1
        assert [c.id for c in client.checks("loan")] == [f"c{n}" for n in reversed(range(6))]
        assert client.check("c0")["schema"] == 1
        assert next(f.test for f in client.findings("c0")) == "volume"
        assert [e.id for e in client.episodes(state="open")] == ["e0"]
        assert client.acknowledge("e0", WHY).entry.deed == "acknowledged"
        assert client.episode("e0").acknowledged is not None
        assert client.resolve("e0", WHY).entry.subject == "e0"
        made = client.mute("loan", NOW + timedelta(hours=1), WHY).silence
        assert made is not None and [s.id for s in client.silences()] == [made.id]
        client.lift(made.id, WHY)
        client.maintain(None, NOW, NOW + timedelta(days=1), WHY)
        assert len(list(client.silences(over=True))) == 2
        asked = client.request_check("loan", NOW - timedelta(days=2), WHY).check_request
        assert asked is not None and client.check_request(asked.id).state == "pending"
        assert [r.id for r in client.check_requests("pending")] == [asked.id]
        wanted = client.request_retrain("loan", WHY).retrain_request
        assert wanted is not None
        client.answer(wanted.id, "succeeded", model_version="7")
        assert client.retrain_request(wanted.id).model_version == "7"
        assert {r.id for r in client.retrain_requests()} == {"r0", wanted.id}
        service.store.mark_failed("m0", NOW, "gone")
        assert [m.id for m in client.messages("failed")] == ["m0"]
        client.resend("m0", WHY)
        token = client.make_token("ci", [Scope.READ], WHY, lasts_days=1)
        assert token.shown is not None and token.token is not None
        turned = client.rotate_token(token.token.id, WHY)
        assert turned.token is not None
        client.revoke_token(turned.token.id, WHY)
        assert len(list(client.tokens())) == 3
        assert client.operations().monitors == 2
        assert list(client.references("loan")) == []
        assert "token revoked" in {e.deed for e in client.audit()}


def test_lists_longer_than_a_page_are_fetched_as_they_are_read(service: WebService) -> None:
    for number in range(450):
        service.store.save(Outcome(a_check(f"c{number}", a_day(number))))
    asked: list[str] = []

    class Counting(InProcess):
        def handle_request(self, request: httpx.Request) -> httpx.Response:
            asked.append(str(request.url))
            return super().handle_request(request)

    shown = service.token(Scope.READ)
    with Client("http://127.0.0.1", shown, transport=Counting(service.app)) as client:
        found = client.checks()
        assert next(found).id == "c449" and len(asked) == 1
        assert len(list(found)) == 449 and len(asked) == 3


def test_problems_are_the_errors_of_the_house(service: WebService) -> None:
    breach(service)
    with client_of(service) as nobody, pytest.raises(NotSignedIn):
        list(nobody.monitors())
    with client_of(service, Scope.READ) as reader:
        with pytest.raises(NotAllowed):
            reader.acknowledge("e0", WHY)
        with pytest.raises(UnknownName, match="there are: churn, loan") as told:
            reader.monitor("laon")
        assert told.value.hint == "did you mean 'loan'?"
    with client_of(service, Scope.OPERATE) as operator:
        operator.acknowledge("e0", WHY)
        with pytest.raises(StoreConflict):
            operator.acknowledge("e0", WHY)
        with pytest.raises(AskedWrongly, match="no training system"):
            operator.request_retrain("churn", WHY)


# --- Services that are away, busy or strange ---


class Answers(httpx.BaseTransport):
    """Gives the answers of a list, one after the other."""

    def __init__(self, *answers: httpx.Response | Exception) -> None:
        self.answers = list(answers)
        self.keys: list[str | None] = []

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        self.keys.append(request.headers.get("Idempotency-Key"))
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


def problem(status: int, **headers: str) -> httpx.Response:
    return httpx.Response(status, json={"detail": "busy", "hint": ""}, headers=headers)


def test_what_heals_is_tried_again_under_the_same_key() -> None:
    entry = {"id": "a", "at": NOW.isoformat(), "who": "mia", "via": "api", "deed": "muted"}
    done = {"entry": {**entry, "subject": "loan", "why": WHY}}
    transport = Answers(
        httpx.ConnectError("no"),
        problem(429, **{"Retry-After": "7"}),
        problem(503, **{"Retry-After": "soon"}),
        httpx.Response(200, json=done),
    )
    slept: list[float] = []
    client = Client("http://127.0.0.1", transport=transport, sleep=slept.append)
    assert client.mute(None, NOW, WHY).entry.who == "mia"
    assert slept == [0.5, 7.0, 2.0]
    assert len(set(transport.keys)) == 1 and transport.keys[0]


@pytest.mark.parametrize(
    ("answer", "error", "tries"),
    [
        (problem(503), StoreUnavailable, TRIES),
        (problem(429), ServiceUnavailable, TRIES),
        (httpx.ConnectError("no"), ServiceUnavailable, TRIES),
        (httpx.ReadTimeout("no"), ServiceUnavailable, TRIES),
        (problem(500), ServiceUnavailable, 1),
        (problem(422), AskedWrongly, 1),
        (httpx.Response(200, text="<html>"), ServiceUnavailable, 1),
        (httpx.Response(404, text="<html>"), ServiceUnavailable, 1),
        (httpx.Response(404, json=[1]), ServiceUnavailable, 1),
        (httpx.Response(200, json={"other": 1}), ServiceUnavailable, 1),
        (httpx.Response(302, headers={"Location": "http://evil.example"}), ServiceUnavailable, 1),
    ],
)
def test_what_does_not_heal_is_said(
    answer: httpx.Response | Exception, error: type[Exception], tries: int
) -> None:
    transport = Answers(*[answer] * TRIES)
    client = Client("http://127.0.0.1", "dm_secret", transport=transport, sleep=lambda _: None)
    with pytest.raises(error) as told:
        client.operations()
    assert len(transport.keys) == tries
    assert "dm_secret" not in f"{told.value} {getattr(told.value, 'hint', '')}"


@pytest.mark.parametrize("server", ["drift.example", "ftp://x", ""])
def test_an_address_that_is_none(server: str) -> None:
    with pytest.raises(AskedWrongly, match="no address"):
        Client(server)


# --- Commands ---


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with one breach."""
    config = write_project(tmp_path, suite=False)
    with closing(Service(load_settings(config))) as made:
        made.check("orders", day(3))
    return config


Command = Callable[..., Any]


@pytest.fixture
def here(project: Path, capsys: pytest.CaptureFixture[str]) -> Command:
    """Runs a command on the project and gives its JSON."""
    return commands(capsys, "--config", str(project))


def commands(capsys: pytest.CaptureFixture[str], *where: str) -> Command:
    def ask(*arguments: str, code: int = 0) -> Any:
        capsys.readouterr()
        assert run([*arguments, *where, "--json", "-"]) == code, capsys.readouterr().err
        told = capsys.readouterr().out
        return json.loads(told) if code == 0 else None

    return ask


def go_through(ask: Command) -> None:
    """What people do, in the order of an incident."""
    assert [(m["name"], m["state"]) for m in ask("status")] == [("orders", "drifted")]
    (episode,) = ask("episodes")
    done = ask("acknowledge", episode["id"], "--why", "on it")
    assert done["entry"]["deed"] == "acknowledged"
    ask("acknowledge", episode["id"], "--why", "on it", code=70)
    muted = ask("mute", "orders", "--for", "2h", "--why", "known")["silence"]
    ask("maintenance", "orders", "--from", "2026-03-05", "--to", "2026-03-06", "--why", "moving")
    ask("mute", "--all", "--until", "2999-01-01", "--why", "no", code=64)
    ask("mute", "--for", "2h", "--why", "no", code=64)
    ask("mute", "orders", "--for", "2h", "--until", "2027-01-01", "--why", "no", code=64)
    ask("mute", "orders", "--for", "soon", "--why", "no", code=64)
    ask("mute", "orders", "--until", "soon", "--why", "no", code=64)
    ask("mute", "odrers", "--for", "2h", "--why", "no", code=64)
    assert [s["id"] for s in ask("silences")] == [muted["id"]]
    ask("lift", muted["id"], "--why", "over")
    ask("resolve", episode["id"], "--why", "repaired")
    assert ask("episodes") == [] and len(ask("episodes", "orders", "--over")) == 1
    assert ask("status")[0]["open_episodes"] == 0
    ask("reference", "promote", "orders", "sha256:0", "--why", "no", code=64)
    deeds = [entry["deed"] for entry in ask("audit")]
    assert deeds[:5] == ["resolved", "silence lifted", "maintenance set", "muted", "acknowledged"]


def test_commands_here(here: Command) -> None:
    (episode,) = here("episodes")
    here("acknowledge", episode["id"], "--why", "on it")
    here("acknowledge", episode["id"], "--why", "on it", code=70)
    here("mute", "--for", "2h", "--why", "no", code=64)
    told = [(entry["deed"], entry["via"]) for entry in here("audit", "orders")]
    assert told == [("acknowledged", "cli")]


def test_tokens_from_the_command_line(here: Command) -> None:
    assert here("token", "list") == []
    made = here("token", "make", "ci", "--scope", "read,operate", "--days", "3", "--why", "for ci")
    assert made["shown"].startswith("dm_")
    here("token", "make", "ci", "--scope", "all", "--why", "for ci", code=64)
    turned = here("token", "rotate", made["token"]["id"], "--why", "leaked")
    here("token", "revoke", turned["token"]["id"], "--why", "gone")
    states = [bool(token["revoked_at"]) for token in here("token", "list")]
    assert states == [True, True]
    assert all("digest" not in token for token in here("token", "list"))


def test_a_table_of_tokens_says_each_word_once(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = str(project)
    assert run(["token", "make", "ci", "--why", "for ci", "--config", config]) == 0
    capsys.readouterr()
    assert run(["token", "list", "--config", config]) == 0
    heads, row = capsys.readouterr().out.splitlines()
    assert heads.split() == ["token", "scopes", "made", "used", "ends", "name"]
    assert re.fullmatch(r"\S+ +read +\d{4}-\d\d-\d\d \d\d:\d\d +never +never +ci", row)


def test_commands_on_a_service_elsewhere(
    project: Path,
    here: Command,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    shown = here("token", "make", "mia", "--scope", "admin", "--why", "a test")["shown"]
    with serving(project) as server:
        monkeypatch.setenv("MONITOR_TOKEN", shown)
        go_through(commands(capsys, "--server", server))
        monkeypatch.delenv("MONITOR_TOKEN")
        commands(capsys, "--server", server)("status", code=64)
        (tmp_path / "token").write_text(f"{shown}\n")
        with_file = commands(capsys, "--server", server, "--token-file", str(tmp_path / "token"))
        assert [m["name"] for m in with_file("status")] == ["orders"]
        assert with_file("audit")[0]["who"] == "mia"
        absent = commands(capsys, "--server", server, "--token-file", str(tmp_path / "none"))
        absent("status", code=64)
    here("status", "--token-file", "x", code=64)


@contextmanager
def serving(config: Path) -> Iterator[str]:
    """The application of a project on a real port."""
    from monitor.due import MonitorStatus, look
    from monitor.web.access import Gate
    from monitor.web.app import make_app

    with closing(Service(load_settings(config))) as made:
        store, desk, clock = made.store, made.desk, made.clock
        gate = Gate(store, desk, clock, lone=True)
        watched = made.settings.monitors.values()

        def status() -> list[MonitorStatus]:
            last = store.last_windows()
            return [look(m, last.get(m.name), clock()) for m in watched]

        with served(make_app(store, made.reports, status, clock, desk=desk, gate=gate)) as address:
            yield address
