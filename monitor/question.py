"""What a one-off comparison is asked, and that the columns it names are there."""

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from monitor.configuration.comparing import DriftSettings
from monitor.configuration.datasets import CsvSettings, ShowValues
from monitor.core.columns import Kind
from monitor.core.comparison import Plan
from monitor.core.feed import tells_time
from monitor.core.records import Notice, Window
from monitor.core.time_columns import TIMES_ARE, no_time, times_among, unknown_time
from monitor.errors import AskedWrongly, CouldNotLook, UnknownName
from monitor.ports import Described, Sample, Source

Side = tuple[Any, Source | None]  # data as it was given, and where its rows are, if elsewhere


class Question(DriftSettings):
    """What a one-off comparison can be asked: the rules of `drift`, and the fields below."""

    suite: Path | None = None
    kinds: Mapping[str, Kind] = {}
    time_column: str | None = None
    prediction: str | None = None
    probability: str | None = None
    label: str | None = None
    id: str | None = None
    sample: Annotated[int, Field(ge=1)] | None = None  # rows a side
    seed: Annotated[int, Field(ge=0)] = 0
    show_values: ShowValues = "levels"
    csv: CsvSettings = CsvSettings()

    @property
    def roles(self) -> dict[str, str]:
        """Columns that were named for what they are."""
        names = ("time_column", "prediction", "probability", "label", "id")
        return {role: column for role in names if (column := getattr(self, role)) is not None}

    @property
    def column_kinds(self) -> dict[str, Kind]:
        """Kinds by column, as told and as they follow from what a column was named for."""
        roles = {self.id: Kind.ID, self.time_column: Kind.TIME}
        return {**{name: kind for name, kind in roles.items() if name}, **self.kinds}

    @property
    def named(self) -> dict[str, tuple[str, ...]]:
        """Every column that was named, by the option it was named with."""
        options = {"columns": self.columns, "exclude": self.exclude, "kinds": tuple(self.kinds)}
        options |= {"segments": self.segments}
        return options | {role: (column,) for role, column in self.roles.items()}


def refuse_unknown(
    asked: Question, known: Collection[str], times: Callable[[], Sequence[str]]
) -> None:
    """AskedWrongly for a name that is no column; `times` finds those that tell a time."""
    for option, names in asked.named.items():
        for name in names:
            if name not in known:
                time = option == "time_column"
                error = unknown_time(name, known, times()) if time else _no_column(name, known)
                raise AskedWrongly(f"{option}: {error}", hint=error.hint)


def _no_column(name: str, known: Collection[str]) -> UnknownName:
    return UnknownName("column", name, known)


def refuse_before_reading(asked: Question, *sides: Side) -> None:
    """The same by what headers say, so that nobody waits for large data to hear of a slip.

    1. Ask every side which columns it has; one that does not tell leaves it to the reading.
    2. Ask for names that are still sought, also files that were not asked yet.
    """
    sought = {name for names in asked.named.values() for name in names}
    if not sought:
        return
    known: dict[str, None] = {}
    try:
        # 1. Every side.
        told = [_columns(side) for side in sides]
        known.update(dict.fromkeys(name for names in told for name in names))
        # 2. What is still sought.
        for side in sides if all(told) else ():
            if missed := sought - known.keys():
                known.update(dict.fromkeys(_columns(side, missed)))
        if all(told) and sought - known.keys():
            refuse_unknown(asked, known, lambda: _times(sides[-1]))
    except CouldNotLook:
        return  # which is a finding, once it is read


def _columns(side: Side, sought: Collection[str] = ()) -> list[str]:
    """The columns of a side; none where that is not known without its rows."""
    data, source = side
    if source is not None:
        return source.columns(sought) if isinstance(source, Described) else []
    names: Any = getattr(data, "column_names", None)  # of Arrow
    return [str(name) for name in (getattr(data, "columns", ()) if names is None else names)]


def _times(side: Side) -> list[str]:
    source: object = side[1]
    with suppress(CouldNotLook):
        return source.times() if isinstance(source, Described) else []
    return []


def refuse_untimed(now: Sample, window: Window | None, asked: Question) -> None:
    """AskedWrongly for a time column no value of which is a time."""
    name = asked.time_column
    if name is None or window is not None or not now.info.rows or name not in now.columns:
        return
    told = no_time(name, times_among(now.columns))
    raise AskedWrongly(f"time_column: {told}", hint=TIMES_ARE)


def time_told(plan: Plan, asked: Question) -> list[Notice]:
    """A line on the column that is left out because it was named as the time of a row."""
    name = asked.time_column
    if name is None or not plan.wants(name) or plan.kinds.get(name) is not Kind.TIME:
        return []
    return [tells_time(name)]
