"""Texts held against bounds: read as the numbers or times they should be; the rest is bad data."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from monitor.core.spelling import number_in
from monitor.validation.conditions import SIGNS
from monitor.validation.frames import AWARE, as_moment


@dataclass(frozen=True, slots=True)
class Unreadable:
    """How many values, of how many, are not what an expectation is about."""

    values: int
    of: int
    what: str  # "number" or "time"


def is_text(series: Any) -> bool:
    """Whether all values are texts, as they are where one of a file's numbers is none."""
    import pandas as pd

    return bool(pd.api.types.infer_dtype(series, skipna=True) == "string")


def within(texts: Sequence[str], bounds: Mapping[str, Any]) -> tuple[list[bool], list[bool], str]:
    """Of each text: does it lie within the bounds, and can it be read at all; as what.

    ValueError when the bounds are neither numbers nor times. Times without an offset are UTC.
    """
    what, read = _reading(bounds)
    limits = [
        (SIGNS[">" if bounds.get("strict_min") else ">="], read(bounds.get("min_value"))),
        (SIGNS["<" if bounds.get("strict_max") else "<="], read(bounds.get("max_value"))),
    ]
    values = [read(text) for text in texts]
    inside = [
        value is not None and all(limit is None or sign(value, limit) for sign, limit in limits)
        for value in values
    ]
    return inside, [value is not None for value in values], what


def is_number(text: str) -> bool:
    return _number(text) is not None


def _reading(bounds: Mapping[str, Any]) -> tuple[str, Callable[[Any], Any]]:
    given = [b for b in (bounds.get("min_value"), bounds.get("max_value")) if b is not None]
    if given and all(isinstance(bound, int | float) for bound in given):
        return "number", _number
    if given and all(_moment(bound) is not None for bound in given):
        return "time", _moment
    raise ValueError("bounds that are neither numbers nor times")


def _number(value: Any) -> float | None:
    if value is None:
        return None
    number = number_in(value) if isinstance(value, str) else float(value)
    return None if math.isnan(number) else number


def _moment(value: Any) -> datetime | None:
    if isinstance(value, date):  # as Great Expectations reads a bound; a datetime is one, too
        value = value.isoformat()
    moment = as_moment(value.strip() if isinstance(value, str) else value, AWARE)
    return moment if isinstance(moment, datetime) else None
