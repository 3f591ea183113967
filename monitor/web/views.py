"""What pages show, read from the store: monitors by urgency, their checks, what is under way."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, tzinfo
from difflib import get_close_matches
from functools import cached_property
from typing import TypeVar
from urllib.parse import quote

from monitor.archive import CheckLine, Place, Store, StoredCheck
from monitor.core.consequences import Episode
from monitor.core.people import Acknowledgement, Silence, SilenceKind
from monitor.core.records import Check, Verdict
from monitor.core.urgency import CANNOT_LOOK, URGENCY, state_of
from monitor.due import MonitorStatus
from monitor.ports import Clock
from monitor.web.missing import Missing
from monitor.web.strips import Strips

_OfMonitor = TypeVar("_OfMonitor", Episode, Silence)
_STATUS_S = 1.0  # how old the status of monitors may be
LISTED = 20  # names of what there is, when something is not there


@dataclass(frozen=True)
class Row:
    """One monitor in the overview."""

    status: MonitorStatus
    lines: tuple[CheckLine, ...]  # its newest checks, oldest first
    episodes: tuple[Episode, ...] = ()  # open ones, oldest first
    acknowledged: Mapping[str, Acknowledgement] = field(default_factory=dict)  # by episode
    silences: tuple[Silence, ...] = ()  # that hold now, or for its newest window

    @property
    def name(self) -> str:
        return self.status.name

    @property
    def newest(self) -> CheckLine | None:
        return self.lines[-1] if self.lines else None

    @cached_property
    def state(self) -> str:
        """One of URGENCY."""
        return state_of(self.newest.verdict if self.newest else None, self.status.error)

    @property
    def is_stuck(self) -> bool:
        return self.state == CANNOT_LOOK

    @property
    def episode(self) -> Episode | None:
        """The open episode that the newest check is part of, else the oldest one."""
        mine = self.newest.id if self.newest else None
        current = (e for e in self.episodes if e.last_check == mine)
        return next(current, None) or next(iter(self.episodes), None)

    @property
    def looked_after(self) -> Acknowledgement | None:
        """Who looks after its episodes, once somebody looks after all of them."""
        given = [self.acknowledged.get(e.id) for e in self.episodes]
        return given[0] if given and None not in given else None

    @property
    def is_quiet(self) -> bool:
        """Whether somebody knows already, so that others may come first."""
        return bool(self.silences) or self.looked_after is not None

    @property
    def data_until(self) -> datetime | None:
        """Up to when there are rows, as far as was seen."""
        return (self.newest.newest or self.newest.window.end) if self.newest else None

    @property
    def counted(self) -> str:
        """ "28 passed, 2 drifted", the most urgent first."""
        verdicts = [str(line.verdict) for line in self.lines]
        counted = ((state, verdicts.count(state)) for state in URGENCY)
        return ", ".join(f"{count} {state}" for state, count in counted if count)


class Views:
    """Reads what pages show."""

    def __init__(
        self, store: Store, status: Callable[[], list[MonitorStatus]], clock: Clock
    ) -> None:
        self.store = store
        self.strips = Strips(store)
        self._ask_status = status
        self._statuses: tuple[float, list[MonitorStatus]] = (0.0, [])
        self._clock = clock

    def _status(self) -> list[MonitorStatus]:
        """One page asks several times, and many people look at once."""
        until_s, known = self._statuses
        if time.monotonic() >= until_s:
            known = self._ask_status()
            self._statuses = time.monotonic() + _STATUS_S, known
        return known

    def now(self) -> datetime:
        return self._clock()

    def statuses(self) -> list[MonitorStatus]:
        return self._status()

    def rows(self) -> list[Row]:
        """Every monitor, the most urgent first; those that somebody looks after follow others."""
        now = self.now()
        held = self.strips.look()
        episodes = _by_monitor(self.store.open_episodes())
        known = self.store.acknowledgements([e.id for found in episodes.values() for e in found])
        silences = self.store.silences(since=_oldest(held, now))
        quiet = _by_monitor(silences)
        rows = [
            _row(
                *(s, held.get(s.name, ()), episodes.get(s.name, []), known),
                *([*quiet.get(s.name, ()), *quiet.get(None, ())], now),
            )
            for s in self._status()
        ]
        return sorted(rows, key=lambda row: (URGENCY.index(row.state), row.is_quiet, row.name))

    def row(self, name: str) -> Row:
        """One monitor; Missing names those there are."""
        status, now = self._known(name), self.now()
        lines = self.strips.look().get(name, ())
        episodes = self.store.open_episodes(name)
        known = self.store.acknowledgements([e.id for e in episodes])
        silences = self.store.silences(since=lines[-1].window.start if lines else now)
        return _row(status, lines, episodes, known, silences, now)

    def _known(self, name: str) -> MonitorStatus:
        known = self._status()
        found = next((s for s in known if s.name == name), None)
        if found is None:
            near = get_close_matches(name, [s.name for s in known], n=LISTED, cutoff=0.0)
            raise Missing("monitor", name, [(n, f"/monitors/{quote(n)}") for n in near])
        return found

    def check(self, check_id: str) -> StoredCheck:
        """One check; Missing names the newest ones."""
        stored = self.find(check_id)
        if stored is None:
            newest = self.store.lines(limit=10)
            raise Missing("check", check_id, [(c.id, f"/checks/{quote(c.id)}") for c in newest])
        return stored

    def find(self, check_id: str) -> StoredCheck | None:
        return self.store.get_check(check_id)

    def neighbours(self, check: Check) -> tuple[CheckLine | None, CheckLine | None]:
        """The checks of the windows before and after."""
        if check.window is None or check.monitor is None:
            return None, None
        place = Place(check.window.start, check.window.end, check.monitor)
        before = self.store.lines(check.monitor, before=place, limit=1)
        return (before[0] if before else None), self.store.line_after(check.monitor, place)

    def episode(self, episode_id: str) -> Episode:
        found = self.store.get_episode(episode_id)
        if found is None:
            known = self.store.open_episodes()[:LISTED]
            raise Missing(
                "episode", episode_id, [(e.id, f"/episodes/{quote(e.id)}") for e in known]
            )
        return found

    def is_watched(self, name: str | None) -> bool:
        """A monitor may be gone and its checks not."""
        return self._status_of(name) is not None

    def zone(self, name: str | None) -> tzinfo:
        """In which the times of a monitor are told."""
        status = self._status_of(name)
        return status.timezone if status else UTC

    def zones(self) -> Callable[[str | None], tzinfo]:
        """The same for a page that tells of many monitors."""
        known = {s.name: s.timezone for s in self._status()}
        return lambda name: known.get(name or "", UTC)

    def _status_of(self, name: str | None) -> MonitorStatus | None:
        return next((s for s in self._status() if s.name == name), None)

    def news(self) -> str:
        """Changes when a page may have something new to show."""
        self.strips.look()
        last = next(iter(self.store.audit(limit=1)), None)
        counts = sorted(self.store.count_messages().items())
        seen = self.strips.seen
        return f"{seen and seen.isoformat()} {last and last.id} {counts}"


def _row(
    status: MonitorStatus,
    lines: tuple[CheckLine, ...],
    episodes: Sequence[Episode],
    known: Mapping[str, Acknowledgement],
    silences: Sequence[Silence],
    now: datetime,
) -> Row:
    newest = lines[-1] if lines else None
    mine = {e.id: known[e.id] for e in episodes if e.id in known}
    quiet = tuple(s for s in silences if _holds(s, status.name, newest, now))
    return Row(status, lines, tuple(episodes), mine, quiet)


def _holds(silence: Silence, name: str, newest: CheckLine | None, now: datetime) -> bool:
    """Maintenance is about windows: it holds while the newest one is part of it."""
    if silence.kind is SilenceKind.MAINTENANCE and newest is not None:
        return silence.covers(name, now) or silence.touches(name, newest.window)
    return silence.covers(name, now)


def _by_monitor(things: Sequence[_OfMonitor]) -> dict[str | None, list[_OfMonitor]]:
    """Under None, what is of every monitor."""
    found: dict[str | None, list[_OfMonitor]] = {}
    for thing in things:
        found.setdefault(thing.monitor, []).append(thing)
    return found


def _oldest(held: Mapping[str, tuple[CheckLine, ...]], now: datetime) -> datetime:
    """The start of the oldest of the newest windows: silences over before it matter nowhere."""
    return min((lines[-1].window.start for lines in held.values()), default=now)


def line(stored: StoredCheck) -> CheckLine:
    """A check as lists show it."""
    check = stored.check
    assert check.window is not None and check.monitor is not None, "what is stored has both"
    return CheckLine(
        id=check.id,
        monitor=check.monitor,
        verdict=Verdict(check.verdict),
        headline=check.headline,
        window=check.window,
        rows=check.sample.rows_in_window,
        reference=check.reference,
        report=stored.report,
        made_at=check.made_at,
        stored_at=stored.stored_at,
        revision=stored.revision,
        newest=check.sample.newest,
    )


def since(episode: Episode, now: datetime) -> timedelta:
    """How long an episode has been going on, or went on."""
    return (episode.resolved_at or now) - episode.opened_at
