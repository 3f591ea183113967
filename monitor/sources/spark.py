"""A table, files or a query of Spark as one dataset; its rows stay on the cluster.

A window is looked up by Spark. Few rows are simply read; of more, a draw is read, and summaries of
all rows are made where the rows are.
"""

import hashlib
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa

from monitor.configuration.datasets import SourceSettings, SparkSettings
from monitor.core.columns import Floats
from monitor.core.records import Notice, SampleInfo, Window
from monitor.core.time_columns import no_time
from monitor.errors import AskedWrongly, PathNotFound, SourceUnreadable
from monitor.ports import Sample, Source
from monitor.sources._spark_cluster import Cluster, cluster_of, not_found
from monitor.sources._spark_columns import SparkColumns
from monitor.sources._spark_rows import Rows, Times, quoted
from monitor.sources._spark_table import SparkTable
from monitor.tables.columns import to_sample
from monitor.tables.streams import SEED, rows_to_draw
from monitor.tables.stretches import Range
from monitor.tables.times import epoch_seconds, to_datetime

JOB = timedelta(hours=1)  # that a job on a data frame may take


def make(settings: SourceSettings, root: Path) -> Source:
    """What configuration names; the path of local files is relative to `root`."""
    assert settings.spark is not None
    asked = settings.spark
    return SparkSource(lambda: _open(asked, root), settings.time, settings.timezone)


def of_frame(frame: Any, time: str | None) -> Source:
    """The rows of a data frame, on the session it belongs to."""
    cluster = Cluster(frame.sparkSession, "the data frame", JOB)
    return SparkSource(lambda: Rows.of(cluster, frame), time, ZoneInfo("UTC"))


class SparkSource:
    """Rows that Spark reads; which there are is looked up at every call.

    Rows lie in no promised order. The same seed draws the same rows while they lie as they lay.
    """

    def __init__(self, open_rows: Callable[[], Rows], time: str | None, zone: ZoneInfo) -> None:
        self._open = open_rows
        self._time = time
        self._zone = zone

    def read(
        self,
        window: Window | None = None,
        *,
        columns: Sequence[str] | None = None,
        limit: int | None = None,
        seed: int = 0,
    ) -> Sample:
        """Rows of a window as the port promises; an unknown table is asked wrongly, not empty.

        1. Count the rows of the window, and look when the newest came.
        2. Few rows, and those of a limited sample, are read.
        3. Of more, some are drawn, and the columns know how to be summarized.
        """
        if limit is not None and limit < 1:
            raise AskedWrongly("a sample needs at least one row")
        if window is not None and self._time is None:
            raise AskedWrongly("a window needs `time`: the column that says when a row happened")
        every = self._open()
        names = [n for n in (every.types if columns is None else columns) if n in every.types]
        # 1. Count.
        rows, count, newest, notices = self._counted(every, window)
        # 2. Read.
        if limit is not None and limit < count:
            info = SampleInfo(limit, count, "reservoir", seed, newest)
            return self._held(rows.drawn(names, limit, count, seed), info, notices)
        info = SampleInfo(count, count, "all", newest=newest)
        wanted = rows_to_draw(len(names))
        if count <= wanted:
            return self._held(rows.table(names), info, notices)
        # 3. Draw.
        drawn = rows.drawn([n for n in names if rows.compared(n)], wanted, count, SEED)
        held = SparkColumns(rows, names, count, drawn)
        return Sample(info, held, SparkTable(held), tuple(notices), self._times(drawn))

    def fingerprint(self) -> str:
        """`sha256:...` over names and types of the columns and the values of all rows.

        The order of the rows does not count. Spark looks at every row.
        """
        rows = self._open()
        values = [
            quoted(name) if rows.compared(name) else f"CAST({quoted(name)} AS STRING)"
            for name in rows.types
        ]
        # A hash passes nulls over, so a value and a null that change places would not be seen.
        hashed = [part for value in values for part in (value, f"{value} IS NULL")]
        digest = f"sum(CAST(xxhash64({', '.join(hashed)}) AS DECIMAL(20, 0)))" if hashed else "0"
        found = rows.ask("count(*) AS n", f"{digest} AS digest").to_pylist()[0]
        told = [f"{name}\0{kind}\n" for name, kind in rows.types.items()]
        told.append(f"{found['n']}\0{found['digest']}")
        return f"sha256:{hashlib.sha256(''.join(told).encode()).hexdigest()}"

    def span(self) -> Window | None:
        """First row time to a microsecond after the last; None without rows or a time column.

        Raises SourceUnreadable (also when no row has a readable time), UnknownName.
        """
        if self._time is None:
            return None
        rows = self._open()
        times = Times(rows, self._time, self._zone)
        answer = rows.ask("count(*) AS n", *times.edges(Range()))
        edges = times.told(answer)
        if edges is None:
            _refuse_untimed(rows, times, answer["n"][0].as_py())
            return None
        return Window(to_datetime(edges[0]), to_datetime(edges[1] + 1))

    def _counted(
        self, every: Rows, window: Window | None
    ) -> tuple[Rows, int, datetime | None, list[Notice]]:
        """The rows that come in, how many, when the newest came, and what was noticed."""
        if self._time is None:
            return every, every.number("count(*)"), None, []
        times = Times(every, self._time, self._zone)
        within = Range.of(window)
        inside = "true" if window is None else times.inside(within)
        looked_at = every.where(f"({inside}) OR {times.unreadable}")
        answer = looked_at.ask(
            f"count_if({inside}) AS n", f"count_if({times.unreadable}) AS untimed",
            *times.edges(within),
        )  # fmt: skip
        count, untimed = answer["n"][0].as_py(), answer["untimed"][0].as_py()
        edges = times.told(answer)
        if edges is None and window is not None:  # nothing in the window; what came before?
            edges = times.told(every.ask(*times.edges(Range(end_us=within.end_us))))
            if edges is None and times.told(every.ask(*times.edges(Range()))) is None:
                _refuse_untimed(every, times, untimed)
        newest = None if edges is None else to_datetime(edges[1])
        rows = every if window is None else every.where(inside)
        return rows, count, newest, _of_untimed(self._time, untimed)

    def _held(self, table: pa.Table, info: SampleInfo, notices: Sequence[Notice]) -> Sample:
        return to_sample(table, info, notices, self._times(table))

    def _times(self, table: pa.Table) -> Floats | None:
        known = self._time is not None and self._time in table.column_names
        return epoch_seconds(table[self._time], self._zone) if known else None


def _of_untimed(name: str, rows: int) -> list[Notice]:
    text = f"{rows} rows have no readable time in {name!r}"
    return [Notice("time_unreadable", text, name)] if rows else []


def _refuse_untimed(rows: Rows, times: Times, count: int) -> None:
    if count:
        raise SourceUnreadable(
            f"{rows.cluster.place}: {no_time(times.name)}",
            hint="times are timestamps, dates, or seconds since 1970",
        )


# --- Opening ---


def _open(asked: SparkSettings, root: Path) -> Rows:
    cluster = cluster_of(asked)
    session = cluster.session
    try:
        if asked.table is not None:
            name = asked.table
            return Rows.of(cluster, cluster.run(lambda: session.table(name)))
        if asked.query is not None:  # in brackets it can only be a query
            query = f"SELECT * FROM (\n{asked.query.strip().rstrip(';')}\n)"
            return Rows.of(cluster, cluster.run(lambda: session.sql(query)))
        reader = session.read.format(asked.format).options(**asked.options)
        path = _located(asked.path or "", root)
        return Rows.of(cluster, cluster.run(lambda: reader.load(path)))
    except PathNotFound as error:
        raise not_found(cluster, asked.table, error) if asked.table else error from None


def _located(path: str, root: Path) -> str:
    """A path without a scheme is one of local files, or of those that all executors see."""
    return path if "://" in path or path.startswith(("/", "dbfs:")) else str(root.resolve() / path)
