"""`demo`, `init`, `config`, `schema`, `explain`: to begin with, and to look things up."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from monitor.cli.options import DEFAULT_CONFIG, ConfigPath, JsonTo, Verbose
from monitor.cli.output import Output

if TYPE_CHECKING:
    from monitor.core.drift_socket import DriftTest
    from monitor.settings import Settings

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
    config: ConfigPath = DEFAULT_CONFIG,
    verbose: Verbose = False,
) -> int:
    """Play the whole story on shipped data: twenty weeks of loan applications, three incidents."""
    out = Output(json_to, verbose)
    from monitor.demo.play import play

    out.document(play(folder, out.say))
    return 0


def init(
    folder: Annotated[Path, typer.Argument(metavar="[DIR]", help="The new project.")] = Path(),
    name: Annotated[str, typer.Option(help="What to call the first monitor.")] = "my_model",
    reference: Annotated[
        str, typer.Option(help="The rows the model was trained on: file, folder or pattern.")
    ] = "reference_data/train.csv",
    production: Annotated[
        str, typer.Option(help="The rows it meets: file, folder or pattern.")
    ] = "data/*.csv",
    time: Annotated[str, typer.Option(help="The column with the time of a row.")] = "timestamp",
    json_to: JsonTo = None,
    config: ConfigPath = DEFAULT_CONFIG,
    verbose: Verbose = False,
) -> int:
    """Begin a project: a commented monitor.yaml, its folders, an example suite."""
    out = Output(json_to, verbose)
    from monitor.demo.start import start_project

    written = start_project(
        folder, name=name, reference=reference, production=production, time=time
    )
    for path in written:
        out.say(f"wrote {path}")
    out.say(f"next: look through {written[0]}, then `monitor config check`")
    out.document({"written": [str(path) for path in written]})
    return 0


def explain(
    test: Annotated[str | None, typer.Argument(metavar="[TEST]", help="A test or rule.")] = None,
    json_to: JsonTo = None,
    config: ConfigPath = DEFAULT_CONFIG,
    verbose: Verbose = False,
) -> int:
    """Say what a test or rule asks, what it is blind to, and how it decides; or list them all."""
    out = Output(json_to, verbose)
    from monitor.core.drift_socket import RULES
    from monitor.briefing import drift_tests

    if test in RULES:
        out.say(f"{test} (a rule)\n\n{RULES[test]}")
        out.document({"name": test, "text": RULES[test]})
        return 0
    tests = drift_tests([test] if test else [])
    if test:
        out.say(_explained(test, tests[test]))
        out.document(_declared(test, tests[test]))
        return 0
    out.table([(n, _role(t), t.SPEC.asks) for n, t in sorted(tests.items())])
    out.table([(name, "rule", text.split(".")[0]) for name, text in RULES.items()])
    out.document([_declared(name, t) for name, t in sorted(tests.items())])
    return 0


@config_commands.command("check")
def check_config(
    json_to: JsonTo = None, config: ConfigPath = DEFAULT_CONFIG, verbose: Verbose = False
) -> int:
    """Check monitor.yaml and the suites it names: file, line, the wrong key, the nearest one."""
    out = Output(json_to, verbose)
    from monitor.settings import load_settings

    settings = load_settings(config)
    rows = [_inspected(settings, name) for name in settings.monitors]
    out.say(f"{config} is in order")
    out.table([(f"  {row['monitor']}", row["summary"]) for row in rows])
    out.document({"config": str(config), "monitors": rows})
    return 0


@schema_commands.command("check")
def check_schema(
    json_to: JsonTo = None, config: ConfigPath = DEFAULT_CONFIG, verbose: Verbose = False
) -> int:
    """Print the JSON Schema of a check."""
    from monitor.core.wire import check_schema as schema

    Output(json_to or "-", verbose).document(schema())
    return 0


def _inspected(settings: "Settings", name: str) -> dict[str, Any]:
    """One monitor, its tests and its suite, or the error that stands in its way."""
    from monitor.validation.validator import check_suite
    from monitor.briefing import check_monitor

    monitor = settings.monitor(name)
    check_monitor(monitor)
    suite = settings.path(monitor.expectations) if monitor.expectations else None
    expectations = len(check_suite(suite)) if suite else 0
    held_against = "a reference" if monitor.reference else "no reference"
    summary = f"windows of {monitor.window}, {held_against}, {expectations} expectations"
    return {"monitor": name, "summary": summary, "expectations": expectations}


def _role(test: "DriftTest") -> str:
    if test.SPEC.guard:
        return "always"
    return "default" if test.SPEC.default else "on demand"


def _explained(name: str, test: "DriftTest") -> str:
    import inspect

    spec = test.SPEC
    decides = "decides" if spec.decides else "reports beside the test that decides"
    return "\n".join(
        (
            f"{name} ({_role(test)}; {', '.join(spec.kinds)}; {decides})",
            "",
            inspect.getdoc(test) or "",
            "",
            f"asks       {spec.asks}",
            f"blind to   {spec.blind_to}",
            f"null law   {spec.null_law}",
            f"effect     {spec.effect} ({spec.unit})",
            f"tolerance  {spec.tolerance:g}",
            f"must see   {spec.must_see:g}",
            f"source     {spec.source}",
        )
    )


def _declared(name: str, test: "DriftTest") -> dict[str, Any]:
    from dataclasses import asdict

    return {"name": name, **asdict(test.SPEC)}
