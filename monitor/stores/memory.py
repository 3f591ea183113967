"""A store that forgets when the process ends: for dry runs and for tests.

It keeps the promises of the stores that remember, so what works here works there.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import RLock
from typing import Any

from monitor.core.records import Cause, Episode, EpisodeChange, Message, RetrainRequest, Window
from monitor.core.wire import check_from_json, check_to_json, plain
from monitor.errors import StoreConflict
from monitor.ports import Outcome, StoredCheck, StoredReference, state_token

_Place = tuple[str, datetime, datetime]  # monitor, start and end of a window


def make(url: str, root: Path) -> "MemoryStore":
    """A new, empty store; two calls share nothing."""
    return MemoryStore()


class MemoryStore:
    """`ports.Store` in dictionaries, behind one lock."""

    def __init__(self) -> None:
        self._lock = RLock()
        self._checks: dict[str, StoredCheck] = {}
        self._summaries: dict[str, bytes] = {}  # by check
        self._revisions: dict[_Place, dict[int, str]] = {}  # ids of checks
        self._episodes: dict[str, Episode] = {}
        self._retrains: dict[str, RetrainRequest] = {}
        self._references: dict[str, list[StoredReference]] = {}  # the current one first
        self._outbox: dict[str, Message] = {}  # in the order of arrival
        self._leases: dict[str, datetime] = {}

    def close(self) -> None:
        """Nothing is held that would have to be let go."""

    def save(self, outcome: Outcome) -> bool:
        stored = _stored(outcome)
        with self._lock:
            revisions = self._revisions.get(_place(stored), {})
            if outcome.revision in revisions:
                return False
            monitor = stored.check.monitor or ""
            if outcome.based_on not in (None, self.state(monitor)):
                raise StoreConflict(f"{monitor} was decided on by another check meanwhile")
            if outcome.check.id in self._checks:
                raise StoreConflict(f"check {outcome.check.id} is stored for another window")
            self._episodes = self._after(outcome.changes)
            self._checks[outcome.check.id] = stored
            if outcome.summaries is not None:
                self._summaries[outcome.check.id] = outcome.summaries
            self._revisions[_place(stored)] = {**revisions, outcome.revision: outcome.check.id}
            if outcome.retrain:
                self._retrains.setdefault(outcome.retrain.id, outcome.retrain)
            for message in outcome.messages:
                self._outbox.setdefault(message.id, _plainly(message))
            return True

    def state(self, monitor: str) -> str:
        with self._lock:
            newest = self.last_window(monitor)
            open_ones = [(e.id, e.last_check) for e in self.open_episodes(monitor)]
            return state_token(newest.start if newest else None, sorted(open_ones))

    def find_check(self, monitor: str, window: Window) -> StoredCheck | None:
        with self._lock:
            revisions = self._revisions.get((monitor, window.start, window.end))
            return self._checks[revisions[max(revisions)]] if revisions else None

    def get_check(self, check_id: str) -> StoredCheck | None:
        with self._lock:
            return self._checks.get(check_id)

    def summaries(self, check_id: str) -> bytes | None:
        with self._lock:
            return self._summaries.get(check_id)

    def list_checks(
        self, monitor: str | None = None, *, before: datetime | None = None, limit: int = 30
    ) -> list[StoredCheck]:
        with self._lock:
            places = [
                place
                for place in self._revisions
                if monitor in (None, place[0]) and (before is None or place[1] < before)
            ]
            places.sort(key=lambda place: place[0])
            places.sort(key=lambda place: place[1:], reverse=True)
            latest = [self._revisions[place] for place in places[:limit]]
            return [self._checks[revisions[max(revisions)]] for revisions in latest]

    def last_window(self, monitor: str) -> Window | None:
        newest = self.list_checks(monitor, limit=1)
        return newest[0].check.window if newest else None

    def first_window(self, monitor: str) -> Window | None:
        with self._lock:
            windows = [s.check.window for s in self._checks.values() if s.check.monitor == monitor]
        known = [w for w in windows if w is not None]
        return min(known, key=lambda w: (w.start, w.end), default=None)

    def open_episodes(self, monitor: str) -> list[Episode]:
        with self._lock:
            mine = [e for e in self._episodes.values() if e.monitor == monitor]
            return sorted(filter(_is_open, mine), key=lambda e: (e.opened_at, e.id))

    def list_episodes(self, monitor: str | None = None, *, limit: int = 50) -> list[Episode]:
        with self._lock:
            mine = [e for e in self._episodes.values() if monitor in (None, e.monitor)]
            mine.sort(key=lambda e: e.id)
            return sorted(mine, key=lambda e: e.opened_at, reverse=True)[:limit]

    def last_retrain(self, monitor: str) -> RetrainRequest | None:
        return next(iter(self.list_retrains(monitor)), None)

    def list_retrains(self, monitor: str | None = None) -> list[RetrainRequest]:
        with self._lock:
            mine = [r for r in self._retrains.values() if monitor in (None, r.monitor)]
            mine.sort(key=lambda r: r.id)
            return sorted(mine, key=lambda r: r.requested_at, reverse=True)

    def add_reference(self, reference: StoredReference) -> None:
        with self._lock:
            known = self._references.get(reference.monitor, [])
            same = [r for r in known if r.version == reference.version]
            others = [r for r in known if r.version != reference.version]
            self._references[reference.monitor] = [*(same or [reference]), *others]

    def current_reference(self, monitor: str) -> StoredReference | None:
        return next(iter(self.list_references(monitor)), None)

    def list_references(self, monitor: str) -> list[StoredReference]:
        with self._lock:
            return list(self._references.get(monitor, ()))

    def add_message(self, message: Message, retrain: RetrainRequest | None = None) -> bool:
        with self._lock:
            if message.id in self._outbox:
                return False
            self._outbox[message.id] = _plainly(message)
            if retrain:
                self._retrains.setdefault(retrain.id, retrain)
            return True

    def claim_message(self, now: datetime, lease_s: float) -> Message | None:
        with self._lock:
            for message in self._first_in_line():
                lease = self._leases.get(message.id)
                if (message.next_at or now) <= now and (lease or now) <= now:
                    self._leases[message.id] = now + timedelta(seconds=lease_s)
                    return message
            return None

    def mark_sent(self, message_id: str, now: datetime, receipt: Mapping[str, Any]) -> None:
        values = {"state": "sent", "sent_at": now, "error": "", "receipt": plain(receipt)}
        self._settle(message_id, "delivered", values)

    def mark_delayed(self, message_id: str, next_at: datetime, error: str) -> None:
        self._settle(message_id, None, {"next_at": next_at, "error": error})

    def mark_failed(self, message_id: str, now: datetime, error: str) -> None:
        self._settle(message_id, "refused", {"state": "failed", "error": error})

    def list_messages(
        self, *, state: str | None = None, episode: str | None = None, limit: int = 200
    ) -> list[Message]:
        with self._lock:
            return [
                message
                for message in sorted(self._outbox.values(), key=lambda m: m.created_at)
                if state in (None, message.state) and episode in (None, message.episode)
            ][:limit]

    def next_due(self) -> datetime | None:
        with self._lock:
            due = [(m, m.next_at or m.created_at) for m in self._first_in_line()]
            return min((max(at, self._leases.get(m.id, at)) for m, at in due), default=None)

    def _after(self, changes: tuple[EpisodeChange, ...]) -> dict[str, Episode]:
        """The episodes as they will be; StoreConflict when two would be open for one cause."""
        episodes = self._episodes | {c.episode.id: c.episode for c in changes}
        seen: set[tuple[str, Cause]] = set()
        for episode in filter(_is_open, episodes.values()):
            if (episode.monitor, episode.cause) in seen:
                raise StoreConflict(
                    f"{episode.monitor} has an open {episode.cause} episode already",
                    hint="read it again and decide anew",
                )
            seen.add((episode.monitor, episode.cause))
        return episodes

    def _first_in_line(self) -> list[Message]:
        """Pending messages without an earlier one of the same episode and channel, oldest first."""
        lines: set[tuple[str, str]] = set()
        first = []
        for message in self.list_messages(state="pending", limit=len(self._outbox)):
            line = (message.episode or "", message.channel)
            if message.episode is None or line not in lines:
                first.append(message)
            lines.add(line)
        return first

    def _settle(self, message_id: str, request_state: str | None, values: dict[str, Any]) -> None:
        """End an attempt. A message that is settled stays so: a late answer changes nothing."""
        with self._lock:
            message = self._outbox.get(message_id)
            if message is None or message.state != "pending":
                return
            self._leases.pop(message_id, None)
            self._outbox[message_id] = replace(message, attempts=message.attempts + 1, **values)
            if request_state and (request := self._retrains.get(message_id)):
                self._retrains[message_id] = replace(request, state=request_state)


def _stored(outcome: Outcome) -> StoredCheck:
    """The check as it would come back from a file or a server."""
    if outcome.check.monitor is None or outcome.check.window is None:
        raise ValueError("only a check of a monitor's window can be stored")
    check = check_from_json(check_to_json(outcome.check))
    return StoredCheck(check, outcome.report, datetime.now(UTC), outcome.revision)


def _place(stored: StoredCheck) -> _Place:
    check = stored.check
    assert check.monitor is not None and check.window is not None  # _stored saw to it
    return (check.monitor, check.window.start, check.window.end)


def _plainly(message: Message) -> Message:
    return replace(message, payload=plain(message.payload), receipt=plain(message.receipt))


def _is_open(episode: Episode) -> bool:
    return episode.resolved_by is None
