"""docs/reliability.md is what the kept figures say, and the figures are what is promised."""

from pathlib import Path

from benchmarks.faults import pages
from benchmarks.faults.page import PAGE, RESULTS, render
from benchmarks.figures import load
from monitor.claiming import Lease
from monitor.delivery import LEASE_S
from monitor.posting import TOTAL_S


def test_the_page_is_what_the_kept_figures_say() -> None:
    told = PAGE.read_text(encoding="utf-8")
    assert told == render(load(RESULTS)), "run `make bench-faults ARGS=--render`"


def test_the_kept_figures_keep_the_promises() -> None:
    kept = load(RESULTS)["faults"]
    for name, figure in kept.items():
        for what in ("wrong", "missed", "lost", "half"):
            assert figure.get(what, 0) == 0, (name, what)
        if "stored" in figure:
            assert figure["stored"] == figure["alerts"] == figure["windows"], name
        if name.startswith("race") and not figure["kills"]:
            assert (figure["looked_at_again"], figure["alerts_again"]) == (0, 0), name
    idle = kept["idle"]
    assert idle["core_share"] <= 0.01 and idle["memory_mb"] <= 300
    for name in ("pages_sqlite", "pages_postgresql"):
        for route, figure in kept[name]["routes"].items():
            assert figure["p95_ms"] <= 200, (name, route)


def test_the_numbers_in_the_prose_are_those_of_the_code() -> None:
    page = render({})
    lease = Lease()
    assert f"for {lease.holds_s:g} seconds" in page
    assert f"every {lease.renewed_s:g} seconds" in page
    assert f"claimed for {LEASE_S:g} seconds" in page and LEASE_S == 8 * TOTAL_S
    assert lease.holds_s + lease.renewed_s <= 90
    assert "*Not measured yet.*" in page


def test_every_route_whose_time_is_taken_answers(tmp_path: Path) -> None:
    """The experiment itself, at a size that says nothing of speed."""
    found = pages.pages(tmp_path, "sqlite:///monitor.db", monitors=40, checks=40, times=2)
    assert (found["monitors"], found["checks"]) == (40, 1600)
    assert list(found["routes"]) == list(pages.ROUTES)
    assert all(0 < f["median_ms"] <= f["p95_ms"] for f in found["routes"].values())
