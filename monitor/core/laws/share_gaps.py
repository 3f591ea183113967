"""What the tests of plain differences of shares, q − p of each cell, have in common.

Total variation and L∞ follow no law of their own. Without drift, random tables with the same
margins tell what chance does. Whether more than the tolerance is proven is asked of one set of
cells, as a share of rows like any other, by the exact test of `proportions`; how the set was found
is paid for by each test in its own way.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from monitor.core.cells import MIN_EXPECTED, Counts, Pair, shares
from monitor.core.columns import Floats
from monitor.core.drift_socket import Bounds, Evidence
from monitor.core.laws.chi_family import nothing_to_compare, smallest_window
from monitor.core.laws.promises import POWER
from monitor.core.laws.proportions import effective_rows

FAR = 3.0  # standard deviations that chance hardly ever takes a share
WIDEST = 0.5  # standard deviation of one row's part in a share of one half


@dataclass(frozen=True, slots=True, eq=False)
class Gaps:
    """Shares of both sides, shape (B,) each, and how many independent rows they were counted in."""

    p: Floats
    q: Floats
    spread: Floats  # standard deviation of each difference
    n: int
    m: int
    at_quantiles: bool  # cells of numbers, cut where the reference has its quantiles

    @property
    def sizes(self) -> Floats:
        return np.abs(self.q - self.p)

    def rows_behind(self, cell: int) -> int:
        """Rows of the reference that stand behind the difference in one cell.

        An error of a quantile moves the border of a cell. What lies at the border in the window
        moves with it, so where the window is denser the error counts for more.
        """
        if not self.at_quantiles or self.q[cell] <= self.p[cell]:
            return self.n
        return max(1, round(self.n * float(self.p[cell] / self.q[cell]) ** 2))


Null = Callable[[Counts, Counts, float], tuple[float, str]]
Look = Callable[[Gaps, Bounds], Evidence]
Seen = Callable[[Floats, float, Bounds], float]


def evidence_of_gaps(
    pair: Pair, bounds: Bounds, null: Null, look: Look, seen: Seen, *, merged: bool
) -> Evidence:
    """Evidence from the cells of a pair; those that expect few rows in one, or each alone.

    `null` tells the p-value and the name of its law, given merged counts and the design effect;
    `look` the effect, its interval and what of it is proven; `seen` the true effect that 80 % of
    windows prove, given the pooled shares, 1/n + 1/m of independent rows, and the bounds.
    """

    def needed() -> int | None:
        return _rows_to_see(pair, _finest(pair, merged=merged), bounds, seen)

    nothing = nothing_to_compare(pair, needed)
    if nothing and (merged or not all(pair.sizes)):
        return nothing
    reference, current = pair.cells if merged else _filled(pair)
    design, pooled = pair.design_effect, reference + current
    p_value, law = null(reference, current, design) if pooled.size > 1 else (1.0, "")
    smallest = seen(pooled / pooled.sum(), sum(1 / rows for rows in pair.effective), bounds)
    return replace(
        look(_gaps(reference, current, design, pair.numeric), bounds),
        p_value=p_value,
        law=law,
        minimum_detectable=min(1.0, smallest),
        rows_needed=needed() if smallest > bounds.must_see else None,
        error_bound=None if pair.slack else 0.0,
    )


def margin(f: float, alpha: float) -> float:
    """By how much a share must exceed a limit for 80 % of windows to prove it, at its widest."""
    from scipy import special

    return float(special.ndtri(1 - alpha) + special.ndtri(POWER)) * WIDEST * math.sqrt(f)


def _gaps(reference: Counts, current: Counts, design_effect: float, numeric: bool) -> Gaps:
    n, m = (effective_rows(int(side.sum()), design_effect) for side in (reference, current))
    p, q = shares(reference, current)  # without empty cells, which would seem to be certain
    spread = np.sqrt(p * (1 - p) / n + q * (1 - q) / m)
    return Gaps(reference / reference.sum(), current / current.sum(), spread, n, m, numeric)


def _filled(pair: Pair) -> tuple[Counts, Counts]:
    """Cells as they are, without those that are empty on both sides."""
    reference, current = pair.fine_cells
    kept = reference + current > 0
    return reference[kept], current[kept]


def _rows_to_see(pair: Pair, finest: Floats, bounds: Bounds, seen: Seen) -> int | None:
    n = pair.sizes[0]

    def blind(rows: int) -> bool:
        return seen(finest, (1 / n + 1 / rows) * pair.design_effect, bounds) > bounds.must_see

    return smallest_window(blind)


def _finest(pair: Pair, *, merged: bool) -> Floats:
    """Pooled shares of the cells that no larger window could part."""
    reference, current = _filled(pair)
    pooled = reference + current
    if merged and not pair.numeric:
        rare = pooled < MIN_EXPECTED
        pooled = np.append(pooled[~rare], pooled[rare].sum())
    return np.asarray(pooled / pooled.sum())
