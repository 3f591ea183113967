"""Hours of schedule on a simulated clock: is every window looked at, whatever the clock does?"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from benchmarks.faults.racing import outcome_of
from monitor.core.records import Window
from monitor.core.windows import windows_from
from monitor.scheduler import Scheduler
from monitor.settings import MonitorSettings
from monitor.stores import sql

ZONES = ("UTC", "Europe/Berlin", "America/New_York", "Asia/Kathmandu", "Australia/Lord_Howe")
SCHEDULES: tuple[dict[str, Any], ...] = (
    {"window": "1h", "schedule": {"every": "1h"}},
    {"window": "1h", "schedule": {"cron": "*/30 * * * *"}},
    {"window": "6h", "schedule": {"every": "1h"}},
    {"window": "1d", "schedule": {"cron": "15 4 * * *"}},
)


@dataclass
class Simulation:
    """Many monitors of several zones and schedules, one scheduler, and the time as it is told."""

    monitors: int
    now: datetime
    looked: Counter[tuple[str, Window]] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self.store = sql.make("memory://", Path(), lambda: self.now)
        self.settings = {f"m{n}": _monitor(n) for n in range(self.monitors)}
        self.scheduler = Scheduler(self.settings, self.store, self._run, lambda: self.now)
        self.began = self.now
        for name in self.settings:
            self._look(name)
        self._first = dict(self.store.last_windows())
        self.scheduler._waker._begin_anew(self.now)

    def _run(self, name: str, window: Window, again: bool) -> str:
        self.looked[name, window] += 1
        self.store.save(outcome_of(name, window, alert=False))
        return "passed"

    def _look(self, name: str) -> None:
        while self.scheduler._turn(name):
            pass

    def go_on(self, until: datetime) -> None:
        """From one moment at which anybody is woken to the next, as the service does."""
        waker = self.scheduler._waker
        while True:
            for name in waker.due(self.now):
                self._look(name)
            following = min(m for n in self.settings if (m := waker.next(n)) is not None)
            if following > until:
                break
            self.now = max(self.now, following)
        self.now = until

    def jump(self, by: timedelta) -> None:
        """Somebody puts the clock forward or back."""
        self.now += by

    def result(self) -> dict[str, int]:
        """Windows that were complete by the last wake-up, and how often each was looked at."""
        expected = {(name, w) for name in self.settings for w in self._complete(name)}
        return {
            "monitors": self.monitors,
            "windows": len(expected),
            "missed": len(expected - self.looked.keys()),
            "looked_at_again": sum(count - 1 for count in self.looked.values()),
        }

    def _complete(self, name: str) -> Iterable[Window]:
        """From the first it looked at to the last of which a wake-up must have known."""
        settings, first = self.settings[name], self._first[name]
        waits = timedelta(hours=25) if settings.window.unit == "d" else timedelta(hours=1)
        end = self.now - settings.lateness.duration - waits
        span, zone = settings.window, settings.timezone
        return windows_from(first.start, end, span, zone, settings.step) if end > first.end else ()


def _monitor(number: int) -> MonitorSettings:
    zone, shape = ZONES[number % len(ZONES)], SCHEDULES[number % len(SCHEDULES)]
    schedule = dict(shape["schedule"])
    if "cron" in schedule:
        schedule["timezone"] = zone
    body = {"name": f"m{number}", "production": {"path": "x.parquet", "time": "at"}}
    more = {"window": shape["window"], "schedule": schedule, "timezone": ZoneInfo(zone)}
    return MonitorSettings.model_validate({**body, **more})


SPRING = datetime(2026, 3, 28, 12, tzinfo=UTC)  # the clocks of Europe go forward that night
AUTUMN = datetime(2026, 10, 24, 12, tzinfo=UTC)  # and back that night
ORDINARY = datetime(2026, 6, 2, 7, tzinfo=UTC)
JUMPS = (timedelta(hours=5), timedelta(hours=-3), timedelta(days=2), timedelta(days=-1))


def a_day(monitors: int, start: datetime, *, hours: int = 24) -> dict[str, int]:
    """How so many hours went."""
    simulation = Simulation(monitors, start)
    simulation.go_on(start + timedelta(hours=hours))
    return simulation.result()


def jumping(monitors: int) -> dict[str, int]:
    """A clock that is put forward and back, and hours between."""
    simulation = Simulation(monitors, ORDINARY)
    for jump in JUMPS:
        simulation.go_on(simulation.now + timedelta(hours=4))
        simulation.jump(jump)
    simulation.go_on(simulation.now + timedelta(days=3))
    return simulation.result()
