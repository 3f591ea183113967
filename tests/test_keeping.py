"""What grows old, and what travels: retention, backup, restore, export of every kind of store."""

import base64
import json
import os
import stat
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from making import a_check, a_message, a_reference, an_episode, day, opened
from projects import write_project
from store_backends import Backend, new_postgresql_database
from test_ledger import a_silence, a_token, an_entry
from test_stores import everything

from monitor import serving
from monitor.archive import Outcome, Store
from monitor.configuration.keeping import RetentionSettings
from monitor.core.people import Answer, CheckRequest, Deed, Session
from monitor.errors import AskedWrongly
from monitor.exporting import export
from monitor.ledger import Act
from monitor.reports.folder import ReportFolder
from monitor.retention import KINDS, count_old, forget, too_old
from monitor.service import Service
from monitor.settings import load_settings
from monitor.stores import _sql_keeping
from monitor.tables.local_files import LocalPlace

FAR = datetime(2300, 1, 1, tzinfo=UTC)  # after everything a test stores, and after today
KINDS_OF_STORE = ["memory", "sqlite", "postgresql"]


@pytest.fixture(params=KINDS_OF_STORE)
def backend(request: pytest.FixtureRequest, tmp_path: Path) -> Backend:
    return backend_of(request.param, request, tmp_path)


def backend_of(kind: str, request: pytest.FixtureRequest, folder: Path) -> Backend:
    urls = {"memory": "memory://", "sqlite": f"sqlite:///{kind}.db"}
    url = urls.get(kind) or new_postgresql_database(request.getfixturevalue("postgresql"))
    return Backend(kind, url, folder)


@pytest.fixture
def store(backend: Backend) -> Iterator[Store]:
    store = backend.open()
    yield store
    store.close()


@pytest.fixture
def reports(tmp_path: Path) -> ReportFolder:
    return ReportFolder(LocalPlace(tmp_path / "reports"))


def windows_of(store: Store, count: int, reports: ReportFolder | None = None) -> None:
    for number in range(count):
        name = f"c{number}.html"
        if reports is not None:
            reports.write(name, "a page")
        check = a_check(f"c{number}", day(number))
        store.save(Outcome(check, report=name if reports else None, summaries=b"kept"))


# --- What is forgotten ---


def test_ages_are_read_as_people_write_them() -> None:
    settings = RetentionSettings.model_validate({"checks": "1y", "messages": "90d"})
    assert too_old(settings, FAR) == {
        "checks": FAR - timedelta(days=365),
        "messages": FAR - timedelta(days=90),
    }
    assert too_old(RetentionSettings(), FAR) == {}
    with pytest.raises(ValueError, match="is not a length of time"):
        RetentionSettings.model_validate({"checks": "0y"})


def test_everything_old_goes_but_what_is_needed(store: Store, reports: ReportFolder) -> None:
    windows_of(store, 6, reports)
    episode = an_episode(opened_by="c1", last_check="c2")
    store.save(Outcome(a_check("x", day(0), "other"), changes=(opened(episode),)))
    limits = dict.fromkeys(KINDS, FAR)
    assert count_old(store, {"checks": FAR}) == {"checks": 3}
    gone = forget(store, reports, limits)
    assert (gone["reports"], gone["checks"]) == (3, 3)
    assert [s.check.id for s in store.newest_checks("loan")] == ["c5", "c2", "c1"]
    assert [s.check.id for s in store.newest_checks("other")] == ["x"], "the newest of its monitor"
    assert store.last_window("loan") == day(5)
    left = {path.name for path in (reports.root.path).iterdir()}  # type: ignore[attr-defined]
    assert left == {"c1.html", "c2.html", "c5.html"}
    assert store.findings(["c0"]) == {"c0": []}
    assert count_old(store, limits) == dict.fromkeys(KINDS, 0)
    assert not any(forget(store, reports, limits).values())


def test_what_is_young_stays(store: Store, reports: ReportFolder) -> None:
    windows_of(store, 3, reports)
    limits = dict.fromkeys(KINDS, day(0).start)
    assert not any(forget(store, reports, limits).values())
    assert not any(forget(store, reports, dict.fromkeys(KINDS, day(2).start)).values()), (
        "windows of the past that were just made up for are not forgotten at once"
    )


def test_a_check_without_its_document_is_a_line(
    store: Store, reports: ReportFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_sql_keeping, "DOCUMENTS_KEPT", 2)
    windows_of(store, 4)
    before = store.lines("loan")
    assert forget(store, reports, {"documents": FAR})["documents"] == 2
    assert store.lines("loan") == before
    kept, bare = (s.check for s in store.newest_checks("loan")[1:3])
    assert kept == a_check("c2", day(2))
    assert (bare.id, bare.verdict, bare.headline) == ("c1", kept.verdict, kept.headline)
    assert bare.columns == () and bare.made_at == kept.made_at
    assert [n.kind for n in bare.notices] == ["document_gone"]
    assert len(store.findings(["c1"])["c1"]) == len(store.findings(["c2"])["c2"]) > 0
    assert forget(store, reports, {"documents": FAR})["documents"] == 0


def test_summaries_go_by_themselves(store: Store, reports: ReportFolder) -> None:
    windows_of(store, 3)
    assert forget(store, reports, {"summaries": FAR})["summaries"] == 2
    assert store.summaries("c0") is None and store.get_check("c0") is not None
    assert store.summaries("c2") is not None, "of the newest check"


def test_messages_that_wait_or_belong_to_an_open_episode_stay(
    store: Store, reports: ReportFolder
) -> None:
    store.save(Outcome(a_check(), changes=(opened(an_episode()),)))
    for message in (a_message("waits"), a_message("sent"), a_message("open", episode="e0")):
        store.add_message(message)
    for name in ("sent", "open"):
        store.mark_sent(name, day(1).start, {})
    store.add_message(a_message("failed"))
    store.mark_failed("failed", day(1).start, "gone")
    assert forget(store, reports, {"messages": FAR})["messages"] == 2
    assert {m.id for m in store.oldest_messages()} == {"waits", "open"}


def test_the_audit_log_goes_with_its_silences_and_requests(
    store: Store, reports: ReportFolder
) -> None:
    store.act(Act(an_entry(0), silence=a_silence()))
    wanted = CheckRequest("w", "loan", day(0), an_entry().at, "mia")
    store.act(Act(an_entry(1, Deed.CHECK_REQUESTED), wanted=wanted))
    assert forget(store, reports, {"audit": FAR})["audit"] == 3, "two entries and a silence"
    assert store.audit() == [] and store.silences() == []
    assert [r.id for r in store.oldest_check_requests()] == ["w"], "somebody waits for it"


def test_forgetting_stops_between_two_steps(store: Store, reports: ReportFolder) -> None:
    windows_of(store, 3, reports)
    assert not any(forget(store, reports, dict.fromkeys(KINDS, FAR), lambda: False).values())
    assert len(store.newest_checks("loan")) == 3


def test_a_sqlite_file_shrinks(tmp_path: Path, reports: ReportFolder) -> None:
    store = Backend("sqlite", "sqlite:///m.db", tmp_path).open()
    for number in range(30):
        store.save(Outcome(a_check(f"c{number}", day(number)), summaries=os.urandom(50_000)))
    forget(store, reports, {"summaries": FAR})
    store.close()
    assert (tmp_path / "m.db").stat().st_size < 30 * 50_000 / 2


# --- What travels ---


def fill(store: Store) -> None:
    """Something in every table."""
    store.save(everything())
    store.save(Outcome(a_check("c1", day(1)), report="c1.html", summaries=bytes(range(256))))
    store.add_reference(a_reference())
    store.mark_sent("m0", day(1).start, {"ts": "1"})
    answer = Answer("r0", "succeeded", day(2).start, "better", "v2")
    store.act(Act(an_entry(0, Deed.RETRAIN_ANSWERED), answer=answer))
    store.act(Act(an_entry(1, Deed.MUTED), silence=a_silence()))
    store.act(Act(an_entry(2, Deed.TOKEN_MADE), token=a_token()))
    wanted = CheckRequest("w", "loan", day(0), an_entry().at, "mia")
    store.act(Act(an_entry(3, Deed.CHECK_REQUESTED), wanted=wanted))
    store.add_session(Session("secret", "t0", day(0).start, FAR))
    store.claim_window("loan", day(3), "somebody", day(3).start, FAR)


def told(store: Store) -> list[object]:
    """What a store answers to everything that is asked of it."""
    return [
        [replace(s, stored_at=FAR) for s in store.newest_checks()],
        [store.summaries(f"c{n}") for n in (0, 1)],
        store.findings(["c0", "c1"]),
        store.newest_episodes(),
        store.newest_retrains(),
        store.oldest_messages(),
        store.list_references("loan"),
        store.audit(),
        store.silences(),
        store.oldest_check_requests(),
        store.list_tokens(),
        store.state("loan"),
    ]


@pytest.mark.parametrize("into", KINDS_OF_STORE[1:])
def test_a_backup_of_any_store_is_taken_over_by_any(
    into: str, store: Store, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    fill(store)
    file = tmp_path / "backup.db"
    rows = store.backup(file)
    (tmp_path / "other").mkdir()
    other = backend_of(into, request, tmp_path / "other").open()
    try:
        assert store.newest_checks() and not other.newest_checks()
        assert other.restore(file) == rows
        assert told(other) == told(store)
        assert other.find_session("secret") is None
        assert other.claimed_windows(day(3).start) == []
        assert other.add_message(a_message("later")), "new rows find a free place"
        assert [m.id for m in other.oldest_messages()][-1] == "later"
        with pytest.raises(AskedWrongly, match="is not empty"):
            other.restore(file)
    finally:
        other.close()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert {path.name for path in tmp_path.iterdir() if "backup" in path.name} == {"backup.db"}
    assert b"secret" not in file.read_bytes(), "sessions stay where they are"
    with pytest.raises(AskedWrongly, match="exists already"):
        store.backup(file)


def test_a_backup_is_of_one_moment_while_others_write(backend: Backend, tmp_path: Path) -> None:
    """Every check comes with its message: a backup must never hold one without the other."""
    if backend.name == "memory":
        pytest.skip("one process has it")
    writer, stop = backend.open(), threading.Event()

    def write() -> None:
        number = 0
        while not stop.is_set():
            outcome = Outcome(
                a_check(f"c{number}", day(number)), messages=(a_message(f"m{number}"),)
            )
            writer.save(outcome)
            number += 1

    thread = threading.Thread(target=write)
    thread.start()
    reader = backend.open()
    try:
        counts = [reader.backup(tmp_path / f"{n}.db") for n in range(3)]
    finally:
        stop.set()
        thread.join()
        reader.close()
        writer.close()
    assert all(count["checks"] == count["outbox"] for count in counts)
    assert counts[-1]["checks"] > counts[0]["checks"]


def test_what_is_no_backup_is_refused(store: Store, tmp_path: Path) -> None:
    for content in (b"", b"hello", b"SQLite format 3\0" + bytes(100)):
        file = tmp_path / "x"
        file.write_bytes(content)
        with pytest.raises(AskedWrongly, match="is no backup"):
            store.restore(file)
    assert store.newest_checks() == []
    assert store.audit() == []


def test_a_backup_that_fails_leaves_nothing(store: Store, tmp_path: Path) -> None:
    with pytest.raises(AskedWrongly, match="cannot be written"):
        store.backup(tmp_path / "nowhere" / "b.db")
    assert not (tmp_path / "nowhere").exists()


@pytest.mark.parametrize("parquet", [False, True])
def test_an_export_holds_everything_but_secrets(
    parquet: bool, store: Store, tmp_path: Path
) -> None:
    fill(store)
    folder = tmp_path / "export"
    counts = export(store, folder, parquet=parquet, made_at=FAR)
    listing = json.loads((folder / "export.json").read_text())["tables"]
    assert {name: table["rows"] for name, table in listing.items()} == counts
    assert min(counts[name] for name in listing if name != "acknowledgements") > 0
    assert {"sessions", "claims", "replicas", "answers"} & set(listing) == set()
    assert "digest" not in listing["tokens"]["columns"]
    for name, table in listing.items():
        file = folder / table["file"]
        if parquet:
            rows = pq.read_table(file).to_pylist()
        else:
            rows = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
        assert len(rows) == counts[name]
        assert all(list(row) == list(table["columns"]) for row in rows)
        if name == "window_summaries":
            kept = {r["check_id"]: r["content"] for r in rows}["c1"]
            assert (kept if parquet else base64.b64decode(kept)) == bytes(range(256))
        if name == "checks":
            document = rows[0]["document"]
            assert (json.loads(document) if parquet else document)["headline"] == "age drifted"
    with pytest.raises(AskedWrongly, match="is there already"):
        export(store, folder, parquet=parquet, made_at=FAR)


# --- Once a day, by one of the processes ---


def test_one_of_two_services_forgets_a_day(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serving, "FIRST_FORGETS_S", 0.05)
    config = write_project(tmp_path / "project", suite=False)
    config.write_text(config.read_text() + "retention: {checks: 1d}\n")
    services = [Service(load_settings(config), clock=lambda: FAR) for _ in range(2)]
    forgot: list[int] = []
    for number, service in enumerate(services):

        def forget(_: object, number: int = number) -> dict[str, int]:
            forgot.append(number)
            return {}

        monkeypatch.setattr(service, "forget", forget)
    with (
        serving._forgetting(services[0], services[0].claimant),
        serving._forgetting(services[1], services[1].claimant),
    ):
        deadline = time.monotonic() + 20
        while not forgot and time.monotonic() < deadline:
            time.sleep(0.05)
        time.sleep(0.5)
    assert len(forgot) == 1
    for service in services:
        service.close()
