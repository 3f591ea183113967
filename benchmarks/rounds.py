"""Contenders take turns, A B C A B C, so that a slow minute of the machine meets all of them."""

import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from benchmarks.contenders import Contender, Group
from benchmarks.processes import Failed, Run, run

Places = dict[str, str]
Round = dict[str, Run]


@dataclass
class Taken:
    """What a group has taken so far; round 0 warms up and counts for nothing."""

    rounds: list[Round] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)

    def counted(self, name: str) -> list[Run]:
        return [each[name] for each in self.rounds[1:] if name in each]

    def ratios(self, name: str, base: str) -> list[float]:
        """Wall time to that of `base`, pair by pair of one round."""
        both = [each for each in self.rounds[1:] if {name, base} <= each.keys()]
        return [each[name].wall_s / each[base].wall_s for each in both]


@dataclass(frozen=True)
class Pace:
    """How often each runs: `slow` are those that take minutes, and need no warming up."""

    rounds: int = 5
    slow_rounds: int = 1
    slow: frozenset[str] = frozenset()
    limit_s: float = 3600.0

    def runs(self, name: str, number: int) -> bool:
        if name in self.slow:
            return 1 <= number <= self.slow_rounds
        return number <= self.rounds

    @property
    def last(self) -> int:
        return max(self.rounds, self.slow_rounds if self.slow else 0)


def measure(
    group: Group,
    pace: Pace,
    places: Mapping[str, Places],
    scratch: Path,
    tell: Callable[[str, Taken], None],
) -> Taken:
    """Run all rounds; `tell` hears of every contender as soon as it has run or failed.

    `places` gives the arguments' places by the environment a contender needs; `scratch` is an
    empty folder.
    """
    taken = Taken()
    for number in range(pace.last + 1):
        taken.rounds.append({})
        for contender in group.contenders:
            if contender.name in taken.failed or not pace.runs(contender.name, number):
                continue
            here = _folder(scratch, contender, places[contender.peer])
            try:
                if contender.before and number == 0:
                    run(contender.command(contender.before, here), limit_s=pace.limit_s)
                taken.rounds[-1][contender.name] = _once(contender, here, pace.limit_s)
            except Failed as failure:
                taken.failed[contender.name] = str(failure)
            tell(contender.name, taken)
    return taken


def _folder(scratch: Path, contender: Contender, places: Places) -> Places:
    """The places of one run: an empty folder for what it writes, and what it froze before."""
    out, frozen = scratch / contender.name, scratch / f"{contender.name}.reference"
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    return {**places, "out": str(out), "frozen": str(frozen)}


def _once(contender: Contender, places: Places, limit_s: float) -> Run:
    command = contender.command(contender.arguments, places)
    taken, printed = run(command, fine=contender.fine, limit_s=limit_s)
    if contender.inside:
        return replace(taken, **json.loads(printed))
    return replace(taken, page_kb=_pages_kb(Path(places["out"])))


def _pages_kb(folder: Path) -> float | None:
    sizes: Sequence[int] = [page.stat().st_size for page in folder.glob("*.html")]
    return sum(sizes) / 1000 if sizes else None
