"""A rule replayed over history: what it would have said, what it can see, which one to choose."""

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from projects import FIRST_DAY, day, rows, write_project

from monitor import catalogue
from monitor.backtest import Question, backtest, look_back
from monitor.cli.main import run
from monitor.core.cells import Pair
from monitor.core.columns import Kind
from monitor.core.drift_socket import Bounds, DriftTest, Rule
from monitor.core.over_time.budget import Budget
from monitor.core.records import ColumnResult, Finding, Slice, Verdict
from monitor.core.replay.advice import advise
from monitor.core.replay.alarms import (
    by_budget,
    by_p_value,
    by_share,
    by_threshold,
    by_tolerance,
    by_verdict,
)
from monitor.core.replay.history import (
    Candidate,
    Fires,
    Looked,
    Trial,
    length_days,
    replayed,
)
from monitor.core.replay.sensitivity import (
    Scene,
    Smallest,
    psi_of_shift,
    seen_by_p_value,
    seen_by_threshold,
    seen_by_tolerance,
    shift_of,
)
from monitor.core.replay.words import advice_lines, backtest_to_json, headline
from monitor.core.summaries.summary import Summary
from monitor.demo.project import install_project
from monitor.reports.backtest import draw_backtest
from monitor.service import Service
from monitor.settings import datasets_folder, load_settings

BUDGET = Budget.parse("1 per 90d")
TESTS: dict[str, DriftTest] = {
    name: catalogue.load("monitor.core.drift", name, "drift test") for name in ("psi", "ks")
}


# --- What a rule would have said ---


def look(number: int, *columns: ColumnResult, unseen: str = "") -> Looked:
    return Looked(day(number), 100, columns, unseen=unseen)


def column(name: str, p_tolerance: float, **measured: float) -> ColumnResult:
    """A number column with a PSI and a KS finding."""
    findings = (
        Finding("psi", Verdict.PASSED, "", measured.get("psi", 0.0), p_tolerance=p_tolerance),
        Finding("ks", Verdict.PASSED, "", p_value=measured.get("p", 1.0), p_tolerance=1.0),
    )
    return ColumnResult(
        name, Kind.NUMBER, Verdict.PASSED, "", findings=findings, p_tolerance=p_tolerance
    )


def rule(fires: Fires, *, shift: float = 0.5, snippet: str = "{alpha: 0.01}") -> Candidate:
    return Candidate(
        "current", "a rule", fires, Smallest({"psi": 0.2}, shift), snippet, proven=True
    )


def trial(pattern: str, **more: Any) -> Trial:
    """A trial from one letter a day: x an alarm, . none, ? nobody looked, o none but a is blind."""
    alarms = tuple({"x": ("a",), ".": (), "?": None, "o": ()}[letter] for letter in pattern)
    windows = tuple(day(number) for number in range(len(pattern)))
    blind = tuple(("a",) if letter == "o" else ("b",) for letter in pattern)
    return Trial(rule(lambda looked: [], **more), windows, alarms, blind)


def test_an_episode_is_a_run_of_alarms_that_an_unseen_window_does_not_end() -> None:
    found = trial("..xx?x..x.")
    assert [w.start for w in found.episodes] == [day(2).start, day(8).start]
    assert len(found.alarmed) == 4
    assert found.per_90_days == pytest.approx(2 / 9 * 90)  # of nine days something is known
    assert found.columns == {"a": 4}


def test_an_episode_does_not_end_where_what_alarmed_cannot_be_judged() -> None:
    """As `core/episodes.py` has it: one episode, whatever others cannot be judged."""
    assert [w.start for w in trial("o.xo.xoxo?x").episodes] == [day(2).start, day(5).start]
    few = Finding("ks", Verdict.UNDECIDED, "too few rows")
    unknown = replace(column("a", 1.0), verdict=Verdict.UNDECIDED, findings=(few,))
    drifted = look(0, column("a", 1.0, p=0.01), column("b", 1.0))
    looked = [drifted, look(1, unknown, column("b", 1.0)), replace(drifted, window=day(2))]
    found = replayed(rule(by_p_value(0.05)), looked)
    assert found.alarms == (("a",), (), ("a",)) and found.blind == ((), ("a",), ())
    assert [w.start for w in found.episodes] == [day(0).start]
    assert found.until(day(1).end).blind == ((), ("a",))


def test_an_episode_of_a_segment_goes_on_where_its_columns_cannot_be_judged() -> None:
    part = Slice("region = 'US'", 90, 80, Verdict.DRIFTED, "", columns=("a",))
    unknown = replace(column("a", 1.0), verdict=Verdict.UNDECIDED)
    drifted = replace(look(0, column("a", 1.0)), segments=(part,))
    found = replayed(rule(by_verdict), [drifted, look(1, unknown), replace(drifted, window=day(2))])
    assert [w.start for w in found.episodes] == [day(0).start]


def test_a_trial_up_to_a_time_holds_the_windows_that_ended_by_then() -> None:
    found = trial("..x.").until(day(2).start)
    assert (len(found.windows), found.episodes) == (2, [])
    assert trial("..x.").until(day(-3).start).per_90_days is None


def test_alarms_are_counted_against_the_days_that_were_looked_at() -> None:
    """A stray check of months ago does not make half a year of ten days; overlaps count once."""
    far = replace(trial("x........."), windows=(day(-120), *(day(n) for n in range(9))))
    assert far.days == 10 and far.per_90_days == pytest.approx(9.0)
    assert advise([far], BUDGET, None).days == 10
    quiet = advise([replace(far, alarms=((),) * 10)], BUDGET, day(4).start)
    assert (quiet.windows, quiet.days) == (5, 5)
    assert any(line.startswith("so short a history") for line in advice_lines(quiet, UTC))
    twice = replace(day(0), end=day(1).end), replace(day(1), end=day(2).end), day(1)
    assert length_days(reversed(twice)) == 3 and length_days([]) == 0


def test_what_nobody_looked_at_is_asked_of_no_rule() -> None:
    looked = [look(0, column("a", 1.0, p=0.01)), look(1, unseen="no rows"), look(2)]
    found = replayed(rule(by_p_value(0.05)), looked)
    assert found.alarms == (("a",), None, ())


def test_rules_differ_on_the_same_findings() -> None:
    columns = [column("a", 0.02, psi=0.15, p=0.03), column("b", 1.0, psi=0.05, p=0.5)]
    looked = [look(0, *columns)]
    assert by_p_value(0.05)(looked) == [("a",)] and by_p_value(0.01)(looked) == [()]
    assert by_threshold("psi", 0.1)(looked) == [("a",)] and by_threshold("psi", 0.2)(looked) == [()]
    assert by_share(0.5, 0.05)(looked) == [("a",)] and by_share(0.6, 0.05)(looked) == [()]
    assert by_tolerance({}, 0.01)(looked) == [()]  # two tests and two columns: 0.02 is 0.08
    assert by_tolerance({}, 0.1)(looked) == [("a",)]


def test_columns_together_need_less_evidence_each() -> None:
    alone = look(0, column("a", 0.004), column("b", 1.0))
    both = look(1, column("a", 0.004), column("b", 0.004))
    assert by_tolerance({}, 0.01)([alone, both]) == [(), ("a", "b")]


def whole(p_tolerance: float, *, verdict: Verdict = Verdict.PASSED) -> Finding:
    return Finding("together", verdict, "", p_tolerance=p_tolerance, tolerance=0.1)


def test_tests_of_the_whole_dataset_alarm_under_every_tolerance_rule() -> None:
    quiet = look(0, column("a", 1.0))
    moved = replace(quiet, dataset=(whole(0.012),))  # of a family of two: 0.024
    assert by_tolerance({}, 0.01)([quiet, moved]) == [(), ()]
    assert by_tolerance({}, 0.05)([quiet, moved]) == [(), ("together",)]
    called = replace(quiet, dataset=(whole(0.012, verdict=Verdict.DRIFTED),))
    assert by_tolerance({}, 0.01)([called]) == [()]  # at another level it is another verdict


def test_columns_and_tests_of_the_whole_dataset_are_one_family() -> None:
    alone = look(0, column("a", 0.004))
    beside = replace(alone, dataset=(whole(1.0), replace(whole(1.0), test="other")))
    fed = replace(alone, dataset=(Finding("volume", Verdict.PASSED, ""),))
    assert by_tolerance({}, 0.01)([alone, beside, fed]) == [("a",), (), ("a",)]


def test_what_is_beside_the_columns_waits_for_the_budget() -> None:
    """More than its quarter of the budget, 1 / 360, allows for in one window."""
    drifted, proven = (whole(0.005),), (whole(1e-9),)
    weak = [replace(look(n, column("a", 5e-4)), dataset=drifted) for n in range(2)]
    assert by_budget({}, 90, Rule())(weak) == [(), ("a", "together")]
    strong = [replace(look(0, column("a", 5e-4)), dataset=proven)]
    assert by_budget({}, 90, Rule())(strong) == [("together",)]
    broken = Finding("volume", Verdict.VIOLATED, "")
    held = [replace(look(n, column("a", 5e-4)), dataset=(broken,)) for n in range(3)]
    assert by_budget({}, 90, Rule())(held) == [()] * 3  # broken data is no evidence of drift


def test_evidence_adds_up_under_a_budget() -> None:
    weak = [look(number, column("a", 5e-4)) for number in range(6)]
    fired = by_budget({}, 90, Rule())(weak)
    assert fired == [()] + [("a",)] * 5  # 16 is not enough, 16 · 16 is
    assert by_budget({}, 90, Rule())([look(n, column("a", 1.0)) for n in range(50)]) == [()] * 50
    assert by_tolerance({}, 1e-4)(weak) == [()] * 6  # which one window alone does not show


# --- What a rule can see ---


def simulated(test: str, shift: float, scene: Scene, many: int) -> Iterator[Any]:
    """Evidence on windows of a normal column that moved by `shift` standard deviations."""
    generator = np.random.default_rng(7)
    n, m = int(scene.reference), int(scene.window)
    for _ in range(many):
        before = Summary(n, 0, np.sort(generator.normal(size=n)))
        now = Summary(m, 0, np.sort(generator.normal(shift, 1, m)))
        yield TESTS[test].measure(Pair("x", Kind.NUMBER, before, now), Bounds(0.01, 0.1, 0.5))


SCENES = (Scene(5000, 200), Scene(5000, 1000), Scene(20_000, 5000))
POWER_CASES: dict[str, tuple[str, Callable[[Scene], Smallest], Callable[[Any], bool]]] = {
    "psi above 0.1": (
        "psi", lambda s: seen_by_threshold({"psi": 0.1}, s), lambda e: e.effect > 0.1
    ),
    "psi above 0.25": (
        "psi", lambda s: seen_by_threshold({"psi": 0.25}, s), lambda e: e.effect > 0.25
    ),
    "ks above 0.2": ("ks", lambda s: seen_by_threshold({"ks": 0.2}, s), lambda e: e.effect > 0.2),
    "ks p 0.05": (
        "ks", lambda s: seen_by_p_value({"ks": TESTS["ks"]}, 0.05, s), lambda e: e.p_value <= 0.05
    ),
    "psi p 0.01": (
        "psi",
        lambda s: seen_by_p_value({"psi": TESTS["psi"]}, 0.01, s),
        lambda e: e.p_value <= 0.01,
    ),
    "tolerance": (
        "psi",
        lambda s: seen_by_tolerance({"psi": TESTS["psi"]}, {"psi": 0.1}, 0.01, s),
        lambda e: e.p_tolerance <= 0.01,
    ),
    "tolerance, ten columns of two tests": (
        "psi",
        lambda s: seen_by_tolerance(
            {"psi": TESTS["psi"]}, {"psi": 0.1}, 0.01, replace(s, columns=10, tests=2)
        ),
        lambda e: e.p_tolerance <= 0.01 / 20,
    ),
}  # fmt: skip


@pytest.mark.parametrize(
    ("case", "scene"),
    [
        pytest.param(
            case,
            scene,
            id=f"{case}, {scene.window:.0f} rows",
            marks=[pytest.mark.slow] if case.startswith("ks") and scene is not SCENES[0] else [],
        )
        for case in POWER_CASES
        for scene in SCENES
    ],
)
def test_the_smallest_drift_is_seen_in_four_windows_of_five(case: str, scene: Scene) -> None:
    test, told, fires = POWER_CASES[case]
    shift = told(scene).shift
    assert shift is not None
    seen = np.mean([fires(e) for e in simulated(test, shift, scene, 300)])
    assert 0.72 <= seen <= 0.88, (shift, seen)  # 0.8 within four standard errors of 300


def test_shifts_and_effects_go_both_ways() -> None:
    for shift in (0.05, 0.3, 1.0, 3.0):
        assert shift_of("psi", psi_of_shift(shift)) == pytest.approx(shift, abs=1e-6)
    assert psi_of_shift(0.2) == pytest.approx(0.2**2, rel=0.06)  # shift² for a normal column
    assert shift_of("psi", 1e9) is None


def test_a_limit_below_the_noise_needs_no_drift() -> None:
    seen = seen_by_threshold({"psi": 0.1}, Scene(500, 40))
    assert seen.shift == pytest.approx(0.0, abs=1e-6)


def test_the_most_sensitive_test_comes_first() -> None:
    seen = seen_by_threshold({"ks": 0.4, "psi": 0.1}, Scene(5000, 1000))
    assert list(seen.effects) == ["psi", "ks"]
    assert seen.shift == shift_of("psi", seen.effects["psi"])


# --- Which rule to choose ---


def test_the_most_sensitive_rule_within_the_budget_is_advised() -> None:
    current = trial("." * 90, shift=0.6)
    keen = replace(trial("x" + "." * 89, shift=0.4), rule=rule(lambda k: [], shift=0.4))
    loud = trial("x." * 45, shift=0.1)
    advice = advise([current, keen, loud], BUDGET, None)
    assert advice.choice is not None and advice.choice.rule is keen.rule
    assert (advice.allowed, advice.windows) == (1, 90)
    assert advice.at_most == pytest.approx(4.744, abs=1e-3)  # Garwood's bound for one event


def test_a_lucky_fixed_limit_is_not_advised_but_may_be_kept() -> None:
    fixed = replace(rule(lambda k: [], shift=0.1), proven=False)
    quiet, own = replace(trial("." * 90), rule=fixed), trial("." * 90)
    advice = advise([own, quiet], BUDGET, None)
    assert advice.choice is own and len(advice.kept_by) == 2
    kept = advise([quiet], BUDGET, None).choice
    assert kept is not None and kept.rule is fixed


def test_no_rule_within_the_budget_says_why() -> None:
    advice = advise([trial("x." * 45)], BUDGET, None)
    assert advice.choice is None and advice.at_most is None
    assert advice.why.startswith("no rule with a known error rate keeps the budget")
    assert "opens 45 episodes" in advice.why and "`a`" in advice.why and "did drift" in advice.why


def test_rules_whose_sight_is_unknown_cannot_be_ranked() -> None:
    blind = replace(rule(lambda k: []), smallest=Smallest({"wasserstein": 0.2}))
    advice = advise([replace(trial("." * 90), rule=blind)], BUDGET, None)
    assert advice.choice is None and advice.kept_by == ("current",)
    assert advice.why.startswith("no rule could be ranked: the budget has room for 1 in this time")
    assert "which 1 rule would have kept" in advice.why and "shift of a mean" in advice.why


def test_what_drifted_for_real_can_be_left_out() -> None:
    drifted = trial("." * 90 + "x.x.x.x.x.")
    assert advise([drifted], BUDGET, None).choice is None
    advice = advise([drifted], BUDGET, day(90).start)
    assert advice.choice is not None and advice.windows == 90
    assert "--quiet-until" not in " ".join(advice_lines(advice, UTC))
    told = " ".join(advice_lines(advise([drifted], BUDGET, None), UTC))
    assert f"`--quiet-until {day(90).start:%Y-%m-%d}`" in told


def test_without_quiet_windows_nothing_is_advised() -> None:
    advice = advise([trial("....")], BUDGET, day(0).start)
    assert (advice.choice, advice.why) == (None, "there is no quiet window to judge by")


# --- The command ---


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two quiet and four drifted days that were never checked, as the current folder."""
    write_project(tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def files(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def told(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    """The JSON document of a backtest."""
    capsys.readouterr()
    assert run(["backtest", *arguments, "--json", "-"]) == 0
    document: dict[str, Any] = json.loads(capsys.readouterr().out)
    return document


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    capsys.readouterr()
    assert run(["backtest", *arguments]) == 64
    said = capsys.readouterr()
    assert said.out == "" and "Traceback" not in said.err
    return said.err


def test_it_tells_alarms_columns_and_what_to_choose(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = files(project)
    assert run(["backtest", "orders"]) == 0
    said = capsys.readouterr()
    first, _, heads, own, *_ = said.out.splitlines()
    assert first.startswith(
        "Over 6 days the current rule would have opened 1 episode (4 of 6 checks drifted) for "
        "amount, first on Wed 4 Mar 2026; it sees a "
    )
    assert heads.split()[:4] == ["rule", "drifted", "checks", "episodes"]
    assert own.startswith("now: tolerance 0.1, alpha 0.01") and "2026-03-04" in own
    assert "drifted checks by column: amount 4\n" in said.out
    assert "\nadvice: no rule with a known error rate keeps the budget: this time" in said.out
    assert "--quiet-until 2026-03-04" in said.out and "room for 0" not in said.out
    assert (said.err, files(project)) == ("", before)  # nothing stored, written or sent


def test_the_rule_that_is_advised_stands_in_the_table(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = project / "backtest.html"
    for asked in (["--quiet-until", "2026-03-04"], ["--budget", "20 per 90d"]):
        assert run(["backtest", "orders", *asked, "--html", str(page)]) == 0
        said = capsys.readouterr().out
        [advised] = re.findall(r"^(?:now, )?advised: (.*?)  ", said, re.MULTILINE)
        assert re.search(rf"<b>(Now, a|A)dvised: {re.escape(advised)}</b>", page.read_text())
        assert ("\nadvice: if nothing did drift, " in said) == (asked[0] == "--budget")
        assert "room for 0" not in said


def test_the_document_holds_everything(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    document = told(capsys, "orders")
    own, *others = document["rules"]
    assert (own["rule"], own["alarms"], len(own["episodes"])) == ("current", 4, 1)
    keys = [r["rule"] for r in others]
    assert {
        "tolerance_0.05",
        "tolerance_0.01_x0.5",
        "budget",
        "p_value_0.05",
        "psi_0.1",
        "half",
    } <= {*keys}
    assert "tolerance_0.01" not in keys  # that is the current one
    assert document["columns"][0]["name"] == "amount"
    assert document["columns"][0]["alarms"]["current"] == 4
    assert len(document["columns"][0]["strengths"]) == document["windows"]["count"] == 6
    assert document["headline"].startswith("Over 6 days")
    assert not re.search(r"NaN|Infinity", json.dumps(document))


def test_a_range_and_a_quiet_time(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    document = told(capsys, "orders", "--from", "2026-03-03", "--to", "2026-03-06")
    assert document["windows"]["count"] == 3
    document = told(capsys, "orders", "--quiet-until", "2026-03-04", "--budget", "2 per 30d")
    advice = document["advice"]
    assert (advice["windows"], advice["budget"], advice["episodes_allowed"]) == (2, "2 per 30d", 0)
    assert advice["rule"] is not None


def test_false_alarms_are_told_apart_from_real_drift(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["backtest", "orders", "--quiet-until", "2026-03-04"]) == 0
    _, _, heads, own, *lines = capsys.readouterr().out.splitlines()
    assert heads.split()[3:8] == ["episodes", "false", "false", "per", "90"]
    assert re.search(r" 4 +1 +0 +0\.0 +2026-03-04", own)  # the episode is real
    assert "a false one opens before Wed 4 Mar 2026, while nothing drifted" in lines
    own = told(capsys, "orders", "--quiet-until", "2026-03-04")["rules"][0]
    assert (len(own["episodes"]), own["false_episodes"]) == (1, [])
    assert (own["episodes_per_90_days"], own["false_episodes_per_90_days"]) == (15, 0)


def test_a_stray_stored_check_does_not_stretch_history(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stray = rows(3, 800, day(-140).start)
    pq.write_table(stray, project / "data" / "stray.parquet")
    for span in (["--from", "2025-10-13", "--to", "2025-10-14"], ["--from", "2026-03-02"]):
        assert run(["backfill", "orders", *span]) == 0
    capsys.readouterr()
    assert run(["backtest", "orders", "--stored"]) == 0
    said = capsys.readouterr().out
    assert said.startswith("Over 7 days the current rule") and "(7 windows, 7 days)" in said
    assert (
        "of the 146 days from Mon 13 Oct 2025 on, 7 were looked at: rates are per day looked at"
        in said
    )


def test_stored_checks_say_the_same_and_no_row_is_read(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    raw = told(capsys, "orders")
    assert run(["backfill", "orders"]) == 0
    for path in (project / "data").iterdir():
        path.unlink()
    stored = told(capsys, "orders", "--stored")
    assert stored["stored"] and stored["not_replayed"]
    shared = {r["rule"]: r["alarmed"] for r in stored["rules"]}
    known = {r["rule"]: r["alarmed"] for r in raw["rules"]}
    assert shared == {key: known[key] for key in shared} and len(shared) >= 8
    assert told(capsys, "orders", "--stored", "--from", "2026-03-05")["windows"]["count"] == 3


def test_other_tolerances_say_what_a_monitor_with_them_would_say(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = {r["rule"]: r for r in told(capsys, "orders")["rules"]}
    config = project / "monitor.yaml"
    text = config.read_text()
    for factor in (0.5, 2.0, 3.0):
        tolerance = round(0.1 * factor, 6)
        drift = f"    drift: {{tolerance: {{psi: {tolerance}, ks: {tolerance}}}}}\n"
        config.write_text(text + drift)
        own = told(capsys, "orders")["rules"][0]
        assert own["alarmed"] == found[f"tolerance_0.01_x{factor:g}"]["alarmed"]
        assert own["smallest_drift"] == found[f"tolerance_0.01_x{factor:g}"]["smallest_drift"]


@pytest.mark.parametrize(
    ("drift", "title"),
    [
        ("{alpha: 0.01}", "tolerance 0.1, alpha 0.01"),
        ("{p_value: 0.05}", "p at most 0.05"),
        ("{threshold: {psi: 0.2}}", "above PSI 0.2"),
        ("{false_alarms: 1 per 90d}", "alarm budget, 1 per 90d"),
    ],
)
def test_the_current_rule_may_be_any(
    project: Path, capsys: pytest.CaptureFixture[str], drift: str, title: str
) -> None:
    config = project / "monitor.yaml"
    config.write_text(config.read_text() + f"    drift: {drift}\n")
    own, *others = told(capsys, "orders")["rules"]
    assert (own["title"], own["drift"]) == (title, drift)
    assert {day(n).start.isoformat() for n in (2, 3, 4, 5)} <= {*own["alarmed"]}
    assert run(["backfill", "orders", "--json", "-"]) == 0
    checks = json.loads(capsys.readouterr().out)
    drifted = [c["window"]["start"] for c in checks if c["verdict"] == "drifted"]
    assert own["alarmed"] == drifted  # what it would have said is what it says
    assert drift not in [r["drift"] for r in others]
    assert own["smallest_drift"]["mean_shift_sd"] > 0


def test_another_budget_is_replayed_beside_the_configured_one(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config, plain = project / "monitor.yaml", (project / "monitor.yaml").read_text()

    def under(budget: str, *asked: str) -> dict[str, Any]:
        config.write_text(f"{plain}    drift: {{false_alarms: {budget}}}\n")
        return {r["rule"]: r for r in told(capsys, "orders", *asked)["rules"]}

    wide, narrow = under("1 per 10d"), under("1 per 2000d")
    both = under("1 per 2000d", "--budget", "1 per 10d")
    assert both["current"] == narrow["current"]
    assert both["current"]["title"] == "alarm budget, 1 per 2000d"
    assert both["budget"]["title"] == "alarm budget, 1 per 10d"
    assert {**both["budget"], "rule": "current"} == wide["current"]
    assert both["budget"]["smallest_drift"] != both["current"]["smallest_drift"]
    assert "budget" not in wide and "budget" not in narrow


def test_segments_are_of_the_current_rule_and_it_is_told(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = project / "monitor.yaml"
    config.write_text(config.read_text() + "    drift: {segments: [region]}\n")
    document = told(capsys, "orders")
    own, *others = document["rules"]
    assert any("region" in name and "amount" not in name for name in own["columns"])
    assert not any("region =" in name for r in others for name in r["columns"])
    assert [line for line in document["not_replayed"] if line.startswith("segments under other")]
    assert run(["backtest", "orders"]) == 0
    assert "\nnot replayed: segments under other rules" in capsys.readouterr().out


def correlated(seed: int, start: datetime, sign: float) -> pa.Table:
    """Rows whose amount follows the age, or goes against it: each column alone stays as it is."""
    table = rows(seed, 2000, start)
    age = table["age"].to_numpy()
    noise = np.random.default_rng(seed).normal(0, 3, len(age))
    return table.set_column(1, "amount", pa.array(100 + sign * (age - 48.5) + noise))


def test_drift_of_the_whole_dataset_alarms_by_the_rivals_too(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pq.write_table(
        correlated(1, FIRST_DAY - timedelta(days=30), 1.0), project / "reference.parquet"
    )
    for number in range(6):
        table = correlated(10 + number, day(number).start, -1.0 if number >= 3 else 1.0)
        pq.write_table(table, project / "data" / f"day{number}.parquet")
    found = {r["rule"]: r for r in told(capsys, "orders")["rules"]}
    for key in ("current", "tolerance_0.05", "tolerance_0.01_x2"):
        assert found[key]["columns"] == {"correlation_change": 3}, key
        assert found[key]["alarmed"] == [day(n).start.isoformat() for n in (3, 4, 5)]


def test_a_window_that_cannot_be_read_is_listed_and_no_alarm(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = told(capsys, "orders")
    (project / "data" / "day1.parquet").unlink()
    document = told(capsys, "orders")
    assert [w["start"] for w in document["not_looked_at"]] == [day(1).start.isoformat()]
    assert document["not_looked_at"][0]["reason"] == "no rows in the window"
    assert document["rules"][0]["alarmed"] == whole["rules"][0]["alarmed"]
    assert run(["backtest", "orders"]) == 0
    assert "not looked at: 2026-03-03 00:00, no rows in the window" in capsys.readouterr().out


def test_wrong_questions_are_told_and_end_with_64(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "did you mean 'orders'?" in refused(capsys, "order")
    assert "--budget: 'often' is no budget of alarms" in refused(
        capsys, "orders", "--budget", "often"
    )
    assert "'soon' is not a time" in refused(capsys, "orders", "--quiet-until", "soon")
    assert "no check of orders is stored\n  hint: `monitor backfill orders`" in refused(
        capsys, "orders", "--stored"
    )
    assert "no folder" in refused(capsys, "orders", "--html", "nosuch/page.html")
    (project / "monitor.yaml").write_text(
        "monitors:\n  quality: {production: {path: data/*.parquet, time: at}}\n"
        "  empty: {reference: reference.parquet, production: {path: none/*.parquet, time: at}}\n"
    )
    assert "monitor quality has no reference" in refused(capsys, "quality")
    assert "none/*.parquet" in refused(capsys, "empty")


# --- The page ---


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("page")
    write_project(folder)
    table = rows(99, 800, FIRST_DAY, shift=0.0)
    pq.write_table(table.append_column("<b>&", pa.array([1.5] * 800)), folder / "data/day0.parquet")
    place, config = folder / "page.html", folder / "monitor.yaml"
    arguments = ["backtest", "orders", "--budget", "1 per 90d", "--quiet-until", "2026-03-04"]
    assert run([*arguments, "--html", str(place), "--config", str(config)]) == 0
    return place.read_text()


def test_the_page_needs_nothing_and_runs_nothing(page: str) -> None:
    assert "<script" not in page and "default-src 'none'" in page
    assert not re.search(r"""(src|href)=["'](?!#|data:)""", page)
    assert "prefers-color-scheme: dark" in page and "width=device-width" in page


def test_the_page_says_it_first_and_how_to_do_it_again(page: str) -> None:
    [title] = re.findall(r"<h1>(.*?)</h1>", page, re.DOTALL)
    assert title.startswith("Over 6 days the current rule would have opened 1 episode (4 of")
    assert "<code>amount</code>" in title
    assert (
        "monitor backtest orders --budget &#39;1 per 90d&#39; --quiet-until 2026-03-04</code>"
        in page
    )


def test_the_page_has_a_strip_for_every_rule_and_column(page: str) -> None:
    rules, columns = page.count('class="rule"'), page.count('class="past"')
    assert rules >= 12 and columns == 3
    assert page.count('<svg class="heat"') == rules + columns
    strip = re.search(
        r'class="past">.*?<code>amount</code>.*?<svg class="heat"[^>]*>(.*?)</svg>', page, re.DOTALL
    )
    assert strip is not None
    assert 'class="h4"' in strip[1]  # two standard deviations are many times the tolerance
    assert re.findall(r'class="tick" d="M2 10\.7h4', strip[1])  # four alarms from the third day on


def test_the_page_tells_false_alarms_apart_and_dates_do_not_overlap(page: str) -> None:
    [section] = re.findall(r'<section id="rules".*?</section>', page, re.DOTALL)
    assert "false per 90 d" in section and "opens before Wed 4 Mar 2026" in section
    [axis] = re.findall(r'<svg class="days two">(.*?)</svg>', section)
    lines = re.findall(r'y="([\d.]+)rem" class="(\w*)">([^<]+)', axis)
    assert [(side, text) for _, side, text in lines] == [
        ("", "Mon 2 Mar 2026"),
        ("end", "Sat 7 Mar 2026"),
        ("", "drift Wed 4 Mar 2026"),
    ]
    assert lines[0][0] == lines[1][0] != lines[2][0]


def test_long_histories_show_the_worst_of_neighbouring_windows(project: Path) -> None:
    looked = [look(n, column("a", 1e-9 if n == 1234 else 1.0)) for n in range(1500)]
    with_service = Service(load_settings(project / "monitor.yaml"))
    watch, _ = with_service.briefed(with_service.settings.monitor("orders"), dry_run=True)
    done = backtest(watch, looked, Question(BUDGET, timedelta(days=1), stored=True))
    with_service.close()
    html = draw_backtest(done, zone=UTC, command="monitor backtest orders")
    assert 'viewBox="0 0 375 12.5"' in html
    assert 'class="h5" d="M308 0h1v10h-1z"' in html  # 1234 of 1500, four windows a cell
    assert len(html) < 120_000


# --- Real data ---

ONSET = datetime(2019, 3, 31, tzinfo=UTC)


@pytest.mark.skipif(
    datasets_folder() is None,
    reason="MONITOR_DATASETS names no folder of public data sets (docs/datasets.md)",
)
@pytest.mark.parametrize(
    ("before", "after", "cries"),
    [(45, 14, 8), pytest.param(1000, 1000, 20, marks=pytest.mark.slow, id="all")],
)
def test_car_loan_alarms_from_the_onset_while_classical_rules_cry_wolf(
    demo_project: Path, tmp_path: Path, before: int, after: int, cries: int
) -> None:
    (tmp_path / "data").symlink_to(demo_project / "data")  # nobody reads it
    install_project(tmp_path, datasets=True)
    settings = load_settings(tmp_path / "monitor.yaml")
    service = Service(settings.model_copy(update={"store": "memory://"}))
    daily = service.settings.monitor("car_loan")
    daily = daily.model_copy(update={"window": daily.window.parse("1d")})
    watch, reference = service.briefed(daily, dry_run=True)
    source = service.production(daily)
    begin, end = ONSET - timedelta(days=before), ONSET + timedelta(days=after)
    windows = [w for w in service.windows(daily) if begin <= w.start < end]
    looked = [look_back(watch, reference, window, source) for window in windows]
    done = backtest(watch, looked, Question(BUDGET, timedelta(days=1), ONSET))
    service.close()
    trials = {t.rule.key: t for t in done.trials}
    own, classical = trials["current"], trials["p_value_0.05"]
    assert min(w.start for w in own.alarmed) == ONSET and len(own.episodes) == 1
    assert {w.start for w in own.windows if w.start >= ONSET} == {w.start for w in own.alarmed}
    assert len(classical.alarmed) > 0.4 * len(classical.windows)
    assert len(classical.until(ONSET).episodes) > cries
    assert done.columns[0].name == "car_value"
    assert done.advice.choice is not None and not done.advice.choice.episodes
    assert "first on Sun 31 Mar 2019" in headline(done, UTC)
    assert backtest_to_json(done, UTC)["advice"]["drift"]
