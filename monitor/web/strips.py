"""The newest checks of every monitor, held in this process and kept up with the store.

1. The first look reads the newest checks of all monitors at once; that is slow with many checks.
2. Every later look reads only what was stored since the one before, with an overlap: a check is
   stamped before it is committed, so one that took long appears behind others.
3. Now and then everything is read again in the background: checks may have been deleted.
"""

import logging
import threading
import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from monitor.archive import CheckLine, Store
from monitor.errors import MonitorError
from monitor.ports import Clock

log = logging.getLogger(__name__)

LENGTH = 30  # checks of a strip
OVERLAP = timedelta(minutes=1)  # longer than any check waits for its commit, and clocks differ
READ_ANEW_S = 600.0
_AT_ONCE = 1000  # lines in one answer


class Strips:
    """By monitor its newest checks, the oldest first; safe for threads."""

    def __init__(self, store: Store, length: int = LENGTH, clock: Clock | None = None) -> None:
        """`clock` is the one by which the store stamps."""
        self._store = store
        self._length = length
        self._clock = clock or (lambda: datetime.now(UTC))
        self._looked_at: datetime | None = None
        self._lock = threading.Lock()
        self._held: dict[str, tuple[CheckLine, ...]] = {}
        self._seen: datetime | None = None  # when the last known check was stored
        self._anew_at_s = time.monotonic() + READ_ANEW_S

    def look(self) -> Mapping[str, tuple[CheckLine, ...]]:
        """What there is now."""
        with self._lock:
            before, self._looked_at = self._looked_at, self._clock()
            if self._seen is None or before is None:
                self._take(self._read())
            else:
                self._follow(before - OVERLAP)
            if time.monotonic() > self._anew_at_s:
                self._anew_at_s = time.monotonic() + READ_ANEW_S
                threading.Thread(target=self._read_anew, name="strips", daemon=True).start()
            return self._held

    @property
    def seen(self) -> datetime | None:
        """When the last check that is known was stored."""
        return self._seen

    def _read(self) -> dict[str, tuple[CheckLine, ...]]:
        return {
            name: tuple(lines[::-1]) for name, lines in self._store.strips(self._length).items()
        }

    def _take(self, read: dict[str, tuple[CheckLine, ...]]) -> None:
        stored = [line.stored_at for lines in read.values() for line in lines]
        self._seen = max(stored, default=None)
        self._held = read
        self._anew_at_s = time.monotonic() + READ_ANEW_S

    def _read_anew(self) -> None:
        looked_at = self._clock()
        try:
            read = self._read()
        except MonitorError as error:
            log.warning("the newest checks were not read anew: %s", error)
            return
        with self._lock:
            self._take(read)
            self._looked_at = looked_at

    def _follow(self, moment: datetime) -> None:
        """Take in what was stored since; a new mapping, for others may hold the one before."""
        news = self._since(moment)
        if not news:
            return
        self._seen = max(self._seen or moment, news[-1].stored_at)
        fresh = [line for line in news if self._belongs(line)]
        if not fresh:
            return
        held = dict(self._held)
        for line in fresh:
            held[line.monitor] = self._with(held.get(line.monitor, ()), line)
        self._held = held

    def _since(self, moment: datetime) -> list[CheckLine]:
        found: list[CheckLine] = []
        while True:
            page = self._store.lines_since(moment, _AT_ONCE)
            found += page
            if len(page) < _AT_ONCE or page[-1].stored_at == moment:
                return found
            moment = page[-1].stored_at

    def _belongs(self, line: CheckLine) -> bool:
        """Whether it is new and among the newest; a second look at a window of long ago is not."""
        held = self._held.get(line.monitor, ())
        if len(held) >= self._length and line.place < held[0].place:
            return False
        return not any(h.window == line.window and h.revision >= line.revision for h in held)

    def _with(self, held: tuple[CheckLine, ...], line: CheckLine) -> tuple[CheckLine, ...]:
        others = [h for h in held if h.window != line.window]
        others.append(line)
        others.sort(key=lambda h: (h.window.start, h.window.end))
        return tuple(others[-self._length :])
