"""Since when, inside the window: the moment a drifted column moved, where one stands out.

Each row is scored by how it lies against the reference (its rank, or how much more frequent its
level became), rows are put in order of time, and the cumulative sum of the centred scores has its
largest excursion where the scores changed. Without a change in mid-window that excursion follows
the Kolmogorov law, whose 0.1 % point is 1.95; below it there is no moment to name.
Source: Page (1954); Ploberger & Krämer (1992) for the law of the excursion.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import numpy as np

from monitor.core.cells import Pair
from monitor.core.columns import Codes, Column, Floats
from monitor.core.records import Window
from monitor.core.spelling import plain

CRITICAL = 1.95  # 0.1 % point of the largest excursion of a Brownian bridge
MIN_ROWS = 50
EDGE_SHARE = 0.02  # a change this close to either end of the window is its beginning or its end
AGREEING_SHARE = 0.1  # moments within this share of the window are one moment


def onset(pair: Pair, column: Column, times: Floats) -> datetime | None:
    """When a column moved inside the window; None when no moment stands out.

    `times` are the epoch seconds of the window's rows, shape (rows,), in the order of its rows.
    """
    times = times if column.present is None else times[column.present]
    if times.size != column.rows - column.missing or times.size < MIN_ROWS:
        return None
    scores = _scores(pair, column)
    if scores is None:
        return None
    order = np.argsort(times, kind="stable")
    at = _break(scores[order])
    return None if at is None else _moment(float(times[order][at]))


def shared_onset(moments: Sequence[datetime | None], window: Window) -> datetime | None:
    """The one moment at which at least two columns moved; None when they do not agree."""
    known = sorted(m for m in moments if m is not None)
    if len(known) < 2 or 2 * len(known) < len(moments):
        return None
    middle = known[len(known) // 2]
    near = (window.end - window.start) * AGREEING_SHARE
    agreeing = [m for m in known if abs(m - middle) <= near]
    return middle if 2 * len(agreeing) > len(known) else None


def _scores(pair: Pair, column: Column) -> Floats | None:
    if pair.numeric and column.numbers is not None and pair.reference.values is not None:
        values = pair.reference.values
        below = np.searchsorted(values, column.numbers, "left")
        up_to = np.searchsorted(values, column.numbers, "right")
        return np.asarray((below + up_to) / (2 * values.size), dtype=np.float64)
    if not pair.numeric and column.codes is not None:
        return _of_levels(pair, column.codes, column.levels)
    return None


def _of_levels(pair: Pair, codes: Codes, levels: Sequence[str]) -> Floats:
    """Log ratio of the level's share now and then, half a row added on both sides."""
    n, m = pair.sizes
    names = [plain(level) for level in levels]  # as they are counted
    ratio = [
        np.log((pair.current.counts.get(v, 0) + 0.5) / (m + 1))
        - np.log((pair.reference.counts.get(v, 0) + 0.5) / (n + 1))
        for v in names
    ]
    return np.asarray(ratio, dtype=np.float64)[codes]


def _break(scores: Floats) -> int | None:
    """Index of the first row after the change; None when none stands out."""
    spread = float(scores.std())
    if spread <= 0:
        return None
    excursion = np.abs(np.cumsum(scores - scores.mean())) / (spread * np.sqrt(scores.size))
    at = int(np.argmax(excursion))
    edge = EDGE_SHARE * scores.size
    stands_out = excursion[at] > CRITICAL and edge < at < scores.size - edge
    return at + 1 if stands_out else None


def _moment(seconds: float) -> datetime:
    """To the minute: the estimate is no sharper."""
    found = datetime.fromtimestamp(seconds, UTC)
    return found.replace(second=0, microsecond=0) + timedelta(minutes=round(found.second / 60))
