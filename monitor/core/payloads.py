"""What channels read from the payload of a message: its rows, times and causes as text."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from monitor.core.numerals import count
from monitor.core.words import plural


def rows_text(payload: Mapping[str, Any]) -> str:
    """Rows of the window and of the reference: 10 000 rows against 50 000; empty without any."""
    rows = payload["rows"]
    if rows is None:
        return ""
    current = f"{count(rows['current'])} rows"
    if rows["reference"] is None:
        return current
    return f"{current} against {count(rows['reference'])}"


def window_text(payload: Mapping[str, Any]) -> str:
    """Like 2019-03-31 00:00 to 2019-04-01 00:00 UTC; empty without a window."""
    window = payload["window"]
    return f"{time_text(window['start'])[:-4]} to {time_text(window['end'])}" if window else ""


def time_text(iso: str) -> str:
    """A time of a payload, to the minute.

    >>> time_text("2019-03-31T02:00:00+02:00")
    '2019-03-31 00:00 UTC'
    """
    return f"{datetime.fromisoformat(iso).astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def cause_lines(payload: Mapping[str, Any]) -> list[tuple[str, str]]:
    """(name, numbers) of each cause and failed expectation, and how many more there are."""
    lines: list[tuple[str, str]] = []
    for key, one in (("causes", "more cause"), ("failed_expectations", "more failed expectation")):
        lines += [(cause["name"], cause["text"]) for cause in payload[key]]
        if more := payload[f"more_{key}"]:
            lines.append(("", plural(more, one)))
    return lines
