"""What people may do: each deed is checked first, then done once, with its trace."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from making import a_check, a_message, a_reference, an_episode, day, opened

from monitor import wiring
from monitor.archive import Outcome, Store
from monitor.configuration.telling import RetrainSettings
from monitor.core.people import Answer, Deed, Scope, SilenceKind
from monitor.core.records import Window
from monitor.core.routing import everybody
from monitor.deeds.planning import Actor
from monitor.desk import Desk
from monitor.errors import AskedWrongly, StoreConflict, UnknownName
from monitor.settings import MonitorSettings
from monitor.stores import sql
from monitor.tokens import digest_of

NOW = datetime(2026, 3, 20, tzinfo=UTC)
HOUR = timedelta(hours=1)
MIA = Actor("mia", "page")
WHY = "the release\n of Monday"


@pytest.fixture
def store() -> Iterator[Store]:
    made = sql.make("memory:", Path(), wiring.now)
    yield made
    made.close()


@pytest.fixture
def desk(store: Store) -> Desk:
    asks = RetrainSettings(url="https://trainer.example/hook", secret="a secret")
    plain = {"production": {"path": "x.parquet", "time": "t"}}
    loan = MonitorSettings.model_validate(plain).model_copy(update={"retrain": asks})
    churn = MonitorSettings.model_validate(plain)
    monitors = {"loan": loan, "churn": churn}
    return Desk(store, lambda: NOW, monitors, everybody("slack", "console"))


def breach(store: Store, *, told: bool = True) -> None:
    heard = [a_message(f"m-{name}", channel=name, episode="e0") for name in ("slack", "console")]
    changes = (opened(an_episode(told=told)),)
    store.save(Outcome(a_check("c0"), changes=changes, messages=tuple(heard) if told else ()))


def test_an_acknowledgement_is_told_where_the_episode_was(store: Store, desk: Desk) -> None:
    breach(store)
    desk.do(desk.acknowledge(MIA, "e0", WHY))
    assert store.acknowledgements(["e0"])["e0"].why == "the release of Monday"
    told = [m for m in store.oldest_messages() if m.kind == "episode.acknowledged"]
    assert [m.channel for m in told] == ["slack", "console"]
    assert told[0].payload["headline"] == "Acknowledged: drift, by mia: the release of Monday"
    (entry,) = store.audit()
    assert (entry.deed, entry.who, entry.via, entry.subject) == (
        Deed.ACKNOWLEDGED,
        "mia",
        "page",
        "e0",
    )
    with pytest.raises(StoreConflict):
        desk.do(desk.acknowledge(MIA, "e0", WHY))


def test_nobody_hears_of_an_episode_that_nobody_heard_of(store: Store, desk: Desk) -> None:
    breach(store, told=False)
    desk.do(desk.acknowledge(MIA, "e0", WHY))
    desk.do(desk.resolve(MIA, "e0", WHY))
    assert store.oldest_messages() == []


def test_an_episode_is_resolved_by_hand_once(store: Store, desk: Desk) -> None:
    breach(store)
    planned = desk.resolve(MIA, "e0", WHY)
    desk.do(planned)
    ended = store.get_episode("e0")
    assert ended is not None and ended.resolved_by == planned.entry.id
    with pytest.raises(StoreConflict, match="is over"):
        desk.resolve(MIA, "e0", WHY)
    with pytest.raises(UnknownName):
        desk.resolve(MIA, "e9", WHY)


@pytest.mark.parametrize("why", ["", " \n\t", "x" * 501])
def test_every_deed_says_why(store: Store, desk: Desk, why: str) -> None:
    breach(store)
    with pytest.raises(AskedWrongly, match=r"why|reason"):
        desk.acknowledge(MIA, "e0", why)


def test_silences(store: Store, desk: Desk) -> None:
    desk.do(desk.mute(MIA, "loan", NOW + HOUR, WHY))
    desk.do(desk.maintain(MIA, None, NOW - HOUR, NOW, WHY))
    lasting = store.silences(since=NOW)
    assert [(s.kind, s.monitor) for s in lasting] == [(SilenceKind.MUTE, "loan")]
    assert lasting[0].covers("loan", NOW) and not lasting[0].covers("churn", NOW)
    desk.do(desk.lift(MIA, lasting[0].id, WHY))
    with pytest.raises(UnknownName):
        desk.lift(MIA, lasting[0].id, WHY)


def test_a_silence_that_was_lifted_before_it_began_never_was(store: Store, desk: Desk) -> None:
    desk.do(desk.maintain(MIA, "loan", NOW + HOUR, NOW + 3 * HOUR, WHY))
    (silence,) = store.silences()
    desk.do(desk.lift(MIA, silence.id, WHY))
    (lifted,) = store.silences()
    assert not lifted.touches("loan", Window(NOW - HOUR, NOW + 9 * HOUR))
    assert not lifted.covers("loan", NOW + 2 * HOUR)


def test_silences_that_make_no_sense(desk: Desk) -> None:
    with pytest.raises(AskedWrongly, match="past"):
        desk.mute(MIA, "loan", NOW, WHY)
    with pytest.raises(AskedWrongly, match="ends after it begins"):
        desk.maintain(MIA, "loan", NOW, NOW, WHY)
    with pytest.raises(AskedWrongly, match="a year"):
        desk.mute(MIA, "loan", NOW + timedelta(days=400), WHY)
    with pytest.raises(UnknownName):
        desk.mute(MIA, "laon", NOW + HOUR, WHY)


def test_a_window_that_is_not_over_is_not_asked_for(store: Store, desk: Desk) -> None:
    with pytest.raises(AskedWrongly, match="not complete"):
        desk.check_again(MIA, "loan", desk.window_of("loan", NOW), WHY)
    for wrong in (replace(day(0), end=NOW), Window(day(0).end, day(0).start)):
        with pytest.raises(AskedWrongly, match="has no window"):
            desk.check_again(MIA, "loan", wrong, WHY)
    desk.do(desk.check_again(MIA, "loan", day(0), WHY))
    assert [r.window for r in store.oldest_check_requests()] == [day(0)]


def test_a_new_model_is_asked_for_and_answered(store: Store, desk: Desk) -> None:
    with pytest.raises(AskedWrongly, match="no training system"):
        desk.request_retrain(MIA, "churn", WHY)
    act = desk.request_retrain(MIA, "loan", WHY)
    desk.do(act)
    (message,) = store.oldest_messages()
    request = act.entry.subject
    assert (message.id, message.channel) == (request, "retrain")
    trainer = Actor("trainer", "api")
    done = Answer(request, "succeeded", NOW, "auc .91", "v8", "train.parquet")
    desk.do(desk.answer(trainer, done))
    found = store.get_retrain(request)
    assert found is not None and (found.state, found.model_version) == ("succeeded", "v8")
    with pytest.raises(UnknownName, match="accepted, failed, succeeded"):
        desk.answer(trainer, replace(done, state="great"))
    with pytest.raises(StoreConflict):
        desk.do(desk.answer(trainer, done))


def test_a_reference_is_promoted_by_version_or_its_beginning(store: Store, desk: Desk) -> None:
    for version in ("sha256:aaa1", "sha256:aab2"):
        store.add_reference(a_reference(version))
    desk.do(desk.promote(MIA, "loan", "aaa", WHY))
    current = store.current_reference("loan")
    assert current is not None and current.version == "sha256:aaa1"
    for wrong in ("aa", "zz", ""):
        with pytest.raises(UnknownName):
            desk.promote(MIA, "loan", wrong, WHY)


def test_a_token_is_shown_once_and_kept_as_a_digest(store: Store, desk: Desk) -> None:
    act, shown = desk.make_token(MIA, "ci", {Scope.READ}, WHY, lasts=HOUR)
    desk.do(act)
    prefix, token_id, secret = shown.split("_", 2)
    token = store.find_token(token_id)
    assert token is not None and prefix == "dm"
    assert token.digest == digest_of(secret)
    assert secret not in repr(act) and secret not in repr(store.audit())
    assert token.is_good(NOW) and not token.is_good(NOW + HOUR)
    with pytest.raises(AskedWrongly, match="scopes"):
        desk.make_token(MIA, "ci", set(), WHY)


def test_a_token_is_rotated_in_one_act(store: Store, desk: Desk) -> None:
    first, _ = desk.make_token(MIA, "ci", {Scope.READ}, WHY, lasts=HOUR)
    desk.do(first)
    assert first.token is not None
    act, _ = desk.rotate_token(MIA, first.token.id, WHY)
    desk.do(act)
    states = {t.id: t.is_good(NOW) for t in store.list_tokens()}
    assert act.token is not None
    assert states == {first.token.id: False, act.token.id: True}
    with pytest.raises(StoreConflict):
        desk.do(desk.revoke_token(MIA, first.token.id, WHY))


def test_a_message_that_was_given_up_goes_out_again(store: Store, desk: Desk) -> None:
    store.add_message(a_message("m0"))
    store.mark_failed("m0", NOW, "channel_not_found")
    desk.do(desk.resend(MIA, "m0", WHY))
    assert store.count_messages() == {"pending": 1}
