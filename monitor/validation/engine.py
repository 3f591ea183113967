"""The adapter to Great Expectations: its models, its metrics and its decisions, one at a time.

GX validates a suite as one graph and starts whole levels of it again when one metric raises. Here
every expectation gets the metrics it needs in order, each computed once for all expectations, and
GX decides on them. So a bad expectation costs its neighbours nothing, there is no progress bar,
no context, no store, and nothing is kept. It rests on these names, which are not all public:

- `registry.get_expectation_impl`, `registry.list_registered_expectation_implementations`
- `Expectation.get_validation_dependencies`, `Expectation.metrics_validate`
- `ValidationGraph.build_metric_dependency_graph`, `ValidationGraph.edges`
- `MetricConfiguration`: id, metric_name, metric_domain_kwargs, metric_value_kwargs,
  metric_dependencies
- `PandasExecutionEngine`: caching, batch_data_dict, load_batch_data, resolve_metrics

`tests/test_validation_contract.py` says so too, with the versions it was tried on.
"""

import logging
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from types import SimpleNamespace
from typing import Any

from monitor.errors import SuiteError, nearest
from monitor.validation.conditions import describe
from monitor.validation.frames import as_moment, zone_of
from monitor.validation.matcher import Matcher
from monitor.validation.suites import Entry

EVERY_ROW = "every row"
_FAILING_VALUES = 20  # looked at, to show a few different ones

# Means over text are quadratic in time and put the data into their message.
_ARITHMETIC = {
    "column.mean": "has no mean",
    "column.median": "has no median",
    "column.standard_deviation": "has no standard deviation",
    "column.sum": "has no sum",
    "column.quantile_values": "has no quantiles",
    "column.outlier_statistics": "has no outliers",
    "column.histogram": "has no histogram",
    "column_values.z_score.map": "has no z-scores",
    "column_values.between.condition": "cannot be held against bounds",
    "multicolumn_sum.equal.condition": "has no sum",
}
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
_SEARCHES = {
    "column_values.match_regex.condition",
    "column_values.not_match_regex.condition",
    "column_values.match_regex_list.condition",
    "column_values.not_match_regex_list.condition",
}


class Undecidable(Exception):
    """An expectation that cannot be evaluated on this sample; its text holds no value of it."""


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """An expectation as GX's model, and its metrics, each after those it depends on."""

    expectation: Any
    metrics: tuple[tuple[Any, Any], ...]  # id, configuration
    by_dtype: bool = False  # ask again which metrics, when the rows are there

    @property
    def counts_rows(self) -> bool:
        """Is it a rule that every row meets or breaks, rather than one about a mean or a set?"""
        return any(m.metric_name.endswith(".unexpected_count") for _, m in self.metrics)


@dataclass(frozen=True, slots=True, eq=False)
class Decision:
    """What GX says of one expectation."""

    success: bool
    result: Mapping[str, Any]


def batch_of(entry: Entry) -> str:
    """The name of the rows an expectation is about."""
    return f"where {describe(entry.condition)}" if entry.condition else EVERY_ROW


def plan(entry: Entry, zone: str = "") -> Plan:
    """How to evaluate an expectation; `zone` says to read its texts as times of that zone.

    SuiteError when its type is unknown, its arguments are wrong, or it cannot run on rows.
    """
    gx = _gx()
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
        return Plan(expectation, _metrics_of(expectation, _no_rows()), entry.type in _BY_DTYPE)
    except Exception:  # a metric that does not exist for frames
        raise _not_on_rows(entry) from None


class Look:
    """One sample under evaluation: its rows, and every metric computed on them so far."""

    def __init__(self, frame: Any, columns: Sequence[str], rows: int, matcher: Matcher) -> None:
        gx = _gx()
        self._engine = gx.PandasExecutionEngine(caching=False)
        self._frames: dict[str, Any] = {}
        self._rows: dict[str, int] = {}
        self._columns = list(columns)
        self._matcher = matcher
        self._metrics: dict[Any, Any] = {}
        self.add_rows(EVERY_ROW, frame)
        self._rows[EVERY_ROW] = rows  # a frame without columns knows of none

    def add_rows(self, batch: str, frame: Any) -> None:
        """Some of the rows, under the name that `batch_of` gives them."""
        self._engine.load_batch_data(batch, frame)
        self._frames[batch], self._rows[batch] = frame, len(frame)

    def close(self) -> None:
        """Let go of the rows now: the engine and its batches refer to each other."""
        import pandas as pd

        for batch in self._frames:
            self._engine.load_batch_data(batch, pd.DataFrame())
        self._frames.clear()
        self._metrics.clear()

    def decide(self, plan: Plan) -> Decision:
        """Compute what is missing and let GX decide. Raises whatever goes wrong on the way."""
        metrics = plan.metrics
        if plan.by_dtype:
            metrics = _metrics_of(plan.expectation, self._engine)
        for key, configuration in metrics:
            if key not in self._metrics:
                self._metrics[key] = self._compute(configuration)
        result = plan.expectation.metrics_validate(
            metrics=self._metrics,
            execution_engine=self._engine,
            runtime_configuration=_runtime_configuration(),
        )
        return Decision(bool(result.success), dict(result.result or {}))

    def _compute(self, configuration: Any) -> Any:
        name, domain = configuration.metric_name, configuration.metric_domain_kwargs
        if name == "table.columns":  # the frame holds only the columns whose values are needed
            return self._columns
        if name == "table.row_count":
            return self._rows[domain["batch_id"]]
        if name in _ARITHMETIC:
            self._refuse_text(domain, _ARITHMETIC[name])
        if name in _SEARCHES:
            return self._searched(configuration)
        found = self._engine.resolve_metrics(
            [configuration], self._metrics, _runtime_configuration()
        )
        return found[configuration.id]

    def _refuse_text(self, domain: Mapping[str, Any], what: str) -> None:
        frame = self._frames[domain["batch_id"]]
        for column in [domain["column"]] if "column" in domain else domain["column_list"]:
            if not _is_arithmetic(frame[column]):
                raise Undecidable(f"column {column!r} does not hold numbers or times, so it {what}")

    def _searched(self, configuration: Any) -> tuple[Any, dict[str, Any], dict[str, Any]]:
        """The rows that a regular expression speaks against, in the shape GX gives a condition."""
        import numpy as np
        import pandas as pd

        compute = dict(configuration.metric_domain_kwargs)
        column = compute.pop("column")
        arguments = configuration.metric_value_kwargs
        series = self._frames[compute["batch_id"]][column].dropna().astype(str)
        codes, texts = pd.factorize(series.to_numpy())
        patterns = arguments.get("regex_list") or [arguments["regex"]]
        found = np.array(self._matcher.search(patterns, list(texts)), dtype=bool)
        every = arguments.get("match_on") == "all"
        matches: Any = np.all(found, axis=0) if every else np.any(found, axis=0)
        matches = matches[codes]
        unexpected = matches if ".not_match" in configuration.metric_name else ~matches
        return pd.Series(unexpected, index=series.index), compute, {"column": column}


def time_zone(entry: Entry, frame: Any) -> str:
    """How the texts among an expectation's arguments are to be read on this frame."""
    column = entry.column
    return zone_of(frame[column]) if column is not None and column in frame.columns else ""


@cache
def _gx() -> SimpleNamespace:
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


def _runtime_configuration() -> dict[str, Any]:
    """GX writes into it, so each call gets its own."""
    form = {"result_format": "BASIC", "partial_unexpected_count": _FAILING_VALUES}
    return {"result_format": form, "catch_exceptions": False}


@cache
def _no_rows() -> Any:
    """An engine to plan with; which metrics are needed does not depend on rows."""
    import pandas as pd

    return _gx().PandasExecutionEngine(batch_data_dict={EVERY_ROW: pd.DataFrame()})


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


def _metrics_of(expectation: Any, engine: Any) -> tuple[tuple[Any, Any], ...]:
    configuration = _runtime_configuration()
    needed = expectation.get_validation_dependencies(
        execution_engine=engine, runtime_configuration=configuration
    )
    graph = _gx().ValidationGraph(execution_engine=engine)
    for metric in needed.get_metric_configurations():
        graph.build_metric_dependency_graph(metric, configuration)
    return tuple(_in_order(graph))


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


def _is_arithmetic(series: Any) -> bool:
    import pandas as pd

    if series.dtype.kind in "iufbmM":
        return True
    kinds = ("integer", "floating", "mixed-integer-float", "boolean", "empty")
    return pd.api.types.infer_dtype(series, skipna=True) in kinds


def _complaint(error: Exception, entry: Entry) -> str:
    """What GX's own model says, on one line."""
    if not hasattr(error, "errors"):
        return " ".join(str(error).split())[:300]
    told: dict[str, str] = {}  # one complaint an argument: a union complains once a member
    for item in error.errors():
        name = str(item["loc"][0])
        said = item["msg"]
        if item["type"] == "value_error.extra":
            known = _gx().registry.get_expectation_impl(entry.type).__fields__
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
