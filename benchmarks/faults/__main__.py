"""Put the service through everything, keep the figures, write docs/reliability.md.

`python -m benchmarks.faults [--only NAME,NAME] [--windows 10000]`; `--render` only draws the page
anew.
"""

import argparse
import tempfile
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

from store_backends import new_postgresql_database, postgresql_server

from benchmarks.faults import clocks, idle, killing, outages, pages, racing
from benchmarks.faults.page import PAGE, RESULTS, render
from benchmarks.figures import keep, load, machine

SQLITE = "sqlite:///monitor.db"
Figures = dict[str, Any]


def _raced(windows: int, processes: int, kills: int = 0, url: str = SQLITE) -> Figures:
    monitors = max(1, round(windows**0.5))
    with tempfile.TemporaryDirectory() as folder:
        race = racing.Race(url, folder, monitors, windows // monitors, processes, kills)
        return racing.run(race, timeout_s=7200)


def _on_postgresql(what: Callable[[str], Figures]) -> Figures:
    with postgresql_server() as server:
        return what(new_postgresql_database(server))


def _in_folder(what: Callable[[Path], Figures]) -> Figures:
    with tempfile.TemporaryDirectory() as folder:
        return what(Path(folder))


def _pages(folder: Path, url: str = SQLITE) -> Figures:
    return pages.pages(folder, url, monitors=1000, checks=100)


def _restarted() -> Figures:
    with postgresql_server() as server:
        return _in_folder(lambda folder: outages.database_restarts(server, folder, restarts=3))


def experiments(windows: int) -> dict[str, Callable[[], Figures]]:
    return {
        "kill_sqlite": lambda: _in_folder(killing.figures),
        "kill_postgresql": lambda: _on_postgresql(
            lambda url: _in_folder(lambda folder: killing.figures(folder, url))
        ),
        "race_sqlite_2": lambda: _raced(windows, 2),
        "race_postgresql_3": lambda: _on_postgresql(lambda url: _raced(windows, 3, url=url)),
        "race_killed": lambda: _raced(1000, 2, kills=20),
        "restarts": _restarted,
        "full_disk": lambda: _in_folder(outages.full_disk),
        "down": lambda: outages.down_for_hours(24),
        "lies": outages.lying_endpoint,
        "day": lambda: clocks.a_day(1000, clocks.ORDINARY),
        "spring": lambda: clocks.a_day(100, clocks.SPRING, hours=30),
        "autumn": lambda: clocks.a_day(100, clocks.AUTUMN, hours=30),
        "jumps": lambda: clocks.jumping(100),
        "idle": lambda: _in_folder(lambda folder: idle.idle(folder, 1000)),
        "pages_sqlite": lambda: _in_folder(_pages),
        "pages_postgresql": lambda: _on_postgresql(
            lambda url: _in_folder(lambda folder: _pages(folder, url))
        ),
    }


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.faults", description=__doc__)
    parser.add_argument("--only", help="experiments, separated by commas; the others stay as kept")
    parser.add_argument("--windows", type=int, default=10_000, help="that processes race for")
    parser.add_argument("--render", action="store_true", help="only draw the page anew")
    asked = parser.parse_args()
    known = experiments(asked.windows)
    chosen = asked.only.split(",") if asked.only else list(known)
    if strange := sorted(set(chosen) - set(known)):
        parser.error(f"no experiment is called {', '.join(strange)}; there are {', '.join(known)}")
    for name in () if asked.render else chosen:
        figure = {**known[name](), "date": date.today().isoformat(), "machine": machine()}
        print(name, figure, flush=True)
        results = load(RESULTS)
        results.setdefault("faults", {})[name] = figure
        keep(results, RESULTS)
        PAGE.write_text(render(results), encoding="utf-8")
    PAGE.write_text(render(load(RESULTS)), encoding="utf-8")


if __name__ == "__main__":
    main()
