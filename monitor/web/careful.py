"""What every answer carries: no script, no frame, no guessing of types, no address told."""

from fastapi import Request
from fastapi.responses import Response
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from monitor.web.drawing import PAGE_POLICY

_ALWAYS = {
    "X-Content-Type-Options": "nosniff",
    # With `no-referrer` browsers hide where a form of ours is from, too, and by plain http nothing
    # else says it.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}
_UNLESS_SAID = {
    "X-Frame-Options": "DENY",
    "Content-Security-Policy": PAGE_POLICY,
    "Cache-Control": "private, no-cache",
}
_ONLY_HTTPS = "max-age=31536000"


class Careful:
    """Adds them, whatever the answer is."""

    def __init__(self, app: ASGIApp, secure: bool = False) -> None:
        """`secure`: people reach the service by https alone."""
        self._app = app
        self._secure = secure

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def sent(message: Message) -> None:
            if message["type"] == "http.response.start":
                _add(MutableHeaders(scope=message), secure=self._secure)
            await send(message)

        await self._app(scope, receive, sent if scope["type"] == "http" else send)


def carefully(response: Response, request: Request) -> Response:
    """The same for an answer that comes from outside the middleware."""
    _add(response.headers, secure=request.url.scheme == "https")
    return response


def _add(headers: MutableHeaders, *, secure: bool) -> None:
    for name, value in _UNLESS_SAID.items():
        headers.setdefault(name, value)
    headers.update(_ALWAYS)
    headers.add_vary_header("Cookie, Authorization")
    if secure:
        headers["Strict-Transport-Security"] = _ONLY_HTTPS
