"""`status`, `episodes`, `audit`: what is going on, and who did what about it."""

from itertools import islice
from typing import TYPE_CHECKING, Annotated

import typer

from monitor.cli.options import DEFAULT_CONFIG, ConfigPath, JsonTo, Over, Server, TokenFile, Verbose
from monitor.cli.output import Output
from monitor.cli.reaching import minute, reach

if TYPE_CHECKING:
    from monitor.web.api.shapes import AuditEntry, Episode, Monitor

OfName = Annotated[str | None, typer.Argument(metavar="[NAME]", help="Only of this monitor.")]
Most = Annotated[int, typer.Option("--limit", min=1, help="How many at most.")]


def register(app: typer.Typer) -> None:
    app.command("status")(status)
    app.command("episodes")(episodes)
    app.command("audit")(audit)


def status(
    server: Server = None,
    token_file: TokenFile = None,
    json_to: JsonTo = None,
    config: ConfigPath = DEFAULT_CONFIG,
    verbose: Verbose = False,
) -> int:
    """All monitors, the most urgent first: state, how far it was checked, what was seen last."""
    from monitor.core.urgency import URGENCY

    out = Output(json_to, verbose)
    with reach(config, server, token_file) as client:
        found = sorted(client.monitors(), key=lambda m: (URGENCY.index(m.state), m.name))
    out.table(map(_monitor_row, found), ("monitor", "state", "newest until", "what it says"))
    out.document([monitor.model_dump(mode="json") for monitor in found])
    return 0


def episodes(
    name: OfName = None,
    over: Over = False,
    limit: Most = 50,
    server: Server = None,
    token_file: TokenFile = None,
    json_to: JsonTo = None,
    config: ConfigPath = DEFAULT_CONFIG,
    verbose: Verbose = False,
) -> int:
    """Open episodes, the newest first, and who looks after them."""
    out = Output(json_to, verbose)
    with reach(config, server, token_file) as client:
        found = list(islice(client.episodes(name, None if over else "open"), limit))
    if not found:
        out.say("no episode" if over else "no open episode")
    out.table(map(_episode_row, found), ("episode", "monitor", "since", "state", "what"))
    out.document([episode.model_dump(mode="json") for episode in found])
    return 0


def audit(
    name: OfName = None,
    limit: Most = 50,
    server: Server = None,
    token_file: TokenFile = None,
    json_to: JsonTo = None,
    config: ConfigPath = DEFAULT_CONFIG,
    verbose: Verbose = False,
) -> int:
    """Who did what, when and why; the newest first."""
    out = Output(json_to, verbose)
    with reach(config, server, token_file) as client:
        found = list(islice(client.audit(name), limit))
    if not found:
        out.say("nobody did anything yet")
    out.table(map(_deed_row, found), ("at", "who", "by", "deed", "why"))
    out.document([entry.model_dump(mode="json") for entry in found])
    return 0


def _monitor_row(monitor: "Monitor") -> tuple[str, ...]:
    newest, schedule = monitor.newest, monitor.schedule
    window = minute(newest.window.end) if newest else ""
    silent = f" (silent until {minute(monitor.silenced_until)})" if monitor.silenced_until else ""
    told = schedule.error or (newest.headline if newest else "nothing was checked yet")
    return monitor.name, monitor.state, window, told + silent


def _episode_row(episode: "Episode") -> tuple[str, ...]:
    given = episode.acknowledged
    state = f"over {minute(episode.resolved_at)}" if episode.resolved_at else "open"
    if given and not episode.resolved_at:
        state = f"{given.who} looks after it"
    return episode.id, episode.monitor, minute(episode.opened_at), state, episode.headline


def _deed_row(entry: "AuditEntry") -> tuple[str, ...]:
    of = f" of {entry.monitor}" if entry.monitor not in (None, entry.subject) else ""
    what = f"{entry.deed} {entry.subject}{of}"
    return minute(entry.at), entry.who, entry.via, what, entry.why
