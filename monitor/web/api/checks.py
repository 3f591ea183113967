"""Checks, what their tests found, and requests to look at a window again."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query, Response
from fastapi.responses import JSONResponse

from monitor.core.people import Deed
from monitor.core.wire import check_to_json, plain
from monitor.errors import UnknownName
from monitor.web.api import shapes
from monitor.web.api.kit import ApiKit, Id, OfMonitor, read_errors, router, write_errors
from monitor.web.api.paging import AskedPart, each
from monitor.web.api.telling import check_of
from monitor.web.api.writing import Asked

CHECK_SCHEMA = {"$ref": "#/components/schemas/WholeCheck"}  # what `monitor schema check` prints
_WHOLE: dict[str, Any] = {"content": {"application/json": {"schema": CHECK_SCHEMA}}}


def check_routes(kit: ApiKit) -> APIRouter:
    routes = router("checks")
    reads = [Depends(kit.reads())]

    @routes.get("/checks", dependencies=reads, responses=read_errors())
    def list_checks(part: AskedPart, monitor: OfMonitor = None) -> shapes.Page[shapes.Check]:
        """Newest window first; of a window that was looked at again, the latest look."""
        kit.must_watch(monitor)
        found = kit.store.lines(monitor, before=part.place, limit=part.most)
        return part.of(found, lambda here: [check_of(line) for line in here], lambda c: c.place)

    @routes.get(
        "/checks/{check_id}",
        dependencies=reads,
        response_class=JSONResponse,
        responses={**read_errors(), 200: {"description": "The check.", **_WHOLE}},
    )
    def get_check(check_id: Id) -> Response:
        """The whole check; its form is what `monitor schema check` prints."""
        stored = kit.store.get_check(check_id)
        if stored is None:
            raise _unknown(kit, check_id)
        return JSONResponse(check_to_json(stored.check))

    @routes.get("/checks/{check_id}/findings", dependencies=reads, responses=read_errors())
    def get_findings(check_id: Id) -> shapes.Page[shapes.Finding]:
        """What each test found, of each column and of the whole."""
        rows = kit.store.findings([check_id])[check_id]
        if not rows and kit.store.get_check(check_id) is None:
            raise _unknown(kit, check_id)
        return shapes.Page(items=[shapes.Finding.model_validate(plain(row)) for row in rows])

    return routes


def check_request_routes(kit: ApiKit) -> APIRouter:
    routes = router("checks")
    reads = [Depends(kit.reads())]

    @routes.get("/check-requests", dependencies=reads, responses=read_errors())
    def list_check_requests(
        part: AskedPart,
        state: Annotated[Literal["pending", "done", "failed"] | None, Query()] = None,
    ) -> shapes.Page[shapes.CheckRequest]:
        """The newest first."""
        found = kit.store.newest_check_requests(state=state, before=part.before, limit=part.most)
        return part.of(found, each(shapes.CheckRequest), lambda one: (one.requested_at, one.id))

    @routes.get("/check-requests/{request_id}", dependencies=reads, responses=read_errors())
    def get_check_request(request_id: Id) -> shapes.CheckRequest:
        """What became of one."""
        found = kit.store.get_check_request(request_id)
        if found is None:
            known = [one.id for one in kit.store.newest_check_requests(limit=20)]
            raise UnknownName("check request", request_id, known)
        return shapes.CheckRequest.model_validate(found)

    @routes.post(
        "/check-requests", status_code=201, response_model=shapes.Done, responses=write_errors()
    )
    def request_check(
        said: shapes.CheckAsk,
        asked: Annotated[Asked, Depends(kit.writer.rule(Deed.CHECK_REQUESTED))],
    ) -> Response:
        """Have the window that contains a moment looked at, once more when it was before."""
        actor = asked.visitor.actor

        def plan() -> Any:
            window = kit.desk.window_of(said.monitor, said.at)
            return kit.desk.check_again(actor, said.monitor, window, said.why)

        return kit.writer.do(asked, plan, 201)

    return routes


def _unknown(kit: ApiKit, check_id: str) -> UnknownName:
    return UnknownName("check", check_id, [line.id for line in kit.store.lines(limit=20)])
