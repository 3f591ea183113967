"""PSI, the population stability index: how far shares of cells moved, in both directions at once.

PSI = Σ (p − q) · ln(p / q) over the cells of present values. Under no drift PSI / (1/n + 1/m)
follows χ²(B−1) (where cells expect few rows, a gamma law of the right mean and variance), so its
size is judged against what n and m rows can tell, never against a fixed 0.1 or 0.2 alone. Missing
values are no cell: they have a finding of their own.
Source: Yurdakul (2018); Yurdakul & Naranjo (2020); tolerance test after Potgieter et al. (2023).
"""

from dataclasses import replace

import numpy as np

from monitor.core.cells import Counts, Pair, shares
from monitor.core.columns import COMPARED_KINDS, Floats
from monitor.core.drift_socket import Bounds, Evidence, TestSpec
from monitor.core.laws.chi_family import Divergence, additive, delta_variance, evidence_of

SPEC = TestSpec(
    title="PSI",
    kinds=COMPARED_KINDS,
    effect="symmetric divergence of the shares of cells",
    unit="nats, 0 or more",
    tolerance=0.1,
    must_see=0.5,
    asks="Did the shares of the ten reference-quantile cells (or of the levels) move?",
    blind_to="changes inside one cell; missing values",
    null_law="PSI / (1/n + 1/m) ~ chi-square, cells − 1 degrees; of few rows a fitted gamma law",
    source="Yurdakul & Naranjo (2020); Potgieter et al., arXiv 2307.11878",
    aliases=("population_stability_index",),
)


def measure(pair: Pair, bounds: Bounds) -> Evidence | None:
    """Evidence from the merged cells of a pair."""
    off = error_bound(*pair.cells, *pair.slack) if pair.slack and all(pair.sizes) else 0.0
    careful = replace(bounds, tolerance=bounds.tolerance + off)
    found = evidence_of(pair, careful, _estimate, additive(_score), off=off)
    return replace(found, error_bound=off)


def psi(reference: Counts, current: Counts) -> float:
    """PSI of two count vectors of shape (B,), half a count added when a cell is empty on one side.

    >>> round(psi(np.array([50, 30, 15, 5]), np.array([40, 30, 20, 10])), 10)
    0.0713558178
    """
    p, q = shares(reference, current)
    return float(np.sum((p - q) * np.log(p / q)))


def error_bound(
    reference: Counts, current: Counts, slack_reference: Floats, slack_current: Floats
) -> float:
    """How much PSI may change when counts, shape (B,), are off by up to `slack` rows.

    (p − q) ln (p / q) is convex in both shares, so its maximum over a cell's box stands in a
    corner, and its minimum there, too, or at p = q where the box holds such a point.

    >>> even = np.array([500, 500])
    >>> round(error_bound(even, even, np.array([5.0, 5.0]), np.array([0.0, 0.0])), 6)
    0.000101
    """
    n, m = float(reference.sum()), float(current.sum())
    empty = np.any(reference - slack_reference < 1) or np.any(current - slack_current < 1)
    add = 0.5 if empty else 0.0  # rows, in every cell or in none: nobody knows which
    low_p, high_p = _box(reference, slack_reference, n, add)
    low_q, high_q = _box(current, slack_current, m, add)
    corners = [_score(p, q, 1.0, 1.0) for p in (low_p, high_p) for q in (low_q, high_q)]
    here = _score(*shares(reference, current), 1.0, 1.0)
    least = np.where((low_p > high_q) | (low_q > high_p), np.min(corners, axis=0), 0.0)
    return float(max(np.sum(np.max(corners, axis=0) - here), np.sum(here - least)))


def _box(counts: Counts, slack: Floats, rows: float, add: float) -> tuple[Floats, Floats]:
    """The smallest and the largest share of each cell."""
    least = np.maximum(counts - slack, 0.5) / (rows + add * counts.size)
    return least, (counts + slack + add) / rows


def _estimate(reference: Counts, current: Counts) -> Divergence:
    p, q = shares(reference, current)
    ratio = np.log(p / q)
    variance = delta_variance(
        p,
        q,
        ratio + 1 - q / p,
        -ratio + 1 - p / q,
        int(reference.sum()),
        int(current.sum()),
    )
    value = float(np.sum((p - q) * ratio))
    return Divergence(effect=value, statistic=value, variance=variance)


def _score(reference: Floats, current: Floats, n: float, m: float) -> Floats:
    """What one cell adds to PSI."""
    p, q = reference / n, current / m
    return (p - q) * np.log(p / q)
