"""Whom to tell, as people configure it: channels, and the training system with its conditions."""

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field, SecretStr, model_validator

from monitor.configuration.fields import Positive, Share, SpanText, WaitText
from monitor.configuration.section import Section
from monitor.core.windows import Span


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


class SlackSettings(Section):
    token: SecretStr
    channel: str
    api_url: str = "https://slack.com/api/"


class WebhookSettings(Section):
    url: Annotated[str, Field(repr=False)]
    secret: SecretStr | None = None


class AlertSettings(Section):
    """Channels that every episode is told on; the console is used when none is given."""

    console: bool | None = None
    slack: SlackSettings | None = None
    webhook: WebhookSettings | None = None
