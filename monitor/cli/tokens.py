"""`monitor token`: who may come in to a service that is asked from elsewhere."""

from typing import TYPE_CHECKING, Annotated

import typer

from monitor.cli.options import (
    DEFAULT_CONFIG,
    ConfigPath,
    JsonTo,
    Server,
    TokenFile,
    Verbose,
    Why,
    listed,
)
from monitor.cli.output import Output, complain
from monitor.cli.reaching import minute, reach
from monitor.errors import UnknownName

if TYPE_CHECKING:
    from monitor.core.people import Scope
    from monitor.web.api.shapes import Done, Token

commands = typer.Typer(no_args_is_help=True, help="Who may come in to the service.")
Tokens = Annotated[str, typer.Argument(metavar="TOKEN", help="The id, as `token list` has it.")]


def register(app: typer.Typer) -> None:
    app.add_typer(commands, name="token")


@commands.command("make")
def make(  # noqa: PLR0913, PLR0917 - typer takes every flag as an argument
    name: Annotated[str, typer.Argument(metavar="NAME", help="Whose it is, or what for.")],
    why: Why,
    scope: Annotated[
        str,
        typer.Option(
            help="As a,b: read; capture (answer retrain requests, see nothing); operate (both, and "
            "acknowledge, mute, resolve, ask for checks); admin (all)."
        ),
    ] = "read",
    days: Annotated[
        int | None, typer.Option(min=1, help="How long it lasts; without, until it is revoked.")
    ] = None,
    server: Server = None,
    token_file: TokenFile = None,
    json_to: JsonTo = None,
    config: ConfigPath = DEFAULT_CONFIG,
    verbose: Verbose = False,
) -> int:
    """Make a token and show it once: only a digest of it is kept.

    The first one ends that everybody at this machine may do everything on the pages.
    """
    out = Output(json_to, verbose)
    scopes = _scopes(scope)
    with reach(config, server, token_file) as client:
        first = next(iter(client.tokens()), None) is None
        _show(out, client.make_token(name, scopes, why, days))
    if first:
        _warn(scopes)
    return 0


def _warn(scopes: "list[Scope]") -> None:
    """What the first token changes for everybody, who did not ask for it."""
    from monitor.core.people import Scope

    hints = ["commands that read the store themselves, as this one did, go on without"]
    if Scope.ADMIN not in scopes:
        hints.append("whoever is to do everything on the pages needs one with --scope admin")
    complain(
        "this is the first token: from now on pages and API ask everybody for one, on this "
        "machine, too",
        "\n".join(hints),
    )


@commands.command("list")
def list_tokens(
    server: Server = None,
    token_file: TokenFile = None,
    json_to: JsonTo = None,
    config: ConfigPath = DEFAULT_CONFIG,
    verbose: Verbose = False,
) -> int:
    """List tokens: scopes, when each was made and used, and whether it still opens anything."""
    out = Output(json_to, verbose)
    with reach(config, server, token_file) as client:
        found = list(client.tokens())
    if not found:
        out.say("no token yet; `monitor token make NAME --why TEXT` makes one")
    out.table(map(_row, found), ("token", "scopes", "made", "used", "ends", "name"))
    out.document([token.model_dump(mode="json") for token in found])
    return 0


@commands.command("rotate")
def rotate(
    token: Tokens,
    why: Why,
    server: Server = None,
    token_file: TokenFile = None,
    json_to: JsonTo = None,
    config: ConfigPath = DEFAULT_CONFIG,
    verbose: Verbose = False,
) -> int:
    """Make a new token in place of one that ends at once."""
    out = Output(json_to, verbose)
    with reach(config, server, token_file) as client:
        _show(out, client.rotate_token(token, why))
    return 0


@commands.command("revoke")
def revoke(
    token: Tokens,
    why: Why,
    server: Server = None,
    token_file: TokenFile = None,
    json_to: JsonTo = None,
    config: ConfigPath = DEFAULT_CONFIG,
    verbose: Verbose = False,
) -> int:
    """Let a token in no more; the sessions it began end with it."""
    out = Output(json_to, verbose)
    with reach(config, server, token_file) as client:
        done = client.revoke_token(token, why)
    out.say(f"revoked {token}; it opens nothing any more")
    out.document(done.model_dump(mode="json"))
    return 0


def _show(out: Output, done: "Done") -> None:
    out.say(f"{done.shown}")
    out.say(f"its id is {done.entry.subject}, which `rotate` and `revoke` take")
    out.say("keep it now: it is shown once and cannot be told again")
    out.document(done.model_dump(mode="json"))


def _scopes(text: str) -> "list[Scope]":
    from monitor.core.people import Scope

    found = []
    for name in listed(text):
        if name not in list(Scope):
            raise UnknownName("scope", name, list(Scope))
        found.append(Scope(name))
    return found


def _row(token: "Token") -> tuple[str, ...]:
    ends = minute(token.expires_at) or "never"
    state = f"revoked {minute(token.revoked_at)}" if token.revoked_at else ends
    used = minute(token.used_at) or "never"
    scopes = ",".join(token.scopes)
    return token.id, scopes, minute(token.made_at), used, state, token.name
