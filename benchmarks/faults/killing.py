"""kill -9 at every commit of a day's work, then another process: does the day end as it should?"""

import json
import shutil
import signal
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from projects import SECRET, day, write_project

from benchmarks.faults.killed_day import SIDES
from monitor.demo.receiver import Receiver
from monitor.service import Service
from monitor.settings import load_settings

NOW = day(3).end + timedelta(hours=1)
LATER = NOW + timedelta(seconds=150)  # every lease is over
_BETWEEN = NOW + timedelta(seconds=75)  # the clock of those who look at signatures
_MORNING = NOW - timedelta(seconds=60)
_STORE = "sqlite:///monitor.db"
CopyStore = Callable[[], str]  # the address of a copy of the store as it is in the morning


@dataclass(frozen=True, slots=True)
class Day:
    """How a day ended, of which everything but the number of requests must be the same always."""

    checks: list[str]
    messages: list[str]
    deeds: list[str]
    requests: list[str]
    acted_on: list[str]  # by people's webhook and by the training system, in order
    repeated: int  # requests whose answer got lost, and that were recognised by their key


@dataclass(frozen=True, slots=True)
class Killed:
    """A day with a death in it."""

    at: int
    side: str
    day: Day


class Killer:
    """Lives the same day again and again, each time with a death at another commit."""

    def __init__(self, folder: Path, store: str = _STORE) -> None:
        self._folder = folder
        self._morning = folder / "morning"
        self._postgresql = store if store != _STORE else ""
        write_project(self._morning, trainer="TRAINER", webhook="PEOPLE", store=store, suite=False)
        with self._project(self._morning):
            settings = load_settings(self._morning / "monitor.yaml")
            service = Service(settings, clock=lambda: _MORNING)
            service.check("orders", day(2))
            service.delivery().drain(20.0)
            service.close()

    def __enter__(self) -> "Killer":
        command = [sys.executable, "-m", "benchmarks.faults.killed_day"]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        root = Path(__file__).parents[2]
        self._forks = subprocess.Popen(command, cwd=root, **pipes)  # type: ignore[call-overload]
        return self

    def __exit__(self, *_: object) -> None:
        self._forks.stdin.close()
        self._forks.wait()
        self._forks.stdout.close()

    def undisturbed(self) -> tuple[Day, int]:
        """The day as it should be, and how many commits it takes."""
        with self._copied() as (project, receivers):
            commits = self._live(project, NOW)["commits"]
            return _seen(project, receivers), commits

    def killed(self, at: int, side: str) -> Killed:
        """A day whose process dies at a commit; when its leases are over another goes on."""
        with self._copied() as (project, receivers):
            self._live(project, NOW, at, side)
            self._live(project, LATER)
            return Killed(at, side, _seen(project, receivers))

    def _live(self, project: Path, now: datetime, at: int = 0, side: str = "") -> Any:
        told = {"project": str(project), "now": now.isoformat(), "at": at, "side": side}
        self._forks.stdin.write(json.dumps(told) + "\n")
        self._forks.stdin.flush()
        answer = json.loads(self._forks.stdout.readline())
        if answer["ended"] != (-signal.SIGKILL if at else 0):
            trace = answer["said"].get("trace", "")
            raise AssertionError(f"{told} ended with {answer['ended']}\n{trace}")
        return answer["said"]

    @contextmanager
    def _copied(self) -> Iterator[tuple[Path, Sequence[Receiver]]]:
        project = self._folder / uuid.uuid4().hex
        shutil.copytree(self._morning, project)
        config = project / "monitor.yaml"
        if self._postgresql:
            copy = _copy_database(self._postgresql)
            config.write_text(config.read_text().replace(self._postgresql, copy))
        with self._project(project) as receivers:
            yield project, receivers
        shutil.rmtree(project)

    @contextmanager
    def _project(self, project: Path) -> Iterator[Sequence[Receiver]]:
        """Somebody listens at the addresses in its configuration, which is put back afterwards."""
        config = project / "monitor.yaml"
        before = config.read_text()
        with ExitStack() as open_ones:
            listening = (
                Receiver(SECRET, clock=lambda: _BETWEEN),
                Receiver(SECRET, clock=lambda: _BETWEEN),
            )
            people, trainer = (open_ones.enter_context(each) for each in listening)
            text = before.replace("PEOPLE", people.url).replace("TRAINER", trainer.url)
            config.write_text(text)
            yield people, trainer
        config.write_text(before)


def every_point(commits: int) -> list[tuple[int, str]]:
    return [(at, side) for at in range(1, commits + 1) for side in SIDES]


def _seen(project: Path, receivers: Sequence[Receiver]) -> Day:
    service = Service(load_settings(project / "monitor.yaml"))
    store = service.store
    checks = [f"{s.check.id} {s.revision}" for s in store.newest_checks()]
    messages = [f"{m.kind} {m.channel} {m.state}" for m in store.oldest_messages()]
    requests = [f"{r.window.start:%d} {r.state}" for r in store.oldest_check_requests()]
    requests += [f"retrain {r.state}" for r in store.newest_retrains(limit=200)]
    deeds = sorted(str(e.deed) for e in store.audit())  # those of one moment are in no order
    service.close()
    acted = [str(t.get("event")) for r in receivers for t in r.acted_on]
    repeated = sum(len(r.received) - len(r.acted_on) for r in receivers)
    return Day(checks, messages, deeds, requests, acted, repeated)


def _copy_database(url: str) -> str:
    import psycopg

    old = url.split("@/")[1].split("?", maxsplit=1)[0]
    new, socket = f"m{uuid.uuid4().hex}", url.split("host=")[1]
    with psycopg.connect(f"host={socket} user=monitor dbname=postgres", autocommit=True) as db:
        db.execute(f"CREATE DATABASE {new} TEMPLATE {old}")
    return url.replace(old, new)


def figures(folder: Path, store: str = _STORE) -> dict[str, Any]:
    """Every point once."""
    with Killer(folder, store) as killer:
        right, commits = killer.undisturbed()
        days = [killer.killed(*point) for point in every_point(commits)]
    wrong = [f"{d.side} {d.at}" for d in days if not same(d.day, right)]
    return {
        "commits": commits,
        "kills": len(days),
        "wrong": len(wrong),
        "repeated": sum(d.day.repeated for d in days),
    }


def same(one: Day, other: Day) -> bool:
    parts = ("checks", "messages", "deeds", "requests", "acted_on")
    return all(getattr(one, part) == getattr(other, part) for part in parts)
