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
        name, equals, value = part.rpartition("=")
        try:
            if not equals or not name:
                raise ValueError
            found[name] = read(value)
        except ValueError:
            raise AskedWrongly(
                f"{option} {part!r} cannot be read", hint=f"write {option} NAME=VALUE"
            ) from None
    return found
