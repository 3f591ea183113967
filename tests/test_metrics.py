"""`/metrics`: what the store tells, in the words of Prometheus, for whoever may read."""

import re
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from clocks import Time
from fastapi import FastAPI, Request
from fastapi.responses import PlainTextResponse
from fastapi.testclient import TestClient
from making import a_check, a_message, an_episode, day, opened
from prometheus_client.parser import text_string_to_metric_families as families

from monitor import wiring
from monitor.archive import Outcome, Store
from monitor.core.columns import Kind
from monitor.core.people import Replica, Scope
from monitor.core.records import Check, ColumnResult, Verdict, Window
from monitor.deeds.planning import Actor
from monitor.desk import Desk
from monitor.errors import AskedWrongly, StoreUnavailable
from monitor.settings import MonitorSettings
from monitor.stores import sql
from monitor.web.access import Gate
from monitor.web.metrics import Process, metrics_routes

NOW = datetime(2026, 3, 20, 7, tzinfo=UTC)
MIA = Actor("mia", "cli")


@pytest.fixture
def store() -> Iterator[Store]:
    made = sql.make("memory:", Path(), wiring.now)
    yield made
    made.close()


def monitors(*names: str) -> dict[str, MonitorSettings]:
    plain = {"production": {"path": "x.parquet", "time": "t"}}
    return {n: MonitorSettings.model_validate({**plain, "name": n}) for n in names}


def client(
    store: Store,
    *names: str,
    clock: Time | None = None,
    process: Process | None = None,
    host: str = "http://127.0.0.1",
    most: int = 1000,
) -> TestClient:
    app, clock = FastAPI(), clock or Time(NOW)
    known = monitors(*names)
    gate = Gate(store, Desk(store, clock, known), clock, lone=True)
    asks = gate.api(Scope.READ)
    app.include_router(metrics_routes(store, known, clock, asks, process, most=most))

    def refused(_: Request, error: Exception) -> PlainTextResponse:
        return PlainTextResponse(str(error), 401)

    app.exception_handler(AskedWrongly)(refused)
    return TestClient(app, base_url=host)


def scrape(asked: TestClient) -> dict[str, dict[tuple[tuple[str, str], ...], float]]:
    """By sample name, the value of each set of labels."""
    time.sleep(0.001)
    found: dict[str, dict[tuple[tuple[str, str], ...], float]] = {}
    for family in families(asked.get("/metrics").text):
        for sample in family.samples:
            found.setdefault(sample.name, {})[tuple(sorted(sample.labels.items()))] = sample.value
    return found


def of(name: str) -> tuple[tuple[str, str], ...]:
    return (("monitor", name),)


def drifted(check_id: str, window: Window, monitor: str = "loan") -> Check:
    column = ColumnResult("secret_column", Kind.NUMBER, Verdict.DRIFTED, "", strength=2.5)
    made = replace(a_check(check_id), monitor=monitor, window=window, columns=(column,))
    return replace(made, verdict=Verdict.DRIFTED, timings_s={"sample": 0.5, "compare": 0.25})


@pytest.fixture(autouse=True)
def nothing_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each look is a new one."""
    monkeypatch.setattr("monitor.web.metrics.KEPT_S", 0.0)


def test_a_monitor_in_numbers(store: Store) -> None:
    asked = client(store, "loan", "churn", clock=clock_of_now())
    scrape(asked)  # counting begins
    window = day(1)
    check = drifted("c1", window)
    store.save(Outcome(check, changes=(opened(an_episode()),), messages=(a_message("m1"),)))
    told = scrape(asked)
    assert told["drift_monitor_monitor_verdict"] == {of("loan"): 1.0}
    assert told["drift_monitor_monitor_worst_effect"] == {of("loan"): 2.5}
    assert told["drift_monitor_monitor_open_episodes"] == {of("loan"): 1.0, of("churn"): 0.0}
    assert told["drift_monitor_monitor_lag_windows"][of("churn")] == 1.0  # the newest, never seen
    assert told["drift_monitor_monitor_newest_window_age_seconds"][of("loan")] > 0
    assert told["drift_monitor_checks_total"][(("verdict", "drifted"),)] == 1.0
    assert told["drift_monitor_check_duration_seconds_count"][()] == 1.0
    assert told["drift_monitor_check_duration_seconds_sum"][()] == 0.75
    assert told["drift_monitor_check_duration_seconds_bucket"][(("le", "0.5"),)] == 0.0
    assert told["drift_monitor_check_duration_seconds_bucket"][(("le", "1.0"),)] == 1.0
    assert told["drift_monitor_outbox_messages"][(("state", "pending"),)] == 1.0
    assert told["drift_monitor_outbox_oldest_age_seconds"][()] > 0


def clock_of_now() -> Time:
    clock = Time(NOW)
    clock.now = datetime.now(UTC)  # the store stamps what arrives with the time of the machine
    return clock


def test_checks_are_counted_once_whoever_made_them(store: Store) -> None:
    store.save(Outcome(drifted("before", day(0))))  # of an earlier process
    clock = clock_of_now()
    asked = client(store, "loan", clock=clock)
    assert scrape(asked)["drift_monitor_checks_total"][(("verdict", "drifted"),)] == 0.0
    for number in range(1, 4):
        store.save(Outcome(drifted(f"c{number}", day(number))))
        clock.now += timedelta(seconds=30)
        told = scrape(asked)
        assert told["drift_monitor_checks_total"][(("verdict", "drifted"),)] == number
    assert told["drift_monitor_monitor_rows"][of("loan")] == 120


def test_replicas_claims_and_what_the_process_knows(store: Store) -> None:
    parts = ("scheduler", "delivery")
    store.beat(Replica("a", "host", NOW, NOW, parts))
    store.beat(Replica("b", "host", NOW, NOW - timedelta(hours=1), parts))
    store.claim_window("loan", day(1), "a", NOW, NOW + timedelta(minutes=1))
    process = Process(lambda: {"scheduler": True, "delivery": False}, lambda: 3, lambda: True)
    told = scrape(client(store, "loan", process=process))
    assert told["drift_monitor_replicas"][(("part", "scheduler"),)] == 1.0
    assert told["drift_monitor_claims"][()] == 1.0
    assert told["drift_monitor_loop_running"][(("loop", "delivery"),)] == 0.0
    assert told["drift_monitor_failed_tries_total"][()] == 3.0
    assert told["drift_monitor_stalled"][()] == 1.0
    assert told["drift_monitor_store_up"][()] == 1.0
    assert "process_resident_memory_bytes" in told


def test_monitors_beyond_the_bound_are_only_counted(store: Store) -> None:
    told = scrape(client(store, *(f"m{n}" for n in range(12)), most=10))
    assert len(told["drift_monitor_monitor_lag_windows"]) == 10
    assert told["drift_monitor_monitors_left_out"][()] == 2.0


def test_nothing_of_the_data_is_told(store: Store) -> None:
    asked = client(store, "loan")
    store.save(Outcome(drifted("c1", day(1))))
    text = asked.get("/metrics").text
    assert "secret_column" not in text
    labels = set(re.findall(r'(\w+)="', text))
    assert labels <= {
        *("monitor", "verdict", "state", "part", "loop", "version", "le"),
        *("implementation", "major", "minor", "patchlevel"),
    }


def test_a_store_that_does_not_answer_is_a_number(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(*_: object) -> None:
        raise StoreUnavailable("the database is locked")

    asked = client(store, "loan")
    monkeypatch.setattr(store, "last_stored", gone)
    told = scrape(asked)
    assert told["drift_monitor_store_up"][()] == 0.0
    assert "drift_monitor_monitor_lag_windows" not in told


def test_who_may_ask(store: Store) -> None:
    assert client(store, "loan").get("/metrics").status_code == 200
    assert client(store, "loan", host="http://elsewhere").get("/metrics").status_code == 401
    desk = Desk(store, Time(NOW), monitors("loan"))
    shown = token_of(desk)
    asked = client(store, "loan")
    assert asked.get("/metrics").status_code == 401
    answer = asked.get("/metrics", headers={"Authorization": f"Bearer {shown}"})
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain")


def token_of(desk: Desk) -> str:
    made: Any = desk.make_token(MIA, "prometheus", frozenset({Scope.READ}), "to scrape")
    act, shown = made
    desk.do(act)
    return str(shown)


def test_open_metrics_for_those_who_prefer_it(store: Store) -> None:
    asked = client(store, "loan")
    accepted: Mapping[str, str] = {"Accept": "application/openmetrics-text; version=1.0.0"}
    answer = asked.get("/metrics", headers=accepted)
    assert answer.headers["content-type"].startswith("application/openmetrics-text")
    assert answer.text.endswith("# EOF\n")


def test_a_thousand_monitors_are_cheap(store: Store) -> None:
    """A second look asks the store a fixed number of questions, however many monitors there are."""
    asked = client(store, *(f"m{n}" for n in range(1000)))
    scrape(asked)
    asking: list[str] = []
    database: Any = store._database  # type: ignore[attr-defined]
    real = database.rows

    def rows(query: Any) -> Any:
        asking.append(str(query))
        return real(query)

    database.rows = rows
    assert len(scrape(asked)["drift_monitor_monitor_lag_windows"]) == 1000
    assert len(asking) <= 12
