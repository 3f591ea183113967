"""What looks like a drift and is not proven: it is said, with what would prove it."""

from dataclasses import replace
from datetime import UTC
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from column_fixtures import numbers, plan

from monitor.api import compare
from monitor.core.comparison import compare_columns, judged
from monitor.core.headline import headline
from monitor.core.over_time.phases import Cadence
from monitor.core.over_time.spending import Before, spend
from monitor.core.records import ColumnResult, Finding, SampleInfo, Verdict
from monitor.core.unproven import (
    UNPROVEN,
    Series,
    held_by,
    rows_to_prove,
    unproven,
    what_proves_it,
)
from monitor.core.windows import Span

DAILY = Cadence(Span(1, "d"), UTC)
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


def told(columns: tuple[ColumnResult, ...], *dataset: Finding, rows: int = 175) -> str:
    return headline(Verdict.PASSED, columns, dataset, None, SampleInfo(rows, rows, "all"))


def test_a_large_change_that_few_rows_do_not_prove_comes_first_in_the_headline() -> None:
    columns = compared(175, 0.5)
    assert columns[0].verdict is Verdict.WATCH
    assert [c.name for c in unproven(columns)] == ["a"]
    assert told(columns) == (
        "Passed for want of proof: `a` is 10 % higher than in training (mean 99.8 → 110), more "
        "than is tolerated, but 175 rows do not prove it; 2 of 3 columns are as in training, 1 to "
        "watch, 175 rows"
    )


@pytest.mark.parametrize(("rows", "sd"), [(175, 0.0), (175, 2.0), (20_000, 0.2)])
def test_what_is_quiet_proven_or_within_its_tolerance_is_nothing_of_that_kind(
    rows: int, sd: float
) -> None:
    assert unproven(compared(rows, sd)) == []


def test_the_rows_that_are_named_prove_it() -> None:
    columns = compared(175, 0.5)
    text = what_proves_it(columns[0], columns, 0.01, 175, Series("orders", DAILY))
    enough = min(n for f in columns[0].findings if (n := rows_to_prove(f)))
    assert 175 < enough < 1000
    assert f"about {enough} rows like these prove it at `alpha: 0.01`" in text
    assert f"(`window: {-(-enough // 175)}d` in place of `1d`)" in text
    assert "`drift: {false_alarms: 1 per 90d}` adds up what lasts (about " in text
    assert compared(enough, 0.5)[0].verdict is Verdict.DRIFTED
    alone = what_proves_it(columns[0], columns, 0.01, 175, None)
    assert "rows like these prove it" in alone and "window" not in alone and "drift:" not in alone


def test_the_checks_that_are_named_raise_the_alarm() -> None:
    columns = compared(175, 0.6)
    series = Series("orders", DAILY)
    before, checks = Before(), 0
    text = what_proves_it(columns[0], columns, 0.01, 175, series)
    while not before.alarm:
        spent, finding = spend(columns, before, 90.0, plan().rule)
        before = Before(
            {c.name: c.accrued for c in spent if c.accrued}, finding.verdict == "drifted"
        )
        checks += 1
    assert f"(about {checks} checks like this one)" in text


def test_with_an_alarm_budget_it_is_the_budget_that_waits() -> None:
    columns, finding = spend(compared(175, 0.6), Before(), 90.0, plan().rule)
    assert columns[0].verdict is Verdict.WATCH
    assert "more than is tolerated, but the alarm budget waits for more evidence (" in told(
        columns, finding
    )
    text = what_proves_it(columns[0], columns, 0.01, 175, Series("orders", DAILY, 90.0))
    assert "`false_alarms` waits for evidence of several checks (about 2 more checks like" in text
    assert "`alpha` in its place" in text


def test_many_columns_judged_together_are_named_as_the_reason() -> None:
    alone = compared(175, 0.6, columns=1)[0]
    assert alone.verdict is Verdict.DRIFTED
    columns = judged(
        [alone, *[replace(alone, name=str(i), p_tolerance=1.0) for i in range(60)]], plan()
    )
    assert columns[0].verdict is Verdict.WATCH
    assert "all columns are judged together" in held_by(columns[0], (), 175)
    text = what_proves_it(columns[0], columns, 0.01, 175, Series("orders", DAILY))
    assert "the tests of all columns share `alpha: 0.01`; `critical: true` lets this one" in text


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
    assert "rows like these prove it at `alpha: 0.01`" in notice.text
