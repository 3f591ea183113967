"""What to say: the changes of episodes and a retrain request, as messages for the outbox."""

from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

from monitor.core.causes import NAME_CHARS, TEXT_CHARS, causes_of, failed_of
from monitor.core.consequences import Cause, Change, Episode, EpisodeChange, Message, RetrainRequest
from monitor.core.people import AuditEntry, Deed
from monitor.core.records import Check, Window
from monitor.core.routing import Routing, level_of
from monitor.core.words import line

SCHEMA = 1
CAUSES_TOLD = 3
CONSOLE = "console"  # the only channel whose reader sits at this machine
TEST = "test"  # the kind of a message that is about nothing
RETRAIN = "retrain"  # the channel a retrain request goes out on
SERVICE = "the service"  # stands for a monitor where there is none; no monitor can be named so
STALLED, RECOVERED = "service.stalled", "service.recovered"

Heard = Callable[[str], Collection[str]]  # by episode: the channels that were told of it

_HEADLINE_CHARS = 600
_WHAT = {Cause.DRIFT: "drift", Cause.QUALITY: "broken data", Cause.NO_LOOK: "nothing to look at"}


def alerts(
    check: Check,
    changes: Iterable[EpisodeChange],
    *,
    routing: Routing,
    heard: Heard,
    report_url: str,
    check_url: str,
    created_at: datetime,
    show_values: str = "levels",
) -> tuple[Message, ...]:
    """One message per alerting change and channel; an episode that continues says nothing, and
    that it is over is told where it was told of.

    Ids depend only on episode, change, check and channel, so a repeated transaction makes the
    same ones. `show_values` "never" keeps the names of levels out of every payload.
    """
    return tuple(
        Message(
            id=message_id(change.episode.id, change.change, check.id, channel),
            channel=channel,
            monitor=change.episode.monitor,
            kind=f"episode.{change.change}",
            payload=_payload(check, change, show_values)
            | {"check_url": check_url, "report_url": _link(report_url, channel)},
            created_at=created_at,
            episode=change.episode.id,
            next_at=routing.due(channel, created_at),
        )
        for change in changes
        if change.change is not Change.CONTINUED and change.episode.told
        for channel in _hearers(check, change, routing, heard)
    )


def _hearers(
    check: Check, change: EpisodeChange, routing: Routing, heard: Heard
) -> tuple[str, ...]:
    episode = change.episode
    if change.change is Change.RESOLVED:
        return told_again(episode, change.change, routing, heard)
    level = level_of(check, episode.cause)
    return routing.channels(episode.monitor, episode.cause, change.change, level)


def told_again(episode: Episode, change: str, routing: Routing, heard: Heard) -> tuple[str, ...]:
    """The channels of those who heard of an episode, for what becomes of it."""
    fitting = routing.channels(episode.monitor, episode.cause, change, None)
    known = heard(episode.id) if fitting else ()
    return tuple(channel for channel in fitting if channel in known)


def of_deed(
    entry: AuditEntry,
    episode: Episode,
    *,
    kind: str,
    routing: Routing,
    heard: Heard,
    check_url: str,
) -> tuple[Message, ...]:
    """What a person did about an episode, told on every channel that heard of it."""
    payload = {
        **_NO_CHECK,
        "event": kind,
        "monitor": episode.monitor,
        "cause": str(episode.cause),
        "headline": line(_done(entry, episode), _HEADLINE_CHARS),
        "check_id": episode.last_check,
        "episode_id": episode.id,
        "opened_at": _iso(episode.opened_at),
        "resolved_at": _iso(episode.resolved_at) if episode.resolved_at else None,
        "check_url": check_url,
    }
    return tuple(
        Message(
            id=message_id(entry.id, channel),
            channel=channel,
            monitor=episode.monitor,
            kind=kind,
            payload=payload,
            created_at=entry.at,
            episode=episode.id,
            next_at=routing.due(channel, entry.at),
        )
        for channel in told_again(episode, kind.removeprefix("episode."), routing, heard)
        if episode.told
    )


_NO_CHECK: Mapping[str, Any] = {
    "schema": SCHEMA,
    "verdict": None,
    "level": None,
    "causes": [],
    "more_causes": 0,
    "failed_expectations": [],
    "more_failed_expectations": 0,
    "rows": None,
    "window": None,
    "report_url": "",
}


def of_service(
    kind: str, headline: str, channels: Iterable[str], *, since: datetime, at: datetime
) -> tuple[Message, ...]:
    """What is wrong with the service itself, or over; both follow from when it began."""
    trouble = "service_" + sha256(_iso(since).encode()).hexdigest()[:16]
    payload = {
        **_NO_CHECK,
        "event": kind,
        "monitor": SERVICE,
        "cause": "scheduler",
        "headline": line(headline, _HEADLINE_CHARS),
        "check_id": None,
        "episode_id": trouble,
        "opened_at": _iso(since),
        "resolved_at": None if kind == STALLED else _iso(at),
        "check_url": "",
    }
    return tuple(
        Message(
            id=message_id(trouble, kind, channel),
            channel=channel,
            monitor=SERVICE,
            kind=kind,
            payload=payload,
            created_at=at,
            episode=trouble,
        )
        for channel in channels
    )


def cause_text(cause: str) -> str:
    """What an episode, or a message of the service itself, is about: everywhere the same words."""
    return _WHAT[Cause(cause)] if cause in set(Cause) else cause


def happened(cause: str, kinds: Iterable[str]) -> str:
    """What became of an episode, by the kinds of its messages: "drift opened, then resolved".

    >>> happened("no_look", ["episode.opened", "episode.resolved"])
    'nothing to look at, then something to look at again'
    >>> happened("quality", ["episode.opened"])
    'broken data found'
    """
    steps = [kind.rpartition(".")[2] for kind in kinds]
    own = _HAPPENED.get(cause, {})
    told = [own.get(step, step) for step in steps]
    about = "" if steps[0] in own else f"{cause_text(cause)} "
    return about + ", then ".join(told)


# Broken data is found rather than opened, and where there is nothing, nothing opens.
_HAPPENED: Mapping[str, Mapping[str, str]] = {
    Cause.QUALITY: {Change.OPENED: f"{_WHAT[Cause.QUALITY]} found"},
    Cause.NO_LOOK: {
        Change.OPENED: _WHAT[Cause.NO_LOOK],
        Change.WORSENED: f"still {_WHAT[Cause.NO_LOOK]}",
        Change.RESOLVED: "something to look at again",
        Deed.ACKNOWLEDGED: f"{_WHAT[Cause.NO_LOOK]}, acknowledged",
    },
}


def _done(entry: AuditEntry, episode: Episode) -> str:
    what = _WHAT[episode.cause]
    return f"{entry.deed.capitalize()}: {what}, by {entry.who}: {entry.why}"


def retrain_message(
    request: RetrainRequest,
    *,
    report_url: str,
    check_url: str,
    created_at: datetime,
) -> Message:
    """The call to the training system; `sent_at` joins the payload when it is sent.

    `created_at` is when it was queued, from which the outbox counts its patience.
    """
    return Message(
        id=request.id,
        channel=RETRAIN,
        monitor=request.monitor,
        kind="retrain.requested",
        payload={
            "event": "retrain.requested",
            "request_id": request.id,
            "monitor": request.monitor,
            "reference_version": request.reference_version,
            "window": _window(request.window),
            "reasons": [line(reason, TEXT_CHARS) for reason in request.reasons],
            "check_url": check_url,
            "report_url": _link(report_url, RETRAIN),
        },
        created_at=created_at,
        episode=request.episode,
    )


def sample_message(channel: str, created_at: datetime) -> Message:
    """What somebody sends to see that a channel works; it is about nothing."""
    payload = {
        **_NO_CHECK,
        "event": TEST,
        "monitor": "",
        "cause": TEST,
        "headline": f"Test of the channel {channel}: if you can read this, alerts arrive here",
        "check_id": "",
        "episode_id": "",
        "opened_at": _iso(created_at),
        "resolved_at": None,
        "check_url": "",
    }
    made = message_id(TEST, channel, _iso(created_at))
    return Message(made, channel, "test", TEST, payload, created_at)


def _link(report_url: str, channel: str) -> str:
    """The link as a channel may have it: a path of this machine is for this machine's console."""
    return report_url if channel == CONSOLE or "://" in report_url else ""


def message_id(*parts: str) -> str:
    return "m_" + sha256("\0".join(parts).encode()).hexdigest()[:32]


def _payload(check: Check, change: EpisodeChange, show_values: str) -> dict[str, Any]:
    episode = change.episode
    over = change.change is Change.RESOLVED  # what breached then does not breach now
    causes = [] if over else causes_of(check, episode.cause, show_values)
    failed = [] if over or episode.cause is not Cause.QUALITY else failed_of(check)
    return {
        "schema": SCHEMA,
        "event": f"episode.{change.change}",
        "monitor": episode.monitor,
        "cause": str(episode.cause),
        "headline": _resolved(episode) if over else _said(check, change),
        "verdict": str(check.verdict),
        "level": None if over else str(level_of(check, episode.cause)),
        "causes": causes[:CAUSES_TOLD],
        "more_causes": max(0, len(causes) - CAUSES_TOLD),
        "failed_expectations": failed[:CAUSES_TOLD],
        "more_failed_expectations": max(0, len(failed) - CAUSES_TOLD),
        "rows": {
            "reference": check.reference.rows if check.reference else None,
            "current": check.sample.rows,
        },
        "window": _window(check.window),
        "check_id": check.id,
        "episode_id": episode.id,
        "opened_at": _iso(episode.opened_at),
        "resolved_at": _iso(episode.resolved_at) if episode.resolved_at else None,
    }


def _said(check: Check, change: EpisodeChange) -> str:
    """The check in its own words: all numbers of a message are of the window it names.

    An episode may open for people later than it did, when somebody begins to listen, or a silence
    ends: then it says since when.
    """
    episode = change.episode
    if change.change is not Change.OPENED or episode.opened_by == check.id:
        return line(check.headline, _HEADLINE_CHARS)
    since = f" (open since {_since(episode)})"
    return line(check.headline, _HEADLINE_CHARS - len(since)) + since


def _since(episode: Episode) -> str:
    return f"{episode.opened_at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def _resolved(episode: Episode) -> str:
    since = _since(episode)
    if episode.cause is Cause.NO_LOOK:
        return f"Resolved: there is something to look at again; there was nothing from {since} on"
    names = [line(name, NAME_CHARS) for name in episode.columns[:CAUSES_TOLD]]
    more = len(episode.columns) - len(names)
    where = ", ".join(names) + (f" and {more} more" if more else "")
    told = f" ({where})" if where else ""
    whole = f"Resolved: {_WHAT[episode.cause]}{told}, open since {since}, is over"
    return line(whole, _HEADLINE_CHARS)


def _window(window: Window | None) -> dict[str, str] | None:
    return {"start": _iso(window.start), "end": _iso(window.end)} if window else None


def _iso(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat()
