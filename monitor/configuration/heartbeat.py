"""Whom to ping while the service gets on, and when its own scheduler counts as stalled."""

from pydantic import SecretStr, field_validator

from monitor.configuration.fields import SpanText
from monitor.configuration.section import Section
from monitor.core.windows import Span


class HeartbeatSettings(Section):
    """`stalled_after` is longer than a check may take, so that a long one is no stall."""

    url: SecretStr | None = None  # of a dead-man's service; None: nobody outside is pinged
    every: SpanText = Span(5, "m")
    stalled_after: SpanText = Span(90, "m")

    @field_validator("url")
    @classmethod
    def _a_web_address(cls, value: SecretStr | None) -> SecretStr | None:
        """The value is never repeated: whoever knows it can keep the alarm quiet."""
        if value is not None and not value.get_secret_value().startswith(("http://", "https://")):
            raise ValueError("is no web address; write https://...")
        return value
