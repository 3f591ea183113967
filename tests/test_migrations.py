"""Databases of every released schema, upgraded with rows in them; and older processes beside."""

import base64
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from making import a_check, a_message, a_reference, a_retrain, an_episode, day
from store_backends import Backend, new_postgresql_database
from test_ledger import a_silence, a_token

from monitor.archive import CheckLine, Outcome, Store
from monitor.core.records import Cause, Check
from monitor.stores import _sql_engine as engine
from monitor.stores import _sql_filling as filling

ROWS = Path(__file__).with_name("schemas") / "rows.json"  # as each version wrote them
REVISIONS = ["0001", "0002", "0003"]
Rows = dict[str, list[dict[str, Any]]]


@pytest.fixture(params=["sqlite", "postgresql"])
def backend(request: pytest.FixtureRequest, tmp_path: Path) -> Backend:
    if request.param == "sqlite":
        return Backend("sqlite", "sqlite:///monitor.db", tmp_path)
    socket = request.getfixturevalue("postgresql")
    return Backend("postgresql", new_postgresql_database(socket), tmp_path)


@contextmanager
def other_way_in(backend: Backend) -> Iterator[sa.Engine]:
    made = sa.create_engine(engine._address(backend.url, backend.root), poolclass=sa.NullPool)
    yield made
    made.dispose()


def at_revision(db: sa.Connection, revision: str) -> None:
    config = Config(attributes={"connection": db, "version_table": engine.VERSION_TABLE})
    config.set_main_option("script_location", str(engine.MIGRATIONS))
    command.upgrade(config, revision)


def rows_of(revision: str) -> Rows:
    """Everything that a process of that version may have written."""
    every = json.loads(ROWS.read_text(encoding="utf-8"))
    return {table: rows for r in REVISIONS if r <= revision for table, rows in every[r].items()}


def insert(db: sa.Connection, table: str, row: dict[str, Any]) -> None:
    """In plain SQL, as an older version with other ideas of its tables does it."""
    names = ", ".join(f'"{name}"' for name in row)
    values = ", ".join(f":{name}" for name in row)
    cells = {name: cell(value, db.dialect.name) for name, value in row.items()}
    db.execute(sa.text(f'INSERT INTO "{table}" ({names}) VALUES ({values})'), cells)


def cell(value: Any, dialect: str) -> Any:
    if not isinstance(value, dict):
        return value
    [(kind, told)] = value.items()
    if kind == "bytes":
        return base64.b64decode(told)
    if kind == "json":
        return json.dumps(told)
    return told if dialect == "sqlite" else datetime.fromisoformat(told).replace(tzinfo=UTC)


def a_line(number: int) -> CheckLine:
    check = a_check(f"c{number}", day(number))
    assert check.window is not None
    return CheckLine(
        id=check.id,
        monitor="loan",
        verdict=check.verdict,
        headline=check.headline,
        window=check.window,
        rows=120,
        reference=check.reference,
        report=f"c{number}.html",
        made_at=check.made_at,
        stored_at=datetime(2026, 3, 1, 13, tzinfo=UTC),
        revision=0,
        newest=check.sample.newest,
        took_s=sum(check.timings_s.values()),
        worst=max(column.strength for column in check.columns),
    )


def reads_everything(store: Store, revision: str) -> None:
    """What the fixture holds is what the store answers."""
    assert [s.check for s in store.newest_checks()] == [a_check("c1", day(1)), a_check()]
    assert store.lines() == [a_line(1), a_line(0)], "filled from the documents"
    assert [len(f) for f in store.findings(["c0", "c1"]).values()] == [5, 5]
    assert {e.cause for e in store.open_episodes()} == {Cause.DRIFT, Cause.QUALITY}
    assert store.get_episode("e0") == an_episode()
    [request] = store.newest_retrains()
    assert replace(request, state="", answered_at=None, answer="", model_version="") == a_retrain(
        state=""
    )
    assert [m.state for m in store.oldest_messages()] == ["sent", "pending"]
    assert store.current_reference("loan") == a_reference()
    assert (store.summaries("c0") == b"kept") == (revision >= "0002")
    if revision >= "0003":
        assert [e.id for e in store.audit()] == ["audit-3", "audit-2", "audit-1", "audit-0"]
        assert store.silences() == [a_silence()]
        assert store.find_token("t0") == a_token()
        assert [r.id for r in store.oldest_check_requests()] == ["w"]


def works(store: Store) -> None:
    """It goes on from there."""
    assert store.save(Outcome(a_check("c2", day(2)), summaries=b"more"))
    assert store.add_message(a_message("m9"))
    claimed = store.claim_message(day(5).start, 60)
    assert claimed is not None
    store.mark_sent(claimed.id, day(5).start, {})


@pytest.mark.parametrize("revision", REVISIONS)
def test_every_released_schema_is_brought_up_to_date(revision: str, backend: Backend) -> None:
    with other_way_in(backend) as other:
        with other.begin() as old:
            at_revision(old, revision)
            for table, rows in rows_of(revision).items():
                for row in rows:
                    insert(old, table, row)
        store = backend.open()
        try:
            reads_everything(store, revision)
            works(store)
        finally:
            store.close()
        with other.connect() as now:
            assert engine._version(now) == engine.HEAD


def test_an_older_process_keeps_working_beside_the_new_schema(backend: Backend) -> None:
    """It inserts without the columns it does not know, and updates what it does."""
    store = backend.open()
    with other_way_in(backend) as other:
        for table, rows in rows_of("0002").items():
            for row in rows:
                with other.begin() as old:
                    insert(old, table, row)
        with other.begin() as old:
            old.execute(sa.text("UPDATE outbox SET state = 'sent' WHERE id = 'm1'"))
            told = "UPDATE retrain_requests SET state = 'refused' WHERE id = 'r0'"
            old.execute(sa.text(told))
        with other.connect() as old:
            known = "id, monitor, verdict, headline, document, report, stored_at"
            assert len(old.execute(sa.text(f"SELECT {known} FROM checks")).all()) == 2
    assert [s.check for s in store.newest_checks()] == [a_check("c1", day(1)), a_check()]
    assert [line.rows for line in store.lines()] == [0, 0], "all that a list does not show of them"
    [request] = store.newest_retrains()
    assert (request.state, request.answer) == ("refused", "")
    assert {m.state for m in store.oldest_messages()} == {"sent"}
    works(store)
    store.close()


def test_old_checks_are_filled_in_while_others_write(
    backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between two steps an old process saves; who is stopped in the middle goes on later."""
    monkeypatch.setattr(filling, "_AT_ONCE", 1)
    with other_way_in(backend) as other:
        with other.begin() as old:
            at_revision(old, "0002")
            for table, rows in rows_of("0002").items():
                for row in rows:
                    insert(old, table, row)
        shown, calls = filling.shown_of, threading.Semaphore(1)

        def stopped(check: Check) -> dict[str, Any]:
            if not calls.acquire(blocking=False):
                raise KeyboardInterrupt
            return shown(check)

        monkeypatch.setattr(filling, "shown_of", stopped)
        with pytest.raises(KeyboardInterrupt):
            backend.open()
        with other.begin() as old:
            assert engine._version(old) == "0003"
            [late] = [r for r in rows_of("0001")["checks"] if r["id"] == "c1"]
            start = {"time": "2026-03-09 00:00:00.000000"}
            insert(old, "checks", {**late, "id": "late", "window_start": start})
        monkeypatch.setattr(filling, "shown_of", shown)
        store = backend.open()
        assert {line.rows for line in store.lines()} == {120}
        store.close()
