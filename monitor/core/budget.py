"""The alarm budget: how many false alarms in how long a user is willing to take."""

import re
from dataclasses import dataclass
from datetime import timedelta

from monitor.core.windows import Span


@dataclass(frozen=True, slots=True)
class Budget:
    """At most `alarms` false alarms in each `per`, on average."""

    alarms: int
    per: Span

    @classmethod
    def parse(cls, text: str) -> "Budget":
        """Read `text`; ValueError says what is expected.

        >>> Budget.parse("1 per 90d")
        Budget(alarms=1, per=Span(count=90, unit='d'))
        """
        match = re.fullmatch(r"\s*(\d{1,4})\s+per\s+(.+)", text, re.ASCII)
        if not match or int(match[1]) < 1:
            raise ValueError(f"{text!r} is no budget of alarms; write `1 per 90d`")
        return cls(int(match[1]), Span.parse(match[2]))

    def checks_per_alarm(self, step: timedelta) -> float:
        """How many checks, one each `step`, must pass on average between two false alarms."""
        return self.per.duration / step / self.alarms

    def __str__(self) -> str:
        return f"{self.alarms} per {self.per}"
