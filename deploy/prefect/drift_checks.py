"""Prefect: a flow that checks a monitor and says what to do next.

`python drift_checks.py orders 2026-03-02` runs it here; `make_flow().serve(cron="20 6 * * *")`
keeps it running. `monitor` is called by its command line, so it may live in an environment of its
own.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

CONFIG = os.environ.get("MONITOR_CONFIG", "monitor.yaml")
COMMAND = os.environ.get("MONITOR_COMMAND", "monitor").split()
PASSED, DRIFTED, VIOLATED, UNDECIDED, ASKED_WRONGLY = 0, 1, 2, 3, 64
NEXT = {PASSED: "go on", DRIFTED: "look at the report", VIOLATED: "stop: the data is broken"}


class NotLookedAt(Exception):
    """Nothing is known of this window: worth another try, unless the configuration is wrong."""

    def __init__(self, text: str, code: int) -> None:
        super().__init__(text)
        self.worth_another_try = code != ASKED_WRONGLY


def check(
    name: str, at: str, command: list[str] | None = None, config: str = CONFIG
) -> dict[str, Any]:
    """One check; what it found, and what to do next."""
    line = [*(command or COMMAND), "check", name, "--at", at, "--json", "-", "--config", config]
    done = subprocess.run(line, capture_output=True, text=True, check=False)
    if done.returncode not in NEXT or not done.stdout:
        found = json.loads(done.stdout) if done.returncode == UNDECIDED and done.stdout else {}
        raise NotLookedAt(found.get("headline") or done.stderr.strip(), done.returncode)
    found = json.loads(done.stdout)
    return {"id": found["id"], "headline": found["headline"], "next": NEXT[done.returncode]}


def make_flow() -> Any:
    from prefect import flow, task

    def again(_task: Any, _run: Any, state: Any) -> bool:
        try:
            state.result()
        except NotLookedAt as error:
            return error.worth_another_try
        except Exception:
            return False
        return False

    look = task(retries=3, retry_delay_seconds=600, retry_condition_fn=again)(check)

    @flow(name="drift checks", log_prints=True)
    def drift_checks(name: str, at: str) -> dict[str, Any]:
        found: dict[str, Any] = look(name, at)
        print(f"{name}: {found['headline']} ({found['next']})")
        return found

    return drift_checks


if __name__ == "__main__":
    make_flow()(*sys.argv[1:3])
