"""What an expectation looks for, as conditions that an engine can count; else Unaskable.

Only where columns and arguments are of one family: what a comparison of a text with a number means
is pandas' to say, on rows that are here.
"""

import math
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, cast

from monitor.core.aggregates import (
    ALWAYS,
    NUMBERS,
    TIMES,
    Among,
    Beside,
    Compared,
    Condition,
    Every,
    Family,
    Found,
    Long,
    Missing,
    Not,
    Sign,
    Some,
    Value,
)
from monitor.validation import conditions
from monitor.validation.frames import AWARE, NAIVE, as_moment
from monitor.validation.patterns import portable

MOST_VALUES = 1000  # of a set; they travel with the question
_INTEGERS = -(2**63), 2**63 - 1

Families = Mapping[str, Family]
Arguments = Mapping[str, Any]


class Unaskable(Exception):
    """What only rows that are here can tell."""


def zone_of_family(family: Family) -> str:
    """How texts among the arguments are read; see `frames.zone_of`."""
    return AWARE if family == "moment" else NAIVE if family in TIMES else ""


def rows_where(condition: conditions.Condition | None, families: Families) -> Condition:
    """A row condition; as `conditions.rows_where` has it, a missing value meets `!=`, `not in`."""
    if condition is None:
        return ALWAYS
    if isinstance(condition, conditions.Joined):
        parts = tuple(rows_where(part, families) for part in condition.parts)
        return Every(parts) if condition.word == "and" else Some(parts)
    if isinstance(condition, conditions.Opposite):
        return Not(rows_where(condition.part, families))
    if isinstance(condition, conditions.IsNull):
        missing = Missing(condition.column)
        return missing if condition.null else Not(missing)
    return _comparison(condition, families)


def _comparison(asked: conditions.Compare, families: Families) -> Condition:
    column, family = asked.column, families[asked.column]
    zone = zone_of_family(family)
    if isinstance(asked.value, tuple):
        among = among_values(column, [as_moment(value, zone) for value in asked.value], families)
        return among if asked.sign == "in" else Not(among)
    value = checked(as_moment(asked.value, zone), family)
    if asked.sign == "!=":
        return Not(Compared(column, "==", value))
    if family == "boolean" and asked.sign != "==":
        raise Unaskable
    return Compared(column, cast(Sign, asked.sign), value)


def checked(value: Any, family: Family) -> Value:
    """An argument that is of a column's family, or Unaskable."""
    if isinstance(value, bool):
        fits = family == "boolean"
    elif isinstance(value, int):
        fits = family in NUMBERS and _INTEGERS[0] <= value <= _INTEGERS[1]
    elif isinstance(value, float):
        fits = family in NUMBERS and not math.isnan(value)
    elif isinstance(value, str):
        fits = family == "text" and "\0" not in value and _is_unicode(value)
    else:
        fits = isinstance(value, datetime) and family in TIMES
        fits = fits and (value.tzinfo is not None) == (family == "moment")
    if not fits:
        raise Unaskable
    return cast(Value, value)


def _is_unicode(text: str) -> bool:
    return not any("\ud800" <= sign <= "\udfff" for sign in text)


def among_values(column: str, values: Any, families: Families) -> Among:
    if not isinstance(values, list | tuple | set) or len(values) > MOST_VALUES:
        raise Unaskable
    return Among(column, tuple(checked(value, families[column]) for value in values))


# --- The rows that break an expectation, by the name of its metric ---


def unexpected(metric: str, domain: Arguments, told: Arguments, families: Families) -> Condition:
    """The rows, of those the expectation counts, that it does not expect."""
    if metric not in _UNEXPECTED:
        raise Unaskable
    return _UNEXPECTED[metric](domain, told, families)


def counted(domain: Arguments) -> Condition:
    """The rows that an expectation about several columns counts."""
    pair = "column_A" in domain
    names = [domain["column_A"], domain["column_B"]] if pair else domain.get("column_list", [])
    missing = tuple(Missing(name) for name in names)
    ignored = domain.get("ignore_row_if")
    if ignored in ("neither", "never"):
        return ALWAYS
    if ignored in ("both_values_are_missing", "all_values_are_missing"):
        return Not(Every(missing))
    if ignored in ("either_value_is_missing", "any_value_is_missing"):
        return Not(Some(missing))
    raise Unaskable


def _within(domain: Arguments, told: Arguments, families: Families) -> Condition:
    column, family = domain["column"], families[domain["column"]]
    if family not in NUMBERS | TIMES:
        raise Unaskable
    inside = _bounds(told, lambda sign, bound: Compared(column, sign, checked(bound, family)))
    return Every((Not(Missing(column)), Not(inside)))


def _of_length(domain: Arguments, told: Arguments, families: Families) -> Condition:
    column = _text_column(domain, families)
    if "value" in told:
        inside: Condition = Long(column, "==", _whole(told["value"]))
    else:
        inside = _bounds(told, lambda sign, bound: Long(column, sign, _whole(bound)))
    return Every((Not(Missing(column)), Not(inside)))


def _bounds(told: Arguments, one: Callable[[Sign, Any], Condition]) -> Condition:
    low, high = told.get("min_value"), told.get("max_value")
    if low is None and high is None:
        raise Unaskable
    parts = []
    if low is not None:
        parts.append(one(">" if told.get("strict_min") else ">=", low))
    if high is not None:
        parts.append(one("<" if told.get("strict_max") else "<=", high))
    return Every(tuple(parts))


def _whole(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int | float) or value != int(value):
        raise Unaskable
    return int(value)


def _not_in_set(domain: Arguments, told: Arguments, families: Families) -> Condition:
    column = domain["column"]
    return Every((Not(Missing(column)), Not(among_values(column, told["value_set"], families))))


def _in_set(domain: Arguments, told: Arguments, families: Families) -> Condition:
    return among_values(domain["column"], told["value_set"], families)


def _searched(domain: Arguments, told: Arguments, families: Families) -> Condition:
    column = _text_column(domain, families)
    written = told.get("regex_list") or [told["regex"]]
    patterns = [portable(pattern) for pattern in written]
    found = tuple(Found(column, pattern) for pattern in patterns if pattern is not None)
    if len(found) < len(patterns):
        raise Unaskable
    return Every(found) if told.get("match_on") == "all" else Some(found)


def _not_found(domain: Arguments, told: Arguments, families: Families) -> Condition:
    return Every((Not(Missing(domain["column"])), Not(_searched(domain, told, families))))


def _text_column(domain: Arguments, families: Families) -> str:
    column: str = domain["column"]
    if families[column] != "text":
        raise Unaskable
    return column


def _not_equal(domain: Arguments, told: Arguments, families: Families) -> Condition:
    return Not(_pair(domain, "==", families))


def _not_greater(domain: Arguments, told: Arguments, families: Families) -> Condition:
    return Not(_pair(domain, ">=" if told.get("or_equal") else ">", families))


def _pair(domain: Arguments, sign: Sign, families: Families) -> Condition:
    left, right = domain["column_A"], domain["column_B"]
    first, second = families[left], families[right]
    alike = first == second or {first, second} <= NUMBERS
    if not alike or not (first in NUMBERS | TIMES or (first == "text" and sign == "==")):
        raise Unaskable
    return Beside(left, sign, right)


_UNEXPECTED: Mapping[str, Callable[[Arguments, Arguments, Families], Condition]] = {
    "column_values.nonnull": lambda domain, *_: Missing(domain["column"]),
    "column_values.null": lambda domain, *_: Not(Missing(domain["column"])),
    "column_values.between": _within,
    "column_values.value_length.between": _of_length,
    "column_values.value_length.equals": _of_length,
    "column_values.in_set": _not_in_set,
    "column_values.not_in_set": _in_set,
    "column_values.match_regex": _not_found,
    "column_values.match_regex_list": _not_found,
    "column_values.not_match_regex": _searched,
    "column_values.not_match_regex_list": _searched,
    "column_pair_values.equal": _not_equal,
    "column_pair_values.a_greater_than_b": _not_greater,
}
