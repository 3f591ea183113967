"""Great Expectations' models of a suite, and which metrics each of them needs to decide."""

import logging
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from types import SimpleNamespace
from typing import Any, TypeAlias

from monitor.errors import SuiteError, nearest
from monitor.validation.conditions import describe
from monitor.validation.frames import as_moment
from monitor.validation.suites import Entry

EVERY_ROW = "every row"
FAILING_VALUES = 20  # looked at, to show a few different ones

_NEED_A_DATABASE = {
    "unexpected_rows_expectation",
    "expect_query_results_to_match_comparison",
    "expect_table_row_count_to_equal_other_table",
}
# Which metrics they need depends on the dtype their column has.
_BY_DTYPE = {"expect_column_values_to_be_of_type", "expect_column_values_to_be_in_type_list"}
# How pydantic's sentences begin, and how they do behind the name of an argument.
_CLAUSES = {
    "is ": "is ",
    "value is ": "is ",
    "field ": "is ",
    "ensure this value is ": "must be ",
    "ensure this value has ": "must have ",
}

_Metrics: TypeAlias = tuple[tuple[Any, Any], ...]  # id, configuration


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """An expectation as GX's model, and its metrics, each after those it depends on."""

    expectation: Any
    metrics: _Metrics
    needed: _Metrics  # those of them that it decides on
    by_dtype: bool = False  # ask again which metrics, when the rows are there

    @property
    def counts_rows(self) -> bool:
        """Is it a rule that every row meets or breaks, rather than one about a mean or a set?"""
        return any(m.metric_name.endswith(".unexpected_count") for _, m in self.metrics)


def batch_of(entry: Entry) -> str:
    """The name of the rows an expectation is about."""
    return f"where {describe(entry.condition)}" if entry.condition else EVERY_ROW


def plan(entry: Entry, zone: str = "") -> Plan:
    """How to evaluate an expectation; `zone` says to read its texts as times of that zone.

    SuiteError when its type is unknown, its arguments are wrong, or it cannot run on rows.
    """
    gx = library()
    known = gx.registry.list_registered_expectation_implementations()
    if entry.type not in known:
        near = nearest(entry.type, known)
        raise SuiteError(
            f"{entry.place}: there is no such expectation",
            hint=f"did you mean {near}?" * bool(near),
        )
    _refuse_unsupported(entry)
    try:
        kind = gx.registry.get_expectation_impl(entry.type)
        expectation = kind(**_with_moments(entry.kwargs, zone), batch_id=batch_of(entry))
    except Exception as error:  # pydantic's, and what the models raise themselves
        raise SuiteError(f"{entry.place}: {_complaint(error, entry)}") from None
    try:
        needed, metrics = metrics_of(expectation, no_rows())
        return Plan(expectation, metrics, needed, entry.type in _BY_DTYPE)
    except Exception:  # a metric that does not exist for frames
        raise _not_on_rows(entry) from None


@cache
def library() -> SimpleNamespace:
    """Import the library once: 2 s and 260 MB, and three habits of it undone."""
    shown = warnings.showwarning
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import great_expectations  # noqa: F401  registers the expectations
        from great_expectations.execution_engine.pandas_execution_engine import (
            PandasExecutionEngine,
        )
        from great_expectations.expectations import registry
        from great_expectations.validator.validation_graph import ValidationGraph

        if warnings.showwarning is not shown:  # it diverts everybody's warnings to the log
            logging.captureWarnings(False)
    # What it logs goes to stderr where nobody set up logging, and holds data.
    logging.getLogger("great_expectations").setLevel(logging.CRITICAL)
    return SimpleNamespace(
        registry=registry,
        PandasExecutionEngine=PandasExecutionEngine,
        ValidationGraph=ValidationGraph,
    )


def runtime_configuration() -> dict[str, Any]:
    """GX writes into it, so each call gets its own."""
    form = {"result_format": "BASIC", "partial_unexpected_count": FAILING_VALUES}
    return {"result_format": form, "catch_exceptions": False}


@cache
def no_rows() -> Any:
    """An engine to plan with; which metrics are needed does not depend on rows."""
    import pandas as pd

    return library().PandasExecutionEngine(batch_data_dict={EVERY_ROW: pd.DataFrame()})


def _refuse_unsupported(entry: Entry) -> None:
    """Before the model is made: one of them prints, another draws a progress bar."""
    if entry.type in _NEED_A_DATABASE:
        raise _not_on_rows(entry)
    without_partition = not entry.kwargs.get("partition_object")
    if entry.type == "expect_column_kl_divergence_to_be_less_than" and without_partition:
        raise SuiteError(f"{entry.place}: 'partition_object' is required: what to compare with")


def _not_on_rows(entry: Entry) -> SuiteError:
    return SuiteError(
        f"{entry.place}: this expectation cannot be evaluated on sampled rows",
        hint="Great Expectations evaluates it inside a database only",
    )


def metrics_of(expectation: Any, engine: Any) -> tuple[_Metrics, _Metrics]:
    """The metrics that an expectation decides on, and all that have to be computed, in order."""
    configuration = runtime_configuration()
    dependencies = expectation.get_validation_dependencies(
        execution_engine=engine, runtime_configuration=configuration
    )
    needed = dependencies.get_metric_configurations()
    graph = library().ValidationGraph(execution_engine=engine)
    for metric in needed:
        graph.build_metric_dependency_graph(metric, configuration)
    return tuple((metric.id, metric) for metric in needed), tuple(_in_order(graph))


def _in_order(graph: Any) -> Iterator[tuple[Any, Any]]:
    seen: set[Any] = set()

    def after_its_needs(metric: Any) -> Iterator[tuple[Any, Any]]:
        if metric.id in seen:
            return
        seen.add(metric.id)
        for needed in metric.metric_dependencies.values():
            yield from after_its_needs(needed)
        yield metric.id, metric

    for edge in graph.edges:
        yield from after_its_needs(edge.left)


def _with_moments(kwargs: Mapping[str, Any], zone: str) -> dict[str, Any]:
    found = dict(kwargs)
    for key in {"min_value", "max_value"} & found.keys():
        found[key] = as_moment(found[key], zone)
    if isinstance(found.get("value_set"), list):
        found["value_set"] = [as_moment(value, zone) for value in found["value_set"]]
    return found


def _complaint(error: Exception, entry: Entry) -> str:
    """What GX's own model says, on one line."""
    if not hasattr(error, "errors"):
        return " ".join(str(error).split())[:300]
    told: dict[str, str] = {}  # one complaint an argument: a union complains once a member
    for item in error.errors():
        name = str(item["loc"][0])
        said = item["msg"]
        if item["type"] == "value_error.extra":
            known = library().registry.get_expectation_impl(entry.type).__fields__
            near = nearest(name, known)
            said = "is not an argument of it" + (f" (did you mean {near!r}?)" if near else "")
        told.setdefault(name, said if name == "__root__" else f"{name!r} {_as_clause(said)}")
    return "; ".join(told.values())


def _as_clause(said: str) -> str:
    """A sentence of pydantic's put behind the name of an argument."""
    for start, clause in _CLAUSES.items():
        if said.startswith(start):
            return clause + said.removeprefix(start)
    return f"is wrong: {said}"
