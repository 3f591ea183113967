"""The benchmarks: the page is what the figures say, the workload is as told, the guard is fair."""

import sys
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from benchmarks import contenders, guard
from benchmarks.contenders import Contender, Group
from benchmarks.figures import PAGE, Results, figure_of, keep, load, put
from benchmarks.page import render
from benchmarks.preparing import without
from benchmarks.processes import Failed, Run, run
from benchmarks.rounds import Pace, Taken, measure
from benchmarks.workload import Layout, size_of, write_pair

ROOT = Path(__file__).parents[1]

# --- The page ---


def test_the_page_is_what_the_kept_figures_say() -> None:
    assert PAGE.read_text(encoding="utf-8") == render(load()), "run `make bench ARGS=--render`"


def taken() -> Taken:
    """A round to warm up and two that count; the peer does not warm up and runs once."""
    return Taken(
        [
            {"floor": Run(9.0, 9.0, 90.0), "monitor": Run(9.0, 9.0, 90.0)},
            {
                "floor": Run(1.0, 1.5, 100.0),
                "monitor": Run(2.0, 3.0, 200.0, 80.0),
                "frouros": Run(30.0, 31.0, 1500.0),
            },
            {"floor": Run(2.0, 2.5, 110.0), "monitor": Run(3.0, 4.0, 210.0, 80.0)},
        ],
        {"whylogs": "ended by signal 9"},
    )


def kept() -> Results:
    versions = {"python": "3.11.7"}
    names = ("floor", "monitor", "frouros", "whylogs")
    return {"W1": {name: figure_of(taken(), name, "floor", versions) for name in names}}


def test_a_figure_is_the_median_and_its_ratio_is_taken_pair_by_pair() -> None:
    ours = kept()["W1"]["monitor"]
    assert ours["runs"] == 2
    assert ours["wall_s"] == [2.5, 2.0, 3.0]
    assert ours["over_base"] == [1.75, 1.5, 2.0]  # not 2.5 / 1.5
    assert kept()["W1"]["frouros"]["over_ours"] == [15.0, 15.0, 15.0]


def test_the_page_shows_what_was_measured_and_nothing_else() -> None:
    page = render(kept())
    assert "- **W1**: 2.5 s, 1.75 × the floor, at most 210 MB of memory; the quickest peer" in page
    assert "| frouros | 30.0 s |  | 31.0 s | 30.0 × | 15.0 × | 1.5 GB |  | 1 |" in page
    assert "- whylogs: ended by signal 9" in page
    assert "## W2" not in page
    assert page.count("*Not measured yet.*") == 3  # start, reports, peers


def test_a_peer_that_cannot_be_installed_is_told_with_the_reason() -> None:
    refused = {"refused": "no version for this Python", "versions": {"python": "3.14.0"}}
    page = render({"peers": {"tfdv": refused}})
    assert "- TensorFlow Data Validation (Python 3.14.0): no version for this Python" in page


def test_kept_figures_are_read_as_written_and_one_replaces_one(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    assert load(path) == {}
    keep(kept(), path)
    assert load(path) == kept()
    put("W1", "floor", {"failed": "x"}, path)
    assert load(path)["W1"] == {**kept()["W1"], "floor": {"failed": "x"}}
    assert [each.name for each in tmp_path.iterdir()] == ["x.json"]


# --- The workload ---


def test_the_same_name_gives_the_same_files(tmp_path: Path) -> None:
    first, again = write_pair(tmp_path / "a", "500x20"), write_pair(tmp_path / "b", "500x20")
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in again]
    assert [path.name for path in first] == ["500x20_ref.parquet", "500x20_cur.parquet"]


def test_the_workload_is_as_described(tmp_path: Path) -> None:
    before, now = map(pq.read_table, write_pair(tmp_path, "4000x20"))
    assert before.schema == now.schema
    assert (before.num_rows, before.num_columns) == (4000, 20)
    kinds = [before.schema.types.count(kind) for kind in (pa.float64(), pa.int64(), pa.string())]
    assert kinds == [14, 3, 3]
    assert 0.01 < before["f000"].null_count / 4000 < 0.03
    assert 0.35 < pc.mean(pc.equal(before["f002"], 0.0)).as_py() < 0.45
    assert len(before["c000"].unique()) == 5
    assert len(before["id"].unique()) == 4000
    for drifted, calm in (("f000", "f003"), ("i000", "i001")):
        moved, still = (
            (pc.mean(now[name]).as_py() - pc.mean(before[name]).as_py())
            / pc.stddev(before[name]).as_py()
            for name in (drifted, calm)
        )
        assert moved > 0.07 > abs(still)


def test_all_row_groups_together_are_the_rows_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("benchmarks.workload.ROW_GROUP", 300)
    reference, _ = write_pair(tmp_path, "700x8")
    found = pq.ParquetFile(reference).metadata
    assert [found.row_group(i).num_rows for i in range(found.num_row_groups)] == [300, 300, 100]


@pytest.mark.parametrize("columns", [4, 10, 30, 50, 1000])
def test_the_kinds_of_columns_add_up(columns: int) -> None:
    assert len(Layout.of(columns).schema()) == columns


def test_a_name_that_is_no_workload_is_refused() -> None:
    with pytest.raises(ValueError, match="W1, W2, W3, W4 and ROWSxCOLUMNS"):
        size_of("W9")


# --- Runs ---


def test_a_run_is_a_whole_process() -> None:
    taken, printed = run([sys.executable, "-c", "x = bytearray(80_000_000); print(len(x))"])
    assert printed == "80000000\n"
    assert taken.peak_mb > 80
    assert taken.cpu_s > 0
    assert taken.wall_s > 0


def test_a_process_that_fails_says_why() -> None:
    with pytest.raises(Failed, match="exit code 1: ValueError: no …"):
        run([sys.executable, "-c", "raise ValueError('no /home/me/file')"])
    with pytest.raises(Failed, match="did not end within 0 minutes"):
        run([sys.executable, "-c", "import time; time.sleep(60)"], limit_s=0.2)


def test_contenders_take_turns(tmp_path: Path) -> None:
    group = Group(
        "x",
        None,
        (
            Contender("a", ("{python}", "-c", "open(r'{out}/page.html', 'w').write('x' * 500)")),
            Contender("b", ("{python}", "-c", "pass")),
            Contender("bad", ("{python}", "-c", "raise SystemExit(7)")),
        ),
    )
    told: list[str] = []
    pace = Pace(rounds=2, slow_rounds=1, slow=frozenset({"b"}))
    found = measure(
        group, pace, {"": {"python": sys.executable}}, tmp_path, lambda name, _: told.append(name)
    )
    assert told == ["a", "bad", "a", "b", "a"]
    assert [len(found.counted(name)) for name in ("a", "b", "bad")] == [2, 1, 0]
    assert found.counted("a")[0].page_kb == 0.5
    assert list(found.failed) == ["bad"]


def test_the_floor_and_ours_run(tmp_path: Path) -> None:
    reference, current = map(str, write_pair(tmp_path, "300x6"))
    places = {"python": sys.executable, "reference": reference, "current": current}
    group = without(contenders.comparing("300x6", peers=False), ["monitor-with-id"])
    found = measure(group, Pace(rounds=0), {"": places}, tmp_path, lambda *_: None)
    assert found.failed == {}
    assert found.rounds[0].keys() >= {"floor", "monitor"}
    assert found.rounds[0]["monitor"].page_kb


def test_every_peer_has_its_script_and_pinned_packages() -> None:
    for peer in contenders.PEERS:
        folder = ROOT / "benchmarks" / "peers" / peer.folder
        assert (folder / "run.py").exists()
        lines = (folder / "requirements.txt").read_text(encoding="utf-8").splitlines()
        pins = [line for line in lines if not line.startswith("#")]
        assert all("==" in pin and "/" not in pin for pin in pins)
        assert any(pin.partition("==")[0].partition("[")[0] == peer.package for pin in pins)


# --- The guard ---


def answers(*rounds: list[float]) -> Callable[[], list[float]]:
    left = iter(rounds)
    return lambda: next(left)


def test_a_ratio_near_the_kept_one_passes_at_once() -> None:
    assert guard.judge(2.0, answers([2.0, 2.9, 9.0])) == (True, 2.9)


def test_a_slow_minute_is_measured_again() -> None:
    slow, well = [5.0, 5.0, 5.0], [2.0, 2.0, 2.0]
    assert guard.judge(2.0, answers(slow, well, well)) == (True, 2.0)


def test_slower_code_fails_with_a_clear_sentence() -> None:
    well, ratio = guard.judge(2.0, answers(*[[3.2, 3.1, 3.3]] * guard.TRIES))
    assert (well, ratio) == (False, 3.2)
    said = guard.sentence(well, ratio, 2.0)
    assert said.startswith("slower: compare takes 3.20 times the floor on 200000x20")
    assert "only up to 3.00 passes" in said
