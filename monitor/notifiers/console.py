"""Alerts on the terminal: one readable block each, on stderr, since stdout belongs to results."""

import sys
from collections.abc import Mapping
from typing import Any, TextIO

from monitor.core.messages import cause_lines, rows_text, window_text
from monitor.core.records import Message

_MARKS = {"episode.opened": "▲", "episode.worsened": "▲▲", "episode.resolved": "▽"}


class Console:
    """Writes to `stream`, by default to whatever stderr is when a message comes."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream

    def send(self, message: Message, thread: Mapping[str, Any]) -> Mapping[str, Any]:
        """Write the block in one call, so that blocks of several processes do not mix."""
        stream = self._stream or sys.stderr
        stream.write(block(message) + "\n")
        stream.flush()
        return {}


def block(message: Message) -> str:
    """The lines of one alert."""
    payload = message.payload
    change = message.kind.removeprefix("episode.")
    cause = payload["cause"].replace("_", " ")
    first = f"{_MARKS.get(message.kind, '·')} {message.monitor}: {cause} {change}"
    causes = cause_lines(payload)
    width = max((len(name) for name, _ in causes), default=0)
    facts = [rows_text(payload), f"window {window_text(payload)}" if payload["window"] else ""]
    body = [
        payload["headline"],
        *(f"{name:<{width}}  {text}".rstrip() for name, text in causes),
        " · ".join(fact for fact in facts if fact),
        f"report {payload['report_url']}" if payload["report_url"] else "",
    ]
    return "\n".join([first, *(f"  {line}" for line in body if line)])
