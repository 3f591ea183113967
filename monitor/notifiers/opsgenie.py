"""Alerts in Opsgenie (Alert API): an episode is one alert from first to last."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import quote

from monitor.configuration.channels import OpsgenieSettings
from monitor.core.consequences import Message
from monitor.core.payloads import cause_lines
from monitor.core.plain_text import body
from monitor.core.routing import Level
from monitor.ports import Around, Clock
from monitor.posting import Endpoint, post_json

_MESSAGE_CHARS, _DESCRIPTION_CHARS, _NOTE_CHARS = 130, 15_000, 25_000
_PRIORITIES = {Level.CRITICAL: "P2", Level.WARNING: "P3"}
_ENDS = {"episode.acknowledged": "acknowledge", "episode.resolved": "close"}
_SOURCE = "drift-monitor"


class Opsgenie:
    """Creates, acknowledges and closes under the id of the episode, which is the alert's alias."""

    def __init__(self, endpoint: Endpoint, clock: Clock) -> None:
        self._endpoint = endpoint
        self._clock = clock

    def send(self, message: Message, thread: Mapping[str, Any]) -> Mapping[str, Any]:
        """A second alert of an alias that is open counts it up; a test is closed at once."""
        what = _ENDS.get(message.kind, "")
        receipt = self._post(message, what)
        return receipt if message.episode else self._post(message, "close")

    def _post(self, message: Message, what: str) -> Mapping[str, Any]:
        alias = f"drift-monitor/{message.episode or message.id}"
        path = f"v2/alerts/{quote(alias, safe='')}/{what}?identifierType=alias"
        base = self._endpoint.url.rstrip("/")
        endpoint = replace(self._endpoint, url=f"{base}/{path if what else 'v2/alerts'}")
        content = _note(message) if what else _alert(message, alias)
        return post_json(endpoint, content, key=f"{message.id}-{what}", now=self._clock())


def _note(message: Message) -> dict[str, str]:
    note = str(message.payload["headline"])[:_NOTE_CHARS]
    return {"source": _SOURCE, "user": _SOURCE, "note": note}


def _alert(message: Message, alias: str) -> dict[str, Any]:
    told = message.payload
    return {
        "message": f"{message.monitor}: {told['headline']}"[:_MESSAGE_CHARS],
        "alias": alias,
        "description": "\n".join(body(message))[:_DESCRIPTION_CHARS],
        "priority": _PRIORITIES.get(told["level"], "P5"),
        "source": _SOURCE,
        "entity": message.monitor,
        "tags": [str(told["cause"])],
        "details": {name or "more": text for name, text in cause_lines(told)},
    }


def make(settings: OpsgenieSettings, around: Around) -> Opsgenie:
    key = settings.api_key.get_secret_value()
    headers = {"Authorization": f"GenieKey {key}"}
    endpoint = Endpoint(settings.url, headers=headers, hidden=(key,), reach=around.reach)
    return Opsgenie(endpoint, around.clock)
