"""The time axis that all charts of a page share: where a moment stands, and how it is labelled."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from itertools import pairwise

from monitor.archive import CheckLine
from monitor.core.words import day

TICKS = 8  # at most
_HOUR, _DAY = timedelta(hours=1), timedelta(days=1)
_STEPS = (
    *(hours * _HOUR for hours in (1, 3, 6, 12)),
    *(days * _DAY for days in (1, 2, 7, 14, 28, 91, 182, 364)),
)


@dataclass(frozen=True, slots=True)
class Axis:
    """A stretch of time, drawn from 0 to 100 (per cent of the width)."""

    start: datetime
    end: datetime
    zone: tzinfo

    def at(self, moment: datetime) -> float:
        """Where a moment stands; what lies outside stands at the edge."""
        share = (moment - self.start) / (self.end - self.start)
        return round(100 * min(1.0, max(0.0, share)), 2)

    def holds(self, start: datetime, end: datetime | None) -> bool:
        """Whether some of a stretch of time can be seen."""
        return start < self.end and (end or start) >= self.start

    @property
    def ticks(self) -> tuple[tuple[float, str], ...]:
        """(where, label) at round local times."""
        return tuple((self.at(moment), self._label(moment)) for moment in self._rounded())

    def _rounded(self) -> Iterator[datetime]:
        """Steps count from a local midnight, of weeks from a Monday; so DST moves none."""
        step = next((s for s in _STEPS if (self.end - self.start) / s <= TICKS), _STEPS[-1])
        first = self.start.astimezone(self.zone).replace(
            hour=0, minute=0, second=0, microsecond=0, tzinfo=None
        )
        if step >= 7 * _DAY:
            first -= first.weekday() * _DAY
        moment = first
        while (aware := moment.replace(tzinfo=self.zone)) < self.end:
            if aware >= self.start:
                yield aware
            moment += step

    def _label(self, moment: datetime) -> str:
        local = moment.astimezone(self.zone)
        if local.hour or local.minute:
            return f"{local:%H:%M}"
        date = day(moment, self.zone).split(" ", 1)[1]
        return date if self.end - self.start > 300 * _DAY else date.rsplit(" ", 1)[0]


def axis_of(lines: Sequence[CheckLine], zone: tzinfo) -> Axis:
    """From the first window to the last; `lines` are in order, the oldest first, and not empty."""
    return Axis(lines[0].window.start, max(c.window.end for c in lines), zone)


def spans(lines: Sequence[CheckLine], axis: Axis) -> list[tuple[float, float]]:
    """(from, width) of each window; one that overlaps the next ends where that one begins."""
    ends = [min(a.window.end, b.window.start) for a, b in pairwise(lines)]
    ends.append(lines[-1].window.end)
    starts = [axis.at(c.window.start) for c in lines]
    return [(x, round(axis.at(end) - x, 2)) for x, end in zip(starts, ends, strict=True)]
