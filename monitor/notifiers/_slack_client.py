"""Slack's client, held to one host and one deadline.

By itself it follows redirects, which would hand the bot token to whatever host an answer names,
and bounds each read but not the whole answer. `_perform_urllib_http_request_internal` is where it
touches the network; `tests/test_notifiers.py` fails when a new release moves it.
"""

import time
from typing import Any
from urllib.request import HTTPRedirectHandler, HTTPSHandler, Request, build_opener

from slack_sdk import WebClient

TOTAL_S = 15.0  # for the body of an answer, however slowly it drips
MOST_BYTES = 1 << 20  # Slack's answers to a message are a few KB
_PIECE = 1 << 14


class _NoRedirect(HTTPRedirectHandler):
    """A redirect is an answer, and not one we want."""

    def redirect_request(self, *_: Any) -> None:
        return None


class BoundedClient(WebClient):
    """A WebClient that stays with its host and reads a bounded answer in a bounded time."""

    def _perform_urllib_http_request_internal(self, url: str, req: Request) -> dict[str, Any]:
        if not url.lower().startswith(("http://", "https://")):
            raise OSError(f"not an address of the web: {url.partition(':')[0]}")
        opener = build_opener(_NoRedirect(), HTTPSHandler(context=self.ssl))
        with opener.open(req, timeout=self.timeout) as answer:
            body = _read(answer)
            return {
                "status": answer.status,
                "headers": answer.headers,
                "body": body.decode("utf-8", "replace"),
            }


def _read(answer: Any) -> bytes:
    """The body; TimeoutError after TOTAL_S, OSError when it does not end."""
    deadline, pieces, size = time.monotonic() + TOTAL_S, [], 0
    while piece := answer.read1(_PIECE):
        pieces.append(piece)
        size += len(piece)
        if time.monotonic() > deadline:
            raise TimeoutError
        if size > MOST_BYTES:
            raise OSError("the answer does not end")
    return b"".join(pieces)
