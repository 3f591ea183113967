"""Whom a change of an episode is told to, and when: routes, levels, and channels that gather."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, tzinfo
from enum import StrEnum
from fnmatch import fnmatchcase

from monitor.core.consequences import Cause
from monitor.core.records import Check
from monitor.core.windows import Span, window_at

_WRITTEN = re.compile(r"(\S+?)(?:\s+at\s+([01]?\d|2[0-3]):([0-5]\d))?", re.ASCII)
_BY_DAYS = {"d", "w", "mo"}


class Level(StrEnum):
    """How urgent a change is."""

    CRITICAL = "critical"  # broken data, nothing to look at, drift of a column marked critical
    WARNING = "warning"  # all other drift


def level_of(check: Check, cause: Cause) -> Level:
    """The level of what a check saw of a cause."""
    calm = cause is Cause.DRIFT and not any(column.critical for column in check.causes())
    return Level.WARNING if calm else Level.CRITICAL


@dataclass(frozen=True, slots=True)
class Digest:
    """How often a channel is told what gathered, and at what time of the day."""

    every: Span
    at: time | None = None

    @classmethod
    def parse(cls, text: str) -> "Digest":
        """What people write. ValueError when it is none.

        >>> str(Digest.parse("1d at 9:00"))
        '1d at 09:00'
        """
        found = _WRITTEN.fullmatch(text.strip())
        if found is None:
            raise ValueError(f"{text!r} is no digest; write 1h, or 1d at 09:00")
        every = Span.parse(found[1])
        at = time(int(found[2]), int(found[3])) if found[2] else None
        if at is not None and every.unit not in _BY_DAYS:
            raise ValueError(f"{text!r}: a time of day is for digests by day, week or month")
        return cls(every, at)

    def __str__(self) -> str:
        return f"{self.every} at {self.at:%H:%M}" if self.at else str(self.every)

    def next_after(self, moment: datetime, zone: tzinfo) -> datetime:
        """The first time to tell after `moment`.

        >>> nine = datetime(2026, 1, 1, 9, tzinfo=UTC)
        >>> Digest.parse("1d at 09:00").next_after(nine, UTC).isoformat()
        '2026-01-02T09:00:00+00:00'
        """
        period = window_at(moment, self.every, zone)
        after = window_at(period.end, self.every, zone)
        times = (self._on(start, zone) for start in (period.start, period.end, after.end))
        return next(told for told in times if told > moment)

    def _on(self, start: datetime, zone: tzinfo) -> datetime:
        """The time of day on the day that a period begins."""
        if self.at is None:
            return start
        day = start.astimezone(zone).date()
        return datetime.combine(day, self.at, zone).astimezone(UTC)


@dataclass(frozen=True, slots=True)
class Route:
    """Which changes go to some channels; what is empty leaves all in."""

    channels: tuple[str, ...]
    monitors: tuple[str, ...] = ("*",)  # names, or patterns with * and ?
    causes: tuple[str, ...] = ()
    changes: tuple[str, ...] = ()  # opened, worsened, acknowledged, resolved
    levels: tuple[str, ...] = ()

    def takes(self, monitor: str, cause: str, change: str, level: str | None) -> bool:
        """`level` None: what is over, or looked after, has none, and goes wherever it was told."""
        return (
            any(fnmatchcase(monitor, pattern) for pattern in self.monitors)
            and cause in (self.causes or (cause,))
            and change in (self.changes or (change,))
            and (level is None or level in (self.levels or (level,)))
        )


@dataclass(frozen=True, slots=True)
class Routing:
    """All routes, and the channels that gather what they are told."""

    routes: tuple[Route, ...] = ()
    digests: Mapping[str, tuple[Digest, tzinfo]] = field(default_factory=dict)  # by channel

    def channels(self, monitor: str, cause: str, change: str, level: str | None) -> tuple[str, ...]:
        """The channels a change is told on, each once, in the order of the routes.

        >>> oncall = Route(("oncall",), levels=("critical",))
        >>> Routing((oncall, Route(("chat",)))).channels("loans", "drift", "opened", "warning")
        ('chat',)
        """
        fitting = (r for r in self.routes if r.takes(monitor, cause, change, level))
        return tuple(dict.fromkeys(channel for route in fitting for channel in route.channels))

    def of_monitor(self, monitor: str) -> tuple[str, ...]:
        """Every channel that may hear of a monitor."""
        fitting = (r for r in self.routes if any(fnmatchcase(monitor, p) for p in r.monitors))
        return tuple(dict.fromkeys(channel for route in fitting for channel in route.channels))

    def due(self, channel: str, now: datetime) -> datetime | None:
        """When a channel that gathers is told next; None for one that is told at once."""
        found = self.digests.get(channel)
        return found[0].next_after(now, found[1]) if found else None


NOBODY = Routing()


def everybody(*channels: str) -> Routing:
    """Everything on every channel, at once."""
    return Routing((Route(channels),)) if channels else NOBODY
