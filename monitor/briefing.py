"""Settings → what the story needs to know of one monitor: its plan, its rules, its policy."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from monitor import catalogue
from monitor.configuration.comparing import DriftSettings
from monitor.configuration.weights import ENDINGS
from monitor.core import episodes
from monitor.core.columns import Kind
from monitor.core.comparison import Plan
from monitor.core.dataset_socket import DatasetTest
from monitor.core.drift_socket import DriftTest, Rule
from monitor.core.over_time.earlier import overlaps_itself, versus
from monitor.core.over_time.phases import Cadence
from monitor.core.records import Verdict
from monitor.core.routing import NOBODY, Routing
from monitor.errors import AskedWrongly
from monitor.references import Reference, require_columns
from monitor.steps.kit import Watch

if TYPE_CHECKING:
    from monitor.settings import MonitorSettings

DRIFT_SOCKET = "monitor.core.drift"
DATASET_SOCKET = "monitor.core.dataset_drift"
RANKING = "domain_classifier"  # the dataset test that may rank the causes


def drift_tests(named: Iterable[str] = ()) -> dict[str, DriftTest]:
    """Every drift test by name; UnknownName when one of `named` is not among them."""
    return _members(DRIFT_SOCKET, "drift test", named)


def dataset_tests(named: Iterable[str] = ()) -> dict[str, DatasetTest]:
    """Every test of the whole dataset by name; UnknownName when one of `named` is none of them."""
    return _members(DATASET_SOCKET, "dataset test", named)


def _members(socket: str, what: str, named: Iterable[str]) -> dict[str, Any]:
    known = {name: _member(socket, name, what) for name in catalogue.names(socket)}
    for name in named:
        if name not in known:
            catalogue.load(socket, name, what)
    return known


@cache
def _member(socket: str, name: str, what: str) -> Any:
    return catalogue.load(socket, name, what)


def brief(
    settings: "MonitorSettings",
    reference: Reference | None,
    *,
    suite: Path | None,
    routing: Routing = NOBODY,
    weights: Mapping[str, float] | None = None,
) -> Watch:
    """A monitor's configuration as the story needs it; AskedWrongly where it makes no sense.

    `weights` are those of the file that `drift.importance` names.
    """
    if reference is not None:
        require_columns(reference, named_columns(settings, weights or {}))
    plan = plan_of(settings, reference, weights)
    return Watch(
        name=settings.name,
        plan=plan,
        time=settings.production.time,
        sample_rows=settings.sample.rows,
        seed=settings.sample.seed,
        suite=str(suite) if suite else None,
        max_age=settings.freshness.max_age.duration if settings.freshness else None,
        min_rows=settings.volume.min_rows if settings.volume else None,
        label=settings.model.label,
        timezone=settings.timezone,
        show_values=settings.show_values,
        # The page for digging shows level names, whatever it is told.
        explorer="never" if settings.show_values == "never" else settings.explorer,
        routing=routing,
        retrain=_retrain_policy(settings),
        compare_with=settings.drift.compare_with,
        calibrate=settings.drift.calibrate,
        cadence=cadence_of(settings),
        checks_per_alarm=_checks_per_alarm(settings),
        segments=settings.drift.segments,
        setup=setup_of(
            plan,
            window=str(settings.window),
            timezone=str(settings.timezone),
            sample={"rows": settings.sample.rows, "seed": settings.sample.seed},
            segments=list(settings.drift.segments),
            expectations=settings.expectations,
            **_told_comparison(settings),
        ),
    )


def cadence_of(settings: "MonitorSettings") -> Cadence:
    """How a monitor cuts time into windows."""
    return Cadence(settings.window, settings.timezone, settings.step)


def _told_comparison(settings: "MonitorSettings") -> dict[str, str]:
    """What a report says a window is compared with, when that is not the training data."""
    asked = settings.drift.compare_with
    return {} if asked == "reference" else {"compared_with": versus(asked, cadence_of(settings))}


def _checks_per_alarm(settings: "MonitorSettings") -> float | None:
    budget = settings.drift.false_alarms
    step = settings.step or settings.window
    return None if budget is None else budget.checks_per_alarm(step.duration)


def check_monitor(settings: "MonitorSettings") -> None:
    """Raise what can be known to be wrong with a monitor before any data is read."""
    plan_of(settings, None)
    asked = settings.drift.compare_with
    if overlaps_itself(asked, cadence_of(settings)):
        raise AskedWrongly(
            f"drift.compare_with is {asked}, and a window of {settings.window} has not ended by "
            "then",
            hint="compare with `previous`, or choose a shorter window",
        )
    if ranked_by(settings) and settings.drift.false_alarms is not None:
        raise AskedWrongly(
            f"{RANKING} learns the importance of columns from the window that is judged, and an "
            "alarm budget weighs evidence by importance",
            hint="give importance by column or from a file, or leave `false_alarms` out",
        )


def ranked_by(settings: "MonitorSettings") -> str:
    """The dataset test that ranks the causes; "" where importance is configured by column."""
    asked = settings.drift.importance
    return RANKING if asked is not None and our_name(asked) == RANKING else ""


def weights_file(settings: "MonitorSettings") -> str | None:
    """The configured path of a file of weights; AskedWrongly for what is neither file nor test."""
    asked = settings.drift.importance
    if asked is None or ranked_by(settings):
        return None
    if not asked.lower().endswith(ENDINGS):
        raise AskedWrongly(
            f"drift.importance is {asked!r}: neither a file of weights nor {RANKING}",
            hint=f"the name of a file ends in {' or '.join(ENDINGS)}",
        )
    return asked


def plan_of(
    settings: "MonitorSettings",
    reference: Reference | None,
    weights: Mapping[str, float] | None = None,
) -> Plan:
    """What to compare of a monitor, by its configuration and its frozen kinds.

    An importance that is configured beside a column wins over `weights`.
    """
    given = {
        name: c.importance for name, c in settings.columns.items()
        if "importance" in c.model_fields_set
    }  # fmt: skip
    return make_plan(
        settings.drift,
        ranked_by=ranked_by(settings),
        kinds={**(reference.kinds if reference else {}), **known_kinds(settings)},
        importance={**(weights or {}), **given},
        critical=frozenset(name for name, c in settings.columns.items() if c.critical),
        roles=roles_of(settings.model.prediction, settings.model.probability, settings.model.label),
        names=settings.show_values != "never",
    )


def roles_of(prediction: str | None, probability: str | None, label: str | None) -> dict[str, str]:
    """What the columns of a model are, by name."""
    named = {"prediction": prediction, "probability": probability, "label": label}
    return {column: role for role, column in named.items() if column is not None}


def make_plan(drift: DriftSettings, *, ranked_by: str = "", **more: Any) -> Plan:
    """A plan from the rules of comparison; `more` are further fields of `Plan`."""
    drift = _with_our_names(drift)
    each = drift.threshold if isinstance(drift.threshold, Mapping) else {}
    whole = dataset_tests(drift.dataset_tests or ())
    _refuse_together(drift.tests, whole)
    numbered = (*drift.tolerance, *drift.must_see, *each)
    together = _dataset_names(drift, whole, ranked_by)
    _refuse_unused(name for name in numbered if name in whole and name not in together)
    tests = drift_tests((*drift.tests, *(name for name in numbered if name not in whole)))
    rule = Rule(
        alpha=drift.alpha,
        tolerance=dict(drift.tolerance),
        must_see=_must_see(drift, {**whole, **tests}),
        p_value=drift.p_value,
        threshold=_thresholds(drift, tests),
    )
    return Plan(
        tests=tests,
        chosen=drift.tests,
        rule=rule,
        only=drift.columns,
        exclude=drift.exclude,
        dataset_tests={name: whole[name] for name in together},
        ranked_by=ranked_by,
        **more,
    )


def _refuse_together(tests: Iterable[str], whole: Mapping[str, DatasetTest]) -> None:
    for name in tests:
        if name in whole:
            raise AskedWrongly(
                f"{name} looks at all columns together, and `tests` at each alone",
                hint=f"name {name} under `dataset_tests`",
            )


def _refuse_unused(names: Iterable[str]) -> None:
    for name in names:
        raise AskedWrongly(
            f"there is a number for {name}, and it does not run",
            hint=f"name {name} under `dataset_tests`",
        )


def _dataset_names(
    drift: DriftSettings, whole: Mapping[str, DatasetTest], ranked_by: str
) -> tuple[str, ...]:
    """As named; by default those that declare it, but none beside a classical rule.

    Such a rule means what it says, and it does not speak of tests that nobody named.
    """
    classical = drift.p_value is not None or drift.threshold is not None
    defaults = [] if classical else [name for name, test in whole.items() if test.SPEC.default]
    named = defaults if drift.dataset_tests is None else drift.dataset_tests
    return tuple(dict.fromkeys([*named, *([ranked_by] if ranked_by else [])]))


def _with_our_names(drift: DriftSettings) -> DriftSettings:
    """The same rules with each test called what it is called here."""
    threshold = drift.threshold
    return drift.model_copy(
        update={
            "tests": _ours(drift.tests),
            "dataset_tests": None if drift.dataset_tests is None else _ours(drift.dataset_tests),
            "tolerance": {our_name(name): v for name, v in drift.tolerance.items()},
            "must_see": {our_name(name): v for name, v in drift.must_see.items()},
            "threshold": {our_name(name): v for name, v in threshold.items()}
            if isinstance(threshold, Mapping)
            else threshold,
        }
    )


def _ours(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(our_name(name) for name in names))


def our_name(name: str) -> str:
    """What a test is called here, given what it is called here or elsewhere; case is ignored."""
    plain = name.strip().lower().replace("-", "_").replace(" ", "_")
    known: dict[str, DriftTest | DatasetTest] = {**drift_tests(), **dataset_tests()}
    others = {alias: ours for ours, test in known.items() for alias in test.SPEC.aliases}
    return plain if plain in known else others.get(plain, name)


def _thresholds(drift: DriftSettings, tests: Mapping[str, DriftTest]) -> Mapping[str, float] | None:
    """By test; one number for all is for the chosen tests, or for the defaults that decide.

    AskedWrongly when tests are named and do not agree with the thresholds: one without the other
    would say `passed` about something nobody looked at.
    """
    if isinstance(drift.threshold, Mapping):
        if drift.tests and set(drift.tests) != set(drift.threshold) - set(dataset_tests()):
            raise AskedWrongly(
                f"the tests are {', '.join(drift.tests)}, the thresholds are for "
                f"{', '.join(drift.threshold)}",
                hint="name the same tests in both, or leave `tests` out",
            )
        if not set(drift.threshold) - set(dataset_tests()):
            raise AskedWrongly(
                "every threshold is for a test of all columns together, and none for a column",
                hint="give one for a test of columns as well, like psi",
            )
        return drift.threshold
    if drift.threshold is None:
        return None
    defaults = [name for name, t in tests.items() if t.SPEC.default and t.SPEC.decides]
    return dict.fromkeys(drift.tests or defaults, drift.threshold)


def _must_see(
    drift: DriftSettings, tests: Mapping[str, DriftTest | DatasetTest]
) -> dict[str, float]:
    """As given; a tolerance that reaches a test's own must_see lifts it in proportion."""
    found = dict(drift.must_see)
    for name in {**drift.tolerance, **drift.must_see}:
        spec = tests[name].SPEC
        tolerance = drift.tolerance.get(name, spec.tolerance)
        if name not in found and tolerance >= spec.must_see:
            found[name] = tolerance * spec.must_see / spec.tolerance
        elif name in found and found[name] <= tolerance:
            raise AskedWrongly(
                f"must_see of {name} is {found[name]:g}, and effects up to its tolerance of "
                f"{tolerance:g} do not matter",
                hint="an effect that must be seen lies above the tolerance; lower that as well",
            )
    return found


def known_kinds(settings: "MonitorSettings") -> dict[str, Kind]:
    """Kinds that configuration states, in words or by a column's role."""
    kinds = {name: c.kind for name, c in settings.columns.items() if c.kind is not None}
    if settings.model.id:
        kinds.setdefault(settings.model.id, Kind.ID)
    if settings.production.time:
        kinds.setdefault(settings.production.time, Kind.TIME)
    return kinds


def named_columns(settings: "MonitorSettings", weights: Mapping[str, float]) -> dict[str, str]:
    """Every column that configuration speaks of, and where; all must exist in the reference."""
    model, retrain = settings.model, settings.retrain
    named = dict.fromkeys(weights, "drift.importance")
    named |= dict.fromkeys(settings.columns, "columns")
    drift = settings.drift
    named |= dict.fromkeys((*drift.columns, *drift.exclude, *drift.segments), "drift")
    roles = (model.prediction, model.probability, model.label, model.id)
    named |= {name: "model" for name in roles if name}
    for condition in retrain.when.any if retrain else ():
        asked = condition.column or (condition.column_change and condition.column_change.column)
        if asked:
            named[asked] = "retrain"
    return named


def _retrain_policy(settings: "MonitorSettings") -> episodes.RetrainPolicy | None:
    retrain = settings.retrain
    if retrain is None:
        return None
    conditions: list[episodes.Condition] = []
    every = None
    for asked in retrain.when.any:
        if asked.drifted_share is not None:
            conditions.append(episodes.drifted_share(asked.drifted_share))
        elif asked.column is not None:
            conditions.append(episodes.column_drifted(asked.column))
        elif (moved := asked.column_change) is not None:
            conditions.append(episodes.column_changed(moved.column, moved.statistic, moved.by))
        elif asked.every is not None:
            every = asked.every.duration
    return episodes.RetrainPolicy(
        conditions=tuple(conditions),
        every=every,
        unless=frozenset(Verdict(name) for name in retrain.unless),
        confirm=retrain.confirm,
        cooldown=retrain.cooldown.duration,
    )


def setup_of(plan: Plan, **more: Any) -> dict[str, Any]:
    """How a check was made, for the foot of its report: rule, tests, versions."""
    rule = asdict(plan.rule)
    return {
        "tests": list(plan.chosen) or "default of each kind",
        "rule": {name: value for name, value in rule.items() if value not in (None, {})},
        "versions": dict(_versions()),
        **more,
    }


@cache
def _versions() -> tuple[tuple[str, str], ...]:
    """Of what the numbers rest on; they do not change while a process runs."""
    return tuple((n, version(n)) for n in ("drift-monitor", "numpy", "scipy", "pyarrow"))
