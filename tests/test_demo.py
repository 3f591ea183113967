"""The demo project, played: three incidents told apart, everything else quiet."""

from collections.abc import Iterator
from datetime import UTC, date, timedelta
from pathlib import Path
from typing import Any

import pytest

from monitor.core.consequences import Cause
from monitor.core.records import Check, Verdict, Window
from monitor.core.windows import Span, window_at
from monitor.demo import generator
from monitor.demo.play import play
from monitor.service import Service
from monitor.settings import MonitorSettings, load_settings

# Around the three incidents; every day of the twenty weeks is for `make test-slow`.
TOLD = (
    (date(2026, 2, 8), date(2026, 2, 18)),
    (date(2026, 3, 11), date(2026, 3, 14)),
    (date(2026, 4, 13), date(2026, 4, 18)),
)
every_window = Service.windows


def only_told(service: Service, settings: MonitorSettings) -> list[Window]:
    """The windows that `Service.windows` finds, as far as they are told of here."""
    return [
        window
        for window in every_window(service, settings)
        if any(first <= window.start.date() < end for first, end in TOLD)
    ]


@pytest.fixture(
    scope="module", params=[only_told, pytest.param(every_window, marks=pytest.mark.slow)]
)
def demo(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Path, dict[str, Any], str]]:
    folder = tmp_path_factory.mktemp("demo")
    said: list[str] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("MONITOR_DATASETS", raising=False)
        patch.setattr(Service, "windows", request.param)
        told = play(folder, said.append)
    yield folder, told, "\n".join(said)


@pytest.fixture(scope="module")
def service(demo: tuple[Path, dict[str, Any], str]) -> Iterator[Service]:
    made = Service(load_settings(demo[0] / "monitor.yaml"))
    yield made
    made.close()


@pytest.fixture(scope="module")
def checks(service: Service) -> list[Check]:
    """All checks, oldest first."""
    return [s.check for s in reversed(service.store.newest_checks("loans", limit=1000))]


def truth(check: Check) -> Verdict:
    """What a day is, by the generator's own constants."""
    assert check.window is not None
    start = check.window.start
    cents_begin, cents_end = generator.CENTS_WEEK
    if cents_begin <= start.date() < cents_end or start.date() == generator.SILENT_DAY:
        return Verdict.VIOLATED
    return Verdict.DRIFTED if check.window.end > generator.DRIFT_ONSET else Verdict.PASSED


def test_every_day_gets_the_verdict_that_is_true(
    demo: tuple[Path, dict[str, Any], str], checks: list[Check]
) -> None:
    assert len(checks) == demo[1]["monitors"]["loans"]["windows"] in (18, 140)
    wrong = [(c.id, c.verdict, truth(c)) for c in checks if c.verdict is not truth(c)]
    assert not wrong


def test_columns_that_never_move_are_never_flagged(checks: list[Check]) -> None:
    flagged = {
        (c.id, column.name)
        for c in checks
        for column in c.columns
        if column.name in generator.STEADY_COLUMNS and column.verdict is Verdict.DRIFTED
    }
    assert not flagged


def test_what_drifts_is_named(checks: list[Check]) -> None:
    onset = window_at(generator.DRIFT_ONSET, Span(1, "d"), UTC)
    [first] = [c for c in checks if c.window == onset]
    drifted = {c.name for c in first.causes()}
    assert drifted == {*generator.DRIFTED_COLUMNS, *generator.MOVED_OUTPUTS}


def test_the_three_incidents_are_three_episodes(service: Service) -> None:
    episodes = sorted(service.store.newest_episodes("loans"), key=lambda e: e.opened_at)
    assert [e.cause for e in episodes] == [Cause.QUALITY, Cause.QUALITY, Cause.DRIFT]
    cents, silence, drift = episodes
    assert "loan_amount" in cents.columns[0] and "freshness" in silence.columns
    assert cents.resolved_at and silence.resolved_at and drift.resolved_at is None


def test_one_alert_when_an_episode_opens_and_one_when_it_ends(service: Service) -> None:
    told = [m.kind for m in service.store.oldest_messages() if m.channel == "console"]
    assert told.count("episode.opened") == 3
    assert told.count("episode.resolved") == 2
    assert {m.state for m in service.store.oldest_messages()} == {"sent"}


def test_one_retrain_request_delivered_once_to_a_receiver_that_failed_twice(
    demo: tuple[Path, dict[str, Any], str], service: Service
) -> None:
    assert demo[1]["trainer"] == {"received": 3, "acted_on": 1, "rejected": 0}
    [request] = service.store.newest_retrains("loans")
    assert request.state == "delivered" and request.window is not None
    assert request.window.start - generator.DRIFT_ONSET < timedelta(days=1)  # confirm: 2


def test_reports_lie_where_the_demo_says(demo: tuple[Path, dict[str, Any], str]) -> None:
    folder, told, said = demo
    reports = list((folder / "reports").glob("loans-*.html"))
    pages_for_digging = 1  # at the onset
    assert len(reports) == told["monitors"]["loans"]["windows"] + pages_for_digging
    assert any(str(path) in said for path in reports)
    assert "monitor serve" in said


def test_the_demo_can_be_played_again(demo: tuple[Path, dict[str, Any], str]) -> None:
    folder = demo[0]
    (folder / "reports" / "kept.txt").write_text("not the demo's")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("monitor.demo.play._play_monitor", lambda *_: {})
        patch.delenv("MONITOR_DATASETS", raising=False)
        play(folder, lambda _: None)
    assert (folder / "reports" / "kept.txt").exists()
    assert not list((folder / "reports").glob("*.html"))
