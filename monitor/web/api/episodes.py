"""Episodes with their story, and what people do about them."""

from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query, Response

from monitor.core.consequences import Episode
from monitor.core.people import Deed
from monitor.errors import UnknownName
from monitor.web.api import shapes
from monitor.web.api.kit import ApiKit, Id, OfMonitor, read_errors, router, write_errors
from monitor.web.api.paging import AskedPart
from monitor.web.api.telling import check_of, episodes_of
from monitor.web.api.writing import Asked
from monitor.web.story import checks_of

TOLD = 100  # the newest checks of a story


def episode_routes(kit: ApiKit) -> APIRouter:
    routes = router("episodes")
    reads = [Depends(kit.reads())]

    @routes.get("/episodes", dependencies=reads, responses=read_errors())
    def list_episodes(
        part: AskedPart,
        monitor: OfMonitor = None,
        state: Annotated[Literal["open", "over"] | None, Query()] = None,
    ) -> shapes.Page[shapes.Episode]:
        """The newest first."""
        kit.must_watch(monitor)
        found = kit.store.newest_episodes(
            monitor,
            is_open=None if state is None else state == "open",
            before=part.before,
            limit=part.most,
        )
        return part.of(
            found, lambda here: episodes_of(kit.store, here), lambda e: (e.opened_at, e.id)
        )

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
        asked: Annotated[Asked, Depends(kit.writer.rule(Deed.ACKNOWLEDGED))],
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
        asked: Annotated[Asked, Depends(kit.writer.rule(Deed.RESOLVED))],
    ) -> Response:
        """End it; the next breach opens another."""
        actor = asked.visitor.actor
        return kit.writer.do(asked, lambda: kit.desk.resolve(actor, episode_id, said.why))

    return routes


def _story(kit: ApiKit, episode: Episode) -> shapes.Story:
    (told,) = episodes_of(kit.store, [episode])
    subjects = [one for one in (episode.id, episode.retrain_request) if one]
    messages = kit.store.oldest_messages(episode=episode.id)
    return shapes.Story(
        **dict(told),
        checks=[check_of(line) for line in checks_of(kit.store, episode, TOLD)],
        messages=[shapes.Message.model_validate(message) for message in messages],
        deeds=[shapes.AuditEntry.model_validate(one) for one in kit.store.audit_of(subjects)],
    )
