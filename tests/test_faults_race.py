"""Processes that share a store: each window is looked at once, each alert sent once."""

from pathlib import Path

import pytest
from store_backends import new_postgresql_database

from benchmarks.faults.racing import Race, run

SQLITE = "sqlite:///monitor.db"


def undisturbed(windows: int) -> dict[str, int]:
    return {
        "windows": windows,
        "stored": windows,
        "looked_at": windows,
        "looked_at_again": 0,
        "alerts": windows,
        "alerts_again": 0,
    }


def test_two_processes_share_the_work(tmp_path: Path) -> None:
    found = run(Race(SQLITE, str(tmp_path), monitors=10, windows=10), timeout_s=240)
    assert found == {"processes": 2, "kills": 0, **undisturbed(100)}


def test_what_a_killed_process_was_at_is_taken_over(tmp_path: Path) -> None:
    """It may have looked, or sent, and died before it said so; the store has each once."""
    race = Race(SQLITE, str(tmp_path), monitors=10, windows=20, kills=1)
    found = run(race, timeout_s=240)
    assert found["kills"] == 1
    assert (found["stored"], found["looked_at"], found["alerts"]) == (200, 200, 200)
    assert found["looked_at_again"] <= 1 and found["alerts_again"] <= 1, "one a death at most"


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "processes"), [("sqlite", 2), ("postgresql", 3)])
def test_ten_thousand_windows(
    kind: str, processes: int, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    url = SQLITE
    if kind == "postgresql":
        url = new_postgresql_database(request.getfixturevalue("postgresql"))
    race = Race(url, str(tmp_path), monitors=100, windows=100, processes=processes)
    found = run(race, timeout_s=3600)
    assert found == {"processes": processes, "kills": 0, **undisturbed(10_000)}
