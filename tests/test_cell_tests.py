"""Tests of cells and of shares: known values, names, scales, null laws, dependent rows."""

import math
from collections.abc import Callable, Sequence
from types import ModuleType
from typing import Any, cast

import numpy as np
import pytest
from column_fixtures import TESTS, at_most, bounds_of, evidence, finding, numbers, pair_of, plan
from scipy import optimize, stats
from scipy.spatial import distance

from monitor.core.cells import Counts, Pair
from monitor.core.columns import Floats, Kind
from monitor.core.comparison import compare_columns
from monitor.core.drift import (
    g_test,
    hellinger,
    jensen_shannon,
    l_infinity,
    lost_levels,
    missing_share,
    total_variation,
    unseen_share,
)
from monitor.core.drift_socket import Bounds, Evidence
from monitor.core.laws import proportions
from monitor.core.laws.fixed_margins import sum_p
from monitor.core.laws.random_tables import table_p
from monitor.core.records import Finding, Verdict
from monitor.core.summaries.summary import Summary

OF_CELLS = ("psi", "chi_squared", "g_test", "jensen_shannon", "hellinger")
OF_GAPS = ("total_variation", "l_infinity")
NEW = ("g_test", "jensen_shannon", "hellinger", *OF_GAPS)
FOUR = (50, 30, 15, 5), (40, 30, 20, 10)
DICE = (16, 18, 16, 14, 12, 12)
every_cell_test = pytest.mark.parametrize("name", [*OF_CELLS, *OF_GAPS])


def levels(counts: Sequence[int] | Counts) -> Summary:
    named = {f"level {i:04}": int(c) for i, c in enumerate(counts) if c}
    return Summary(int(sum(counts)), 0, counts=named)


def pair(
    reference: Sequence[int] | Counts, current: Sequence[int] | Counts, design_effect: float = 1.0
) -> Pair:
    return Pair("x", Kind.CATEGORY, levels(reference), levels(current), design_effect)


def arrays(one: Sequence[int], other: Sequence[int]) -> tuple[Counts, Counts]:
    return np.array(one), np.array(other)


# --- Names ---


def test_no_name_means_two_tests() -> None:
    """Neither among the tests there are nor among what other tools call them."""
    owners: dict[str, set[str]] = {}
    for name, test in TESTS.items():
        assert len(set(test.SPEC.aliases)) == len(test.SPEC.aliases)
        for called in (name, *test.SPEC.aliases):
            owners.setdefault(called, set()).add(name)
            assert called == called.lower()
            assert called.isidentifier()
        assert name not in test.SPEC.aliases
    assert {called: who for called, who in owners.items() if len(who) > 1} == {}


@pytest.mark.parametrize("name", NEW)
def test_the_new_ones_are_on_demand_and_then_decide(name: str) -> None:
    spec = TESTS[name].SPEC
    assert not spec.default
    assert spec.decides
    generator = np.random.default_rng(0)
    one, other = numbers(generator.normal(size=3000)), numbers(generator.normal(3, 1, 600))
    kinds = {"x": Kind.CATEGORY} if Kind.NUMBER not in spec.kinds else None
    if kinds:
        one, other = numbers(np.arange(3000) % 7), numbers(np.arange(600) % 7 // 4)
    column = compare_columns({"x": one}, {"x": other}, plan(name, kinds=kinds))[0]
    assert column.verdict is Verdict.DRIFTED
    assert [f.test for f in column.findings if not f.guard] == [name]


# --- Known values: computed with scipy 1.17.1, numpy 2.4.6, or by hand ---


def test_the_distances_of_four_levels() -> None:
    """scipy's jensenshannon to base 2; √(1 − Σ √(p·q)); ½ Σ |p − q|; max |p − q|."""
    told = {
        "jensen_shannon": 0.11282137081563594,
        "hellinger": 0.09418410494610906,
        "total_variation": 0.1,
        "l_infinity": 0.1,
        "psi": 0.0713558177820073,
    }
    for name, value in told.items():
        found = finding(name, pair(*FOUR))
        assert found.effect == pytest.approx(value, abs=1e-9), name
        assert found.statistic == pytest.approx(value, abs=1e-9), name


def test_jensen_shannon_to_the_natural_base() -> None:
    """Other tools tell the root of the divergence in nats: √(ln 2) times ours, √(ln 2) at most."""
    nats = math.sqrt(math.log(2))
    four = jensen_shannon.jensen_shannon(*arrays(*FOUR))
    assert four * nats == pytest.approx(0.0939299525096902, abs=1e-9)
    apart = jensen_shannon.jensen_shannon(*arrays((1, 0), (0, 1)))
    assert apart * nats == pytest.approx(0.8325546111576977, abs=1e-9)


def test_distances_are_those_of_scipy() -> None:
    generator = np.random.default_rng(1)
    for _ in range(50):
        one, other = generator.integers(0, 40, (2, 6)) + np.eye(2, 6, dtype=np.int64)
        p, q = one / one.sum(), other / other.sum()
        expected = distance.jensenshannon(p, q, 2)
        assert jensen_shannon.jensen_shannon(one, other) == pytest.approx(expected, abs=1e-9)
        root = math.sqrt(max(0.0, 1 - float(np.sqrt(p * q).sum())))
        assert hellinger.hellinger(one, other) == pytest.approx(root, abs=1e-7)
        assert total_variation.total_variation(one, other) == pytest.approx(
            distance.cityblock(p, q) / 2, abs=1e-12
        )
        assert l_infinity.l_infinity(one, other) == pytest.approx(
            distance.chebyshev(p, q), abs=1e-12
        )


def test_the_g_test_is_homogeneity_of_two_samples() -> None:
    """Not the fit to a reference taken as exact, which other tools print as p = .8176."""
    one, other = (5, 5, 8), (4, 6, 8)
    assert g_test.g_statistic(*arrays(one, other)) == pytest.approx(0.20237559715950304, abs=1e-9)
    many = [[500 * c for c in side] for side in (one, other)]
    expected = stats.chi2_contingency(many, correction=False, lambda_="log-likelihood")
    found = finding("g_test", pair(many[0], many[1]))
    assert found.statistic == pytest.approx(expected.statistic, abs=1e-9)
    assert found.p_value == pytest.approx(expected.pvalue, abs=1e-9)


def test_the_g_test_of_few_rows() -> None:
    """Between the p of χ² and that of random tables, whose few values make it a step."""
    one, other = arrays((15, 15, 24), (9, 20, 25))

    def statistic(before: Counts, now: Counts) -> Floats:
        if before.ndim == 1:
            return np.array(g_test.g_statistic(before, now))
        return np.array([g_test.g_statistic(a, b) for a, b in zip(before, now, strict=True)])

    p_value = evidence("g_test", pair(one, other)).p_value
    assert p_value == pytest.approx(float(table_p(one, other, statistic, 1.0)), abs=0.03)


@pytest.mark.parametrize(
    ("current", "p_value"),
    [
        ((16, 16, 16, 16, 16, 8), 0.968),  # of 200 000 tables; stated: .928, ties lost to rounding
        ((10, 10, 24, 24, 10, 10), 0.085),
        ((0, 0, 0, 0, 0, 88), 0.0),
        (DICE, 1.0),
        ((10, 24, 12, 16, 8, 16), 0.309),
    ],
)
def test_total_variation_by_permutation(current: Sequence[int], p_value: float) -> None:
    """The p of 1 000 permutations that evidently's own tests state; another stream, so ± .03."""
    found = finding("total_variation", pair(DICE, current))
    assert found.p_value == pytest.approx(p_value, abs=0.03)
    assert found.p_value is not None
    assert found.p_value >= 1 / 2000  # the table at hand is one of them


@pytest.mark.parametrize(
    ("reference", "current"), [((1, 2, 1), (3, 1, 0)), ((1, 1, 1, 0, 0), (0, 0, 1, 1, 1))]
)
@every_cell_test
def test_tiny_tables_are_undecided(
    name: str, reference: Sequence[int], current: Sequence[int]
) -> None:
    """Three or four rows a side: no cell can carry a test, and no p is zero."""
    assert finding(name, pair(reference, current)).verdict is Verdict.UNDECIDED


# --- Nothing there, one cell, nothing known ---


@every_cell_test
def test_degenerate_sides(name: str) -> None:
    for reference, current in (((), ()), ((5, 5), ()), ((), (5, 5))):
        assert "no values" in finding(name, pair(reference, current)).reason
    alone = evidence(name, pair((400,), (300,)))
    assert (alone.effect, alone.low, alone.p_value, alone.p_tolerance) == (0.0, 0.0, 1.0, 1.0)
    assert finding(name, pair((400,), (300,))).verdict is Verdict.PASSED
    assert finding(name, pair((400, 300), (1,))).verdict is Verdict.UNDECIDED


@pytest.mark.parametrize(
    ("name", "most"),
    [("jensen_shannon", 1.0), ("hellinger", 1.0), ("total_variation", 1.0), ("l_infinity", 0.5)],
)
def test_nothing_but_unseen_levels(name: str, most: float) -> None:
    """What others print is exact; what is judged may hold half a row of each level on each side."""
    found = finding(name, pair((200, 200, 0, 0), (0, 0, 150, 150)))
    assert found.statistic == pytest.approx(most)
    assert found.effect == pytest.approx(most, abs=0.07)
    assert found.verdict is Verdict.DRIFTED
    assert found.effect_high is not None
    assert found.effect is not None
    assert found.effect <= found.effect_high <= 1.0


# --- The told scale ---


@pytest.mark.parametrize(
    ("name", "unit"), [("jensen_shannon", 8 * math.log(2)), ("hellinger", 8.0)]
)
def test_bounds_and_evidence_are_distances(name: str, unit: float) -> None:
    """The law is that of PSI: the same numbers, each told as the root of its part."""
    told = bounds_of(name)
    meant = Bounds(told.alpha, unit * told.tolerance**2, unit * told.must_see**2)
    both = pair((1000, 1000, 1000), (100, 150, 190))
    found, other = evidence(name, both), TESTS["psi"].measure(both, meant)
    assert other is not None
    for field in ("effect", "low", "high", "threshold", "minimum_detectable"):
        ours, theirs = getattr(found, field), getattr(other, field)
        assert ours == pytest.approx(math.sqrt(theirs / unit), rel=0.05), field
    assert found.p_tolerance == pytest.approx(other.p_tolerance, rel=0.5)


@pytest.mark.parametrize("scale", [0.0, 0.1, 0.2, 0.3, 0.4, 0.6])
@pytest.mark.parametrize("name", NEW)
def test_an_effect_above_its_threshold_is_proven(name: str, scale: float) -> None:
    q = np.array([0.4 - 0.4 * scale, 0.3, 0.2, 0.1 + 0.4 * scale])
    found = evidence(name, pair((4000, 3000, 2000, 1000), np.round(q * 700).astype(int).tolist()))
    assert found.effect is not None and found.threshold is not None
    assert found.p_tolerance is not None
    assert (found.effect > found.threshold) == (found.p_tolerance <= 0.01)


@pytest.mark.parametrize("m", [5, 30, 60])
@pytest.mark.parametrize("design_effect", [1.0, 3.0])
@every_cell_test
def test_a_window_of_the_rows_needed_is_decided(name: str, design_effect: float, m: int) -> None:
    def window(rows: int) -> Finding:
        counts = np.random.default_rng(m).multinomial(rows, [0.4, 0.3, 0.2, 0.1])
        return finding(name, pair((8000, 6000, 4000, 2000), counts.tolist(), design_effect))

    small = window(m)
    if small.verdict is Verdict.UNDECIDED:
        assert small.rows_needed is not None
        assert window(small.rows_needed).verdict is not Verdict.UNDECIDED
        assert window(small.rows_needed).rows_needed is None


# --- The variances behind them ---


@pytest.mark.parametrize("module", [jensen_shannon, hellinger, g_test], ids=lambda m: m.__name__)
def test_the_delta_method_has_the_right_slopes(module: ModuleType) -> None:
    """The variance of the estimate over many samples is the one it is given."""
    generator = np.random.default_rng(13)
    p, q = np.array([0.4, 0.3, 0.2, 0.1]), np.array([0.25, 0.25, 0.25, 0.25])
    n, m = 4000, 2500
    samples = zip(generator.multinomial(n, p, 4000), generator.multinomial(m, q, 4000), strict=True)
    effects = [module._estimate(a, b).effect for a, b in samples]
    told = module._estimate((n * p).astype(int), (m * q).astype(int)).variance
    assert told == pytest.approx(np.var(effects), rel=0.08)


# --- The null law ---

ZIPF = {k: 1 / np.arange(1, k + 1) / np.sum(1 / np.arange(1, k + 1)) for k in (5, 50, 300)}
SPARSE = [
    pytest.param(np.full(10, 0.1), 5000, 60, id="ten cells of six rows"),
    pytest.param(ZIPF[5], 5000, 50, id="five levels"),
    pytest.param(ZIPF[50], 100_000, 1000, id="fifty levels"),
    pytest.param(ZIPF[300], 5000, 4000, id="hundreds of levels"),
]

A_FEW_ROWS = [  # where many levels take long, the slow test has them
    pytest.param(name, *sparse.values, id=f"{name}, {sparse.id}")
    for name in (*OF_CELLS, *OF_GAPS)
    for sparse in SPARSE
    if name not in OF_GAPS or np.size(cast(Any, sparse.values[0])) <= 10
]


def stay_nominal(p_values: Sequence[float | None]) -> None:
    known = [1.0 if p is None else p for p in p_values]
    for alpha in (0.01, 0.05):
        assert at_most(sum(p <= alpha for p in known), len(known), 1.5 * alpha), alpha


def without_drift(
    name: str, p: Floats, n: int, m: int, replicates: int, copies: int = 1, design: float = 1.0
) -> list[float | None]:
    """p-values of samples in which each row comes so many times."""
    generator = np.random.default_rng(n + m)
    before = generator.multinomial(n // copies, p, replicates) * copies
    now = generator.multinomial(m // copies, p, replicates) * copies
    pairs = (pair(a.tolist(), b.tolist(), design) for a, b in zip(before, now, strict=True))
    return [evidence(name, both).p_value for both in pairs]


@pytest.mark.parametrize(("name", "p", "n", "m"), A_FEW_ROWS)
def test_few_rows_in_a_cell_keep_the_null_law(name: str, p: Floats, n: int, m: int) -> None:
    """Where χ² alone gave PSI .025 at nominal .01 and .09 at .05."""
    p_values = without_drift(name, p, n, m, 100)
    stay_nominal(p_values)
    assert np.mean([v or 0.0 for v in p_values]) == pytest.approx(0.5, abs=0.1)


@pytest.mark.slow
@pytest.mark.parametrize(("p", "n", "m"), SPARSE)
@every_cell_test
def test_few_rows_in_a_cell_keep_the_null_law_everywhere(
    name: str, p: Floats, n: int, m: int
) -> None:
    stay_nominal(without_drift(name, p, n, m, 2000))


def test_numbers_without_drift_keep_the_null_law_in_small_windows() -> None:
    """Cells from the quantiles of one side: its counts hardly vary, as the law would have it."""
    generator = np.random.default_rng(2)
    found: dict[str, list[float | None]] = {name: [] for name in ("psi", "hellinger")}
    for _ in range(300):
        one, other = generator.lognormal(size=2000), generator.lognormal(size=60)
        both = pair_of(Kind.NUMBER, numbers(one), numbers(other))
        for name, p_values in found.items():
            p_values.append(evidence(name, both).p_value)
    for p_values in found.values():
        stay_nominal(p_values)


def test_dense_cells_follow_chi_square_to_the_digit() -> None:
    both = pair((4000, 3000, 3000), (400, 320, 280))
    found = evidence("psi", both)
    assert found.effect is not None
    expected = stats.chi2.sf(found.effect / (1 / 10_000 + 1 / 1000), 2)
    assert found.p_value == pytest.approx(expected, rel=1e-9)


def test_p_follows_the_effect_far_beyond_any_random_table() -> None:
    """A tail without a floor: fifty columns are judged together."""
    found = evidence("psi", pair((2500, 2500), (5, 55)))
    assert found.p_value is not None
    assert found.p_value < 1e-7


# --- The error rate at a true effect of exactly the tolerance ---


def one_level(p: Floats, effect: Callable[[Floats, Floats], float], tolerated: float) -> Floats:
    """The last level grows until the effect is as tolerated; the others keep their proportions."""

    def changed(share: float) -> Floats:
        q: Floats = p * (1 - share) / (1 - p[-1])
        q[-1] = share
        return q

    share = optimize.brentq(lambda s: effect(p, changed(s)) - tolerated, p[-1], 1 - 1e-9)
    return changed(float(share))


EFFECTS: dict[str, Callable[[Floats, Floats], float]] = {
    "psi": lambda p, q: float(np.sum((p - q) * np.log(p / q))),
    "jensen_shannon": lambda p, q: float(distance.jensenshannon(p, q, 2)),
    "hellinger": lambda p, q: math.sqrt(max(0.0, 1 - float(np.sqrt(p * q).sum()))),
    "total_variation": lambda p, q: float(np.abs(p - q).sum()) / 2,
    "l_infinity": lambda p, q: float(np.abs(p - q).max()),
}


def at_its_tolerance(name: str, p: Floats, n: int, m: int, replicates: int) -> list[Evidence]:
    q = one_level(p, EFFECTS[name], TESTS[name].SPEC.tolerance)
    generator = np.random.default_rng(n * m)
    before, now = generator.multinomial(n, p, replicates), generator.multinomial(m, q, replicates)
    return [evidence(name, pair(a, b)) for a, b in zip(before, now, strict=True)]


@pytest.mark.parametrize("p", [np.full(10, 0.1), ZIPF[5], np.array([0.9, 0.1])], ids=len)
@pytest.mark.parametrize(("n", "m"), [(5000, 60), (5000, 1000)])
@pytest.mark.parametrize("name", EFFECTS)
def test_an_effect_at_its_tolerance_keeps_the_nominal_error(
    name: str, p: Floats, n: int, m: int
) -> None:
    found = at_its_tolerance(name, p, n, m, 100)
    stay_nominal([e.p_tolerance for e in found])
    tolerated = TESTS[name].SPEC.tolerance
    covered = sum((e.low or 0) <= tolerated <= (e.high or 0) for e in found)
    assert at_most(len(found) - covered, len(found), 0.08)


@pytest.mark.slow
@pytest.mark.parametrize("p", [np.full(10, 0.1), ZIPF[5], ZIPF[50], np.array([0.9, 0.1])], ids=len)
@pytest.mark.parametrize(("n", "m"), [(5000, 60), (5000, 200), (100_000, 1000), (1000, 1000)])
@pytest.mark.parametrize("name", EFFECTS)
def test_an_effect_at_its_tolerance_keeps_the_nominal_error_everywhere(
    name: str, p: Floats, n: int, m: int
) -> None:
    stay_nominal([e.p_tolerance for e in at_its_tolerance(name, p, n, m, 2000)])


@pytest.mark.parametrize("name", OF_GAPS)
def test_the_smallest_effect_said_to_be_seen_is_seen(name: str) -> None:
    p, n, m = ZIPF[5], 10_000, 400
    smallest = evidence(name, pair((n * p).astype(int), (m * p).astype(int))).minimum_detectable
    assert smallest is not None
    q = one_level(p, EFFECTS[name], smallest)
    generator = np.random.default_rng(4)
    samples = zip(generator.multinomial(n, p, 200), generator.multinomial(m, q, 200), strict=True)
    seen = sum(finding(name, pair(a, b)).verdict is Verdict.DRIFTED for a, b in samples)
    assert seen >= 0.74 * 200


# --- Rows that are alike ---


@pytest.mark.parametrize(
    "p", [np.full(10, 0.1), pytest.param(ZIPF[50], marks=pytest.mark.slow)], ids=len
)
@every_cell_test
def test_the_design_effect_keeps_the_null_law_of_dependent_rows(name: str, p: Floats) -> None:
    """Each row four times: every p is too small, unless four rows count as one."""
    careless = without_drift(name, p, 8000, 2400, 60, copies=4)
    assert sum((v or 0.0) <= 0.05 for v in careless) > 0.2 * len(careless)
    stay_nominal(without_drift(name, p, 8000, 2400, 100, copies=4, design=4.0))


@every_cell_test
def test_the_design_effect_widens_what_is_said_and_not_the_effect(name: str) -> None:
    reference, current = (4000, 3000, 2000, 1000), (300, 300, 250, 150)
    alone, alike = (evidence(name, pair(reference, current, d)) for d in (1.0, 5.0))
    assert alone.effect == alike.effect
    assert (alike.p_value or 0) > (alone.p_value or 0)
    assert (alike.threshold or 0) > (alone.threshold or 0)
    assert (alike.minimum_detectable or 0) > (alone.minimum_detectable or 0)
    assert (alike.high or 0) > (alone.high or 0)
    assert (alike.low or 0) < (alone.low or 1)


def test_alike_rows_are_as_many_rows_as_they_are_worth() -> None:
    for hits, n, x, m in ((300, 5000, 90, 500), (0, 5000, 15, 500), (50, 1000, 60, 1000)):
        bounds = Bounds(0.01, 0.05, 0.3)
        alike = proportions.evidence_of_shares(hits, n, x, m, bounds, design_effect=5.0)
        fewer = proportions.evidence_of_shares(hits // 5, n // 5, x // 5, m // 5, bounds)
        assert alike == fewer


def shares_of(missing: int, design_effect: float) -> Pair:
    before = Summary(2000, 100, np.arange(1900.0))
    now = Summary(200, missing, np.arange(200.0 - missing))
    return Pair("x", Kind.NUMBER, before, now, design_effect)


def test_guards_count_alike_rows_once() -> None:
    missing = [missing_share.measure(shares_of(40, d), Bounds(0.01, 0.05, 0.3)) for d in (1.0, 8.0)]
    named = {"old": 1000, "rare": 40}
    before = Summary(1040, 0, counts=named)
    now = Summary(200, 0, counts={"old": 150, "new": 50})
    pairs = [Pair("x", Kind.CATEGORY, before, now, d) for d in (1.0, 8.0)]
    unseen = [unseen_share.measure(both, Bounds(0.01, 0.05, 0.3)) for both in pairs]
    lost = [lost_levels.measure(both, Bounds(0.05, 0.05, 0.3)) for both in pairs]
    for alone, alike in (missing, unseen):
        assert alone is not None and alike is not None
        assert alone.effect == alike.effect
        assert (alone.p_value or 0) < (alike.p_value or 0)
        assert (alone.p_tolerance or 0) < (alike.p_tolerance or 0)
    assert lost[0] is not None and lost[1] is None  # 25 independent rows may well miss one in 26


# --- Many levels ---


def test_the_largest_change_is_that_of_one_level_however_rare() -> None:
    """Two hundred rare levels that double move the rest cell by .1, and none of them by a share."""
    reference = [9000, *[5] * 200]
    current = [800, *[1] * 200]
    assert evidence("total_variation", pair(reference, current)).effect == pytest.approx(0.1)
    found = finding("l_infinity", pair([9000, *[5] * 200], [800, *[1] * 200]))
    assert found.effect == pytest.approx(0.1)  # the one level that lost them
    spread = finding("l_infinity", pair([*[5] * 400], [*[4, 0] * 200]))
    assert spread.effect == pytest.approx(0.0025)
    assert spread.verdict is not Verdict.DRIFTED


@every_cell_test
def test_thousands_of_levels_are_compared(name: str) -> None:
    generator = np.random.default_rng(6)
    p = 1 / np.arange(1, 5001)
    p /= p.sum()
    q = p.copy()
    q[0] += 0.4
    q /= q.sum()
    before = generator.multinomial(100_000, p)
    same, moved = (generator.multinomial(10_000, share) for share in (p, q))
    assert finding(name, pair(before, same)).verdict in (Verdict.PASSED, Verdict.WATCH)
    assert (finding(name, pair(before, same)).p_value or 0) > 0.01
    assert finding(name, pair(before, moved)).verdict is Verdict.DRIFTED


def test_the_largest_of_many_shares_agrees_with_random_tables() -> None:
    """Just above and just below the hundred levels that tables are drawn for."""
    generator = np.random.default_rng(7)
    for _ in range(5):
        before, now = generator.multinomial(5000, ZIPF[50]), generator.multinomial(800, ZIPF[50])
        drawn = l_infinity._null(before, now, 1.0)[0]
        told = l_infinity._of_independent_levels(before, now, 1.0)
        assert told == pytest.approx(drawn, abs=0.06)
        summed = sum_p(total_variation._score, before, now, 1.0)
        assert summed == pytest.approx(total_variation._null(before, now, 1.0)[0], abs=0.03)


def test_new_levels_that_were_to_be_expected_are_told_with_their_share() -> None:
    """An effect of 0 beside many new levels: the reference held each of its levels once, too."""
    before, now = (
        Summary(1000, 0, counts={f"ticket {i}": 1 for i in range(start, start + 1000)})
        for start in (0, 5000)
    )
    found = finding("unseen_share", Pair("x", Kind.CATEGORY, before, now))
    assert found.effect == 0.0
    assert found.reason.endswith(
        "levels the reference does not hold are in 100 % of rows, and by those that occur once in "
        "it 100 % were to be expected"
    )


def test_new_levels_that_are_old_ones_with_blanks_are_told_as_such() -> None:
    before = Summary(1000, 0, counts={"644": 500, "645": 500})
    now = Summary(420, 0, counts={" 644": 300, "645": 100, "new": 20})
    found = finding("unseen_share", Pair("x", Kind.CATEGORY, before, now))
    assert found.reason.endswith("less the blanks around them, 1 of the 2 new levels is known")
