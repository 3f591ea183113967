"""What is pressed in Slack, against a real server: who may, what is asked, done and told."""

import hmac
import json
import logging
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any
from urllib.parse import urlencode

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from making import a_check, an_episode, opened
from slack_server import Answer, SlackServer
from slack_socket import SlackSocket
from test_notifiers import LOOPBACK, TOKEN, alert, slack

from monitor import wiring
from monitor.archive import Outcome, Store
from monitor.core.people import MUTES_H, Deed
from monitor.core.routing import everybody
from monitor.deeds.planning import Actor
from monitor.delivery import Delivery
from monitor.desk import Desk
from monitor.interactions import Allowed, Interactions, Reply
from monitor.settings import MonitorSettings
from monitor.slack.blocks import Buttons
from monitor.slack.client import Api
from monitor.slack.proof import Proof
from monitor.slack.socket_mode import SocketMode
from monitor.stores import sql
from monitor.web.slack import BODY_BYTES, PATH, slack_routes

SIGNING = "signing-secret-not-for-logs"
NOW = datetime(2026, 1, 5, 12, tzinfo=UTC)
MIA = {"id": "U0MIA", "username": "mia", "team_id": "T0US"}
SETTINGS: dict[str, Any] = {
    "name": "loan",
    "production": {"path": "x.parquet", "time": "at"},
    "retrain": {"url": "https://trainer.example/", "secret": "s"},
}


@pytest.fixture
def server() -> Iterator[SlackServer]:
    with SlackServer(TOKEN) as server:
        yield server


@pytest.fixture
def store(tmp_path: Any) -> Iterator[Store]:
    store = sql.make("memory://", tmp_path, wiring.now)
    yield store
    store.close()


@pytest.fixture
def desk(store: Store) -> Desk:
    monitors = {"loan": MonitorSettings.model_validate(SETTINGS)}
    return Desk(store, lambda: NOW, monitors, everybody("slack"))


def breach(store: Store) -> None:
    """An episode that somebody was told of on the channel `slack`."""
    told = replace(alert(), monitor="loan", episode="e0", created_at=NOW)
    changes = (opened(an_episode(told=True)),)
    store.save(Outcome(a_check("c0"), changes=changes, messages=(told,)))


def interactions(
    server: SlackServer, store: Store, desk: Desk, allow: Allowed = ("U0MIA",)
) -> Interactions:
    api = Api(TOKEN, lambda: NOW, api_url=server.api_url, reach=LOOPBACK)
    return Interactions(api, desk, store, lambda: NOW, {"slack": allow})


def press(do: str, user: dict[str, str] = MIA, **more: Any) -> dict[str, Any]:
    return {
        "type": "block_actions",
        "user": user,
        "team": {"id": "T0US"},
        "channel": {"id": "C0ML"},
        "trigger_id": "13.37",
        "actions": [{"action_id": do, "block_id": "slack/e0", **more}],
    }


def asked(server: SlackServer) -> dict[str, Any]:
    """The modal that was opened last."""
    (view,) = [call["view"] for method, call in server.calls[-1:] if method == "views.open"]
    return dict(view)


def filled_in(
    view: dict[str, Any], why: str, hours: str = "", user: dict[str, str] = MIA, view_id: str = "V1"
) -> dict[str, Any]:
    values: dict[str, Any] = {"why": {"answer": {"type": "plain_text_input", "value": why}}}
    if hours:
        values["lasts"] = {"answer": {"selected_option": {"value": hours}}}
    state = {"state": {"values": values}, "id": view_id}
    return {"type": "view_submission", "user": user, "team": {"id": "T0US"}, "view": view | state}


def done(reply: Reply) -> Reply:
    """As Slack's door does it: answer first, then the rest."""
    if reply.then is not None:
        reply.then()
    return reply


def shown(reply: Reply) -> str:
    assert reply.answer is not None and reply.answer["response_action"] == "update"
    return str(reply.answer["view"]["blocks"][0]["text"]["text"])


# --- What is below an alert ---


def test_buttons_are_below_what_is_open_and_only_where_somebody_listens(
    server: SlackServer,
) -> None:
    silent = slack(server).send(alert(), {})
    assert "actions" not in {block["type"] for block in silent["blocks"]}
    buttons = Buttons("slack", frozenset({"car_loan"}))
    receipt = slack(server, buttons=buttons).send(alert(), {})
    actions = receipt["blocks"][-1]
    assert (actions["type"], actions["block_id"]) == ("actions", "slack/e1")
    assert [e["action_id"] for e in actions["elements"]] == [
        "acknowledge", "mute", "retrain", "open",
    ]  # fmt: skip
    assert [o["value"] for o in actions["elements"][1]["options"]] == [
        str(hours) for hours in MUTES_H
    ]
    assert actions["elements"][3]["url"] == "https://m.example/r/1"
    other = slack(server, buttons=Buttons("slack")).send(alert(report_url="a.html"), {})
    assert [e["action_id"] for e in other["blocks"][-1]["elements"]] == [
        "acknowledge", "mute", "open",
    ]  # fmt: skip


def test_the_first_message_shows_who_looks_after_it_and_then_that_it_is_over(
    server: SlackServer,
) -> None:
    channel = slack(server, buttons=Buttons("slack"))
    thread = channel.send(alert(), {})
    channel.send(deed("acknowledged", "Acknowledged: drift, by mia: I look"), thread)
    first = server.posts[thread["ts"]]
    assert first["blocks"][1]["text"]["text"] == "*Acknowledged: drift, by mia: I look*"
    assert [e["action_id"] for e in first["blocks"][-1]["elements"]] == ["mute", "open"]
    channel.send(deed("resolved", "Resolved: drift, by mia: fixed"), thread)
    first, acknowledged, _ = server.posts.values()
    assert first["blocks"][1]["text"]["text"] == "*Resolved: drift, by mia: fixed*"
    assert "actions" not in {block["type"] for block in first["blocks"]}
    context = acknowledged["blocks"][-1]["elements"][0]["text"]
    assert context.startswith("*car_loan* · drift acknowledged")


def deed(what: str, headline: str) -> Any:
    """As a person's deed is told: without a check."""
    nothing: dict[str, Any] = {
        "verdict": None,
        "level": None,
        "causes": [],
        "more_causes": 0,
        "rows": None,
    }
    return alert(what, headline=headline, window=None, report_url="", **nothing)


# --- Deeds ---


def test_an_acknowledgement_is_asked_for_a_reason_done_and_told(
    server: SlackServer, store: Store, desk: Desk
) -> None:
    breach(store)
    app = interactions(server, store, desk)
    assert done(app.hear(press("acknowledge"))).answer is None
    view = asked(server)
    assert view["title"]["text"] == "Acknowledge" and len(view["title"]["text"]) <= 24
    assert len(view["private_metadata"]) <= 3000
    said = app.hear(filled_in(view, "the release of Monday"))
    assert shown(said) == "You look after loan now; the others are told."
    given = store.acknowledgements(["e0"])["e0"]
    assert (given.who, given.why) == ("mia (U0MIA)", "the release of Monday")
    (entry,) = store.audit()
    assert (entry.deed, entry.via) == (Deed.ACKNOWLEDGED, "slack")
    told = [m for m in store.oldest_messages() if m.kind == "episode.acknowledged"]
    assert [m.channel for m in told] == ["slack"]


def test_a_submission_that_comes_twice_is_done_once(
    server: SlackServer, store: Store, desk: Desk
) -> None:
    breach(store)
    app = interactions(server, store, desk)
    done(app.hear(press("retrain")))
    view = asked(server)
    first, again = (app.hear(filled_in(view, "drift", view_id="V7")) for _ in range(2))
    assert shown(first) == shown(again)
    assert len(store.newest_retrains()) == 1
    assert len(store.audit()) == 1


def test_a_deed_done_elsewhere_is_told_kindly(
    server: SlackServer, store: Store, desk: Desk
) -> None:
    breach(store)
    app = interactions(server, store, desk)
    done(app.hear(press("acknowledge")))
    view = asked(server)
    desk.do(desk.acknowledge(Actor("leo", "page"), "e0", "mine"))
    assert "acknowledged already" in shown(app.hear(filled_in(view, "mine")))
    desk.do(desk.resolve(Actor("leo", "page"), "e0", "over"))
    assert "is over" in shown(app.hear(filled_in(view, "mine")))
    assert store.acknowledgements(["e0"])["e0"].who == "leo"


@pytest.mark.parametrize("hours", ["1", "8", "24"])
def test_a_monitor_is_muted_for_as_long_as_chosen(
    server: SlackServer, store: Store, desk: Desk, hours: str
) -> None:
    breach(store)
    app = interactions(server, store, desk)
    done(app.hear(press("mute", selected_option={"value": hours})))
    view = asked(server)
    assert view["blocks"][1]["element"]["initial_option"]["value"] == hours
    assert shown(app.hear(filled_in(view, "moving", hours))).startswith("loan is muted until 2026")
    (silence,) = store.silences()
    assert silence.end - silence.start == timedelta(hours=int(hours))
    assert (silence.monitor, silence.who, silence.why) == ("loan", "mia (U0MIA)", "moving")


def test_a_reason_that_is_none_leaves_the_modal_open(
    server: SlackServer, store: Store, desk: Desk
) -> None:
    breach(store)
    app = interactions(server, store, desk)
    done(app.hear(press("acknowledge")))
    said = app.hear(filled_in(asked(server), "  "))
    assert said.answer is not None and said.answer["response_action"] == "errors"
    assert "say why" in said.answer["errors"]["why"]
    assert store.audit() == []


# --- Who may ---


@pytest.mark.parametrize(
    ("allow", "user", "may"),
    [
        ((), MIA, False),
        (("U0MIA",), MIA, True),
        (("U0LEO",), MIA, False),
        ("everybody", MIA, True),
        ("everybody", MIA | {"team_id": "T0THEM"}, False),  # a guest of a shared channel
        (("U0MIA",), MIA | {"team_id": "T0THEM"}, True),  # named by id
    ],
)
def test_presses_are_obeyed_of_those_who_are_named(
    server: SlackServer, store: Store, desk: Desk, allow: Allowed, user: dict[str, str], may: bool
) -> None:
    breach(store)
    app = interactions(server, store, desk, allow)
    done(app.hear(press("acknowledge", user)))
    method, call = server.calls[-1]
    assert method == ("views.open" if may else "chat.postEphemeral")
    if not may:
        assert (call["channel"], call["user"]) == ("C0ML", "U0MIA")
        assert call["text"].startswith("Thank you")
        other = interactions(server, store, desk, ("U0ELSE",))
        done(interactions(server, store, desk, (user["id"],)).hear(press("acknowledge", user)))
        view = asked(server)
        assert "not among those" in shown(other.hear(filled_in(view, "why", user=user)))
        assert store.audit() == []


def test_what_is_not_ours_is_ignored(
    server: SlackServer, store: Store, desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    app = interactions(server, store, desk)
    strange: list[dict[str, Any]] = [
        {},
        {"type": "shortcut"},
        {"type": "block_actions", "actions": []},
        {"type": "block_actions", "actions": None},
        press("open"),
        press("somebody_elses"),
        {"type": "view_submission", "view": {"callback_id": "theirs"}},
        filled_in({"callback_id": "monitor_deed", "private_metadata": "{}"}, "why"),
        filled_in({"callback_id": "monitor_deed", "private_metadata": "no json"}, "why"),
    ]
    assert [app.hear(payload) for payload in strange] == [Reply()] * len(strange)
    assert (server.calls, store.audit()) == ([], [])


def test_an_unknown_episode_is_said_to_be_unknown(
    server: SlackServer, store: Store, desk: Desk
) -> None:
    done(interactions(server, store, desk).hear(press("acknowledge")))
    assert server.calls[-1][1]["text"] == "I do not know this episode any more."


def test_a_modal_that_slack_does_not_open_is_whispered(
    server: SlackServer, store: Store, desk: Desk
) -> None:
    breach(store)
    server.script.append(Answer(error="expired_trigger_id"))
    done(interactions(server, store, desk).hear(press("acknowledge")))
    assert [m for m, _ in server.calls] == ["views.open", "chat.postEphemeral"]
    server.script.extend([Answer(status=500, body="x"), Answer(error="not_in_channel")])
    done(interactions(server, store, desk).hear(press("acknowledge")))  # and nobody is harmed


# --- Slack calls us ---


def web(app: Interactions, now: datetime = NOW) -> TestClient:
    api = FastAPI()
    api.include_router(slack_routes([(Proof("another app's"), app.hear), (PROOF, app.hear)],
                                    lambda: now))  # fmt: skip
    return TestClient(api)


PROOF = Proof(SIGNING)


@pytest.fixture(autouse=True)
def _fresh_proof(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("test_interactions.PROOF", Proof(SIGNING))


def signed(body: bytes, at: datetime = NOW, secret: str = SIGNING) -> dict[str, str]:
    stamp = str(int(at.timestamp()))
    digest = hmac.new(secret.encode(), f"v0:{stamp}:".encode() + body, sha256).hexdigest()
    return {
        "X-Slack-Request-Timestamp": stamp,
        "X-Slack-Signature": f"v0={digest}",
        "Content-Type": "application/x-www-form-urlencoded",
    }


def form(payload: dict[str, Any]) -> bytes:
    return urlencode({"payload": json.dumps(payload)}).encode()


def test_a_signed_press_is_answered_and_done(server: SlackServer, store: Store, desk: Desk) -> None:
    breach(store)
    client = web(interactions(server, store, desk))
    body = form(press("acknowledge"))
    answer = client.post(PATH, content=body, headers=signed(body))
    assert (answer.status_code, answer.content) == (200, b"")
    body = form(filled_in(asked(server), "the release"))
    answer = client.post(PATH, content=body, headers=signed(body))
    assert answer.json()["response_action"] == "update"
    assert store.acknowledgements(["e0"])["e0"].why == "the release"


def test_a_request_that_is_not_slacks_is_refused(
    server: SlackServer, store: Store, desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    breach(store)
    client = web(interactions(server, store, desk))
    body = form(press("acknowledge"))
    good = signed(body)
    stamp, signature = good["X-Slack-Request-Timestamp"], good["X-Slack-Signature"]
    wrong: list[tuple[bytes, dict[str, str]]] = [
        (body, {}),
        (body, good | {"X-Slack-Signature": "v0="}),
        (body, good | {"X-Slack-Signature": signature[3:]}),
        (body, good | {"X-Slack-Signature": signature.replace("v0", "v1")}),
        (body, good | {"X-Slack-Request-Timestamp": str(int(stamp) + 1)}),
        (body, good | {"X-Slack-Request-Timestamp": ""}),
        (body, good | {"X-Slack-Request-Timestamp": "-1"}),
        (body, good | {"X-Slack-Request-Timestamp": "9" * 40}),
        (body + b"&x=1", good),
        (body, signed(body, secret="guessed")),
        (body, signed(body, NOW - timedelta(seconds=301))),
        (body, signed(body, NOW + timedelta(seconds=301))),
    ]
    for content, headers in wrong:
        assert client.post(PATH, content=content, headers=headers).status_code == 401
    assert server.calls == []
    assert SIGNING not in caplog.text and signature not in caplog.text
    assert client.get(PATH).status_code == 405
    assert client.post(PATH, content=body, headers=good).status_code == 200


def test_a_recorded_request_is_not_let_in_again(
    server: SlackServer, store: Store, desk: Desk
) -> None:
    breach(store)
    client = web(interactions(server, store, desk))
    body = form(press("acknowledge"))
    codes = [client.post(PATH, content=body, headers=signed(body)).status_code for _ in range(3)]
    assert codes == [200, 401, 401]
    assert len(server.calls) == 1


def test_a_replay_to_another_process_does_nothing_twice(
    server: SlackServer, store: Store, desk: Desk
) -> None:
    breach(store)
    app = interactions(server, store, desk)
    done(app.hear(press("retrain")))
    body = form(filled_in(asked(server), "drift"))
    for _ in range(2):
        other = FastAPI()
        other.include_router(slack_routes([(Proof(SIGNING), app.hear)], lambda: NOW))
        answer = TestClient(other).post(PATH, content=body, headers=signed(body))
        assert answer.json()["view"]["title"]["text"] == "Done"
    assert len(store.newest_retrains()) == 1


def test_large_and_malformed_bodies_are_refused(
    server: SlackServer, store: Store, desk: Desk
) -> None:
    client = web(interactions(server, store, desk))
    large = b"payload=" + b"x" * BODY_BYTES
    assert client.post(PATH, content=large, headers=signed(large)).status_code == 413

    def pieces() -> Iterator[bytes]:
        yield from (b"x" * 64_000 for _ in range(5))

    assert client.post(PATH, content=pieces()).status_code == 413  # no Content-Length to lie with
    for body in (b"", b"payload=", b"payload=[]", b"payload=%7B", b"x=1", b"\xff", b"payload=%ff"):
        assert client.post(PATH, content=body, headers=signed(body)).status_code == 400
    deep = b"payload=" + b"[" * 100_000
    assert client.post(PATH, content=deep, headers=signed(deep)).status_code == 400


# --- Socket Mode ---


@contextmanager
def listening(server: SlackServer, app: Interactions) -> Iterator[SocketMode]:
    mode = SocketMode(TOKEN, app.hear, api_url=server.api_url, reach=LOOPBACK, ping_s=0.2)
    stop = threading.Event()
    thread = threading.Thread(target=mode.run, args=(stop,))
    thread.start()
    try:
        yield mode
    finally:
        stop.set()
        thread.join(10)
        assert not thread.is_alive()


def until(holds: Any, timeout_s: float = 10.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not holds():
        assert time.monotonic() < deadline, "it did not come to that"
        time.sleep(0.02)


def test_presses_come_over_a_connection_of_ours(
    server: SlackServer, store: Store, desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    breach(store)
    app = interactions(server, store, desk)
    with SlackSocket() as there:
        server.socket_url = there.url
        with listening(server, app):
            there.connections.get(timeout=10)
            there.send(press("acknowledge"))
            assert there.answers.get(timeout=10) == {"envelope_id": "e1"}
            until(lambda: server.calls[-1][0] == "views.open")
            there.send(filled_in(asked(server), "the release"), "e2")
            answer = there.answers.get(timeout=10)
            assert (answer["envelope_id"], answer["payload"]["response_action"]) == ("e2", "update")
            there.send({"type": "nonsense"}, "e3")
            assert there.answers.get(timeout=10) == {"envelope_id": "e3"}
    assert store.acknowledgements(["e0"])["e0"].why == "the release"
    assert TOKEN not in caplog.text and "hush" not in caplog.text


def test_a_broken_connection_and_a_slack_that_is_away_are_outlived(
    server: SlackServer, store: Store, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("monitor.slack.socket_mode._FIRST_WAIT_S", 0.05)
    breach(store)
    server.script.extend([Answer(status=503, body="away"), Answer(error="internal_error")])
    with SlackSocket() as there:
        server.socket_url = there.url
        with listening(server, interactions(server, store, desk)):
            there.connections.get(timeout=10)
            there.drop()
            there.connections.get(timeout=10)
            there.send(press("acknowledge"))
            assert there.answers.get(timeout=10) == {"envelope_id": "e1"}


def test_a_connection_leads_inside_only_where_that_is_named(
    server: SlackServer, store: Store, desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    with socket.create_server(("127.0.0.2", 0)) as inside:
        inside.settimeout(0.2)
        server.socket_url = f"ws://127.0.0.2:{inside.getsockname()[1]}/link"
        with listening(server, interactions(server, store, desk)):
            until(lambda: "no connection to Slack error=DeliveryRefused" in caplog.text)
            with pytest.raises(TimeoutError):
                inside.accept()


def test_the_whole_way_from_an_alert_to_its_edit(
    server: SlackServer, store: Store, desk: Desk
) -> None:
    breach(store)
    channel = slack(server, buttons=Buttons("slack"))
    delivery = Delivery(store, {"slack": channel}, lambda: NOW)
    assert delivery.deliver_due() == 1
    (first,) = server.posts.values()
    pressed = press("acknowledge", block_id=first["blocks"][-1]["block_id"])
    app = interactions(server, store, desk)
    done(app.hear(pressed))
    app.hear(filled_in(asked(server), "I look"))
    assert delivery.deliver_due() == 1
    edited = next(iter(server.posts.values()))["blocks"]
    assert edited[1]["text"]["text"] == "*Acknowledged: drift, by mia (U0MIA): I look*"
