"""docs/trust.md, drawn from the kept figures alone: the worst first, everything folded behind."""

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import TypeVar

from benchmarks.trust import verdicts
from benchmarks.trust.page_parts import budget, correlation, defaults, power
from benchmarks.trust.running import Results
from benchmarks.trust.single import COSTLY_S, COSTLY_WINDOWS
from benchmarks.trust.text import folded, grouped, table
from benchmarks.trust.verdicts import Figure
from benchmarks.trust.words import EDGES_READING, HEADINGS, INTRODUCTION, READING, REPLICATES, TITLE

Key = TypeVar("Key", bound=Hashable)


def render(results: Results) -> str:
    """The page; a table that was not run yet says so."""
    replicates = REPLICATES.format(
        costly=COSTLY_S * 1000,
        windows=" and ".join(grouped(m) for m in COSTLY_WINDOWS),
    )
    parts = [TITLE, INTRODUCTION, _outcome(results), replicates]
    for name, heading in HEADINGS.items():
        parts += [heading, _reading(name, results), *_bodies()[name](results)]
    return "\n\n".join([*parts, "## How it was run", _runs(results)]) + "\n"


def _bodies() -> dict[str, Callable[[Results], list[str]]]:
    return {
        "null": lambda results: _rates(list(verdicts.single(results, "null"))),
        "tolerance": lambda results: [
            *_rates(list(verdicts.single(results, "tolerance"))),
            EDGES_READING,
            *_rates(list(verdicts.at_edges(results))),
        ],
        "defaults": defaults,
        "power": power,
        "flip": correlation,
        "series-null": lambda results: _rates(list(verdicts.dependent(results, "null"))),
        "series-tolerance": lambda results: _rates(list(verdicts.dependent(results, "tolerance"))),
        "budget": budget,
    }


def _reading(name: str, results: Results) -> str:
    run = results.get(name, {}).get("run", {})
    return READING[name].format(evidently=run.get("versions", {}).get("evidently", ""))


def _outcome(results: Results) -> str:
    failed = verdicts.failures(results)
    rates = [
        f
        for claim in ("null", "tolerance")
        for of in (verdicts.single, verdicts.dependent)
        for f in of(results, claim)
    ]
    if not rates:
        return "**Nothing has been measured yet.**"
    head = f"**{len(failed)} of {grouped(len(rates))} figures fail.**"
    rehearsals = [name for name, each in results.items() if each["run"]["fast"]]
    if rehearsals:
        head += f" A rehearsal with few replicates: {', '.join(sorted(rehearsals))}."
    return "\n".join([head, "", *(f"- {each}" for each in failed)]).strip()


def _rates(figures: list[Figure]) -> list[str]:
    """The worst figure of each test in each column, then all of them."""
    if not figures:
        return ["*Not measured yet.*"]
    columns = _columns(figures)
    by_test = _by(figures, lambda f: f.test)
    worst = [_worst_row(test, each, columns) for test, each in by_test.items()]
    head = ["test", *map(_titled, columns), "worst", "replicates"]
    note = "Per cent of windows with p ≤ 1 % / p ≤ 5 %; the worst of each test over all data."
    full = [
        folded(f"{test}: all {len(each)} figures", _full(each, columns))
        for test, each in by_test.items()
    ]
    return [note, table(head, worst), *full]


def _worst_row(test: str, figures: list[Figure], columns: Sequence[str]) -> list[str]:
    cells = []
    for column in columns:
        here = [f for f in figures if f.column == column]
        cells.append(max(here, key=_badness).text if here else "–")
    worst = max(figures, key=_badness)
    named = f"{worst.text} ({', '.join([*worst.row, _titled(worst.column)])}; of {len(figures)})"
    trials = sorted({int(f.rates[0].trials) for f in figures})
    counts = grouped(trials[0]) + (f" to {grouped(trials[-1])}" if len(trials) > 1 else "")
    mark = f"`{test}`" + (" *conservative*" if verdicts.is_conservative(test) else "")
    return [mark, *cells, named, counts]


def _badness(figure: Figure) -> tuple[bool, float]:
    return figure.fails, figure.ratio


def _full(figures: list[Figure], columns: Sequence[str]) -> str:
    rows = []
    for row, each in _by(figures, lambda f: f.row).items():
        found = {f.column: f for f in each}
        trials = sorted({int(f.rates[0].trials) for f in each})
        rows.append(
            [
                ", ".join(grouped(int(part)) if part.isdigit() else part for part in row if part),
                *(found[c].text if c in found else "–" for c in columns),
                "–".join(grouped(t) for t in dict.fromkeys((trials[0], trials[-1]))),
            ]
        )
    return table(["data", *map(_titled, columns), "replicates"], rows)


def _columns(figures: Iterable[Figure]) -> list[str]:
    return sorted({f.column for f in figures}, key=lambda c: [float(part) for part in c.split("|")])


def _titled(column: str) -> str:
    """Rows of a window, or φ and the week's spread."""
    if "|" not in column:
        return f"{grouped(int(column))} rows"
    phi, week = column.split("|")
    return f"φ {phi}" + (f", week {week}" if float(week) else "")


def _by(figures: Iterable[Figure], key: Callable[[Figure], Key]) -> dict[Key, list[Figure]]:
    found: dict[Key, list[Figure]] = defaultdict(list)
    for figure in figures:
        found[key(figure)].append(figure)
    return found


def _runs(results: Results) -> str:
    rows = []
    for name, each in results.items():
        run = each["run"]
        versions = ", ".join(f"{k} {v}" for k, v in run["versions"].items())
        took = f"{run['seconds'] / 60:.0f} min", f"{run['cap_s']:g} s", f"{run['cores']} cores"
        rows.append([name, str(run["seed"]), *took, f"Python {run['python']}, {versions}"])
    return table(["table", "seed", "took", "cap", "machine", "versions"], rows)
