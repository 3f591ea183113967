"""The page of one monitor: how it stands, how it got there, and what can be done."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import Response
from pydantic import AwareDatetime

from monitor.archive import Place
from monitor.core.people import Scope
from monitor.web.charts import Charts
from monitor.web.drawing import draw, root_of
from monitor.web.history import MORE_COLUMNS, RANGES, History, Range, happened, history
from monitor.web.kit import READ_METHODS, PageKit
from monitor.web.reports import explorers_of
from monitor.web.views import since

_EPISODES, _RETRAINS, _LISTED = 20, 10, 30


def monitor_routes(kit: PageKit) -> APIRouter:
    routes = APIRouter(include_in_schema=False)
    reads = [Depends(kit.gate.page(Scope.READ))]
    views, store = kit.views, kit.views.store

    @routes.api_route("/monitors/{name}", methods=READ_METHODS, dependencies=reads)
    def monitor(
        request: Request,
        name: str,
        before: Annotated[AwareDatetime | None, Query()] = None,
        last: int = RANGES[0],
        columns: str = "",
    ) -> Response:
        row, now = views.row(name), views.now()
        wanted = _wanted(name, before, last, every=columns == "all")
        beside = happened(store, name)
        drawn = history(store, name, row.status.timezone, wanted, beside)
        lines = list(reversed(drawn.lines)) if drawn else []
        return draw(
            request,
            "monitor.html.j2",
            row=row,
            zone=row.status.timezone,
            drawn=drawn,
            charts=Charts(drawn, root_of(request)) if drawn else None,
            wanted=wanted,
            ranges=RANGES,
            lines=lines[:_LISTED],
            more_lines=lines[_LISTED:],
            older=_older(drawn, wanted),
            explorers=explorers_of(lines[:_LISTED], kit.reports),
            references=store.list_references(name),
            past=[e for e in beside.episodes[:_EPISODES] if e.resolved_at is not None],
            retrains=beside.retrains[:_RETRAINS],
            asks_for_models=kit.desk.asks_for_models(name),
            since=since,
            now=now,
        )

    return routes


def _wanted(name: str, before: datetime | None, last: int, *, every: bool) -> Range:
    """Windows that start before a moment: their ends do not matter, so the first place counts."""
    place = None if before is None else Place(before, before, name)
    count = next((r for r in RANGES if r >= last), RANGES[-1])
    return Range(count, place, MORE_COLUMNS) if every else Range(count, place)


def _older(drawn: History | None, wanted: Range) -> str | None:
    """Where the next page of checks begins; None when this one was not full."""
    full = drawn is not None and len(drawn.lines) == wanted.count
    return drawn.lines[0].window.start.isoformat() if drawn is not None and full else None
