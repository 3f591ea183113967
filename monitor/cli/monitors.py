"""`check`, `backfill`, `report`, `retrain`: the work on configured monitors."""

import os
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from monitor.cli.comparing import tell
from monitor.cli.options import DEFAULT_CONFIG, ConfigPath, ExitZero, JsonTo, Names, Verbose
from monitor.cli.output import Output, write_file
from monitor.errors import AskedWrongly, PathNotFound

if TYPE_CHECKING:
    from collections.abc import Iterator

    from monitor.core.records import Window
    from monitor.ports import StoredCheck
    from monitor.settings import MonitorSettings
    from monitor.wiring import Service

Again = Annotated[bool, typer.Option("--again", help="Look anew at windows that are stored.")]
DELIVER_S = 5.0  # how long a command waits for its alerts; the outbox keeps what is left


def register(app: typer.Typer) -> None:
    app.command("check")(check)
    app.command("backfill")(backfill)
    app.command("report")(report)
    app.command("retrain")(retrain)


def check(
    name: Names,
    at: Annotated[
        str | None, typer.Option(metavar="TIME", help="The window that contains this time.")
    ] = None,
    again: Again = False,
    dry_run: Annotated[bool, typer.Option(help="Store and send nothing.")] = False,
    json_to: JsonTo = None,
    exit_zero: ExitZero = False,
    config: ConfigPath = DEFAULT_CONFIG,
    verbose: Verbose = False,
) -> int:
    """Check one window of monitor NAME: the latest complete one, or the one that contains TIME.

    A window that is stored answers with its stored result. Exit codes: 0 passed, 1 drifted,
    2 violated, 3 undecided, 64 asked wrongly, 70 a fault.
    """
    out = Output(json_to, verbose)
    from monitor.api import EXIT_CODES
    from monitor.core.wire import check_to_json

    with open_configured(config) as service:
        settings = service.settings.monitor(name)
        window = _window(settings, at, service.clock(), early=dry_run)
        stored = service.check(name, window, again=again, dry_run=dry_run)
        if not dry_run:
            service.delivery().drain(DELIVER_S)
        tell(out, stored.check)
        if stored.report and not dry_run:
            out.say(f"report: {service.reports.location(stored.report)}")
        out.document(check_to_json(stored.check))
        return 0 if exit_zero else EXIT_CODES[stored.check.verdict]


def backfill(
    name: Names,
    start: Annotated[
        str | None, typer.Option("--from", metavar="TIME", help="By default the first row.")
    ] = None,
    end: Annotated[
        str | None, typer.Option("--to", metavar="TIME", help="By default the last row.")
    ] = None,
    again: Again = False,
    json_to: JsonTo = None,
    config: ConfigPath = DEFAULT_CONFIG,
    verbose: Verbose = False,
) -> int:
    """Check every complete window of monitor NAME in a range, oldest first."""
    out = Output(json_to, verbose)
    with open_configured(config) as service:
        settings = service.settings.monitor(name)
        windows = _windows(service, settings, start, end)
        done = []
        with out.progress(windows, name) as steps:
            done = [service.check(name, window, again=again) for window in steps]
        service.delivery().drain(DELIVER_S)
        out.table([(_day(s), str(s.check.verdict), s.check.headline) for s in done])
        out.document([_in_short(service, s) for s in done])
    return 0


def report(
    check_id: Annotated[str, typer.Argument(metavar="CHECK_ID", help="As `check` answered it.")],
    html: Annotated[Path | None, typer.Option(metavar="FILE", help="Write it here.")] = None,
    json_to: JsonTo = None,
    config: ConfigPath = DEFAULT_CONFIG,
    verbose: Verbose = False,
) -> int:
    """Render a stored check again, into the reports folder or FILE."""
    out = Output(json_to, verbose)
    from monitor.core.wire import check_to_json

    with open_configured(config) as service:
        stored = service.store.get_check(check_id)
        if stored is None:
            raise AskedWrongly(
                f"there is no check {check_id!r}", hint="`monitor check NAME --json -` shows ids"
            )
        page = service.render(stored)
        if html is not None:
            write_file(html, page)
        place = html or service.reports.write(stored.report or f"{check_id}.html", page)
        out.say(f"report: {place}")
        out.document(check_to_json(stored.check))
    return 0


def retrain(
    name: Names,
    reason: Annotated[str, typer.Option(help="Why, for the training system and the record.")],
    json_to: JsonTo = None,
    config: ConfigPath = DEFAULT_CONFIG,
    verbose: Verbose = False,
) -> int:
    """Ask the training system of monitor NAME for a new model, by hand."""
    out = Output(json_to, verbose)
    with open_configured(config) as service:
        request = service.request_retrain(name, reason)
        service.delivery().drain(DELIVER_S)
        latest = service.store.last_retrain(name)
        state = latest.state if latest and latest.id == request.id else request.state
        out.say(f"retrain request {request.id}: {state}")
        out.document({"request_id": request.id, "monitor": name, "state": state})
    return 0


@contextmanager
def open_configured(config: Path) -> "Iterator[Service]":
    from monitor.wiring import open_service

    service = open_service(config)
    try:
        yield service
    finally:
        service.close()


def _window(
    settings: "MonitorSettings", at: str | None, now: datetime, *, early: bool
) -> "Window":
    """The window asked for; one that is not complete is refused, since its verdict would stand."""
    from monitor.core.windows import latest_complete, window_at

    lateness = settings.lateness.duration
    if at is None:
        return latest_complete(now, settings.window, settings.timezone, lateness, settings.step)
    moment = _time(at, settings)
    window = window_at(moment, settings.window, settings.timezone, settings.step)
    if window.end + lateness > now and not early:
        raise AskedWrongly(
            f"the window of {at} is complete at {(window.end + lateness).isoformat()}, not yet",
            hint="--dry-run looks at what is there without storing it",
        )
    return window


def _windows(
    service: "Service", settings: "MonitorSettings", start: str | None, end: str | None
) -> "list[Window]":
    from monitor.core.windows import windows_from

    if start is not None and end is not None:
        first, last = _time(start, settings), _time(end, settings)
    else:
        span = _span(service, settings)
        first = span.start if start is None else _time(start, settings)
        last = _end_of_last(settings, span) if end is None else _time(end, settings)
    if first >= last:
        raise AskedWrongly("--from must lie before --to")
    until = min(last, service.clock() - settings.lateness.duration)
    return list(windows_from(first, until, settings.window, settings.timezone, settings.step))


def _span(service: "Service", settings: "MonitorSettings") -> "Window":
    from monitor.wiring import open_source

    span = open_source(settings.production, service.settings.root).span()
    if span is None:
        raise PathNotFound(
            f"monitor {settings.name} has no production rows: {settings.production.path}"
        )
    return span


def _end_of_last(settings: "MonitorSettings", span: "Window") -> datetime:
    """The end of the window that holds the last row."""
    from datetime import timedelta

    from monitor.core.windows import window_at

    last_row = span.end - timedelta(microseconds=1)
    return window_at(last_row, settings.window, settings.timezone, settings.step).end


def _time(text: str, settings: "MonitorSettings") -> datetime:
    from monitor.settings import parse_time

    try:
        return parse_time(text, settings.timezone)
    except ValueError:
        raise AskedWrongly(
            f"{text!r} is not a time", hint="write 2026-03-01 or 2026-03-01T12:00+01:00"
        ) from None


def _day(stored: "StoredCheck") -> str:
    window = stored.check.window
    return f"{window.start:%Y-%m-%d %H:%M}" if window else ""


def _in_short(service: "Service", stored: "StoredCheck") -> dict[str, Any]:
    check, window = stored.check, stored.check.window
    return {
        "id": check.id,
        "window": {"start": window.start.isoformat(), "end": window.end.isoformat()}
        if window
        else None,
        "verdict": str(check.verdict),
        "headline": check.headline,
        "rows": check.sample.rows,
        "report": os.fspath(service.reports.location(stored.report)) if stored.report else None,
    }
