"""A reference that was frozen into a file: it stands for all rows, of which it holds a draw."""

from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path
from threading import Lock

from monitor.configuration.datasets import SourceSettings
from monitor.core.records import Window
from monitor.core.time_columns import times_among
from monitor.errors import AskedWrongly
from monitor.ports import Sample, Source
from monitor.tables.addresses import place_of
from monitor.tables.frozen import Frozen, read_frozen
from monitor.tables.places import State
from monitor.tables.times import row_times


def make(settings: SourceSettings, root: Path) -> Source:
    return FrozenSource(settings, root)


class FrozenSource:
    """Read once, and again when the file was replaced; it has no time to tell."""

    def __init__(self, settings: SourceSettings, root: Path) -> None:
        self._settings = settings
        self._place = place_of(settings.path, root, settings.storage)
        self._state: State | None = None
        self._known: Frozen | None = None
        self._reading = Lock()  # version and rows may be asked for side by side

    def read(
        self,
        window: Window | None = None,
        *,
        columns: Sequence[str] | None = None,
        limit: int | None = None,
        seed: int = 0,
    ) -> Sample:
        """The whole reference: it is cut down already, so `limit` and `seed` do not count.

        AskedWrongly for a window: a summary does not tell when.
        """
        if window is not None:
            raise AskedWrongly(
                f"{self._place} is a frozen reference and has no windows",
                hint="give the files of the new data themselves",
            )
        sample = self._frozen().sample()
        kept = columns if columns is not None else sample.columns
        named = {n: c for n, c in sample.columns.items() if n in kept}
        times = row_times(sample.table, self._settings.time, self._settings.timezone)
        return replace(sample, columns=named, times=times)

    def columns(self, sought: Collection[str] = ()) -> list[str]:
        return list(self._frozen().pictures)

    def times(self, named: str | None = None) -> list[str]:
        return times_among(self._frozen().sample().columns)

    def fingerprint(self) -> str:
        """That of the data it was made of, and of the kinds and columns that were asked for."""
        return self._frozen().version

    def span(self) -> Window | None:
        return None

    def _frozen(self) -> Frozen:
        with self._reading:
            state = self._place.state_now()
            if self._known is None or state is None or state != self._state:
                try:
                    self._known, self._state = read_frozen(self._place), state
                except FileNotFoundError:
                    raise self._place.missing() from None
            return self._known
