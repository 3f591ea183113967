"""The outbox loop over real stores: order, leases, waiting, giving up, and dying half-way."""

import logging
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from clocks import Time
from making import ask
from slack_server import Answer, SlackServer

from monitor import wiring
from monitor.archive import Store
from monitor.core.consequences import Message, RetrainRequest
from monitor.core.messages import retrain_message
from monitor.core.reach import Reach
from monitor.delivery import LEASE_S, Delivery, Patience
from monitor.demo.receiver import Receiver
from monitor.errors import DeliveryDelayed, DeliveryRefused
from monitor.notifiers.retrain import Retrain
from monitor.notifiers.slack import Slack
from monitor.ports import Notifier
from monitor.posting import Endpoint
from monitor.slack.client import Api
from monitor.stores import sql

ROOT = Path(__file__).resolve().parent.parent
NOW = datetime(2026, 1, 1, tzinfo=UTC)
SECRET = "signing-key"
LOOPBACK = Reach.of(["127.0.0.1"])


class Channel:
    """A notifier that keeps what it sends and fails as it is told to, one error a call."""

    def __init__(self, *errors: Exception | None) -> None:
        self.errors = list(errors)
        self.sent: list[tuple[str, Mapping[str, Any]]] = []

    def send(self, message: Message, thread: Mapping[str, Any]) -> Mapping[str, Any]:
        error = self.errors.pop(0) if self.errors else None
        if error is not None:
            raise error
        self.sent.append((message.id, thread))
        return {"ts": message.id}


def wall() -> datetime:
    return datetime.now(UTC)


@pytest.fixture(params=["memory", "sqlite"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    made: Store
    made = (
        sql.make("memory:", tmp_path, wiring.now)
        if request.param == "memory"
        else sql.make("sqlite:///outbox.db", tmp_path, wiring.now)
    )
    yield made
    made.close()


@pytest.fixture
def clock() -> Time:
    return Time(NOW)


def message(id: str, channel: str = "chat", *, after_s: float = 0, **more: Any) -> Message:
    made = Message(id, channel, "car_loan", "episode.opened", {}, NOW + timedelta(seconds=after_s))
    return replace(made, **more)


def queue(store: Store, *messages: Message) -> None:
    assert all(store.add_message(m) for m in messages)


def state(store: Store, id: str) -> Message:
    return next(m for m in store.oldest_messages() if m.id == id)


def deliverer(
    store: Store,
    clock: Callable[[], datetime],
    patience: Patience | None = None,
    **by_name: Notifier,
) -> Delivery:
    return Delivery(store, by_name, clock, patience=patience, rng=random.Random(7))


# --- Sending ---


def test_what_is_due_is_sent_in_order_and_told_so(store: Store, clock: Time) -> None:
    queue(
        store, message("a"), message("b", after_s=1), message("later", next_at=NOW + timedelta(1))
    )
    chat = Channel()
    clock.skip(5)
    assert deliverer(store, clock, chat=chat).deliver_due() == 2
    assert [id for id, _ in chat.sent] == ["a", "b"]
    sent = state(store, "a")
    assert (sent.state, sent.sent_at, sent.receipt) == ("sent", clock.now, {"ts": "a"})
    assert state(store, "later").state == "pending"


def test_later_messages_of_an_episode_get_the_first_receipt_of_their_channel(
    store: Store, clock: Time
) -> None:
    queue(
        store,
        message("other", "mail", episode="e"),
        message("a", episode="e"),
        message("b", episode="e", after_s=1),
        message("c", episode="e", after_s=2),
        message("alone", after_s=3),
    )
    chat = Channel(DeliveryRefused("no"))
    clock.skip(5)
    deliverer(store, clock, chat=chat, mail=Channel()).deliver_due()
    assert chat.sent == [("b", {}), ("c", {"ts": "b"}), ("alone", {})]


def test_an_episode_waits_for_its_first_message_and_others_do_not(
    store: Store, clock: Time
) -> None:
    queue(
        store,
        message("a", episode="e"),
        message("b", episode="e", after_s=1),
        message("f", episode="other", after_s=2),
    )
    chat = Channel(DeliveryDelayed("busy"))
    clock.skip(5)
    delivery = deliverer(store, clock, chat=chat)
    delivery.deliver_due()
    assert [id for id, _ in chat.sent] == ["f"]
    clock.skip(10)
    delivery.deliver_due()
    assert [id for id, _ in chat.sent] == ["f", "a", "b"]


# --- Not sending ---


def test_a_refusal_is_final_and_visible(
    store: Store, clock: Time, caplog: pytest.LogCaptureFixture
) -> None:
    queue(store, message("a"))
    chat = Channel(DeliveryRefused("Slack answered invalid_auth"))
    delivery = deliverer(store, clock, chat=chat)
    delivery.deliver_due()
    clock.skip(1e6)
    assert delivery.deliver_due() == 0
    failed = state(store, "a")
    assert (failed.state, failed.error) == ("failed", "Slack answered invalid_auth")
    (record,) = [r for r in caplog.records if r.name == "monitor.delivery"]
    assert record.levelno == logging.ERROR
    assert "failed id=a channel=chat kind=episode.opened monitor=car_loan" in record.getMessage()


def test_a_channel_that_is_not_configured_fails_with_what_there_is(
    store: Store, clock: Time
) -> None:
    queue(store, message("a", "pager"))
    deliverer(store, clock, chat=Channel(), mail=Channel()).deliver_due()
    failed = state(store, "a")
    assert failed.state == "failed"
    assert failed.error == "channel 'pager' is not configured any more; there are: chat, mail"


def test_waits_double_and_are_half_random(store: Store, clock: Time) -> None:
    queue(store, message("a"))
    chat = Channel(*[DeliveryDelayed(f"try {n}") for n in range(4)])
    delivery = deliverer(store, clock, chat=chat)
    for attempt, full_s in enumerate((5, 10, 20, 40)):
        assert delivery.deliver_due() == 1
        waiting = state(store, "a")
        assert (waiting.state, waiting.attempts, waiting.error) == (
            "pending",
            attempt + 1,
            f"try {attempt}",
        )
        assert waiting.next_at is not None
        wait_s = (waiting.next_at - clock.now).total_seconds()
        assert full_s / 2 <= wait_s <= full_s
        clock.skip(wait_s - 0.01)
        assert delivery.deliver_due() == 0
        clock.skip(0.02)
    delivery.deliver_due()
    assert (state(store, "a").state, state(store, "a").error) == ("sent", "")


@pytest.mark.parametrize(
    ("asked_s", "waited_s"), [(None, 5), (1, 5), (17, 17), (10_000, 10_000), (1e9, 86_400)]
)
def test_retry_after_wins_when_it_is_longer(asked_s: float | None, waited_s: float) -> None:
    assert Patience().wait_s(0, luck=1.0, retry_after_s=asked_s) == waited_s


def test_waiting_is_capped() -> None:
    assert Patience().wait_s(10_000, luck=1.0) == 3600


def test_a_message_is_given_up_when_it_is_old_and_was_tried(store: Store, clock: Time) -> None:
    queue(store, message("a"))
    chat = Channel(*[DeliveryDelayed("503", retry_after_s=1e9)] * 20)
    delivery = deliverer(store, clock, chat=chat)
    while state(store, "a").state == "pending":
        delivery.deliver_due()
        clock.skip(86_401)
    failed = state(store, "a")
    assert failed.error == "given up after 5 tries: 503"
    assert len(chat.errors) == 15


def test_a_message_that_lay_queued_for_long_still_gets_its_chances(
    store: Store, clock: Time
) -> None:
    queue(store, message("a"))
    clock.skip(timedelta(days=30).total_seconds())
    delivery = deliverer(store, clock, chat=Channel(DeliveryDelayed("503")))
    delivery.deliver_due()
    assert state(store, "a").state == "pending"
    clock.skip(10)
    delivery.deliver_due()
    assert state(store, "a").state == "sent"


def test_a_fault_of_a_notifier_is_a_delay_without_its_words(
    store: Store, clock: Time, caplog: pytest.LogCaptureFixture
) -> None:
    queue(store, message("a"), message("b", after_s=1))
    chat = Channel(RuntimeError("https://hooks.example/T0pS3cret"))
    clock.skip(1)
    assert deliverer(store, clock, chat=chat).deliver_due() == 2
    delayed = state(store, "a")
    assert delayed.state == "pending"
    assert delayed.error.startswith("unexpected RuntimeError in test_delivery.py:")
    assert "T0pS3cret" not in caplog.text
    assert state(store, "b").state == "sent"


# --- Retraining ---


def told(request: RetrainRequest) -> Message:
    return retrain_message(request, report_url="", check_url="", created_at=request.requested_at)


def test_a_retrain_request_is_delivered_or_refused_with_its_message(
    store: Store, clock: Time
) -> None:
    for id, requested in (("r1", NOW), ("r2", NOW + timedelta(seconds=1))):
        request = RetrainRequest(id, "car_loan", None, None, (), "sha256:ab", None, requested)
        ask(store, request, told(request))
    clock.skip(5)
    deliverer(store, clock, retrain=Channel(None, DeliveryRefused("410"))).deliver_due()
    assert {r.id: r.state for r in store.newest_retrains()} == {"r1": "delivered", "r2": "refused"}


def test_draining_waits_out_a_trainer_that_fails_at_first(tmp_path: Path, store: Store) -> None:
    request = RetrainRequest("r1", "car_loan", None, None, (), "sha256:ab", None, wall())
    ask(store, request, told(request))
    with Receiver(SECRET, fail_first=2, retry_after_s=0) as receiver:
        trainer = Retrain({"car_loan": Endpoint(receiver.url, SECRET, reach=LOOPBACK)}, wall)
        delivery = deliverer(store, wall, Patience(base_s=0.1), retrain=trainer)
        assert delivery.drain(timeout_s=10)
    assert (len(receiver.received), len(receiver.acted_on)) == (3, 1)
    assert state(store, "r1").state == "sent"


def test_draining_stops_when_waiting_has_no_point(store: Store) -> None:
    queue(store, message("a"), message("b"))
    chat = Channel(DeliveryDelayed("busy", retry_after_s=3600))
    began = time.monotonic()
    assert not deliverer(store, wall, chat=chat).drain(timeout_s=30)
    assert time.monotonic() - began < 5
    assert [id for id, _ in chat.sent] == ["b"]
    assert deliverer(store, wall, chat=chat).drain(timeout_s=0) is False


# --- Several deliverers, and deaths ---


def test_a_message_in_someone_elses_hands_is_left_alone_until_the_lease_ends(
    store: Store, clock: Time
) -> None:
    queue(store, message("a"))
    assert store.claim_message(clock.now, LEASE_S) is not None
    chat = Channel()
    delivery = deliverer(store, clock, chat=chat)
    clock.skip(LEASE_S - 1)
    assert delivery.deliver_due() == 0
    clock.skip(2)
    assert delivery.deliver_due() == 1
    assert state(store, "a").state == "sent"


def test_two_deliverers_never_send_the_same_message(store: Store) -> None:
    queue(store, *(message(f"m{n}", after_s=-60) for n in range(30)))
    channels = [Channel(), Channel()]
    workers = [
        threading.Thread(target=deliverer(store, wall, chat=chat).deliver_due) for chat in channels
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    sent = [id for chat in channels for id, _ in chat.sent]
    assert sorted(sent) == sorted(f"m{n}" for n in range(30))


DIES = """
import os, signal, sys
from datetime import UTC, datetime
from pathlib import Path
from monitor.core.reach import Reach
from monitor.delivery import Delivery
from monitor.notifiers.retrain import Retrain
from monitor.posting import Endpoint
from monitor.stores import sql

folder, url, secret = sys.argv[1:]
clock = lambda: datetime.now(UTC)
store = sql.make("sqlite:///outbox.db", Path(folder), clock)
store.mark_sent = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
trainer = Retrain({"car_loan": Endpoint(url, secret, reach=Reach.of(["127.0.0.1"]))}, clock)
Delivery(store, {"retrain": trainer}, clock, lease_s=1.0).deliver_due()
"""


def test_a_death_between_send_and_mark_makes_the_receiver_act_once(tmp_path: Path) -> None:
    request = RetrainRequest("r1", "car_loan", None, None, (), "sha256:ab", None, wall())
    first = sql.make("sqlite:///outbox.db", tmp_path, wiring.now)
    ask(first, request, told(request))
    first.close()
    with Receiver(SECRET) as receiver:
        command = [sys.executable, "-c", DIES, str(tmp_path), receiver.url, SECRET]
        dead = subprocess.run(command, cwd=ROOT, check=False, timeout=60)
        assert dead.returncode == -signal.SIGKILL
        assert len(receiver.acted_on) == 1
        again = sql.make("sqlite:///outbox.db", tmp_path, wiring.now)
        trainer = Retrain({"car_loan": Endpoint(receiver.url, SECRET, reach=LOOPBACK)}, wall)
        assert deliverer(again, wall, retrain=trainer).drain(timeout_s=10)
        assert [m.state for m in again.oldest_messages()] == ["sent"]
        assert [r.state for r in again.newest_retrains()] == ["delivered"]
        again.close()
    assert (len(receiver.received), len(receiver.acted_on)) == (2, 1)


class Forgetful:
    """A store whose first notes of success fail, as when the disk is busy."""

    def __init__(self, store: Store, failures: int) -> None:
        self._store, self.failures = store, failures

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def mark_sent(self, message_id: str, now: datetime, receipt: Mapping[str, Any]) -> None:
        if self.failures:
            self.failures -= 1
            raise OSError("database is locked")
        self._store.mark_sent(message_id, now, receipt)


def test_a_busy_store_does_not_make_a_message_go_out_twice(store: Store, clock: Time) -> None:
    queue(store, message("a"))
    chat = Channel()
    forgetful: Any = Forgetful(store, failures=2)
    assert deliverer(forgetful, clock, chat=chat).deliver_due() == 1
    assert (len(chat.sent), state(store, "a").state) == (1, "sent")


# --- The loop ---


def eventually(what: Callable[[], bool], within_s: float = 10) -> bool:
    deadline = time.monotonic() + within_s
    while not (done := what()) and time.monotonic() < deadline:
        time.sleep(0.01)
    return done


class Broken:
    """A store that cannot be read the first time."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.asked = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def claim_message(self, now: datetime, lease_s: float) -> Message | None:
        self.asked += 1
        if self.asked == 1:
            raise OSError("postgresql://user:T0pS3cret@db is away")
        return self._store.claim_message(now, lease_s)


def test_the_loop_outlives_its_store_and_stops_when_told(
    store: Store, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("monitor.delivery.IDLE_S", 0.1)
    broken: Any = Broken(store)
    stop, chat = threading.Event(), Channel(DeliveryDelayed("busy"))
    delivery = deliverer(broken, wall, Patience(base_s=0.1), chat=chat)
    loop = threading.Thread(target=delivery.run, args=(stop,))
    loop.start()
    assert eventually(lambda: broken.asked > 1)
    queue(store, message("a"), message("b"))
    assert eventually(lambda: {m.state for m in store.oldest_messages()} == {"sent"})
    stop.set()
    loop.join(5)
    assert not loop.is_alive()
    assert "T0pS3cret" not in caplog.text
    assert broken.asked < 100  # it sleeps when there is nothing to do


# --- Slack, whole ---


def test_a_slack_episode_through_the_outbox_survives_a_bad_moment(
    store: Store, clock: Time
) -> None:
    payload = {
        "cause": "drift", "headline": "Drifted", "causes": [], "more_causes": 0,
        "failed_expectations": [], "more_failed_expectations": 0,
        "rows": {"reference": 5, "current": 1}, "window": None,
        "opened_at": NOW.isoformat(), "report_url": "", "check_url": "",
    }  # fmt: skip
    for n, change in enumerate(("opened", "worsened", "resolved")):
        told = message(change, "slack", after_s=n, episode="e", payload=payload)
        queue(store, replace(told, kind=f"episode.{change}"))
    with SlackServer("xoxb-1") as server:
        server.script.append(Answer(error="ratelimited", status=429, headers={"Retry-After": "30"}))
        channel = Slack(Api("xoxb-1", clock, api_url=server.api_url, reach=LOOPBACK), "#alerts")
        delivery = deliverer(store, clock, slack=channel)
        clock.skip(5)
        assert delivery.deliver_due() == 1
        clock.skip(29)
        assert delivery.deliver_due() == 0
        clock.skip(2)
        assert delivery.deliver_due() == 3
        first, *replies = server.posts
        assert [server.posts[ts]["thread_ts"] for ts in replies] == [first, first]
        assert server.posts[first]["text"].startswith("Drifted (car_loan: Drifted)")
    assert {m.state for m in store.oldest_messages()} == {"sent"}
