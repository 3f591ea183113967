"""Episodes with their story, and what people do about them."""

from datetime import timedelta
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query, Request, Response

from monitor.archive import CheckLine, Place
from monitor.core.people import Scope
from monitor.core.records import Episode
from monitor.errors import UnknownName
from monitor.web.api import shapes
from monitor.web.api.kit import Id, Kit, OfMonitor, read_errors, router, write_errors
from monitor.web.api.paging import Cursor, Limit, cursor_of, moment_of, page_of
from monitor.web.api.telling import check_of, episodes_of
from monitor.web.api.writing import Asked

TOLD = 100  # the newest checks of a story


def episode_routes(kit: Kit) -> APIRouter:
    routes = router("episodes")
    reads = [Depends(kit.reads())]

    @routes.get("/episodes", dependencies=reads, responses=read_errors())
    def list_episodes(
        request: Request,
        response: Response,
        monitor: OfMonitor = None,
        state: Annotated[Literal["open", "over"] | None, Query()] = None,
        cursor: Cursor = None,
        limit: Limit = 50,
    ) -> shapes.Page[shapes.Episode]:
        """The newest first."""
        kit.must_watch(monitor)
        found = kit.store.newest_episodes(
            monitor,
            is_open=None if state is None else state == "open",
            before=moment_of(cursor),
            limit=limit + 1,
        )
        here = found[:limit]
        following = cursor_of(here[-1].opened_at, here[-1].id) if len(found) > limit else None
        return page_of(request, response, episodes_of(kit.store, here), following)

    @routes.get("/episodes/{episode_id}", dependencies=reads, responses=read_errors())
    def get_episode(episode_id: Id) -> shapes.Story:
        """An episode with its story: what was seen, who was told, who did what and why."""
        episode = kit.store.get_episode(episode_id)
        if episode is None:
            known = [one.id for one in kit.store.newest_episodes(limit=20)]
            raise UnknownName("episode", episode_id, known)
        return _story(kit, episode)

    @routes.post(
        "/episodes/{episode_id}/acknowledge", response_model=shapes.Done, responses=write_errors()
    )
    def acknowledge(
        episode_id: Id,
        said: shapes.Why,
        asked: Annotated[Asked, Depends(kit.writer.rule(Scope.OPERATE))],
    ) -> Response:
        """Say that you look after it; everybody who heard of it hears that."""
        actor = asked.visitor.actor
        return kit.writer.do(asked, lambda: kit.desk.acknowledge(actor, episode_id, said.why))

    @routes.post(
        "/episodes/{episode_id}/resolve", response_model=shapes.Done, responses=write_errors()
    )
    def resolve(
        episode_id: Id,
        said: shapes.Why,
        asked: Annotated[Asked, Depends(kit.writer.rule(Scope.OPERATE))],
    ) -> Response:
        """End it; the next breach opens another."""
        actor = asked.visitor.actor
        return kit.writer.do(asked, lambda: kit.desk.resolve(actor, episode_id, said.why))

    return routes


def _story(kit: Kit, episode: Episode) -> shapes.Story:
    (told,) = episodes_of(kit.store, [episode])
    subjects = [one for one in (episode.id, episode.retrain_request) if one]
    messages = kit.store.oldest_messages(episode=episode.id)
    return shapes.Story(
        **dict(told),
        checks=[check_of(line) for line in _checks(kit, episode)],
        messages=[shapes.Message.model_validate(message) for message in messages],
        deeds=[shapes.AuditEntry.model_validate(one) for one in kit.store.audit_of(subjects)],
    )


def _checks(kit: Kit, episode: Episode) -> list[CheckLine]:
    """The checks from the one that opened it to the last it was part of, oldest first."""
    for end in (episode.resolved_by, episode.last_check):
        stored = kit.store.get_check(end) if end else None
        if stored is not None and stored.check.window is not None:
            upper = stored.check.window
            after = Place(upper.start + timedelta(microseconds=1), upper.end, "")
            lines = kit.store.lines(episode.monitor, before=after, limit=TOLD)
            return [line for line in reversed(lines) if line.window.start >= episode.opened_at]
    return []
