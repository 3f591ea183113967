"""What `monitor config check` looks at: each monitor's rules, its suite, and columns it names."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from monitor.errors import AskedWrongly, CouldNotLook, UnknownName

if TYPE_CHECKING:
    from monitor.configuration.datasets import SourceSettings
    from monitor.settings import MonitorSettings, Settings

Wrong = dict[tuple[str, ...], AskedWrongly]  # by key of the configuration


def inspected(settings: "Settings", name: str, wrong: Wrong) -> dict[str, Any]:
    """One monitor in short; what stands in its way goes into `wrong`."""
    monitor, here = settings.monitor(name), ("monitors", name)
    expectations = 0
    weights: Mapping[str, float] = {}
    from monitor.briefing import check_monitor
    from monitor.validation.validator import check_suite
    from monitor.wiring import weights_of

    try:
        check_monitor(monitor)
    except AskedWrongly as error:
        wrong[*here, "drift"] = error
    try:
        weights = weights_of(monitor, settings)
    except AskedWrongly as error:
        wrong[*here, "drift", "importance"] = error
    try:
        if monitor.expectations:
            expectations = len(check_suite(settings.path(monitor.expectations)))
    except AskedWrongly as error:
        wrong[*here, "expectations"] = error
    against = "held against a reference" if monitor.reference else "data quality only"
    suite = f"{expectations} expectation{'s' * (expectations != 1)}" if expectations else "no suite"
    return {
        "monitor": name,
        "summary": f"windows of {monitor.window}, {against}, {suite}",
        "expectations": expectations,
        "notes": _look_at_columns(settings, monitor, weights, wrong),
    }


def _look_at_columns(
    settings: "Settings", monitor: "MonitorSettings", weights: Mapping[str, float], wrong: Wrong
) -> list[str]:
    """Names that the data do not know go into `wrong`; why data could not be looked at is told."""
    from monitor.configuration.datasets import SourceSettings

    notes: list[str] = []
    production = _columns(settings, "production", monitor.production, notes)
    time = monitor.production.time
    if production and time is not None and time not in production:
        wrong["monitors", monitor.name, "production", "time"] = UnknownName(
            "column", time, production
        )
    reference = monitor.reference
    if isinstance(reference, SourceSettings):
        _look_for_names(monitor, weights, _columns(settings, "reference", reference, notes), wrong)
    elif reference is not None:
        _look_for_names(monitor, weights, production, wrong)
    return notes


def _columns(
    settings: "Settings", role: str, source: "SourceSettings", notes: list[str]
) -> list[str]:
    """The columns of a dataset; none of one that cannot be reached now, or only at a price.

    A cluster is not started for it.
    """
    from monitor.ports import Described
    from monitor.wiring import open_source

    try:
        opened = open_source(source, settings.root)
        return opened.columns() if isinstance(opened, Described) else []
    except (AskedWrongly, CouldNotLook) as error:
        notes.append(f"{role}: {error}" + (f" ({error.hint})" if error.hint else ""))
        return []


def _look_for_names(
    monitor: "MonitorSettings", weights: Mapping[str, float], known: list[str], wrong: Wrong
) -> None:
    """Every column that is spoken of, section by section, so that each is told with its line."""
    from monitor.briefing import named_columns
    from monitor.references import no_such_columns

    sections: dict[str, dict[str, str]] = {}
    for name, section in named_columns(monitor, weights).items():
        if known and name not in known:
            sections.setdefault(section, {})[name] = section
    for section, unknown in sections.items():
        key = ("monitors", monitor.name, *section.split("."))
        wrong.setdefault(key, no_such_columns(unknown, known))
