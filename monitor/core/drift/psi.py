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
from monitor.core.drift_socket import Bounds, Evidence, TestSpec
from monitor.core.laws.chi_family import Divergence, additive, delta_variance, evidence_of
from monitor.core.records import COMPARED_KINDS, Floats

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
    found = evidence_of(pair, careful, _estimate, additive(_score))
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
    0.0001
    """
    n, m = float(reference.sum()), float(current.sum())
    corners = [
        _score(np.maximum(reference + i * slack_reference, 0.5),
               np.maximum(current + j * slack_current, 0.5), n, m)
        for i in (-1, 1)
        for j in (-1, 1)
    ]  # fmt: skip
    here = _score(np.maximum(reference, 0.5), np.maximum(current, 0.5), n, m)
    apart = np.abs(reference / n - current / m) > slack_reference / n + slack_current / m
    least = np.where(apart, np.min(corners, axis=0), 0.0)
    return float(max(np.sum(np.max(corners, axis=0) - here), np.sum(here - least)))


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
