"""Columns whose rows stay on the cluster: summaries are made there, all of them in one job."""

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property, partial
from typing import Any

import numpy as np
import pyarrow as pa

from monitor.core.columns import Column, Kind
from monitor.core.summaries.binary import from_bytes
from monitor.core.summaries.collecting import Asked
from monitor.core.summaries.summary import Summary
from monitor.errors import CouldNotLook
from monitor.sources._spark_executor import ROWS, Wanted, merge_summaries, summarize_rows
from monitor.sources._spark_rows import Rows, quoted
from monitor.tables.columns import to_column

PART_COLUMNS = 8  # whose summaries travel together
MOST_ROWS = 2_000_000  # that an adapter which needs all of them may hold

_Key = tuple[str, Kind]


class SparkColumns(Mapping[str, "SparkColumn"]):
    """The columns of some rows by name; the first summary that is asked for makes all expected."""

    def __init__(self, rows: Rows, names: Sequence[str], count: int, drawn: pa.Table) -> None:
        self.source = rows
        self.rows = count
        self.drawn = drawn  # without the columns that are not compared
        self._columns = {name: SparkColumn(name, self) for name in names}
        self._expected: dict[_Key, Summary | None] = {}
        self._made: dict[_Key, Summary] = {}
        self._missing: dict[str, int] = {}
        self._broken: CouldNotLook | None = None
        self._lock = threading.RLock()

    def __getitem__(self, name: str) -> "SparkColumn":
        return self._columns[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._columns)

    def __len__(self) -> int:
        return len(self._columns)

    def expect(self, asked: Asked) -> None:
        """Few integers may turn out to be many: a reference's are made as numbers, too."""
        with self._lock:
            for name, (kind, reference) in asked.items():
                if not self.source.compared(name):
                    continue
                self._expected[name, kind] = reference
                numeric = self._columns[name].dtype in ("integer", "float")
                if reference is None and kind is Kind.CATEGORY and numeric:
                    self._expected[name, Kind.NUMBER] = None

    def summary(self, name: str, kind: Kind, reference: Summary | None) -> Summary:
        with self._lock:
            if (name, kind) not in self._made:
                self._expected[name, kind] = reference
                self._once(self._make)
            return self._made[name, kind]

    def missing(self, name: str) -> int:
        """Rows without a value; of all columns that have no summary it is asked in one query."""
        with self._lock:
            for (made, _), summary in self._made.items():
                self._missing.setdefault(made, summary.missing)
            if name not in self._missing:
                self._once(self._count_missing)
            return self._missing[name]

    def _once(self, work: Callable[[], None]) -> None:
        """A job that failed is not tried again for every column."""
        if self._broken is not None:
            raise self._broken
        try:
            work()
        except CouldNotLook as error:
            self._broken = error
            raise

    def _make(self) -> None:
        pending = {key: ref for key, ref in self._expected.items() if key not in self._made}
        places = {name: i for i, name in enumerate(dict.fromkeys(name for name, _ in pending))}
        keys = dict(enumerate(pending))
        wanted = [
            _wanted(str(i), places[name], kind, pending[name, kind])
            for i, (name, kind) in keys.items()
        ]
        self.source.cluster.equip()
        asked = [f"{quoted(name)} AS c{i}" for name, i in places.items()]
        parts = self.source.cluster.run(lambda: _summaries(self.source.frame, asked, wanted))
        for content in parts["content"].to_pylist():
            for key, (_, summary) in from_bytes(content).items():
                self._made[keys[int(key)]] = summary
        self._expected.clear()

    def _count_missing(self) -> None:
        names = [name for name in self if name not in self._missing]
        asked = [f"count_if({self.source.missing(name)}) AS c{i}" for i, name in enumerate(names)]
        found = self.source.ask(*asked)
        for i, name in enumerate(names):
            self._missing[name] = found[f"c{i}"][0].as_py()


def _wanted(key: str, place: int, kind: Kind, reference: Summary | None) -> Wanted:
    cuts = () if reference is None or reference.values is None else tuple(reference.cuts)
    levels = frozenset() if reference is None else frozenset(reference.counts)
    return Wanted(key, place // PART_COLUMNS, place, kind, cuts, levels)


def _summaries(frame: Any, asked: Sequence[str], wanted: Sequence[Wanted]) -> pa.Table:
    """Each partition makes one summary a column; executors merge them, the driver gets one row
    a part."""
    parts = 1 + max(each.part for each in wanted)
    made = frame.selectExpr(*asked).mapInArrow(partial(summarize_rows, wanted), ROWS)
    merged = made.repartition(parts, "part").mapInArrow(partial(merge_summaries, wanted), ROWS)
    return merged.toArrow()


class SparkColumn:
    """One column; its rows are not here, except those that were drawn."""

    def __init__(self, name: str, columns: SparkColumns) -> None:
        self.name = name
        self._columns = columns

    @property
    def kind(self) -> None:
        return None

    @property
    def dtype(self) -> str:
        return self._drawn.dtype

    @property
    def rows(self) -> int:
        return self._columns.rows

    @property
    def missing(self) -> int:
        return self._columns.missing(self.name)

    @property
    def problem(self) -> str:
        if self._columns.source.compared(self.name):
            return self._drawn.problem
        return f"values of type {self._columns.source.types[self.name]} are not compared"

    @cached_property
    def _drawn(self) -> Column:
        table = self._columns.drawn
        if self.name in table.column_names:
            return to_column(self.name, table[self.name])
        rows = table.num_rows
        return Column(self.name, "other", rows, rows, present=np.zeros(rows, np.bool_))

    def head(self) -> Column:
        """Rows drawn from everywhere tell more than the first ones, and they are here."""
        return self._drawn

    def drawn(self) -> Column:
        return self._drawn

    def pieces(self) -> Iterator[Column]:
        """All rows as one piece. CouldNotLook when they are too many to be held."""
        table = held(self._columns.source, [self.name], self._columns.rows)
        yield to_column(self.name, table[self.name])

    def summary(self, kind: Kind, reference: Summary | None) -> Summary:
        return self._columns.summary(self.name, kind, reference)


def held(rows: Rows, names: Sequence[str], count: int) -> pa.Table:
    """All rows of some columns. CouldNotLook when they are too many."""
    if count > MOST_ROWS:
        raise CouldNotLook(
            f"{rows.cluster.place}: {count} rows are too many to be held (at most {MOST_ROWS})",
            hint=f"a sample can be: `sample: {{rows: {MOST_ROWS}}}`",
        )
    return rows.table(names)
