"""A process that checks one window, delivers, and is killed at a point of its work.

    python killed.py PROJECT DAY POINT

Points: `before_commit`, `committed` (the outbox is written), `sent` (not marked yet), `marked`,
`never`.
"""

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from projects import day

from monitor.delivery import Patience
from monitor.service import Service
from monitor.settings import load_settings


def die(*_: Any, **__: Any) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def dying_after(step: Callable[..., object]) -> Callable[..., None]:
    def steps(*told: Any) -> None:
        step(*told)
        die()

    return steps


def work(project: Path, number: int, point: str) -> None:
    service = Service(load_settings(project / "monitor.yaml"), patience=Patience(base_s=0.0))
    store: Any = service.store
    save, mark_sent = store.save, store.mark_sent
    points: dict[str, tuple[str, Any]] = {
        "before_commit": ("save", die),
        "committed": ("save", dying_after(save)),
        "sent": ("mark_sent", die),
        "marked": ("mark_sent", dying_after(mark_sent)),
    }
    if point in points:
        setattr(store, *points[point])
    service.check("orders", day(number))
    delivery: Any = service.delivery()
    delivery._lease_s = 0.5  # a dead process's claim is free again soon
    delivery.drain(20.0)
    service.close()


if __name__ == "__main__":
    work(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3])
