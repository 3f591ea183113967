"""Alerts in Microsoft Teams: an Adaptive Card, posted by a workflow that waits for a request."""

from collections.abc import Mapping
from typing import Any

from monitor.configuration.channels import TeamsSettings
from monitor.core.consequences import Message
from monitor.core.plain_text import body, subject
from monitor.ports import Around, Clock
from monitor.posting import Endpoint, post_json

_CARD_CHARS = 20_000  # of the 28 KB that Teams takes, the rest being JSON and longer letters
_LINE_CHARS = 1_000
_COLOURS = {
    "episode.opened": "Attention",
    "episode.worsened": "Attention",
    "episode.acknowledged": "Accent",
    "episode.resolved": "Good",
}


class Teams:
    """Posts a card for each message; a workflow cannot answer to an earlier one."""

    def __init__(self, endpoint: Endpoint, clock: Clock) -> None:
        self._endpoint = endpoint
        self._clock = clock

    def send(self, message: Message, thread: Mapping[str, Any]) -> Mapping[str, Any]:
        content = {
            "type": "message",
            "attachments": [
                {
                    "contentType": "application/vnd.microsoft.card.adaptive",
                    "contentUrl": None,
                    "content": card(message),
                }
            ],
        }
        return post_json(self._endpoint, content, key=message.id, now=self._clock())


def card(message: Message) -> dict[str, Any]:
    """The subject, its lines, and buttons that lead to report and check."""
    first, *rest = body(message)
    texts = [
        _text(subject(message), weight="Bolder", size="Medium", color=_colour(message)),
        _text(first),
        *(_text(line, isSubtle=True, spacing="Small") for line in _short(rest)),
    ]
    made: dict[str, Any] = {
        "type": "AdaptiveCard",
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "version": "1.4",
        "msteams": {"width": "Full"},
        "body": texts,
    }
    if links := _links(message.payload):
        made["actions"] = links
    return made


def _colour(message: Message) -> str:
    return _COLOURS.get(message.kind, "Default")


def _short(lines: list[str]) -> list[str]:
    """As many as a card takes."""
    kept: list[str] = []
    size = 0
    for line in lines:
        size += min(len(line), _LINE_CHARS)
        if size > _CARD_CHARS:
            return [*kept, "…"]
        kept.append(line)
    return kept


def _text(text: str, **more: Any) -> dict[str, Any]:
    """A run in a rich block, since a text block would read names as Markdown."""
    shown = text if len(text) <= _LINE_CHARS else text[: _LINE_CHARS - 1] + "…"
    spacing = {"spacing": more.pop("spacing")} if "spacing" in more else {}
    run = {"type": "TextRun", "text": shown, **more}
    return {"type": "RichTextBlock", "inlines": [run], **spacing}


def _links(payload: Mapping[str, Any]) -> list[dict[str, str]]:
    named = {"Open report": payload.get("report_url"), "Open check": payload.get("check_url")}
    return [
        {"type": "Action.OpenUrl", "title": title, "url": url}
        for title, url in named.items()
        if url and url.startswith(("http://", "https://"))
    ]


def make(settings: TeamsSettings, around: Around) -> Teams:
    return Teams(Endpoint(settings.url, reach=around.reach), around.clock)
