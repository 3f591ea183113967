"""What every store promises, put to memory, a SQLite file and a PostgreSQL server alike."""

import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from making import (
    NOON,
    a_check,
    a_column,
    a_message,
    a_reference,
    a_retrain,
    an_episode,
    ask,
    day,
    minutes,
    opened,
    save,
)
from store_backends import Backend, new_postgresql_database

from monitor import wiring
from monitor.archive import Outcome, Store
from monitor.core.consequences import Cause, Change, EpisodeChange
from monitor.core.records import Window
from monitor.errors import ConfigError, StoreConflict, StoreUnavailable
from monitor.stores import _sql_checks, _sql_columns, sql
from monitor.stores import _sql_engine as engine
from monitor.stores import _sql_tables as tables

ROOT = Path(__file__).resolve().parent.parent
SQL = ["sqlite", "postgresql"]


# --- Databases ---


@pytest.fixture(params=["memory", *SQL])
def backend(request: pytest.FixtureRequest, tmp_path: Path) -> Backend:
    if request.param == "memory":
        return Backend("memory", "memory://", tmp_path)
    if request.param == "sqlite":
        return Backend("sqlite", "sqlite:///monitor.db", tmp_path)
    socket = request.getfixturevalue("postgresql")
    return Backend("postgresql", new_postgresql_database(socket), tmp_path)


only_sql = pytest.mark.parametrize("backend", SQL, indirect=True)
only_sqlite = pytest.mark.parametrize("backend", ["sqlite"], indirect=True)


@pytest.fixture
def store(backend: Backend) -> Iterator[Store]:
    store = backend.open()
    yield store
    store.close()


@pytest.fixture
def database(backend: Backend, store: Store) -> Iterator[sa.Connection]:
    """A second way into the database of `store`, to see what really lies there."""
    address = engine._address(backend.url, backend.root)
    other = sa.create_engine(address, poolclass=sa.NullPool)
    with other.connect() as connection:
        yield connection


# --- Checks ---


def test_a_check_comes_back_as_it_was(store: Store) -> None:
    before = datetime.now(UTC)
    assert store.save(Outcome(a_check(), report="loan/c0.html"))
    found = store.find_check("loan", day(0))
    assert found is not None
    assert found.check == a_check()
    assert (found.report, found.revision) == ("loan/c0.html", 0)
    assert before <= found.stored_at <= datetime.now(UTC)
    assert store.get_check("c0") == found
    assert store.newest_checks() == [found]


def test_when_a_check_was_stored_is_for_the_clock_to_say(tmp_path: Path) -> None:
    store = sql.make("memory://", tmp_path, lambda: NOON)
    store.save(Outcome(a_check()))
    assert [line.stored_at for line in store.lines()] == [NOON]
    store.close()


def test_what_was_kept_of_the_columns_comes_back_as_it_was(store: Store) -> None:
    content = bytes(range(256)) * 1000
    assert store.save(Outcome(a_check(), summaries=content))
    assert store.save(Outcome(a_check("c1", day(1))))
    assert store.summaries("c0") == content
    assert store.summaries("c1") is None
    assert not store.save(Outcome(a_check("c2"), summaries=b"of a check that came too late"))
    assert store.summaries("c2") is None


def test_what_is_not_there_is_none(store: Store) -> None:
    assert store.find_check("loan", day(0)) is None
    assert store.get_check("c0") is None
    assert store.last_window("loan") is None
    assert store.first_window("loan") is None
    assert store.last_retrain("loan") is None
    assert store.summaries("c0") is None
    assert store.current_reference("loan") is None
    assert store.next_due() is None
    assert store.claim_message(NOON, 60) is None
    assert store.newest_checks() == []
    assert store.newest_episodes() == []
    assert store.oldest_messages() == []


def test_a_window_is_checked_once(store: Store) -> None:
    assert store.save(Outcome(a_check("c0")))
    again = Outcome(
        replace(a_check("c0"), headline="seen again"),
        changes=(opened(an_episode()),),
        messages=(a_message(),),
        retrain=a_retrain(),
    )
    assert not store.save(again)
    assert not store.save(replace(again, check=a_check("c1")))
    assert store.get_check("c1") is None
    first = store.get_check("c0")
    assert first is not None and first.check == a_check("c0")
    assert store.newest_episodes() == []
    assert store.oldest_messages() == []
    assert store.newest_retrains() == []


def test_the_same_window_of_another_monitor_or_another_end_is_another(store: Store) -> None:
    longer = Window(day(0).start, day(1).end)
    save(store, a_check("c0"), a_check("c1", monitor="churn"), a_check("c2", longer))
    assert [c.check.id for c in store.newest_checks()] == ["c2", "c1", "c0"]


def test_a_window_is_the_same_in_every_time_zone(store: Store) -> None:
    east = timezone(timedelta(hours=2))
    window = Window(day(0).start.astimezone(east), day(0).end.astimezone(east))
    save(store, a_check("c0", window))
    assert not store.save(Outcome(a_check("c1")))
    found = store.find_check("loan", window)
    assert found is not None and found.check.window == day(0)
    assert store.last_window("loan") == day(0)


def test_the_newest_revision_answers(store: Store) -> None:
    save(store, a_check("c0"), a_check("d0", day(1)))
    assert store.save(Outcome(a_check("c1"), revision=1))
    assert not store.save(Outcome(a_check("c2"), revision=1))
    found = store.find_check("loan", day(0))
    assert found is not None and (found.check.id, found.revision) == ("c1", 1)
    assert [c.check.id for c in store.newest_checks("loan")] == ["d0", "c1"]
    first = store.get_check("c0")
    assert first is not None and first.revision == 0


def test_checks_are_listed_newest_window_first(store: Store) -> None:
    save(store, *(a_check(f"c{n}", day(n)) for n in (2, 0, 3, 1)))
    save(store, a_check("other", day(9), monitor="churn"))
    assert [c.check.id for c in store.newest_checks("loan")] == ["c3", "c2", "c1", "c0"]
    assert [c.check.id for c in store.newest_checks("loan", limit=2)] == ["c3", "c2"]
    assert [c.check.id for c in store.newest_checks(before=day(2).start)] == ["c1", "c0"]
    assert (store.first_window("loan"), store.last_window("loan")) == (day(0), day(3))


def test_only_the_check_of_a_window_is_stored(store: Store) -> None:
    with pytest.raises(ValueError, match="window"):
        store.save(Outcome(replace(a_check(), window=None)))
    with pytest.raises(ValueError, match="window"):
        store.save(Outcome(replace(a_check(), monitor=None)))


def test_an_id_belongs_to_one_check(store: Store) -> None:
    save(store, a_check("c0"))
    with pytest.raises(StoreConflict):
        store.save(Outcome(a_check("c0", day(1)), messages=(a_message(),)))
    assert store.oldest_messages() == []
    assert store.last_window("loan") == day(0)


def test_names_and_values_may_hold_anything(store: Store) -> None:
    name = "a\0b\ud800 'c\" %s :d €"
    column = replace(a_column(name), strength=float("inf"), p_value=float("nan"))
    save(store, replace(a_check(), columns=(column,), headline=name))
    found = store.get_check("c0")
    assert found is not None and found.check.headline == found.check.columns[0].name == name
    assert found.check.columns[0].strength == float("inf")
    assert found.check.columns[0].p_value is None


# --- Episodes and retrain requests ---


def test_an_episode_opens_worsens_and_resolves(store: Store) -> None:
    first = an_episode()
    store.save(Outcome(a_check("c0"), changes=(opened(first),)))
    assert store.open_episodes("loan") == [first]
    worse = replace(first, worst=9.5, breaches=2, last_check="c1", columns=("age", "income", "id"))
    store.save(Outcome(a_check("c1", day(1)), changes=(EpisodeChange(Change.WORSENED, worse),)))
    assert store.open_episodes("loan") == [worse]
    over = replace(worse, resolved_by="c2", resolved_at=NOON + minutes(5))
    store.save(Outcome(a_check("c2", day(2)), changes=(EpisodeChange(Change.RESOLVED, over),)))
    assert store.open_episodes("loan") == []
    assert store.newest_episodes() == [over]


def test_one_open_episode_per_monitor_and_cause(store: Store) -> None:
    store.save(Outcome(a_check("c0"), changes=(opened(an_episode()),)))
    second = (opened(an_episode("e1")),)
    with pytest.raises(StoreConflict):
        store.save(Outcome(a_check("c1", day(1)), changes=second, messages=(a_message(),)))
    assert store.get_check("c1") is None
    assert store.oldest_messages() == []
    assert [e.id for e in store.open_episodes("loan")] == ["e0"]
    other_cause = opened(an_episode("e2", Cause.QUALITY, opened_at=NOON + minutes(1)))
    other_monitor = opened(an_episode("e3", monitor="churn", opened_at=NOON + minutes(2)))
    assert store.save(Outcome(a_check("c1", day(1)), changes=(other_cause, other_monitor)))
    assert [e.id for e in store.open_episodes("loan")] == ["e0", "e2"]
    assert [e.id for e in store.newest_episodes()] == ["e3", "e2", "e0"]
    assert [e.id for e in store.newest_episodes("loan", limit=1)] == ["e2"]


def test_a_resolved_episode_makes_room_for_the_next_at_once(store: Store) -> None:
    first = an_episode(worst=float("inf"))
    store.save(Outcome(a_check("c0"), changes=(opened(first),)))
    assert store.open_episodes("loan") == [first]
    over = EpisodeChange(Change.RESOLVED, replace(first, resolved_by="c1", resolved_at=NOON))
    changes = (opened(an_episode("e1")), over)
    assert store.save(Outcome(a_check("c1", day(1)), changes=changes))
    assert [e.id for e in store.open_episodes("loan")] == ["e1"]


def test_retrain_requests_newest_first(store: Store) -> None:
    store.save(Outcome(a_check(), retrain=a_retrain()))
    late = a_retrain("r1", window=None, check=None, episode=None, requested_at=NOON + minutes(1))
    ask(store, late, a_message("r1", channel="retrain"))
    ask(store, a_retrain("r2", monitor="churn"), a_message("r2"))
    assert store.newest_retrains("loan") == [late, a_retrain()]
    assert store.last_retrain("loan") == late
    assert len(store.newest_retrains()) == 3


def test_a_retrain_request_follows_its_message(store: Store) -> None:
    for request_id in ("r0", "r1", "r2"):
        ask(store, a_retrain(request_id), a_message(request_id, channel="retrain"))
    store.mark_sent("r0", NOON, {})
    store.mark_failed("r1", NOON, "404")
    store.mark_delayed("r2", NOON, "503")
    states = {request.id: request.state for request in store.newest_retrains()}
    assert states == {"r0": "delivered", "r1": "refused", "r2": "requested"}


# --- References ---


def test_the_last_reference_stored_is_current(store: Store) -> None:
    one, two = a_reference("sha256:1"), a_reference("sha256:2")
    for reference in (one, one, two):
        store.add_reference(reference)
        assert store.current_reference("loan") == reference
    assert store.list_references("loan") == [two, one]
    assert store.list_references("churn") == []


def test_a_known_reference_becomes_current_again_and_keeps_its_record(store: Store) -> None:
    one, two = a_reference("sha256:1"), a_reference("sha256:2")
    for reference in (one, two, replace(one, origin="again", rows=1)):
        store.add_reference(reference)
    assert store.current_reference("loan") == one
    assert store.list_references("loan") == [one, two]


# --- The outbox ---


def test_a_message_is_queued_once(store: Store) -> None:
    assert store.add_message(a_message())
    assert not store.add_message(a_message(payload={"text": "other"}))
    assert store.oldest_messages() == [a_message()]
    assert store.save(Outcome(a_check(), messages=(a_message(payload={}), a_message("m1"))))
    assert [m.id for m in store.oldest_messages()] == ["m0", "m1"]


def test_a_message_comes_back_as_it_was(store: Store) -> None:
    message = a_message(
        payload={"rows": 3, "nested": [1, None, {"x": 0.5}]},
        episode="e0",
        next_at=NOON + minutes(1),
    )
    store.add_message(message)
    assert store.oldest_messages() == [message]
    store.mark_delayed("m0", NOON + minutes(2), "503")
    store.mark_sent("m0", NOON + minutes(3), {"ts": "1.2"})
    sent = replace(
        message,
        state="sent",
        attempts=2,
        next_at=NOON + minutes(2),
        sent_at=NOON + minutes(3),
        receipt={"ts": "1.2"},
    )
    assert store.oldest_messages(state="sent") == [sent]
    assert store.oldest_messages(state="pending") == []


def test_messages_are_listed_oldest_first(store: Store) -> None:
    store.add_message(a_message("m1", created_at=NOON + minutes(1), episode="e0"))
    store.add_message(a_message("m0"))
    store.add_message(a_message("m2", created_at=NOON + minutes(2), episode="e0"))
    assert [m.id for m in store.oldest_messages()] == ["m0", "m1", "m2"]
    assert [m.id for m in store.oldest_messages(limit=2)] == ["m0", "m1"]
    assert [m.id for m in store.oldest_messages(episode="e0")] == ["m1", "m2"]


def test_the_oldest_due_message_is_claimed(store: Store) -> None:
    store.add_message(a_message("later", next_at=NOON + minutes(1)))
    store.add_message(a_message("m0"))
    store.add_message(a_message("m1"))
    claimed = [store.claim_message(NOON, 60) for _ in range(3)]
    assert claimed == [a_message("m0"), a_message("m1"), None]
    late = store.claim_message(NOON + minutes(1), 600)
    assert late is not None and late.id == "later"


def test_a_lease_runs_out(store: Store) -> None:
    store.add_message(a_message())
    assert store.claim_message(NOON, lease_s=60) is not None
    assert store.claim_message(NOON + minutes(0.99), 60) is None
    assert store.next_due() == NOON + minutes(1)
    again = store.claim_message(NOON + minutes(1), 60)
    assert again is not None and again.id == "m0"


def test_a_delayed_message_waits_for_its_time(store: Store) -> None:
    store.add_message(a_message())
    store.claim_message(NOON, 3600)
    store.mark_delayed("m0", NOON + minutes(2), "503")
    assert store.next_due() == NOON + minutes(2)
    assert store.claim_message(NOON + minutes(1), 60) is None
    again = store.claim_message(NOON + minutes(2), 60)
    assert again is not None and (again.attempts, again.error) == (1, "503")


def test_messages_of_one_episode_and_channel_keep_their_order(store: Store) -> None:
    one = {"episode": "e0", "channel": "slack"}
    store.add_message(a_message("opened", **one))
    store.add_message(a_message("worsened", created_at=NOON + minutes(1), **one))
    store.add_message(a_message("elsewhere", episode="e0", channel="webhook"))
    store.add_message(a_message("other", episode="e1", channel="slack"))
    claimed = [store.claim_message(NOON + minutes(5), 60) for _ in range(4)]
    assert [m and m.id for m in claimed] == ["opened", "elsewhere", "other", None]
    store.mark_delayed("opened", NOON + minutes(30), "503")
    store.mark_sent("elsewhere", NOON, {})
    store.mark_sent("other", NOON, {})
    assert store.claim_message(NOON + minutes(29), 60) is None
    assert store.next_due() == NOON + minutes(30)
    store.mark_failed("opened", NOON, "gave up")
    follower = store.claim_message(NOON + minutes(29), 60)
    assert follower is not None and follower.id == "worsened"


def test_a_settled_message_stays_settled(store: Store) -> None:
    ask(store, a_retrain("m0"), a_message())
    store.mark_sent("m0", NOON, {"ts": "1"})
    store.mark_failed("m0", NOON, "late")
    store.mark_delayed("m0", NOON, "late")
    store.mark_sent("m0", NOON, {"ts": "2"})
    (message,) = store.oldest_messages()
    assert (message.state, message.attempts, message.error) == ("sent", 1, "")
    assert message.receipt == {"ts": "1"}
    assert store.next_due() is None
    last = store.last_retrain("loan")
    assert last is not None and last.state == "delivered"
    store.mark_sent("unknown", NOON, {})


def test_a_given_up_message_says_why(store: Store) -> None:
    store.add_message(a_message())
    store.mark_failed("m0", NOON, "404 not found")
    (message,) = store.oldest_messages(state="failed")
    assert (message.error, message.attempts, message.sent_at) == ("404 not found", 1, None)


@only_sql
@pytest.mark.parametrize("seed", range(3))
def test_a_database_and_memory_never_disagree(store: Store, tmp_path: Path, seed: int) -> None:
    """A long random walk over the outbox, every answer compared."""
    other = Backend("memory", "memory://", tmp_path).open()
    dice = random.Random(seed)
    now = NOON
    for step in range(150):
        now += minutes(dice.random())
        act = _random_act(dice, step, now)
        assert act(store) == act(other)
        assert store.next_due() == other.next_due()
    assert store.oldest_messages() == other.oldest_messages()
    assert store.newest_retrains() == other.newest_retrains()


def _random_act(dice: random.Random, step: int, now: datetime) -> Callable[[Store], Any]:
    known = f"m{dice.randrange(step + 1)}"
    soon = now + minutes(dice.choice([0, 1, 5]))
    episode, channel = dice.choice([None, "e0", "e1"]), dice.choice(["slack", "retrain"])
    request = a_retrain(f"m{step}", requested_at=now)
    message = a_message(f"m{step}", created_at=now, episode=episode, channel=channel)
    return dice.choice(
        [
            lambda s: s.add_message(message),
            lambda s: ask(s, request, message),
            lambda s: s.claim_message(now, 90),
            lambda s: s.claim_message(now, 90),
            lambda s: s.mark_sent(known, now, {"at": step}),
            lambda s: s.mark_delayed(known, soon, "503"),
            lambda s: s.mark_failed(known, now, "404"),
        ]
    )


# --- Many at once ---


def together(count: int, work: Callable[[int], Any]) -> list[Any]:
    """The results of `count` threads that start at the same time."""
    gate, results = threading.Barrier(count), [None] * count

    def run(index: int) -> None:
        gate.wait()
        results[index] = work(index)

    threads = [threading.Thread(target=run, args=(index,)) for index in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def test_threads_that_race_for_a_window(store: Store) -> None:
    def save_all(name: int) -> list[bool]:
        ids = [f"c{n}" if name % 2 else f"c{n}-{name}" for n in range(5)]  # the same ones or not
        checks = [a_check(check_id, day(n)) for n, check_id in enumerate(ids)]
        return [store.save(Outcome(c, messages=(a_message(c.id),))) for c in checks]

    told = together(4, save_all)
    assert [sum(answers) for answers in zip(*told, strict=True)] == [1] * 5
    assert len(store.newest_checks()) == len(store.oldest_messages()) == 5


def test_threads_never_claim_the_same_message(store: Store) -> None:
    for number in range(24):
        store.add_message(a_message(f"m{number}"))

    def claim_all(_: int) -> list[str]:
        claimed = []
        while (message := store.claim_message(NOON, 60)) is not None:
            claimed.append(message.id)
        return claimed

    claimed = together(4, claim_all)
    assert sorted(chain.from_iterable(claimed)) == sorted(f"m{number}" for number in range(24))


def process(script: str, backend: Backend, *arguments: str) -> "subprocess.Popen[str]":
    """A Python process with this file as `t`, the `backend` and the `arguments` at hand."""
    head = (
        "import os, signal, sys; from pathlib import Path\n"
        "import test_stores as t; from store_backends import Backend\n"
        "name, url, root, *arguments = sys.argv[1:]\n"
        "backend = Backend(name, url, Path(root))\n"
    )
    given = (backend.name, backend.url, str(backend.root), *arguments)
    return subprocess.Popen(
        [sys.executable, "-c", head + script, *given],
        cwd=ROOT / "tests",
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )


def answer(running: "subprocess.Popen[str]", sent: str = "") -> str:
    out, err = running.communicate(sent, timeout=60)
    assert running.returncode == 0, err
    return out.strip()


RACE = """
print("ready", flush=True); sys.stdin.readline()
store = backend.open()
saved = [store.save(t.Outcome(t.a_check(f"c{n}", t.day(n)))) for n in range(20)]
claimed = []
while (message := store.claim_message(t.NOON, 60)) is not None:
    claimed.append(message.id)
print(t.json.dumps([saved, claimed]))
"""


@only_sql
def test_processes_that_race(backend: Backend) -> None:
    """They open a new database, save the same windows and empty the same outbox together."""
    racers = [process(RACE, backend, str(n)) for n in range(2)]
    for racer in racers:
        assert racer.stdout is not None and racer.stdout.readline() == "ready\n"
    for racer in racers:
        assert racer.stdin is not None
        racer.stdin.write("go\n")
        racer.stdin.flush()
    told = [json.loads(answer(racer)) for racer in racers]
    assert [a + b for a, b in zip(told[0][0], told[1][0], strict=True)] == [1] * 20


CLAIM = """
print("ready", flush=True); sys.stdin.readline()
store = backend.open()
claimed = []
while (message := store.claim_message(t.NOON, 60)) is not None:
    claimed.append(message.id)
print(*claimed)
"""


@only_sql
def test_processes_never_claim_the_same_message(backend: Backend, store: Store) -> None:
    ids = [f"m{number}" for number in range(60)]
    for message_id in ids:
        store.add_message(a_message(message_id))
    claimers = [process(CLAIM, backend) for _ in range(2)]
    for claimer in claimers:
        assert claimer.stdout is not None and claimer.stdout.readline() == "ready\n"
        assert claimer.stdin is not None
        claimer.stdin.write("go\n")
        claimer.stdin.flush()
    claimed = [answer(claimer).split() for claimer in claimers]
    assert sorted(chain.from_iterable(claimed)) == sorted(ids)


DIE = """
from sqlalchemy import Engine, event
store = backend.open()
left = int(arguments[0])
@event.listens_for(Engine, "before_cursor_execute")
def count(conn, cursor, statement, *_):
    global left
    if statement.startswith(("INSERT", "UPDATE")):
        left -= 1
        if left < 0:
            os.kill(os.getpid(), signal.SIGKILL)
@event.listens_for(Engine, "commit")
def at_commit(conn):
    if arguments[1] == "commit":
        os.kill(os.getpid(), signal.SIGKILL)
store.save(t.everything())
"""


def everything() -> Outcome:
    changes = (opened(an_episode()), opened(an_episode("e1", Cause.QUALITY)))
    messages = (a_message(), a_message("m1", channel="slack"))
    return Outcome(a_check(), changes, messages, a_retrain(), "c0.html", summaries=b"kept")


@only_sql
@pytest.mark.parametrize("moment", ["1", "5", "commit"])
def test_a_killed_process_leaves_nothing_half_written(
    backend: Backend, store: Store, database: sa.Connection, moment: str
) -> None:
    dying = process(DIE, backend, moment.replace("commit", "99"), moment)
    _, errors = dying.communicate(timeout=60)
    assert dying.returncode == -signal.SIGKILL, errors
    for table in tables.tables.sorted_tables:
        assert database.scalar(sa.select(sa.func.count()).select_from(table)) == 0, table.name
    database.rollback()
    assert store.save(everything())
    assert len(store.oldest_messages()) == len(store.open_episodes("loan")) == 2


# --- Under the SQL stores ---


def step_up(db: sa.Connection, revision: str) -> None:
    config = Config(attributes={"connection": db, "version_table": engine.VERSION_TABLE})
    config.set_main_option("script_location", str(engine.MIGRATIONS))
    command.upgrade(config, revision)


def tables_of(db: sa.Connection) -> dict[str, Any]:
    """All that the database knows of them, in any order."""
    found = sa.inspect(db)

    def told(name: str) -> dict[str, list[str]]:
        parts: dict[str, list[Any]] = {
            "columns": found.get_columns(name),
            "keys": [found.get_pk_constraint(name), *found.get_foreign_keys(name)],
            "more": [*found.get_indexes(name), *found.get_unique_constraints(name)],
        }
        return {
            part: sorted(json.dumps(one, default=str, sort_keys=True) for one in each)
            for part, each in parts.items()
        }

    return {name: told(name) for name in found.get_table_names()}


@only_sql
def test_tables_and_migrations_agree(backend: Backend) -> None:
    """A new database has the tables at once, an older one takes the steps to them."""
    address = engine._address(backend.url, backend.root)
    other = sa.create_engine(address, poolclass=sa.NullPool)
    with other.begin() as old:
        step_up(old, engine.HEAD)
        options = {"version_table": engine.VERSION_TABLE, "compare_server_default": True}
        context = MigrationContext.configure(old, opts=options)
        assert compare_metadata(context, tables.tables) == []
        stepped = tables_of(old)
        every = sa.MetaData()
        every.reflect(old)
        every.drop_all(old)
    backend.open().close()
    with other.begin() as new:
        assert tables_of(new) == stepped
        step_up(new, "head")
        assert tables_of(new) == stepped


@only_sql
def test_a_database_of_the_first_version_is_brought_up_to_date(backend: Backend) -> None:
    address = engine._address(backend.url, backend.root)
    other = sa.create_engine(address, poolclass=sa.NullPool)
    with other.begin() as old:
        config = Config(attributes={"connection": old, "version_table": engine.VERSION_TABLE})
        config.set_main_option("script_location", str(engine.MIGRATIONS))
        command.upgrade(config, "0001")
        row = _sql_checks._check_row(Outcome(a_check()), NOON)
        known = {c["name"] for c in sa.inspect(old).get_columns("checks")}
        row = {name: value for name, value in row.items() if name in known}
        old.execute(sa.insert(tables.checks).values(row))
    store = backend.open()
    found = store.find_check("loan", day(0))
    assert found is not None and found.check == a_check()
    (line,) = store.lines()
    assert (line.rows, line.reference, line.made_at) == (120, found.check.reference, NOON)
    assert line.newest == NOON
    columns, _ = store.column_lines(["c0"], most=9)
    made_now = [row["column"] for row in _sql_columns.column_rows(a_check())]
    assert [c.column for c in columns] == made_now
    assert [(c.strength, c.test, c.effect, c.missing_current) for c in columns] == [
        (3.0, "ks", 0.3, 0.25)
    ] * 2
    assert store.summaries("c0") is None
    assert store.save(Outcome(a_check("c1", day(1)), summaries=b"kept"))
    assert store.summaries("c1") == b"kept"
    store.close()
    with other.connect() as now:
        assert engine._version(now) == engine.HEAD


def test_the_newest_step_is_the_one_the_store_asks_for() -> None:
    config = Config()
    config.set_main_option("script_location", str(engine.MIGRATIONS))
    assert ScriptDirectory.from_config(config).get_heads() == [engine.HEAD]


@only_sql
def test_findings_can_be_asked_in_sql(store: Store, database: sa.Connection) -> None:
    save(store, a_check())
    rows = database.execute(sa.select(tables.findings).order_by("position")).all()
    told = [(row.column, row.test, row.verdict, row.p_tolerance) for row in rows]
    assert told[0] == (None, "volume", "drifted", 0.004)
    assert [row[:2] for row in told[1:]] == [
        ("age", "ks"),
        ("age", "psi"),
        ("income", "ks"),
        ("income", "psi"),
    ]
    (result,) = database.execute(sa.select(tables.expectation_results)).all()
    assert (result.column, result.severity, result.success) == ("age", "critical", False)


@only_sql
def test_the_parts_of_a_check_go_with_it(store: Store, database: sa.Connection) -> None:
    assert store.save(everything())
    if database.dialect.name == "sqlite":
        database.exec_driver_sql("PRAGMA foreign_keys=ON")
    database.execute(sa.delete(tables.checks))
    assert database.execute(sa.select(tables.findings)).all() == []
    assert database.execute(sa.select(tables.window_summaries)).all() == []


@only_sql
def test_what_was_stored_outlives_the_store(backend: Backend, store: Store) -> None:
    save(store, a_check())
    store.close()
    again = backend.open()
    assert again.find_check("loan", day(0)) is not None
    again.close()


@only_sql
def test_a_database_of_a_newer_version_is_refused(
    backend: Backend, store: Store, database: sa.Connection
) -> None:
    database.exec_driver_sql(f"UPDATE {engine.VERSION_TABLE} SET version_num = '9999'")
    database.commit()
    with pytest.raises(StoreUnavailable, match=r"newer version.*9999") as caught:
        backend.open()
    assert caught.value.hint == "update drift-monitor"


@only_sql
def test_a_check_that_cannot_be_read_is_named(store: Store, database: sa.Connection) -> None:
    save(store, a_check())
    database.execute(sa.update(tables.checks).values(document={"schema": 7}))
    database.commit()
    with pytest.raises(StoreUnavailable, match=r"check c0 .* schema 7"):
        store.get_check("c0")


@only_sqlite
def test_a_damaged_row_is_reported(store: Store, database: sa.Connection) -> None:
    save(store, a_check())
    database.exec_driver_sql("UPDATE checks SET document = 'not json'")
    database.commit()
    with pytest.raises(StoreUnavailable, match="damaged"):
        store.newest_checks()


@only_sqlite
def test_times_without_a_zone_are_refused(store: Store) -> None:
    with pytest.raises((ValueError, sa.exc.StatementError), match="no time zone"):
        store.add_message(a_message(created_at=datetime(2026, 1, 1)))


# --- Addresses, and databases that do not answer ---


def test_a_relative_path_is_relative_to_the_root(tmp_path: Path) -> None:
    (tmp_path / "100 % sure").mkdir()
    sql.make("sqlite:///100 % sure/monitor.db", tmp_path, wiring.now).close()
    sql.make(f"sqlite:///{tmp_path}/absolute.db", Path("/nowhere"), wiring.now).close()
    found = [path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.db*")]
    assert sorted(found) == ["100 % sure/monitor.db", "absolute.db"]


def test_a_locked_database_is_reported_and_then_works_again(tmp_path: Path) -> None:
    store = sql.make("sqlite:///monitor.db?timeout=0.1", tmp_path, wiring.now)
    holder = sqlite3.connect(tmp_path / "monitor.db", isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreUnavailable, match="locked") as caught:
        store.save(Outcome(a_check()))
    assert "another process" in caught.value.hint
    assert store.newest_checks() == []  # reading does not wait
    holder.execute("ROLLBACK")
    holder.close()
    assert store.save(Outcome(a_check()))
    store.close()


def test_a_file_that_is_no_database(tmp_path: Path) -> None:
    (tmp_path / "monitor.db").write_text("a shopping list " * 100)
    with pytest.raises(StoreUnavailable, match="not a database") as caught:
        sql.make("sqlite:///monitor.db", tmp_path, wiring.now)
    assert "backup" in caught.value.hint
    assert caught.value.__cause__ is None and caught.value.__suppress_context__


def test_a_database_of_something_else(tmp_path: Path) -> None:
    other = sqlite3.connect(tmp_path / "monitor.db")
    other.execute("CREATE TABLE checks (amount INTEGER)")
    other.close()
    with pytest.raises(StoreUnavailable, match="already exists"):
        sql.make("sqlite:///monitor.db", tmp_path, wiring.now)
    other = sqlite3.connect(tmp_path / "monitor.db")
    assert other.execute("SELECT name FROM sqlite_master").fetchall() == [("checks",)]
    other.close()


def test_a_place_that_cannot_be_opened(tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailable, match="no folder"):
        sql.make("sqlite:///missing/monitor.db", tmp_path, wiring.now)
    (tmp_path / "folder.db").mkdir()
    with pytest.raises(StoreUnavailable, match="unable to open"):
        sql.make("sqlite:///folder.db", tmp_path, wiring.now)


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("sqlite://", "memory only"),
        ("sqlite:///:memory:", "memory only"),
        ("mysql://u:hush@host/db", "no SQL store for mysql"),
        ("nonsense hush", "cannot be read"),
        ("postgresql+psycopg://u:hush@host:port/db", "cannot be read"),
        ("postgresql+nosuch://u:hush@host/db", "no driver"),
    ],
)
def test_an_address_that_cannot_be_used(url: str, why: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=why) as caught:
        sql.make(url, tmp_path, wiring.now)
    assert "hush" not in str(caught.value) + caught.value.hint


def test_a_missing_driver_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(ConfigError, match="needs psycopg") as caught:
        sql.make("postgresql+psycopg://u:hush@host/db", tmp_path, wiring.now)
    assert "hush" not in str(caught.value)


def test_a_server_that_does_not_answer(tmp_path: Path) -> None:
    pytest.importorskip("psycopg", reason="psycopg is not installed")
    url = "postgresql+psycopg://user:hush@127.0.0.1:1/db?sslpassword=hush"
    with pytest.raises(StoreUnavailable, match=r"127\.0\.0\.1:1/db cannot be used") as caught:
        sql.make(url, tmp_path, wiring.now)
    assert "hush" not in str(caught.value)
    assert "\n" not in str(caught.value)
