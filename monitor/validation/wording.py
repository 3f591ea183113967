"""The sentences: what an expectation found, in plain words and without a value of the data."""

from collections.abc import Mapping
from typing import Any

from monitor.validation.suites import Entry
from monitor.validation.written import Unreadable

# expectation -> how to call the number it holds between two bounds
_NUMBERS = {
    "expect_column_mean_to_be_between": "mean",
    "expect_column_median_to_be_between": "median",
    "expect_column_stdev_to_be_between": "standard deviation",
    "expect_column_sum_to_be_between": "sum",
    "expect_column_min_to_be_between": "smallest value",
    "expect_column_max_to_be_between": "largest value",
    "expect_column_unique_value_count_to_be_between": "number of distinct values",
    "expect_column_proportion_of_unique_values_to_be_between": "share of distinct values",
    "expect_column_proportion_of_non_null_values_to_be_between": "share of rows with a value",
    "expect_table_row_count_to_be_between": "number of rows",
    "expect_table_column_count_to_be_between": "number of columns",
    "expect_table_row_count_to_equal": "number of rows",
    "expect_table_column_count_to_equal": "number of columns",
}

# expectation -> what its unexpected rows do; {...} are its arguments
_ROWS = {
    "expect_column_values_to_be_between": "are {outside}",
    "expect_column_value_lengths_to_be_between": "have a length {outside}",
    "expect_column_value_lengths_to_equal": "have a length other than {value}",
    "expect_column_values_to_be_in_set": "are not in the set",
    "expect_column_values_to_not_be_in_set": "are in the forbidden set",
    "expect_column_values_to_not_be_null": "are null",
    "expect_column_values_to_be_null": "are not null",
    "expect_column_values_to_be_unique": "are repeated",
    "expect_column_values_to_match_regex": "do not match the pattern",
    "expect_column_values_to_match_regex_list": "do not match the patterns",
    "expect_column_values_to_not_match_regex": "match the forbidden pattern",
    "expect_column_values_to_not_match_regex_list": "match a forbidden pattern",
    "expect_column_values_to_match_strftime_format": "do not match the time format",
    "expect_column_values_to_be_dateutil_parseable": "are not dates",
    "expect_column_values_to_be_json_parseable": "are not JSON",
    "expect_column_values_to_match_json_schema": "do not match the JSON schema",
    "expect_column_values_to_be_of_type": "are of another type",
    "expect_column_values_to_be_in_type_list": "are of another type",
    "expect_column_values_to_be_increasing": "are lower than the row before",
    "expect_column_values_to_be_decreasing": "are higher than the row before",
    "expect_column_value_z_scores_to_be_less_than": "have a z-score beyond {threshold}",
    "expect_column_values_to_not_be_outliers": "are outliers",
    "expect_column_pair_values_to_be_equal": "differ between {column_A} and {column_B}",
    "expect_column_pair_values_a_to_be_greater_than_b": "have {column_A} not above {column_B}",
    "expect_column_pair_values_to_be_in_set": "hold a pair outside the set",
    "expect_compound_columns_to_be_unique": "repeat a combination of values",
    "expect_select_column_values_to_be_unique_within_record": "repeat a value within the row",
    "expect_multicolumn_values_to_be_unique": "repeat a value within the row",
    "expect_multicolumn_sum_to_equal": "do not add up to {sum_total}",
    "expect_multicolumn_values_to_be_equal": "hold values that differ",
}

# expectation -> (when it passes, when it fails)
_OTHERS = {
    "expect_column_to_exist": ("column {column!r} is there", "column {column!r} is missing"),
    "expect_table_columns_to_match_set": (
        "the columns are the expected ones",
        "the columns are not the expected ones",
    ),
    "expect_table_columns_to_match_ordered_list": (
        "the columns are the expected ones, in order",
        "the columns are not the expected ones in the expected order",
    ),
    "expect_column_most_common_value_to_be_in_set": (
        "the most common value is in the set",
        "the most common value is not in the set",
    ),
    "expect_column_quantile_values_to_be_between": (
        "every quantile is within its range",
        "a quantile is outside its range",
    ),
}


def of_rows(
    entry: Entry,
    success: bool,
    unexpected: int,
    counted: int,
    some_null: bool,
    unreadable: Unreadable | None = None,
) -> str:
    """`12 of 600 rows (2 %) are outside [0, 1]`, why, and what would have been allowed."""
    does = _ROWS.get(entry.type, "do not meet the expectation").format_map(_Arguments(entry.kwargs))
    rows = "rows with a value" if some_null else "rows"
    if not unexpected:
        return f"0 of {counted} {rows} {does}"
    told = f"{unexpected} of {counted} {rows} ({percent(unexpected / max(counted, 1))}) {does}"
    told += f", {_because(unreadable, unexpected)}" if unreadable else ""
    mostly = entry.kwargs.get("mostly", 1)
    if not isinstance(mostly, int | float) or mostly >= 1:
        return told
    return f"{told}; up to {percent(1 - mostly)} {'are' if success else 'would be'} allowed"


def _because(unreadable: Unreadable, unexpected: int) -> str:
    many = unreadable.values
    which = "" if many == unexpected else f"{many} of them "
    it_is = "it holds" if many == 1 else "they hold"
    return f"{which}because {it_is} no {unreadable.what}"


def of_aggregate(entry: Entry, success: bool, observed: Any) -> str:
    """`mean 41.2 is above 40`."""
    if entry.type in _NUMBERS:
        shown = _number(observed) if isinstance(observed, int | float) else observed
        name = f"{_NUMBERS[entry.type]} {'' if shown is None else shown}".strip()
        if "value" in entry.kwargs:
            wanted = _number(entry.kwargs["value"])
            return f"{name}, as expected" if success else f"{name} instead of {wanted}"
        return f"{name} is {_within(entry.kwargs) if success else outside(entry.kwargs)}"
    if entry.type in _OTHERS:
        return _OTHERS[entry.type][not success].format_map(_Arguments(entry.kwargs))
    told = "what was found" if observed is None else f"observed {_number(observed)}"
    return f"{told} {'meets' if success else 'does not meet'} the expectation"


def of_levels(observed: Mapping[str, Any]) -> str:
    """`2 levels are not in the set: 'c', 'd'; 1 level of the set is missing: 'z'`."""
    told = []
    if "not_in_set" in observed:
        verb = _levels(observed["not_in_set"], "", " not in the set")
        told.append(verb + _named(observed["not_in_set_levels"]))
    if "missing" in observed:
        verb = _levels(observed["missing"], " of the set", " missing")
        told.append(verb + _named(observed["missing_levels"]))
    return "; ".join(told)


def _levels(count: int, which: str, state: str) -> str:
    one = count == 1
    return f"{count} {'level' if one else 'levels'}{which} {'is' if one else 'are'}{state}"


def _named(levels: list[Any]) -> str:
    return f": {', '.join(map(repr, levels))}" if levels else ""


def outside(kwargs: Mapping[str, Any]) -> str:
    """Where values lie that break the bounds: `outside [0, 1]`, `below 0`, `above 1`."""
    low, high = kwargs.get("min_value"), kwargs.get("max_value")
    if low is None and high is None:
        return "outside its bounds"
    if high is None:
        return f"{'not above' if kwargs.get('strict_min') else 'below'} {_number(low)}"
    if low is None:
        return f"{'not below' if kwargs.get('strict_max') else 'above'} {_number(high)}"
    return f"outside {_interval(kwargs)}"


def percent(share: float) -> str:
    """A share with two digits that count: `2 %`, `0.37 %`.

    >>> percent(0.02), percent(0.00371), percent(0.9999), percent(1e-7)
    ('2 %', '0.37 %', '99.99 %', 'less than 0.01 %')
    """
    if 0 < share < 0.0001:
        return "less than 0.01 %"
    return f"{min(round(share * 100, 2), 100.0 if share == 1 else 99.99):g} %"


def _within(kwargs: Mapping[str, Any]) -> str:
    low, high = kwargs.get("min_value"), kwargs.get("max_value")
    if low is None and high is None:
        return "within its bounds"
    if high is None:
        return f"{'above' if kwargs.get('strict_min') else 'at least'} {_number(low)}"
    if low is None:
        return f"{'below' if kwargs.get('strict_max') else 'at most'} {_number(high)}"
    return f"within {_interval(kwargs)}"


def _interval(kwargs: Mapping[str, Any]) -> str:
    opening = "(" if kwargs.get("strict_min") else "["
    closing = ")" if kwargs.get("strict_max") else "]"
    low, high = _number(kwargs.get("min_value")), _number(kwargs.get("max_value"))
    return f"{opening}{low}, {high}{closing}"


def _number(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.6g}" if abs(value) < 1e6 else f"{value:.0f}"
    return str(value)


class _Arguments(dict[str, Any]):
    """Arguments for a template; one that is absent leaves an ellipsis."""

    def __missing__(self, key: str) -> str:
        return outside(self) if key == "outside" else "..."
