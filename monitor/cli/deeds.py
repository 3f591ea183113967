"""`acknowledge`, `resolve`, `mute`, `maintenance`, `silences`, `lift`: what people do."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from monitor.cli.options import (
    DEFAULT_CONFIG,
    ConfigPath,
    JsonTo,
    Over,
    Server,
    TokenFile,
    Verbose,
    Why,
)
from monitor.cli.output import Output
from monitor.cli.picking import moment
from monitor.cli.reaching import minute, reach, zone_of
from monitor.errors import AskedWrongly

if TYPE_CHECKING:
    from collections.abc import Callable

    from monitor.client import Client
    from monitor.web.api.shapes import Done, Silence

Episodes = Annotated[str, typer.Argument(metavar="EPISODE", help="As `episodes` lists it.")]
Whom = Annotated[str | None, typer.Argument(metavar="[NAME]", help="A monitor.")]
Everywhere = Annotated[bool, typer.Option("--all", help="Every monitor.")]


def register(app: typer.Typer) -> None:
    for command in (acknowledge, resolve, mute, maintenance, silences, lift):
        app.command(command.__name__)(command)


def acknowledge(
    episode: Episodes,
    why: Why,
    server: Server = None,
    token_file: TokenFile = None,
    json_to: JsonTo = None,
    config: ConfigPath = DEFAULT_CONFIG,
    verbose: Verbose = False,
) -> int:
    """Say that you look after an episode; everybody who heard of it hears that."""
    out = Output(json_to, verbose)
    return _do(out, (config, server, token_file), lambda client: client.acknowledge(episode, why))


def resolve(
    episode: Episodes,
    why: Why,
    server: Server = None,
    token_file: TokenFile = None,
    json_to: JsonTo = None,
    config: ConfigPath = DEFAULT_CONFIG,
    verbose: Verbose = False,
) -> int:
    """End an episode; the next breach opens another."""
    out = Output(json_to, verbose)
    return _do(out, (config, server, token_file), lambda client: client.resolve(episode, why))


def mute(  # noqa: PLR0913, PLR0917 - typer takes every flag as an argument
    why: Why,
    name: Whom = None,
    everywhere: Everywhere = False,
    lasts: Annotated[str | None, typer.Option("--for", metavar="LENGTH", help="As 2h, 3d.")] = None,
    until: Annotated[str | None, typer.Option(metavar="TIME", help="Until then.")] = None,
    server: Server = None,
    token_file: TokenFile = None,
    json_to: JsonTo = None,
    config: ConfigPath = DEFAULT_CONFIG,
    verbose: Verbose = False,
) -> int:
    """Keep alerts of monitor NAME back from now on; checks go on, and so do their reports."""
    out = Output(json_to, verbose)
    whom = _whom(name, everywhere)
    if (lasts is None) == (until is None):
        raise AskedWrongly("say until when", hint="either --for LENGTH or --until TIME")

    def plan(client: "Client") -> "Done":
        end = moment(until, zone_of(client, whom)) if until else _from_now(lasts or "")
        return client.mute(whom, end, why)

    return _do(out, (config, server, token_file), plan)


def maintenance(  # noqa: PLR0913, PLR0917 - typer takes every flag as an argument
    start: Annotated[str, typer.Option("--from", metavar="TIME", help="It begins then.")],
    end: Annotated[str, typer.Option("--to", metavar="TIME", help="Not included.")],
    why: Why,
    name: Whom = None,
    everywhere: Everywhere = False,
    server: Server = None,
    token_file: TokenFile = None,
    json_to: JsonTo = None,
    config: ConfigPath = DEFAULT_CONFIG,
    verbose: Verbose = False,
) -> int:
    """Say that the data of a time is not normal: its windows alert nobody and open no episode."""
    out = Output(json_to, verbose)
    whom = _whom(name, everywhere)

    def plan(client: "Client") -> "Done":
        zone = zone_of(client, whom)
        return client.maintain(whom, moment(start, zone), moment(end, zone), why)

    return _do(out, (config, server, token_file), plan)


def silences(
    over: Over = False,
    server: Server = None,
    token_file: TokenFile = None,
    json_to: JsonTo = None,
    config: ConfigPath = DEFAULT_CONFIG,
    verbose: Verbose = False,
) -> int:
    """Mutes and maintenance that last or are to come."""
    out = Output(json_to, verbose)
    with reach(config, server, token_file) as client:
        found = list(client.silences(over=over))
    if not found:
        out.say("no silence")
    out.table(map(_silence_row, found), ("silence", "kind", "monitor", "from", "to", "who and why"))
    out.document([silence.model_dump(mode="json") for silence in found])
    return 0


def lift(
    silence: Annotated[str, typer.Argument(metavar="SILENCE", help="As `silences` lists it.")],
    why: Why,
    server: Server = None,
    token_file: TokenFile = None,
    json_to: JsonTo = None,
    config: ConfigPath = DEFAULT_CONFIG,
    verbose: Verbose = False,
) -> int:
    """End a silence before its time."""
    out = Output(json_to, verbose)
    return _do(out, (config, server, token_file), lambda client: client.lift(silence, why))


def _do(
    out: Output,
    where: tuple[Path, str | None, Path | None],
    deed: "Callable[[Client], Done]",
) -> int:
    with reach(*where) as client:
        done = deed(client)
    tell_done(out, done)
    out.document(done.model_dump(mode="json"))
    return 0


def tell_done(out: Output, done: "Done") -> None:
    """A deed in one line, and what it made."""
    entry = done.entry
    out.say(f"{entry.deed}: {entry.subject}, by {entry.who}")
    if done.silence is not None:
        ends = f"`monitor lift {done.silence.id} --why TEXT` ends it"
        out.say(f"until {minute(done.silence.end)} UTC; {ends}")


def _silence_row(silence: "Silence") -> tuple[str, ...]:
    end = silence.lifted_at or silence.end
    return (
        *(silence.id, silence.kind, silence.monitor or "all monitors"),
        *(minute(silence.start), minute(end), f"{silence.who}: {silence.why}"),
    )


def _whom(name: str | None, everywhere: bool) -> str | None:
    """The monitor, or None for all: which nobody says by leaving a word out."""
    if (name is None) != everywhere:
        raise AskedWrongly("say of which monitor", hint="either NAME or --all")
    return name


def _from_now(lasts: str) -> datetime:
    from monitor.core.windows import Span

    try:
        length: timedelta = Span.parse(lasts).duration
    except ValueError as error:
        raise AskedWrongly(f"--for: {error}") from None
    return datetime.now(UTC) + length
