"""How long pages and lists take with 1 000 monitors and 100 000 checks; slow to fill."""

import statistics
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from crowd import NOW, fill, name_of
from store_backends import new_postgresql_database
from web_service import WebService

from monitor.scheduler import Scheduler
from monitor.settings import MonitorSettings
from monitor.stores import sql

MONITORS, CHECKS = 1000, 100
TIMES = 40
MOST_S = 0.2  # at the 95th percentile

PAGES = (
    "/",
    "/?q=fraud",
    "/?state=drifted",
    "/?page=20",
    "/monitors/{0}",
    "/monitors/{0}?last=120&columns=all",
    "/checks/{0}-20260531",
    "/episodes/e-{0}-20260523",
    "/compare?check={0}-20260531&check={0}-20260510",
    "/operations",
    "/operations/schedule",
    "/operations/references",
    "/operations/tokens",
    "/operations/audit",
    "/pulse",
)
LISTS = (
    "/api/v1/monitors?limit=200",
    "/api/v1/monitors/{0}",
    "/api/v1/monitors/{0}/references",
    "/api/v1/checks?limit=200",
    "/api/v1/checks?monitor={0}&limit=200",
    "/api/v1/episodes?limit=200",
    "/api/v1/episodes?state=open&limit=200",
    "/api/v1/episodes/e-{0}-20260523",
    "/api/v1/retrain-requests?limit=200",
    "/api/v1/messages?limit=200",
    "/api/v1/messages?state=failed&limit=200",
    "/api/v1/check-requests?limit=200",
    "/api/v1/audit?limit=200",
    "/api/v1/silences",
    "/api/v1/tokens",
    "/api/v1/operations",
)
ILL = tuple(name_of(number) for number in range(5, MONITORS, 12))


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def client(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[httpx.Client]:
    folder = tmp_path_factory.mktemp("crowd")
    url = "sqlite:///monitor.db"
    if request.param == "postgresql":
        url = new_postgresql_database(request.getfixturevalue("postgresql"))
    store = sql.make(url, folder)
    fill(store, MONITORS, CHECKS)
    with store._database.writing() as db:
        db.exec_driver_sql("ANALYZE")
    plain = {"production": {"path": "x.parquet", "time": "t"}}
    watched = {
        name: MonitorSettings.model_validate({**plain, "name": name})
        for name in map(name_of, range(MONITORS))
    }
    scheduler = Scheduler(watched, store, lambda *_: None, lambda: NOW)
    yield serve(store, scheduler, folder)
    store.close()


def serve(store: sql.SqlStore, scheduler: Scheduler, folder: Path) -> httpx.Client:
    service = WebService(folder, now=NOW, lone=True, store=store)
    service.status = scheduler.status  # type: ignore[method-assign]
    service.__post_init__()
    client = service.client()
    client.get("/")  # the newest checks of all monitors are read once
    return client


@pytest.mark.slow
@pytest.mark.parametrize("page", (*PAGES, *LISTS))
def test_a_page_takes_no_longer_than_it_may(client: httpx.Client, page: str) -> None:
    took_s, size, worked_s = [], 0, time.process_time()
    for turn in range(TIMES):
        path = page.format(ILL[turn % len(ILL)])
        began = time.perf_counter()
        answer = client.get(path)
        took_s.append(time.perf_counter() - began)
        assert answer.status_code == 200, answer.text
        size = len(answer.content)
    median, p95 = statistics.median(took_s), statistics.quantiles(took_s, n=20)[-1]
    worked_ms = (time.process_time() - worked_s) / TIMES * 1000  # of this process
    told = f"median {median * 1000:.0f} ms, p95 {p95 * 1000:.0f} ms, {worked_ms:.0f} ms of work"
    print(f"{page}: {told}, {size / 1000:.0f} kB")
    assert p95 <= MOST_S
