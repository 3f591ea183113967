"""The numbers of the service as the store tells them: counted as checks arrive, cheap to ask."""

from bisect import bisect_left
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from monitor.archive import CheckLine, Store
from monitor.core.records import Verdict
from monitor.due import due_windows
from monitor.ports import Clock
from monitor.settings import MonitorSettings
from monitor.web.strips import Strips

BUCKETS_S = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3600.0)
LIVING = timedelta(minutes=2)  # a replica that was seen this lately lives


@dataclass
class ArrivedChecks:
    """Checks that arrived since this process began, by whichever one: how many, and how long."""

    verdicts: Counter[Verdict] = field(default_factory=Counter)
    durations: list[int] = field(default_factory=lambda: [0] * (len(BUCKETS_S) + 1))
    seconds: float = 0.0

    def take(self, news: Sequence[CheckLine]) -> None:
        for line in news:
            self.verdicts[line.verdict] += 1
            if line.took_s is not None:
                self.durations[bisect_left(BUCKETS_S, line.took_s)] += 1
                self.seconds += line.took_s


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
        strips: Strips,
        *,
        most: int = 1000,
    ) -> None:
        """At most so many monitors are told apart, in the order of the configuration."""
        self._store = store
        self._monitors = monitors
        self._clock = clock
        self._most = most
        self._strips = strips
        self.arrived = ArrivedChecks()
        strips.arrivals.follow(self.arrived.take)

    def look(self) -> ServiceFigures:
        now = self._clock()
        newest = {name: lines[-1] for name, lines in self._strips.look().items()}
        episodes = Counter(e.monitor for e in self._store.open_episodes())
        shown = list(self._monitors.items())[: self._most]
        pending = self._store.oldest_messages(state="pending", limit=1)
        return ServiceFigures(
            monitors=tuple(
                MonitorFigures(
                    name,
                    len(due_windows(settings, line.window if line else None, now)),
                    line,
                    episodes[name],
                )
                for name, settings in shown
                for line in (newest.get(name),)
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
