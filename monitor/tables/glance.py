"""The first rows of a dataset of files: enough to see which of its columns tell a time."""

from zoneinfo import ZoneInfo

import pyarrow as pa

from monitor.configuration.datasets import SourceSettings
from monitor.core.time_columns import times_among
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


def times_in(rows: pa.Table, zone: ZoneInfo, named: str | None = None) -> list[str]:
    """The columns that tell a time; of one that is named a single time, or no value, will do."""
    told = times_among({name: to_column(name, rows[name]) for name in rows.column_names})
    return [
        name
        for name in rows.column_names
        if name in told or (name == named and _may_tell_time(rows[name], zone))
    ]


def _may_tell_time(values: pa.ChunkedArray, zone: ZoneInfo) -> bool:
    told = values.drop_null()
    return not len(told) or instants(told, zone).null_count < len(told)
