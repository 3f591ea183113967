"""A digest: what gathered for a channel, as one message with the most urgent first."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from monitor.core.consequences import Message
from monitor.core.messages import SCHEMA, message_id
from monitor.core.routing import Level

DIGEST = "digest"  # the kind of a message that tells several

_OPEN, _ATTENDED, _OVER = range(3)
_RANKS = {"episode.acknowledged": _ATTENDED, "episode.resolved": _OVER}
_WORDS = {_OPEN: "open", _ATTENDED: "acknowledged", _OVER: "resolved"}


def gathered(channel: str, waiting: Iterable[Message], now: datetime) -> Message:
    """One message that tells all of them: an entry for each episode.

    The id depends on what it tells alone, so that gathering twice makes the same digest.
    """
    told = sorted(waiting, key=lambda m: m.created_at)
    by_episode: dict[str, list[Message]] = {}
    for message in told:
        by_episode.setdefault(message.episode or message.id, []).append(message)
    entries = sorted(map(_entry, by_episode.values()), key=_urgency)
    monitors = sorted({m.monitor for m in told})
    return Message(
        id=message_id(channel, *sorted(m.id for m in told)),
        channel=channel,
        monitor=monitors[0] if len(monitors) == 1 else "all monitors",
        kind=DIGEST,
        payload={
            "schema": SCHEMA,
            "event": DIGEST,
            "headline": _headline(entries),
            "monitors": monitors,
            "since": told[0].created_at.astimezone(UTC).isoformat(),
            "entries": entries,
        },
        created_at=now,
    )


def _entry(messages: list[Message]) -> dict[str, Any]:
    """The latest word about an episode with every step that led to it.

    What somebody did about it tells no numbers: those of the last check stay.
    """
    steps = list(dict.fromkeys(m.kind.removeprefix("episode.") for m in messages))
    last = dict(messages[-1].payload)
    if last["event"] == "episode.acknowledged":
        seen = next((m.payload for m in reversed(messages) if m.payload["window"]), last)
        last = {**seen, "event": last["event"], "attended": last["headline"]}
    return {**last, "changes": steps}


def _urgency(entry: Mapping[str, Any]) -> tuple[int, bool, str, str]:
    """What is open first, then what somebody looks after, then what is over; critical before
    warning, and the oldest first."""
    rank = _RANKS.get(entry["event"], _OPEN)
    return rank, entry["level"] != Level.CRITICAL, entry["opened_at"], entry["episode_id"]


def _headline(entries: list[dict[str, Any]]) -> str:
    ranks = [_urgency(entry)[0] for entry in entries]
    counts = ((ranks.count(rank), word) for rank, word in _WORDS.items())
    return ", ".join(f"{count} {word}" for count, word in counts if count)
