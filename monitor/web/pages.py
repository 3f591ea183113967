"""The pages: every monitor by urgency, what all pages need, and whether there is news."""

from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response

from monitor.core.people import Scope
from monitor.core.urgency import URGENCY
from monitor.web.drawing import asset, draw
from monitor.web.forms import deed_routes
from monitor.web.kit import READ_METHODS, PageKit
from monitor.web.pages_checks import check_routes
from monitor.web.pages_episode import episode_routes
from monitor.web.pages_monitor import monitor_routes
from monitor.web.pages_operations import operations_routes
from monitor.web.views import Row

ROWS = 50  # monitors on a page
ASSETS = {"style.css": "text/css", "bar.css": "text/css", "live.js": "text/javascript"}


def page_routes(kit: PageKit) -> tuple[APIRouter, ...]:
    """The routes of every page."""
    parts = (monitor_routes, check_routes, episode_routes, operations_routes, deed_routes)
    return _home_routes(kit), *(routes_of(kit) for routes_of in parts)


def _home_routes(kit: PageKit) -> APIRouter:
    routes = APIRouter(include_in_schema=False)
    reads = [Depends(kit.gate.page(Scope.READ))]
    views = kit.views

    @routes.api_route("/", methods=READ_METHODS, dependencies=reads)
    def home(request: Request, q: str = "", state: str = "", page: int = 1) -> Response:
        rows = views.rows()
        chosen = _Chosen(q.strip(), state if state in URGENCY else "")
        found = [row for row in rows if chosen.wants(row)]
        last_page = max(1, -(-len(found) // ROWS))
        here = min(max(1, page), last_page)
        return draw(
            request,
            "home.html.j2",
            every=rows,
            found=len(found),
            rows=found[(here - 1) * ROWS : here * ROWS],
            here_page=here,
            last_page=last_page,
            chosen=chosen,
            counts=_counts(rows),
            now=views.now(),
        )

    @routes.api_route("/pulse", methods=READ_METHODS, dependencies=reads)
    def pulse() -> Response:
        """A word that changes when there may be news; pages ask for it and for nothing else."""
        word = sha256(views.news().encode()).hexdigest()[:16]
        return Response(word, media_type="text/plain", headers={"Cache-Control": "no-store"})

    return routes


def asset_routes() -> APIRouter:
    """The style sheet and the script of every page; nobody needs to sign in for them."""
    routes = APIRouter(include_in_schema=False)
    for name, kind in ASSETS.items():
        routes.add_api_route(f"/{name}", _asset(name, kind), methods=READ_METHODS)
    return routes


def _asset(name: str, kind: str) -> Callable[[], Response]:
    def answer() -> Response:
        return Response(asset(name), media_type=kind)

    return answer


@dataclass(frozen=True, slots=True)
class _Chosen:
    """Which monitors somebody wants to see."""

    text: str
    state: str

    def wants(self, row: Row) -> bool:
        if self.state and row.state != self.state:
            return False
        if not self.text:
            return True
        told = f"{row.name} {row.newest.headline if row.newest else ''} {row.status.error}"
        return all(part in told.casefold() for part in self.text.casefold().split())


def _counts(rows: list[Row]) -> dict[str, int]:
    """Monitors by state, in the order of urgency."""
    states = [row.state for row in rows]
    return {state: states.count(state) for state in URGENCY if state in states}
