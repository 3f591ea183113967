"""One whole process from start to end: wall time, processor time, peak memory, told by the system.

Whoever measures must stay small. A child begins as a copy of its parent, and its peak counts the
parent's memory at that moment; so nothing here, nor in what calls it, loads numpy or pyarrow.
"""

import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Timer

ROOT = Path(__file__).parents[1]
# Some peers report their use over the network, which is neither wanted here nor to be measured.
SILENT = {
    "DISABLE_DEEPCHECKS_ANONYMOUS_TELEMETRY": "1",
    "DO_NOT_TRACK": "1",
    "NML_DISABLE_USAGE_LOGGING": "1",
    "WHYLOGS_NO_ANALYTICS": "True",
}
PEAK_UNIT_B = 1 if sys.platform == "darwin" else 1024


@dataclass(frozen=True, slots=True)
class Run:
    """What one process took; `page_kb` is the size of the HTML it wrote, if it wrote any."""

    wall_s: float
    cpu_s: float
    peak_mb: float
    page_kb: float | None = None


class Failed(Exception):
    """The process ended otherwise than it should; the message is one short sentence."""


def run(
    arguments: Sequence[str], *, fine: Sequence[int] = (0,), limit_s: float = 3600
) -> tuple[Run, str]:
    """What it took and what it printed; raises Failed for an exit code that is not `fine`."""
    with tempfile.TemporaryFile("w+") as printed, tempfile.TemporaryFile("w+") as complaints:
        began = time.perf_counter()
        process = subprocess.Popen(
            arguments, stdout=printed, stderr=complaints, cwd=ROOT, env={**os.environ, **SILENT}
        )
        timer = Timer(limit_s, process.kill)
        timer.start()
        _, status, usage = os.wait4(process.pid, 0)
        took_s = time.perf_counter() - began
        in_time = not timer.finished.is_set()
        timer.cancel()
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode not in fine:
            complaints.seek(0)
            raise Failed(_reason(process.returncode, complaints.read(), in_time, limit_s))
        printed.seek(0)
        taken = Run(took_s, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * PEAK_UNIT_B / 1e6)
        return taken, printed.read()


def _reason(code: int, complaints: str, in_time: bool, limit_s: float) -> str:
    if not in_time:
        return f"did not end within {limit_s / 60:.0f} minutes"
    last = ([line for line in complaints.splitlines() if line.strip()] or ["nothing was said"])[-1]
    if code < 0:
        return f"ended by signal {-code}"
    return f"exit code {code}: {short(last)}"


def short(text: str) -> str:
    """One line without addresses and paths, which belong to one machine only.

    >>> short("ERROR: no file /home/me/x.txt at https://example.org/y")
    'no file … at …'
    """
    text = re.sub(r"^(ERROR|error): ", "", text.strip())
    text = re.sub(r"\w+://\S+|(?<!\w)/[^\s'\"]+", "…", text)
    return text if len(text) <= 160 else text[:159] + "…"
