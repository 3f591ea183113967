"""The API: lists in parts, answers that are known, deeds done once, problems that help."""

import json
import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from making import (
    NOON,
    a_check,
    a_message,
    a_reference,
    a_retrain,
    an_episode,
    day,
    minutes,
    opened,
)
from web_service import NOW, SECRET, WebService

from monitor import wiring
from monitor.archive import Outcome
from monitor.core.people import Scope
from monitor.core.signing import sign, timestamp
from monitor.core.wire import check_from_json
from monitor.deeds.planning import Actor
from monitor.errors import StoreUnavailable
from monitor.stores import sql
from monitor.web.api.paging import cursor_of

BEFORE_ALL, PAST = "0001-01-01T00:00:00+14:00", "2026-03-20T00:00:00Z"
MIA = Actor("mia", "page")
WHY = {"why": "the release of Monday"}


@pytest.fixture
def service(tmp_path: Path) -> Iterator[WebService]:
    made = WebService(tmp_path)
    yield made
    made.store.close()


@pytest.fixture
def admin(service: WebService) -> httpx.Client:
    return service.client(service.token(Scope.ADMIN))


def breach(service: WebService) -> None:
    told = an_episode(told=True)
    service.store.save(
        Outcome(a_check("c0"), (opened(told),), (a_message(episode="e0"),), a_retrain())
    )


def everything(client: httpx.Client, path: str, **query: Any) -> list[dict[str, Any]]:
    """A list by following its links, which must say the same in the header."""
    found: list[dict[str, Any]] = []
    answer = client.get(path, params=query)
    while True:
        page = answer.json()
        found += page["items"]
        if page["next"] is None:
            assert "link" not in answer.headers
            return found
        assert answer.headers["link"] == f'<{page["next"]}>; rel="next"'
        answer = client.get(page["next"])


# --- What is told ---


def test_monitors_with_their_states(service: WebService, admin: httpx.Client) -> None:
    breach(service)
    until = NOW + timedelta(hours=2)
    service.desk.do(service.desk.mute(MIA, "loan", until, "noise"))
    churn, loan = everything(admin, "/api/v1/monitors", limit=1)
    assert (churn["name"], churn["state"], churn["newest"]) == ("churn", "waiting", None)
    assert (loan["state"], loan["open_episodes"]) == ("drifted", 1)
    assert loan["silenced_until"] == "2026-03-20T14:00:00+00:00"
    whole = admin.get("/api/v1/monitors/loan").json()
    assert [e["id"] for e in whole["episodes"]] == ["e0"]
    assert [s["kind"] for s in whole["silences"]] == ["mute"]
    assert whole["schedule"]["last"]["start"] == "2026-03-01T00:00:00+00:00"


def test_checks_in_parts(service: WebService, admin: httpx.Client) -> None:
    for number in range(7):
        for name in ("loan", "churn"):
            service.store.save(Outcome(a_check(f"{name}{number}", day(number), name)))
    service.store.save(Outcome(a_check("again", day(6)), revision=1))
    wanted = [f"{name}{n}" for n in reversed(range(7)) for name in ("churn", "loan")]
    wanted[1] = "again"
    for limit in (1, 3, 14, 200):
        assert [c["id"] for c in everything(admin, "/api/v1/checks", limit=limit)] == wanted
    of_loan = everything(admin, "/api/v1/checks", monitor="loan", limit=2)
    assert [c["id"] for c in of_loan] == wanted[1::2]
    document = admin.get("/api/v1/checks/loan0").json()
    assert check_from_json(document) == a_check("loan0")
    found = everything(admin, "/api/v1/checks/loan0/findings")
    assert [(f["column"], f["test"]) for f in found][:2] == [(None, "volume"), ("age", "ks")]


def test_long_lists_in_parts(service: WebService, admin: httpx.Client) -> None:
    """Of equal times, too, each item comes once."""
    for number in range(5):
        check = a_check(f"c{number}", day(number))
        over: dict[str, Any] = {"resolved_by": check.id, "resolved_at": NOON} if number else {}
        at = NOON + minutes(number // 2)
        told = opened(an_episode(f"e{number}", opened_at=at, opened_by=check.id, **over))
        asked = a_retrain(f"r{number}", requested_at=at)
        service.store.save(Outcome(check, (told,), (a_message(f"m{number}"),), asked))
        service.desk.do(service.desk.check_again(MIA, "loan", day(number), "again"))
    newest = ["4", "3", "2", "1", "0"]
    for path in ("episodes", "retrain-requests", "messages", "audit", "check-requests"):
        whole = [one["id"] for one in everything(admin, f"/api/v1/{path}")]
        assert len(whole) >= 5
        for limit in (1, 2, 3):
            got = [one["id"] for one in everything(admin, f"/api/v1/{path}", limit=limit)]
            assert got == whole, path
    assert [e["id"][1] for e in everything(admin, "/api/v1/episodes")] == newest
    assert [e["id"] for e in everything(admin, "/api/v1/episodes", state="open")] == ["e0"]
    assert len(everything(admin, "/api/v1/episodes", state="over", monitor="loan")) == 4
    assert len(everything(admin, "/api/v1/messages", state="pending")) == 5
    assert len(everything(admin, "/api/v1/check-requests", state="pending")) == 5


def test_the_story_of_an_episode(service: WebService, admin: httpx.Client) -> None:
    breach(service)
    last = a_check("c1", day(1))
    service.store.save(
        Outcome(last, (opened(an_episode(told=True, opened_at=day(0).start, last_check="c1")),))
    )
    service.store.save(Outcome(a_check("c2", day(2))))
    assert admin.post("/api/v1/episodes/e0/acknowledge", json=WHY).status_code == 200
    service.now += minutes(1)
    assert admin.post("/api/v1/episodes/e0/resolve", json=WHY).status_code == 200
    story = admin.get("/api/v1/episodes/e0").json()
    assert [c["id"] for c in story["checks"]] == ["c0", "c1"]
    assert [d["deed"] for d in story["deeds"]] == ["acknowledged", "resolved"]
    assert story["acknowledged"]["why"] == WHY["why"]
    kinds = [m["kind"] for m in story["messages"]]
    assert kinds == ["episode.opened", "episode.acknowledged", "episode.resolved"]
    assert story["resolved_by"] == story["deeds"][1]["id"]


def test_how_the_service_is_doing(service: WebService, admin: httpx.Client) -> None:
    breach(service)
    service.store.claim_window("loan", day(3), "replica-1", NOW, NOW + minutes(5))
    told = admin.get("/api/v1/operations").json()
    assert (told["monitors"], told["outbox"]) == (2, {"pending": 1})
    assert [claim["holder"] for claim in told["claims"]] == ["replica-1"]


# --- What is known already ---


def test_an_answer_that_is_known_is_not_sent_again(
    service: WebService, admin: httpx.Client
) -> None:
    breach(service)
    first = admin.get("/api/v1/checks/c0")
    tag = first.headers["etag"]
    for known in (tag, f"W/{tag}", f'"x", {tag}', "*"):
        again = admin.get("/api/v1/checks/c0", headers={"If-None-Match": known})
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
    assert admin.get("/api/v1/checks/c0", headers={"If-None-Match": '"x"'}).status_code == 200
    listed = admin.get("/api/v1/checks").headers["etag"]
    service.store.save(Outcome(a_check("c1", day(1))))
    changed = admin.get("/api/v1/checks", headers={"If-None-Match": listed})
    assert changed.status_code == 200


def test_a_head_says_what_a_get_would(service: WebService, admin: httpx.Client) -> None:
    for path in ("/api/v1/monitors", "/api/v1/checks", "/api/v1/openapi.json", "/healthz"):
        got, head = admin.get(path), admin.head(path)
        assert (head.status_code, head.content) == (200, b"")
        assert head.headers["content-length"] == str(len(got.content))
        assert head.headers["etag"] == got.headers["etag"]


# --- What is done ---


def test_deeds_by_the_api(service: WebService, admin: httpx.Client) -> None:
    breach(service)
    service.store.add_reference(a_reference("sha256:1"))
    service.store.add_reference(a_reference("sha256:2"))
    service.store.mark_failed("m0", NOW, "gone")
    later = (NOW + timedelta(hours=1)).isoformat()
    early, late = "2026-03-01T00:00:00Z", "2026-03-02T00:00:00+02:00"
    writes: list[tuple[str, dict[str, Any], int]] = [
        ("silences/mute", {"monitor": "loan", "until": later}, 201),
        ("silences/maintenance", {"monitor": None, "start": early, "end": late}, 201),
        ("check-requests", {"monitor": "loan", "at": "2026-03-05T07:00:00Z"}, 201),
        ("retrain-requests", {"monitor": "loan"}, 201),
        ("monitors/loan/references/sha256:1/promote", {}, 200),
        ("messages/m0/resend", {}, 200),
        ("episodes/e0/acknowledge", {}, 200),
        ("episodes/e0/resolve", {}, 200),
        ("tokens", {"name": "ci", "scopes": ["read"], "lasts_days": 3}, 201),
    ]
    done = {}
    for path, body, status in writes:
        answer = admin.post(f"/api/v1/{path}", json={**body, **WHY})
        assert answer.status_code == status, answer.text
        assert answer.headers["cache-control"] == "no-store"
        done[path] = answer.json()
    assert done["check-requests"]["check_request"]["window"] == {
        "start": "2026-03-05T00:00:00+00:00",
        "end": "2026-03-06T00:00:00+00:00",
    }
    wanted = done["check-requests"]["check_request"]["id"]
    assert admin.get(f"/api/v1/check-requests/{wanted}").json()["state"] == "pending"
    asked = done["retrain-requests"]["retrain_request"]["id"]
    assert admin.get(f"/api/v1/retrain-requests/{asked}").json()["reasons"]
    silence = done["silences/mute"]["silence"]["id"]
    assert admin.post(f"/api/v1/silences/{silence}/lift", json=WHY).status_code == 200
    token = done["tokens"]["token"]["id"]
    turned = admin.post(f"/api/v1/tokens/{token}/rotate", json=WHY).json()
    assert turned["token"]["expires_at"] == "2026-03-23T12:00:00+00:00"
    assert admin.post(f"/api/v1/tokens/{token}/revoke", json=WHY).status_code == 409
    current, old = everything(admin, "/api/v1/monitors/loan/references")
    assert (current["version"], current["current"]) == ("sha256:1", True)
    assert (old["version"], old["current"]) == ("sha256:2", False)
    log = everything(admin, "/api/v1/audit")
    assert len(log) == len(writes) + 3  # lifted, rotated, and the token of this test
    assert {(e["who"], e["via"]) for e in log} == {("mia", "api"), ("root", "cli")}


def test_who_may_not_set_maintenance_may_not_end_it(
    service: WebService, admin: httpx.Client
) -> None:
    body = {"start": NOW.isoformat(), "end": (NOW + timedelta(days=1)).isoformat(), **WHY}
    made = admin.post("/api/v1/silences/maintenance", json=body).json()["silence"]["id"]
    operator = service.client(service.token(Scope.OPERATE))
    assert operator.post(f"/api/v1/silences/{made}/lift", json=WHY).status_code == 403
    assert admin.post(f"/api/v1/silences/{made}/lift", json=WHY).status_code == 200
    assert everything(admin, "/api/v1/silences") == []
    assert len(everything(admin, "/api/v1/silences", over=True)) == 1


# --- Once ---


def test_the_same_write_twice_is_done_once(service: WebService, admin: httpx.Client) -> None:
    breach(service)
    path, key = "/api/v1/episodes/e0/acknowledge", {"Idempotency-Key": "k1"}
    first = admin.post(path, json=WHY, headers=key)
    again = admin.post(path, content=json.dumps(WHY, indent=3), headers={**key, **_JSON})
    assert again.json() == first.json()
    assert again.headers["idempotent-replay"] == "true"
    assert admin.post(path, json={"why": "other"}, headers=key).status_code == 422
    assert admin.post("/api/v1/episodes/e0/resolve", json=WHY, headers=key).status_code == 422
    assert admin.post(path, json=WHY).status_code == 409
    other = service.client(service.token(Scope.OPERATE))
    assert other.post(path, json=WHY, headers=key).status_code == 409, "keys are one's own"
    assert len([e for e in service.store.audit() if e.deed == "acknowledged"]) == 1
    assert len(service.store.oldest_messages()) == 2


_JSON = {"Content-Type": "application/json"}


def test_a_write_that_failed_may_be_tried_again_under_its_key(
    service: WebService, admin: httpx.Client
) -> None:
    path, key = "/api/v1/episodes/e0/acknowledge", {"Idempotency-Key": "k1"}
    assert admin.post(path, json=WHY, headers=key).status_code == 404
    breach(service)
    assert admin.post(path, json=WHY, headers=key).status_code == 200


def test_a_race_of_the_same_write_has_one_effect(tmp_path: Path) -> None:
    service = WebService(tmp_path, store=sql.make("sqlite:///m.db", tmp_path, wiring.now))
    breach(service)
    shown, answers = service.token(Scope.OPERATE), []
    together = threading.Barrier(6)

    def ask() -> None:
        client = service.client(shown)
        together.wait()
        path = "/api/v1/episodes/e0/acknowledge"
        answers.append(client.post(path, json=WHY, headers={"Idempotency-Key": "one"}))

    threads = [threading.Thread(target=ask) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {a.status_code for a in answers} == {200}
    assert len({a.text for a in answers}) == 1
    assert len([e for e in service.store.audit() if e.deed == "acknowledged"]) == 1
    service.store.close()


# --- Training systems ---


def signed(service: WebService, body: bytes, secret: str = SECRET, **more: Any) -> dict[str, str]:
    stamp = timestamp(more.get("at", service.now))
    signature = sign(secret, stamp, body)
    return {**_JSON, "X-Monitor-Timestamp": stamp, "X-Monitor-Signature": signature}


def said(request: str = "r0", **more: Any) -> bytes:
    return json.dumps({"request_id": request, "state": "accepted", **more}).encode()


def test_a_training_system_answers_by_its_signature(service: WebService) -> None:
    breach(service)
    client, path = service.client(), "/api/v1/retrain-requests/r0"
    body = said()
    answer = client.post(path, content=body, headers=signed(service, body))
    assert answer.status_code == 200
    assert answer.json()["entry"]["who"] == "training system of loan"
    body = said(state="succeeded", model_version="7", reference="s3://x/y.parquet", text="done")
    assert client.post(path, content=body, headers=signed(service, body)).status_code == 200
    stored = service.store.get_retrain("r0")
    assert stored is not None
    assert (stored.state, stored.model_version, stored.answer) == ("succeeded", "7", "done")
    again = client.post(path, content=body, headers=signed(service, body))
    assert again.status_code == 200, "said once more, it is taken"
    body = said(state="failed")
    assert client.post(path, content=body, headers=signed(service, body)).status_code == 409
    assert len(service.store.audit()) == 2


def test_a_token_that_captures_answers_and_sees_nothing(service: WebService) -> None:
    breach(service)
    client = service.client(service.token(Scope.CAPTURE))
    accepted = client.post("/api/v1/retrain-requests/r0", content=said(), headers=_JSON)
    assert (accepted.status_code, accepted.json()["entry"]["who"]) == (200, "mia")
    [stored] = service.store.newest_retrains()
    assert stored.state == "accepted"
    for told in (said("r1"), said("r1", state="failed")):
        unknown = client.post("/api/v1/retrain-requests/r1", content=told, headers=_JSON)
        assert (unknown.status_code, unknown.json()["known"]) == (404, [])
        assert "r0" not in unknown.text
    assert client.get("/api/v1/retrain-requests/r0").status_code == 403
    asks = client.post("/api/v1/retrain-requests", json={"monitor": "loan", **WHY})
    assert asks.status_code == 403


def test_a_recorded_answer_is_no_use(service: WebService) -> None:
    breach(service)
    client, path = service.client(), "/api/v1/retrain-requests/r0"
    body = said()
    headers = signed(service, body)
    assert client.post(path, content=body, headers=headers).status_code == 200
    settled = said(state="failed", text="no data")
    assert client.post(path, content=settled, headers=signed(service, settled)).status_code == 200
    played = client.post(path, content=body, headers={**headers, "Idempotency-Key": "new"})
    assert played.headers["idempotent-replay"] == "true"
    assert len(service.store.audit()) == 2
    service.now += timedelta(seconds=301)
    assert client.post(path, content=body, headers=headers).status_code == 401


def test_signatures_that_are_wrong(service: WebService) -> None:
    breach(service)
    request = a_retrain("r1", requested_at=NOON + minutes(1), monitor="churn")
    service.store.save(Outcome(a_check("c1", day(1)), retrain=request))
    client, body = service.client(), said()
    good = signed(service, body)
    wrong: list[tuple[str, bytes, dict[str, str]]] = [
        ("r0", body + b" ", good),
        ("r0", body, {**good, "X-Monitor-Signature": "v1=00"}),
        ("r0", body, {**good, "X-Monitor-Signature": "é".encode("latin-1").decode("latin-1")}),
        ("r0", body, {**good, "X-Monitor-Timestamp": "x"}),
        ("r0", body, signed(service, body, "another secret")),
        ("r0", body, signed(service, body, at=NOW - timedelta(seconds=301))),
        ("r0", body, signed(service, body, at=NOW + timedelta(seconds=301))),
        ("r1", body, good),  # of a monitor without a training system
        ("nothing", body, good),
    ]
    for request_id, content, headers in wrong:
        sent = {k.encode(): v.encode("latin-1") for k, v in headers.items()}
        answer = client.post(
            f"/api/v1/retrain-requests/{request_id}", content=content, headers=sent
        )
        assert answer.status_code == 401, (request_id, headers)
    for content in (said("r9"), b'{"state": "accepted"}'):
        headers = signed(service, content)
        answer = client.post("/api/v1/retrain-requests/r0", content=content, headers=headers)
        assert answer.status_code == 422
    assert service.store.audit() == []


def test_a_training_system_may_show_a_token(service: WebService) -> None:
    breach(service)
    body, path = {"state": "accepted"}, "/api/v1/retrain-requests/r0"
    assert service.client(service.token(Scope.READ)).post(path, json=body).status_code == 403
    assert service.client(service.token(Scope.OPERATE)).post(path, json=body).status_code == 200


# --- Problems ---


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "kind", "told"),
    [
        ("GET", "checks?monitor=laon", None, 404, "unknown-name", "did you mean 'loan'?"),
        ("GET", "monitors/laon", None, 404, "unknown-name", "did you mean 'loan'?"),
        ("GET", "checks/nothing", None, 404, "unknown-name", "there are: none"),
        ("GET", "checks?limit=0", None, 422, "wrong-form", "limit: "),
        ("GET", "checks?limit=201", None, 422, "wrong-form", "limit: "),
        ("GET", "checks?cursor=nonsense", None, 422, "asked-wrongly", "none of ours"),
        ("GET", "checks/%00", None, 422, "wrong-form", "check_id: "),
        ("GET", "nothing", None, 404, "no-such-page", "openapi.json"),
        ("PUT", "checks", None, 405, "wrong-method", ""),
        ("POST", "retrain-requests", {"monitor": "laon", **WHY}, 422, "unknown-name", "loan"),
        ("POST", "retrain-requests", {"monitor": "loan"}, 422, "wrong-form", "why: "),
        ("POST", "retrain-requests", {"monitor": "a\0b", **WHY}, 422, "wrong-form", "monitor: "),
        ("POST", "retrain-requests", {"monitor": "\ud800", **WHY}, 422, "wrong-form", "monitor: "),
        ("POST", "retrain-requests", {"monitor": "churn", **WHY}, 422, "asked-wrongly", "no train"),
        ("POST", "retrain-requests", {"x": 1, "monitor": "loan", **WHY}, 422, "wrong-form", "x: "),
        ("POST", "retrain-requests", [], 422, "wrong-form", ""),
        ("POST", "silences/mute", {"until": "2026-03-20", **WHY}, 422, "wrong-form", "until: "),
        ("POST", "silences/mute", {"until": BEFORE_ALL, **WHY}, 422, "wrong-form", ""),
        ("POST", "silences/mute", {"until": PAST, **WHY}, 422, "asked-wrongly", "past"),
        ("POST", "tokens", {"name": "x", "scopes": ["all"], **WHY}, 422, "wrong-form", "scopes.0"),
        ("POST", "tokens", {"name": "x", "scopes": [], **WHY}, 422, "wrong-form", "scopes"),
    ],
)  # fmt: skip
def test_problems_say_what_is_wrong(
    service: WebService, admin: httpx.Client, method: str, path: str, body: Any, status: int,
    kind: str, told: str,
) -> None:  # fmt: skip
    content = None if body is None else json.dumps(body)
    headers = {} if body is None else _JSON
    answer = admin.request(method, f"/api/v1/{path}", content=content, headers=headers)
    problem = answer.json()
    assert (answer.status_code, problem["status"]) == (status, status)
    assert answer.headers["content-type"] == "application/problem+json"
    assert problem["type"] == f"urn:drift-monitor:problem:{kind}"
    assert told in f"{problem['detail']} {problem['hint']}"


def test_bodies_that_are_no_json(service: WebService, admin: httpx.Client) -> None:
    for content in ("{", "", "[" * 100_000, "\xff", "NaN"):
        answer = admin.post("/api/v1/silences/mute", content=content, headers=_JSON)
        assert answer.status_code in (400, 422), content[:10]


@pytest.mark.parametrize(
    "cursor",
    [
        cursor_of("loan"),
        cursor_of("a", "b", "c"),
        cursor_of(NOW.replace(tzinfo=None), NOW, "x"),
        cursor_of(NOW.replace(year=1), NOW, "x"),
        cursor_of(NOW, NOW, "a\0b"),
        "!!!!",
        "é",
        "W10",
        "bnVsbA",
        "x" * 401,
    ],
)
def test_cursors_of_others(service: WebService, admin: httpx.Client, cursor: str) -> None:
    for path in ("checks", "audit", "episodes"):
        answer = admin.get(f"/api/v1/{path}", params={"cursor": cursor})
        assert answer.status_code == 422, (path, answer.text)


def test_a_store_that_is_away_and_a_fault(
    service: WebService, admin: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unavailable(*_: object, **__: object) -> None:
        raise StoreUnavailable("the database is locked", hint="stop the other process")

    monkeypatch.setattr(service.store, "lines", unavailable)
    answer = admin.get("/api/v1/checks")
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
    assert answer.json()["hint"] == "stop the other process"


def test_the_document_is_for_those_who_may_read(service: WebService, admin: httpx.Client) -> None:
    assert service.client().get("/api/v1/openapi.json").status_code == 401
    document = admin.get("/api/v1/openapi.json").json()
    assert set(document["components"]["securitySchemes"]) == {"token", "signature"}
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            assert operation["description"], (path, method)
            assert operation["tags"], (path, method)
            assert {"401", "403", "422", "429", "500", "503"} <= set(operation["responses"])
