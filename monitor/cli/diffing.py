"""`diff`: two stored windows of one monitor against each other; no row is read."""

from pathlib import Path
from typing import Annotated

import typer

from monitor.cli.comparing import tell
from monitor.cli.monitors import open_configured
from monitor.cli.options import DEFAULT_CONFIG, ConfigPath, ExitZero, JsonTo, Names, Verbose
from monitor.cli.output import Output, check_place, write_file


def register(app: typer.Typer) -> None:
    app.command("diff")(diff)


def diff(
    name: Names,
    before: Annotated[
        str,
        typer.Argument(metavar="A", help="A check id, a time in a stored window, or FROM..TO."),
    ],
    now: Annotated[
        str, typer.Argument(metavar="B", help="The same; it is held against A as new data are.")
    ],
    json_to: JsonTo = None,
    html: Annotated[Path | None, typer.Option(metavar="FILE", help="Write the report.")] = None,
    exit_zero: ExitZero = False,
    config: ConfigPath = DEFAULT_CONFIG,
    verbose: Verbose = False,
) -> int:
    """Compare stored windows of monitor NAME: B against A, by what their checks kept.

    No row is read and nothing is stored. A range takes all stored windows in it as one: hours add
    up to days. Exit codes: 0 passed, 1 drifted, 2 violated, 3 undecided, 64 asked wrongly, 70 a
    fault.
    """
    out = Output(json_to, verbose)
    if html is not None:
        check_place(html)
    from monitor.api import EXIT_CODES
    from monitor.core.wire import check_to_json
    from monitor.wiring import draw

    with open_configured(config, leave_no_trace=True) as service:
        check = service.diff(name, before, now)
        tell(out, check)
        _tell_sides(out, check.setup["diff"])
        if html is not None:
            shown = service.settings.monitor(name).show_values
            write_file(html, draw()(check, show_values=shown))
            out.say(f"report: {html}")
        out.document(check_to_json(check))
        return 0 if exit_zero else EXIT_CODES[check.verdict]


def _tell_sides(out: Output, checks: dict[str, list[str]]) -> None:
    for side, ids in checks.items():
        more = f" to {ids[-1]} ({len(ids)} windows)" if len(ids) > 1 else ""
        out.say(f"{side}: {ids[0]}{more}")
