"""An alarm budget: evidence that adds up, in arithmetic, in columns, and in the story."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from math import sqrt
from pathlib import Path
from statistics import NormalDist

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from projects import FIRST_DAY, day

from benchmarks import quiet_years
from benchmarks.quiet_years import delay, simulate_quiet_years
from monitor.archive import Outcome
from monitor.core.columns import Floats, Kind
from monitor.core.drift_socket import Rule
from monitor.core.over_time.budget import Gathered, add, kept_above, needed, nothing_yet, together
from monitor.core.over_time.spending import Before, accumulated, beside, spend
from monitor.core.records import ColumnResult, Finding, Slice, Verdict
from monitor.core.verdict import dataset_p_tolerance, judge_columns
from monitor.errors import ConfigError
from monitor.service import Service
from monitor.settings import load_settings

PASSED, WATCH, DRIFTED = Verdict.PASSED, Verdict.WATCH, Verdict.DRIFTED
UNDECIDED = Verdict.UNDECIDED
ONE = np.ones(1)


def run(p_values: Sequence[float | None], checks: float = 90.0) -> list[tuple[float, bool]]:
    """Evidence and alarm of one column after each check."""
    state, told = nothing_yet(1), []
    for p in p_values:
        state = add(state, np.array([p], np.float64), ONE, checks)
        told.append((round(float(state.evidence[0]), 6), bool(state.alarm)))
    return told


# --- Arithmetic ---


def test_evidence_multiplies_by_half_over_the_root_of_p_and_never_starts_below_one() -> None:
    """e of .01, .25, 1 is 5, 1, 1/2."""
    assert run([0.01, 0.25, 1.0, 1.0, 1.0, 0.01]) == [
        (5.0, False), (5.0, False), (2.5, False), (1.25, False), (0.625, False), (5.0, False),
    ]  # fmt: skip


def test_the_alarm_ends_at_the_root_and_evidence_begins_again() -> None:
    """90 → 45 → 22.5 → 11.25 → 5.6, which is below √90."""
    after = run([1e-4, 1e-4, 1e-9, 1.0, 1.0, 1.0, 1.0, 0.01])
    assert after == [
        (50.0, False), (90.0, True), (90.0, True), (45.0, True), (22.5, True), (11.25, True),
        (1.0, False), (5.0, False),
    ]  # fmt: skip


def test_what_cannot_be_judged_leaves_the_evidence_as_it_is() -> None:
    assert run([0.01, None, None, 0.01])[1:] == [(5.0, False), (5.0, False), (25.0, False)]
    assert run([1e-9, None])[-1] == (90.0, True)


def test_columns_count_by_their_importance() -> None:
    state = add(nothing_yet(2), np.array([1e-4, 1.0]), np.array([3.0, 1.0]), 90.0)
    assert together(state.evidence, np.array([3.0, 1.0])) == pytest.approx((3 * 50 + 0.5) / 4)


def test_a_giant_leaves_the_others_what_they_gathered() -> None:
    state = nothing_yet(2)
    for _ in range(3):
        state = add(state, np.array([1e-300, 1e-3]), np.ones(2), 90.0)
    assert state.alarm and state.evidence[1] > 10
    assert together(state.evidence, np.ones(2)) == pytest.approx(90)


def test_a_smaller_budget_is_no_evidence() -> None:
    """50 of 90 becomes 20 of 20 at most, and a window without drift takes half of it."""
    before = add(nothing_yet(1), np.array([1e-4]), ONE, 90.0)
    after = add(before, np.ones(1), ONE, 20.0)
    assert (float(after.evidence[0]), bool(after.alarm)) == (10.0, False)
    assert needed(0.1) == 2.0 and kept_above(81.0) == 9.0


p_values = st.one_of(st.floats(0.0, 1.0), st.just(float("nan")))
windows = st.lists(st.lists(p_values, min_size=3, max_size=3), min_size=1, max_size=40)


@given(windows, st.lists(st.floats(0.01, 100), min_size=3, max_size=3), st.floats(0.1, 1e6))
def test_evidence_stays_finite_and_within_what_counts(
    series: list[list[float]], importance: list[float], checks: float
) -> None:
    weights, state = np.array(importance), nothing_yet(3)
    for p in series:
        state = add(state, np.array(p), weights, checks)
        assert np.isfinite(state.evidence).all() and (state.evidence > 0).all()
        assert together(state.evidence, weights) <= needed(checks) * (1 + 1e-9)


@given(st.lists(st.floats(1e-12, 1.0), min_size=1, max_size=30), st.integers(0, 29))
def test_more_evidence_in_one_window_is_never_less_in_the_end(p: list[float], at: int) -> None:
    """Until an alarm ends, when evidence begins again."""
    stronger = [value / 2 if i == at else value for i, value in enumerate(p)]
    less, more = run(p, 1e9)[-1], run(stronger, 1e9)[-1]
    assert more[0] >= less[0] * (1 - 1e-6) and more[1] >= less[1]


def test_many_series_side_by_side_are_as_one_by_one() -> None:
    p = np.random.default_rng(0).random((20, 5, 3)) ** 4
    importance = np.array([1.0, 2.0, 0.5])

    def last(values: Floats) -> Gathered:
        state = nothing_yet(3, values.shape[1:-1])
        for window in values:
            state = add(state, window, importance, 30.0)
        return state

    together_, alone = last(p), [last(p[:, i]) for i in range(5)]
    assert np.allclose(together_.evidence, [s.evidence for s in alone])
    assert together_.alarm.tolist() == [bool(s.alarm) for s in alone]


# --- Quiet years, and the delay ---


@pytest.fixture
def few_p_values(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quiet_years, "POOL", 500)


@pytest.mark.usefixtures("few_p_values")
@pytest.mark.parametrize("p_values", ["exact", "tolerance"])
def test_false_episodes_keep_to_the_budget(p_values: str) -> None:
    found = simulate_quiet_years(300, p_values=p_values, checks_per_alarm=30.0, seed=1)
    assert found.upper_99 < found.budget


@pytest.mark.usefixtures("few_p_values")
def test_a_lasting_drift_that_one_window_does_not_prove_is_found() -> None:
    found = delay(0.15, 1000, series=50, checks=40)
    assert found.at_once < 0.15 and found.seen == 1.0 and found.median <= 14


# --- Columns ---


def column(
    p: float | None, *, name: str = "x", critical: bool = False, few_rows: bool = False
) -> ColumnResult:
    fired = p is not None and p <= 0.01
    verdict = DRIFTED if fired else UNDECIDED if few_rows or p is None else PASSED
    found = Finding(
        "psi", verdict, f"psi says {verdict}", effect=0.12, tolerance=0.1, p_tolerance=p,
        rows_needed=300 if few_rows else None,
    )  # fmt: skip
    return ColumnResult(
        name, Kind.NUMBER, UNDECIDED, "", critical=critical, p_tolerance=p, findings=(found,)
    )


RULE = Rule()


def spent(
    columns: Sequence[ColumnResult], before: Before | None = None
) -> tuple[tuple[ColumnResult, ...], Finding, Before]:
    judged, finding = spend(judge_columns(columns, RULE), before or Before(), 90.0, RULE)
    after = Before({c.name: c.accrued for c in judged if c.accrued}, finding.verdict is DRIFTED)
    return judged, finding, after


def test_one_window_alone_is_a_watch_that_says_how_much_is_missing() -> None:
    [found], finding, _ = spent([column(1e-3)])
    assert (found.verdict, finding.verdict) == (WATCH, PASSED)
    assert found.reason == (
        "psi says drifted; in this window alone: the alarm budget waits for more evidence "
        "(16 of 90)"
    )
    assert finding.statistic == pytest.approx(0.5 / sqrt(1e-3))
    assert (finding.threshold, finding.p_tolerance) == (90.0, 1e-3)


def test_overwhelming_evidence_needs_no_second_window() -> None:
    columns = [column(1e-9), *(column(1.0, name=f"c{i}") for i in range(29))]
    judged, finding, _ = spent(columns)
    assert finding.verdict is DRIFTED
    assert [c.name for c in judged if c.verdict is DRIFTED] == ["x"]
    assert judged[0].reason == "psi says drifted"


def test_weak_evidence_of_many_checks_names_its_column() -> None:
    before = None
    for _ in range(5):
        judged, finding, before = spent([column(0.02), column(0.9, name="y")], before)
    assert finding.verdict is DRIFTED
    assert [c.verdict for c in judged] == [DRIFTED, PASSED]
    assert judged[0].reason.startswith(
        "the alarm is on (evidence of all columns 90 of 90), and this column gathered evidence in "
        "the last 5 checks; this window alone does not prove it; "
    )


def test_a_critical_column_answers_for_itself() -> None:
    [found], finding, _ = spent([column(0.009, critical=True)])
    assert (found.verdict, finding.verdict) == (DRIFTED, PASSED)


def test_too_few_rows_add_nothing_whatever_they_show() -> None:
    judged, finding, after = spent([column(1e-9, few_rows=True), column(1.0, name="y")])
    assert judged[0].verdict is UNDECIDED and "too few rows" in judged[0].reason
    assert after.columns["x"].evidence == 1.0 and finding.verdict is PASSED


def test_columns_that_are_only_listed_stay_as_they_are() -> None:
    listed = replace(column(None, name="id"), compared=False, verdict=PASSED, findings=())
    judged, _, _ = spent([column(0.5), listed])
    assert judged[1] == listed


@pytest.mark.parametrize(
    ("p_values", "level"),
    [([], 1.0), ([0.2], 0.2), ([0.01, 0.5], 0.02), ([0.02, 0.02], 0.02), ([0.04, 0.05, 1], 0.075)],
)
def test_the_dataset_s_tolerance_p_is_the_level_that_rejects(
    p_values: list[float], level: float
) -> None:
    columns = [column(p, name=f"c{i}") for i, p in enumerate(p_values)]
    assert dataset_p_tolerance(columns) == pytest.approx(level)
    for alpha, expected in ((level * 1.001, True), (level * 0.999, False)):
        judged = judge_columns(columns, Rule(alpha=alpha))
        assert any(c.verdict is DRIFTED for c in judged) is (expected and level < 1)


# --- Configuration ---


@pytest.mark.parametrize("classical", ["p_value: 0.05", "threshold: 0.2"])
def test_a_budget_and_a_classical_rule_exclude_each_other(tmp_path: Path, classical: str) -> None:
    with pytest.raises(ConfigError, match="is a rule for one window and `false_alarms` one for"):
        load_settings(write(tmp_path, drift=f"false_alarms: 1 per 90d, {classical}"))


# --- The story ---

SHIFT = 0.4  # standard deviations: a PSI that windows with a true one of 0.13 show on average
ROWS = 700


def write(
    folder: Path, *, drift: str = "false_alarms: 1 per 90d", store: str = "memory://"
) -> Path:
    (folder / "data").mkdir(exist_ok=True)
    config = folder / "monitor.yaml"
    config.write_text(f"""store: {store}
monitors:
  orders:
    reference: reference.parquet
    production: {{path: data/*.parquet, time: at}}
    explorer: never
    drift: {{{drift}, tests: [psi]}}
""")
    return config


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "data").mkdir()
    pq.write_table(rows(20_000, FIRST_DAY), tmp_path / "reference.parquet")
    return tmp_path


@pytest.fixture
def service(folder: Path) -> Iterator[Service]:
    made = opened(folder)
    yield made
    made.close()


def opened(folder: Path, **config: str) -> Service:
    return Service(load_settings(write(folder, **config)), clock=lambda: NOON)


NOON = datetime(2026, 6, 20, 12, tzinfo=UTC)


def rows(count: int, start: datetime, shift: float = 0.0) -> pa.Table:
    """Quantiles in a random order: every window shows what it is a window of, and no noise."""
    rng, normal = np.random.default_rng(count), NormalDist()
    quantiles = np.array([normal.inv_cdf((i + 0.5) / count) for i in range(count)])
    times = [start + timedelta(days=1) * i / count for i in range(count)]
    return pa.table(
        {
            "at": pa.array(times, pa.timestamp("us", "UTC")),
            "amount": rng.permutation(100 + 10 * (quantiles + shift)),
            "age": rng.permutation(40 + 9 * quantiles),
        }
    )


def arrive(folder: Path, number: int, shift: float = 0.0, count: int = ROWS) -> None:
    table = rows(count, day(number).start, shift)
    pq.write_table(table, folder / "data" / f"day{number}.parquet")


def play(service: Service, days: range) -> list[Verdict]:
    return [service.check("orders", day(number)).check.verdict for number in days]


def evidence(service: Service, number: int) -> float | None:
    stored = service.store.find_check("orders", day(number))
    assert stored is not None
    finding = accumulated(stored.check.dataset.findings)
    return finding.statistic if finding else None


def test_a_small_drift_that_lasts_adds_up_and_ends_when_it_ends(
    folder: Path, service: Service
) -> None:
    days, lasts = range(24), range(3, 17)
    for number in days:
        arrive(folder, number, SHIFT if number in lasts else 0.0)
    verdicts = play(service, days)
    first = verdicts.index(DRIFTED)
    assert 5 < first < 15
    assert verdicts == [PASSED] * first + [DRIFTED] * (20 - first) + [PASSED] * 4
    [episode] = service.store.newest_episodes("orders")
    assert (episode.columns, episode.resolved_at) == (("amount",), day(20).start)
    assert episode.headline.startswith("Drifted: `amount` is")
    assert "; this window alone does not prove it, the evidence of " in episode.headline
    assert f"evidence of {first - 2} checks together does" in episode.headline
    still = service.store.find_check("orders", day(18))
    assert still is not None and "the evidence of" in still.check.headline
    assert evidence(service, 20) == 1.0

    alone = opened(folder, drift="alpha: 0.01")
    assert play(alone, days) == [PASSED] * 24
    stored = alone.store.find_check("orders", day(first))
    assert stored is not None and accumulated(stored.check.dataset.findings) is None
    assert all(c.accrued is None for c in stored.check.columns)


def test_a_quiet_series_never_alarms(folder: Path, service: Service) -> None:
    for number in range(25):
        arrive(folder, number)
    assert play(service, range(25)) == [PASSED] * 25
    assert all((evidence(service, number) or 0) < 2 for number in range(25))


def test_a_large_drift_alarms_at_once(folder: Path, service: Service) -> None:
    arrive(folder, 0, shift=1.0)
    assert play(service, range(1)) == [DRIFTED]
    stored = service.store.find_check("orders", day(0))
    assert stored is not None and "lasting" not in stored.check.headline
    assert service.store.newest_episodes("orders")


def test_the_state_is_in_the_store(folder: Path) -> None:
    """Another process every day gathers the same evidence as one that runs on."""
    for number in range(5):
        arrive(folder, number, SHIFT)
    once = opened(folder)
    play(once, range(5))
    for number in range(5):
        fresh = opened(folder, store="sqlite:///monitor.db")
        play(fresh, range(number, number + 1))
        assert evidence(fresh, number) == evidence(once, number)
        fresh.close()


def test_another_look_begins_from_the_check_before(folder: Path, service: Service) -> None:
    for number in range(4):
        arrive(folder, number, SHIFT)
    play(service, range(4))
    before = [evidence(service, number) for number in range(4)]
    service.check("orders", day(2), again=True)
    service.check("orders", day(3), again=True)
    assert [evidence(service, number) for number in range(4)] == before


def test_a_late_window_adds_to_what_came_before_it_and_changes_nothing_later(
    folder: Path, service: Service
) -> None:
    for number in range(4):
        arrive(folder, number, SHIFT)
    play(service, range(1))
    play(service, range(2, 4))
    later = evidence(service, 3)
    play(service, range(1, 2))
    assert evidence(service, 3) == later
    in_order = opened(folder)
    play(in_order, range(2))
    assert evidence(service, 1) == evidence(in_order, 1)


def test_windows_that_cannot_judge_are_passed_over(folder: Path, service: Service) -> None:
    arrive(folder, 0, SHIFT)
    arrive(folder, 1, SHIFT, count=20)
    arrive(folder, 4, SHIFT)
    verdicts = play(service, range(2))
    (folder / "data" / "day2.parquet").write_bytes(b"PAR1 this is not the end")
    verdicts += play(service, range(2, 3))
    service.give_up("orders", day(3), "the worker process was ended by SIGKILL")
    (folder / "data" / "day2.parquet").unlink()
    play(service, range(4, 5))
    assert verdicts[1:] == [UNDECIDED, UNDECIDED]
    assert [evidence(service, number) for number in (1, 2, 3)] == [None] * 3
    amount = column_of(service, 4)
    then = column_of(service, 0)
    assert amount.accrued is not None and then.accrued is not None and amount.p_tolerance
    expected = max(then.accrued.evidence, 1.0) * 0.5 / sqrt(amount.p_tolerance)
    assert amount.accrued.evidence == pytest.approx(expected)


def column_of(service: Service, number: int) -> ColumnResult:
    stored = service.store.find_check("orders", day(number))
    assert stored is not None
    return next(c for c in stored.check.columns if c.name == "amount")


_CHANGES = {
    "reference": "",
    "tolerance": ", tolerance: {psi: 0.11}",
    "compared with": ", compare_with: previous",
}


@pytest.mark.parametrize("changed", _CHANGES)
def test_another_question_begins_anew(folder: Path, changed: str) -> None:
    for number in range(2):
        arrive(folder, number, 0.45)
    first = opened(folder, store="sqlite:///monitor.db")
    play(first, range(1))
    assert (evidence(first, 0) or 0) > 1
    first.close()
    drift = "false_alarms: 1 per 90d" + _CHANGES[changed]
    second = opened(folder, store="sqlite:///monitor.db", drift=drift)
    if changed == "reference":
        pq.write_table(rows(20_001, FIRST_DAY), folder / "reference.parquet")
        maker = second.reference_maker(second.settings.monitor("orders"))
        assert maker is not None
        maker.build(second.store, second.clock)
    play(second, range(1, 2))
    amount = column_of(second, 1)
    assert amount.accrued is not None and amount.accrued.checks == 1
    second.close()


def test_another_budget_goes_on_from_the_same_evidence(folder: Path) -> None:
    for number in range(2):
        arrive(folder, number, 0.45)
    first = opened(folder, store="sqlite:///monitor.db")
    play(first, range(1))
    first.close()
    second = opened(folder, store="sqlite:///monitor.db", drift="false_alarms: 1 per 20d")
    play(second, range(1, 2))
    amount = column_of(second, 1)
    assert amount.accrued is not None and amount.accrued.checks == 2
    second.close()


def test_an_overtaken_check_gathers_from_what_was_stored_meanwhile(
    folder: Path, service: Service
) -> None:
    """While day 1 is being checked another process stores day 0: day 1 is decided again."""
    for number in range(2):
        arrive(folder, number, SHIFT)
    save, late = service.store.save, list[bool]()
    other = opened(folder)
    other.store = service.store

    def overtaken(outcome: Outcome) -> bool:
        if not late:
            late.append(True)
            other.check("orders", day(0))
        return save(outcome)

    service.store.save = overtaken  # type: ignore[method-assign]
    play(service, range(1, 2))
    amount = column_of(service, 1)
    assert amount.accrued is not None and amount.accrued.checks == 2


def test_broken_data_is_no_evidence_of_drift(folder: Path, service: Service) -> None:
    arrive(folder, 0, shift=2.0)
    path = folder / "data" / "day0.parquet"
    pq.write_table(pq.read_table(path).drop_columns(["age"]), path)
    arrive(folder, 1)
    assert play(service, range(2)) == [Verdict.VIOLATED, PASSED]
    assert evidence(service, 0) is None and column_of(service, 0).verdict is WATCH


def test_the_report_shows_the_evidence(folder: Path, service: Service) -> None:
    for number in range(2):
        arrive(folder, number, 1.0)
    play(service, range(2))
    stored = service.store.find_check("orders", day(1))
    assert stored is not None
    page = service.render(stored)
    assert "vidence of several checks" in page and "one false alarm in 90 checks takes" in page
    causes = re.findall(r"<h3>.*?</svg> (.*?)</h3>", page.partition("<h2>Why</h2>")[2])
    assert causes[:2] == ["<code>amount</code>", "Evidence of several checks"]


# --- What gathers no evidence ---


def of_the_dataset(test: str, p: float) -> Finding:
    return Finding(test, Verdict.DRIFTED, f"{test} says so", p_tolerance=p, tolerance=0.2)


def in_a_segment(p: float) -> Slice:
    return Slice("country = 'US'", 5000, 500, Verdict.DRIFTED, "drifted there", p_value=p)


@pytest.mark.parametrize(("alarm", "p", "stands"), [
    (False, 1e-6, True), (False, 1 / 361, True), (False, 1 / 359, False), (True, 0.009, True),
])  # fmt: skip
def test_segments_and_the_whole_dataset_spend_a_quarter_of_the_budget_each(
    alarm: bool, p: float, stands: bool
) -> None:
    """At one alarm in 90 checks: p at most 1 / 360 in one window, or an alarm that is on."""
    verdict = Verdict.DRIFTED if alarm else Verdict.PASSED
    found = Finding("accumulated", verdict, "", statistic=1.0, threshold=90.0)
    [of_the_whole] = beside([of_the_dataset("correlation_change", p)], found, 90.0)
    [of_a_part] = beside([in_a_segment(p)], found, 90.0)
    for judged in (of_the_whole, of_a_part):
        assert judged.verdict is (Verdict.DRIFTED if stands else Verdict.WATCH)
        assert ("waits for more evidence" in judged.reason) is not stands


def test_several_tests_of_the_dataset_share_their_quarter() -> None:
    found = Finding("accumulated", Verdict.PASSED, "", statistic=1.0, threshold=90.0)
    two = [of_the_dataset("correlation_change", 1 / 500), of_the_dataset("domain_classifier", 1e-9)]
    assert [f.verdict for f in beside(two, found, 90.0)] == [Verdict.WATCH, Verdict.DRIFTED]


def test_a_correlation_that_flips_is_an_alarm_under_a_budget(folder: Path) -> None:
    """No column moves: the evidence of columns stays where it is."""

    def together(count: int, start: datetime, sign: int) -> pa.Table:
        table = rows(count, start)
        amount = np.asarray(table["amount"])
        noise = np.random.default_rng(count).normal(size=count)
        table = table.set_column(2, "age", pa.array(40 + sign * (amount - 100) + 5 * noise))
        return table

    pq.write_table(together(20_000, FIRST_DAY, 1), folder / "reference.parquet")
    for number, sign in ((0, 1), (1, -1)):
        table = together(ROWS, day(number).start, sign)
        pq.write_table(table, folder / "data" / f"day{number}.parquet")
    service = opened(folder)
    assert play(service, range(2)) == [Verdict.PASSED, Verdict.DRIFTED]
    service.close()
