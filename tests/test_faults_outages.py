"""What the service leans on breaks and comes back: nothing is lost, nothing is acted on twice."""

import os
from pathlib import Path

import pytest
from store_backends import postgresql_server

from benchmarks.faults import clocks, outages

DAYS = {"spring": clocks.SPRING, "autumn": clocks.AUTUMN}


def test_a_database_that_restarts_is_outlived(tmp_path: Path) -> None:
    with postgresql_server() as socket:
        found = outages.database_restarts(socket, tmp_path)
    assert found == {"restarts": 2, "windows": 96, "stored": 96, "alerts": 96}


@pytest.mark.skipif(os.name != "posix", reason="limits of a process are set as POSIX has it")
def test_a_full_disk_loses_nothing_that_was_saved(tmp_path: Path) -> None:
    found = outages.full_disk(tmp_path)
    assert found["saved"] > 10
    assert (found["lost"], found["half"], found["went_on"], found["told"]) == (0, 0, 1, 1)


def test_those_who_are_told_may_be_away_for_hours() -> None:
    found = outages.down_for_hours(10, messages=2)
    assert found["acted_on"] == found["messages"] == 2
    assert found["tries"] < 2 * 30, "it waits longer and longer"
    assert found["late_min"] <= 60, "and at most an hour"


def test_an_endpoint_may_lie_in_every_way() -> None:
    lies = len(outages.LIES)
    assert outages.lying_endpoint() == {
        "lies": lies,
        "requests": lies + 1,
        "keys": 1,
        "sent": 1,
    }


@pytest.mark.parametrize("start", DAYS.values(), ids=DAYS)
def test_no_window_is_missed_when_the_clocks_change(start: object) -> None:
    found = clocks.a_day(10, start, hours=30)  # type: ignore[arg-type]
    assert found["windows"] > 150
    assert (found["missed"], found["looked_at_again"]) == (0, 0)


def test_no_window_is_missed_when_the_clock_jumps() -> None:
    found = clocks.jumping(8)
    assert found["windows"] > 200
    assert (found["missed"], found["looked_at_again"]) == (0, 0)


@pytest.mark.slow
def test_a_day_of_a_thousand_monitors() -> None:
    found = clocks.a_day(1000, clocks.ORDINARY)
    assert found["windows"] > 10_000
    assert (found["missed"], found["looked_at_again"]) == (0, 0)
