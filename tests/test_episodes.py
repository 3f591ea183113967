"""What changed since last time, and when a new model is asked for."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from monitor.core import episodes
from monitor.core.columns import Kind
from monitor.core.consequences import Cause, Change, Episode, RetrainRequest
from monitor.core.episodes import RetrainPolicy, advance, retrain_request
from monitor.core.records import (
    Check,
    ColumnResult,
    DatasetResult,
    ExpectationReport,
    ExpectationResult,
    Finding,
    ReferenceInfo,
    SampleInfo,
    Severity,
    Verdict,
    Window,
)

START = datetime(2026, 1, 5, tzinfo=UTC)
DAY = timedelta(days=1)
PASSED, DRIFTED, VIOLATED = Verdict.PASSED, Verdict.DRIFTED, Verdict.VIOLATED
UNDECIDED = Verdict.UNDECIDED


def column(name: str, strength: float, means: tuple[float, float] = (0, 0)) -> ColumnResult:
    verdict = DRIFTED if strength > 1 else PASSED
    return ColumnResult(
        name, Kind.NUMBER, verdict, "", strength=strength, statistics={"mean": means}
    )


def check(
    day: int,
    verdict: Verdict,
    *,
    columns: Sequence[ColumnResult] = (),
    failed: Sequence[str] = (),
    broken: Sequence[Finding] = (),
    rows: int = 500,
) -> Check:
    if verdict is DRIFTED and not columns:
        columns = (column("age", 5.0),)
    results = [
        ExpectationResult("e", Severity.CRITICAL, False, "because", column=name) for name in failed
    ]
    window = Window(START + day * DAY, START + (day + 1) * DAY)
    drifted = sum(c.verdict is DRIFTED for c in columns)
    return Check(
        id=f"loans-{day}",
        verdict=verdict,
        headline=f"day {day}: {verdict}",
        columns=tuple(columns),
        dataset=DatasetResult(None, drifted, len(columns), tuple(broken)),
        sample=SampleInfo(rows, rows, "all"),
        reference=ReferenceInfo("sha256:abc", 5000),
        monitor="loans",
        window=window,
        expectations=ExpectationReport(tuple(results)),
    )


def play(*checks: Check) -> tuple[list[list[tuple[Change, Cause]]], list[Episode]]:
    """What every check changed, and the episodes left open."""
    known: dict[str, Episode] = {}
    told = []
    for one in checks:
        changes = advance([e for e in known.values() if not e.resolved_by], one)
        told.append([(c.change, c.episode.cause) for c in changes])
        known.update({c.episode.id: c.episode for c in changes})
    return told, [e for e in known.values() if not e.resolved_by]


OPENED, CONTINUED = Change.OPENED, Change.CONTINUED
WORSENED, RESOLVED = Change.WORSENED, Change.RESOLVED
NO_ROWS = {"rows": 0}
UNREAD = {"broken": (Finding("source", UNDECIDED, "cut short"),)}
FEW_ROWS = {"rows": 20}
BLIND = ColumnResult("age", Kind.NUMBER, UNDECIDED, "")


# --- Opening, going on, resolving ---


@pytest.mark.parametrize(
    ("verdict", "more", "cause"),
    [
        (PASSED, {}, None),
        (DRIFTED, {}, Cause.DRIFT),
        (VIOLATED, {"failed": ["age"]}, Cause.QUALITY),
        (VIOLATED, {"rows": 0}, Cause.QUALITY),
        (UNDECIDED, NO_ROWS, Cause.NO_LOOK),
        (UNDECIDED, UNREAD, Cause.NO_LOOK),
        (UNDECIDED, FEW_ROWS, None),
    ],
)
def test_what_opens_an_episode(
    verdict: Verdict, more: dict[str, object], cause: Cause | None
) -> None:
    told, still_open = play(check(0, verdict, **more))  # type: ignore[arg-type]
    assert told == [[(OPENED, cause)] if cause else []]
    assert [e.cause for e in still_open] == ([cause] if cause else [])


def test_an_expectation_that_could_not_be_evaluated_opens_one_too() -> None:
    unevaluated = ExpectationResult("e", Severity.INFO, None, "no such column")
    one = replace(check(0, UNDECIDED), expectations=ExpectationReport((unevaluated,)))
    assert [c.episode.cause for c in advance([], one)] == [Cause.NO_LOOK]


def test_an_episode_opens_continues_and_resolves_once() -> None:
    told, still_open = play(
        check(0, PASSED), check(1, DRIFTED), check(2, DRIFTED), check(3, PASSED), check(4, PASSED)
    )
    drift = Cause.DRIFT
    assert told == [[], [(OPENED, drift)], [(CONTINUED, drift)], [(RESOLVED, drift)], []]
    assert still_open == []


def test_an_episode_remembers_who_opened_and_ended_it() -> None:
    opened = advance([], check(1, DRIFTED))[0].episode
    assert (opened.opened_by, opened.opened_at, opened.columns, opened.worst) == (
        "loans-1",
        START + DAY,
        ("age",),
        5.0,
    )
    went_on = advance([opened], check(2, DRIFTED))[0].episode
    assert (went_on.last_check, went_on.breaches, went_on.headline) == (
        "loans-2",
        2,
        opened.headline,
    )
    ended = advance([went_on], check(3, PASSED))[0].episode
    assert (ended.resolved_by, ended.resolved_at, ended.id) == (
        "loans-3",
        START + 3 * DAY,
        opened.id,
    )


def test_the_same_check_opens_the_same_episode() -> None:
    """A check made again after a crash must not make a second one."""
    first, second = (advance([], check(0, DRIFTED)) for _ in range(2))
    assert first == second
    assert advance([], check(1, DRIFTED))[0].episode.id != first[0].episode.id


@pytest.mark.parametrize(
    ("columns", "change"),
    [
        ([column("age", 5.0)], CONTINUED),
        ([column("age", 9.9)], CONTINUED),
        ([column("age", 10.0)], WORSENED),
        ([column("age", 2.0)], CONTINUED),
        ([column("age", 5.0), column("income", 1.1)], WORSENED),
        ([column("income", 1.1)], WORSENED),
    ],
)
def test_twice_as_strong_or_one_column_more_is_worse(
    columns: list[ColumnResult], change: Change
) -> None:
    opened = advance([], check(0, DRIFTED))[0].episode
    [found] = advance([opened], check(1, DRIFTED, columns=columns))
    assert found.change is change
    assert found.episode.worst == max(5.0, *(c.strength for c in columns))
    assert (found.episode.headline == "day 1: drifted") == (change is WORSENED)


def test_worse_is_told_once() -> None:
    worse = [column("age", 12.0)]
    told, _ = play(
        check(0, DRIFTED), check(1, DRIFTED, columns=worse), check(2, DRIFTED, columns=worse)
    )
    assert [changes[0][0] for changes in told] == [OPENED, WORSENED, CONTINUED]


def test_quality_is_worse_when_more_breaks() -> None:
    feed = [Finding("schema", VIOLATED, "lost")]
    told, still_open = play(
        check(0, VIOLATED, failed=["age"]),
        check(1, VIOLATED, failed=["age"]),
        check(2, VIOLATED, failed=["age", "income"], broken=feed),
    )
    assert [changes[0][0] for changes in told] == [OPENED, CONTINUED, WORSENED]
    assert still_open[0].columns == ("e(age)", "schema", "e(income)")


@pytest.mark.parametrize(
    ("cause", "verdict", "more", "change"),
    [
        ("drift", UNDECIDED, FEW_ROWS, None),
        ("drift", UNDECIDED, NO_ROWS, None),
        ("drift", VIOLATED, {"failed": ["age"]}, None),
        ("drift", PASSED, {}, RESOLVED),
        ("drift", PASSED, {"columns": [BLIND]}, None),
        ("drift", PASSED, {"columns": [replace(BLIND, name="income")]}, RESOLVED),
        ("quality", UNDECIDED, FEW_ROWS, None),
        ("quality", DRIFTED, {}, RESOLVED),
        ("quality", PASSED, {}, RESOLVED),
        ("no_look", UNDECIDED, FEW_ROWS, None),
        ("no_look", VIOLATED, {"failed": ["age"]}, RESOLVED),
        ("no_look", DRIFTED, {}, RESOLVED),
        ("no_look", PASSED, {}, RESOLVED),
    ],
)
def test_an_episode_ends_only_where_its_cause_was_looked_for(
    cause: str, verdict: Verdict, more: dict[str, object], change: Change | None
) -> None:
    before = {
        "drift": check(0, DRIFTED),
        "quality": check(0, VIOLATED, failed=["age"]),
        "no_look": check(0, UNDECIDED, rows=0),
    }[cause]
    opened = advance([], before)[0].episode
    changes = advance([opened], check(1, verdict, **more))  # type: ignore[arg-type]
    found = [c.change for c in changes if c.episode.id == opened.id]
    assert found == ([change] if change else [])


def test_one_open_episode_a_cause() -> None:
    told, still_open = play(
        check(0, DRIFTED), check(1, VIOLATED, failed=["age"]), check(2, UNDECIDED, rows=0)
    )
    assert [c for changes in told for c in changes] == [
        (OPENED, Cause.DRIFT),
        (OPENED, Cause.QUALITY),
        (OPENED, Cause.NO_LOOK),
    ]
    assert {e.cause for e in still_open} == set(Cause)
    ended = advance(still_open, check(3, PASSED))
    assert [c.change for c in ended] == [RESOLVED] * 3


# --- Asking for a new model ---

AGE = RetrainPolicy(conditions=(episodes.column_drifted("age"),))


def asked(
    policy: RetrainPolicy,
    checks: Sequence[Check],
    *,
    first: Window | None = None,
    state: str = "delivered",
) -> list[str | None]:
    """The check that each request was made by, in order of the checks; None where none was."""
    known: dict[str, Episode] = {}
    last: RetrainRequest | None = None
    made: list[str | None] = []
    for number, one in enumerate(checks):
        changes = advance([e for e in known.values() if not e.resolved_by], one)
        request = retrain_request(
            policy, one, changes, recent=checks[:number][::-1], last=last, first=first
        )
        made.append(request.check if request else None)
        if request:
            last = replace(request, state=state)
            changes = episodes.with_request(changes, request)
        known.update({c.episode.id: c.episode for c in changes})
    return made


def days(*verdicts: Verdict) -> list[Check]:
    return [
        check(day, verdict, failed=["age"] if verdict is VIOLATED else ())
        for day, verdict in enumerate(verdicts)
    ]


def test_one_request_an_episode() -> None:
    assert asked(AGE, days(PASSED, DRIFTED, DRIFTED, DRIFTED)) == [None, "loans-1", None, None]


def test_two_windows_in_a_row_when_confirmed() -> None:
    twice = replace(AGE, confirm=2)
    assert asked(twice, days(DRIFTED, PASSED, DRIFTED, DRIFTED)) == [None, None, None, "loans-3"]
    assert asked(twice, days(DRIFTED)) == [None]
    assert asked(replace(AGE, confirm=3), days(DRIFTED, DRIFTED, DRIFTED))[2] == "loans-2"


def test_broken_data_never_asks_and_confirms_nothing() -> None:
    broken = check(1, VIOLATED, failed=["age"], columns=[column("age", 9.0)])
    assert asked(AGE, [broken]) == [None]
    checks = [check(0, DRIFTED), broken, check(2, DRIFTED), check(3, DRIFTED)]
    assert asked(replace(AGE, confirm=2), checks) == [None, None, None, "loans-3"]


def test_the_next_episode_waits_for_the_cooldown() -> None:
    verdicts = days(DRIFTED, PASSED, *[DRIFTED] * 8)
    made = asked(AGE, verdicts)
    assert [m for m in made if m] == ["loans-0", "loans-7"]
    eager = asked(replace(AGE, cooldown=timedelta(0)), verdicts)
    assert [m for m in eager if m] == ["loans-0", "loans-2"]


def test_the_same_episode_asks_again_when_it_worsened_after_the_cooldown() -> None:
    worse = [column("age", 50.0)]
    checks = [check(d, DRIFTED) for d in range(9)]
    checks[3] = check(3, DRIFTED, columns=worse)  # within the cooldown, and not forgotten
    assert [m for m in asked(AGE, checks) if m] == ["loans-0", "loans-7"]
    checks[3] = check(3, DRIFTED)
    checks[8] = check(8, DRIFTED, columns=worse)
    assert [m for m in asked(AGE, checks) if m] == ["loans-0", "loans-8"]


def test_a_refused_request_is_made_again_after_the_cooldown() -> None:
    made = asked(AGE, days(*[DRIFTED] * 10), state="refused")
    assert [m for m in made if m] == ["loans-0", "loans-7"]


def test_an_episode_that_just_resolved_asks_for_nothing() -> None:
    """The mean still moved, but within what is tolerated: there is no drift to mend."""
    policy = RetrainPolicy(conditions=(episodes.column_changed("age", "mean", by=1.0),))
    moved = column("age", 5.0, (40, 42)), column("age", 0.5, (40, 42))
    checks = [check(0, DRIFTED, columns=[column("age", 5.0)]), check(1, PASSED, columns=moved[1:])]
    assert asked(policy, checks) == [None, None]
    assert asked(policy, [check(0, DRIFTED, columns=moved[:1])]) == ["loans-0"]


def test_drift_in_another_column_asks_for_nothing() -> None:
    other = check(0, DRIFTED, columns=[column("income", 9.0)])
    assert asked(AGE, [other]) == [None]


def test_a_model_that_is_simply_old_is_asked_for() -> None:
    policy = RetrainPolicy(every=timedelta(days=3), cooldown=DAY)
    first = Window(START, START + DAY)
    made = asked(policy, days(*[PASSED] * 8), first=first)
    assert made == [None, None, "loans-2", None, None, "loans-5", None, None]
    assert asked(policy, days(*[PASSED] * 8)) == [None] * 8
    one = retrain_request(policy, check(2, PASSED), (), [], None, first)
    assert one is not None
    assert one.episode is None
    assert one.reasons == ("3 days since the last model (every 3 days asked for)",)
    assert retrain_request(policy, check(2, VIOLATED), (), [], None, first) is None


def test_a_request_says_why_and_is_the_same_when_made_again() -> None:
    policy = RetrainPolicy(
        conditions=(
            episodes.drifted_share(0.5),
            episodes.column_drifted("age"),
            episodes.column_drifted("income"),
            episodes.column_changed("age", "mean", by=2.0),
        )
    )
    columns = [column("age", 5.0, (40.0, 42.0)), column("income", 0.2)]
    one = check(3, DRIFTED, columns=columns)
    changes = advance([], one)
    first, second = (retrain_request(policy, one, changes, [], None) for _ in range(2))
    assert first == second
    assert first is not None
    assert first.episode == changes[0].episode.id
    assert (first.reference_version, first.window) == ("sha256:abc", one.window)
    assert first.requested_at == START + 4 * DAY
    assert first.reasons == (
        "1 of 2 columns drifted (at least 50% asked for)",
        "age drifted",
        "mean of age moved from 40 to 42 (by 2 asked for)",
    )


def test_a_person_may_ask_at_any_time() -> None:
    latest = check(0, PASSED)
    moment = START + timedelta(hours=7)
    request = episodes.request_by_hand("loans", "new features", moment, latest, "sha256:abc")
    assert request.reasons == ("by hand: new features",)
    assert (request.check, request.window, request.episode) == (latest.id, latest.window, None)
    later = episodes.request_by_hand("loans", "new features", moment + DAY, None, "sha256:abc")
    assert later.id != request.id
    assert (later.check, later.window) == (None, None)


def test_a_request_by_hand_starts_the_cooldown_too() -> None:
    by_hand = episodes.request_by_hand("loans", "why not", START, None, "sha256:abc")
    one = check(1, DRIFTED)
    assert retrain_request(AGE, one, advance([], one), [], by_hand) is None
    late = check(7, DRIFTED)
    assert retrain_request(AGE, late, advance([], late), [], by_hand) is not None
