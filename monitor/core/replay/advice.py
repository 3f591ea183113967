"""Which rule to choose: the one that sees most and keeps the alarm budget on quiet history."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from monitor.core.over_time.budget import Budget
from monitor.core.replay.history import DAYS, ColumnPast, Trial
from monitor.core.replay.sensitivity import Scene
from monitor.core.words import plural

CONFIDENCE = 0.95


@dataclass(frozen=True, slots=True)
class Advice:
    """The rule that would have kept the budget, and how far the history can tell."""

    budget: Budget
    windows: int  # that were looked at and count as quiet
    days: float  # that these cover
    allowed: int  # episodes that the budget has room for in these days
    choice: Trial | None  # over the quiet windows; None when no rule that can be ranked keeps it
    kept_by: tuple[str, ...]  # keys of the rules that keep it
    at_most: float | None  # episodes in 90 days that the history cannot rule out for the choice
    quiet_until: datetime | None  # None: all of history was taken as quiet
    current: Trial  # over the quiet windows
    why: str  # one sentence


@dataclass(frozen=True, slots=True)
class Backtest:
    """Rules replayed over the history of one monitor; the first trial is the monitor's own rule."""

    monitor: str
    trials: tuple[Trial, ...]
    columns: tuple[ColumnPast, ...]
    advice: Advice
    scene: Scene
    unseen: tuple[tuple[datetime, str], ...]  # windows nobody could look at, and why
    rows: int  # of a usual window
    stored: bool  # whether stored checks were replayed, or history was read anew
    absent: tuple[str, ...]  # what could not be replayed, and why

    @property
    def current(self) -> Trial:
        return self.trials[0]

    @property
    def days(self) -> float:
        """Days that were looked at."""
        return self.current.days

    def quiet(self, trial: Trial) -> Trial:
        """The same over the time that counts as quiet, in which every episode is a false alarm."""
        return trial.until(self.advice.quiet_until)

    @property
    def shown(self) -> tuple[Trial, ...]:
        """The rules of the table: other tolerances of a rule only where one of them is advised."""
        return tuple(t for t in self.trials if not self._is_folded(t))

    @property
    def folded(self) -> tuple[Trial, ...]:
        """The rules beside the table."""
        return tuple(t for t in self.trials if self._is_folded(t))

    def _is_folded(self, trial: Trial) -> bool:
        return trial.rule.variant and not self.advises(trial)

    def advises(self, trial: Trial) -> bool:
        return self.advice.choice is not None and trial.rule.key == self.advice.choice.rule.key


def advise(trials: Sequence[Trial], budget: Budget, quiet_until: datetime | None) -> Advice:
    """The most sensitive rule whose episodes on quiet windows stay within the budget.

    The budget has room for the nearest whole number of episodes in the days there are. Only rules
    whose error rate is known by their making are advised, beside the one that is there already: a
    fixed limit that was quiet so far may have been lucky.
    """
    quiet = [trial.until(quiet_until) for trial in trials]
    days = quiet[0].days
    allowed = math.floor(budget.alarms * days / (budget.per.duration.total_seconds() / 86400) + 0.5)
    kept = [t for t in quiet if t.rule.snippet and len(t.episodes) <= allowed]
    advised = [t for t in kept if t.rule.proven or t.rule is trials[0].rule]
    sighted = [t for t in advised if t.rule.smallest.shift is not None]
    choice = min(sighted, key=lambda t: round(t.rule.smallest.shift or 0.0, 2), default=None)
    if not quiet[0].looked_at:
        choice = None
    return Advice(
        budget=budget,
        windows=len(quiet[0].looked_at),
        days=days,
        allowed=allowed,
        choice=choice,
        kept_by=tuple(t.rule.key for t in kept),
        at_most=_cannot_rule_out(choice, days),
        quiet_until=quiet_until,
        current=quiet[0],
        why=_why(choice, quiet, allowed, unranked=len(advised)),
    )


def _cannot_rule_out(choice: Trial | None, days: float) -> float | None:
    """The 95 % upper bound of the rate of episodes in 90 days (Garwood 1936); 3 / n for none."""
    from scipy import special

    if choice is None or not days:
        return None
    upper = float(special.gammaincinv(len(choice.episodes) + 1, CONFIDENCE))
    return upper / days * DAYS


def _why(choice: Trial | None, quiet: Sequence[Trial], allowed: int, *, unranked: int) -> str:
    if not quiet[0].looked_at:
        return "there is no quiet window to judge by"
    room = f"the budget has room for {allowed} in this time"
    if not allowed:
        room = "this time is too short for even one within the budget"
    if choice is None and unranked:
        return (
            f"no rule could be ranked: {room}, which {plural(unranked, 'rule')} would have kept, "
            "but rules are ranked by the smallest shift of a mean that they see, and that is not "
            "known for the chosen tests in windows like these"
        )
    if choice is None:
        best = min([quiet[0], *(t for t in quiet if t.rule.proven)], key=lambda t: len(t.episodes))
        loud = ", ".join(f"`{name}`" for name in list(best.columns)[:3]) or "the whole window"
        return (
            f"no rule with a known error rate keeps the budget: {room}, and the quietest, "
            f"{best.rule.title}, opens {plural(len(best.episodes), 'episode')}, most in {loud}; "
            "perhaps the data did drift"
        )
    opens = plural(len(choice.episodes), "episode") if choice.episodes else "no episode"
    return (
        "of the rules with a known error rate that keep the budget it sees the smallest drift; "
        f"in the windows taken as quiet it opens {opens}, {room}"
    )
