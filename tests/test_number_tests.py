"""The drift tests of numbers: known values, agreement with scipy, error rates, degenerate input."""

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pytest
from column_fixtures import TESTS, at_most, bounds_of, evidence, finding, numbers, pair_of
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from monitor.core.cells import Pair
from monitor.core.columns import Floats, Kind
from monitor.core.drift import anderson_darling, cramer_von_mises
from monitor.core.drift.energy import energy
from monitor.core.drift.wasserstein import wasserstein
from monitor.core.laws.mean_law import MeanLaw
from monitor.core.laws.norms import length_seen, rows_for_length
from monitor.core.laws.pooled import MOST_CELLS, grid_of, permutation_p
from monitor.core.laws.quadratic_law import exceedance, length_at, truth_at
from monitor.core.records import Verdict
from monitor.core.summaries.summary import Summary

NAMES = (
    "wasserstein",
    "energy",
    "cramer_von_mises",
    "anderson_darling",
    "mann_whitney",
    "welch_t",
)
ON_A_SCALE = ("wasserstein", "energy", "welch_t")
WEIGHTS = [38.7, 41.5, 43.8, 44.5, 45.5, 46.0, 47.7, 58.0]
LATER = [39.2, 39.3, 39.7, 41.4, 41.8, 42.9, 43.3, 45.8]
DICE = np.repeat(range(6), (16, 18, 16, 14, 12, 12)), np.repeat(range(6), (16, 16, 16, 16, 16, 8))
every_test = pytest.mark.parametrize("name", NAMES)


def pair(reference: Sequence[float] | Floats, current: Sequence[float] | Floats) -> Pair:
    return pair_of(Kind.NUMBER, numbers(reference), numbers(current))


# --- Known values: computed with scipy 1.17.1, numpy 2.4.6 ---


@pytest.mark.parametrize(
    ("reference", "current", "expected"),
    [
        (range(1, 21), range(4, 24), 0.5202659817144719),
        (WEIGHTS, LATER, 0.781236105789365),
    ],
)
def test_wasserstein_over_the_standard_deviation(
    reference: Sequence[float], current: Sequence[float], expected: float
) -> None:
    """Other tools divide by the standard deviation of the reference; here the IQR is the unit."""
    before, now = np.array(reference, dtype=float), np.array(current, dtype=float)
    moved = wasserstein(before, now)
    assert moved / before.std() == pytest.approx(expected, abs=1e-12)
    low, high = np.quantile(before, [0.25, 0.75])
    found = evidence("wasserstein", pair(before, now)).effect
    assert found == pytest.approx(moved / (high - low), abs=1e-12)


def test_mann_whitney_of_tied_counts() -> None:
    found = evidence("mann_whitney", pair(*DICE))
    assert found.p_value == pytest.approx(0.962866061197499, abs=1e-12)


def test_welch_of_eight_and_eight() -> None:
    found = evidence("welch_t", pair(WEIGHTS, LATER))
    assert found.p_value == pytest.approx(0.0951205647234384, abs=1e-12)
    assert "Welch's t" in found.law
    assert "lower" in found.law


def test_the_law_without_ties_has_the_tabled_quantiles() -> None:
    """Anderson–Darling 2.492 and 3.878, Cramér–von Mises .461 and .743, at .05 and .01."""
    for axes, tabled in (
        (anderson_darling.AXES, {0.10: 1.933, 0.05: 2.492, 0.01: 3.878}),
        (cramer_von_mises.AXES, {0.10: 0.34730, 0.05: 0.46136, 0.01: 0.74346}),
    ):
        for p, statistic in tabled.items():
            assert exceedance(math.sqrt(statistic), axes) == pytest.approx(p, rel=0.06)


# --- As scipy has them ---

VALUES = st.lists(
    st.floats(-1e6, 1e6).map(lambda v: round(v, 3)) | st.integers(0, 5).map(float),
    min_size=2,
    max_size=60,
)


@given(VALUES, VALUES)
def test_distances_are_those_of_scipy(reference: list[float], current: list[float]) -> None:
    before, now = np.sort(reference), np.sort(current)
    scale = max(1.0, float(np.abs(before).max()), float(np.abs(now).max()))
    assert wasserstein(before, now) == pytest.approx(
        stats.wasserstein_distance(before, now), abs=1e-9 * scale
    )
    assert energy(before, now) == pytest.approx(
        stats.energy_distance(before, now), abs=1e-6 * math.sqrt(scale)
    )


@given(VALUES, VALUES)
def test_mann_whitney_is_that_of_scipy(reference: list[float], current: list[float]) -> None:
    found = evidence("mann_whitney", pair(reference, current))
    pooled = reference + current
    small = len(set(pooled)) == len(pooled) <= 40
    method = "exact" if small else "asymptotic"
    u = stats.mannwhitneyu(current, reference, method=method)
    area = u.statistic / (len(reference) * len(current))
    assert found.effect == pytest.approx(abs(2 * area - 1), abs=1e-12)
    expected = 1.0 if len(set(pooled)) == 1 else u.pvalue
    assert found.p_value == pytest.approx(expected, abs=1e-9)


@given(st.lists(st.integers(0, 10**9), min_size=4, max_size=40, unique=True), st.data())
def test_cramer_von_mises_of_small_samples_is_exact(pooled: list[int], data: st.DataObject) -> None:
    n = data.draw(st.integers(max(2, len(pooled) - 20), min(20, len(pooled) - 2)))
    before, now = pooled[:n], pooled[n:]
    expected = stats.cramervonmises_2samp(before, now, method="exact")
    found = evidence("cramer_von_mises", pair(before, now))
    assert found.statistic == pytest.approx(expected.statistic, abs=1e-9)
    assert found.p_value == pytest.approx(expected.pvalue, abs=1e-9)


@pytest.mark.parametrize("shift", [0.0, 0.1, 0.2])
def test_ranks_of_large_samples_are_those_of_scipy(shift: float) -> None:
    generator = np.random.default_rng(1)
    before, now = generator.normal(size=900), generator.normal(shift, 1, 400)
    expected = stats.cramervonmises_2samp(before, now, method="asymptotic")
    found = evidence("cramer_von_mises", pair(before, now))
    assert found.statistic == pytest.approx(expected.statistic, abs=1e-9)
    assert found.p_value == pytest.approx(expected.pvalue, abs=2e-3, rel=0.08)


def test_anderson_darling_is_pettitts_sum() -> None:
    """A² = 1/(nm) Σ (M_i N − n i)² / (i (N − i)) over the pooled ranks i, M_i reference rows."""
    generator = np.random.default_rng(2)
    before, now = generator.normal(size=70), generator.normal(0.3, 1, 40)
    pooled = np.sort(np.r_[before, now])[:-1]
    i = np.arange(1, 110)
    upto = np.searchsorted(np.sort(before), pooled, "right")
    expected = np.sum((upto * 110 - 70 * i) ** 2 / (i * (110 - i))) / (70 * 40)
    found = evidence("anderson_darling", pair(before, now))
    assert found.statistic == pytest.approx(expected, rel=1e-12)


@given(st.lists(st.floats(0.01, 1), min_size=1, max_size=6), st.floats(0.1, 4), st.floats(0, 3))
@settings(max_examples=30)
def test_the_length_of_noise_has_its_law(axes: list[float], length: float, truth: float) -> None:
    weights = np.sort(axes)[::-1]
    drawn = np.random.default_rng(3).normal(size=(20_000, weights.size)) * np.sqrt(weights)
    drawn[:, 0] += truth
    share = float(np.mean(np.sum(drawn**2, axis=1) >= length**2))
    assert exceedance(length, weights, truth) == pytest.approx(share, abs=0.02)


@pytest.mark.parametrize("truth", [0.0, 0.1, 1.0])
@pytest.mark.parametrize("p", [1e-9, 0.01, 0.5, 0.8])
def test_lengths_and_truths_undo_the_law(truth: float, p: float) -> None:
    weights = anderson_darling.AXES / 40
    length = length_at(p, weights, truth)
    assert exceedance(length, weights, truth) == pytest.approx(p, rel=1e-5)
    assert truth_at(p, weights, length) == pytest.approx(truth, abs=1e-5)


def test_skewness_bends_t_and_back() -> None:
    law = MeanLaw(error=1.0, degrees=49, skewness=0.5)
    plain = replace(law, skewness=0.0)
    for alpha in (0.2, 0.01, 1e-6):
        assert law.tail(law.quantile(alpha)) == pytest.approx(alpha, rel=1e-6)
        assert law.quantile(alpha) > plain.quantile(alpha)


# --- Permutations ---


def test_the_grid_holds_every_row_and_no_tie_is_cut() -> None:
    generator = np.random.default_rng(4)
    before, now = generator.normal(size=7000).round(2), generator.normal(size=500).round(2)
    grid = grid_of(np.sort(before), np.sort(now))
    assert (grid.reference.sum(), grid.current.sum()) == (7000, 500)
    assert grid.both.min() > 0
    assert grid.both.size <= MOST_CELLS
    assert grid.both @ grid.centres == pytest.approx(before.sum() + now.sum())
    assert grid.both[0] < 20  # finer in the tails


def test_few_values_are_cells_of_their_own() -> None:
    grid = grid_of(np.array([1.0, 1.0, 2.0]), np.array([2.0, 9.0]))
    assert grid.centres.tolist() == [1.0, 2.0, 9.0]


def test_permutations_count_themselves() -> None:
    grid = grid_of(np.arange(50.0), np.arange(100.0, 150.0))
    assert permutation_p(grid, lambda windows: windows @ grid.centres) == 0.001
    assert permutation_p(grid, lambda windows: windows @ -grid.centres) == 1.0


# --- Error rates ---

Draw = Callable[[np.random.Generator, int], Floats]
COLUMNS: dict[str, Draw] = {
    "normal": lambda g, rows: g.normal(size=rows),
    "lognormal": lambda g, rows: g.lognormal(size=rows),
    "zero-inflated": lambda g, rows: np.where(g.random(rows) < 0.6, 0, g.lognormal(0, 0.5, rows)),
    "tied": lambda g, rows: g.integers(0, 6, rows).astype(float),
}
every_column = pytest.mark.parametrize("column", COLUMNS)


def null_hits(name: str, column: str, m: int, replicates: int) -> dict[float, int]:
    generator, draw = np.random.default_rng(m), COLUMNS[column]
    found = [
        evidence(name, pair(draw(generator, 2000), draw(generator, m))).p_value or 0.0
        for _ in range(replicates)
    ]
    return {alpha: sum(p <= alpha for p in found) for alpha in (0.01, 0.05)}


@every_test
@every_column
def test_without_change_p_is_uniform(name: str, column: str) -> None:
    for alpha, hits in null_hits(name, column, 60, 50).items():
        assert at_most(hits, 50, 1.5 * alpha)


@pytest.mark.slow
@every_test
@every_column
@pytest.mark.parametrize("m", [50, 500])
def test_without_change_p_is_uniform_closely(name: str, column: str, m: int) -> None:
    for alpha, hits in null_hits(name, column, m, 600).items():
        assert at_most(hits, 600, 1.5 * alpha)
        assert hits >= stats.binom.ppf(0.0001, 600, 0.5 * alpha)


def boundary_hits(name: str, m: int, replicates: int) -> dict[float, int]:
    """Windows of a normal column shifted until the true effect is exactly the tolerance."""
    generator = np.random.default_rng(m)
    by = SHIFTS[name](TESTS[name].SPEC.tolerance)
    found = [
        evidence(name, pair(generator.normal(size=4000), generator.normal(by, 1, m))).p_tolerance
        for _ in range(replicates)
    ]
    return {alpha: sum((p or 0.0) <= alpha for p in found) for alpha in (0.01, 0.05)}


IQR = 2 * float(stats.norm.ppf(0.75))


def by_quantiles(name: str) -> Callable[[float], float]:
    """The shift of a normal column that has a given effect, from fine quantiles of both sides."""
    at = stats.norm.ppf((np.arange(2000) + 0.5) / 2000)

    def shift(effect: float) -> float:
        low, high = 0.0, 2.0
        for _ in range(14):
            middle = (low + high) / 2
            found = evidence(name, Pair("x", Kind.NUMBER, _summary(at), _summary(at + middle)))
            low, high = (middle, high) if (found.effect or 0) < effect else (low, middle)
        return high

    return shift


def _summary(values: Floats) -> Summary:
    return Summary(values.size, 0, values)


SHIFTS: dict[str, Callable[[float], float]] = {
    "wasserstein": lambda effect: effect * IQR,
    "welch_t": lambda effect: effect,
    "mann_whitney": lambda effect: math.sqrt(2) * float(stats.norm.ppf((1 + effect) / 2)),
    "energy": by_quantiles("energy"),
    "cramer_von_mises": by_quantiles("cramer_von_mises"),
    "anderson_darling": by_quantiles("anderson_darling"),
}


@every_test
def test_at_its_tolerance_the_error_is_nominal(name: str) -> None:
    for alpha, hits in boundary_hits(name, 60, 50).items():
        assert at_most(hits, 50, 1.5 * alpha)


@pytest.mark.slow
@every_test
@pytest.mark.parametrize("m", [50, 500])
def test_at_its_tolerance_the_error_is_nominal_closely(name: str, m: int) -> None:
    for alpha, hits in boundary_hits(name, m, 600).items():
        assert at_most(hits, 600, 1.5 * alpha)


@every_test
def test_the_smallest_effect_said_to_be_seen_is_seen(name: str) -> None:
    generator = np.random.default_rng(7)
    told = evidence(name, pair(generator.normal(size=4000), generator.normal(size=150)))
    by = SHIFTS[name](told.minimum_detectable or math.nan)
    seen = sum(
        finding(name, pair(generator.normal(size=4000), generator.normal(by, 1, 150))).verdict
        is Verdict.DRIFTED
        for _ in range(60)
    )
    assert seen >= 0.7 * 60


def test_few_rows_of_a_skewed_column_prove_no_fall_of_the_mean() -> None:
    """Where the tail is missed the mean and its error are low together: t alone errs sixfold."""
    generator = np.random.default_rng(8)
    sd = math.sqrt((math.e - 1) * math.e)
    hits = 0
    for _ in range(200):
        before, now = generator.lognormal(size=4000), generator.lognormal(size=50) - 0.25 * sd
        hits += (evidence("welch_t", pair(before, now)).p_tolerance or 0.0) <= 0.01
    assert at_most(hits, 200, 0.015)


def test_a_skewed_column_is_told_by_permutations() -> None:
    generator = np.random.default_rng(9)
    both = pair(generator.lognormal(size=4000), generator.lognormal(size=50))
    assert "permutations" in evidence("welch_t", both).law


# --- What every finding says ---


@every_test
@pytest.mark.parametrize("size", [0.0, 0.3, 0.5, 0.7, 1.0])
def test_p_tolerance_and_threshold_agree(name: str, size: float) -> None:
    """An effect above its threshold has a p_tolerance below alpha."""
    generator = np.random.default_rng(10)
    found = evidence(name, pair(generator.normal(size=3000), generator.normal(size, 1, 200)))
    assert found.effect is not None
    assert found.threshold is not None
    assert found.p_tolerance is not None
    assert (found.effect > found.threshold) == (found.p_tolerance <= 0.01)
    assert (found.low or 0.0) <= found.effect <= (found.high or 0.0)


@every_test
def test_the_interval_covers_the_truth(name: str) -> None:
    generator = np.random.default_rng(11)
    effect = 2 * TESTS[name].SPEC.tolerance
    by = SHIFTS[name](effect)
    covered = 0
    for _ in range(60):
        found = evidence(name, pair(generator.normal(size=4000), generator.normal(by, 1, 200)))
        covered += (found.low or 0.0) <= effect <= (found.high or 0.0)
    assert covered >= 52


@every_test
@pytest.mark.parametrize("rows", [5, 20])
def test_a_window_of_the_rows_needed_is_decided(name: str, rows: int) -> None:
    generator = np.random.default_rng(rows)
    reference = generator.normal(size=4000)
    small = finding(name, pair(reference, generator.normal(size=rows)))
    assert small.verdict is Verdict.UNDECIDED
    assert small.rows_needed is not None
    enough = finding(name, pair(reference, generator.normal(size=small.rows_needed)))
    assert enough.verdict is not Verdict.UNDECIDED
    assert enough.rows_needed is None


def test_rows_needed_are_the_fewest() -> None:
    bounds, axes = bounds_of("cramer_von_mises"), cramer_von_mises.AXES
    rows = rows_for_length(axes, (1000.0, 5.0), bounds, 1.0)
    assert rows is not None
    assert rows_for_length(axes, (1000.0, 5.0), bounds, 3.0) == pytest.approx(3 * rows, abs=3)
    assert rows_for_length(axes, (10.0, 5.0), bounds, 1.0) is None
    assert length_seen(axes * 0.0, bounds) == pytest.approx(bounds.tolerance)


@pytest.mark.parametrize("name", ["ks", *NAMES])
def test_rows_that_are_alike_count_for_fewer(name: str) -> None:
    """Every row twice, with a design effect of two, says nearly what every row once says."""
    generator = np.random.default_rng(12)
    before, now = generator.normal(size=1500), generator.normal(0.25, 1, 150)
    once = TESTS[name].measure(pair(before, now), bounds_of(name))
    alike = pair(np.repeat(before, 2), np.repeat(now, 2))
    twice = TESTS[name].measure(replace(alike, design_effect=2.0), bounds_of(name))
    alone = TESTS[name].measure(alike, bounds_of(name))
    assert once is not None and twice is not None and alone is not None
    assert twice.effect == pytest.approx(once.effect, rel=0.01)
    assert twice.threshold == pytest.approx(once.threshold, rel=0.02)
    assert twice.minimum_detectable == pytest.approx(once.minimum_detectable, rel=0.01)
    assert (alone.threshold or 1) < (once.threshold or 0)
    assert (alone.p_value or 0) < (twice.p_value or 0)
    assert twice.p_value == pytest.approx(once.p_value, rel=0.5, abs=0.01)


# --- Degenerate input ---


@pytest.mark.parametrize("name", ON_A_SCALE)
@pytest.mark.parametrize("scale", [1e-300, 1.0, 1e300])
def test_a_constant_that_came_alive_is_told_as_a_share(name: str, scale: float) -> None:
    alive = np.repeat([1.0, 2.0, 7.0, 45.0], 100) * scale
    found = finding(name, pair([2 * scale] * 400, alive))
    assert found.verdict is Verdict.DRIFTED
    assert found.effect == pytest.approx(0.75)
    assert "the reference is constant" in found.reason


@every_test
def test_a_constant_that_moved_is_drift(name: str) -> None:
    assert finding(name, pair([3.0] * 300, [4.0] * 100)).verdict is Verdict.DRIFTED


@pytest.mark.parametrize("name", ["cramer_von_mises", "anderson_darling", "mann_whitney"])
def test_infinities_are_the_largest_and_the_smallest(name: str) -> None:
    generator = np.random.default_rng(13)
    before, now = generator.normal(size=500), generator.normal(size=200)
    now[:60] = math.inf
    as_large = np.where(np.isinf(now), 1e9, now)
    assert evidence(name, pair(before, now)) == evidence(name, pair(before, as_large))


@pytest.mark.parametrize("name", ON_A_SCALE)
def test_infinities_are_left_out_where_distances_count(name: str) -> None:
    generator = np.random.default_rng(14)
    before, now = generator.normal(size=500), generator.normal(size=200)
    beside = np.r_[now, math.inf, -math.inf]
    assert evidence(name, pair(before, beside)) == evidence(name, pair(before, now))
    assert evidence(name, pair(before, [math.inf] * 30)).missing_input


@every_test
@pytest.mark.parametrize("rows", [(1, 1), (1, 50), (50, 1)])
def test_one_row_tells_nothing_of_its_own_chance(name: str, rows: tuple[int, int]) -> None:
    found = finding(name, pair(np.arange(float(rows[0])), np.arange(float(rows[1])) + 99))
    assert found.verdict is not Verdict.DRIFTED


@pytest.mark.parametrize("name", ON_A_SCALE)
def test_half_of_the_reference_being_one_value_leaves_its_deviation(name: str) -> None:
    generator = np.random.default_rng(15)
    before = np.where(generator.random(2000) < 0.8, 0.0, generator.gamma(2, 1, 2000))
    found = evidence(name, pair(before, before[:500]))
    moved = evidence(name, pair(before, before[:500] + before.std()))
    assert found.p_tolerance == 1.0
    assert moved.p_tolerance is not None
    assert moved.p_tolerance < 0.01
