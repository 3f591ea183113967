"""ETags: who has an answer already is told so instead of getting it again; HEAD as GET."""

from collections.abc import MutableMapping
from hashlib import sha256
from typing import Any

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_READS = ("GET", "HEAD")


class Tagged:
    """Marks every answer of the API that was read with a digest of what it says."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if not _is_read(scope):
            await self._app(scope, receive, send)
            return
        answer = _Held(scope, send)
        await self._app({**scope, "method": "GET"}, receive, answer.take)


class _Held:
    """Holds an answer until it is whole; lists are bounded, so that is never much."""

    def __init__(self, scope: Scope, send: Send) -> None:
        self._scope = scope
        self._send = send
        self._start: MutableMapping[str, Any] = {}
        self._body = b""

    async def take(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._start = message
            return
        self._body += message.get("body", b"")
        if not message.get("more_body", False):
            await self._finish()

    async def _finish(self) -> None:
        headers = MutableHeaders(scope=self._start)
        body = self._body
        if self._start["status"] == 200:
            tag = f'"{sha256(body).hexdigest()[:32]}"'
            headers["ETag"] = tag
            if _has(Headers(scope=self._scope).get("if-none-match", ""), tag):
                self._start["status"], body = 304, b""
                del headers["content-length"]
        await self._send(self._start)
        sent = b"" if self._scope["method"] == "HEAD" else body
        await self._send({"type": "http.response.body", "body": sent})


def _is_read(scope: Scope) -> bool:
    if scope["type"] != "http" or scope["method"] not in _READS:
        return False
    path: str = scope["path"].removeprefix(scope.get("root_path", ""))
    return path.startswith(("/api/", "/healthz"))


def _has(header: str, tag: str) -> bool:
    """Whether one of the tags somebody has is this one; a weak one is good enough to read."""
    told = [one.strip().removeprefix("W/") for one in header.split(",")]
    return "*" in told or tag in told
