"""Summaries of parts → the summary of the whole: hours to days, machines to a cluster.

The order of the parts and how they are grouped change nothing but within the bound that the
result carries: counts, moments and extremes add up exactly, ranks have the mean error of the parts
and what the cut to points adds.
"""

from collections.abc import Collection, Sequence

import numpy as np

from monitor.core.records import Floats
from monitor.core.summaries.levels import LevelCounts, LevelTally
from monitor.core.summaries.moments import merged_moments
from monitor.core.summaries.points import cut_error, merged_points
from monitor.core.summaries.summary import SPARED, Cut, Summary

POINTS = 2**14


def merge(parts: Sequence[Summary], *, points: int = POINTS, kept: Collection[str] = ()) -> Summary:
    """One summary of all rows of some summaries of the same column and kind.

    Numbers stay exact while all parts are and together are few enough, else `points` points stand
    for them. Counts of the `kept` levels stay as exact as they are. Raises ValueError without
    parts, or for numbers with levels.

    >>> one, other = Summary(2, 0, np.array([1.0, 4.0])), Summary(3, 1, np.array([2.0, 3.0]))
    >>> both = merge([one, other])
    >>> both.rows, both.missing, both.values.tolist()
    (5, 1, [1.0, 2.0, 3.0, 4.0])
    """
    if not parts:
        raise ValueError("there is nothing to merge")
    if len({part.values is None for part in parts}) > 1:
        raise ValueError("numbers and levels do not merge: the column was of two kinds")
    rows, missing = sum(p.rows for p in parts), sum(p.missing for p in parts)
    if parts[0].values is None:
        counts = _added_up(parts, kept)
        return Summary(
            rows, missing, counts=counts.counts, rest=counts.rest, count_error=counts.error
        )
    values, error = _values(parts, points)
    return Summary(
        rows,
        missing,
        values,
        unreadable=sum(p.unreadable for p in parts),
        rank_error=error,
        known=merged_moments([p.moments for p in parts]) if error else None,
        below=_below(parts) if error else {},
    )


def _added_up(parts: Sequence[Summary], kept: Collection[str]) -> LevelCounts:
    tally = LevelTally(kept)
    for part in parts:
        tally.add_tally(LevelCounts(part.counts, part.rest, part.count_error))
    return tally.done()


def _values(parts: Sequence[Summary], points: int) -> tuple[Floats, float]:
    """The sorted values of all parts, or their points, and the error of ranks."""
    held = [(p.values, p.present, p.rank_error) for p in parts if p.values is not None]
    present = sum(rows for _, rows, _ in held)
    if not any(error for _, _, error in held) and present <= SPARED * points:
        return np.sort(np.concatenate([values for values, _, _ in held])), 0.0
    error = sum(rows * error for _, rows, error in held) / present
    values = merged_points([v for v, _, _ in held], [rows for _, rows, _ in held], points)
    return values, error + cut_error(points)


def _below(parts: Sequence[Summary]) -> dict[Cut, int]:
    """Rows below the cuts that all parts tell exactly, if they are asked about the same ones.

    Cuts that only some of them share are no cells of the whole.
    """
    told = {frozenset(part.below) for part in parts if part.rank_error and part.present}
    if len(told) != 1 or not (cuts := sorted(told.pop())):
        return {}
    sums = np.sum([part.up_to(cuts) for part in parts if part.present], axis=0)
    return dict(zip(cuts, sums.tolist(), strict=True))
