"""Databases of every released schema, upgraded with rows in them; older processes beside them; and
processes that upgrade one together, and die over it."""

import base64
import json
import random
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from killed_migrating import SIDES
from making import a_check, a_message, a_reference, a_retrain, an_episode, day
from store_backends import Backend, new_postgresql_database
from test_ledger import a_silence, a_token

from monitor.archive import CheckLine, Outcome, Store
from monitor.core.consequences import Cause
from monitor.core.records import Check
from monitor.stores import _sql_columns
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
        shown, calls = _sql_columns.shown_of, threading.Semaphore(1)

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


# --- Killed over it, and several at once ---

OPENED = 9  # checks, of which two are filled in at a time
A_FEW = 2  # of the commits; the slow test has them all


class Openers:
    """Other processes that open a store, one of which may be killed."""

    def __init__(self) -> None:
        command = [sys.executable, str(Path(__file__).with_name("killed_migrating.py"))]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def close(self) -> None:
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()

    def open(self, store: Backend, together: int = 1, at: int = 0, side: str = "before") -> int:
        """How many commits it took the first, when that lives."""
        assert self._process.stdin is not None and self._process.stdout is not None
        told = {"url": store.url, "root": str(store.root), "together": together}
        self._process.stdin.write(json.dumps({**told, "at": at, "side": side}) + "\n")
        self._process.stdin.flush()
        answer = json.loads(self._process.stdout.readline())
        first, *others = answer["ended"]
        # Of several, others may have left it nothing to commit.
        assert first == (-signal.SIGKILL if at else 0) or (others and first == 0)
        assert not any(others)
        return int(answer["commits"])


@pytest.fixture(scope="module")
def openers() -> Iterator[Openers]:
    made = Openers()
    yield made
    made.close()


def of_old(kind: str, folder: Path, socket: Path | None) -> Backend:
    """A database as an older version left it, with checks that are to be filled in."""
    folder.mkdir()
    url = "sqlite:///monitor.db" if socket is None else new_postgresql_database(socket)
    made = Backend(kind, url, folder)
    with other_way_in(made) as other, other.begin() as old:
        at_revision(old, "0002")
        for table, rows in rows_of("0002").items():
            for row in rows:
                insert(old, table, row)
        [one] = [r for r in rows_of("0001")["checks"] if r["id"] == "c1"]
        for number in range(OPENED - 2):
            start = {"time": f"2026-04-{number + 1:02} 00:00:00.000000"}
            insert(old, "checks", {**one, "id": f"n{number}", "window_start": start})
    return made


def all_rows(store: Backend) -> dict[str, list[Any]]:
    """Everything in the database."""
    with other_way_in(store) as other, other.connect() as db:
        every = sa.MetaData()
        every.reflect(db)
        return {
            name: sorted(map(repr, db.execute(sa.select(table)).all()))
            for name, table in every.tables.items()
        }


@pytest.fixture
def old_ones(
    backend: Backend, request: pytest.FixtureRequest, tmp_path: Path
) -> Callable[[], Backend]:
    """Makes databases of the kind, each like the other."""
    on_a_server = backend.name == "postgresql"
    socket = request.getfixturevalue("postgresql") if on_a_server else None
    names = count()
    return lambda: of_old(backend.name, tmp_path / f"old{next(names)}", socket)


def undisturbed(openers: Openers, store: Backend) -> tuple[dict[str, list[Any]], int]:
    """What is there in the end, and how many commits it takes."""
    commits = openers.open(store)
    right = all_rows(store)
    assert len(right["checks"]) == OPENED and len(right["column_results"]) == 2 * OPENED
    return right, commits


def dies(openers: Openers, store: Backend, right: Any, at: int, side: str, beside: int) -> None:
    """At one of the commits; whoever is beside it, or comes after it, does the rest."""
    openers.open(store, 1 + beside, at, side)
    if not beside:
        openers.open(store)
    assert all_rows(store) == right, (at, side)


def test_who_is_killed_over_a_new_schema_is_followed_by_another(
    openers: Openers, old_ones: Callable[[], Backend]
) -> None:
    right, commits = undisturbed(openers, old_ones())
    assert commits > 5
    points = [(at, side) for at in range(1, commits + 1) for side in SIDES]
    for at, side in random.Random(commits).sample(points, A_FEW):
        dies(openers, old_ones(), right, at, side, beside=0)


@pytest.mark.slow
@pytest.mark.parametrize("beside", [0, 2])
def test_killed_at_every_commit_of_it(
    openers: Openers, old_ones: Callable[[], Backend], beside: int
) -> None:
    right, commits = undisturbed(openers, old_ones())
    for at in range(1, commits + 1):
        for side in SIDES:
            dies(openers, old_ones(), right, at, side, beside)


def test_several_that_start_together_change_the_schema_once(
    openers: Openers, old_ones: Callable[[], Backend]
) -> None:
    """Also when one of them dies as soon as it may."""
    old = old_ones()
    right, _ = undisturbed(openers, old_ones())
    openers.open(old, together=3)
    assert all_rows(old) == right
    dies(openers, old_ones(), right, 1, "after", beside=2)
