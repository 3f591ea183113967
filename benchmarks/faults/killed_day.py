"""A day's work in a process that dies at one of its commits.

`python -m benchmarks.faults.killed_day` reads a line of JSON for each day, lives it in a fork of
its own, and answers with how that ended and how many commits it made.
"""

import json
import os
import signal
import sys
import traceback
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from typing import Any

from projects import day

from monitor.check_requests import CheckRequests
from monitor.claiming import Claimant, Lease
from monitor.deeds.planning import Actor
from monitor.delivery import Patience
from monitor.ledger import Act, Once
from monitor.retention import forget
from monitor.service import Service
from monitor.settings import load_settings
from monitor.stores._sql_engine import Database

SIDES = ("before", "after")  # the commit itself
_FOREVER = datetime(2300, 1, 1, tzinfo=UTC)
_AT_START = frozenset(sys.modules)
_MIA = Actor("mia", "page")


@dataclass
class Commits:
    """Counts the commits of this process, and ends it at one of them; 0 is none."""

    at: int = 0
    side: str = "before"
    count: int = 0

    def watch(self) -> None:
        writing = Database.writing

        @contextmanager
        def watched(database: Database) -> Iterator[Any]:
            with writing(database) as db:
                yield db
                self.count += 1
                self._reached("before")
            self._reached("after")

        Database.writing = watched  # type: ignore[method-assign,assignment]

    def _reached(self, side: str) -> None:
        if self.count == self.at and side == self.side:
            os.kill(os.getpid(), signal.SIGKILL)


def live(project: Path, now: datetime) -> None:
    """What a process does in a day; what another one has done of it already stays done.

    1. Look at the window that became complete, as the scheduler does, and deliver what follows.
    2. Somebody acknowledges the episode, and wants an older window looked at again.
    3. Forget what is too old.
    """
    settings = load_settings(project / "monitor.yaml")
    service = Service(settings, clock=lambda: now, patience=Patience(base_s=0.0))
    # A heartbeat in the middle of a slow day would be a commit more than on others.
    service.claimant = Claimant(service.store, service.clock, lease=Lease(renewed_s=3600.0))
    with service.claimant.living():
        service.claimed_check("orders", day(3))
        service.delivery().drain(20.0)
        _acknowledge(service, now)
        service.delivery().drain(20.0)
        _look_again(service, now)
        forget(service.store, service.reports, {"reports": _FOREVER, "summaries": _FOREVER})
    service.close()


def _acknowledge(service: Service, now: datetime) -> None:
    def plan() -> Act:
        [episode] = service.store.open_episodes("orders")
        return service.desk.acknowledge(_MIA, episode.id, "looking")

    _do(service, "acknowledge", plan, now)


def _look_again(service: Service, now: datetime) -> None:
    why = "late rows"
    _do(service, "again", lambda: service.desk.check_again(_MIA, "orders", day(2), why), now)

    def run(name: str, window: Any, again: bool) -> None:
        service.check(name, window, again=again)

    monitors = service.settings.monitors
    requests = CheckRequests(monitors, service.store, run, service.clock, service.claimant)
    while requests.pending():
        if not requests.serve_one():
            break


def _do(service: Service, key: str, plan: Callable[[], Act], now: datetime) -> None:
    """A deed under an idempotency key, as those who do not know whether it was done ask again."""
    if service.store.answered(key, "mia") is None:
        service.desk.do(plan(), Once(key, "mia", key, {}, now))


# --- The process that forks ---


def main() -> None:
    for line in sys.stdin:
        answer = _in_a_fork(json.loads(line))
        _warm_up(answer["said"].get("modules", ()))
        print(json.dumps(answer), flush=True)


def _warm_up(modules: Iterable[str]) -> None:
    """Import what a day needed, so that the next fork need not; a process with no threads forks."""
    for name in modules:
        with suppress(ImportError):
            import_module(name)


def _in_a_fork(told: dict[str, Any]) -> dict[str, Any]:
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        _be_the_child(told, writing)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        said = pipe.read()
    _, status = os.waitpid(child, 0)
    return {"ended": os.waitstatus_to_exitcode(status), "said": json.loads(said or "{}")}


def _be_the_child(told: dict[str, Any], writing: int) -> None:
    code = 1
    try:
        commits = Commits(told["at"], told["side"])
        commits.watch()
        live(Path(told["project"]), datetime.fromisoformat(told["now"]))
        _say(writing, {"commits": commits.count, "modules": _new_modules()})
        code = 0
    except BaseException:
        _say(writing, {"trace": traceback.format_exc()})
    finally:
        os._exit(code)


def _say(writing: int, what: dict[str, Any]) -> None:
    with os.fdopen(writing, "w") as pipe:
        json.dump(what, pipe)


def _new_modules() -> list[str]:
    return [name for name in sys.modules if name not in _AT_START and "__" not in name]


if __name__ == "__main__":
    main()
