"""What every step works with: the monitor as briefed, its tools, and what was seen so far."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, timedelta, tzinfo
from typing import TYPE_CHECKING, Any

from monitor.core import episodes
from monitor.core.comparison import Plan
from monitor.core.over_time import earlier
from monitor.core.over_time.phases import Cadence
from monitor.core.records import (
    ColumnResult,
    ExpectationReport,
    Finding,
    Notice,
    SampleInfo,
    Slice,
)
from monitor.core.routing import NOBODY, Routing
from monitor.core.summaries.binary import Kept
from monitor.ports import Clock, Draw, Explorer, Reports, Source, Validator
from monitor.sight import traces

if TYPE_CHECKING:
    from monitor.archive import Store

HISTORY = 30  # past checks a report shows


@dataclass(frozen=True, slots=True)
class Watch:
    """One monitor, ready to be checked: what configuration says, as the story needs it."""

    name: str
    plan: Plan
    time: str | None = None  # the column with the time of a row
    sample_rows: int | None = None
    seed: int = 0
    suite: str | None = None
    max_age: timedelta | None = None
    min_rows: int | None = None
    label: str | None = None  # may arrive later: its absence is no violation
    timezone: tzinfo = UTC
    show_values: str = "levels"
    explorer: str = "on_open"
    routing: Routing = NOBODY  # whom its changes are told to
    muted: bool = False  # nobody is alerted now, except that something is over
    in_maintenance: bool = False  # the window is not normal: nothing follows from it
    retrain: episodes.RetrainPolicy | None = None
    compare_with: str = "reference"  # or an earlier window of production
    calibrate: bool = True
    cadence: Cadence | None = None  # None: the rows are no window of a series
    checks_per_alarm: float | None = None  # the budget: checks between two false alarms
    segments: tuple[str, ...] = ()
    explain: bool = True  # search for the slices that explain a drift
    held_against: str = ""  # what one window is held against that was named, in words
    setup: Mapping[str, Any] = field(default_factory=dict)  # for the foot of the report

    @property
    def needed(self) -> list[str] | None:
        """The columns to read: those configured, where no suite needs more; None is all."""
        if self.suite is not None or not self.plan.only:
            return None
        return [*dict.fromkeys((*self.plan.only, *self.segments, *self._time))]

    @property
    def _time(self) -> tuple[str, ...]:
        return (self.time,) if self.time else ()

    @property
    def versus(self) -> str:
        """How one says what the columns were compared with."""
        if self.held_against:
            return f"in {self.held_against}"
        if self.compare_with == "reference" or self.cadence is None:
            return "in training"
        return earlier.versus(self.compare_with, self.cadence)


@dataclass(frozen=True, slots=True)
class Tools:
    """The adapters a check works with, as sockets."""

    source: Source
    store: "Store"
    validator: Validator
    reports: Reports
    draw: Draw
    explorer: Explorer
    clock: Clock
    check_url: Callable[[str], str] = lambda _: ""


@dataclass(frozen=True, slots=True)
class Look:
    """What steps 1 to 3 found, before anything is decided."""

    sample: SampleInfo
    columns: tuple[ColumnResult, ...] = ()
    expectations: ExpectationReport | None = None
    dataset: tuple[Finding, ...] = ()
    notices: tuple[Notice, ...] = ()
    segments: tuple[Slice, ...] = ()
    slices: tuple[Slice, ...] = ()
    summaries: Kept = field(default_factory=dict)  # of the compared columns of the window


class Timings(dict[str, float]):
    """Seconds by step; 0 for a step that did not run."""

    def __init__(self) -> None:
        super().__init__(dict.fromkeys(("sample", "validate", "compare", "report"), 0.0))

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        began = time.perf_counter()
        with traces.span(name):
            yield
        self[name] = round(self[name] + time.perf_counter() - began, 4)
