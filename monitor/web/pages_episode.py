"""The page of one episode: its story in order, and what can still be done."""

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response

from monitor.core.people import Scope
from monitor.web.drawing import draw
from monitor.web.kit import READ_METHODS, PageKit
from monitor.web.story import story
from monitor.web.views import since


def episode_routes(kit: PageKit) -> APIRouter:
    routes = APIRouter(include_in_schema=False)
    reads = [Depends(kit.gate.page(Scope.READ))]
    views = kit.views

    @routes.api_route("/episodes/{episode_id}", methods=READ_METHODS, dependencies=reads)
    def episode(request: Request, episode_id: str) -> Response:
        found, now = views.episode(episode_id), views.now()
        told = story(views.store, found, now)
        return draw(
            request,
            "episode.html.j2",
            e=found,
            story=told,
            acknowledged=views.store.acknowledgements([found.id]).get(found.id),
            zone=views.zone(found.monitor),
            is_watched=views.is_watched(found.monitor),
            asks_for_models=kit.desk.asks_for_models(found.monitor),
            length=since(found, now),
            now=now,
        )

    return routes
