"""Tests of the whole dataset: quiet without drift, and loud where no column moves by itself."""

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from column_fixtures import booleans, numbers, texts

from monitor import api, catalogue
from monitor.briefing import brief, check_monitor, dataset_tests, make_plan, weights_file
from monitor.configuration.comparing import DriftSettings
from monitor.configuration.weights import read_weights
from monitor.core.columns import Column, Kind
from monitor.core.comparison import Current
from monitor.core.consequences import Cause
from monitor.core.dataset_comparison import compare_table
from monitor.core.dataset_socket import find_in_table
from monitor.core.drift_socket import Bounds, Rule
from monitor.core.episodes import breaching_names
from monitor.core.ordering import ordering
from monitor.core.records import ColumnResult, Finding, Verdict
from monitor.core.table import MOST_COLUMNS, MOST_ROWS, Rows, Variable, rows_of
from monitor.core.verdict import judge_columns, judge_dataset
from monitor.errors import AskedWrongly, UnknownName
from monitor.settings import MonitorSettings

TESTS = dataset_tests()
Table = Mapping[str, Column]


def correlated(rows: int, seed: int, by: float, others: int = 2) -> dict[str, np.ndarray]:
    """`a` and `b` with correlation `by`, and columns that go with nothing; all standard normal."""
    draw = np.random.default_rng(seed)
    a, e = draw.standard_normal((2, rows))
    table = {"a": a, "b": by * a + np.sqrt(1 - by**2) * e}
    return table | {f"c{i}": draw.standard_normal(rows) for i in range(others)}


def table(values: Mapping[str, np.ndarray]) -> dict[str, Column]:
    return {name: numbers(column, name) for name, column in values.items()}


def rows_from(reference: Mapping[str, np.ndarray], current: Mapping[str, np.ndarray]) -> Rows:
    return Rows(
        tuple(Variable(n, Kind.NUMBER, reference[n], current[n]) for n in reference), len(reference)
    )


def found(name: str, rows: Rows, rule: Rule | None = None) -> Finding:
    result = find_in_table(name, TESTS[name], rows, rule or Rule())
    assert result is not None
    return result.finding


# --- Every test of the socket ---


@pytest.mark.parametrize("name", TESTS)
def test_the_same_rows_are_no_drift(name: str) -> None:
    one = correlated(600, 1, 0.6)
    finding = found(name, rows_from(one, one))
    assert finding.verdict is Verdict.PASSED
    assert finding.p_value is not None and finding.p_value > 0.1


@pytest.mark.parametrize("name", TESTS)
def test_rows_drawn_alike_are_no_drift(name: str) -> None:
    finding = found(name, rows_from(correlated(2000, 1, 0.6), correlated(500, 2, 0.6)))
    assert finding.verdict is Verdict.PASSED
    assert finding.p_tolerance is not None and finding.p_tolerance > 0.5


@pytest.mark.parametrize("name", TESTS)
def test_a_flipped_correlation_is_seen_though_no_column_moved(name: str) -> None:
    finding = found(name, rows_from(correlated(2000, 1, 0.9), correlated(1000, 2, -0.9)))
    assert finding.verdict is Verdict.DRIFTED
    assert finding.what and finding.what in finding.reason
    assert finding.effect is not None and finding.threshold is not None
    assert finding.effect > finding.threshold > (finding.tolerance or 0)


@pytest.mark.parametrize("name", TESTS)
def test_a_test_says_the_same_twice(name: str) -> None:
    rows = rows_from(correlated(400, 1, 0.3), correlated(200, 2, 0.3))
    assert found(name, rows) == found(name, rows)


@pytest.mark.parametrize("name", TESTS)
def test_too_few_rows_are_undecided_and_end_nothing(name: str) -> None:
    finding = found(name, rows_from(correlated(500, 1, 0.6), correlated(12, 2, 0.6)))
    assert finding.verdict is Verdict.UNDECIDED
    assert finding.of_drift


@pytest.mark.parametrize("name", TESTS)
def test_awkward_values_give_finite_numbers(name: str) -> None:
    one, other = correlated(400, 1, 0.5), correlated(300, 2, 0.5)
    for side in (one, other):
        side["a"][::7] = np.nan
        side["b"][::11] = np.inf
        side["c0"][:] = 3.0
        side["c1"][:] = np.round(side["c1"])
    finding = found(name, rows_from(one, other))
    figures = [finding.statistic, finding.effect, finding.p_value, finding.p_tolerance,
               finding.effect_low, finding.effect_high, finding.minimum_detectable]  # fmt: skip
    assert all(figure is not None and np.isfinite(figure) for figure in figures)
    assert finding.verdict is Verdict.PASSED


@pytest.mark.parametrize("name", TESTS)
def test_every_test_declares_itself(name: str) -> None:
    spec = TESTS[name].SPEC
    assert all((spec.title, spec.asks, spec.blind_to, spec.null_law, spec.source, spec.unit))
    assert 0 < spec.tolerance < spec.must_see
    assert TESTS[name].__doc__


def test_only_the_cheap_one_runs_unasked() -> None:
    assert [name for name, test in TESTS.items() if test.SPEC.default] == ["correlation_change"]


# --- Correlation change ---


def test_the_pair_is_named_with_both_correlations() -> None:
    finding = found(
        "correlation_change", rows_from(correlated(5000, 1, 0.6), correlated(1000, 2, -0.6))
    )
    assert finding.what.startswith("the correlation of `a` and `b` went from 0.")
    assert " to −0." in finding.what
    assert finding.effect == pytest.approx(1.16, abs=0.06)


def test_a_column_that_moves_alone_leaves_correlations_as_they_were() -> None:
    moved = {name: np.exp(v) + 7 for name, v in correlated(1000, 2, 0.6).items()}
    finding = found("correlation_change", rows_from(correlated(5000, 1, 0.6), moved))
    assert finding.verdict is Verdict.PASSED


def test_rare_values_are_not_correlated() -> None:
    draw = np.random.default_rng(3)
    sides = [{n: (draw.random(m) < 0.01).astype(float) for n in "ab"} for m in (5000, 1000)]
    finding = found("correlation_change", rows_from(*sides))
    assert finding.verdict is Verdict.UNDECIDED
    assert finding.reason == "no two columns vary enough to be correlated"


def test_one_number_column_has_nothing_to_go_with() -> None:
    one = {"a": np.arange(100.0)}
    assert find_in_table(
        "correlation_change", TESTS["correlation_change"], rows_from(one, one), Rule()
    ) is None  # fmt: skip


def test_rows_that_are_alike_prove_less() -> None:
    rows = rows_from(correlated(2000, 1, 0.6), correlated(300, 2, 0.2))
    alike = Rows(tuple(replace(v, design_effect=5.0) for v in rows.variables), rows.columns)
    plain, careful = found("correlation_change", rows), found("correlation_change", alike)
    assert (plain.p_value or 0) < 1e-6
    assert (careful.p_value or 0) > 1e-4
    assert (careful.minimum_detectable or 0) > (plain.minimum_detectable or 0)


@pytest.mark.parametrize("ties", [False, True])
def test_null_rates_of_correlation_change_are_nominal(ties: bool) -> None:
    bounds, hits = Bounds(0.01, 0.2, 0.5), []
    for seed in range(150):
        sides = [correlated(m, 2 * seed + i, 0.5, 1) for i, m in enumerate((1000, 200))]
        if ties:
            sides = [{name: np.round(v) for name, v in side.items()} for side in sides]
        evidence = TESTS["correlation_change"].measure(rows_from(*sides), bounds)
        assert evidence is not None and evidence.p_value is not None
        hits.append(evidence.p_value <= 0.05)
    assert sum(hits) <= 15  # 7.5 expected; more than 15 in under 1 % of runs


# --- Domain classifier ---


def test_the_classifier_names_the_columns_that_tell() -> None:
    one, other = correlated(1000, 1, 0.0, 3), correlated(1000, 2, 0.0, 3)
    other["c1"] = other["c1"] + 1.5
    result = find_in_table(
        "domain_classifier", TESTS["domain_classifier"], rows_from(one, other), Rule()
    )
    assert result is not None
    assert result.finding.verdict is Verdict.DRIFTED
    assert result.finding.what == "`c1` tells the rows from those of the reference"
    assert next(iter(result.by_column)) == "c1"
    assert sum(result.by_column.values()) == pytest.approx(1)


def test_auc_is_the_chance_to_score_higher() -> None:
    draw = np.random.default_rng(0)
    one, other = draw.integers(0, 6, 40).astype(float), draw.integers(1, 7, 30).astype(float)
    pairs = (other[:, None] > one) + 0.5 * (other[:, None] == one)
    assert ordering(one, other).auc == pytest.approx(pairs.mean())
    assert ordering(one, one).z == pytest.approx(0)


def test_unseen_levels_do_not_give_the_window_away() -> None:
    """Thousands of rare levels: many of the window are unknown to the reference by chance."""
    draw = np.random.default_rng(4)
    sides = []
    for rows in (1500, 1500):
        ids = draw.integers(0, 5000, rows)
        sides.append({"city": texts([f"v{i}" for i in ids], "city")})
    results = [ColumnResult("city", Kind.CATEGORY, Verdict.PASSED, "")]
    table = rows_of(sides[0], sides[1], results)
    for name in ("domain_classifier", "reconstruction_error"):
        finding = find_in_table(name, TESTS[name], table, Rule())
        assert finding is None or (finding.finding.p_value or 0) > 0.01


# --- The rows ---


def test_rows_line_up_levels_and_gaps() -> None:
    reference = {
        "x": replace(numbers([1.0, np.nan, 3.0], "x"), present=np.array([True, False, True])),
        "yes": booleans([True, False, True], "yes"),
        "city": texts(["a", "b", "b"], "city"),
    }
    current = {
        "x": numbers([2.0, 2.0], "x"),
        "yes": booleans([False, False], "yes"),
        "city": texts(["c", "b"], "city"),
    }
    kinds = {"x": Kind.NUMBER, "yes": Kind.BOOLEAN, "city": Kind.CATEGORY}
    results = [ColumnResult(n, k, Verdict.PASSED, "") for n, k in kinds.items()]
    x, yes, city = rows_of(reference, current, results).variables
    assert np.array_equal(x.reference, [1.0, np.nan, 3.0], equal_nan=True)
    assert (yes.reference.tolist(), yes.current.tolist()) == ([1, 0, 1], [0, 0])
    assert (city.reference.tolist(), city.current.tolist()) == ([1, 0, 0], [2, 0])


def test_columns_that_do_not_tell_their_rows_are_left_out() -> None:
    gaps = replace(numbers([1.0, np.nan], "x"), present=None)
    results = [ColumnResult("x", Kind.NUMBER, Verdict.PASSED, "")]
    assert rows_of({"x": gaps}, {"x": gaps}, results).variables == ()


def test_rows_and_columns_are_capped_and_the_important_ones_stay() -> None:
    many = MOST_COLUMNS + 5
    side = {f"x{i}": numbers(np.arange(20.0), f"x{i}") for i in range(many)}
    results = [
        ColumnResult(name, Kind.NUMBER, Verdict.PASSED, "", importance=i + 1.0)
        for i, name in enumerate(side)
    ]
    rows = rows_of(side, side, results)
    assert rows.variables[0].name == f"x{many - 1}"
    assert rows.left_out == f"the {MOST_COLUMNS} most important of {many} columns"
    long = {"x0": numbers(np.arange(MOST_ROWS + 1.0), "x0")}
    assert rows_of(long, side, results[:1]).sizes == (MOST_ROWS, 20)


# --- The judgement ---


def finding_of(p: float, test: str = "correlation_change") -> Finding:
    verdict = Verdict.DRIFTED if p <= 0.01 else Verdict.PASSED
    return Finding(test, verdict, "because", p_tolerance=p, effect=1.0, tolerance=0.2)


def column_of(p: float, name: str = "x") -> ColumnResult:
    own = Finding("ks", Verdict.PASSED, "own", p_tolerance=p, effect=0.2, tolerance=0.1)
    return ColumnResult(name, Kind.NUMBER, Verdict.PASSED, "", p_tolerance=p, findings=(own,))


def test_dataset_and_columns_are_one_family() -> None:
    quiet = [column_of(0.5, f"x{i}") for i in range(9)]
    [alone] = judge_dataset([finding_of(0.005)], [], Rule())
    [among] = judge_dataset([finding_of(0.005)], quiet, Rule())
    [strong] = judge_dataset([finding_of(0.0009)], quiet, Rule())
    assert (alone.verdict, strong.verdict) == (Verdict.DRIFTED, Verdict.DRIFTED)
    assert among.verdict is Verdict.WATCH
    assert "together with all columns" in among.reason


def test_a_proven_dataset_drift_helps_a_column_as_another_column_would() -> None:
    columns = [column_of(0.008)]
    assert judge_columns(columns, Rule(), [finding_of(0.9)])[0].verdict is not Verdict.DRIFTED
    assert judge_columns(columns, Rule(), [finding_of(0.0)])[0].verdict is Verdict.DRIFTED


def flipped() -> tuple[pd.DataFrame, pd.DataFrame]:
    return pd.DataFrame(correlated(5000, 1, 0.6)), pd.DataFrame(correlated(1000, 2, -0.6))


def test_a_check_drifts_by_its_whole_alone() -> None:
    result = api.compare(*flipped())
    assert result.verdict is Verdict.DRIFTED
    assert result.headline.startswith("Drifted: the correlation of `a` and `b` went from 0.")
    assert result.headline.endswith("though no column moved by itself")
    assert all(c.verdict is not Verdict.DRIFTED for c in result.check.columns)
    stored = {f["test"]: f for f in result.to_dict()["dataset"]["findings"]}
    assert stored["correlation_change"]["verdict"] == "drifted"
    page = result.html()
    assert "all columns together" in page and "the correlation of <code>a</code>" in page


def test_columns_come_first_in_the_headline() -> None:
    reference, current = flipped()
    current["c0"] += 2
    headline = api.compare(reference, current).headline
    assert headline.startswith("Drifted: `c0` ")
    assert headline.index("the correlation of `a` and `b`") > headline.index("`c0`")


def test_few_rows_leave_the_whole_open_and_the_columns_decided() -> None:
    reference = pd.DataFrame(correlated(5000, 1, 0.6, 20))
    result = api.compare(reference, pd.DataFrame(correlated(150, 2, 0.6, 20)))
    [whole] = [f for f in result.check.dataset.findings if f.test == "correlation_change"]
    assert whole.verdict is Verdict.UNDECIDED and whole.rows_needed
    assert result.verdict is Verdict.PASSED


def test_an_episode_carries_the_name_of_the_test() -> None:
    check = replace(api.compare(*flipped()).check, monitor="loans")
    assert breaching_names(check, Cause.DRIFT) == ("correlation_change",)


def test_no_tests_of_the_whole_where_none_is_asked_for() -> None:
    assert api.compare(*flipped(), dataset_tests=()).verdict is Verdict.PASSED
    classical = api.compare(*flipped(), threshold={"psi": 0.2})
    assert classical.check.dataset.findings == ()


def test_classical_rules_hold_for_named_tests_of_the_whole() -> None:
    asked: dict[str, Any] = {"dataset_tests": ["correlation_change"]}
    by_p = api.compare(*flipped(), p_value=1e-6, **asked).check.dataset.findings[-1]
    assert by_p.verdict is Verdict.DRIFTED and by_p.reason.startswith("correlation change: p =")
    unnamed = api.compare(*flipped(), threshold={"psi": 0.2}, **asked).check.dataset.findings[-1]
    assert unnamed.verdict is Verdict.WATCH  # the rule does not speak of it


def test_no_value_leaks_where_none_may_be_shown() -> None:
    reference, current = flipped()
    draw = np.random.default_rng(1)
    reference["city"] = draw.choice(["secret-a", "secret-b"], len(reference))
    current["city"] = "secret-b"
    result = api.compare(reference, current, show_values="never", dataset_tests=list(TESTS))
    assert "secret" not in json.dumps(result.to_dict()) and "secret" not in result.html()


# --- Names and configuration ---


def test_names_of_other_tools_and_mistakes() -> None:
    plan = make_plan(DriftSettings(dataset_tests=("Classifier-Two-Sample-Test",)))
    assert list(plan.dataset_tests) == ["domain_classifier"]
    with pytest.raises(UnknownName) as error:
        make_plan(DriftSettings(dataset_tests=("correlation_chang",)))
    assert "correlation_change" in f"{error.value} {error.value.hint}"
    with pytest.raises(AskedWrongly) as misplaced:
        make_plan(DriftSettings(tests=("domain_classifier",)))
    assert "dataset_tests" in misplaced.value.hint


def test_tolerances_hold_for_tests_of_the_whole() -> None:
    result = api.compare(*flipped(), tolerance={"correlation_change": 1.5})
    assert result.verdict is Verdict.PASSED
    assert result.check.dataset.findings[-1].tolerance == 1.5


def monitored(**keys: object) -> MonitorSettings:
    production = {"path": "rows.csv", "time": "at"}
    return MonitorSettings.model_validate({"name": "m", "production": production, **keys})


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("w.csv", "column,importance\na,3\nb,0.5\n"),
        ("w.csv", "a, 3\n\nb,0.5\n"),
        ("w.json", '{"a": 3, "b": 0.5}'),
    ],
)
def test_weights_come_from_a_file(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text)
    assert read_weights(tmp_path / name) == {"a": 3.0, "b": 0.5}


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("w.csv", "a,0\n", "no positive number"),
        ("w.csv", "column,weight\na,x\n", "'x', no positive number"),
        ("w.csv", "a,1,2\n", "3 fields"),
        ("w.csv", "a,1\na,2\n", "two weights"),
        ("w.csv", "", "holds no weights"),
        ("w.json", '{"a": true}', "no positive number"),
        ("w.json", '{"a": NaN}', "no positive number"),
        ("w.json", "[1]", "no object"),
        ("w.json", "{", "no JSON"),
        ("w.json", "[" * 100_000, "no JSON"),
        ("w.json", '{"a": 1' + "0" * 400 + "}", "no positive number"),
        ("w.csv", "a," + "x" * 200_000, "no CSV"),
        ("w.csv", "a,1e300", "is 1e\\+300"),
        ("missing.csv", None, "there is no file"),
    ],
)
def test_weights_that_make_no_sense(tmp_path: Path, name: str, text: str | None, told: str) -> None:
    if text is not None:
        (tmp_path / name).write_text(text)
    with pytest.raises(AskedWrongly, match=told):
        read_weights(tmp_path / name)


def test_a_number_for_a_test_that_does_not_run_is_refused() -> None:
    for key in ("tolerance", "threshold"):
        with pytest.raises(AskedWrongly, match="does not run"):
            make_plan(DriftSettings(**{key: {"domain_classifier": 0.7}}))
    asked = DriftSettings(
        threshold={"domain_classifier": 0.7}, dataset_tests=("domain_classifier",)
    )
    with pytest.raises(AskedWrongly, match="none for a column"):
        make_plan(asked)


def test_what_is_written_beside_a_column_wins_over_the_file() -> None:
    settings = monitored(columns={"a": {"importance": 7}, "b": {"critical": True}})
    plan = brief(settings, None, suite=None, weights={"a": 2.0, "b": 3.0}).plan
    assert (plan.importance_of("a"), plan.importance_of("b")) == (7.0, 3.0)
    assert (plan.importance_of("c"), "b" in plan.critical) == (1.0, True)


def test_importance_is_a_file_or_the_classifier() -> None:
    assert weights_file(monitored(drift={"importance": "weights.csv"})) == "weights.csv"
    assert weights_file(monitored(drift={"importance": "domain_classifier"})) is None
    with pytest.raises(AskedWrongly, match="neither a file"):
        weights_file(monitored(drift={"importance": "shap"}))
    both = {"importance": "domain_classifier", "false_alarms": "1 per 90d"}
    with pytest.raises(AskedWrongly, match="alarm budget"):
        check_monitor(monitored(drift=both))


def test_the_classifier_ranks_and_weighs_nothing() -> None:
    one, other = correlated(2000, 1, 0.0), correlated(800, 2, 0.0)
    other["a"] = other["a"] + 2.0
    other["c0"] = other["c0"] + 0.8
    settings = monitored(drift={"importance": "domain_classifier"})
    ranking = brief(settings, None, suite=None).plan
    plain = replace(ranking, ranked_by="")
    ranked, findings = compare_table(table(one), Current(table(other)), ranking)
    weighed, also = compare_table(table(one), Current(table(other)), plain)
    assert findings == also
    assert [c.verdict for c in ranked] == [c.verdict for c in weighed]
    assert np.mean([c.importance for c in ranked]) == pytest.approx(1, abs=0.05)
    assert max(ranked, key=lambda c: c.importance).name == "a"


# --- What the model says ---


def test_outputs_are_called_what_they_are() -> None:
    reference, current = flipped()
    current["a"] += 2
    current["score"] = current["a"] / 4
    reference["score"] = reference["a"] / 4
    result = api.compare(reference, current, probability="score")
    assert "the model's probability `score`" in result.headline
    assert "number, the model&#39;s probability" in result.html()


def test_the_socket_lists_its_files() -> None:
    assert set(catalogue.names("monitor.core.dataset_drift")) == set(TESTS)
