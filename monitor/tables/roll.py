"""The files of a dataset as one pass saw them: their columns, and which of them hold nothing."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise

from monitor.tables.gate import Extent, Gate
from monitor.tables.times import EARLIEST_US, LATEST_US


@dataclass(slots=True, eq=False)
class Seen:
    """One file, as far as it was looked at."""

    name: str
    extent: Extent
    columns: dict[str, None] = field(default_factory=dict)
    rows: int = 0  # that came in
    blank: str = ""  # why it does not even say which columns it has

    def has(self, names: Iterable[str]) -> None:
        self.columns.update(dict.fromkeys(names))

    @property
    def rowless(self) -> bool:
        """It says which columns it has, and holds no row."""
        return bool(self.columns) and not self.extent.rows and not self.rows


class Roll:
    """The files of one pass, in name order."""

    def __init__(self) -> None:
        self.files: list[Seen] = []

    def begin(self, name: str, extent: Extent) -> Seen:
        self.files.append(Seen(name, extent))
        return self.files[-1]

    def columns(self) -> dict[str, None]:
        """All that any file has, in the order in which they were seen."""
        return {name: None for seen in self.files for name in seen.columns}

    def layouts(self, *, filled: bool) -> dict[str, tuple[str, ...]]:
        """The columns of each file, or of those alone of which rows came in."""
        alike: dict[tuple[str, ...], tuple[str, ...]] = {}  # most files have the same: held once
        found = {}
        for seen in self.files:
            if seen.columns and (seen.rows or not filled):
                names = tuple(seen.columns)
                found[seen.name] = alike.setdefault(names, names)
        return found

    def of_window(self, gate: Gate) -> list[Seen]:
        """Files without rows in which those of the window could have been.

        Most often names follow time, as `2026-03-07.csv` does; a file without rows then stands for
        the time between its neighbours. Where names do not follow time it may stand for any.
        """
        hollow = [n for n, seen in enumerate(self.files) if seen.blank or seen.rowless]
        if not hollow:
            return []
        times = [seen.extent.times_us for seen in self.files]
        known = [span for span in times if span is not None]
        in_order = all(one[1] <= later[0] for one, later in pairwise(known))
        highs, lows = ([span[end] if span else None for span in times] for end in (1, 0))
        before = [*_running(max, EARLIEST_US, highs)]
        after = [*_running(min, LATEST_US, reversed(lows))][::-1]
        return [
            self.files[number]
            for number in hollow
            if not in_order or gate.meets(before[number], after[number])
        ]


def _running(
    pick: Callable[[int, int], int], start_us: int, times_us: Iterable[int | None]
) -> Iterator[int]:
    """For each file the extreme of the times of those that came before it."""
    extreme = start_us
    for time_us in times_us:
        yield extreme
        extreme = extreme if time_us is None else pick(extreme, time_us)
