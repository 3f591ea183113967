"""The service itself: its outbox, its audit log, its tokens, and how it is doing."""

from datetime import timedelta
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query, Response

from monitor.core.people import Deed, Scope
from monitor.errors import UnknownName
from monitor.web.api import shapes
from monitor.web.api.kit import ApiKit, Id, OfMonitor, read_errors, router, write_errors
from monitor.web.api.paging import AskedPart, each
from monitor.web.api.telling import token_of
from monitor.web.api.writing import Asked

_LISTED = 50


def outbox_routes(kit: ApiKit) -> APIRouter:
    routes = router("outbox")
    reads = [Depends(kit.reads())]

    @routes.get("/messages", dependencies=reads, responses=read_errors())
    def list_messages(
        part: AskedPart,
        state: Annotated[Literal["pending", "sent", "failed"] | None, Query()] = None,
    ) -> shapes.Page[shapes.Message]:
        """The newest first."""
        found = kit.store.newest_messages(state=state, before=part.before, limit=part.most)
        return part.of(found, each(shapes.Message), lambda one: (one.created_at, one.id))

    @routes.get("/messages/{message_id}", dependencies=reads, responses=read_errors())
    def get_message(message_id: Id) -> shapes.Message:
        """One message and what became of it."""
        found = kit.store.get_message(message_id)
        if found is None:
            known = [message.id for message in kit.store.newest_messages(limit=20)]
            raise UnknownName("message", message_id, known)
        return shapes.Message.model_validate(found)

    @routes.post(
        "/messages/{message_id}/resend", response_model=shapes.Done, responses=write_errors()
    )
    def resend(
        message_id: Id,
        said: shapes.Why,
        asked: Annotated[Asked, Depends(kit.writer.rule(Deed.MESSAGE_RESENT))],
    ) -> Response:
        """Try one again that was given up."""
        actor = asked.visitor.actor
        return kit.writer.do(asked, lambda: kit.desk.resend(actor, message_id, said.why))

    return routes


def audit_routes(kit: ApiKit) -> APIRouter:
    routes = router("audit log")

    @routes.get("/audit", dependencies=[Depends(kit.reads())], responses=read_errors())
    def list_deeds(part: AskedPart, monitor: OfMonitor = None) -> shapes.Page[shapes.AuditEntry]:
        """Who did what and why, the newest first."""
        kit.must_watch(monitor)
        found = kit.store.audit(monitor, before=part.before, limit=part.most)
        return part.of(found, each(shapes.AuditEntry), lambda one: (one.at, one.id))

    return routes


def token_routes(kit: ApiKit) -> APIRouter:
    routes = router("tokens")
    reads = [Depends(kit.reads(Scope.ADMIN))]

    @routes.get("/tokens", dependencies=reads, responses=read_errors())
    def list_tokens() -> shapes.Page[shapes.Token]:
        """The newest first; of what their owners show nothing is kept."""
        return shapes.Page(items=[token_of(token) for token in kit.store.list_tokens()])

    @routes.post("/tokens", status_code=201, response_model=shapes.Done, responses=write_errors())
    def make_token(
        said: shapes.TokenAsk,
        asked: Annotated[Asked, Depends(kit.writer.rule(Deed.TOKEN_MADE))],
    ) -> Response:
        """A new one; `shown` is told now and never again."""
        actor = asked.visitor.actor
        lasts = None if said.lasts_days is None else timedelta(days=said.lasts_days)
        return kit.writer.do(
            asked,
            lambda: kit.desk.make_token(actor, said.name, said.scopes, said.why, lasts=lasts),
            201,
        )

    @routes.post(
        "/tokens/{token_id}/rotate",
        status_code=201,
        response_model=shapes.Done,
        responses=write_errors(),
    )
    def rotate_token(
        token_id: Id,
        said: shapes.Why,
        asked: Annotated[Asked, Depends(kit.writer.rule(Deed.TOKEN_MADE))],
    ) -> Response:
        """A new one in place of one that ends at once."""
        actor = asked.visitor.actor
        return kit.writer.do(asked, lambda: kit.desk.rotate_token(actor, token_id, said.why), 201)

    @routes.post("/tokens/{token_id}/revoke", response_model=shapes.Done, responses=write_errors())
    def revoke_token(
        token_id: Id,
        said: shapes.Why,
        asked: Annotated[Asked, Depends(kit.writer.rule(Deed.TOKEN_REVOKED))],
    ) -> Response:
        """Let it in no more; the sessions it began end with it."""
        actor = asked.visitor.actor
        return kit.writer.do(asked, lambda: kit.desk.revoke_token(actor, token_id, said.why))

    return routes


def operations_routes(kit: ApiKit) -> APIRouter:
    routes = router("operations")

    @routes.get("/operations", dependencies=[Depends(kit.reads())], responses=read_errors())
    def operations() -> shapes.Operations:
        """How the service itself is doing; how each monitor's schedule stands is with it."""
        statuses = kit.views.statuses()
        claims = kit.store.claimed_windows(kit.clock())
        return shapes.Operations(
            parts=dict(kit.alive()),
            monitors=len(statuses),
            lag=sum(status.lag for status in statuses),
            failing=[status.name for status in statuses if status.error][:_LISTED],
            outbox=kit.store.count_messages(),
            claims=[
                shapes.Claim(monitor=name, window=shapes.Window.model_validate(w), holder=holder)
                for name, w, holder in claims[:_LISTED]
            ],
            replicas=[shapes.Replica.model_validate(one) for one in kit.store.replicas()],
        )

    return routes
