"""Checks as they are stored, by whichever process: each is told once to everybody who follows.

What arrives is read with an overlap: a check is stamped before it is committed, so one that took
long appears behind others; and the clocks of processes differ.
"""

import logging
import threading
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

from monitor.archive import CheckLine, Store
from monitor.ports import Clock

log = logging.getLogger(__name__)

OVERLAP = timedelta(minutes=1)  # longer than any check waits for its commit, and clocks differ
_AT_ONCE = 1000  # lines in one answer

Take = Callable[[Sequence[CheckLine]], None]


class Arrivals:
    """Follows a store; safe for threads."""

    def __init__(self, store: Store, clock: Clock | None = None) -> None:
        """`clock` is the one by which the store stamps."""
        self._store = store
        self._clock = clock or (lambda: datetime.now(UTC))
        self._looked_at: datetime | None = None
        self._known: set[str] = set()  # what was told and will be read once more
        self._followers: list[Take] = []
        self._turn = threading.RLock()

    def follow(self, take: Take) -> None:
        """From now on `take` is told what arrives, in the order in which it was stored."""
        with self._turn:
            self._followers.append(take)

    def look(self) -> None:
        """Tell what was stored since the last look; what was there before the first one is old."""
        with self._turn:
            before, now = self._looked_at, self._clock()
            lines = self._since((before or now) - OVERLAP)
            news = [line for line in lines if line.id not in self._known]
            self._known = {line.id for line in lines if line.stored_at >= now - OVERLAP}
            self._looked_at = now
            if before is not None and news:
                self._tell(news)

    def _tell(self, news: Sequence[CheckLine]) -> None:
        """What one of them fails at is told in the log, and to none of the others."""
        for take in self._followers:
            try:
                take(news)
            except Exception:
                log.exception("checks that arrived were not taken in count=%d", len(news))

    def _since(self, moment: datetime) -> list[CheckLine]:
        found: list[CheckLine] = []
        after = ""
        while True:
            lines = self._store.lines_since(moment, _AT_ONCE, after=after)
            found += lines
            if len(lines) < _AT_ONCE:
                return found
            moment, after = lines[-1].stored_at, lines[-1].id
