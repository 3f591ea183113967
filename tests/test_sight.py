"""A running service seen by those who run it: probes, metrics, log lines, and how it ends."""

import json
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pyarrow.parquet as pq
import pytest
from projects import rows, write_project

from monitor.core.windows import Span, latest_complete

DEADLINE_S = 60.0


class Running:
    """`monitor serve --log-format json`, its lines as they come."""

    def __init__(self, config: Path) -> None:
        command = [sys.executable, "-m", "monitor", "serve", "--port", "0", "--log-format", "json"]
        self.process = subprocess.Popen(
            [*command, "--config", str(config)],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        self.lines: list[dict[str, Any]] = []
        threading.Thread(target=self._read, daemon=True).start()
        assert self.process.stdout is not None
        found = re.search(r"http://[^ ]+", self.process.stdout.readline())
        assert found is not None
        self.address = found[0]

    def _read(self) -> None:
        assert self.process.stderr is not None
        self.lines.extend(map(json.loads, self.process.stderr))

    def line(self, start: str) -> dict[str, Any] | None:
        return next((one for one in list(self.lines) if one["message"].startswith(start)), None)

    def wait_for(self, start: str) -> dict[str, Any]:
        deadline = time.monotonic() + DEADLINE_S
        while (found := self.line(start)) is None:
            assert time.monotonic() < deadline, self.lines
            time.sleep(0.1)
        return found


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Running]:
    config = write_project(tmp_path, suite=False)
    newest = latest_complete(datetime.now(UTC), Span(1, "d"), UTC, timedelta(minutes=10))
    pq.write_table(rows(60, 800, newest.start), tmp_path / "data" / "recent.parquet")
    made = Running(config)
    yield made
    if made.process.poll() is None:
        made.process.kill()
    made.process.wait()
    for stream in (made.process.stdout, made.process.stderr):
        if stream is not None:
            stream.close()


def test_a_service_that_can_be_watched(running: Running) -> None:
    told = running.wait_for("checked ")
    assert told["monitor"] == "orders"
    assert told["check"].startswith("orders")
    assert told["replica"] and "/" in told["window"]
    worker = running.wait_for("worker started")
    assert worker["replica"] == told["replica"]
    assert httpx.get(f"{running.address}/healthz").json()["status"] == "ok"
    ready = httpx.get(f"{running.address}/readyz")
    assert (ready.status_code, ready.json()["status"]) == (200, "ready")
    metrics = httpx.get(f"{running.address}/metrics").text
    assert 'drift_monitor_monitor_verdict{monitor="orders"} 0.0' in metrics
    running.process.send_signal(signal.SIGTERM)
    assert running.process.wait(DEADLINE_S) == 0
    assert running.wait_for("stopping")
