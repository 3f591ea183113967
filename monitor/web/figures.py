"""The numbers of the service as the store tells them: counted as checks arrive, cheap to ask."""

from bisect import bisect_left
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from monitor.archive import CheckLine, Store
from monitor.core.records import Verdict
from monitor.ports import Clock
from monitor.scheduler import due_windows
from monitor.settings import MonitorSettings

BUCKETS_S = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3600.0)
LIVING = timedelta(minutes=2)  # a replica that was seen this lately lives
_LATE = timedelta(minutes=1)  # a check may become visible this long after the time it was stored at
_READ_ANEW = timedelta(minutes=10)
_AT_ONCE = 1000
_ROUNDS = 20  # of reading what arrived, in one look: the next look reads on


@dataclass
class Tally:
    """Checks as they are stored, by whichever process: how many, how long, the newest of each."""

    store: Store
    clock: Clock
    verdicts: Counter[Verdict] = field(default_factory=Counter)
    durations: list[int] = field(default_factory=lambda: [0] * (len(BUCKETS_S) + 1))
    seconds: float = 0.0
    newest: dict[str, CheckLine] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._from = self.clock()
        self._seen: dict[str, datetime] = {}  # what was counted and may be read once more
        self._read_at: datetime | None = None
        self._ignored = {line.id for line in self._since(self._from - _LATE)}

    def look(self) -> None:
        """Count what was stored since the last look.

        1. Now and then the newest check of every monitor is read anew; in between, what arrives
           tells.
        2. What arrives is read from a little before the last look: transactions end out of order.
        """
        now = self.clock()
        if self._read_at is None or now - self._read_at > _READ_ANEW:
            self.newest = {name: lines[0] for name, lines in self.store.strips(1).items()}
            self._read_at = now
        for line in self._arrived():
            self._count(line)
        begin = self._from - _LATE
        self._seen = {name: at for name, at in self._seen.items() if at >= begin}

    def _arrived(self) -> list[CheckLine]:
        lines = self._since(self._from - _LATE)
        known = self._seen.keys() | self._ignored
        new = [line for line in lines if line.id not in known]
        if lines:
            self._from = max(self._from, lines[-1].stored_at)
        return new

    def _since(self, moment: datetime) -> list[CheckLine]:
        """Everything stored since then, as far as one look goes."""
        found: dict[str, CheckLine] = {}
        for _ in range(_ROUNDS):
            lines = self.store.lines_since(moment, _AT_ONCE)
            found |= {line.id: line for line in lines}
            if len(lines) < _AT_ONCE or lines[-1].stored_at <= moment:
                break
            moment = lines[-1].stored_at
        return list(found.values())

    def _count(self, line: CheckLine) -> None:
        self._seen[line.id] = line.stored_at
        self.verdicts[line.verdict] += 1
        if line.took_s is not None:
            self.durations[bisect_left(BUCKETS_S, line.took_s)] += 1
            self.seconds += line.took_s
        known = self.newest.get(line.monitor)
        if known is None or _order(line) > _order(known):
            self.newest[line.monitor] = line


def _order(line: CheckLine) -> tuple[datetime, datetime, int]:
    return line.window.start, line.window.end, line.revision


@dataclass(frozen=True, slots=True)
class MonitorFigures:
    """One monitor."""

    name: str
    lag: int  # complete windows without a check
    newest: CheckLine | None
    open_episodes: int


@dataclass(frozen=True, slots=True)
class ServiceFigures:
    """The service as a whole, and the monitors that are told apart."""

    monitors: tuple[MonitorFigures, ...]
    left_out: int  # monitors beyond the bound
    messages: Mapping[str, int]  # by state
    oldest_pending: datetime | None
    replicas: Mapping[str, int]  # living ones, by part
    claims: int


class Figures:
    """Asks the store for all numbers at once."""

    def __init__(
        self,
        store: Store,
        monitors: Mapping[str, MonitorSettings],
        clock: Clock,
        *,
        most: int = 1000,
        tally: Tally | None = None,
    ) -> None:
        """At most so many monitors are told apart, in the order of the configuration."""
        self._store = store
        self._monitors = monitors
        self._clock = clock
        self._most = most
        self.tally = tally or Tally(store, clock)

    def look(self) -> ServiceFigures:
        now = self._clock()
        self.tally.look()
        episodes = Counter(e.monitor for e in self._store.open_episodes())
        lasts = self._store.last_windows()
        shown = list(self._monitors.items())[: self._most]
        pending = self._store.list_messages(state="pending", limit=1)
        return ServiceFigures(
            monitors=tuple(
                MonitorFigures(
                    name,
                    len(due_windows(settings, lasts.get(name), now)),
                    self.tally.newest.get(name),
                    episodes[name],
                )
                for name, settings in shown
            ),
            left_out=len(self._monitors) - len(shown),
            messages=self._store.count_messages(),
            oldest_pending=pending[0].created_at if pending else None,
            replicas=self._living(now),
            claims=len(self._store.claimed_windows(now)),
        )

    def _living(self, now: datetime) -> Counter[str]:
        living = [r for r in self._store.replicas() if now - r.seen_at <= LIVING]
        return Counter(part for replica in living for part in replica.parts)
