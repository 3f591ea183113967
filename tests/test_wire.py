"""The document of a check: the shape that is promised, there and back, and its schema."""

import json
import types
from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from enum import StrEnum
from math import inf, isnan, nan
from typing import Any, get_args, get_origin, get_type_hints
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator, ValidationError

from monitor.core.columns import Kind
from monitor.core.consequences import Episode, Message, RetrainRequest
from monitor.core.records import (
    Check,
    ColumnResult,
    DatasetResult,
    ExpectationReport,
    ExpectationResult,
    Finding,
    Notice,
    ReferenceInfo,
    SampleInfo,
    Severity,
    Shape,
    Verdict,
    Window,
)
from monitor.core.wire import (
    check_from_json,
    check_schema,
    check_to_json,
    from_json,
    plain,
    to_json,
)

START = datetime(2026, 3, 1, tzinfo=UTC)

# The keys that are promised, level by level; a list holds what each of its items promises.
PROMISED: dict[str, Any] = {
    "schema": 1,
    "id": "c0",
    "monitor": "car_loan",
    "verdict": "drifted",
    "headline": "car_value drifted",
    "window": {"start": "2026-03-01T00:00:00+00:00", "end": "2026-03-02T00:00:00+00:00"},
    "reference": {"version": "sha256:1", "rows": 50000},
    "sample": {"rows": 10000, "rows_in_window": 10000, "method": "all", "seed": None},
    "dataset": {"p_value": 0.0, "drifted_columns": 1, "columns": 1, "findings": []},
    "columns": [
        {
            "name": "car_value",
            "kind": "number",
            "verdict": "drifted",
            "importance": 1.0,
            "missing_reference": 0.0,
            "missing_current": 0.0,
            "reason": "shifted",
            "findings": [
                {
                    "test": "psi",
                    "statistic": 1.81,
                    "effect": 1.81,
                    "effect_low": 1.7,
                    "effect_high": 1.9,
                    "p_value": 0.0,
                    "p_tolerance": 0.0,
                    "threshold": 0.12,
                    "tolerance": 0.1,
                    "minimum_detectable": 0.14,
                    "verdict": "drifted",
                    "rows_reference": 50000,
                    "rows_current": 10000,
                    "exact": True,
                    "error_bound": 0.0,
                    "reason": "1.81 is above 0.12",
                }
            ],
        }
    ],
    "expectations": {
        "evaluated": 1,
        "failed": 1,
        "results": [
            {
                "type": "expect_column_values_to_be_between",
                "column": "car_value",
                "severity": "critical",
                "success": False,
                "observed": "-1 to 9",
                "unexpected_rows": 12,
                "unexpected_share": 0.0012,
                "examples": [],
                "reason": "12 rows are below 0",
            }
        ],
    },
    "notices": [{"kind": "dtype_changed", "column": "repaid", "text": "was integer"}],
    "timings_s": {"sample": 0.1},
    "engine": "local",
}


def a_check() -> Check:
    finding = Finding(
        "psi", Verdict.DRIFTED, "1.81 is above 0.12", 1.81, 1.81, 1.7, 1.9, 0.0, 0.0, 0.12, 0.1,
        minimum_detectable=0.14, rows_reference=50000, rows_current=10000,
    )  # fmt: skip
    column = ColumnResult(
        "car_value",
        Kind.NUMBER,
        Verdict.DRIFTED,
        "shifted",
        missing_reference=0.0,
        missing_current=0.0,
        findings=(finding,),
        statistics={"mean": (41.0, 47.0), "sd": (1.0, None)},
        shape=Shape((1.0,), (1.0,), edges=(0.0, 9.0)),
    )
    result = ExpectationResult(
        "expect_column_values_to_be_between",
        Severity.CRITICAL,
        False,
        "12 rows are below 0",
        column="car_value",
        observed="-1 to 9",
        unexpected_rows=12,
        unexpected_share=0.0012,
    )
    return Check(
        id="c0",
        verdict=Verdict.DRIFTED,
        headline="car_value drifted",
        columns=(column,),
        dataset=DatasetResult(0.0, 1, 1),
        sample=SampleInfo(10000, 10000, "all", newest=START),
        reference=ReferenceInfo("sha256:1", 50000),
        monitor="car_loan",
        window=Window(START, START + timedelta(days=1)),
        expectations=ExpectationReport((result,)),
        notices=(Notice("dtype_changed", "was integer", "repaid"),),
        timings_s={"sample": 0.1},
    )


# --- Any record, from the types of its fields ---

NUMBERS = st.floats(allow_nan=False, allow_infinity=False)
ZONES = st.sampled_from([UTC, timezone(timedelta(hours=5, minutes=30))])
MOMENTS = st.datetimes(datetime(1980, 1, 1), datetime(2100, 1, 1), timezones=ZONES)
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | NUMBERS | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=3,
)
SIMPLE = {
    str: st.text(max_size=8),
    int: st.integers(0, 2**53),
    bool: st.booleans(),
    float: NUMBERS,
    datetime: MOMENTS,
    Any: ANYTHING,
}


def values(hint: Any) -> st.SearchStrategy[Any]:
    if hint in SIMPLE:
        return SIMPLE[hint]
    if is_dataclass(hint):
        return records(hint)
    if isinstance(hint, type) and issubclass(hint, StrEnum):
        return st.sampled_from(hint)
    return compound_values(get_origin(hint), get_args(hint))


def compound_values(origin: Any, inner: tuple[Any, ...]) -> st.SearchStrategy[Any]:
    if origin is types.UnionType:
        return st.one_of(*(st.none() if a is type(None) else values(a) for a in inner))
    if origin is Mapping:
        return st.dictionaries(st.text(max_size=5), values(inner[1]), max_size=3)
    if inner[-1] is Ellipsis:
        return st.lists(values(inner[0]), max_size=3).map(tuple)
    return st.tuples(*(values(a) for a in inner))


def records(kind: Any, **given: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    hints = get_type_hints(kind)
    each = {f.name: values(hints[f.name]) for f in fields(kind)} | given
    return st.builds(kind, **each)


def among(*names: str) -> st.SearchStrategy[Verdict]:
    return st.sampled_from([Verdict(name) for name in names])


CHECKS = records(
    Check,
    verdict=among("passed", "drifted", "violated", "undecided"),
    columns=st.lists(
        records(ColumnResult, verdict=among("passed", "watch", "drifted", "undecided")), max_size=2
    ).map(tuple),
)
VALIDATOR = Draft202012Validator(check_schema(), format_checker=Draft202012Validator.FORMAT_CHECKER)
unhurried = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@unhurried
@given(CHECKS)
def test_a_check_comes_back_from_its_document(check: Check) -> None:
    text = json.dumps(check_to_json(check), allow_nan=False)
    assert check_from_json(json.loads(text)) == check


@unhurried
@given(CHECKS)
def test_every_document_keeps_to_the_schema(check: Check) -> None:
    VALIDATOR.validate(check_to_json(check))


@unhurried
@given(records(Episode) | records(Message) | records(RetrainRequest) | records(Finding))
def test_other_records_come_back_too(record: Any) -> None:
    document = json.loads(json.dumps(to_json(record), allow_nan=False))
    assert from_json(type(record), document) == record


# --- The shape ---


def assert_promised(promised: Any, document: Any) -> None:
    if isinstance(promised, dict):
        assert promised.keys() <= document.keys()
        for key, value in promised.items():
            assert_promised(value, document[key])
    elif isinstance(promised, list):
        assert len(promised) == len(document)
        for one, other in zip(promised, document, strict=True):
            assert_promised(one, other)
    else:
        assert promised == document


def test_the_document_has_the_promised_shape() -> None:
    document = check_to_json(a_check())
    assert_promised(PROMISED, document)
    assert list(document)[: len(PROMISED)] == list(PROMISED)


def test_what_does_not_apply_is_null() -> None:
    bare = replace(a_check(), monitor=None, window=None, reference=None, expectations=None)
    document = check_to_json(bare)
    for key in ("monitor", "window", "reference", "expectations", "made_at"):
        assert document[key] is None
    VALIDATOR.validate(document)
    assert check_from_json(document) == bare


def test_pairs_say_which_side_is_which() -> None:
    (column,) = check_to_json(a_check())["columns"]
    assert column["statistics"]["mean"] == {"reference": 41.0, "current": 47.0}
    assert column["statistics"]["sd"] == {"reference": 1.0, "current": None}


@pytest.mark.parametrize("broken", [nan, inf, -inf, np.float64("nan"), np.float32("inf")])
def test_numbers_are_finite_or_null(broken: Any) -> None:
    (column,) = a_check().columns
    (finding,) = column.findings
    column = replace(
        column,
        strength=broken,
        statistics={"mean": (broken, 1.0)},
        findings=(replace(finding, statistic=broken, error_bound=broken),),
    )
    document = check_to_json(replace(a_check(), columns=(column,), setup={"x": [broken]}))
    text = json.dumps(document, allow_nan=False)
    assert document["setup"] == {"x": [None]}
    VALIDATOR.validate(document)
    back = check_from_json(json.loads(text))
    assert back.columns[0].strength == back.columns[0].findings[0].error_bound == inf
    assert back.columns[0].findings[0].statistic is None
    assert check_to_json(back) == document


def test_numpy_scalars_become_numbers() -> None:
    finding = Finding(
        "ks", Verdict.PASSED, "", np.float64(0.5), np.float32(0.5),  # type: ignore[arg-type]
        rows_current=np.int64(3), exact=np.bool_(True),  # type: ignore[arg-type]
    )  # fmt: skip
    document = json.loads(json.dumps(to_json(finding)))
    assert (document["statistic"], document["effect"]) == (0.5, 0.5)
    assert (document["rows_current"], document["exact"]) == (3, True)


def test_times_are_told_in_utc() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    window = Window(
        datetime(2026, 10, 25, 2, 30, tzinfo=berlin),
        datetime(2026, 10, 25, 2, 30, fold=1, tzinfo=berlin),
    )
    assert to_json(window) == {
        "start": "2026-10-25T00:30:00+00:00",
        "end": "2026-10-25T01:30:00+00:00",
    }
    with pytest.raises(ValueError, match="no time zone"):
        to_json(Window(datetime(2026, 1, 1), datetime(2026, 1, 2)))


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (Decimal("1.5"), 1.5),
        (Decimal("NaN"), None),
        (Kind.NUMBER, "number"),
        (np.array([[1, 2], [3, 4]]), [[1, 2], [3, 4]]),
        (np.array(2.5), 2.5),
        (np.bool_(False), False),
        (date(2026, 1, 2), "2026-01-02"),
        (START, "2026-03-01T00:00:00+00:00"),
        ({1: ("a", {"b"})}, {"1": ["a", ["b"]]}),
        (np.datetime64("2026-01-02"), "2026-01-02"),
        (timedelta(hours=1), "1:00:00"),
        (b"x", "b'x'"),
    ],
)
def test_anything_can_be_told_plainly(value: Any, told: Any) -> None:
    assert plain(value) == told
    assert type(plain(value)) is type(told)


# --- Reading ---


def test_later_additions_are_passed_over_and_earlier_documents_read() -> None:
    document = check_to_json(a_check()) | {"weather": "rain"}
    del document["setup"], document["made_at"], document["columns"][0]["strength"]
    assert check_from_json(document) == a_check()


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"schema": 2}, "schema 2; this version reads 1"),
        ({"schema": None}, "schema None"),
        ({"verdict": "splendid"}, "splendid"),
        ({"window": {"start": "yesterday", "end": "today"}}, "yesterday"),
        ({"window": {"start": "2026-01-01T00:00:00", "end": "2026-01-02T00:00:00"}}, "no offset"),
        ({"sample": {}}, "SampleInfo has no method, rows, rows_in_window"),
        ({"columns": None}, "no Check document"),
    ],
)
def test_what_is_no_check_is_said_to_be_none(change: dict[str, Any], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        check_from_json(check_to_json(a_check()) | change)


# --- The schema ---


def test_the_schema_is_a_schema() -> None:
    schema = check_schema()
    Draft202012Validator.check_schema(schema)
    assert json.loads(json.dumps(schema)) == schema
    assert check_schema() is not check_schema()


def test_the_schema_is_open_for_additions() -> None:
    document = check_to_json(a_check()) | {"weather": "rain"}
    document["columns"][0]["colour"] = "red"
    VALIDATOR.validate(document)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("schema",), 2),
        (("id",), 7),
        (("verdict",), "watch"),
        (("columns", 0, "verdict"), "violated"),
        (("columns", 0, "findings", 0, "verdict"), "splendid"),
        (("columns", 0, "findings", 0, "p_value"), "0.05"),
        (("columns", 0, "findings", 0, "rows_current"), 1.5),
        (("columns", 0, "findings", 0, "exact"), None),
        (("columns", 0, "kind"), "float"),
        (("window", "start"), None),
        (("expectations", "failed"), None),
        (("expectations", "results", 0, "success"), "no"),
        (("timings_s", "sample"), "fast"),
        (("dataset",), None),
        (("notices",), {}),
    ],
)
def test_the_schema_is_closed_in_what_it_promises(path: tuple[Any, ...], value: Any) -> None:
    document = check_to_json(a_check())
    VALIDATOR.validate(document)
    *above, last = path
    place: Any = document
    for step in above:
        place = place[step]
    place[last] = value
    with pytest.raises(ValidationError):
        VALIDATOR.validate(document)


def test_the_schema_wants_every_promised_key() -> None:
    def wanted(promised: Any, place: Any, whole: Any) -> None:
        for key in [*promised] if isinstance(promised, dict) else []:
            kept = place.pop(key)
            with pytest.raises(ValidationError):
                VALIDATOR.validate(whole)
            place[key] = kept
            if key != "timings_s":  # its keys are not promised
                wanted(promised[key], kept, whole)
        for one, other in zip(promised, place, strict=True) if isinstance(promised, list) else []:
            wanted(one, other, whole)

    document = check_to_json(a_check())
    wanted(PROMISED, document, document)


def test_a_required_number_beyond_measure_is_not_nothing() -> None:
    assert not isnan(from_json(Shape, {"reference": [None], "current": [1]}).reference[0])
