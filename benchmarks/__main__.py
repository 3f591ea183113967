"""Run the benchmarks, keep their figures, write docs/performance.md.

`python -m benchmarks [--workloads W1,W2] [--peers] [--only NAME] [--rounds 5] [--slow-rounds 1]`;
`--render` only draws the page anew; `--into FOLDER` is a rehearsal that replaces nothing.
"""

import argparse
import tempfile
from collections.abc import Container, Iterable, Mapping
from functools import partial
from pathlib import Path

from benchmarks import contenders, figures
from benchmarks.contenders import DRAWN, PEERS, WORKLOADS, Group
from benchmarks.environments import CACHE
from benchmarks.page import render
from benchmarks.preparing import installed, places_of, versions_of, without
from benchmarks.rounds import Pace, Places, Taken, measure

QUICK = ("start", *DRAWN, "W1", "W2", "W4")
PEERS_RUN_ON = ("W1", "W2")  # unless --workloads says otherwise
NEEDED = {"bare", "floor", "monitor"}  # ratios are to these: they run beside whatever is asked for
SLOW_ABOVE_B = 50e6  # a side: beyond this, peers take from half a minute to minutes


def _asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--workloads", help="W1 to W4, ROWSxCOLUMNS, start, report-50, report-1000")
    parser.add_argument("--only", help="contenders, separated by commas; the others stay as kept")
    parser.add_argument("--peers", action="store_true", help="run the peers, too")
    parser.add_argument("--rounds", type=int, default=5, help="counted runs of each")
    parser.add_argument("--slow-rounds", type=int, default=1, help="those of peers on much data")
    parser.add_argument("--limit", type=float, default=3600, help="seconds a run may take")
    parser.add_argument("--render", action="store_true", help="only draw the page anew")
    parser.add_argument("--into", type=Path, help="a folder for figures and page of a rehearsal")
    asked = parser.parse_args()
    asked.only = set(asked.only.split(",")) if asked.only else set()
    asked.named = asked.workloads.split(",") if asked.workloads else []
    if strange := [name for name in asked.named if not contenders.known(name)]:
        there = ", ".join((*WORKLOADS, *DRAWN, "start", "ROWSxCOLUMNS"))
        parser.error(f"no workload is called {', '.join(strange)}; there are {there}")
    if strange := sorted(asked.only - contenders.NAMES):
        there = ", ".join(sorted(contenders.NAMES))
        parser.error(f"no contender is called {', '.join(strange)}; there are {there}")
    return asked


def main() -> None:
    asked = _asked()
    kept, page = figures.RESULTS, figures.PAGE
    if asked.into is not None:
        asked.into.mkdir(parents=True, exist_ok=True)
        kept, page = asked.into / "results.json", asked.into / "performance.md"
    try:
        if not asked.render:
            for name in asked.named or QUICK:
                _measure(name, asked, kept)
    finally:
        page.write_text(render(figures.load(kept)), encoding="utf-8")


def _measure(name: str, asked: argparse.Namespace, kept: Path) -> None:
    """One group from its files to its last round; every run is kept as soon as it is done."""
    peers_asked = asked.peers or asked.only & {peer.name for peer in PEERS}
    here = bool(asked.named) or name in PEERS_RUN_ON
    group = contenders.group_of(name, peers=bool(peers_asked) and here)
    names = {each.name for each in group.contenders}
    wanted = names & asked.only if asked.only else names
    if not wanted:
        return
    group = without(group, names - wanted - NEEDED)
    peers = installed({each.name for each in group.contenders if each.peer})
    for peer, figure in peers.items():
        figures.put("peers", peer, figure, kept)
    group = without(group, (peer for peer, figure in peers.items() if "refused" in figure))
    places = places_of(group, CACHE / "data")
    pace = Pace(asked.rounds, asked.slow_rounds, _slow(places[""], peers), asked.limit)
    versions = {each.name: versions_of(each, peers) for each in group.contenders}
    tell = partial(_tell, group, versions, wanted, kept)
    with tempfile.TemporaryDirectory() as scratch:
        measure(group, pace, places, Path(scratch), tell)


def _slow(places: Places, peers: Iterable[str]) -> frozenset[str]:
    """Those of the peers that need no warming up, and too long for many rounds."""
    much = "reference" in places and Path(places["reference"]).stat().st_size > SLOW_ABOVE_B
    return frozenset(peers if much else ())


def _tell(
    group: Group,
    versions: Mapping[str, dict[str, str]],
    wanted: Container[str],
    kept: Path,
    name: str,
    taken: Taken,
) -> None:
    """Say what a contender took, and keep its figure; what warms up is only said."""
    number = len(taken.rounds) - 1
    if name in taken.failed:
        said = taken.failed[name]
    else:
        run = taken.rounds[number][name]
        said = f"{run.wall_s:.3f} s, {run.cpu_s:.2f} s of processors, {run.peak_mb:.0f} MB"
    print(f"{group.name}, round {number or 'to warm up'}: {name:18} {said}", flush=True)
    if name in wanted and (name in taken.failed or number):
        base = group.contenders[0].name
        figures.put(group.name, name, figures.figure_of(taken, name, base, versions[name]), kept)


if __name__ == "__main__":
    main()
