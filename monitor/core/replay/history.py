"""What a rule would have said: measured windows and a rule in, alarms and their runs out.

Rules are replayed on the same measured findings, so that they differ in nothing but the rule. A
window nobody could look at has no alarm and ends no run of alarms, and neither does one in which it
is unknown whether what alarmed still would.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from statistics import median

from monitor.core.records import ColumnResult, Finding, Slice, Window
from monitor.core.replay.sensitivity import Smallest
from monitor.core.verdict import undecided_names

DAYS = 90  # alarms are told in this many days
_DAY = timedelta(days=1)

Names = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Looked:
    """One window as it was measured; `columns` as the monitor's own rule judged them."""

    window: Window
    rows: int = 0
    columns: tuple[ColumnResult, ...] = ()
    dataset: tuple[Finding, ...] = ()
    segments: tuple[Slice, ...] = ()
    unseen: str = ""  # why it could not be looked at; empty when it was
    # p_tolerance of the columns at other tolerances than the configured ones, by a name for them
    at: Mapping[str, Mapping[str, float]] = field(default_factory=dict)

    @property
    def compared(self) -> tuple[ColumnResult, ...]:
        return tuple(c for c in self.columns if c.compared)


Fires = Callable[[Sequence[Looked]], list[Names]]  # what alarms in each window that was looked at


@dataclass(frozen=True, slots=True)
class Candidate:
    """A rule that can be replayed."""

    key: str  # for machines
    title: str  # for people
    fires: Fires
    smallest: Smallest
    snippet: str = ""  # what to write in monitor.yaml; empty where there is no such rule
    note: str = ""  # what its smallest drift means, when that needs saying
    proven: bool = False  # alarms only where the data prove an effect: its error rate is known
    variant: bool = False  # another tolerance of a rule that is there already


@dataclass(frozen=True, slots=True)
class Trial:
    """A rule and what it would have said, window by window; None where nobody looked."""

    rule: Candidate
    windows: tuple[Window, ...]
    alarms: tuple[Names | None, ...]
    blind: tuple[Names, ...]  # what could not be judged

    @property
    def looked_at(self) -> list[Window]:
        return [w for w, names in zip(self.windows, self.alarms, strict=True) if names is not None]

    @property
    def days(self) -> float:
        """Days that were looked at: what alarms are counted against."""
        return length_days(self.looked_at)

    @property
    def alarmed(self) -> list[Window]:
        return [w for w, names in zip(self.windows, self.alarms, strict=True) if names]

    @property
    def episodes(self) -> list[Window]:
        """The window that begins each run of alarms.

        A run ends as an episode does: not where nobody looked, nor where it is unknown whether what
        alarmed still would.
        """
        begun: list[Window] = []
        run: set[str] = set()  # what alarmed in it
        for window, names, blind in zip(self.windows, self.alarms, self.blind, strict=True):
            if names:
                begun += [] if run else [window]
                run.update(names)
            elif names is not None and run.isdisjoint(blind):
                run.clear()
        return begun

    @property
    def columns(self) -> dict[str, int]:
        """How many alarms each column had a part in, the most first."""
        counts: dict[str, int] = {}
        for name in (name for names in self.alarms for name in names or ()):
            counts[name] = counts.get(name, 0) + 1
        return dict(sorted(counts.items(), key=lambda item: -item[1]))

    @property
    def per_90_days(self) -> float | None:
        """Episodes in 90 days that were looked at; None without any."""
        days = self.days
        return len(self.episodes) / days * DAYS if days else None

    def until(self, end: datetime | None) -> "Trial":
        """The same over the windows that end by then."""
        if end is None:
            return self
        kept = [n for n, window in enumerate(self.windows) if window.end <= end]
        return Trial(
            self.rule,
            tuple(self.windows[n] for n in kept),
            tuple(self.alarms[n] for n in kept),
            tuple(self.blind[n] for n in kept),
        )


def length_days(windows: Iterable[Window]) -> float:
    """Days that lie in a window: those in several count once, those in none do not count.

    A stray check of months ago would otherwise turn a month of history into half a year.
    """
    total, reached = timedelta(0), None
    for window in sorted(windows, key=lambda w: w.start):
        begin = window.start if reached is None else max(window.start, reached)
        total += max(window.end - begin, timedelta(0))
        reached = window.end if reached is None else max(window.end, reached)
    return total / _DAY


def replayed(rule: Candidate, looked: Sequence[Looked]) -> Trial:
    """What `rule` would have said over windows, oldest first."""
    told = iter(rule.fires([look for look in looked if not look.unseen]))
    alarms = tuple(None if look.unseen else next(told) for look in looked)
    return Trial(rule, tuple(look.window for look in looked), alarms, _blind(looked))


def _blind(looked: Sequence[Looked]) -> tuple[Names, ...]:
    """What could not be judged, window by window; a segment goes with the columns it drifted in."""
    parts = sorted({(s.where, c) for look in looked for s in look.segments for c in s.columns})
    found = [undecided_names(look.columns, look.dataset) for look in looked]
    return tuple((*names, *(where for where, c in parts if c in names)) for names in found)


# --- Columns ---


@dataclass(frozen=True, slots=True)
class ColumnPast:
    """One column over all windows; None where it was not measured."""

    name: str
    kind: str
    strengths: tuple[float | None, ...]  # effect over tolerance
    effects: tuple[float | None, ...]  # of `test`
    test: str  # the test whose effects these are
    alarms: Mapping[str, int]  # by the key of the rule
    first: Window | None  # first alarm of the current rule


def columns_of(looked: Sequence[Looked], trials: Sequence[Trial]) -> tuple[ColumnPast, ...]:
    """Every compared column, the one with most alarms of the first rule first."""
    kinds: dict[str, str] = {}
    for column in (c for look in looked for c in look.compared):
        kinds.setdefault(column.name, str(column.kind))
    past = [_past(name, kind, looked, trials) for name, kind in kinds.items()]
    current = trials[0].rule.key
    return tuple(sorted(past, key=lambda p: (-p.alarms[current], -typical(p.strengths))))


def _past(name: str, kind: str, looked: Sequence[Looked], trials: Sequence[Trial]) -> ColumnPast:
    then = [next((c for c in look.compared if c.name == name), None) for look in looked]
    test = next((f.test for c in then if c for f in c.findings if f.decides and not f.guard), "")
    alarmed = {
        t.rule.key: [w for w, n in zip(t.windows, t.alarms, strict=True) if name in (n or ())]
        for t in trials
    }
    first = alarmed[trials[0].rule.key]
    return ColumnPast(
        name=name,
        kind=kind,
        strengths=tuple(c.strength if c and c.findings else None for c in then),
        effects=tuple(_effect(c, test) for c in then),
        test=test,
        alarms={key: len(windows) for key, windows in alarmed.items()},
        first=first[0] if first else None,
    )


def _effect(column: ColumnResult | None, test: str) -> float | None:
    return next((f.effect for f in column.findings if f.test == test), None) if column else None


def typical(values: Iterable[float | None]) -> float:
    """The median of what was measured; 0 when nothing was.

    >>> typical([None, 1.0, 5.0, 2.0]), typical([None])
    (2.0, 0.0)
    """
    known = [value for value in values if value is not None]
    return median(known) if known else 0.0


def largest(values: Iterable[float | None]) -> float:
    """The largest of what was measured; 0 when nothing was.

    >>> largest([None, 1.0, 5.0]), largest([])
    (5.0, 0.0)
    """
    return max((value for value in values if value is not None), default=0.0)
