"""How columns are compared, as people configure it: tests, tolerances, rules, an alarm budget."""

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Discriminator, Field, Tag, field_validator, model_validator

from monitor.configuration.fields import BudgetText, Positive
from monitor.configuration.section import Section

CompareWith = Literal["reference", "previous", "same_hour_last_week", "same_period_last_year"]
Threshold = Annotated[
    Annotated[Positive, Tag("<all>")] | Annotated[Mapping[str, Positive], Tag("<each>")],
    Discriminator(lambda value: "<each>" if isinstance(value, Mapping) else "<all>"),
]


class DriftSettings(Section):
    """How columns are compared. Without a classical rule: tolerance and evidence."""

    tests: tuple[str, ...] = ()  # empty: the defaults of each kind
    columns: tuple[str, ...] = ()  # empty: all
    exclude: tuple[str, ...] = ()
    dataset_tests: tuple[str, ...] | None = None  # of all columns together; None: the defaults
    segments: tuple[str, ...] = ()  # columns by whose values the rows are compared once more
    tolerance: Mapping[str, Annotated[float, Field(ge=0)]] = {}
    must_see: Mapping[str, Positive] = {}
    alpha: Annotated[float, Field(gt=0, lt=0.5)] = 0.01
    p_value: Annotated[float, Field(gt=0, lt=1)] | None = None  # classical: drifted when p <= this
    threshold: Threshold | None = None  # classical: drifted when the statistic is above this

    @field_validator("segments")
    @classmethod
    def _each_segment_once(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(dict.fromkeys(value))

    @model_validator(mode="after")
    def _one_rule(self) -> "DriftSettings":
        if self.p_value is not None and self.threshold is not None:
            raise ValueError("`p_value` and `threshold` are two different rules: choose one")
        return self


class WatchedDriftSettings(DriftSettings):
    """How the windows of a monitor are compared: what only a series of windows can have."""

    compare_with: CompareWith = "reference"
    calibrate: bool = True  # by how much windows of the reference vary
    false_alarms: BudgetText | None = None  # an alarm budget instead of alpha
    importance: str | None = None  # a file of weights by column, or domain_classifier

    @model_validator(mode="after")
    def _one_way_to_alarm(self) -> "WatchedDriftSettings":
        """What adds up is evidence of more than the tolerance; classical rules have none."""
        classical = "p_value" if self.p_value is not None else "threshold"
        if self.false_alarms is not None and getattr(self, classical) is not None:
            raise ValueError(
                f"`{classical}` is a rule for one window and `false_alarms` one for all of them: "
                "choose one"
            )
        return self
