"""The pages: every monitor, one monitor, and how the service itself is doing."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import Response
from pydantic import AwareDatetime

from monitor.core.people import Scope
from monitor.ports import Reports
from monitor.web.access import Gate
from monitor.web.drawing import REFRESH_S, draw, style
from monitor.web.reports import explorers_of
from monitor.web.views import CHECKS, STRIP, Row, Views, column_lines, line, since

_REFRESH = {"Refresh": str(REFRESH_S)}
_READ = ["GET", "HEAD"]


def page_routes(
    views: Views, reports: Reports, alive: Callable[[], Mapping[str, bool]], gate: Gate
) -> APIRouter:
    routes = APIRouter(include_in_schema=False)
    reads = [Depends(gate.page(Scope.READ))]

    @routes.api_route("/", methods=_READ, dependencies=reads)
    def home(request: Request) -> Response:
        rows = views.rows()
        page = draw(request, "home.html.j2", rows=rows, summary=_summary(rows), now=views.now())
        page.headers.update(_REFRESH)
        return page

    @routes.api_route("/monitors/{name:path}", methods=_READ, dependencies=reads)
    def monitor(
        request: Request, name: str, before: Annotated[AwareDatetime | None, Query()] = None
    ) -> Response:
        row = views.row(name)
        stored = views.checks(name, before, CHECKS)
        lines = [line(one) for one in stored]
        drawn = [one.check for one in reversed(stored[:STRIP])]
        columns, quieter = column_lines(drawn)
        return draw(
            request,
            "monitor.html.j2",
            row=row,
            zone=row.status.timezone,
            lines=lines,
            older=_older(
                lines[-1].window.start if lines and lines[-1].window else None, len(lines)
            ),
            explorers=explorers_of(lines, reports),
            reference=views.reference(name),
            columns=columns,
            quieter=quieter,
            drawn=drawn,
            past=[e for e in views.episodes(name) if e.resolved_at is not None],
            retrains=views.retrains(name)[:10],
            since=since,
            first_page=before is None,
            now=views.now(),
        )

    @routes.api_route("/operations", methods=_READ, dependencies=reads)
    def operations(request: Request) -> Response:
        rows = views.rows()
        page = draw(
            request,
            "operations.html.j2",
            rows=rows,
            parts=dict(alive()),
            failed=list(reversed(views.messages("failed"))),
            pending=views.messages("pending"),
            retrains=views.retrains()[:30],
            zone=views.zone,
            since=since,
            now=views.now(),
        )
        page.headers.update(_REFRESH)
        return page

    @routes.api_route("/style.css", methods=_READ)
    def style_sheet() -> Response:
        return Response(style(), media_type="text/css")

    return routes


def _older(start: datetime | None, count: int) -> str | None:
    """Where the next page of checks begins; None when this one was not full."""
    return start.isoformat() if start is not None and count == CHECKS else None


def _summary(rows: list[Row]) -> str:
    """ "2 violated, 1 drifted, 5 passed": the order of urgency."""
    states = [row.state for row in rows]
    return ", ".join(f"{states.count(state)} {state}" for state in dict.fromkeys(states))
