"""What is stored grows old: each kind is forgotten at its age, a little at a time."""

import logging
from collections.abc import Callable
from datetime import datetime

from monitor.archive import Store
from monitor.configuration.keeping import RetentionSettings
from monitor.ports import Reports

log = logging.getLogger(__name__)

# In this order: a check goes after its report, so that no page is left that nothing leads to.
KINDS = ("reports", "checks", "documents", "summaries", "messages", "audit")
AT_ONCE = 200  # rows of one transaction: whoever else writes waits some milliseconds


def too_old(settings: RetentionSettings, now: datetime) -> dict[str, datetime]:
    """By kind, the moment before which it is forgotten; without what is kept for ever."""
    ages = {kind: getattr(settings, kind) for kind in KINDS}
    return {kind: now - age.duration for kind, age in ages.items() if age is not None}


def count_old(store: Store, limits: dict[str, datetime]) -> dict[str, int]:
    """How many of each kind `forget` would forget, one kind by itself."""
    return {kind: store.count_old(kind, before) for kind, before in limits.items()}


def forget(
    store: Store,
    reports: Reports,
    limits: dict[str, datetime],
    go_on: Callable[[], bool] = lambda: True,
) -> dict[str, int]:
    """Forget what is too old; how many of each kind. Stops between two steps when told to."""
    gone = dict.fromkeys(("reports", *limits), 0)
    for kind, before in limits.items():
        if kind in ("reports", "checks"):
            gone["reports"] += _forget_reports(store, reports, before, go_on)
        while kind != "reports" and go_on() and (n := store.forget_old(kind, before, AT_ONCE)):
            gone[kind] += n
    if any(gone.values()):
        store.compact()
        log.info("forgot %s", " ".join(f"{kind}={count}" for kind, count in gone.items()))
    return gone


def _forget_reports(
    store: Store, reports: Reports, before: datetime, go_on: Callable[[], bool]
) -> int:
    """The page first: whoever dies between the two finds the check again, and nothing lost."""
    gone = 0
    while go_on() and (found := store.old_reports(before, AT_ONCE)):
        for _, name in found:
            reports.remove(name)
        store.forget_reports([check_id for check_id, _ in found])
        gone += len(found)
    return gone
