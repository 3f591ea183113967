"""How much windows of the reference vary: rows that hang together, seasons, and too few windows."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from monitor.core.columns import Column, Kind
from monitor.core.over_time.calibration import Calibration, Yardstick
from monitor.core.over_time.phases import Cadence, PastWindows, past_windows, windows_of
from monitor.core.over_time.variation import Variation, variation_of
from monitor.core.records import Check, Verdict, Window
from monitor.core.summaries.collecting import summarize
from monitor.core.windows import Span
from monitor.service import Service
from monitor.settings import load_settings

MONDAY = datetime(2026, 1, 5, tzinfo=UTC)
DAY = timedelta(days=1)
BERLIN = ZoneInfo("Europe/Berlin")
DAILY = Cadence(Span(1, "d"), UTC)
HOURLY = Cadence(Span(1, "h"), UTC)


def autocorrelated(rng: np.random.Generator, phi: float, rows: int) -> np.ndarray:
    from scipy import signal

    noise = rng.normal(0, np.sqrt(1 - phi**2), rows + 200)
    return np.asarray(signal.lfilter([1.0], [1.0, -phi], noise)[200:])


def daily(values: np.ndarray, rows: int, start: datetime = MONDAY) -> tuple[Column, PastWindows]:
    """`rows` values a day, from `start` on."""
    times = start.timestamp() + np.arange(values.size) * 86400 / rows
    past = past_windows(times, windows_of(times, DAILY), DAILY)
    return Column("x", "float", values.size, 0, numbers=values), past


def yardstick(column: Column, past: PastWindows, phase: str = "Mondays") -> Yardstick:
    summary = summarize(column, Kind.NUMBER)
    return Calibration(past).against_reference(phase)(column, Kind.NUMBER, summary)


def effects(phi: float, days: int, rows: int = 200, seeds: int = 40) -> list[float]:
    found = []
    for seed in range(seeds):
        values = autocorrelated(np.random.default_rng(seed), phi, days * rows)
        found.append(yardstick(*daily(values, rows)).design_effect(days * rows, rows))
    return found


# --- The design effect ---


@pytest.mark.parametrize("days", [20, 40, 140])
def test_independent_rows_count_as_they_are(days: int) -> None:
    found = effects(0.0, days)
    assert np.mean(np.array(found) == 1.0) >= 0.8
    assert np.mean(found) < 1.25


@pytest.mark.parametrize(("phi", "truth"), [(0.5, 3.0), (0.8, 9.0), (0.9, 19.0)])
def test_of_autocorrelated_rows_it_is_that_of_their_mean(phi: float, truth: float) -> None:
    """The mean of AR(1) rows varies (1 + phi) / (1 - phi) times as much; shares vary less."""
    assert 0.7 * truth < np.median(effects(phi, 40)) < 1.3 * truth


def test_days_that_differ_are_found_in_levels_too() -> None:
    rng = np.random.default_rng(0)
    share = np.repeat(rng.beta(20, 20, size=60), 200)  # intraclass correlation 1 / 41
    codes = (rng.random(share.size) < share).astype(np.int64)
    times = MONDAY.timestamp() + np.arange(codes.size, dtype=np.float64) * 432.0
    past = past_windows(times, windows_of(times, DAILY), DAILY)
    column = Column("x", "string", codes.size, 0, codes=codes, levels=("a", "b"))
    summary = summarize(column, Kind.CATEGORY)
    found = Calibration(past).against_reference("Mondays")(column, Kind.CATEGORY, summary)
    assert found.design_effect(codes.size, 200) == pytest.approx(1 + 199 / 41, rel=0.35)


def test_rows_without_a_value_belong_to_no_cell() -> None:
    values = autocorrelated(np.random.default_rng(1), 0.8, 8000)
    column, past = daily(values, 200)
    holes = np.random.default_rng(2).random(values.size) < 0.3
    thinned = Column(
        "x", "float", values.size, int(holes.sum()), numbers=values[~holes], present=~holes
    )
    whole, part = yardstick(column, past), yardstick(thinned, past)
    assert part.variation.rows == pytest.approx(0.7 * whole.variation.rows, rel=0.02)
    assert 1.0 < part.design_effect(5600, 140) < whole.design_effect(8000, 200)


def test_a_sample_of_a_window_varies_less_beyond_chance() -> None:
    """The share of a random part of a window has variance σ²/m + (deff − 1)·σ²/M."""
    vary = Variation(rows=1000.0, around_all=11.0)
    huge = 10**9
    found = [vary.design_effect(huge, m, in_phase=False, against_window=False) for m in (100, 1000)]
    assert found == pytest.approx([2.0, 11.0], rel=1e-4)
    assert vary.design_effect(100, 100, in_phase=False, against_window=True) == pytest.approx(2.0)


def test_fewer_than_twenty_windows_tell_nothing() -> None:
    rng = np.random.default_rng(0)
    counts = rng.multinomial(100, [0.5, 0.5], size=30).astype(float)
    counts[::2] = [100, 0]
    phases = np.zeros(30, dtype=np.int64)
    assert variation_of(counts, phases, np.arange(30), ordered=True).around_all > 10
    counts[19:] = 0
    few = variation_of(counts, phases, np.arange(30), ordered=True)
    assert (few.around_all, few.seasonal) == (1.0, False)


@pytest.mark.parametrize("values", [np.ones(4000), np.full(4000, np.inf)])
def test_a_constant_column_has_no_design_effect(values: np.ndarray) -> None:
    found = yardstick(*daily(values, 100))
    assert found.design_effect(4000, 100) == 1.0 and not found.compared_with


def test_a_window_is_not_held_against_itself_or_its_neighbours() -> None:
    """Slow changes: neighbours are alike, so with them the others would look closer than they are.

    Forty windows of shares ½ ± d in blocks of 20 rows each, by hand for the first window.
    """
    counts = np.array([[60.0, 40.0]] * 20 + [[40.0, 60.0]] * 20)
    found = variation_of(counts, np.zeros(40, np.int64), np.arange(40), ordered=True)
    inner = (0.2 * 20 / 37) ** 2 / 0.25 / (1 / 100 + 1 / 3700)  # 17 like it and 20 not: 0.6 − mean
    edge = (0.2 * 20 / 38) ** 2 / 0.25 / (1 / 100 + 1 / 3800)
    middle = (0.2 * 19 / 37) ** 2 / 0.25 / (1 / 100 + 1 / 3700)
    assert found.around_all == pytest.approx((36 * inner + 2 * edge + 2 * middle) / 40)


# --- Seasons ---


def weekly(days: int, amplitude: float, rows: int, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    weekday = np.arange(days * rows) // rows % 7
    cycle = amplitude * np.sqrt(2) * np.sin(2 * np.pi * weekday / 7)
    return np.asarray(rng.normal(0, 1, days * rows) + cycle)


def test_where_weekdays_differ_a_monday_is_held_against_mondays() -> None:
    values = weekly(70, 0.5, 100)
    found = yardstick(*daily(values, 100))
    assert found.compared_with == "Mondays of the reference (10 of them)"
    weekday = np.arange(values.size) // 100 % 7
    assert found.summary.values is not None
    assert np.array_equal(found.summary.values, np.sort(values[weekday == 0]))
    assert found.design_effect(1000, 100) < 1.6


def test_a_phase_with_two_instances_is_held_against_all_and_the_season_counts_as_noise() -> None:
    column, past = daily(weekly(20, 0.5, 100), 100)
    assert past.instances_of("Sundays") == 2 and past.instances_of("Mondays") == 3
    found = yardstick(column, past, "Sundays")
    assert not found.compared_with and found.design_effect(2000, 100) > 10


def test_without_a_season_the_whole_reference_is_used() -> None:
    seasonal = [
        bool(yardstick(*daily(weekly(70, 0, 100, s), 100)).compared_with) for s in range(60)
    ]
    assert sum(seasonal) == 0  # 0.1 % each


def test_hours_of_one_day_are_no_repetition() -> None:
    times = MONDAY.timestamp() + np.arange(30 * 60, dtype=np.float64) * 60.0  # 30 hours
    past = past_windows(times, windows_of(times, HOURLY), HOURLY)
    assert past.count == 30
    assert past.instances_of("weekdays from 08:00 to 12:00") == 1
    assert past.instances_of("weekdays from 00:00 to 04:00") == 2


def test_hours_are_held_against_the_same_hours() -> None:
    rng = np.random.default_rng(3)
    hours = np.repeat(np.arange(14 * 24), 60)
    values = rng.normal(0, 1, hours.size) + np.sin(2 * np.pi * hours / 24)
    times = MONDAY.timestamp() + np.arange(hours.size, dtype=np.float64) * 60.0
    past = past_windows(times, windows_of(times, HOURLY), HOURLY)
    found = yardstick(
        Column("x", "float", hours.size, 0, numbers=values), past, "weekends from 04:00 to 08:00"
    )
    assert found.compared_with == "weekends from 04:00 to 08:00 of the reference (4 of them)"
    assert found.summary.rows == 4 * 4 * 60


def test_a_phase_is_told_by_the_local_clock() -> None:
    late = MONDAY - timedelta(hours=1)  # Monday, 00:00 in Berlin
    for span, told in ((Span(1, "d"), "Mondays"), (Span(1, "w"), ""), (Span(1, "mo"), "")):
        assert Cadence(span, BERLIN).phase(Window(late, late + DAY)) == told


# --- Past windows ---


def test_part_of_a_window_at_either_end_is_left_out() -> None:
    noon = MONDAY.timestamp() + 43200
    times = noon + np.arange(0, 9.75 * 86400, 3600)  # ends before 06:00
    past = past_windows(times, windows_of(times, DAILY), DAILY)
    assert past.count == 10  # half the first day is enough, a quarter of the last is not
    assert (past.rows[:12] == 0).all() and past.rows[12] == 1 and past.rows[-1] == -1


def test_gaps_are_no_windows_and_overlapping_windows_count_once() -> None:
    times = (
        MONDAY.timestamp() + np.concatenate([np.arange(0, 3, 0.1), np.arange(7, 9, 0.1)]) * 86400
    )
    assert past_windows(times, windows_of(times, DAILY), DAILY).count == 5
    sliding = Cadence(Span(1, "d"), UTC, Span(1, "h"))
    windows = windows_of(times, sliding)
    assert all(a.end <= b.start for a, b in pairwise(windows))


def test_no_rows_are_no_windows() -> None:
    none = np.empty(0)
    assert windows_of(none, DAILY) == []
    assert past_windows(none, [], DAILY).count == 0


# --- In a check ---


def project(
    folder: Path, days: int, *, phi: float = 0.8, amplitude: float = 0.0, more: str = ""
) -> Service:
    """A reference of some days, and one more of production that continues it."""
    rows = 200
    rng = np.random.default_rng(5)
    values = autocorrelated(rng, phi, (days + 1) * rows)
    values += amplitude * np.sqrt(2) * np.sin(2 * np.pi * (np.arange(values.size) // rows) / 7)
    start = np.datetime64(MONDAY.replace(tzinfo=None), "us")
    at = start + np.arange(values.size) * np.timedelta64(432, "s")
    table = pa.table({"at": at, "x": values})
    pq.write_table(table.slice(0, days * rows), folder / "reference.parquet")
    pq.write_table(table.slice(days * rows), folder / "production.parquet")
    (folder / "monitor.yaml").write_text(
        "store: memory://\nmonitors:\n  m:\n    reference: reference.parquet\n"
        "    production: {path: production.parquet, time: at}\n    explorer: never\n" + more
    )
    return Service(load_settings(folder / "monitor.yaml"))


def check(service: Service) -> Check:
    [window] = service.windows(service.settings.monitor("m"))
    return service.check("m", window).check


def calibration_notices(found: Check) -> list[str]:
    return [n.text for n in found.notices if n.kind == "not_calibrated"]


def test_a_check_tells_for_how_much_its_rows_count(tmp_path: Path) -> None:
    found = check(project(tmp_path, 28))
    [column] = [c for c in found.columns if c.compared]
    assert column.design_effect > 4 and column.verdict is not Verdict.DRIFTED
    assert f"rows count for {column.design_effect:.1f} times fewer" in column.reason
    assert calibration_notices(found) == []


def test_a_reference_with_a_change_among_its_days_is_told_to_blind(tmp_path: Path) -> None:
    service = project(tmp_path, 40, phi=0.0)
    table = pq.read_table(tmp_path / "reference.parquet")
    x = table["x"].to_numpy().copy()
    x[-3 * 200 :] += 3.0  # the last three days are of the new kind
    pq.write_table(table.set_column(1, "x", pa.array(x)), tmp_path / "reference.parquet")
    found = check(service)
    assert found.verdict is Verdict.UNDECIDED  # the only column is blind
    assert "windows of the reference vary so much that rows count for up to" in found.headline
    [told] = [n.text for n in found.notices if n.kind == "blinded"]
    assert told.startswith("design effect: `x` ")
    assert "the 40 windows of the reference vary that much more" in told
    assert "a reference of rows after it alone would do" in told


def test_a_check_tells_with_which_days_it_compared(tmp_path: Path) -> None:
    found = check(project(tmp_path, 28, phi=0.0, amplitude=0.5))
    [column] = [c for c in found.columns if c.compared]
    assert column.compared_with == "Mondays of the reference (4 of them)"
    assert column.compared_with in column.reason
    assert {f.rows_reference for f in column.findings} == {800}


def test_too_few_windows_are_told_once(tmp_path: Path) -> None:
    found = check(project(tmp_path, 12))
    assert calibration_notices(found) == [
        "the reference holds 12 windows like this one; 20 are needed to tell how much they vary"
    ]
    assert all(c.design_effect == 1.0 for c in found.columns)


def test_a_reference_without_times_is_told_once(tmp_path: Path) -> None:
    service = project(tmp_path, 28)
    path = tmp_path / "reference.parquet"
    table = pq.read_table(path)
    pq.write_table(table.drop_columns(["at"]), path)
    told = calibration_notices(check(service))
    assert told == ["the reference tells no times, so it is not known how much windows vary"]


def test_who_wants_no_calibration_hears_nothing_of_it(tmp_path: Path) -> None:
    found = check(project(tmp_path, 28, more="    drift: {calibrate: false}\n"))
    assert calibration_notices(found) == []
    assert all(c.design_effect == 1.0 and not c.compared_with for c in found.columns)


def test_what_is_worked_out_of_a_reference_is_kept(tmp_path: Path) -> None:
    service = project(tmp_path, 28)
    check(service)
    reference = service._references["m"]
    [calibration] = reference.calibrations.values()
    assert reference.calibration(next(iter(reference.calibrations))) is calibration
    [window] = service.windows(service.settings.monitor("m"))
    service.check("m", window, again=True)
    assert service._references["m"].calibrations == reference.calibrations
