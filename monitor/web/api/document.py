"""The OpenAPI document: what can be asked, by whom, and what is answered."""

import json
from collections.abc import Sequence
from functools import cache
from importlib.metadata import version
from typing import Any

from fastapi import APIRouter, Depends
from fastapi.openapi.utils import get_openapi

from monitor.core.wire import check_schema
from monitor.web.api import shapes
from monitor.web.api.kit import PREFIX, ApiKit

_ABOUT = """\
What the pages show and do, as JSON. Lists come in parts: `next` leads on. Every GET answers with an
`ETag`; send it back as `If-None-Match`. Every write says `why`, is kept in the audit log, and is
carried out once under an `Idempotency-Key`. Errors are problem documents (RFC 9457).
"""
_TAGS = {
    "monitors": "What is watched, in which state, and held against what.",
    "checks": "One look at one window each.",
    "episodes": "From the first check that breaches to what resolves it.",
    "silences": "Stretches of time in which nobody is alerted.",
    "retrain requests": "New models: asked for, and answered by training systems.",
    "outbox": "What is said on which channel, and what became of it.",
    "audit log": "Who did what, when and why.",
    "tokens": "Who may come in.",
    "operations": "How the service itself is doing.",
}
_SCHEMES = {
    "token": {
        "type": "http",
        "scheme": "bearer",
        "description": "`monitor token make` makes one. Scopes: read; capture, which answers "
        "and sees nothing; operate, which does both; admin, which does everything.",
    },
    "signature": {
        "type": "apiKey",
        "in": "header",
        "name": "X-Monitor-Signature",
        "description": "HMAC-SHA256 of `X-Monitor-Timestamp`, a dot and the body, as `v1=HEX`.",
    },
}


def document_routes(kit: ApiKit, routers: Sequence[APIRouter]) -> APIRouter:
    routes = APIRouter(include_in_schema=False)

    @cache
    def made() -> dict[str, Any]:
        return document(routers)

    @routes.get(f"{PREFIX}/openapi.json", dependencies=[Depends(kit.reads())])
    def openapi() -> dict[str, Any]:
        """What can be asked."""
        return made()

    return routes


def document(routers: Sequence[APIRouter]) -> dict[str, Any]:
    """The document of some routers."""
    made = get_openapi(
        title="Drift Monitor",
        version=version("drift-monitor"),
        description=_ABOUT,
        routes=[route for router in routers for route in router.routes],
        tags=[{"name": name, "description": text} for name, text in _TAGS.items()],
    )
    parts = made["components"]
    parts["schemas"] |= {"Problem": shapes.Problem.model_json_schema(), **_check_parts()}
    parts["securitySchemes"] = _SCHEMES
    made["security"] = [{"token": []}]
    return made


def _check_parts() -> dict[str, Any]:
    """The schema of a whole check, its parts under names of their own."""
    text = json.dumps(check_schema()).replace("#/$defs/", "#/components/schemas/CheckPart")
    schema = json.loads(text)
    parts = {f"CheckPart{name}": part for name, part in schema.pop("$defs").items()}
    del schema["$schema"]
    return {"WholeCheck": schema, **parts}
