"""Who hears what: routes by monitor, cause, change and level, and what is wrong with them."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from test_messages import change, check, column, told

from monitor.configuration.telling import routing_of
from monitor.core.consequences import Cause, Change
from monitor.core.routing import Level, Route, Routing, everybody, level_of
from monitor.errors import ConfigError
from monitor.settings import Settings, load_settings

ROUTED = """
alerts:
  slack: {token: t, channel: "#all"}
  channels:
    loans: {slack: {token: t, channel: "#loans"}}
    oncall: {pagerduty: {routing_key: k}}
    morning: {email: {host: mail, from: a@b.c, to: ops@b.c, digest: 1d at 09:00}}
  routes:
    - channels: [slack]
      causes: [drift]
    - {monitors: ["loan*"], channels: [loans]}
    - {levels: [critical], changes: [opened, worsened, resolved], channels: [oncall]}
    - {causes: [quality, no_look], channels: [morning, slack]}
"""
MONITORS = """
monitors:
  loans: {reference: a.parquet, production: {path: b.parquet, time: at}}
  cars: {reference: a.parquet, production: {path: b.parquet, time: at}}
"""


def load(tmp_path: Path, text: str) -> Settings:
    path = tmp_path / "monitor.yaml"
    path.write_text(text)
    return load_settings(path)


def test_routes_choose_by_monitor_cause_change_and_level(tmp_path: Path) -> None:
    routing = routing_of(load(tmp_path, ROUTED + MONITORS).alerts)
    cases: list[tuple[tuple[str, str, str, str | None], tuple[str, ...]]] = [
        (("loans", "drift", "opened", "warning"), ("slack", "loans")),
        (("cars", "drift", "opened", "warning"), ("slack",)),
        (("cars", "drift", "opened", "critical"), ("slack", "oncall")),
        (("cars", "drift", "acknowledged", None), ("slack",)),
        (("cars", "quality", "worsened", "critical"), ("oncall", "morning", "slack")),
        (("loans", "no_look", "resolved", None), ("loans", "oncall", "morning", "slack")),
    ]
    for asked, channels in cases:
        assert routing.channels(*asked) == channels, asked
    assert routing.of_monitor("cars") == ("slack", "oncall", "morning")
    assert set(routing.digests) == {"morning"}


def test_without_routes_every_channel_hears_everything(tmp_path: Path) -> None:
    text = "alerts:\n  slack: {token: t, channel: c}\n  webhook: {url: https://x.example/}\n"
    routing = routing_of(load(tmp_path, text + MONITORS).alerts)
    assert routing.channels("cars", "drift", "opened", "warning") == ("slack", "webhook")
    assert routing_of(load(tmp_path, MONITORS).alerts) == everybody("console")
    silent = load(tmp_path, "alerts: {console: false}\n" + MONITORS)
    assert routing_of(silent.alerts) == Routing()


@pytest.mark.parametrize(
    ("was", "now", "told_of"),
    [
        ("channels: [oncall]", "channels: [oncal]",
         ":12: alerts.routes.2.channels: there is no channel named 'oncal'; there are: "),
        ('"loan*"', '"lone*"',
         ":11: alerts.routes.1.monitors: there is no monitor named 'lone*'; there are: cars"),
        ("channels: [oncall]", "channels: [slack]",
         ":6: alerts.channels.oncall: no route leads to this channel"),
        ("causes: [drift]", "causes: [drif]", ":10: alerts.routes.0.causes.0: should be 'drift'"),
        ("levels:", "severities:", ":12: alerts.routes.2.severities: unknown key; known are"),
        ("1d at 09:00", "daily", ":7: alerts.channels.morning.email.digest: 'daily' is not a"),
        ("routing_key: k", "routing_key: k, digest: 1d",
         ":6: alerts.channels.oncall.pagerduty.digest: unknown key"),
        ("to: ops@b.c", "to: ops", ":7: alerts.channels.morning.email.to.0: 'ops' is no mail"),
        ("oncall: {pagerduty", "slack: {pagerduty", "`slack` names something else already"),
        ("{pagerduty: {routing_key: k}}", "{}",
         ":6: alerts.channels.oncall: a channel is one of slack, webhook, email, teams"),
        ("{pagerduty: {routing_key: k}}", "{pagerduti: {routing_key: k}}",
         ":6: alerts.channels.oncall.pagerduti: unknown key; did you mean `pagerduty`?"),
        ("alerts:", "allow_private_addresses: [10.0.0.1/8]\nalerts:",
         ":2: allow_private_addresses: '10.0.0.1/8' is no address"),
        ('channel: "#all"}', 'channel: "#all", interactions: {allow: [mia], app_token: x}}',
         ":3: alerts.slack.interactions: `allow` has 'mia', which is no id of a user"),
        ('channel: "#all"}', 'channel: "#all", interactions: {allow: everybody}}',
         ":3: alerts.slack.interactions: give either `app_token`"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_with_its_line(
    tmp_path: Path, was: str, now: str, told_of: str
) -> None:
    text = ROUTED + MONITORS
    assert was in text
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, text.replace(was, now))
    assert told_of in str(caught.value)


def test_a_monitor_that_no_route_takes_is_told(tmp_path: Path) -> None:
    text = "alerts:\n  routes:\n    - {monitors: [loans], channels: [console]}\n"
    with pytest.raises(ConfigError, match=r":2: alerts\.routes: no route takes monitor cars"):
        load(tmp_path, text + MONITORS)


def test_no_secret_is_shown(tmp_path: Path) -> None:
    secrets = ["t0kents", "rk3y", "p4ss", "s1gning"]
    text = ROUTED.replace("token: t", "token: t0kents").replace(
        "routing_key: k", "routing_key: rk3y"
    )
    text = text.replace("host: mail", "host: mail, user: u, password: p4ss")
    text = text.replace('"#all"', '"#all", interactions: {signing_secret: s1gning}')
    settings = load(tmp_path, text + MONITORS)
    assert not any(secret in f"{settings!r}{settings.alerts}" for secret in secrets)


# --- Levels ---


@pytest.mark.parametrize(
    ("cause", "critical", "level"),
    [
        (Cause.DRIFT, False, Level.WARNING),
        (Cause.DRIFT, True, Level.CRITICAL),
        (Cause.QUALITY, False, Level.CRITICAL),
        (Cause.NO_LOOK, False, Level.CRITICAL),
    ],
)
def test_the_level_of_a_change(cause: Cause, critical: bool, level: Level) -> None:
    made = check(replace(column("car_value"), critical=critical))
    assert level_of(made, cause) is level


def test_what_is_over_is_told_where_it_was_told_of() -> None:
    routing = Routing((Route(("oncall", "chat"), levels=("critical",)), Route(("chat",))))

    def channels(what: Change, *heard: str) -> list[str]:
        given: dict[str, Any] = {"routing": routing, "heard": lambda _: heard}
        return [m.channel for m in told(check(), change(what), **given)]

    assert channels(Change.OPENED) == ["chat"]
    assert channels(Change.RESOLVED, "chat") == ["chat"]
    assert channels(Change.RESOLVED, "oncall", "chat") == ["oncall", "chat"]
    assert channels(Change.RESOLVED) == []
