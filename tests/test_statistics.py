"""The arithmetic of drift: known values, null laws and error rates at the tolerance, power."""

import math
from collections.abc import Callable, Sequence

import numpy as np
import pytest
from column_fixtures import TESTS, at_most, counted, numbers, pair_of, plan
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize, stats

from monitor.core.cells import Counts, Pair, shares
from monitor.core.columns import Floats, Kind
from monitor.core.comparison import compare_columns
from monitor.core.drift import chi_squared, ks, psi, unseen_share
from monitor.core.drift_socket import Bounds, Evidence, Rule, find
from monitor.core.laws import chi_family, proportions
from monitor.core.records import ColumnResult, Finding, Verdict
from monitor.core.summaries.summary import Summary
from monitor.core.verdict import column_p, dataset_p, judge_columns

PSI_BOUNDS = Bounds(alpha=0.01, tolerance=0.1, must_see=0.5)
KS_BOUNDS = Bounds(alpha=0.01, tolerance=0.1, must_see=0.35)
SHARE_BOUNDS = Bounds(alpha=0.01, tolerance=0.05, must_see=0.3)
ALPHAS = (0.01, 0.05)


def levels(counts: Sequence[int] | Counts) -> Summary:
    named = {f"level {i:03}": int(c) for i, c in enumerate(counts) if c}
    return Summary(int(sum(counts)), 0, counts=named)


def pair(reference: Sequence[int] | Counts, current: Sequence[int] | Counts) -> Pair:
    return Pair("x", Kind.CATEGORY, levels(reference), levels(current))


def finding(name: str, both: Pair) -> Finding:
    found = find(name, TESTS[name], both, Rule())
    assert found is not None
    return found


def evidence(name: str, both: Pair, bounds: Bounds) -> Evidence:
    found = TESTS[name].measure(both, bounds)
    assert found is not None
    return found


# --- Known values: computed by hand or with scipy 1.17.1, numpy 2.4.6 ---

DICE = (16, 18, 16, 14, 12, 12)


def test_psi_without_an_empty_cell() -> None:
    both = pair((50, 30, 15, 5), (40, 30, 20, 10))
    assert finding("psi", both).effect == pytest.approx(0.0713558177820073, abs=1e-12)


def test_psi_of_two_normal_distributions() -> None:
    """The symmetric divergence of N(0, 1) and N(1, 1) is 1; ten cells keep most of it."""
    edges = stats.norm.ppf(np.arange(1, 10) / 10)
    moved = np.diff(np.r_[0, stats.norm.cdf(edges - 1), 1])
    expected = float(np.sum((moved - 0.1) * np.log(moved / 0.1)))
    assert 0.8 < expected < 1
    generator = np.random.default_rng(0)
    before, now = generator.normal(size=200_000), generator.normal(1, 1, 200_000)
    effect = finding("psi", pair_of(Kind.NUMBER, numbers(before), numbers(now))).effect
    assert effect == pytest.approx(expected, abs=0.01)


def test_an_empty_cell_costs_half_a_row_and_no_more() -> None:
    """Neither a floor of 1e-4 nor the smallest float: both make the score a matter of taste."""
    p, q = (50.5 / 101, 50.5 / 101), (100.5 / 101, 0.5 / 101)
    expected = sum((a - b) * math.log(a / b) for a, b in zip(p, q, strict=True))
    assert finding("psi", pair((50, 50), (100, 0))).effect == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize(
    ("reference", "current", "statistic", "p_value"),
    [
        (DICE, (16, 16, 16, 16, 16, 8), 1.6224089635854342, 0.8985262394026607),
        ((32, 36, 32, 28, 24, 24), (16, 16, 16, 16, 16, 8), 2.1356643356643357, 0.83007271867385),
        (DICE, (10, 10, 24, 24, 10, 10), 8.265544981334457, 0.14219541002693908),
        (DICE, (0, 0, 0, 0, 0, 88), 133.76, 3.787884914194558e-27),
        (DICE, (10, 24, 12, 16, 8, 16), 4.295527728085868, 0.5076978073638088),
        (DICE, DICE, 0.0, 1.0),
        ((10, 10, 10), (10, 10, 10), 0.0, 1.0),
        ((50, 30, 15, 5), (40, 30, 20, 10), 3.492063492063492, 0.32179291901443485),
    ],
)
def test_chi_square_is_homogeneity_of_two_samples(
    reference: Sequence[int], current: Sequence[int], statistic: float, p_value: float
) -> None:
    """Not the fit to a reference taken as exact, which is what some tools print."""
    found = finding("chi_squared", pair(reference, current))
    assert found.statistic == pytest.approx(statistic, abs=1e-9)
    assert found.p_value == pytest.approx(p_value, abs=1e-9, rel=1e-6)


@pytest.mark.parametrize(
    ("reference", "current", "statistic", "p_value"),
    [
        ((1, 2, 1), (3, 1, 0), 7 / 3, 0.31140322391459774),
        ((1, 1, 1, 0, 0), (0, 0, 1, 1, 1), 4.0, 0.40600584970983794),
    ],
)
def test_chi_square_of_tiny_tables_is_finite(
    reference: Sequence[int], current: Sequence[int], statistic: float, p_value: float
) -> None:
    """New levels do not make p zero, had it its asymptotic law; so few rows leave it undecided."""
    found = chi_squared.chi_squared(np.array(reference), np.array(current))
    assert found == pytest.approx(statistic, abs=1e-12)
    assert stats.chi2.sf(found, len(reference) - 1) == pytest.approx(p_value, abs=1e-12)
    assert finding("chi_squared", pair(reference, current)).verdict is Verdict.UNDECIDED


def test_chi_square_of_small_counts_comes_from_random_tables() -> None:
    """One rare level in a window of 60: the p of scipy's permutation of the same table."""
    reference, current = (500, 480, 20), (24, 30, 6)
    found = finding("chi_squared", pair(reference, current))
    exact = stats.chi2_contingency(
        [reference, current],
        correction=False,
        method=stats.PermutationMethod(n_resamples=1999, rng=np.random.default_rng(1)),
    )
    assert "random tables" in found.reason
    assert found.p_value == pytest.approx(exact.pvalue, abs=0.012)


def test_two_shares_of_four_rows_by_fisher() -> None:
    assert proportions.change_p(1, 4, 3, 4) == pytest.approx(0.48571428571428565, abs=1e-12)


@given(st.data())
def test_two_shares_as_scipy_has_them(data: st.DataObject) -> None:
    n, m = data.draw(st.integers(1, 60)), data.draw(st.integers(1, 60))
    x, y = data.draw(st.integers(0, n)), data.draw(st.integers(0, m))
    found = proportions.change_p(x, n, y, m)
    table = [[x, n - x], [y, m - y]]
    smallest = min(x + y, n + m - x - y) * min(n, m) / (n + m)
    if smallest < proportions.SMALL_EXPECTED:
        expected = stats.fisher_exact(table).pvalue
    else:
        expected = stats.chi2_contingency(table, correction=False).pvalue
    assert found == pytest.approx(expected, abs=1e-9)


WEIGHTS = [38.7, 41.5, 43.8, 44.5, 45.5, 46.0, 47.7, 58.0]
LATER = [39.2, 39.3, 39.7, 41.4, 41.8, 42.9, 43.3, 45.8]


@pytest.mark.parametrize(
    ("reference", "current", "distance", "p_value"),
    [
        (range(1, 21), range(4, 24), 0.15, 0.9831368772656193),
        (WEIGHTS, LATER, 0.625, 0.08702408702408701),
        (
            np.repeat(range(6), DICE),
            np.repeat(range(6), (16, 16, 16, 16, 16, 8)),
            0.045454545454545456,
            None,
        ),
    ],
)
def test_ks(
    reference: Sequence[float], current: Sequence[float], distance: float, p_value: float | None
) -> None:
    found = finding("ks", pair_of(Kind.NUMBER, numbers(list(reference)), numbers(list(current))))
    assert found.statistic == pytest.approx(distance, abs=1e-12)
    assert p_value is None or found.p_value == pytest.approx(p_value, abs=1e-9)


VALUES = st.one_of(
    st.lists(st.integers(0, 5).map(float), min_size=1, max_size=60),
    st.lists(st.floats(allow_nan=False), min_size=1, max_size=60),
)


def exact_p(reference: Sequence[float], current: Sequence[float]) -> float:
    """scipy's exact p; it gives up, with a warning, where rounding takes p to just above 1."""
    try:
        return float(stats.ks_2samp(reference, current, method="exact").pvalue)
    except RuntimeWarning as warning:
        assert "unsuccessful" in str(warning)
        return 1.0


@given(VALUES, VALUES)
def test_ks_is_that_of_scipy(reference: list[float], current: list[float]) -> None:
    found = finding("ks", pair_of(Kind.NUMBER, numbers(reference), numbers(current)))
    distance = max(
        abs(np.mean(np.array(reference) <= x) - np.mean(np.array(current) <= x))
        for x in (*reference, *current)
    )
    assert found.statistic == pytest.approx(distance, abs=1e-12)
    assert found.p_value == pytest.approx(exact_p(reference, current), abs=1e-12)


@pytest.mark.parametrize("n", [1, 2, 5, 7, 60, 500, 9999, 10_000])
def test_ks_of_equal_sizes_is_exact_at_both_ends(n: int) -> None:
    """Nearly one where the samples interleave, nearly nothing where they do not overlap."""
    before = np.arange(n, dtype=float)
    for steps in sorted({1, 2, 3, n // 50 + 1, n // 10 + 1, n}):
        if steps <= n:
            now = before + steps - 0.5
            found = finding("ks", pair_of(Kind.NUMBER, numbers(before), numbers(now)))
            assert found.statistic == pytest.approx(steps / n, abs=1e-12)
            assert found.p_value == pytest.approx(exact_p(before.tolist(), now.tolist()), abs=1e-12)


@pytest.mark.parametrize(("n", "m"), [(10_000, 700), (10_000, 9_999), (10_001, 700), (30_000, 9)])
@pytest.mark.parametrize("decimals", [1, 12])
def test_ks_of_large_samples_is_that_of_scipy(n: int, m: int, decimals: int) -> None:
    """Exact up to 10 000 values a side, asymptotic beyond, and the finding says which."""
    generator = np.random.default_rng(n + m)
    before = generator.normal(size=n).round(decimals)
    now = generator.normal(0.04, 1, m).round(decimals)
    expected = stats.ks_2samp(before, now)
    found = finding("ks", pair_of(Kind.NUMBER, numbers(before), numbers(now)))
    assert found.statistic == pytest.approx(expected.statistic, abs=1e-12)
    assert found.p_value == pytest.approx(expected.pvalue, abs=1e-12)
    assert ("exact law" if n <= 10_000 else "asymptotic law") in found.reason


@given(VALUES, VALUES)
def test_ks_distance_does_not_care_who_is_who(one: list[float], other: list[float]) -> None:
    a, b = np.sort(one), np.sort(other)
    assert ks.ks_distance(a, b) == pytest.approx(ks.ks_distance(b, a), abs=1e-12)


# --- Cells ---


def cells_of(reference: Floats, current: Floats) -> tuple[list[int], list[int]]:
    before, now = pair_of(Kind.NUMBER, numbers(reference), numbers(current)).fine_cells
    return before.tolist(), now.tolist()


def test_ten_cells_of_equal_share_whose_outer_ones_are_open() -> None:
    before, now = cells_of(np.arange(1000.0), np.array([-1e300, 1e300, np.inf, -np.inf, 500.5]))
    assert before == [101] + [100] * 8 + [99]
    assert now == [2, 0, 0, 0, 0, 1, 0, 0, 0, 2]


def test_a_constant_has_below_equal_and_above() -> None:
    assert cells_of(np.full(50, 3.0), np.array([2.9, 3, 3, 3.1])) == ([0, 50, 0], [1, 2, 1])


def test_an_atom_is_a_cell_of_its_own() -> None:
    """Zeros that turn into very small numbers are seen, and so is the largest value."""
    reference = np.r_[np.zeros(600), np.linspace(1, 9, 280), np.full(120, 10.0)]
    before, now = cells_of(reference, np.array([0, 0, 1e-9, 10, 10.5, -1]))
    assert sum(before) == 1000
    assert before[1] == 600
    assert now[:3] == [1, 2, 1]
    assert (before[-2:], now[-2:]) == ([120, 0], [1, 1])


def test_one_outlier_hides_nothing() -> None:
    """Cells of equal width over the pooled range would put all but one row into one cell."""
    generator = np.random.default_rng(3)
    before, now = generator.normal(size=5000), np.r_[generator.normal(3, 1, 999), 1e9]
    both = pair_of(Kind.NUMBER, numbers(before), numbers(now))
    effect = finding("psi", both).effect
    assert effect is not None and effect > 3


def test_rare_levels_share_one_cell() -> None:
    """Those with fewer than five expected rows, unseen ones too, judged by pooled counts."""
    before, now = pair((500, 400, 60, 30, 10, 0), (50, 40, 0, 3, 3, 4)).cells
    assert (before.tolist(), now.tolist()) == ([40, 500, 400, 60], [10, 50, 40, 0])


# --- Thresholds ---


@pytest.mark.parametrize(("m", "threshold"), [(200, 0.283), (1000, 0.165), (5000, 0.130)])
def test_the_psi_threshold_at_the_defaults(m: int, threshold: float) -> None:
    p, q = location_shift(0.1)
    both = pair(np.round(10_000 * p).astype(int), np.round(m * q).astype(int))
    assert evidence("psi", both, PSI_BOUNDS).threshold == pytest.approx(threshold, abs=0.002)


def test_the_ks_threshold_is_the_inequality_on_both_sides() -> None:
    both = pair_of(Kind.NUMBER, numbers(np.arange(900.0)), numbers(np.arange(400.0)))
    expected = 0.1 + math.sqrt(math.log(4 / 0.01) / 2) * (1 / 30 + 1 / 20)
    assert evidence("ks", both, KS_BOUNDS).threshold == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("size", [0.05, 0.5, 1.0, 1.5])
def test_p_tolerance_and_threshold_agree(size: float) -> None:
    """A statistic just above its threshold has a p_tolerance just below alpha."""
    generator = np.random.default_rng(2)
    before, now = generator.normal(size=3000), generator.normal(size, 1, 500)
    number = pair_of(Kind.NUMBER, numbers(before), numbers(now))
    for name, bounds in (("ks", KS_BOUNDS), ("psi", PSI_BOUNDS)):
        found = evidence(name, number, bounds)
        assert found.effect is not None
        assert found.threshold is not None
        assert found.p_tolerance is not None
        assert (found.effect > found.threshold) == (found.p_tolerance <= 0.01)


@pytest.mark.parametrize(("n", "m"), [(5_000, 100_000), (20_000, 20_000), (100_000, 5_000)])
def test_tails_count_where_alpha_is_small(n: int, m: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Wide tables and alarm budgets ask for p-values of a millionth."""
    error = math.sqrt(0.2 * 0.8 * (1 / n + 1 / m))
    for errors in (3, 4, 5):
        now = 0.25 + errors * error
        found = proportions.tolerance_p(0.2, n, now, m, 0.05)
        with monkeypatch.context() as patch:
            patch.setattr(proportions, "ENUMERATED", 10**6)
            exact = proportions.tolerance_p(0.2, n, now, m, 0.05)
        assert 0.95 * exact <= found <= 1.5 * exact, errors


def test_a_limit_is_the_smallest_change_that_is_proven() -> None:
    bounds = Bounds(0.01, 0.05, 0.3)
    for n, m in ((50, 40), (5_000, 200), (50_000, 50_000)):
        for before in (0.0, 0.1, 0.5):
            limit = proportions.tolerance_limit(before, n, m, bounds, upward=True)
            assert limit is not None
            step = (1 - before - bounds.tolerance) * proportions.RESOLUTION
            beyond, short = (
                proportions.tolerance_p(before, n, before + gap, m, bounds.tolerance)
                for gap in (limit, limit - 1.01 * step)
            )
            assert beyond <= bounds.alpha < short, (n, m, before)


@given(
    st.integers(0, 500),
    st.integers(1, 500),
    st.sampled_from([0, 1, 10, 100, 399, 400]),
    st.sampled_from([20, 400, 40_000]),
)
@settings(max_examples=60)
def test_a_share_above_its_threshold_is_proven(now: int, more: int, before: int, n: int) -> None:
    hits = min(n, before)
    found = proportions.evidence_of_shares(hits, n, now, now + more, SHARE_BOUNDS)
    assert found.effect is not None
    assert found.p_tolerance is not None
    if found.threshold is None:
        assert found.p_tolerance > 0.01
    elif not 0.009 < found.p_tolerance < 0.011:
        assert (found.effect > found.threshold) == (found.p_tolerance <= 0.01)


# --- The null law, and the error rate at a true effect of exactly the tolerance ---


def true_psi(p: Floats, q: Floats) -> float:
    return float(np.sum((p - q) * np.log(p / q)))


def location_shift(effect: float) -> tuple[Floats, Floats]:
    """Ten equal cells of a normal distribution, and the shares after it moved."""
    edges, p = stats.norm.ppf(np.arange(1, 10) / 10), np.full(10, 0.1)

    def moved(by: float) -> Floats:
        return np.diff(np.r_[0, stats.norm.cdf(edges - by), 1])

    by = optimize.brentq(lambda d: true_psi(p, moved(d)) - effect, 1e-6, 5)
    return p, moved(by)


def one_cell(p: Floats, cell: int, effect: float, *, up: bool) -> tuple[Floats, Floats]:
    """One cell grows or shrinks until the PSI is `effect`; the others keep their proportions."""

    def changed(share: float) -> Floats:
        q: Floats = p * (1 - share) / (1 - p[cell])
        q[cell] = share
        return q

    ends = (p[cell], 1 - 1e-9) if up else (1e-12, p[cell])
    return p, changed(optimize.brentq(lambda s: true_psi(p, changed(s)) - effect, *ends))


EVEN, RARE = np.full(10, 0.1), np.array([0.5, 0.3, 0.19, 0.01])
CHANGES: dict[str, Callable[[float], tuple[Floats, Floats]]] = {
    "location shift": location_shift,
    "one cell up": lambda effect: one_cell(EVEN, 0, effect, up=True),
    "one cell down": lambda effect: one_cell(EVEN, 0, effect, up=False),
    "a rare level up": lambda effect: one_cell(RARE, 3, effect, up=True),
}


def simulate(name: str, change: str, n: int, m: int, replicates: int) -> list[Evidence]:
    p, q = CHANGES[change](0.1)
    generator = np.random.default_rng(n + m)
    before = generator.multinomial(n, p, replicates)
    now = generator.multinomial(m, q, replicates)
    return [evidence(name, pair(a, b), PSI_BOUNDS) for a, b in zip(before, now, strict=True)]


def errors_stay_nominal(p_values: Sequence[float | None]) -> None:
    known = [1.0 if p is None else p for p in p_values]
    for alpha in ALPHAS:
        assert at_most(sum(p <= alpha for p in known), len(known), 1.5 * alpha), alpha


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize(("n", "m"), [(10_000, 200), (10_000, 1000), (500, 100)])
def test_psi_at_its_tolerance_keeps_the_nominal_error(change: str, n: int, m: int) -> None:
    found = simulate("psi", change, n, m, 400)
    errors_stay_nominal([e.p_tolerance for e in found])
    covered = sum((e.low or 0) <= 0.1 <= (e.high or 0) for e in found)
    assert covered >= 0.92 * len(found)


@pytest.mark.slow
@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("n", [500, 1000, 10_000, 100_000])
@pytest.mark.parametrize("m", [100, 200, 1000, 5000])
def test_psi_at_its_tolerance_keeps_the_nominal_error_everywhere(
    change: str, n: int, m: int
) -> None:
    errors_stay_nominal([e.p_tolerance for e in simulate("psi", change, n, m, 10_000)])


@pytest.mark.parametrize("name", ["psi", "chi_squared"])
@pytest.mark.parametrize(
    "p",
    [np.full(10, 0.1), np.array([0.5, 0.3, 0.19, 0.01]), 1 / np.arange(1, 80) ** 1.5],
    ids=["even", "rare", "long tail"],
)
def test_cells_without_drift_follow_the_classical_law(name: str, p: Floats) -> None:
    generator = np.random.default_rng(4)
    p = p / p.sum()
    for n, m in ((10_000, 300), (400, 400)):
        before, now = generator.multinomial(n, p, 400), generator.multinomial(m, p, 400)
        found = [finding(name, pair(a, b)).p_value for a, b in zip(before, now, strict=True)]
        errors_stay_nominal(found)
        assert np.mean([p_value or 0 for p_value in found]) == pytest.approx(0.5, abs=0.1)


def test_numbers_without_drift_follow_the_classical_law() -> None:
    generator = np.random.default_rng(5)
    p_values: dict[str, list[float | None]] = {"ks": [], "psi": []}
    for _ in range(400):
        before, now = generator.gamma(2, 1, 600), generator.gamma(2, 1, 150)
        both = pair_of(Kind.NUMBER, numbers(before), numbers(now))
        for name, found in p_values.items():
            found.append(finding(name, both).p_value)
    for found in p_values.values():
        errors_stay_nominal(found)


def test_ks_at_its_tolerance_keeps_the_nominal_error() -> None:
    generator = np.random.default_rng(6)
    by = 2 * stats.norm.ppf(0.55)  # the largest distance of two normals is 2 Φ(by / 2) − 1
    p_values = []
    for _ in range(300):
        before, now = generator.normal(size=11_000), generator.normal(by, 1, 400)
        both = pair_of(Kind.NUMBER, numbers(before), numbers(now))
        p_values.append(evidence("ks", both, KS_BOUNDS).p_tolerance)
    errors_stay_nominal(p_values)


@pytest.mark.parametrize("up", [True, False])
@pytest.mark.parametrize(
    ("n", "m", "before"),
    [(10_000, 20, 0.1), (10_000, 50, 0.1), (300, 300, 0.06), (60, 300, 0.3), (10_000, 500, 0.5)],
)
def test_a_share_at_its_tolerance_keeps_the_nominal_error(
    n: int, m: int, before: float, up: bool
) -> None:
    """Exactly, by adding up the probabilities of all windows, for the likeliest references."""
    now = before + 0.05 if up else before - 0.05
    quantiles = (np.arange(6) + 0.5) / 6
    for alpha in ALPHAS:
        rates = []
        for hits in stats.binom.ppf(quantiles, n, before):
            proven = [
                proportions.tolerance_p(hits / n, n, x / m, m, 0.05) <= alpha for x in range(m + 1)
            ]
            rates.append(float(stats.binom.pmf(np.arange(m + 1), m, now)[proven].sum()))
        assert np.mean(rates) <= 1.5 * alpha


def test_unseen_levels_at_their_tolerance_keep_the_nominal_error() -> None:
    """Levels without end: every window holds new ones; five per cent more of them are tolerated."""
    generator = np.random.default_rng(7)
    p_values: list[float | None] = []
    for _ in range(200):
        before = generator.zipf(2.0, 300)
        now = generator.zipf(2.0, 4000)
        share = 0.05 / (1 - float(np.mean(~np.isin(now, before))))
        now = np.where(generator.random(4000) < share, -1, now)
        both = Pair("x", Kind.CATEGORY, _counted(before), _counted(now))
        found = unseen_share.measure(both, SHARE_BOUNDS)
        p_values.append(None if found is None else found.p_tolerance)
    errors_stay_nominal(p_values)


def _counted(values: Floats | Counts) -> Summary:
    found, sizes = np.unique(values, return_counts=True)
    return Summary(values.size, 0, counts=dict(zip(map(str, found), sizes.tolist(), strict=True)))


def false_alarms(windows: Sequence[int], seed: int) -> list[int]:
    """Drifted columns in windows without any drift, among fifty columns of all kinds."""
    generator = np.random.default_rng(seed)

    def table(rows: int) -> dict[str, object]:
        made: dict[str, object] = {}
        for i in range(30):
            made[f"n{i}"] = numbers(generator.gamma(1 + i % 3, 1, rows).round(i % 4), f"n{i}")
        for i in range(20):
            p = 1 / np.arange(1, 4 + 3 * i)
            made[f"c{i}"] = counted(generator.multinomial(rows, p / p.sum()).tolist(), f"c{i}")
        return made

    reference = table(5000)
    return [
        sum(
            c.verdict is Verdict.DRIFTED
            for c in compare_columns(reference, table(rows), plan())  # type: ignore[arg-type]
        )
        for rows in windows
    ]


def test_fifty_columns_without_drift_raise_no_alarm() -> None:
    assert sum(false_alarms((50, 100, 200, 500, 1000) * 3, 8)) == 0


@pytest.mark.slow
def test_fifty_columns_without_drift_hardly_ever_raise_an_alarm() -> None:
    alarms = [any(false_alarms((rows,), seed)) for seed in range(50) for rows in (50, 200, 1000)]
    assert at_most(sum(alarms), len(alarms), 0.01)


# --- Power, and the rows it takes ---


def test_a_moderate_shift_is_found_in_a_thousand_rows() -> None:
    p, q = location_shift(0.2)
    generator = np.random.default_rng(9)
    drifted = 0
    for _ in range(500):
        both = pair(generator.multinomial(20_000, p), generator.multinomial(1000, q))
        drifted += finding("psi", both).verdict is Verdict.DRIFTED
    assert drifted >= 450


def test_the_smallest_effect_said_to_be_seen_is_seen() -> None:
    generator = np.random.default_rng(10)
    for m in (150, 1000):
        p, q = location_shift(chi_family.effect_seen(1 / 10_000 + 1 / m, 9, PSI_BOUNDS))
        samples = zip(
            generator.multinomial(10_000, p, 400), generator.multinomial(m, q, 400), strict=True
        )
        seen = sum(finding("psi", pair(a, b)).verdict is Verdict.DRIFTED for a, b in samples)
        assert seen >= 0.74 * 400


@pytest.mark.parametrize("n", [400, 1000, 10_000, 1_000_000])
@pytest.mark.parametrize("degrees", [1, 4, 9, 40])
def test_the_rows_said_to_be_enough_are_enough_for_psi(n: int, degrees: int) -> None:
    rows = chi_family.rows_to_see(n, degrees, PSI_BOUNDS)
    assert rows is not None
    seen, unseen = (
        chi_family.effect_seen(1 / n + 1 / m, degrees, PSI_BOUNDS) for m in (rows, rows - 1)
    )
    assert seen <= PSI_BOUNDS.must_see < unseen


@pytest.mark.parametrize("n", [400, 10_000, 1_000_000])
def test_the_rows_said_to_be_enough_are_enough_for_ks(n: int) -> None:
    rows = ks.rows_to_see(n, KS_BOUNDS)
    assert rows is not None
    assert ks.effect_seen(n, rows, KS_BOUNDS) <= KS_BOUNDS.must_see
    assert ks.effect_seen(n, rows - 1, KS_BOUNDS) > KS_BOUNDS.must_see


def test_a_reference_may_be_too_small_for_any_window() -> None:
    assert chi_family.rows_to_see(20, 9, PSI_BOUNDS) is None
    assert ks.rows_to_see(20, KS_BOUNDS) is None
    found = finding("ks", pair_of(Kind.NUMBER, numbers(range(20)), numbers(range(20))))
    assert "the reference is too small for any window" in found.reason


@pytest.mark.parametrize("rows", [5, 20, 40, 60])
def test_a_window_of_the_rows_needed_is_decided(rows: int) -> None:
    generator = np.random.default_rng(rows)
    reference = numbers(generator.normal(size=4000))
    for name in ("ks", "psi"):
        small = finding(name, pair_of(Kind.NUMBER, reference, numbers(generator.normal(size=rows))))
        assert small.verdict is Verdict.UNDECIDED
        assert small.rows_needed is not None
        enough = numbers(generator.normal(size=small.rows_needed))
        found = finding(name, pair_of(Kind.NUMBER, reference, enough))
        assert found.verdict is not Verdict.UNDECIDED
        assert found.rows_needed is None


def test_shares_say_how_many_rows_it_takes() -> None:
    few = proportions.evidence_of_shares(100, 10_000, 0, 6, SHARE_BOUNDS)
    assert few.rows_needed is not None
    enough = proportions.evidence_of_shares(100, 10_000, 0, few.rows_needed, SHARE_BOUNDS)
    assert (few.minimum_detectable or 0) > 0.3 >= (enough.minimum_detectable or 1)


def test_levels_that_cannot_be_counted_are_no_pass() -> None:
    """A thousand levels of five rows each leave nothing to compare in a hundred rows."""
    found = finding("psi", pair([5] * 1000, [1] * 100))
    assert found.verdict is Verdict.UNDECIDED
    assert "no cell is filled enough" in found.reason


# --- Intervals ---


@pytest.mark.parametrize(
    ("n", "m", "before", "now"),
    [(10_000, 100, 0.002, 0.01), (2000, 50, 0.0, 0.02), (500, 400, 0.2, 0.3), (60, 60, 0.5, 0.5)],
)
def test_the_interval_of_a_share_covers_the_truth(
    n: int, m: int, before: float, now: float
) -> None:
    generator = np.random.default_rng(11)
    covered = 0
    for x, y in zip(
        generator.binomial(n, before, 2000), generator.binomial(m, now, 2000), strict=True
    ):
        low, high = proportions.change_interval(x / n, n, y / m, m)
        covered += low <= now - before <= high
    assert covered >= 0.93 * 2000


def test_the_interval_of_ks_covers_the_truth() -> None:
    generator = np.random.default_rng(12)
    truth = 2 * stats.norm.cdf(0.25) - 1
    covered = 0
    for _ in range(200):
        both = pair_of(
            Kind.NUMBER,
            numbers(generator.normal(size=11_000)),
            numbers(generator.normal(0.5, 1, 300)),
        )
        found = evidence("ks", both, KS_BOUNDS)
        covered += (found.low or 0) <= truth <= (found.high or 0)
    assert covered >= 190


# --- The variances behind them, against numerical derivatives ---


@pytest.mark.parametrize("name", ["psi", "chi_squared"])
def test_the_delta_method_has_the_right_slopes(name: str) -> None:
    """The variance of the estimate over many samples is the one it is given."""
    generator = np.random.default_rng(13)
    p, q = np.array([0.4, 0.3, 0.2, 0.1]), np.array([0.25, 0.25, 0.25, 0.25])
    n, m = 4000, 2500
    module = psi if name == "psi" else chi_squared
    effects = [
        module._estimate(a, b).effect
        for a, b in zip(
            generator.multinomial(n, p, 4000), generator.multinomial(m, q, 4000), strict=True
        )
    ]
    told = module._estimate((n * p).astype(int), (m * q).astype(int)).variance
    assert told == pytest.approx(np.var(effects), rel=0.08)


@given(st.lists(st.integers(0, 50), min_size=2, max_size=8), st.data())
def test_shares_add_up_and_are_never_zero(reference: list[int], data: st.DataObject) -> None:
    cells = len(reference)
    current = data.draw(st.lists(st.integers(0, 50), min_size=cells, max_size=cells))
    if not sum(reference) or not sum(current):
        return
    for side in shares(np.array(reference), np.array(current)):
        assert side.sum() == pytest.approx(1)
        assert side.min() > 0


# --- Many columns ---


def column(name: str, p: float, importance: float = 1.0) -> ColumnResult:
    verdict = Verdict.DRIFTED if p <= 0.05 else Verdict.PASSED
    found = Finding("psi", verdict, "because", effect=1.0, tolerance=0.1, p_tolerance=p)
    return ColumnResult(
        name,
        Kind.NUMBER,
        Verdict.UNDECIDED,
        "",
        importance=importance,
        p_value=p,
        p_tolerance=p,
        findings=(found,),
    )


def drifted(columns: Sequence[ColumnResult], alpha: float) -> set[str]:
    judged = judge_columns(columns, Rule(alpha=alpha))
    return {c.name for c in judged if c.verdict is Verdict.DRIFTED}


def test_benjamini_and_hochberg_by_hand() -> None:
    """Their own example (1995): of fifteen p-values at .05 the first four are rejected."""
    p_values = (
        0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344,
        0.0459, 0.3240, 0.4262, 0.5719, 0.6528, 0.7590, 1.0,
    )  # fmt: skip
    columns = [column(f"c{i}", p) for i, p in enumerate(p_values)]
    assert drifted(columns, 0.05) == {"c0", "c1", "c2", "c3"}
    assert drifted(columns[::-1], 0.05) == {"c0", "c1", "c2", "c3"}


def test_importance_shifts_what_is_rejected() -> None:
    """Six, one and one have a mean of 8 / 3: p of .02, .009, .5 become .0089, .024, 1.33.

    They are held against alpha / 3, 2 alpha / 3 and alpha.
    """
    even = [column("a", 0.02), column("b", 0.009), column("c", 0.5)]
    assert drifted(even, 0.031) == {"a", "b"}
    assert drifted(even, 0.026) == set()
    weighted = [column("a", 0.02, 6.0), column("b", 0.009, 1.0), column("c", 0.5, 1.0)]
    assert drifted(weighted, 0.037) == {"a", "b"}
    assert drifted(weighted, 0.031) == {"a"}
    assert drifted(weighted, 0.026) == set()


def test_a_p_of_zero_is_rejected_everywhere() -> None:
    assert drifted([column("a", 0.0), *(column(f"c{i}", 1.0) for i in range(99))], 0.01) == {"a"}


def test_acat_by_hand() -> None:
    """tan((½ − p) π) of ¼ and ¾ cancel; of .01 alone it is itself."""
    assert dataset_p([column("a", 0.25), column("b", 0.75)]) == pytest.approx(0.5)
    assert dataset_p([column("a", 0.01)]) == pytest.approx(0.01)
    three = [column("a", 0.01, 2.0), column("b", 0.5, 1.0), column("c", 0.5, 1.0)]
    expected = 0.5 - math.atan(0.5 * math.tan(0.49 * math.pi)) / math.pi
    assert dataset_p(three) == pytest.approx(expected)
    assert dataset_p([column("a", 1.0), column("b", 1.0)]) == pytest.approx(0.99)
    tiny = dataset_p([column("a", 0.0), column("b", 1.0)])
    assert tiny is not None
    assert 0 <= tiny < 1e-200
    assert dataset_p([]) is None


def test_a_column_pays_for_its_own_tests() -> None:
    """min(1, k · smallest), over the deciding findings for p_tolerance, over all for p_value."""
    found = (
        Finding("ks", Verdict.PASSED, "", p_value=0.3, p_tolerance=0.04),
        Finding("psi", Verdict.PASSED, "", p_value=0.01, p_tolerance=0.5),
        Finding("chi_squared", Verdict.PASSED, "", p_value=0.2, p_tolerance=1e-9, decides=False),
    )
    assert column_p(found) == pytest.approx((0.03, 0.08))
    assert column_p(found[2:]) == pytest.approx((0.2, 1e-9))
    assert column_p(()) == (None, None)
