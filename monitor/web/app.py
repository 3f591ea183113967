"""The application: its parts joined, what every answer carries, and how errors look."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from importlib.metadata import version

from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from monitor.errors import MonitorError, StoreUnavailable
from monitor.ports import Clock, Reports, Store
from monitor.scheduler import MonitorStatus
from monitor.sight import traces
from monitor.web.drawing import PAGE_POLICY, draw
from monitor.web.health import health_routes
from monitor.web.machines import machine_routes
from monitor.web.missing import Missing
from monitor.web.pages import page_routes
from monitor.web.reports import report_routes
from monitor.web.tracing import Traced
from monitor.web.views import Views


def make_app(
    store: Store,
    reports: Reports,
    status: Callable[[], list[MonitorStatus]],
    clock: Clock,
    *,
    alive: Callable[[], Mapping[str, bool]] = dict,
    draining: Callable[[], bool] = lambda: False,
    beside: Sequence[APIRouter] = (),
) -> FastAPI:
    """Pages and JSON over a store. `alive` names the loops beside it and whether each runs."""
    app = FastAPI(
        title="Drift Monitor",
        version=version("drift-monitor"),
        docs_url=None,  # these pages would load scripts from the network
        redoc_url=None,
    )
    views = Views(store, status, clock)
    app.include_router(health_routes(store, alive, draining))
    for routes in beside:
        app.include_router(routes)
    app.include_router(machine_routes(views))
    app.include_router(report_routes(views, reports))
    app.include_router(page_routes(views, reports, alive))
    app.middleware("http")(_careful)
    if traces.are_on():
        app.add_middleware(Traced)
    app.exception_handler(Missing)(_missing)
    app.exception_handler(HTTPException)(_refused)
    app.exception_handler(RequestValidationError)(_invalid)
    app.exception_handler(StoreUnavailable)(_unavailable)
    app.exception_handler(Exception)(_fault)
    return app


async def _careful(
    request: Request, call_next: Callable[[Request], Awaitable[Response]]
) -> Response:
    """No script, no frame, no guessing of types, no address in a referrer."""
    return _carefully(await call_next(request))


def _carefully(response: Response) -> Response:
    response.headers.setdefault("Content-Security-Policy", PAGE_POLICY)
    response.headers.setdefault("Cache-Control", "no-cache")
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Referrer-Policy"] = "no-referrer"
    return response


# --- Errors ---


def _missing(request: Request, error: Exception) -> Response:
    assert isinstance(error, Missing)
    return _error(request, 404, error.short, error.hint, error.listing)


def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if error.status_code == 404:
        path = request.url.path
        return _error(request, 404, f"there is no page {path}", "the monitors are at /")
    return _error(request, error.status_code, str(error.detail), "", (), error.headers)


def _invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    told = [f"{'.'.join(map(str, e['loc'][1:]))}: {e['msg']}" for e in error.errors()]
    return _error(request, 400, "; ".join(told), "")


def _unavailable(request: Request, error: Exception) -> Response:
    assert isinstance(error, MonitorError)
    return _error(request, 503, f"the store does not answer: {error}", error.hint)


def _fault(request: Request, error: Exception) -> Response:
    """This answer does not pass through the middleware."""
    told = f"a fault of ours ({type(error).__name__})"
    return _carefully(_error(request, 500, told, "the log of the service says more"))


def _error(
    request: Request,
    code: int,
    message: str,
    hint: str,
    listing: tuple[tuple[str, str], ...] = (),
    headers: Mapping[str, str] | None = None,
) -> Response:
    """JSON for machines and a page for people, with the same words."""
    path = request.scope["path"].removeprefix(request.scope.get("root_path", ""))
    if path.startswith(("/api/", "/healthz", "/readyz", "/metrics")):
        known = {"known": [name for name, _ in listing]} if listing else {}
        content = {"error": {"message": message, "hint": hint, **known}}
        return JSONResponse(content, code, headers=dict(headers or {}))
    page = draw(
        request, "error.html.j2", code, message=message, hint=hint, listing=listing, code=code
    )
    page.headers.update(headers or {})
    return page
