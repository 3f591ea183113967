"""From findings to the verdict of a column and of a check."""

from dataclasses import replace

import numpy as np
import pytest
from column_fixtures import TESTS, booleans, counted, numbers, plan, texts

from monitor.core.columns import Column, Kind
from monitor.core.comparison import Plan, compare_columns
from monitor.core.drift_socket import Rule
from monitor.core.records import (
    ColumnResult,
    ExpectationReport,
    ExpectationResult,
    Finding,
    Severity,
    Verdict,
)
from monitor.core.verdict import deciding, judge_check, judge_columns, strength_of

PASSED, WATCH, DRIFTED = Verdict.PASSED, Verdict.WATCH, Verdict.DRIFTED
VIOLATED, UNDECIDED = Verdict.VIOLATED, Verdict.UNDECIDED


def finding(
    test: str = "psi",
    verdict: Verdict = PASSED,
    *,
    p: float | None = 0.5,
    effect: float | None = 0.05,
    guard: bool = False,
    decides: bool = True,
) -> Finding:
    return Finding(
        test,
        verdict,
        f"{test} says {verdict}",
        effect=effect,
        tolerance=0.1,
        p_tolerance=p,
        guard=guard,
        decides=decides,
    )


def column(
    *findings: Finding, name: str = "x", p: float | None = 0.5, critical: bool = False
) -> ColumnResult:
    return ColumnResult(
        name, Kind.NUMBER, UNDECIDED, "no test", critical=critical, p_tolerance=p, findings=findings
    )


def judged(column: ColumnResult, rule: Rule | None = None) -> ColumnResult:
    return judge_columns([column], rule or Rule())[0]


# --- A column ---


def test_a_column_is_undecided_only_when_all_its_main_findings_are() -> None:
    blind, sees = finding("ks", UNDECIDED), finding("psi", PASSED)
    assert judged(column(blind, sees)).verdict is PASSED
    assert judged(column(blind, finding("psi", UNDECIDED))).verdict is UNDECIDED


def test_a_guard_alone_does_not_make_a_column_decidable() -> None:
    blind, guard = finding("psi", UNDECIDED), finding("missing_share", PASSED, guard=True)
    assert judged(column(blind, guard)).verdict is UNDECIDED
    assert judged(column(guard)).verdict is UNDECIDED


def test_a_guard_alone_makes_a_column_drift() -> None:
    guard = finding("missing_share", DRIFTED, p=1e-9, effect=0.4, guard=True)
    result = judged(column(finding("psi", UNDECIDED), guard, p=2e-9))
    assert (result.verdict, result.reason) == (DRIFTED, "missing_share says drifted")


def test_a_finding_that_only_reports_does_not_decide() -> None:
    report = finding("chi_squared", UNDECIDED, decides=False)
    assert judged(column(report, finding("psi", PASSED))).verdict is PASSED
    assert judged(column(report)).verdict is UNDECIDED
    assert deciding([report]) == [report]


def test_a_column_without_findings_keeps_its_reason() -> None:
    assert judged(column()).reason == "no test"
    assert judged(column()).verdict is UNDECIDED


def test_proven_alone_but_not_together_is_a_watch() -> None:
    """Nineteen quiet columns beside it: .009 is not below .01 / 20."""
    one = column(finding(verdict=DRIFTED, p=0.009), p=0.009)
    others = [column(finding(), name=f"c{i}", p=1.0) for i in range(19)]
    result = judge_columns([one, *others], Rule())[0]
    assert result.verdict is WATCH
    assert "judged together" in result.reason


@pytest.mark.parametrize("p", [0.009, 0.0])
def test_a_critical_column_answers_for_itself(p: float) -> None:
    one = column(finding(verdict=DRIFTED, p=p), p=p, critical=True)
    others = [column(finding(), name=f"c{i}", p=1.0) for i in range(19)]
    assert judge_columns([one, *others], Rule())[0].verdict is DRIFTED


def test_the_strongest_evidence_explains_a_drift() -> None:
    weak, strong = finding("ks", DRIFTED, p=1e-3), finding("psi", DRIFTED, p=1e-30)
    assert judged(column(weak, strong, p=2e-30)).reason == "psi says drifted"
    tie = finding("ks", DRIFTED, p=0.0, effect=0.3), finding("psi", DRIFTED, p=0.0, effect=4.0)
    assert judged(column(*tie, p=0.0)).reason == "psi says drifted"


def test_a_change_within_the_tolerance_is_a_watch() -> None:
    assert judged(column(finding("ks"), finding("psi", WATCH))).reason == "psi says watch"
    guard = finding("missing_share", WATCH, guard=True)
    assert judged(column(finding("psi"), guard)).verdict is WATCH


def test_strength_is_the_largest_effect_in_tolerances() -> None:
    findings = [finding("ks", effect=0.3), finding("psi", effect=1.5), finding(effect=None)]
    assert strength_of(findings) == pytest.approx(15)
    assert strength_of([]) == 0.0


# --- Classical rules, as written ---

SHIFTED = {"x": numbers(np.random.default_rng(0).normal(0.2, 1, 2000))}
STANDARD = {"x": numbers(np.random.default_rng(1).normal(0, 1, 5000))}


def one(current: dict[str, Column], asked: Plan) -> ColumnResult:
    return compare_columns(STANDARD, current, asked)[0]


def test_the_classical_p_value() -> None:
    assert one(SHIFTED, plan()).verdict is WATCH
    assert one(SHIFTED, plan(p_value=0.05)).verdict is DRIFTED
    assert one(STANDARD, plan(p_value=0.05)).verdict is PASSED
    result = one(SHIFTED, plan("ks", p_value=0.05))
    assert result.reason.startswith("KS: p = ")
    assert result.reason.endswith("at most 0.05")
    assert result.findings[0].threshold is None


def test_the_classical_threshold() -> None:
    psi = one(SHIFTED, plan("psi", threshold=0.2)).findings[0]
    assert psi.statistic is not None
    below, above = psi.statistic * 0.99, psi.statistic * 1.01
    assert one(SHIFTED, plan("psi", threshold=below)).verdict is DRIFTED
    assert one(SHIFTED, plan("psi", threshold=above)).verdict is PASSED
    assert one(SHIFTED, plan("psi", threshold=psi.statistic)).verdict is PASSED
    assert one(SHIFTED, plan("psi", threshold={"psi": below})).verdict is DRIFTED
    named = one(SHIFTED, plan(threshold={"psi": above}))
    assert named.verdict is WATCH  # KS has no threshold: it reports and decides nothing
    assert {f.test: f.decides for f in named.findings} == {"ks": False, "psi": True}


def test_a_classical_rule_is_not_corrected_for_many_columns() -> None:
    reference = {f"c{i}": replace(STANDARD["x"], name=f"c{i}") for i in range(40)}
    current = reference | {"c0": SHIFTED["x"]}
    p = compare_columns(reference, current, plan("ks"))[0].findings[0].p_value
    assert p is not None
    found = compare_columns(reference, current, plan("ks", p_value=p * 1.01))
    assert [c.name for c in found if c.verdict is DRIFTED] == ["c0"]


def test_a_classical_rule_hears_the_tests_it_names() -> None:
    """Chi-square counts by its p; one threshold for all is not taken to be on its scale."""
    reference, current = {"x": counted([500, 500])}, {"x": counted([220, 280])}
    assert _verdict(reference, current, plan("chi_squared", "psi", p_value=0.05)) is DRIFTED
    assert _verdict(reference, current, plan(threshold=0.2)) is PASSED
    assert _verdict(reference, current, plan(threshold={"chi_squared": 3.0})) is DRIFTED
    assert _verdict(reference, current, plan("chi_squared", threshold=3.0)) is DRIFTED


def _verdict(reference: dict[str, Column], current: dict[str, Column], asked: Plan) -> Verdict:
    return compare_columns(reference, current, asked)[0].verdict


def test_missing_values_are_guarded_under_a_classical_rule_too() -> None:
    values = np.random.default_rng(2).normal(0, 1, 2000)
    values[:600] = np.nan
    result = one({"x": numbers(values)}, plan("psi", threshold=10.0))
    assert result.verdict is DRIFTED
    assert "missing share 0.3" in result.reason


# --- The tests of a kind ---


def test_the_default_tests_of_each_kind() -> None:
    generator = np.random.default_rng(3)
    columns = {
        "number": numbers(generator.normal(size=300), "number"),
        "category": texts(["a", "b"] * 150, "category"),
        "boolean": booleans([True, False] * 150, "boolean"),
        "text": texts([f"a remark no {i}" for i in range(300)], "text"),
    }
    found = compare_columns(columns, columns, plan())
    assert {c.name: [f.test for f in c.findings] for c in found} == {
        "number": ["ks", "psi"],
        "category": ["psi", "chi_squared"],
        "boolean": ["psi", "chi_squared"],
        "text": ["ks", "psi"],
    }
    assert {str(c.kind) for c in found} == set(columns)


def test_a_chosen_test_that_does_not_fit_leaves_the_column_undecided() -> None:
    category = {"x": texts(["a", "b"] * 150)}
    result = compare_columns(category, category, plan("ks"))[0]
    assert (result.verdict, result.reason) == (UNDECIDED, "no test applies to this column")


def test_columns_are_chosen_and_left_out() -> None:
    columns = {name: numbers(np.arange(50.0) / 7, name) for name in "abcd"}

    def names(**chosen: tuple[str, ...]) -> list[str]:
        asked = Plan(tests=TESTS, **chosen)  # type: ignore[arg-type]
        return [c.name for c in compare_columns(columns, columns, asked)]

    assert names() == ["a", "b", "c", "d"]
    assert names(only=("d", "a")) == ["a", "d"]
    assert names(exclude=("a",)) == ["b", "c", "d"]
    assert names(only=("a", "b"), exclude=("a",)) == ["b"]


def test_what_breaks_in_one_column_stays_there() -> None:
    """Codes beyond the levels: the column is undecided, its neighbour is compared."""
    good = numbers(np.random.default_rng(4).normal(size=500), "good")
    broken = Column("bad", "string", 3, 0, codes=np.array([0, 1, 7]), levels=("a", "b"))
    reference = {"bad": texts(["a", "b"] * 250, "bad"), "good": good}
    bad, fine = compare_columns(reference, {"bad": broken, "good": good}, plan())
    assert bad.verdict is UNDECIDED
    assert "could not be compared" in bad.reason
    assert fine.verdict is PASSED


@pytest.mark.parametrize("rows", [0, 1, 5, 30])
def test_a_window_of_thirty_rows_is_undecided(rows: int) -> None:
    generator = np.random.default_rng(5)
    reference = {
        "n": numbers(generator.normal(size=20_000), "n"),
        "c": texts(list(generator.choice(["a", "b", "c"], 20_000)), "c"),
        "b": booleans(list(generator.random(20_000) < 0.5), "b"),
    }
    current = {
        "n": numbers(generator.normal(size=rows), "n"),
        "c": texts(list(generator.choice(["a", "b", "c"], rows)), "c"),
        "b": booleans(list(generator.random(rows) < 0.5), "b"),
    }
    found = compare_columns(reference, current, plan())
    assert [c.verdict for c in found] == [UNDECIDED] * 3


def test_a_disaster_is_seen_in_thirty_rows() -> None:
    """Undecided is for what could have gone unseen, not for what is plain."""
    reference = {"x": numbers(np.random.default_rng(6).normal(size=20_000))}
    current = {"x": numbers(np.random.default_rng(7).normal(8, 1, 30))}
    assert compare_columns(reference, current, plan())[0].verdict is DRIFTED


# --- A check ---


def result(verdict: Verdict, *, critical: bool = False, compared: bool = True) -> ColumnResult:
    return ColumnResult("x", Kind.NUMBER, verdict, "", critical=critical, compared=compared)


def expectations(*outcomes: tuple[bool | None, Severity]) -> ExpectationReport:
    return ExpectationReport(tuple(ExpectationResult("e", s, ok, "") for ok, s in outcomes))


CRITICAL, WARNING, INFO = Severity.CRITICAL, Severity.WARNING, Severity.INFO
LOST = Finding("schema", VIOLATED, "the column x is lost")
UNREAD = Finding("source", UNDECIDED, "cut short")
FRESH = Finding("freshness", PASSED, "fresh")


@pytest.mark.parametrize(
    ("columns", "dataset", "report", "rows", "verdict"),
    [
        ([PASSED], [], None, 10, PASSED),
        ([PASSED, WATCH], [FRESH], None, 10, PASSED),
        ([PASSED, UNDECIDED], [], None, 10, PASSED),
        ([UNDECIDED, UNDECIDED], [], None, 10, UNDECIDED),
        ([], [], None, 10, UNDECIDED),
        ([], [], None, 0, UNDECIDED),
        ([PASSED, DRIFTED], [], None, 10, DRIFTED),
        ([DRIFTED, UNDECIDED], [UNREAD], None, 10, DRIFTED),
        ([DRIFTED], [LOST], None, 10, VIOLATED),
        ([], [LOST], None, 0, VIOLATED),
        ([], [UNREAD], None, 0, UNDECIDED),
        ([WATCH], [], None, 10, PASSED),
        ([WATCH, UNDECIDED], [], None, 10, UNDECIDED),
        ([WATCH, UNDECIDED, PASSED], [], None, 10, PASSED),
        ([PASSED], [], [(True, CRITICAL)], 10, PASSED),
        ([PASSED], [], [(False, WARNING), (False, INFO)], 10, PASSED),
        ([DRIFTED], [], [(False, CRITICAL)], 10, VIOLATED),
        ([PASSED], [], [(None, INFO), (True, CRITICAL)], 10, UNDECIDED),
        ([DRIFTED], [], [(None, CRITICAL)], 10, DRIFTED),
        ([PASSED], [], [(None, CRITICAL), (False, CRITICAL)], 10, VIOLATED),
    ],
)
def test_the_worst_comes_first(
    columns: list[Verdict],
    dataset: list[Finding],
    report: list[tuple[bool | None, Severity]] | None,
    rows: int,
    verdict: Verdict,
) -> None:
    found = judge_check(
        [result(v) for v in columns],
        dataset,
        expectations(*report) if report is not None else None,
        rows=rows,
        expected_to_compare=True,
    )
    assert found is verdict


def test_a_critical_column_that_cannot_be_judged_leaves_the_check_undecided() -> None:
    columns = [result(PASSED), result(UNDECIDED, critical=True)]
    found = judge_check(columns, [], None, rows=10, expected_to_compare=True)
    assert found is UNDECIDED


def test_a_monitor_of_expectations_alone_passes_without_columns() -> None:
    report = expectations((True, CRITICAL))
    assert judge_check([], [], report, rows=10, expected_to_compare=False) is PASSED


def test_columns_that_are_only_listed_decide_nothing() -> None:
    columns = [result(PASSED, compared=False)]
    assert judge_check(columns, [], None, rows=10, expected_to_compare=True) is UNDECIDED
