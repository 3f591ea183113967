"""A sample against a suite, with the real library: outcomes, guards, privacy, quiet and speed."""

import json
import socket
import subprocess
import sys
import time
import warnings
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from monitor.core.records import ExpectationReport, ExpectationResult, SampleInfo, Severity
from monitor.errors import AskedWrongly, PathNotFound, SuiteError
from monitor.ports import Sample, Validator
from monitor.tables.columns import to_sample
from monitor.validation.validator import SuiteValidator

START = datetime(2026, 1, 1)
SECRETS = [f"secret{number:03}" for number in range(100)]


@pytest.fixture(scope="module")
def validator() -> Iterator[SuiteValidator]:
    made = SuiteValidator(timeout_s=30)
    yield made
    made.close()


def sample_of(**columns: Any) -> Sample:
    table = pa.table(columns)
    return to_sample(table, SampleInfo(table.num_rows, table.num_rows, "all"))


@pytest.fixture(scope="module")
def sample() -> Sample:
    """100 rows of every kind of column."""
    rows = range(100)
    hours = [START + timedelta(hours=k) for k in rows]
    return sample_of(
        number=[float(k) for k in rows],
        whole=pa.array([None if k % 10 == 0 else k for k in rows], pa.int64()),
        big=pa.array([None, *(2**60 + k for k in range(99))], pa.int64()),
        money=pa.array(list(rows), pa.int64()).cast(pa.decimal128(22, 2)),
        level=pa.array(["red", "green", "blue", None] * 25).dictionary_encode(),
        secret=SECRETS,
        flag=pa.array([None if k % 4 == 0 else k % 2 == 0 for k in rows]),
        naive=pa.array(hours, pa.timestamp("us")),
        aware=pa.array(hours, pa.timestamp("ms", "Europe/Berlin")),
        day=pa.array([(START + timedelta(days=k)).date() for k in rows]),
        nothing=pa.array([None] * 100, pa.string()),
        nested=[[k] for k in rows],
    )


def expectation(kind: str, **kwargs: object) -> dict[str, Any]:
    return {"type": f"expect_{kind}", "kwargs": kwargs}


def suite_file(folder: Path, *expectations: object) -> str:
    path = folder / "suite.json"
    path.write_text(json.dumps({"name": "s", "expectations": expectations}), encoding="utf-8")
    return str(path)


class Ask:
    """Validates expectations and hands back their results."""

    def __init__(self, validator: SuiteValidator, folder: Path, sample: Sample) -> None:
        self._validator, self._folder, self._sample = validator, folder, sample

    def all(
        self, *expectations: object, sample: Sample | None = None, show: str = "levels"
    ) -> tuple[ExpectationResult, ...]:
        suite = suite_file(self._folder, *expectations)
        report = self._validator.validate(suite, sample or self._sample, show_values=show)
        assert isinstance(report, ExpectationReport)
        assert len(report.results) == len(expectations)
        return report.results

    def one(self, kind: str, show: str = "levels", **kwargs: object) -> ExpectationResult:
        return self.all(expectation(kind, **kwargs), show=show)[0]


@pytest.fixture
def ask(validator: SuiteValidator, tmp_path: Path, sample: Sample) -> Ask:
    return Ask(validator, tmp_path, sample)


# --- Outcomes and their sentences ---

BETWEEN = "column_values_to_be_between"
# Three lines each: what is expected, of what, and what is found.
TABLE = """
column_values_to_be_between
    {"column": "number", "min_value": 0, "max_value": 97}
    fail: 2 of 100 rows (2 %) are outside [0, 97]
column_values_to_be_between
    {"column": "number", "min_value": 0}
    pass: 0 of 100 rows are below 0
column_values_to_be_between
    {"column": "number", "max_value": 97, "mostly": 0.9}
    pass: 2 of 100 rows (2 %) are above 97; up to 10 % are allowed
column_values_to_be_between
    {"column": "number", "max_value": 49, "mostly": 0.9}
    fail: 50 of 100 rows (50 %) are above 49; up to 10 % would be allowed
column_values_to_be_between
    {"column": "whole", "min_value": 5}
    fail: 4 of 90 rows with a value (4.44 %) are below 5
column_values_to_be_between
    {"column": "big", "min_value": 576460752303423488}
    pass: 0 of 99 rows with a value are below 576460752303423488
column_values_to_be_between
    {"column": "money", "max_value": 50}
    fail: 49 of 100 rows (49 %) are above 50
column_values_to_be_between
    {"column": "naive", "min_value": "2026-01-02"}
    fail: 24 of 100 rows (24 %) are below 2026-01-02
column_values_to_be_between
    {"column": "aware", "min_value": "2026-01-02"}
    fail: 24 of 100 rows (24 %) are below 2026-01-02
column_values_to_be_between
    {"column": "aware", "min_value": "2026-01-02T00:00:00+02:00"}
    fail: 22 of 100 rows (22 %) are below 2026-01-02T00:00:00+02:00
column_values_to_be_between
    {"column": "naive", "min_value": "2026-01-02T00:00:00+02:00"}
    fail: 22 of 100 rows (22 %) are below 2026-01-02T00:00:00+02:00
column_values_to_be_between
    {"column": "day", "max_value": "2026-01-01"}
    fail: 99 of 100 rows (99 %) are above 2026-01-01
column_values_to_be_in_set
    {"column": "level", "value_set": ["red", "green"]}
    fail: 25 of 75 rows with a value (33.33 %) are not in the set
column_values_to_be_in_set
    {"column": "flag", "value_set": [true, false]}
    pass: 0 of 75 rows with a value are not in the set
column_values_to_be_in_set
    {"column": "aware", "value_set": ["2026-01-01"]}
    fail: 99 of 100 rows (99 %) are not in the set
column_values_to_not_be_null
    {"column": "whole"}
    fail: 10 of 100 rows (10 %) are null
column_values_to_be_unique
    {"column": "secret"}
    pass: 0 of 100 rows are repeated
column_values_to_be_unique
    {"column": "big"}
    pass: 0 of 99 rows with a value are repeated
column_values_to_match_regex
    {"column": "secret", "regex": "^secret0[0-4]"}
    fail: 50 of 100 rows (50 %) do not match the pattern
column_values_to_not_match_regex
    {"column": "secret", "regex": "9$"}
    fail: 10 of 100 rows (10 %) match the forbidden pattern
column_values_to_match_regex_list
    {"column": "secret", "regex_list": ["0", "9"], "match_on": "all"}
    fail: 81 of 100 rows (81 %) do not match the patterns
column_values_to_not_match_regex_list
    {"column": "secret", "regex_list": ["x", "99"]}
    fail: 1 of 100 rows (1 %) match a forbidden pattern
column_value_lengths_to_equal
    {"column": "secret", "value": 9}
    pass: 0 of 100 rows have a length other than 9
column_values_to_be_of_type
    {"column": "secret", "type_": "str"}
    pass: 0 of 100 rows are of another type
column_values_to_be_of_type
    {"column": "number", "type_": "float64"}
    pass: observed float64 meets the expectation
column_pair_values_a_to_be_greater_than_b
    {"column_A": "number", "column_B": "money"}
    fail: 100 of 100 rows (100 %) have number not above money
column_mean_to_be_between
    {"column": "number", "max_value": 40}
    fail: mean 49.5 is above 40
column_mean_to_be_between
    {"column": "money", "min_value": 40, "max_value": 50}
    pass: mean 49.5 is within [40, 50]
column_median_to_be_between
    {"column": "whole", "min_value": 60}
    fail: median 50 is below 60
column_stdev_to_be_between
    {"column": "number", "min_value": 40}
    fail: standard deviation 29.0115 is below 40
column_sum_to_be_between
    {"column": "number", "min_value": 4950, "strict_min": true}
    fail: sum 4950 is not above 4950
column_max_to_be_between
    {"column": "naive", "max_value": "2026-01-02"}
    fail: largest value 2026-01-05T03:00:00 is above 2026-01-02
column_min_to_be_between
    {"column": "aware", "min_value": "2026-01-01"}
    pass: smallest value 2026-01-01T01:00:00+01:00 is at least 2026-01-01
column_quantile_values_to_be_between
    {"column": "number", "quantile_ranges": {"quantiles": [0.5], "value_ranges": [[0, 1]]}}
    fail: a quantile is outside its range
column_distinct_values_to_be_in_set
    {"column": "level", "value_set": ["red", "blue"]}
    fail: 1 level is not in the set: 'green'
column_distinct_values_to_contain_set
    {"column": "level", "value_set": ["red", "pink"]}
    fail: 1 level of the set is missing: 'pink'
column_distinct_values_to_equal_set
    {"column": "level", "value_set": ["red", "pink", "green"]}
    fail: 1 level is not in the set: 'blue'; 1 level of the set is missing: 'pink'
column_to_exist
    {"column": "gone"}
    fail: column 'gone' is missing
column_to_exist
    {"column": "number"}
    pass: column 'number' is there
table_row_count_to_be_between
    {"min_value": 1000}
    fail: number of rows 100 is below 1000
table_row_count_to_equal
    {"value": 100}
    pass: number of rows 100, as expected
table_column_count_to_equal
    {"value": 3}
    fail: number of columns 12 instead of 3
table_columns_to_match_set
    {"column_set": ["number"]}
    fail: the columns are not the expected ones
table_columns_to_match_set
    {"column_set": ["number", "flag"], "exact_match": false}
    pass: the columns are the expected ones
"""


def outcomes() -> Iterator[tuple[str, dict[str, Any], bool, str]]:
    lines = TABLE.strip().splitlines()
    for kind, arguments, found in zip(lines[::3], lines[1::3], lines[2::3], strict=True):
        outcome, _, reason = found.strip().partition(": ")
        yield kind, json.loads(arguments), outcome == "pass", reason


OUTCOMES = list(outcomes())


@pytest.mark.parametrize(
    ("kind", "kwargs", "success", "reason"), OUTCOMES, ids=[f"{o[0]}-{o[3]}" for o in OUTCOMES]
)
def test_outcome(ask: Ask, kind: str, kwargs: dict[str, Any], success: bool, reason: str) -> None:
    result = ask.one(kind, **kwargs)
    assert (result.success, result.reason) == (success, reason)
    assert result.severity is Severity.CRITICAL
    assert result.column == kwargs.get("column")
    assert result.expected == {key: v for key, v in kwargs.items() if key != "column"}


def test_every_outcome_at_once_is_the_same_as_alone(ask: Ask) -> None:
    results = ask.all(*(expectation(kind, **kwargs) for kind, kwargs, _, _ in OUTCOMES))
    assert [(r.success, r.reason) for r in results] == [(o[2], o[3]) for o in OUTCOMES]


def test_agrees_with_the_library_running_by_itself(ask: Ask, sample: Sample) -> None:
    import great_expectations as gx
    from great_expectations.expectations.registry import get_expectation_impl

    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = {"globally": False}
    asset = context.data_sources.add_pandas("p").add_dataframe_asset("a")
    rows = {"dataframe": sample.table.to_pandas()}
    batch = asset.add_batch_definition_whole_dataframe("b").get_batch(rows)
    compared = 0
    for kind, kwargs, _, _ in OUTCOMES:
        if kwargs.get("column", "number") not in ("number", "secret", "flag"):
            continue  # times, decimals and categories are where we help the library
        theirs = batch.validate(get_expectation_impl(f"expect_{kind}")(**kwargs))
        ours = ask.one(kind, **kwargs)
        assert ours.success is bool(theirs.success), ours
        assert ours.unexpected_rows == theirs.result.get("unexpected_count"), ours
        compared += 1
    assert compared > 20


def test_shares_and_counts(ask: Ask) -> None:
    result = ask.one("column_values_to_not_be_null", column="whole")
    assert (result.unexpected_rows, result.unexpected_share) == (10, 0.1)
    assert result.observed == "10 % unexpected"
    assert ask.one("column_mean_to_be_between", column="number", min_value=0).observed == 49.5


def test_severity_is_the_suites(ask: Ask) -> None:
    wanted = expectation("column_values_to_not_be_null", column="whole") | {"severity": "info"}
    assert ask.all(wanted)[0].severity is Severity.INFO


def test_it_is_the_socket(validator: SuiteValidator) -> None:
    socket_of_the_house: Validator = validator
    assert socket_of_the_house is validator


# --- What cannot be evaluated ---


def test_a_bad_expectation_costs_its_neighbours_nothing(ask: Ask) -> None:
    bad = [
        expectation(BETWEEN, column="gone", min_value=0),
        expectation("column_mean_to_be_between", column="secret", min_value=0),
        expectation(BETWEEN, column="nested", min_value=0),
        expectation(BETWEEN, column="number", min_value="2026-01-01"),
        expectation("column_max_to_be_between", column="secret", max_value="2026-01-01"),
        expectation("column_distinct_values_to_be_in_set", column="nested", value_set=[1]),
    ]
    good = [expectation(kind, **kwargs) for kind, kwargs, _, _ in OUTCOMES]
    mixed = [item for pair in zip(good, bad * 9, strict=False) for item in pair]
    results = ask.all(*mixed)
    assert [r.success for r in results[1::2]] == [None] * len(good)
    assert [(r.success, r.reason) for r in results[::2]] == [(o[2], o[3]) for o in OUTCOMES]
    assert [r.reason for r in results[1:9:2]] == [
        "column 'gone' is not in the window",
        "column 'secret' does not hold numbers or times, so it has no mean",
        "column 'nested' does not hold numbers or times, so it cannot be held against bounds",
        "could not be evaluated: the column's values and the arguments do not go together "
        "(TypeError)",
    ]


# What is no number lies within no bounds: bad data, and no failure to look.
@pytest.mark.parametrize(
    ("values", "bounds", "told"),
    [
        (["1", "2.5", "n/a", None], {"min_value": 0, "max_value": 9},
         (False, "1 of 3 rows with a value (33.33 %) are outside [0, 9], because it holds no "
          "number")),
        (["1", "-2", "n/a", "twelve"], {"min_value": 0},
         (False, "3 of 4 rows (75 %) are below 0, 2 of them because they hold no number")),
        (["n/a", *map(str, range(99))], {"min_value": 0, "mostly": 0.95},
         (True, "1 of 100 rows (1 %) are below 0, because it holds no number; up to 5 % are "
          "allowed")),
        (["broken"] * 3, {"max_value": 1},
         (False, "3 of 3 rows (100 %) are above 1, because they hold no number")),
        (["1", "2"], {"min_value": 1, "strict_min": True},
         (False, "1 of 2 rows (50 %) are not above 1")),
        (["2026-01-05", "2026-01-09T12:00", "soon"], {"min_value": "2026-01-01"},
         (False, "1 of 3 rows (33.33 %) are below 2026-01-01, because it holds no time")),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_outside_of_every_bound(
    ask: Ask, values: list[str | None], bounds: dict[str, Any], told: tuple[bool, str]
) -> None:
    rows = sample_of(text=values)
    (result,) = ask.all(expectation(BETWEEN, column="text", **bounds), sample=rows)
    assert (result.success, result.reason) == told


def test_what_cannot_be_read_is_shown_and_counted(ask: Ask) -> None:
    rows = sample_of(text=["1", "n/a", "7"])
    found = expectation(BETWEEN, column="text", max_value=5)
    mean = expectation("column_mean_to_be_between", column="text", max_value=5)
    shown, unknown = ask.all(found, mean, sample=rows, show="all")
    assert (shown.unexpected_rows, shown.examples) == (2, ("n/a", "7"))
    assert unknown.success is None
    assert unknown.reason == "1 of the 3 values of column 'text' is no number, so it has no mean"


HALF = {"quantiles": [0.5], "value_ranges": [[0, 1]]}


@pytest.mark.parametrize(
    ("kind", "kwargs"),
    [
        ("column_mean_to_be_between", {"min_value": 0}),
        ("column_median_to_be_between", {"min_value": 0}),
        ("column_sum_to_be_between", {"min_value": 0}),
        ("column_stdev_to_be_between", {"min_value": 0}),
        ("column_quantile_values_to_be_between", {"quantile_ranges": HALF}),
        ("column_value_z_scores_to_be_less_than", {"threshold": 3, "double_sided": True}),
    ],
)  # fmt: skip
def test_arithmetic_on_text_is_never_tried(ask: Ask, kind: str, kwargs: dict[str, Any]) -> None:
    long = sample_of(text=["x" * 50] * 300_000)
    began = time.perf_counter()
    (result,) = ask.all(expectation(kind, column="text", **kwargs), sample=long, show="all")
    assert result.success is None
    assert "does not hold numbers or times" in result.reason
    assert time.perf_counter() - began < 2  # concatenating them takes far longer


def test_no_rows_is_no_answer(ask: Ask, sample: Sample) -> None:
    empty = to_sample(sample.table.slice(0, 0), SampleInfo(0, 0, "all"))
    results = ask.all(*(expectation(kind, **kw) for kind, kw, _, _ in OUTCOMES), sample=empty)
    assert {(r.success, r.reason) for r in results} == {(None, "there are no rows in the window")}


def test_a_column_without_any_value(ask: Ask) -> None:
    assert ask.one("column_values_to_not_be_null", column="nothing").unexpected_rows == 100
    unique = ask.one("column_values_to_be_unique", column="nothing")
    assert (unique.success, unique.unexpected_share) == (True, 0.0)
    mean = ask.one("column_mean_to_be_between", column="nothing", min_value=0)
    assert mean.success is not True


def test_a_column_that_cannot_be_read_says_so(ask: Ask) -> None:
    offsets = pa.array([0, 1, 2], pa.int32()).buffers()[1]
    broken = pa.StringArray.from_buffers(2, offsets, pa.py_buffer(b"\xff\xfe"))
    sample = sample_of(bad=broken, good=[1, 2])
    bad, good = ask.all(
        expectation("column_values_to_be_unique", column="bad"),
        expectation("column_values_to_be_unique", column="good"),
        sample=sample,
    )
    assert (bad.success, bad.reason) == (None, "column 'bad' could not be read")
    assert good.success is True


def test_infinities_and_nan_stay_out_of_json(ask: Ask) -> None:
    odd = sample_of(x=[1.0, float("inf"), float("nan")], y=[float("-inf"), float("inf"), 0.0])
    results = ask.all(
        expectation("column_mean_to_be_between", column="x", max_value=5),
        expectation("column_mean_to_be_between", column="y", max_value=5),
        expectation(BETWEEN, column="x", max_value=5),
        expectation(BETWEEN, column="x", max_value=float("inf")),
        sample=odd,
        show="all",
    )
    for result in results:
        json.dumps([result.observed, result.expected, result.examples], allow_nan=False)
    assert results[2].reason == "1 of 2 rows with a value (50 %) are above 5"
    assert results[2].examples == ()


# --- Row conditions ---


def test_a_row_condition_picks_the_rows(ask: Ask) -> None:
    written = ask.one(
        "column_mean_to_be_between",
        column="number",
        max_value=10,
        row_condition='col("number") > 89 and level.notnull()',
        condition_parser="great_expectations",
    )
    structured = ask.one(
        BETWEEN,
        column="number",
        max_value=96,
        row_condition={
            "type": "and",
            "conditions": [
                {
                    "type": "comparison",
                    "column": {"name": "aware"},
                    "operator": ">=",
                    "parameter": "2026-01-05",
                },
                {"type": "nullity", "column": {"name": "level"}, "is_null": False},
            ],
        },
    )
    assert (written.success, written.observed) == (False, pytest.approx(660 / 7))
    assert written.expected["row_condition"] == "number > 89 and level is not null"
    assert structured.reason == "2 of 3 rows (66.67 %) are above 96"


def test_a_row_condition_without_rows_or_columns(ask: Ask) -> None:
    def bounded(kind: str, condition: str) -> dict[str, Any]:
        return expectation(kind, column="number", max_value=0, row_condition=condition)

    rows, mean, gone, text = ask.all(
        bounded(BETWEEN, "number > 1000"),
        bounded("column_mean_to_be_between", "number > 1000"),
        bounded(BETWEEN, "gone > 1"),
        bounded(BETWEEN, "secret > 1"),
    )
    why = "no row of the window meets its row condition"
    assert (rows.success, rows.reason, rows.unexpected_rows) == (True, why, 0)
    assert (mean.success, mean.reason) == (None, why)
    assert (gone.success, gone.reason) == (None, "column 'gone' is not in the window")
    assert text.success is None
    assert "TypeError" in text.reason


# --- What may be seen ---


def leaks(results: tuple[ExpectationResult, ...]) -> set[str]:
    text = repr([(r.reason, r.observed, r.examples) for r in results])
    return {secret for secret in SECRETS if secret in text}


PRYING = [
    expectation("column_values_to_be_in_set", column="secret", value_set=["x"]),
    expectation("column_values_to_match_regex", column="secret", regex="^x"),
    expectation("column_max_to_be_between", column="secret", max_value="2026-01-01"),
    expectation("column_max_to_be_between", column="secret", max_value=3),
    expectation("column_min_to_be_between", column="secret"),
    expectation("column_mean_to_be_between", column="secret", max_value=3),
    expectation("column_values_to_be_dateutil_parseable", column="secret"),
    expectation("column_pair_values_to_be_equal", column_A="secret", column_B="level"),
    expectation("compound_columns_to_be_unique", column_list=["secret", "level"]),
    expectation("multicolumn_sum_to_equal", column_list=["secret", "number"], sum_total=1),
    expectation("column_values_to_match_json_schema", column="secret", json_schema={}),
    expectation("column_value_lengths_to_equal", column="secret", value=1),
]
SETS = [
    expectation("column_distinct_values_to_be_in_set", column="secret", value_set=["x"]),
    expectation("column_most_common_value_to_be_in_set", column="secret", value_set=["x"]),
]


@pytest.mark.parametrize("show", ["never", "levels"])
def test_values_do_not_leak(ask: Ask, show: str) -> None:
    results = ask.all(*PRYING, show=show)
    assert leaks(results) == set()
    assert all(result.examples == () for result in results)
    assert all(result.success is not True for result in results[:4])


def test_levels_are_named_where_they_may_be(ask: Ask) -> None:
    assert leaks(ask.all(*SETS, show="never")) == set()
    assert leaks(ask.all(*SETS, show="levels"))
    numbers = expectation("column_distinct_values_to_be_in_set", column="number", value_set=[1])
    assert ask.all(numbers, show="levels")[0].reason == "99 levels are not in the set"


def test_examples_are_few_and_different(ask: Ask) -> None:
    repeated, many = ask.all(
        expectation("column_values_to_be_in_set", column="level", value_set=["red"]),
        expectation("column_values_to_match_regex", column="secret", regex="^x"),
        show="all",
    )
    assert sorted(repeated.examples) == ["blue", "green"]
    assert many.examples == tuple(SECRETS[:5])
    (naive,) = ask.all(expectation(BETWEEN, column="naive", max_value="2026-01-05"), show="all")
    assert naive.examples == (
        "2026-01-05T01:00:00", "2026-01-05T02:00:00", "2026-01-05T03:00:00",
    )  # fmt: skip


def test_a_message_is_cut(ask: Ask) -> None:
    long = sample_of(text=["word " * 500])
    (result,) = ask.all(
        expectation("column_max_to_be_between", column="text", max_value="2026-01-01"),
        sample=long,
        show="all",
    )
    assert result.success is None
    assert len(result.reason) < 300


def test_long_arguments_are_cut(ask: Ask) -> None:
    result = ask.one(
        "column_values_to_be_in_set", column="number", value_set=[float(k) for k in range(5000)]
    )
    assert result.success is True
    assert len(result.expected["value_set"]) == 101


def test_how_much_to_show_is_one_of_three(validator: SuiteValidator, sample: Sample) -> None:
    with pytest.raises(AskedWrongly, match="never, levels, all"):
        validator.validate("x.json", sample, show_values="some")


# --- Which suite ---


def test_a_changed_suite_is_read_again(ask: Ask) -> None:
    assert ask.one("column_to_exist", column="number").success is True
    assert ask.one("column_to_exist", column="nowhere").success is False
    with pytest.raises(SuiteError):
        ask.all({"type": "expect_nothing", "kwargs": {}})


def test_a_missing_suite(validator: SuiteValidator, sample: Sample) -> None:
    with pytest.raises(PathNotFound):
        validator.validate("/nowhere/suite.json", sample, show_values="never")


def test_a_suite_is_checked_before_the_data(
    validator: SuiteValidator, sample: Sample, tmp_path: Path
) -> None:
    empty = to_sample(sample.table.slice(0, 0), SampleInfo(0, 0, "all"))
    with pytest.raises(SuiteError, match="empty"):
        validator.validate(suite_file(tmp_path), empty, show_values="never")


# --- Quiet ---


def test_it_writes_nothing_and_calls_nobody(
    ask: Ask,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("a connection was tried")

    folder = tmp_path / "work"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setenv("HOME", str(folder))
    monkeypatch.setattr(socket.socket, "connect", refuse)
    filters, shown = list(warnings.filters), warnings.showwarning
    results = ask.all(
        *PRYING, *SETS, *(expectation(kind, **kwargs) for kind, kwargs, _, _ in OUTCOMES)
    )
    assert len(results) > 40
    assert capfd.readouterr() == ("", "")
    assert list(folder.iterdir()) == []
    assert warnings.filters == filters
    assert warnings.showwarning is shown


COLD = """
import sys, warnings
import monitor.validation.validator as validator
heavy = {"great_expectations", "pandas", "scipy"} & set(sys.modules)
import pyarrow as pa
from monitor.core.records import SampleInfo
from monitor.tables.columns import to_sample
shown = warnings.showwarning
sample = to_sample(pa.table({"secret": ["a", "b"]}), SampleInfo(2, 2, "all"))
report = validator.SuiteValidator().validate(sys.argv[1], sample, show_values="never")
print(sorted(heavy), [r.success for r in report.results], warnings.showwarning is shown)
"""


def test_a_cold_process_imports_late_and_stays_quiet(tmp_path: Path) -> None:
    suite = suite_file(
        tmp_path,
        expectation("column_values_to_match_regex", column="secret", regex="(a|b)"),
        expectation("column_max_to_be_between", column="secret", max_value="2026-01-01"),
    )
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", COLD, suite],
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).parent.parent,
    )
    assert run.stderr == ""
    assert run.stdout == "[] [True, None] True\n"


def test_warnings_of_others_stay_theirs(ask: Ask) -> None:
    ask.one("column_to_exist", column="number")
    with pytest.warns(UserWarning, match="mine"):
        warnings.warn("mine", stacklevel=1)


def test_moments_are_told_in_utc_when_no_offset_is_given(ask: Ask) -> None:
    moment = datetime(2026, 1, 1, 23, tzinfo=UTC).isoformat()
    for column in ("naive", "aware"):
        assert ask.one(BETWEEN, column=column, max_value=moment).unexpected_rows == 76
