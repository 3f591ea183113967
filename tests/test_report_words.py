"""How reports write numbers, shares, dates."""

import math
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.core import numerals
from monitor.core.records import Window
from monitor.reports import words


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (0, "0"),
        (-0.0, "0"),
        (0.341, "0.341"),
        (12.345, "12.3"),
        (999.6, "1 k"),
        (1234, "1\u202f234"),
        (1234.5, "1.23 k"),
        (30_123, "30.1 k"),
        (2_500_000, "2.5 M"),
        (7_100_000_000, "7.1 bn"),
        (-48_600, "-48.6 k"),
        (1e-9, "1 × 10⁻⁹"),
        (1e300, "1 × 10³⁰⁰"),
        (10**400, "∞"),
        (-math.inf, "-∞"),
        (math.nan, "–"),
        (None, "–"),
        ("text", "–"),
    ],
)
def test_numbers(value: object, told: str) -> None:
    assert numerals.number(value) == told


@given(st.one_of(st.floats(), st.integers(), st.none()))
def test_every_number_can_be_written(value: float | None) -> None:
    for write in (numerals.number, numerals.share, words.chance, numerals.count, words.plain):
        assert write(value)
    assert numerals.pair(value, value)


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (0.0, "0 %"),
        (0.00005, "< 0.1 %"),
        (0.031, "3.1 %"),
        (0.12, "12 %"),
        (0.5, "50 %"),
        (0.9996, "> 99.9 %"),
        (1.0, "100 %"),
        (math.nan, "–"),
    ],
)
def test_shares(value: float, told: str) -> None:
    assert numerals.share(value) == told


@pytest.mark.parametrize(
    ("hours", "zone", "told"),
    [
        ((0, 24), UTC, "Sun 31 Mar 2019 00:00–24:00 UTC"),
        ((14, 15), UTC, "Sun 31 Mar 2019 14:00–15:00 UTC"),
        ((0, 48), UTC, "Sun 31 Mar – Mon 1 Apr 2019 UTC"),
        ((22, 26), UTC, "Sun 31 Mar 22:00 – Mon 1 Apr 2019 02:00 UTC"),
        ((-1, 22), ZoneInfo("Europe/Berlin"), "Sun 31 Mar 2019 00:00–24:00 CET/CEST"),
        ((24 * 275, 24 * 277), UTC, "Tue 31 Dec 2019 – Wed 1 Jan 2020 UTC"),
    ],
)
def test_windows(hours: tuple[int, int], zone: ZoneInfo, told: str) -> None:
    midnight = datetime(2019, 3, 31, tzinfo=UTC)
    start, end = (midnight + timedelta(hours=h) for h in hours)
    assert words.window(Window(start, end), zone) == told


@pytest.mark.parametrize(
    ("arguments", "named", "told"),
    [
        ({"column": "a", "min_value": 0, "max_value": 1}, True, "0 to 1"),
        ({"min_value": 3, "mostly": 0.99}, True, "at least 3, in at least 99 % of rows"),
        ({"value_set": ["a", "b"]}, True, "value set a, b"),
        ({"value_set": ["a", "b"]}, False, "value set 2 values"),
        ({"strict": True}, True, "strict yes"),
        ([1, 2], True, "1, 2"),
        (None, True, "–"),
    ],
)
def test_what_an_expectation_wants(arguments: object, named: bool, told: str) -> None:
    assert words.wanted(arguments, named=named) == told


def test_expectation_names_become_phrases() -> None:
    assert words.expectation("expect_column_values_to_not_be_null") == "to not be null"
    assert words.expectation("expect_table_row_count_to_be_between") == "row count to be between"
    assert words.expectation("my_own_rule") == "my own rule"
