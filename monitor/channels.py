"""Joins the channels that settings name to notifiers, and Slack's buttons to the desk."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from monitor import catalogue
from monitor.archive import Store
from monitor.configuration.channels import InteractionSettings, SlackSettings
from monitor.core.reach import Reach
from monitor.desk import Desk
from monitor.interactions import Interactions
from monitor.ports import Around, Clock, Notifier
from monitor.posting import Endpoint
from monitor.settings import Settings
from monitor.slack.proof import Proof

if TYPE_CHECKING:
    from monitor.slack.socket_mode import SocketMode


def open_notifiers(settings: Settings, clock: Clock) -> dict[str, Notifier]:
    """Every configured channel, and the one that asks training systems, by name."""
    from monitor.notifiers.console import Console
    from monitor.notifiers.retrain import Retrain

    reach = Reach.of(settings.allow_private_addresses)
    trainers = {
        name: Endpoint(m.retrain.url, m.retrain.secret.get_secret_value(), reach=reach)
        for name, m in settings.monitors.items()
        if m.retrain is not None
    }
    made: dict[str, Notifier] = {"retrain": Retrain(trainers, clock)}
    if "console" in settings.alerts.names:
        made["console"] = Console()
    for name, (kind, section) in settings.alerts.named.items():
        around = Around(name, clock, reach, frozenset(trainers))
        made[name] = catalogue.load("monitor.notifiers", kind, "channel").make(section, around)
    return made


@dataclass(frozen=True, slots=True)
class SlackApp:
    """One app of Slack, and the door by which its presses come in."""

    interactions: Interactions
    proof: Proof | None = None  # Slack calls us
    socket_mode: "SocketMode | None" = None  # we listen


def open_slack_apps(settings: Settings, desk: Desk, store: Store, clock: Clock) -> list[SlackApp]:
    """Every app whose buttons are listened to; several channels may be of one app."""
    apps: dict[tuple[str, ...], dict[str, SlackSettings]] = {}
    for name, (_, section) in settings.alerts.named.items():
        if isinstance(section, SlackSettings) and section.interactions is not None:
            apps.setdefault(_app_of(section, section.interactions), {})[name] = section
    reach = Reach.of(settings.allow_private_addresses)
    return [_open_slack_app(channels, desk, store, clock, reach) for channels in apps.values()]


def _app_of(section: SlackSettings, listens: InteractionSettings) -> tuple[str, ...]:
    secrets = (section.token, listens.app_token, listens.signing_secret)
    return (section.api_url, *(s.get_secret_value() if s else "" for s in secrets))


def _open_slack_app(
    channels: dict[str, SlackSettings], desk: Desk, store: Store, clock: Clock, reach: Reach
) -> SlackApp:
    from monitor.slack.client import Api
    from monitor.slack.socket_mode import SocketMode

    first = next(iter(channels.values()))
    allowed = {name: s.interactions.allow for name, s in channels.items() if s.interactions}
    api = Api(first.token.get_secret_value(), clock, api_url=first.api_url, reach=reach)
    interactions = Interactions(api, desk, store, clock, allowed)
    listens = first.interactions
    assert listens is not None
    if listens.signing_secret is not None:
        return SlackApp(interactions, proof=Proof(listens.signing_secret.get_secret_value()))
    assert listens.app_token is not None
    token = listens.app_token.get_secret_value()
    socket_mode = SocketMode(token, interactions.hear, api_url=first.api_url, reach=reach)
    return SlackApp(interactions, socket_mode=socket_mode)
