"""`demo`, `init`, `config`, `schema`, `explain`: to begin with, and to look things up."""

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from monitor.cli.options import (
    DEFAULT_CONFIG,
    ConfigPath,
    Decimal,
    Encoding,
    JsonTo,
    Separator,
    UnusedConfig,
    Verbose,
)
from monitor.cli.output import Output
from monitor.errors import AskedWrongly, UnknownName

if TYPE_CHECKING:
    from monitor.core.dataset_socket import DatasetTest
    from monitor.core.drift_socket import DriftTest

config_commands = typer.Typer(no_args_is_help=True, help="Look after monitor.yaml.")
schema_commands = typer.Typer(no_args_is_help=True, help="Shapes that other systems rely on.")


def register(app: typer.Typer) -> None:
    app.command("demo")(demo)
    app.command("init")(init)
    app.command("explain")(explain)
    app.add_typer(config_commands, name="config")
    app.add_typer(schema_commands, name="schema")


def demo(
    folder: Annotated[Path, typer.Argument(metavar="[DIR]", help="Where to play it.")] = Path(
        "monitor-demo"
    ),
    json_to: JsonTo = None,
    config: UnusedConfig = DEFAULT_CONFIG,
    verbose: Verbose = False,
) -> int:
    """Play the whole story on shipped data: twenty weeks of loan applications, three incidents."""
    out = Output(json_to, verbose)
    from monitor.demo.play import play

    out.document(play(folder, out.say))
    return 0


def init(  # noqa: PLR0913, PLR0917 - typer takes every flag as an argument
    folder: Annotated[Path, typer.Argument(metavar="[DIR]", help="The new project.")] = Path(),
    name: Annotated[str, typer.Option(help="What to call the first monitor.")] = "my_model",
    reference: Annotated[
        str | None, typer.Option(help="The rows the model was trained on: file, folder, pattern.")
    ] = None,
    production: Annotated[
        str | None, typer.Option(help="The rows it meets: file, folder or pattern.")
    ] = None,
    time: Annotated[
        str | None, typer.Option(help="The column with the time of a row, when it is not plain.")
    ] = None,
    later: Annotated[
        bool, typer.Option("--later", help="The data that are named may come later.")
    ] = False,
    separator: Separator = ",",
    encoding: Encoding = "utf-8",
    decimal: Decimal = ".",
    json_to: JsonTo = None,
    config: UnusedConfig = DEFAULT_CONFIG,
    verbose: Verbose = False,
) -> int:
    """Begin a project: a commented monitor.yaml, its folders, an example suite.

    Data that are named and not there are a mistake (64, and nothing is written), unless --later.
    --separator, --encoding and --decimal are noted for both sides, or for the one
    whose CSV files are written so.
    """
    out = Output(json_to, verbose)
    from monitor.configuration.datasets import CsvSettings
    from monitor.configuration.mistakes import checked
    from monitor.demo.start import Start, start_project

    told = {"separator": separator, "encoding": encoding, "decimal": decimal}
    csv = checked(CsvSettings, told)
    started = start_project(folder, Start(name, reference, production, time, later, csv))
    out.table([("wrote", str(path)) for path in started.written])
    out.table([("not there yet", note) for note in started.notes])
    out.table([(f"{role} is read with", f"csv: {way}") for role, way in started.csv.items()])
    if production is not None:
        out.say(f"the time of a row is in the column {started.time!r}")
    steps = [
        ("  monitor config check", "what is watched, and what is missing"),
        (f"  monitor backfill {name}", "check every complete day there is, oldest first"),
        (f"  monitor backtest {name}", "what other rules would have said of these days"),
    ]
    out.say("next:")
    out.table(steps if folder == Path() else [(f"  cd {folder}", ""), *steps])
    out.document(
        {
            "written": [str(path) for path in started.written],
            "time": started.time,
            "notes": started.notes,
            "csv": started.csv,
        }
    )
    return 0


def explain(
    test: Annotated[str | None, typer.Argument(metavar="[TEST]", help="A test or rule.")] = None,
    json_to: JsonTo = None,
    config: UnusedConfig = DEFAULT_CONFIG,
    verbose: Verbose = False,
) -> int:
    """Say what a test or rule asks, what it is blind to, and how it decides; or list them all."""
    out = Output(json_to, verbose)
    from monitor.briefing import dataset_tests, drift_tests, our_name
    from monitor.core.rules import RULES

    tests: dict[str, DriftTest | DatasetTest] = {**drift_tests(), **dataset_tests()}
    test = our_name(test) if test is not None else None
    if test is None:
        rows = [(n, _role(t), t.SPEC.asks) for n, t in sorted(tests.items())]
        out.table([*rows, *((name, "rule", _gist(text)) for name, text in RULES.items())])
        out.document(
            {
                "tests": [_declared(name, t) for name, t in sorted(tests.items())],
                "rules": [{"name": name, "text": text} for name, text in RULES.items()],
            }
        )
    elif test in RULES:
        out.say(f"{test} (a rule)\n")
        out.prose(RULES[test])
        out.document({"name": test, "text": RULES[test]})
    elif test in tests:
        _explain(out, test, tests[test])
    else:
        raise UnknownName("test or rule", test, [*tests, *RULES])
    return 0


@config_commands.command("check")
def check_config(
    json_to: JsonTo = None, config: ConfigPath = DEFAULT_CONFIG, verbose: Verbose = False
) -> int:
    """Check monitor.yaml, and the suites and columns it names: file, line, key, the nearest one.

    Of data that can be reached the columns are looked at, and no row.
    """
    out = Output(json_to, verbose)
    from monitor.cli.inspecting import inspected
    from monitor.configuration.telling import linkless
    from monitor.settings import load_settings

    settings = load_settings(config)
    wrong: dict[tuple[str, ...], AskedWrongly] = {}
    rows = [inspected(settings, name, wrong) for name in settings.monitors]
    settings.refuse(wrong)
    notes = [(f"  {row['monitor']}", note) for row in rows for note in row["notes"]]
    uneven = [(f"  {row['monitor']}", note) for row in rows for note in row["uneven"]]
    seen = "has no mistake, but its data are uneven" if uneven else "is in order"
    seen = "has no mistake that shows without the data below" if notes else seen
    out.say(f"{config} {seen}")
    out.table([(f"  {row['monitor']}", row["summary"]) for row in rows])
    if notes:
        out.say("not there yet, or not to be reached:")
        out.table(notes)
    if uneven:
        out.say("files that are not like the others:")
        out.table(uneven)
    unlinked = linkless(settings.alerts, settings.base_url)
    if unlinked:
        out.prose(unlinked)
    out.document({"config": str(config), "monitors": rows, "alerts": unlinked or None})
    return 0


@schema_commands.command("check")
def check_schema(
    json_to: JsonTo = None, config: ConfigPath = DEFAULT_CONFIG, verbose: Verbose = False
) -> int:
    """Print the JSON Schema of a check."""
    from monitor.core.wire import check_schema as schema

    Output(json_to or "-", verbose).document(schema())
    return 0


def _role(test: "DriftTest | DatasetTest") -> str:
    if test.SPEC.guard:
        return "always"
    return "default" if test.SPEC.default else "on demand"


def _gist(text: str) -> str:
    """The first sentence that says something."""
    return next(s for s in re.split(r"(?<=[.?]) ", text) if s.count(" ") > 1)


def _explain(out: Output, name: str, test: "DriftTest | DatasetTest") -> None:
    import inspect

    spec = test.SPEC
    decides = "decides" if spec.decides else "reports beside the test that decides"
    kinds = getattr(spec, "kinds", ("all columns together",))
    out.say(f"{name} ({_role(test)}; {', '.join(kinds)}; {decides})\n")
    out.prose(inspect.getdoc(test) or "")
    out.say()
    rows = [
        ("asks", spec.asks),
        ("blind to", spec.blind_to),
        ("null law", spec.null_law),
        ("conservative", spec.conservative),
        ("effect", f"{spec.effect} ({spec.unit})"),
        ("tolerance", f"{spec.tolerance:g}: effects up to this do not matter"),
        ("must see", f"{spec.must_see:g}: too few rows to see this leave a column undecided"),
        ("also called", ", ".join(spec.aliases)),
        ("source", spec.source),
    ]
    out.table([(name, text) for name, text in rows if text])
    out.document(_declared(name, test))


def _declared(name: str, test: "DriftTest | DatasetTest") -> dict[str, Any]:
    from dataclasses import asdict

    return {"name": name, **asdict(test.SPEC)}
