"""Deeds of people, access and claims: what every store promises, over each kind of database."""

import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from making import a_check, a_message, a_reference, a_retrain, an_episode, ask, day, opened, save
from store_backends import Backend, new_postgresql_database

from monitor.archive import BEYOND_MEASURE, Outcome, Place, Store, Tally
from monitor.core.people import (
    Acknowledgement,
    Answer,
    AuditEntry,
    CheckRequest,
    Deed,
    Replica,
    Scope,
    Session,
    Silence,
    SilenceKind,
    Token,
    allows,
)
from monitor.core.records import Check, Finding, Verdict
from monitor.errors import StoreConflict
from monitor.ledger import Act, Once
from monitor.stores._sql_tables import checks

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.fixture(params=["memory", "sqlite", "postgresql"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    urls = {"memory": "memory://", "sqlite": "sqlite:///monitor.db"}
    url = urls.get(request.param) or new_postgresql_database(request.getfixturevalue("postgresql"))
    store = Backend(request.param, url, tmp_path).open()
    yield store
    store.close()


def an_entry(number: int = 0, deed: Deed = Deed.RESOLVED, **values: Any) -> AuditEntry:
    given: dict[str, Any] = {
        "at": NOW + number * HOUR,
        "who": "mia",
        "via": "page",
        "subject": "e0",
    }
    given |= {"why": "known <b>release</b>", "monitor": "loan", "details": {"a": [1, None]}}
    return AuditEntry(f"audit-{number}", deed=deed, **(given | values))


def a_silence(name: str = "s0", **values: Any) -> Silence:
    given: dict[str, Any] = {
        "kind": SilenceKind.MUTE,
        "start": NOW,
        "end": NOW + HOUR,
        "who": "mia",
    }
    return Silence(name, **(given | {"why": "release", "monitor": "loan"} | values))


def a_token(name: str = "t0", **values: Any) -> Token:
    given: dict[str, Any] = {
        "scopes": frozenset({Scope.READ, Scope.OPERATE}),
        "digest": "ab",
        "made_at": NOW,
    }
    return Token(name, name="ci", **(given | {"made_by": "mia"} | values))


def with_episode(store: Store) -> None:
    store.save(Outcome(a_check("c0"), changes=(opened(an_episode(told=True)),)))


# --- Long lists ---


def test_long_lists_come_in_parts_without_a_gap(store: Store) -> None:
    for number in range(6):
        at, check = NOW + (number // 2) * HOUR, a_check(f"c{number}", day(number))
        over: dict[str, Any] = {"resolved_by": check.id, "resolved_at": NOW} if number else {}
        told = opened(an_episode(f"e{number}", opened_at=at, **over))
        message, asked = a_message(f"m{number}"), a_retrain(f"r{number}", requested_at=at)
        assert store.save(Outcome(check, (told,), (message,), asked))
        wanted = CheckRequest(f"q{number}", "loan", day(number), at, "mia")
        store.act(Act(an_entry(number, Deed.CHECK_REQUESTED, subject=wanted.id), wanted=wanted))
    lists: tuple[tuple[Any, str], ...] = (
        (store.newest_episodes, "opened_at"),
        (store.newest_retrains, "requested_at"),
        (store.newest_messages, "created_at"),
        (store.newest_check_requests, "requested_at"),
    )
    for page_of, time in lists:
        found, before = [], None
        while page := page_of(before=before, limit=2):
            found += [one.id[1] for one in page]
            before = (getattr(page[-1], time), page[-1].id)
        assert found == list("543210")
    assert [e.id for e in store.newest_episodes("loan", is_open=True)] == ["e0"]
    assert len(store.newest_episodes(is_open=False)) == 5
    assert store.newest_episodes("churn") == []
    assert store.newest_retrains("churn") == []
    assert store.newest_messages(state="failed") == []
    assert len(store.newest_check_requests(state="pending")) == 6
    one = store.get_check_request("q1")
    assert one is not None and one.window == day(1)
    assert store.get_check_request("q9") is None


def test_what_was_done_about_something(store: Store) -> None:
    with_episode(store)
    for number, subject in enumerate(("e0", "e1", "e0", "r0")):
        store.act(Act(an_entry(number, subject=subject)))
    assert [e.id for e in store.audit_of(["e0", "r0"])] == ["audit-0", "audit-2", "audit-3"]
    assert store.audit_of([]) == []


# --- Acts ---


def test_a_deed_is_kept_with_its_entry(store: Store) -> None:
    with_episode(store)
    given = Acknowledgement("e0", NOW, "mia", "on it")
    told = a_message("m1", kind="episode.acknowledged", episode="e0")
    assert store.act(Act(an_entry(), acknowledged=given, messages=(told,))) is None
    assert store.acknowledgements(["e0", "e1"]) == {"e0": given}
    assert store.audit() == [an_entry()]
    assert [m.id for m in store.oldest_messages()] == ["m1"]


def test_a_deed_that_does_not_fit_leaves_nothing_behind(store: Store) -> None:
    with_episode(store)
    given = Acknowledgement("e0", NOW, "mia", "on it")
    store.act(Act(an_entry(), acknowledged=given))
    before = store.audit()
    unfit = [
        Act(an_entry(1), acknowledged=given),
        Act(an_entry(1), acknowledged=replace(given, episode="nowhere")),
        Act(an_entry(1), lifted="nowhere"),
        Act(an_entry(1), revoked="nowhere"),
        Act(an_entry(1), promoted="sha256:unknown"),
        Act(an_entry(1), resent="nowhere"),
        Act(an_entry(1), answer=Answer("nowhere", "accepted", NOW)),
        Act(an_entry(0)),
    ]
    for act in unfit:
        with pytest.raises(StoreConflict):
            store.act(replace(act, messages=(a_message("lost"),)))
    assert store.audit() == before
    assert store.oldest_messages() == []


def test_a_person_ends_an_episode_only_as_it_was_read(store: Store) -> None:
    with_episode(store)
    ended = an_episode(told=True, resolved_by="audit-0", resolved_at=NOW)
    before = store.state("loan")
    with pytest.raises(StoreConflict):
        store.act(Act(an_entry(), resolved=replace(ended, last_check="c9")))
    store.act(Act(an_entry(), resolved=ended))
    assert store.open_episodes("loan") == []
    assert store.get_episode("e0") == ended
    assert store.state("loan") != before, "a check that decided on the open episode decides anew"
    with pytest.raises(StoreConflict):
        store.act(Act(an_entry(1), resolved=ended))


def test_silences_last_until_they_end_or_are_lifted(store: Store) -> None:
    mute, planned = a_silence(), a_silence("s1", start=NOW + 5 * HOUR, end=NOW + 6 * HOUR)
    everywhere = a_silence("s2", kind=SilenceKind.MAINTENANCE, monitor=None)
    for number, silence in enumerate((mute, planned, everywhere)):
        store.act(Act(an_entry(number), silence=silence))
    assert [s.id for s in store.silences()] == ["s1", "s0", "s2"]
    assert [s.id for s in store.silences(since=NOW + HOUR)] == ["s1"]
    store.act(Act(an_entry(3, at=NOW + HOUR / 2), lifted="s0"))
    lifted = next(s for s in store.silences() if s.id == "s0")
    assert lifted.lifted_at == lifted.until == NOW + HOUR / 2
    assert [s.id for s in store.silences(since=NOW + HOUR / 2)] == ["s1", "s2"]
    with pytest.raises(StoreConflict):
        store.act(Act(an_entry(4, at=NOW + HOUR / 2), lifted="s0"))


def test_a_retrain_request_is_answered_until_it_is_settled(store: Store) -> None:
    ask(store, a_retrain("r0"), a_message("r0", channel="retrain"))
    store.act(Act(an_entry(0), answer=Answer("r0", "accepted", NOW, "queued")))
    store.mark_sent("r0", NOW, {})
    request = store.get_retrain("r0")
    assert request is not None and request.state == "accepted", "its own word is worth more"
    done = Answer("r0", "succeeded", NOW + HOUR, "", "v7", "s3://bucket/train.parquet")
    store.act(Act(an_entry(1), answer=done))
    request = store.get_retrain("r0")
    assert request is not None
    assert (request.state, request.model_version) == ("succeeded", "v7")
    assert (request.new_reference, request.answered_at) == (done.reference, NOW + HOUR)
    with pytest.raises(StoreConflict):
        store.act(Act(an_entry(2), answer=replace(done, state="failed")))


def test_a_version_is_promoted(store: Store) -> None:
    store.add_reference(a_reference("sha256:1"))
    store.add_reference(a_reference("sha256:2"))
    store.act(Act(an_entry(), promoted="sha256:1"))
    found = [(r.version, r.configured_version) for r in store.list_references("loan")]
    assert found == [("sha256:1", "sha256:2"), ("sha256:2", "")]
    store.add_reference(a_reference("sha256:3"))
    store.act(Act(an_entry(1), promoted="sha256:2"))
    store.act(Act(an_entry(2), promoted="sha256:1"))
    [current, *_] = store.list_references("loan")
    assert (current.version, current.configured_version) == ("sha256:1", "sha256:3")
    store.act(Act(an_entry(3), promoted="sha256:3"))
    store.add_reference(a_reference("sha256:2"))
    assert [r.configured_version for r in store.list_references("loan")][:2] == ["", ""]


def test_a_message_that_was_given_up_is_tried_again(store: Store) -> None:
    store.add_message(a_message("m0"))
    with pytest.raises(StoreConflict):
        store.act(Act(an_entry(), resent="m0"))
    store.mark_failed("m0", NOW, "no such channel")
    store.act(Act(an_entry(), resent="m0"))
    again = store.claim_message(NOW + HOUR, 60)
    assert again is not None and (again.id, again.attempts) == ("m0", 0)
    assert store.count_messages() == {"pending": 1}


def test_the_same_key_gets_the_same_answer(store: Store) -> None:
    once = Once("key", "t0", "digest", {"id": "s0"}, NOW)
    assert store.act(Act(an_entry(0), silence=a_silence()), once) is None
    again = store.act(Act(an_entry(1), silence=a_silence("s1")), replace(once, answer="other"))
    assert again == once == store.answered("key", "t0")
    assert [s.id for s in store.silences()] == ["s0"]
    assert store.answered("key", "t1") is None
    later = replace(once, at=NOW + timedelta(days=3))
    assert store.act(Act(an_entry(2), silence=a_silence("s2")), later) is None


def test_an_unfit_deed_does_not_use_up_its_key(store: Store) -> None:
    once = Once("key", "t0", "digest", {}, NOW)
    with pytest.raises(StoreConflict):
        store.act(Act(an_entry(), lifted="nowhere"), once)
    assert store.answered("key", "t0") is None


def test_of_many_that_acknowledge_at_once_one_does(store: Store) -> None:
    with_episode(store)
    outcomes: list[str] = []

    def acknowledge(number: int) -> None:
        given = Acknowledgement("e0", NOW, f"person {number}", "mine")
        try:
            store.act(Act(an_entry(number), acknowledged=given))
            outcomes.append("done")
        except StoreConflict:
            outcomes.append("late")

    threads = [threading.Thread(target=acknowledge, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["done", *["late"] * 7]
    assert len(store.audit()) == 1


def test_the_audit_log_is_read_page_by_page(store: Store) -> None:
    for number in range(5):
        store.act(Act(an_entry(number, at=NOW, monitor="loan" if number % 2 else None)))
    ids = [e.id for e in store.audit(limit=2)]
    last = store.audit(limit=2)[-1]
    ids += [e.id for e in store.audit(before=(last.at, last.id))]
    assert ids == [f"audit-{n}" for n in (4, 3, 2, 1, 0)]
    assert [e.id for e in store.audit("loan")] == ["audit-3", "audit-1"]


def test_a_wanted_check_is_claimed_by_one_and_settled_once(store: Store) -> None:
    wanted = CheckRequest("q0", "loan", day(0), NOW, "mia")
    store.act(Act(an_entry(0), wanted=wanted))
    store.act(Act(an_entry(1), wanted=replace(wanted, id="q1", requested_at=NOW + HOUR)))
    assert store.claim_check_request(NOW, NOW + HOUR) == wanted
    second = store.claim_check_request(NOW, NOW + HOUR)
    assert second is not None and second.id == "q1"
    assert store.claim_check_request(NOW, NOW + HOUR) is None
    assert store.claim_check_request(NOW + HOUR, NOW + 2 * HOUR) == wanted, "its claimer died"
    store.settle_check_request("q0", check="c0")
    store.settle_check_request("q0", check=None, error="late")
    store.settle_check_request("q1", check=None, error="no rows")
    states = [(r.state, r.check, r.error) for r in store.oldest_check_requests()]
    assert states == [("done", "c0", ""), ("failed", None, "no rows")]
    assert store.oldest_check_requests(state="pending") == []


# --- Access ---


def test_tokens_are_made_used_and_revoked(store: Store) -> None:
    token = a_token()
    store.act(Act(an_entry(0, Deed.TOKEN_MADE), token=token))
    assert store.find_token("t0") == token
    assert store.find_token("t1") is None
    store.touch_token("t0", NOW + HOUR)
    store.act(Act(an_entry(1, Deed.TOKEN_REVOKED), revoked="t0"))
    (found,) = store.list_tokens()
    assert (found.used_at, found.revoked_at) == (NOW + HOUR, NOW + HOUR)
    assert not found.is_good(NOW)
    with pytest.raises(StoreConflict):
        store.act(Act(an_entry(2), revoked="t0"))
    assert not a_token(expires_at=NOW).is_good(NOW)


def test_sessions_come_and_go(store: Store) -> None:
    session = Session("d0", "t0", NOW, NOW + HOUR)
    store.add_session(session)
    assert store.find_session("d0") == session
    store.add_session(Session("d1", "t0", NOW + 2 * HOUR, NOW + 3 * HOUR))
    assert store.find_session("d0") is None, "it was over"
    store.drop_session("d1")
    assert store.find_session("d1") is None


def test_what_scopes_allow() -> None:
    assert allows(frozenset({Scope.ADMIN}), Scope.CAPTURE)
    assert not allows(frozenset({Scope.CAPTURE}), Scope.READ)
    assert not allows(frozenset({Scope.READ}), Scope.OPERATE)
    assert not allows(frozenset(), Scope.READ)


# --- Claims ---


def test_a_window_is_claimed_by_one(store: Store) -> None:
    assert store.claim_window("loan", day(0), "a", NOW, NOW + HOUR)
    assert not store.claim_window("loan", day(0), "b", NOW, NOW + HOUR)
    assert store.claim_window("loan", day(0), "a", NOW, NOW + 2 * HOUR), "renewed"
    assert store.claim_window("loan", day(1), "b", NOW, NOW + HOUR)
    assert not store.claim_window("loan", day(0), "b", NOW + HOUR, NOW + 3 * HOUR)
    assert store.claim_window("loan", day(0), "b", NOW + 2 * HOUR, NOW + 3 * HOUR), "a died"
    store.release_window("loan", day(0), "a")
    assert store.claimed_windows(NOW + 2 * HOUR) == [("loan", day(0), "b")]
    store.release_window("loan", day(0), "b")
    assert store.claim_window("loan", day(0), "a", NOW, NOW + HOUR)


def test_of_many_claimers_one_wins(store: Store) -> None:
    won: list[str] = []

    def claim(holder: str) -> None:
        if store.claim_window("loan", day(0), holder, NOW, NOW + HOUR):
            won.append(holder)

    threads = [threading.Thread(target=claim, args=(f"h{n}",)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(won) == 1


def test_processes_are_seen_and_forgotten(store: Store) -> None:
    one = Replica("a", "host", NOW, NOW, ("scheduler", "web"))
    store.beat(one)
    store.beat(replace(one, seen_at=NOW + HOUR))
    store.claim_window("loan", day(0), "a", NOW, NOW + HOUR)
    assert [r.seen_at for r in store.replicas()] == [NOW + HOUR]
    store.leave("a")
    assert store.replicas() == []
    assert store.claimed_windows(NOW) == []
    store.beat(one)
    store.beat(Replica("b", "host", NOW, NOW + timedelta(days=2)))
    assert [r.id for r in store.replicas()] == ["b"]


# --- Lists without documents ---


def test_lines_say_what_checks_say(store: Store) -> None:
    save(store, a_check("c0"), a_check("c1", day(1)), a_check("d0", monitor="churn"))
    stored = store.get_check("c0")
    assert stored is not None
    line = next(one for one in store.lines() if one.id == "c0")
    check = stored.check
    assert (line.verdict, line.headline, line.window) == (
        check.verdict,
        check.headline,
        check.window,
    )
    assert (line.rows, line.reference) == (check.sample.rows_in_window, check.reference)
    assert (line.made_at, line.stored_at) == (check.made_at, stored.stored_at)
    assert [one.id for one in store.lines()] == ["c1", "d0", "c0"]
    assert [one.id for one in store.lines(limit=1)] == ["c1"]


def test_lines_go_on_after_any_place(store: Store) -> None:
    save(store, *(a_check(f"{m}{n}", day(n), m) for n in range(3) for m in ("a", "b", "c")))
    everything = [one.id for one in store.lines()]
    walked: list[str] = []
    place: Place | None = None
    while page := store.lines(before=place, limit=2):
        walked += [one.id for one in page]
        place = page[-1].place
    assert walked == everything
    assert len(everything) == 9


def test_strips_and_last_windows_are_read_at_once(store: Store) -> None:
    save(store, *(a_check(f"{m}{n}", day(n), m) for n in range(4) for m in ("a", "b")))
    store.save(Outcome(a_check("a3-2", day(3), "a"), revision=1))
    strips = store.strips(2)
    assert {m: [one.id for one in lines] for m, lines in strips.items()} == {
        "a": ["a3-2", "a2"],
        "b": ["b3", "b2"],
    }
    assert store.last_windows() == {"a": day(3), "b": day(3)}
    since = [one.id for one in store.lines_since(strips["a"][0].stored_at)]
    assert since == ["a3-2"]


def test_checks_that_were_stored_at_one_moment_are_read_in_parts(store: Store) -> None:
    save(store, *(a_check(f"c{n}", day(n)) for n in range(5)))
    database: Any = store
    with database._database.writing() as db:
        db.execute(sa.update(checks).values(stored_at=NOW))
    walked: list[str] = []
    after = ""
    while page := store.lines_since(NOW, 2, after=after):
        walked += [one.id for one in page]
        after = walked[-1]
    assert walked == [f"c{n}" for n in range(5)]


def test_findings_are_read_without_documents(store: Store) -> None:
    save(store, a_check("c0"))
    found = store.findings(["c0", "nowhere"])
    assert found["nowhere"] == []
    names = [(f["column"], f["test"]) for f in found["c0"]]
    assert names[0] == (None, "volume")
    assert ("age", "psi") in names
    assert isinstance(found["c0"][1]["effect"], float)
    assert Verdict(found["c0"][1]["verdict"]) is Verdict.DRIFTED


# --- Columns over many checks ---


def of_columns(check_id: str, number: int, **strengths: float) -> Check:
    made = a_check(check_id, day(number))
    columns = tuple(
        replace(made.columns[0], name=name, strength=strength)
        for name, strength in strengths.items()
    )
    quiet = replace(made.columns[0], name="at", compared=False)
    return replace(made, columns=(*columns, quiet))


def test_the_columns_that_moved_furthest_are_told_first(store: Store) -> None:
    save(store, of_columns("c0", 0, age=1.0, debt=9.0), of_columns("c1", 1, age=3.0, income=2.0))
    save(store, of_columns("c2", 2, age=99.0), of_columns("c3", 3, endless=float("inf")))
    lines, more = store.column_lines(["c0", "c1"], most=2)
    assert [(c.column, c.check) for c in lines if c.column == "debt"] == [("debt", "c0")]
    assert [c.column for c in lines] == ["debt", "age", "age"]
    assert more == 1
    assert {(c.check, c.strength) for c in lines[1:]} == {("c0", 1.0), ("c1", 3.0)}
    (told, *_) = lines
    assert (told.verdict, told.test, told.effect) == (Verdict.DRIFTED, "ks", 0.3)
    assert (told.missing_reference, told.missing_current) == (0.0, 0.25)
    (endless,), _ = store.column_lines(["c3"], most=5)
    assert endless.strength == BEYOND_MEASURE
    assert store.column_lines([], most=5) == ([], 0)


def test_the_tally_of_a_check(store: Store) -> None:
    bare = replace(of_columns("c1", 1), expectations=None)
    save(store, of_columns("c0", 0, age=1.0, debt=9.0), bare)
    assert store.tallies(["c0", "c1"]) == {
        "c0": Tally(2, 2, 0.0, 0.25, expectations=1, failed=1),
        "c1": Tally(),
    }


def test_what_the_whole_was_held_to_is_told_by_the_last_check(store: Store) -> None:
    def held_to(check_id: str, number: int, *promises: tuple[str, float]) -> Check:
        made = a_check(check_id, day(number))
        found = tuple(
            Finding(test, Verdict.PASSED, "", effect=1.0, threshold=threshold)
            for test, threshold in promises
        )
        return replace(made, dataset=replace(made.dataset, findings=found))

    save(store, held_to("c0", 0, ("volume", 50.0), ("freshness", 6.0)))
    save(store, held_to("c1", 1, ("volume", 80.0)))
    assert store.promised(["c0", "c1"]) == {"volume": 80.0, "freshness": 6.0}
    assert store.promised(["c1", "c0"])["volume"] == 50.0
    assert store.promised(["none"]) == {}


def test_the_check_after_a_place(store: Store) -> None:
    save(store, a_check("c0"), a_check("c2", day(2)), a_check("x1", day(1), "churn"))
    store.save(Outcome(a_check("c2b", day(2)), revision=1))
    place = Place(day(0).start, day(0).end, "loan")
    after = store.line_after("loan", place)
    assert after is not None and after.id == "c2b"
    assert after.newest == NOW
    assert store.line_after("loan", after.place) is None


def test_references_built_lately(store: Store) -> None:
    for number in range(3):
        store.add_reference(a_reference(f"sha256:{number}", built_at=NOW + number * HOUR))
    assert [r.version for r in store.built_lately(2)] == ["sha256:2", "sha256:1"]


# --- Figures ---


def test_what_a_store_tells_of_itself(store: Store) -> None:
    found, wanted = store.schema()
    assert found == wanted
    assert store.last_stored() is None
    assert store.newest_message(("service.stalled",)) is None


def test_what_a_clock_that_was_ahead_wrote_binds_nobody(store: Store) -> None:
    ahead = NOW + timedelta(days=365)
    assert store.claim_window("loan", day(0), "ahead", ahead, ahead + HOUR)
    assert store.claim_window("loan", day(0), "b", NOW, NOW + HOUR)
    wanted = CheckRequest("q0", "loan", day(0), NOW, "mia")
    store.act(Act(an_entry(0), wanted=wanted))
    assert store.claim_check_request(ahead, ahead + HOUR) == wanted
    assert store.claim_check_request(NOW, NOW + HOUR) == wanted
    store.add_message(a_message("m0"))
    assert store.claim_message(ahead, 60) is not None
    assert store.claim_message(NOW, 60) is not None
    store.beat(Replica("ahead", "host", ahead, ahead))
    store.beat(Replica("b", "host", NOW, NOW))
    assert [r.id for r in store.replicas()] == ["b"]


def test_an_episode_remembers_that_it_got_worse_untold(store: Store) -> None:
    episode = an_episode(told=True, worse_untold=True)
    store.save(Outcome(a_check("c0"), changes=(opened(episode),)))
    assert store.open_episodes("loan") == [episode]
