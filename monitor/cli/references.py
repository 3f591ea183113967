"""`monitor reference`: build, list and show the frozen pictures of the training data."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from monitor.cli.monitors import actor, open_configured
from monitor.cli.options import (
    DEFAULT_CONFIG,
    ConfigPath,
    Decimal,
    Encoding,
    JsonTo,
    Kinds,
    Names,
    Separator,
    Server,
    TimeColumn,
    TokenFile,
    Verbose,
    Why,
    listed,
    pairs,
)
from monitor.cli.output import Output
from monitor.cli.reaching import reach
from monitor.errors import AskedWrongly

if TYPE_CHECKING:
    from monitor.ports import StoredReference

NameOrFile = Annotated[
    str,
    typer.Argument(metavar="NAME|FILE", help="A monitor, or a file that ends in .reference."),
]

commands = typer.Typer(no_args_is_help=True, help="The frozen pictures of the training data.")


def register(app: typer.Typer) -> None:
    app.add_typer(commands, name="reference")


@commands.command("build")
def build(
    name: Names,
    json_to: JsonTo = None,
    config: ConfigPath = DEFAULT_CONFIG,
    verbose: Verbose = False,
) -> int:
    """Freeze the configured reference of monitor NAME as the current version."""
    out = Output(json_to, verbose)
    from monitor.core.people import Deed

    with open_configured(config) as service:
        maker = service.reference_maker(service.settings.monitor(name))
        if maker is None:
            raise AskedWrongly(
                f"monitor {name} has no reference", hint="configure `reference: PATH`"
            )
        stored = maker.build(service.store, service.clock).stored
        service.desk.note(actor(), Deed.REFERENCE_BUILT, stored.version, name)
        out.say(f"{name}: {stored.version}, {stored.rows} rows from {stored.origin}")
        out.document(_document(stored, current=True))
    return 0


@commands.command("freeze")
def freeze(  # noqa: PLR0913, PLR0917 - typer takes every flag as an argument
    reference: Annotated[
        str, typer.Argument(metavar="REFERENCE", help="The training data: file, folder, pattern.")
    ],
    file: Annotated[str, typer.Argument(metavar="FILE", help="Where to, ending in .reference.")],
    exclude: Annotated[str | None, typer.Option(help="Leave these out, as a,b.")] = None,
    kind: Kinds = [],  # noqa: B006 - typer reads defaults, it never changes them
    time_column: TimeColumn = None,
    separator: Separator = ",",
    encoding: Encoding = "utf-8",
    decimal: Decimal = ".",
    json_to: JsonTo = None,
    verbose: Verbose = False,
) -> int:
    """Freeze training data into one file that `compare` takes as REFERENCE; no configuration."""
    out = Output(json_to, verbose)
    from monitor import api

    stored = api.freeze(
        reference,
        file,
        exclude=listed(exclude),
        kinds=pairs(kind, "--kind", str),
        time_column=time_column,
        csv={"separator": separator, "encoding": encoding, "decimal": decimal},
    )
    out.say(f"{file}: {stored.rows} rows from {stored.origin}, {stored.version[:19]}")
    out.document(_document(stored, current=False))
    return 0


@commands.command("list")
def list_versions(
    name: Names,
    json_to: JsonTo = None,
    config: ConfigPath = DEFAULT_CONFIG,
    verbose: Verbose = False,
) -> int:
    """List the versions of the reference of monitor NAME, newest first."""
    out = Output(json_to, verbose)
    with open_configured(config) as service:
        service.settings.monitor(name)
        versions = service.store.list_references(name)
        current = service.store.current_reference(name)
        at = current.version if current else ""
        if not versions:
            out.say(f"{name} has no reference yet; `monitor reference build {name}` makes one")
        out.table([_row(v, v.version == at) for v in versions])
        out.document([_document(v, current=v.version == at) for v in versions])
    return 0


@commands.command("show")
def show(
    name: NameOrFile,
    json_to: JsonTo = None,
    config: ConfigPath = DEFAULT_CONFIG,
    verbose: Verbose = False,
) -> int:
    """Show the current reference of monitor NAME, or a frozen FILE: columns and their kinds."""
    out = Output(json_to, verbose)
    if name.endswith(".reference"):
        _show_file(out, name)
        return 0
    with open_configured(config) as service:
        service.settings.monitor(name)
        stored = service.store.current_reference(name)
        if stored is None:
            raise AskedWrongly(
                f"{name} has no reference yet", hint=f"`monitor reference build {name}` makes one"
            )
        out.say(f"{stored.version}, {stored.rows} rows from {stored.origin}")
        out.table([(f"  {c}", kind, stored.dtypes[c]) for c, kind in stored.kinds.items()])
        out.document(_document(stored, current=True))
    return 0


@commands.command("promote")
def promote(
    name: Names,
    version: Annotated[
        str, typer.Argument(metavar="VERSION", help="As `list` has it, or how it begins.")
    ],
    why: Why,
    server: Server = None,
    token_file: TokenFile = None,
    json_to: JsonTo = None,
    config: ConfigPath = DEFAULT_CONFIG,
    verbose: Verbose = False,
) -> int:
    """Hold the windows to come of monitor NAME against another version of its reference.

    It holds until `reference:` in monitor.yaml names other data than now, or they change.
    """
    out = Output(json_to, verbose)
    with reach(config, server, token_file) as client:
        done = client.promote(name, version, why)
    out.say(f"{name} is held against {done.entry.subject} from now on")
    out.document(done.model_dump(mode="json"))
    return 0


def _show_file(out: Output, file: str) -> None:
    """What is in a frozen file; its values are not shown."""
    from monitor.wiring import read_frozen

    frozen = read_frozen(file)
    drawn = f"{frozen.drawn.num_rows} of them drawn"
    out.say(f"{frozen.version}, {frozen.rows} rows from {frozen.origin}, {drawn}")
    out.table([(f"  {n}", str(p.kind), p.problem or p.dtype) for n, p in frozen.pictures.items()])
    out.document(
        {
            "version": frozen.version,
            "rows": frozen.rows,
            "rows_drawn": frozen.drawn.num_rows,
            "origin": frozen.origin,
            "columns": {
                name: {"kind": str(picture.kind), "dtype": picture.dtype}
                for name, picture in frozen.pictures.items()
            },
        }
    )


def _row(stored: "StoredReference", current: bool) -> tuple[str, ...]:
    mark = "current" if current else ""
    built = f"{stored.built_at:%Y-%m-%d %H:%M}"
    return stored.version[:19], mark, built, f"{stored.rows} rows", stored.origin


def _document(stored: "StoredReference", *, current: bool) -> dict[str, Any]:
    return {
        "monitor": stored.monitor,
        "version": stored.version,
        "current": current,
        "rows": stored.rows,
        "origin": stored.origin,
        "built_at": stored.built_at.isoformat(),
        "columns": {
            c: {"kind": kind, "dtype": stored.dtypes[c]} for c, kind in stored.kinds.items()
        },
    }
