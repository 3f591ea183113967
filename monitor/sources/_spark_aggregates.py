"""Aggregates and their conditions as SQL expressions of Spark."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from monitor.core.aggregates import (
    Among,
    Beside,
    Compared,
    Condition,
    Count,
    Every,
    Family,
    Found,
    Long,
    Missing,
    Not,
    Of,
    Value,
)
from monitor.sources._spark_rows import quoted
from monitor.tables.times import to_epoch_us

_FAMILIES: dict[str, Family] = {
    "tinyint": "whole", "smallint": "whole", "int": "whole", "bigint": "whole",
    "double": "fraction", "string": "text", "boolean": "boolean",
    "date": "day", "timestamp": "moment", "timestamp_ntz": "local",
}  # fmt: skip
_NAN = "CAST('NaN' AS DOUBLE)"


def families_of(frame: Any) -> dict[str, Family]:
    """What can be asked of the columns of a data frame, by Spark's names of their types.

    Floats of 32 bits are compared in 32 bits once they are here, and a text with a collation of
    its own otherwise than by its code points: `other`, like whatever is not named.
    """
    return {name: _family(kind) for name, kind in frame.dtypes}


def _family(kind: str) -> Family:
    return "decimal" if kind.startswith("decimal") else _FAMILIES.get(kind, "other")


class Expressions:
    """Writes what is asked of columns whose families are known."""

    def __init__(self, families: Mapping[str, Family]) -> None:
        self._families = families

    def value(self, name: str) -> str:
        """The value of a column, null where it is missing."""
        stored, family = quoted(name), self._families[name]
        if family == "fraction":
            return f"nullif({stored}, {_NAN})"
        if family == "decimal":
            return f"CAST({stored} AS DOUBLE)"
        return f"CAST({stored} AS TIMESTAMP_NTZ)" if family == "day" else stored

    def aggregate(self, asked: Count | Of) -> str:
        if isinstance(asked, Count):
            return f"count_if({self.condition(asked.where)})"
        value = f"CASE WHEN {self.condition(asked.where)} THEN {self.value(asked.column)} END"
        if asked.measure == "distinct":
            return f"count(DISTINCT {value})"
        if asked.measure in ("mean", "deviation"):
            name = "avg" if asked.measure == "mean" else "stddev_samp"
            return f"{name}(CAST({value} AS DOUBLE))"
        if asked.measure == "sum" and self._families[asked.column] == "whole":
            return f"sum(CAST({value} AS DECIMAL(19, 0)))"  # 64 bits would overflow
        return f"{asked.measure}({value})"

    def condition(self, asked: Condition) -> str:
        """True or false, never null."""
        if isinstance(asked, Not):
            return f"(NOT {self.condition(asked.part)})"
        if isinstance(asked, Missing):
            return f"({self.value(asked.column)} IS NULL)"
        if isinstance(asked, Compared | Among | Long | Found | Beside):
            return self._of_value(asked)
        word, empty = (" AND ", "true") if isinstance(asked, Every) else (" OR ", "false")
        return f"({word.join(map(self.condition, asked.parts)) or empty})"

    def _of_value(self, asked: Compared | Among | Long | Found | Beside) -> str:
        value = self.value(asked.column)
        there = f"{value} IS NOT NULL"
        if isinstance(asked, Beside):
            other = self.value(asked.other)
            return f"({there} AND {other} IS NOT NULL AND {value} {asked.sign} {other})"
        if isinstance(asked, Among):
            listed = ", ".join(self._literal(asked.column, each) for each in asked.values)
            return f"({there} AND {value} IN ({listed}))" if listed else "false"
        if isinstance(asked, Long):
            return f"({there} AND char_length({value}) {asked.sign} {asked.length})"
        if isinstance(asked, Found):
            return f"({there} AND {value} RLIKE {_text(asked.pattern)})"
        return f"({there} AND {value} {asked.sign} {self._literal(asked.column, asked.value)})"

    def _literal(self, column: str, value: Value) -> str:
        if isinstance(value, bool):
            return str(value).lower()
        if isinstance(value, str):
            return _text(value)
        if isinstance(value, int):
            return f"CAST({value} AS BIGINT)"
        if isinstance(value, float):
            return f"CAST('{value!r}' AS DOUBLE)"
        return _moment(value, self._families[column])


def _text(value: str) -> str:
    """As bytes: how backslashes in quotes are read depends on the settings of the session.

    >>> _text("it's")
    "CAST(X'69742773' AS STRING)"
    """
    return f"CAST(X'{value.encode().hex()}' AS STRING)"


def _moment(value: datetime, family: Family) -> str:
    if family == "moment":
        return f"timestamp_micros({to_epoch_us(value)})"
    return f"TIMESTAMP_NTZ'{value.isoformat(' ')}'"
