"""Whom to tell, as people configure it: routes to channels, and the training system."""

from collections.abc import Collection, Iterator, Mapping
from fnmatch import fnmatchcase
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, SecretStr, model_validator

from monitor.configuration.channels import (
    AppriseSettings,
    ChannelSettings,
    EmailSettings,
    Gathering,
    OpsgenieSettings,
    PagerDutySettings,
    SlackSettings,
    TeamsSettings,
    WebhookSettings,
    channel_name,
    kinds_of,
)
from monitor.configuration.fields import Positive, Share, SpanText, WaitText
from monitor.configuration.mistakes import Mistake
from monitor.configuration.section import Section
from monitor.core.consequences import Cause
from monitor.core.routing import Level, Route, Routing, everybody
from monitor.core.windows import Span
from monitor.errors import UnknownName

ChannelName = Annotated[str, AfterValidator(channel_name)]


class ColumnChangeSettings(Section):
    column: str
    statistic: Literal["mean", "sd", "median", "min", "max"] = "mean"
    by: Positive


class RetrainCondition(Section):
    """One reason to ask for a new model; exactly one key."""

    drifted_share: Share | None = None
    column: str | None = None
    column_change: ColumnChangeSettings | None = None
    every: SpanText | None = None

    @model_validator(mode="before")
    @classmethod
    def _exactly_one(cls, value: object) -> object:
        given = list(value) if isinstance(value, Mapping) else []
        if len(given) != 1 or given[0] not in cls.model_fields:
            had = f"; this one has {', '.join(map(str, given))}" if given else ""
            raise ValueError(f"a condition is one of {', '.join(cls.model_fields)}{had}")
        return value


class RetrainWhen(Section):
    any: tuple[RetrainCondition, ...] = ()  # empty: only by hand


class RetrainSettings(Section):
    """Which training system to ask, and when."""

    url: Annotated[str, Field(repr=False)]
    secret: SecretStr
    when: RetrainWhen = RetrainWhen()
    unless: tuple[Literal["violated", "undecided"], ...] = ("violated",)
    confirm: Annotated[int, Field(ge=1)] = 1
    cooldown: WaitText = Span(7, "d")


class RouteSettings(Section):
    """Which changes go to which channels; what is left out leaves all in."""

    monitors: Annotated[tuple[str, ...], Field(min_length=1)] = ("*",)  # names or patterns
    causes: tuple[Cause, ...] = ()
    changes: tuple[Literal["opened", "worsened", "acknowledged", "resolved"], ...] = ()
    levels: tuple[Level, ...] = ()
    channels: Annotated[tuple[str, ...], Field(min_length=1)]

    def route(self) -> Route:
        return Route(self.channels, self.monitors, self.causes, self.changes, self.levels)


class AlertSettings(Section):
    """Channels, and who hears what; without routes every channel hears everything. The console is
    used when there is no channel."""

    console: bool | None = None
    slack: SlackSettings | None = None
    webhook: WebhookSettings | None = None
    email: EmailSettings | None = None
    teams: TeamsSettings | None = None
    pagerduty: PagerDutySettings | None = None
    opsgenie: OpsgenieSettings | None = None
    apprise: AppriseSettings | None = None
    channels: Mapping[ChannelName, ChannelSettings] = {}
    routes: tuple[RouteSettings, ...] = ()

    @property
    def named(self) -> dict[str, tuple[str, Section]]:
        """Kind and settings of every channel but the console, by name: one that is written by
        its kind alone goes by the name of the kind."""
        alone = {kind: (kind, made) for kind, made in kinds_of(self)}
        return {**alone, **{name: c.kind for name, c in self.channels.items()}}

    @property
    def names(self) -> tuple[str, ...]:
        """Every channel by name."""
        named = tuple(self.named)
        console = self.console if self.console is not None else not named
        return (*(("console",) if console else ()), *named)


def routing_of(alerts: AlertSettings) -> Routing:
    """Whom the changes of every monitor are told to, and when."""
    routes = tuple(route.route() for route in alerts.routes) or everybody(*alerts.names).routes
    digests = {
        name: (made.digest, made.timezone)
        for name, (_, made) in alerts.named.items()
        if isinstance(made, Gathering) and made.digest is not None
    }
    return Routing(routes, digests)


def linkless(alerts: AlertSettings, base_url: str) -> str:
    """What to say where other channels than the console get messages that lead nowhere."""
    if base_url or not alerts.named:
        return ""
    return (
        f"alerts by {', '.join(alerts.named)} carry no link to their checks: "
        "`base_url: https://...` at the top of monitor.yaml tells where people reach "
        "`monitor serve`"
    )


def wrong_routes(alerts: AlertSettings, monitors: Collection[str]) -> Iterator[Mistake]:
    """Routes that lead nowhere, and what no route leads to: nobody would be told."""
    if not alerts.routes:
        return
    for place, route in enumerate(alerts.routes):
        at = ("alerts", "routes", str(place))
        for name in route.channels:
            if name not in alerts.names:
                unknown = UnknownName("channel", name, alerts.names)
                yield Mistake((*at, "channels"), str(unknown), unknown.hint)
        for pattern in route.monitors:
            if not any(fnmatchcase(name, pattern) for name in monitors):
                unknown = UnknownName("monitor", pattern, monitors)
                yield Mistake((*at, "monitors"), str(unknown), unknown.hint)
    used = {name for route in alerts.routes for name in route.channels}
    for name in alerts.names:
        if name not in used:
            at = ("alerts", *(("channels",) if name in alerts.channels else ()), name)
            yield Mistake(at, "no route leads to this channel", "add it to a route, or take it out")
    routing = routing_of(alerts)
    for monitor in monitors:
        if not routing.of_monitor(monitor):
            yield Mistake(
                ("alerts", "routes"),
                f"no route takes monitor {monitor}: nobody would be told of it",
                "a route without `monitors` takes all of them",
            )
