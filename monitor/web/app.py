"""The application: its parts joined, each behind its rule; what every answer carries."""

from collections.abc import Awaitable, Callable, Mapping
from importlib.metadata import version

from fastapi import APIRouter, FastAPI, Request
from starlette.types import ASGIApp, Receive, Scope, Send

from monitor.archive import Store
from monitor.desk import Desk
from monitor.due import MonitorStatus
from monitor.ports import Clock, Reports
from monitor.sight import traces
from monitor.web.access import Gate, address_of
from monitor.web.api.kit import ApiKit
from monitor.web.api.routes import api_routes
from monitor.web.api.tagging import Tagged
from monitor.web.careful import Careful
from monitor.web.health import health_routes
from monitor.web.kit import Difference, PageKit
from monitor.web.limits import Limits, SizeLimit, TooOften
from monitor.web.pages import ASSETS, asset_routes, page_routes
from monitor.web.problems import tell_problems, told, too_often
from monitor.web.reports import report_routes
from monitor.web.signing_in import sign_in_routes
from monitor.web.tracing import Traced
from monitor.web.views import Views

# What nobody needs a token for
OPEN = ("/healthz", "/readyz", "/sign-in", *(f"/{name}" for name in ASSETS))


def make_app(
    store: Store,
    reports: Reports,
    status: Callable[[], list[MonitorStatus]],
    clock: Clock,
    *,
    desk: Desk,
    gate: Gate,
    alive: Callable[[], Mapping[str, bool]] = dict,
    difference: Difference | None = None,
) -> FastAPI:
    """Pages and JSON over a store. `alive` names the loops beside it and whether each runs."""
    app = FastAPI(
        title="Drift Monitor",
        version=version("drift-monitor"),
        openapi_url=None,  # the document of the API is behind its own rule
        docs_url=None,  # these pages would load scripts from the network
        redoc_url=None,
        redirect_slashes=False,  # that would lead to whatever host the request names
    )
    views = Views(store, status, clock)
    kit = PageKit(views, reports, gate, desk, alive, difference)
    parts: tuple[APIRouter, ...] = (
        health_routes(store, alive),
        *api_routes(ApiKit(store, views, clock, desk, gate, alive)),
        sign_in_routes(gate),
        asset_routes(),
        report_routes(kit),
        *page_routes(kit),
    )
    app.state.parts = []
    app.state.strips = views.strips  # one for all who follow what is stored
    app.state.draining = lambda: False  # whoever runs it says when it ends
    for part in parts:
        add_routes(app, part)
    tell_problems(app)
    app.add_middleware(Tagged)
    app.add_middleware(SizeLimit)
    app.add_middleware(_Counted, limits=gate.limits)
    app.add_middleware(Careful, secure=gate.is_secure)
    if traces.are_on():
        app.add_middleware(Traced)  # the outermost: added last
    return app


def add_routes(app: FastAPI, part: APIRouter) -> None:
    """Routes with a rule of their own, like those that hear what is pressed in Slack."""
    app.include_router(part)
    app.state.parts.append(part)


class _Counted:
    """Counts what comes from each address, before anything is done for it."""

    def __init__(self, app: ASGIApp, limits: Limits) -> None:
        self._app = app
        self._limits = limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        answer: ASGIApp | Callable[..., Awaitable[None]] = self._app
        if scope["type"] == "http":
            request = Request(scope)
            try:
                self._limits.of_address(address_of(request))
            except TooOften as error:
                answer = told(request, too_often(error))
        await answer(scope, receive, send)
