"""The windows that the reference itself would have been checked in, and which of them are alike.

A Monday is held against Mondays: windows of a day have the phase of their weekday, shorter ones
that of their hour band on weekdays or at weekends, windows of a week and longer have none.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo

import numpy as np

from monitor.core.columns import Codes, Flags, Floats
from monitor.core.records import Window
from monitor.core.windows import Span, windows_from

BAND_HOURS = 4  # of the day, that count as one phase of windows shorter than a day
MOST_WINDOWS = 5_000  # the newest: more tell little, and each costs some microseconds
WHOLE_SHARE = 0.5  # of the usual rows: with fewer the first or last window is only a part
_DAY = timedelta(days=1)
_DAYS = ("Mondays", "Tuesdays", "Wednesdays", "Thursdays", "Fridays", "Saturdays", "Sundays")


@dataclass(frozen=True, slots=True)
class Cadence:
    """How a monitor cuts time into windows."""

    span: Span
    zone: tzinfo
    step: Span | None = None

    def phase(self, window: Window) -> str:
        """What windows like this one are called: "Mondays"; "" where all are alike.

        >>> monday = datetime(2026, 1, 5, 9, tzinfo=UTC)
        >>> Cadence(Span(1, "h"), UTC).phase(Window(monday, monday + timedelta(hours=1)))
        'weekdays from 08:00 to 12:00'
        """
        local = window.start.astimezone(self.zone)
        if self.span.duration >= 7 * _DAY:
            return ""
        if self.span.duration >= _DAY:
            return _DAYS[local.weekday()]
        days = "weekdays" if local.weekday() < 5 else "weekends"
        begin = local.hour // BAND_HOURS * BAND_HOURS
        return f"{days} from {begin:02d}:00 to {begin + BAND_HOURS:02d}:00"

    def instance(self, window: Window) -> str:
        """Windows of one phase on the same day are one instance of it: they are no repetition."""
        local = window.start.astimezone(self.zone)
        return str(local.date()) if self.span.duration < _DAY else local.isoformat()


@dataclass(frozen=True, slots=True, eq=False)
class PastWindows:
    """The windows with rows among those of a reference, in order of time; K is their number."""

    rows: Codes  # shape (rows,): the window that each row lies in, -1 outside of all
    phases: Codes  # shape (K,), indices into names
    instances: Codes  # shape (K,), numbered from 0
    names: tuple[str, ...]

    @property
    def count(self) -> int:
        return self.phases.size

    def instances_of(self, phase: str) -> int:
        """How often a phase came round."""
        return int(np.unique(self.instances[self._are(phase)]).size)

    def in_phase(self, phase: str) -> Flags:
        """Which rows lie in windows of a phase, shape (rows,)."""
        return np.append(self._are(phase), False)[self.rows]  # a row outside of all is the last

    def _are(self, phase: str) -> Flags:
        number = self.names.index(phase) if phase in self.names else -1
        return np.asarray(self.phases == number)


def past_windows(times: Floats, windows: Sequence[Window], cadence: Cadence) -> PastWindows:
    """Sort rows into windows that do not overlap; `times` are epoch seconds, shape (rows,).

    Windows without rows are no windows; the first and the last are left out when they hold less
    than half the usual rows, for the reference may begin or end in the middle of them.
    """
    starts = np.array([w.start.timestamp() for w in windows])
    ends = np.array([w.end.timestamp() for w in windows])
    found = np.searchsorted(starts, times, "right") - 1
    inside = found >= 0
    inside[inside] = times[inside] < ends[found[inside]]
    sizes = np.bincount(found[inside], minlength=len(windows))
    kept = np.flatnonzero(sizes)
    kept = kept[_whole(sizes[kept])]
    number = np.full(len(windows) + 1, -1)  # the last is that of rows outside of all
    number[kept] = np.arange(kept.size)
    held = [windows[int(k)] for k in kept]
    names, phases = _numbered([cadence.phase(w) for w in held])
    _, instances = _numbered([f"{cadence.phase(w)} {cadence.instance(w)}" for w in held])
    return PastWindows(number[np.where(inside, found, -1)], phases, instances, names)


def _whole(sizes: Codes) -> Flags:
    """Which windows are whole: all but perhaps the first and the last."""
    whole = np.ones(sizes.size, dtype=np.bool_)
    if sizes.size:
        whole[[0, -1]] = sizes[[0, -1]] >= WHOLE_SHARE * np.median(sizes)
    return whole


def windows_of(times: Floats, cadence: Cadence) -> list[Window]:
    """The newest windows, none overlapping, from the first row to the last."""
    if not times.size:
        return []
    first, last = (datetime.fromtimestamp(float(t), UTC) for t in (times.min(), times.max()))
    step = cadence.step or cadence.span
    first = max(first, last - MOST_WINDOWS * step.duration)
    until = last + cadence.span.duration + step.duration
    apart: list[Window] = []
    for window in windows_from(first, until, cadence.span, cadence.zone, cadence.step):
        if window.start > last:
            break
        if not apart or window.start >= apart[-1].end:
            apart.append(window)
    return apart


def _numbered(names: Sequence[str]) -> tuple[tuple[str, ...], Codes]:
    """The different names in order of appearance, and the number of each."""
    places = {name: i for i, name in enumerate(dict.fromkeys(names))}
    return tuple(places), np.array([places[name] for name in names], dtype=np.int64)
