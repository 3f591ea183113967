"""What a drift test is: what it declares, the rule it decides by, and how a finding is worded."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Protocol

from monitor.core.cells import Pair
from monitor.core.columns import Kind
from monitor.core.numerals import count
from monitor.core.records import Finding, Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Spec:
    """What every test declares about itself; `monitor explain` prints it."""

    title: str
    effect: str  # what the effect measures
    unit: str
    tolerance: float  # effects up to this do not matter
    must_see: float  # an effect this large must not go unseen
    asks: str
    blind_to: str
    null_law: str
    source: str
    default: bool = True  # used when no tests are named
    guard: bool = False  # always used: what the chosen tests cannot see
    decides: bool = True  # False: reports only, unless it is the only test named
    aliases: tuple[str, ...] = ()  # what other tools call it; accepted wherever its name is
    conservative: str = ""  # where its p_value is larger than nominal, and why; "" when it is not


@dataclass(frozen=True, slots=True, kw_only=True)
class TestSpec(Spec):
    """A test of one column, of one of these kinds."""

    __test__ = False  # not a pytest class

    kinds: tuple[Kind, ...]
    needs_rows: bool = False  # points do not do: it asks for means, or weighs single values


@dataclass(frozen=True, slots=True)
class Rule:
    """How findings are decided: tolerance and evidence, or one of the two classical rules."""

    alpha: float = 0.01
    tolerance: Mapping[str, float] = field(default_factory=dict)
    must_see: Mapping[str, float] = field(default_factory=dict)
    p_value: float | None = None
    threshold: Mapping[str, float] | None = None  # by test; the others only report

    @property
    def classical(self) -> bool:
        return self.p_value is not None or self.threshold is not None

    def limit(self, test: str) -> float | None:
        """The classical threshold of a test; None when that rule does not name it."""
        return (self.threshold or {}).get(test)


@dataclass(frozen=True, slots=True)
class Bounds:
    """The two numbers a test decides with, and the level."""

    alpha: float
    tolerance: float
    must_see: float


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a test measured, before any rule is applied."""

    statistic: float | None = None
    effect: float | None = None
    low: float | None = None
    high: float | None = None
    p_value: float | None = None
    p_tolerance: float | None = None
    threshold: float | None = None
    minimum_detectable: float | None = None
    rows_needed: int | None = None
    law: str = ""  # which null law was used, when there is a choice
    named: str = ""  # levels worth naming, left out where values may not be shown
    what: str = ""  # what changed, in words that stand in a sentence; names columns, no values
    by_column: Mapping[str, float] = field(default_factory=dict)  # share of each, whole dataset
    missing_input: str = ""  # why nothing could be measured
    # By how much the effect may differ from that of all rows; None: by nothing, where both
    # summaries are exact, and by nobody knows how much where they are not
    error_bound: float | None = None


class DriftTest(Protocol):
    """One file in `core/drift/`: a spec, and a pure function of a pair."""

    SPEC: TestSpec

    def measure(self, pair: Pair, bounds: Bounds) -> Evidence | None:
        """Evidence on this column; None when the test has nothing to say about it."""


def find(
    name: str, test: DriftTest, pair: Pair, rule: Rule, *, names: bool = True
) -> Finding | None:
    """Run one test on one column and apply the rule; without `names` the reason names no level."""
    spec = test.SPEC
    evidence = test.measure(pair, bounds_of(name, spec, rule))
    if evidence is None:
        return None
    if not names:
        evidence = replace(evidence, named="")
    sizes = (pair.reference.rows, pair.current.rows) if spec.guard else pair.sizes
    if evidence.error_bound is None:
        evidence = replace(evidence, error_bound=_unknown_bound(spec, pair))
    return finding_of(name, spec, evidence, rule, sizes)


def _unknown_bound(spec: TestSpec, pair: Pair) -> float:
    """Guards count rows, which every summary does exactly."""
    exact = pair.reference.exact and pair.current.exact
    return 0.0 if exact or spec.guard else math.inf


def bounds_of(name: str, spec: Spec, rule: Rule) -> Bounds:
    """The two numbers of a test: as configured, else as it declares them."""
    return Bounds(
        rule.alpha, rule.tolerance.get(name, spec.tolerance), rule.must_see.get(name, spec.must_see)
    )


def finding_of(
    name: str, spec: Spec, evidence: Evidence, rule: Rule, sizes: tuple[int, int]
) -> Finding:
    """What a test measured on (reference, current) rows, decided by the rule and put into words."""
    bounds = bounds_of(name, spec, rule)
    limit = rule.limit(name)
    classical = not spec.guard and (rule.p_value is not None or limit is not None)
    verdict = _classical(evidence, rule, limit) if classical else _by_tolerance(evidence, bounds)
    reason = (
        _classical_reason(spec, evidence, rule, limit, verdict)
        if classical
        else _tolerance_reason(spec, evidence, bounds, verdict)
    )
    return Finding(
        test=name,
        verdict=verdict,
        reason=reason,
        statistic=evidence.statistic,
        effect=evidence.effect,
        effect_low=evidence.low,
        effect_high=evidence.high,
        p_value=evidence.p_value,
        p_tolerance=evidence.p_tolerance,
        threshold=limit if classical else evidence.threshold,
        tolerance=bounds.tolerance,
        minimum_detectable=evidence.minimum_detectable,
        rows_reference=sizes[0],
        rows_current=sizes[1],
        rows_needed=evidence.rows_needed,
        exact=not evidence.error_bound,
        error_bound=evidence.error_bound or 0.0,
        decides=_decides(spec, rule, classical),
        guard=spec.guard,
        what=evidence.what,
    )


def _by_tolerance(evidence: Evidence, bounds: Bounds) -> Verdict:
    """Drifted only when the data prove more than the tolerance; a pass needs power."""
    if evidence.missing_input:
        return Verdict.UNDECIDED
    if evidence.p_tolerance is not None and evidence.p_tolerance <= bounds.alpha:
        return Verdict.DRIFTED
    smallest = evidence.minimum_detectable
    if smallest is not None and smallest > bounds.must_see:
        return Verdict.UNDECIDED
    changed = evidence.p_value is not None and evidence.p_value <= bounds.alpha
    return Verdict.WATCH if changed else Verdict.PASSED


def _decides(spec: Spec, rule: Rule, classical: bool) -> bool:
    """Under a classical rule every test it speaks of, and no other; else as the test declares."""
    return classical if rule.classical and not spec.guard else spec.decides


def _classical(evidence: Evidence, rule: Rule, limit: float | None) -> Verdict:
    if evidence.missing_input:
        return Verdict.UNDECIDED
    if rule.p_value is not None:
        fired = evidence.p_value is not None and evidence.p_value <= rule.p_value
        return Verdict.DRIFTED if fired else Verdict.PASSED
    off = evidence.error_bound or 0.0
    limit = math.inf if limit is None else limit + (off if math.isfinite(off) else 0.0)
    fired = evidence.statistic is not None and evidence.statistic > limit
    return Verdict.DRIFTED if fired else Verdict.PASSED


def _classical_reason(
    spec: Spec, evidence: Evidence, rule: Rule, limit: float | None, verdict: Verdict
) -> str:
    if evidence.missing_input:
        return evidence.missing_input
    fired = verdict is Verdict.DRIFTED
    if rule.p_value is not None:
        relation = "at most" if fired else "above"
        return f"{spec.title}: p = {_say(evidence.p_value)}, {relation} {rule.p_value:g}"
    relation = "above" if fired else "not above"
    return f"{spec.title} {_say(evidence.statistic)} is {relation} the threshold {limit or 0:g}"


def _tolerance_reason(spec: Spec, evidence: Evidence, bounds: Bounds, verdict: Verdict) -> str:
    """One sentence on why the finding says what it says."""
    if evidence.missing_input:
        return evidence.missing_input
    words = _REASONS[verdict](spec, evidence, bounds)
    law = f" ({evidence.law})" if evidence.law else ""
    return "; ".join(part for part in (f"{words}{law}", evidence.named, evidence.what) if part)


def _drifted_words(spec: Spec, evidence: Evidence, bounds: Bounds) -> str:
    limit = (
        "" if evidence.threshold is None else f", above the {_say(evidence.threshold)} that proves"
    )
    proves = f"{limit} more than the tolerated {bounds.tolerance:g}"
    return f"{spec.title} {_say(evidence.effect)}{proves}"


def _undecided_words(spec: Spec, evidence: Evidence, bounds: Bounds) -> str:
    needed = (
        f"{count(evidence.rows_needed)} rows would do"
        if evidence.rows_needed
        else "the reference is too small for any window"
    )
    return (
        f"too few rows: only a {spec.title} above {_say(evidence.minimum_detectable)} would be "
        f"seen, {bounds.must_see:g} must be; {needed}"
    )


def _watch_words(spec: Spec, evidence: Evidence, bounds: Bounds) -> str:
    above = evidence.effect is not None and evidence.effect > bounds.tolerance
    what = (
        "above the tolerance but not proven to be"
        if above
        else f"a real change (p = {_say(evidence.p_value)}) within the tolerated "
        f"{bounds.tolerance:g}"
    )
    return f"{spec.title} {_say(evidence.effect)}: {what}"


def _passed_words(spec: Spec, evidence: Evidence, bounds: Bounds) -> str:
    above = evidence.effect is not None and evidence.effect > bounds.tolerance
    what = (
        "not distinguishable from chance" if above else f"within the tolerated {bounds.tolerance:g}"
    )
    return f"{spec.title} {_say(evidence.effect)}, {what}"


_REASONS: Mapping[Verdict, Callable[[Spec, Evidence, Bounds], str]] = {
    Verdict.DRIFTED: _drifted_words,
    Verdict.UNDECIDED: _undecided_words,
    Verdict.WATCH: _watch_words,
    Verdict.PASSED: _passed_words,
}


def _say(value: float | None) -> str:
    """Three significant digits, without false precision.

    >>> _say(0.12345), _say(1e-9), _say(None)
    ('0.123', '1e-09', '-')
    """
    return "-" if value is None else f"{value:.3g}"
