"""Cron lines: what cron would do, and clear words where it would do nothing."""

import pytest

from monitor.core.crontab import Crontab


def test_every_field_open_is_every_minute() -> None:
    line = Crontab.parse("* * * * *")
    assert line.minutes == tuple(range(60))
    assert line.hours == tuple(range(24))
    assert line.months == tuple(range(1, 13))
    assert line.days == tuple(range(1, 32))
    assert len(line.weekdays) == 7


@pytest.mark.parametrize(
    ("text", "minutes"),
    [
        ("5", (5,)),
        ("*/20", (0, 20, 40)),
        ("5/25", (5, 30, 55)),
        ("1-4", (1, 2, 3, 4)),
        ("1-9/4", (1, 5, 9)),
        ("30,0,15", (0, 15, 30)),
    ],
)
def test_minutes(text: str, minutes: tuple[int, ...]) -> None:
    assert Crontab.parse(f"{text} * * * *").minutes == minutes


@pytest.mark.parametrize(
    ("text", "weekdays"),
    [
        ("0", ("sun",)),
        ("7", ("sun",)),
        ("1", ("mon",)),
        ("1-5", ("mon", "tue", "wed", "thu", "fri")),
        ("MON,wed", ("mon", "wed")),
        ("5-7", ("fri", "sat", "sun")),
        ("fri-sun", ("fri", "sat", "sun")),
        ("0-6/2", ("sun", "tue", "thu", "sat")),
        ("0,7", ("sun",)),
        ("*/2", ("sun", "tue", "thu", "sat")),
    ],
)
def test_sunday_is_0_and_7_and_monday_is_1(text: str, weekdays: tuple[str, ...]) -> None:
    assert Crontab.parse(f"0 0 * * {text}").weekdays == weekdays


def test_months_have_names() -> None:
    assert Crontab.parse("0 0 1 jan,JUL-sep *").months == (1, 7, 8, 9)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("", "has 0 fields; a cron line has five"),
        ("5 * * *", "has 4 fields"),
        ("@daily", "has 1 fields"),
        ("60 * * * *", "'60' is no minute; write 0 to 59"),
        ("* 24 * * *", "is no hour"),
        ("* * 0 * *", "is no day of month; write 1 to 31"),
        ("* * * 13 *", "is no month; write 1 to 12 or jan to dec"),
        ("* * * * 8", "is no day of week; write 0 to 7 or sun to sat"),
        ("* * * * monday", "is no day of week"),
        ("* * * * mon-fri!", "is no day of week"),
        ("*/0 * * * *", "is no minute"),
        ("9-5 * * * *", "is no minute"),
        ("-5 * * * *", "is no minute"),
        ("1,,2 * * * *", "is no minute"),
        ("٣ * * * *", "is no minute"),
        ("0 0 30 2 *", "never fires"),
        ("0 0 31 4,6 *", "never fires"),
    ],
)
def test_what_cron_would_not_take_is_refused_with_the_field(line: str, message: str) -> None:
    with pytest.raises(ValueError, match=message.replace("*", r"\*")):
        Crontab.parse(line)


def test_a_day_that_only_leap_years_have_is_a_day() -> None:
    assert Crontab.parse("0 0 29 2 *").days == (29,)


@pytest.mark.parametrize(
    ("line", "either"),
    [("0 0 13 * 5", True), ("0 0 * * 5", False), ("0 0 13 * *", False), ("0 0 */2 * 5", False)],
)
def test_two_kinds_of_day_are_either_or_unless_one_begins_with_a_star(
    line: str, either: bool
) -> None:
    assert Crontab.parse(line).either is either
