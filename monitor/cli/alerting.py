"""`monitor alerts`: which channels there are, and whether a message arrives on each."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from monitor.cli.options import DEFAULT_CONFIG, ConfigPath, JsonTo, Verbose
from monitor.cli.output import ExitCode, Output
from monitor.errors import DeliveryDelayed, DeliveryRefused, UnknownName

if TYPE_CHECKING:
    from monitor.ports import Clock, Notifier
    from monitor.settings import Settings

commands = typer.Typer(
    name="alerts", help="Channels that alerts go out on.", no_args_is_help=True
)  # fmt: skip


def register(app: typer.Typer) -> None:
    app.add_typer(commands)


@commands.command("list")
def list_channels(
    json_to: JsonTo = None, config: ConfigPath = DEFAULT_CONFIG, verbose: Verbose = False
) -> int:
    """List the channels, and which monitors are told of on each."""
    from monitor.settings import load_settings

    out = Output(json_to, verbose)
    found = _channels(load_settings(config))
    rows = [(c["channel"], c["kind"], c["when"], ", ".join(c["monitors"])) for c in found]
    out.table(rows, ("channel", "kind", "told", "of monitors"))
    out.document({"channels": found})
    return 0


@commands.command("test")
def test(
    channel: Annotated[
        str | None, typer.Argument(metavar="CHANNEL", help="Only this one; by default all.")
    ] = None,
    json_to: JsonTo = None,
    config: ConfigPath = DEFAULT_CONFIG,
    verbose: Verbose = False,
) -> int:
    """Send a message that says it is a test over each channel, now, and say what became of it.

    Nothing is stored, and nothing is sent again. Exits 70 when a channel did not take it.
    """
    from monitor.channels import open_notifiers
    from monitor.configuration.telling import linkless
    from monitor.settings import load_settings
    from monitor.wiring import now

    out = Output(json_to, verbose)
    settings = load_settings(config)
    names = settings.alerts.names
    if channel is not None and channel not in names:
        raise UnknownName("channel", channel, names)
    notifiers = open_notifiers(settings, now)
    tried = [_tried(name, notifiers[name], now) for name in names if channel in (None, name)]
    out.table([(t["channel"], t["outcome"], t["error"]) for t in tried])
    unlinked = linkless(settings.alerts, settings.base_url)
    if unlinked and channel != "console":
        out.prose(unlinked)
    out.document({"channels": tried})
    return 0 if all(t["outcome"] == "taken" for t in tried) else ExitCode.FAULT


def _tried(name: str, notifier: "Notifier", clock: "Clock") -> dict[str, str]:
    from monitor.core.messages import sample_message

    try:
        notifier.send(sample_message(name, clock()), {})
    except DeliveryRefused as error:
        return {"channel": name, "outcome": "refused", "error": str(error)}
    except DeliveryDelayed as error:
        return {"channel": name, "outcome": "not taken now", "error": str(error)}
    return {"channel": name, "outcome": "taken", "error": ""}


def _channels(settings: "Settings") -> list[dict[str, Any]]:
    from monitor.configuration.telling import routing_of

    routing = routing_of(settings.alerts)
    kinds = {name: kind for name, (kind, _) in settings.alerts.named.items()}
    return [
        {
            "channel": name,
            "kind": kinds.get(name, name),
            "when": _when(routing.digests.get(name)),
            "monitors": [m for m in settings.monitors if name in routing.of_monitor(m)],
        }
        for name in settings.alerts.names
    ]


def _when(digest: Any) -> str:
    return f"every {digest[0]} ({digest[1]})" if digest else "at once"
