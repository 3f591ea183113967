"""The API from Python: `Client("https://drift.example", token)` asks a service that runs elsewhere.

Lists are iterators that fetch as they go. A problem is raised as the error of `monitor.errors` that
the same request raises on the spot. What may be tried again is: a service that is away, busy or
asked too often; a write goes under one idempotency key however often it is sent.
"""

import asyncio
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from types import TracebackType
from typing import Any, Self, TypeVar
from urllib.parse import parse_qs, quote, urlsplit
from uuid import uuid4

import httpx

from monitor.core.people import Scope
from monitor.errors import (
    AskedWrongly,
    MonitorError,
    NotAllowed,
    NotSignedIn,
    ServiceUnavailable,
    StoreConflict,
    StoreUnavailable,
    UnknownName,
)
from monitor.web.api import shapes

TRIES = 4
TIMEOUT_S = 30.0
LONGEST_WAIT_S = 30.0
_AGAIN = (429, 502, 503, 504)
_PATH = "/api/v1"
_PAGE = 200
_LOOPBACK = {"localhost", "127.0.0.1", "::1"}

Item = TypeVar("Item", bound=shapes.Shape)


class Client:
    """Asks one service. Close it, or use it in a `with`."""

    def __init__(
        self,
        server: str,
        token: str = "",
        *,
        transport: httpx.BaseTransport | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """`server` is where people see it, with the path of a proxy when there is one."""
        if urlsplit(server).scheme not in ("http", "https"):
            raise AskedWrongly(
                f"{server!r} is no address of a service", hint="write http://HOST:PORT"
            )
        headers = {"User-Agent": "drift-monitor", "Accept": "application/json"}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        self._server = server.rstrip("/")
        self._sleep = sleep
        # A proxy from the environment is for the outside world, never for this machine itself.
        outside = urlsplit(server).hostname not in _LOOPBACK
        self._http = httpx.Client(
            headers=headers, timeout=TIMEOUT_S, transport=transport, trust_env=outside
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        self._http.close()

    # --- What is watched ---

    def monitors(self) -> Iterator[shapes.Monitor]:
        return self._list(shapes.Monitor, "/monitors")

    def monitor(self, name: str) -> shapes.MonitorDetail:
        return self._get(shapes.MonitorDetail, f"/monitors/{_part(name)}")

    def references(self, monitor: str) -> Iterator[shapes.Reference]:
        return self._list(shapes.Reference, f"/monitors/{_part(monitor)}/references")

    def promote(self, monitor: str, version: str, why: str) -> shapes.Done:
        path = f"/monitors/{_part(monitor)}/references/{_part(version)}/promote"
        return self._post(path, why=why)

    def checks(self, monitor: str | None = None) -> Iterator[shapes.Check]:
        return self._list(shapes.Check, "/checks", monitor=monitor)

    def check(self, check_id: str) -> dict[str, Any]:
        """The whole document, which `monitor.core.wire.check_from_json` reads."""
        document: dict[str, Any] = self._ask("GET", f"/checks/{_part(check_id)}")
        return document

    def findings(self, check_id: str) -> Iterator[shapes.Finding]:
        return self._list(shapes.Finding, f"/checks/{_part(check_id)}/findings")

    def request_check(self, monitor: str, at: datetime, why: str) -> shapes.Done:
        return self._post("/check-requests", monitor=monitor, at=at, why=why)

    def check_requests(self, state: str | None = None) -> Iterator[shapes.CheckRequest]:
        return self._list(shapes.CheckRequest, "/check-requests", state=state)

    def check_request(self, request_id: str) -> shapes.CheckRequest:
        return self._get(shapes.CheckRequest, f"/check-requests/{_part(request_id)}")

    # --- Episodes and silences ---

    def episodes(
        self, monitor: str | None = None, state: str | None = None
    ) -> Iterator[shapes.Episode]:
        return self._list(shapes.Episode, "/episodes", monitor=monitor, state=state)

    def episode(self, episode_id: str) -> shapes.Story:
        return self._get(shapes.Story, f"/episodes/{_part(episode_id)}")

    def acknowledge(self, episode_id: str, why: str) -> shapes.Done:
        return self._post(f"/episodes/{_part(episode_id)}/acknowledge", why=why)

    def resolve(self, episode_id: str, why: str) -> shapes.Done:
        return self._post(f"/episodes/{_part(episode_id)}/resolve", why=why)

    def silences(self, *, over: bool = False) -> Iterator[shapes.Silence]:
        return self._list(shapes.Silence, "/silences", over="true" if over else None)

    def mute(self, monitor: str | None, until: datetime, why: str) -> shapes.Done:
        return self._post("/silences/mute", monitor=monitor, until=until, why=why)

    def maintain(
        self, monitor: str | None, start: datetime, end: datetime, why: str
    ) -> shapes.Done:
        return self._post("/silences/maintenance", monitor=monitor, start=start, end=end, why=why)

    def lift(self, silence_id: str, why: str) -> shapes.Done:
        return self._post(f"/silences/{_part(silence_id)}/lift", why=why)

    # --- New models ---

    def retrain_requests(self, monitor: str | None = None) -> Iterator[shapes.RetrainRequest]:
        return self._list(shapes.RetrainRequest, "/retrain-requests", monitor=monitor)

    def retrain_request(self, request_id: str) -> shapes.RetrainRequest:
        return self._get(shapes.RetrainRequest, f"/retrain-requests/{_part(request_id)}")

    def request_retrain(self, monitor: str, why: str) -> shapes.Done:
        return self._post("/retrain-requests", monitor=monitor, why=why)

    def answer(
        self,
        request_id: str,
        state: str,
        *,
        text: str = "",
        model_version: str = "",
        reference: str = "",
    ) -> shapes.Done:
        """What a training system says of a request: accepted, succeeded or failed."""
        said = {"text": text, "model_version": model_version, "reference": reference}
        return self._post(f"/retrain-requests/{_part(request_id)}", state=state, **said)

    # --- The service itself ---

    def messages(self, state: str | None = None) -> Iterator[shapes.Message]:
        return self._list(shapes.Message, "/messages", state=state)

    def resend(self, message_id: str, why: str) -> shapes.Done:
        return self._post(f"/messages/{_part(message_id)}/resend", why=why)

    def audit(self, monitor: str | None = None) -> Iterator[shapes.AuditEntry]:
        return self._list(shapes.AuditEntry, "/audit", monitor=monitor)

    def tokens(self) -> Iterator[shapes.Token]:
        return self._list(shapes.Token, "/tokens")

    def make_token(
        self, name: str, scopes: list[Scope], why: str, lasts_days: int | None = None
    ) -> shapes.Done:
        """`shown` of the answer is what its owner shows; it is told once."""
        return self._post("/tokens", name=name, scopes=scopes, why=why, lasts_days=lasts_days)

    def rotate_token(self, token_id: str, why: str) -> shapes.Done:
        return self._post(f"/tokens/{_part(token_id)}/rotate", why=why)

    def revoke_token(self, token_id: str, why: str) -> shapes.Done:
        return self._post(f"/tokens/{_part(token_id)}/revoke", why=why)

    def operations(self) -> shapes.Operations:
        return self._get(shapes.Operations, "/operations")

    # --- How it is asked ---

    def _get(self, kind: type[Item], path: str) -> Item:
        return _read(kind, self._ask("GET", path))

    def _list(self, kind: type[Item], path: str, **asked: str | None) -> Iterator[Item]:
        """Every item, a page at a time."""
        query = {name: value for name, value in asked.items() if value is not None}
        pages = path in _PAGED
        while True:
            limited = {**query, "limit": str(_PAGE)} if pages else query
            page = _read(shapes.Page[Any], self._ask("GET", path, query=limited))
            for item in page.items:
                yield _read(kind, item)
            if page.next is None:
                return
            (query["cursor"],) = parse_qs(urlsplit(page.next).query)["cursor"]

    def _post(self, path: str, **said: Any) -> shapes.Done:
        told = {n: v.isoformat() if isinstance(v, datetime) else v for n, v in said.items()}
        return _read(shapes.Done, self._ask("POST", path, said=told, key=uuid4().hex))

    def _ask(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        said: Mapping[str, Any] | None = None,
        key: str | None = None,
    ) -> Any:
        """The answer; what may heal is tried again, a little later each time."""
        headers = {"Idempotency-Key": key} if key else {}
        url = self._server + _PATH + path
        for left in reversed(range(TRIES)):
            wait_s = min(LONGEST_WAIT_S, 0.5 * 2 ** (TRIES - 1 - left))
            try:
                answer = self._http.request(method, url, params=query, json=said, headers=headers)
            except (httpx.HTTPError, httpx.InvalidURL) as error:
                if not left or not isinstance(error, httpx.TransportError):
                    raise self._away(error) from None
            else:
                if answer.status_code not in _AGAIN or not left:
                    return self._understood(answer)
                wait_s = _asked_to_wait_s(answer, wait_s)
            self._sleep(wait_s)
        raise AssertionError("the last try answers or raises")

    def _understood(self, answer: httpx.Response) -> Any:
        try:
            document = answer.json()
        except ValueError:
            raise self._strange(answer) from None
        if answer.is_success:
            return document
        if not isinstance(document, dict) or "detail" not in document:
            raise self._strange(answer)
        raise problem_as_error(answer.status_code, document)

    def _away(self, error: Exception) -> ServiceUnavailable:
        return ServiceUnavailable(
            f"{self._server} does not answer: {type(error).__name__}",
            hint="is the address right, and does the service run?",
        )

    def _strange(self, answer: httpx.Response) -> ServiceUnavailable:
        return ServiceUnavailable(
            f"{self._server} answered {answer.status_code} in a way that is none of ours",
            hint="the address is that of `monitor serve`, with the path of a proxy if there is one",
        )


class InProcess(httpx.BaseTransport):
    """Asks an application in this process, without a network."""

    def __init__(self, app: Any) -> None:
        self._inner = httpx.ASGITransport(app)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        return asyncio.run(self._ask(request))

    async def _ask(self, request: httpx.Request) -> httpx.Response:
        answer = await self._inner.handle_async_request(request)
        body = await answer.aread()
        return httpx.Response(answer.status_code, headers=answer.headers, content=body)


# Lists that come in parts; the others are short and come whole.
_PAGED = {
    "/monitors", "/checks", "/check-requests", "/episodes", "/retrain-requests", "/messages",
    "/audit",
}  # fmt: skip


def problem_as_error(status: int, document: Mapping[str, Any]) -> MonitorError:
    """The error that a problem document tells of."""
    text, hint = str(document["detail"]), str(document.get("hint") or "")
    if str(document.get("type", "")).endswith(":unknown-name") and document.get("what"):
        return UnknownName(str(document["what"]), str(document["name"]), document["known"] or [])
    return _ERRORS.get(status, _other(status))(text, hint=hint)


_ERRORS: Mapping[int, type[MonitorError]] = {
    401: NotSignedIn,
    403: NotAllowed,
    409: StoreConflict,
    429: ServiceUnavailable,
}


def _other(status: int) -> type[MonitorError]:
    if status >= 500:
        return StoreUnavailable if status == 503 else ServiceUnavailable
    return AskedWrongly


def _read(kind: type[Item], document: Any) -> Item:
    try:
        return kind.model_validate(document)
    except ValueError:
        raise ServiceUnavailable(
            "the service answers in a form that is not understood",
            hint="is it a version that fits this one?",
        ) from None


def _part(name: str) -> str:
    return quote(name, safe=":")


def _asked_to_wait_s(answer: httpx.Response, otherwise_s: float) -> float:
    text = answer.headers.get("Retry-After", "")
    return min(LONGEST_WAIT_S, float(text)) if text.isascii() and text.isdigit() else otherwise_s
