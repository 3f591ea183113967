"""Summaries: every bound they state holds, whatever the rows, their order and their pieces."""

import base64
import json
import math
import tracemalloc
import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import numpy as np
import pytest
from column_fixtures import TESTS, counted, numbers, pair_of
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from monitor.core import spelling
from monitor.core.cells import Counts, Pair
from monitor.core.columns import Column, Floats, Kind
from monitor.core.drift import ks
from monitor.core.drift.psi import psi
from monitor.core.drift_socket import Rule, find
from monitor.core.records import Finding, Verdict
from monitor.core.summaries.binary import MAGIC, UnknownForm, from_bytes, to_bytes
from monitor.core.summaries.collecting import NumberCollector, summarize
from monitor.core.summaries.kept import Summaries
from monitor.core.summaries.levels import MOST_LEVELS, LevelCounts, LevelTally
from monitor.core.summaries.merging import merge
from monitor.core.summaries.moments import Moments, merged_moments
from monitor.core.summaries.points import cut_error, equi_rank
from monitor.core.summaries.summary import Cut, Summary, in_one_precision

ROUNDED = 1e-9  # of a share, where weights are added up

Shape = Callable[[np.random.Generator, int], Floats]
SHAPES: dict[str, Shape] = {
    "normal": lambda r, n: r.normal(size=n),
    "lognormal": lambda r, n: r.lognormal(0, 4, n),
    "heavy ties": lambda r, n: r.integers(0, 7, n).astype(float),
    "constant": lambda r, n: np.full(n, 3.0),
    "two atoms": lambda r, n: np.where(r.random(n) < 0.3, -1.0, 2.0),
    "one other": lambda r, n: np.where(np.arange(n) == n // 2, 9.0, 1.0),
    "half zeros": lambda r, n: np.where(r.random(n) < 0.4, 0.0, r.exponential(size=n)),
    "infinite": lambda r, n: r.choice([-np.inf, np.inf, 0.5, 1.5], n, p=[0.1, 0.2, 0.3, 0.4]),
    "only infinite": lambda r, n: r.choice([-np.inf, np.inf], n),
    "sorted": lambda r, n: np.arange(n, dtype=float),
    "reversed": lambda r, n: np.arange(n, dtype=float)[::-1].copy(),
    "sawtooth": lambda r, n: (np.arange(n) % 97).astype(float),
    "huge": lambda r, n: r.normal(size=n) * 1e300,
    "tiny": lambda r, n: r.normal(size=n) * 1e-200,
    "subnormal": lambda r, n: (r.integers(-9, 9, n) * 5e-324).astype(float),
    "signed zeros": lambda r, n: r.choice([0.0, -0.0, 1.0], n),
    "far from zero": lambda r, n: 1e15 + r.integers(0, 5, n).astype(float),
}
every_shape = pytest.mark.parametrize("shape", SHAPES)


def collected(
    values: Floats,
    cuts: Sequence[Cut] = (),
    *,
    most: int = 500,
    points: int = 40,
    rows: int | None = None,
    ends: Sequence[int] = (),
) -> Summary:
    """The summary of values that come in pieces which end at `ends`."""
    collector = NumberCollector(
        values.size if rows is None else rows, cuts, most=most, points=points
    )
    for piece in np.split(values, sorted(ends)):
        collector.add(numbers(piece), Kind.NUMBER)
    return collector.done()


def exactly(values: Floats) -> Summary:
    return Summary(values.size, 0, np.sort(values))


def rank_gap(points: Floats, values: Floats) -> float:
    """The largest distance of the two distribution functions, at and just before every value."""
    grid = np.unique(np.concatenate([points, values]))
    return max(
        float(np.max(np.abs(_share(points, grid, side) - _share(values, grid, side))))
        for side in ("left", "right")
    )


def _share(values: Floats, at: Floats, side: str) -> Floats:
    below: Floats = np.searchsorted(np.sort(values), at, side)  # type: ignore[call-overload]
    return below / values.size


def holds(summary: Summary, values: Floats) -> None:
    """Everything a summary of these values states is true."""
    assert summary.values is not None
    assert summary.present == values.size
    assert summary.infinite == np.isinf(values).sum()
    if values.size:
        assert rank_gap(summary.values, values) <= summary.rank_error + ROUNDED
    for (value, side), rows in summary.below.items():
        assert rows == np.searchsorted(np.sort(values), value, side)  # type: ignore[call-overload]
    describes(summary.moments, values[np.isfinite(values)])


def describes(found: Moments, finite: Floats) -> None:
    assert found.rows == finite.size
    if not finite.size:
        return
    assert (found.low, found.high) == (finite.min(), finite.max())
    assert found.whole == np.all(finite == np.trunc(finite))
    scale = float(np.max(np.abs(finite))) or 1.0
    near = finite / scale
    digits = 1e-12 if scale > 1e-300 else 1.0  # below, float64 has hardly any
    assert found.mean / scale == pytest.approx(near.mean(), abs=digits)
    assert found.sd / scale == pytest.approx(near.std(), rel=1e-6, abs=max(digits, 1e-8))


# --- Points: ranks, counts, moments ---


@every_shape
@pytest.mark.parametrize("seed", range(4))
def test_a_summary_keeps_its_bound_whatever_the_pieces(shape: str, seed: int) -> None:
    rng = np.random.default_rng([seed, len(shape)])
    rows, most, points = (int(rng.integers(1, top)) for top in (3000, 600, 80))
    values = SHAPES[shape](rng, rows)
    expected = int(rng.choice([0, 1, rows // 2, rows, 3 * rows]))
    cuts = exactly(SHAPES[shape](rng, 60)).cuts if seed % 2 else []
    ends = rng.integers(0, rows + 1, int(rng.integers(0, 20))).tolist()
    found = collected(values, cuts, most=most, points=points, rows=expected, ends=ends)
    holds(found, values)
    assert found.exact == (rows <= most or rows <= 4 * points)
    if not found.exact:
        assert set(found.below) == set(cuts) or not cuts
        assert found.rank_error <= 2 * cut_error(points) + ROUNDED


@given(
    st.lists(st.floats(allow_nan=False, width=64), max_size=120),
    st.integers(1, 40),
    st.integers(1, 30),
    st.lists(st.integers(0, 120), max_size=6),
)
@settings(max_examples=150, deadline=None)
def test_a_summary_of_any_floats_keeps_its_bound(
    values: list[float], most: int, points: int, ends: list[int]
) -> None:
    array = np.array(values, dtype=np.float64)
    found = collected(array, most=most, points=points, ends=[min(e, array.size) for e in ends])
    assert found.values is not None and found.rows == array.size
    if array.size:
        assert rank_gap(found.values, array) <= found.rank_error + ROUNDED
        finite = array[np.isfinite(array)]
        assert found.moments.rows == finite.size
        if finite.size:
            assert (found.moments.low, found.moments.high) == (finite.min(), finite.max())


def test_missing_and_unreadable_values_are_counted_whatever_the_pieces() -> None:
    words = counted({"1": 30, "2.5": 30, "n/a": 7})
    collector = NumberCollector(3, most=10, points=2)
    for piece in (numbers([1.0, math.nan, 3.0] * 20), words, numbers([math.nan] * 5)):
        collector.add(piece, Kind.NUMBER)
    found = collector.done()
    assert (found.rows, found.missing, found.unreadable) == (132, 25, 7)
    assert found.present == 100 == found.moments.rows
    assert found.moments.mean == pytest.approx((20 * 4 + 30 * 3.5) / 100)


def test_no_rows_make_an_empty_summary() -> None:
    for rows in (0, 1, 1000):
        found = NumberCollector(rows, [(1.0, "right")], most=5, points=1).done()
        assert found.rows == 0 and found.exact
        assert found.values is not None and found.values.size == 0
        assert found.moments.rows == 0 and found.cuts == []


def test_points_are_at_most_as_many_as_asked_for_and_values_of_rows() -> None:
    values = np.sort(np.random.default_rng(1).normal(size=10_007))
    for most in (1, 2, 3, 100, 9_999, 10_007, 20_000):
        points = equi_rank(values, most)
        assert points.size == min(most, values.size)
        assert np.all(np.isin(points, values)) and np.all(np.diff(points) >= 0)
        assert rank_gap(points, values) <= cut_error(most)


# --- Merging ---


def parts_of(values: Floats, rng: np.random.Generator) -> list[Floats]:
    return np.split(values, np.sort(rng.integers(0, values.size + 1, 5)))


@every_shape
def test_merging_keeps_its_bound_in_every_order_and_grouping(shape: str) -> None:
    rng = np.random.default_rng(7)
    values = SHAPES[shape](rng, 4000)
    parts = [exactly(v).condensed(int(rng.integers(10, 90))) for v in parts_of(values, rng)]
    one, two, *others = parts
    for found in (
        merge(parts, points=60),
        merge(parts[::-1], points=60),
        merge([merge([one, two], points=60), merge(others, points=60)], points=60),
        merge([one, merge([two, *others], points=60)], points=60),
    ):
        holds(found, values)
        assert found.rank_error <= 0.06  # the mean error of the parts, and two cuts


def test_points_of_one_size_merge_within_the_mean_of_their_errors_and_one_cut() -> None:
    rng = np.random.default_rng(2)
    parts = [exactly(rng.normal(i, 1, 5000)).condensed(100) for i in range(20)]
    merged = merge(parts, points=100)
    assert merged.rank_error == pytest.approx(2 * cut_error(100))


def test_exact_parts_that_are_few_merge_exactly() -> None:
    rng = np.random.default_rng(3)
    values = rng.normal(size=399)
    merged = merge([exactly(v) for v in parts_of(values, rng)], points=100)
    assert merged.exact and merged.values is not None
    assert merged.values.tolist() == np.sort(values).tolist()


def test_exact_parts_that_are_many_keep_exact_cells() -> None:
    rng = np.random.default_rng(4)
    values = np.where(rng.random(5000) < 0.3, 0.0, rng.normal(size=5000))
    merged = merge([exactly(v) for v in parts_of(values, rng)], points=100)
    holds(merged, values)
    assert merged.rank_error == cut_error(100)
    assert merged.cuts == exactly(values).cuts


def test_rows_below_the_cuts_of_a_reference_stay_exact_over_merging() -> None:
    rng = np.random.default_rng(5)
    cuts = exactly(rng.normal(size=999)).cuts
    days = [rng.normal(0.2, 1, int(rng.integers(1, 3000))) for _ in range(9)]
    merged = merge([collected(day, cuts) for day in days], points=40)
    assert set(merged.below) == set(cuts)
    holds(merged, np.concatenate(days))


def test_cuts_that_parts_have_only_partly_in_common_are_no_cells() -> None:
    rng = np.random.default_rng(6)
    days = [np.where(rng.random(4000) < 0.3, 0.0, rng.normal(i, 1, 4000)) for i in range(3)]
    merged = merge([exactly(day).condensed(50) for day in days], points=50)
    assert not merged.below and len(merged.cuts) >= 8
    holds(merged, np.concatenate(days))


@pytest.mark.parametrize("nothing", [Summary(0, 0, np.empty(0)), Summary(9, 9, np.empty(0))])
def test_one_part_and_parts_without_values_change_nothing(nothing: Summary) -> None:
    part = exactly(np.random.default_rng(8).normal(size=5000)).condensed(100)
    for parts in ([part], [part, nothing], [nothing, part, nothing]):
        merged = merge(parts, points=10)
        assert merged.values is part.values
        assert (merged.rank_error, merged.below) == (part.rank_error, part.below)
        assert merged.moments == part.moments
        assert merged.rows == sum(p.rows for p in parts)
        assert merged.present == part.present
    empty = merge([nothing, nothing])
    assert empty.exact and empty.present == 0 and empty.rows == 2 * nothing.rows


def test_what_cannot_be_merged_is_refused() -> None:
    with pytest.raises(ValueError, match="nothing to merge"):
        merge([])
    with pytest.raises(ValueError, match="two kinds"):
        merge([exactly(np.ones(3)), Summary(3, 0, counts={"a": 3})])


def test_moments_of_parts_are_those_of_all_rows() -> None:
    rng = np.random.default_rng(9)
    for scale in (1e-310, 1e-200, 1.0, 1e150, 1e307):
        values = rng.normal(3, 1, 3000) * scale
        parts = [Moments.of(np.sort(v)) for v in parts_of(values, rng)]
        describes(merged_moments([*parts, Moments.of(np.empty(0))]), values)


# --- Levels ---


def streams() -> Iterator[tuple[str, list[str]]]:
    rng = np.random.default_rng(11)
    zipf = [f"z{v}" for v in rng.zipf(1.3, 6000) % 900]
    yield "all distinct", [f"d{i}" for i in range(3000)]
    yield "one heavy", [*("h" if i % 2 else f"d{i}" for i in range(3000))]
    yield "zipf", zipf
    yield "zipf, reversed", zipf[::-1]
    yield "heavy at the end", [*(f"d{i}" for i in range(2000)), *["late"] * 500]
    yield "blocks", [f"b{i // 40}" for i in range(6000)]


def tallied(stream: Sequence[str], kept: Sequence[str] = (), most: int = 60) -> LevelCounts:
    tally = LevelTally(kept, most)
    for start in range(0, len(stream), 150):
        tally.add(Counter(stream[start : start + 150]).items())
    return tally.done()


def true_of(
    found: LevelCounts, rows: Sequence[str], kept: Sequence[str] = (), most: int = 60
) -> None:
    truth = Counter(rows)
    assert sum(found.counts.values()) + found.rest == len(rows)
    for level, size in truth.items():
        held = found.counts.get(level, 0)
        assert held <= size <= held + found.error
    assert set(found.counts) <= set(truth)
    assert all(found.counts.get(level, 0) == truth[level] for level in kept)
    assert found.error * (most // 2 + 1) <= found.rest
    assert len(found.counts) <= most + len(kept) + 150  # a piece may go beyond


@pytest.mark.parametrize(
    ("name", "stream"), [*streams()], ids=lambda v: v if isinstance(v, str) else ""
)
def test_levels_are_counted_within_their_error(name: str, stream: list[str]) -> None:
    true_of(tallied(stream), stream)
    kept = [*[*dict.fromkeys(stream)][::97], "never there"]
    true_of(tallied(stream, kept), stream, kept)
    assert tallied(stream, most=10_000) == LevelCounts(Counter(stream), 0, 0)


@pytest.mark.parametrize(
    ("name", "stream"), [*streams()], ids=lambda v: v if isinstance(v, str) else ""
)
def test_merged_levels_are_counted_within_their_error(name: str, stream: list[str]) -> None:
    third = len(stream) // 3
    for order in (1, -1):
        whole = LevelTally((), 60)
        for part in (stream[:third], stream[third : 2 * third], stream[2 * third :])[::order]:
            whole.add_tally(tallied(part))
        true_of(whole.done(), stream)


def test_levels_of_summaries_merge() -> None:
    parts = [Summary(7, 1, counts={"a": 4, "b": 2}), Summary(3, 0, counts={"b": 3})]
    merged = merge(parts)
    assert (merged.rows, merged.missing, dict(merged.counts)) == (10, 1, {"a": 4, "b": 5})
    assert merged.exact and merged.values is None


def many_levels(seed: int, rows: int, shift: int = 0) -> Column:
    """More levels than can be counted singly; some are frequent."""
    rng = np.random.default_rng(seed)
    codes = np.where(
        rng.random(rows) < 0.5, rng.integers(0, 40, rows), rng.integers(40, 3 * MOST_LEVELS, rows)
    )
    return Column(
        "x",
        "string",
        rows,
        0,
        codes=codes,
        levels=tuple(f"v{i + shift}" for i in range(3 * MOST_LEVELS)),
    )


def test_a_reference_of_too_many_levels_counts_those_it_keeps_exactly() -> None:
    column = many_levels(1, 260_000)
    truth = spelling.level_counts(column)
    found = summarize(column, Kind.CATEGORY)
    assert len(truth) > MOST_LEVELS > len(found.counts)
    assert all(truth[level] == size for level, size in found.counts.items())
    assert sum(found.counts.values()) + found.rest == 260_000
    assert {f"v{i}" for i in range(40)} <= found.counts.keys()


@pytest.mark.slow
def test_equal_data_of_too_many_levels_is_not_drifted_and_other_data_is() -> None:
    before = many_levels(1, 260_000)
    for seed, shift, drifted in ((2, 0, False), (3, 20, True)):
        both = pair_of(Kind.CATEGORY, before, many_levels(seed, 300_000, shift))
        found = findings(both, ("psi", "chi_squared", "unseen_share", "lost_levels"))
        assert (found["psi"].verdict is Verdict.DRIFTED) == drifted
        assert found["psi"].exact and found["chi_squared"].exact
        if not drifted:
            assert found["psi"].verdict is Verdict.PASSED
            assert "lost_levels" not in found
        assert "unseen_share" not in found


def test_psi_of_a_reference_with_uncertain_counts_is_within_its_bound() -> None:
    rng = np.random.default_rng(12)
    for _ in range(6):
        before, now = ([f"z{v}" for v in rng.zipf(1.5, rows) % 400] for rows in (9000, 4000))
        reference = of_levels(tallied(before), 9000)
        current = of_levels(tallied(now, [*reference.counts]), 4000)
        both = Pair("x", Kind.CATEGORY, reference, current)
        assert both.slack is not None
        found = findings(both, ("psi",))["psi"]
        levels = sorted(reference.counts)
        counts = [Counter(rows) for rows in (before, now)]
        truth = [
            np.array(
                [*(side[v] for v in levels), sum(side.values()) - sum(side[v] for v in levels)]
            )
            for side in counts
        ]
        assert within_bound(both, found, truth[0], truth[1])


def of_levels(found: LevelCounts, rows: int) -> Summary:
    return Summary(rows, 0, counts=found.counts, rest=found.rest, count_error=found.error)


# --- What findings say of summaries ---


def findings(both: Pair, names: Sequence[str], rule: Rule | None = None) -> dict[str, Finding]:
    found = {name: find(name, TESTS[name], both, rule or Rule()) for name in names}
    return {name: finding for name, finding in found.items() if finding is not None}


def pair(reference: Summary, current: Summary) -> Pair:
    return Pair("x", Kind.NUMBER, *in_one_precision(reference, current))


def within_bound(both: Pair, found: Finding, reference: Counts, current: Counts) -> bool:
    """Whether PSI of all rows in the cells of a pair is as near as the finding says.

    The counts are those of the cells before merging.
    """
    truth = [both._merged(side) for side in (reference, current)]
    kept = sum(both._merged(side) for side in both.fine_cells) > 0
    assert found.effect is not None
    return abs(psi(truth[0][kept], truth[1][kept]) - found.effect) <= found.error_bound + ROUNDED


def fine(cuts: list[Cut], values: Floats) -> Counts:
    return np.diff(exactly(values).up_to(cuts), prepend=0, append=values.size)


def moved(rng: np.random.Generator, values: Floats, rows: int) -> Floats:
    """Rows of a window: the same, scaled, shifted, or with a new atom."""
    window = rng.choice(values, rows)
    how = rng.integers(0, 4)
    if how == 1:
        window = window + float(np.abs(values).min(initial=1.0)) / 2
    if how == 2:
        window = window / 2
    if how == 3:
        window = np.concatenate([window, np.full(rows // 3, window[0] / 2)])
    return window


def pairs_of(values: Floats, window: Floats, points: int) -> Iterator[tuple[str, Pair]]:
    """Every way to summarize both sides, but for those that round one of them to float32."""
    most = 5 * points + 1
    frozen = exactly(values).condensed(points)
    loose = collected(values, most=most, points=points)
    for name, reference in (
        ("frozen", frozen),
        ("loose", loose),
        ("loose, frozen", loose.condensed(max(2, points // 8))),
    ):
        for current in (
            exactly(window),
            collected(window, reference.cuts, most=most, points=points),
            collected(window, most=most, points=points),
        ):
            if reference.is_single == current.is_single:
                yield name, pair(reference, current)


@every_shape
@pytest.mark.parametrize("seed", range(2))
def test_findings_on_points_are_within_their_bound_of_all_rows(shape: str, seed: int) -> None:
    rng = np.random.default_rng([seed, 21])
    values = SHAPES[shape](rng, int(rng.integers(2000, 5000)))
    window = moved(rng, values, int(rng.choice([60, 600, 3000])))
    truth = findings(pair(exactly(values), exactly(window)), ("psi", "ks"))
    for name, both in pairs_of(values, window, int(rng.choice([30, 90]))):
        found = findings(both, ("psi", "ks"))
        assert found["ks"].effect == pytest.approx(
            truth["ks"].effect, abs=found["ks"].error_bound + ROUNDED
        )
        cuts = both.reference.cuts
        if both.slack is None:
            assert name == "frozen" or not cuts
            assert found["psi"] == truth["psi"]
        elif found["psi"].effect is not None:
            assert not found["psi"].exact
            assert within_bound(both, found["psi"], fine(cuts, values), fine(cuts, window)), name


@every_shape
def test_nothing_is_called_drifted_that_all_rows_do_not_prove(shape: str) -> None:
    rules = (Rule(), Rule(p_value=0.05), Rule(threshold={"psi": 0.1, "ks": 0.1}))
    told = 0
    for seed in range(2):
        rng = np.random.default_rng([seed, 31])
        values = SHAPES[shape](rng, 3000)
        window = moved(rng, values, int(rng.choice([100, 2000])))
        for name, both in pairs_of(values, window, 40):
            cuts = both.reference.cuts
            exact = [
                replace(exactly(v), below=dict(zip(cuts, exactly(v).up_to(cuts), strict=True)))
                for v in (values, window)
            ]
            truth = Pair("x", Kind.NUMBER, exact[0], exact[1])
            if not np.array_equal(truth._groups, both._groups):
                continue
            for rule in rules:
                found, held = (findings(p, ("psi", "ks"), rule) for p in (both, truth))
                for test, finding in found.items():
                    told += 1
                    if finding.verdict is Verdict.DRIFTED:
                        assert held[test].verdict is Verdict.DRIFTED, (name, test, rule)
    assert told


def test_a_condensed_reference_has_the_cuts_of_all_rows() -> None:
    for shape in SHAPES.values():
        values = shape(np.random.default_rng(41), 5000)
        whole = exactly(values)
        small = whole.condensed(50)
        assert small.values is not None and small.values.size == 50
        assert small.cuts == whole.cuts
        assert small.up_to(small.cuts).tolist() == whole.up_to(whole.cuts).tolist()
        assert small.condensed(50) is small
        assert {k: v for k, v in small.description.items() if k != "median"} == {
            k: v for k, v in whole.description.items() if k != "median"
        }


def test_few_values_are_not_condensed() -> None:
    few = exactly(np.arange(200.0))
    assert few.condensed(50) is few and few.condensed(49) is not few


def test_summaries_of_held_columns_are_kept_and_those_of_others_are_not() -> None:
    class Passing:
        name, dtype, rows, missing, problem, kind = "x", "float", 3, 0, "", None

        def head(self) -> Column:
            return numbers([1.0, 2.0, 3.5])

        drawn = head

        def pieces(self) -> Iterator[Column]:
            return iter([self.head()])

    kept, column, passing = Summaries(), numbers([1.0, 2.0, 3.5]), Passing()
    assert kept.of(column, Kind.NUMBER) is kept.of(column, Kind.NUMBER)
    assert kept.of(passing, Kind.NUMBER) is not kept.of(passing, Kind.NUMBER)
    assert kept.of(column, Kind.CATEGORY) is not kept.of(column, Kind.NUMBER)


# --- KS ---


def naive_d(one: Floats, other: Floats) -> float:
    grid = np.concatenate([one, other])
    return max(
        float(np.max(np.abs(_share(one, grid, side) - _share(other, grid, side))))
        for side in ("left", "right")
    )


@pytest.mark.parametrize("top", [5, 70, 700, 4000])
def test_d_is_the_largest_distance(top: int) -> None:
    rng = np.random.default_rng(top)
    for _ in range(900 if top < 700 else 100):
        n, m = rng.integers(1, top, 2)
        one, other = rng.normal(size=n), rng.normal(rng.choice([0.0, 0.5, 9.0]), 1, m)
        decimals = rng.choice([0, 1, 9])
        one, other = np.sort(np.round(one, decimals)), np.sort(np.round(other, decimals))
        if rng.random() < 0.1:
            one[-1] = other[-1] = np.inf
        assert ks.ks_distance(one, other) == naive_d(one, other) == ks.ks_distance(other, one)


def test_d_of_separate_equal_and_nested_samples() -> None:
    ones, ramp = np.ones(1000), np.arange(1000.0)
    assert ks.ks_distance(ramp, ramp + 5000) == 1.0
    assert ks.ks_distance(ramp, ramp.copy()) == 0.0
    assert ks.ks_distance(ones, ones[:3]) == 0.0
    assert ks.ks_distance(ones, np.full(7, 2.0)) == 1.0
    assert ks.ks_distance(ramp, np.array([499.5])) == 0.5


def test_the_asymptotic_p_is_that_of_one_sample() -> None:
    for rows in (1, 7, 500, ks.MANY - 1):
        for d in (0.0, 0.3 / math.sqrt(rows), 1 / math.sqrt(rows), min(1.0, 2 / math.sqrt(rows))):
            assert ks.asymptotic_p(d, rows) == float(np.clip(stats.kstwo.sf(d, rows), 0, 1))
    for rows in (ks.MANY, 60_001):
        for z in (0.0, 0.5, 0.8, 1.0, 1.8):
            d = z / math.sqrt(rows)
            assert ks.asymptotic_p(d, rows) == pytest.approx(stats.kstwo.sf(d, rows), abs=3e-6)


def test_p_of_points_is_no_smaller_than_that_of_all_rows() -> None:
    rng = np.random.default_rng(51)
    for _ in range(40):
        values, window = rng.normal(size=3000), rng.normal(0.05, 1, 2000)
        truth = findings(pair(exactly(values), exactly(window)), ("ks",))["ks"]
        both = pair(exactly(values).condensed(50), exactly(window))
        found = findings(both, ("ks",))["ks"]
        assert found.p_value is not None and truth.p_value is not None
        assert found.p_value >= truth.p_value - 1e-3  # exact law against the limit
        assert not found.exact and found.error_bound == cut_error(50)


# --- Bytes ---


def examples() -> dict[str, tuple[Kind, Summary]]:
    rng = np.random.default_rng(61)
    wild = SHAPES["infinite"](rng, 3000)
    return {
        "exact": (Kind.NUMBER, Summary(5, 2, np.array([-np.inf, -0.0, 5e-324]))),
        "points": (Kind.NUMBER, replace(exactly(wild).condensed(20), missing=0, unreadable=0)),
        "ünicode, 名前": (Kind.TEXT, Summary(3, 0, np.array([1.0, 2.0, 2.0]), unreadable=0)),
        "levels": (Kind.CATEGORY, Summary(9, 1, counts={"a": 5, "": 2, "ß\n\0": 1})),
        "too many": (Kind.CATEGORY, Summary(90, 0, counts={"a": 50}, rest=40, count_error=3)),
        "flags": (Kind.BOOLEAN, Summary(4, 0, counts={"true": 3, "false": 1})),
        "nothing": (Kind.NUMBER, Summary(4, 4, np.empty(0))),
        "no levels": (Kind.CATEGORY, Summary(0, 0)),
        "unreadable": (Kind.NUMBER, Summary(4, 1, np.array([1.0]), unreadable=2)),
    }


def same(one: Summary, other: Summary) -> bool:
    if (one.values is None) != (other.values is None):
        return False
    if one.values is not None and one.values.tobytes() != np.asarray(other.values).tobytes():
        return False
    bare = [replace(side, values=None, known=None) for side in (one, other)]
    told = [{k: getattr(side, k) for k in side.__dataclass_fields__} for side in bare]
    return told[0] == told[1] and one.moments.rows == other.moments.rows


@pytest.mark.parametrize("packed", [True, False])
def test_summaries_come_back_from_their_bytes(packed: bool) -> None:
    written = examples()
    read = from_bytes(to_bytes(written, packed=packed))
    assert [*read] == [*written]
    for name, (kind, summary) in written.items():
        assert read[name][0] is kind and same(read[name][1], summary), name
    assert read["points"][1].moments == written["points"][1].moments
    assert from_bytes(to_bytes({}, packed=packed)) == {}


def test_arrays_that_are_not_packed_are_read_where_they_are() -> None:
    """As numbers that a processor takes as they lie: each begins at a multiple of its size."""
    content = to_bytes(examples(), packed=False)
    aligned = memoryview(bytearray(len(content) + 8))
    start = -np.frombuffer(aligned, np.uint8).ctypes.data % 8
    aligned[start : start + len(content)] = content
    read = from_bytes(aligned[start : start + len(content)])
    for name, (_, summary) in read.items():
        if summary.values is not None:
            assert summary.values.flags.aligned and not summary.values.flags.owndata, name


# Written by the first version of the form; every later version reads it.
VERSION_1 = base64.b64decode(
    b"RE1TVU1NAQCcAQAAAAAAADHPuIt7ImNvbHVtbnMiOiB7ImFtb3VudCI6IHsia2luZCI6ICJudW1iZXIiLCAicm93"
    b"cyI6IDksICJtaXNzaW5nIjogMSwgInVucmVhZGFibGUiOiAxLCAidmFsdWVzIjogMywgInJhbmtfZXJyb3IiOiAw"
    b"LjEyNSwgIm1vbWVudHMiOiB7InJvd3MiOiA2LCAibWVhbiI6IDIuNSwgInNkIjogMS4yNSwgImxvdyI6IDAuNSwg"
    b"ImhpZ2giOiA3LjAsICJ3aG9sZSI6IGZhbHNlfSwgImJlbG93IjogW1sxLjUsICJsZWZ0IiwgMl0sIFs0LjAsICJy"
    b"aWdodCIsIDZdLCBbSW5maW5pdHksICJyaWdodCIsIDddXX0sICJyZWdpb24gw6kiOiB7ImtpbmQiOiAiY2F0ZWdv"
    b"cnkiLCAicm93cyI6IDgsICJtaXNzaW5nIjogMCwgInVucmVhZGFibGUiOiAwLCAibGV2ZWxzIjogWyJub3J0aCIs"
    b"ICIiXSwgInJlc3QiOiAyLCAiY291bnRfZXJyb3IiOiAxfX19eAFjYACBD//BFMMPewgt4MAKYTAwQmkAZfYDfQ=="
)


def test_the_first_form_is_readable_for_ever() -> None:
    read = from_bytes(VERSION_1)
    kind, amount = read["amount"]
    assert kind is Kind.NUMBER and amount.values is not None
    assert amount.values.tolist() == [-math.inf, 1.5, 4.0]
    assert (amount.rows, amount.missing, amount.unreadable, amount.rank_error) == (9, 1, 1, 0.125)
    assert amount.known == Moments(6, 2.5, 1.25, 0.5, 7.0, False)
    assert amount.below == {(1.5, "left"): 2, (4.0, "right"): 6, (math.inf, "right"): 7}
    kind, region = read["region é"]
    assert kind is Kind.CATEGORY and region.values is None
    assert dict(region.counts) == {"north": 5, "": 1}
    assert (region.rows, region.rest, region.count_error) == (8, 2, 1)


@pytest.mark.parametrize("packed", [True, False])
def test_bytes_that_are_cut_off_anywhere_are_refused(packed: bool) -> None:
    content = to_bytes(examples(), packed=packed)
    for end in range(len(content)):
        with pytest.raises(UnknownForm):
            from_bytes(content[:end])


def test_bytes_of_a_later_version_are_refused_with_its_number() -> None:
    content = bytearray(to_bytes(examples()))
    content[len(MAGIC)] = 3
    with pytest.raises(UnknownForm, match="form 3; this version reads 1 and 2"):
        from_bytes(bytes(content))
    for other in (b"", b"PAR1", b"{}", bytes(40)):
        with pytest.raises(UnknownForm, match="no summaries"):
            from_bytes(other)


def test_what_a_later_version_adds_to_the_header_is_passed_over(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from monitor.core.summaries import binary

    told = binary._told

    def later(*arguments: object) -> dict[str, object]:
        found = told(*arguments)  # type: ignore[arg-type]
        if "moments" in found:
            found["moments"] |= {"skewness": 0.5}
        return found | {"sketch": {"new": [1, 2]}}

    monkeypatch.setattr(binary, "_told", later)
    read = from_bytes(to_bytes(examples()))
    assert all(same(read[name][1], summary) for name, (_, summary) in examples().items())


@pytest.mark.parametrize("seed", range(4))
def test_damaged_bytes_are_refused_and_never_read_as_something_else(seed: int) -> None:
    written = examples()
    content = to_bytes(written)
    rng = np.random.default_rng(seed)
    refused = 0
    for _ in range(1500):
        damaged = bytearray(content)
        for place in rng.integers(0, len(content), int(rng.integers(1, 4))):
            damaged[place] = int(rng.integers(0, 256))
        try:
            read = from_bytes(bytes(damaged))
        except UnknownForm:
            refused += 1
            continue
        assert all(same(read[name][1], summary) for name, (_, summary) in written.items())
    assert refused > 1400


@pytest.mark.parametrize(
    "header",
    [
        b"[]",
        b"{}",
        b'{"columns": []}',
        b'{"columns": {"x": 3}}',
        b'{"columns": {"x": {"kind": "number", "values": -1}}}',
        b'{"columns": {"x": {"kind": "colour", "levels": []}}}',
    ],
)
def test_headers_that_make_no_sense_are_refused(header: bytes) -> None:
    with pytest.raises(UnknownForm, match="corrupt"):
        from_bytes(with_header(header, zlib.compress(b"")))


def with_header(header: bytes, body: bytes) -> bytes:
    told = len(header).to_bytes(8, "little") + zlib.crc32(header).to_bytes(4, "little")
    return MAGIC + b"\x01\x00" + told + header + body


@pytest.mark.parametrize(
    ("values", "told"),
    [(2, "longer than the header tells"), (2**40, "at most 2147483648 are read")],
)
def test_no_more_is_unpacked_than_is_told_and_may_be(values: int, told: str) -> None:
    """A hundred kilobytes that would become a hundred megabytes."""
    bomb = zlib.compress(bytes(10**8), 9)
    told_of = {"kind": "number", "values": values, "rows": 2, "missing": 0, "unreadable": 0}
    header = json.dumps({"columns": {"x": told_of | {"rank_error": 0.0}}}).encode()
    tracemalloc.start()
    try:
        with pytest.raises(UnknownForm, match=told):
            from_bytes(with_header(header, bomb))
        assert tracemalloc.get_traced_memory()[1] < 10**6
    finally:
        tracemalloc.stop()
