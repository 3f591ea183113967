"""The alarm budget: how many false alarms a user is willing to take, and evidence that adds up.

A check turns the p_tolerance of a column into e = ½ · p^(−½), whose mean is at most 1 while the
column stays within its tolerance. Evidence gathers column by column, M = max(M before, 1) · e, and
the alarm is raised when its mean over the columns, weighted by importance, reaches the number of
checks A that shall pass between two false alarms. The mean of e-detectors is one, however columns
depend on each other: without drift A checks pass at least, on average, before an alarm.
Source: Shin, Ramdas & Rinaldo, arXiv 2203.03532; the calibrator after Vovk & Wang (2021).

While the alarm is on, the mean counts for A at most. It ends when the mean falls below √A, half of
the way back: at A = 90 the fourth window in a row without any drift does that, and one weak window
does not. Evidence then begins again from 1, so that each episode has the whole budget before it.
"""

import math
import re
from dataclasses import dataclass
from datetime import timedelta

import numpy as np

from monitor.core.columns import Flags, Floats
from monitor.core.windows import Span

SMALLEST_P = 1e-300  # keeps one e-value finite
FEWEST_CHECKS = 2.0  # an alarm takes some evidence, however many a budget allows


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


@dataclass(frozen=True, slots=True, eq=False)
class Gathered:
    """What the checks of a series have gathered, or of many series side by side."""

    evidence: Floats  # of each column, shape (..., columns); 1 is none
    alarm: Flags  # whether the alarm is on, shape (...)


def nothing_yet(columns: int, series: tuple[int, ...] = ()) -> Gathered:
    """Before the first check."""
    return Gathered(np.ones((*series, columns)), np.zeros(series, np.bool_))


def needed(checks_per_alarm: float) -> float:
    """The evidence that raises the alarm."""
    return max(FEWEST_CHECKS, checks_per_alarm)


def kept_above(checks_per_alarm: float) -> float:
    """The evidence below which the alarm ends."""
    return math.sqrt(needed(checks_per_alarm))


def e_value(p_tolerance: Floats | float) -> Floats:
    """½ · p^(−½): its mean is 1 when p is uniform, less when p is conservative."""
    e: Floats = 0.5 / np.sqrt(np.clip(p_tolerance, SMALLEST_P, 1.0))
    return e


def together(evidence: Floats, importance: Floats) -> Floats:
    """The evidence of all columns, shape (...): their mean, weighted by importance (columns,)."""
    mean: Floats = np.sum(evidence * (importance / np.sum(importance)), axis=-1)
    return mean


def add(
    before: Gathered, p_tolerance: Floats, importance: Floats, checks_per_alarm: float
) -> Gathered:
    """One more check: `p_tolerance` (..., columns), NaN where a column could not be judged.

    What could not be judged leaves its evidence as it is. Everything stays finite.

    >>> p, one = np.array([1e-4]), np.ones(1)
    >>> first = add(nothing_yet(1), p, one, 90.0)
    >>> first.evidence.round(9).tolist(), bool(first.alarm)
    ([50.0], False)
    >>> second = add(first, p, one, 90.0)
    >>> second.evidence.round(9).tolist(), bool(second.alarm)
    ([90.0], True)
    """
    most = needed(checks_per_alarm)
    known = ~np.isnan(p_tolerance)
    e = e_value(np.where(known, p_tolerance, 1.0))
    evidence, _ = _capped(before.evidence, importance, most)  # the budget may have been larger
    evidence, mean = _capped(
        np.where(known, np.maximum(evidence, 1.0) * e, evidence), importance, most
    )
    alarm = (mean >= most) | (before.alarm & (mean >= kept_above(checks_per_alarm)))
    over = before.alarm & ~alarm
    return Gathered(np.where(over[..., np.newaxis], 1.0, evidence), alarm)


def _capped(evidence: Floats, importance: Floats, most: float) -> tuple[Floats, Floats]:
    """The evidence with a mean of at most `most`, and the mean it had.

    No column counts for more than the whole, so that what others gathered beside it is kept.
    """
    evidence = np.minimum(evidence, most * np.sum(importance) / importance)
    mean = together(evidence, importance)
    return evidence * np.minimum(1.0, most / np.maximum(mean, 1.0))[..., np.newaxis], mean
