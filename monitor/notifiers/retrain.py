"""The signed call that asks a training system for a new model."""

from collections.abc import Mapping
from datetime import UTC
from typing import Any

from monitor.core.consequences import Message
from monitor.errors import DeliveryRefused
from monitor.ports import Clock
from monitor.posting import Endpoint, post_json


class Retrain:
    """Posts retrain requests to the training system of their monitor: `endpoints` by monitor."""

    def __init__(self, endpoints: Mapping[str, Endpoint], clock: Clock) -> None:
        self._endpoints = endpoints
        self._clock = clock

    def send(self, message: Message, thread: Mapping[str, Any]) -> Mapping[str, Any]:
        """Post under the request's id, which every repetition of it carries too."""
        endpoint = self._endpoints.get(message.monitor)
        if endpoint is None:
            raise DeliveryRefused(
                f"monitor {message.monitor!r} has no `retrain` configured any more"
            )
        now = self._clock()
        payload = {**message.payload, "sent_at": now.astimezone(UTC).isoformat()}
        return post_json(endpoint, payload, key=payload["request_id"], now=now)
