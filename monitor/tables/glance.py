"""The first rows of a dataset of files: enough to see which of its columns tell a time."""

from collections.abc import Collection, Sequence
from zoneinfo import ZoneInfo

import pyarrow as pa

from monitor.configuration.datasets import SourceSettings
from monitor.core.columns import Kind
from monitor.core.kinds import decide_kind
from monitor.errors import AskedWrongly, UnknownName, nearest
from monitor.tables.columns import to_column
from monitor.tables.dataset import Files, open_format
from monitor.tables.gate import Gate
from monitor.tables.reading import Blank, Growing, reading
from monitor.tables.times import instants

GLANCE_ROWS = 1000  # enough rows to see what a column holds


def first_rows(files: Files, settings: SourceSettings) -> pa.Table:
    """Some rows of the first file that has any; nothing where no file does.

    Raises SourceUnreadable, also for a dataset that is one file without content.
    """
    all_rows = Gate(None, None, settings.timezone)
    for path in files.paths:
        form = open_format(files.format, settings)
        try:
            with reading(path, files.format):
                for table in form.batches(path, None, all_rows, whole=False):
                    if table.num_rows:
                        head = table.slice(0, GLANCE_ROWS)
                        form.learn(head)
                        return form.finish(head)
        except Blank:
            if len(files.paths) == 1:
                raise
        except (FileNotFoundError, Growing):
            continue
    return pa.table({})


def times_among(rows: pa.Table, zone: ZoneInfo, named: str | None = None) -> list[str]:
    """The columns that tell a time; of one that is named a single time, or no value, will do."""
    columns = (to_column(name, rows[name]) for name in rows.column_names)
    return [
        column.name
        for column in columns
        if decide_kind(column).kind is Kind.TIME
        or (column.name == named and _may_tell_time(rows[named], zone))
    ]


def _may_tell_time(values: pa.ChunkedArray, zone: ZoneInfo) -> bool:
    told = values.drop_null()
    return not len(told) or instants(told, zone).null_count < len(told)


def unknown_time(name: str, known: Collection[str], times: Collection[str]) -> UnknownName:
    """The error for a time column that is not there, with the one that was probably meant."""
    error = UnknownName("column", name, known)
    near = nearest(name, times)
    if len(times) == 1:
        error.hint = f"did you mean {next(iter(times))!r}, the only column that tells a time?"
    elif near or times:
        error.hint = f"did you mean {near!r}?" if near else f"times are in: {', '.join(times)}"
    return error


def no_time(name: str, times: Collection[str]) -> AskedWrongly:
    """The error for a column without a time in its first rows, with those that have some."""
    told = ", ".join(repr(time) for time in times)
    hint = f"the only column that does is {told}" if len(times) == 1 else f"columns that do: {told}"
    return AskedWrongly(
        f"the first values of {name!r} tell no time",
        hint=hint if times else "times are timestamps, ISO 8601 text, or seconds since 1970",
    )


def times_told(times: Sequence[str]) -> str:
    """The end of a sentence on a column that tells no time: which ones do; empty without any."""
    return f"; {', '.join(map(repr, times))} {'has' if len(times) == 1 else 'have'}" * bool(times)
