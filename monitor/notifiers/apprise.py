"""Alerts on any service that the library apprise speaks to: Discord, Telegram, ntfy and others.

It connects by itself, by several libraries; what it connects to is judged as that is done.
"""

import logging
from collections.abc import Mapping
from typing import Any

from monitor.configuration.channels import AppriseSettings
from monitor.core.consequences import Message
from monitor.core.plain_text import body, subject
from monitor.core.reach import WORLD, Reach
from monitor.errors import AskedWrongly, DeliveryDelayed
from monitor.judging import judged
from monitor.ports import Around
from monitor.posting import permitted_by_name

_KINDS = {
    "episode.opened": "failure",
    "episode.worsened": "failure",
    "episode.resolved": "success",
    "episode.acknowledged": "info",
    "digest": "info",
    "test": "info",
}


class Apprise:
    """One service; apprise says whether it took a message, and no more."""

    def __init__(self, url: str, name: str, reach: Reach = WORLD) -> None:
        """AskedWrongly when apprise is not installed, or does not know the address."""
        try:
            import apprise
        except ImportError:
            raise AskedWrongly(
                f"the channel {name} needs apprise",
                hint="pip install 'drift-monitor[apprise]'",
            ) from None
        # It logs addresses, which hold tokens, and what services answer.
        logging.getLogger("apprise").setLevel(logging.CRITICAL + 1)
        # By itself it follows redirects, wherever they lead, and writes to several addresses from
        # threads of its own; a thread is judged only if it takes our context along.
        asset = apprise.AppriseAsset(http_redirects=False, async_mode=False)
        self._service = apprise.Apprise(asset=asset)
        self._name = name
        self._reach = reach
        if not self._service.add(url):
            raise AskedWrongly(
                f"apprise does not know the address of the channel {name}",
                hint="write it as apprise names its services, like discord://ID/TOKEN",
            )
        for server in self._service:
            server.redirects = False  # whatever its address says

    def send(self, message: Message, thread: Mapping[str, Any]) -> Mapping[str, Any]:
        """A refusal may be for good or may pass, and apprise tells neither: it is tried again."""
        for server in self._service:
            if any("{host}" in template for template in server.templates):
                permitted_by_name(self._reach, server.host or "")  # what a proxy would be asked for
        with judged(self._reach) as judge:
            taken = self._service.notify(
                title=subject(message),
                body="\n".join(body(message)),
                notify_type=_KINDS.get(message.kind, "warning"),
                body_format="text",
            )
        if judge.refused is not None:  # whatever it says of what its address calls optional
            raise judge.refused
        if not taken:
            raise DeliveryDelayed(f"apprise: {self._name} did not take it")
        return {}


def make(settings: AppriseSettings, around: Around) -> Apprise:
    return Apprise(settings.url.get_secret_value(), around.name, around.reach)
