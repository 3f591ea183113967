"""kill -9 at every commit of a check, its delivery, deeds, requests and upkeep."""

import random
from pathlib import Path

import pytest
from store_backends import new_postgresql_database

from benchmarks.faults.killing import Killer, every_point, figures, same

A_FEW = 2


def test_a_process_killed_at_any_commit_leaves_the_day_to_be_finished(tmp_path: Path) -> None:
    """Some of the points, others when the code has more of them; the slow test has them all."""
    with Killer(tmp_path) as killer:
        right, commits = killer.undisturbed()
        assert right.messages == [
            "episode.opened webhook sent",
            "retrain.requested retrain sent",
            "episode.acknowledged webhook sent",
        ]
        assert right.requests == ["04 done", "retrain delivered"]
        assert right.repeated == 0
        for at, side in random.Random(commits).sample(every_point(commits), A_FEW):
            killed = killer.killed(at, side)
            assert same(killed.day, right), f"{side} commit {at}: {killed.day}"


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_killed_at_every_commit(kind: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    url = "sqlite:///monitor.db"
    if kind == "postgresql":
        url = new_postgresql_database(request.getfixturevalue("postgresql"))
    found = figures(tmp_path, url)
    assert found["kills"] == 2 * found["commits"] > 20
    assert found["wrong"] == 0
