"""`monitor`: the list of commands, and what every failure becomes: a message and an exit code."""

import atexit
import gc
import logging
import os
import sys
import threading
from contextlib import AbstractContextManager, nullcontext, suppress
from io import TextIOWrapper
from typing import Annotated, Any, NoReturn

import typer

from monitor.cli import (
    alerting,
    backtesting,
    comparing,
    deeds,
    diffing,
    keeping,
    monitors,
    overview,
    project,
    references,
    serving,
    tokens,
    tracking,
)
from monitor.cli.output import ExitCode, complain
from monitor.cli.stopping import Ended, Stopping
from monitor.errors import AskedWrongly, CouldNotLook, MonitorError

# New objects between two looks for circles. A comparison makes a million that stay, and no circles.
GARBAGE_AFTER = 100_000

app = typer.Typer(
    name="monitor",
    help="Watches the data a machine-learning model lives on: samples production rows, validates "
    "them, compares them with the training data, reports, alerts, and asks for a new model.",
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for room in (
    *(project, comparing, monitors, diffing, backtesting, references, alerting, serving),
    *(overview, deeds, tokens, keeping, tracking),
):
    room.register(app)

_UsageError: Any = typer.BadParameter.__base__  # typer's own usage errors


def _show_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        print(f"drift-monitor {version('drift-monitor')}")
        raise typer.Exit


@app.callback()
def _common(
    version: Annotated[
        bool,
        typer.Option("--version", is_eager=True, callback=_show_version, help="Say which one."),
    ] = False,
) -> None: ...


def main() -> None:
    """Run a command; every error ends as one message on stderr and a promised exit code."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # no terminal is too old to be told
    # Looking for plugins that watch what is checked reads the metadata of all that is installed.
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    gc.set_threshold(GARBAGE_AFTER, *gc.get_threshold()[1:])
    _end(run(sys.argv[1:], Stopping().listening()))


def _end(code: int) -> NoReturn:
    """End the process without what Python does last.

    It would free what the machine frees anyway; and a thread of a library that still reads for a
    command which gave up would be ended inside of C++, which aborts the process.
    """
    threading._shutdown()  # type: ignore[attr-defined]  # who is no daemon is waited for
    atexit._run_exitfuncs()
    with suppress(OSError):  # what cannot be written is for Python to tell
        for stream in filter(None, (sys.stdout, sys.stderr)):  # whoever closed one has none
            stream.flush()
        os._exit(code)
    sys.exit(code)


def run(arguments: list[str], listening: AbstractContextManager[None] | None = None) -> int:
    """The exit code of a command line."""
    try:
        with listening or nullcontext():
            code = int(app(arguments, standalone_mode=False) or 0)
        return _stopped() if code == ExitCode.STOPPED else code  # typer has met Ctrl-C by itself
    except typer.Exit as end:
        return int(end.exit_code)
    except (typer.Abort, KeyboardInterrupt):
        return _stopped()
    except Ended:
        complain("ended")
        return ExitCode.ENDED
    except SystemExit as end:  # typer leaves like this: with a 1, when nobody reads any more,
        return ExitCode.UNREAD if end.code == 1 else ExitCode.DONE  # else when a shell was served
    except Exception as error:
        return _told(error)


def _stopped() -> int:
    complain("stopped")
    return ExitCode.STOPPED


def _told(error: Exception) -> int:
    if isinstance(error, _UsageError):
        return _misused(error)
    if not isinstance(error, MonitorError):
        return _fault(error)
    complain(str(error), error.hint)
    if isinstance(error, AskedWrongly):
        return ExitCode.ASKED_WRONGLY
    return ExitCode.UNDECIDED if isinstance(error, CouldNotLook) else ExitCode.FAULT


def _misused(error: Any) -> int:
    """What typer says; for a call without a command that is the list of commands."""
    if message := error.format_message():
        command = error.ctx.command_path if error.ctx else "monitor"
        complain(message, f"`{command} --help` shows how it is used")
    return ExitCode.ASKED_WRONGLY


def _fault(error: Exception) -> int:
    """Something is wrong with us: say so, and show the traceback only when asked for."""
    verbose = logging.getLogger("monitor").isEnabledFor(logging.DEBUG)
    said = " ".join(f"{type(error).__name__}: {error}".split())
    complain(f"a fault in drift-monitor: {said}", "" if verbose else "-v shows where")
    if verbose:
        import traceback

        traceback.print_exception(error)
    return ExitCode.FAULT
