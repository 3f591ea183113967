"""Which figures fail: the limits that the page claims, in one place."""

from collections.abc import Iterator
from dataclasses import dataclass

from benchmarks.trust.populations import EDGES
from benchmarks.trust.rates import MOST, NOMINAL, Rate, clustered
from benchmarks.trust.running import Results
from monitor.briefing import drift_tests

MOST_DEPENDENT = 2.0  # times nominal, where rows depend on one another
PROVEN_PHI = 0.8  # up to this correlation of neighbours it is claimed; beyond it is measured
MOSTLY_SILENT = 0.05  # share of windows without evidence above which a rate may well be low
ALPHA = 0.01
PROMISE = 0.9


@dataclass(frozen=True, slots=True)
class Figure:
    """One rate at each nominal level, where it stands, and what is wrong with it."""

    table: str
    test: str
    row: tuple[str, ...]
    column: str
    rates: tuple[Rate, ...]
    high: bool = False
    low: bool = False  # below half the nominal level, where that was promised not to be

    @property
    def fails(self) -> bool:
        return self.high or self.low

    @property
    def text(self) -> str:
        """Per cent at 1 % / at 5 %.

        >>> Figure("a", "x", (), "", (Rate(1000, 9), Rate(1000, 48)), high=True).text
        '0.9 / 4.8 **fails**'
        """
        shares = " / ".join(percent(rate.value) for rate in self.rates)
        return f"{shares} **fails**" if self.fails else shares

    @property
    def ratio(self) -> float:
        """The rate as a multiple of the nominal level, the larger of both."""
        return max(r.value / nominal for r, nominal in zip(self.rates, NOMINAL, strict=True))


def percent(share: float) -> str:
    """In per cent without the sign: one digit behind the point, two below one.

    >>> percent(0.0123), percent(0.0004), percent(0), percent(1)
    ('1.2', '0.04', '0', '100')
    """
    if share in (0, 1):
        return f"{100 * share:.0f}"
    return f"{100 * share:.2f}" if share < 0.00095 else f"{100 * share:.1f}"


def single(results: Results, claim: str) -> Iterator[Figure]:
    """Of table (a), claim "null", or (b), "tolerance"."""
    for key, sums in results.get(claim, {}).get("figures", {}).items():
        test, law, way, n, m = key.split("|")
        if claim != "tolerance":
            yield _figure(claim, test, (law, n), m, sums, MOST)
        elif law not in EDGES:
            yield _figure(claim, test, (law, way, n), m, sums, MOST)


def at_edges(results: Results) -> Iterator[Figure]:
    """Of table (b), where a true effect hangs on the reference: measured, nothing is claimed."""
    for key, sums in results.get("tolerance", {}).get("figures", {}).items():
        test, law, way, n, m = key.split("|")
        if law in EDGES:
            yield _figure("tolerance", test, (law, way, n), m, sums, float("inf"))


def dependent(results: Results, claim: str) -> Iterator[Figure]:
    """The same under dependence."""
    table = f"series-{claim}"
    for key, sums in results.get(table, {}).get("figures", {}).items():
        test, way, _, phi, week, days, rows = key.split("|")
        most = MOST_DEPENDENT if float(phi) <= PROVEN_PHI else float("inf")
        row = (days, rows, way) if way else (days, rows)
        yield _figure(table, test, row, f"{phi}|{week}", sums, most)


def _figure(
    table: str, test: str, row: tuple[str, ...], column: str, sums: list[float], most: float
) -> Figure:
    trials, *hits, silent = sums[:4]
    rates = tuple(Rate(trials, each) for each in hits)
    pairs = list(zip(rates, NOMINAL, strict=True))
    promised = table == "null" and not is_conservative(test) and silent <= MOSTLY_SILENT * trials
    return Figure(
        table,
        test,
        row,
        column,
        rates,
        any(rate.too_high(nominal, most) for rate, nominal in pairs),
        promised and any(rate.too_low(nominal) for rate, nominal in pairs),
    )


def is_conservative(test: str) -> bool:
    return test in drift_tests() and bool(drift_tests()[test].SPEC.conservative)


def of_defaults(sums: list[float], place: int, size: float) -> Rate:
    """The rate of the measure at `place` over references of `size` trials each."""
    half = (len(sums) - 1) // 2
    return clustered(sums[0], size, sums[1 + place], sums[1 + half + place])


def failures(results: Results) -> list[str]:
    """Every figure that fails, in words."""
    figures = [
        *(f for claim in ("null", "tolerance") for f in single(results, claim)),
        *(f for claim in ("null", "tolerance") for f in dependent(results, claim)),
    ]
    found = [f"{f.table}: {f.test}, {', '.join(f.row)}, {f.column}: {f.text}" for f in figures
             if f.fails]  # fmt: skip
    return found + _other_failures(results)


def _other_failures(results: Results) -> list[str]:
    found = []
    for key, sums in results.get("defaults", {}).get("figures", {}).items():
        if key.startswith("ours") and of_defaults(sums, 2, 5).too_high(ALPHA):
            found.append(f"defaults: {key}: more than {MOST:g} × {ALPHA:g} of checks alarm")
    for key, (trials, hits) in results.get("power", {}).get("figures", {}).items():
        if key.startswith("promise") and Rate(trials, hits).upper < PROMISE:
            found.append(f"power: {key}: {percent(hits / trials)} % seen, {PROMISE:.0%} promised")
    for key, sums in results.get("budget", {}).get("figures", {}).items():
        if key.startswith("quiet") and sums[3] > sums[1]:
            found.append(f"budget: {key}: up to {sums[3]:.2f} a year, {sums[1]:.2f} allowed")
    return found
