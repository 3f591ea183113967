"""Loading suites: everything a suite says is carried out, or the load says what is wrong."""

import json
from pathlib import Path
from typing import Any

import pytest

from monitor.core.records import Severity
from monitor.errors import PathNotFound, SuiteError
from monitor.validation.validator import check_suite

NOT_NULL = {"type": "expect_column_values_to_not_be_null", "kwargs": {"column": "x"}}


def written(folder: Path, *expectations: object, **others: object) -> Path:
    path = folder / "suite.json"
    suite = {"name": "s", "expectations": list(expectations), "meta": {}, **others}
    path.write_text(json.dumps(suite), encoding="utf-8")
    return path


def expectation(kind: str, **kwargs: object) -> dict[str, Any]:
    return {"type": kind, "kwargs": kwargs}


def refusal(folder: Path, *expectations: object, **others: object) -> str:
    """The message and the hint of the refusal, which is always one line."""
    with pytest.raises(SuiteError) as caught:
        check_suite(written(folder, *expectations, **others))
    assert "\n" not in str(caught.value)
    return f"{caught.value} {caught.value.hint}"


def test_a_suite_as_the_library_writes_it(tmp_path: Path) -> None:
    import great_expectations as gx
    from great_expectations import expectations as gxe

    suite = gx.ExpectationSuite(
        name="s",
        expectations=[
            gxe.ExpectColumnValuesToBeBetween(
                column="x", min_value=0, max_value=1, mostly=0.9, severity="warning"
            ),
            gxe.ExpectColumnMeanToBeBetween(column="x", min_value=0, notes="why"),
            gxe.ExpectTableRowCountToBeBetween(min_value=1, meta={"rule": "volume"}),
        ],
    )
    path = tmp_path / "suite.json"
    path.write_text(json.dumps(suite.to_json_dict()), encoding="utf-8")
    entries = check_suite(path)
    assert [(e.type, e.column, e.severity) for e in entries] == [
        ("expect_column_values_to_be_between", "x", Severity.WARNING),
        ("expect_column_mean_to_be_between", "x", Severity.CRITICAL),
        ("expect_table_row_count_to_be_between", None, Severity.CRITICAL),
    ]


def test_the_spellings_of_older_versions(tmp_path: Path) -> None:
    old = {
        "expectation_suite_name": "s",
        "data_asset_type": None,
        "ge_cloud_id": None,
        "evaluation_parameters": {"top": 5},
        "meta": {"great_expectations_version": "0.18.0"},
        "expectations": [
            {
                "expectation_type": "expect_column_values_to_be_between",
                "kwargs": {
                    "column": "x",
                    "max_value": {"$PARAMETER": "top"},
                    "result_format": "COMPLETE",
                    "catch_exceptions": True,
                },
                "meta": {},
            }
        ],
    }
    path = tmp_path / "old.json"
    path.write_text(json.dumps(old), encoding="utf-8")
    (entry,) = check_suite(path)
    assert entry.kwargs == {"column": "x", "max_value": 5}


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(PathNotFound, match=r"no expectation suite .*nothing\.json"):
        check_suite(tmp_path / "nothing.json")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{", "not JSON"),
        ("", "not JSON"),
        ("[]", "JSON object"),
        ("{}", "list of `expectations`"),
        ('{"expectations": {}}', "list of `expectations`"),
        ('{"expectations": []}', "empty"),
        ('{"expectations": [3]}', "expectations\\[0\\]"),
        ('{"expectations": [{"kwargs": {}}]}', "no `type`"),
        ('{"expectations": [{"type": "expect_x", "kwargs": 3}]}', "`kwargs` is not an object"),
        ('{"expectations": [], "expectations": [1]}', "twice"),
        ("[" * 100_000, "recursion|not JSON"),
        ('{"type": 1, "expectation": []}', "unknown key"),
    ],
)
def test_what_is_no_suite(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "suite.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(SuiteError, match=says):
        check_suite(path)


def test_a_folder_is_no_suite(tmp_path: Path) -> None:
    with pytest.raises(SuiteError, match="cannot be read"):
        check_suite(tmp_path)


def test_a_misspelt_type_names_its_place_and_the_nearest(tmp_path: Path) -> None:
    said = refusal(tmp_path, NOT_NULL, expectation("expect_column_value_to_be_between", column="x"))
    assert "expectations[1] expect_column_value_to_be_between" in said
    assert "did you mean expect_column_values_to_be_between?" in said


@pytest.mark.parametrize(
    ("kwargs", "says"),
    [
        ({"column": "x", "min_valu": 3}, "'min_valu' is not an argument of it (did you mean 'mi"),
        ({"column": "x", "min_value": 1, "mostly": 95}, "'mostly' must be less than or equal"),
        ({"min_value": 1}, "'column' is required"),
        ({"column": "x"}, "min_value and max_value cannot both be None"),
        ({"column": "x", "min_value": "abc"}, "'min_value' is not a valid float"),
        ({"column": 3, "min_value": 1}, "'column' "),
        ({"column": "x", "min_value": 3, "max_value": 1}, "'min_value' 3 is greater"),
    ],
)
def test_wrong_arguments(tmp_path: Path, kwargs: dict[str, Any], says: str) -> None:
    said = refusal(tmp_path, expectation("expect_column_values_to_be_between", **kwargs))
    assert "expectations[0] expect_column_values_to_be_between: " in said
    assert says in said


def test_a_misspelt_key_is_not_passed_over(tmp_path: Path) -> None:
    assert "did you mean 'severity'?" in refusal(tmp_path, NOT_NULL | {"severty": "info"})
    assert "unknown severity 'fatal'" in refusal(tmp_path, NOT_NULL | {"severity": "fatal"})
    assert "unknown key 'expectation'" in refusal(tmp_path, NOT_NULL, expectation=[])


@pytest.mark.parametrize(
    "kind",
    [
        "unexpected_rows_expectation",
        "expect_query_results_to_match_comparison",
        "expect_table_row_count_to_equal_other_table",
        "expect_column_values_to_match_like_pattern",
    ],
)
def test_what_only_a_database_can_do(
    tmp_path: Path, kind: str, capfd: pytest.CaptureFixture[str]
) -> None:
    arguments: dict[str, dict[str, object]] = {
        "unexpected_rows_expectation": {"unexpected_rows_query": "select 1"},
        "expect_column_values_to_match_like_pattern": {"column": "x", "like_pattern": "a%"},
    }
    said = refusal(tmp_path, expectation(kind, **arguments.get(kind, {})))
    assert "cannot be evaluated on sampled rows" in said
    assert capfd.readouterr() == ("", "")


def test_a_divergence_needs_something_to_compare_with(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    kind = "expect_column_kl_divergence_to_be_less_than"
    assert "'partition_object' is required" in refusal(
        tmp_path, expectation(kind, column="x", threshold=0.1)
    )
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    "condition", ["@print('x')", "__import__('os').getcwd() == ''", {"type": "sql"}, 7]
)
def test_a_condition_that_could_run_code(tmp_path: Path, condition: object) -> None:
    kwargs = {"column": "x", "row_condition": condition, "condition_parser": "pandas"}
    said = refusal(tmp_path, {"type": NOT_NULL["type"], "kwargs": kwargs})
    assert "condition" in said
    assert "write it like" in said


def test_a_parameter_without_a_value(tmp_path: Path) -> None:
    wanted = expectation(
        "expect_column_max_to_be_between", column="x", max_value={"$PARAMETER": "p"}
    )
    assert "needs the parameter 'p'" in refusal(tmp_path, wanted)
    assert len(check_suite(written(tmp_path, wanted, suite_parameters={"p": 3}))) == 1


@pytest.mark.parametrize("pattern", ["(", "a{2,1}", "(?P<n>a)(?P<n>b)"])
def test_a_broken_pattern(tmp_path: Path, pattern: str) -> None:
    kind = "expect_column_values_to_match_regex"
    said = refusal(tmp_path, expectation(kind, column="x", regex=pattern))
    assert "is not a regular expression" in said


@pytest.mark.parametrize(
    "schema",
    [
        {"$ref": "http://127.0.0.1:9/schema.json"},
        {"properties": {"a": {"$dynamicRef": "other"}}},
        {"properties": {"a": {"pattern": "(a+)+$"}}},
        {"allOf": [{"patternProperties": {"(a+)+$": {}}}]},
    ],
)
def test_a_schema_that_fetches_or_searches(tmp_path: Path, schema: dict[str, Any]) -> None:
    kind = "expect_column_values_to_match_json_schema"
    assert "JSON schema" in refusal(tmp_path, expectation(kind, column="x", json_schema=schema))
    fine = {"definitions": {"n": {"type": "number"}}, "$ref": "#/definitions/n"}
    assert check_suite(written(tmp_path, expectation(kind, column="x", json_schema=fine)))
