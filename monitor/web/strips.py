"""The newest checks of every monitor, held in this process and kept up with the store.

1. The first look reads the newest checks of all monitors at once; that is slow with many checks.
2. Every later look takes in only what arrived since the one before.
3. Now and then everything is read again in the background: checks may have been deleted.
"""

import logging
import threading
import time
from collections.abc import Mapping, Sequence
from datetime import datetime

from monitor.archive import CheckLine, Store
from monitor.errors import MonitorError
from monitor.web.arrivals import Arrivals

log = logging.getLogger(__name__)

LENGTH = 30  # checks of a strip
READ_ANEW_S = 600.0


class Strips:
    """By monitor its newest checks, the oldest first; safe for threads."""

    def __init__(
        self, store: Store, arrivals: Arrivals | None = None, *, length: int = LENGTH
    ) -> None:
        self._store = store
        self.arrivals = arrivals or Arrivals(store)
        self._length = length
        self._turn = threading.Lock()
        self._held: dict[str, tuple[CheckLine, ...]] = {}
        self._seen: datetime | None = None  # when the last known check was stored
        self._came: list[CheckLine] = []  # since everything began to be read anew
        self._anew_at_s: float | None = None  # None: nothing was read yet
        self.arrivals.follow(self._take)

    def look(self) -> Mapping[str, tuple[CheckLine, ...]]:
        """What there is now."""
        self.arrivals.look()
        with self._turn:
            if self._anew_at_s is None:
                self._put(self._read())
            elif time.monotonic() > self._anew_at_s:
                self._anew_at_s = time.monotonic() + READ_ANEW_S
                threading.Thread(target=self._read_anew, name="strips", daemon=True).start()
            return self._held

    @property
    def seen(self) -> datetime | None:
        """When the last check that is known was stored."""
        return self._seen

    def _read_anew(self) -> None:
        with self._turn:
            self._came = []
        try:
            read = self._read()
        except MonitorError as error:
            log.warning("the newest checks were not read anew: %s", error)
            return
        with self._turn:
            self._put(read)

    def _read(self) -> dict[str, tuple[CheckLine, ...]]:
        return {
            name: tuple(lines[::-1]) for name, lines in self._store.strips(self._length).items()
        }

    def _put(self, read: dict[str, tuple[CheckLine, ...]]) -> None:
        self._anew_at_s = time.monotonic() + READ_ANEW_S
        self._held = read
        stored = [line.stored_at for lines in read.values() for line in lines]
        self._seen = max(stored, default=None)
        self._add(self._came)

    # --- What arrives ---

    def _take(self, news: Sequence[CheckLine]) -> None:
        with self._turn:
            self._came += news
            self._add(news)

    def _add(self, news: Sequence[CheckLine]) -> None:
        """A new mapping, for others may hold the one before."""
        held = dict(self._held)
        for line in news:
            self._seen = max(self._seen or line.stored_at, line.stored_at)
            if self._belongs(line, held.get(line.monitor, ())):
                held[line.monitor] = self._with(held.get(line.monitor, ()), line)
        self._held = held

    def _belongs(self, line: CheckLine, held: tuple[CheckLine, ...]) -> bool:
        """Whether it is new and among the newest; a second look at a window of long ago is not."""
        if len(held) >= self._length and line.place < held[0].place:
            return False
        return not any(h.window == line.window and h.revision >= line.revision for h in held)

    def _with(self, held: tuple[CheckLine, ...], line: CheckLine) -> tuple[CheckLine, ...]:
        others = [h for h in held if h.window != line.window]
        others.append(line)
        others.sort(key=lambda h: (h.window.start, h.window.end))
        return tuple(others[-self._length :])
