"""How long every page and list takes when there are many monitors and checks."""

import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
from crowd import NOW, fill, name_of
from web_service import WebService

from monitor.scheduler import Scheduler
from monitor.settings import MonitorSettings
from monitor.stores import sql

TIMES = 40
ROUTES = (
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


def pages(
    folder: Path, url: str, *, monitors: int, checks: int, times: int = TIMES
) -> dict[str, Any]:
    """Milliseconds of each route, over many monitors that are in episodes."""
    store = sql.make(url, folder, lambda: NOW)
    try:
        fill(store, monitors, checks)
        with store._database.writing() as db:
            db.exec_driver_sql("ANALYZE")
        client = _client(store, folder, monitors)
        client.get("/").raise_for_status()  # the newest checks of all monitors are read once
        ill = [name_of(number) for number in range(5, monitors, 12)]
        routes = {route: _timed(client.get, route, ill, times) for route in ROUTES}
    finally:
        store.close()
    return {"monitors": monitors, "checks": monitors * checks, "routes": routes}


def _client(store: sql.SqlStore, folder: Path, monitors: int) -> httpx.Client:
    """The application itself, in this process: what it takes on the server, without a network."""
    plain = {"production": {"path": "x.parquet", "time": "t"}}
    watched = {
        name: MonitorSettings.model_validate({**plain, "name": name})
        for name in map(name_of, range(monitors))
    }
    scheduler = Scheduler(watched, store, lambda *_: None, lambda: NOW)
    return WebService(folder, now=NOW, lone=True, store=store, states=scheduler.status).client()


def _timed(
    get: Callable[[str], httpx.Response], route: str, names: list[str], times: int
) -> dict[str, float]:
    took_ms = []
    for turn in range(times):
        path = route.format(names[turn % len(names)])
        began = time.perf_counter()
        answer = get(path)
        took_ms.append((time.perf_counter() - began) * 1000)
        answer.raise_for_status()
    p95 = statistics.quantiles(took_ms, n=20)[-1]
    return {"median_ms": round(statistics.median(took_ms), 1), "p95_ms": round(p95, 1)}
