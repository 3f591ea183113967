"""`/healthz` and `/readyz`: whether this process is to be kept, and whether to send it requests.

Both are open to everybody who can reach the service, since whoever restarts it has no token; so
they say which part is well, and nothing else.
"""

from collections.abc import Callable, Mapping

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse

from monitor.archive import Store
from monitor.errors import MonitorError


def health_routes(store: Store, alive: Callable[[], Mapping[str, bool]]) -> APIRouter:
    """`alive` names the loops of this process and whether each runs."""
    routes = APIRouter(include_in_schema=False)

    @routes.get("/healthz")
    def health() -> JSONResponse:
        """200 while every loop of this process runs: with 503 it is to be started anew.

        A store that does not answer is no reason: starting anew would not bring it back.
        """
        return _told("ok", "failing", dict(alive()))

    @routes.get("/readyz")
    def ready(request: Request) -> JSONResponse:
        """200 when the store answers with the right schema, every loop runs and nothing ends."""
        draining = request.app.state.draining()
        parts = {**_store(store), **alive(), "accepting": not draining}
        return _told("ready", "draining" if draining else "not ready", parts)

    return routes


def _told(well: str, ill: str, parts: Mapping[str, bool]) -> JSONResponse:
    good = all(parts.values())
    return JSONResponse({"status": well if good else ill, **parts}, 200 if good else 503)


def _store(store: Store) -> dict[str, bool]:
    """A newer program may have changed the schema meanwhile; ours then reads what it can."""
    try:
        found, wanted = store.schema()
    except MonitorError:
        return {"store": False, "schema": False}
    return {"store": True, "schema": found is not None and found >= wanted}
