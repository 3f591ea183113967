"""What `monitor serve` costs while nothing is due: share of a core, and memory."""

import os
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from benchmarks.faults.racing import ROOT, outcome_of
from monitor import wiring
from monitor.core.records import Window
from monitor.stores import sql


def idle(folder: Path, monitors: int, *, seconds: float = 60.0) -> dict[str, float]:
    """The process after it has looked for what was missed; all its checks are stored already."""
    config = _project(folder, monitors)
    command = [sys.executable, "-m", "monitor", "serve", "--port", "0", "--config", str(config)]
    serving = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        assert serving.stdout is not None and "http" in serving.stdout.readline()
        _settle(serving.pid)
        before, began = _cpu_s(serving.pid), time.monotonic()
        time.sleep(seconds)
        share = (_cpu_s(serving.pid) - before) / (time.monotonic() - began)
        return {
            "monitors": monitors,
            "core_share": round(share, 5),
            "memory_mb": round(_memory_mb(serving.pid)),
        }
    finally:
        serving.send_signal(signal.SIGTERM)
        serving.wait(60)
        if serving.stdout is not None:
            serving.stdout.close()


def _project(folder: Path, monitors: int) -> Path:
    lines = ["store: sqlite:///monitor.db", "monitors:"]
    for number in range(monitors):
        lines.append(f"  m{number}: {{production: {{path: x.parquet, time: at}}}}")
    config = folder / "monitor.yaml"
    config.write_text("\n".join(lines))
    today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    store = sql.make("sqlite:///monitor.db", folder, wiring.now)
    for number in range(monitors):
        window = Window(today - timedelta(days=1), today)
        store.save(outcome_of(f"m{number}", window, alert=False))
    store.close()
    return config


def _settle(pid: int) -> None:
    """Until it uses little for some seconds in a row."""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        before = _cpu_s(pid)
        time.sleep(5)
        if _cpu_s(pid) - before < 0.2:
            return
    raise AssertionError("it does not come to rest")


def _cpu_s(pid: int) -> float:
    told = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(told[11]) + int(told[12])) / os.sysconf("SC_CLK_TCK")


def _memory_mb(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text()
    [line] = [line for line in status.splitlines() if line.startswith("VmRSS")]
    return int(line.split()[1]) / 1000
