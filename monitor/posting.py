"""POST a signed JSON body once and read the answer as taken, delayed or refused."""

import json
import logging
import math
import os
import re
import socket
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar
from urllib.parse import unquote, urlsplit

from monitor.core.reach import WORLD, Reach
from monitor.core.signing import sign, timestamp
from monitor.errors import DeliveryDelayed, DeliveryRefused

if TYPE_CHECKING:
    import ssl

    import httpx

CONNECT_S = 5.0
TOTAL_S = 15.0  # from the first packet to the last header, however slowly they drip
_ANSWER_BYTES = 1000  # of a refusal's body, read for its error text
_ANSWER_CHARS = 200
_PASSING = {408, 409, 425, 429}  # the client errors that another try may heal
_LOOPBACK = {"localhost", "127.0.0.1", "::1"}
_TRIED = 4  # addresses of a name, since each may take its time
_PORTS = {"http": 80, "https": 443}

Place: TypeAlias = tuple[str, int]  # an address, and a port
Made = TypeVar("Made")


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where to post, and what to sign with. Either may carry a secret, so neither is ever shown."""

    url: str = field(repr=False)
    secret: str | None = field(default=None, repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    hidden: tuple[str, ...] = field(default=(), repr=False)  # secrets that a body carries
    reach: Reach = WORLD
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
    An address that is not permitted is DeliveryRefused, judged by where the name leads at the
    moment of the connection, which goes there and nowhere else.
    """
    body = json.dumps(payload, ensure_ascii=False, allow_nan=False).encode()
    headers = {
        "Content-Type": "application/json",
        "Accept-Encoding": "identity",
        "User-Agent": "drift-monitor",
        "Idempotency-Key": key,
        **endpoint.headers,
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


# --- Where a name leads ---


def permitted(reach: Reach, host: str, port: int, flags: int = 0) -> list[Place]:
    """Every address (and port) a host leads to now; DeliveryRefused when one is not allowed.

    Connect to these and do not ask again: the next answer may be another.
    """
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=flags)
    places = list(dict.fromkeys((str(where[0]), port) for *_, where in found))
    for address, _ in places:
        must_allow(reach, host, address)
    return places[:_TRIED]


def must_allow(reach: Reach, host: str, address: str) -> None:
    """DeliveryRefused when a host may not be written to where it leads; ValueError: no address."""
    if not reach.allows(host, address):
        where = address if host == address else f"{host} leads to {address}, which"
        bare = address.partition("%")[0]
        named = f'"{bare}"' if ":" in bare else bare  # as YAML wants it in a list
        raise DeliveryRefused(
            f"{where} is not an address of the world; "
            f"`allow_private_addresses: [{named}]` at the top of monitor.yaml permits it"
        )


def connect(reach: Reach, host: str, port: int, timeout_s: float | None) -> socket.socket:
    """A socket to the first permitted address that takes it. OSError, DeliveryRefused."""
    places = permitted(reach, host, port)
    return first_taking(places, lambda place: socket.create_connection(place, timeout_s))


def first_taking(places: Sequence[Place], connects: Callable[[Place], Made]) -> Made:
    """What `connects` makes of the first place that takes a connection; OSError of the last one."""
    for place in places[:-1]:
        with suppress(OSError):
            return connects(place)
    return connects(places[-1])


def permitted_by_name(reach: Reach, host: str) -> None:
    """What can be judged without asking where a name leads: an address, however it is spelt
    (167772167 is 10.0.0.7). DeliveryRefused."""
    with suppress(socket.gaierror, UnicodeError):
        permitted(reach, host.strip("[]"), 0, socket.AI_NUMERICHOST)


def proxy_to(scheme: str, host: str) -> str | None:
    """The proxy of the environment for a host; it is for the outside world, and it is the one who
    connects there: then it is its word where a name leads."""
    from urllib.request import getproxies, proxy_bypass

    proxies = getproxies()
    proxy = proxies.get(scheme) or proxies.get("all")
    if not proxy or _is_own(host) or proxy_bypass(host):
        return None
    return proxy if "://" in proxy else f"http://{proxy}"


def _is_own(host: str) -> bool:
    """Whether a name is that of whoever is asked for it."""
    name = host.lower().rstrip(".")
    return name in _LOOPBACK or name.endswith(".localhost")


@contextmanager
def cut_off(connection: Callable[[], socket.socket | None], total_s: float) -> Iterator[None]:
    """Cut a connection when the time is over, and raise TimeoutError.

    The time limit of a socket starts anew with every byte; whoever drips is waited for for ever.
    """
    over = threading.Event()

    def cut() -> None:
        over.set()
        if (open_one := connection()) is not None:
            with suppress(OSError):
                open_one.shutdown(socket.SHUT_RDWR)

    timer = threading.Timer(total_s, cut)
    timer.daemon = True
    timer.start()
    try:
        yield
    except Exception:
        if over.is_set():
            raise TimeoutError from None
        raise
    finally:
        timer.cancel()


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
    """Post to the first permitted address that takes a connection, or through the proxy."""
    import asyncio

    import httpx

    url = httpx.URL(endpoint.url)
    async with asyncio.timeout(endpoint.total_s):
        host, port = url.raw_host.decode("ascii"), url.port or _PORTS[url.scheme]
        if not host:
            raise ValueError("an address without a host")
        proxy = proxy_to(url.scheme, host)
        if proxy is not None:
            permitted_by_name(endpoint.reach, host)
            return await _post_to(url, endpoint, body, headers, proxy)
        places = await asyncio.to_thread(permitted, endpoint.reach, host, port)
        for last, (address, _) in enumerate(places, start=1 - len(places)):
            try:
                return await _post_to(url.copy_with(host=address), endpoint, body, headers)
            except (httpx.ConnectError, httpx.ConnectTimeout):
                if last == 0:
                    raise
    raise AssertionError("a name that leads nowhere is an error of its own")


async def _post_to(
    url: "httpx.URL",
    endpoint: Endpoint,
    body: bytes,
    headers: Mapping[str, str],
    proxy: str | None = None,
) -> _Answer:
    """Nothing of the environment is asked here: what it says of proxies is decided before."""
    import httpx

    named = httpx.URL(endpoint.url)
    client = httpx.AsyncClient(
        timeout=httpx.Timeout(endpoint.total_s, connect=endpoint.connect_s),
        verify=_authorities(),
        proxy=proxy,
        trust_env=False,
    )
    async with (
        client,
        client.stream(
            "POST",
            url,
            content=body,
            headers={**headers, "Host": named.netloc.decode("ascii")},
            extensions={"sni_hostname": named.raw_host.decode("ascii")},  # whose certificate
        ) as response,
    ):
        excerpt = b"" if response.is_success else await _beginning(response)
        return _Answer(response.status_code, response.headers.get("Retry-After"), excerpt)


def _authorities() -> "ssl.SSLContext":
    """Those that the environment names, or the usual ones; read again when they are renewed."""
    named = [os.environ.get(name) for name in ("SSL_CERT_FILE", "SSL_CERT_DIR")]
    return _read_authorities(*((path, _changed_ns(path)) for path in named))


def _changed_ns(path: str | None) -> int | None:
    with suppress(OSError):
        return Path(path).stat().st_mtime_ns if path else None
    return None


@lru_cache(maxsize=1)
def _read_authorities(*_named: tuple[str | None, int | None]) -> "ssl.SSLContext":
    """Reading takes as long as several requests."""
    import httpx

    return httpx.create_ssl_context()


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
    ours = (endpoint.secret or "", *endpoint.hidden, *endpoint.headers.values())
    secrets = {*ours, *pieces, *map(unquote, pieces)}
    host = urlsplit(endpoint.url).hostname or ""
    for secret in sorted(secrets, key=len, reverse=True):
        if len(secret) >= 6 and secret != host:
            text = text.replace(secret, "***")
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return line if len(line) <= _ANSWER_CHARS else line[: _ANSWER_CHARS - 1] + "…"
