"""The scheduler: what is due, when it wakes, and that one bad monitor never stops the others."""

import logging
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from clocks import Going
from hypothesis import assume, given
from hypothesis import strategies as st

from monitor.archive import Outcome
from monitor.check_requests import CheckRequests
from monitor.claiming import Claimant, Lease
from monitor.core.people import AuditEntry, CheckRequest, Deed
from monitor.core.records import Check, DatasetResult, SampleInfo, Verdict, Window
from monitor.core.windows import following, windows_from
from monitor.due import due_windows, look
from monitor.errors import (
    CouldNotLook,
    ReferenceChanged,
    StoreUnavailable,
    WindowTaken,
    WorkerDied,
)
from monitor.ledger import Act
from monitor.scheduler import PATIENCE, PATIENCE_LASTS, Scheduler, wait_s
from monitor.settings import MonitorSettings
from monitor.stores import sql
from monitor.waking import Waker, schedule_trigger
from monitor.worker import WorkerFault

BERLIN = ZoneInfo("Europe/Berlin")
NOW = datetime(2026, 1, 10, 0, 30, tzinfo=UTC)  # the window of the 9th is complete


def monitor(name: str = "loans", **more: Any) -> MonitorSettings:
    body = {"name": name, "production": {"path": "rows.parquet", "time": "at"}, **more}
    return MonitorSettings.model_validate(body)


def day(number: int) -> Window:
    return Window(
        datetime(2026, 1, number, tzinfo=UTC), datetime(2026, 1, number, tzinfo=UTC) + 24 * HOUR
    )


HOUR = timedelta(hours=1)


def days(windows: list[Window]) -> list[int]:
    return [w.start.day for w in windows]


# --- What is due ---


def test_without_history_only_the_newest_complete_window_is_due() -> None:
    assert due_windows(monitor(), None, NOW) == [day(9)]


def test_a_window_is_due_when_its_lateness_is_over() -> None:
    waits = monitor(lateness="1h")
    assert due_windows(waits, day(8), NOW) == []
    assert due_windows(waits, day(8), NOW + 30 * timedelta(minutes=1)) == [day(9)]


def test_missed_windows_come_oldest_first() -> None:
    assert days(due_windows(monitor(), day(4), NOW)) == [5, 6, 7, 8, 9]


def test_only_the_newest_are_made_up_for() -> None:
    assert days(due_windows(monitor(catch_up=2), day(1), NOW)) == [8, 9]


def test_nothing_is_due_twice_or_before_its_time() -> None:
    assert due_windows(monitor(), day(9), NOW) == []
    assert due_windows(monitor(), day(15), NOW) == []


def test_overlapping_windows_follow_by_their_start() -> None:
    settings = monitor(window="1d", step="6h")
    due = due_windows(settings, day(8), NOW)
    assert [w.start.hour for w in due] == [6, 12, 18, 0]
    assert due[-1] == day(9)


def test_a_longer_window_than_before_begins_after_what_was_looked_at() -> None:
    hour = Window(day(8).start + 10 * HOUR, day(8).start + 11 * HOUR)
    assert due_windows(monitor(), hour, NOW) == [day(9)]
    assert len(due_windows(monitor(window="1h"), day(8), NOW)) == 24


def test_a_year_of_missed_minutes_is_cut_to_what_is_made_up_for() -> None:
    old = Window(NOW - timedelta(days=365), NOW - timedelta(days=365) + timedelta(minutes=1))
    assert len(due_windows(monitor(window="1m"), old, NOW)) == 100


@given(
    st.sampled_from(["1h", "7h", "12h", "1d", "1w", "1mo"]),
    st.sampled_from([None, "5h", "1d"]),
    st.integers(0, 40),
    st.datetimes(datetime(2025, 1, 1), datetime(2026, 12, 1), timezones=st.just(UTC)),
)
def test_due_windows_are_those_that_follow(
    window: str, step: str | None, missed: int, now: datetime
) -> None:
    assume((window, step) != ("1mo", "5h"))  # refused by the settings
    settings = monitor(window=window, step=step, timezone="Europe/Berlin", catch_up=30)
    span, own_step = settings.window, settings.step
    begin = now - (missed + 3) * span.duration
    last = next(windows_from(begin - 3 * span.duration, now, span, BERLIN, own_step))
    expected = []
    later = following(last, span, BERLIN, own_step)
    while later.end + settings.lateness.duration <= now:
        expected.append(later)
        later = following(later, span, BERLIN, own_step)
    assert due_windows(settings, last, now) == expected[-30:]


# --- When it wakes ---


def wakes(settings: MonitorSettings, since: datetime) -> Iterator[str]:
    trigger = schedule_trigger(settings)
    previous, now = None, since
    while True:
        previous = now = trigger.get_next_fire_time(previous, now)
        yield f"{previous.astimezone(BERLIN):%a %d %H:%M}"


def first_wakes(schedule: dict[str, str], since: datetime, count: int, **more: Any) -> list[str]:
    return list(islice(wakes(monitor(schedule=schedule, **more), since), count))


BERLIN_NOON = datetime(2026, 3, 27, 11, tzinfo=UTC)  # a Friday; the clock changes on Sunday 29


def test_every_hour_wakes_when_the_hour_counts_as_complete() -> None:
    assert first_wakes({"every": "1h"}, BERLIN_NOON, 2) == ["Fri 27 12:10", "Fri 27 13:10"]


def test_every_day_keeps_to_the_local_clock() -> None:
    told = first_wakes({"every": "1d"}, BERLIN_NOON, 4, timezone="Europe/Berlin", lateness="2h")
    assert told == ["Sat 28 02:00", "Sun 29 03:00", "Mon 30 02:00", "Tue 31 02:00"]


def test_cron_means_the_local_clock_also_when_it_changes() -> None:
    cron = {"cron": "30 6 * * *", "timezone": "Europe/Berlin"}
    assert first_wakes(cron, BERLIN_NOON, 3) == ["Sat 28 06:30", "Sun 29 06:30", "Mon 30 06:30"]


def test_an_hour_that_is_skipped_or_comes_twice_does_not_stop_the_clock() -> None:
    cron = {"cron": "30 2 * * *", "timezone": "Europe/Berlin"}
    spring = first_wakes(cron, BERLIN_NOON, 3)
    assert (spring[0], spring[-1]) == ("Sat 28 02:30", "Mon 30 02:30")
    autumn = first_wakes(cron, datetime(2026, 10, 23, 12, tzinfo=UTC), 4)
    assert autumn[0] == "Sat 24 02:30"
    assert "Mon 26 02:30" in autumn


def test_weekday_numbers_are_those_of_cron() -> None:
    weekly = {"cron": "0 6 * * 0", "timezone": "Europe/Berlin"}
    assert first_wakes(weekly, BERLIN_NOON, 1) == ["Sun 29 06:00"]
    working = {"cron": "0 6 * * 1-5", "timezone": "Europe/Berlin"}
    assert first_wakes(working, BERLIN_NOON, 3) == ["Mon 30 06:00", "Tue 31 06:00", "Wed 01 06:00"]


def test_two_kinds_of_day_fire_on_either() -> None:
    cron = {"cron": "0 6 1 * 0", "timezone": "Europe/Berlin"}
    assert first_wakes(cron, BERLIN_NOON, 3) == ["Sun 29 06:00", "Wed 01 06:00", "Sun 05 06:00"]


# --- Looking ---


def check(name: str, window: Window, verdict: Verdict = Verdict.PASSED) -> Outcome:
    return Outcome(
        Check(
            id=f"{name}-{window.start:%Y%m%dT%H%M}",
            verdict=verdict,
            headline="Passed",
            columns=(),
            dataset=DatasetResult(None, 0, 0),
            sample=SampleInfo(1, 1, "all"),
            monitor=name,
            window=window,
        )
    )


class House:
    """A store, and checks that do as a test says; counts what runs at once."""

    def __init__(self) -> None:
        self.store = sql.make("memory:", Path(), self.clock)
        self.now = NOW
        self.looked: list[tuple[str, int]] = []
        self.at_once: list[int] = []
        self.fails: Callable[[str, Window], Exception | None] = lambda *_: None
        self.hold = threading.Event()
        self.hold.set()
        self._running = 0

    def clock(self) -> datetime:
        return self.now

    def run(self, name: str, window: Window, again: bool) -> str:
        assert not again
        self._running += 1
        self.at_once.append(self._running)
        self.looked.append((name, window.start.day))
        try:
            self.hold.wait(20)
            error = self.fails(name, window)
            if error is not None:
                raise error
            self.store.save(check(name, window))
            return "passed"
        finally:
            self._running -= 1

    def saw(self, *days_before: int, name: str = "loans") -> None:
        for number in days_before:
            self.store.save(check(name, day(number)))


@pytest.fixture
def house() -> House:
    return House()


class Schedulers:
    """Starts schedulers that a test need not stop."""

    def __init__(self, house: House) -> None:
        self._house = house
        self.made: list[Scheduler] = []

    def __call__(self, *monitors: MonitorSettings, **more: Any) -> Scheduler:
        named = {m.name: m for m in monitors}
        made = Scheduler(named, self._house.store, self._house.run, self._house.clock, **more)
        self.made.append(made)
        made.start()
        return made


@pytest.fixture
def scheduler(house: House) -> Iterator[Schedulers]:
    made = Schedulers(house)
    yield made
    house.hold.set()
    for one in made.made:
        one.stop(10)


def wait_until(true: Callable[[], object], timeout_s: float = 10.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not true():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.01)


def quiet(scheduler: Scheduler) -> bool:
    return not any(r.active for r in scheduler._rounds.values())


def again(scheduler: Scheduler, *names: str) -> None:
    for name in names or ("loans",):
        scheduler.wake(name)
    wait_until(lambda: quiet(scheduler))


def test_the_start_makes_up_for_what_was_missed(house: House, scheduler: Schedulers) -> None:
    house.saw(6)
    made = scheduler(monitor())
    wait_until(lambda: quiet(made))
    assert house.looked == [("loans", 7), ("loans", 8), ("loans", 9)]
    (status,) = made.status()
    assert (status.last, status.lag, status.running, status.error) == (day(9), 0, None, "")
    assert status.next_wake is not None
    assert status.next_wake > house.now
    assert made.alive


def test_a_window_that_becomes_complete_is_looked_at_on_the_next_wake_up(
    house: House, scheduler: Schedulers
) -> None:
    made = scheduler(monitor())
    wait_until(lambda: quiet(made))
    again(made)
    house.now += 24 * HOUR
    again(made)
    assert house.looked == [("loans", 9), ("loans", 10)]


def test_the_schedule_itself_wakes(house: House, scheduler: Schedulers) -> None:
    made = scheduler(monitor(schedule={"every": "1s"}, lateness="1s"))
    wait_until(lambda: quiet(made))
    house.now += 24 * HOUR
    wait_until(lambda: len(house.looked) == 2)


def test_monitors_take_turns(house: House, scheduler: Schedulers) -> None:
    house.saw(6, name="a")
    house.saw(7, name="b")
    made = scheduler(monitor("a"), monitor("b"))
    wait_until(lambda: quiet(made))
    assert house.looked == [("a", 7), ("b", 8), ("a", 8), ("b", 9), ("a", 9)]


@pytest.mark.parametrize("threads", [1, 2])
def test_no_monitor_is_looked_at_twice_at_once(
    house: House, scheduler: Schedulers, threads: int
) -> None:
    house.hold.clear()
    made = scheduler(monitor("a"), monitor("b"), threads=threads)
    wait_until(lambda: len(house.looked) == threads)
    for _ in range(5):
        made.wake("a")
    running = [s.name for s in made.status() if s.running == day(9)]
    assert running == ["a", "b"][:threads]
    house.hold.set()
    wait_until(lambda: quiet(made))
    assert sorted(house.looked) == [("a", 9), ("b", 9)]
    assert max(house.at_once) == threads


def test_a_wake_up_during_a_check_is_not_lost(house: House, scheduler: Schedulers) -> None:
    house.hold.clear()
    made = scheduler(monitor())
    wait_until(lambda: house.looked)
    house.now += 24 * HOUR
    made.wake("loans")
    house.hold.set()
    wait_until(lambda: quiet(made))
    assert house.looked == [("loans", 9), ("loans", 10)]


def test_what_was_dropped_is_said(
    house: House, scheduler: Schedulers, caplog: pytest.LogCaptureFixture
) -> None:
    house.saw(2)
    made = scheduler(monitor(catch_up=3))
    wait_until(lambda: quiet(made))
    assert [n for _, n in house.looked] == [7, 8, 9]
    assert "passed over monitor=loans windows=4 before=2026-01-07" in caplog.text


# --- Failures ---


def test_one_bad_monitor_does_not_stop_the_others(
    house: House, scheduler: Schedulers, caplog: pytest.LogCaptureFixture
) -> None:
    house.fails = lambda name, _: {
        "died": WorkerDied("the worker was killed", hint="more memory"),
        "fault": WorkerFault("KeyError: 'x'", "Traceback of the child"),
        "broken": ZeroDivisionError("by zero"),
        "changed": ReferenceChanged("the reference changed", hint="build it again"),
    }.get(name)
    made = scheduler(*map(monitor, ("died", "fault", "broken", "changed", "good")))
    wait_until(lambda: quiet(made))
    told = {s.name: s.error for s in made.status()}
    assert told == {
        "died": "the worker was killed (more memory)",
        "fault": "WorkerFault: KeyError: 'x'",
        "broken": "ZeroDivisionError: by zero",
        "changed": "the reference changed (build it again)",
        "good": "",
    }
    assert [s.lag for s in made.status()] == [1, 1, 1, 1, 0]
    traces = [getattr(record, "trace", "") for record in caplog.records]
    assert "Traceback of the child" in traces
    assert any("in run" in trace for trace in traces), "of the one that broke here"


def test_a_window_that_could_not_be_looked_at_is_tried_at_the_next_wake_up(
    house: House, scheduler: Schedulers
) -> None:
    house.saw(7)
    house.fails = lambda *_: CouldNotLook("the disk is away")
    made = scheduler(monitor())
    wait_until(lambda: quiet(made))
    assert house.looked == [("loans", 8)]  # the next one waits, so that nothing is left out
    house.fails = lambda *_: None
    again(made)
    assert house.looked == [("loans", 8), ("loans", 8), ("loans", 9)]
    assert made.status()[0].error == ""


def test_a_window_that_never_works_does_not_block_those_after_it(
    house: House, scheduler: Schedulers, caplog: pytest.LogCaptureFixture
) -> None:
    house.saw(7)
    house.fails = lambda _, window: WorkerDied("out of memory") if window == day(8) else None
    made = scheduler(monitor())
    wait_until(lambda: quiet(made))
    for _ in range(PATIENCE - 1):
        house.now += PATIENCE_LASTS / (PATIENCE - 1)
        again(made)
    assert house.looked == [("loans", 8)] * PATIENCE + [("loans", 9)]
    (status,) = made.status()
    assert status.skipped == (day(8),)
    assert status.last == day(9)
    assert "monitor backfill loans --from 2026-01-08T00:00:00+00:00" in caplog.text


def test_the_newest_window_is_tried_as_long_as_it_is_the_newest(
    house: House, scheduler: Schedulers
) -> None:
    house.fails = lambda *_: CouldNotLook("the disk is away")
    made = scheduler(monitor())
    wait_until(lambda: quiet(made))
    for _ in range(2 * PATIENCE):
        again(made)
    assert len(house.looked) == 1 + 2 * PATIENCE
    assert made.status()[0].skipped == ()


def test_a_wrong_configuration_is_said_once(
    house: House, scheduler: Schedulers, caplog: pytest.LogCaptureFixture
) -> None:
    house.saw(6)
    house.fails = lambda *_: ReferenceChanged("the reference changed")
    made = scheduler(monitor())
    wait_until(lambda: quiet(made))
    for _ in range(PATIENCE):
        again(made)
    errors = [r for r in caplog.records if r.levelno == logging.ERROR]
    assert len(errors) == 1
    assert {n for _, n in house.looked} == {7}  # and nothing after it is looked at


def test_a_store_that_is_away_is_outlived(
    house: House, scheduler: Schedulers, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(name: str) -> None:
        raise StoreUnavailable("the database is locked")

    with monkeypatch.context() as patch:
        patch.setattr(house.store, "last_window", away)
        made = scheduler(monitor())
        wait_until(lambda: quiet(made))
        assert made._rounds["loans"].error == "the database is locked"
    assert made.alive
    again(made)
    assert house.looked == [("loans", 9)]
    assert made.status()[0].error == ""


def test_two_schedulers_on_one_store_share_the_work(house: House, scheduler: Schedulers) -> None:
    house.saw(3)
    first, second = scheduler(monitor()), scheduler(monitor())
    wait_until(lambda: quiet(first) and quiet(second))
    assert {n for _, n in house.looked} == {4, 5, 6, 7, 8, 9}
    assert len(house.store.newest_checks("loans")) == 7


# --- Stopping ---


def test_stopping_lets_the_running_check_finish_and_begins_no_other(
    house: House, scheduler: Schedulers
) -> None:
    house.saw(6)
    house.hold.clear()
    made = scheduler(monitor())
    wait_until(lambda: house.looked)
    threading.Timer(0.2, house.hold.set).start()
    assert made.stop(10) is True
    assert house.looked == [("loans", 7)]
    assert house.store.last_window("loans") == day(7)
    assert not made.alive


def test_stopping_gives_up_after_its_grace(house: House, scheduler: Schedulers) -> None:
    house.hold.clear()
    made = scheduler(monitor())
    wait_until(lambda: house.looked)
    began = time.monotonic()
    assert made.stop(0.1) is False
    assert time.monotonic() - began < 2


def test_stopping_before_the_start_is_nothing(house: House) -> None:
    made = Scheduler({"loans": monitor()}, house.store, house.run, house.clock)
    assert not made.alive
    assert made.stop(1)


# --- Without a scheduler ---


def test_the_status_can_be_told_without_one(house: House) -> None:
    house.saw(7)
    status = look(monitor(timezone="Asia/Kathmandu"), house.store.last_window("loans"), house.now)
    assert status.next_wake is None
    assert status.timezone == ZoneInfo("Asia/Kathmandu")
    assert (status.last, status.lag) == (day(7), 1)


def test_when_patience_is_over_that_nobody_could_look_is_recorded() -> None:
    tries: list[Window] = []
    given_up: list[tuple[str, Window, str]] = []

    def dies(name: str, window: Window, again: bool) -> None:
        tries.append(window)
        raise WorkerDied("the worker process was ended by SIGKILL")

    house = House()
    made = Scheduler(
        {"loans": monitor()},
        house.store,
        dies,
        house.clock,
        give_up=lambda *told: given_up.append(told),
    )
    made.start()
    try:
        for count in range(1, PATIENCE + 1):
            wait_until(lambda count=count: len(tries) >= count)  # type: ignore[misc]
            assert len(given_up) == 0 or count == PATIENCE
            house.now += PATIENCE_LASTS / (PATIENCE - 1)
            made.wake("loans")
        wait_until(lambda: given_up)
    finally:
        made.stop(5.0)
    name, window, reason = given_up[0]
    assert (name, window) == ("loans", tries[0])
    assert "SIGKILL" in reason


# --- Several processes on one store ---


LEASE = Lease(holds_s=0.6, renewed_s=0.15)


def test_a_window_that_another_process_has_is_left_until_that_one_is_done(
    house: House, scheduler: Schedulers
) -> None:
    other = Claimant(house.store, house.clock)
    with other.holding("loans", day(9)) as ours:
        assert ours
        made = scheduler(monitor("loans"), monitor("free"))
        wait_until(lambda: quiet(made))
        assert house.looked == [("free", 9)]
        (status, _) = made.status()
        assert status.error == ""
        assert status.next_wake == NOW + timedelta(seconds=15), "and not at the next full hour"
    house.now += timedelta(seconds=15)
    made._waker.put_off("free", house.now)  # so that the clock is looked at now
    wait_until(lambda: ("loans", 9) in house.looked)


def test_the_work_of_a_dead_process_is_taken_over_when_its_lease_ends(house: House) -> None:
    clock = Going(NOW)
    dead = Claimant(house.store, clock, lease=LEASE)
    assert dead._claim("loans", day(9))  # and it dies: nobody renews it
    began = time.monotonic()
    alive = Claimant(house.store, clock, lease=LEASE)
    made = Scheduler({"loans": monitor()}, house.store, house.run, clock, claimant=alive)
    made.start()
    try:
        wait_until(lambda: house.looked)
        took_s = time.monotonic() - began
    finally:
        made.stop(10)
    assert LEASE.holds_s - 0.05 <= took_s <= LEASE.holds_s + LEASE.renewed_s + 0.5
    assert Lease().holds_s + Lease().renewed_s <= 90, "as docs/reliability.md says"


def test_a_claim_is_renewed_as_long_as_the_check_runs(house: House) -> None:
    clock = Going(NOW)
    mine, other = (Claimant(house.store, clock, lease=LEASE) for _ in range(2))
    with mine.holding("loans", day(9)) as ours:
        assert ours
        for _ in range(5):
            time.sleep(LEASE.holds_s / 3)
            with other.holding("loans", day(9)) as theirs:
                assert not theirs
        assert other.holder_of("loans", day(9)) == mine.replica.id
    with other.holding("loans", day(9)) as theirs:
        assert theirs, "it was released at once"


def test_clocks_that_differ_by_seconds_do_not_break_a_claim(house: House) -> None:
    ahead, behind = (
        Claimant(house.store, lambda by=by: NOW + timedelta(seconds=by)) for by in (20.0, -20.0)
    )
    for one, two in ((ahead, behind), (behind, ahead)):
        with one.holding("loans", day(9)) as ours, two.holding("loans", day(9)) as theirs:
            assert (ours, theirs) == (True, False)


def test_a_command_waits_for_a_window_and_says_who_has_it(house: House) -> None:
    mine, other = Claimant(house.store, house.clock), Claimant(house.store, house.clock)
    with mine.holding("loans", day(9)), pytest.raises(WindowTaken, match=mine.replica.id):  # noqa: SIM117
        with other.waiting_for("loans", day(9), wait_s=0.01):
            raise AssertionError
    with other.waiting_for("loans", day(9), wait_s=0.01):
        assert other.holder_of("loans", day(9)) == other.replica.id


def test_a_process_is_seen_while_it_lives_and_leaves_nothing_behind(house: House) -> None:
    one = Claimant(house.store, house.clock, parts=("scheduler",), lease=LEASE)
    with one.living():
        assert house.store.replicas() == [one.replica]
        one._claim("loans", day(9))
        house.now += HOUR
        wait_until(lambda: house.store.replicas()[0].seen_at == house.now)
    assert house.store.replicas() == []
    assert house.store.claimed_windows(NOW) == []


# --- Waiting, the longer the more often it failed ---


def test_a_source_that_fails_is_tried_after_growing_waits_and_told_once(
    house: House, scheduler: Schedulers, caplog: pytest.LogCaptureFixture
) -> None:
    house.fails = lambda *_: CouldNotLook("the disk is away")
    made = scheduler(monitor(schedule={"every": "1s"}, lateness="1s"))
    wait_until(lambda: quiet(made))
    for tries in range(1, 6):
        assert made.status()[0].next_wake == house.now + timedelta(seconds=wait_s(tries))
        house.now += timedelta(seconds=wait_s(tries) - 1)
        time.sleep(0.02)
        assert len(house.looked) == tries, "its schedule would have woken it every second"
        house.now += timedelta(seconds=1)
        made._waker.put_off("loans", house.now)  # so that the clock is looked at now
        wait_until(lambda tries=tries: len(house.looked) > tries and quiet(made))  # type: ignore[misc]
    warnings = [r for r in caplog.records if r.levelno >= logging.WARNING]
    assert len(warnings) == 1
    house.fails = lambda *_: None
    again(made)
    assert (made.status()[0].lag, made._rounds["loans"].failures) == (0, 0)


# --- The clock ---


def waker(house: House, *names: str) -> Waker:
    triggers = {name: schedule_trigger(monitor(name)) for name in names}
    made = Waker(triggers, lambda _: None, house.clock)
    made._begin_anew(house.now)
    return made


def test_a_clock_that_jumps_forward_wakes_each_once(house: House) -> None:
    made = waker(house, "a", "b")
    assert made.due(house.now) == []
    house.now += 50 * HOUR
    assert made.due(house.now) == ["a", "b"]
    assert made.due(house.now) == []
    house.now += HOUR
    assert made.due(house.now) == ["a", "b"]


def test_a_clock_that_is_put_back_does_not_stop_anything(house: House) -> None:
    made = waker(house, "a", "b")
    made.put_off("b", house.now + 2 * HOUR)
    house.now -= 100 * HOUR
    assert made.due(house.now) == ["b"], "what waits for the old time does not wait"
    assert made.next("a") == NOW - 100 * HOUR + timedelta(minutes=40)
    house.now += timedelta(minutes=40)
    assert made.due(house.now) == ["a", "b"]


# --- What people ask for ---


def a_request(number: int = 9, monitor: str = "loans") -> Act:
    wanted = CheckRequest(f"r{number}", monitor, day(number), NOW, "mia")
    entry = AuditEntry(f"a{number}", NOW, "mia", "page", Deed.CHECK_REQUESTED, wanted.id, "why")
    return Act(entry, wanted=wanted)


def settled(house: House) -> dict[str, tuple[str, str | None, str]]:
    wait_until(lambda: not house.store.oldest_check_requests(state="pending"))
    return {r.id: (r.state, r.check, r.error) for r in house.store.oldest_check_requests()}


def test_what_people_ask_for_is_looked_at_again_when_it_was_before(house: House) -> None:
    house.saw(8, 9)
    runs: list[tuple[int, bool]] = []

    def run(name: str, window: Window, again: bool) -> str:
        runs.append((window.start.day, again))
        if window == day(5):
            raise CouldNotLook("the disk is away", hint="bring it back")
        house.store.save(replace(check(name, window), revision=int(again)))
        return "passed"

    for act in (a_request(9), a_request(7), a_request(5), a_request(3, "gone")):
        house.store.act(act)
    made = Scheduler({"loans": monitor()}, house.store, run, house.clock)
    made.start()
    try:
        found = settled(house)
    finally:
        made.stop(10)
    assert sorted(runs) == [(5, False), (7, False), (9, True)]
    assert found["r7"][0] == "done"
    assert found["r5"] == ("failed", None, "the disk is away (bring it back)")
    assert found["r3"] == ("failed", None, "there is no monitor gone any more")


def test_a_request_whose_process_died_after_looking_is_not_looked_at_twice(house: House) -> None:
    late = replace(check("loans", day(9)).check, made_at=NOW + HOUR)
    house.store.act(a_request())
    house.store.save(Outcome(late))
    house.now += 2 * HOUR
    made = Scheduler({"loans": monitor()}, house.store, house.run, house.clock)
    made.start()
    try:
        assert settled(house) == {"r9": ("done", late.id, "")}
    finally:
        made.stop(10)
    assert house.looked == []


def test_a_request_waits_while_another_process_has_the_window(house: House) -> None:
    other = Claimant(house.store, house.clock)
    house.store.act(a_request())
    house.saw(9)
    requests = CheckRequests(
        {"loans"}, house.store, house.run, house.clock, Claimant(house.store, house.clock)
    )
    with other.holding("loans", day(9)):
        assert requests.serve_one() and not requests.serve_one()
    assert house.store.oldest_check_requests(state="pending"), (
        "it is tried again when its claim ends"
    )
