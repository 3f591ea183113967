"""Random tables: what a 2 × B table with these margins shows when nothing but chance is at work.

The permutation law of any statistic of the table, the same for every test that has no better one.
The p-value is (1 + #{at least as extreme}) / (1 + R) of Davison & Hinkley (1997): never zero, and
valid for every number of tables. The draws follow from the counts alone, whatever ran before.
"""

from collections.abc import Callable

import numpy as np

from monitor.core.cells import Counts
from monitor.core.columns import Floats

TABLES = 1999
MOST_LEVELS = 100  # more make it slow; tests then use a law
SEED = 0
ROUNDING = 1e-12  # equal tables must not differ by the last digit
Statistic = Callable[[Counts, Counts], Floats]  # counts (..., B) of both sides -> (...,)


def table_p(reference: Counts, current: Counts, statistic: Statistic, inflation: float) -> float:
    """Share of tables with these margins whose statistic is at least this one, it included.

    Counts of shape (B,), B ≥ 1. `inflation` is how many times as large the statistic of dependent
    rows is by chance: the design effect for squares of shares, its root for their differences.

    >>> even = np.array([20, 20])
    >>> table_p(even, even, lambda x, y: np.abs(x - y).max(axis=-1), 1.0)
    1.0
    """
    generator = np.random.default_rng(SEED)
    pooled = reference + current
    drawn = generator.multivariate_hypergeometric(
        pooled, int(current.sum()), size=TABLES, method="marginals"
    )
    by_chance = statistic(pooled - drawn, drawn) * inflation
    seen = float(statistic(reference, current))
    return float((1 + np.sum(by_chance >= seen * (1 - ROUNDING))) / (1 + TABLES))
