"""`check`, `backfill`, `report`, `retrain`: the work on configured monitors."""

from collections import Counter
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from monitor.cli import picking
from monitor.cli.comparing import tell
from monitor.cli.options import (
    DEFAULT_CONFIG,
    ConfigPath,
    ExitZero,
    JsonTo,
    Names,
    Verbose,
    Why,
)
from monitor.cli.output import Output, check_place, complain, write_file
from monitor.errors import StoreUnavailable, UnknownCheck

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from monitor.archive import StoredCheck
    from monitor.core.records import Check, Window
    from monitor.deeds.planning import Actor
    from monitor.service import Service
    from monitor.settings import MonitorSettings

Again = Annotated[bool, typer.Option("--again", help="Look anew at windows that are stored.")]
DELIVER_S = 5.0  # how long a command waits for its alerts; the outbox keeps what is left

_STATES = {
    "requested": "not delivered yet; it stays in the outbox, and `monitor serve` tries again",
    "delivered": "delivered",
    "refused": "refused by the training system",
}


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
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Store and send nothing.")] = False,
    json_to: JsonTo = None,
    exit_zero: ExitZero = False,
    config: ConfigPath = DEFAULT_CONFIG,
    verbose: Verbose = False,
) -> int:
    """Check one window of monitor NAME: the latest complete one, or the one that contains TIME.

    A window that is stored answers with its stored result, and one that another process is looking
    at is waited for, two minutes. Exit codes: 0 passed, 1 drifted,
    2 violated, 3 undecided, 64 asked wrongly, 70 a fault.
    """
    out = Output(json_to, verbose)
    from monitor.api import EXIT_CODES
    from monitor.core.wire import check_to_json

    with open_configured(config, leave_no_trace=dry_run) as service:
        settings, began = service.settings.monitor(name), service.clock()
        window = picking.window_of(settings, at, began, early=dry_run)
        if dry_run:
            stored = service.check(name, window, dry_run=True)
        else:
            stored = service.claimed_check(name, window, again=again)
        tell(out, stored.check)
        _tell_window(out, stored, settings)
        if stored.stored_at < began:
            out.say(f"stored:  {stored.stored_at:%Y-%m-%d %H:%M} UTC; --again looks anew")
        if not dry_run:
            out.say(f"check:   {stored.check.id}")
        if stored.report:
            out.say(f"report:  {service.reports.location(stored.report)}")
        if not dry_run:
            _deliver(out, service)
        out.document(check_to_json(stored.check))
        return 0 if exit_zero else EXIT_CODES[stored.check.verdict]


def backfill(
    name: Names,
    start: Annotated[
        str | None,
        typer.Option("--from", metavar="TIME", help="By default the first row."),
    ] = None,
    end: Annotated[
        str | None,
        typer.Option("--to", metavar="TIME", help="Not included; by default the end."),
    ] = None,
    again: Again = False,
    tell: Annotated[
        bool,
        typer.Option(
            "--tell",
            help="Send alerts and retrain requests for what is found, but for windows older than "
            "the newest that was checked: those change no episode.",
        ),
    ] = False,
    json_to: JsonTo = None,
    config: ConfigPath = DEFAULT_CONFIG,
    verbose: Verbose = False,
) -> int:
    """Check every complete window of monitor NAME in a range, oldest first.

    Windows that are stored are skipped, and shown with their stored result. What is past alerts
    nobody, unless --tell. Exit codes: 0 whatever the verdicts are, which `check` and --json tell;
    64 asked wrongly, 70 a fault.
    """
    out = Output(json_to, verbose)
    with open_configured(config) as service:
        settings, began = service.settings.monitor(name), service.clock()
        windows = picking.windows_of(service, settings, start, end)
        newest = service.store.last_window(name)
        with out.progress(windows, name) as steps:
            done = [service.claimed_check(name, w, again=again, tell=tell) for w in steps]
        days = [picking.told(window, settings) for window in windows]
        out.table([(day, s.check.headline) for day, s in zip(days, done, strict=True)])
        _tell_sum(out, done, sum(s.stored_at < began for s in done))
        if tell:
            _tell_untold(out, windows, newest, settings)
            _deliver(out, service)
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
    if html is not None:
        check_place(html)
    from monitor.core.wire import check_to_json

    with open_configured(config) as service:
        stored = service.store.get_check(check_id)
        if stored is None:
            raise UnknownCheck(check_id, [line.id for line in service.store.lines(limit=500)])
        page = service.render(stored)
        if html is not None:
            write_file(html, page)
        place = html or service.reports.write(stored.report or f"{check_id}.html", page)
        out.say(f"report: {place}")
        out.document(check_to_json(stored.check))
    return 0


def retrain(
    name: Names,
    why: Why,
    json_to: JsonTo = None,
    config: ConfigPath = DEFAULT_CONFIG,
    verbose: Verbose = False,
) -> int:
    """Ask the training system of monitor NAME for a new model, by hand."""
    out = Output(json_to, verbose)
    with open_configured(config) as service:
        service.settings.monitor(name)
        act = service.desk.request_retrain(actor(), name, why)
        service.desk.do(act)
        service.delivery().drain(DELIVER_S)
        request = service.store.get_retrain(act.entry.subject)
        assert request is not None, "it was stored a moment ago"
        out.say(f"retrain request {request.id}: {_STATES.get(request.state, request.state)}")
        out.document({"request_id": request.id, "monitor": name, "state": request.state})
    return 0


def actor() -> "Actor":
    """Whoever sits at this machine, for the audit log."""
    from getpass import getuser

    from monitor.deeds.planning import Actor

    try:
        return Actor(getuser(), "cli")
    except (KeyError, OSError):  # a user that the machine has no name for
        return Actor("somebody", "cli")


@contextmanager
def open_configured(config: Path, *, leave_no_trace: bool = False) -> "Iterator[Service]":
    from monitor.service import open_service

    service = open_service(config, leave_no_trace=leave_no_trace)
    try:
        yield service
    finally:
        service.close()


def _deliver(out: Output, service: "Service") -> None:
    try:
        done = service.delivery().drain(DELIVER_S)
    except StoreUnavailable as error:  # the check stands, and so does its verdict
        complain(f"alerts wait: {error}", error.hint)
        return
    if not done:
        out.say("alerts:  not all delivered yet; `monitor serve` or the next command tries again")
    failed = service.store.count_messages().get("failed", 0)
    if failed:
        told = "one was" if failed == 1 else f"{failed} were"
        complain(f"alerts: {told} refused for good; `monitor serve` shows why under Operations")


def _tell_window(out: Output, stored: "StoredCheck", settings: "MonitorSettings") -> None:
    window, newest = stored.check.window, stored.check.sample.newest
    if window is None:
        return
    zone = settings.timezone
    start, end = window.start.astimezone(zone), window.end.astimezone(zone)
    out.say(f"window:  {start:%Y-%m-%d %H:%M} to {end:%Y-%m-%d %H:%M} {zone}")
    if not stored.check.sample.rows_in_window and newest is not None:
        out.say(f"newest:  the last row before is of {newest.astimezone(zone):%Y-%m-%d %H:%M}")


def _tell_sum(out: Output, done: "list[StoredCheck]", known: int) -> None:
    if not done:
        out.say("there is no complete window in this range")
        return
    verdicts = Counter(str(s.check.verdict) for s in done)
    parts = ", ".join(f"{count} {verdict}" for verdict, count in verdicts.most_common())
    plural = "s" * (len(done) != 1)
    skipped = f" ({known} stored before; --again looks anew)" if known else ""
    out.say(f"{len(done)} window{plural}: {parts}{skipped}")
    _tell_unproven(out, [s.check for s in done])


def _tell_unproven(out: Output, checks: "Sequence[Check]") -> None:
    """How often something looked like a drift and was not proven, and where to read on."""
    from monitor.core.unproven import UNPROVEN

    names = Counter(n.column for c in checks for n in c.notices if n.kind == UNPROVEN)
    if not names:
        return
    [(name, _)], monitor = names.most_common(1), checks[0].monitor
    of = ":" if len(names) == 1 else ", most often because"
    out.prose(
        f"{names.total()} of them passed for want of proof{of} `{name}` seems beyond "
        f"its tolerance; `monitor check {monitor} --at DAY` says what would prove it, and `monitor "
        f"backtest {monitor}` what other rules would have said"
    )


def _tell_untold(
    out: Output, windows: "Sequence[Window]", newest: "Window | None", settings: "MonitorSettings"
) -> None:
    """Of how many windows nobody is told although it was asked for, and why."""
    if newest is None:
        return
    older = sum(window.start < newest.start for window in windows)
    if not older:
        return
    what = "1 window is" if older == 1 else f"{older} windows are"
    out.say(
        f"{what} older than the newest that was checked before ({picking.told(newest, settings)}): "
        "nobody is told,\nand no episode changes, for what is open follows from the newest windows"
    )


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
        "report": service.reports.location(stored.report) if stored.report else None,
    }
