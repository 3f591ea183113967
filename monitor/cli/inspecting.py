"""What `monitor config check` looks at: each monitor's rules, its suite, and columns it names."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from monitor.errors import AskedWrongly, CouldNotLook, UnknownName

if TYPE_CHECKING:
    from monitor.configuration.datasets import SourceSettings
    from monitor.settings import MonitorSettings, Settings

Wrong = dict[tuple[str, ...], AskedWrongly]  # by key of the configuration
FILES_ASKED = 1000  # files of a dataset whose columns are looked at


@dataclass(slots=True)
class Told:
    """What is to be said of the data of a monitor, and is no mistake of its configuration."""

    notes: list[str] = field(default_factory=list)  # of data not there yet, or not to be reached
    uneven: list[str] = field(default_factory=list)  # files that differ from their neighbours


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
    told = Told()
    _look_at_columns(settings, monitor, weights, told, wrong)
    suite = f"{expectations} expectation{'s' * (expectations != 1)}" if expectations else "no suite"
    return {
        "monitor": name,
        "summary": f"windows of {monitor.window}, {against}, {suite}",
        "expectations": expectations,
        "notes": told.notes,
        "uneven": told.uneven,
    }


def _look_at_columns(
    settings: "Settings",
    monitor: "MonitorSettings",
    weights: Mapping[str, float],
    told: Told,
    wrong: Wrong,
) -> None:
    """Names that the data do not know go into `wrong`; the rest that is to be said into `told`."""
    from monitor.configuration.datasets import SourceSettings

    time = monitor.production.time
    at = "monitors", monitor.name, "production", "time"
    production = _Dataset(settings, "production", monitor.production, told)
    here = production.columns([time] if time else [])
    if here and time is not None and (error := production.no_time(time, here)):
        wrong[at] = error
    production.compare_files()
    reference = monitor.reference
    if isinstance(reference, SourceSettings):
        trained = _Dataset(settings, "reference", reference, told)
        names = trained.columns(_named(monitor, weights))
        trained.compare_files()
        _look_for_names(monitor, weights, names, wrong)
    elif reference is not None:
        _look_for_names(monitor, weights, here, wrong)


class _Dataset:
    """What can be seen of a dataset without reading it; a cluster is not started for it."""

    def __init__(
        self, settings: "Settings", role: str, source: "SourceSettings", told: Told
    ) -> None:
        from monitor.ports import Described
        from monitor.wiring import open_source

        self._role, self._told = role, told
        self._opened: Described | None = None
        try:
            opened = open_source(source, settings.root)
        except (AskedWrongly, CouldNotLook) as error:
            self._out_of_reach(error)
        else:
            self._opened = opened if isinstance(opened, Described) else None

    def columns(self, sought: Collection[str]) -> list[str]:
        """None of data that cannot be reached now, or only at a price; why is told."""
        if self._opened is None:
            return []
        try:
            return self._opened.columns(sought)
        except (AskedWrongly, CouldNotLook) as error:
            self._out_of_reach(error)
            return []

    def no_time(self, name: str, known: Collection[str]) -> AskedWrongly | None:
        """Why a column cannot be the time of a row, with the one that can."""
        from monitor.core.time_columns import FIRST_ROWS, TIMES_ARE, no_time, unknown_time

        assert self._opened is not None
        try:
            times = self._opened.times(name)
        except (AskedWrongly, CouldNotLook):
            return None if name in known else UnknownName("column", name, known)
        if name not in known:
            return unknown_time(name, known, times)
        if name in times:
            return None
        return AskedWrongly(no_time(name, times, rows=FIRST_ROWS), hint=TIMES_ARE)

    def compare_files(self) -> None:
        """Tell of columns that only some files have, and of files that hold nothing."""
        from monitor.core.layouts import empty_told, lacking
        from monitor.ports import InFiles

        if not isinstance(self._opened, InFiles):
            return
        try:
            layouts = self._opened.layouts(FILES_ASKED)
        except (AskedWrongly, CouldNotLook) as error:
            self._out_of_reach(error)
            return
        blank = [name for name, names in layouts.items() if not names]
        if blank:
            self._told.uneven.append(f"{self._role}: {empty_told(blank, len(layouts))}")
        stated = {name: names for name, names in layouts.items() if names}
        self._told.uneven += [f"{self._role}: {lack.text}" for lack in lacking(stated)]

    def _out_of_reach(self, error: AskedWrongly | CouldNotLook) -> None:
        """Tell why nothing is seen, once, and look no more."""
        self._opened = None
        hint = f" ({error.hint})" if error.hint else ""
        self._told.notes.append(f"{self._role}: {error}{hint}")


def _named(monitor: "MonitorSettings", weights: Mapping[str, float]) -> list[str]:
    from monitor.briefing import named_columns

    return list(named_columns(monitor, weights))


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
