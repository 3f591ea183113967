"""The adapter to Great Expectations: metrics computed one by one, decisions left to the library.

GX validates a suite as one graph and starts whole levels of it again when one metric raises. Here
every expectation gets the metrics it needs in order, each computed once for all expectations, and
GX decides on them. So a bad expectation costs its neighbours nothing, there is no progress bar,
no context, no store, and nothing is kept. `plans` and this file rest on these names of the
library, which are not all public:

- `registry.get_expectation_impl`, `registry.list_registered_expectation_implementations`
- `Expectation.get_validation_dependencies`, `Expectation.metrics_validate`
- `ValidationGraph.build_metric_dependency_graph`, `ValidationGraph.edges`
- `MetricConfiguration`: id, metric_name, metric_domain_kwargs, metric_value_kwargs,
  metric_dependencies
- `PandasExecutionEngine`: caching, batch_data_dict, load_batch_data, resolve_metrics

`tests/test_validation_contract.py` says so too, with the versions it was tried on.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

from monitor.validation.frames import zone_of
from monitor.validation.matcher import Matcher
from monitor.validation.plans import (
    EVERY_ROW,
    Plan,
    library,
    metrics_of,
    runtime_configuration,
)
from monitor.validation.suites import Entry
from monitor.validation.written import Unreadable, is_number, is_text, within

_BETWEEN = "column_values.between.condition"
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
    _BETWEEN: "cannot be held against bounds",
    "multicolumn_sum.equal.condition": "has no sum",
}
_SEARCHES = {
    "column_values.match_regex.condition",
    "column_values.not_match_regex.condition",
    "column_values.match_regex_list.condition",
    "column_values.not_match_regex_list.condition",
}


_Condition: TypeAlias = tuple[Any, dict[str, Any], dict[str, Any]]


class Undecidable(Exception):
    """An expectation that cannot be evaluated on this sample; its text holds no value of it."""


@dataclass(frozen=True, slots=True, eq=False)
class Decision:
    """What GX says of one expectation."""

    success: bool
    result: Mapping[str, Any]
    unreadable: Unreadable | None = None


class Look:
    """One sample under evaluation: its rows, and every metric computed on them so far."""

    def __init__(self, frame: Any, columns: Sequence[str], rows: int, matcher: Matcher) -> None:
        gx = library()
        self._engine = gx.PandasExecutionEngine(caching=False)
        self._frames: dict[str, Any] = {}
        self._rows: dict[str, int] = {}
        self._columns = list(columns)
        self._matcher = matcher
        self._metrics: dict[Any, Any] = {}
        self._unreadable: dict[Any, Unreadable] = {}  # by the metric that met them
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
            _, metrics = metrics_of(plan.expectation, self._engine)
        for key, configuration in metrics:
            if key not in self._metrics:
                self._metrics[key] = self._compute(configuration)
        unread = next((self._unreadable[k] for k, _ in metrics if k in self._unreadable), None)
        return replace(judged(plan, self._metrics, self._engine), unreadable=unread)

    def _compute(self, configuration: Any) -> Any:
        name, domain = configuration.metric_name, configuration.metric_domain_kwargs
        if name == "table.columns":  # the frame holds only the columns whose values are needed
            return self._columns
        if name == "table.row_count":
            return self._rows[domain["batch_id"]]
        if name == _BETWEEN and is_text(self._values(domain)):
            return self._read_and_held(configuration)
        if name in _ARITHMETIC:
            self._refuse_text(domain, _ARITHMETIC[name])
        if name in _SEARCHES:
            return self._searched(configuration)
        found = self._engine.resolve_metrics(
            [configuration], self._metrics, runtime_configuration()
        )
        return found[configuration.id]

    def _values(self, domain: Mapping[str, Any]) -> Any:
        return self._frames[domain["batch_id"]][domain["column"]]

    def _refuse_text(self, domain: Mapping[str, Any], what: str) -> None:
        frame = self._frames[domain["batch_id"]]
        for column in [domain["column"]] if "column" in domain else domain["column_list"]:
            if not _is_arithmetic(frame[column]):
                raise Undecidable(f"{_not_arithmetic(column, frame[column])}, so it {what}")

    def _read_and_held(self, configuration: Any) -> _Condition:
        """Texts against bounds: one that is no number, or no time, does not lie within them."""
        import numpy as np

        compute = dict(configuration.metric_domain_kwargs)
        series, codes, texts = _distinct(self._values(compute))
        try:
            inside, readable, what = within(texts, configuration.metric_value_kwargs)
        except ValueError:
            self._refuse_text(compute, _ARITHMETIC[_BETWEEN])
            raise
        unread = _unreadable_among(readable, codes)
        if unread:
            self._unreadable[configuration.id] = Unreadable(unread, len(codes), what)
        return _condition(series, ~np.array(inside, dtype=bool)[codes], compute)

    def _searched(self, configuration: Any) -> _Condition:
        """The rows that a regular expression speaks against."""
        import numpy as np

        compute = dict(configuration.metric_domain_kwargs)
        arguments = configuration.metric_value_kwargs
        series, codes, texts = _distinct(self._values(compute))
        patterns = arguments.get("regex_list") or [arguments["regex"]]
        found = np.array(self._matcher.search(patterns, texts), dtype=bool)
        every = arguments.get("match_on") == "all"
        matches: Any = np.all(found, axis=0) if every else np.any(found, axis=0)
        matches = matches[codes]
        unexpected = matches if ".not_match" in configuration.metric_name else ~matches
        return _condition(series, unexpected, compute)


def _distinct(series: Any) -> tuple[Any, Any, list[str]]:
    """The values that are there, the place of each among those that differ, and these as texts."""
    import pandas as pd

    present = series.dropna().astype(str)
    codes, texts = pd.factorize(present.to_numpy())
    return present, codes, list(texts)


def _unreadable_among(readable: Sequence[bool], codes: Any) -> int:
    """How many values are not what they should be, where that is known of each that differs."""
    import numpy as np

    return int(np.count_nonzero(~np.array(readable, dtype=bool)[codes]))


def _condition(series: Any, unexpected: Any, compute: dict[str, Any]) -> _Condition:
    """Rows that are not as expected, in the shape GX gives a condition."""
    import pandas as pd

    column = compute.pop("column")
    return pd.Series(unexpected, index=series.index, dtype=bool), compute, {"column": column}


def judged(plan: Plan, metrics: Mapping[Any, Any], engine: Any) -> Decision:
    """What GX decides on the metrics of an expectation."""
    result = plan.expectation.metrics_validate(
        metrics=metrics,
        execution_engine=engine,
        runtime_configuration=runtime_configuration(),
    )
    return Decision(bool(result.success), dict(result.result or {}))


def time_zone(entry: Entry, frame: Any) -> str:
    """How the texts among an expectation's arguments are to be read on this frame."""
    column = entry.column
    return zone_of(frame[column]) if column is not None and column in frame.columns else ""


def _is_arithmetic(series: Any) -> bool:
    import pandas as pd

    if series.dtype.kind in "iufbmM":
        return True
    kinds = ("integer", "floating", "mixed-integer-float", "boolean", "empty")
    return pd.api.types.infer_dtype(series, skipna=True) in kinds


def _not_arithmetic(column: str, series: Any) -> str:
    """Why a column has no mean: it holds something else, or a few values that are no numbers."""
    if is_text(series):
        present, codes, texts = _distinct(series)
        others = _unreadable_among([is_number(text) for text in texts], codes)
        if not others:
            return f"column {column!r} holds its numbers as text"
        if others < len(present):
            told = "is no number" if others == 1 else "are no numbers"
            return f"{others} of the {len(present)} values of column {column!r} {told}"
    return f"column {column!r} does not hold numbers or times"
