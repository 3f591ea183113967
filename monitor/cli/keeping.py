"""`prune`, `backup`, `restore`, `export`: what becomes of all that is stored."""

from pathlib import Path
from typing import Annotated

import typer

from monitor.cli.monitors import open_configured
from monitor.cli.options import DEFAULT_CONFIG, ConfigPath, JsonTo, Verbose
from monitor.cli.output import Output, check_place
from monitor.errors import PathNotFound


def register(app: typer.Typer) -> None:
    app.command("prune")(prune)
    app.command("backup")(backup)
    app.command("restore")(restore)
    app.command("export")(export)


def prune(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would go.")] = False,
    json_to: JsonTo = None,
    config: ConfigPath = DEFAULT_CONFIG,
    verbose: Verbose = False,
) -> int:
    """Forget what is older than `retention` in the configuration says, as `serve` does every day.

    The newest checks of each monitor, and what an open episode needs, always stay.
    """
    out = Output(json_to, verbose)
    from monitor.retention import count_old, too_old

    with open_configured(config) as service:
        limits = too_old(service.settings.retention, service.clock())
        found = count_old(service.store, limits) if dry_run else service.forget()
        if not limits:
            out.say("nothing is forgotten: the configuration has no `retention`")
        for kind, count in found.items():
            out.say(f"{kind:9}  {count} {'would go' if dry_run else 'forgotten'}")
        out.document({"dry_run": dry_run, "forgotten": found})
    return 0


def backup(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A new file.")],
    json_to: JsonTo = None,
    config: ConfigPath = DEFAULT_CONFIG,
    verbose: Verbose = False,
) -> int:
    """Copy everything stored into FILE, while the service runs.

    It holds what the store holds, digests of tokens too: keep it as safe. Reports, references and
    snapshots are files of their own.
    """
    out = Output(json_to, verbose)
    check_place(file)
    with open_configured(config) as service:
        _tell(out, service.store.backup(file), f"written to {file}")
    return 0


def restore(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A backup.")],
    json_to: JsonTo = None,
    config: ConfigPath = DEFAULT_CONFIG,
    verbose: Verbose = False,
) -> int:
    """Take over a backup into the configured store, which must be empty.

    The store may be of another kind than the one the backup was made of.
    """
    out = Output(json_to, verbose)
    if not file.is_file():
        raise PathNotFound(f"there is no file {file}")
    with open_configured(config) as service:
        _tell(out, service.store.restore(file), f"taken over from {file}")
    return 0


def export(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="A new or an empty one.")],
    parquet: Annotated[bool, typer.Option("--parquet", help="Parquet instead of NDJSON.")] = False,
    json_to: JsonTo = None,
    config: ConfigPath = DEFAULT_CONFIG,
    verbose: Verbose = False,
) -> int:
    """Write everything stored as files for other programs, one a table, with a list of columns."""
    out = Output(json_to, verbose)
    from monitor.exporting import export as write

    with open_configured(config) as service:
        found = write(service.store, folder, parquet=parquet, made_at=service.clock())
        _tell(out, found, f"written to {folder}")
    return 0


def _tell(out: Output, rows: dict[str, int], done: str) -> None:
    out.table([(table, str(count)) for table, count in rows.items()])
    out.say(f"{sum(rows.values())} rows {done}")
    out.document({"rows": rows})
