"""A column → what is kept of it: sorted numbers or counted levels, and what follows from them.

A reference is summarized once and held against many windows, so everything that depends on one
side alone (order, cell borders, mean and spread) is worked out on first use and kept.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from monitor.core import spelling
from monitor.core.columns import Floats
from monitor.core.summaries.moments import Moments
from monitor.core.summaries.points import cut_error, equi_rank

CELLS = 10
ATOM_SHARE = 0.1  # a value with at least this share of the reference is a cell of its own
SPARED = 4  # times as many values as points are not worth a loss
Cut = tuple[float, str]  # a value and the side it falls on: counts below are a searchsorted


@dataclass(frozen=True, eq=False)
class Summary:
    """What is kept of one column on one side.

    Numbers (and lengths of text): `values`, sorted, may hold +-inf: all of them, shape (present,),
    or points that stand for them, whose ranks are off by at most `rank_error`. Levels: `counts` by
    level. `unreadable` counts values that are no numbers in a number column.
    """

    rows: int
    missing: int
    values: Floats | None = None
    counts: Mapping[str, int] = field(default_factory=dict)
    unreadable: int = 0
    # Where `values` are points:
    rank_error: float = 0.0  # share of the rows; 0 where `values` are all there are
    known: Moments | None = None  # of the finite values, exactly
    below: Mapping[Cut, int] = field(default_factory=dict)  # rows below some cuts, exactly
    # Where there are more levels than can be counted:
    rest: int = 0  # rows of levels that are not counted, or counted too low
    count_error: int = 0  # rows by which a count may be too small

    @property
    def present(self) -> int:
        """Values that can be compared."""
        return self.rows - self.missing - self.unreadable

    @property
    def exact(self) -> bool:
        """Whether everything that follows from it is what all rows would say."""
        return not self.rank_error and not self.count_error

    @cached_property
    def finite(self) -> Floats:
        """The finite values, or their points, sorted; empty for levels."""
        if self.values is None:
            return np.empty(0)
        low = np.searchsorted(self.values, -np.inf, "right")
        return self.values[low : np.searchsorted(self.values, np.inf, "left")]

    @cached_property
    def moments(self) -> Moments:
        """Mean and spread of the finite values."""
        return self.known or Moments.of(self.finite)

    @property
    def infinite(self) -> int:
        if self.values is None:
            return 0
        return self.present - (self.known.rows if self.known else self.finite.size)

    @property
    def whole(self) -> bool:
        """Whether every finite value is a whole number."""
        return self.moments.whole

    @cached_property
    def cuts(self) -> list[Cut]:
        """Where the cells begin and end when this is the reference, in order."""
        if self.below:
            return sorted(self.below)
        return _cuts(np.empty(0) if self.values is None else self.values)

    @cached_property
    def description(self) -> dict[str, float | None]:
        """mean, sd, median, min, max of the finite values; None where there are none.

        >>> Summary(3, 0, np.array([1.0, 2.0, 6.0])).description["mean"]
        3.0
        """
        return _described(self.finite, self.moments)

    @cached_property
    def is_single(self) -> bool:
        return self.values is not None and not self.whole and spelling.is_single(self.values)

    @cached_property
    def rounded(self) -> "Summary":
        """The same as if it had been kept as float32; the order of values stays."""
        assert self.values is not None
        return replace(self, values=spelling.single(self.values), below={})

    def up_to(self, cuts: Iterable[Cut]) -> NDArray[np.int64]:
        """Rows below each of some cuts in order, shape (cuts,); exact or off by `rank_error`."""
        assert self.values is not None
        wanted = list(cuts)
        if self.below and all(cut in self.below for cut in wanted):
            return np.array([self.below[cut] for cut in wanted], dtype=np.int64)
        places = _places(self.values, wanted)
        if not self.rank_error:
            return places
        stands_for = self.present / max(1, self.values.size)
        return np.asarray(np.rint(places * stands_for), dtype=np.int64)

    def condensed(self, points: int, spared: int = SPARED) -> "Summary":
        """At most `points` values in place of all, unless there are only `spared` times as many.

        What is told exactly stays exact: moments, and the rows below the borders of its own cells.

        >>> small = Summary(100_000, 0, np.arange(100_000.0)).condensed(1000)
        >>> small.values.size, small.rank_error, small.moments.mean
        (1000, 0.0005, 49999.5)
        """
        if self.values is None or self.values.size <= spared * points:
            return self
        below = self.below or dict(zip(self.cuts, self.up_to(self.cuts).tolist(), strict=True))
        return replace(
            self,
            values=equi_rank(self.values, points).copy(),
            rank_error=self.rank_error + cut_error(points),
            known=self.moments,
            below={} if self.rank_error and not self.below else below,
        )


def in_one_precision(one: Summary, other: Summary) -> tuple[Summary, Summary]:
    """Both as float32 when one of them is: a value is no other value for having lost digits."""
    if one.values is None or other.values is None or one.is_single == other.is_single:
        return one, other
    return (one, other.rounded) if one.is_single else (one.rounded, other)


def _places(values: Floats, cuts: list[Cut]) -> NDArray[np.int64]:
    at = np.array([cut for cut, _ in cuts])
    places = np.searchsorted(values, at, "right")
    from_left = np.array([side == "left" for _, side in cuts], dtype=np.bool_)
    if from_left.any():
        places[from_left] = np.searchsorted(values, at[from_left], "left")
    return places


def _cuts(values: Floats) -> list[Cut]:
    """Ten quantiles of sorted values, and both sides of every atom."""
    n = values.size
    if not n:
        return []
    quantiles: NDArray[np.float64] = values[np.minimum(np.arange(1, CELLS) * n // CELLS, n - 1)]
    cuts: set[Cut] = {(q, "right") for q in quantiles.tolist()}
    known = np.concatenate((values[:1], quantiles, values[-1:]))
    sizes = np.searchsorted(values, known, "right") - np.searchsorted(values, known, "left")
    for atom in known[sizes >= ATOM_SHARE * n].tolist():
        cuts |= {(atom, "left"), (atom, "right")}
    return sorted(cuts)  # "left" sorts before "right"


def _described(finite: Floats, moments: Moments) -> dict[str, float | None]:
    if not moments.rows:
        return dict.fromkeys(("mean", "sd", "median", "min", "max"))
    middle = finite[(finite.size - 1) // 2] / 2 + finite[finite.size // 2] / 2  # no overflow
    found = {
        "mean": moments.mean,
        "sd": moments.sd,
        "median": float(middle),
        "min": moments.low,
        "max": moments.high,
    }
    return {name: value if math.isfinite(value) else None for name, value in found.items()}
