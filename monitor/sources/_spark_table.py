"""The rows of Spark for adapters: aggregated where they are, or held where they are few enough."""

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any

import pyarrow as pa

from monitor.core.aggregates import Aggregate, Condition, Family, Repeated
from monitor.sources._spark_aggregates import Expressions, families_of
from monitor.sources._spark_columns import SparkColumns, held


class SparkTable:
    """The rows for adapters: aggregated on the cluster, or read column by column when they are few
    enough to be held."""

    def __init__(self, columns: SparkColumns) -> None:
        self._columns = columns
        self._held: dict[str, pa.ChunkedArray] = {}

    @property
    def column_names(self) -> list[str]:
        return list(self._columns)

    @property
    def num_rows(self) -> int:
        return self._columns.rows

    def column(self, name: str) -> pa.ChunkedArray:
        return self.select([name])[name]

    def __getitem__(self, name: str) -> pa.ChunkedArray:
        return self.column(name)

    def select(self, names: Sequence[str]) -> pa.Table:
        """In one job, so that the rows of the columns belong together."""
        asked = [name for name in names if name not in self._held]
        if asked:
            table = held(self._columns.source, asked, self._columns.rows)
            self._held |= {name: table[name] for name in asked}
        return pa.table({name: self._held[name] for name in names})

    def parts(self) -> Iterator[pa.Table]:
        """In one part, which has to be held. CouldNotLook when it is too large."""
        yield self.select(self.column_names)

    def drawn(self, names: Sequence[str]) -> pa.Table:
        return pa.table({name: self.drawn_column(name) for name in names})

    def drawn_column(self, name: str) -> pa.ChunkedArray:
        drawn = self._columns.drawn
        known = name in drawn.column_names
        return drawn[name] if known else pa.chunked_array([pa.nulls(drawn.num_rows)])

    @cached_property
    def families(self) -> Mapping[str, Family]:
        source = self._columns.source
        known = source.cluster.run(lambda: families_of(source.frame))
        return {name: known[name] for name in self._columns}

    @cached_property
    def _written(self) -> Expressions:
        return Expressions(self.families)

    def can(self, asked: Aggregate) -> bool:
        return True

    def aggregate(self, asked: Sequence[Aggregate]) -> dict[Aggregate, Any]:
        """One job, and one for each `Repeated`, whose rows have to be brought together."""
        found: dict[Aggregate, Any] = {
            each: self._repeated(each) for each in asked if isinstance(each, Repeated)
        }
        flat = [each for each in asked if not isinstance(each, Repeated)]
        if flat:
            written = [f"{self._written.aggregate(each)} AS a{i}" for i, each in enumerate(flat)]
            answer = self._columns.source.ask(*written)
            found |= {each: answer[f"a{i}"][0].as_py() for i, each in enumerate(flat)}
        return found

    def some_values(
        self, columns: Sequence[str], where: Condition, *, least: int, limit: int
    ) -> list[tuple[Any, ...]]:
        source = self._columns.source
        names = [f"c{i}" for i in range(len(columns))]
        frame = self._chosen(columns, where)
        if least:
            frame = _groups(frame, names, least).orderBy(*names)
        found = source.cluster.run(lambda: frame.selectExpr(*names).limit(limit).toArrow())
        return list(zip(*(found[name].to_pylist() for name in names), strict=True))

    def _repeated(self, asked: Repeated) -> int:
        names = [f"c{i}" for i in range(len(asked.columns))]
        groups = _groups(self._chosen(asked.columns, asked.where), names, 2)
        told = self._columns.source.cluster.run(
            lambda: groups.selectExpr("coalesce(sum(count), 0) AS n").toArrow()
        )
        return int(told["n"][0].as_py())

    def _chosen(self, columns: Sequence[str], where: Condition) -> Any:
        values = [f"{self._written.value(name)} AS c{i}" for i, name in enumerate(columns)]
        frame = self._columns.source.frame.where(self._written.condition(where))
        return frame.selectExpr(*values)


def _groups(frame: Any, names: Sequence[str], least: int) -> Any:
    """The values that at least so many rows hold, and the `count` of these rows."""
    return frame.groupBy(*names).count().where(f"count >= {least}")
