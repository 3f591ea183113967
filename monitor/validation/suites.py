"""Expectation suites as files: read strictly, so that nothing a suite says is lost on the way."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from monitor.core.records import Severity
from monitor.errors import PathNotFound, SuiteError, nearest
from monitor.validation.condition_parser import parse_condition
from monitor.validation.conditions import Condition, columns_of

# Great Expectations before 1.0 wrote the names on the right.
_OLD_KEYS = {
    "expectation_type": "type",
    "expectation_suite_name": "name",
    "ge_cloud_id": "id",
    "evaluation_parameters": "suite_parameters",
}
_SUITE_KEYS = {
    "name", "id", "expectations", "suite_parameters", "meta", "notes", "data_asset_type",
}  # fmt: skip
_EXPECTATION_KEYS = {
    "type", "kwargs", "severity", "meta", "notes", "description", "id", "expectation_context",
    "rendered_content", "success_on_last_run",
}  # fmt: skip
# How to run and show an expectation: ours to decide, not the suite's.
_RUNTIME_KEYS = {"batch_id", "result_format", "catch_exceptions", "include_config"}
_CONDITION_KEYS = {"row_condition", "condition_parser"}
_COLUMN_KEYS = ("column", "column_A", "column_B")
_ONE_PATTERN, _MANY_PATTERNS = "regex", "regex_list"


@dataclass(frozen=True, slots=True, eq=False)
class Entry:
    """One expectation of a suite, as written."""

    place: str  # where it stands, for messages
    type: str
    kwargs: Mapping[str, Any]  # without row condition and runtime keys
    severity: Severity
    condition: Condition | None = None

    @property
    def column(self) -> str | None:
        """The one column it is about; None for the whole table and for several columns."""
        column = self.kwargs.get("column")
        return column if isinstance(column, str) else None

    @property
    def columns(self) -> tuple[str, ...]:
        """Every column whose values it needs, those of its condition included."""
        named = [self.kwargs[key] for key in _COLUMN_KEYS if key in self.kwargs]
        several = self.kwargs.get("column_list")
        named += several if isinstance(several, list) else []
        named += sorted(columns_of(self.condition)) if self.condition else []
        return tuple(dict.fromkeys(name for name in named if isinstance(name, str)))


def read_suite(path: Path) -> tuple[Entry, ...]:
    """Every expectation of a suite file, in order.

    Raises PathNotFound, or SuiteError when the file is not a suite, is empty, holds an unknown
    key, or holds a condition, parameter or schema that could not be carried out safely.
    """
    raw = _suite_object(path)
    listed = raw.get("expectations")
    if not isinstance(listed, list):
        raise SuiteError(f"{path}: a suite has a list of `expectations`; here is none")
    if not listed:
        raise SuiteError(
            f"{path}: the suite is empty", hint="an empty suite would pass whatever the data is"
        )
    parameters = raw.get("suite_parameters") or {}
    return tuple(
        _entry(item, f"{path}: expectations[{number}]", parameters)
        for number, item in enumerate(listed)
    )


def _suite_object(path: Path) -> dict[str, Any]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise PathNotFound(f"there is no expectation suite {path}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise SuiteError(f"{path} cannot be read: {error}") from None
    try:
        raw = json.loads(text, object_pairs_hook=_unrepeated, parse_constant=_infinity)
    except json.JSONDecodeError as error:
        raise SuiteError(
            f"{path}:{error.lineno}: this is not JSON: {error.msg} (column {error.colno})"
        ) from None
    except (ValueError, RecursionError) as error:
        raise SuiteError(f"{path}: {error}") from None
    if not isinstance(raw, dict):
        raise SuiteError(f"{path}: a suite is a JSON object with a list of `expectations`")
    return _known_keys(raw, _SUITE_KEYS, str(path))


def _infinity(constant: str) -> float:
    """Infinity and -Infinity are bounds; NaN is none, and would hold for nothing."""
    if constant == "NaN":
        raise ValueError("NaN is no number a rule can be held to")
    return float(constant)


def _unrepeated(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    """JSON lets the last of two equal keys win silently; a suite may not lose the first."""
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        repeated = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the key {repeated!r} stands twice in one object")
    return found


def _known_keys(raw: dict[str, Any], known: set[str], place: str) -> dict[str, Any]:
    renamed = {_OLD_KEYS.get(key, key): value for key, value in raw.items()}
    for key in renamed:
        if key not in known:
            near = nearest(key, known)
            raise SuiteError(
                f"{place}: unknown key {key!r}",
                hint=f"did you mean {near!r}?" if near else f"known: {', '.join(sorted(known))}",
            )
    if len(renamed) < len(raw):
        raise SuiteError(f"{place}: one key stands there in its old and its new spelling")
    return renamed


def _entry(item: object, place: str, parameters: Mapping[str, Any]) -> Entry:
    if not isinstance(item, dict):
        raise SuiteError(f"{place}: an expectation is an object with `type` and `kwargs`")
    raw = _known_keys(item, _EXPECTATION_KEYS, place)
    kind = raw.get("type")
    if not isinstance(kind, str):
        raise SuiteError(f"{place}: the expectation has no `type`")
    place = f"{place} {kind}"
    written = raw.get("kwargs") or {}
    if not isinstance(written, dict):
        raise SuiteError(f"{place}: `kwargs` is not an object")
    severity = _severity(written.get("severity", raw.get("severity")), place)
    kwargs = {
        key: _given(value, parameters, place)
        for key, value in written.items()
        if key not in _RUNTIME_KEYS | _CONDITION_KEYS | {"severity", "meta", "notes"}
    }
    _refuse_unsafe(kwargs, place)
    _refuse_crossed_bounds(kwargs, place)
    return Entry(place, kind, kwargs, severity, _condition(written.get("row_condition"), place))


def _severity(value: object, place: str) -> Severity:
    if value is None:
        return Severity.CRITICAL
    if value not in list(Severity):
        raise SuiteError(f"{place}: unknown severity {value!r}; there are: {', '.join(Severity)}")
    return Severity(str(value))


def _condition(value: object, place: str) -> Condition | None:
    if value is None:
        return None
    try:
        return parse_condition(value)
    except ValueError as error:
        raise SuiteError(
            f"{place}: {error}",
            hint="""write it like: col("age") >= 18 and country in ["DE", "AT"]""",
        ) from None


def _given(value: object, parameters: Mapping[str, Any], place: str) -> object:
    """An argument, or the value the suite itself gives for the parameter it names."""
    if not isinstance(value, dict) or "$PARAMETER" not in value:
        return value
    name = value["$PARAMETER"]
    if name not in parameters:
        raise SuiteError(
            f"{place}: needs the parameter {name!r}, for which the suite gives no value",
            hint="write the value itself, or add it to `suite_parameters`",
        )
    return parameters[name]


def _refuse_unsafe(kwargs: Mapping[str, Any], place: str) -> None:
    """What would fetch from the network, or search without a limit of time."""
    for pattern in _patterns(kwargs):
        try:
            re.compile(pattern)
        except (re.error, OverflowError, RecursionError) as error:
            raise SuiteError(f"{place}: {pattern!r} is not a regular expression: {error}") from None
    for key, value in _pairs_within(kwargs.get("json_schema")):
        if key in ("pattern", "patternProperties"):
            raise SuiteError(
                f"{place}: `{key}` in a JSON schema cannot be bounded in time",
                hint="use expect_column_values_to_match_regex",
            )
        if key.endswith("Ref") or (key == "$ref" and not str(value).startswith("#")):
            raise SuiteError(f"{place}: the JSON schema refers to another one: {value!r}")


def _refuse_crossed_bounds(kwargs: Mapping[str, Any], place: str) -> None:
    low, high = kwargs.get("min_value"), kwargs.get("max_value")
    if isinstance(low, int | float) and isinstance(high, int | float) and low > high:
        raise SuiteError(f"{place}: 'min_value' {low} is greater than 'max_value' {high}")


def _patterns(kwargs: Mapping[str, Any]) -> list[str]:
    listed = kwargs.get(_MANY_PATTERNS)
    found = [kwargs.get(_ONE_PATTERN), *(listed if isinstance(listed, list) else [])]
    return [pattern for pattern in found if isinstance(pattern, str)]


def _pairs_within(value: object) -> list[tuple[str, Any]]:
    """Every key and value of nested objects."""
    if isinstance(value, list):
        return [pair for item in value for pair in _pairs_within(item)]
    if not isinstance(value, dict):
        return []
    inner = [pair for item in value.values() for pair in _pairs_within(item)]
    return [*((str(key), item) for key, item in value.items()), *inner]
