"""The tables of docs/trust.md that are no plain rates: defaults, power, correlation, budget."""

from itertools import pairwise

from benchmarks.trust.defaults import AGAINST, CATEGORIES, NUMBERS
from benchmarks.trust.power import PROMISE_ROWS, PROMISE_SIZE
from benchmarks.trust.rates import Rate
from benchmarks.trust.running import Results
from benchmarks.trust.text import grouped, table
from benchmarks.trust.verdicts import PROMISE, of_defaults, percent

NOTHING = ["*Not measured yet.*"]
COLUMNS = NUMBERS + CATEGORIES
POWER = 0.8
Figures = dict[str, list[float]]


def _figures(results: Results, name: str) -> Figures:
    found: Figures = results.get(name, {}).get("figures", {})
    return found


def _sorted(figures: Figures, *prefixes: str) -> list[tuple[list[str], list[float]]]:
    """Keys split, in order of their numbers."""
    chosen = [(k.split("|"), v) for k, v in figures.items() if k.split("|")[0] in prefixes]
    return sorted(chosen, key=lambda each: (each[0][0], *map(float, each[0][1:])))


def defaults(results: Results) -> list[str]:
    figures = _figures(results, "defaults")
    if not figures:
        return NOTHING
    ours, theirs = [], []
    for (_, n, m), sums in _sorted(figures, "ours"):
        rates = [of_defaults(sums, place, AGAINST * (COLUMNS if place < 2 else 1))
                 for place in range(4)]  # fmt: skip
        shares = [f"{percent(rate.value)} %" for rate in rates]
        bound = f"{percent(rates[2].upper)} %"
        ours.append([grouped(float(n)), grouped(float(m)), *shares[:3], bound, shares[3],
                     grouped(sums[0] * AGAINST)])  # fmt: skip
    for (_, n, m), sums in _sorted(figures, "evidently"):
        columns, *checks = (
            of_defaults(sums, place, size).value for place, size in enumerate((COLUMNS, 1, 1))
        )
        shares = [f"{percent(v)} %" for v in (columns, *checks)]
        theirs.append([grouped(float(n)), grouped(float(m)), *shares, grouped(sums[0])])
    return [
        table(["reference", "window", "columns drifted", "columns undecided", "checks drifted",
               "at most (99.9 %)", "checks undecided", "checks"], ours),
        "Evidently's defaults on rows drawn the same way:",
        table(["reference", "window", "columns drifted", "checks with any column",
               "checks with half the columns (its own dataset drift)", "checks"], theirs),
    ]  # fmt: skip


def power(results: Results) -> list[str]:
    figures = _figures(results, "power")
    if not figures:
        return NOTHING
    curves: dict[str, dict[int, dict[float, Rate]]] = {}
    for key, (trials, hits) in figures.items():
        if not key.startswith("promise"):
            rule, m, size = key.split("|")
            curves.setdefault(rule, {}).setdefault(int(m), {})[float(size)] = Rate(trials, hits)
    windows = sorted({m for by_window in curves.values() for m in by_window})
    order = sorted(curves, key=lambda rule: (_rank(rule), rule))
    heads = [f"{grouped(m)} rows" for m in windows]
    seen = [[_named(r), *(_seen(curves[r].get(m, {})) for m in windows)] for r in order]
    quiet = [[_named(r), *(_alarms(curves[r].get(m, {})) for m in windows)] for r in order]
    return [
        "PSI seen in 80 % of windows:",
        table(["rule", *heads], seen),
        "What it costs: per cent of windows called drifted at a PSI of 0 / at the tolerated 0.1:",
        table(["rule", *heads], quiet),
        *_promises(figures),
    ]


def _promises(figures: Figures) -> list[str]:
    rows = []
    for key, (trials, hits) in figures.items():
        if key.startswith("promise"):
            rate = Rate(trials, hits)
            mark = " **fails**" if rate.upper < PROMISE else ""
            share = f"{percent(rate.value)} %{mark}"
            rows.append([key.split("|")[1], share, grouped(rate.trials)])
    said = (
        f"A shift with a PSI of {PROMISE_SIZE:g} in {grouped(PROMISE_ROWS)} rows of one column, "
        f"tolerance 0.1, alpha 1 %: promised is drifted in {percent(PROMISE)} % of windows."
    )
    return [said, table(["decided by", "drifted", "replicates"], rows)]


def _rank(rule: str) -> int:
    first = ("default", "psi", "ks")
    return first.index(rule) if rule in first else 4 if " " in rule else 3


def _named(rule: str) -> str:
    if rule == "default":
        return "the defaults (psi and ks)"
    return rule if " " in rule else f"`{rule}`"


def _seen(curve: dict[float, Rate]) -> str:
    """Where the curve first crosses POWER, between two sizes by a straight line."""
    if not curve:
        return "–"
    sizes = sorted(curve)
    for low, high in pairwise(sizes):
        below, above = curve[low].value, curve[high].value
        if below < POWER <= above:
            return f"{low + (high - low) * (POWER - below) / (above - below):.2f}"
    return f"above {sizes[-1]:g}"


def _alarms(curve: dict[float, Rate]) -> str:
    if not curve:
        return "–"
    return " / ".join(percent(curve[size].value) for size in (0.0, 0.1))


def correlation(results: Results) -> list[str]:
    figures = _figures(results, "flip")
    if not figures:
        return NOTHING
    rows = []
    for (way, m), (trials, dataset, columns) in _sorted(figures, "flip", "quiet"):
        told = "turned round" if way == "flip" else "as it was"
        shares = [f"{percent(hits / trials)} %" for hits in (dataset, columns)]
        rows.append([told, grouped(float(m)), *shares, grouped(trials)])
    return [table(["correlation", "window", "dataset test", "tests of columns", "checks"], rows)]


def budget(results: Results) -> list[str]:
    figures = _figures(results, "budget")
    if not figures:
        return NOTHING
    quiet = []
    for key in sorted(key for key in figures if key.startswith("quiet")):
        years, allowed, mean, upper = figures[key]
        mark = " **fails**" if upper > allowed else ""
        rates = [f"{allowed:.2f}", f"{mean:.2f}", f"{upper:.2f}{mark}"]
        quiet.append([key.split("|")[1], grouped(years), *rates])
    late = []
    for (_, size, rows), (series, mean, median, seen, once) in _sorted(figures, "delay"):
        delays = [f"{mean:.1f}", f"{median:.0f}" if median else "–"]
        shares = [f"{percent(seen)} %", f"{percent(once)} %"]
        late.append([f"{float(size):g}", grouped(float(rows)), *delays, *shares, grouped(series)])
    return [
        table(["p-values", "years", "allowed a year", "false episodes a year", "at most (99 %)"],
              quiet),
        table(["PSI", "rows a check", "mean checks", "median", "told within 120 checks",
               "proven by one check without a budget", "series"], late),
    ]  # fmt: skip
