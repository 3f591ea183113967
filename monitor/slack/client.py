"""Slack's Web API, held to one host, one deadline and permitted addresses; failures in our words.

By itself Slack's client follows redirects, which would hand the bot token to whatever host an
answer names, bounds each read but not the whole answer, and connects to whatever address a name
leads to. `_perform_urllib_http_request_internal` is where it touches the network;
`tests/test_notifiers.py` fails when a new release moves it.
"""

import http.client
import logging
import re
import socket
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from urllib.request import (
    BaseHandler,
    HTTPHandler,
    HTTPRedirectHandler,
    HTTPSHandler,
    ProxyHandler,
    Request,
    build_opener,
)

from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError, SlackClientError

from monitor.core.reach import WORLD, Reach
from monitor.errors import DeliveryDelayed, DeliveryRefused
from monitor.ports import Clock
from monitor.posting import (
    connect,
    cut_off,
    final_status,
    permitted_by_name,
    proxy_to,
    retry_after_s,
)

if TYPE_CHECKING:
    from datetime import datetime

TOTAL_S = 15.0  # from the first packet to the last byte, however slowly they drip
MOST_BYTES = 1 << 20  # Slack's answers to a message are a few KB
_PIECE = 1 << 14
API_URL = "https://slack.com/api/"

# Errors that need a person: another try with the same message cannot end differently. Everything
# else (ratelimited, internal_error, fatal_error, service_unavailable, request_timeout, and any
# error Slack invents later) is tried again: a wrong guess then costs a few calls, and the outbox
# gives up visibly in the end, whereas wrongly giving up at once would lose the alert.
FINAL = {
    "access_denied", "account_inactive", "as_user_not_supported",
    "attachment_payload_limit_exceeded", "cannot_reply_to_message", "cant_update_message",
    "channel_not_found", "channel_type_not_supported", "deprecated_endpoint", "edit_window_closed",
    "ekm_access_denied", "enterprise_is_restricted", "invalid_arg_name", "invalid_arguments",
    "invalid_array_arg", "invalid_auth", "invalid_blocks", "invalid_blocks_format",
    "invalid_charset", "invalid_form_data", "invalid_post_type", "is_archived", "is_inactive",
    "message_not_found", "messages_tab_disabled", "method_deprecated", "missing_post_type",
    "missing_scope", "msg_blocks_too_long", "msg_too_long", "no_permission", "no_text",
    "not_allowed_token_type", "not_authed", "not_in_channel", "restricted_action",
    "restricted_action_non_threadable_channel", "restricted_action_read_only_channel",
    "restricted_action_thread_locked", "restricted_action_thread_only_channel",
    "team_access_not_granted", "team_not_found", "thread_not_found", "token_expired",
    "token_revoked", "too_many_attachments", "two_factor_setup_required", "unknown_method",
    "update_failed", "user_not_found", "user_not_in_channel",
}  # fmt: skip


class Refused(DeliveryRefused):
    """Slack's final no, with the name Slack gives it."""

    def __init__(self, message: str, code: str) -> None:
        super().__init__(message)
        self.code = code


class Api:
    """Calls with one bot token."""

    def __init__(
        self,
        token: str,
        clock: Clock,
        *,
        api_url: str = API_URL,
        timeout_s: int = 10,
        reach: Reach = WORLD,
    ) -> None:
        self.web = bounded_client(token, api_url, timeout_s, reach)
        self._clock = clock

    def call(self, method: str, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
        """One call; every failure becomes delayed or refused, in words that hold no secret."""
        try:
            answer = self.web.api_call(method, json=dict(arguments))
        except SlackApiError as error:
            raise _failure(error, self._clock()) from None
        except TimeoutError:
            raise DeliveryDelayed("Slack: no answer in time") from None
        except (OSError, http.client.HTTPException) as error:
            raise DeliveryDelayed(f"Slack: {_kind(error)}") from None
        except (AttributeError, TypeError, ValueError):  # an answer of a shape Slack never sends
            raise DeliveryDelayed("Slack: an answer that is not Slack's") from None
        except SlackClientError as error:
            raise DeliveryRefused(f"Slack: {type(error).__name__}; check `api_url`") from None
        return answer.data if isinstance(answer.data, dict) else {}


def _failure(error: SlackApiError, now: "datetime") -> DeliveryDelayed | DeliveryRefused:
    """What a failed answer means; an HTTP 200 with `ok: false` is a failure like any other."""
    response = error.response
    status = int(response.status_code)
    code = str(response.data.get("error", "")) if isinstance(response.data, dict) else ""
    known = code if re.fullmatch(r"[a-z0-9_]{1,60}", code) else ""  # else a page of some proxy
    text = f"Slack answered {known or status}"
    if known in FINAL or (not known and final_status(status)):
        return Refused(text, known)
    headers = {str(k).lower(): v for k, v in dict(response.headers or {}).items()}
    return DeliveryDelayed(text, retry_after_s=retry_after_s(headers.get("retry-after"), now))


def _kind(error: Exception) -> str:
    """The name of what went wrong below urllib, without its text."""
    reason = getattr(error, "reason", None)
    return type(reason if isinstance(reason, Exception) else error).__name__


# --- The client ---


def bounded_client(token: str, api_url: str, timeout_s: int, reach: Reach) -> "BoundedClient":
    """A client that logs nothing: it would log addresses, proxies and whole answers."""
    client = BoundedClient(
        token, base_url=api_url, timeout=timeout_s, retry_handlers=[], logger=silent_log()
    )
    client.reach = reach
    return client


def silent_log() -> logging.Logger:
    """Where Slack's library may write what nobody is to read."""
    silent = logging.getLogger("monitor.slack.library")
    silent.setLevel(logging.CRITICAL + 1)
    return silent


class BoundedClient(WebClient):
    """A WebClient that stays with its host and reads a bounded answer in a bounded time."""

    reach = WORLD

    def _perform_urllib_http_request_internal(self, url: str, req: Request) -> dict[str, Any]:
        if not url.lower().startswith(("http://", "https://")):
            raise OSError(f"not an address of the web: {url.partition(':')[0]}")
        deadline = time.monotonic() + TOTAL_S
        door = _Door()
        opener = build_opener(_NoRedirect(), *self._handlers(req, door))
        with (
            cut_off(lambda: door.socket, TOTAL_S),
            opener.open(req, timeout=self.timeout) as answer,
        ):
            body = _read(answer, deadline)
            return {
                "status": answer.status,
                "headers": answer.headers,
                "body": body.decode("utf-8", "replace"),
            }

    def _handlers(self, request: Request, door: "_Door") -> tuple[BaseHandler, ...]:
        """How connections are made: to permitted addresses, or by the proxy of the environment."""
        host = (urlsplit(request.full_url).hostname or "").lower()
        proxy = proxy_to(request.type, host)
        if proxy is not None:
            permitted_by_name(self.reach, host)
            return (ProxyHandler({request.type: proxy}), _Plain(door), _Secure(door, self.ssl))
        door.reach = self.reach
        return (ProxyHandler({}), _Plain(door), _Secure(door, self.ssl))


class _NoRedirect(HTTPRedirectHandler):
    """A redirect is an answer, and not one we want."""

    def redirect_request(self, *_: Any) -> None:
        return None


@dataclass(slots=True)
class _Door:
    """What one call may connect to (None: whatever the proxy is), and its connection."""

    reach: Reach | None = None
    connection: http.client.HTTPConnection | None = None

    @property
    def socket(self) -> socket.socket | None:
        return self.connection.sock if self.connection else None


class _Connection(http.client.HTTPConnection):
    """Connects to the address that was judged."""

    def __init__(self, door: _Door, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self._door = door

    def connect(self) -> None:
        self._door.connection = self
        if self._door.reach is None:
            super().connect()
        else:
            self.sock = connect(self._door.reach, self.host, self.port, self.timeout)


class _SecureConnection(http.client.HTTPSConnection):
    """The same, with TLS to the name around it."""

    def __init__(self, door: _Door, *args: Any, context: Any, **more: Any) -> None:
        self._tls = context or ssl.create_default_context()
        super().__init__(*args, context=self._tls, **more)
        self._door = door

    def connect(self) -> None:
        self._door.connection = self
        if self._door.reach is None:
            super().connect()
        else:
            plain = connect(self._door.reach, self.host, self.port, self.timeout)
            # Known before its handshake, so that one which drips can be cut off.
            self.sock = self._tls.wrap_socket(
                plain, server_hostname=self.host, do_handshake_on_connect=False
            )
            self.sock.do_handshake()


class _Plain(HTTPHandler):
    def __init__(self, door: _Door) -> None:
        super().__init__()
        self._door = door

    def http_open(self, req: Request) -> http.client.HTTPResponse:
        return self.do_open(partial(_Connection, self._door), req)


class _Secure(HTTPSHandler):
    def __init__(self, door: _Door, context: Any) -> None:
        super().__init__()
        self._door, self._tls = door, context

    def https_open(self, req: Request) -> http.client.HTTPResponse:
        return self.do_open(partial(_SecureConnection, self._door), req, context=self._tls)


def _read(answer: Any, deadline: float) -> bytes:
    """The body; TimeoutError after the deadline, OSError when it does not end."""
    pieces, size = [], 0
    while piece := answer.read1(_PIECE):
        pieces.append(piece)
        size += len(piece)
        if size > MOST_BYTES:
            raise OSError("the answer does not end")
        if time.monotonic() > deadline:
            break
    if time.monotonic() > deadline:  # what was cut off looks like an end
        raise TimeoutError
    return b"".join(pieces)
