"""A store with very many monitors and checks, written in bulk, for tests of speed and of looks."""

import random
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa

from monitor.core.columns import Kind
from monitor.core.consequences import Cause, Episode, Message, RetrainRequest
from monitor.core.people import Acknowledgement, AuditEntry, Deed, Silence, SilenceKind
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
from monitor.core.wire import check_to_json
from monitor.due import MonitorStatus
from monitor.ports import StoredReference
from monitor.stores import _sql_ledger_tables as ledger
from monitor.stores import _sql_tables as tables
from monitor.stores._sql_columns import column_rows
from monitor.stores._sql_rows import row_of
from monitor.stores.sql import SqlStore

DAY = timedelta(days=1)
NOW = datetime(2026, 6, 1, 7, 20, tzinfo=UTC)
COLUMNS = (
    "car_value",
    "age",
    "region",
    "employment",
    "income",
    "debt",
    "loan_amount",
    "repayment_months",
    "probability",
    "channel",
)
_MODELS = ("fraud", "churn", "car_loan", "pricing", "ranking", "returns", "demand", "credit")
_PLACES = ("eu", "us", "uk", "de", "fr", "jp", "br", "in")
_FOLLOWS_S = 600  # a check is stored so long after its window


def name_of(number: int) -> str:
    return f"{_MODELS[number % 8]}_{_PLACES[number // 8 % 8]}_{number:03}"


def fill(store: SqlStore, monitors: int, checks: int) -> None:
    """`monitors` with `checks` daily windows each, up to the day before NOW."""
    first = NOW.replace(hour=0, minute=0) - checks * DAY
    with store._database.writing() as db:
        for number in range(monitors):
            _fill_monitor(
                db, number, [Window(first + n * DAY, first + (n + 1) * DAY) for n in range(checks)]
            )


def statuses(store: SqlStore) -> list[MonitorStatus]:
    """As a scheduler tells them: one is stuck, one runs, some wait."""
    found = []
    for number, (name, last) in enumerate(sorted(store.last_windows().items())):
        status = MonitorStatus(name, UTC, last, 0, NOW + timedelta(minutes=5 + number % 55))
        if number % 211 == 7:
            status = replace(status, error="the folder data/ is away (is the disk mounted?)", lag=3)
        if number % 307 == 2:
            status = replace(status, running=last)
        found.append(status)
    return found


def _fill_monitor(db: sa.Connection, number: int, windows: list[Window]) -> None:
    rng, name = random.Random(number), name_of(number)
    ill = number % 12 == 5  # drifts for the last days
    broken = number % 97 == 3
    made = [
        _check(
            rng,
            name,
            n,
            w,
            drift=(ill and n >= len(windows) - 9) or (number % 12 == 6 and 40 <= n < 46),
            broken=broken and n >= len(windows) - 2,
            moved=number % 5 == 0 and n >= 70,
        )
        for n, w in enumerate(windows)
    ]
    db.execute(sa.insert(tables.checks), [_row(c) for c in made])
    db.execute(sa.insert(tables.column_results), [row for c in made for row in column_rows(c)])
    db.execute(sa.insert(tables.findings), [row for c in made for row in _findings(c)])
    db.execute(sa.insert(tables.expectation_results), [_expectation(c) for c in made])
    references = (
        ("sha256:9f31c07ad2b5", windows[0].start),
        ("sha256:5be0c4a90112", NOW - 30 * DAY),
    )
    for rank, (version, built) in enumerate(references, start=1):
        known = StoredReference(
            name,
            version,
            50_000,
            f"reference_data/{name}.parquet",
            {},
            {},
            built,
            "built from a file",
        )
        db.execute(
            sa.insert(tables.references),
            row_of(known, tables.references) | {"rank": rank},
        )
    for episode in _episodes(name, made):
        _fill_episode(db, episode, number)


def _fill_episode(db: sa.Connection, episode: Episode, number: int) -> None:
    db.execute(sa.insert(tables.episodes), row_of(episode, tables.episodes))
    at = episode.opened_at + DAY + timedelta(minutes=11)
    message = Message(
        f"m-{episode.id}",
        "slack",
        episode.monitor,
        "episode.opened",
        {"headline": episode.headline, "check_id": episode.opened_by},
        at,
        episode.id,
        "sent",
        1,
        sent_at=at + timedelta(seconds=3),
    )
    worse = replace(
        message,
        id=f"w-{episode.id}",
        kind="episode.worsened",
        created_at=at + 2 * DAY,
        sent_at=at + 2 * DAY,
    )
    failed = replace(
        message,
        id=f"f-{episode.id}",
        channel="webhook",
        state="failed",
        sent_at=None,
        attempts=9,
        error="HTTP 410 Gone",
    )
    for one in (message, worse, failed)[: 2 + (number % 36 == 5)]:
        db.execute(sa.insert(tables.outbox), row_of(one, tables.outbox))
    if episode.resolved_at is None and number % 24 == 5:
        given = Acknowledgement(episode.id, at + DAY, "mia", "the new price list of May")
        db.execute(sa.insert(ledger.acknowledgements), row_of(given, ledger.acknowledgements))
        entry = AuditEntry(
            f"a-{episode.id}",
            at + DAY,
            "mia",
            "page",
            Deed.ACKNOWLEDGED,
            episode.id,
            given.why,
            episode.monitor,
        )
        db.execute(sa.insert(ledger.audit), row_of(entry, ledger.audit))
        silence = Silence(
            f"s-{episode.id}",
            SilenceKind.MUTE,
            at + DAY,
            NOW + DAY,
            "mia",
            given.why,
            episode.monitor,
        )
        db.execute(sa.insert(ledger.silences), row_of(silence, ledger.silences))
    if number % 24 == 17:
        asked = RetrainRequest(
            f"r-{episode.id}",
            episode.monitor,
            episode.last_check,
            episode.id,
            ("4 of 10 columns drifted (at least 30% asked for)",),
            "sha256:5be0",
            None,
            at + 3 * DAY,
            "accepted",
            at + 3 * DAY + timedelta(hours=1),
            "queued as job 81",
        )
        db.execute(sa.insert(tables.retrain_requests), row_of(asked, tables.retrain_requests))


def _check(
    rng: random.Random, name: str, n: int, window: Window, *, drift: bool, broken: bool, moved: bool
) -> Check:
    verdict = Verdict.VIOLATED if broken else Verdict.DRIFTED if drift else Verdict.PASSED
    if not broken and not drift and rng.random() < 0.02:
        verdict = Verdict.UNDECIDED
    columns = tuple(
        _column(rng, column, drift and place < 4) for place, column in enumerate(COLUMNS)
    )
    rows = (
        40
        if verdict is Verdict.UNDECIDED
        else int(rng.gauss(12_000, 900) * (0.7 if n % 7 > 4 else 1))
    )
    newest = window.end - timedelta(minutes=rng.uniform(1, 40) + (600 if broken else 0))
    age = (window.end - newest) / timedelta(hours=1)
    promised = Finding("freshness", Verdict.PASSED, "", statistic=age, effect=age, threshold=6.0)
    failed = ExpectationResult(
        "expect_column_values_to_not_be_null",
        Severity.CRITICAL,
        not broken,
        "12 rows are missing",
        column="age",
    )
    return Check(
        id=f"{name}-{window.start:%Y%m%d}",
        verdict=verdict,
        headline=_HEADLINES[verdict],
        columns=columns,
        dataset=DatasetResult(0.4, 4 if drift else 0, len(columns), (promised,)),
        sample=SampleInfo(rows, rows, "all", newest=newest),
        reference=ReferenceInfo("sha256:5be0c4a90112" if moved else "sha256:9f31c07ad2b5", 50_000),
        monitor=name,
        window=window,
        expectations=ExpectationReport((failed,)),
        made_at=window.end + timedelta(minutes=10),
    )


_HEADLINES = {
    Verdict.PASSED: "Passed: 10 of 10 columns are as in training",
    Verdict.DRIFTED: "Drifted: `car_value` is 62 % higher than in training (mean 30.1 k → 48.6 k), "
    "and 3 of 10 columns moved with it",
    Verdict.VIOLATED: "Violated: `age`: 12 rows are missing",
    Verdict.UNDECIDED: "Undecided: 40 rows are too few to tell",
}


def _column(rng: random.Random, name: str, drifted: bool) -> ColumnResult:
    effect = rng.uniform(0.2, 1.9) if drifted else abs(rng.gauss(0.02, 0.015))
    verdict = Verdict.DRIFTED if drifted else Verdict.PASSED
    finding = Finding(
        "psi",
        verdict,
        f"PSI {effect:.2f}",
        effect,
        effect,
        threshold=0.12,
        tolerance=0.1,
        p_value=0.001 if drifted else 0.4,
        p_tolerance=0.0 if drifted else 1.0,
    )
    missing = rng.uniform(0.08, 0.14) if drifted else rng.uniform(0, 0.02)
    return ColumnResult(
        name,
        Kind.NUMBER,
        verdict,
        finding.reason,
        missing_reference=0.01,
        missing_current=missing,
        strength=effect / 0.1,
        findings=(finding,),
    )


def _row(check: Check) -> dict[str, Any]:
    assert check.window is not None and check.reference is not None
    return row_of(check, tables.checks) | {
        "revision": 0,
        "document": _document(check),
        "report": None,
        "stored_at": check.window.end + timedelta(seconds=_FOLLOWS_S),
        "rows_in_window": check.sample.rows_in_window,
        "reference_version": check.reference.version,
        "reference_rows": check.reference.rows,
        "newest": check.sample.newest,
    }


_documents: dict[Verdict, dict[str, Any]] = {}


def _document(check: Check) -> dict[str, Any]:
    """That of the first check with its verdict, under its own name: to write each takes too long.
    A check that passed keeps two columns, so that a crowd has room on a disk."""
    assert check.window is not None
    if check.verdict not in _documents:
        whole = check.verdict is not Verdict.PASSED
        told = check if whole else replace(check, columns=check.columns[:2])
        _documents[check.verdict] = check_to_json(told)
    window = {"start": check.window.start.isoformat(), "end": check.window.end.isoformat()}
    return {**_documents[check.verdict], "id": check.id, "monitor": check.monitor, "window": window}


def _findings(check: Check) -> Iterator[dict[str, Any]]:
    found = [(None, f) for f in check.dataset.findings]
    for place, (column, finding) in enumerate(
        [*found, *((c.name, f) for c in check.columns for f in c.findings)]
    ):
        yield row_of(finding, tables.findings) | {
            "check_id": check.id,
            "position": place,
            "column": column,
        }


def _expectation(check: Check) -> dict[str, Any]:
    assert check.expectations is not None
    return row_of(check.expectations.results[0], tables.expectation_results) | {
        "check_id": check.id,
        "position": 0,
    }


def _episodes(name: str, made: list[Check]) -> Iterator[Episode]:
    """One for every run of breaches."""
    for cause, verdict in ((Cause.DRIFT, Verdict.DRIFTED), (Cause.QUALITY, Verdict.VIOLATED)):
        run: list[Check] = []
        for check in [*made, None]:
            if check is not None and check.verdict is verdict:
                run.append(check)
            elif run:
                yield _episode(name, cause, run, check)
                run = []


def _episode(name: str, cause: Cause, run: list[Check], after: Check | None) -> Episode:
    assert run[0].window is not None
    columns = COLUMNS[:4] if cause is Cause.DRIFT else ("expect_column_values_to_not_be_null(age)",)
    ends: dict[str, Any] = (
        {"resolved_by": after.id, "resolved_at": after.window.start}
        if after and after.window
        else {}
    )
    return Episode(
        f"e-{run[0].id}",
        name,
        cause,
        run[0].id,
        run[0].window.start,
        run[0].headline,
        run[-1].id,
        worst=18.2,
        columns=columns,
        breaches=len(run),
        told=True,
        **ends,
    )
