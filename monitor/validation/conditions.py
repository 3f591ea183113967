"""Row conditions as trees of comparisons, and the rows they pick; nothing here runs code."""

import operator
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

from monitor.validation.frames import as_moment, zone_of

Scalar: TypeAlias = str | int | float | bool


@dataclass(frozen=True, slots=True)
class Compare:
    """One column against a value (or, for `in` and `not in`, a tuple of values)."""

    column: str
    sign: str  # == != < <= > >= in, not in
    value: Scalar | tuple[Scalar, ...]


@dataclass(frozen=True, slots=True)
class IsNull:
    """Rows where a column has no value (or, with `null` False, has one)."""

    column: str
    null: bool


@dataclass(frozen=True, slots=True)
class Joined:
    """Parts that must all (`and`) or in part (`or`) hold."""

    word: str  # and, or
    parts: tuple["Condition", ...]


@dataclass(frozen=True, slots=True)
class Opposite:
    """Rows where a condition does not hold."""

    part: "Condition"


Condition: TypeAlias = Compare | IsNull | Joined | Opposite

SIGNS: dict[str, Callable[[Any, Any], Any]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def columns_of(condition: Condition) -> frozenset[str]:
    """Every column a condition looks at."""
    if isinstance(condition, Joined):
        return frozenset().union(*(columns_of(part) for part in condition.parts))
    if isinstance(condition, Opposite):
        return columns_of(condition.part)
    return frozenset([condition.column])


def describe(condition: Condition) -> str:
    """The condition as people write it.

    >>> describe(IsNull("a b", null=False))
    '`a b` is not null'
    """
    if isinstance(condition, Joined):
        return f" {condition.word} ".join(_in_brackets(part) for part in condition.parts)
    if isinstance(condition, Opposite):
        return f"not {_in_brackets(condition.part)}"
    name = condition.column if condition.column.isidentifier() else f"`{condition.column}`"
    if isinstance(condition, IsNull):
        return f"{name} is {'' if condition.null else 'not '}null"
    value = condition.value
    shown = list(value) if isinstance(value, tuple) else value
    return f"{name} {condition.sign} {shown!r}"


def rows_where(condition: Condition, frame: Any) -> Any:
    """Boolean array of shape (rows,): where the condition holds.

    As in pandas, a missing value equals nothing: it meets `!=` and `not in`, and no other
    comparison. TypeError when a column and its value cannot be compared.
    """
    if isinstance(condition, Joined):
        masks = [rows_where(part, frame) for part in condition.parts]
        join = operator.and_ if condition.word == "and" else operator.or_
        first, *others = masks
        for mask in others:
            first = join(first, mask)
        return first
    if isinstance(condition, Opposite):
        return ~rows_where(condition.part, frame)
    series = frame[condition.column]
    if isinstance(condition, IsNull):
        return (series.isna() if condition.null else series.notna()).to_numpy(dtype=bool)
    return _compared(condition, series)


def _compared(condition: Compare, series: Any) -> Any:
    value: Any = condition.value
    zone = zone_of(series)
    if isinstance(value, tuple):
        members = series.isin([as_moment(item, zone) for item in value])
        inside = members.to_numpy(dtype=bool)
        return inside if condition.sign == "in" else ~inside
    found = (series.isna() & (condition.sign == "!=")).to_numpy(dtype=bool)
    present = ~series.isna().to_numpy(dtype=bool)
    compared = SIGNS[condition.sign](series[present], as_moment(value, zone))
    found[present] = compared.to_numpy(dtype=bool)
    return found


def _in_brackets(condition: Condition) -> str:
    text = describe(condition)
    return f"({text})" if isinstance(condition, Joined) else text
