"""The files of a dataset as one pass saw them: their columns, and which of them hold nothing."""

from collections.abc import Iterable, Iterator
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
        bounds = [(number, *times) for number, times in self._times()]
        in_order = all(one[2] <= later[1] for one, later in pairwise(bounds))
        found = []
        for number, seen in enumerate(self.files):
            before = [high for n, _, high in bounds if n < number]
            after = [low for n, low, _ in bounds if n > number]
            low, high = max(before, default=EARLIEST_US), min(after, default=LATEST_US)
            hollow = seen.blank or seen.rowless
            if hollow and (not in_order or gate.meets(low, high)):
                found.append(seen)
        return found

    def _times(self) -> Iterator[tuple[int, tuple[int, int]]]:
        for number, seen in enumerate(self.files):
            if seen.extent.times_us is not None:
                yield number, seen.extent.times_us
