"""What we rely on inside Great Expectations beyond its public API, and for which versions.

Tried with 1.24.1; pyproject.toml asks for >=1.24,<2. When one of these fails after an upgrade,
`monitor/validation/engine.py` is the one file to change.
"""

import inspect
from typing import Any

import pandas as pd
import pytest
from packaging.requirements import Requirement
from packaging.version import Version


def test_the_installed_version_is_one_we_ask_for() -> None:
    import tomllib
    from pathlib import Path

    import great_expectations

    root = Path(__file__).resolve().parent.parent
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    asked = [Requirement(line) for line in project["dependencies"]]
    (ours,) = [line for line in asked if line.name == "great-expectations"]
    assert str(ours.specifier) == "<2,>=1.24"
    assert ours.specifier.contains(Version(great_expectations.__version__))


@pytest.fixture(scope="module")
def engine() -> Any:
    import great_expectations  # noqa: F401
    from great_expectations.execution_engine.pandas_execution_engine import PandasExecutionEngine

    frame = pd.DataFrame({"x": [1.0, 2.0, 30.0, None], "s": ["a", "b", "c", "d"]})
    engine = PandasExecutionEngine(batch_data_dict={"one": frame})
    engine.load_batch_data("two", frame[:2])
    return engine


def build(kind: str, **kwargs: Any) -> Any:
    from great_expectations.expectations.registry import (
        get_expectation_impl,
        list_registered_expectation_implementations,
    )

    assert kind in list_registered_expectation_implementations()
    return get_expectation_impl(kind)(**kwargs)


def graph_of(engine: Any, expectation: Any, form: dict[str, Any]) -> Any:
    from great_expectations.validator.validation_graph import ValidationGraph

    needed = expectation.get_validation_dependencies(
        execution_engine=engine, runtime_configuration={"result_format": form}
    )
    graph = ValidationGraph(execution_engine=engine)
    for metric in needed.get_metric_configurations():
        graph.build_metric_dependency_graph(metric, {"result_format": form})
    return graph


BASIC = {"result_format": "BASIC", "partial_unexpected_count": 2}


def test_metrics_are_computed_one_by_one_and_decided_on(engine: Any) -> None:
    """Contexts, validators and batches are not needed to decide on metrics."""
    kind = "expect_column_values_to_be_between"
    expectation = build(kind, column="x", min_value=0, max_value=10, batch_id="one")
    graph = graph_of(engine, expectation, BASIC)
    metrics: dict[Any, Any] = {}

    def compute(metric: Any) -> None:
        for needed in metric.metric_dependencies.values():
            compute(needed)
        if metric.id not in metrics:
            metrics.update(engine.resolve_metrics([metric], metrics, {"result_format": BASIC}))

    for edge in graph.edges:
        compute(edge.left)
    result = expectation.metrics_validate(
        metrics=metrics, execution_engine=engine, runtime_configuration={"result_format": BASIC}
    )
    assert result.success is False
    assert result.result["element_count"] == 4
    assert result.result["missing_count"] == 1
    assert result.result["unexpected_count"] == 1
    assert result.result["partial_unexpected_list"] == [30.0]
    names = {edge.left.metric_name for edge in graph.edges}
    assert {"table.columns", "table.row_count", "column_values.between.condition"} <= names
    domains = {edge.left.metric_domain_kwargs.get("batch_id") for edge in graph.edges}
    assert domains == {"one"}


@pytest.mark.parametrize("kind", ["match_regex", "not_match_regex"])
def test_the_shape_of_a_search(engine: Any, kind: str) -> None:
    """(unexpected, domain without the column, the column): what we compute in another process."""
    expectation = build(
        f"expect_column_values_to_{kind}", column="s", regex="^[ab]", batch_id="two"
    )
    metrics: dict[Any, Any] = {}
    name = f"column_values.{kind}.condition"
    found = [
        e.left for e in graph_of(engine, expectation, BASIC).edges if e.left.metric_name == name
    ]
    for needed in found[0].metric_dependencies.values():
        metrics |= engine.resolve_metrics([needed], metrics, {})
    unexpected, compute, accessor = engine.resolve_metrics(found[:1], metrics, {})[found[0].id]
    assert unexpected.tolist() == [kind == "not_match_regex"] * 2
    assert unexpected.index.tolist() == [0, 1]
    assert {key: value for key, value in compute.items() if value} == {"batch_id": "two"}
    assert accessor == {"column": "s"}
    assert found[0].metric_value_kwargs["regex"] == "^[ab]"


HALF = {"quantiles": [0.5], "value_ranges": [[0, 1]]}
Z_SCORES = {"threshold": 3, "double_sided": True}


@pytest.mark.parametrize(
    ("kind", "metric", "kwargs"),
    [
        ("column_mean_to_be_between", "column.mean", {"min_value": 0}),
        ("column_median_to_be_between", "column.median", {"min_value": 0}),
        ("column_stdev_to_be_between", "column.standard_deviation", {"min_value": 0}),
        ("column_sum_to_be_between", "column.sum", {"min_value": 0}),
        (
            "column_quantile_values_to_be_between",
            "column.quantile_values",
            {"quantile_ranges": HALF},
        ),
        ("column_value_z_scores_to_be_less_than", "column_values.z_score.map", Z_SCORES),
        ("column_values_to_not_be_outliers", "column.outlier_statistics", {}),
    ],
)
def test_the_names_that_type_guards_go_by(
    engine: Any, kind: str, metric: str, kwargs: dict[str, Any]
) -> None:
    from monitor.validation.engine import _ARITHMETIC

    expectation = build(f"expect_{kind}", column="x", batch_id="one", **kwargs)
    names = {edge.left.metric_name for edge in graph_of(engine, expectation, BASIC).edges}
    assert metric in names
    assert metric in _ARITHMETIC


def test_failing_metrics_carry_their_cause(engine: Any) -> None:
    from great_expectations.exceptions import MetricResolutionError

    expectation = build("expect_column_mean_to_be_between", column="s", min_value=0, batch_id="one")
    graph = graph_of(engine, expectation, BASIC)
    (mean,) = {
        e.left.id: e.left for e in graph.edges if e.left.metric_name == "column.mean"
    }.values()
    metrics: dict[Any, Any] = {}
    for needed in mean.metric_dependencies.values():
        metrics |= engine.resolve_metrics([needed], metrics, {})
    with pytest.raises(MetricResolutionError) as caught:
        engine.resolve_metrics([mean], metrics, {})
    assert isinstance(caught.value.__cause__, TypeError)


def test_the_signature_of_a_decision() -> None:
    from great_expectations.expectations.expectation import Expectation

    parameters = list(inspect.signature(Expectation.metrics_validate).parameters)
    assert parameters[:4] == ["self", "metrics", "runtime_configuration", "execution_engine"]


def test_the_default_severity_is_critical() -> None:
    assert build("expect_column_to_exist", column="x").severity.value == "critical"


def test_an_unknown_expectation_is_still_lost_in_silence() -> None:
    """Why suites are loaded strictly: the library logs and goes on with what is left."""
    import great_expectations as gx
    from great_expectations.exceptions import GreatExpectationsError

    listed = [{"type": "expect_nothing_at_all", "kwargs": {}}]
    try:
        suite = gx.ExpectationSuite(name="s", expectations=listed)
    except GreatExpectationsError:
        return  # better than what we guard against
    assert suite.expectations == []
