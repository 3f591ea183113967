"""Messages as plain text: a subject, and the lines below it."""

from collections.abc import Mapping
from typing import Any

from monitor.core.consequences import Message
from monitor.core.digests import DIGEST
from monitor.core.messages import TEST, happened
from monitor.core.payloads import cause_lines, rows_text, window_text

ENTRIES = 100  # of a digest; a longer one is read on the pages


def subject(message: Message) -> str:
    """Like `loans: drift opened`."""
    if message.kind == DIGEST:
        return f"digest: {message.payload['headline']}"
    if message.kind == TEST:
        return "test of a channel"
    return f"{message.monitor}: {happened(message.payload['cause'], [message.kind])}"


def body(message: Message) -> list[str]:
    """The headline, the causes with their numbers, then window, rows and links."""
    if message.kind == DIGEST:
        return _digest(message.payload["entries"])
    return _told(message.payload)


def _told(payload: Mapping[str, Any]) -> list[str]:
    causes = cause_lines(payload)
    width = max((len(name) for name, _ in causes), default=0)
    facts = [f"window {window_text(payload)}" if payload["window"] else "", rows_text(payload)]
    lines = [
        payload["headline"],
        payload.get("attended", ""),
        *(f"{name:<{width}}  {text}".rstrip() for name, text in causes),
        " · ".join(fact for fact in facts if fact),
        _links(payload),
    ]
    return [line for line in lines if line]


def _links(payload: Mapping[str, Any]) -> str:
    """The report; where there is none, the check."""
    if payload["report_url"]:
        return f"report {payload['report_url']}"
    return f"check {payload['check_url']}" if payload["check_url"] else ""


def _digest(entries: list[Mapping[str, Any]]) -> list[str]:
    lines = []
    for entry in entries[:ENTRIES]:
        lines.append(f"{entry['monitor']}: {happened(entry['cause'], entry['changes'])}")
        lines += [f"  {line}" for line in _told(entry)]
    left = len(entries) - ENTRIES
    return [*lines, f"{left} more are on the pages"] if left > 0 else lines
