"""Options that every command takes, and how pairs and lists are written."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Annotated, TypeVar

import typer

from monitor.errors import AskedWrongly

Value = TypeVar("Value")

JsonTo = Annotated[
    str | None,
    typer.Option("--json", metavar="FILE", help="Write the result as JSON; - is stdout."),
]
ConfigPath = Annotated[
    Path, typer.Option("--config", metavar="PATH", help="The configuration to work with.")
]
Verbose = Annotated[bool, typer.Option("-v", "--verbose", help="Say more on stderr.")]
ExitZero = Annotated[
    bool, typer.Option("--exit-zero", help="Exit 0 for drifted, violated and undecided too.")
]
Names = Annotated[str, typer.Argument(metavar="NAME", help="A monitor of the configuration.")]
DEFAULT_CONFIG = Path("monitor.yaml")


def _there(context: typer.Context, path: Path) -> Path:
    """AskedWrongly for a configuration that was named and is not there."""
    source = context.get_parameter_source("config")
    if source is not None and source.name == "COMMANDLINE" and not path.exists():
        raise AskedWrongly(f"there is no {path}", hint="this command works without --config, too")
    return path


UnusedConfig = Annotated[
    Path,
    typer.Option(
        "--config", metavar="PATH", help="Accepted as everywhere; not needed.", callback=_there
    ),
]

# Where a command is carried out, and what it says for the audit log.
Server = Annotated[
    str | None,
    typer.Option(
        metavar="URL",
        help="Ask a service that runs there instead; its token is in MONITOR_TOKEN.",
    ),
]
TokenFile = Annotated[
    Path | None, typer.Option(metavar="FILE", help="The token for --server is in this file.")
]
Why = Annotated[str, typer.Option(help="The reason; the audit log keeps it.")]

# What lists show.
Over = Annotated[bool, typer.Option("--over", help="Those that are over, too.")]

# How the data that a command is given are read.
Kinds = Annotated[
    list[str],
    typer.Option(metavar="COLUMN=KIND", help="number, category, boolean, time, text or id."),
]
TimeColumn = Annotated[str | None, typer.Option(help="The column with the time of a row.")]
Separator = Annotated[str, typer.Option(help="Separator of CSV files.")]
Encoding = Annotated[str, typer.Option(help="Encoding of CSV files.")]
Decimal = Annotated[str, typer.Option(help="Decimal mark of CSV files, . or ,")]


def listed(text: str | None) -> tuple[str, ...]:
    """`a,b` as ("a", "b").

    >>> listed("ks, psi")
    ('ks', 'psi')
    """
    return tuple(part.strip() for part in (text or "").split(",") if part.strip())


def pairs(texts: Iterable[str], option: str, read: Callable[[str], Value]) -> dict[str, Value]:
    """`name=value` options, repeated or comma separated, as a mapping.

    >>> pairs(["psi=0.1,ks=0.2"], "--tolerance", float)
    {'psi': 0.1, 'ks': 0.2}
    """
    found: dict[str, Value] = {}
    for part in (p for text in texts for p in listed(text)):
        name, _, text = part.rpartition("=")
        try:
            if not name or not text:
                raise ValueError
            found[name] = read(text)
        except ValueError:
            value = "NUMBER" if read is float else "VALUE"
            raise AskedWrongly(
                f"{option} {part!r} cannot be read", hint=f"write {option} NAME={value}"
            ) from None
    return found


def one_or_pairs(texts: Iterable[str], option: str) -> float | dict[str, float] | None:
    """One number for all, or a number for each name.

    >>> one_or_pairs(["0.2"], "--threshold"), one_or_pairs(["psi=0.2"], "--threshold")
    (0.2, {'psi': 0.2})
    """
    given = list(texts)
    if len(given) == 1 and "=" not in given[0]:
        try:
            return float(given[0])
        except ValueError:
            pass
    return pairs(given, option, float) or None
