"""Channels as people configure them: a kind each, with what it needs to reach somebody."""

import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    PlainSerializer,
    SecretStr,
    model_validator,
)

from monitor.configuration.fields import Zone
from monitor.configuration.section import Section
from monitor.core.routing import Digest

RESERVED = ("retrain", "all")


def _digest(value: object) -> object:
    return value if isinstance(value, Digest) else Digest.parse(str(value))


def _hidden_url(value: str) -> str:
    """The value is never repeated: it may hold a token."""
    if not re.match(r"https?://[^/]", value, re.IGNORECASE):
        raise ValueError("is no address of the web; write https://...")
    return value


def _address(value: str) -> str:
    """A mail address, or one with a name before it."""
    bare = re.sub(r"^[^<>\r\n]*<([^<>]+)>$", r"\1", value.strip())
    if not bare.isascii() or not re.fullmatch(r"[^@\s<>,;:\"]+@[^@\s<>,;:\"]+", bare):
        raise ValueError(f"{value!r} is no mail address; write ops@example.org")
    return value.strip()


DigestText = Annotated[Digest, BeforeValidator(_digest), PlainSerializer(str)]
HiddenUrl = Annotated[str, Field(repr=False), AfterValidator(_hidden_url)]
MailAddress = Annotated[str, AfterValidator(_address)]
MailAddresses = Annotated[
    tuple[MailAddress, ...],
    BeforeValidator(lambda value: (value,) if isinstance(value, str) else value),
    Field(min_length=1),
]


class Gathering(Section):
    """A channel that may be told at fixed times what gathered since."""

    digest: DigestText | None = None
    timezone: Zone = ZoneInfo("UTC")  # of the times of the digest


class InteractionSettings(Section):
    """How presses of buttons come back from Slack, and whose are obeyed."""

    app_token: SecretStr | None = None  # xapp-...: Socket Mode, without an address of our own
    signing_secret: SecretStr | None = None  # Slack calls POST /slack/interactions
    allow: Literal["everybody"] | tuple[str, ...] = ()  # ids of users: U012AB3CD

    @model_validator(mode="after")
    def _one_door(self) -> "InteractionSettings":
        if (self.app_token is None) == (self.signing_secret is None):
            raise ValueError(
                "give either `app_token` (Socket Mode) or `signing_secret` (Slack calls us)"
            )
        return self

    @model_validator(mode="after")
    def _ids(self) -> "InteractionSettings":
        for user in () if self.allow == "everybody" else self.allow:
            if not re.fullmatch(r"[UW][A-Z0-9]{2,20}", user):
                raise ValueError(
                    f"`allow` has {user!r}, which is no id of a user; Slack shows it in a "
                    "profile under `Copy member ID`, like U012AB3CD"
                )
        return self


class SlackSettings(Gathering):
    token: SecretStr
    channel: str
    api_url: str = "https://slack.com/api/"
    interactions: InteractionSettings | None = None


class WebhookSettings(Gathering):
    url: Annotated[str, Field(repr=False)]
    secret: SecretStr | None = None


class EmailSettings(Gathering):
    """A mail server that takes our messages."""

    host: str
    port: Annotated[int, Field(ge=1, le=65535)] | None = None  # None: by `security`
    security: Literal["starttls", "tls", "none"] = "starttls"
    user: str | None = None
    password: SecretStr | None = None
    from_: MailAddress = Field(alias="from")
    to: MailAddresses

    @model_validator(mode="after")
    def _no_password_in_the_open(self) -> "EmailSettings":
        if (self.user is None) != (self.password is None):
            raise ValueError("`user` and `password` belong together")
        if self.password is not None and self.security == "none":
            raise ValueError("a password is not sent unencrypted: choose starttls or tls")
        return self


class TeamsSettings(Gathering):
    """A workflow of Microsoft Teams that posts what it is sent."""

    url: HiddenUrl


class PagerDutySettings(Section):
    routing_key: SecretStr
    url: HiddenUrl = "https://events.pagerduty.com/v2/enqueue"


class OpsgenieSettings(Section):
    api_key: SecretStr
    url: HiddenUrl = "https://api.opsgenie.com/"  # or https://api.eu.opsgenie.com/


class AppriseSettings(Gathering):
    """Any service that the library apprise speaks to."""

    url: SecretStr  # discord://..., tgram://..., ntfy://...


class ChannelSettings(Section):
    """A channel of one kind."""

    slack: SlackSettings | None = None
    webhook: WebhookSettings | None = None
    email: EmailSettings | None = None
    teams: TeamsSettings | None = None
    pagerduty: PagerDutySettings | None = None
    opsgenie: OpsgenieSettings | None = None
    apprise: AppriseSettings | None = None

    @model_validator(mode="before")
    @classmethod
    def _exactly_one(cls, value: object) -> object:
        given = list(value) if isinstance(value, Mapping) else []
        if len(given) != 1:
            had = f"; this one has {', '.join(map(str, given))}" if given else ""
            raise ValueError(f"a channel is one of {', '.join(KINDS)}{had}")
        return value

    @property
    def kind(self) -> tuple[str, Section]:
        """Its kind, and the settings of that."""
        return next(kinds_of(self))


KINDS = tuple(ChannelSettings.model_fields)


def kinds_of(settings: Section) -> Iterator[tuple[str, Section]]:
    """Those kinds of channels that a section configures, by the name of the kind."""
    for name in KINDS:
        made = getattr(settings, name)
        if made is not None:
            yield name, made


def channel_name(value: str) -> str:
    """The name, when it can name a channel beside those named by their kind."""
    if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_-]{0,63}", value):
        raise ValueError("cannot name a channel: use at most 64 letters, digits, _ and -")
    if value in (*KINDS, "console", *RESERVED):
        raise ValueError(f"`{value}` names something else already: choose another name")
    return value
