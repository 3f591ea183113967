"""Every command and every snippet of the README runs, in the order it is printed there."""

import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from monitor.cli.main import run
from monitor.settings import load_settings

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
MONITOR = [sys.executable, "-m", "monitor"]
VERDICTS = {0, 1, 2, 3}


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


def commands() -> list[str]:
    return [line for block in blocks("console") for line in block.splitlines() if line.strip()]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A newcomer's folder: train.csv and a few days of data, the last one yesterday."""
    home = tmp_path_factory.mktemp("newcomer")
    (home / "data").mkdir()
    yesterday = datetime.now(UTC).replace(hour=0, minute=0, second=0) - timedelta(days=1)
    _write_csv(home / "train.csv", yesterday - timedelta(days=60), 3000)
    for back in range(3):
        start = yesterday - timedelta(days=back)
        _write_csv(home / "data" / f"{start:%Y-%m-%d}.csv", start, 400)
    _write_csv(home / "data" / "2026-03-02.csv", datetime(2026, 3, 2, tzinfo=UTC), 400)
    return home


def _write_csv(path: Path, start: datetime, rows: int) -> None:
    lines = ["created_at,amount,country"]
    lines += [
        f"{start + timedelta(minutes=i % 1400):%Y-%m-%d %H:%M:%S},{(i * 37) % 211},{'ab'[i % 2]}"
        for i in range(rows)
    ]
    path.write_text("\n".join(lines) + "\n")


def test_the_readme_has_its_two_commands_and_they_are_targets() -> None:
    targets = [line.split()[1] for line in commands() if line.startswith("make ")]
    assert targets == ["demo", "test"]
    made = subprocess.run(
        ["make", "-n", *targets], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    assert "monitor demo" in made and "pytest" in made


def test_every_command_runs_in_order(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    here = folder
    for line in commands():
        if line.startswith("make "):
            continue
        if line.startswith("cd "):
            here = here / line.removeprefix("cd ")
            continue
        name, *arguments = shlex.split(line)
        assert name == "monitor", line
        if arguments == ["serve"]:
            _serve(here)
            continue
        monkeypatch.chdir(here)
        code = run(arguments)
        told = capsys.readouterr().err
        judging = arguments[0] in ("compare", "check", "diff")
        assert code in (VERDICTS if judging else {0}), f"{line}\n{told}"
        assert "Traceback" not in told
    assert (folder / "report.html").exists() and (folder / "result.json").exists()
    assert list((folder / "watch" / "reports").glob("orders-*.html"))


def _serve(folder: Path) -> None:
    """`monitor serve` answers where the README says, and stops when told."""
    port, flags = _port()
    process = subprocess.Popen(
        [*MONITOR, "serve", *flags],
        cwd=folder,
        stderr=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
    )
    try:
        assert "orders" in _page(process, port)
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=30) == 0


def _port() -> tuple[int, list[str]]:
    """The port of the README, or a free one where somebody else has it."""
    try:
        socket.create_server(("127.0.0.1", 8080)).close()
    except OSError:
        with socket.create_server(("127.0.0.1", 0)) as free:
            port: int = free.getsockname()[1]
        return port, ["--port", str(port)]
    return 8080, []


def _page(process: subprocess.Popen[bytes], port: int) -> str:
    deadline = time.monotonic() + 30
    while process.poll() is None and time.monotonic() < deadline:
        try:
            return httpx.get(f"http://127.0.0.1:{port}/", timeout=5).text
        except httpx.HTTPError:
            time.sleep(0.1)
    return ""


def test_the_python_snippet_runs(folder: Path) -> None:
    [snippet] = blocks("python")
    done = subprocess.run(
        [sys.executable, "-c", snippet], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()


@pytest.mark.parametrize("snippet", blocks("yaml"))
def test_a_yaml_snippet_loads(folder: Path, monkeypatch: pytest.MonkeyPatch, snippet: str) -> None:
    monkeypatch.setenv("SLACK_BOT_TOKEN", "a-token")
    monkeypatch.setenv("RETRAIN_SECRET", "a-secret")
    config = folder / "snippet.yaml"
    config.write_text(snippet)
    assert set(load_settings(config).monitors) == {"orders"}


def test_links_lead_somewhere() -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", README):
        if not target.startswith("http"):
            assert (ROOT / os.path.normpath(target)).exists(), target
