"""What a backtest says, in words for the terminal and the page, and as plain JSON for machines."""

from collections.abc import Mapping
from datetime import datetime, tzinfo
from typing import Any

from monitor.core import words
from monitor.core.numerals import count, number
from monitor.core.records import Window
from monitor.core.replay.advice import Advice, Backtest
from monitor.core.replay.history import DAYS, Candidate, ColumnPast, Trial, largest, typical

BY_CHANCE = 0.005  # a shift in sd that is none: what is seen is noise
SCHEMA_VERSION = 1
_LABELS = {"psi": "PSI", "ks": "KS", "chi_squared": "chi-squared"}


def label(test: str) -> str:
    """The name people use for a test."""
    return _LABELS.get(test, test.replace("_", " "))


def title(done: Backtest, trial: Trial) -> str:
    """A rule as the table names it: whether it is there already, and whether it is advised."""
    marks = ["now"] * (trial is done.current) + ["advised"] * done.advises(trial)
    return f"{', '.join(marks)}: {trial.rule.title}" if marks else trial.rule.title


def headline(done: Backtest, zone: tzinfo) -> str:
    """How many episodes, in what, from when, and what the rule can see, in one sentence.

    A check alarms, an episode is a run of such checks, and people are told of episodes.
    """
    current = done.current
    opening = f"Over {words.plural(round(done.days), 'day')} the current rule would have opened"
    sees = f"it sees {_sight(current.rule)}"
    if not current.alarmed:
        return f"{opening} no episode in {words.plural(len(current.looked_at), 'check')}; {sees}"
    episodes = words.plural(len(current.episodes), "episode")
    first = words.day(current.alarmed[0].start, zone)
    return (
        f"{opening} {episodes} ({len(current.alarmed)} of {len(current.looked_at)} checks drifted) "
        f"for {_blamed(current.columns)}, first on {first}; {sees}"
    )


def _blamed(columns: Mapping[str, int]) -> str:
    name, *others = columns
    if not others:
        return f"`{name}`"
    return f"`{name}` and {len(others)} other{'s' * (len(others) > 1)}"


def _sight(rule: Candidate) -> str:
    """The smallest drift of a rule, inside a sentence."""
    seen = rule.smallest
    if not seen.effects:
        return rule.note or "an amount of drift that is not known for these tests"
    if _fires_by_chance(rule):
        return "drift in windows where nothing moved"
    test, effect = next(iter(seen.effects.items()))
    shift = f" or a mean shift of {number(seen.shift, 2)} sd" if seen.shift is not None else ""
    return f"a {label(test)} of {number(effect, 2)}{shift} in 80 % of windows"


def smallest_drift(rule: Candidate) -> str:
    """The smallest drift of a rule, in a table."""
    seen = rule.smallest
    if not seen.effects:
        return rule.note or "not known for these tests"
    if _fires_by_chance(rule):
        return "none: chance alone fires"
    effects = ", ".join(f"{label(test)} {number(e, 2)}" for test, e in seen.effects.items())
    shift = f"{number(seen.shift, 2)} sd ({effects})" if seen.shift is not None else effects
    return f"{shift} {rule.note}".strip()


def _fires_by_chance(rule: Candidate) -> bool:
    return rule.smallest.shift is not None and rule.smallest.shift < BY_CHANCE


def advice_lines(advice: Advice, zone: tzinfo) -> list[str]:
    """What to choose and why, what was taken for granted, how far the history can tell."""
    return [_choice(advice), _granted(advice, zone), *_limits(advice, zone)]


def _choice(advice: Advice) -> str:
    if advice.choice is None:
        return advice.why
    keep = advice.choice.rule.key == "current"
    told = f"{'keep the current rule' if keep else advice.choice.rule.title}: {advice.why}"
    if advice.quiet_until is None and advice.current.alarmed:
        return f"if nothing did drift, {told}"
    return told


def _granted(advice: Advice, zone: tzinfo) -> str:
    history = f"{words.plural(advice.windows, 'window')}, {words.plural(round(advice.days), 'day')}"
    alarms = words.plural(advice.budget.alarms, "false alarm")
    budget = f"the budget is {alarms} (episodes without drift) per {advice.budget.per}"
    if advice.quiet_until is None:
        return f"{budget}; all of history ({history}) was taken as quiet"
    return f"{budget}; history until {words.day(advice.quiet_until, zone)} ({history}) was quiet"


def _limits(advice: Advice, zone: tzinfo) -> list[str]:
    told = []
    alarmed = advice.current.alarmed
    if alarmed and advice.quiet_until is None:
        first = alarmed[0].start.astimezone(zone)
        told.append(
            f"the current rule finds drift in {len(alarmed)} of these windows: if it was "
            f"real, leave it out with `--quiet-until {first:%Y-%m-%d}`"
        )
    budget = advice.budget
    wanted = budget.alarms * DAYS * 86400 / budget.per.duration.total_seconds()
    if advice.at_most is not None and advice.at_most > 2 * wanted:
        told.append(
            f"so short a history cannot rule out {number(advice.at_most, 2)} false episodes in "
            f"{DAYS} days (95 % sure); look again when there is more of it"
        )
    return told


def counting_lines(done: Backtest, zone: tzinfo) -> list[str]:
    """What the numbers of the table count, and over which time."""
    told = ["an episode is one run of drifted checks: people are told once that it opens"]
    if (until := done.advice.quiet_until) is not None:
        told.append(f"a false one opens before {words.day(until, zone)}, while nothing drifted")
    windows = done.current.windows
    first, end = min(w.start for w in windows), max(w.end for w in windows)
    span_days = round((end - first).total_seconds() / 86400)
    if round(done.days) < span_days:
        told.append(
            f"of the {words.plural(span_days, 'day')} from {words.day(first, zone)} on, "
            f"{count(round(done.days))} were looked at: rates are per day looked at"
        )
    return told


def scene_line(done: Backtest) -> str:
    """What the smallest drifts are told for."""
    scene = done.scene
    return (
        f"smallest drift: one number column of {scene.columns} moves, {count(int(scene.window))} "
        f"values in the window against {count(int(scene.reference))}, seen in 80 % of windows"
    )


# --- For machines ---


def backtest_to_json(done: Backtest, zone: tzinfo) -> dict[str, Any]:
    """Everything a backtest found, as plain JSON; times in UTC."""
    windows = done.current.windows
    return {
        "schema": SCHEMA_VERSION,
        "monitor": done.monitor,
        "headline": headline(done, zone),
        "stored": done.stored,
        "windows": {
            "count": len(windows),
            "looked_at": len(done.current.looked_at),
            "start": windows[0].start.isoformat(),
            "end": windows[-1].end.isoformat(),
            "days": done.days,
            "rows": done.rows,
        },
        "not_looked_at": [{"start": s.isoformat(), "reason": why} for s, why in done.unseen],
        "not_replayed": list(done.absent),
        "scene": {
            "rows_reference": done.scene.reference,
            "rows_window": done.scene.window,
            "columns": done.scene.columns,
            "tests": done.scene.tests,
            "power": 0.8,
        },
        "rules": [_rule(done, trial) for trial in done.trials],
        "columns": [_column(column) for column in done.columns],
        "advice": _advice(done.advice),
    }


def _rule(done: Backtest, trial: Trial) -> dict[str, Any]:
    rule = trial.rule
    quiet = done.quiet(trial)
    return {
        "rule": rule.key,
        "title": rule.title,
        "drift": rule.snippet or None,
        "alarms": len(trial.alarmed),
        "episodes": [window.start.isoformat() for window in trial.episodes],
        "episodes_per_90_days": trial.per_90_days,
        "false_episodes": [window.start.isoformat() for window in quiet.episodes],
        "false_episodes_per_90_days": quiet.per_90_days,
        "first": _start(trial.alarmed[0]) if trial.alarmed else None,
        "smallest_drift": {
            "effects": dict(rule.smallest.effects),
            "mean_shift_sd": rule.smallest.shift,
            "note": rule.note,
        },
        "columns": trial.columns,
        "alarmed": [window.start.isoformat() for window in trial.alarmed],
    }


def _column(column: ColumnPast) -> dict[str, Any]:
    return {
        "name": column.name,
        "kind": column.kind,
        "alarms": dict(column.alarms),
        "first": _start(column.first),
        "test": column.test,
        "effect": {"largest": largest(column.effects), "median": typical(column.effects)},
        "strength": {"largest": largest(column.strengths), "median": typical(column.strengths)},
        "strengths": list(column.strengths),
    }


def _advice(advice: Advice) -> dict[str, Any]:
    choice = advice.choice
    return {
        "budget": str(advice.budget),
        "quiet_until": advice.quiet_until.isoformat() if advice.quiet_until else None,
        "windows": advice.windows,
        "days": advice.days,
        "episodes_allowed": advice.allowed,
        "rule": choice.rule.key if choice else None,
        "drift": choice.rule.snippet if choice else None,
        "kept_by": list(advice.kept_by),
        "episodes_per_90_days_at_most": advice.at_most,
        "why": advice.why,
    }


def _start(window: Window | None) -> str | None:
    moment: datetime | None = window.start if window else None
    return moment.isoformat() if moment else None
