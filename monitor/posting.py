"""POST a signed JSON body once and read the answer as taken, delayed or refused."""

import json
import logging
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from monitor.core.signing import sign, timestamp
from monitor.errors import DeliveryDelayed, DeliveryRefused

if TYPE_CHECKING:
    import httpx

CONNECT_S = 5.0
TOTAL_S = 15.0  # from the first packet to the last header, however slowly they drip
_ANSWER_BYTES = 1000  # of a refusal's body, read for its error text
_ANSWER_CHARS = 200
_PASSING = {408, 409, 425, 429}  # the client errors that another try may heal
_LOOPBACK = {"localhost", "127.0.0.1", "::1"}


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where to post, and what to sign with. Either may carry a secret, so neither is ever shown."""

    url: str = field(repr=False)
    secret: str | None = field(default=None, repr=False)
    connect_s: float = CONNECT_S
    total_s: float = TOTAL_S

    @property
    def host(self) -> str:
        """The part of the address that may be shown."""
        try:
            parts = urlsplit(self.url)
            return f"{parts.hostname}:{parts.port}" if parts.port else parts.hostname or "?"
        except ValueError:
            return "?"


def post_json(
    endpoint: Endpoint, payload: Mapping[str, Any], *, key: str, now: datetime
) -> dict[str, Any]:
    """Post `payload` once under the idempotency key; return a receipt with the status.

    Any 2xx is taken. 410 and every 4xx but 408, 409, 425 and 429 are final (DeliveryRefused).
    Everything else - 5xx, no connection, no answer in time - is DeliveryDelayed, with the
    `Retry-After` of the answer. A redirect is not followed, since that would hand a signed request
    to another address; it counts as delayed, because load balancers redirect during maintenance.
    """
    body = json.dumps(payload, ensure_ascii=False, allow_nan=False).encode()
    headers = {
        "Content-Type": "application/json",
        "Accept-Encoding": "identity",
        "User-Agent": "drift-monitor",
        "Idempotency-Key": key,
    }
    if endpoint.secret is not None:
        stamp = timestamp(now)
        headers["X-Monitor-Timestamp"] = stamp
        headers["X-Monitor-Signature"] = sign(endpoint.secret, stamp, body)
    answer = _exchange(endpoint, body, headers)
    if 200 <= answer.status < 300:
        return {"status": answer.status}
    raise _refusal(endpoint, answer, now)


def final_status(status: int) -> bool:
    """Whether an HTTP status says that trying again cannot help."""
    return 400 <= status < 500 and status not in _PASSING


def retry_after_s(header: str | None, now: datetime) -> float | None:
    """Seconds to wait by a `Retry-After` header (seconds or a date); None when it says nothing.

    >>> retry_after_s("120", datetime(2026, 1, 1, tzinfo=UTC))
    120.0
    >>> retry_after_s("Thu, 01 Jan 2026 00:01:00 GMT", datetime(2026, 1, 1, tzinfo=UTC))
    60.0
    """
    text = (header or "").strip()
    try:
        seconds = float(text)
        return seconds if math.isfinite(seconds) and seconds >= 0 else None
    except ValueError:
        pass
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, TypeError):
        return None
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return max(0.0, (aware - now).total_seconds())


@dataclass(frozen=True, slots=True)
class _Answer:
    status: int
    retry_after: str | None
    excerpt: bytes


def _exchange(endpoint: Endpoint, body: bytes, headers: Mapping[str, str]) -> _Answer:
    """Errors are named by their kind alone: their own words may quote the address."""
    import asyncio

    import httpx

    # httpx tells every address at INFO, and an address may carry a token.
    logging.getLogger("httpx").setLevel(logging.WARNING)
    if not endpoint.url.lower().startswith(("http://", "https://")):
        raise DeliveryRefused("the configured `url` does not begin with http:// or https://")
    try:
        return asyncio.run(_post(endpoint, body, headers))
    except (httpx.InvalidURL, httpx.UnsupportedProtocol, ValueError):
        raise DeliveryRefused("the configured `url` is not a web address") from None
    except (httpx.TimeoutException, TimeoutError):
        raise DeliveryDelayed(f"{endpoint.host}: no answer in time") from None
    except (httpx.TransportError, OSError) as error:
        raise DeliveryDelayed(f"{endpoint.host}: {type(_root(error)).__name__}") from None


def _root(error: BaseException) -> BaseException:
    """What lies below a wrapped error: a certificate, a name that does not resolve."""
    while (below := error.__cause__ or error.__context__) is not None:
        error = below
    return error


async def _post(endpoint: Endpoint, body: bytes, headers: Mapping[str, str]) -> _Answer:
    import asyncio

    import httpx

    # A proxy from the environment is for the outside world, never for this machine itself.
    outside = urlsplit(endpoint.url).hostname not in _LOOPBACK
    timeout = httpx.Timeout(endpoint.total_s, connect=endpoint.connect_s)
    async with (
        asyncio.timeout(endpoint.total_s),
        httpx.AsyncClient(timeout=timeout, trust_env=outside) as client,
        client.stream("POST", endpoint.url, content=body, headers=dict(headers)) as response,
    ):
        excerpt = b"" if response.is_success else await _beginning(response)
        return _Answer(response.status_code, response.headers.get("Retry-After"), excerpt)


async def _beginning(response: "httpx.Response") -> bytes:
    """The first bytes of a body, uncompressed as they came; the rest is never read."""
    kept = b""
    async for chunk in response.aiter_raw():
        kept += chunk
        if len(kept) >= _ANSWER_BYTES:
            break
    return kept[:_ANSWER_BYTES]


def _refusal(endpoint: Endpoint, answer: _Answer, now: datetime) -> Exception:
    said = _scrubbed(endpoint, answer.excerpt.decode("utf-8", "replace"))
    text = f"{endpoint.host} answered {answer.status}" + (f": {said}" if said else "")
    if final_status(answer.status):
        return DeliveryRefused(text)
    if 300 <= answer.status < 400:
        text = f"{endpoint.host} answered {answer.status}: redirects are not followed"
    return DeliveryDelayed(text, retry_after_s=retry_after_s(answer.retry_after, now))


def _scrubbed(endpoint: Endpoint, text: str) -> str:
    """A stranger's words: without the secret and the parts of our address, printable, and cut."""
    pieces = re.split(r"[/?&=:@#+;,]+", endpoint.url)
    secrets = {endpoint.secret or "", *pieces, *map(unquote, pieces)}
    host = urlsplit(endpoint.url).hostname or ""
    for secret in sorted(secrets, key=len, reverse=True):
        if len(secret) >= 6 and secret != host:
            text = text.replace(secret, "***")
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return line if len(line) <= _ANSWER_CHARS else line[: _ANSWER_CHARS - 1] + "…"
