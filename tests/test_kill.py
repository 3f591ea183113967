"""kill -9 at the four commit points: no window is lost, nothing is acted on twice."""

import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from killed import work
from projects import SECRET, day, write_project

from monitor.demo.receiver import Receiver
from monitor.service import Service
from monitor.settings import load_settings

HERE = Path(__file__).parent


@pytest.fixture
def trainer() -> Iterator[Receiver]:
    with Receiver(SECRET) as receiver:
        yield receiver


@pytest.fixture
def people() -> Iterator[Receiver]:
    with Receiver(SECRET) as receiver:
        yield receiver


def killed(project: Path, number: int, point: str) -> int:
    """How a process of its own ended."""
    command = [sys.executable, str(HERE / "killed.py"), str(project), str(number), point]
    return subprocess.run(command, timeout=120, check=False, capture_output=True).returncode


@pytest.mark.parametrize("point", ["before_commit", "committed", "sent", "marked"])
def test_killed_at(point: str, tmp_path: Path, trainer: Receiver, people: Receiver) -> None:
    """Day 3 opens nothing new, but is the second drifted day: it asks for a new model."""
    config = write_project(tmp_path, trainer=trainer.url, webhook=people.url, suite=False)
    work(tmp_path, 2, "never")
    assert killed(tmp_path, 3, point) == -signal.SIGKILL
    work(tmp_path, 3, "never")

    service = Service(load_settings(config))
    try:
        stored = service.store.newest_checks("orders")
        assert [s.check.window for s in stored] == [day(3), day(2)]
        assert [s.revision for s in stored] == [0, 0]
        assert all(service.store.summaries(s.check.id) for s in stored)
        assert Counter(m.state for m in service.store.oldest_messages()) == {"sent": 2}
        [request] = service.store.newest_retrains("orders")
        [episode] = service.store.newest_episodes("orders")
        assert request.state == "delivered" and episode.retrain_request == request.id
    finally:
        service.close()
    assert [t["event"] for t in people.acted_on] == ["episode.opened"]
    assert [t["request_id"] for t in trainer.acted_on] == [request.id]
    assert len(trainer.received) == (2 if point == "sent" else 1)
