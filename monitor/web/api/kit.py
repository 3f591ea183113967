"""What the routes of the API work with, and how an error of theirs is documented."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query

from monitor.archive import Store
from monitor.core.people import Scope
from monitor.desk import Desk
from monitor.errors import UnknownName
from monitor.ports import Clock
from monitor.web.access import Gate
from monitor.web.api.writing import Writer
from monitor.web.views import Views

PREFIX = "/api/v1"
_ID = r"^[A-Za-z0-9_.:-]{1,200}$"
Id = Annotated[str, Path(pattern=_ID)]
Name = Annotated[str, Path(pattern=_ID, description="A monitor.")]
OfMonitor = Annotated[str | None, Query(pattern=_ID, description="Only of this monitor.")]

PROBLEM: Mapping[str, Any] = {
    "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
}
_ERRORS = {
    401: "No token, or one that is unknown, revoked or over.",
    403: "The token does not allow this.",
    422: "The request has the wrong form, or makes no sense.",
    429: "Asked too often; `Retry-After` says when to come back.",
    500: "A fault of ours.",
    503: "The store does not answer; `Retry-After` says when to come back.",
}
_ERRORS_OF_WRITES = {
    400: "The body is no JSON.",
    409: "It does not fit what is stored: somebody was faster, or it is over.",
    413: "The body is too large.",
    415: "The body is not sent as JSON.",
}
_UNKNOWN = {404: "There is nothing of this name; `known` lists what there is."}


@dataclass(frozen=True)
class ApiKit:
    """Where what the API tells comes from, and where what it is asked for is done."""

    store: Store
    views: Views
    clock: Clock
    desk: Desk
    gate: Gate
    alive: Callable[[], Mapping[str, bool]]

    @cached_property
    def writer(self) -> Writer:
        return Writer(self.desk, self.gate)

    def reads(self, scope: Scope = Scope.READ) -> Any:
        """The rule of a route that only tells."""
        return self.gate.api(scope)

    def must_watch(self, monitor: str | None) -> None:
        """UnknownName when a monitor is asked for that there is not, and never was."""
        known = self.desk.monitors
        if monitor is None or monitor in known or self.store.last_window(monitor) is not None:
            return
        raise UnknownName("monitor", monitor, known)


def router(tag: str) -> APIRouter:
    return APIRouter(prefix=PREFIX, tags=[tag])


def read_errors() -> dict[int | str, dict[str, Any]]:
    return _documented({**_ERRORS, **_UNKNOWN})


def write_errors() -> dict[int | str, dict[str, Any]]:
    return _documented({**_ERRORS, **_UNKNOWN, **_ERRORS_OF_WRITES})


def _documented(errors: Mapping[int, str]) -> dict[int | str, dict[str, Any]]:
    return {status: {"description": text, **PROBLEM} for status, text in errors.items()}
