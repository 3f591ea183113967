"""`monitor`: the list of commands, and what every failure becomes: a message and an exit code."""

import logging
import sys
from typing import Any

import typer

from monitor.cli import comparing, monitors, project, references, serving
from monitor.cli.output import ExitCode, complain
from monitor.errors import AskedWrongly, CouldNotLook, MonitorError

app = typer.Typer(
    name="monitor",
    help="Watches the data a machine-learning model lives on: samples production rows, validates "
    "them, compares them with the training data, reports, alerts, and asks for a new model.",
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for room in (project, comparing, monitors, references, serving):
    room.register(app)

_UsageError: Any = typer.BadParameter.__base__  # typer's own usage errors


def main() -> None:
    """Run a command; every error ends as one message on stderr and a promised exit code."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """The exit code of a command line."""
    try:
        return int(app(arguments, standalone_mode=False) or 0)
    except typer.Exit as end:
        return int(end.exit_code)
    except (typer.Abort, KeyboardInterrupt):
        complain("stopped")
        return 130
    except _UsageError as error:
        return _misused(error)
    except AskedWrongly as error:
        complain(str(error), error.hint)
        return ExitCode.ASKED_WRONGLY
    except CouldNotLook as error:
        complain(str(error), error.hint)
        return ExitCode.UNDECIDED
    except MonitorError as error:
        complain(str(error), error.hint)
        return ExitCode.FAULT
    except BrokenPipeError:
        sys.stderr.close()  # nobody reads any more; Python would complain about it at exit
        return ExitCode.FAULT
    except Exception as error:
        return _fault(error)


def _misused(error: Any) -> int:
    command = error.ctx.command_path if error.ctx else "monitor"
    complain(error.format_message(), f"`{command} --help` shows how it is used")
    return ExitCode.ASKED_WRONGLY


def _fault(error: Exception) -> int:
    """Something is wrong with us: say so, and show the traceback only when asked for."""
    verbose = logging.getLogger("monitor").isEnabledFor(logging.DEBUG)
    complain(
        f"a fault in drift-monitor: {type(error).__name__}: {error}",
        "" if verbose else "run it again with -v to see where",
    )
    if verbose:
        import traceback

        traceback.print_exception(error)
    return ExitCode.FAULT
