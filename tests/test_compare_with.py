"""Windows held against an earlier one: which it is, what is said, and what when there is none."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pyarrow.parquet as pq
import pytest
from projects import day, rows

from monitor.briefing import check_monitor
from monitor.core.over_time.earlier import LAST_WEEK, LAST_YEAR, PREVIOUS, earlier_window, versus
from monitor.core.over_time.phases import Cadence
from monitor.core.records import Check, Verdict, Window
from monitor.core.windows import Span, window_at
from monitor.errors import AskedWrongly
from monitor.service import Service
from monitor.settings import load_settings

BERLIN = ZoneInfo("Europe/Berlin")


def local(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=BERLIN)


def told(window: Window) -> list[str]:
    return [f"{m.astimezone(BERLIN):%Y-%m-%d %H:%M}" for m in (window.start, window.end)]


# --- Which window ---


@pytest.mark.parametrize(
    ("span", "at", "compare_with", "expected"),
    [
        ("1d", "2026-03-30", PREVIOUS, ["2026-03-29 00:00", "2026-03-30 00:00"]),
        ("1d", "2026-03-30", LAST_WEEK, ["2026-03-23 00:00", "2026-03-24 00:00"]),
        ("1h", "2026-04-01T09:00", LAST_WEEK, ["2026-03-25 09:00", "2026-03-25 10:00"]),
        ("1h", "2026-10-28T09:00", LAST_WEEK, ["2026-10-21 09:00", "2026-10-21 10:00"]),
        ("1h", "2026-04-05T02:00", LAST_WEEK, ["2026-03-29 03:00", "2026-03-29 04:00"]),
        ("1w", "2026-04-01", LAST_WEEK, ["2026-03-23 00:00", "2026-03-30 00:00"]),
        ("1d", "2024-02-29", LAST_YEAR, ["2023-02-28 00:00", "2023-03-01 00:00"]),
        ("1d", "2025-02-28", LAST_YEAR, ["2024-02-28 00:00", "2024-02-29 00:00"]),
        ("1d", "2024-03-01", LAST_YEAR, ["2023-03-01 00:00", "2023-03-02 00:00"]),
        ("1mo", "2024-02-10", LAST_YEAR, ["2023-02-01 00:00", "2023-03-01 00:00"]),
        ("1mo", "2025-02-10", LAST_YEAR, ["2024-02-01 00:00", "2024-03-01 00:00"]),
        ("1mo", "2026-03-10", PREVIOUS, ["2026-02-01 00:00", "2026-03-01 00:00"]),
        ("5h", "2026-01-06T01:00", PREVIOUS, ["2026-01-05 20:00", "2026-01-06 00:00"]),
    ],
)
def test_the_earlier_window_follows_the_local_clock(
    span: str, at: str, compare_with: str, expected: list[str]
) -> None:
    cadence = Cadence(Span.parse(span), BERLIN)
    window = window_at(local(at), cadence.span, BERLIN)
    assert told(earlier_window(window, compare_with, cadence)) == expected


def test_an_hour_that_happens_twice_is_held_against_one_hour() -> None:
    for hour in (0, 1):  # 02:00 summer time, 02:00 winter time
        start = datetime(2026, 10, 25, hour, tzinfo=UTC)
        window = Window(start, start + timedelta(hours=1))
        found = earlier_window(window, LAST_WEEK, Cadence(Span(1, "h"), BERLIN))
        assert told(found) == ["2026-10-18 02:00", "2026-10-18 03:00"]


@pytest.mark.parametrize("compare_with", [PREVIOUS, LAST_WEEK, LAST_YEAR])
@pytest.mark.parametrize(("span", "step"), [("1h", None), ("1d", "6h"), ("6h", "1h"), ("1d", None)])
def test_no_window_is_held_against_rows_of_its_own(
    compare_with: str, span: str, step: str | None
) -> None:
    cadence = Cadence(Span.parse(span), BERLIN, Span.parse(step) if step else None)
    moment = local("2024-02-25")
    for _ in range(24 * 60):
        moment += timedelta(hours=7)
        window = window_at(moment, cadence.span, BERLIN, cadence.step)
        before = earlier_window(window, compare_with, cadence)
        assert before.start < before.end <= window.start


@pytest.mark.parametrize(
    ("compare_with", "span", "words"),
    [
        (PREVIOUS, "1mo", "the month before"),
        (PREVIOUS, "6h", "the 6 hours before"),
        (PREVIOUS, "15m", "the window before"),
        (LAST_WEEK, "1d", "a week before"),
        (LAST_YEAR, "1mo", "a year before"),
    ],
)
def test_it_is_told_in_words(compare_with: str, span: str, words: str) -> None:
    assert versus(compare_with, Cadence(Span.parse(span), UTC)) == words


# --- In a check ---


def project(folder: Path, compare_with: str, *, reference: bool = False, more: str = "") -> Service:
    """Ten days; the amount moves on the eighth and stays."""
    (folder / "data").mkdir()
    for number in range(10):
        table = rows(40 + number, 800, day(number).start, shift=2.0 if number >= 7 else 0.0)
        pq.write_table(table, folder / "data" / f"day{number}.parquet")
    if reference:
        pq.write_table(rows(1, 5000, day(-40).start), folder / "reference.parquet")
    training = "    reference: reference.parquet\n" if reference else ""
    (folder / "monitor.yaml").write_text(
        f"store: memory://\nmonitors:\n  m:\n{training}"
        "    production: {path: data/*.parquet, time: at}\n    explorer: never\n"
        f"    drift: {{compare_with: {compare_with}}}\n{more}"
    )
    return Service(load_settings(folder / "monitor.yaml"))


def play(service: Service) -> list[Check]:
    windows = service.windows(service.settings.monitor("m"))
    return [service.check("m", window).check for window in windows]


@pytest.mark.parametrize("reference", [False, True])
def test_a_jump_is_seen_once_against_the_day_before(tmp_path: Path, reference: bool) -> None:
    checks = play(project(tmp_path, PREVIOUS, reference=reference))
    first, *others = checks
    assert first.verdict is Verdict.UNDECIDED
    assert [c.verdict for c in others].index(Verdict.DRIFTED) == 6
    assert {c.verdict for c in others[:6] + others[7:]} == {Verdict.PASSED}
    jump = others[6]
    assert "higher than the day before" in jump.headline
    assert "as the day before" in others[0].headline
    assert jump.reference is not None and jump.reference.rows == 800
    assert jump.reference.version == "window:2026-03-08T00:00+00:00/2026-03-09T00:00+00:00"


def test_a_week_before_the_jump_is_seen_until_it_is_a_week_old(tmp_path: Path) -> None:
    checks = play(project(tmp_path, LAST_WEEK))
    assert {c.verdict for c in checks[:7]} == {Verdict.UNDECIDED}
    assert {c.verdict for c in checks[7:]} == {Verdict.DRIFTED}
    assert "than a week before" in checks[7].headline


def test_the_first_windows_of_a_feed_say_why_they_are_undecided(tmp_path: Path) -> None:
    [finding] = play(project(tmp_path, PREVIOUS))[0].dataset.findings
    assert (finding.test, finding.verdict) == ("baseline", Verdict.UNDECIDED)
    assert finding.reason == (
        "there are no rows of the day before (Sun 1 Mar 2026) to compare with: the feed begins "
        "later"
    )


def test_an_earlier_window_that_is_gone_or_broken_is_undecided(tmp_path: Path) -> None:
    service = project(tmp_path, PREVIOUS)
    (tmp_path / "data" / "day2.parquet").unlink()
    gone = service.check("m", day(3)).check
    assert gone.verdict is Verdict.UNDECIDED and "no rows of the day before" in gone.headline
    assert "feed begins" not in gone.headline
    assert gone.reference is None and not gone.columns


def test_the_report_says_with_what_it_compared(tmp_path: Path) -> None:
    service = project(tmp_path, PREVIOUS)
    play(service)
    stored = service.store.find_check("m", day(7))
    assert stored is not None
    page = service.render(stored)
    assert "against 800 the day before" in page and "training" not in page


def test_kinds_and_schema_are_those_of_the_reference(tmp_path: Path) -> None:
    service = project(tmp_path, PREVIOUS, reference=True)
    path = tmp_path / "data" / "day3.parquet"
    pq.write_table(pq.read_table(path).drop_columns(["age"]), path)
    lost = service.check("m", day(3)).check
    assert lost.verdict is Verdict.VIOLATED and "age" in lost.headline


@pytest.mark.parametrize(("window", "compare_with"), [("1mo", LAST_WEEK), ("13mo", LAST_YEAR)])
def test_windows_that_would_overlap_are_refused(
    tmp_path: Path, window: str, compare_with: str
) -> None:
    service = project(tmp_path, compare_with, more=f"    window: {window}\n")
    with pytest.raises(AskedWrongly, match="has not ended by then"):
        check_monitor(service.settings.monitor("m"))
