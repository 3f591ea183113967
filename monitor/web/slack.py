"""POST /slack/interactions: what is pressed in Slack, where Slack calls us."""

import json
import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import parse_qs

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse
from starlette.background import BackgroundTask
from starlette.concurrency import run_in_threadpool

from monitor.interactions import Reply
from monitor.ports import Clock
from monitor.slack.proof import Proof

PATH = "/slack/interactions"
BODY_BYTES = 256_000  # a press carries the message it is below, which has 50 blocks at most
log = logging.getLogger(__name__)

Hears = Callable[[Mapping[str, Any]], Reply]


def slack_routes(doors: Sequence[tuple[Proof, Hears]], clock: Clock) -> APIRouter:
    """A door for each app: the one whose proof holds hears the press."""
    routes = APIRouter()

    @routes.post(PATH, include_in_schema=False)
    async def interactions(request: Request) -> Response:
        """Judged before it is read: what is not Slack's, or was sent before, is let in nowhere."""
        body = await _limited(request)
        if body is None:
            return Response("too large", 413)
        hears = _door(doors, request, body, clock)
        if hears is None:
            log.warning("a request that is not Slack's was refused")
            return Response("this is not signed by Slack, too old, or was sent before", 401)
        payload = _payload(body)
        if payload is None:
            return Response("this is no press in Slack", 400)
        reply = await run_in_threadpool(hears, payload)
        later = BackgroundTask(reply.then) if reply.then is not None else None
        if reply.answer is None:
            return Response(status_code=200, background=later)
        return JSONResponse(dict(reply.answer), background=later)

    return routes


async def _limited(request: Request) -> bytes | None:
    """The body; None, and the rest unread, when it is larger than any of Slack's."""
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > BODY_BYTES:
            return None
    return body


def _door(
    doors: Sequence[tuple[Proof, Hears]], request: Request, body: bytes, clock: Clock
) -> Hears | None:
    stamp = request.headers.get("x-slack-request-timestamp", "")
    signature = request.headers.get("x-slack-signature", "")
    now = clock()
    return next((hears for proof, hears in doors if proof.holds(stamp, body, signature, now)), None)


def _payload(body: bytes) -> Mapping[str, Any] | None:
    try:
        fields = parse_qs(body.decode(), max_num_fields=10)
        payload = json.loads(fields["payload"][0])
    except (ValueError, KeyError, RecursionError):
        return None
    return payload if isinstance(payload, dict) else None
