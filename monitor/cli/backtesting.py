"""`backtest`: how many alarms there would have been over history; nothing is stored or sent."""

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from monitor.cli import picking
from monitor.cli.monitors import open_configured
from monitor.cli.options import DEFAULT_CONFIG, ConfigPath, JsonTo, Names, Verbose
from monitor.cli.output import Output, check_place, write_file
from monitor.errors import AskedWrongly

if TYPE_CHECKING:
    from monitor.backtest import Question
    from monitor.core.replay.advice import Advice, Backtest
    from monitor.core.replay.history import Looked, Trial
    from monitor.service import Service
    from monitor.settings import MonitorSettings
    from monitor.steps.kit import Watch

DEFAULT_BUDGET = "1 per 90d"
MOST_STORED = 100_000  # checks of one monitor
MOST_COLUMNS = 5

Text = str | None
Range = tuple[Text, Text]


def register(app: typer.Typer) -> None:
    app.command("backtest")(backtest)


def backtest(  # noqa: PLR0913, PLR0917 - typer takes every flag as an argument
    name: Names,
    start: Annotated[
        Text, typer.Option("--from", metavar="TIME", help="By default the first row.")
    ] = None,
    end: Annotated[
        Text, typer.Option("--to", metavar="TIME", help="Not included; by default the end.")
    ] = None,
    stored: Annotated[
        bool, typer.Option("--stored", help="Replay stored checks; read no data.")
    ] = False,
    budget: Annotated[
        Text,
        typer.Option(metavar="BUDGET", help="False alarms to live with, as `1 per 90d`."),
    ] = None,
    quiet_until: Annotated[
        Text,
        typer.Option(metavar="TIME", help="Up to here nothing drifted; by default nothing did."),
    ] = None,
    html: Annotated[Path | None, typer.Option(metavar="FILE", help="Write a page.")] = None,
    json_to: JsonTo = None,
    config: ConfigPath = DEFAULT_CONFIG,
    verbose: Verbose = False,
) -> int:
    """Say how many episodes monitor NAME would have opened over history, by its rule and by others.

    Every complete window is read once and compared as a check does, without validation; nothing is
    stored or sent. Tells the smallest drift each rule sees, and the rule that keeps the budget.
    """
    out = Output(json_to, verbose)
    if html is not None:
        check_place(html)
    from monitor import backtest as story
    from monitor.core.replay.words import backtest_to_json

    with open_configured(config, leave_no_trace=True) as service:
        settings = service.settings.monitor(name)
        question = _question(settings, budget, quiet_until, stored=stored)
        looking = _from_store if stored else _from_rows
        watch, looked = looking(out, service, settings, (start, end))
        done = story.backtest(watch, looked, question)
        _tell(out, done, settings)
        if html is not None:
            from monitor.reports.backtest import draw_backtest

            given = {"--from": start, "--to": end, "--budget": budget, "--quiet-until": quiet_until}
            command = _command(name, given, stored=stored)
            write_file(html, draw_backtest(done, zone=settings.timezone, command=command))
            out.say(f"report: {html}")
        out.document(backtest_to_json(done, settings.timezone))
    return 0


def _command(name: str, given: Mapping[str, Text], *, stored: bool) -> str:
    """The command line that does it again."""
    options = [part for option, value in given.items() if value for part in (option, value)]
    return shlex.join(["monitor", "backtest", name, *options, *(["--stored"] * stored)])


def _question(
    settings: "MonitorSettings", budget: Text, quiet_until: Text, *, stored: bool
) -> "Question":
    from monitor.backtest import Question
    from monitor.core.over_time.budget import Budget

    try:
        wanted = Budget.parse(budget) if budget else settings.drift.false_alarms
    except ValueError as error:
        raise AskedWrongly(f"--budget: {error}") from None
    return Question(
        budget=wanted or Budget.parse(DEFAULT_BUDGET),
        step=(settings.step or settings.window).duration,
        quiet_until=picking.moment_of(quiet_until, settings),
        stored=stored,
        own_budget=settings.drift.false_alarms,
    )


def _from_rows(
    out: Output, service: "Service", settings: "MonitorSettings", span: Range
) -> "tuple[Watch, list[Looked]]":
    """Every complete window, read and compared anew."""
    from monitor.backtest import look_back

    if settings.reference is None and settings.drift.compare_with == "reference":
        raise AskedWrongly(
            f"monitor {settings.name} has no reference, so there is no drift to look for",
            hint="configure `reference: PATH`",
        )
    windows = picking.windows_of(service, settings, *span)
    if not windows:
        raise AskedWrongly("there is no complete window in this range")
    watch, reference = service.briefed(settings, dry_run=True)
    source = service.production(settings)
    with out.progress(windows, settings.name) as steps:
        return watch, [look_back(watch, reference, window, source) for window in steps]


def _from_store(
    out: Output, service: "Service", settings: "MonitorSettings", span: Range
) -> "tuple[Watch, list[Looked]]":
    """The stored checks of a range, with no row read."""
    from monitor.backtest import look_at_check
    from monitor.briefing import brief

    first, last = (picking.moment_of(text, settings) for text in span)
    found = service.store.newest_checks(settings.name, before=last, limit=MOST_STORED)
    checks = [s.check for s in reversed(found) if s.check.window is not None]
    kept = [c for c in checks if c.window and (first is None or c.window.start >= first)]
    if not kept:
        raise AskedWrongly(
            f"no check of {settings.name} is stored" + (" in this range" if found else ""),
            hint=f"`monitor backfill {settings.name}` makes them; without --stored none are needed",
        )
    return brief(settings, None, suite=None), [look_at_check(c) for c in kept]


# --- What is printed ---


def _tell(out: Output, done: "Backtest", settings: "MonitorSettings") -> None:
    from monitor.core.replay.words import counting_lines, headline, scene_line
    from monitor.core.words import plural

    out.say(headline(done, settings.timezone).replace("`", ""))
    out.say()
    out.table([_heads(done), *(_row(done, trial, settings) for trial in done.shown)])
    for line in counting_lines(done, settings.timezone):
        out.say(line)
    out.say(scene_line(done))
    for line in done.absent:
        out.say(f"not replayed: {line}")
    out.say()
    alarming = [c for c in done.columns if c.alarms["current"]][:MOST_COLUMNS]
    if alarming:
        told = ", ".join(f"{c.name} {c.alarms['current']}" for c in alarming)
        out.say(f"drifted checks by column: {told}")
    for start, why in done.unseen[:MOST_COLUMNS]:
        out.say(f"not looked at: {start.astimezone(settings.timezone):%Y-%m-%d %H:%M}, {why}")
    if len(done.unseen) > MOST_COLUMNS:
        more = plural(len(done.unseen) - MOST_COLUMNS, "more window")
        out.say(f"not looked at: {more}; --json has them all")
    _advise(out, done.advice, settings)


def _heads(done: "Backtest") -> tuple[str, ...]:
    rates: tuple[str, ...] = ("episodes", "per 90 d")
    if done.advice.quiet_until is not None:  # what drifted for real must not pass for a rate
        rates = ("episodes", "false", "false per 90 d")
    return ("rule", "drifted checks", *rates, "first", "smallest drift seen")


def _row(done: "Backtest", trial: "Trial", settings: "MonitorSettings") -> tuple[str, ...]:
    from monitor.core.replay.words import smallest_drift, title

    quiet = done.quiet(trial)
    rate = quiet.per_90_days
    false = () if done.advice.quiet_until is None else (str(len(quiet.episodes)),)
    return (
        title(done, trial),
        str(len(trial.alarmed)),
        str(len(trial.episodes)),
        *false,
        "–" if rate is None else f"{rate:.1f}",
        picking.told(trial.alarmed[0], settings) if trial.alarmed else "never",
        smallest_drift(trial.rule),
    )


def _advise(out: Output, advice: "Advice", settings: "MonitorSettings") -> None:
    from monitor.core.replay.words import advice_lines

    first, *rest = advice_lines(advice, settings.timezone)
    out.say(f"advice: {first.replace('`', '')}")
    for line in rest:
        out.say(f"  {line.replace('`', '')}")
    if advice.choice is not None and advice.choice.rule.key != "current":
        out.say(f"  drift: {advice.choice.rule.snippet}")
