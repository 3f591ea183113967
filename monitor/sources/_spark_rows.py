"""The rows of a Spark data frame: which there are, their times, and a draw of them.

Everything is written as SQL expressions on quoted names, which sessions of both makes understand.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa

from monitor.errors import AskedWrongly, UnknownName
from monitor.sources._spark_cluster import Cluster
from monitor.tables.stretches import Range
from monitor.tables.times import instants

_WHOLE = ("byte", "short", "integer", "long")
_FRACTIONS = ("float", "double")
_COMPARED = (
    *_WHOLE, *_FRACTIONS, "decimal", "boolean", "string", "char", "varchar", "binary", "date",
    "timestamp", "timestamp_ntz", "void",
)  # fmt: skip
_SPARE = 12  # standard deviations by which a draw is larger than what is wanted


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """Some rows of a data frame."""

    cluster: Cluster
    frame: Any
    types: Mapping[str, str]  # name -> what Spark calls its type

    @classmethod
    def of(cls, cluster: Cluster, frame: Any) -> "Rows":
        fields = cluster.run(lambda: frame.schema.fields)
        types = {field.name: field.dataType.typeName() for field in fields}
        if len(types) < len(fields):
            names = [field.name for field in fields]
            repeated = sorted({name for name in names if names.count(name) > 1})
            raise AskedWrongly(
                f"two columns have the same name: {', '.join(repeated)}", hint="rename one of them"
            )
        return cls(cluster, frame, types)

    def where(self, condition: str) -> "Rows":
        return Rows(self.cluster, self.frame.where(condition), self.types)

    def ask(self, *expressions: str) -> pa.Table:
        """The answer to a query of these rows; one row when the expressions are aggregates."""
        return self.cluster.run(lambda: self.frame.selectExpr(*expressions).toArrow())

    def number(self, expression: str) -> int:
        """The answer to one aggregate."""
        return int(self.ask(f"{expression} AS n")["n"][0].as_py() or 0)

    def compared(self, name: str) -> bool:
        """Whether values of such a type are compared."""
        return self.types[name] in _COMPARED

    def missing(self, name: str) -> str:
        """A condition: the row has no value."""
        null = f"{quoted(name)} IS NULL"
        return f"({null} OR isnan({quoted(name)}))" if self.types[name] in _FRACTIONS else null

    def table(self, names: Sequence[str]) -> pa.Table:
        """All rows of some columns."""
        if not names:
            return pa.table({})
        return self.ask(*(quoted(name) for name in names))

    def drawn(self, names: Sequence[str], wanted: int, rows: int, seed: int) -> pa.Table:
        """`wanted` of so many `rows`, each as likely as any other, in the order they lie in.

        A few more are sent than are wanted, by keys that Spark draws; those with the smallest stay.
        """
        if not names or wanted >= rows:
            return self.table(names)
        most = min(1.0, (wanted + _SPARE * math.sqrt(wanted) + 50) / rows)
        key = next(f"_key{i}" for i in range(len(names) + 1) if f"_key{i}" not in names)
        asked = [*(quoted(name) for name in names), f"rand({seed}) AS {key}"]
        sent = self.cluster.run(
            lambda: self.frame.selectExpr(*asked).where(f"{key} < {most!r}").toArrow()
        )
        order = np.argsort(sent[key].to_numpy(), kind="stable")[:wanted]
        return sent.select(list(names)).take(pa.array(np.sort(order)))


def quoted(name: str) -> str:
    """A column name as it stands in SQL.

    >>> quoted("a.b")
    '`a.b`'
    """
    return f"`{name.replace('`', '``')}`"


class Times:
    """The time column of some rows: conditions that Spark can look up, and instants of answers."""

    def __init__(self, rows: Rows, name: str, zone: ZoneInfo) -> None:
        """Raises UnknownName, and AskedWrongly for a type that tells no time."""
        if name not in rows.types:
            raise UnknownName("column", name, rows.types)
        self.name = name
        self._zone = zone
        self._type = rows.types[name]
        self.unreadable = rows.missing(name)
        if self._type not in (*_WHOLE, *_FRACTIONS, "decimal", *_INSTANTS):
            raise AskedWrongly(
                f"the time column {name!r} is of type {self._type}; what can be looked for are "
                "timestamps, dates and numbers of seconds, ms, us or ns",
                hint=f"a `query` may cast it: SELECT *, CAST({quoted(name)} AS TIMESTAMP) AS at",
            )

    def inside(self, within: Range) -> str:
        """A condition: the time is in a range."""
        return " OR ".join(f"({each})" for each in self._stretches(within)) or "false"

    def edges(self, within: Range) -> list[str]:
        """Aggregates: the oldest and the newest stored values in a range."""
        at = quoted(self.name)
        return [
            f"{which}(CASE WHEN {each} THEN {at} END) AS {which}{number}"
            for number, each in enumerate(self._stretches(within))
            for which in ("min", "max")
        ]

    def told(self, answer: pa.Table) -> tuple[int, int] | None:
        """The oldest and the newest instant of an answer to `edges`, in us since 1970."""
        named = [n for n in answer.column_names if n.startswith(("min", "max"))]
        if not named:
            return None
        stored = pa.chunked_array([chunk for name in named for chunk in answer[name].chunks])
        found = instants(stored, self._zone).cast(pa.int64()).drop_null().to_pylist()
        return (min(found), max(found)) if found else None

    def _stretches(self, within: Range) -> list[str]:
        at = quoted(self.name)
        if self._type in _INSTANTS:
            low, high = _INSTANTS[self._type](within, self._zone)
            return [f"{at} >= {low} AND {at} < {high}"]
        whole = self._type in _WHOLE
        return [
            " AND ".join(
                f"{at} {sign} {_number(bound, whole=whole)}"
                for sign, bound in ((">=", low), ("<", high))
                if math.isfinite(bound)
            )
            for low, high in within.numbers(whole=whole)
        ]


def _moments(within: Range, zone: ZoneInfo) -> tuple[str, str]:
    return f"timestamp_micros({within.start_us})", f"timestamp_micros({within.end_us})"


def _local(within: Range, zone: ZoneInfo) -> tuple[str, str]:
    low, high = within.local(zone)
    return f"TIMESTAMP_NTZ'{low.isoformat(' ')}'", f"TIMESTAMP_NTZ'{high.isoformat(' ')}'"


def _days(within: Range, zone: ZoneInfo) -> tuple[str, str]:
    low, high = within.days(zone)
    return f"DATE'{low.isoformat()}'", f"DATE'{high.isoformat()}'"


_INSTANTS = {"timestamp": _moments, "timestamp_ntz": _local, "date": _days}


def _number(bound: float, *, whole: bool) -> str:
    return str(int(bound)) if whole else f"CAST('{bound!r}' AS DOUBLE)"
