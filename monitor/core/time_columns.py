"""Which columns tell when a row happened; what is said of one that is not there, or tells none."""

from collections.abc import Collection, Iterable, Mapping

import numpy as np

from monitor.core.columns import Kind, Stream
from monitor.core.kinds import decide_kind
from monitor.errors import UnknownName, nearest

TIMES_ARE = "times are timestamps, ISO 8601 text, or seconds since 1970"
FIRST_ROWS = "none of the first rows"  # where no others were looked at
_A_YEAR_S = 366 * 86_400.0


def times_among(columns: Mapping[str, Stream]) -> list[str]:
    """The names of those that tell moments, as they were frozen or as their first values tell."""
    return [name for name, column in columns.items() if tells_moments(column)]


def tells_moments(column: Stream) -> bool:
    """Whether a column tells times, and not times of day or durations.

    These are of the same family, counted from nothing; a moment so close to nothing is in 1970.
    """
    kind = column.kind or decide_kind(column.head()).kind
    if kind is not Kind.TIME:
        return False
    seconds = column.head().numbers if column.dtype == "time" else None
    return seconds is None or not seconds.size or bool(np.abs(seconds).max() > _A_YEAR_S)


def unknown_time(name: str, known: Collection[str], times: Collection[str]) -> UnknownName:
    """The error for a time column that is not there, with the one that was probably meant."""
    error = UnknownName("column", name, known)
    near = nearest(name, times)
    if len(times) == 1:
        error.hint = f"did you mean {next(iter(times))!r}, the only column that tells a time?"
    elif near or times:
        error.hint = f"did you mean {near!r}?" if near else f"times are in: {', '.join(times)}"
    return error


def no_time(name: str, times: Iterable[str] = (), *, rows: str = "no row", seen: str = "") -> str:
    """The sentence on a column without a time in some `rows`, and on those that tell one.

    `seen` is what was found instead.

    >>> no_time("city", ["at"], rows=FIRST_ROWS)
    "none of the first rows has a readable time in 'city'; there are times in 'at'"
    """
    others = ", ".join(repr(other) for other in times if other != name)
    told = f"{rows} has a readable time in {name!r}{seen}"
    return f"{told}; there are times in {others}" if others else told
