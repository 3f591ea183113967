"""JSON for machines: stored checks as the contract has them."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query
from fastapi.responses import JSONResponse
from pydantic import AwareDatetime

from monitor.core.wire import check_to_json, plain
from monitor.web.views import Line, Views, line

MOST = 500  # checks in one answer


def machine_routes(views: Views) -> APIRouter:
    routes = APIRouter()

    @routes.get("/api/v1/checks")
    def list_checks(
        monitor: str | None = None,
        before: Annotated[AwareDatetime | None, Query()] = None,
        limit: Annotated[int, Query(ge=1, le=MOST)] = 30,
    ) -> dict[str, Any]:
        """Newest window first, one line a check; `before` keeps windows that start earlier."""
        if monitor is not None:
            views.row(monitor)
        found = [line(stored) for stored in views.checks(monitor, before, limit)]
        return {"checks": [_listed(check) for check in found]}

    @routes.get("/api/v1/checks/{check_id:path}")
    def get_check(check_id: str) -> JSONResponse:
        """The whole check; its form is what `monitor schema check` prints."""
        return JSONResponse(check_to_json(views.check(check_id).check))

    return routes


def _listed(check: Line) -> dict[str, Any]:
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
