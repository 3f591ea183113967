"""Metrics of Great Expectations as aggregates of an engine, and its answers as what pandas says."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from monitor.core.aggregates import (
    ALWAYS,
    NUMBERS,
    TIMES,
    Aggregate,
    Compared,
    Condition,
    Count,
    Every,
    Family,
    Measure,
    Missing,
    Not,
    Of,
    Repeated,
    Value,
)
from monitor.validation.asking import Families, Unaskable, among_values, counted, unexpected

Answers: TypeAlias = Mapping[Aggregate, Any]

_MOST_LEVELS = 100  # of a set, each of which is counted
_EXACT = 2**53  # whole numbers that a float holds
_MEASURES: dict[str, Measure] = {
    "column.min": "min",
    "column.max": "max",
    "column.sum": "sum",
    "column.mean": "mean",
    "column.standard_deviation": "deviation",
}
_UNIQUE = ("column_values.unique", "compound_columns.unique")


@dataclass(frozen=True, slots=True)
class Examples:
    """Where values that break an expectation can be found."""

    columns: tuple[str, ...]
    where: Condition
    shape: str  # what GX makes of them: value, pair, record; level, of which each is shown once
    repeated: bool = False  # those that more than one row holds

    @property
    def least(self) -> int:
        """How many rows hold a value of a group of its own; 0 for rows as they are."""
        return 2 if self.repeated else 1 if self.shape == "level" else 0


@dataclass(frozen=True, slots=True)
class Formula:
    """What a metric asks of the engine, and how it follows from the answers."""

    asked: tuple[Aggregate, ...]
    value: Callable[[Answers], Any]
    examples: Examples | None = None  # instead of a value: some values


class Formulas:
    """Writes formulas for metrics over some rows of a table."""

    def __init__(self, names: Sequence[str], families: Families, where: Condition) -> None:
        self._names = list(names)
        self._families = families
        self._where = where

    def of(self, metric: Any) -> Formula:
        """The formula of a metric as GX configures it, or Unaskable."""
        name, domain = metric.metric_name, metric.metric_domain_kwargs
        if name.startswith("table."):
            return self._of_table(name)
        if name.startswith("column."):
            return self._of_column(name, domain["column"], metric.metric_value_kwargs)
        base, _, what = name.rpartition(".")
        return self._of_rows(base, what, domain, metric.metric_value_kwargs)

    def _of_table(self, name: str) -> Formula:
        if name == "table.row_count":
            return _same(Count(self._where))
        if name == "table.columns":
            return Formula((), lambda _: self._names)
        if name == "table.column_count":
            return Formula((), lambda _: len(self._names))
        raise Unaskable

    def _of_column(self, name: str, column: str, told: Mapping[str, Any]) -> Formula:
        there = Count(self._among(Not(Missing(column))))
        if name == "column.non_null_proportion":
            return _share(there, Count(self._where))
        if name in _MEASURES:
            return self._measured(_MEASURES[name], column)
        if self._families[column] == "other":
            raise Unaskable
        if name.startswith("column.distinct_values.") and told.get("value_set"):
            return self._of_levels(name, column, told["value_set"])
        if name not in ("column.distinct_values.count", "column.unique_proportion"):
            raise Unaskable
        distinct = Of("distinct", column, self._where)
        return _share(distinct, there) if name.endswith("proportion") else _same(distinct)

    def _of_levels(self, name: str, column: str, value_set: Any) -> Formula:
        """What a column and a set do not share; times are compared with texts by GX itself."""
        among = among_values(column, value_set, self._families)
        if self._families[column] in TIMES or len(among.values) > _MOST_LEVELS:
            raise Unaskable
        what = name.removeprefix("column.distinct_values.")
        if what.startswith("missing_from_column"):
            return self._missing_levels(column, among.values, count=what.endswith("count"))
        others = self._among(Every((Not(Missing(column)), Not(among))))
        if what == "not_in_set.count":
            return _same(Of("distinct", column, others))
        if what == "not_in_set":
            return Formula((), lambda _: [], Examples((column,), others, "level"))
        raise Unaskable

    def _missing_levels(self, column: str, values: Sequence[Value], *, count: bool) -> Formula:
        counts = {
            value: Count(self._among(Compared(column, "==", value)))
            for value in dict.fromkeys(values)
        }

        def missing(answers: Answers) -> Any:
            found = [value for value, asked in counts.items() if not answers[asked]]
            return len(found) if count else found

        return Formula(tuple(counts.values()), missing)

    def _of_rows(
        self, base: str, what: str, domain: Mapping[str, Any], told: Mapping[str, Any]
    ) -> Formula:
        """Rules that each row meets or breaks."""
        if what == "filtered_row_count":
            return _same(Count(self._among(counted(domain))))
        columns, shape = _columns(domain)
        rows = Not(Missing(columns[0])) if shape == "value" else counted(domain)
        repeated = base in _UNIQUE
        if repeated:
            if any(self._families[name] == "other" for name in columns):
                raise Unaskable
            where = self._among(rows)
        else:
            broken = unexpected(base, domain, told, self._families)
            where = self._among(broken if shape == "value" else Every((rows, broken)))
        if what == "unexpected_count":
            return _same(Repeated(columns, where) if repeated else Count(where))
        if what == "unexpected_values":
            return Formula((), lambda _: [], Examples(columns, where, shape, repeated))
        raise Unaskable

    def _measured(self, measure: Measure, column: str) -> Formula:
        family = self._families[column]
        if family not in (NUMBERS if measure not in ("min", "max") else NUMBERS | TIMES):
            raise Unaskable
        asked, missing = Of(measure, column, self._where), Count(Missing(column))
        float_told = measure in ("mean", "deviation")

        def value(answers: Answers) -> Any:
            found = answers[asked]
            if found is None:
                return 0.0 if measure == "sum" else math.nan
            if float_told:
                return float(found)
            return as_pandas(found, family, answers[missing] > 0)

        return Formula((asked, missing), value)

    def _among(self, condition: Condition) -> Condition:
        return condition if self._where == ALWAYS else Every((self._where, condition))


def as_pandas(value: Any, family: Family, some_missing: bool) -> Any:
    """A value as it is in a frame: whole numbers are floats in a column where some are missing."""
    if value is None:
        return None
    if family == "whole":
        return float(value) if some_missing and abs(value) <= _EXACT else int(value)
    if family in NUMBERS:
        return float(value)
    return bool(value) if family == "boolean" else value


def _share(part: Aggregate, whole: Aggregate) -> Formula:
    def value(answers: Answers) -> Any:
        return answers[part] / answers[whole] if answers[whole] else 0

    return Formula((part, whole), value)


def _same(asked: Aggregate) -> Formula:
    return Formula((asked,), lambda answers: int(answers[asked]))


def _columns(domain: Mapping[str, Any]) -> tuple[tuple[str, ...], str]:
    if "column" in domain:
        return (domain["column"],), "value"
    if "column_A" in domain:
        return (domain["column_A"], domain["column_B"]), "pair"
    if "column_list" in domain:
        return tuple(domain["column_list"]), "record"
    raise Unaskable
