"""Runs tables on a few processes and keeps their figures: one JSON file, which the page shows.

Every table is a list of jobs whose sums add up, so that neither the order nor the number of
processes changes a figure.
"""

import json
import os
import platform
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmarks.trust.rates import add

RESULTS = Path(__file__).with_name("results.json")
PAGE = Path(__file__).parents[2] / "docs" / "trust.md"
LIBRARIES = ("drift-monitor", "numpy", "scipy", "evidently")
FULL_CAP_S = 4.0
Job = tuple[Callable[..., Any], tuple[Any, ...]]
Results = dict[str, dict[str, Any]]


@dataclass(frozen=True)
class Scope:
    """How a run is made; `fast` is a rehearsal of everything with few replicates."""

    seed: int = 0
    fast: bool = False
    references: tuple[int, ...] = ()  # rows, in the tables of single columns; all when empty
    cap_s: float = FULL_CAP_S  # of one process, for one figure of the tables of single columns

    def blocks(self, most: int) -> int:
        """How many of a full run's blocks this one takes: by its cap, and at least one."""
        return 1 if self.fast else min(most, max(1, round(most * self.cap_s / FULL_CAP_S)))


class Pool:
    """Some processes, each with one thread of linear algebra."""

    def __init__(self, workers: int) -> None:
        self._executor = ProcessPoolExecutor(workers)

    def each(self, jobs: Iterable[Job], say: Callable[[str], None] | None = None) -> list[Any]:
        """What every job returns, in the order of the jobs."""
        waiting = [self._executor.submit(work, *given) for work, given in jobs]
        for done, _ in enumerate(as_completed(waiting), start=1):
            if say is not None and (done % 50 == 0 or done == len(waiting)):
                say(f"{done} of {len(waiting)}")
        return [each.result() for each in waiting]

    def close(self) -> None:
        self._executor.shutdown(cancel_futures=True)


def run(
    jobs: Sequence[Job], pool: Pool, scope: Scope, say: Callable[[str], None]
) -> dict[str, Any]:
    """One table: its figures, and how they came about."""
    began = time.perf_counter()
    figures = add(pool.each(jobs, say))
    return {
        "run": {
            "seed": scope.seed,
            "fast": scope.fast,
            "cap_s": scope.cap_s,
            "references": list(scope.references) or "all",
            "seconds": round(time.perf_counter() - began),
            "cores": os.cpu_count(),
            "python": platform.python_version(),
            "versions": {name: version(name) for name in LIBRARIES},
        },
        "figures": {name: figures[name] for name in sorted(figures)},
    }


def load(path: Path = RESULTS) -> Results:
    """The kept figures by table; none when there is no file yet."""
    found: Results = {}
    with suppress(FileNotFoundError):
        found = json.loads(path.read_text(encoding="utf-8"))
    return found


def keep(results: Results, path: Path = RESULTS) -> None:
    """One line a figure, so that a redone table shows as what changed."""
    parts = []
    for table in sorted(results):
        lines = [
            f"   {json.dumps(name)}: {json.dumps([_short(v) for v in sums])}"
            for name, sums in results[table]["figures"].items()
        ]
        how = json.dumps(results[table]["run"])
        body = ",\n".join(lines)
        parts.append(
            f' {json.dumps(table)}: {{\n  "run": {how},\n  "figures": {{\n{body}\n  }}\n }}'
        )
    path.write_text("{\n" + ",\n".join(parts) + "\n}\n", encoding="utf-8")


def _short(value: float) -> float:
    """Whole numbers as such, others with ten digits."""
    return int(value) if float(value).is_integer() else float(f"{value:.10g}")
