"""The story end to end: quiet days, drift, one episode, one alert, one retrain request."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from projects import SECRET, day, rows, write_project

from monitor.archive import Outcome
from monitor.core.consequences import Cause
from monitor.core.records import Verdict
from monitor.deeds.planning import Actor
from monitor.delivery import Patience
from monitor.demo.receiver import Receiver
from monitor.service import Service
from monitor.settings import load_settings

NOON = datetime(2026, 3, 20, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.fixture
def trainer() -> Iterator[Receiver]:
    with Receiver(SECRET, fail_first=2, retry_after_s=0, clock=lambda: NOON) as receiver:
        yield receiver


@pytest.fixture
def people() -> Iterator[Receiver]:
    with Receiver(SECRET, clock=lambda: NOON) as receiver:
        yield receiver


@pytest.fixture
def folder(tmp_path: Path, trainer: Receiver, people: Receiver) -> Path:
    write_project(tmp_path, trainer=trainer.url, webhook=people.url, store="memory://")
    return tmp_path


@pytest.fixture
def service(folder: Path) -> Iterator[Service]:
    made = Service(
        load_settings(folder / "monitor.yaml"),
        clock=lambda: NOON,
        patience=Patience(base_s=0.0),
    )
    yield made
    made.close()


def play(service: Service, days: range) -> list[Verdict]:
    verdicts = []
    for number in days:
        verdicts.append(service.check("orders", day(number)).check.verdict)
        service.delivery().drain(20.0)
    return verdicts


def test_drift_opens_one_episode_one_alert_and_one_retrain_request(
    service: Service, trainer: Receiver, people: Receiver
) -> None:
    verdicts = play(service, range(6))
    assert verdicts == [Verdict.PASSED] * 2 + [Verdict.DRIFTED] * 4
    [episode] = service.store.newest_episodes("orders")
    assert (episode.cause, episode.columns, episode.resolved_at) == (
        Cause.DRIFT,
        ("amount",),
        None,
    )
    assert [told["event"] for told in people.acted_on] == ["episode.opened"]
    [asked] = trainer.acted_on
    assert asked["reasons"] == ["amount drifted"]
    assert asked["window"]["start"] == day(3).start.isoformat()  # the second of two in a row
    assert len(trainer.received) == 3 and not trainer.rejected
    [request] = service.store.newest_retrains("orders")
    assert request.state == "delivered"


def test_every_check_leaves_a_report_and_what_it_says_is_stored(
    service: Service, folder: Path
) -> None:
    play(service, range(3))
    stored = service.store.find_check("orders", day(2))
    assert stored is not None and stored.report is not None
    page = (folder / "reports" / stored.report).read_text()
    assert "amount" in page and "Drifted" in page
    assert set(stored.check.timings_s) == {"sample", "validate", "compare", "report"}


def test_an_episode_that_ends_is_told_and_the_next_one_is_new(
    service: Service, folder: Path, people: Receiver
) -> None:
    pq.write_table(rows(99, 800, day(6).start), folder / "data" / "day6.parquet")
    play(service, range(7))
    [episode] = service.store.newest_episodes("orders")
    assert episode.resolved_at == day(6).start
    assert [t["event"] for t in people.acted_on] == ["episode.opened", "episode.resolved"]
    pq.write_table(rows(98, 800, day(7).start, shift=3), folder / "data" / "day7.parquet")
    play(service, range(7, 8))
    assert len(service.store.newest_episodes("orders")) == 2


def test_a_day_without_rows_breaks_the_promise_of_freshness_and_asks_for_no_model(
    service: Service, folder: Path, trainer: Receiver, people: Receiver
) -> None:
    (folder / "data" / "day1.parquet").unlink()
    assert play(service, range(2)) == [Verdict.PASSED, Verdict.VIOLATED]
    [episode] = service.store.newest_episodes("orders")
    assert episode.cause is Cause.QUALITY and "freshness" in episode.columns
    assert len(people.acted_on) == 1 and not trainer.received


def test_broken_data_never_asks_for_a_model(
    service: Service, folder: Path, trainer: Receiver
) -> None:
    for number in range(2, 6):
        path = folder / "data" / f"day{number}.parquet"
        table = pq.read_table(path)
        broken = table.set_column(1, "amount", [[None] * 5 + table["amount"].to_pylist()[5:]])
        pq.write_table(broken, path)
    verdicts = play(service, range(6))
    assert verdicts[2:] == [Verdict.VIOLATED] * 4
    assert not trainer.received


def test_a_window_is_checked_once_however_often_it_is_asked_for(
    service: Service, folder: Path
) -> None:
    first = service.check("orders", day(0))
    (folder / "data" / "day0.parquet").unlink()
    assert service.check("orders", day(0)).check == first.check
    again = service.check("orders", day(0), again=True)
    assert again.revision == 1 and again.check.verdict is Verdict.VIOLATED


def test_an_unreadable_file_is_undecided_and_opens_an_episode_of_its_own(
    service: Service, folder: Path
) -> None:
    (folder / "data" / "day1.parquet").write_bytes(b"PAR1 this is not the end")
    stored = service.check("orders", day(1))
    assert stored.check.verdict is Verdict.UNDECIDED
    assert "day1.parquet" in stored.check.headline
    [episode] = service.store.newest_episodes("orders")
    assert episode.cause is Cause.NO_LOOK


def test_a_look_at_an_older_window_changes_no_episode(service: Service, people: Receiver) -> None:
    play(service, range(3, 4))
    told = len(people.acted_on)
    verdicts = play(service, range(0, 2))
    assert verdicts == [Verdict.PASSED] * 2
    [episode] = service.store.newest_episodes("orders")
    assert episode.resolved_at is None and len(people.acted_on) == told


def test_drift_that_nobody_was_told_of_is_told_by_the_next_check(
    service: Service, people: Receiver
) -> None:
    for number in range(4):
        service.check("orders", day(number), tell=False)
    service.delivery().drain(5.0)
    assert not people.received
    play(service, range(4, 6))
    assert [told["event"] for told in people.acted_on] == ["episode.opened"]


def test_an_episode_that_ended_before_anybody_was_told_is_not_told_to_be_over(
    service: Service, folder: Path, people: Receiver
) -> None:
    pq.write_table(rows(99, 800, day(6).start), folder / "data" / "day6.parquet")
    for number in range(6):
        service.check("orders", day(number), tell=False)
    assert play(service, range(6, 7)) == [Verdict.PASSED]
    assert not people.received


def test_what_was_decided_on_an_older_state_is_decided_again(
    service: Service, folder: Path
) -> None:
    pq.write_table(rows(99, 800, day(6).start), folder / "data" / "day6.parquet")
    service.check("orders", day(2))
    save, store = service.store.save, service.store
    late: list[bool] = []

    def overtaken(outcome: Outcome) -> bool:
        """While day 3 is being checked, another process checks day 6, and the drift is over."""
        if not late:
            late.append(True)
            other.check("orders", day(6))
        return save(outcome)

    other = Service(service.settings, clock=lambda: NOON)
    other.store = store
    store.save = overtaken  # type: ignore[method-assign]
    service.check("orders", day(3))
    [episode] = store.newest_episodes("orders")
    assert episode.resolved_at == day(6).start and store.open_episodes("orders") == []
    assert [s.check.window for s in store.newest_checks("orders")] == [day(6), day(3), day(2)]


def test_a_newer_window_that_is_checked_while_the_report_is_drawn_is_not_undone(
    service: Service, folder: Path
) -> None:
    pq.write_table(rows(99, 800, day(6).start), folder / "data" / "day6.parquet")
    service.check("orders", day(2))
    other = Service(service.settings, clock=lambda: NOON)
    other.store = service.store
    write = service.reports.write

    def overtaken(name: str, content: str) -> str:
        if name.startswith(f"orders-{day(3).start:%Y%m%d}"):
            other.check("orders", day(6))
        return write(name, content)

    service.reports.write = overtaken  # type: ignore[method-assign]
    service.check("orders", day(3))
    [episode] = service.store.newest_episodes("orders")
    assert episode.resolved_at == day(6).start and service.store.open_episodes("orders") == []


def test_a_window_nobody_could_look_at_is_told(service: Service, people: Receiver) -> None:
    service.give_up("orders", day(1), "the worker process was ended by SIGKILL")
    service.delivery().drain(5.0)
    stored = service.store.find_check("orders", day(1))
    assert stored is not None and stored.check.verdict is Verdict.UNDECIDED
    assert "SIGKILL" in stored.check.headline
    [told] = people.acted_on
    assert (told["event"], told["cause"]) == ("episode.opened", "no_look")
    assert play(service, range(2, 3)) == [Verdict.DRIFTED]
    assert [e.cause for e in service.store.open_episodes("orders")] == [Cause.DRIFT]
    seen = service.store.find_check("orders", day(2))
    service.give_up("orders", day(2), "too late: somebody looked")
    assert service.store.find_check("orders", day(2)) == seen


def test_a_dry_run_leaves_no_trace(service: Service, folder: Path, people: Receiver) -> None:
    before = sorted(p for p in folder.rglob("*"))
    stored = service.check("orders", day(3), dry_run=True)
    service.delivery().drain(5.0)
    assert stored.check.verdict is Verdict.DRIFTED
    assert service.store.newest_checks("orders") == []
    assert service.store.current_reference("orders") is None
    assert sorted(p for p in folder.rglob("*")) == before and not people.received


def test_the_clock_is_the_service_s_own(service: Service) -> None:
    assert service.check("orders", day(0)).check.made_at == NOON
    assert NOON - day(0).end > timedelta(days=1)


# --- Silences ---

MIA = Actor("mia", "page")


def test_a_mute_keeps_alerts_back_and_the_next_check_after_it_tells(
    service: Service, people: Receiver, trainer: Receiver
) -> None:
    service.desk.do(service.desk.mute(MIA, "orders", NOON + HOUR, "release"))
    assert play(service, range(4))[2:] == [Verdict.DRIFTED] * 2
    assert not people.acted_on
    assert len(trainer.acted_on) == 1, "a mute is about people; the training system is asked"
    stored = service.store.find_check("orders", day(2))
    assert stored is not None
    (notice,) = [n for n in stored.check.notices if n.kind == "muted"]
    assert "by mia: release" in notice.text
    (silence,) = service.store.silences()
    service.desk.do(service.desk.lift(MIA, silence.id, "done"))
    play(service, range(4, 5))
    assert [told["event"] for told in people.acted_on] == ["episode.opened"]


def test_the_end_of_what_was_told_is_told_in_a_mute_too(
    service: Service, folder: Path, people: Receiver
) -> None:
    play(service, range(6))
    service.desk.do(service.desk.mute(MIA, None, NOON + HOUR, "night"))
    pq.write_table(rows(99, 800, day(6).start), folder / "data" / "day6.parquet")
    play(service, range(6, 7))
    assert [t["event"] for t in people.acted_on] == ["episode.opened", "episode.resolved"]


def test_from_a_window_under_maintenance_nothing_follows(
    service: Service, people: Receiver, trainer: Receiver
) -> None:
    there = service.desk.maintain(MIA, "orders", day(2).start, day(3).end, "backfill of a source")
    service.desk.do(there)
    assert play(service, range(4))[2:] == [Verdict.DRIFTED] * 2
    assert not people.acted_on and not trainer.acted_on
    assert service.store.newest_episodes() == []
    play(service, range(4, 6))
    assert [told["event"] for told in people.acted_on] == ["episode.opened"]


def test_what_got_worse_in_a_mute_is_told_by_the_next_check_after_it(
    service: Service, folder: Path, people: Receiver
) -> None:
    play(service, range(3))
    service.desk.do(service.desk.mute(MIA, "orders", NOON + HOUR, "night"))
    for number in (3, 4):
        path = folder / "data" / f"day{number}.parquet"
        table = pq.read_table(path)
        elsewhere = pa.array(["elsewhere"] * table.num_rows)
        pq.write_table(table.set_column(2, table.column_names[2], elsewhere), path)
    play(service, range(3, 4))
    assert [told["event"] for told in people.acted_on] == ["episode.opened"]
    (silence,) = service.store.silences()
    service.desk.do(service.desk.lift(MIA, silence.id, "morning"))
    play(service, range(4, 5))
    assert [t["event"] for t in people.acted_on] == ["episode.opened", "episode.worsened"]


def test_a_window_under_maintenance_confirms_nothing(service: Service, trainer: Receiver) -> None:
    there = service.desk.maintain(MIA, "orders", day(2).start, day(2).end, "backfill")
    service.desk.do(there)
    play(service, range(4))
    assert not trainer.acted_on, "two windows in a row, and one of them was not normal"
    play(service, range(4, 5))
    assert len(trainer.acted_on) == 1


def test_an_episode_that_a_person_ended_opens_anew_when_it_goes_on(
    service: Service, people: Receiver
) -> None:
    play(service, range(3))
    (episode,) = service.store.open_episodes("orders")
    service.desk.do(service.desk.resolve(MIA, episode.id, "new normal"))
    play(service, range(3, 4))
    events = [told["event"] for told in people.acted_on]
    assert events == ["episode.opened", "episode.resolved", "episode.opened"]
    assert len(service.store.newest_episodes("orders")) == 2
