"""Whatever columns, levels, files and people are called: it is shown, and does nothing."""

import io
import json
import logging
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import report_fixtures as fixtures
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from projects import day, rows, write_project
from test_messages import change, check, column, told
from test_pages import hostile_house
from test_reports import Page
from web_service import WebService, methods_of

from monitor import wiring
from monitor.cli.main import run
from monitor.configuration.channels import EmailSettings
from monitor.configuration.fields import monitor_name
from monitor.core.consequences import Message
from monitor.core.messages import RECOVERED, of_service
from monitor.notifiers import opsgenie, pagerduty
from monitor.notifiers.console import block
from monitor.notifiers.email import Email
from monitor.notifiers.teams import card
from monitor.reports.html import draw
from monitor.sight.logs import Lines
from monitor.slack.blocks import message_blocks
from monitor.stores import sql

PIECES = (
    "<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "</pre></style></svg><h1>",
    "' onclick='x", "javascript:alert(1)", "&lt;b&gt;", "<!channel>", "<@U012AB3CD>", "*bold*",
    "<https://evil.example|Report>", "[x](https://evil.example)", "{{ 7*7 }}", "{% raw %}",
    "${HOME}", "%s%n{0}", "\x1b[2J\x1b]0;x\x07", "\x9b31m", "\u202egnp.exe",
    "\u2066\u2069\u200f\ufeff", "\r\nBcc: evil@evil.example\r\n\r\n", "\nFORGED",
    "\u2028FORGED", "\x85FORGED", "nul\x00",
    "half \ud800", "\udfff", "'; DROP TABLE checks; --", "../../etc/passwd", "`", "|", "x" * 3000,
    "", " ", "\t", "日本 😀",
)  # fmt: skip
NAMES = st.lists(st.sampled_from(PIECES) | st.text(max_size=10), min_size=1, max_size=4).map(
    "".join
)
# What moves a cursor, ends a line, or turns the reading direction of what follows
STEERS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
MANY = settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


class Tags(HTMLParser):
    """Every element and attribute of a mail."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


def texts_of(value: Any) -> list[str]:
    """Every text within a document, names of fields among them."""
    if isinstance(value, str):
        return [value]
    if isinstance(value, dict):
        return [t for pair in value.items() for part in pair for t in texts_of(part)]
    return [t for part in value for t in texts_of(part)] if isinstance(value, list | tuple) else []


def must_be_inert(document: Any) -> None:
    """It can be sent, and nobody who shows it as text is steered by it."""
    json.dumps(document, ensure_ascii=False, allow_nan=False).encode("utf-8")
    assert not [text for text in texts_of(document) if STEERS.search(text)]


def message_of(name: str) -> Message:
    """An alert about a column of that name, with a headline that holds it."""
    moved = change(headline=f"Drifted: `{name}` moved", columns=(name,))
    (made,) = told(check(column(name)), moved)
    return made


# --- What is told ---


@MANY
@given(name=NAMES)
def test_in_messages_names_are_inert(name: str) -> None:
    message = message_of(name)
    must_be_inert(message.payload)
    for document in (card(message), pagerduty._payload(message), opsgenie._alert(message, "x")):
        must_be_inert(document)
    lines = block(message).split("\n")
    assert not [line for line in lines if STEERS.search(line)]
    assert not [line for line in lines if line.startswith("FORGED")]


@MANY
@given(name=NAMES)
def test_in_slack_names_are_neither_links_nor_mentions(name: str) -> None:
    blocks = message_blocks(message_of(name), None)
    must_be_inert(blocks)
    for text in marked_up(blocks):
        assert not re.search(r"<(?!https://m\.example/)", text), text


def marked_up(value: Any) -> list[str]:
    """The texts in which Slack looks for links and mentions."""
    if isinstance(value, dict):
        own = [value["text"]] if value.get("type") == "mrkdwn" else []
        return own + [text for part in value.values() for text in marked_up(part)]
    return [t for part in value for t in marked_up(part)] if isinstance(value, list | tuple) else []


@MANY
@given(name=NAMES)
def test_monitors_are_not_called_so(name: str) -> None:
    if re.fullmatch("[A-Za-z0-9_][A-Za-z0-9_-]{0,63}", name):
        assert monitor_name(name) == name
    else:
        with pytest.raises(ValueError, match="cannot name a monitor"):
            monitor_name(name)


@MANY
@given(name=NAMES)
def test_in_mails_names_are_neither_headers_nor_elements(name: str) -> None:
    given = {"host": "mail.example", "from": "monitor@example.org", "to": ["ops@example.org"]}
    mail = Email(EmailSettings.model_validate(given))._mail(message_of(name), {})
    head, _, _ = bytes(mail).partition(b"\n\n")
    names = {line.split(b":")[0].lower() for line in head.split(b"\n") if line[:1].strip()}
    assert names == {
        b"from", b"to", b"date", b"message-id", b"auto-submitted", b"subject", b"mime-version",
        b"content-type",
    }  # fmt: skip
    assert not STEERS.search(str(mail["Subject"]))
    for kind in ("plain", "html"):
        part = mail.get_body((kind,))
        assert part is not None
        content = part.get_content()
        assert not STEERS.search(content.replace("\r\n", "\n"))
        if kind == "html":
            for tag, attributes in Tags(content).found:
                assert tag in ("pre", "a")
                assert attributes.get("href", "https://m.example/").startswith("https://m.example/")  # type: ignore[union-attr]


@MANY
@given(name=NAMES)
def test_in_reports_names_are_text(name: str) -> None:
    made = fixtures.drifted()
    column = fixtures.category(name, 0.5, {name: (0.1, 0.3), f"{name}2": (0.9, 0.7)})
    made = replace(made, headline=f"Drifted: `{name}`", columns=(column, *made.columns[:1]))
    html = draw(replace(made, engine=name), show_values="all")
    assert not STEERS.search(html.replace("\r", ""))
    page = Page(html)
    assert not {"script", "img", "iframe"} & set(page.tags)
    assert not [one for _, one, _ in page.attributes if one.startswith("on")]
    assert all(link.startswith(("#v-", "data:,")) for link in page.values("href"))


@MANY
@given(name=NAMES)
def test_in_log_lines_names_make_no_line(name: str) -> None:
    record = logging.LogRecord("monitor.x", logging.INFO, "x", 1, "looked at %s", (name,), None)
    for form in ("text", "json"):
        line = Lines(form, {"monitor": name}).format(record)
        assert line.isprintable() and len(line.splitlines()) == 1
        line.encode("utf-8")


@MANY
@given(name=NAMES)
def test_what_the_service_says_of_itself_is_inert(name: str) -> None:
    at = day(0).start
    for message in of_service(RECOVERED, f"gets on: {name}", ["slack"], since=at, at=at):
        must_be_inert(message_blocks(message, None))


# --- What is shown on a terminal, and what the API answers ---


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project in whose store every text that comes from outside is hostile."""
    folder = tmp_path_factory.mktemp("project") / "hostile"
    config = write_project(folder, suite=False)
    config.write_text(config.read_text().replace("orders:", "loan:"))
    store = sql.make("sqlite:///monitor.db", folder, wiring.now)
    hostile_house(WebService(folder, store=store))
    store.close()
    return config


COMMANDS = (
    "status", "episodes", "silences", "audit", "diff loan", "reference list loan", "token list",
    "acknowledge nothing-<b>\u202e --why x", "check \u202eloan", "report loan --check \x1b[2J",
)  # fmt: skip


@pytest.mark.parametrize("line", COMMANDS)
@pytest.mark.parametrize("how", ["", "--json -"])
def test_on_a_terminal_names_steer_nothing(
    config: Path, line: str, how: str, capsys: pytest.CaptureFixture[str]
) -> None:
    run([*line.split(" "), *how.split(), "--config", str(config)])
    out, err = capsys.readouterr()
    assert out + err
    if how and out:
        json.loads(out)
    else:
        assert not STEERS.search(out)
    assert not STEERS.search(err)


def test_columns_levels_and_files_of_such_names_are_compared(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """From the file to the terminal and the report, in one go."""
    names = [n for n in PIECES if n.strip() and "\ud800" not in n and "\udfff" not in n]
    for seed, file in enumerate(("a\u202e<b>", "b\x1b[2J\nFORGED")):
        base = rows(seed, 300, day(0).start, shift=2.0 * seed)
        levels = pa.array([names[(n * (seed + 1)) % len(names)] for n in range(300)])
        table = pa.table(
            {name: levels if n % 2 else base["amount"] for n, name in enumerate(names)}
        )
        pq.write_table(table, tmp_path / f"{file}.parquet")
    report = tmp_path / "report.html"
    both = [str(tmp_path / f"{f}.parquet") for f in ("a\u202e<b>", "b\x1b[2J\nFORGED")]
    run(["compare", *both, "--html", str(report)])
    out, err = capsys.readouterr()
    for line in [*out.split("\n"), *err.split("\n")]:
        assert not STEERS.search(line)
        assert not line.startswith("FORGED"), "a name begins no line"
    assert "FORGED" in out
    html = report.read_text(encoding="utf-8")
    assert not STEERS.search(html.replace("\r", ""))
    assert not {"script", "img", "iframe"} & set(Page(html).tags)


def test_a_file_that_cannot_be_read_is_told_in_one_line(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (config.parent / "data" / "x\x1b[2J\nFORGED\u202e.parquet").write_bytes(b"<script>no parquet")
    run(["check", "loan", "--at", day(1).start.isoformat(), "--config", str(config)])
    out, err = capsys.readouterr()
    assert not STEERS.search(out + err)
    assert not [line for line in (out + err).split("\n") if line.startswith("FORGED")]


def test_what_the_api_answers_is_json_whatever_is_in_it(tmp_path: Path) -> None:
    service = WebService(tmp_path, lone=True)
    hostile_house(service)
    client = service.client()
    for route in service.routes():
        if "GET" not in methods_of(route) or not route.path.startswith("/api/"):
            continue
        path = re.sub(r"{[^}]*}", "c0", route.path)
        for asked in (path, f"{path}?monitor=%3Cb%3E%0d%0aX:y&cursor=%00"):
            answer = client.get(asked)
            assert answer.status_code in (200, 404, 422), (asked, answer.text)
            assert answer.headers["x-content-type-options"] == "nosniff"
            assert re.match(r"application/(problem\+)?json", answer.headers["content-type"])
            assert not [v for v in answer.headers.values() if STEERS.search(v)]
            json.load(io.BytesIO(answer.content))
    service.store.close()
