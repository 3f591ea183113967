"""What looks like a drift and is not proven: it is said, with what would prove it."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from column_fixtures import numbers, plan
from making import a_check

from monitor.api import compare
from monitor.briefing import make_plan
from monitor.cli.monitors import _tell_unproven
from monitor.cli.output import Output
from monitor.configuration.comparing import DriftSettings
from monitor.core.comparison import compare_columns, judged
from monitor.core.drift_socket import Rule
from monitor.core.headline import headline
from monitor.core.over_time.phases import Cadence
from monitor.core.over_time.spending import Before, hold_back, spend
from monitor.core.records import ColumnResult, Finding, Notice, SampleInfo, Verdict
from monitor.core.unproven import (
    UNPROVEN,
    Series,
    Terms,
    held_by,
    times_to_prove,
    unproven,
    what_proves_it,
)
from monitor.core.verdict import level_of
from monitor.core.windows import Span
from monitor.steps.deciding import decide
from monitor.steps.kit import Look, Watch

DAILY = Cadence(Span(1, "d"), UTC)
ORDERS = Terms(series=Series("orders", DAILY))
FEW = SampleInfo(175, 175, "all")
GENERATOR = np.random.default_rng(7)
BEFORE = np.sort(GENERATOR.normal(100, 20, 15_000))


def shifted(rows: int, sd: float) -> np.ndarray:
    """`rows` values at even ranks of the reference, all moved: their effect is no luck."""
    ranks = (np.arange(rows) + 0.5) / rows * BEFORE.size
    return np.asarray(BEFORE[ranks.astype(int)] + 20 * sd)


def compared(rows: int, sd: float, columns: int = 3) -> tuple[ColumnResult, ...]:
    names = "abcdefghijklmnopqrstuvwxyz"[:columns]
    reference = {name: numbers(BEFORE, name) for name in names}
    calm = {name: numbers(shifted(rows, 0.0), name) for name in names}
    return compare_columns(reference, {**calm, "a": numbers(shifted(rows, sd), "a")}, plan())


def told(columns: tuple[ColumnResult, ...], *dataset: Finding, terms: Terms = ORDERS) -> str:
    return headline(Verdict.PASSED, columns, dataset, None, FEW, terms=terms)


def proves(columns: tuple[ColumnResult, ...], terms: Terms = ORDERS) -> str:
    return what_proves_it(columns[0], columns, (), FEW, terms)


def among(column: ColumnResult, others: int) -> tuple[ColumnResult, ...]:
    """A column judged together with others that show nothing."""
    calm = [replace(column, name=str(i), p_tolerance=1.0) for i in range(others)]
    return judged([column, *calm], plan())


def test_a_large_change_that_few_rows_do_not_prove_comes_first_in_the_headline() -> None:
    columns = compared(175, 0.5)
    assert columns[0].verdict is Verdict.WATCH
    assert [c.name for c in unproven(columns, Rule())] == ["a"]
    assert told(columns) == (
        "Passed for want of proof: `a` is 10 % higher than in training (mean 99.8 → 110), more "
        "than is tolerated, but 175 rows do not prove it; 2 of 3 columns are as in training, 1 to "
        "watch, 175 rows"
    )


@pytest.mark.parametrize(("rows", "sd"), [(175, 0.0), (175, 2.0), (20_000, 0.2)])
def test_what_is_quiet_proven_or_within_its_tolerance_is_nothing_of_that_kind(
    rows: int, sd: float
) -> None:
    assert unproven(compared(rows, sd), Rule()) == []


@pytest.mark.parametrize("rule", [{"threshold": {"psi": 0.3}}, {"p_value": 1e-9}])
def test_a_classical_rule_asks_for_no_proof(rule: Mapping[str, object]) -> None:
    reference, now = numbers(BEFORE, "a"), numbers(shifted(20_000, 0.42), "a")
    classical = make_plan(DriftSettings.model_validate({"tests": ["psi"], **rule}))
    columns = compare_columns({"a": reference}, {"a": now}, classical)
    beyond = [replace(c, verdict=Verdict.WATCH) for c in columns]
    assert unproven(beyond, Rule()) and unproven(beyond, classical.rule) == []
    text = told(tuple(beyond), terms=Terms(classical.rule))
    assert text.startswith("Passed: 0 of 1 columns are as in training, 1 to watch")


def test_the_rows_that_are_named_prove_it() -> None:
    columns = compared(175, 0.5)
    times = times_to_prove(columns[0], level_of(columns[0], columns, 0.01))
    assert times is not None and 1 < times < 10
    text = proves(columns)
    assert "about 1\u202f100 rows like these prove it most of the time (`window: 7d`" in text
    assert "`drift: {false_alarms: 1 per 90d}` adds up what lasts (about " in text
    assert compared(1100, 0.5)[0].verdict is Verdict.DRIFTED
    alone = proves(columns, Terms())
    assert "rows like these prove it" in alone and "window:" not in alone and "drift:" not in alone


@pytest.mark.parametrize("tests", [("ks",), ("psi",)])
@pytest.mark.parametrize("others", [0, 29])
def test_so_many_rows_prove_it_in_most_windows(tests: tuple[str, ...], others: int) -> None:
    """The estimate is that of a usual window: the one in the middle of many."""
    generator = np.random.default_rng(11)
    asked = replace(plan(), chosen=tests)
    reference = {"a": numbers(BEFORE, "a")}

    def one(rows: int) -> ColumnResult:
        now = {"a": numbers(generator.normal(100 + 0.45 * 20, 20, rows), "a")}
        return compare_columns(reference, now, asked)[0]

    usual = sorted((one(175) for _ in range(41)), key=lambda c: c.p_tolerance or 1.0)[20]
    level = level_of(usual, among(usual, others), 0.01)
    assert level == pytest.approx(0.01 / (1 + others))
    times = times_to_prove(usual, level)
    assert times is not None and times < 20
    proven = [(one(round(175 * times)).p_tolerance or 1.0) <= level for _ in range(60)]
    assert np.mean(proven) > 0.6


def test_the_rows_are_those_of_windows_not_of_values() -> None:
    """Half of the values are missing on both sides: the window takes twice the rows."""
    whole = compared(175, 0.5)
    sample = SampleInfo(350, 350, "all")
    text = what_proves_it(whole[0], whole, (), sample, ORDERS)
    assert "about 2\u202f200 rows like these" in text and "(`window: 7d` in place of `1d`)" in text


def test_no_window_is_named_that_does_not_help() -> None:
    columns = compared(175, 0.5)
    drawn = SampleInfo(175, 5000, "reservoir")
    assert "(`sample: {rows: 1100}`)" in what_proves_it(columns[0], columns, (), drawn, ORDERS)
    fewer = SampleInfo(175, 400, "reservoir")
    assert "most of the time; `drift:" in what_proves_it(columns[0], columns, (), fewer, ORDERS)
    years = Terms(series=Series("orders", Cadence(Span(3000, "d"), UTC)))
    assert "window:" not in proves(columns, years)
    few = {"a": numbers(shifted(300, 0.0), "a")}
    reference_too_small = compare_columns(few, {"a": numbers(shifted(300, 0.5), "a")}, plan())
    assert "however many a window has" in proves(reference_too_small)
    both = Terms(series=Series("orders", DAILY, both_sides=True))
    assert "rows like these prove it" in proves(reference_too_small, both)


def test_the_checks_that_are_named_raise_the_alarm() -> None:
    columns = compared(175, 0.6)
    before, checks = Before(), 0
    text = proves(columns)
    while not before.alarm:
        spent, finding = spend(columns, before, 90.0, plan().rule)
        before = Before(
            {c.name: c.accrued for c in spent if c.accrued}, finding.verdict == "drifted"
        )
        checks += 1
    assert f"(about {checks} checks like this one)" in text


def test_with_an_alarm_budget_it_is_the_budget_that_waits() -> None:
    columns, finding = spend(compared(175, 0.6), Before(), 90.0, plan().rule)
    terms = replace(ORDERS, checks_per_alarm=90.0)
    assert columns[0].verdict is Verdict.WATCH
    assert "more than is tolerated, but the alarm budget waits for more evidence (" in told(
        columns, finding, terms=terms
    )
    text = proves(columns, terms)
    assert "`false_alarms` waits for evidence of several checks (about 2 more checks like" in text
    assert "`alpha` in its place" in text


def test_within_a_budget_a_window_under_maintenance_says_that_nothing_follows() -> None:
    columns = hold_back(compared(175, 2.0), plan().rule)
    terms = replace(ORDERS, checks_per_alarm=90.0, maintained=True)
    assert "but nothing follows from a window under maintenance" in told(columns, terms=terms)


@pytest.mark.parametrize("maintained", [False, True])
def test_no_notice_tells_what_would_prove_a_window_under_maintenance(maintained: bool) -> None:
    watch = Watch("orders", plan(), cadence=DAILY, in_maintenance=maintained)
    check = decide(watch, None, None, Look(FEW, compared(175, 0.5)), {})
    assert [n.kind for n in check.notices if n.kind == UNPROVEN] == [UNPROVEN] * (not maintained)


def test_what_gathers_no_evidence_is_offered_no_budget() -> None:
    columns = compared(175, 0.5)
    blind = [replace(f, rows_needed=999) for f in columns[0].findings]
    few = (replace(columns[0], findings=tuple(blind)), *columns[1:])
    assert "false_alarms" not in proves(few)
    terms = replace(ORDERS, checks_per_alarm=90.0)
    assert "its rows are too few to count as evidence within" in told(few, terms=terms)
    assert "like this one" not in proves(few, terms)


def test_many_columns_judged_together_are_named_as_the_reason() -> None:
    alone = compared(175, 0.6, columns=1)[0]
    assert alone.verdict is Verdict.DRIFTED
    columns = among(alone, 60)
    assert columns[0].verdict is Verdict.WATCH
    assert columns[0].reason.endswith("; not when all columns are judged together")
    assert "all columns are judged together" in held_by(columns[0], (), 175, ORDERS)
    text = proves(columns)
    assert "the tests of all columns share `alpha`, and `critical: true` lets this" in text
    assert "rows like these prove it" in text


def test_many_tests_of_a_column_are_named_as_the_reason() -> None:
    column = compared(175, 0.57, columns=1)[0]
    least = min(f.p_tolerance for f in column.findings if f.p_tolerance is not None)
    assert least <= 0.01 < (column.p_tolerance or 0.0)
    assert column.reason.endswith("; not when the 2 tests of the column share `alpha`")
    assert "when the tests of the column are judged together" in told((column,))
    text = proves((column,))
    assert "the 2 tests of this column share `alpha`; about " in text
    assert "columns share" not in text


def test_beside_segments_columns_are_judged_at_their_share_of_alpha(tmp_path: Path) -> None:
    sides = {"train": BEFORE, "now": shifted(175, 0.59)}
    for name, values in sides.items():
        groups = [("a", "b")[i % 2] for i in range(len(values))]
        table = pa.table({"amount": values, "group": groups})
        pq.write_table(table, tmp_path / f"{name}.parquet")
    ask = partial(compare, str(tmp_path / "train.parquet"), str(tmp_path / "now.parquet"))
    whole = ask(columns=["amount"])
    assert whole.verdict == "drifted" and 0.005 < (whole.check.columns[0].p_tolerance or 0) < 0.01
    split = ask(columns=["amount"], segments=["group"])
    assert "not proven when the tests of the column are judged together" in split.headline


def test_a_backfill_says_how_often_and_because_of_what(capsys: pytest.CaptureFixture[str]) -> None:
    check = a_check(monitor="orders")
    notices = [Notice(UNPROVEN, "", name) for name in "aab"]
    _tell_unproven(Output(None, verbose=False), [replace(check, notices=(n,)) for n in notices])
    assert " ".join(capsys.readouterr().out.split()).startswith(
        "3 of them passed for want of proof, most often because `a` seems beyond its tolerance; "
        "`monitor check orders --at DAY` says"
    )


def test_others_that_seem_beyond_are_named_for_themselves() -> None:
    first, second, _ = compared(175, 0.5)
    pair = (first, replace(first, name=second.name))
    assert "do not prove it; `b` seems to be beyond tolerance, too; " in told(pair)


def test_a_pass_names_the_tests_of_the_whole_that_could_not_be_judged() -> None:
    blind = Finding("correlation_change", Verdict.UNDECIDED, "too few rows", tolerance=0.2)
    feed = Finding("volume", Verdict.PASSED, "")
    assert told(compared(175, 0.0), blind, feed) == (
        "Passed: 3 of 3 columns are as in training, correlation_change undecided, 175 rows"
    )


def test_a_comparison_says_it_in_headline_report_and_notice(tmp_path: Path) -> None:
    sides = {"train": BEFORE, "now": shifted(175, 0.5)}
    for name, values in sides.items():
        pq.write_table(pa.table({"amount": values}), tmp_path / f"{name}.parquet")
    result = compare(str(tmp_path / "train.parquet"), str(tmp_path / "now.parquet"))
    assert (result.verdict, result.exit_code) == ("passed", 0)
    assert result.headline.startswith("Passed for want of proof: `amount` is 10 % higher")
    [notice] = [n for n in result.check.notices if n.kind == UNPROVEN]
    page = result.html()
    assert "<h2>Closest to a drift</h2>" in page
    assert page.count("<code>amount</code> seems to be beyond its tolerance") == 1
    assert "rows like these prove it most of the time" in notice.text
