"""What a report says of earlier checks: told from lines, the same as their documents say."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from projects import day, write_project

from monitor.ports import PastCheck, PastColumn
from monitor.service import Service
from monitor.settings import load_settings
from monitor.steps.past import past_checks


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    config = write_project(tmp_path, suite=False)
    budget = "    drift: {false_alarms: 1 per 30d}\n"
    config.write_text(config.read_text() + budget)
    made = Service(load_settings(config))
    yield made
    made.close()


def test_lines_say_what_documents_say(service: Service) -> None:
    for number in (0, 1, 3, 4):
        service.check("orders", day(number))
    service.check("orders", day(1), again=True)
    found = past_checks(service.store, "orders", day(4).start)
    assert [past.window for past in found] == [day(0), day(1), day(3)]
    documents = service.store.newest_checks("orders", before=day(4).start)[::-1]
    assert found == [
        PastCheck(
            verdict=check.verdict,
            headline=check.headline,
            window=check.window or day(0),
            rows=check.sample.rows_in_window,
            columns={
                c.name: PastColumn(c.verdict, c.strength) for c in check.columns if c.compared
            },
            evidence=next(f.statistic for f in check.dataset.findings if f.test == "accumulated"),
        )
        for check in (stored.check for stored in documents)
    ]
    assert found[-1].columns["amount"].strength > 1 > found[0].columns["amount"].strength


def test_a_report_shows_them_beside_the_check(service: Service) -> None:
    for number in range(4):
        stored = service.check("orders", day(number))
    told = service.render(stored)
    assert told.count("<li title=") == 3
    assert "Drifted for 2 checks, since Wed 4 Mar 2026" in told


def test_before_the_first_check_there_is_nothing(service: Service) -> None:
    service.check("orders", day(0))
    assert past_checks(service.store, "orders", day(0).start) == []
    assert past_checks(service.store, "another", day(4).start) == []
