"""Retrain requests: asked for by people, answered by training systems."""

from dataclasses import dataclass, replace
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import JSONResponse
from starlette.concurrency import run_in_threadpool

from monitor.core.people import NEEDS, Answer, Deed, Scope
from monitor.core.signing import verify
from monitor.errors import AskedWrongly, NotSignedIn, UnknownName
from monitor.web.access import Visitor, address_of
from monitor.web.api import shapes
from monitor.web.api.kit import ApiKit, Id, OfMonitor, read_errors, router, write_errors
from monitor.web.api.paging import AskedPart, each
from monitor.web.api.writing import Asked, asked_by
from monitor.web.missing import Missing

SIGNATURE, TIMESTAMP = "x-monitor-signature", "x-monitor-timestamp"
_SIGNED = "signed:"  # what stands for the token of a visitor who signs


def retrain_routes(kit: ApiKit) -> APIRouter:
    routes = router("retrain requests")
    reads = [Depends(kit.reads())]

    @routes.get("/retrain-requests", dependencies=reads, responses=read_errors())
    def list_retrain_requests(
        part: AskedPart, monitor: OfMonitor = None
    ) -> shapes.Page[shapes.RetrainRequest]:
        """The newest first."""
        kit.must_watch(monitor)
        found = kit.store.newest_retrains(monitor, before=part.before, limit=part.most)
        return part.of(found, each(shapes.RetrainRequest), lambda one: (one.requested_at, one.id))

    @routes.get("/retrain-requests/{request_id}", dependencies=reads, responses=read_errors())
    def get_retrain_request(request_id: Id) -> shapes.RetrainRequest:
        """What became of one."""
        found = kit.store.get_retrain(request_id)
        if found is None:
            known = [one.id for one in kit.store.newest_retrains(limit=20)]
            raise UnknownName("retrain request", request_id, known)
        return shapes.RetrainRequest.model_validate(found)

    @routes.post(
        "/retrain-requests", status_code=201, response_model=shapes.Done, responses=write_errors()
    )
    def request_retrain(
        said: shapes.RetrainAsk,
        asked: Annotated[Asked, Depends(kit.writer.rule(Deed.RETRAIN_REQUESTED))],
    ) -> Response:
        """Ask the training system for a new model, whatever the conditions say."""
        actor = asked.visitor.actor
        return kit.writer.do(
            asked, lambda: kit.desk.request_retrain(actor, said.monitor, said.why), 201
        )

    @routes.post(
        "/retrain-requests/{request_id}",
        response_model=shapes.Done,
        responses=write_errors(),
        openapi_extra={"security": [{"token": []}, {"signature": []}]},
    )
    def answer(
        request: Request,
        request_id: Id,
        said: shapes.AnswerAsk,
        asked: Annotated[Asked, Depends(asked_by(Trainer(kit, NEEDS[Deed.RETRAIN_ANSWERED])))],
    ) -> Response:
        """What the training system says: `accepted`, then `succeeded` or `failed`.

        It shows a token with the scope capture, or signs as our own requests to it are signed:
        `X-Monitor-Timestamp`, at most five minutes old, and `X-Monitor-Signature` with the secret
        of the monitor's `retrain`; then the body names the `request_id`, too. The same answer
        once more changes nothing.
        """
        signed = asked.visitor.token.startswith(_SIGNED)
        if signed:  # a recorded request is the same request, whatever key somebody adds to it
            asked = replace(asked, key=request.headers[SIGNATURE])
        if said.request_id != request_id and (signed or said.request_id is not None):
            raise AskedWrongly(
                "the request_id of the body is not the one of the address",
                hint="a signed answer says in its body which request it is about",
            )
        sees = signed or asked.visitor.may(Scope.READ)
        if not sees and kit.store.get_retrain(request_id) is None:
            raise Missing("retrain request", request_id, ())  # the ones there are stay untold
        if (known := _said_before(kit, request_id, said)) is not None:
            return known
        told = Answer(
            request_id, said.state, kit.clock(), said.text, said.model_version, said.reference
        )
        return kit.writer.do(asked, lambda: kit.desk.answer(asked.visitor.actor, told))

    return routes


@dataclass(frozen=True)
class Trainer:
    """The rule of an answer: a token that allows it, or the signature of the training system."""

    kit: ApiKit
    scope: Scope

    async def __call__(self, request: Request) -> Visitor:
        signature = request.headers.get(SIGNATURE)
        if signature is None:
            return await run_in_threadpool(self.kit.gate.api(self.scope), request)
        body = await request.body()
        return await run_in_threadpool(self._signed, request, body, signature)

    def _signed(self, request: Request, body: bytes, signature: str) -> Visitor:
        """Every way in which it is wrong is told in the same words."""
        found = self.kit.store.get_retrain(request.path_params["request_id"])
        secret = self.kit.desk.retrain_secret(found.monitor) if found else None
        stamp = request.headers.get(TIMESTAMP, "")
        if (
            found is None
            or not secret
            or not verify(secret, stamp, body, signature, self.kit.clock())
        ):
            self.kit.gate.limits.stranger(address_of(request))
            raise NotSignedIn(
                "this signature is wrong or too old",
                hint="sign the timestamp, a dot and the body with the secret of `retrain`",
            )
        name = f"training system of {found.monitor}"
        return Visitor(name, frozenset(), "api", _SIGNED + found.monitor)


def _said_before(kit: ApiKit, request_id: str, said: shapes.AnswerAsk) -> Response | None:
    """An answer that is stored as it stands: said once more, whatever the key, it is taken."""
    found = kit.store.get_retrain(request_id)
    if found is None or found.answered_at is None:
        return None
    stored = (found.state, found.answer, found.model_version, found.new_reference)
    if stored != (said.state, said.text, said.model_version, said.reference):
        return None
    deeds: list[Any] = kit.store.audit_of([request_id])
    entry = shapes.AuditEntry.model_validate(deeds[-1])
    done = shapes.Done(entry=entry)
    return JSONResponse(done.model_dump(mode="json"), headers={"Cache-Control": "no-store"})
