"""Writes: who asks, in which form, and that a request sent twice is carried out once."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from typing import Annotated, Any

from fastapi import Depends, Header, Request
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException

from monitor.core.people import NEEDS, Deed
from monitor.deeds.once import Key, Planned
from monitor.desk import Desk
from monitor.ledger import Act
from monitor.web.access import Gate, Visitor
from monitor.web.api.telling import done_of

KeyHeader = Annotated[
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

    def __init__(self, desk: Desk, gate: Gate) -> None:
        self._desk = desk
        self._gate = gate

    def rule(self, deed: Deed) -> Callable[..., Any]:
        """The dependency of a write that asks for a deed."""
        return asked_by(self._gate.api(NEEDS[deed]))

    def do(
        self,
        asked: Asked,
        plan: Callable[[], Act | tuple[Act, str]],
        status: int = 200,
    ) -> Response:
        """What `plan` says; under the same key it is done once, and answered as it was."""

        def planned() -> Planned:
            made = plan()
            return made if isinstance(made, tuple) else (made, None)

        def answer(act: Act) -> dict[str, Any]:
            return {"status": status, "body": done_of(act).model_dump(mode="json")}

        key = Key(asked.key, asked.visitor.token, asked.digest) if asked.key else None
        done = self._desk.do_once(key, planned, answer)
        if done.act is None:
            assert done.before is not None, "it was done now, or before"
            known = done.before.answer
            return JSONResponse(known["body"], known["status"], headers=_REPEATED)
        told = done_of(done.act)
        if done.secret is not None:  # told now and kept nowhere, not even under the key
            told = told.model_copy(update={"shown": done.secret})
        return JSONResponse(told.model_dump(mode="json"), status, headers=_FRESH)


_FRESH = {"Cache-Control": "no-store"}
_REPEATED = {**_FRESH, "Idempotent-Replay": "true"}


def asked_by(rule: Callable[..., Any]) -> Callable[..., Any]:
    """A dependency: whom the rule lets in, asking in JSON."""

    async def ask(
        request: Request, visitor: Annotated[Visitor, Depends(rule)], key: KeyHeader = None
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
