"""Stored windows against each other: what checks keep of their columns, and `monitor diff`."""

import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from column_fixtures import numbers, plan, texts
from projects import day, rows

from monitor.archive import Outcome
from monitor.cli.main import run
from monitor.core.columns import Kind
from monitor.core.records import Check, ColumnResult, Finding, Verdict, Window
from monitor.core.summaries.binary import from_bytes
from monitor.core.summaries.collecting import summarize
from monitor.core.summaries.summary import Summary
from monitor.core.summaries.windows import (
    POINTS,
    added_up,
    any_hidden,
    cut_down,
    stored_form,
    without_levels,
)
from monitor.core.wire import check_schema, check_to_json
from monitor.diff import restored
from monitor.errors import AskedWrongly, CouldNotLook, UnknownCheck
from monitor.service import Service
from monitor.settings import load_settings
from monitor.steps.stored import Stored
from monitor.wiring import draw

SCHEMA = jsonschema.Draft202012Validator(check_schema())
DAYS = 4  # the amount moves on the third and stays
ROWS = 6000  # a day
MONITORS = """
  {name}:
    reference: reference.parquet
    production: {{path: "data/*.parquet", time: at}}
    explorer: never
"""


# --- What is kept of a window ---


def test_two_windows_of_one_reference_have_its_cells_exactly() -> None:
    rng = np.random.default_rng(3)
    training = summarize(numbers(rng.normal(size=5000)), Kind.NUMBER)
    values = rng.normal(0.5, size=(4, 3000))
    parts = [cut_down(summarize(numbers(v), Kind.NUMBER, training), training) for v in values]
    assert all(part.values is not None and part.values.size == POINTS for part in parts)
    whole = added_up(parts)
    everything = np.sort(values.ravel())
    cuts = training.cuts
    assert whole.cuts == cuts
    assert whole.up_to(cuts).tolist() == [
        int(np.searchsorted(everything, value, side))  # type: ignore[call-overload]
        for value, side in cuts
    ]
    assert whole.moments.mean == pytest.approx(everything.mean(), rel=1e-12)
    assert 0 < whole.rank_error < 0.001


def test_few_values_are_all_kept_and_have_the_same_cells() -> None:
    rng = np.random.default_rng(4)
    training = summarize(numbers(rng.normal(size=5000)), Kind.NUMBER)
    parts = [
        cut_down(summarize(numbers(rng.normal(size=200)), Kind.NUMBER, training), training)
        for _ in range(3)
    ]
    whole = added_up(parts)
    assert whole.exact and whole.present == 600
    assert whole.cuts == training.cuts
    assert added_up([whole]) is whole


def test_levels_that_may_not_be_shown_are_hashes_that_still_compare() -> None:
    region = summarize(texts(["north"] * 3 + ["south"]), Kind.CATEGORY)
    flag = summarize(texts(["yes", "no", "maybe"]), Kind.BOOLEAN)
    content = stored_form({"region": (Kind.CATEGORY, region), "flag": (Kind.BOOLEAN, flag)}, "m")
    assert content is not None
    assert not any(word in content for word in (b"north", b"south", b"maybe"))
    kept = from_bytes(content)
    assert sorted(kept["region"][1].counts.values()) == [1, 3]
    assert {"true", "false"} < kept["flag"][1].counts.keys()
    assert any_hidden(summary for _, summary in kept.values())
    again = {"region": (Kind.CATEGORY, region)}
    assert without_levels(again, "m")["region"][1].counts == kept["region"][1].counts
    assert without_levels(kept, "m")["region"][1].counts == kept["region"][1].counts
    assert without_levels(again, "other")["region"][1].counts != kept["region"][1].counts


def test_where_nothing_was_compared_nothing_is_stored() -> None:
    assert stored_form({}) is None


# --- A project of days and quarters of days ---


def write_days(folder: Path, change: Callable[[int, pa.Table], pa.Table] | None = None) -> None:
    (folder / "data").mkdir()
    pq.write_table(rows(1, 5000, day(-30).start), folder / "reference.parquet")
    for number in range(DAYS):
        table = rows(20 + number, ROWS, day(number).start, shift=1.0 if number >= 2 else 0.0)
        table = change(number, table) if change else table
        pq.write_table(table, folder / "data" / f"day{number}.parquet")


def service_of(folder: Path, text: str) -> Service:
    (folder / "monitor.yaml").write_text(f"store: sqlite:///monitor.db\nmonitors:{text}")
    return Service(load_settings(folder / "monitor.yaml"))


def play(service: Service, name: str) -> None:
    for window in service.windows(service.settings.monitor(name)):
        service.check(name, window)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("diff")
    write_days(folder)
    quarters = MONITORS.format(name="quarters") + "    window: 6h\n"
    service = service_of(folder, MONITORS.format(name="days") + quarters)
    play(service, "days")
    play(service, "quarters")
    service.close()
    return folder


@pytest.fixture
def service(project: Path) -> Iterator[Service]:
    made = Service(load_settings(project / "monitor.yaml"))
    yield made
    made.close()


@pytest.fixture
def copied(project: Path, tmp_path: Path) -> Iterator[Service]:
    """The same, to store more in."""
    folder = tmp_path / "copy"
    shutil.copytree(project, folder)
    made = Service(load_settings(folder / "monitor.yaml"))
    yield made
    made.close()


def told(window: Window) -> str:
    return window.start.isoformat()


def column(check: Check, name: str = "amount") -> ColumnResult:
    return next(c for c in check.columns if c.name == name)


def finding(check: Check, test: str, name: str = "amount") -> Finding:
    return next(f for f in column(check, name).findings if f.test == test)


FIRST, SECOND, MOVED = (told(day(n)) for n in (0, 1, 2))


def test_a_quiet_day_and_a_day_that_moved(service: Service) -> None:
    quiet = service.diff("days", FIRST, SECOND)
    assert quiet.verdict is Verdict.PASSED
    assert "as in the window of Mon 2 Mar 2026" in quiet.headline
    moved = service.diff("days", FIRST, MOVED)
    assert moved.verdict is Verdict.DRIFTED
    assert "`amount` is 10 % higher than in the window of Mon 2 Mar 2026" in moved.headline
    assert moved.window == day(2) and moved.sample.rows == ROWS
    assert moved.reference is not None and moved.reference.rows == ROWS
    assert {n.kind for n in moved.notices} == {"needs_rows"}
    SCHEMA.validate(check_to_json(moved))
    assert service.store.get_check(moved.id) is None


def test_psi_is_exact_and_ks_tells_its_bound(service: Service, project: Path) -> None:
    moved = service.diff("days", FIRST, MOVED)
    psi, ks = finding(moved, "psi"), finding(moved, "ks")
    assert psi.exact and not ks.exact and 0 < ks.error_bound < 0.005
    before, now = (_amounts(project, n) for n in (0, 2))
    places = np.sort(np.concatenate([before, now]))
    shares = (np.searchsorted(side, places, "right") / side.size for side in (before, now))
    gap = np.max(np.abs(np.subtract(*shares)))
    assert ks.effect == pytest.approx(gap, abs=ks.error_bound)
    cuts = [value for value, _ in _training(project).cuts]
    n, m = (np.histogram(side, [-np.inf, *cuts, np.inf])[0] / side.size for side in (before, now))
    assert psi.statistic == pytest.approx(float(np.sum((n - m) * np.log(n / m))), rel=1e-9)


def _amounts(project: Path, number: int) -> Any:
    table = pq.read_table(project / "data" / f"day{number}.parquet")
    return np.sort(table["amount"].to_numpy())


def _training(project: Path) -> Any:
    amounts = pq.read_table(project / "reference.parquet")["amount"].to_numpy()
    return summarize(numbers(amounts), Kind.NUMBER)


def test_quarters_of_a_day_add_up_to_the_day(service: Service) -> None:
    days = service.diff("days", FIRST, MOVED)
    added = service.diff("quarters", "2026-03-02..2026-03-03", "2026-03-04..2026-03-05")
    assert len(added.setup["diff"]["A"]) == len(added.setup["diff"]["B"]) == 4
    assert added.window == day(2) and added.sample.rows == ROWS
    for name in ("amount", "age", "region"):
        one, other = finding(days, "psi", name), finding(added, "psi", name)
        assert one.exact and other.exact
        assert one.statistic == other.statistic
    one, other = finding(days, "ks"), finding(added, "ks")
    assert one.effect == pytest.approx(other.effect, abs=one.error_bound + other.error_bound)
    assert "the 4 windows of Mon 2 Mar 2026" in added.headline


def test_an_id_names_a_window_as_a_time_in_it_does(service: Service) -> None:
    ids = [s.check.id for s in service.store.newest_checks("days")][::-1]
    by_id = service.diff("days", ids[0], ids[2])
    by_time = service.diff("days", "2026-03-02T17:00", "2026-03-04")
    assert by_id.columns == by_time.columns
    assert by_id.id == by_time.id == f"{ids[2]}-against-20260302T0000-20260303T0000"


def test_what_is_asked_wrongly(service: Service) -> None:
    with pytest.raises(UnknownCheck, match="there is no check 'days-2026'"):
        service.diff("days", "days-2026", MOVED)
    with pytest.raises(AskedWrongly, match="contains 2027-01-01") as caught:
        service.diff("days", FIRST, "2027-01-01")
    assert caught.value.hint == "windows are stored of Mon 2 Mar 2026 – Thu 5 Mar 2026"
    with pytest.raises(AskedWrongly, match="both sides are days-20260302T0000"):
        service.diff("days", FIRST, "2026-03-02T01:00")
    with pytest.raises(AskedWrongly, match="ends before it begins"):
        service.diff("days", FIRST, "2026-03-05..2026-03-04")
    with pytest.raises(AskedWrongly, match=r"no stored window of days lies in"):
        service.diff("days", FIRST, "2026-03-04T01:00..2026-03-05")
    with pytest.raises(AskedWrongly, match="'soon' is not a time"):
        service.diff("days", FIRST, "2026-03-04..soon")
    [quarter, *_] = service.store.newest_checks("quarters", limit=1)
    with pytest.raises(AskedWrongly, match="is a check of quarters, not of days"):
        service.diff("days", FIRST, quarter.check.id)


def test_gaps_and_shared_rows_are_told(service: Service) -> None:
    check = service.diff("quarters", "2026-03-01..2026-03-04", "2026-03-03..2026-03-08")
    notices = {n.kind: [m.text for m in check.notices if m.kind == n.kind] for n in check.notices}
    assert notices["windows_missing"] == [
        "there is no stored window of Sun 1 Mar 2026",
        "there is no stored window of Fri 6 Mar 2026 – Sat 7 Mar 2026",
    ]
    [shared] = notices["windows_overlap"]
    assert "rows of Tue 3 Mar 2026" in shared


def test_windows_that_overlap_do_not_add_up(copied: Service) -> None:
    [first, *_] = copied.store.newest_checks("days", before=day(1).start)
    span = Window(day(0).start + timedelta(hours=12), day(1).start + timedelta(hours=12))
    between = replace(first.check, id="days-between", window=span)
    copied.store.save(Outcome(between, summaries=copied.store.summaries(first.check.id)))
    with pytest.raises(AskedWrongly, match="overlap, and rows in two of them would count twice"):
        copied.diff("days", "2026-03-02..2026-03-04", MOVED)


def test_rows_count_as_they_did_in_their_own_checks(copied: Service) -> None:
    """A design effect of d in both windows is one of d between them, and less of added windows."""
    for stored in copied.store.newest_checks("quarters", limit=100):
        check, content = stored.check, copied.store.summaries(stored.check.id)
        columns = tuple(replace(c, design_effect=3.0) for c in check.columns)
        again = replace(check, id=f"{check.id}-again", columns=columns)
        copied.store.save(Outcome(again, revision=1, summaries=content))
    one = copied.diff("quarters", "2026-03-02T01:00", "2026-03-04T01:00")
    assert column(one).design_effect == pytest.approx(3.0)
    days = copied.diff("quarters", "2026-03-02..2026-03-03", "2026-03-04..2026-03-05")
    assert column(days).design_effect == pytest.approx(3.0)
    assert "rows count for 3.0 times fewer" in column(days).reason


# --- What was not kept, and what does not fit ---


@pytest.fixture
def fresh(tmp_path: Path) -> Path:
    write_days(tmp_path, _without_age_on_the_last_day)
    return tmp_path


def _without_age_on_the_last_day(number: int, table: pa.Table) -> pa.Table:
    return table.drop_columns(["age"]) if number == DAYS - 1 else table


def test_checks_of_an_earlier_version_say_what_to_do(fresh: Path) -> None:
    service = service_of(fresh, MONITORS.format(name="days"))
    service.check("days", day(2))
    dry = service.check("days", day(0), dry_run=True)
    assert service.store.summaries(dry.check.id) is None
    service.store.save(Outcome(dry.check))  # as a version did that kept nothing
    with pytest.raises(CouldNotLook, match="made by an earlier version") as caught:
        service.diff("days", FIRST, MOVED)
    assert f"`monitor check days --at {FIRST} --again`" in caught.value.hint
    service.check("days", day(0), again=True)
    assert service.diff("days", FIRST, MOVED).verdict is Verdict.DRIFTED
    service.close()


def test_windows_without_rows_are_left_out_of_a_range(fresh: Path) -> None:
    service = service_of(fresh, MONITORS.format(name="days"))
    (fresh / "data" / "day1.parquet").unlink()
    play(service, "days")
    check = service.diff("days", "2026-03-02..2026-03-04", MOVED)
    assert len(check.setup["diff"]["A"]) == 1
    [left_out] = [n.text for n in check.notices if n.kind == "windows_left_out"]
    assert left_out.startswith("1 stored window left out: nothing was compared in check days-2026")
    with pytest.raises(CouldNotLook, match="nothing was compared in check"):
        service.diff("days", SECOND, MOVED)
    service.close()


def test_a_lost_column_is_violated_and_a_new_one_is_told(fresh: Path) -> None:
    service = service_of(fresh, MONITORS.format(name="days"))
    play(service, "days")
    lost = service.diff("days", MOVED, told(day(3)))
    assert lost.verdict is Verdict.VIOLATED
    assert "age is in the window of Wed 4 Mar 2026 and not in the other one" in lost.headline
    new = service.diff("days", told(day(3)), MOVED)
    assert new.verdict is Verdict.PASSED
    assert [n.column for n in new.notices if n.kind == "column_new"] == ["age"]
    service.close()


def test_nothing_is_shown_that_may_not_be(fresh: Path) -> None:
    text = MONITORS.format(name="days")
    service = service_of(fresh, text + "    show_values: never\n")
    service.check("days", day(0))
    service.check("days", day(2))
    for stored in service.store.newest_checks("days"):
        content = service.store.summaries(stored.check.id)
        assert content is not None and b"north" not in content and b"region" in content
    page = draw()(service.diff("days", FIRST, MOVED), show_values="never")
    assert "north" not in page and "sha256:" not in page.partition("How it was made")[0]
    service.close()
    service = service_of(fresh, text)  # and from now on values may be shown
    service.check("days", day(1))
    mixed = service.diff("days", FIRST, SECOND)
    assert finding(mixed, "psi", "region").verdict is Verdict.PASSED
    assert "unseen_share" not in {f.test for f in column(mixed, "region").findings}
    service.close()


def test_a_column_of_two_kinds_is_undecided(fresh: Path) -> None:
    text = MONITORS.format(name="days")
    service = service_of(fresh, text)
    service.check("days", day(0))
    service.close()
    service = service_of(fresh, text + "    columns: {age: {kind: category}}\n")
    service.check("days", day(2))
    age = column(service.diff("days", FIRST, MOVED), "age")
    assert age.verdict is Verdict.UNDECIDED
    assert "it was seen as number, and is category here" in age.reason
    service.close()


def test_levels_that_were_not_all_counted_are_undecided(service: Service) -> None:
    [stored] = service.store.newest_checks("days", before=day(1).start)
    crowded = Summary(10, 0, counts={"north": 6}, rest=4)
    side = Stored((stored.check,), ({"region": (Kind.CATEGORY, crowded)},))
    columns = restored(side, plan())
    assert columns["region"].problem == "too many levels were seen in it"
    assert columns["age"].problem.startswith("nothing was kept of it")


def test_windows_held_against_earlier_ones_have_other_cells(fresh: Path) -> None:
    service = service_of(
        fresh, MONITORS.format(name="days") + "    drift: {compare_with: previous}\n"
    )
    play(service, "days")
    check = service.diff("days", SECOND, told(day(3)))
    assert column(check).verdict is Verdict.DRIFTED
    psi = finding(check, "psi")
    assert not psi.exact and 0 < psi.error_bound < 0.1
    assert "other_reference" in {n.kind for n in check.notices}
    service.close()


# --- The command ---


def said(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    capsys.readouterr()
    code = run([*arguments])
    return code, *capsys.readouterr()


def test_the_command(
    project: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(project)
    line = ["diff", "quarters", "2026-03-02T01:00", "2026-03-04..2026-03-05"]
    code, out, _ = said(capsys, *line, "--html", "diff.html")
    assert code == 1
    assert out.startswith("Drifted: `amount` is ")
    assert "A: quarters-20260302T0000" in out and "(4 windows)" in out
    page = Path("diff.html").read_text()
    assert "in A, the window of Mon 2 Mar 2026 00:00–06:00" in page and "training" not in page
    assert "monitor diff quarters 2026-03-02T01:00 2026-03-04..2026-03-05" in page
    code, out, err = said(capsys, *line, "--json", "-", "--exit-zero")
    assert code == 0
    document = json.loads(out)
    SCHEMA.validate(document)
    assert document["verdict"] == "drifted" and "Drifted" in err
    code, _, err = said(capsys, "diff", "quarters", "quarters-20260302T0000-20260302T060", MOVED)
    assert code == 64
    assert "did you mean 'quarters-20260302T0000-20260302T0600" in err
