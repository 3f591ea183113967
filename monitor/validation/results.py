"""What Great Expectations says, as plain JSON and one plain sentence, showing no more than allowed.

`show_values` is `never`, `levels` or `all`. Counts, shares, means and the like are always shown;
levels of a categorical column with `levels` and `all`; values of single rows only with `all`.
"""

from collections.abc import Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from math import isfinite
from typing import Any

from monitor.core.records import ExpectationResult
from monitor.validation import wording
from monitor.validation.conditions import describe
from monitor.validation.engine import Decision, Undecidable
from monitor.validation.plans import Plan
from monitor.validation.suites import Entry

MAX_EXAMPLES = 5
_MAX_LEVELS = 10
_MAX_TEXT = 200
_MAX_ARGUMENTS = 100  # items of a list among the arguments

# Their observed values are names of columns or types, which are no data.
_ABOUT_SCHEMA = {
    "expect_table_columns_to_match_ordered_list",
    "expect_table_columns_to_match_set",
    "expect_column_values_to_be_of_type",
    "expect_column_values_to_be_in_type_list",
    "expect_column_type_to_be",
}


def decided(entry: Entry, decision: Decision, show_values: str) -> ExpectationResult:
    """A pass or a fail."""
    found = decision.result
    if "element_count" in found:
        return _about_rows(entry, decision, show_values)
    if "partial_unexpected_list" in found or "partial_missing_list" in found:
        observed = _about_levels(found, show_values)
        reason = wording.of_levels(observed)
    else:
        observed = _observed(entry.type, found.get("observed_value"), show_values)
        reason = wording.of_aggregate(entry, decision.success, observed)
    return _result(entry, decision.success, reason, observed=observed)


def _about_rows(entry: Entry, decision: Decision, show_values: str) -> ExpectationResult:
    found = decision.result
    rows, total = int(found["unexpected_count"] or 0), int(found["element_count"])
    # `mostly` counts the rows that have a value, and so does this share.
    counted = max(total - int(found.get("missing_count") or 0), 0)
    share = rows / counted if counted else 0.0
    return _result(
        entry,
        decision.success,
        wording.of_rows(
            entry, decision.success, rows, counted, counted < total, decision.unreadable
        ),
        observed=f"{wording.percent(share)} unexpected",
        unexpected_rows=rows,
        unexpected_share=share,
        examples=_examples(found.get("partial_unexpected_list"), show_values),
    )


def without_rows(entry: Entry, plan: Plan) -> ExpectationResult:
    """When no row meets the row condition: a rule about rows holds, of a mean nothing is known."""
    why = "no row of the window meets its row condition"
    if not plan.counts_rows:
        return undecided(entry, why)
    return _result(entry, True, why, unexpected_rows=0, unexpected_share=0.0)


def undecided(entry: Entry, why: str) -> ExpectationResult:
    """An error: the expectation could not be evaluated."""
    return _result(entry, None, why)


def why_not(error: Exception, show_values: str) -> str:
    """What went wrong, in a sentence; the library's own words may quote the data."""
    cause = error.__cause__ or error
    if isinstance(cause, Undecidable):
        return str(cause)
    kind = type(cause).__name__
    told = "could not be evaluated"
    if isinstance(cause, TypeError):
        told += ": the column's values and the arguments do not go together"
    if show_values != "all":
        return f"{told} ({kind})"
    return f"{told} ({kind}: {' '.join(str(cause).split())[:_MAX_TEXT]})"


def plain(value: Any) -> Any:
    """Any value as plain JSON: numpy and pandas unwrapped, NaN and infinity null, dates ISO.

    >>> plain({"a": float("inf"), "b": (date(2026, 1, 2), Decimal("1.5"))})
    {'a': None, 'b': ['2026-01-02', 1.5]}
    """
    if value is None or isinstance(value, bool | int | str):
        return value[:_MAX_TEXT] if isinstance(value, str) else value
    if isinstance(value, float | Decimal):
        return float(value) if isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(item) for item in value]
    return _unwrapped(value)


def _unwrapped(value: Any) -> Any:
    if hasattr(value, "tolist"):  # numpy arrays and scalars, pandas series
        inner = value.tolist()
        return str(inner)[:_MAX_TEXT] if type(inner) is type(value) else plain(inner)
    text = str(value)
    if text in ("NaT", "<NA>"):
        return None
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    return value.total_seconds() if isinstance(value, timedelta) else text[:_MAX_TEXT]


def _result(entry: Entry, success: bool | None, reason: str, **found: Any) -> ExpectationResult:
    return ExpectationResult(
        type=entry.type,
        severity=entry.severity,
        success=success,
        reason=reason,
        column=entry.column,
        expected=_expected(entry),
        **found,
    )


def _expected(entry: Entry) -> dict[str, Any]:
    expected = {key: _shortened(value) for key, value in entry.kwargs.items() if key != "column"}
    if entry.condition is not None:
        expected["row_condition"] = describe(entry.condition)
    return expected


def _shortened(value: Any) -> Any:
    if isinstance(value, list) and len(value) > _MAX_ARGUMENTS:
        return [*plain(value[:_MAX_ARGUMENTS]), f"... {len(value)} in all"]
    return plain(value)


def _observed(kind: str, value: Any, show_values: str) -> Any:
    if kind == "expect_column_most_common_value_to_be_in_set":
        return _levels(value or (), show_values)
    shown = plain(value)
    if kind in _ABOUT_SCHEMA or show_values == "all" or not _quotes_data(value):
        return shown
    return None


def _about_levels(found: Mapping[str, Any], show_values: str) -> dict[str, Any]:
    """What the set and the column do not share. The missing ones stand in the suite anyway."""
    observed: dict[str, Any] = {}
    if "partial_unexpected_list" in found:
        observed["not_in_set"] = found["unexpected_count"]
        observed["not_in_set_levels"] = _levels(found["partial_unexpected_list"], show_values)
    if "partial_missing_list" in found:
        observed["missing"] = found["missing_count"]
        observed["missing_levels"] = plain(found["partial_missing_list"][:_MAX_LEVELS])
    return plain(observed)  # type: ignore[no-any-return]


def _levels(values: Any, show_values: str) -> list[Any]:
    """The first levels by name, where they may be shown; numbers and times are not levels."""
    listed = plain(list(values)[:_MAX_LEVELS])
    nameable = all(isinstance(item, str | bool) for item in values)
    return listed if show_values == "all" or (show_values == "levels" and nameable) else []


def _quotes_data(value: Any) -> bool:
    """Texts, alone or within a list, are values of the data; numbers and times are aggregates."""
    if isinstance(value, Mapping):
        return any(_quotes_data(item) for item in value.values())
    if isinstance(value, list | tuple | set):
        return any(_quotes_data(item) for item in value)
    return isinstance(value, str | bytes)


def _examples(values: Any, show_values: str) -> tuple[Any, ...]:
    """A few different failing values."""
    if show_values != "all" or not values:
        return ()
    different = {repr(item): item for item in map(plain, values) if item is not None}
    return tuple(list(different.values())[:MAX_EXAMPLES])
