"""The populations that samples are drawn from, and how each may change.

Numbers are an increasing function of uniform shares, so a sorted sample is drawn as such: the
partial sums of exponential gaps are sorted uniform numbers, exactly, and nothing needs sorting.
A change acts below that function (on the normal variable behind it, or on the shares), so values
stay sorted, and tied values stay tied.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from monitor.core.cells import Counts
from monitor.core.columns import Floats
from monitor.core.summaries.summary import Summary

ZEROS = {"zero-inflated": 0.43, "zeros at an edge": 0.4}  # share of zeros
STEPS = {"ties": 0.4, "ties at an edge": 0.5}  # between tied values, in standard deviations
ZIPF = 1.1  # exponent
RARE = 0.01  # share of the level that is called rare, or the nearest there is


@dataclass(frozen=True, slots=True)
class Change:
    """What happened to the window: one way, by so much; nothing when `way` is ""."""

    way: str = ""
    size: float = 0.0


QUIET = Change()
NUMBER_WAYS = ("shift", "scale", "cell up", "cell down")
LEVEL_WAYS = ("cell up", "cell down", "rare level up")


def uniforms(rng: np.random.Generator, rows: int) -> Floats:
    """Sorted uniform numbers, shape (rows,), from exponential gaps."""
    sums = np.cumsum(rng.standard_exponential(rows + 1))
    return np.asarray(sums[:-1] / sums[-1])


def _normal(z: Floats) -> Floats:
    return z


def _lognormal(z: Floats) -> Floats:
    return np.asarray(np.exp(z))


SHAPES: Mapping[str, Callable[[Floats], Floats]] = {
    "normal": _normal,
    "lognormal": _lognormal,
    "zero-inflated": _lognormal,
    "ties": _normal,
}
# As the last two, with an atom at a decile, or at the tenth of rows that makes a value a cell: the
# cells are the luck of a reference then. Measured, and told apart from what is claimed.
EDGES: Mapping[str, Callable[[Floats], Floats]] = {
    "zeros at an edge": _lognormal,
    "ties at an edge": _normal,
}
LEVELS: Mapping[str, int] = {f"{count} levels": count for count in (5, 50, 300, 5000)}
SHARES: Mapping[str, float] = {"2 % of rows": 0.02, "20 % of rows": 0.2}


def values(law: str, shares: Floats, change: Change = QUIET) -> Floats:
    """The sorted values of a law of numbers at sorted uniform shares, shape (rows,).

    >>> values("ties", np.array([0.1, 0.5, 0.6])).round(1).tolist()
    [-1.2, 0.0, 0.4]
    """
    from scipy import special

    if change.way.startswith("cell"):
        shares = _through_cells(shares, change)
    zeros = 0
    if law in ZEROS:
        zeros = int(np.searchsorted(shares, ZEROS[law]))
        shares = (shares[zeros:] - ZEROS[law]) / (1 - ZEROS[law])
    z = special.ndtri(shares)
    if change.way == "shift":
        z = z + change.size
    elif change.way == "scale":
        z = z * change.size
    if law in STEPS:
        z = np.round(z / STEPS[law]) * STEPS[law]
    found = {**SHAPES, **EDGES}[law](z)
    return np.concatenate([np.zeros(zeros), found]) if zeros else found


def _through_cells(shares: Floats, change: Change) -> Floats:
    """Shares of the old population at those of the new, whose first tenth holds `size` of rows."""
    return np.asarray(np.interp(shares, [0.0, change.size, 1.0], [0.0, 0.1, 1.0]))


def level_shares(law: str, change: Change = QUIET) -> Floats:
    """Zipf shares of the levels, shape (levels,), after one level came to `change.size`."""
    p = 1 / np.arange(1, LEVELS[law] + 1) ** ZIPF
    p /= p.sum()
    if not change.way:
        return np.asarray(p)
    moved = rare_level(p) if change.way.startswith("rare") else 0
    q = p * (1 - change.size) / (1 - p[moved])
    q[moved] = change.size
    return np.asarray(q)


def rare_level(p: Floats) -> int:
    return int(np.argmin(np.abs(p - RARE)))


def counted(counts: Counts) -> Summary:
    """A summary of levels from how often each occurs; those that do not occur are not there."""
    there = np.flatnonzero(counts)
    named = zip(there.tolist(), counts[there].tolist(), strict=True)
    return Summary(int(counts.sum()), 0, counts={f"level {k}": c for k, c in named})


def with_faults(rows: int, missing: int, infinite: int, unreadable: int) -> Summary:
    """A summary of numbers of which only the faults matter."""
    present = rows - missing - unreadable
    held = np.zeros(present)
    if infinite:
        held[-infinite:] = np.inf
    return Summary(rows, missing, values=held, unreadable=unreadable)
