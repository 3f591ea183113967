"""Alerts as JSON for any other system, signed when a secret is configured."""

from collections.abc import Mapping
from typing import Any

from monitor.configuration.channels import WebhookSettings
from monitor.core.consequences import Message
from monitor.ports import Around, Clock
from monitor.posting import Endpoint, post_json


class Webhook:
    """Posts each payload as it is, under the message's id as `Idempotency-Key`."""

    def __init__(self, endpoint: Endpoint, clock: Clock) -> None:
        self._endpoint = endpoint
        self._clock = clock

    def send(self, message: Message, thread: Mapping[str, Any]) -> Mapping[str, Any]:
        return post_json(self._endpoint, message.payload, key=message.id, now=self._clock())


def make(settings: WebhookSettings, around: Around) -> Webhook:
    secret = settings.secret.get_secret_value() if settings.secret else None
    return Webhook(Endpoint(settings.url, secret, reach=around.reach), around.clock)
