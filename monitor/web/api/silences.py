"""Silences: mutes keep alerts back, maintenance says that data is not normal."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Response

from monitor.core.people import Deed
from monitor.web.api import shapes
from monitor.web.api.kit import ApiKit, Id, read_errors, router, write_errors
from monitor.web.api.writing import Asked


def silence_routes(kit: ApiKit) -> APIRouter:
    routes = router("silences")

    @routes.get("/silences", dependencies=[Depends(kit.reads())], responses=read_errors())
    def list_silences(
        over: Annotated[bool, Query(description="Those that are over, too.")] = False,
    ) -> shapes.Page[shapes.Silence]:
        """Those that last or are to come; the newest start first."""
        found = kit.store.silences(since=None if over else kit.clock())
        return shapes.Page(items=[shapes.Silence.model_validate(silence) for silence in found])

    @routes.post(
        "/silences/mute", status_code=201, response_model=shapes.Done, responses=write_errors()
    )
    def mute(
        said: shapes.MuteAsk,
        asked: Annotated[Asked, Depends(kit.writer.rule(Deed.MUTED))],
    ) -> Response:
        """Keep alerts back from now until a moment."""
        actor = asked.visitor.actor
        return kit.writer.do(
            asked, lambda: kit.desk.mute(actor, said.monitor, said.until, said.why), 201
        )

    @routes.post(
        "/silences/maintenance",
        status_code=201,
        response_model=shapes.Done,
        responses=write_errors(),
    )
    def maintain(
        said: shapes.MaintenanceAsk,
        asked: Annotated[Asked, Depends(kit.writer.rule(Deed.MAINTENANCE_SET))],
    ) -> Response:
        """Say that the data of a stretch of time, past or to come, is not normal."""
        actor = asked.visitor.actor
        return kit.writer.do(
            asked,
            lambda: kit.desk.maintain(actor, said.monitor, said.start, said.end, said.why),
            201,
        )

    @routes.post(
        "/silences/{silence_id}/lift", response_model=shapes.Done, responses=write_errors()
    )
    def lift(
        silence_id: Id,
        said: shapes.Why,
        asked: Annotated[Asked, Depends(kit.writer.rule(Deed.SILENCE_LIFTED))],
    ) -> Response:
        """End it before its time; who may not set maintenance may not end it."""
        actor, may = asked.visitor.actor, asked.visitor.may_lift
        return kit.writer.do(asked, lambda: kit.desk.lift(actor, silence_id, said.why, may=may))

    return routes
