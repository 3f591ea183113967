"""The watch over the scheduler itself: pings to somebody outside, and an alert when all stall."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Event, Thread

import pytest
from clocks import Time
from making import a_check

from monitor.archive import Outcome, Store
from monitor.core.messages import RECOVERED, STALLED
from monitor.core.people import Replica
from monitor.core.reach import Reach
from monitor.core.records import Window
from monitor.core.windows import Span
from monitor.heartbeat import Heartbeat, StallWatch
from monitor.notifiers.console import block
from monitor.posting import Endpoint
from monitor.scheduler import Scheduler
from monitor.settings import MonitorSettings
from monitor.slack.blocks import fallback_text, message_blocks
from monitor.stores import sql

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
PATIENCE = 90 * MINUTE

HERE = Reach.of(("127.0.0.1",))


@pytest.fixture
def store(clock: Time) -> Iterator[Store]:
    made = sql.make("memory:", Path(), clock)
    yield made
    made.close()


@pytest.fixture
def clock() -> Time:
    return Time(datetime(2026, 3, 20, 7, tzinfo=UTC))


def hourly(name: str = "loan") -> dict[str, MonitorSettings]:
    given = {"production": {"path": "x", "time": "t"}, "window": "1h", "lateness": "0"}
    return {name: MonitorSettings.model_validate({**given, "name": name})}


def watch(store: Store, clock: Time) -> StallWatch:
    channels = ("slack", "console")
    return StallWatch(hourly(), store, clock, patience=PATIENCE, channels=channels)


def checked(store: Store, clock: Time, number: int) -> None:
    """The newest complete hour was looked at."""
    end = clock().replace(minute=0, second=0)
    made = replace(a_check(f"c{number}"), monitor="loan", window=Window(end - HOUR, end))
    store.save(Outcome(made))


def kinds(store: Store) -> list[tuple[str, str]]:
    return [(m.kind, m.channel) for m in store.oldest_messages()]


def test_a_stall_is_told_once_and_its_end(store: Store, clock: Time) -> None:
    checked(store, clock, 1)
    both = [watch(store, clock), watch(store, clock)]
    for one in both:
        one.look()
    assert kinds(store) == []
    clock.now += 4 * HOUR
    for _ in range(2):
        for one in both:
            one.look()
    assert kinds(store) == [(STALLED, "slack"), (STALLED, "console")]
    assert all(one.stalled for one in both)
    told = store.oldest_messages()[0]
    assert "windows are due of loan" in told.payload["headline"]
    checked(store, clock, 2)
    for one in both:
        one.look()
    assert kinds(store)[2:] == [(RECOVERED, "slack"), (RECOVERED, "console")]
    assert {m.episode for m in store.oldest_messages()} == {told.episode}


def test_a_restart_neither_repeats_a_stall_nor_forgets_its_end(store: Store, clock: Time) -> None:
    checked(store, clock, 1)
    first = watch(store, clock)
    clock.now += 4 * HOUR
    first.look()
    later = watch(store, clock)
    clock.now += 2 * HOUR
    later.look()
    assert [kind for kind, _ in kinds(store)] == [STALLED, STALLED]
    store.beat(Replica("b", "host", clock(), clock(), ("scheduler",), moved_at=clock()))
    watch(store, clock).look()
    assert kinds(store)[2:] == [(RECOVERED, "slack"), (RECOVERED, "console")]


def test_a_second_stall_is_told_again(store: Store, clock: Time) -> None:
    checked(store, clock, 1)
    one = watch(store, clock)
    for _ in range(2):
        clock.now += 4 * HOUR
        one.look()
        store.beat(Replica("b", "host", clock(), clock(), ("scheduler",), moved_at=clock()))
        one.look()
    assert [kind for kind, channel in kinds(store) if channel == "slack"] == [
        *(STALLED, RECOVERED, STALLED, RECOVERED)
    ]


def test_a_service_with_nothing_due_does_not_stall(store: Store, clock: Time) -> None:
    daily = hourly()
    daily["loan"] = daily["loan"].model_copy(update={"window": Span(1, "d")})
    end = clock().replace(hour=0, minute=0, second=0)
    store.save(Outcome(replace(a_check("c"), monitor="loan", window=Window(end - DAY, end))))
    one = StallWatch(daily, store, clock, patience=PATIENCE, channels=("slack",))
    clock.now = end + DAY
    one.look()
    assert kinds(store) == []


def test_a_service_that_was_just_started_gets_its_time(store: Store, clock: Time) -> None:
    one = watch(store, clock)
    one.look()
    clock.now += HOUR
    one.look()
    assert kinds(store) == []
    clock.now += 3 * HOUR
    one.look()
    assert len(kinds(store)) == 2


def test_a_living_scheduler_whose_checks_fail_has_not_stalled(store: Store, clock: Time) -> None:
    one = watch(store, clock)
    clock.now += 8 * HOUR
    store.beat(Replica("a", "host", clock(), clock(), ("scheduler",), moved_at=clock()))
    assert one.look().overdue == ("loan",)
    assert not one.stalled


def test_every_channel_can_say_it(store: Store, clock: Time) -> None:
    one = watch(store, clock)
    clock.now += 8 * HOUR
    one.look()
    for message in store.oldest_messages():
        assert "scheduler stalled" in fallback_text(message)
        assert message_blocks(message)
        assert "the service: scheduler" in block(message)


# --- Pings ---


class Outside:
    """A dead-man's service on this machine."""

    def __init__(self) -> None:
        self.pings: list[bytes] = []
        self.status = 200
        outside = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                outside.pings.append(self.rfile.read(int(self.headers["Content-Length"])))
                self.send_response(outside.status)
                self.end_headers()

            def log_message(self, *_: object) -> None: ...

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/key"
        Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture
def outside() -> Iterator[Outside]:
    made = Outside()
    yield made
    made.server.shutdown()
    made.server.server_close()


def test_pings_as_long_as_the_scheduler_gets_on(
    store: Store, clock: Time, outside: Outside
) -> None:
    moved: list[datetime | None] = [clock()]
    heart = Heartbeat(
        watch(store, clock), clock, endpoint=Endpoint(outside.url, reach=HERE), every=timedelta(0),
        patience=PATIENCE, moved_at=lambda: moved[0], replica="a",
    )  # fmt: skip
    assert heart.beat()
    assert b'"service.alive"' in outside.pings[0]
    clock.now += PATIENCE + MINUTE
    assert not heart.beat()  # it is at one check for too long
    moved[0] = clock()
    assert heart.beat()
    moved[0] = None  # the scheduler of this process never ran
    assert not heart.beat()
    assert len(outside.pings) == 2


def test_a_ping_that_is_not_taken_is_tried_again_at_the_next_look(
    store: Store, clock: Time, outside: Outside
) -> None:
    heart = Heartbeat(
        watch(store, clock),
        clock,
        endpoint=Endpoint(outside.url, reach=HERE),
        moved_at=clock,
        replica="a",
    )
    outside.status = 500
    assert not heart.beat()
    outside.status = 200
    assert heart.beat()
    assert not heart.beat()  # the next one is due in five minutes
    assert len(outside.pings) == 2


def test_the_loop_outlives_whatever_fails(store: Store, clock: Time, outside: Outside) -> None:
    def broken() -> datetime:
        stop.set()
        raise RuntimeError("broken")

    stop = Event()
    one = watch(store, clock)
    heart = Heartbeat(one, clock, endpoint=Endpoint(outside.url, reach=HERE), moved_at=broken)
    thread = Thread(target=heart.run, args=(stop,))
    thread.start()
    thread.join(10)
    assert not thread.is_alive()


def test_without_an_endpoint_the_store_is_left_in_peace(store: Store, clock: Time) -> None:
    waits: list[float] = []

    class Stop(Event):
        def wait(self, timeout: float | None = None) -> bool:
            waits.append(timeout or 0.0)
            self.set()
            return True

    Heartbeat(watch(store, clock), clock).run(Stop())
    assert waits == [60.0]


# --- When a scheduler last got on ---


def test_a_scheduler_gets_on_while_it_idles_and_not_while_it_hangs(
    store: Store, clock: Time
) -> None:
    inside, go_on = Event(), Event()

    def hang(*_: object) -> str:
        inside.set()
        go_on.wait(30)
        return "passed"

    scheduler = Scheduler(hourly(), store, hang, clock)
    assert scheduler.moved_at() is None
    scheduler.start()
    try:
        assert inside.wait(10)
        began = clock()
        clock.now += HOUR
        assert scheduler.moved_at() == began
        go_on.set()
        for _ in range(100):
            if scheduler.moved_at() != began:
                break
            Event().wait(0.05)
        assert scheduler.moved_at() == clock()
    finally:
        go_on.set()
        scheduler.stop(10)
