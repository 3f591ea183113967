"""The proof that verdicts can be trusted: that it measures what it says, and a small run of it."""

from pathlib import Path

import numpy as np
import pytest
from column_fixtures import TESTS
from scipy import stats

from benchmarks.trust import populations, shortcuts, single, verdicts
from benchmarks.trust.__main__ import TABLES, main
from benchmarks.trust.exact_effects import change_at_tolerance, effect_of
from benchmarks.trust.page import render
from benchmarks.trust.populations import LEVELS, QUIET, SHAPES, Change
from benchmarks.trust.rates import Rate, add, clustered
from benchmarks.trust.running import PAGE, Results, keep, load
from benchmarks.trust.samples import sampler_of
from benchmarks.trust.series import Series
from benchmarks.trust.series import block as series_block
from benchmarks.trust.single import Task
from monitor.core.cells import Pair
from monitor.core.drift_socket import Bounds

QUICK = ("psi", "ks", "chi_squared", "hellinger", "missing_share")
RUN = {
    "seed": 0,
    "fast": False,
    "seconds": 60,
    "cores": 2,
    "cap_s": 4.0,
    "python": "3",
    "versions": {},
}

# --- What is drawn ---


def test_sorted_uniform_numbers_are_uniform() -> None:
    rng = np.random.default_rng(0)
    drawn = [populations.uniforms(rng, 40) for _ in range(200)]
    assert all(np.all(np.diff(each) > 0) for each in drawn)
    assert stats.kstest(np.concatenate(drawn), "uniform").pvalue > 0.001
    # the smallest of 40 has the law Beta(1, 40), which sorting alone would not give
    assert stats.kstest([each[0] for each in drawn], stats.beta(1, 40).cdf).pvalue > 0.001


@pytest.mark.parametrize("law", SHAPES)
def test_changed_numbers_stay_sorted(law: str) -> None:
    shares = populations.uniforms(np.random.default_rng(1), 500)
    for change in (QUIET, Change("shift", 0.4), Change("scale", 1.5), Change("cell up", 0.3)):
        assert np.all(np.diff(populations.values(law, shares, change)) >= 0)


def test_a_cell_that_grows_holds_its_share() -> None:
    shares = (np.arange(1000) + 0.5) / 1000
    moved = populations.values("normal", shares, Change("cell up", 0.25))
    assert np.mean(moved < stats.norm.ppf(0.1)) == pytest.approx(0.25)


@pytest.mark.parametrize("law", LEVELS)
def test_a_level_that_changes_leaves_the_others_in_proportion(law: str) -> None:
    p, q = populations.level_shares(law), populations.level_shares(law, Change("cell down", 0.05))
    assert q.sum() == pytest.approx(1)
    assert q[0] == 0.05
    assert np.ptp(q[1:] / p[1:]) == pytest.approx(0, abs=1e-12)


# --- Effects of exactly the tolerance ---


def test_the_shift_that_ks_tolerates() -> None:
    found = change_at_tolerance("ks", "normal", "shift")
    assert found is not None
    assert 2 * stats.norm.cdf(found.size / 2) - 1 == pytest.approx(0.1, abs=2e-4)


@pytest.mark.parametrize("way", ["cell up", "cell down", "rare level up"])
def test_the_level_that_psi_tolerates(way: str) -> None:
    found = change_at_tolerance("psi", "50 levels", way)
    assert found is not None
    p, q = populations.level_shares("50 levels"), populations.level_shares("50 levels", found)
    assert np.sum((p - q) * np.log(p / q)) == pytest.approx(0.1, abs=1e-4)


def test_an_effect_against_pooled_shares_hangs_on_how_many_rows_there_are() -> None:
    change = Change("rare level up", 0.05)
    even, small = (effect_of("chi_squared", "50 levels", change, share) for share in (0.5, 0.02))
    assert small > 1.3 * even


def test_what_cannot_be_reached_has_no_change() -> None:
    assert change_at_tolerance("mann_whitney", "normal", "scale") is None
    assert change_at_tolerance("ks", "normal", "cell down") is None  # a tenth of rows at most


# --- Shortcuts ---


def test_every_shortcut_names_a_function_there_is() -> None:
    assert set(single.tests_of("normal")) <= set(TESTS)
    assert shortcuts.missing() == []


@pytest.mark.parametrize("law", ["normal", "ties", "50 levels", "20 % of rows"])
@pytest.mark.parametrize("asked", ["p_value", "p_tolerance"])
def test_shortcuts_change_no_p_that_is_counted(law: str, asked: str) -> None:
    rng, sampler = np.random.default_rng(2), sampler_of(law)
    changes = {"normal": Change("shift", 0.5), "50 levels": Change("rare level up", 0.1)}
    changes["20 % of rows"] = Change("up", 0.1)
    reference = sampler.reference(rng, 900)
    for m, change in ((40, QUIET), (150, changes.get(law, Change("shift", 0.5)))):
        window = sampler.window(rng, sampler.base(rng, m), m, change, reference)
        pair = Pair("x", sampler.kind, reference, window)
        for test in single.tests_of(law):
            spec = TESTS[test].SPEC
            bounds = Bounds(0.01, spec.tolerance, spec.must_see)
            in_full = TESTS[test].measure(pair, bounds)
            with shortcuts.counting_only(asked):
                short = TESTS[test].measure(pair, bounds)
            assert getattr(short, asked, None) == getattr(in_full, asked, None), test


def test_shortcuts_end_with_their_block() -> None:
    reference = sampler_of("normal").reference(np.random.default_rng(3), 500)
    pair = Pair("x", sampler_of("normal").kind, reference, reference)
    before = TESTS["psi"].measure(pair, Bounds(0.01, 0.1, 0.5))
    with shortcuts.counting_only("p_value"):
        pass
    assert TESTS["psi"].measure(pair, Bounds(0.01, 0.1, 0.5)) == before


# --- A small run ---


@pytest.mark.parametrize("claim", single.CLAIMS)
@pytest.mark.parametrize("law", ["normal", "zero-inflated", "50 levels", "20 % of rows"])
@pytest.mark.parametrize("size", [20, pytest.param(250, marks=pytest.mark.slow)])
def test_no_figure_of_a_small_run_fails(
    claim: str, law: str, size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(single, "BLOCK", size)
    monkeypatch.setattr(single, "WINDOWS", (50, 1000))
    task = Task(claim, law, 4000)
    wanted = dict.fromkeys(single.cases(task, QUICK), 2 * size)
    figures = add(single.block(task, wanted, number, 0) for number in range(2))
    assert {int(sums[0]) for sums in figures.values()} == {2 * size}
    results: Results = {claim: {"run": RUN, "figures": figures}}
    assert list(verdicts.single(results, claim))
    assert verdicts.failures(results) == []


def test_a_figure_does_not_hang_on_what_else_is_measured() -> None:
    task = Task("tolerance", "normal", 5000)
    few = dict.fromkeys(single.cases(task, ("psi", "ks")), 20)
    alone = {case: until for case, until in few.items() if case.test == "psi"}
    together = single.block(task, few, 0, 0)
    assert single.block(task, alone, 0, 0).items() <= together.items()


def test_dependent_rows_are_told_from_independent_ones() -> None:
    """Without calibration a window of 200 rows at φ = .8 would alarm in half of all days."""
    for phi, least, most in ((0.0, 1.0, 1.5), (0.8, 5.0, 20.0)):
        figures = series_block(Series("null", phi, 0.0, 28, 200), 5, 60, 0)
        trials, _, at_5, silent, effects = figures[f"ks||null|{phi:g}|0|28|200"]
        assert (trials, silent) == (60, 0)
        assert least <= effects / trials <= most
        assert not Rate(trials, at_5).too_high(0.05, 2.0)


# --- Bounds ---


@pytest.mark.parametrize(("hits", "trials"), [(0, 50), (3, 400), (40, 1000), (50, 50)])
def test_bounds_of_a_rate_are_those_of_scipy(hits: int, trials: int) -> None:
    found = stats.binomtest(hits, trials).proportion_ci(0.998, "exact")  # two-sided: .001 each
    rate = Rate(trials, hits)
    assert (rate.lower, rate.upper) == pytest.approx((found.low, found.high), abs=1e-9)


def test_clusters_that_agree_count_once() -> None:
    """A hundred references of fifty columns, of which ten references alarm everywhere."""
    rate = clustered(100, 50, 500, 10 * 50**2)
    assert rate.trials / rate.spread == pytest.approx(100, rel=0.02)
    assert clustered(100, 50, 500, 100 * 5**2).spread == 1


# --- The page ---


def test_the_page_is_what_the_kept_figures_say() -> None:
    assert PAGE.read_text(encoding="utf-8") == render(load()), (
        "run `make bench-trust ARGS=--render`"
    )
    assert len(PAGE.read_bytes()) < 200_000


def results_with(hits: int) -> Results:
    figures = {
        "psi|normal||5000|200": [20_000, hits, 1000, 0],
        "ks|ties||5000|50": [1000, 9, 50, 0],
    }
    return {
        "null": {"run": RUN, "figures": {name: list(map(float, s)) for name, s in figures.items()}}
    }


def test_a_figure_that_fails_is_marked_and_counted() -> None:
    assert verdicts.failures(results_with(200)) == []
    assert "**0 of 2 figures fail.**" in render(results_with(200))
    [failed] = verdicts.failures(results_with(400))
    assert failed == "null: psi, normal, 5000, 200: 2.0 / 5.0 **fails**"
    assert render(results_with(400)).count("2.0 / 5.0 **fails**") >= 3  # on top, worst, in full


def test_a_rate_far_below_nominal_fails_too() -> None:
    [failed] = verdicts.failures(results_with(20))
    assert failed.endswith("0.1 / 5.0 **fails**")


def test_kept_figures_are_read_as_written(tmp_path: Path) -> None:
    keep(results_with(200), tmp_path / "x.json")
    assert load(tmp_path / "x.json") == results_with(200)
    assert load(tmp_path / "none.json") == {}


def test_a_rehearsal_may_not_replace_what_was_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["trust", "--fast"])
    with pytest.raises(SystemExit, match="--into"):
        main()


@pytest.mark.slow
def test_a_rehearsal_of_everything(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["trust", "--fast", "--into", str(tmp_path)])
    assert main() in (0, 1)
    page = (tmp_path / "trust.md").read_text(encoding="utf-8")
    assert "Not measured yet" not in page
    assert set(load(tmp_path / "results.json")) == set(TABLES)
