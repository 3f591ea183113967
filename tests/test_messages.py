"""Changes of episodes become messages: one per change and channel, small, safe and stable."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from monitor.core.columns import Kind
from monitor.core.consequences import Cause, Change, Episode, EpisodeChange, Message, RetrainRequest
from monitor.core.messages import alerts, happened, retrain_message
from monitor.core.payloads import cause_lines, rows_text, window_text
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
    Shape,
    Verdict,
    Window,
)
from monitor.core.routing import everybody

DAY = datetime(2019, 3, 31, tzinfo=UTC)
WINDOW = Window(DAY, DAY + timedelta(days=1))
HEADLINE = "Drifted: `car_value` is 62 % higher than in training (mean 30.1 k → 48.6 k)"
NOW = datetime(2019, 4, 1, 1, tzinfo=UTC)


def column(name: str, effect: float = 1.81, **changes: Any) -> ColumnResult:
    finding = Finding("psi", Verdict.DRIFTED, "", statistic=effect, effect=effect, tolerance=0.1)
    drifted = ColumnResult(
        name=name,
        kind=Kind.NUMBER,
        verdict=Verdict.DRIFTED,
        reason="",
        strength=effect / 0.1,
        findings=(finding,),
        statistics={"mean": (30123.4, 48611.0)},
    )
    return replace(drifted, **changes)


def check(*columns: ColumnResult, **changes: Any) -> Check:
    made = Check(
        id="check-1",
        verdict=Verdict.DRIFTED,
        headline=HEADLINE,
        columns=columns or (column("car_value"),),
        dataset=DatasetResult(p_value=0.0, drifted_columns=1, columns=9),
        sample=SampleInfo(10000, 10000, "all"),
        reference=ReferenceInfo("sha256:ab", 50000),
        monitor="car_loan",
        window=WINDOW,
    )
    return replace(made, **changes)


def change(what: Change = Change.OPENED, cause: Cause = Cause.DRIFT, **more: Any) -> EpisodeChange:
    episode = Episode("e1", "car_loan", cause, "check-1", DAY, HEADLINE, "check-1", told=True)
    return EpisodeChange(what, replace(episode, **more))


def told(made: Check, *changes: EpisodeChange, **options: Any) -> tuple[Message, ...]:
    given: dict[str, Any] = {
        "routing": everybody("slack"),
        "heard": lambda _: ("console", "slack", "webhook"),
        "report_url": "https://m.example/r/1",
        "check_url": "https://m.example/c/1",
        "created_at": NOW,
    }
    return alerts(made, changes, **given | options)


def payload(made: Check, moved: EpisodeChange, **options: Any) -> Any:
    (message,) = told(made, moved, **options)
    return message.payload


# --- One message per alerting change and channel ---


def test_every_alerting_change_is_told_on_every_channel() -> None:
    moves = [change(what) for what in Change]
    messages = told(check(), *moves, routing=everybody("console", "slack"))
    assert [(m.kind, m.channel) for m in messages] == [
        (f"episode.{what}", channel)
        for what in ("opened", "worsened", "resolved")
        for channel in ("console", "slack")
    ]
    assert {m.episode for m in messages} == {"e1"}
    assert all(m.created_at == NOW and m.monitor == "car_loan" for m in messages)


def test_ids_are_stable_and_differ_by_what_they_are_about() -> None:
    moves = (change(Change.OPENED), change(Change.WORSENED), change(Change.OPENED, id="e2"))
    first = told(check(), *moves, routing=everybody("slack", "webhook"))
    again = told(
        check(), *moves, routing=everybody("slack", "webhook"), created_at=NOW + timedelta(1)
    )
    other = told(check(id="check-2"), *moves, routing=everybody("slack", "webhook"))
    assert [m.id for m in first] == [m.id for m in again]
    assert len({m.id for m in (*first, *other)}) == 12


def test_the_payload_is_plain_versioned_json() -> None:
    content = payload(check(), change())
    assert json.loads(json.dumps(content, allow_nan=False)) == content
    assert content == {
        "schema": 1,
        "event": "episode.opened",
        "monitor": "car_loan",
        "cause": "drift",
        "headline": HEADLINE,
        "verdict": "drifted",
        "level": "warning",
        "causes": [{"name": "car_value", "text": "PSI 1.81 (tolerance 0.1), mean 30.1 k → 48.6 k"}],
        "more_causes": 0,
        "failed_expectations": [],
        "more_failed_expectations": 0,
        "rows": {"reference": 50000, "current": 10000},
        "window": {"start": "2019-03-31T00:00:00+00:00", "end": "2019-04-01T00:00:00+00:00"},
        "check_id": "check-1",
        "episode_id": "e1",
        "opened_at": "2019-03-31T00:00:00+00:00",
        "resolved_at": None,
        "check_url": "https://m.example/c/1",
        "report_url": "https://m.example/r/1",
    }


# --- Causes ---


def test_three_causes_the_most_telling_first_and_how_many_more() -> None:
    made = check(*(column(f"c{n}", effect=n / 10 + 0.2) for n in range(5)))
    content = payload(made, change())
    assert [cause["name"] for cause in content["causes"]] == ["c4", "c3", "c2"]
    assert content["more_causes"] == 2
    assert cause_lines(content)[-1] == ("", "2 more causes")


def test_the_strongest_deciding_finding_speaks_for_its_column() -> None:
    findings = (
        Finding("ks", Verdict.PASSED, "", effect=0.9, tolerance=0.1),
        Finding("lost_levels", Verdict.DRIFTED, "", effect=9.0, tolerance=0.1, decides=False),
        Finding("psi", Verdict.DRIFTED, "", effect=0.3, tolerance=0.1),
        Finding("missing_share", Verdict.DRIFTED, "", effect=0.48, tolerance=0.05),
    )
    made = column("age", findings=findings, missing_reference=0.02, missing_current=0.5)
    (cause,) = payload(check(made), change())["causes"]
    assert cause["text"] == (
        "missing share 0.48 (tolerance 0.05), mean 30.1 k → 48.6 k, missing 2 % → 50 %"
    )


@pytest.mark.parametrize(
    ("finding", "text"),
    [
        (
            Finding("psi", Verdict.DRIFTED, "", statistic=0.31, threshold=0.2),
            "PSI 0.31 (threshold 0.2)",
        ),
        (Finding("ks", Verdict.DRIFTED, "", statistic=0.12), "KS 0.12"),
        (Finding("came_alive", Verdict.DRIFTED, ""), "came alive"),
    ],
)
def test_findings_of_other_rules(finding: Finding, text: str) -> None:
    made = column("age", findings=(finding,), statistics={"mean": (None, 3.0)})
    assert payload(check(made), change())["causes"][0]["text"] == text


def test_levels_are_named_unless_values_may_never_be_shown() -> None:
    shape = Shape((1.0,), (1.0,), new_levels=("EU", "XX", "A", "B"), lost_levels=("Old",))
    made = check(column("region", shape=shape, statistics={}))
    shown = payload(made, change())["causes"][0]["text"]
    assert shown == "PSI 1.81 (tolerance 0.1), new 'EU', 'XX', 'A' and 1 more, gone 'Old'"
    (hidden,) = told(made, change(), show_values="never")
    assert not any(level in json.dumps(hidden.payload) for level in ("EU", "XX", "Old"))


def expectation(kind: str, success: bool | None, severity: Severity) -> ExpectationResult:
    return ExpectationResult(kind, severity, success, f"why {kind}", column="age")


def test_broken_data_tells_failed_expectations_and_findings_of_the_whole_window() -> None:
    report = ExpectationReport(
        (
            expectation("b_warning", False, Severity.WARNING),
            expectation("fine", True, Severity.CRITICAL),
            expectation("a_critical", False, Severity.CRITICAL),
        )
    )
    stale = Finding(
        "freshness", Verdict.VIOLATED, "the newest row is 5 h old, at most 2 h are allowed"
    )
    made = check(
        column("car_value"),
        verdict=Verdict.VIOLATED,
        expectations=report,
        dataset=DatasetResult(None, 0, 2, (stale,)),
    )
    content = payload(made, change(cause=Cause.QUALITY))
    assert cause_lines(content) == [
        ("freshness", stale.reason),
        ("age: a_critical", "why a_critical"),
        ("age: b_warning", "why b_warning"),
    ]


def test_no_look_tells_what_could_not_be_evaluated() -> None:
    made = check(
        verdict=Verdict.UNDECIDED,
        headline="Undecided: no rows",
        window=None,
        reference=None,
        dataset=DatasetResult(None, 0, 0, (Finding("volume", Verdict.UNDECIDED, "no rows"),)),
        expectations=ExpectationReport((expectation("broken", None, Severity.INFO),)),
    )
    content = payload(made, change(cause=Cause.NO_LOOK))
    assert cause_lines(content) == [("volume", "no rows"), ("age: broken", "why broken")]
    assert (window_text(content), rows_text(content)) == ("", "10\u202f000 rows")


# --- Sentences ---


def test_all_of_a_message_is_of_one_window() -> None:
    """The headline is that of the check whose causes, rows and window stand beneath it."""
    now = check(id="check-9", headline="Drifted: `age` too")
    for what in (Change.OPENED, Change.WORSENED):
        content = payload(now, change(what))
        assert (content["check_id"], content["opened_at"]) == ("check-9", DAY.isoformat())
        assert content["headline"].startswith("Drifted: `age` too")
    assert content["headline"] == "Drifted: `age` too"


def test_what_people_hear_of_late_says_since_when_it_is_open() -> None:
    late = payload(check(id="check-9", headline="Drifted: " + "`age` " * 200), change())
    assert late["headline"].endswith(" (open since 2019-03-31 00:00 UTC)")
    assert len(late["headline"]) <= 600
    assert payload(check(), change())["headline"] == HEADLINE


def test_resolved_says_what_is_over_and_since_when_it_was_open() -> None:
    end = change(
        Change.RESOLVED, columns=("car_value", "age", "debt", "region"), resolved_at=WINDOW.end
    )
    content = payload(check(verdict=Verdict.PASSED), end)
    assert content["headline"] == (
        "Resolved: drift (car_value, age, debt and 1 more), "
        "open since 2019-03-31 00:00 UTC, is over"
    )
    assert (content["causes"], content["resolved_at"]) == ([], "2019-04-01T00:00:00+00:00")


def test_hostile_names_become_one_short_printable_line() -> None:
    evil = "a\x1b[2J\n\u202eb" + "x" * 500
    content = payload(check(column(evil)), change(headline=evil * 9))
    name = content["causes"][0]["name"]
    assert name.isprintable() and len(name) <= 120 and name.startswith("a [2J b")
    assert content["headline"].isprintable() and len(content["headline"]) <= 600


# --- Words ---


@pytest.mark.parametrize(
    ("cause", "kinds", "told"),
    [
        ("drift", ["opened", "worsened"], "drift opened, then worsened"),
        ("quality", ["opened", "resolved"], "broken data found, then resolved"),
        ("quality", ["worsened"], "broken data worsened"),
        ("no_look", ["worsened", "resolved"],
         "still nothing to look at, then something to look at again"),
        ("no_look", ["acknowledged"], "nothing to look at, acknowledged"),
    ],
)  # fmt: skip
def test_what_became_of_an_episode_reads_as_one_phrase(
    cause: str, kinds: list[str], told: str
) -> None:
    assert happened(cause, [f"episode.{kind}" for kind in kinds]) == told


@pytest.mark.parametrize("name", ["\x07", "\u202e", "\u200b\x1b"])
def test_a_level_that_nobody_can_print_is_named_for_what_it_is(name: str) -> None:
    shape = Shape((1.0,), (1.0,), new_levels=(name, " north"))
    told = payload(check(column("a", shape=shape)), change())["causes"][0]["text"]
    assert told.endswith("new unprintable text, ' north'")


def test_words_of_rows_and_windows() -> None:
    content = payload(check(), change())
    assert rows_text(content) == "10\u202f000 rows against 50\u202f000"
    assert window_text(content) == "2019-03-31 00:00 to 2019-04-01 00:00 UTC"


# --- Retraining ---


def test_the_retrain_payload_is_the_contract() -> None:
    request = RetrainRequest(
        "r1", "car_loan", "check-1", "e1", ("4 of 9 columns drifted",), "sha256:ab", WINDOW, NOW
    )
    message = retrain_message(
        request, report_url="https://R", check_url="C", created_at=request.requested_at
    )
    assert (message.id, message.channel, message.kind) == ("r1", "retrain", "retrain.requested")
    assert (message.episode, message.created_at) == ("e1", NOW)
    assert message.payload == {
        "event": "retrain.requested",
        "request_id": "r1",
        "monitor": "car_loan",
        "reference_version": "sha256:ab",
        "window": {"start": "2019-03-31T00:00:00+00:00", "end": "2019-04-01T00:00:00+00:00"},
        "reasons": ["4 of 9 columns drifted"],
        "check_url": "C",
        "report_url": "https://R",
    }
    late = retrain_message(request, report_url="", check_url="", created_at=WINDOW.end)
    assert (late.id, late.created_at) == ("r1", WINDOW.end)
    unwindowed = replace(request, window=None)
    by_hand = retrain_message(unwindowed, report_url="", check_url="", created_at=NOW)
    assert by_hand.payload["window"] is None


def test_a_path_of_this_machine_goes_no_further_than_its_console() -> None:
    request = RetrainRequest("r1", "car_loan", None, None, ("by hand",), "", None, NOW)
    message = retrain_message(
        request, report_url="/srv/reports/r.html", check_url="", created_at=NOW
    )
    assert message.payload["report_url"] == ""
