"""Channels that are told at fixed times: nothing is lost or told twice, and urgent things first."""

import random
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from threading import Barrier, Thread
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from clocks import Time
from store_backends import Backend
from test_delivery import Channel
from test_notifiers import alert
from test_stores import backend  # noqa: F401  # a fixture

from monitor.archive import Store
from monitor.core.consequences import Message
from monitor.core.digests import gathered
from monitor.core.messages import alerts
from monitor.core.routing import Digest, Routing, everybody
from monitor.core.windows import Span
from monitor.delivery import Delivery, Patience
from monitor.errors import DeliveryDelayed, DeliveryRefused

NOW = datetime(2026, 1, 1, tzinfo=UTC)
BERLIN = ZoneInfo("Europe/Berlin")


@pytest.fixture
def store(backend: Backend) -> Iterator[Store]:  # noqa: F811
    store = backend.open()
    yield store
    store.close()


# --- When ---


def test_digests_are_written_as_people_say_them() -> None:
    assert Digest.parse(" 1d  at 9:05 ") == Digest(Span(1, "d"), time(9, 5))
    assert (str(Digest.parse("1w at 23:59")), str(Digest.parse("4h"))) == ("1w at 23:59", "4h")


@pytest.mark.parametrize(
    "text", ["", "daily", "1d at", "1d at 24:00", "1d at 9", "1h at 09:00", "0d", "1d 09:00", "٣d"]
)
def test_what_is_no_digest_is_told(text: str) -> None:
    with pytest.raises(ValueError, match=r"is no|is not|time of day"):
        Digest.parse(text)


@pytest.mark.parametrize(
    ("text", "now", "told"),
    [
        ("1d at 09:00", "2026-01-05T07:59:59Z", "2026-01-05T08:00:00+00:00"),
        ("1d at 09:00", "2026-01-05T08:00:00Z", "2026-01-06T08:00:00+00:00"),
        ("1d at 09:00", "2026-03-29T06:00:00Z", "2026-03-29T07:00:00+00:00"),  # summer begins
        ("1d at 02:30", "2026-03-28T23:30:00Z", "2026-03-29T01:30:00+00:00"),  # there is no 02:30
        ("1d at 02:30", "2026-10-24T23:30:00Z", "2026-10-25T00:30:00+00:00"),  # there are two
        ("1d", "2026-01-05T22:59:00Z", "2026-01-05T23:00:00+00:00"),
        ("1w at 08:30", "2026-01-06T00:00:00Z", "2026-01-12T07:30:00+00:00"),
        ("1mo at 08:00", "2026-01-31T23:30:00Z", "2026-02-01T07:00:00+00:00"),
        ("4h", "2026-01-05T12:00:00Z", "2026-01-05T15:00:00+00:00"),
    ],
)
def test_the_next_time_is_local(text: str, now: str, told: str) -> None:
    moment = datetime.fromisoformat(now)
    assert Digest.parse(text).next_after(moment, BERLIN).isoformat() == told


def test_a_time_is_always_ahead_and_never_far() -> None:
    luck = random.Random(7)
    for _ in range(500):
        moment = NOW + timedelta(seconds=luck.randrange(0, 366 * 86400))
        text = luck.choice(["1d at 02:30", "1d at 00:00", "1d at 23:59", "2d at 12:00", "6h"])
        told = Digest.parse(text).next_after(moment, BERLIN)
        assert timedelta(0) < told - moment <= timedelta(days=2, hours=2), (text, moment)


def test_messages_for_a_channel_that_gathers_wait_for_its_time() -> None:
    from test_messages import change, check

    whole = Routing(everybody("chat", "mail").routes, {"mail": (Digest.parse("1d at 09:00"), UTC)})
    told = alerts(
        check(),
        [change()],
        routing=whole,
        heard=lambda _: (),
        report_url="",
        check_url="",
        created_at=NOW,
    )
    assert {m.channel: m.next_at for m in told} == {
        "chat": None,
        "mail": datetime(2026, 1, 1, 9, tzinfo=UTC),
    }


# --- Through the outbox ---


def waiting(n: int, kind: str = "opened", *, channel: str = "mail", **more: Any) -> Message:
    told = alert(kind, episode_id=f"e{n}", **more)
    return replace(
        told,
        id=f"m{n}-{kind}-{channel}",
        channel=channel,
        episode=f"e{n}",
        created_at=NOW + timedelta(minutes=n),
        next_at=NOW + timedelta(hours=9),
    )


def queue(store: Store, *messages: Message) -> None:
    assert all(store.add_message(m) for m in messages)


def delivery(store: Store, clock: Time, **by_name: Any) -> Delivery:
    return Delivery(
        store, by_name, clock, patience=Patience(), rng=random.Random(1), gathering={"mail"}
    )


class Keeps(Channel):
    """A channel that keeps whole messages."""

    def __init__(self, *errors: Exception | None) -> None:
        super().__init__(*errors)
        self.messages: list[Message] = []

    def send(self, message: Message, thread: Any) -> Any:
        receipt = super().send(message, thread)
        self.messages.append(message)
        return receipt


def test_what_gathered_is_told_once_at_its_time(store: Store) -> None:
    clock, mail, chat = Time(NOW), Keeps(), Keeps()
    queue(store, waiting(1), waiting(2, level="critical"), waiting(1, "resolved"), waiting(3))
    queue(store, replace(waiting(1, channel="chat"), next_at=None))
    deliverer = delivery(store, clock, mail=mail, chat=chat)
    clock.skip(3600)
    deliverer.deliver_due()
    assert (len(chat.messages), mail.messages) == (1, [])
    clock.skip(8 * 3600)
    deliverer.deliver_due()
    (digest,) = mail.messages
    assert digest.payload["headline"] == "2 open, 1 resolved"
    assert [e["episode_id"] for e in digest.payload["entries"]] == ["e2", "e3", "e1"]
    assert digest.payload["entries"][2]["changes"] == ["opened", "resolved"]
    clock.skip(86400)
    assert deliverer.deliver_due() == 0
    states = {m.id: (m.state, m.receipt) for m in store.oldest_messages() if m.channel == "mail"}
    assert {state for state, _ in states.values()} == {"sent"}
    assert states["m3-opened-mail"][1] == {"digest": digest.id}


def test_what_comes_later_is_told_with_the_next_digest(store: Store) -> None:
    clock, mail = Time(NOW), Keeps()
    queue(store, waiting(1))
    late = replace(waiting(2), next_at=NOW + timedelta(hours=33))
    queue(store, late)
    deliverer = delivery(store, clock, mail=mail)
    clock.skip(10 * 3600)
    deliverer.deliver_due()
    clock.skip(24 * 3600)
    deliverer.deliver_due()
    assert [[e["episode_id"] for e in m.payload["entries"]] for m in mail.messages] == [
        ["e1"],
        ["e2"],
    ]


def test_a_digest_that_is_not_taken_is_tried_again_whole(store: Store) -> None:
    clock, mail = Time(NOW), Keeps(DeliveryDelayed("down", retry_after_s=60.0))
    queue(store, waiting(1), waiting(2))
    clock.skip(10 * 3600)
    delivery(store, clock, mail=mail).deliver_due()
    assert mail.messages == []
    queue(store, replace(waiting(3), next_at=NOW + timedelta(hours=10)))
    clock.skip(61)
    delivery(store, clock, mail=mail).deliver_due()  # after a restart, say
    told = [e["episode_id"] for m in mail.messages for e in m.payload["entries"]]
    assert sorted(told) == ["e1", "e2", "e3"]


def test_a_digest_that_is_refused_is_given_up_visibly(store: Store) -> None:
    clock = Time(NOW)
    queue(store, waiting(1))
    clock.skip(10 * 3600)
    delivery(store, clock, mail=Keeps(DeliveryRefused("never"))).deliver_due()
    (failed,) = store.oldest_messages(state="failed")
    assert (failed.kind, failed.error) == ("digest", "never")


def test_dying_between_any_two_steps_loses_and_repeats_nothing(store: Store) -> None:
    """After the claim, after the gathering: another process goes on where one stopped."""
    clock, mail = Time(NOW), Keeps()
    queue(store, *(waiting(n) for n in range(5)))
    clock.skip(10 * 3600)
    assert store.claim_message(clock(), 120.0) is not None  # and dies
    store.gather("mail", clock(), lambda due: gathered("mail", due, clock()))  # and dies
    assert store.gather("mail", clock(), lambda due: gathered("mail", due, clock())) is None
    clock.skip(121)
    delivery(store, clock, mail=mail).deliver_due()
    (digest,) = mail.messages
    assert len(digest.payload["entries"]) == 5


def test_several_processes_gather_each_message_once(store: Store) -> None:
    clock = Time(NOW)
    queue(store, *(waiting(n) for n in range(40)))
    clock.skip(10 * 3600)
    mails, together = [Keeps() for _ in range(4)], Barrier(4)

    def work(mail: Keeps) -> None:
        together.wait(10)
        delivery(store, clock, mail=mail).deliver_due()

    threads = [Thread(target=work, args=(mail,)) for mail in mails]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    told = [e["episode_id"] for mail in mails for m in mail.messages for e in m.payload["entries"]]
    assert sorted(told) == sorted(f"e{n}" for n in range(40))


def test_a_later_message_of_an_episode_does_not_answer_to_a_digest(store: Store) -> None:
    clock, mail = Time(NOW), Keeps()
    queue(store, waiting(1))
    clock.skip(10 * 3600)
    delivery(store, clock, mail=mail).deliver_due()
    queue(store, replace(waiting(1, "resolved"), next_at=None, created_at=clock()))
    at_once = Delivery(store, {"mail": mail}, clock)  # the channel gathers no more
    at_once.deliver_due()
    assert mail.sent[-1] == ("m1-resolved-mail", {})


# --- What it says ---


def test_an_acknowledged_episode_keeps_its_numbers() -> None:
    from test_interactions import deed

    seen = waiting(1)
    said = deed("acknowledged", "Acknowledged: drift, by mia: I look")
    done = replace(said, id="d", episode="e1", created_at=NOW + timedelta(hours=1))
    (entry,) = gathered("mail", [seen, done], NOW).payload["entries"]
    assert entry["attended"] == "Acknowledged: drift, by mia: I look"
    assert entry["headline"] == seen.payload["headline"] and entry["causes"]
    assert entry["changes"] == ["opened", "acknowledged"]


def test_the_order_is_by_urgency() -> None:
    told = [
        waiting(1, "resolved", level=None),
        waiting(2, "opened", level="warning"),
        waiting(3, "acknowledged", level=None),
        waiting(4, "opened", level="critical"),
        waiting(5, "worsened", level="warning", opened_at="2019-01-01T00:00:00+00:00"),
    ]
    digest = gathered("mail", told, NOW)
    order = [entry["episode_id"] for entry in digest.payload["entries"]]
    assert order == ["e4", "e5", "e2", "e3", "e1"]
    assert digest.payload["headline"] == "3 open, 1 acknowledged, 1 resolved"
    assert gathered("mail", reversed(told), NOW).id == digest.id
