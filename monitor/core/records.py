"""What a check says: frozen records that every room speaks in, from one finding to the whole."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from monitor.core.columns import Kind

NO_TOLERANCE = 1e-9  # of a tolerance of 0: any effect is many times as large
OUTPUTS = ("prediction", "probability")  # roles of what the model writes


class Verdict(StrEnum):
    """What a finding, a column or a check says. Silence is never a pass."""

    PASSED = "passed"
    WATCH = "watch"
    DRIFTED = "drifted"
    VIOLATED = "violated"
    UNDECIDED = "undecided"


class Severity(StrEnum):
    """How much a failed expectation matters; only critical ones violate."""

    CRITICAL = "critical"
    WARNING = "warning"
    INFO = "info"


@dataclass(frozen=True, slots=True)
class Window:
    """A half-open interval `[start, end)` of production time; both ends are time zone aware."""

    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True)
class Notice:
    """Something worth saying that decides nothing."""

    kind: str  # dtype_changed, column_new, column_lost, label_absent, column_watch, ...
    text: str
    column: str | None = None


@dataclass(frozen=True, slots=True)
class Finding:
    """One test's outcome on one column or on the whole dataset."""

    test: str
    verdict: Verdict
    reason: str
    statistic: float | None = None
    effect: float | None = None
    effect_low: float | None = None
    effect_high: float | None = None
    p_value: float | None = None  # did anything change?
    p_tolerance: float | None = None  # is the effect at most the tolerance?
    threshold: float | None = None  # the statistic above which this finding says `drifted`
    tolerance: float | None = None
    minimum_detectable: float | None = None  # smallest effect seen in 80 % of such windows
    rows_reference: int = 0
    rows_current: int = 0
    rows_needed: int | None = None  # window rows it would take to decide
    exact: bool = True
    error_bound: float = 0.0
    decides: bool = True  # False: reports only, another finding decides
    guard: bool = False  # always run: looks at what the chosen tests cannot see
    what: str = ""  # what changed in the whole dataset, in words that stand in a sentence

    @property
    def of_drift(self) -> bool:
        """Whether it is a test of drift, which has a tolerance; others tell of feed and source."""
        return self.tolerance is not None

    @property
    def strength(self) -> float:
        """The effect in units of the tolerance, for ranking; -1 where nothing was measured.

        >>> Finding("psi", Verdict.DRIFTED, "", effect=0.5, tolerance=0.25).strength
        2.0
        """
        return -1.0 if self.effect is None else self.effect / (self.tolerance or NO_TOLERANCE)


@dataclass(frozen=True, slots=True)
class Shape:
    """What a report draws of one column: shares of rows on both sides over the same cells.

    Numbers: `edges` has one entry more than the shares, equal-width bars on one shared axis;
    what lies outside is counted in the first and last bar. Levels: `levels` names each share.
    """

    reference: tuple[float, ...]
    current: tuple[float, ...]
    edges: tuple[float, ...] = ()
    levels: tuple[str, ...] = ()
    new_levels: tuple[str, ...] = ()
    lost_levels: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Accrued:
    """The evidence of drift that one column has gathered over checks, up to this one."""

    evidence: float  # times as likely as without drift; 1 is none
    checks: int  # since it last was none


@dataclass(frozen=True, slots=True)
class ColumnResult:
    """Everything one check says about one column."""

    name: str
    kind: Kind
    verdict: Verdict
    reason: str
    importance: float = 1.0
    critical: bool = False
    missing_reference: float | None = None  # share of rows
    missing_current: float | None = None
    p_value: float | None = None
    p_tolerance: float | None = None
    strength: float = 0.0  # largest effect / tolerance among the deciding findings
    compared: bool = True  # False for time and id columns, listed with the reason
    findings: tuple[Finding, ...] = ()
    onset: datetime | None = None  # when it moved inside the window, where a moment stands out
    role: str | None = None  # prediction, probability or label, for the columns of the model
    # How much more than independent rows windows like this one vary; 1 when they do not
    design_effect: float = 1.0
    # mean, sd, median, min, max of numbers (and of text lengths): name -> (reference, current)
    statistics: Mapping[str, tuple[float | None, float | None]] = field(default_factory=dict)
    shape: Shape | None = None
    compared_with: str = ""  # "Mondays of the reference (12 of them)"; "" is all there is
    accrued: Accrued | None = None  # None without an alarm budget

    @property
    def weight(self) -> float:
        """How much it has to say: importance x largest effect / tolerance."""
        return self.importance * self.strength

    @property
    def is_output(self) -> bool:
        """Whether the model wrote it."""
        return self.role in OUTPUTS


def most_telling(columns: Iterable[ColumnResult]) -> tuple[ColumnResult, ...]:
    """By weight, the most first; among equals what the model says comes before its inputs."""
    return tuple(sorted(columns, key=lambda c: (-c.weight, not c.is_output)))


@dataclass(frozen=True, slots=True)
class DatasetResult:
    """What a check says about the columns together and about the window as a whole."""

    p_value: float | None  # ACAT of the classical p-values, for information
    drifted_columns: int
    columns: int  # compared columns
    # freshness, volume, schema; whole-dataset drift; the evidence that accumulated
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True, slots=True)
class ExpectationResult:
    """One expectation of the suite on one window. `success` None: it could not be evaluated."""

    type: str
    severity: Severity
    success: bool | None
    reason: str
    column: str | None = None
    observed: Any = None  # plain JSON
    expected: Any = None  # the expectation's own arguments, plain JSON
    unexpected_rows: int | None = None
    unexpected_share: float | None = None
    examples: tuple[Any, ...] = ()


@dataclass(frozen=True, slots=True)
class ExpectationReport:
    """The whole suite on one window."""

    results: tuple[ExpectationResult, ...]

    @property
    def evaluated(self) -> int:
        return sum(r.success is not None for r in self.results)

    @property
    def failed(self) -> int:
        return sum(r.success is False for r in self.results)


@dataclass(frozen=True, slots=True)
class SampleInfo:
    """How the rows of a window were drawn."""

    rows: int  # looked at
    rows_in_window: int  # seen
    method: str  # all, reservoir
    seed: int | None = None
    newest: datetime | None = None  # time of the newest row before the window's end


@dataclass(frozen=True, slots=True)
class ReferenceInfo:
    """Which picture of the training data a check was held against."""

    version: str  # sha256:...
    rows: int


@dataclass(frozen=True, slots=True)
class Slice:
    """Part of the rows, by the values of one or two columns, compared on its own."""

    where: str  # country = 'US' and amount > 100
    rows_reference: int
    rows_current: int
    verdict: Verdict
    reason: str
    p_value: float | None = None  # after the control of how many slices were looked at
    columns: tuple[str, ...] = ()  # that drifted in it
    mix: bool = False  # its share of the rows moved, not what is in it


@dataclass(frozen=True, slots=True)
class Check:
    """One look at one window of one monitor (or, without a monitor, at two files)."""

    id: str
    verdict: Verdict
    headline: str
    columns: tuple[ColumnResult, ...]
    dataset: DatasetResult
    sample: SampleInfo
    reference: ReferenceInfo | None = None
    monitor: str | None = None
    window: Window | None = None
    expectations: ExpectationReport | None = None
    notices: tuple[Notice, ...] = ()
    timings_s: Mapping[str, float] = field(default_factory=dict)
    engine: str = "local"
    made_at: datetime | None = None
    # How to reproduce it: tests, tolerances, alpha, versions, command; plain JSON
    setup: Mapping[str, Any] = field(default_factory=dict)
    segments: tuple[Slice, ...] = ()  # by the configured columns
    slices: tuple[Slice, ...] = ()  # found to explain the drift

    def causes(self) -> tuple[ColumnResult, ...]:
        """Drifted columns, the most telling first: importance x largest effect / tolerance."""
        return most_telling(c for c in self.columns if c.verdict is Verdict.DRIFTED)
