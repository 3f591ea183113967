"""Step 4, before anything is told: whether somebody asked for silence; the check says so."""

from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING

from monitor.core import words
from monitor.core.people import Silence, SilenceKind
from monitor.core.records import Check, Notice, Window
from monitor.steps.kit import Look, Tools, Watch

if TYPE_CHECKING:
    from monitor.archive import Store

MAINTENANCE = "maintenance"  # the kind of the notice


def with_silences(watch: Watch, window: Window, look: Look, tools: Tools) -> tuple[Watch, Look]:
    """The monitor as silences leave it: muted now, or its window under maintenance."""
    now = tools.clock()
    known = tools.store.silences(since=min(window.start, now))
    kept = [s for s in known if _holds(s, watch.name, window, now)]
    kinds = {s.kind for s in kept}
    notices = tuple(_notice(s, watch) for s in kept)
    quiet = replace(
        watch,
        muted=SilenceKind.MUTE in kinds,
        in_maintenance=SilenceKind.MAINTENANCE in kinds,
    )
    return quiet, replace(look, notices=(*look.notices, *notices))


def under_maintenance(monitor: str, store: "Store", window: Window) -> bool:
    """Whether the data of a window are said not to be normal."""
    known = store.silences(since=window.start)
    return any(s.kind is SilenceKind.MAINTENANCE and s.touches(monitor, window) for s in known)


def was_maintained(check: Check) -> bool:
    """Whether a check says that its window was under maintenance when it was made."""
    return any(notice.kind == MAINTENANCE for notice in check.notices)


def _holds(silence: Silence, monitor: str, window: Window, now: datetime) -> bool:
    if silence.kind is SilenceKind.MUTE:
        return silence.covers(monitor, now)
    return silence.touches(monitor, window)


def _notice(silence: Silence, watch: Watch) -> Notice:
    until = words.day_and_time(silence.until, watch.timezone)
    by = f"by {silence.who}: {silence.why}"
    if silence.kind is SilenceKind.MUTE:
        return Notice("muted", f"alerts are muted until {until} {by}")
    since = words.day_and_time(silence.start, watch.timezone)
    return Notice(MAINTENANCE, f"maintenance from {since} to {until} {by}; nothing follows")
