"""Correlation change: do numbers hang together as they did, even where none of them moved alone?

Spearman's correlation of every two number or boolean columns, reference against window. Ranks are
taken within each side, so only the dependence counts, not where the columns lie. The pair that most
clearly differs by more than the tolerance is named; its effect is the difference of its two
correlations, with an interval that does not allow for its having been picked. Both p-values are
those of the best pair times the number of pairs (Bonferroni).

Pairs of which one column is nearly always the same are left out: by chance alone, fewer than
twenty rows would then be expected in which both are something else. None on fewer than two columns.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from monitor.core.columns import Floats, Kind
from monitor.core.dataset_socket import DatasetSpec
from monitor.core.drift_socket import Bounds, Evidence
from monitor.core.laws.correlations import (
    Correlation,
    Correlations,
    all_pairs,
    difference_bound,
    freedom,
    grades,
    of_pair,
    p_at_most,
    p_unchanged,
    spread_of,
)
from monitor.core.laws.promises import POWER
from monitor.core.table import Rows, Variable

SPEC = DatasetSpec(
    title="correlation change",
    effect="largest difference of the rank correlations of two columns",
    unit="correlation, 0 to 2",
    tolerance=0.2,
    must_see=0.5,
    asks="Do number columns rise and fall together as they did in training?",
    blind_to="dependence that is no rise and fall (a circle, a U), text and categories, and what "
    "takes three columns to see",
    null_law="Fisher's z of Spearman's correlation, Student's t; Bonferroni over all pairs",
    source="Spearman 1904; Fieller, Hartley & Pearson 1957; Bonett & Wright 2000; Zou 2007 for the "
    "interval of a difference; Genest & Rémillard 2004 for the influence of a row on ranks",
    default=True,
    aliases=("correlation_drift", "correlation_difference"),
)
LOOKED_AT_CLOSELY = 8  # pairs whose noise is worked out row by row; the others are no candidates
EXPECTED = 20.0  # rows in which both columns are other than usual, below which a pair says nothing


@dataclass(frozen=True, slots=True)
class _Pair:
    """Two columns, their correlation on both sides, and what that proves."""

    names: tuple[str, str]
    before: Correlation
    now: Correlation
    p_value: float
    p_tolerance: float

    @property
    def change(self) -> float:
        return abs(self.now.r - self.before.r)


def measure(rows: Rows, bounds: Bounds) -> Evidence | None:
    """Evidence on all pairs; None when there are no two columns to hold against each other."""
    from scipy.special import ndtri, stdtrit

    columns = [v for v in rows.variables if v.kind in (Kind.NUMBER, Kind.BOOLEAN)]
    if len(columns) < 2:
        return None
    sides = [np.stack([grades(side) for side in part], axis=1) for part in _both(columns)]
    before, now = (all_pairs(side) for side in sides)
    usable = _usable(columns, sides, before, now)
    pairs = int(np.count_nonzero(usable))
    if not pairs:
        return Evidence(missing_input="no two columns vary enough to be correlated")
    candidates = _candidates(columns, before, now, usable, bounds.tolerance)
    looked = [pair for i, j in candidates if (pair := _closely(columns[i], columns[j], bounds))]
    if not looked:
        return Evidence(missing_input="too few rows hold two columns at once")
    told = min(looked, key=lambda p: (p.p_tolerance, -p.change))
    quantile = float(-ndtri(bounds.alpha / pairs))
    detectable, needed = _sensitivity(columns, (before, now), usable, bounds, quantile)
    known = freedom(told.before, told.now)
    proves = float(-stdtrit(known, bounds.alpha / pairs))
    margin = told.change - difference_bound(told.before, told.now, proves)
    wide = told.change - difference_bound(told.before, told.now, float(stdtrit(known, 0.975)))
    return Evidence(
        statistic=abs(float(np.arctanh(told.now.r) - np.arctanh(told.before.r))),
        effect=told.change,
        low=max(0.0, told.change - wide),
        high=min(2.0, told.change + wide),
        p_value=min(1.0, pairs * min(p.p_value for p in looked)),
        p_tolerance=min(1.0, pairs * told.p_tolerance),
        threshold=bounds.tolerance + margin,
        minimum_detectable=detectable,
        rows_needed=needed,
        law=_law(pairs, rows),
        what=_what(told),
        by_column=_by_column(looked, bounds.tolerance),
    )


def _both(columns: list[Variable]) -> tuple[list[Floats], list[Floats]]:
    return [c.reference for c in columns], [c.current for c in columns]


def _usable(
    columns: list[Variable], sides: list[Floats], before: Correlations, now: Correlations
) -> NDArray[np.bool_]:
    """Which pairs, above the diagonal, vary enough on both sides; shape (k, k).

    Read off each column alone, so that the choice of pairs says nothing about their correlation.
    """
    usable = np.triu(np.ones_like(before.r, dtype=np.bool_), 1)
    effects = np.array([c.design_effect for c in columns])
    for side, found in zip(sides, (before, now), strict=True):
        spread = spread_of(side) / effects
        with np.errstate(divide="ignore", invalid="ignore"):
            expected = spread[:, None] * spread[None, :] / (found.rows / _joint(effects))
        usable &= (expected >= EXPECTED) & ~np.isnan(found.r)
    return usable


def _joint(effects: Floats) -> Floats:
    """Rows of a pair count for this many times fewer, shape (k, k).

    Of two columns that follow their own past, a correlation suffers less than either mean; the
    geometric mean of both design effects lies above what it takes.
    """
    return np.asarray(np.sqrt(effects[:, None] * effects[None, :]))


def _candidates(
    columns: list[Variable],
    before: Correlations,
    now: Correlations,
    usable: NDArray[np.bool_],
    tolerance: float,
) -> list[tuple[int, int]]:
    """The pairs most likely to prove something, by rough noise: of any change, and beyond it."""
    joint = _joint(np.array([c.design_effect for c in columns]))
    r = np.clip(np.nan_to_num([before.r, now.r]), -0.999, 0.999)
    with np.errstate(divide="ignore", invalid="ignore"):
        noise = [1 / np.sqrt(np.maximum(side.rows / joint - 3, 1)) for side in (before, now)]
    any_change = np.abs(np.arctanh(r[1]) - np.arctanh(r[0])) / np.hypot(*noise)
    slopes = 1 - r**2
    beyond = (np.abs(r[1] - r[0]) - tolerance) / np.hypot(
        slopes[0] * noise[0], slopes[1] * noise[1]
    )
    chosen: dict[tuple[int, int], None] = {}
    for score in (beyond, any_change):
        ranked = np.argsort(np.where(usable, -score, np.inf), axis=None, kind="stable")
        for flat in ranked[: min(LOOKED_AT_CLOSELY, int(usable.sum()))].tolist():
            chosen[divmod(flat, len(columns))] = None
    return list(chosen)


def _closely(one: Variable, other: Variable, bounds: Bounds) -> _Pair | None:
    joint = float(np.sqrt(one.design_effect * other.design_effect))
    before = of_pair(one.reference, other.reference, joint)
    now = of_pair(one.current, other.current, joint)
    if before is None or now is None:
        return None
    return _Pair(
        (one.name, other.name),
        before,
        now,
        p_unchanged(before, now),
        p_at_most(before, now, bounds.tolerance),
    )


def _sensitivity(
    columns: list[Variable],
    sides: tuple[Correlations, Correlations],
    usable: NDArray[np.bool_],
    bounds: Bounds,
    quantile: float,
) -> tuple[float, int | None]:
    """The change of a middling pair, uncorrelated before, that would be proven 8 times in 10."""
    from scipy.special import ndtri

    effects = _joint(np.array([c.design_effect for c in columns]))[usable]
    n, m = (float(np.median(side.rows[usable] / effects)) for side in sides)
    steps = quantile + float(ndtri(POWER))
    of_reference = 1 / max(n - 3, 1)
    detectable = bounds.tolerance + steps * float(np.sqrt(of_reference + 1 / max(m - 3, 1)))
    room = ((bounds.must_see - bounds.tolerance) / steps) ** 2 - of_reference
    share = float(np.median(sides[1].rows[usable])) / columns[0].current.size
    needed = (1 / room + 3) * float(np.median(effects)) / share if room > 0 else None
    return min(2.0, detectable), None if needed is None else int(np.ceil(needed))


def _law(pairs: int, rows: Rows) -> str:
    told = f"{pairs} pairs" if pairs > 1 else "one pair"
    return f"{told}, of {rows.left_out}" if rows.left_out else told


def _what(pair: _Pair) -> str:
    one, other = pair.names
    before, now = (_plain(side.r) for side in (pair.before, pair.now))
    return f"the correlation of `{one}` and `{other}` went from {before} to {now}"


def _plain(r: float) -> str:
    """Two decimals, with a real minus sign and no minus zero."""
    text = f"{r:.2f}".rstrip("0").rstrip(".")
    return "0" if text in ("-0", "") else text.replace("-", "−")


def _by_column(looked: list[_Pair], tolerance: float) -> dict[str, float]:
    """How far the pairs of each column went beyond the tolerance."""
    found: dict[str, float] = {}
    for pair in looked:
        for name in pair.names:
            found[name] = found.get(name, 0.0) + max(0.0, pair.change - tolerance)
    return {name: size for name, size in found.items() if size}
