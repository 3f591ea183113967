"""Windows: no gap, no overlap, aligned to what local clocks show, the whole year round."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.core.records import Window
from monitor.core.windows import Span, following, latest_complete, window_at, windows_from

BERLIN = ZoneInfo("Europe/Berlin")
SAO_PAULO = ZoneInfo("America/Sao_Paulo")  # summer time began at midnight, until 2019
KATHMANDU = ZoneInfo("Asia/Kathmandu")  # +05:45
LORD_HOWE = ZoneInfo("Australia/Lord_Howe")  # puts the clock back by half an hour
HAVANA = ZoneInfo("America/Havana")  # shows midnight twice
HOUR, MINUTE, INSTANT = timedelta(hours=1), timedelta(minutes=1), timedelta(microseconds=1)

zones = st.sampled_from([BERLIN, SAO_PAULO, KATHMANDU, LORD_HOWE, HAVANA, ZoneInfo("UTC")])
SPANS = (
    "1m", "10m", "45m", "1h", "90m", "2h", "7h", "6h", "12h", "23h", "24h", "36h",
    "1d", "2d", "3d", "1w", "2w", "1mo", "3mo", "5mo",
)  # fmt: skip
spans = st.sampled_from(SPANS).map(Span.parse)
moments = st.datetimes(
    datetime(2015, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC)
) | st.sampled_from(
    # Around the changes of the clock
    [datetime(2026, 3, 29, 1), datetime(2026, 10, 25, 1), datetime(2018, 11, 4, 3),
     datetime(2018, 2, 18, 2), datetime(2026, 4, 4, 15), datetime(2026, 11, 1, 5)]
).flatmap(
    lambda change: st.integers(-3000, 3000).map(
        lambda minutes: change.replace(tzinfo=UTC) + minutes * MINUTE
    )
)  # fmt: skip
steps = st.none() | spans


def at(zone: ZoneInfo, *numbers: int, fold: int = 0) -> datetime:
    return datetime(*numbers, tzinfo=zone, fold=fold).astimezone(UTC)  # type: ignore[misc,arg-type]


def hours(window: Window) -> float:
    return (window.end - window.start) / HOUR


def day_of(windows: list[Window], zone: ZoneInfo) -> list[str]:
    return [f"{w.start.astimezone(zone):%H:%M}" for w in windows]


# --- Spans ---


@pytest.mark.parametrize("text", ["30s", "10m", "1h", "1d", "2w", "1mo"])
def test_a_span_is_written_as_it_is_read(text: str) -> None:
    assert str(Span.parse(text)) == text


def test_minutes_may_be_written_min() -> None:
    assert Span.parse(" 5 min ") == Span(5, "m")


@pytest.mark.parametrize("text", ["", "h", "0h", "-1h", "1.5h", "1y", "1h30m", "٣h", "9999999999s"])
def test_what_is_no_span_says_what_is(text: str) -> None:
    with pytest.raises(ValueError, match="is not a length of time; write 30s"):
        Span.parse(text)


def test_a_span_that_no_calendar_holds_is_refused() -> None:
    with pytest.raises(ValueError, match="longer than ten years"):
        Span.parse("999999mo")


# --- What holds for every window ---


@given(moments, spans, zones)
def test_tumbling_windows_leave_no_gap_and_never_overlap(
    moment: datetime, span: Span, zone: ZoneInfo
) -> None:
    window = window_at(moment, span, zone)
    assert window.start <= moment < window.end
    for _ in range(5):
        later = following(window, span, zone)
        assert later.start == window.end
        assert later.end > later.start
        window = later


@given(moments, spans, zones, steps)
def test_any_moment_of_a_window_leads_to_it(
    moment: datetime, span: Span, zone: ZoneInfo, step: Span | None
) -> None:
    window = window_at(moment, span, zone, step)
    later = following(window, span, zone, step)
    for inside in (window.start, later.start - INSTANT):
        assert window_at(inside, span, zone, step) == window
    assert window_at(later.start, span, zone, step) == later
    assert window.start.tzinfo is UTC
    assert window.end.tzinfo is UTC


@given(moments, spans, zones, steps)
def test_a_moment_means_the_same_in_every_zone_it_is_written_in(
    moment: datetime, span: Span, zone: ZoneInfo, step: Span | None
) -> None:
    assert window_at(moment.astimezone(BERLIN), span, zone, step) == window_at(
        moment, span, zone, step
    )


@given(moments, spans, zones, steps, st.integers(0, 5000))
def test_the_latest_complete_window_is_complete_and_no_later_one_is(
    moment: datetime, span: Span, zone: ZoneInfo, step: Span | None, late_min: int
) -> None:
    # A short step makes the walk below long; the rule is the same for longer ones.
    if step is not None and step.duration * 200 < span.duration:
        step = Span(1, "d")
    lateness = late_min * MINUTE
    latest = latest_complete(moment, span, zone, lateness, step)
    assert latest.end + lateness <= moment
    later = following(latest, span, zone, step)
    while later.start <= moment - lateness:
        assert later.end + lateness > moment
        later = following(later, span, zone, step)


@settings(max_examples=30, deadline=None)
@given(moments, st.sampled_from(["10m", "45m", "1h", "90m", "2h", "7h", "12h", "23h"]), zones)
def test_short_steps_begin_when_the_clock_shows_a_multiple(
    moment: datetime, text: str, zone: ZoneInfo
) -> None:
    step = Span.parse(text)
    first = moment.replace(minute=0, second=0, microsecond=0) - 12 * HOUR
    fives = [first + i * 5 * MINUTE for i in range(36 * 12)]  # every step begins at one of these
    found = [window_at(m, step, zone).start for m in fives]
    assert all(start.minute % 5 == 0 for start in found)
    assert [m for m, start in zip(fives, found, strict=True) if start == m] == [
        m for m in fives if begins(m, step, zone)
    ]


def begins(moment: datetime, step: Span, zone: ZoneInfo) -> bool:
    """The rule, told of one minute."""
    local = moment.astimezone(zone)
    before = (moment - MINUTE).astimezone(zone)
    if local.date() > before.date():
        return True
    if (local.hour * 60 + local.minute) * MINUTE % step.duration:
        return False
    seen = local.replace(fold=0).astimezone(UTC)
    return seen == moment or moment - seen >= step.duration


# --- Days ---


@pytest.mark.parametrize(
    ("zone", "day", "length"),
    [
        (BERLIN, (2026, 3, 29), 23),
        (BERLIN, (2026, 10, 25), 25),
        (BERLIN, (2026, 6, 1), 24),
        (SAO_PAULO, (2018, 11, 4), 23),  # begins at 01:00: there was no midnight
        (SAO_PAULO, (2018, 2, 17), 25),
        (HAVANA, (2026, 11, 1), 25),  # midnight came twice
        (LORD_HOWE, (2026, 4, 5), 24.5),
        (KATHMANDU, (2026, 3, 29), 24),
    ],
)
def test_a_day_is_as_long_as_people_lived_it(
    zone: ZoneInfo, day: tuple[int, int, int], length: float
) -> None:
    window = window_at(at(zone, *day, 12), Span(1, "d"), zone)
    assert hours(window) == length
    assert window.start.astimezone(zone).date() == datetime(*day).date()
    assert (window.end - INSTANT).astimezone(zone).date() == datetime(*day).date()


def test_kathmandu_days_begin_at_a_quarter_past_six_in_the_evening_utc() -> None:
    window = window_at(datetime(2026, 1, 5, 12, tzinfo=UTC), Span(1, "d"), KATHMANDU)
    assert window.start == datetime(2026, 1, 4, 18, 15, tzinfo=UTC)


def test_24_hours_are_a_day() -> None:
    moment = at(BERLIN, 2026, 10, 25, 12)
    assert window_at(moment, Span(24, "h"), BERLIN) == window_at(moment, Span(1, "d"), BERLIN)


def test_a_day_that_a_country_skipped_has_no_window() -> None:
    apia = ZoneInfo("Pacific/Apia")
    thursday = window_at(at(apia, 2011, 12, 29, 12), Span(1, "d"), apia)
    saturday = following(thursday, Span(1, "d"), apia)
    assert saturday.start.astimezone(apia).day == 31
    assert hours(saturday) == 24


# --- Weeks and months ---


def test_weeks_begin_on_mondays() -> None:
    window = window_at(at(BERLIN, 2026, 1, 1), Span(1, "w"), BERLIN)
    assert window == Window(at(BERLIN, 2025, 12, 29), at(BERLIN, 2026, 1, 5))


def test_a_week_with_a_change_of_the_clock_is_an_hour_shorter() -> None:
    assert hours(window_at(at(BERLIN, 2026, 3, 25), Span(1, "w"), BERLIN)) == 7 * 24 - 1


def test_months_are_calendar_months() -> None:
    window = window_at(at(BERLIN, 2024, 2, 10), Span(1, "mo"), BERLIN)
    assert window == Window(at(BERLIN, 2024, 2, 1), at(BERLIN, 2024, 3, 1))
    assert following(window, Span(1, "mo"), BERLIN).end == at(BERLIN, 2024, 4, 1)


def test_three_months_are_a_quarter() -> None:
    window = window_at(at(BERLIN, 2026, 12, 31), Span(3, "mo"), BERLIN)
    assert window == Window(at(BERLIN, 2026, 10, 1), at(BERLIN, 2027, 1, 1))


# --- Shorter steps ---


def test_seven_hours_start_anew_at_midnight() -> None:
    day = window_at(at(BERLIN, 2026, 6, 1, 12), Span(1, "d"), BERLIN)
    windows = list(windows_from(day.start, day.end, Span(7, "h"), BERLIN))
    assert day_of(windows, BERLIN) == ["00:00", "07:00", "14:00", "21:00"]
    assert [hours(w) for w in windows] == [7, 7, 7, 3]


@pytest.mark.parametrize(
    ("day", "lengths"), [((2026, 3, 29), [5, 6, 6, 6]), ((2026, 10, 25), [7, 6, 6, 6])]
)
def test_quarters_of_a_day_stay_on_the_clock(
    day: tuple[int, int, int], lengths: list[float]
) -> None:
    whole = window_at(at(BERLIN, *day, 12), Span(1, "d"), BERLIN)
    windows = list(windows_from(whole.start, whole.end, Span(6, "h"), BERLIN))
    assert day_of(windows, BERLIN) == ["00:00", "06:00", "12:00", "18:00"]
    assert [hours(w) for w in windows] == lengths


@pytest.mark.parametrize(("day", "count"), [((2026, 3, 29), 23), ((2026, 10, 25), 25)])
def test_hours_stay_hours_when_the_clock_changes(day: tuple[int, int, int], count: int) -> None:
    whole = window_at(at(BERLIN, *day, 12), Span(1, "d"), BERLIN)
    windows = list(windows_from(whole.start, whole.end, Span(1, "h"), BERLIN))
    assert [hours(w) for w in windows] == [1] * count
    assert all(a.end == b.start for a, b in pairwise(windows))


def test_a_half_day_is_not_cut_in_two_when_midnight_comes_twice() -> None:
    windows = list(
        windows_from(at(HAVANA, 2026, 11, 1), at(HAVANA, 2026, 11, 2), Span(12, "h"), HAVANA)
    )
    assert [hours(w) for w in windows] == [13, 12]


# --- Overlap ---


def test_a_day_looked_at_every_hour() -> None:
    window = window_at(at(BERLIN, 2026, 6, 1, 7, 30), Span(1, "d"), BERLIN, Span(1, "h"))
    assert window == Window(at(BERLIN, 2026, 6, 1, 7), at(BERLIN, 2026, 6, 2, 7))
    later = following(window, Span(1, "d"), BERLIN, Span(1, "h"))
    assert later.start == at(BERLIN, 2026, 6, 1, 8)


def test_a_month_looked_at_every_day_ends_on_the_same_day_of_the_next() -> None:
    window = window_at(at(BERLIN, 2026, 1, 31, 5), Span(1, "mo"), BERLIN, Span(1, "d"))
    assert window == Window(at(BERLIN, 2026, 1, 31), at(BERLIN, 2026, 2, 28))
    window = window_at(at(BERLIN, 2026, 3, 15), Span(1, "mo"), BERLIN, Span(1, "d"))
    assert window.end == at(BERLIN, 2026, 4, 15)


@given(moments, zones)
def test_a_step_as_long_as_the_span_is_no_step(moment: datetime, zone: ZoneInfo) -> None:
    span = Span(6, "h")
    assert window_at(moment, span, zone, span) == window_at(moment, span, zone)


def test_windows_that_leave_time_unseen_are_possible_when_asked_for() -> None:
    window = window_at(at(BERLIN, 2026, 6, 1, 7, 30), Span(10, "m"), BERLIN, Span(1, "h"))
    assert window == Window(at(BERLIN, 2026, 6, 1, 7), at(BERLIN, 2026, 6, 1, 7, 10))


# --- Ranges ---


def test_a_range_holds_the_windows_that_end_in_it() -> None:
    first, until = at(BERLIN, 2026, 6, 1, 12), at(BERLIN, 2026, 6, 4, 12)
    windows = list(windows_from(first, until, Span(1, "d"), BERLIN))
    assert [w.start.astimezone(BERLIN).day for w in windows] == [1, 2, 3]


def test_a_window_of_an_older_configuration_is_followed_by_one_of_this() -> None:
    odd = Window(at(BERLIN, 2026, 6, 1, 7), at(BERLIN, 2026, 6, 1, 14))
    assert following(odd, Span(1, "d"), BERLIN).start == at(BERLIN, 2026, 6, 2)


def test_lateness_waits() -> None:
    day, ten = Span(1, "d"), 10 * MINUTE
    midnight = at(BERLIN, 2026, 6, 3)
    before = latest_complete(midnight + ten - INSTANT, day, BERLIN, ten)
    after = latest_complete(midnight + ten, day, BERLIN, ten)
    assert before.end == at(BERLIN, 2026, 6, 2)
    assert after.end == midnight
