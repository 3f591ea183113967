"""JSON for machines: stored checks as the contract has them, and whether the service is well."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from fastapi.responses import JSONResponse
from pydantic import AwareDatetime

from monitor.core.people import Scope
from monitor.core.wire import check_to_json, plain
from monitor.errors import MonitorError
from monitor.ports import CheckLine, Store
from monitor.web.access import Gate
from monitor.web.views import Views, line

MOST = 500  # checks in one answer


def machine_routes(
    store: Store, views: Views, alive: Callable[[], Mapping[str, bool]], gate: Gate
) -> APIRouter:
    routes = APIRouter()
    reads = [Depends(gate.api(Scope.READ))]

    @routes.get("/healthz")
    def health() -> JSONResponse:
        """200 when the store answers and every loop of the service runs, else 503."""
        parts = {"store": _answers(store), **alive()}
        well = all(parts.values())
        return JSONResponse({"status": "ok" if well else "failing", **parts}, 200 if well else 503)

    @routes.get("/api/v1/checks", dependencies=reads)
    def list_checks(
        monitor: str | None = None,
        before: Annotated[AwareDatetime | None, Query()] = None,
        limit: Annotated[int, Query(ge=1, le=MOST)] = 30,
    ) -> dict[str, Any]:
        """Newest window first, one line a check; `before` keeps windows that start earlier."""
        if monitor is not None:
            views.row(monitor)
        found = [line(stored) for stored in store.list_checks(monitor, before=before, limit=limit)]
        return {"checks": [_listed(check) for check in found]}

    @routes.get("/api/v1/checks/{check_id:path}", dependencies=reads)
    def get_check(check_id: str) -> JSONResponse:
        """The whole check; its form is what `monitor schema check` prints."""
        return JSONResponse(check_to_json(views.check(check_id).check))

    return routes


def _answers(store: Store) -> bool:
    try:
        store.next_due()
    except MonitorError:
        return False
    return True


def _listed(check: CheckLine) -> dict[str, Any]:
    window = check.window
    return {
        "id": check.id,
        "monitor": check.monitor or None,
        "verdict": str(check.verdict),
        "headline": check.headline,
        "window": {"start": _iso(window.start), "end": _iso(window.end)} if window else None,
        "rows_in_window": check.rows,
        "revision": check.revision,
        "stored_at": _iso(check.stored_at),
        "report": check.report,
    }


def _iso(moment: datetime) -> Any:
    return plain(moment)
