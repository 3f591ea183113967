"""Airflow: a task a monitor, after the data of a day has arrived; drift may branch, faults fail.

Put this file into the folder of DAGs. `monitor` is installed in an environment of its own
(MONITOR_COMMAND names it), so its libraries and those of Airflow do not meet.
"""

from __future__ import annotations

import json
import os
import subprocess
from datetime import datetime, timedelta
from typing import Any

CONFIG = os.environ.get("MONITOR_CONFIG", "/srv/drift-monitor/monitor.yaml")
COMMAND = os.environ.get("MONITOR_COMMAND", "/opt/drift-monitor/bin/monitor").split()
MONITORS = ("orders",)
VERDICTS = {0: "passed", 1: "drifted", 2: "violated", 3: "undecided"}
ASKED_WRONGLY = 64


class AskedWrongly(Exception):
    """The configuration is wrong: trying again is no use."""


class NotLookedAt(Exception):
    """The data could not be looked at, or the program failed: try again."""


def check(
    name: str, day: str, command: list[str] | None = None, config: str = CONFIG
) -> dict[str, Any]:
    """One check by the command line; its exit code says what happened, its JSON what was found."""
    line = [*(command or COMMAND), "check", name, "--at", day, "--json", "-", "--config", config]
    done = subprocess.run(line, capture_output=True, text=True, check=False)
    if done.returncode == ASKED_WRONGLY:
        raise AskedWrongly(done.stderr.strip())
    if done.returncode not in VERDICTS or not done.stdout:
        raise NotLookedAt(f"exit code {done.returncode}: {done.stderr.strip()}")
    found = json.loads(done.stdout)
    if found["verdict"] == "undecided":
        raise NotLookedAt(found["headline"])
    kept = ("id", "verdict", "headline", "window")
    return {key: found[key] for key in kept} | {"drifted": found["dataset"]["drifted_columns"]}


def make_dag() -> Any:
    """A task a monitor. A violated window fails its task, so what follows does not run."""
    from airflow.decorators import dag, task
    from airflow.exceptions import AirflowFailException

    @task(retries=3, retry_delay=timedelta(minutes=10))
    def look(name: str, data_interval_start: datetime | None = None) -> dict[str, Any]:
        assert data_interval_start is not None, "Airflow fills it in"
        try:
            found = check(name, data_interval_start.date().isoformat())
        except AskedWrongly as error:
            raise AirflowFailException(str(error)) from None
        if found["verdict"] == "violated":
            raise AirflowFailException(found["headline"])
        return found

    @dag(schedule="@daily", start_date=datetime(2026, 1, 1), catchup=False, tags=["drift"])
    def drift_checks() -> None:
        look.expand(name=list(MONITORS))

    return drift_checks()


try:
    dag_of_checks = make_dag()
except ModuleNotFoundError:  # read by a test, or by a person, without Airflow
    dag_of_checks = None
