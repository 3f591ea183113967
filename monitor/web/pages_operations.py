"""How the service itself is doing: schedule, outbox, references, silences, tokens, audit log."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import Response
from pydantic import AwareDatetime

from monitor.core.people import Scope
from monitor.due import MonitorStatus
from monitor.web.drawing import draw
from monitor.web.kit import READ_METHODS, PageKit

_SCHEDULED = 50  # monitors on a page of the schedule
_MESSAGES, _RETRAINS, _REFERENCES, _ENTRIES = 50, 30, 50, 50


def operations_routes(kit: PageKit) -> APIRouter:
    routes = APIRouter(include_in_schema=False)
    reads = [Depends(kit.gate.page(Scope.READ))]
    administers = [Depends(kit.gate.page(Scope.ADMIN))]
    views, store = kit.views, kit.views.store

    @routes.api_route("/operations", methods=READ_METHODS, dependencies=reads)
    def operations(request: Request) -> Response:
        now, statuses = views.now(), views.statuses()
        return draw(
            request,
            "operations.html.j2",
            parts=dict(kit.alive()),
            replicas=store.replicas(),
            troubled=[s for s in statuses if s.error or s.skipped or s.lag > 1],
            running=_running(kit, statuses),
            monitors=len(statuses),
            counts=store.count_messages(),
            failed=store.newest_messages(state="failed", limit=_MESSAGES),
            pending=store.oldest_messages(state="pending", limit=_MESSAGES),
            silences=store.silences(since=now),
            requests=store.oldest_check_requests(state="pending", limit=_MESSAGES),
            zone=views.zones(),
            now=now,
        )

    @routes.api_route("/operations/schedule", methods=READ_METHODS, dependencies=reads)
    def schedule(request: Request, page: int = 1) -> Response:
        statuses = sorted(views.statuses(), key=lambda s: (-s.lag, s.name))
        here = min(max(1, page), -(-len(statuses) // _SCHEDULED) or 1)
        return draw(
            request,
            "schedule.html.j2",
            statuses=statuses[(here - 1) * _SCHEDULED : here * _SCHEDULED],
            monitors=len(statuses),
            page=here,
            last_page=-(-len(statuses) // _SCHEDULED) or 1,
            now=views.now(),
        )

    @routes.api_route("/operations/references", methods=READ_METHODS, dependencies=reads)
    def references(request: Request) -> Response:
        return draw(
            request,
            "references.html.j2",
            references=store.built_lately(_REFERENCES),
            retrains=store.newest_retrains(limit=_RETRAINS),
            zone=views.zones(),
            most=_REFERENCES,
        )

    @routes.api_route("/operations/tokens", methods=READ_METHODS, dependencies=administers)
    def tokens(request: Request) -> Response:
        return draw(request, "tokens.html.j2", tokens=store.list_tokens(), now=views.now())

    @routes.api_route("/operations/audit", methods=READ_METHODS, dependencies=reads)
    def audit(
        request: Request,
        monitor: str = "",
        before: Annotated[AwareDatetime | None, Query()] = None,
        id: str = "",
    ) -> Response:
        entries = store.audit(monitor or None, before=_place(before, id), limit=_ENTRIES)
        return draw(
            request,
            "audit.html.j2",
            entries=entries,
            monitor=monitor,
            zone=views.zones(),
            last=entries[-1] if len(entries) == _ENTRIES else None,
            first_page=before is None,
            now=views.now(),
        )

    return routes


def _place(before: datetime | None, entry: str) -> tuple[datetime, str] | None:
    return None if before is None else (before, entry)


def _running(kit: PageKit, statuses: list[MonitorStatus]) -> list[tuple[str, Any, str]]:
    """(monitor, window, by whom): what this process is at, and what others have claimed."""
    mine = [(s.name, s.running, "this process") for s in statuses if s.running]
    known = {(name, window) for name, window, _ in mine}
    others = kit.views.store.claimed_windows(kit.views.now())
    return mine + [claim for claim in others if claim[:2] not in known]
