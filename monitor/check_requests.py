"""Windows that people want looked at, again when they were before; served by any scheduler."""

import logging
from collections.abc import Callable, Container
from typing import Any

from monitor.archive import Store
from monitor.claiming import Claimant
from monitor.core.people import CheckRequest
from monitor.core.records import Window
from monitor.errors import one_line
from monitor.ports import Clock

log = logging.getLogger(__name__)


class CheckRequests:
    """Takes what was asked for from the store to `run(name, window, again)`, one at a time."""

    def __init__(
        self,
        monitors: Container[str],
        store: Store,
        run: Callable[[str, Window, bool], Any],
        clock: Clock,
        claimant: Claimant,
    ) -> None:
        self._monitors = monitors
        self._store = store
        self._run = run
        self._clock = clock
        self._claimant = claimant

    def pending(self) -> bool:
        return bool(self._store.oldest_check_requests(state="pending", limit=1))

    def serve_one(self) -> bool:
        """Serve the oldest that nobody has claimed; False when there is none."""
        now = self._clock()
        request = self._store.claim_check_request(now, now + self._claimant.lease.holds)
        if request is None:
            return False
        with self._claimant.holding(request.monitor, request.window) as ours:
            if ours and self._is_wanted(request):
                self._serve(request)
        return True

    def _is_wanted(self, request: CheckRequest) -> bool:
        """Whoever had the window until now may have settled it."""
        now = self._store.get_check_request(request.id)
        return now is not None and now.state == "pending"

    def _serve(self, request: CheckRequest) -> None:
        """Look and say what came of it; of a process that looked and died before it said so, the
        check it stored is what came of it."""
        done, error = self._made_since(request), ""
        if done is None:
            done, error = self._look(request)
        self._store.settle_check_request(request.id, check=done, error=error)

    def _made_since(self, request: CheckRequest) -> str | None:
        found = self._store.find_check(request.monitor, request.window)
        made_at = None if found is None else found.check.made_at
        late = made_at is not None and made_at >= request.requested_at
        return found.check.id if found is not None and late else None

    def _look(self, request: CheckRequest) -> tuple[str | None, str]:
        """The check that was made, or why none was."""
        name, window = request.monitor, request.window
        if name not in self._monitors:
            return None, f"there is no monitor {name} any more"
        told = f"monitor={name} start={window.start.isoformat()} request={request.id}"
        try:
            again = self._store.find_check(name, window) is not None
            log.info("checked %s result=%s", told, self._run(name, window, again))
        except Exception as error:
            log.warning("failed %s error=%r", told, one_line(error))
            return None, one_line(error)
        found = self._store.find_check(name, window)
        return (None, "nothing was stored") if found is None else (found.check.id, "")
