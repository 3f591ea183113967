"""Variables of both sides → matrices that a model can be fitted to: scaled, without gaps."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from monitor.core.columns import Codes, Flags, Floats
from monitor.core.table import Variable

MOST_LEVELS = 31  # of one column that a tree tells apart; the others are one more
SHOWN_LEVELS = 20  # of one column that get a feature of their own
RARE = 0.01  # share of rows below which a level gets none
WIDEST = 5.0  # robust standard deviations beyond which a value is as far off as any other
IQR_OF_NORMAL = 1.349


def side_by_side(variables: Sequence[Variable]) -> tuple[Floats, Flags]:
    """Reference rows above window rows, (n + m, k), NaN where missing; which columns are levels.

    Levels are numbered by how often they occur on both sides together, so that no number tells
    which side a row is of.
    """
    pooled = [np.concatenate((v.reference, v.current)) for v in variables]
    columns = [
        values if v.ordered else _by_frequency(values)
        for v, values in zip(variables, pooled, strict=True)
    ]
    return np.stack(columns, axis=1), np.array([not v.ordered for v in variables])


def _by_frequency(places: Floats) -> Floats:
    held = ~np.isnan(places)
    codes: Codes = places[held].astype(np.int64)
    order = np.argsort(-np.bincount(codes, minlength=1), kind="stable")
    ranks = np.empty(order.size)
    ranks[order] = np.minimum(np.arange(order.size), MOST_LEVELS)
    found = np.full(places.size, np.nan)
    found[held] = ranks[codes]
    return found


@dataclass(frozen=True, slots=True, eq=False)
class Encoder:
    """Rows as features, (rows, features), by what `fitted` rows alone tell of the columns."""

    variables: tuple[Variable, ...]
    fitted: Codes  # rows of the reference, shape (f,)

    def reference(self, rows: Codes) -> Floats:
        return self._encoded([v.reference[rows] for v in self.variables])

    def current(self, rows: Codes) -> Floats:
        return self._encoded([v.current[rows] for v in self.variables])

    def _encoded(self, sides: Sequence[Floats]) -> Floats:
        parts: list[Floats] = []
        for variable, values in zip(self.variables, sides, strict=True):
            known = variable.reference[self.fitted]
            parts += _numbers(values, known) if variable.ordered else _levels(values, known)
        return np.stack(parts, axis=1)


def _numbers(values: Floats, known: Floats) -> list[Floats]:
    """In robust standard deviations from the median, a gap at the median; and where the gaps are.

    Without a spread of the middle half, the standard deviation of the finite values serves.
    """
    gaps = np.isnan(values)
    held = known[np.isfinite(known)]
    if not held.size:
        return [gaps.astype(np.float64)]
    low, middle, high = np.quantile(held, (0.25, 0.5, 0.75))
    scale = (high - low) / IQR_OF_NORMAL or float(held.std()) or 1.0
    with np.errstate(over="ignore", invalid="ignore"):
        steps = np.clip((values - middle) / scale, -WIDEST, WIDEST)
    return [np.where(gaps, 0.0, steps), gaps.astype(np.float64)]


def _levels(values: Floats, known: Floats) -> list[Floats]:
    """One feature for each frequent level, one for the others, one for gaps."""
    held = known[~np.isnan(known)].astype(np.int64)
    sizes = np.bincount(held, minlength=1)
    ranked = np.argsort(-sizes, kind="stable")[:SHOWN_LEVELS]
    shown = [level for level in ranked.tolist() if sizes[level] >= RARE * max(1, known.size)]
    gaps = np.isnan(values)
    others = ~gaps & ~np.isin(values, shown)
    features = [*(values == level for level in shown), others, gaps]
    return [feature.astype(np.float64) for feature in features]
