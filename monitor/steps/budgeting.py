"""Step 4, first half: within an alarm budget, what this window adds to the evidence before it."""

from collections.abc import Sequence
from dataclasses import replace

from monitor.archive import Store
from monitor.core.over_time.spending import (
    Before,
    beside,
    can_judge,
    gathered_by,
    hold_back,
    spend,
    waiting,
)
from monitor.core.records import Check, ColumnResult, Notice, Window
from monitor.core.verdict import is_violated
from monitor.references import Reference
from monitor.steps.kit import HISTORY, Look, Watch
from monitor.steps.looking import watched


def within_budget(
    watch: Watch, reference: Reference | None, window: Window, look: Look, store: Store
) -> Look:
    """4. decide, at first: columns, segments and findings as the alarm budget sees them.

    Without a budget they stay as they are. Broken data is no evidence of drift, and a window that
    cannot judge adds none: both leave it as it was.
    """
    checks, rule = watch.checks_per_alarm, watch.plan.rule
    if checks is None:
        return look
    broken = is_violated(look.dataset, look.expectations) or watch.in_maintenance
    if broken or not can_judge(look.columns):
        columns = hold_back(look.columns, rule)
        return replace(
            look,
            columns=columns,
            dataset=tuple(waiting(f) for f in look.dataset),
            segments=tuple(waiting(s) for s in look.segments),
            notices=_notices(look, columns),
        )
    before = _before(watch, reference, window, store)
    columns, found = spend(look.columns, before, checks, rule)
    return replace(
        look,
        columns=columns,
        dataset=(*beside(look.dataset, found, checks), found),
        segments=beside(look.segments, found, checks),
        notices=_notices(look, columns),
    )


def _before(watch: Watch, reference: Reference | None, window: Window, store: Store) -> Before:
    """What the newest check before this window had gathered; nothing when it asked something else.

    Checks that added nothing are passed over, as many as a report shows: what was gathered before
    those is too old to count. A window that is checked late, or again, begins from the check
    before it; checks of later windows stay as they are.
    """
    end = window.start
    for _ in range(HISTORY):
        stored = store.newest_checks(watch.name, before=end, limit=1)
        if not stored or stored[0].check.window is None:
            break
        check = stored[0].check
        gathered = gathered_by(check)
        if gathered is not None:
            return gathered if _asked_the_same(check, watch, reference) else Before()
        end = stored[0].check.window.start
    return Before()


def _asked_the_same(check: Check, watch: Watch, reference: Reference | None) -> bool:
    """Evidence against another reference, or beyond another tolerance, says nothing here."""
    asked = ("rule", "tests", "compared_with")
    if any(check.setup.get(key) != watch.setup.get(key) for key in asked):
        return False
    if watch.compare_with != "reference" or reference is None or check.reference is None:
        return True
    return check.reference.version == reference.info.version


def _notices(look: Look, columns: Sequence[ColumnResult]) -> tuple[Notice, ...]:
    """The notices, with the columns to watch as they are now."""
    others = (n for n in look.notices if n.kind != "column_watch")
    return (*others, *watched(columns))
