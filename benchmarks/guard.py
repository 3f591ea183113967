"""A guard for every change: is `monitor compare` as fast beside the floor as it was?

`python -m benchmarks.guard` measures a small workload and exits with 1 when the ratio to the floor
is more than 1.5 times the kept one; `--keep` keeps the present ratio instead.
"""

import argparse
import json
import statistics
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from benchmarks.contenders import Group, comparing
from benchmarks.environments import CACHE
from benchmarks.preparing import places_of
from benchmarks.rounds import Pace, measure

KEPT = Path(__file__).with_name("guard.json")
WORKLOAD = "200000x20"
ROUNDS = 3
TRIES = 3  # a slow minute of the machine is measured again before it counts as slower code
SLOWER = 1.5


def ratios(rounds: int = ROUNDS) -> list[float]:
    """Ours to the floor, pair by pair."""
    whole = comparing(WORKLOAD, peers=False)
    pair = tuple(each for each in whole.contenders if each.name in ("floor", "monitor"))
    group = Group(WORKLOAD, WORKLOAD, pair)
    with tempfile.TemporaryDirectory() as scratch:
        places = places_of(group, CACHE / "data")
        taken = measure(group, Pace(rounds), places, Path(scratch), lambda *_: None)
    if taken.failed:
        raise SystemExit("; ".join(f"{name}: {why}" for name, why in taken.failed.items()))
    return taken.ratios("monitor", "floor")


def judge(kept: float, again: Callable[[], list[float]]) -> tuple[bool, float]:
    """Whether it is fast enough, and the median ratio of all that was measured.

    A ratio that is too high is measured again, TRIES times in all, and all of it counts together.
    """
    measured: list[float] = []
    for _ in range(TRIES):
        measured += again()
        ratio = statistics.median(measured)
        if ratio <= SLOWER * kept:
            return True, ratio
    return False, ratio


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.guard", description=__doc__)
    parser.add_argument("--keep", action="store_true", help="keep the present ratio")
    if parser.parse_args().keep:
        ratio = round(statistics.median(ratios(2 * ROUNDS)), 2)
        KEPT.write_text(json.dumps({"workload": WORKLOAD, "ratio": ratio}) + "\n", "utf-8")
        print(f"kept: {ratio:.2f} times the floor on {WORKLOAD}")
        return 0
    kept = json.loads(KEPT.read_text(encoding="utf-8"))["ratio"]
    well, ratio = judge(kept, ratios)
    print(sentence(well, ratio, kept))
    return 0 if well else 1


def sentence(well: bool, ratio: float, kept: float) -> str:
    said = f"compare takes {ratio:.2f} times the floor on {WORKLOAD}; kept is {kept:.2f}"
    if well:
        return f"fast enough: {said}, and up to {SLOWER * kept:.2f} passes"
    return (
        f"slower: {said}, and only up to {SLOWER * kept:.2f} passes. Find what made it slower, "
        "or keep the new ratio with `python -m benchmarks.guard --keep` and say why"
    )


if __name__ == "__main__":
    sys.exit(main())
