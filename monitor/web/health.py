"""Whether the service is well: for whoever restarts it, without a token."""

from collections.abc import Callable, Mapping

from fastapi import APIRouter
from fastapi.responses import JSONResponse

from monitor.errors import MonitorError
from monitor.ports import Store


def health_routes(store: Store, alive: Callable[[], Mapping[str, bool]]) -> APIRouter:
    routes = APIRouter(include_in_schema=False)

    @routes.get("/healthz")
    def health() -> JSONResponse:
        """200 when the store answers and every loop of the service runs, else 503."""
        parts = {"store": _answers(store), **alive()}
        well = all(parts.values())
        return JSONResponse({"status": "ok" if well else "failing", **parts}, 200 if well else 503)

    return routes


def _answers(store: Store) -> bool:
    try:
        store.next_due()
    except MonitorError:
        return False
    return True
