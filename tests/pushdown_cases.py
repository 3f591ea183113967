"""Rows with all that engines see differently, a suite about them, and what counts as the same."""

import datetime as dt
import json
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from monitor.core.records import ExpectationResult, Window

START = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
HOUR = dt.timedelta(hours=1)
INSIDE, ALL = 240, 300
WINDOW = Window(START, START + INSIDE * HOUR)  # what comes after it breaks every rule
STRANGE = 'we"ird `name`'

NAMES = ["it's", 'say "so"', "Zoë", "𝟜 wide", "back\\slash", "a-1", "b-22", "line\n", "two\nlines",
         "c-٣", "", "percent % :x", None]  # fmt: skip


def _cycle(values: Sequence[Any]) -> list[Any]:
    return [values[k % len(values)] for k in range(ALL)]


def _inside(values: Sequence[Any], after: Any) -> list[Any]:
    return [*values[:INSIDE], *[after] * (ALL - INSIDE)]


def table() -> pa.Table:
    """300 rows an hour apart, of which 240 are in the window."""
    rows = range(ALL)
    floats = [None if k % 11 == 0 else float("nan") if k % 13 == 0 else k / 7 for k in rows]
    prices = [None if k % 17 == 0 else Decimal(k * 37 % 5000) / 100 for k in rows]
    days = [None if k % 19 == 0 else dt.date(2026, 1, 1) + dt.timedelta(days=k // 24) for k in rows]
    local = [None if k % 23 == 0 else dt.datetime(2026, 1, 1) + k * HOUR for k in rows]
    moments = [None if k % 29 == 0 else START + k * HOUR for k in rows]
    flags = _cycle([True, False, True, None])
    return pa.table(
        {
            "at": [int((START + k * HOUR).timestamp()) for k in rows],
            "whole": _inside(list(rows), -1_000_000),
            "gaps": pa.array([None if k % 10 == 0 else k % 50 for k in rows], pa.int64()),
            "amount": pa.array(_inside(floats, 1e9), pa.float64(), from_pandas=False),
            "beyond": pa.array(_cycle([1.0, float("inf"), -2.5]), pa.float64()),
            "price": pa.array(_inside(prices, Decimal("77777.77")), pa.decimal128(10, 2)),
            "flag": pa.array(flags, pa.bool_()),
            "sure": pa.array([k % 3 == 0 for k in rows], pa.bool_()),
            "name": pa.array(_inside(_cycle(NAMES), "outside the window"), pa.string()),
            "code": pa.array([f"K{k:03}-{'ab'[k % 2]}" for k in rows], pa.string()),
            "day": pa.array(_inside(days, dt.date(2030, 1, 1)), pa.date32()),
            "local": pa.array(local, pa.timestamp("us")),
            "moment": pa.array(moments, pa.timestamp("us", "UTC")),
            "nothing": pa.nulls(ALL, pa.float64()),
            STRANGE: [k % 5 for k in rows],
        }
    )


def _each(column: str, *kinds: tuple[str, dict[str, Any]]) -> list[tuple[str, dict[str, Any]]]:
    return [(kind, {"column": column, **more}) for kind, more in kinds]


OLD, LATE = "2026-01-03", "2026-01-09T06:30:00"
# Nearly everything an engine can be asked; what every engine is to answer stands first.
EVERYWHERE: list[tuple[str, dict[str, Any]]] = [
    ("table_row_count_to_equal", {"value": INSIDE}),
    ("table_row_count_to_be_between", {"min_value": 1, "max_value": 100}),
    ("table_column_count_to_equal", {"value": 15}),
    ("table_columns_to_match_set", {"column_set": ["at", "whole"]}),
    ("column_to_exist", {"column": "name"}),
    ("column_to_exist", {"column": "absent"}),
    *_each("gaps", ("column_values_to_not_be_null", {"mostly": 0.9})),
    *_each("amount", ("column_values_to_not_be_null", {}), ("column_values_to_be_null", {})),
    *_each("nothing", ("column_values_to_be_null", {}), ("column_values_to_be_unique", {})),
    *_each(
        "whole",
        ("column_values_to_be_between", {"min_value": 0, "max_value": 200}),
        ("column_values_to_be_between", {"min_value": 0, "strict_min": True, "mostly": 0.99}),
        ("column_min_to_be_between", {"min_value": 0}),
        ("column_max_to_be_between", {"max_value": 100}),
        ("column_sum_to_be_between", {"min_value": 28_680, "max_value": 28_680}),
        ("column_mean_to_be_between", {"min_value": 100, "max_value": 119}),
        ("column_values_to_be_unique", {}),
        ("column_unique_value_count_to_be_between", {"max_value": 3}),
    ),
    *_each(
        "gaps",
        ("column_values_to_be_in_set", {"value_set": [1, 2, 3.0]}),
        ("column_values_to_not_be_in_set", {"value_set": [1, 2, 77]}),
        ("column_max_to_be_between", {"max_value": 3}),
        ("column_sum_to_be_between", {"max_value": 3}),
        ("column_values_to_be_unique", {"mostly": 0.1}),
        ("column_proportion_of_unique_values_to_be_between", {"max_value": 0.1}),
        ("column_proportion_of_non_null_values_to_be_between", {"min_value": 0.95}),
    ),
    *_each(
        "amount",
        ("column_values_to_be_between", {"min_value": 1.5, "max_value": 20, "strict_max": True}),
        ("column_min_to_be_between", {"min_value": 1}),
        ("column_max_to_be_between", {"max_value": 100}),
        ("column_mean_to_be_between", {"max_value": 1}),
        ("column_unique_value_count_to_be_between", {"min_value": 1, "max_value": 10}),
    ),
    *_each(
        "beyond",
        ("column_values_to_be_between", {"min_value": 0, "max_value": 5}),
        ("column_max_to_be_between", {"max_value": 5}),
        ("column_values_to_be_in_set", {"value_set": [1, -2.5]}),
    ),
    *_each(
        "price",
        ("column_values_to_be_between", {"min_value": 0.37, "max_value": 48.1}),
        ("column_values_to_be_in_set", {"value_set": [0.37, 0.74]}),
        ("column_min_to_be_between", {"min_value": 1}),
        ("column_sum_to_be_between", {"max_value": 1}),
    ),
    *_each(
        "nothing",
        ("column_mean_to_be_between", {"min_value": 0}),
        ("column_max_to_be_between", {"min_value": 0}),
        ("column_sum_to_be_between", {"min_value": 0}),
        ("column_values_to_be_between", {"min_value": 0}),
    ),
    *_each(
        "flag",
        ("column_values_to_be_in_set", {"value_set": [True]}),
        ("column_values_to_not_be_in_set", {"value_set": [False], "mostly": 0.5}),
        ("column_unique_value_count_to_be_between", {"max_value": 1}),
    ),
    *_each("sure", ("column_values_to_be_in_set", {"value_set": [True, False]})),
    *_each(
        "name",
        ("column_values_to_be_in_set", {"value_set": ["it's", 'say "so"', "back\\slash", "Zoë"]}),
        ("column_values_to_not_be_in_set", {"value_set": ["percent % :x", "line\n"]}),
        ("column_value_lengths_to_be_between", {"min_value": 1, "max_value": 6}),
        ("column_value_lengths_to_equal", {"value": 4}),
        ("column_unique_value_count_to_be_between", {"min_value": 12, "max_value": 12}),
    ),
    *_each(
        "code",
        ("column_values_to_be_unique", {}),
        ("column_value_lengths_to_equal", {"value": 6}),
    ),
    *_each(STRANGE, ("column_values_to_be_between", {"min_value": 1, "mostly": 0.8})),
    ("column_pair_values_to_be_equal", {"column_A": "whole", "column_B": STRANGE}),
    (
        "column_pair_values_a_to_be_greater_than_b",
        {"column_A": "gaps", "column_B": "amount", "or_equal": True},
    ),
    (
        "column_pair_values_a_to_be_greater_than_b",
        {"column_A": "gaps", "column_B": "amount", "ignore_row_if": "either_value_is_missing"},
    ),
    ("compound_columns_to_be_unique", {"column_list": ["flag", "gaps"]}),
    (
        "compound_columns_to_be_unique",
        {"column_list": ["amount", STRANGE], "ignore_row_if": "any_value_is_missing"},
    ),
    *(
        (f"column_distinct_values_to_{rule}", {"column": column, "value_set": values})
        for rule in ("be_in_set", "contain_set", "equal_set")
        for column, values in (
            ("name", ["it's", 'say "so"', "lost"]), ("gaps", [1, 2, 77]), ("sure", [True, False]),
        )
    ),
    # Row conditions; a missing value meets `!=` and `not in`
    *(
        ("column_values_to_be_between",
         {"column": "whole", "max_value": 100, "row_condition": condition})
        for condition in (
            'col("name") != "it\'s"', 'name in ["Zoë", "say \\"so\\""] and not flag.isnull()',
            "gaps >= 20 or amount < 3.5", "gaps not in [1, 2]", "flag == True",
            "not (price > 20.5)", "whole < 0", 'name < "a"',
        )
    ),
    ("column_mean_to_be_between",
     {"column": "amount", "min_value": 0, "row_condition": "whole < 0"}),
    ("column_max_to_be_between", {"column": "gaps", "max_value": 9, "row_condition": "whole > 5"}),
    ("table_row_count_to_equal", {"value": 120}),
]  # fmt: skip
TIMES: list[tuple[str, dict[str, Any]]] = [
    *(
        (kind, {"column": column, **more})
        for column in ("day", "local", "moment")
        for kind, more in (
            ("column_values_to_be_between", {"min_value": OLD, "max_value": LATE}),
            ("column_values_to_be_in_set", {"value_set": [OLD, "2026-01-04"]}),
            ("column_min_to_be_between", {"min_value": OLD}),
            ("column_max_to_be_between", {"max_value": LATE}),
            ("column_values_to_be_unique", {}),
        )
    ),
    ("column_max_to_be_between",
     {"column": "gaps", "row_condition": 'moment >= "2026-01-02T03:00:00+02:00"', "max_value": 1}),
    ("column_pair_values_to_be_equal", {"column_A": "day", "column_B": "day"}),
]  # fmt: skip
PATTERNS = [
    "^[a-z]-\\d+$", "\\w+$", "^.+$", "[^a-z]", "e$", "s\\b", "^(?:it's|Zo\\w)$", "\\s", "(e|o)+",
    "^K\\d{3}-(a|b)$", "slash$|^$", "\\\\",
]  # fmt: skip
SEARCHES: list[tuple[str, dict[str, Any]]] = [
    *(("column_values_to_match_regex", {"column": "name", "regex": each}) for each in PATTERNS),
    ("column_values_to_not_match_regex", {"column": "code", "regex": "^K0.[1-3]"}),
    ("column_values_to_match_regex_list",
     {"column": "name", "regex_list": ["o", "e"], "match_on": "all", "mostly": 0.05}),
    ("column_stdev_to_be_between", {"column": "whole", "max_value": 3}),
    ("column_stdev_to_be_between", {"column": "amount", "max_value": 3}),
]  # fmt: skip
NOWHERE: list[tuple[str, dict[str, Any]]] = [
    ("column_median_to_be_between", {"column": "amount", "max_value": 3}),
    ("column_values_to_be_between", {"column": "name", "min_value": 3}),
    ("column_values_to_be_in_set", {"column": "name", "value_set": ["Zoë", 4]}),
    ("column_values_to_be_of_type", {"column": "whole", "type_": "int64"}),
    ("column_values_to_be_between", {"column": "absent", "min_value": 3}),
    ("column_mean_to_be_between", {"column": "name", "min_value": 3}),
]
SUITE = [*EVERYWHERE, *TIMES, *SEARCHES, *NOWHERE]
# With groups that are repeated without end, or borders of words, no engine is asked.
ONLY_HERE = {"s\\b", "(e|o)+"}


def suite_file(folder: Path) -> str:
    expectations = [{"type": f"expect_{kind}", "kwargs": more} for kind, more in SUITE]
    path = folder / "suite.json"
    path.write_text(json.dumps({"name": "s", "expectations": expectations}), encoding="utf-8")
    return str(path)


def assert_same(
    found: Sequence[ExpectationResult], wanted: Sequence[ExpectationResult], *, but: str = "never"
) -> None:
    """All but the examples, and sums of floats to twelve digits; `but` is a reason to pass over."""
    for (kind, more), one, other in zip(SUITE, found, wanted, strict=True):
        if but in one.reason:
            continue
        told = f"{kind} {more}"
        for name in ("success", "reason", "unexpected_rows", "severity", "column", "expected"):
            assert getattr(one, name) == getattr(other, name), told
        for name in ("unexpected_share", "observed"):
            value = getattr(other, name)
            close = pytest.approx(value, rel=1e-12) if isinstance(value, float) else value
            assert getattr(one, name) == close, told
            assert type(getattr(one, name)) is type(value), told


def asked_elsewhere(results: Sequence[ExpectationResult], told: str) -> list[tuple[str, Any]]:
    """The expectations that were left to rows which could not be had."""
    return [case for case, found in zip(SUITE, results, strict=True) if told in found.reason]
