"""Summaries of parts → the summary of the whole: hours to days, machines to a cluster.

The order of the parts and how they are grouped change nothing but within the bound that the
result carries: counts, moments and extremes add up exactly, ranks have the mean error of the parts
and what the cut to points adds.
"""

from collections.abc import Collection, Sequence
from dataclasses import replace

import numpy as np

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
    unreadable = sum(p.unreadable for p in parts)
    found = _numbers([part for part in parts if part.present], points)
    return replace(found, rows=rows, missing=missing, unreadable=unreadable)


def _added_up(parts: Sequence[Summary], kept: Collection[str]) -> LevelCounts:
    tally = LevelTally(kept)
    for part in parts:
        tally.add_tally(LevelCounts(part.counts, part.rest, part.count_error))
    return tally.done()


def _numbers(parts: Sequence[Summary], points: int) -> Summary:
    """Of parts that have values; one alone stays what it is."""
    if len(parts) == 1:
        return parts[0]
    held = [part.values for part in parts if part.values is not None]
    sizes = [part.present for part in parts]
    present = sum(sizes)
    if not any(part.rank_error for part in parts):
        whole = Summary(present, 0, np.sort(np.concatenate([np.empty(0), *held])))
        few = present <= SPARED * points
        return whole if few else replace(whole, below=_below(parts)).condensed(points)
    error = sum(part.rank_error * rows for part, rows in zip(parts, sizes, strict=True)) / present
    return Summary(
        present,
        0,
        merged_points(held, sizes, points),
        rank_error=error + cut_error(points),
        known=merged_moments([part.moments for part in parts]),
        below=_below(parts),
    )


def _below(parts: Sequence[Summary]) -> dict[Cut, int]:
    """Rows below the cuts that every part can tell exactly; none where parts have other cuts.

    What two sets of cuts have in common, a zero say, makes no cells worth having.
    """
    told = [set(part.below) for part in parts if part.rank_error or part.below]
    if not told or any(cuts != told[0] for cuts in told):
        return {}
    cuts = sorted(told[0])
    sums = np.sum([part.up_to(cuts) for part in parts], axis=0)
    return dict(zip(cuts, sums.tolist(), strict=True))
