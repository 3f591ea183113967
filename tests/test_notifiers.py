"""Every channel against a real server on loopback: what goes out, and what each answer means."""

import io
import json
import logging
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest
from slack_server import Answer, SlackServer

from monitor.core.consequences import Message, RetrainRequest
from monitor.core.messages import retrain_message
from monitor.core.reach import Reach
from monitor.core.signing import sign, timestamp, verify
from monitor.demo.receiver import Receiver
from monitor.errors import DeliveryDelayed, DeliveryRefused
from monitor.notifiers.console import Console
from monitor.notifiers.retrain import Retrain
from monitor.notifiers.slack import Slack
from monitor.notifiers.webhook import Webhook
from monitor.posting import Endpoint, retry_after_s
from monitor.slack.blocks import Buttons, message_blocks
from monitor.slack.client import Api

TOKEN = "xoxb-not-for-logs"
SECRET = "signing-key-not-for-logs"
LOOPBACK = Reach.of(["127.0.0.1"])  # where the servers of tests are
NOW = datetime(2026, 1, 1, tzinfo=UTC)
PAYLOAD: dict[str, Any] = {
    "schema": 1,
    "event": "episode.opened",
    "monitor": "car_loan",
    "cause": "drift",
    "headline": "Drifted: `car_value` is 62 % higher than in training",
    "verdict": "drifted",
    "level": "warning",
    "causes": [
        {"name": "car_value", "text": "PSI 1.81 (tolerance 0.1), mean 30.1 k → 48.6 k"},
        {"name": "age", "text": "PSI 0.4 (tolerance 0.1)"},
    ],
    "more_causes": 2,
    "failed_expectations": [],
    "more_failed_expectations": 0,
    "rows": {"reference": 50000, "current": 10000},
    "window": {"start": "2019-03-31T00:00:00+00:00", "end": "2019-04-01T00:00:00+00:00"},
    "check_id": "check-1",
    "episode_id": "e1",
    "opened_at": "2019-03-31T00:00:00+00:00",
    "resolved_at": None,
    "check_url": "https://m.example/c/1?a=1&b=2",
    "report_url": "https://m.example/r/1",
}
REQUEST = RetrainRequest("r1", "car_loan", "c", "e1", ("drift",), "sha256:ab", None, NOW)


def clock() -> datetime:
    return datetime.now(UTC)


def alert(change: str = "opened", **changes: Any) -> Message:
    payload = PAYLOAD | {"event": f"episode.{change}"} | changes
    return Message(f"m_{change}", "slack", "car_loan", f"episode.{change}", payload, NOW, "e1")


# --- Console ---


def test_the_console_tells_one_block(capsys: pytest.CaptureFixture[str]) -> None:
    assert Console().send(alert(), {}) == {}
    out, err = capsys.readouterr()
    assert out == ""
    assert err == (
        "▲ car_loan: drift opened\n"
        "  Drifted: `car_value` is 62 % higher than in training\n"
        "  car_value  PSI 1.81 (tolerance 0.1), mean 30.1 k → 48.6 k\n"
        "  age        PSI 0.4 (tolerance 0.1)\n"
        "             2 more causes\n"
        "  window 2019-03-31 00:00 to 2019-04-01 00:00 UTC · 10\u202f000 rows against 50\u202f000\n"
        "  report https://m.example/r/1\n"
    )


def test_the_console_says_only_what_there_is() -> None:
    stream = io.StringIO()
    bare = alert("resolved", causes=[], more_causes=0, window=None, report_url="")
    Console(stream).send(bare, {})
    assert stream.getvalue().splitlines() == [
        "▽ car_loan: drift resolved",
        "  Drifted: `car_value` is 62 % higher than in training",
        "  10\u202f000 rows against 50\u202f000",
        "  check https://m.example/c/1?a=1&b=2",
    ]


# --- Slack: what is said ---


@pytest.fixture
def slack_server() -> Iterator[SlackServer]:
    with SlackServer(TOKEN) as server:
        yield server


def slack(
    server: SlackServer, token: str = TOKEN, buttons: Buttons | None = None, **options: Any
) -> Slack:
    api = Api(token, clock, api_url=server.api_url, reach=LOOPBACK, **options)
    return Slack(api, "#ml-alerts", buttons)


def test_a_first_message_is_posted_with_sentence_causes_and_links(
    slack_server: SlackServer,
) -> None:
    receipt = slack(slack_server).send(alert(), {})
    ((method, call),) = slack_server.calls
    assert method == "chat.postMessage"
    assert call["channel"] == "#ml-alerts"
    assert "thread_ts" not in call
    assert call["text"] == "car_loan: Drifted: `car_value` is 62 % higher than in training"
    header, causes, context = call["blocks"]
    assert header["text"]["text"] == "Drifted: car_value is 62 % higher than in training"
    assert causes["text"]["text"].splitlines() == [
        "• `car_value` PSI 1.81 (tolerance 0.1), mean 30.1 k → 48.6 k",
        "• `age` PSI 0.4 (tolerance 0.1)",
        "• 2 more causes",
    ]
    assert context["elements"][0]["text"] == (
        "*car_loan* · drift opened · window 2019-03-31 00:00 to 2019-04-01 00:00 UTC · "
        "10\u202f000 rows against 50\u202f000 · "
        "<https://m.example/r/1|Report> · <https://m.example/c/1?a=1&amp;b=2|Check>"
    )
    assert (receipt["channel"], receipt["ts"]) == ("C0ML", "1700000000.000001")
    assert TOKEN not in json.dumps(receipt)


def test_later_changes_go_into_the_thread_and_the_first_says_how_it_ended(
    slack_server: SlackServer,
) -> None:
    channel = slack(slack_server)
    thread = channel.send(alert(), {})
    channel.send(alert("worsened"), thread)
    ended = alert("resolved", headline="Resolved: it is over", causes=[], more_causes=0)
    channel.send(ended, thread)
    assert [method for method, _ in slack_server.calls] == [
        "chat.postMessage",
        "chat.postMessage",
        "chat.update",
        "chat.postMessage",
    ]
    first, worse, resolved = slack_server.posts.values()
    assert (worse["channel"], worse["thread_ts"]) == ("C0ML", thread["ts"])
    assert worse["text"].startswith("car_loan got worse: ")
    assert resolved["thread_ts"] == thread["ts"]
    assert first["text"].startswith("Resolved: it is over (car_loan: Drifted")
    assert first["blocks"][1]["text"]["text"] == "*Resolved: it is over*"
    assert first["blocks"][2:] == thread["blocks"][1:]


def test_a_repeated_end_edits_the_same_way_again(slack_server: SlackServer) -> None:
    channel = slack(slack_server)
    thread = channel.send(alert(), {})
    slack_server.script.extend([None, Answer(error="internal_error")])
    with pytest.raises(DeliveryDelayed):
        channel.send(alert("resolved"), thread)
    edited = dict(slack_server.posts[thread["ts"]])
    channel.send(alert("resolved"), thread)
    assert slack_server.posts[thread["ts"]] == edited
    assert len(slack_server.posts) == 2


def test_a_repetition_carries_the_same_client_message_id(slack_server: SlackServer) -> None:
    for kind in ("opened", "opened", "worsened"):
        slack(slack_server).send(alert(kind), {})
    ids = [call["client_msg_id"] for _, call in slack_server.calls]
    assert ids[0] == ids[1] != ids[2]


def test_a_lost_thread_gets_a_message_of_its_own(slack_server: SlackServer) -> None:
    gone = {"channel": "C0ML", "ts": "1.1", "text": "", "blocks": [{}]}
    slack(slack_server).send(alert("resolved"), gone)
    methods = [method for method, _ in slack_server.calls]
    assert methods == ["chat.update", "chat.postMessage", "chat.postMessage"]
    (posted,) = slack_server.posts.values()
    assert "thread_ts" not in posted
    assert posted["channel"] == "#ml-alerts"


def texts(value: Any) -> Iterator[dict[str, Any]]:
    """Every text object of some blocks."""
    if isinstance(value, Mapping):
        if value.get("type") in ("mrkdwn", "plain_text"):
            yield dict(value)
        value = list(value.values())
    if isinstance(value, list):
        for item in value:
            yield from texts(item)


def test_names_from_data_cannot_mention_link_or_break_out(slack_server: SlackServer) -> None:
    evil = "<!channel> `@here` <https://evil.example|Report> & #general"
    told = alert(
        headline=f"Drifted: {evil}",
        causes=[{"name": evil, "text": evil}],
        report_url="https://m.example/r/<!channel>|x y",
    )
    slack(slack_server).send(replace(told, monitor=evil), {})
    call = slack_server.calls[0][1]
    assert (call["parse"], call["link_names"]) == ("none", False)
    marked = [t for t in texts(call["blocks"]) if t["type"] == "mrkdwn"]
    assert marked and all(t["verbatim"] for t in marked)
    for text in [call["text"], *(t["text"] for t in marked)]:
        assert "<!" not in text
        assert "<https://evil" not in text
    assert "%3C!channel%3E%7Cx%20y|Report>" in json.dumps(call["blocks"])
    name = next(t["text"] for t in marked if t["text"].startswith("•")).split("`")[1]
    assert "'@here'" in name


def test_the_limits_of_slack_are_kept() -> None:
    many = [{"name": "&" * 120, "text": "<" * 300}] * 3
    far = "https://m.example/" + "x" * 2000
    told = alert(headline="&" * 600, causes=many, failed_expectations=many, report_url=far)
    blocks = message_blocks(told)
    assert len(blocks) <= 50
    limits = {"header": 150, "section": 3000, "context": 2000}
    assert all(len(t["text"]) <= limits[b["type"]] for b in blocks for t in texts(b))
    header, sentence, causes, context = blocks
    assert header["text"]["text"] == "&" * 149 + "…"
    assert sentence["text"]["text"] == "&amp;" * 589 + "…"
    assert causes["text"]["text"].endswith("\n…")
    assert "xxx" not in context["elements"][0]["text"]


def test_a_report_on_this_machine_is_told_as_a_path() -> None:
    context = message_blocks(alert(report_url="reports/car_loan/1.html", check_url=""))[-1]
    assert context["elements"][0]["text"].endswith("Report `reports/car_loan/1.html`")


# --- Slack: what answers mean ---


@pytest.mark.parametrize(
    "error",
    [
        "ratelimited",
        "internal_error",
        "fatal_error",
        "service_unavailable",
        "request_timeout",
        "new_one",
    ],
)
def test_passing_and_unknown_errors_are_delayed(slack_server: SlackServer, error: str) -> None:
    slack_server.script.append(Answer(error=error))
    with pytest.raises(DeliveryDelayed, match=f"^Slack answered {error}$"):
        slack(slack_server).send(alert(), {})


@pytest.mark.parametrize("error", ["channel_not_found", "not_in_channel", "token_revoked"])
def test_errors_that_need_a_person_are_final(slack_server: SlackServer, error: str) -> None:
    slack_server.script.append(Answer(error=error))
    with pytest.raises(DeliveryRefused, match=error):
        slack(slack_server).send(alert(), {})


def test_a_wrong_token_is_refused_and_stays_secret(
    slack_server: SlackServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    wrong = slack(slack_server, "xoxb-wrong")
    with pytest.raises(DeliveryRefused, match="invalid_auth") as caught:
        wrong.send(alert(), {})
    assert "xoxb" not in f"{caught.value!r}{caplog.text}"


def test_a_rate_limit_says_when_to_come_back(slack_server: SlackServer) -> None:
    slack_server.script.append(
        Answer(error="ratelimited", status=429, headers={"retry-after": "17"})
    )
    with pytest.raises(DeliveryDelayed) as caught:
        slack(slack_server).send(alert(), {})
    assert caught.value.retry_after_s == 17


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (Answer(status=502, body="<html>bad gateway</html>"), DeliveryDelayed),
        (Answer(status=200, body="<html>log in here</html>"), DeliveryDelayed),
        (Answer(status=404, body="no such page"), DeliveryRefused),
        (Answer(status=429, body="slow down"), DeliveryDelayed),
    ],
)
def test_answers_that_are_not_slacks(
    slack_server: SlackServer, answer: Answer, expected: type[Exception]
) -> None:
    slack_server.script.append(answer)
    with pytest.raises(expected, match=rf"^Slack answered {answer.status}$"):
        slack(slack_server).send(alert(), {})


def test_slack_being_slow_is_delayed(slack_server: SlackServer) -> None:
    slack_server.script.append(Answer(after_s=30))
    with pytest.raises(DeliveryDelayed, match="no answer in time"):
        slack(slack_server, timeout_s=1).send(alert(), {})


def test_slack_being_away_is_delayed() -> None:
    with SlackServer(TOKEN) as server:
        away = slack(server)
    with pytest.raises(DeliveryDelayed, match="ConnectionRefusedError"):
        away.send(alert(), {})


# --- Posting: webhook and retrain ---


class Web:
    """Answers every POST as it is told to and keeps what came."""

    def __init__(self) -> None:
        self.answer: tuple[int, dict[str, str], bytes] = (204, {}, b"")
        self.requests: list[tuple[Any, bytes]] = []
        self.paths: list[str] = []
        web = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                web.requests.append((self.headers, body))
                web.paths.append(self.path)
                status, headers, content = web.answer
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                with suppress(ConnectionError):  # nobody reads on for ever
                    self.wfile.write(content)

            def log_message(self, format: str, *args: Any) -> None:
                """Say nothing."""

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.02,))
        self.thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}/hooks/T0pS3cretPath?key=alsosecret"

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


@pytest.fixture
def web() -> Iterator[Web]:
    server = Web()
    yield server
    server.close()


def webhook(url: str, secret: str | None = None, **limits: Any) -> Webhook:
    return Webhook(Endpoint(url, secret, reach=LOOPBACK, **limits), clock)


def test_the_webhook_posts_the_payload_under_its_key(web: Web) -> None:
    assert webhook(web.url).send(alert(), {}) == {"status": 204}
    ((headers, body),) = web.requests
    assert json.loads(body) == PAYLOAD
    assert headers["Content-Type"] == "application/json"
    assert headers["Idempotency-Key"] == "m_opened"
    assert headers["X-Monitor-Signature"] is None


def test_this_machine_is_not_reached_through_a_proxy(
    web: Web, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    assert webhook(web.url).send(alert(), {}) == {"status": 204}


def test_the_webhook_signs_when_it_has_a_secret(web: Web) -> None:
    webhook(web.url, SECRET).send(alert(), {})
    ((headers, body),) = web.requests
    stamp, signature = headers["X-Monitor-Timestamp"], headers["X-Monitor-Signature"]
    assert verify(SECRET, stamp, body, signature, clock())


def test_a_retrain_request_goes_to_the_trainer_of_its_monitor(web: Web) -> None:
    message = retrain_message(
        REQUEST, report_url="https://R", check_url="C", created_at=REQUEST.requested_at
    )
    Retrain({"car_loan": Endpoint(web.url, SECRET, reach=LOOPBACK)}, clock).send(message, {})
    ((headers, body),) = web.requests
    assert headers["Idempotency-Key"] == "r1"
    stamp = headers["X-Monitor-Timestamp"]
    assert headers["X-Monitor-Signature"] == sign(SECRET, stamp, body)
    content = json.loads(body)
    assert timestamp(datetime.fromisoformat(content.pop("sent_at"))) == stamp
    assert content == message.payload
    with pytest.raises(DeliveryRefused, match="'car_loan' has no `retrain`"):
        Retrain({}, clock).send(message, {})


@pytest.mark.parametrize("status", [200, 201, 202, 204])
def test_any_2xx_is_taken(web: Web, status: int) -> None:
    web.answer = (status, {}, b"")
    assert webhook(web.url).send(alert(), {}) == {"status": status}


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410, 413, 422])
def test_other_client_errors_are_final(web: Web, status: int) -> None:
    web.answer = (status, {}, b"because")
    with pytest.raises(DeliveryRefused, match=f"^127.0.0.1:[0-9]+ answered {status}: because$"):
        webhook(web.url).send(alert(), {})


@pytest.mark.parametrize("status", [302, 307, 408, 409, 425, 429, 500, 502, 503, 504])
def test_the_rest_is_delayed(web: Web, status: int) -> None:
    web.answer = (status, {"Retry-After": "7", "Location": web.url}, b"")
    with pytest.raises(DeliveryDelayed, match=f"answered {status}") as caught:
        webhook(web.url).send(alert(), {})
    assert caught.value.retry_after_s == 7
    assert len(web.requests) == 1  # a redirect is not followed


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("0", 0.0),
        (" 120 ", 120.0),
        ("Thu, 01 Jan 2026 00:02:00 GMT", 120.0),
        ("Wed, 31 Dec 2025 00:00:00 GMT", 0.0),
        ("Thu, 01 Jan 2026 00:02:00 -0000", 120.0),
        (None, None),
        ("", None),
        ("-3", None),
        ("inf", None),
        ("nan", None),
        ("soon", None),
        ("Thu, 99 Jan 2026", None),
    ],
)
def test_retry_after(header: str | None, seconds: float | None) -> None:
    assert retry_after_s(header, NOW) == seconds


def test_a_strange_answer_is_cut_and_keeps_no_secret(
    web: Web, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    echo = f"no hook T0pS3cretPath (alsosecret, {SECRET})\x1b[31m\n".encode()
    web.answer = (404, {}, echo + b"x" * 10_000_000)
    with pytest.raises(DeliveryRefused) as caught:
        webhook(web.url, SECRET).send(alert(), {})
    text = str(caught.value)
    assert len(text) < 300 and text.isprintable()
    assert "no hook *** (***, ***)" in text
    told = f"{text}{caplog.text}{Endpoint(web.url, SECRET)!r}"
    assert not any(secret in told for secret in ("T0pS3cret", "alsosecret", SECRET))


def test_no_connection_is_delayed(web: Web) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        with pytest.raises(DeliveryDelayed, match=f"127.0.0.1:{port}: ConnectionRefusedError"):
            webhook(f"http://127.0.0.1:{port}/T0pS3cretPath").send(alert(), {})


@pytest.mark.parametrize(
    "url", ["trainer.example/hook", "ftp://trainer/x", "http://", "http://a:b/", "http://[::1/"]
)
def test_an_address_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(DeliveryRefused, match="`url`"):
        webhook(url).send(alert(), {})


def test_an_answer_that_drips_is_cut_off_in_time() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        stop = threading.Event()

        def drip() -> None:
            connection, _ = server.accept()
            with connection:
                connection.sendall(b"HTTP/1.1 200 OK\r\nX: ")
                while not stop.wait(0.05):
                    try:
                        connection.sendall(b"x")
                    except OSError:
                        return

        thread = threading.Thread(target=drip)
        thread.start()
        began = time.monotonic()
        with pytest.raises(DeliveryDelayed, match="no answer in time"):
            webhook(f"http://127.0.0.1:{server.getsockname()[1]}/", total_s=0.5).send(alert(), {})
        assert time.monotonic() - began < 3
        stop.set()
        thread.join()


# --- Signatures ---


def test_a_signature_binds_secret_time_and_body() -> None:
    stamp = timestamp(NOW)
    signature = sign(SECRET, stamp, b"{}")
    assert verify(SECRET, stamp, b"{}", signature, NOW)
    assert verify(SECRET, stamp, b"{}", signature, NOW + timedelta(seconds=300))
    assert not verify(SECRET, stamp, b"{}", signature, NOW + timedelta(seconds=301))
    assert not verify(SECRET, stamp, b"{}", signature, NOW - timedelta(seconds=301))
    assert not verify("other", stamp, b"{}", signature, NOW)
    assert not verify(SECRET, stamp, b"{ }", signature, NOW)
    assert not verify(SECRET, timestamp(NOW + timedelta(seconds=1)), b"{}", signature, NOW)


@pytest.mark.parametrize("stamp", ["", "soon", "-1", "1e9", "١٢", "9" * 400])
@pytest.mark.parametrize("signature", ["", "v1=", "v2=00", "v1=é"])
def test_malformed_proof_is_no_proof(stamp: str, signature: str) -> None:
    assert not verify(SECRET, stamp, b"{}", signature, NOW)


# --- The receiver of the demo ---


def test_the_receiver_fails_first_loses_an_answer_and_acts_once() -> None:
    message = retrain_message(REQUEST, report_url="", check_url="", created_at=REQUEST.requested_at)
    with Receiver(SECRET, fail_first=1, lose_first=1, retry_after_s=3) as receiver:
        trainer = Retrain({"car_loan": Endpoint(receiver.url, SECRET, reach=LOOPBACK)}, clock)
        with pytest.raises(DeliveryDelayed, match="503") as caught:
            trainer.send(message, {})
        assert caught.value.retry_after_s == 3
        assert receiver.acted_on == []
        with pytest.raises(DeliveryDelayed, match="RemoteProtocolError"):
            trainer.send(message, {})
        assert trainer.send(message, {}) == {"status": 202}
    assert len(receiver.received) == 3
    assert [request["request_id"] for request in receiver.acted_on] == ["r1"]


def test_the_receiver_rejects_what_is_not_genuine() -> None:
    message = retrain_message(REQUEST, report_url="", check_url="", created_at=REQUEST.requested_at)
    with Receiver(SECRET) as receiver:
        forged = Retrain({"car_loan": Endpoint(receiver.url, "guessed", reach=LOOPBACK)}, clock)
        with pytest.raises(DeliveryRefused, match="401"):
            forged.send(message, {})
        stale = Retrain(
            {"car_loan": Endpoint(receiver.url, SECRET, reach=LOOPBACK)}, lambda: NOW - timedelta(1)
        )
        with pytest.raises(DeliveryRefused, match="401"):
            stale.send(message, {})
    assert (receiver.received, receiver.acted_on) == ([], [])
    assert receiver.rejected == ["the signature does not fit"] * 2


def test_a_redirect_does_not_carry_the_token_elsewhere(slack_server: SlackServer) -> None:
    with SlackServer(TOKEN) as other:
        away = {"Location": f"{other.api_url}chat.postMessage"}
        slack_server.script.append(Answer(status=302, headers=away, body="moved"))
        with pytest.raises(DeliveryDelayed, match=r"^Slack answered 302$"):
            slack(slack_server).send(alert(), {})
        assert other.calls == []


def test_an_answer_that_does_not_end_is_cut_off(slack_server: SlackServer) -> None:
    slack_server.script.append(Answer(body="x" * (3 << 20)))
    with pytest.raises(DeliveryDelayed):
        slack(slack_server).send(alert(), {})


@pytest.mark.parametrize("body", ["[]", '"ok"', "\u00e9"])
def test_answers_of_other_shapes_are_delayed(slack_server: SlackServer, body: str) -> None:
    slack_server.script.append(Answer(body=body))
    with pytest.raises(DeliveryDelayed):
        slack(slack_server).send(alert(), {})
