"""Energy distance: how far both distributions lie apart, in the squared difference of shares.

√(2 ∫ (F − G)² dx), with values in units of the reference's interquartile range, else of its
standard deviation; a constant reference has no unit, and coming alive is told as a share. Infinite
values are left to a finding of their own. p comes from permutations of the pooled rows; beyond the
tolerance the law of a squared length of Gaussian noise decides.
Source: Székely & Rizzo (2004; 2013).
"""

import numpy as np
from numpy.typing import NDArray

from monitor.core.cells import Pair
from monitor.core.columns import Floats, Kind
from monitor.core.drift_socket import Bounds, Evidence, TestSpec
from monitor.core.laws.norms import NODES, eigenvalues, errors_per_variance, evidence_of_length
from monitor.core.laws.pooled import (
    Grid,
    differences,
    grid_of,
    permutation_p,
    shares_ahead,
    shares_below,
)
from monitor.core.laws.scale import by_quartiles, came_alive, is_constant, too_few

SPEC = TestSpec(
    title="energy distance",
    kinds=(Kind.NUMBER, Kind.TEXT),
    effect="root of twice the squared difference of cumulative shares, over the axis of values",
    unit="root of the reference's IQR (its standard deviation where the IQR is 0), 0 or more",
    tolerance=0.16,  # a normal column shifted by .25 sd: .162, KS .1
    must_see=0.6,  # by .9 sd: .58, KS .35
    asks="Do rows of both sides lie farther from each other than from their own kind?",
    blind_to="changes of few rows, unless they move far; infinite and missing values",
    null_law="permutations of the pooled rows; beyond the tolerance weighted chi-squares",
    source="Székely & Rizzo (2013)",
    default=False,
    needs_rows=True,
    aliases=("energy_distance",),
)


def measure(pair: Pair, bounds: Bounds) -> Evidence | None:
    """Evidence from the sorted finite values of a pair."""
    reference, current = pair.reference.finite, pair.current.finite
    nothing = too_few(reference, current, "finite values")
    if nothing or is_constant(reference):
        return nothing or came_alive(pair, bounds)
    scaled = by_quartiles(reference, current)
    n, m = (side.size / pair.design_effect for side in (reference, current))
    grid = grid_of(scaled.reference, scaled.current)
    nodes = grid_of(scaled.reference, scaled.current, NODES)
    before, now = (shares_below(side)[:-1] for side in (nodes.reference, nodes.current))
    weights = 2 * nodes.gaps
    noise = eigenvalues((before, now), weights, errors_per_variance(n, m))
    return evidence_of_length(
        energy(scaled.reference, scaled.current),
        permutation_p(grid, lambda windows: _scores(grid, windows), pair.design_effect),
        noise,
        eigenvalues((before,), weights, (1.0,)),
        (n, m),
        bounds,
        pair.design_effect,
    )


def energy(reference: Floats, current: Floats) -> float:
    """Energy distance of two sorted samples, in the root of their unit; neither may be empty.

    >>> round(energy(np.array([0.0, 1.0]), np.array([1.0, 2.0])), 6)  # √(2 · (¼ + ¼))
    1.0
    """
    ahead, widths = shares_ahead(reference, current)
    return float(np.sqrt(2 * np.sum(ahead**2 * widths)))


def _scores(grid: Grid, windows: NDArray[np.int64]) -> Floats:
    """Squared lengths, which the design effect inflates as a whole."""
    return np.asarray(differences(grid, windows)[:, :-1] ** 2 @ grid.gaps)
