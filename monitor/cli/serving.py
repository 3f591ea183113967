"""`monitor serve`: scheduler, pages and delivery in one process."""

import logging
from typing import Annotated

import typer

from monitor.cli.options import DEFAULT_CONFIG, ConfigPath, JsonTo, Verbose
from monitor.cli.output import Output


def register(app: typer.Typer) -> None:
    app.command("serve")(serve)


def serve(
    host: Annotated[str, typer.Option(help="Where the pages listen.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="On which port; 0 takes a free one.")] = 8080,
    scheduler: Annotated[bool, typer.Option(help="Check windows when they are due.")] = True,
    web: Annotated[bool, typer.Option(help="Show pages.")] = True,
    log_format: Annotated[
        str, typer.Option(metavar="text|json", help="How log lines are written, on stderr.")
    ] = "text",
    json_to: JsonTo = None,
    config: ConfigPath = DEFAULT_CONFIG,
    verbose: Verbose = False,
) -> int:
    """Run until stopped: check windows when due, deliver alerts, show checks and reports.

    Windows missed while it was down are made up for. SIGTERM and Ctrl-C stop it cleanly.
    """
    out = Output(json_to, verbose)
    level = logging.DEBUG if verbose else logging.INFO
    from monitor.serving import Startup, serve
    from monitor.sight.logs import form_of

    startup = Startup(scheduler, web, host, port, level, form_of(log_format))
    serve(config, startup, out.say)
    out.document({"stopped": True})
    return 0
