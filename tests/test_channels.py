"""E-mail, Teams, PagerDuty, Opsgenie and apprise against real servers on loopback."""

import json
import logging
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from mail_server import MailServer
from slack_server import Answer, SlackServer
from test_interactions import deed
from test_notifiers import LOOPBACK, NOW, TOKEN, Web, alert, clock, slack
from test_reach import Names, certificate  # noqa: F401  # a fixture

from monitor.configuration.channels import (
    AppriseSettings,
    EmailSettings,
    OpsgenieSettings,
    PagerDutySettings,
    TeamsSettings,
)
from monitor.core.consequences import Message
from monitor.core.digests import gathered
from monitor.core.messages import sample_message
from monitor.core.reach import WORLD, Reach
from monitor.errors import AskedWrongly, DeliveryDelayed, DeliveryRefused
from monitor.notifiers import apprise as apprise_channel
from monitor.notifiers import opsgenie, pagerduty, teams
from monitor.notifiers.apprise import Apprise
from monitor.notifiers.console import block
from monitor.notifiers.email import Email
from monitor.notifiers.webhook import Webhook
from monitor.ports import Around, Notifier
from monitor.posting import Endpoint
from monitor.slack.blocks import message_blocks
from monitor.slack.client import Api

KEY = "R0UT1NGKEYnotforlogs"
EVIL = "<!channel> </pre><script>alert(1)</script> **bold** [x](http://evil.example) \r\nBcc: a@b.c"


@pytest.fixture
def web() -> Iterator[Web]:
    server = Web()
    server.answer = (202, {}, b"")
    yield server
    server.close()


def address(web: Web) -> str:
    return f"http://127.0.0.1:{web.server.server_port}/"


def around(name: str = "x") -> Around:
    return Around(name, clock, LOOPBACK)


def bodies(web: Web) -> list[dict[str, Any]]:
    return [json.loads(body) for _, body in web.requests]


def digest() -> Message:
    """Three episodes of two monitors."""
    told = [
        replace(alert(), id="a", episode="e1"),
        replace(deed("resolved", "Resolved: drift, by mia: fixed"), id="b", episode="e1"),
        replace(alert(level="critical", episode_id="e2"), id="c", episode="e2", monitor="loans"),
        replace(alert(episode_id="e3"), id="d", episode="e3"),
    ]
    return gathered("x", told, NOW + timedelta(hours=1))


# --- PagerDuty ---


def pager(web: Web) -> Notifier:
    settings = PagerDutySettings.model_validate({"routing_key": KEY, "url": address(web)})
    return pagerduty.make(settings, around())


def test_an_episode_is_one_incident_of_pagerduty(web: Web) -> None:
    channel = pager(web)
    for change in ("opened", "worsened"):
        channel.send(alert(change, level="critical"), {})
    channel.send(deed("acknowledged", "Acknowledged: drift, by mia: I look"), {})
    channel.send(deed("resolved", "Resolved: drift is over"), {})
    events = bodies(web)
    assert [e["event_action"] for e in events] == ["trigger", "trigger", "acknowledge", "resolve"]
    assert {e["dedup_key"] for e in events} == {"drift-monitor/e1"}
    assert {e["routing_key"] for e in events} == {KEY}
    first = events[0]["payload"]
    assert first["summary"] == "car_loan: Drifted: `car_value` is 62 % higher than in training"
    assert (first["severity"], first["source"], first["class"]) == ("critical", "car_loan", "drift")
    assert events[0]["links"][0] == {"href": "https://m.example/r/1", "text": "Report"}
    keys = [headers["Idempotency-Key"] for headers, _ in web.requests]
    assert keys[0] == "m_opened-trigger" and len(set(keys)) == 4


def test_a_test_of_pagerduty_is_over_at_once(web: Web) -> None:
    pager(web).send(sample_message("oncall", NOW), {})
    trigger, resolve = bodies(web)
    assert (trigger["event_action"], trigger["payload"]["severity"]) == ("trigger", "info")
    assert (resolve["event_action"], resolve["dedup_key"]) == ("resolve", trigger["dedup_key"])


@pytest.mark.parametrize(
    ("status", "expected"), [(400, DeliveryRefused), (429, DeliveryDelayed), (500, DeliveryDelayed)]
)
def test_what_pagerduty_answers(web: Web, status: int, expected: type[Exception]) -> None:
    web.answer = (status, {"Retry-After": "9"}, f"bad key {KEY}".encode())
    with pytest.raises(expected) as caught:
        pager(web).send(alert(), {})
    assert KEY not in f"{caught.value}"
    if isinstance(caught.value, DeliveryDelayed):
        assert caught.value.retry_after_s == 9


# --- Opsgenie ---


def genie(web: Web) -> Notifier:
    settings = OpsgenieSettings.model_validate({"api_key": KEY, "url": address(web)})
    return opsgenie.make(settings, around())


def test_an_episode_is_one_alert_of_opsgenie(web: Web) -> None:
    channel = genie(web)
    channel.send(alert(level="warning"), {})
    channel.send(deed("acknowledged", "Acknowledged: drift, by mia: I look"), {})
    channel.send(deed("resolved", "Resolved: drift is over"), {})
    opened, noted, closed = bodies(web)
    assert (opened["alias"], opened["priority"]) == ("drift-monitor/e1", "P3")
    assert len(opened["message"]) <= 130
    assert noted["note"] == "Acknowledged: drift, by mia: I look"
    assert closed["note"] == "Resolved: drift is over"
    assert web.paths == [
        "/v2/alerts",
        "/v2/alerts/drift-monitor%2Fe1/acknowledge?identifierType=alias",
        "/v2/alerts/drift-monitor%2Fe1/close?identifierType=alias",
    ]
    assert {headers["Authorization"] for headers, _ in web.requests} == {f"GenieKey {KEY}"}


def test_a_test_of_opsgenie_is_closed_and_its_key_stays_secret(
    web: Web, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    channel = genie(web)
    channel.send(sample_message("oncall", NOW), {})
    assert [path.rpartition("/")[2] for path in web.paths] == [
        "alerts", "close?identifierType=alias",
    ]  # fmt: skip
    web.answer = (401, {}, f"GenieKey {KEY} is wrong: {KEY}".encode())
    with pytest.raises(DeliveryRefused) as caught:
        channel.send(alert(), {})
    assert KEY not in f"{caught.value}{caplog.text}{channel!r}"


# --- Teams ---


def test_teams_gets_a_card_without_markdown(web: Web) -> None:
    settings = TeamsSettings.model_validate({"url": address(web) + "w?sig=hushhush"})
    channel = teams.make(settings, around())
    for told in (alert(headline=EVIL, causes=[{"name": EVIL, "text": EVIL}]), digest()):
        channel.send(told, {})
    for content in bodies(web):
        (attachment,) = content["attachments"]
        assert attachment["contentType"] == "application/vnd.microsoft.card.adaptive"
        card = attachment["content"]
        assert {part["type"] for part in card["body"]} == {"RichTextBlock"}
        assert len(json.dumps(content)) < 28_000
    assert [a["url"] for a in bodies(web)[0]["attachments"][0]["content"]["actions"]] == [
        "https://m.example/r/1", "https://m.example/c/1?a=1&b=2",
    ]  # fmt: skip
    many = [{"name": "&" * 120, "text": "ü" * 300}] * 500
    size = len(json.dumps(teams.card(alert(causes=many)), ensure_ascii=False).encode())
    assert size < 60_000
    web.answer = (400, {}, b"bad sig hushhush")
    with pytest.raises(DeliveryRefused) as caught:
        channel.send(alert(), {})
    assert "hushhush" not in str(caught.value)


# --- E-mail ---


@pytest.fixture
def tls(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> ssl.SSLContext:  # noqa: F811
    Names(monkeypatch, ["127.0.0.1"])
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate / "cert.pem"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate / "cert.pem", certificate / "key.pem")
    return context


def email(server: MailServer, total_s: float = 20.0, reach: Reach = LOOPBACK, **more: Any) -> Email:
    given = {"host": "127.0.0.1", "port": server.port, "security": "none"}
    given |= {"from": "Drift Monitor <monitor@example.org>", "to": ["ops@example.org"]}
    return Email(EmailSettings.model_validate(given | more), reach=reach, total_s=total_s)


def test_a_mail_says_what_happened_in_text_and_html() -> None:
    with MailServer() as server:
        receipt = email(server, to=["ops@example.org", "Ada <ada@example.org>"]).send(alert(), {})
    (taken,) = server.taken
    assert taken.receivers == ["ops@example.org", "ada@example.org"]
    mail = taken.mail
    assert mail["Subject"] == "car_loan: drift opened"
    assert mail["From"] == "Drift Monitor <monitor@example.org>"
    assert mail["Message-ID"] == receipt["message_id"] == "<m_opened@example.org>"
    assert mail["Auto-Submitted"] == "auto-generated"
    plain = mail.get_body(("plain",))
    page = mail.get_body(("html",))
    assert plain is not None and page is not None
    lines = plain.get_content().splitlines()
    assert lines[0] == "Drifted: `car_value` is 62 % higher than in training"
    assert lines[1] == "car_value  PSI 1.81 (tolerance 0.1), mean 30.1 k → 48.6 k"
    assert lines[-1] == "report https://m.example/r/1"
    assert '<a href="https://m.example/r/1">' in page.get_content()


def test_an_episode_is_one_conversation() -> None:
    with MailServer() as server:
        channel = email(server)
        thread = channel.send(alert(), {})
        channel.send(alert("worsened"), thread)
        channel.send(deed("resolved", "Resolved: drift is over"), thread)
    first, worse, over = (taken.mail for taken in server.taken)
    assert "References" not in first
    for later in (worse, over):
        assert later["References"] == later["In-Reply-To"] == first["Message-ID"]
        assert later["Subject"] == "Re: car_loan: drift opened"
    assert len({m["Message-ID"] for m in (first, worse, over)}) == 3
    body = over.get_body(("plain",))
    assert body is not None
    assert body.get_content().startswith("car_loan: drift resolved\r\n")


def test_names_from_data_are_inert_in_a_mail() -> None:
    with MailServer() as server:
        told = replace(alert(headline=EVIL, report_url='https://m.example/"><b>'), monitor=EVIL)
        email(server).send(told, {})
    (taken,) = server.taken
    assert taken.receivers == ["ops@example.org"]
    assert "Bcc" not in taken.mail
    page = taken.mail.get_body(("html",))
    assert page is not None
    assert "<script>" not in page.get_content() and '"><b>' not in page.get_content()


def test_a_mail_is_encrypted_and_signed_in_for(tls: ssl.SSLContext) -> None:
    with MailServer(tls) as server:
        login: dict[str, Any] = {"user": "monitor", "password": KEY}
        email(server, host="hook.example", security="starttls", **login).send(alert(), {})
        with pytest.raises(DeliveryDelayed, match="SSLCertVerificationError"):
            email(server, host="other.example", security="starttls", **login).send(alert(), {})
    (taken,) = server.taken
    assert taken.encrypted and taken.login.startswith("AUTH PLAIN ")
    assert server.seen.index("STARTTLS") < server.seen.index(taken.login)


def test_a_password_is_never_sent_unencrypted() -> None:
    with MailServer() as server:  # which does not encrypt
        login: dict[str, Any] = {"user": "monitor", "password": KEY}
        with pytest.raises(DeliveryRefused, match="does not encrypt"):
            email(server, security="starttls", **login).send(alert(), {})
    assert not any("AUTH" in line for line in server.seen)
    with pytest.raises(ValueError, match="not sent unencrypted"):
        email(server, security="none", **login)


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ({"MAIL": "451 later"}, DeliveryDelayed),
        ({"MAIL": "550 never"}, DeliveryRefused),
        ({"RCPT": "450 greylisted"}, DeliveryDelayed),
        ({"RCPT": "550 no such user"}, DeliveryRefused),
        ({"DATA": "452 no space"}, DeliveryDelayed),
        ({".": "554 spam"}, DeliveryRefused),
        ({".": "421 shutting down"}, DeliveryDelayed),
        ({"EHLO": "421 too many", "HELO": "421 too many"}, DeliveryDelayed),
        ({"MAIL": "what is this? ü"}, DeliveryDelayed),
    ],
)
def test_what_a_mail_server_answers(
    script: dict[str, str], expected: type[Exception], caplog: pytest.LogCaptureFixture
) -> None:
    with MailServer(script=script) as server, pytest.raises(expected) as caught:
        email(server).send(alert(), {})
    assert server.taken == []
    assert "ops@" not in str(caught.value)


def test_a_wrong_password_is_final_and_stays_secret(
    tls: ssl.SSLContext, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    with MailServer(tls, script={"AUTH": f"535 {KEY} is wrong"}) as server:
        channel = email(server, host="hook.example", security="starttls", user="m", password=KEY)
        with pytest.raises(DeliveryRefused, match=r"^the mail server answered 535$") as caught:
            channel.send(alert(), {})
    assert KEY not in f"{caught.value!r}{caplog.text}{channel!r}"


def test_one_wrong_receiver_does_not_keep_a_mail_from_the_others() -> None:
    script = {"RCPT TO:<gone@example.org>": "550 gone"}
    with MailServer(script=script) as server:
        receipt = email(server, to=["gone@example.org", "ops@example.org"]).send(alert(), {})
    assert (receipt["refused"], server.taken[0].receivers) == (1, ["ops@example.org"])


@pytest.mark.parametrize("command", ["EHLO", "RCPT", "DATA"])
def test_a_mail_server_that_drips_is_cut_off_in_time(command: str) -> None:
    with MailServer(hang=command) as server:
        began = time.monotonic()
        with pytest.raises(DeliveryDelayed, match="in time"):
            email(server, total_s=0.4).send(alert(), {})
        assert time.monotonic() - began < 3


def test_a_connection_that_breaks_is_tried_again() -> None:
    with MailServer(drop="DATA") as server, pytest.raises(DeliveryDelayed, match="Disconnected"):
        email(server).send(alert(), {})
    with pytest.raises(DeliveryDelayed, match="ConnectionRefusedError"):
        email(server).send(alert(), {})


@pytest.mark.parametrize("ending", [{"drop": "QUIT"}, {"hang": "QUIT"}])
def test_a_bad_goodbye_does_not_send_a_mail_twice(ending: dict[str, str]) -> None:
    with MailServer(**ending) as server:  # type: ignore[arg-type]
        email(server, total_s=0.5).send(alert(), {})
    assert len(server.taken) == 1


def test_a_mail_server_inside_is_not_spoken_to_unless_it_is_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    Names(monkeypatch, ["93.184.215.14", "127.0.0.1"])
    with MailServer() as server:
        with pytest.raises(DeliveryRefused, match=r"^mail\.example leads to 127\.0\.0\.1, which"):
            email(server, reach=WORLD, host="mail.example").send(alert(), {})
        with pytest.raises(DeliveryRefused, match=r"^127\.0\.0\.1 is not an address"):
            email(server, reach=WORLD).send(alert(), {})
    assert server.seen == []


def test_a_mail_goes_to_the_address_that_was_judged(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the name server says next; and to the next address when one takes none."""
    names = Names(monkeypatch, ["127.0.0.9", "127.0.0.1"], ["127.0.0.2"])
    with MailServer() as server:
        reach = Reach.of(["127.0.0.0/8"])
        email(server, reach=reach, host="mail.example").send(alert(), {})
    assert len(server.taken) == 1
    assert names.asked == ["mail.example"]


# --- Apprise ---


@pytest.fixture
def far(web: Web) -> Callable[..., Apprise]:
    """Makes channels that speak to `web`."""
    pytest.importorskip("apprise", reason="apprise is not installed")

    def made(host: str = "127.0.0.1", reach: Reach = WORLD, more: str = "") -> Apprise:
        url = f"json://user:{KEY}@{host}:{web.server.server_port}/{more}"
        return Apprise(url, "far", reach)

    return made


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "2130706433", "hook.example"])
def test_apprise_connects_to_nobody_inside(
    web: Web, far: Callable[..., Apprise], monkeypatch: pytest.MonkeyPatch, host: str
) -> None:
    Names(monkeypatch, ["127.0.0.1"])
    with pytest.raises(DeliveryRefused, match=r"127\.0\.0\.1,? (which )?is not an address of"):
        far(host).send(alert(), {})
    assert web.requests == []


def test_apprise_is_judged_by_where_it_connects(
    web: Web, far: Callable[..., Apprise], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name server that answers differently from time to time gains nothing; nor does one
    thread while another is judged."""
    Names(monkeypatch, ["93.184.215.14"], ["127.0.0.1"])
    socket.getaddrinfo("hook.example", 80)
    with pytest.raises(DeliveryRefused):
        far("hook.example").send(alert(), {})
    far("hook.example", LOOPBACK).send(alert(), {})
    socket.create_connection(("127.0.0.1", web.server.server_port)).close()  # nobody's channel
    assert len(web.requests) == 1


@pytest.mark.parametrize("more", ["", "?optional=yes"])
def test_apprise_is_judged_at_each_of_several_addresses(
    web: Web, far: Callable[..., Apprise], monkeypatch: pytest.MonkeyPatch, more: str
) -> None:
    Names(monkeypatch, ["93.184.215.14"], ["127.0.0.2"])
    inside = f"json://hook.example:{web.server.server_port}/{more}"
    with pytest.raises(DeliveryRefused, match=r"127\.0\.0\.2 is not an address of the world"):
        far(reach=LOOPBACK, more=f", {inside}").send(alert(), {})
    assert len(web.requests) == 1


def test_apprise_connects_in_the_thread_that_is_judged_or_takes_its_context_along(
    far: Callable[..., Apprise],
) -> None:
    assert not any(server.asset.async_mode for server in far()._service)


def test_apprise_follows_no_redirect_whatever_its_address_says(
    web: Web, far: Callable[..., Apprise]
) -> None:
    web.answer = (307, {"Location": web.url}, b"")
    with pytest.raises(DeliveryDelayed):
        far(reach=LOOPBACK, more="?redirect=yes").send(alert(), {})
    assert len(web.requests) == 1


def test_apprise_may_use_the_proxy_of_the_environment(
    web: Web, far: Callable[..., Apprise], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{web.server.server_port}")
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    far("hook.example").send(alert(), {})
    with pytest.raises(DeliveryRefused, match=r"10\.0\.0\.7"):
        far("10.0.0.7").send(alert(), {})
    assert [headers["Host"].split(":")[0] for headers, _ in web.requests] == ["hook.example"]


def test_apprise_sends_what_it_is_given(web: Web, caplog: pytest.LogCaptureFixture) -> None:
    pytest.importorskip("apprise", reason="apprise is not installed")
    caplog.set_level(logging.DEBUG)
    url = f"json://user:{KEY}@127.0.0.1:{web.server.server_port}/"
    channel = apprise_channel.make(AppriseSettings.model_validate({"url": url}), around("far"))
    channel.send(alert(), {})
    (content,) = bodies(web)
    assert content["title"] == "car_loan: drift opened"
    assert content["message"].startswith("Drifted: `car_value` is 62 %")
    web.answer = (307, {"Location": web.url}, KEY.encode())
    with pytest.raises(DeliveryDelayed, match=r"^apprise: far did not take it$"):
        channel.send(alert(), {})
    assert len(web.requests) == 2  # a redirect is not followed
    assert KEY not in caplog.text


def test_an_address_that_apprise_does_not_know_is_told(caplog: pytest.LogCaptureFixture) -> None:
    pytest.importorskip("apprise", reason="apprise is not installed")
    settings = AppriseSettings.model_validate({"url": f"nonsense://{KEY}"})
    with pytest.raises(AskedWrongly, match="does not know the address of the channel far"):
        apprise_channel.make(settings, around("far"))
    assert KEY not in caplog.text


def test_apprise_that_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "apprise", None)
    settings = AppriseSettings.model_validate({"url": "json://x"})
    with pytest.raises(AskedWrongly) as caught:
        apprise_channel.make(settings, around("far"))
    assert caught.value.hint == "pip install 'drift-monitor[apprise]'"


# --- Digests and deeds, in the words of each channel ---


def test_a_digest_on_the_console() -> None:
    lines = block(digest()).splitlines()
    assert lines[0] == "· digest: 2 open, 1 resolved"
    told = [line for line in lines if line.startswith("  ") and not line.startswith("    ")]
    assert told == [
        "  car_loan: drift opened",
        "  car_loan: drift opened",
        "  car_loan: drift opened, then resolved",
    ]


def test_a_digest_in_slack_keeps_the_limits() -> None:
    blocks = message_blocks(digest())
    assert blocks[0]["text"]["text"] == "Digest: 2 open, 1 resolved"
    assert blocks[1]["text"]["text"].splitlines()[0].startswith("*car_loan* · drift opened · <http")
    many = [
        replace(alert(headline="&" * 600, causes=[{"name": "<" * 120, "text": "&" * 300}] * 3),
                id=str(n), episode=f"e{n}")
        for n in range(200)
    ]  # fmt: skip
    blocks = message_blocks(gathered("x", many, NOW))
    assert len(blocks) == 47
    assert all(len(b["text"]["text"]) <= 3000 for b in blocks)
    assert blocks[-1]["text"]["text"] == "155 more are on the pages"


def test_a_digest_by_mail_and_by_webhook(web: Web) -> None:
    with MailServer() as server:
        email(server).send(digest(), {})
    assert server.taken[0].mail["Subject"] == "digest: 2 open, 1 resolved"
    Webhook(Endpoint(address(web), reach=LOOPBACK), clock).send(digest(), {})
    (content,) = bodies(web)
    assert [e["changes"] for e in content["entries"]] == [
        ["opened"], ["opened"], ["opened", "resolved"],
    ]  # fmt: skip
    assert content["entries"][0]["level"] == "critical"


def test_what_somebody_did_reads_well_on_the_console() -> None:
    told = deed("acknowledged", "Acknowledged: drift, by mia: the release of Monday")
    assert block(told).splitlines() == [
        "· car_loan: drift acknowledged",
        "  Acknowledged: drift, by mia: the release of Monday",
        "  check https://m.example/c/1?a=1&b=2",
    ]


def test_a_test_says_that_it_is_one() -> None:
    told = sample_message("ops", NOW)
    assert block(told).splitlines() == [
        "· test of a channel",
        "  Test of the channel ops: if you can read this, alerts arrive here",
    ]
    assert "Nothing happened" in json.dumps(message_blocks(told))


# --- Slack having a bad day ---


@pytest.mark.parametrize(
    "answer",
    [
        Answer(body='{"ok": true, "ts": "1', length=500),  # half of one
        Answer(body='{"ok": true}', length=5),  # the length lies
        Answer(status=200, body=""),
        Answer(status=200, body='{"ok": false}'),
        Answer(status=200, body='{"ok": null, "error": {"x": 1}}'),
        Answer(status=429, headers={"Retry-After": "soon"}, body="{}"),
    ],
)
def test_bad_answers_of_slack_are_delayed(answer: Answer) -> None:
    with SlackServer(TOKEN) as server:
        server.script.append(answer)
        with pytest.raises(DeliveryDelayed):
            slack(server, timeout_s=1).send(alert(), {})


def test_slack_that_drips_its_headers_is_cut_off_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("monitor.slack.client.TOTAL_S", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as server:
        stop = threading.Event()

        def drip() -> None:
            connection, _ = server.accept()
            with connection, suppress(OSError):
                connection.sendall(b"HTTP/1.1 200 OK\r\nX: ")
                while not stop.wait(0.05):
                    connection.sendall(b"x")

        thread = threading.Thread(target=drip)
        thread.start()
        url = f"http://127.0.0.1:{server.getsockname()[1]}/api/"
        began = time.monotonic()
        with pytest.raises(DeliveryDelayed, match="no answer in time"):
            Api(TOKEN, clock, api_url=url, reach=LOOPBACK).call("api.test", {})
        assert time.monotonic() - began < 3
        stop.set()
        thread.join()


def test_half_an_answer_to_a_webhook_is_delayed() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        channel = Webhook(
            Endpoint(f"http://127.0.0.1:{server.getsockname()[1]}/", reach=LOOPBACK, total_s=1.0),
            clock,
        )

        def half() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(b"HTTP/1.1 500 Oh\r\nContent-Length: 9999\r\n\r\nhalf")

        thread = threading.Thread(target=half)
        thread.start()
        with pytest.raises(DeliveryDelayed):
            channel.send(alert(), {})
        thread.join()
