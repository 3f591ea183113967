"""`monitor alerts`, and the service with the channels that a configuration names."""

import re
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from fastapi.testclient import TestClient
from mail_server import MailServer
from projects import write_project
from slack_server import Answer, SlackServer
from slack_socket import SlackSocket
from test_cli import Said
from test_interactions import signed, until
from test_notifiers import TOKEN, Web

from monitor import serving, wiring
from monitor.cli.main import run
from monitor.heartbeat import StallWatch
from monitor.scheduler import Scheduler
from monitor.service import Service, open_service


@pytest.fixture
def web() -> Iterator[Web]:
    server = Web()
    yield server
    server.close()


@pytest.fixture
def server() -> Iterator[SlackServer]:
    with SlackServer(TOKEN) as server:
        yield server


Ask = Callable[[Path, str], Said]


@pytest.fixture
def ask(capsys: pytest.CaptureFixture[str]) -> Ask:
    def call(config: Path, line: str) -> Said:
        code = run([*line.split(), "--config", str(config)])
        return Said(code, *capsys.readouterr())

    return call


def configured(folder: Path, alerts: str) -> Path:
    config = write_project(folder, store="memory://")
    config.write_text(config.read_text() + alerts)
    return config


def three(server: SlackServer, web: Web, mail: MailServer) -> str:
    return f"""base_url: https://drift.example.org
alerts:
  slack: {{token: {TOKEN}, channel: "#ml", api_url: "{server.api_url}"}}
  webhook: {{url: "{web.url}"}}
  channels:
    morning:
      email: {{host: 127.0.0.1, port: {mail.port}, security: none,
              from: a@b.c, to: ops@b.c, digest: 1d at 09:00}}
"""


def test_channels_are_tried_now_and_each_says_what_became_of_it(
    tmp_path: Path,
    ask: Ask,
    server: SlackServer,
    web: Web,
) -> None:
    with MailServer() as mail:
        config = configured(tmp_path, three(server, web, mail))
        said = ask(config, "alerts test --json -")
        assert said.code == 0
        assert said.json == {
            "channels": [
                {"channel": name, "outcome": "taken", "error": ""}
                for name in ("slack", "webhook", "morning")
            ]
        }
        assert server.calls[0][1]["text"].endswith("if you can read this, alerts arrive here")
        assert mail.taken[0].mail["Subject"] == "test of a channel"
        assert len(web.requests) == 1
        only = ask(config, "alerts test webhook")
        assert (only.code, only.out.split()) == (0, ["webhook", "taken"])
        assert (len(web.requests), len(server.calls)) == (2, 1)


def test_alerts_without_links_are_told_of(tmp_path: Path, ask: Ask, web: Web) -> None:
    lines = f'alerts:\n  webhook: {{url: "{web.url}"}}\n'
    told = "alerts by webhook carry no link to their checks: `base_url: https://...` at the top of"
    config = configured(tmp_path, lines)
    for line in ("alerts test", "config check"):
        said = ask(config, line)
        assert said.code == 0 and told in " ".join(said.out.split())
    config.write_text(config.read_text() + "base_url: https://drift.example.org\n")
    for line in ("alerts test", "config check"):
        assert "base_url" not in ask(config, line).out


def test_a_channel_that_does_not_take_it_is_told(
    tmp_path: Path,
    ask: Ask,
    server: SlackServer,
    web: Web,
) -> None:
    with MailServer(script={"RCPT": "450 later"}) as mail:
        config = configured(tmp_path, three(server, web, mail))
        server.script.append(Answer(error="channel_not_found"))
        said = ask(config, "alerts test")
        assert said.code == 70
        assert [re.split("  +", line) for line in said.out.splitlines()] == [
            ["slack", "refused", "Slack answered channel_not_found"],
            ["webhook", "taken"],
            ["morning", "not taken now", "the mail server answered 450"],
        ]
        assert TOKEN not in said.out + said.err
        unknown = ask(config, "alerts test slak")
        assert unknown.code == 64
        assert "there is no channel named 'slak'; there are: morning, slack, webhook" in unknown.err


def test_channels_are_listed_with_whom_they_tell_of(
    tmp_path: Path,
    ask: Ask,
    server: SlackServer,
    web: Web,
) -> None:
    with MailServer() as mail:
        said = ask(configured(tmp_path, three(server, web, mail)), "alerts list --json -")
    assert said.json["channels"][2] == {
        "channel": "morning",
        "kind": "email",
        "when": "every 1d at 09:00 (UTC)",
        "monitors": ["orders"],
    }
    assert TOKEN not in said.out + said.err
    bare = ask(configured(tmp_path / "bare", ""), "alerts list")
    assert bare.out.splitlines()[1].split() == ["console", "console", "at", "once", "orders"]


# --- The service ---


def opened(config: Path) -> Service:
    return open_service(config)


def test_slack_may_call_the_service_when_it_has_a_signing_secret(
    tmp_path: Path, server: SlackServer
) -> None:
    alerts = f"""alerts:
  slack: {{token: {TOKEN}, channel: "#ml", api_url: "{server.api_url}",
          interactions: {{signing_secret: s1gn, allow: everybody}}}}
"""
    service = opened(configured(tmp_path, alerts))
    client = TestClient(pages(service))
    body = urlencode({"payload": '{"type": "other"}'}).encode()
    assert client.post("/slack/interactions", content=body).status_code == 401
    headers = signed(body, wiring.now(), "s1gn")
    assert client.post("/slack/interactions", content=body, headers=headers).status_code == 200
    service.close()
    silent = opened(configured(tmp_path / "silent", ""))
    assert TestClient(pages(silent)).post("/slack/interactions", content=body).status_code == 404
    silent.close()


def pages(service: Service) -> Any:
    idle = Scheduler(
        service.settings.monitors, service.store, lambda *_: "passed", service.clock,
        give_up=service.give_up,
    )  # fmt: skip
    watch = StallWatch({}, service.store, service.clock, patience=timedelta(hours=1))
    return serving._pages(service, idle, watch, {}, serving.Startup())


def test_the_service_listens_by_socket_mode_and_stops(tmp_path: Path, server: SlackServer) -> None:
    slack = (
        f'{{token: {TOKEN}, channel: "#ml", api_url: "{server.api_url}",'
        f" interactions: {{app_token: {TOKEN}, allow: [U0MIA]}}}}"
    )
    alerts = f"alerts:\n  slack: {slack}\n  channels:\n    loans: {{slack: {slack}}}\n"
    service = opened(configured(tmp_path, alerts))
    (app,) = service.slack_apps  # two channels, one app
    assert app.socket_mode is not None and app.proof is None
    with SlackSocket() as there:
        server.socket_url = there.url
        with serving._slack(service):
            there.connections.get(timeout=10)
            there.send({"type": "other"})
            assert there.answers.get(timeout=10) == {"envelope_id": "e1"}
    until(lambda: not any(t.name == "slack" for t in threading.enumerate()))
    service.close()
