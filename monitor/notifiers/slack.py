"""Alerts in Slack: a message opens an episode, its thread follows it, its edits say how it goes on.

Slack promises no idempotency. `client_msg_id`, by which Slack's own clients avoid posting twice,
goes along and makes a repetition unlikely after an answer that got lost on the way.
"""

from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any
from uuid import NAMESPACE_URL, uuid5

from monitor.configuration.channels import SlackSettings
from monitor.core.consequences import Message
from monitor.errors import DeliveryRefused
from monitor.ports import Around
from monitor.slack.blocks import Buttons, edited_blocks, fallback_text, message_blocks, sentence

if TYPE_CHECKING:
    from monitor.slack.client import Api

# What somebody did, or the end: the first message is edited to show it.
_EDITS = {"episode.acknowledged", "episode.resolved"}
# The first message cannot be answered any more: the alert is then a message of its own.
_THREAD_LOST = {
    "cannot_reply_to_message", "channel_not_found", "is_archived", "message_not_found",
    "not_in_channel", "restricted_action_non_threadable_channel",
    "restricted_action_thread_locked", "thread_not_found",
}  # fmt: skip


class Slack:
    """Posts to one channel with a bot token (scope `chat:write`)."""

    def __init__(self, api: "Api", channel: str, buttons: Buttons | None = None) -> None:
        """`buttons`: what may be pressed below an alert; None where nobody listens."""
        self._api = api
        self._channel = channel
        self._buttons = buttons

    def send(self, message: Message, thread: Mapping[str, Any]) -> Mapping[str, Any]:
        """Post the change of an episode: the first as a message, later ones into its thread.

        1. One that is acknowledged or over first edits its first message. Editing twice changes
           nothing, so a failure of step 2 may repeat step 1.
        2. The alert is posted, as the last thing that can fail.
        3. The receipt of a first message keeps its blocks, for the edit to come.
        """
        if thread and message.kind in _EDITS:
            self._edit_the_first(message, thread)
        text, blocks = fallback_text(message), message_blocks(message, self._buttons)
        answer = self._post(message, thread, text, blocks)
        receipt = {"channel": answer.get("channel"), "ts": answer.get("ts")}
        return receipt if thread else receipt | {"text": text, "blocks": blocks}

    def _post(
        self, message: Message, thread: Mapping[str, Any], text: str, blocks: list[dict[str, Any]]
    ) -> Mapping[str, Any]:
        from monitor.slack.client import Refused

        said = {
            "text": text,
            "blocks": blocks,
            "unfurl_links": False,
            "unfurl_media": False,
            "client_msg_id": str(uuid5(NAMESPACE_URL, message.id)),
        }
        if thread:
            where = {"channel": thread["channel"], "thread_ts": thread["ts"]}
            try:
                return self._call("chat.postMessage", where | said)
            except Refused as refused:
                if refused.code not in _THREAD_LOST:
                    raise
        return self._call("chat.postMessage", {"channel": self._channel} | said)

    def _edit_the_first(self, message: Message, thread: Mapping[str, Any]) -> None:
        news = sentence(message.payload)
        over = message.kind == "episode.resolved"
        edited = {
            "channel": thread["channel"],
            "ts": thread["ts"],
            "text": f"{news} ({thread['text']})",
            "blocks": edited_blocks(thread["blocks"], news, over=over),
        }
        # Refused when deleted or too old to be edited: the thread still tells it.
        with suppress(DeliveryRefused):
            self._call("chat.update", edited)

    def _call(self, method: str, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
        # Nothing in a text may become a mention or a link that we did not write as one.
        return self._api.call(method, {**arguments, "parse": "none", "link_names": False})


def make(settings: SlackSettings, around: Around) -> Slack:
    from monitor.slack.client import Api

    token = settings.token.get_secret_value()
    api = Api(token, around.clock, api_url=settings.api_url, reach=around.reach)
    listens = settings.interactions is not None
    buttons = Buttons(around.name, around.trainers) if listens else None
    return Slack(api, settings.channel, buttons)
