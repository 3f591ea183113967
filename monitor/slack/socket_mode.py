"""Socket Mode: what is pressed in Slack arrives over a connection that we open."""

import logging
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

from slack_sdk.errors import SlackClientError
from slack_sdk.socket_mode.builtin import SocketModeClient
from slack_sdk.socket_mode.client import BaseSocketModeClient
from slack_sdk.socket_mode.request import SocketModeRequest
from slack_sdk.socket_mode.response import SocketModeResponse

from monitor.core.reach import WORLD, Reach
from monitor.judging import judged
from monitor.slack.client import API_URL, bounded_client, silent_log

log = logging.getLogger(__name__)

_FIRST_WAIT_S, _LONGEST_WAIT_S = 1.0, 300.0

# Takes what Slack sends; returns the answer, and what is to be done once that is on its way.
Hears = Callable[[Mapping[str, Any]], tuple[Mapping[str, Any] | None, Callable[[], None] | None]]


class _Client(SocketModeClient):
    """Connects, and connects again, to permitted addresses."""

    reach = WORLD

    def connect(self) -> None:
        """OSError or DeliveryRefused when it comes to nothing: the library would not tell."""
        with judged(self.reach) as judge:
            super().connect()
        if self.is_connected():
            return
        self.wss_uri = None  # good for one connection: another is asked for
        raise judge.refused or ConnectionError("not connected")


class SocketMode:
    """Listens with an app-level token (scope `connections:write`) until closed.

    The library reconnects by itself. Several processes may listen: Slack hands each press to one.
    """

    def __init__(
        self,
        app_token: str,
        hears: Hears,
        *,
        api_url: str = API_URL,
        reach: Reach = WORLD,
        ping_s: float = 10.0,
    ) -> None:
        web = bounded_client(app_token, api_url, 10, reach)
        # It would tell the address of the connection, which is as good as a token while it lasts.
        self._client = _Client(
            app_token, web_client=web, logger=silent_log(), ping_interval=ping_s, concurrency=4
        )
        self._client.reach = reach
        self._client.socket_mode_request_listeners.append(self._heard)
        self._hears = hears

    def run(self, stop: threading.Event) -> None:
        """Connect, however long that takes, and listen until `stop` is set."""
        wait_s = _FIRST_WAIT_S
        while not stop.is_set() and not self.is_connected:
            try:
                self._client.connect()
            except Exception as error:  # its text may hold the address of the connection
                log.warning("no connection to Slack error=%s wait_s=%g", _name(error), wait_s)
                stop.wait(wait_s)
                wait_s = min(2 * wait_s, _LONGEST_WAIT_S)
        stop.wait()
        self.close()

    @property
    def is_connected(self) -> bool:
        return bool(self._client.is_connected())

    def close(self) -> None:
        with suppress(OSError, SlackClientError):
            self._client.close()

    def _heard(self, client: BaseSocketModeClient, request: SocketModeRequest) -> None:
        """Answer within three seconds, which is what Slack waits; then do what may take longer."""
        if request.type != "interactive":
            client.send_socket_mode_response(SocketModeResponse(request.envelope_id))
            return
        try:
            answer, then = self._hears(request.payload)
        except Exception as error:
            log.error("a press in Slack could not be heard error=%s", _name(error))
            answer, then = None, None
        told = dict(answer) if answer is not None else None
        client.send_socket_mode_response(SocketModeResponse(request.envelope_id, told))
        if then is not None:
            then()


def _name(error: Exception) -> str:
    """Slack's own word for it, or its kind."""
    response = getattr(error, "response", None)
    told = response.get("error") if response is not None else None
    return told if isinstance(told, str) and told.isidentifier() else type(error).__name__
