"""`/sign-in`, `/sign-out`: a token begins a session, and a form ends it."""

import re
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import RedirectResponse, Response
from starlette.concurrency import run_in_threadpool

from monitor.core.people import Scope
from monitor.errors import NotAllowed, NotSignedIn
from monitor.web.access import COOKIE, SESSION_LASTS, Gate, Visitor, address_of, form_of
from monitor.web.drawing import draw

_OURS = re.compile(r"/(?![/\\])[^\\\x00-\x20\x7f]*")  # a path of ours, never another host


def sign_in_routes(gate: Gate) -> APIRouter:
    routes = APIRouter(include_in_schema=False)

    @routes.api_route("/sign-in", methods=["GET", "HEAD"])
    def ask(request: Request, next: str = "/") -> Response:
        if gate.is_open:
            return _go(request, next)
        return draw(request, "sign_in.html.j2", next=ours(next), problem="")

    @routes.post("/sign-in")
    async def sign_in(request: Request) -> Response:
        gate.no_stranger_page(request)
        fields = await form_of(request)
        back, shown = fields.get("next", "/"), fields.get("token", "")
        try:
            cookie = await run_in_threadpool(gate.sign_in, shown, address_of(request))
        except (NotSignedIn, NotAllowed) as error:
            return draw(request, "sign_in.html.j2", 401, next=ours(back), problem=str(error))
        answer = _go(request, back)
        lasts_s = int(SESSION_LASTS.total_seconds())
        answer.set_cookie(COOKIE, cookie, max_age=lasts_s, **_kept(request, gate))
        return answer

    @routes.post("/sign-out")
    def sign_out(
        request: Request, visitor: Annotated[Visitor, Depends(gate.form(Scope.READ))]
    ) -> Response:
        gate.sign_out(request, visitor)
        answer = _go(request, "/sign-in")
        answer.delete_cookie(COOKIE, **_kept(request, gate))
        return answer

    return routes


def ours(path: str) -> str:
    """Where to go on: a path of ours, whatever somebody put into the address.

    >>> ours("/monitors/loans?x=1"), ours("//evil.example"), ours("https://evil.example")
    ('/monitors/loans?x=1', '/', '/')
    """
    return path if _OURS.fullmatch(path) else "/"


def _go(request: Request, path: str) -> RedirectResponse:
    return RedirectResponse(request.scope.get("root_path", "") + ours(path), 303)


def _kept(request: Request, gate: Gate) -> dict[str, Any]:
    """How the cookie is kept: no script reads it, and it goes to our own path alone. A link from
    elsewhere, as in an alert, is followed with it; a form from elsewhere is sent without."""
    return {
        "path": request.scope.get("root_path", "") or "/",
        "httponly": True,
        "samesite": "lax",
        "secure": gate.is_secure or request.url.scheme == "https",
    }
