"""Records as tests store and show them: a check that drifted, and all that may follow from it."""

from datetime import UTC, datetime, timedelta
from typing import Any

from monitor.archive import Outcome, Store
from monitor.core.columns import Kind
from monitor.core.consequences import Cause, Change, Episode, EpisodeChange, Message, RetrainRequest
from monitor.core.people import AuditEntry, Deed
from monitor.core.records import (
    Check,
    ColumnResult,
    DatasetResult,
    ExpectationReport,
    ExpectationResult,
    Finding,
    Notice,
    ReferenceInfo,
    SampleInfo,
    Severity,
    Shape,
    Verdict,
    Window,
)
from monitor.ledger import Act
from monitor.ports import StoredReference

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def minutes(count: float) -> timedelta:
    return timedelta(minutes=count)


def day(number: int) -> Window:
    start = datetime(2026, 3, 1, tzinfo=UTC) + timedelta(days=number)
    return Window(start, start + timedelta(days=1))


def a_finding(test: str = "psi", **values: Any) -> Finding:
    given = {"statistic": 0.3, "effect": 0.3, "p_value": 0.001, "p_tolerance": 0.004}
    return Finding(test, Verdict.DRIFTED, "0.3 is above 0.1", **(given | values))


def a_column(name: str = "age") -> ColumnResult:
    return ColumnResult(
        name,
        Kind.NUMBER,
        Verdict.DRIFTED,
        "older",
        missing_reference=0.0,
        missing_current=0.25,
        strength=3.0,
        findings=(a_finding("ks"), a_finding()),
        statistics={"mean": (41.0, 47.0), "sd": (10.0, None)},
        shape=Shape((0.5, 0.5), (0.25, 0.75), edges=(0.0, 1.0, 2.0)),
    )


def a_check(check_id: str = "c0", window: Window | None = None, monitor: str = "loan") -> Check:
    result = ExpectationResult(
        "expect_column_values_to_not_be_null", Severity.CRITICAL, False, "nulls", column="age"
    )
    return Check(
        id=check_id,
        verdict=Verdict.DRIFTED,
        headline="age drifted",
        columns=(a_column(), a_column("income")),
        dataset=DatasetResult(0.001, 2, 2, (a_finding("volume", statistic=None),)),
        sample=SampleInfo(100, 120, "reservoir", 7, newest=NOON),
        reference=ReferenceInfo("sha256:1", 5000),
        monitor=monitor,
        window=window or day(0),
        expectations=ExpectationReport((result,)),
        notices=(Notice("dtype_changed", "was integer", "age"),),
        timings_s={"sample": 0.1},
        made_at=NOON,
        setup={"alpha": 0.01, "tests": ["ks", "psi"]},
    )


def an_episode(episode_id: str = "e0", cause: Cause = Cause.DRIFT, **values: Any) -> Episode:
    given: dict[str, Any] = {
        "monitor": "loan",
        "opened_by": "c0",
        "opened_at": NOON,
        "headline": "age drifted",
    }
    given |= {"last_check": "c0", "worst": 3.0, "columns": ("age", "income")}
    return Episode(episode_id, cause=cause, **(given | values))


def opened(episode: Episode) -> EpisodeChange:
    return EpisodeChange(Change.OPENED, episode)


def a_message(message_id: str = "m0", **values: Any) -> Message:
    given: dict[str, Any] = {"channel": "console", "monitor": "loan", "kind": "episode.opened"}
    given |= {"payload": {"text": "age drifted"}, "created_at": NOON}
    return Message(message_id, **(given | values))


def a_retrain(request_id: str = "r0", **values: Any) -> RetrainRequest:
    given: dict[str, Any] = {
        "monitor": "loan",
        "check": "c0",
        "episode": "e0",
        "reasons": ("drifted_share",),
    }
    given |= {"reference_version": "sha256:1", "window": day(0), "requested_at": NOON}
    return RetrainRequest(request_id, **(given | values))


def a_reference(version: str = "sha256:1", **values: Any) -> StoredReference:
    given: dict[str, Any] = {"rows": 5000, "path": "r.parquet", "kinds": {"age": "number"}}
    given |= {"dtypes": {"age": "integer"}, "built_at": NOON, "origin": "built by hand"}
    return StoredReference("loan", version, **(given | values))


def save(store: Store, *checks: Check) -> None:
    assert all(store.save(Outcome(check)) for check in checks)


def ask(store: Store, request: RetrainRequest, message: Message) -> None:
    """As a person asks for a new model."""
    entry = AuditEntry(
        f"audit-{request.id}", NOON, "mia", "cli", Deed.RETRAIN_REQUESTED, request.id, "by hand"
    )
    store.act(Act(entry, retrain=request, messages=(message,)))
