"""What a window is compared with: the whole reference, or its windows of the same phase.

How much such windows vary is measured on the reference itself, once a column, and then kept.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from monitor.core.columns import Kind, Stream
from monitor.core.over_time.phases import PastWindows
from monitor.core.over_time.variation import Variation, variation
from monitor.core.parts import where
from monitor.core.summaries.collecting import summarize
from monitor.core.summaries.kept import Summaries
from monitor.core.summaries.summary import Summary

MIN_INSTANCES = 3  # of a phase, to be compared with it alone


@dataclass(frozen=True, slots=True, eq=False)
class Yardstick:
    """What one column of a window is compared with, and how much such windows vary."""

    summary: Summary
    variation: Variation = field(default_factory=Variation)
    compared_with: str = ""  # for people; "" is all there is
    in_phase: bool = False  # whether both sides are of the same phase
    against_window: bool = False  # whether the other side is a single window, too

    def design_effect(self, n: int, m: int) -> float:
        """How many times fewer n rows of one side and m of the window count; at least 1."""
        return self.variation.design_effect(
            n, m, in_phase=self.in_phase, against_window=self.against_window
        )


class Measure(Protocol):
    """Knows the yardstick of a column: `column` and its `summary` are what the window is held
    against."""

    def __call__(self, column: Stream, kind: Kind, summary: Summary) -> Yardstick: ...


class Calibration:
    """How the windows of one reference vary, column by column; worked out once, then kept."""

    def __init__(self, past: PastWindows) -> None:
        self.past = past
        self._variations: dict[tuple[str, Kind], Variation] = {}
        self._alike: dict[tuple[str, Kind, str], Summary] = {}

    def against_reference(self, phase: str) -> Measure:
        """For windows of a phase that are held against the reference, or that phase of it."""

        def measure(column: Stream, kind: Kind, summary: Summary) -> Yardstick:
            found = self._variation(column, kind, summary)
            times = self.past.instances_of(phase)
            if not found.seasonal or times < MIN_INSTANCES:
                return Yardstick(summary, found)
            alike = self._in_phase(column, kind, phase)
            told = f"{phase} of the reference ({times} of them)"
            return Yardstick(alike, found, told, in_phase=True)

        return measure

    def against_window(
        self, reference: Mapping[str, Stream], summaries: Summaries, *, same_phase: bool
    ) -> Measure:
        """For windows that are held against an earlier one; `reference` tells how both vary."""

        def measure(column: Stream, kind: Kind, summary: Summary) -> Yardstick:
            frozen = reference.get(column.name)
            if frozen is None:
                return Yardstick(summary)
            found = self._variation(frozen, kind, summaries.of(frozen, kind))
            in_phase = same_phase and found.seasonal
            return Yardstick(summary, found, in_phase=in_phase, against_window=True)

        return measure

    def _variation(self, column: Stream, kind: Kind, summary: Summary) -> Variation:
        key = column.name, kind
        if key not in self._variations:
            self._variations[key] = variation(column.drawn(), kind, summary, self.past)
        return self._variations[key]

    def _in_phase(self, column: Stream, kind: Kind, phase: str) -> Summary:
        """The rows of one phase alone."""
        key = column.name, kind, phase
        if key not in self._alike:
            self._alike[key] = summarize(where(column.drawn(), self.past.in_phase(phase)), kind)
        return self._alike[key]
