"""What pages show, read from the store: monitors by urgency, their checks, what is under way."""

import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from urllib.parse import quote

from monitor.core.records import (
    Check,
    ColumnResult,
    Episode,
    Message,
    ReferenceInfo,
    RetrainRequest,
    Verdict,
    Window,
)
from monitor.core.urgency import URGENCY, state_of
from monitor.ports import Clock, Store, StoredCheck, StoredReference
from monitor.scheduler import MonitorStatus
from monitor.web.missing import Missing

STRIP = 30  # past checks in a strip
CHECKS = 50  # a page of checks
EPISODES = 20  # the newest that a monitor's page looks at
_BRIEF_S = 60.0  # how long an overview may be old when no newer window was checked
_COLUMNS = 12  # that a monitor's page draws over time


@dataclass(frozen=True, slots=True)
class Line:
    """One check in a list."""

    id: str
    monitor: str
    verdict: Verdict
    headline: str
    window: Window | None
    rows: int
    reference: ReferenceInfo | None
    report: str | None
    made_at: datetime | None
    stored_at: datetime
    revision: int


@dataclass(frozen=True, slots=True)
class Row:
    """One monitor in the overview."""

    status: MonitorStatus
    lines: tuple[Line, ...]  # its newest checks, oldest first
    episodes: tuple[Episode, ...]  # open ones, oldest first

    @property
    def newest(self) -> Line | None:
        return self.lines[-1] if self.lines else None

    @property
    def state(self) -> str:
        """One of URGENCY."""
        return state_of(self.newest.verdict if self.newest else None, self.status.error)

    @property
    def episode(self) -> Episode | None:
        """The open episode that the newest check is part of, else the oldest one."""
        mine = self.newest.id if self.newest else None
        current = (e for e in self.episodes if e.last_check == mine)
        return next(current, None) or next(iter(self.episodes), None)

    @property
    def tally(self) -> str:
        """ "28 passed, 2 drifted", the most urgent first."""
        verdicts = [str(line.verdict) for line in self.lines]
        counted = ((state, verdicts.count(state)) for state in URGENCY)
        return ", ".join(f"{count} {state}" for state, count in counted if count)


@dataclass(frozen=True, slots=True)
class ColumnLine:
    """One column over the checks of a page: its effect as a multiple of the tolerance."""

    name: str
    strengths: tuple[float | None, ...]  # one a check, oldest first; None: not looked at
    drifted: tuple[bool, ...]

    @property
    def worst(self) -> float:
        return max((s for s in self.strengths if s is not None), default=0.0)


class Views:
    """Reads what pages show."""

    def __init__(
        self, store: Store, status: Callable[[], list[MonitorStatus]], clock: Clock
    ) -> None:
        self._store = store
        self._status = status
        self._clock = clock
        self._briefs: dict[str, _Brief] = {}
        self._lock = threading.Lock()

    def now(self) -> datetime:
        return self._clock()

    def rows(self) -> list[Row]:
        """Every monitor, the most urgent first."""
        rows = [self._row(status) for status in self._status()]
        return sorted(rows, key=lambda row: (URGENCY.index(row.state), row.status.name))

    def row(self, name: str) -> Row:
        """One monitor; Missing names those there are."""
        known = self._status()
        for status in known:
            if status.name == name:
                self._briefs.pop(name, None)  # beside the list of checks it must not be older
                return self._row(status)
        raise Missing("monitor", name, [(s.name, f"/monitors/{quote(s.name)}") for s in known])

    def _row(self, status: MonitorStatus) -> Row:
        episodes = sorted(self._store.open_episodes(status.name), key=lambda e: e.opened_at)
        return Row(status, self._brief(status), tuple(episodes))

    def _brief(self, status: MonitorStatus) -> tuple[Line, ...]:
        """The newest checks, read anew when there is a newer window or a minute has passed.

        Whole checks are read to show a word of each: a wide table makes that slow.
        """
        with self._lock:
            kept = self._briefs.get(status.name)
            if kept and kept.last == status.last and time.monotonic() < kept.until_s:
                return kept.lines
        lines = tuple(map(line, reversed(self._store.list_checks(status.name, limit=STRIP))))
        with self._lock:
            self._briefs[status.name] = _Brief(status.last, time.monotonic() + _BRIEF_S, lines)
        return lines

    def checks(
        self, name: str | None, before: datetime | None = None, limit: int = CHECKS
    ) -> list[StoredCheck]:
        return self._store.list_checks(name, before=before, limit=limit)

    def check(self, check_id: str) -> StoredCheck:
        """One check; Missing names the newest ones."""
        stored = self.find(check_id)
        if stored is None:
            newest = [line(s) for s in self._store.list_checks(limit=10)]
            raise Missing("check", check_id, [(c.id, f"/checks/{quote(c.id)}") for c in newest])
        return stored

    def find(self, check_id: str) -> StoredCheck | None:
        return self._store.get_check(check_id)

    def neighbours(self, check: Check) -> tuple[Line | None, Line | None]:
        """The check of the window before, and of the window after among the newest."""
        if check.window is None:
            return None, None
        before = self._store.list_checks(check.monitor, before=check.window.start, limit=1)
        row = self._status_of(check.monitor)
        later = [
            c
            for c in (self._brief(row) if row else ())
            if c.window is not None and c.window.start > check.window.start
        ]
        return (line(before[0]) if before else None), (later[0] if later else None)

    def zone(self, name: str | None) -> tzinfo:
        """In which the times of a monitor are told; a monitor may be gone and its checks not."""
        status = self._status_of(name)
        return status.timezone if status else UTC

    def _status_of(self, name: str | None) -> MonitorStatus | None:
        return next((s for s in self._status() if s.name == name), None)

    def reference(self, name: str) -> StoredReference | None:
        return self._store.current_reference(name)

    def episodes(self, name: str) -> list[Episode]:
        return self._store.list_episodes(name, limit=EPISODES)

    def retrains(self, name: str | None = None) -> list[RetrainRequest]:
        return self._store.list_retrains(name)

    def messages(self, state: str) -> list[Message]:
        return self._store.list_messages(state=state)


@dataclass(frozen=True, slots=True)
class _Brief:
    last: Window | None
    until_s: float
    lines: tuple[Line, ...]


def line(stored: StoredCheck) -> Line:
    """A check as lists show it."""
    check = stored.check
    return Line(
        id=check.id,
        monitor=check.monitor or "",
        verdict=check.verdict,
        headline=check.headline,
        window=check.window,
        rows=check.sample.rows_in_window,
        reference=check.reference,
        report=stored.report,
        made_at=check.made_at,
        stored_at=stored.stored_at,
        revision=stored.revision,
    )


def column_lines(checks: Sequence[Check]) -> tuple[list[ColumnLine], int]:
    """The columns that moved most over these checks (oldest first), and how many are left out."""
    names = dict.fromkeys(c.name for check in checks for c in check.columns if c.compared)
    by_name = [{c.name: c for c in check.columns} for check in checks]
    lines = [_column_line(name, [found.get(name) for found in by_name]) for name in names]
    lines.sort(key=lambda one: (-one.worst, one.name))
    return lines[:_COLUMNS], max(0, len(lines) - _COLUMNS)


def _column_line(name: str, results: Iterable[ColumnResult | None]) -> ColumnLine:
    found = list(results)
    return ColumnLine(
        name,
        tuple(None if c is None or c.verdict is Verdict.UNDECIDED else c.strength for c in found),
        tuple(c is not None and c.verdict is Verdict.DRIFTED for c in found),
    )


def since(episode: Episode, now: datetime) -> timedelta:
    """How long an episode has been going on, or went on."""
    return (episode.resolved_at or now) - episode.opened_at
