"""Since when, inside the window: the moment is found where there is one, and only there."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from monitor.core.cells import Pair
from monitor.core.columns import Column, Kind
from monitor.core.onset import onset, shared_onset
from monitor.core.records import Window
from monitor.core.summaries.collecting import summarize

DAY = Window(datetime(2026, 4, 15, tzinfo=UTC), datetime(2026, 4, 16, tzinfo=UTC))
NINE = DAY.start + timedelta(hours=9)
ROWS = 600


def times() -> np.ndarray:
    start = DAY.start.timestamp()
    return start + np.arange(ROWS) * 86400 / ROWS


def numbers(seed: int, moved_from: float, shift: float) -> tuple[Pair, Column]:
    rng = np.random.default_rng(seed)
    later = times() >= DAY.start.timestamp() + moved_from * 86400
    values = rng.normal(0, 1, ROWS) + shift * later
    reference = Column("x", "float", 5000, 0, numbers=rng.normal(0, 1, 5000))
    column = Column("x", "float", ROWS, 0, numbers=values)
    before = summarize(reference, Kind.NUMBER)
    return Pair("x", Kind.NUMBER, before, summarize(column, Kind.NUMBER, before)), column


def levels(seed: int, moved_from: float) -> tuple[Pair, Column]:
    rng = np.random.default_rng(seed)
    later = times() >= DAY.start.timestamp() + moved_from * 86400
    codes = np.where(later, rng.random(ROWS) < 0.7, rng.random(ROWS) < 0.2).astype(np.int64)
    reference = Column("x", "string", 5000, 0, None, np.arange(5000) % 5 // 4, ("a", "b"))
    column = Column("x", "string", ROWS, 0, None, codes, ("a", "b"))
    before = summarize(reference, Kind.CATEGORY)
    return Pair("x", Kind.CATEGORY, before, summarize(column, Kind.CATEGORY, before)), column


@pytest.mark.parametrize("seed", range(5))
def test_a_jump_of_numbers_is_found_within_half_an_hour(seed: int) -> None:
    pair, column = numbers(seed, 9 / 24, 2.0)
    found = onset(pair, column, times())
    assert found is not None and abs(found - NINE) < timedelta(minutes=30)


@pytest.mark.parametrize("seed", range(5))
def test_a_jump_of_levels_is_found_within_an_hour(seed: int) -> None:
    pair, column = levels(seed, 9 / 24)
    found = onset(pair, column, times())
    assert found is not None and abs(found - NINE) < timedelta(hours=1)


def test_the_order_of_rows_is_the_order_of_time() -> None:
    pair, column = numbers(0, 9 / 24, 2.0)
    mixed = np.random.default_rng(1).permutation(ROWS)
    assert column.numbers is not None
    shuffled = Column("x", "float", ROWS, 0, numbers=column.numbers[mixed])
    assert onset(pair, shuffled, times()[mixed]) == onset(pair, column, times())


def test_a_window_that_drifted_before_it_began_has_no_moment() -> None:
    found = [onset(*numbers(seed, 0.0, 2.0), times()) for seed in range(200)]
    assert sum(f is not None for f in found) <= 2  # 0.1 % each


@pytest.mark.parametrize(
    "column",
    [
        Column("x", "float", ROWS, 1, numbers=np.zeros(ROWS - 1)),
        Column("x", "float", 10, 0, numbers=np.arange(10.0)),
        Column("x", "float", ROWS, 0, numbers=np.zeros(ROWS)),
    ],
    ids=["missing values", "few rows", "constant"],
)
def test_without_an_order_or_a_spread_there_is_no_moment(column: Column) -> None:
    pair, _ = numbers(0, 9 / 24, 2.0)
    assert onset(pair, column, times()[: column.rows]) is None


def test_columns_that_agree_share_one_moment() -> None:
    near = NINE + timedelta(minutes=20)
    assert shared_onset([NINE, near, None], DAY) in (NINE, near)
    assert shared_onset([NINE, NINE + timedelta(hours=8)], DAY) is None
    assert shared_onset([NINE, None, None], DAY) is None
    assert shared_onset([], DAY) is None
