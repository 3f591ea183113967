"""Several real processes on one store: how often was each window looked at, each alert sent?"""

import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from clocks import Going

from monitor import wiring
from monitor.archive import Outcome, Store
from monitor.claiming import Claimant, Lease
from monitor.core.consequences import Message
from monitor.core.records import Check, DatasetResult, SampleInfo, Verdict, Window
from monitor.delivery import LEASE_S, Delivery
from monitor.scheduler import Scheduler
from monitor.settings import MonitorSettings
from monitor.stores import sql

START = datetime(2026, 3, 2, tzinfo=UTC)
SHORT = Lease(holds_s=2.0, renewed_s=0.4)  # what a killed process held is free soon
SHORT_FOR_MESSAGES_S = 3.0
ROOT = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True)
class Race:
    """Who races for what: hourly windows of several monitors, one alert a window."""

    store: str
    folder: str
    monitors: int
    windows: int  # of each
    processes: int = 2
    kills: int = 0  # of these processes, one after the other, each replaced by a new one
    seed: int = 0

    @property
    def all_windows(self) -> int:
        return self.monitors * self.windows


def clock_of(race: Race, began_s: float, *, skew_s: float = 0.0, pace: float = 1.0) -> Going:
    """The same simulated time in all processes, but for what they differ by."""
    moment = START + timedelta(hours=race.windows, minutes=30, seconds=skew_s)
    return Going(moment, began_s=began_s, pace=pace)


class Written:
    """A channel that is a file: a line a message, written whole by whoever sends it."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def send(self, message: Message, thread: Mapping[str, Any]) -> Mapping[str, Any]:
        write_line(self._file, message.id)
        return {}


def write_line(file: Path, text: str) -> None:
    with file.open("a") as out:  # one write of less than a page is not torn
        out.write(text + "\n")


def monitor(number: int, race: Race) -> MonitorSettings:
    body = {"name": f"m{number}", "production": {"path": "x.parquet", "time": "at"}}
    more: dict[str, Any] = {"window": "1h", "catch_up": race.windows + 1}
    return MonitorSettings.model_validate({**body, **more})


def outcome_of(name: str, window: Window, *, alert: bool = True) -> Outcome:
    """A small check that passed, and an alert for it."""
    check_id = f"{name}-{window.start:%Y%m%dT%H%M}"
    check = Check(
        id=check_id,
        verdict=Verdict.PASSED,
        headline="Passed",
        columns=(),
        dataset=DatasetResult(None, 0, 0),
        sample=SampleInfo(1, 1, "all"),
        monitor=name,
        window=window,
        made_at=window.end,
    )
    told = Message(f"of-{check_id}", "written", name, "episode.opened", {}, window.end)
    return Outcome(check, messages=(told,) if alert else ())


# --- One of the processes ---


def take_part(race: Race, number: int, began_s: float) -> None:
    """Look and deliver until everything is done."""
    folder = Path(race.folder)
    clock = clock_of(race, began_s, skew_s=0.2 * number)
    store = sql.make(race.store, folder, clock)
    looked, sent = folder / "looked", Written(folder / "sent")

    def run(name: str, window: Window, again: bool) -> str:
        write_line(looked, f"{name} {window.start.isoformat()}")
        store.save(outcome_of(name, window))
        return "passed"

    lease, message_lease_s = (SHORT, SHORT_FOR_MESSAGES_S) if race.kills else (Lease(), LEASE_S)
    claimant = Claimant(store, clock, parts=("scheduler", "delivery"), lease=lease)
    monitors = {f"m{n}": monitor(n, race) for n in range(race.monitors)}
    scheduler = Scheduler(monitors, store, run, clock, claimant=claimant)
    delivery = Delivery(store, {"written": sent}, clock, lease_s=message_lease_s)
    stop = threading.Event()
    delivering = threading.Thread(target=delivery.run, args=(stop,), daemon=True)
    with claimant.living():
        scheduler.start()
        delivering.start()
        while not _is_done(store, race):
            time.sleep(0.1)
        stop.set()
        delivering.join()
        scheduler.stop(10)
    store.close()


def _is_done(store: Store, race: Race) -> bool:
    return store.count_messages() == {"sent": race.all_windows}


# --- The race ---


def run(race: Race, timeout_s: float) -> dict[str, int]:
    """How it went; every window begins unlooked at, but for the first of each monitor."""
    store = sql.make(race.store, Path(race.folder), wiring.now)
    for number in range(race.monitors):
        before = Window(START - timedelta(hours=1), START)
        store.save(outcome_of(f"m{number}", before, alert=False))
    began_s = time.monotonic()
    racers = [_start(race, n, began_s) for n in range(race.processes)]
    killed, luck, looked = 0, random.Random(race.seed), Path(race.folder) / "looked"
    try:
        while any(racer.poll() is None for racer in racers):
            if time.monotonic() > began_s + timeout_s:
                raise AssertionError(f"not done after {timeout_s} s: {store.count_messages()}")
            hunted = killed < race.kills and looked.exists()  # who only starts has nothing to lose
            time.sleep(luck.uniform(0.1, 0.6) if hunted else 0.1)
            if hunted and not _is_done(store, race):
                place = luck.randrange(race.processes)
                os.kill(racers[place].pid, signal.SIGKILL)
                racers[place].wait()
                racers[place] = _start(race, place, began_s)
                killed += 1
        assert [racer.returncode for racer in racers] == [0] * race.processes
        return _counted(race, store, killed)
    finally:
        for racer in racers:
            if racer.poll() is None:
                racer.kill()
            racer.wait()
        store.close()


def _counted(race: Race, store: Store, killed: int) -> dict[str, int]:
    folder = Path(race.folder)
    looked = Counter((folder / "looked").read_text().splitlines())
    sent = Counter((folder / "sent").read_text().splitlines())
    stored = sum(
        len(store.lines(f"m{n}", limit=2 * race.windows)) - 1 for n in range(race.monitors)
    )
    return {
        "processes": race.processes,
        "kills": killed,
        "windows": race.all_windows,
        "stored": stored,
        "looked_at": len(looked),
        "looked_at_again": sum(looked.values()) - len(looked),
        "alerts": len(sent),
        "alerts_again": sum(sent.values()) - len(sent),
    }


def _start(race: Race, number: int, began_s: float) -> "subprocess.Popen[bytes]":
    told = json.dumps({"race": vars_of(race), "number": number, "began_s": began_s})
    return subprocess.Popen([sys.executable, "-m", "benchmarks.faults.racing", told], cwd=ROOT)


def vars_of(race: Race) -> dict[str, Any]:
    return {name: getattr(race, name) for name in Race.__slots__}


if __name__ == "__main__":
    given = json.loads(sys.argv[1])
    take_part(Race(**given["race"]), given["number"], given["began_s"])
