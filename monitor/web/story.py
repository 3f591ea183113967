"""The story of an episode in order: opened, told whom, worsened, looked after, resolved."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import takewhile
from typing import Any
from urllib.parse import quote

from monitor.archive import CheckLine, Place, Store, StoredCheck
from monitor.core.consequences import Cause, Episode, Message, RetrainRequest
from monitor.core.episodes import BREACHES
from monitor.core.messages import RETRAIN
from monitor.core.people import AuditEntry, Deed, Silence, SilenceKind
from monitor.core.records import Window
from monitor.web.named import CAUSES

_CHECKS = 120  # of an episode, at most
_MESSAGES, _RETRAINS = 300, 200
_TOLD = {
    "episode.opened": "that it opened",
    "episode.worsened": "that it got worse",
    "episode.resolved": "that it is over",
    "episode.acknowledged": "that somebody looks after it",
    "retrain.requested": "to train a new model",
}
_DONE = {
    Deed.ACKNOWLEDGED: "Acknowledged",
    Deed.RESOLVED: "Resolved by hand",
    Deed.RETRAIN_REQUESTED: "New model asked for by hand",
    Deed.RETRAIN_ANSWERED: "Training system answered",
}


@dataclass(frozen=True, slots=True)
class Event:
    """One line of the story."""

    at: datetime
    kind: str  # of the mark beside it: opened, worsened, told, deed, failed, quiet, retrain, over
    what: str
    text: str = ""
    who: str = ""
    link: str = ""  # below our root
    window: Window | None = None  # the window it is about, where a look is told


@dataclass(frozen=True, slots=True)
class Story:
    """An episode, what happened in it, and its checks, oldest first."""

    episode: Episode
    events: tuple[Event, ...]
    lines: tuple[CheckLine, ...]


def story(store: Store, episode: Episode, now: datetime) -> Story:
    """1. The checks of its time. 2. What they said, to whom it was told, what people did. 3. In
    order."""
    lines = checks_of(store, episode, _CHECKS)
    first = store.get_check(episode.opened_by)
    requests = [
        r
        for r in store.newest_retrains(episode.monitor, limit=_RETRAINS)
        if r.episode == episode.id
    ]
    messages = [*store.oldest_messages(episode=episode.id, limit=_MESSAGES)]
    entries = store.audit_of([episode.id, *(r.id for r in requests)])
    known = {line.id: line for line in lines}
    events = [
        _opened(episode, first),
        *_before(store, episode, first),
        *_done(entries),
        *_told(messages),
        *_asked(requests, {m.id: m.created_at for m in messages}),
        *_quiet(store.silences(since=episode.opened_at), episode, now),
        *_over(episode, known),
    ]
    return Story(episode, tuple(sorted(events, key=lambda e: e.at)), tuple(lines))


def checks_of(store: Store, episode: Episode, most: int) -> list[CheckLine]:
    """From the check that opened it to the last that it was part of, the oldest first; of too many
    the newest."""
    for end in (episode.resolved_by, episode.last_check):
        stored = store.get_check(end) if end else None
        if stored is not None and stored.check.window is not None:
            last = stored.check.window
            behind = Place(last.start + timedelta(microseconds=1), last.end, "")
            lines = store.lines(episode.monitor, before=behind, limit=most)
            return [line for line in reversed(lines) if line.window.start >= episode.opened_at]
    return []


def _opened(episode: Episode, first: StoredCheck | None) -> Event:
    return Event(
        _made(first) if first else episode.opened_at,
        "opened",
        f"Opened: {CAUSES[episode.cause].lower()}",
        first.check.headline if first else "",
        link=f"/checks/{quote(episode.opened_by)}",
        window=first.check.window if first else None,
    )


def _before(store: Store, episode: Episode, first: StoredCheck | None) -> Iterator[Event]:
    """What a backfill of older windows found later: it began before the check that opened it."""
    place = Place(episode.opened_at, episode.opened_at, "")
    older = store.lines(episode.monitor, before=place, limit=_CHECKS)
    same = list(takewhile(lambda line: _had(line, episode.cause), older))
    later = [line for line in same if first is not None and _made(line) > _made(first)]
    if later:
        many = f"{len(later)} windows" if len(later) > 1 else "The window"
        yield Event(
            max(_made(line) for line in later),
            "opened",
            "Found to have begun earlier",
            f"{many} before it, looked at later, had it as well",
            link=f"/checks/{quote(later[-1].id)}",
            window=Window(later[-1].window.start, later[0].window.end),
        )


def _had(line: CheckLine, cause: Cause) -> bool:
    """Whether a window breached as well; of undecided ones a line tells only whether rows came."""
    return line.verdict is BREACHES[cause] and (cause is not Cause.NO_LOOK or not line.rows)


def _told(messages: Sequence[Message]) -> Iterator[Event]:
    """One line a change of the episode: on which channels it went out, and on which it did not."""
    groups: dict[tuple[str, datetime, str], list[Message]] = {}
    for message in messages:
        groups.setdefault((message.kind, message.created_at, message.state), []).append(message)
    for (kind, written, state), group in groups.items():
        channels = _and([m.channel for m in group])
        what = _TOLD.get(kind, kind.replace(".", " "))
        if kind == "episode.worsened" and state == "sent":
            yield _worsened(written, group[0].payload)
        if state == "sent":
            at = max((m.sent_at or written) for m in group)
            yield Event(at, "told", f"Told {channels} {what}")
        elif state == "failed":
            yield Event(written, "failed", f"Could not tell {channels} {what}", group[0].error)
        else:
            yield Event(written, "told", f"Still to tell {channels} {what}", group[0].error)


def _worsened(at: datetime, payload: Mapping[str, Any]) -> Event:
    told = payload.get("window")
    window = Window(*(datetime.fromisoformat(told[s]) for s in ("start", "end"))) if told else None
    link = f"/checks/{quote(str(payload['check_id']))}"
    return Event(at, "worsened", "Got worse", str(payload["headline"]), link=link, window=window)


def _done(entries: Iterable[AuditEntry]) -> Iterator[Event]:
    for entry in entries:
        what = _DONE.get(entry.deed, entry.deed.capitalize())
        kind = "over" if entry.deed is Deed.RESOLVED else "deed"
        yield Event(entry.at, kind, what, entry.why, entry.who)


def _asked(requests: Sequence[RetrainRequest], written: Mapping[str, datetime]) -> Iterator[Event]:
    """A request counts from the end of its window; in the story it stands when it was made."""
    for request in requests:
        at = written.get(request.id, request.requested_at)
        yield Event(at, "retrain", "New model asked for", "; ".join(request.reasons))
        if request.answered_at is not None and request.state in ("accepted", "succeeded", "failed"):
            model = f", model {request.model_version}" if request.model_version else ""
            what = f"Training {request.state}{model}"
            yield Event(request.answered_at, "retrain", what, request.answer)


def _quiet(silences: Iterable[Silence], episode: Episode, now: datetime) -> Iterator[Event]:
    end = episode.resolved_at or now
    for silence in silences:
        if silence.monitor in (None, episode.monitor) and silence.start < end:
            what = "Muted" if silence.kind is SilenceKind.MUTE else "Maintenance"
            yield Event(silence.start, "quiet", what, silence.why, silence.who)
            if silence.until < end:
                yield Event(silence.until, "quiet", f"{what} over")


def _over(episode: Episode, known: Mapping[str, CheckLine]) -> Iterator[Event]:
    """What a check saw; that a person resolved it stands among the deeds."""
    line = known.get(episode.resolved_by or "")
    if line is not None:
        link = f"/checks/{quote(line.id)}"
        yield Event(_made(line), "over", "Over", line.headline, link=link, window=line.window)


def _made(seen: CheckLine | StoredCheck) -> datetime:
    told = seen.check if isinstance(seen, StoredCheck) else seen
    return told.made_at or seen.stored_at


def _and(names: Sequence[str]) -> str:
    named = ("the training system" if name == RETRAIN else name for name in names)
    found = list(dict.fromkeys(named))
    return " and ".join([", ".join(found[:-1]), found[-1]] if len(found) > 1 else found)
