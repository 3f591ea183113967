"""Which windows a command is about: the latest complete one, the one of a time, all of a range."""

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from monitor.errors import AskedWrongly, PathNotFound

if TYPE_CHECKING:
    from monitor.core.records import Window
    from monitor.settings import MonitorSettings
    from monitor.wiring import Service

_INSTANT = timedelta(microseconds=1)


def window_of(
    settings: "MonitorSettings", at: str | None, now: datetime, *, early: bool
) -> "Window":
    """The window asked for; one that is not complete is refused, since its verdict would stand."""
    from monitor.core.windows import latest_complete, window_at

    lateness = settings.lateness.duration
    if at is None:
        return latest_complete(now, settings.window, settings.timezone, lateness, settings.step)
    window = window_at(_time(at, settings), settings.window, settings.timezone, settings.step)
    complete = window.end + lateness
    if complete > now and not early:
        local = f"{complete.astimezone(settings.timezone):%Y-%m-%d %H:%M} {settings.timezone}"
        raise AskedWrongly(
            f"the window of {at} is complete at {local}, not yet",
            hint="--dry-run looks at what is there without storing it",
        )
    return window


def windows_of(
    service: "Service", settings: "MonitorSettings", start: str | None, end: str | None
) -> "list[Window]":
    """Every complete window of a range, oldest first; by default from the first row to the last."""
    from monitor.core.windows import windows_from

    first = _time(start, settings) if start is not None else None
    last = _time(end, settings) if end is not None else None
    if first is None or last is None:
        rows = _rows(service, settings)
        first = rows.start if first is None else first
        last = _end_of_last(settings, rows) if last is None else last
    if first >= last:
        begin = "--from" if start is not None else "the first row is of"
        until = "--to" if end is not None else "the end of the last window,"
        raise AskedWrongly(
            f"{begin} {_local(first, settings)}, which is not before {until} "
            f"{_local(last, settings)}"
        )
    latest = min(last, service.clock() - settings.lateness.duration)
    return list(windows_from(first, latest, settings.window, settings.timezone, settings.step))


def told(window: "Window", settings: "MonitorSettings") -> str:
    """When a window begins in the monitor's time zone: `2026-03-01`, or `2026-03-01 10:00`."""
    start = window.start.astimezone(settings.timezone)
    return f"{start:%Y-%m-%d}" if settings.window.unit not in "smh" else f"{start:%Y-%m-%d %H:%M}"


def _rows(service: "Service", settings: "MonitorSettings") -> "Window":
    span = service.production(settings).span()
    if span is None:
        raise PathNotFound(
            f"monitor {settings.name} has no production rows: {settings.production.path}"
        )
    return span


def _end_of_last(settings: "MonitorSettings", rows: "Window") -> datetime:
    """The end of the window that holds the last row."""
    from monitor.core.windows import window_at

    return window_at(rows.end - _INSTANT, settings.window, settings.timezone, settings.step).end


def _local(moment: datetime, settings: "MonitorSettings") -> str:
    return f"{moment.astimezone(settings.timezone):%Y-%m-%d %H:%M}"


def _time(text: str, settings: "MonitorSettings") -> datetime:
    from monitor.configuration.fields import parse_time

    try:
        return parse_time(text, settings.timezone)
    except ValueError:
        raise AskedWrongly(
            f"{text!r} is not a time", hint="write 2026-03-01 or 2026-03-01T12:00+01:00"
        ) from None
