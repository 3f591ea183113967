"""Writes: who asks, in which form, and that a request sent twice is carried out once."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from typing import Annotated, Any

from fastapi import Depends, Header, Request
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel
from starlette.exceptions import HTTPException

from monitor.core.people import Scope
from monitor.desk import Desk
from monitor.errors import AskedWrongly, StoreConflict
from monitor.ledger import Act, Once
from monitor.ports import Clock, Store
from monitor.web.access import Gate, Visitor
from monitor.web.api.telling import done_of

Key = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=200,
        pattern=r"^[\x21-\x7e]+$",
        description="The same request under the same key is carried out once, and gets the same "
        "answer again for two days.",
    ),
]


@dataclass(frozen=True, slots=True)
class Asked:
    """A write somebody may do, before it is planned."""

    visitor: Visitor
    key: str | None
    digest: str  # of method, address and body


class Writer:
    """Plans a deed, does it once, and answers with what the audit log has of it."""

    def __init__(self, store: Store, desk: Desk, clock: Clock, gate: Gate) -> None:
        self._store = store
        self._desk = desk
        self._clock = clock
        self._gate = gate

    def rule(self, scope: Scope) -> Callable[..., Any]:
        """The dependency of a write that needs a scope."""
        return asked_by(self._gate.api(scope))

    def do(
        self,
        asked: Asked,
        plan: Callable[[], Act | tuple[Act, str]],
        status: int = 200,
    ) -> Response:
        """What `plan` says, unless that was done already under the same key.

        1. A key that is known gets the answer it got.
        2. Plan, and store the deed together with its answer, in one transaction.
        3. Where that fails, the same request may have been faster: then its answer is ours.
        """
        if (before := self._before(asked)) is not None:
            return before
        try:
            planned = plan()
            act, shown = planned if isinstance(planned, tuple) else (planned, None)
            done = done_of(act)
            faster = self._desk.do(act, self._once(asked, status, done))
        except (AskedWrongly, StoreConflict):
            if (before := self._before(asked)) is not None:
                return before
            raise
        if faster is not None:
            return _again(faster, asked)
        if shown is not None:  # told now and kept nowhere, not even under the key
            done = done.model_copy(update={"shown": shown})
        return JSONResponse(done.model_dump(mode="json"), status, headers=_FRESH)

    def _before(self, asked: Asked) -> Response | None:
        if asked.key is None:
            return None
        once = self._store.answered(asked.key, asked.visitor.token)
        return _again(once, asked) if once else None

    def _once(self, asked: Asked, status: int, done: BaseModel) -> Once | None:
        if asked.key is None:
            return None
        answer = {"status": status, "body": done.model_dump(mode="json")}
        return Once(asked.key, asked.visitor.token, asked.digest, answer, self._clock())


_FRESH = {"Cache-Control": "no-store"}
_REPEATED = {**_FRESH, "Idempotent-Replay": "true"}


def asked_by(rule: Callable[..., Any]) -> Callable[..., Any]:
    """A dependency: whom the rule lets in, asking in JSON."""

    async def ask(
        request: Request, visitor: Annotated[Visitor, Depends(rule)], key: Key = None
    ) -> Asked:
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind != "application/json":
            raise HTTPException(415, "a write is sent as application/json")
        return Asked(visitor, key, digest_of_request(request, await request.body()))

    return ask


def digest_of_request(request: Request, body: bytes) -> str:
    """What makes two requests the same: where they go and what they say, however it is spaced."""
    try:
        said = json.dumps(json.loads(body), sort_keys=True).encode()
    except (ValueError, RecursionError):
        said = body
    return sha256(f"{request.method} {request.url.path}\n".encode() + said).hexdigest()


def _again(once: Once, asked: Asked) -> Response:
    if once.asked != asked.digest:
        raise AskedWrongly(
            "this Idempotency-Key was used for another request",
            hint="a key stands for one request; make a new one for each",
        )
    return JSONResponse(once.answer["body"], once.answer["status"], headers=_REPEATED)
