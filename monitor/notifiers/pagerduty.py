"""Alerts in PagerDuty (Events API v2): an episode is one incident from first to last."""

from collections.abc import Mapping
from typing import Any

from monitor.configuration.channels import PagerDutySettings
from monitor.core.consequences import Message
from monitor.core.payloads import cause_lines
from monitor.core.routing import Level
from monitor.ports import Around, Clock
from monitor.posting import Endpoint, post_json

_SUMMARY_CHARS = 1024
_ACTIONS = {"episode.acknowledged": "acknowledge", "episode.resolved": "resolve"}


class PagerDuty:
    """Triggers, acknowledges and resolves under the id of the episode."""

    def __init__(self, endpoint: Endpoint, routing_key: str, clock: Clock) -> None:
        self._endpoint = endpoint
        self._routing_key = routing_key
        self._clock = clock

    def send(self, message: Message, thread: Mapping[str, Any]) -> Mapping[str, Any]:
        """A test wakes nobody up for long: it is resolved at once."""
        receipt = self._post(message, _ACTIONS.get(message.kind, "trigger"))
        return receipt if message.episode else self._post(message, "resolve")

    def _post(self, message: Message, action: str) -> Mapping[str, Any]:
        event = {
            "routing_key": self._routing_key,
            "event_action": action,
            "dedup_key": f"drift-monitor/{message.episode or message.id}",
            "client": "Drift Monitor",
            **({"payload": _payload(message)} if action == "trigger" else {}),
            **_links(message.payload),
        }
        return post_json(self._endpoint, event, key=f"{message.id}-{action}", now=self._clock())


def _payload(message: Message) -> dict[str, Any]:
    told = message.payload
    severity = told["level"] if told["level"] in set(Level) else "info"
    return {
        "summary": f"{message.monitor}: {told['headline']}"[:_SUMMARY_CHARS],
        "source": message.monitor,
        "severity": severity,
        "timestamp": message.created_at.isoformat(),
        "class": told["cause"],
        "custom_details": {
            "causes": [f"{name} {text}".strip() for name, text in cause_lines(told)],
            "window": told["window"],
            "rows": told["rows"],
        },
    }


def _links(told: Mapping[str, Any]) -> dict[str, Any]:
    """Where more is to be seen, as far as it is on the web."""
    named = {"Report": told["report_url"], "Check": told["check_url"]}
    links = [{"href": url, "text": text} for text, url in named.items() if "://" in url]
    client = {"client_url": told["check_url"]} if "://" in told["check_url"] else {}
    return {**client, **({"links": links} if links else {})}


def make(settings: PagerDutySettings, around: Around) -> PagerDuty:
    key = settings.routing_key.get_secret_value()
    endpoint = Endpoint(settings.url, hidden=(key,), reach=around.reach)
    return PagerDuty(endpoint, key, around.clock)
