"""Step 4, before anything is told: whether somebody asked for silence; the check says so."""

from dataclasses import replace
from datetime import datetime

from monitor.core import words
from monitor.core.people import Silence, SilenceKind
from monitor.core.records import Notice, Window
from monitor.steps.kit import Look, Tools, Watch


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
    return Notice("maintenance", f"maintenance from {since} to {until} {by}; nothing follows")
