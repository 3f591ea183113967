"""The rules a backtest holds against each other: the monitor's own, its kin, the classical ones.

Each is a function of measured windows to what alarms in them, with the smallest drift it sees and,
where configuration has it, what to write there.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import median_low

from monitor.core.columns import Kind
from monitor.core.comparison import Plan
from monitor.core.drift_socket import DriftTest, Rule
from monitor.core.over_time.budget import Budget, needed
from monitor.core.records import ColumnResult, Finding
from monitor.core.replay.alarms import (
    CLASSICAL,
    by_budget,
    by_p_value,
    by_share,
    by_threshold,
    by_tolerance,
    by_verdict,
)
from monitor.core.replay.history import Candidate, Looked
from monitor.core.replay.sensitivity import (
    Scene,
    Smallest,
    seen_by_p_value,
    seen_by_threshold,
    seen_by_tolerance,
)
from monitor.core.slices.segments import FAMILIES
from monitor.core.verdict import deciding

FACTORS = (0.5, 1.5, 2.0, 3.0)  # other tolerances to try, in units of a test's own
ALPHAS = (0.01, 0.05)
PSI_LIMITS = (0.1, 0.2, 0.25)


@dataclass(frozen=True, slots=True)
class Setting:
    """What the rules of one monitor are made of."""

    plan: Plan
    scene: Scene
    measured: frozenset[str]  # tests with a finding
    budget: Budget  # that was asked for
    checks_in_budget: float  # between two false alarms
    own_budget: Budget  # the monitor's, when it has one
    checks: float | None  # between two false alarms of the monitor; None: it has no budget
    segmented: bool  # whether it looks at segments, which take their part of alpha
    others: Mapping[str, Mapping[str, float]]  # tolerances by test that were measured too, by name

    @property
    def families(self) -> int:
        """Between how many alpha is shared: the columns of the whole, and those of segments."""
        return FAMILIES if self.segmented else 1


def rivals(setting: Setting) -> list[Candidate]:
    """Every rule that the measured findings allow; the monitor's own is the first."""
    asked = _budgeted(setting, setting.budget, setting.checks_in_budget)
    found = [_own(setting), *_kin(setting), asked]
    if setting.measured & set(CLASSICAL):
        found += [_classical(setting, alpha) for alpha in reversed(ALPHAS)]
    if "psi" in setting.measured:
        found += [_fixed(setting, limit) for limit in PSI_LIMITS]
    if setting.measured & set(CLASSICAL):
        found.append(_half(setting))
    own = found[0]
    return [own, *(rule for rule in found[1:] if rule.snippet != own.snippet)]


def scene_of(looked: Sequence[Looked]) -> Scene:
    """What a usual window looks like: medians of independent values, columns, deciding findings."""
    columns = [c for look in looked for c in look.compared if c.p_tolerance is not None]
    numbers = [c for c in columns if c.kind is Kind.NUMBER] or columns
    sizes = [_effective(c, f) for c in numbers for f in c.findings[:1]]
    counts = [sum(c.p_tolerance is not None for c in look.compared) for look in looked]
    tests = [sum(f.p_tolerance is not None for f in deciding(c.findings)) for c in numbers]
    if not sizes:
        return Scene(1.0, 1.0)
    return Scene(
        reference=max(1.0, median_low([n for n, _ in sizes])),
        window=max(1.0, median_low([m for _, m in sizes])),
        columns=max(1, median_low([count for count in counts if count])),
        tests=max(1, median_low(tests)),
    )


def _effective(column: ColumnResult, finding: Finding) -> tuple[float, float]:
    shrink = column.design_effect
    return finding.rows_reference / shrink, finding.rows_current / shrink


def main_tests(plan: Plan) -> dict[str, DriftTest]:
    """The tests that decide under the tolerance rule, less the guards."""
    chosen = {
        name: test
        for name, test in plan.tests.items()
        if not test.SPEC.guard and (name in plan.chosen if plan.chosen else test.SPEC.default)
    }
    return {n: t for n, t in chosen.items() if t.SPEC.decides} or chosen


def tolerances(plan: Plan, factor: float | None = None) -> dict[str, float]:
    """By test: as configured, or a multiple of the test's own."""
    own = {name: test.SPEC.tolerance for name, test in main_tests(plan).items()}
    if factor is None:
        return {name: plan.rule.tolerance.get(name, t) for name, t in own.items()}
    return {name: round(factor * t, 6) for name, t in own.items()}


# --- The rules as candidates ---


def _own(setting: Setting) -> Candidate:
    rule, scene = setting.plan.rule, setting.scene
    if setting.checks is not None:
        kept = _budgeted(setting, setting.own_budget, setting.checks, segments=True)
        return replace(kept, key="current")
    if rule.p_value is not None:
        seen = seen_by_p_value(main_tests(setting.plan), rule.p_value, scene)
        title, text = f"p at most {rule.p_value:g}", f"{{p_value: {rule.p_value:g}}}"
    elif rule.threshold is not None:
        seen = seen_by_threshold(rule.threshold, scene)
        title, text = f"above {_told(rule.threshold)}", f"{{threshold: {_inline(rule.threshold)}}}"
    else:
        own = _by_tolerance(setting, rule.alpha, tolerances(setting.plan))
        seen, title, text = own.smallest, own.title, own.snippet
    return Candidate("current", title, by_verdict, seen, text)


def _kin(setting: Setting) -> list[Candidate]:
    """The tolerance rule at other levels and tolerances, as far as they were measured."""
    configured = tolerances(setting.plan)
    found = [_by_tolerance(setting, alpha, configured) for alpha in ALPHAS]
    return found + [
        replace(_by_tolerance(setting, ALPHAS[0], other, at), variant=True)
        for at, other in setting.others.items()
    ]


def _by_tolerance(
    setting: Setting, alpha: float, tolerance: Mapping[str, float], at: str = ""
) -> Candidate:
    tests = main_tests(setting.plan)
    said = {n: t for n, t in tolerance.items() if t != tests[n].SPEC.tolerance}
    snippet = f"{{alpha: {alpha:g}{f', tolerance: {_inline(said)}' if said else ''}}}"
    return Candidate(
        key=f"tolerance_{alpha:g}{f'_{at}' if at else ''}",
        title=f"tolerance {_told_short(tolerance)}, alpha {alpha:g}",
        fires=by_tolerance(setting.plan.tests, alpha / setting.families, at),
        smallest=seen_by_tolerance(tests, tolerance, alpha / setting.families, setting.scene),
        snippet=snippet,
        proven=True,
    )


def _budgeted(
    setting: Setting, budget: Budget, checks: float, *, segments: bool = False
) -> Candidate:
    # Evidence is a mean over the columns: one column of one window raises the alarm alone when its
    # e = ½ p^(−½) is `columns` times what is needed, and p at most level / columns.
    level = 1 / (4 * needed(checks) ** 2 * setting.scene.columns)
    tests, configured = main_tests(setting.plan), tolerances(setting.plan)
    return Candidate(
        key="budget",
        title=f"alarm budget, {budget}",
        fires=by_budget(
            setting.plan.tests,
            checks,
            Rule(alpha=setting.plan.rule.alpha),
            families=setting.families,
            segments=segments,
        ),
        smallest=seen_by_tolerance(tests, configured, level, setting.scene),
        snippet=f"{{false_alarms: {budget}}}",
        proven=True,
        note="in one window; less where it lasts",
    )


def _classical(setting: Setting, alpha: float) -> Candidate:
    used = [test for test in CLASSICAL if test in setting.measured]
    tests = {name: setting.plan.tests[name] for name in used}
    return Candidate(
        key=f"p_value_{alpha:g}",
        title=f"{' or '.join(_LABELS[test] for test in used)} p at most {alpha:g}",
        fires=by_p_value(alpha),
        smallest=seen_by_p_value(tests, alpha, setting.scene),
        snippet=f"{{tests: [{', '.join(used)}], p_value: {alpha:g}}}",
    )


def _fixed(setting: Setting, limit: float) -> Candidate:
    return Candidate(
        key=f"psi_{limit:g}",
        title=f"PSI above {limit:g}",
        fires=by_threshold("psi", limit),
        smallest=seen_by_threshold({"psi": limit}, setting.scene),
        snippet=f"{{threshold: {{psi: {limit:g}}}}}",
    )


def _half(setting: Setting) -> Candidate:
    alone = setting.scene.columns <= 2
    tests = {name: setting.plan.tests[name] for name in CLASSICAL if name in setting.measured}
    seen = seen_by_p_value(tests, ALPHAS[1], setting.scene) if alone else Smallest({})
    return Candidate(
        key="half",
        title=f"half of the columns, p at most {ALPHAS[1]:g}",
        fires=by_share(0.5, ALPHAS[1]),
        smallest=seen,
        note="" if alone else "no drift of one column, however large",
    )


_LABELS = {"ks": "KS", "chi_squared": "chi-squared", "psi": "PSI"}


def _told(limits: Mapping[str, float], between: str = " or ") -> str:
    return between.join(f"{_LABELS.get(n, n.replace('_', ' '))} {v:g}" for n, v in limits.items())


def _told_short(limits: Mapping[str, float]) -> str:
    """One number where all tests have the same."""
    same = set(limits.values())
    return f"{same.pop():g}" if len(same) == 1 else _told(limits, ", ")


def _inline(values: Mapping[str, float]) -> str:
    return "{" + ", ".join(f"{name}: {value:g}" for name, value in values.items()) + "}"
