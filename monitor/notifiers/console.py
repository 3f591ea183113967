"""Alerts on the terminal: one readable block each, on stderr, since stdout belongs to results."""

import sys
from collections.abc import Mapping
from typing import Any, TextIO

from monitor.core.consequences import Message
from monitor.core.plain_text import body, subject

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
    first = f"{_MARKS.get(message.kind, '·')} {subject(message)}"
    return "\n".join([first, *(f"  {line}" for line in body(message))])
