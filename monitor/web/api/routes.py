"""All routes of the API, and the document that tells of them."""

from fastapi import APIRouter

from monitor.web.api.checks import check_request_routes, check_routes
from monitor.web.api.document import document_routes
from monitor.web.api.episodes import episode_routes
from monitor.web.api.kit import ApiKit
from monitor.web.api.monitors import monitor_routes
from monitor.web.api.retraining import retrain_routes
from monitor.web.api.service import audit_routes, operations_routes, outbox_routes, token_routes
from monitor.web.api.silences import silence_routes

_ALL = (
    monitor_routes,
    check_routes,
    check_request_routes,
    episode_routes,
    silence_routes,
    retrain_routes,
    outbox_routes,
    audit_routes,
    token_routes,
    operations_routes,
)


def api_routes(kit: ApiKit) -> tuple[APIRouter, ...]:
    """Each part of the API, its document last."""
    routers = tuple(routes(kit) for routes in _ALL)
    return (*routers, document_routes(kit, routers))
