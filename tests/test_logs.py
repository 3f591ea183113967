"""Log lines: what they carry, that nobody can forge one, that they keep secrets."""

import json
import logging
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from projects import write_project

from monitor.configuration.secrets import secrets_of
from monitor.errors import UnknownName
from monitor.settings import load_settings
from monitor.sight.logs import Form, Lines, about, form_of, set_up

HOSTILE = "x\n2026-01-01T00:00:00.000Z ERROR monitor: forged \x1b[31m \u202e\u2028 end"


def record(
    message: str, *arguments: object, trace: str = "", error: bool = False
) -> logging.LogRecord:
    info = None
    if error:
        try:
            raise ValueError(HOSTILE)
        except ValueError:
            info = sys.exc_info()
    made = logging.LogRecord("monitor.x", logging.WARNING, "x.py", 1, message, arguments, info)
    if trace:
        made.trace = trace
    return made


@pytest.mark.parametrize("form", ["text", "json"])
def test_one_record_is_one_line_whatever_it_quotes(form: Form) -> None:
    with about(monitor="loan", check=HOSTILE):
        line = Lines(form, {"replica": "a"}).format(record("looked at %s", HOSTILE))
    assert len(line.splitlines()) == 1
    assert line.isprintable()
    assert "looked at x\\n2026" in line


def test_a_traceback_cannot_pass_for_records() -> None:
    first, *rest = Lines("text").format(record("broken", error=True)).splitlines()
    assert first.endswith("WARNING monitor.x: broken")
    assert rest
    assert all(line.startswith("    | ") and line.isprintable() for line in rest)
    told = json.loads(Lines("json").format(record("broken", trace="Traceback of the\nworker")))
    assert told["trace"] == "Traceback of the\nworker"


def test_a_line_says_what_it_is_about_and_only_then() -> None:
    lines = Lines("json", {"replica": "host-1"})
    with about(monitor="loan", window="a/b"), about(check="c1"):
        told = json.loads(lines.format(record("checked")))
    assert told.pop("at").endswith("Z")
    assert told == {
        "level": "WARNING",
        "logger": "monitor.x",
        "replica": "host-1",
        "monitor": "loan",
        "window": "a/b",
        "check": "c1",
        "message": "checked",
    }
    assert "monitor" not in json.loads(lines.format(record("idle")))
    with about(monitor="loan"):
        assert " monitor=loan: checked" in Lines("text").format(record("checked"))


def test_known_secrets_are_struck_out_everywhere() -> None:
    lines = Lines("text", secrets=["hunter2hunter2", "ab"])
    line = lines.format(record("a library says hunter2hunter2 ab", trace="hunter2hunter2"))
    assert "hunter2" not in line
    assert "*** ab" in line  # too short to be struck out of every other word


def test_a_line_whose_arguments_do_not_fit_is_still_a_line() -> None:
    assert "%d of" in Lines("text").format(record("%d of", "three"))


def test_the_form_has_a_name() -> None:
    assert form_of("json") == "json"
    with pytest.raises(UnknownName, match="json, text"):
        form_of("xml")


SECRETS = """
store: postgresql+psycopg://user:storepassword@host/db
storage: {s3: {secret: s3secretkey}}
heartbeat: {url: https://ping.example/heartbeatkey}
alerts:
  slack: {token: xoxb-slacktoken, channel: "#x"}
  webhook: {url: https://example.org/hookkey, secret: webhooksecret}
monitors:
  m:
    production: {path: data/*.csv, time: t}
    retrain: {url: https://trainer.example/trainkey, secret: retrainsecret}
"""


def test_every_secret_of_the_settings_is_known(tmp_path: Path) -> None:
    path = tmp_path / "monitor.yaml"
    path.write_text(SECRETS)
    found = set(secrets_of(load_settings(path)))
    assert found >= {
        *("storepassword", "s3secretkey", "https://ping.example/heartbeatkey", "xoxb-slacktoken"),
        *("https://example.org/hookkey", "webhooksecret", "retrainsecret"),
        "https://trainer.example/trainkey",
    }
    assert not any("data/" in secret for secret in found)


def test_setting_up_twice_writes_each_line_once(capsys: pytest.CaptureFixture[str]) -> None:
    root = logging.getLogger()
    before = list(root.handlers), logging.getLogger("monitor").level
    root.handlers[:] = []
    try:
        for form in ("text", "json"):
            set_up(Lines(form_of(form)), logging.INFO)
        logging.getLogger("monitor.x").info("once")
        (line,) = capsys.readouterr().err.splitlines()
        assert json.loads(line)["message"] == "once"
    finally:
        root.handlers[:], level = before
        logging.getLogger("monitor").setLevel(level)


def test_a_check_of_the_worker_logs_with_its_id(tmp_path: Path) -> None:
    """A window of a broken source, looked at as the worker of the service does."""
    config = write_project(tmp_path, suite=False)
    code = (
        "import logging, sys\n"
        "from pathlib import Path\n"
        "from projects import day\n"
        "from monitor.service import open_runner\n"
        "run = open_runner(sys.argv[1], logging.INFO, 'json', 'host-1')\n"
        "import monitor.service as service\n"
        "real = service.run_check\n"
        "def told(*a, **k):\n"
        "    logging.getLogger('some.library').warning('inside\\nforged')\n"
        "    return real(*a, **k)\n"
        "service.run_check = told\n"
        "run('orders', day(0), False)\n"
    )
    run: Callable[..., subprocess.CompletedProcess[str]] = subprocess.run
    here = Path(__file__).parent
    done = run(
        [sys.executable, "-c", code, str(config)],
        capture_output=True, text=True, check=True, cwd=here,
    )  # fmt: skip
    (line,) = [line for line in done.stderr.splitlines() if "inside" in line]
    told = json.loads(line)
    assert (told["replica"], told["monitor"]) == ("host-1", "orders")
    assert told["window"].startswith("2026-03-02T00:00:00+00:00/")
    assert told["check"].startswith("orders")
    assert told["message"] == "inside\nforged"
