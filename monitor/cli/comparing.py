"""`monitor compare`: two datasets against each other, without any configuration."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from monitor.cli.options import (
    DEFAULT_CONFIG,
    Decimal,
    Encoding,
    ExitZero,
    JsonTo,
    Kinds,
    Separator,
    TimeColumn,
    UnusedConfig,
    Verbose,
    listed,
    one_or_pairs,
    pairs,
)
from monitor.cli.output import Output, check_place, write_file

if TYPE_CHECKING:
    from monitor.core.records import Check

Text = str | None
Row = tuple[str, str, str]
_RANK = {"drifted": 0, "undecided": 1, "watch": 2, "passed": 3}


def register(app: typer.Typer) -> None:
    app.command("compare")(compare)


def compare(  # noqa: PLR0913, PLR0917 - typer takes every flag as an argument
    reference: Annotated[
        str, typer.Argument(metavar="REFERENCE", help="The training data: file, folder, pattern.")
    ],
    current: Annotated[
        str, typer.Argument(metavar="CURRENT", help="The new data: file, folder or pattern.")
    ],
    json_to: JsonTo = None,
    html: Annotated[Path | None, typer.Option(metavar="FILE", help="Write the report.")] = None,
    suite: Annotated[
        Path | None, typer.Option(metavar="FILE", help="A Great Expectations suite to hold to.")
    ] = None,
    tests: Annotated[
        Text,
        typer.Option(
            help="Tests, as ks,psi; by default by kind. Missing, infinite and unreadable values, "
            "new and lost levels are always looked at."
        ),
    ] = None,
    tolerance: Annotated[
        list[str], typer.Option(metavar="TEST=VALUE", help="Effects up to this do not matter.")
    ] = [],  # noqa: B006 - typer reads defaults, it never changes them
    must_see: Annotated[
        list[str], typer.Option(metavar="TEST=VALUE", help="Effects this large must be seen.")
    ] = [],  # noqa: B006
    alpha: Annotated[float, typer.Option(help="False-alarm rate, 0 to 0.5.")] = 0.01,
    p_value: Annotated[
        float | None, typer.Option(help="Classical rule: drifted when p is at most this.")
    ] = None,
    threshold: Annotated[
        list[str],
        typer.Option(metavar="[TEST=]VALUE", help="Classical rule: drifted above this statistic."),
    ] = [],  # noqa: B006
    columns: Annotated[Text, typer.Option(help="Compare only these, as a,b.")] = None,
    exclude: Annotated[Text, typer.Option(help="Do not compare these, as a,b.")] = None,
    dataset_tests: Annotated[
        Text, typer.Option(help="Tests of all columns together, as a,b; none for none of them.")
    ] = None,
    segments: Annotated[
        Text, typer.Option(help="Compare once more by the values of these columns, as a,b.")
    ] = None,
    kind: Kinds = [],  # noqa: B006
    time_column: TimeColumn = None,
    prediction: Annotated[Text, typer.Option(help="The column with the model's decision.")] = None,
    probability: Annotated[Text, typer.Option(help="The column with the model's score.")] = None,
    label: Annotated[Text, typer.Option(help="The column with the truth; may be absent.")] = None,
    id: Annotated[Text, typer.Option(help="The column that names a row.")] = None,
    sample: Annotated[int | None, typer.Option(help="Look at this many rows a side.")] = None,
    seed: Annotated[int, typer.Option(help="Seed of the sample.")] = 0,
    separator: Separator = ",",
    encoding: Encoding = "utf-8",
    decimal: Decimal = ".",
    show_values: Annotated[
        str, typer.Option(help="never, levels or all: what reports may show.")
    ] = "levels",
    exit_zero: ExitZero = False,
    config: UnusedConfig = DEFAULT_CONFIG,
    verbose: Verbose = False,
) -> int:
    """Compare REFERENCE with CURRENT; no configuration needed.

    Exit codes: 0 passed, 1 drifted, 2 violated, 3 undecided, 64 asked wrongly, 70 a fault.
    """
    out = Output(json_to, verbose)
    if html is not None:
        check_place(html)
    from monitor import api

    result = api.compare(
        reference,
        current,
        meanwhile=None if html is None else api.prepare_report,
        suite=suite,
        tests=listed(tests),
        tolerance=pairs(tolerance, "--tolerance", float),
        must_see=pairs(must_see, "--must-see", float),
        alpha=alpha,
        p_value=p_value,
        threshold=one_or_pairs(threshold, "--threshold"),
        columns=listed(columns),
        exclude=listed(exclude),
        dataset_tests=_named_tests(dataset_tests),
        segments=listed(segments),
        kinds=pairs(kind, "--kind", str),
        time_column=time_column,
        prediction=prediction,
        probability=probability,
        label=label,
        id=id,
        sample=sample,
        seed=seed,
        show_values=show_values,
        csv={"separator": separator, "encoding": encoding, "decimal": decimal},
    )
    tell(out, result.check)
    if html is not None:
        write_file(html, result.html())
        out.say(f"report: {html}")
    out.document(result.to_dict())
    return 0 if exit_zero else result.exit_code


def _named_tests(text: Text) -> tuple[str, ...] | None:
    """Nothing said is the defaults; `none` is no test at all."""
    return None if text is None else () if text.strip() == "none" else listed(text)


def tell(out: Output, check: "Check") -> None:
    """A check in a few lines: the sentence, what fired, what could not be judged."""
    out.say(check.headline)
    rows = [*_of_columns(check), *_of_places(check), *_of_expectations(check), *_of_dataset(check)]
    out.table([*rows, *_of_notices(check)])


def _of_columns(check: "Check") -> list[Row]:
    """What is not as in training, the most telling first; why nothing was compared."""
    ranked = sorted(check.columns, key=lambda c: (_RANK[c.verdict], -c.weight))
    rows = [(f"  {c.verdict}", c.name, c.reason) for c in ranked if c.verdict != "passed"]
    if any(c.compared for c in check.columns):
        return rows
    return [("  skipped", c.name, c.reason) for c in ranked]


def _of_places(check: "Check") -> list[Row]:
    """Where in the rows: what explains a drift, and the segments that tell more than the whole."""
    from monitor.core.verdict import beyond_whole

    hidden = beyond_whole(check.columns, check.segments)
    rows = [("  where", s.where, s.reason) for s in check.slices]
    rows += [("  drifted", s.where, s.reason) for s in hidden]
    states = [str(s.verdict) for s in check.segments]
    for state, many, told in (
        ("drifted", states.count("drifted") - len(hidden), "drifted as the whole did"),
        ("undecided", states.count("undecided"), "could not be decided"),
    ):
        if many:
            rows.append((f"  {state}", "segments", f"{many} of {len(states)} {told}"))
    return rows


def _of_expectations(check: "Check") -> list[Row]:
    results = check.expectations.results if check.expectations else ()
    return [
        (f"  {'undecided' if r.success is None else r.severity}", r.column or "", r.reason)
        for r in results
        if not r.success
    ]


def _of_dataset(check: "Check") -> list[Row]:
    return [
        (f"  {f.verdict}", f.test, f.reason)
        for f in check.dataset.findings
        if f.verdict != "passed" and f.reason not in check.headline
    ]


def _of_notices(check: "Check") -> list[Row]:
    """All but the watches, which stand among the columns."""
    from monitor.core.unproven import UNPROVEN

    return [
        (
            "  next" if n.kind == UNPROVEN else "  notice",
            n.column or "",
            n.text.removeprefix(f"{n.column} "),
        )
        for n in check.notices
        if n.kind != "column_watch"
    ]
