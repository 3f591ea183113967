"""Which windows a command is about: the latest complete one, the one of a time, all of a range."""

from datetime import datetime, tzinfo
from typing import TYPE_CHECKING

from monitor.errors import AskedWrongly

if TYPE_CHECKING:
    from monitor.core.records import Window
    from monitor.service import Service
    from monitor.settings import MonitorSettings


def window_of(
    settings: "MonitorSettings", at: str | None, now: datetime, *, early: bool
) -> "Window":
    """The window asked for; one that is not complete is refused, since its verdict would stand."""
    from monitor.core.windows import latest_complete, window_at

    lateness = settings.lateness.duration
    if at is None:
        return latest_complete(now, settings.window, settings.timezone, lateness, settings.step)
    window = window_at(
        moment(at, settings.timezone), settings.window, settings.timezone, settings.step
    )
    complete = window.end + lateness
    if complete > now and not early:
        local = f"{complete.astimezone(settings.timezone):%Y-%m-%d %H:%M} {settings.timezone}"
        told = f"the window of {at} is complete at {local}, not yet"
        if window.start > now:
            raise AskedWrongly(told, hint="without --at the latest complete window is checked")
        raise AskedWrongly(told, hint="--dry-run looks at what is there without storing it")
    return window


def windows_of(
    service: "Service", settings: "MonitorSettings", start: str | None, end: str | None
) -> "list[Window]":
    """Every complete window of a range, oldest first; by default from the first row to the last."""
    return service.windows(settings, moment_of(start, settings), moment_of(end, settings))


def told(window: "Window", settings: "MonitorSettings") -> str:
    """When a window begins in the monitor's time zone: `2026-03-01`, or `2026-03-01 10:00`."""
    start = window.start.astimezone(settings.timezone)
    return f"{start:%Y-%m-%d}" if settings.window.unit not in "smh" else f"{start:%Y-%m-%d %H:%M}"


def moment_of(text: str | None, settings: "MonitorSettings") -> datetime | None:
    """A time as asked for, in the monitor's time zone when it names none; None stays None."""
    return None if text is None else moment(text, settings.timezone)


def moment(text: str, zone: tzinfo) -> datetime:
    """A time as somebody types it."""
    from monitor.configuration.fields import parse_time

    try:
        return parse_time(text, zone)
    except ValueError:
        raise AskedWrongly(
            f"{text!r} is not a time", hint="write 2026-03-01 or 2026-03-01T12:00+01:00"
        ) from None
