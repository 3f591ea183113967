"""Where in the rows: configured segments, and slices that explain a drift."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from column_fixtures import booleans, numbers, plan, texts

from monitor import api
from monitor.core.columns import Column, Kind
from monitor.core.comparison import Plan, compare_columns
from monitor.core.headline import only_where
from monitor.core.kinds import decide_kind
from monitor.core.parts import Parts, cut, largest, where
from monitor.core.records import Check, Slice, Verdict
from monitor.core.slices.scores import alike, distance
from monitor.core.slices.search import search_slices
from monitor.core.slices.segments import MOST, compare_segments, share_alpha
from monitor.core.slices.within import Within
from monitor.errors import AskedWrongly
from monitor.reports import html
from monitor.wiring import sample_of

PASSED, WATCH, DRIFTED = Verdict.PASSED, Verdict.WATCH, Verdict.DRIFTED
UNDECIDED = Verdict.UNDECIDED
PLAN = plan()
COUNTRIES, CHANNELS = ("US", "DE", "FR", "GB", "IT"), ("web", "app", "shop")


def frame(rng: np.random.Generator, rows: int, shares: Sequence[float] = ()) -> pd.DataFrame:
    """Six columns; `owned` differs by country and `debt` goes with `owned`."""
    country = rng.choice(COUNTRIES, rows, p=shares or (0.3, 0.2, 0.2, 0.2, 0.1))
    owned = rng.normal(size=rows) + 2.0 * (country == "US")
    return pd.DataFrame(
        {
            "income": rng.normal(size=rows),
            "age": rng.normal(40, 10, rows),
            "owned": owned,
            "debt": 0.7 * owned + 0.7 * rng.normal(size=rows),
            "country": country,
            "channel": rng.choice(CHANNELS, rows, p=(0.4, 0.4, 0.2)),
            "member": rng.random(rows) < 0.3,
        }
    )


def columns_of(data: pd.DataFrame) -> Mapping[str, Column]:
    return {name: column.drawn() for name, column in sample_of(data, None, 0).columns.items()}


def slices_of(before: pd.DataFrame, now: pd.DataFrame, asked: Plan = PLAN) -> tuple[Slice, ...]:
    sides = columns_of(before), columns_of(now)
    return search_slices(*sides, Within(asked), compare_columns(*sides, asked))


def segments_of(
    before: pd.DataFrame, now: pd.DataFrame, *by: str, asked: Plan = PLAN
) -> dict[str, Slice]:
    sides = columns_of(before), columns_of(now)
    return {s.where: s for s in compare_segments(*sides, Within(share_alpha(asked)), by)}


def shifted(data: pd.DataFrame, rows: Any, name: str, by: float) -> pd.DataFrame:
    return data.assign(**{name: data[name] + by * rows})


# --- Rows and parts ---


def test_rows_of_a_column_keep_their_values_and_their_gaps() -> None:
    present = np.array([True, False, True, True])
    column = Column("x", "float", 4, 1, numbers=np.array([1.0, 3.0, 4.0]), present=present)
    kept = where(column, np.array([False, True, True, False]))
    assert kept.numbers is not None and kept.numbers.tolist() == [3.0]
    assert (kept.rows, kept.missing) == (2, 1)
    unplaced = where(numbers([1.0, np.nan]), np.array([True, False]))
    assert unplaced.problem == "its source does not tell which rows hold a value"
    never = where(Column("x", "other", 3, 3), np.array([True, True, False]))
    assert (never.rows, never.missing, never.problem) == (2, 2, "")


def parts_of(before: Column, now: Column, **more: Any) -> Parts:
    return cut(before, now, decide_kind(before).kind, **more)


def test_levels_are_one_part_whatever_their_spelling() -> None:
    before = numbers([1.0, 1.0, 2.0] * 3, dtype="integer")
    parts = parts_of(before, texts(["2.0", "1", "3"]))
    assert parts.texts == ("x = '1'", "x = '2'", "x = '3'", "`x` missing")
    assert parts.current.tolist() == [1, 0, 2]
    flags = parts_of(booleans([True, False]), texts(["Yes", "0", "yes"]))
    assert flags.current.tolist() == [1, 0, 1]
    worded = parts_of(texts(["yes", "no", "no"]), booleans([True, False]))
    assert worded.texts[:2] == ("x = 'no'", "x = 'yes'") and worded.current.tolist() == [1, 0]


def test_numbers_are_cut_at_quarters_of_the_reference() -> None:
    before, now = numbers(np.arange(0.5, 1000)), numbers([-np.inf, 250.5, 250.6, 1e9])
    parts = parts_of(before, now)
    assert parts.sizes[0].tolist() == [251, 250, 250, 249, 0]
    assert parts.current.tolist() == [0, 0, 1, 3]
    assert parts.texts[0] == "x ≤ 250" and parts.texts[-2] == "x > 750"
    zeros = parts_of(numbers([0.0] * 90 + [0.5 + i for i in range(10)]), now)
    assert zeros.texts == ("x ≤ 0", "x > 0", "`x` missing")
    single = numbers(np.array([0.1, 0.7], dtype=np.float32))
    assert parts_of(numbers([0.1] * 60 + [0.7] * 40), single).current.tolist() == [0, 1]


def test_a_column_of_5000_levels_has_twenty_segments() -> None:
    rng = np.random.default_rng(0)
    before, now = (
        texts([f"c{value % 5000}" for value in rng.zipf(1.3, rows)], "city")
        for rows in (20_000, 5_000)
    )
    parts = largest(parts_of(before, now), MOST)
    assert len(parts.texts) == MOST and parts.texts[-1].startswith("city = one of ")
    assert sum(parts.sizes[0]) == 20_000 and sum(parts.sizes[1]) == 5_000
    assert all(parts.sizes[0][:-1] >= 100)


def test_the_distance_is_zero_by_chance_and_one_at_most() -> None:
    rng = np.random.default_rng(1)
    same = rng.multinomial(5000, [0.1] * 10, size=(2, 200)).astype(float)
    assert np.mean(distance(same[0], same[1])) < 0.015
    apart = distance(np.array([900.0, 0.0]), np.array([0.0, 900.0]))
    assert apart == pytest.approx(1, abs=1e-3)
    assert distance(np.array([9.0, 0.0]), np.zeros(2)) == 0


def test_columns_that_say_the_same_are_alike() -> None:
    assert alike(np.diag([100.0, 200.0, 300.0]))
    assert alike(np.array([[50.0, 50.0, 0.0, 0.0], [0.0, 0.0, 50.0, 50.0]]))  # a coarser one
    assert not alike(np.full((4, 10), 25.0))


# --- Segments ---


def test_a_segment_shows_what_the_whole_hides() -> None:
    rng = np.random.default_rng(2)
    before, now = frame(rng, 20_000), frame(rng, 5_000)
    now = shifted(now, now.country == "IT", "income", 1.0)
    check = api.compare(before, now, segments=["country"]).check
    assert all(c.verdict is not DRIFTED for c in check.columns)
    assert (check.verdict, check.slices) == (DRIFTED, ())
    found = {s.where: s for s in check.segments}
    assert [w for w, s in found.items() if s.verdict is DRIFTED] == ["country = 'IT'"]
    assert found["country = 'IT'"].columns == ("income",)
    assert check.headline.startswith("Drifted: where country = 'IT', `income` is higher than in")
    assert check.headline.endswith("the whole is within its tolerance")
    assert api.compare(before, now).verdict is PASSED


def test_each_level_quarter_and_gap_is_a_segment() -> None:
    rng = np.random.default_rng(3)
    before, now = frame(rng, 8_000), frame(rng, 2_000)
    before.loc[before.index % 10 == 0, "age"] = np.nan
    now.loc[now.index % 10 == 0, "age"] = np.nan
    found = segments_of(before, now, "member", "age")
    rows = [s.rows_reference for w, s in found.items() if "age" in w]
    assert rows == [1801, 1800, 1800, 1799, 800]
    assert list(found)[-1] == "`age` missing" and "member = 'true'" in found
    assert all("age" not in s.columns for s in found.values())
    assert {s.verdict for s in found.values()} <= {PASSED, WATCH}


def test_segments_without_rows_on_one_side_are_told_and_decide_nothing() -> None:
    rng = np.random.default_rng(4)
    before, now = frame(rng, 9_000), frame(rng, 3_000)
    before = before[before.country != "GB"]
    now = now[(now.country != "IT") & ((now.country != "FR") | (now.index < 60))]
    found = segments_of(before, now, "country")
    assert found["country = 'IT'"].reason.startswith("gone: ")
    assert found["country = 'GB'"].reason.startswith("new: ")
    assert found["country = 'FR'"].reason.startswith("too few rows")
    assert all(found[f"country = '{c}'"].verdict is UNDECIDED for c in ("IT", "GB", "FR"))
    assert found["country = 'US'"].verdict in (PASSED, WATCH)


def test_columns_that_make_no_segments_say_why() -> None:
    rng = np.random.default_rng(5)
    before, now = frame(rng, 3_000), frame(rng, 1_000)
    before["id"] = np.arange(3_000)
    now["id"] = np.arange(1_000)
    found = segments_of(before, now.drop(columns="member"), "id", "member")
    assert found["`id`"].reason == "no segments: `id` is a column of the kind id"
    assert found["`member`"].reason == "no segments: the window has no column `member`"
    assert {s.verdict for s in found.values()} == {UNDECIDED}
    with pytest.raises(AskedWrongly, match="segments: there is no column named 'contry'") as asked:
        api.compare(before, now, segments=["contry"])
    assert asked.value.hint == "did you mean 'country'?"


def test_alpha_is_split_only_when_there_are_segments() -> None:
    rng = np.random.default_rng(6)
    before, now = frame(rng, 3_000), frame(rng, 1_000)
    limits = [
        {f.test: f.threshold for f in api.compare(before, now, **more).check.columns[0].findings}
        for more in ({"segments": ["country"]}, {"alpha": 0.005}, {})
    ]
    assert limits[0] == limits[1] != limits[2]


def test_quiet_checks_with_segments_keep_to_the_false_alarm_rate() -> None:
    """Effects as large as the tolerance, so that p_tolerance is used up to its nominal level."""
    rng = np.random.default_rng(7)
    asked, alarms, checks = (
        plan("psi", tolerance={"psi": 1e-9}, must_see={"psi": 9.0}, alpha=0.1),
        0,
        150,
    )
    for _ in range(checks):
        sides = [
            {"a": numbers(rng.normal(size=n), "a"), "b": numbers(rng.normal(size=n), "b"),
             "g": texts(rng.choice(["x", "y", "z"], n).tolist(), "g")}
            for n in (3_000, 900)
        ]  # fmt: skip
        shared = share_alpha(asked)
        columns = compare_columns(sides[0], sides[1], shared)
        segments = compare_segments(sides[0], sides[1], Within(shared), ["g"])
        said = [c.verdict for c in columns] + [s.verdict for s in segments]
        alarms += DRIFTED in said
    assert alarms <= 24  # at most 15 are expected; P(more than 24) is below 1 %


def test_a_critical_column_is_not_exempt_from_judging_segments_together() -> None:
    rng = np.random.default_rng(8)
    sides = [
        {
            "a": numbers(rng.normal(size=n), "a"),
            "g": numbers(rng.integers(0, 20, n), "g", "integer"),
        }
        for n in (20_000, 20_000)
    ]
    asked = replace(
        plan("psi", tolerance={"psi": 1e-9}, must_see={"psi": 9.0}, alpha=0.2),
        critical=frozenset({"a"}),
    )
    found = compare_segments(sides[0], sides[1], Within(asked), ["g"])
    assert len(found) == 20 and not any(s.verdict is DRIFTED for s in found)
    assert min(s.p_value or 0.0 for s in found) > 0.2


# --- Slices ---


def test_a_drift_in_one_slice_is_named() -> None:
    rng = np.random.default_rng(10)
    before, now = frame(rng, 20_000), frame(rng, 5_000)
    [found] = slices_of(before, shifted(now, now.country == "US", "income", 2.0))
    assert (found.where, found.columns, found.mix) == ("country = 'US'", ("income",), False)
    assert (found.rows_reference, found.verdict) == ((before.country == "US").sum(), DRIFTED)
    assert found.p_value is not None and found.p_value < 1e-9
    assert found.reason.startswith("`income` drifted only in rows with country = 'US' (30 % of")
    assert " inside, 0.0" in found.reason


def test_a_drift_in_a_pair_is_named_with_all_columns_it_explains() -> None:
    rng = np.random.default_rng(11)
    before, now = frame(rng, 40_000), frame(rng, 30_000)
    inside = (now.country == "US") & (now.channel == "web")
    now = shifted(shifted(now, inside, "income", 6.0), inside, "age", 60.0)
    check = api.compare(before, now).check
    [found] = check.slices
    assert set(found.where.split(" and ")) == {"country = 'US'", "channel = 'web'"}
    assert set(found.columns) == {"income", "age"}
    assert check.headline.endswith(f" only where {found.where}")


def test_missing_values_and_numbers_make_slices_too() -> None:
    rng = np.random.default_rng(12)
    before, now = frame(rng, 20_000), frame(rng, 8_000)
    for data in (before, now):
        data.loc[rng.random(len(data)) < 0.2, "age"] = np.nan
    [gap] = slices_of(before, shifted(now, now.age.isna(), "income", 3.0))
    assert gap.where == "`age` missing"
    [quarter] = slices_of(before, shifted(now, now.age > 46.7, "income", 3.0))
    assert quarter.where.startswith("age > 46")
    lost = now.assign(income=now.income.where(now.channel != "shop"))
    [emptied] = slices_of(before, lost)
    assert (emptied.where, emptied.columns) == ("channel = 'shop'", ("income",))


def test_a_slice_that_grew_is_a_mix_shift() -> None:
    rng = np.random.default_rng(13)
    before, now = frame(rng, 20_000), frame(rng, 8_000, (0.6, 0.1, 0.1, 0.1, 0.1))
    [found] = slices_of(before, now)
    assert found.mix and found.where == "country = 'US'" and set(found.columns) == {"owned", "debt"}
    assert "drifted with the share of rows with country = 'US' (30 % → 60 %)" in found.reason


def test_new_levels_explain_what_came_with_them() -> None:
    rng = np.random.default_rng(14)
    before, now = frame(rng, 20_000), frame(rng, 8_000)
    now.loc[now.channel == "shop", "channel"] = "kiosk"
    now = shifted(now, now.channel == "kiosk", "income", 4.0)
    [found] = [s for s in slices_of(before, now) if "income" in s.columns]
    assert found.mix and "kiosk" in found.where and found.rows_reference == 0


@pytest.mark.parametrize("drifts", [40, pytest.param(200, marks=pytest.mark.slow)])
def test_what_drifted_everywhere_is_blamed_on_no_slice(drifts: int) -> None:
    """Drifts of one, two or all columns at once, of any size, on any number of rows."""
    rng = np.random.default_rng(15)
    moved = (("income",), ("owned", "debt"), ("income", "age", "owned", "debt"))
    drifted, asked = 0, plan("psi")
    for number in range(drifts):
        before = frame(rng, int(rng.choice([2_000, 5_000])))
        now = frame(rng, int(rng.choice([300, 600, 1_500])))
        step = float(rng.choice([0.5, 0.7, 1.0, 2.0]))
        for name in moved[number % 3]:
            now = shifted(now, 1.0, name, step * before[name].std())
        sides = columns_of(before), columns_of(now)
        results = compare_columns(*sides, asked)
        drifted += any(c.verdict is DRIFTED for c in results)
        assert search_slices(*sides, Within(asked), results, seed=number) == ()
    assert drifted > 0.75 * drifts


def test_without_drift_nothing_is_searched() -> None:
    rng = np.random.default_rng(16)
    check = api.compare(frame(rng, 4_000), frame(rng, 1_000)).check
    assert (check.verdict, check.slices, check.segments) == (PASSED, (), ())


def test_a_column_that_says_the_same_explains_nothing() -> None:
    rng = np.random.default_rng(17)
    before, now = frame(rng, 20_000), frame(rng, 5_000)
    now = shifted(now, 1.0, "income", 0.8)
    for data in (before, now):
        data["bracket"] = np.where(
            data.income > 0.7, "high", np.where(data.income > -0.7, "mid", "low")
        )
    assert slices_of(before, now) == ()


def test_the_search_is_the_same_every_time_and_looks_at_some_rows_of_many() -> None:
    rng = np.random.default_rng(18)
    before, now = frame(rng, 70_000), frame(rng, 60_000)
    now = shifted(now, now.country == "US", "income", 2.0)
    [found] = once = slices_of(before, now)
    assert once == slices_of(before, now)
    assert found.rows_current < 17_000
    assert found.reason.replace("\u202f", " ").endswith("(looked for in 50 000 rows a side)")


def test_only_a_slice_of_the_main_cause_is_in_the_sentence() -> None:
    rng = np.random.default_rng(19)
    before, now = (
        columns_of(frame(rng, 5_000)),
        columns_of(shifted(frame(rng, 5_000), 1, "age", 30.0)),
    )
    results = compare_columns(before, now, PLAN)
    part = Slice("country = 'US'", 1, 1, DRIFTED, "", columns=("income",))
    assert only_where(results, [part]) == ""
    told = only_where(results, [replace(part, columns=("age",))])
    assert told == "; `age` only where country = 'US'"


# --- What may be told ---


@pytest.fixture(scope="module")
def secret() -> Check:
    rng = np.random.default_rng(20)
    before, now = frame(rng, 20_000), frame(rng, 5_000)
    now = shifted(now, now.country == "US", "income", 6.0)
    now.loc[(now.country == "IT") & (now.index % 10 == 0), "country"] = "NZ"
    return api.compare(
        before, now, segments=["country", "channel", "age"], show_values="never"
    ).check


def test_no_level_is_told_where_values_are_never_shown(secret: Check) -> None:
    assert secret.slices[0].where == "`country` in segment 1"
    assert secret.headline.count("only where `country` in segment 1") == 1
    told = [s.where + s.reason for s in (*secret.slices, *secret.segments)]
    page = html.draw(secret, show_values="never")
    for level in (*COUNTRIES, *CHANNELS, "NZ"):
        assert not any(f"'{level}'" in text or f"`{level}`" in text for text in told)
        assert f">{level}<" not in page and f"'{level}'" not in page
    assert not any("≤" in text for text in told)


def test_the_report_says_where(secret: Check) -> None:
    page = html.draw(secret, show_values="never")
    section = page[page.index('<section id="where">') :]
    section = section[: section.index("</section>")]
    assert "drifted only in rows with <code>country</code> in segment 1" in section
    assert "drifted as the whole did" in section and "could not be decided" in section
    assert 'id="where"' not in html.draw(replace(secret, slices=(), segments=()))


def test_kinds_are_those_of_the_whole() -> None:
    """Within a segment a number may have few values; it stays a number."""
    rng = np.random.default_rng(21)
    group = rng.choice(["a", "b"], 4_000)
    values = np.where(group == "a", rng.integers(0, 5, 4_000), rng.normal(size=4_000))
    sides = [
        {"x": numbers(values[half], "x"), "g": texts(group[half].tolist(), "g")}
        for half in (slice(0, 3_000), slice(3_000, 4_000))
    ]
    assert decide_kind(sides[0]["x"]).kind is Kind.NUMBER
    found = compare_segments(sides[0], sides[1], Within(PLAN), ["g"])
    assert {s.verdict for s in found} <= {PASSED, WATCH}
