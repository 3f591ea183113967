"""What messages look like in Slack: their words and blocks, within Slack's limits."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from monitor.core.consequences import Message
from monitor.core.digests import DIGEST
from monitor.core.messages import TEST, happened
from monitor.core.payloads import cause_lines, rows_text, time_text, window_text
from monitor.core.people import MUTES_H

HEADER_CHARS = 150
SECTION_CHARS = 3000
LINK_CHARS = 600
ENTRIES = 45  # of a digest; a message has 50 blocks

# What was pressed, as Slack tells it.
ACKNOWLEDGE, MUTE, RETRAIN, OPEN = "acknowledge", "mute", "retrain", "open"
_PRESSABLE = {"episode.opened", "episode.worsened"}


@dataclass(frozen=True, slots=True)
class Buttons:
    """What may be pressed below an alert."""

    channel: str  # our name of it: whoever hears the press knows by it who may do what
    trainers: frozenset[str] = frozenset()  # monitors that have a training system to ask


def fallback_text(message: Message) -> str:
    """What a notification on a locked phone shows."""
    worse = " got worse" if message.kind == "episode.worsened" else ""
    headline = _escape(_clip(message.payload["headline"], SECTION_CHARS // 5 - 10))
    return f"{_escape(message.monitor)}{worse}: {headline}"


def message_blocks(message: Message, buttons: Buttons | None = None) -> list[dict[str, Any]]:
    """The sentence, the causes with their small numbers, then rows, window and links; and below
    an episode that is open, what can be done about it."""
    payload = message.payload
    if message.kind == DIGEST:
        return _digest(payload)
    headline = payload["headline"].replace("`", "")
    title = _clip(headline, HEADER_CHARS)
    blocks = [_header(title)]
    if title != headline:
        blocks.append(_section([sentence(payload)]))
    if causes := cause_lines(payload):
        blocks.append(_section(_cause(name, text) for name, text in causes))
    blocks.append(_context(message))
    if buttons is not None and message.episode and message.kind in _PRESSABLE:
        blocks.append(_actions(message, buttons))
    return blocks


def edited_blocks(
    blocks: Sequence[Mapping[str, Any]], news: str, *, over: bool
) -> list[Mapping[str, Any]]:
    """A first message with what became of it, and without what cannot be done any more."""
    first, *rest = blocks
    kept = [_without_acknowledge(b) if b.get("type") == "actions" else b for b in rest]
    left = [b for b in kept if not (over and b.get("type") == "actions")]
    return [first, _section([f"*{news}*"]), *left]


def _without_acknowledge(block: Mapping[str, Any]) -> dict[str, Any]:
    elements = [e for e in block["elements"] if e["action_id"] != ACKNOWLEDGE]
    return {**block, "elements": elements}


def _actions(message: Message, buttons: Buttons) -> dict[str, Any]:
    """At most four elements; `block_id` says which episode, and which channel of ours."""
    elements = [_button("Acknowledge", ACKNOWLEDGE, style="primary"), _menu()]
    if message.monitor in buttons.trainers:
        elements.append(_button("Ask for a new model", RETRAIN))
    payload = message.payload
    links = [payload["report_url"], payload["check_url"]]
    web = [url for url in links if url.startswith(("http://", "https://")) and len(url) <= 3000]
    if web:
        elements.append(_button("Open report", OPEN, url=web[0]))
    block_id = f"{buttons.channel}/{message.episode}"
    return {"type": "actions", "block_id": block_id, "elements": elements}


def _button(text: str, action: str, **more: str) -> dict[str, Any]:
    return {"type": "button", "text": plain(text), "action_id": action, **more}


def _menu() -> dict[str, Any]:
    return {
        "type": "static_select",
        "action_id": MUTE,
        "placeholder": plain("Mute for …"),
        "options": mute_options(),
    }


def mute_options() -> list[dict[str, Any]]:
    return [{"text": plain(told), "value": str(hours)} for hours, told in MUTES_H.items()]


def _digest(payload: Mapping[str, Any]) -> list[dict[str, Any]]:
    """An entry a section, as many as a message takes."""
    entries = payload["entries"]
    blocks = [_header(_clip(f"Digest: {payload['headline']}", HEADER_CHARS))]
    blocks += [_section(_entry_lines(entry)) for entry in entries[:ENTRIES]]
    if (more := len(entries) - ENTRIES) > 0:
        blocks.append(_section([f"{more} more are on the pages"]))
    return blocks


def _entry_lines(entry: Mapping[str, Any]) -> list[str]:
    link = _link(entry["report_url"], "Report") or _link(entry["check_url"], "Check")
    first = f"*{_escape(entry['monitor'])}* · {happened(entry['cause'], entry['changes'])}"
    lines = [f"{first} · {link}" if link else first, sentence(entry)]
    if "attended" in entry:
        lines.append(_escape(_clip(entry["attended"], 300)))
    return lines + [_cause(name, text) for name, text in cause_lines(entry)]


def sentence(payload: Mapping[str, Any]) -> str:
    """The whole headline, short enough for a section even if every character is escaped."""
    return _escape(_clip(payload["headline"], SECTION_CHARS // 5 - 10))


def _cause(name: str, text: str) -> str:
    named = f"• {_code(name)} " if name else "• "
    return (named + _escape(text)).rstrip()


def _context(message: Message) -> dict[str, Any]:
    payload = message.payload
    change = message.kind.removeprefix("episode.")
    if message.kind == TEST:
        return {"type": "context", "elements": [_mrkdwn("Nothing happened, and nothing is to do.")]}
    facts = [
        f"*{_escape(message.monitor)}*",
        happened(payload["cause"], [message.kind]),
        f"window {window_text(payload)}" if payload["window"] else "",
        rows_text(payload),
        f"since {time_text(payload['opened_at'])}" if change == "worsened" else "",
        _link(payload["report_url"], "Report"),
        _link(payload["check_url"], "Check"),
    ]
    return {"type": "context", "elements": [_mrkdwn(" · ".join(fact for fact in facts if fact))]}


def _header(text: str) -> dict[str, Any]:
    return {"type": "header", "text": plain(text)}


def plain(text: str) -> dict[str, Any]:
    """Text that Slack reads no marks in."""
    return {"type": "plain_text", "text": text, "emoji": False}


def _section(lines: Iterable[str]) -> dict[str, Any]:
    """Whole lines, as many as a section takes, so that no escape is cut in two."""
    kept: list[str] = []
    for line in lines:
        if sum(len(k) + 1 for k in kept) + len(line) > SECTION_CHARS - 2:
            kept.append("…")
            break
        kept.append(line)
    return {"type": "section", "text": _mrkdwn("\n".join(kept))}


def _mrkdwn(text: str) -> dict[str, Any]:
    # verbatim: Slack must not turn names like @here, #general or example.com into links itself.
    return {"type": "mrkdwn", "text": text, "verbatim": True}


def _escape(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _code(name: str) -> str:
    return f"`{_escape(name.replace('`', chr(39)))}`"


def _link(url: str, label: str) -> str:
    """A link to a web address; a path is told as it is. Too long for a block, it is left out."""
    if not url or len(url) > LINK_CHARS:
        return ""
    if not url.startswith(("http://", "https://")):
        return f"{label} {_code(url)}"
    safe = re.sub(r"[\s<>|]", lambda match: f"%{ord(match[0]):02X}", url)
    return f"<{safe.replace('&', '&amp;')}|{label}>"


def _clip(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1].rstrip() + "…"
