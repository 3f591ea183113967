"""What went wrong: a problem document for machines (RFC 9457), a page for people."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, RedirectResponse, Response
from starlette.exceptions import HTTPException

from monitor.errors import (
    AskedWrongly,
    NotAllowed,
    NotSignedIn,
    StoreConflict,
    StoreUnavailable,
    UnknownName,
)
from monitor.web.careful import carefully
from monitor.web.drawing import draw
from monitor.web.limits import TooOften
from monitor.web.missing import Missing

MEDIA_TYPE = "application/problem+json"
KINDS = "urn:drift-monitor:problem:"
RETRY_S = 5  # when to come back to a store that does not answer
_KNOWN = 50  # names that an answer lists


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a request was not carried out."""

    status: int
    kind: str  # unknown-name
    detail: str
    hint: str = ""
    more: Mapping[str, Any] = field(default_factory=dict)  # what, name, known; errors
    listing: tuple[tuple[str, str], ...] = ()  # name and address of what there is, for a page
    headers: Mapping[str, str] = field(default_factory=dict)

    def document(self) -> dict[str, Any]:
        return {
            "type": KINDS + self.kind,
            "title": self.kind.replace("-", " ").capitalize(),
            "status": self.status,
            "detail": self.detail,
            "hint": self.hint,
            **self.more,
        }


def tell_problems(app: FastAPI) -> None:
    """Have every error of an application told as a problem."""
    for kind, problem_of in _TOLD.items():
        app.exception_handler(kind)(_handler(problem_of))
    app.exception_handler(NotSignedIn)(_not_signed_in)
    app.exception_handler(Exception)(_fault)


def told(request: Request, problem: Problem) -> Response:
    """The answer to a request that was not carried out."""
    if is_for_machines(request):
        document, headers = problem.document(), dict(problem.headers)
        return JSONResponse(document, problem.status, headers=headers, media_type=MEDIA_TYPE)
    page = draw(
        request,
        "error.html.j2",
        problem.status,
        message=problem.detail,
        hint=problem.hint,
        listing=problem.listing,
        code=problem.status,
    )
    page.headers.update(problem.headers)
    return page


def is_for_machines(request: Request) -> bool:
    return path_of(request).startswith(("/api/", "/healthz", "/readyz", "/metrics", "/slack/"))


def path_of(request: Request) -> str:
    """The path as our routes know it, without what a proxy put before it."""
    path: str = request.scope["path"]
    return path.removeprefix(request.scope.get("root_path", ""))


def too_often(error: TooOften) -> Problem:
    headers = {"Retry-After": str(error.retry_after_s)}
    return Problem(429, "too-often", str(error), error.hint, headers=headers)


# --- What becomes of each error ---


def _missing(request: Request, error: Any) -> Problem:
    return Problem(404, "unknown-name", error.short, error.hint, _names(error), error.listing)


def _unknown(request: Request, error: Any) -> Problem:
    """404 when the address names what is not there, else the request is at fault."""
    addressed = {*request.path_params.values(), *request.query_params.values()}
    status = 404 if error.name in addressed else 422
    return Problem(status, "unknown-name", str(error), error.hint, _names(error))


def _names(error: UnknownName) -> dict[str, Any]:
    return {"what": error.what, "name": error.name, "known": error.known[:_KNOWN]}


def _asked_wrongly(request: Request, error: Any) -> Problem:
    return Problem(422, "asked-wrongly", str(error), error.hint)


def _not_allowed(request: Request, error: Any) -> Problem:
    return Problem(403, "not-allowed", str(error), error.hint)


def _too_often(request: Request, error: Any) -> Problem:
    return too_often(error)


def _conflict(request: Request, error: Any) -> Problem:
    return Problem(409, "conflict", str(error), error.hint or "read it again and decide anew")


def _unavailable(request: Request, error: Any) -> Problem:
    text = f"the store does not answer: {error}"
    headers = {"Retry-After": str(RETRY_S)}
    return Problem(503, "store-unavailable", text, error.hint, headers=headers)


def _refused(request: Request, error: Any) -> Problem:
    """What the framework itself refuses: 404, 405, and what is larger than allowed."""
    status, headers = error.status_code, error.headers or {}
    if status == 404:
        return Problem(404, "no-such-page", f"there is no page {path_of(request)}", _WHERE)
    if status == 405:
        headers = {**headers, "Allow": ", ".join(sorted(_methods_at(request)))}
    kind = _KINDS.get(status, "refused")
    return Problem(status, kind, str(error.detail), headers=headers)


def _methods_at(request: Request) -> set[str]:
    """What can be done at an address; the framework tells of the first route alone."""
    path = path_of(request)
    found: set[str] = set()
    for part in request.app.state.parts:
        for route in part.routes:
            if route.path_regex.match(path):
                found |= route.methods
    return found | {"HEAD"} if "GET" in found and is_for_machines(request) else found


_KINDS = {400: "unreadable", 405: "wrong-method", 413: "too-large", 415: "not-json", 503: "busy"}
_WHERE = "the monitors are at /, and /api/v1/openapi.json says what machines may ask"


def _invalid(request: Request, error: Any) -> Problem:
    """Values that have the wrong form, each with its place."""
    errors = [
        {"at": ".".join(map(str, e["loc"][1:])) or str(e["loc"][0]), "text": e["msg"]}
        for e in error.errors()
    ]
    text = "; ".join(f"{one['at']}: {one['text']}" for one in errors)
    status = 422 if is_for_machines(request) else 400
    return Problem(status, "wrong-form", text, more={"errors": errors})


def _fault(request: Request, error: Exception) -> Response:
    """This answer does not pass through the middleware."""
    text = f"a fault of ours ({type(error).__name__})"
    problem = Problem(500, "fault", text, "the log of the service says more")
    return carefully(told(request, problem), request)


def _not_signed_in(request: Request, error: Exception) -> Response:
    """A person is led to the page where they sign in, and back."""
    assert isinstance(error, NotSignedIn)
    if request.method == "GET" and not is_for_machines(request):
        back = path_of(request) + (f"?{request.url.query}" if request.url.query else "")
        root = request.scope.get("root_path", "")
        return RedirectResponse(f"{root}/sign-in?next={quote(back, safe='')}", 303)
    headers = {"WWW-Authenticate": "Bearer"} if is_for_machines(request) else {}
    listing = (("Sign in", "/sign-in"),)
    problem = Problem(401, "not-signed-in", str(error), error.hint, {}, listing, headers)
    return told(request, problem)


_TOLD: Mapping[type[Exception], Callable[[Request, Any], Problem]] = {
    Missing: _missing,
    UnknownName: _unknown,
    NotAllowed: _not_allowed,
    TooOften: _too_often,
    AskedWrongly: _asked_wrongly,
    StoreConflict: _conflict,
    StoreUnavailable: _unavailable,
    HTTPException: _refused,
    RequestValidationError: _invalid,
}


def _handler(problem_of: Callable[[Request, Any], Problem]) -> Callable[..., Response]:
    def handle(request: Request, error: Exception) -> Response:
        return told(request, problem_of(request, error))

    return handle
