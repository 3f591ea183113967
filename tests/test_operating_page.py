"""docs/operating.md: what it promises is so, and its examples run."""

import json
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from projects import write_project
from test_deploy import metrics_in, told
from test_sight import Running, running

from monitor.settings import load_settings

__all__ = ["running", "told"]  # fixtures
PAGE = (Path(__file__).parents[1] / "docs" / "operating.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)


def commands() -> list[list[str]]:
    return [shlex.split(line) for block in blocks("console") for line in block.splitlines()]


def test_the_page_names_every_metric_and_no_other(told: set[str]) -> None:
    shown = metrics_in(PAGE) - {"process_"}
    families = {re.sub(r"_(bucket|sum|count)$", "", name) for name in told}
    ours = {name for name in families if name.startswith("drift_monitor_")}
    assert {name for name in shown if name.startswith("drift_monitor_")} == ours


def test_the_keys_of_the_heartbeat_load(tmp_path: Path) -> None:
    config = write_project(tmp_path, suite=False)
    [block] = blocks("yaml")
    config.write_text(block + config.read_text())
    heartbeat = load_settings(config).heartbeat
    assert heartbeat.url is not None
    shown = yaml.safe_load(block)["heartbeat"]
    assert (str(heartbeat.every), str(heartbeat.stalled_after)) == (
        *(shown["every"], shown["stalled_after"]),
    )
    default = type(heartbeat)()
    assert (heartbeat.every, heartbeat.stalled_after) == (default.every, default.stalled_after)


def test_every_command_is_one() -> None:
    for words in commands():
        start = next((n for n, word in enumerate(words) if word == "monitor"), None)
        if start is None:
            continue
        name = words[start + 1 : start + 3] if words[start + 1] == "config" else [words[start + 1]]
        asked = subprocess.run(
            [sys.executable, "-m", "monitor", *name, "--help"],
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        for flag in [word for word in words if word.startswith("--")]:
            assert flag in asked.stdout, words


def test_the_service_answers_as_the_page_says(running: Running) -> None:
    checked = running.wait_for("checked ")
    [example] = [json.loads(block) for block in blocks("json")]
    assert set(example) == set(checked)
    if shutil.which("curl") is None:
        pytest.skip("no curl")
    asked = [words for words in commands() if words[0] == "curl"]
    assert len(asked) == 2
    for words in asked:
        line = [word.replace("http://127.0.0.1:8080", running.address) for word in words]
        done = subprocess.run([*line, "--silent"], capture_output=True, text=True, check=True)
        assert "ready" in done.stdout or "drift_monitor_build_info" in done.stdout
