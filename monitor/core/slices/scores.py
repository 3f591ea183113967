"""How much of a column's drift lies in some rows: counts, and distances with and without them.

The distance is Hellinger's, H² = ½ Σ (√p − √q)². It needs no smoothing, and when a share of the
rows moved it grows nearly in proportion to that share, so that what disappears of it with some
rows is the part they had in it. Chance adds (1/n + 1/m)(B − 1)/8 to H², which is taken off.
"""

from dataclasses import dataclass

import numpy as np

from monitor.core.columns import Flags, Floats
from monitor.core.parts import Parts

SMALLEST, LARGEST = 0.01, 0.6  # share of rows of a slice worth naming
GROWN = 0.8  # as much as it may have grown to, or shrunk from
ALIKE = 0.5  # share of one column's entropy that another one explains: they say the same


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """Some rows of both sides: a half of all, or those of a slice; shapes (rows,)."""

    reference: Flags
    current: Flags

    @property
    def sizes(self) -> tuple[int, int]:
        return int(np.count_nonzero(self.reference)), int(np.count_nonzero(self.current))

    def among(self, rows: "Rows") -> "Rows":
        """Those that are among `rows`, too."""
        return Rows(self.reference & rows.reference, self.current & rows.current)

    def others(self) -> "Rows":
        return Rows(~self.reference, ~self.current)


Table = tuple[Floats, Floats]  # counts (parts, cells) of the reference and of the window


def table(parts: Parts, cells: Parts, rows: Rows) -> Table:
    """How often each part meets each cell, among `rows`."""
    shape = len(parts.texts), len(cells.texts)
    sides = (
        (parts.reference, cells.reference, rows.reference),
        (parts.current, cells.current, rows.current),
    )
    reference, current = (
        np.bincount(part[kept] * shape[1] + cell[kept], minlength=shape[0] * shape[1])
        .reshape(shape)
        .astype(np.float64)
        for part, cell, kept in sides
    )
    return reference, current


def totals(cells: Parts, rows: Rows) -> Table:
    """Counts of all `rows` by cell, shapes (cells,)."""
    size = len(cells.texts)
    reference, current = (
        np.bincount(cell[kept], minlength=size).astype(np.float64)
        for cell, kept in ((cells.reference, rows.reference), (cells.current, rows.current))
    )
    return reference, current


def row_shares(counts: Table, sizes: tuple[int, int]) -> Table:
    """The share of all rows in each part on both sides, shapes (parts,)."""
    return counts[0].sum(1) / max(1, sizes[0]), counts[1].sum(1) / max(1, sizes[1])


def worth_naming(shares: Table) -> Flags:
    """Parts that are neither nearly nothing nor nearly everything."""
    least, most = np.minimum(*shares), np.maximum(*shares)
    return np.asarray((most >= SMALLEST) & (least <= LARGEST) & (most <= GROWN))


def distance(reference: Floats, current: Floats) -> Floats:
    """Hellinger distance of counts (..., cells), less what chance adds; 0 to 1, 0 without rows.

    >>> float(distance(np.array([500.0, 500.0]), np.array([500.0, 500.0])))
    0.0
    """
    n, m = reference.sum(-1, keepdims=True), current.sum(-1, keepdims=True)
    some = ((n > 0) & (m > 0))[..., 0]
    n, m = np.maximum(n, 1), np.maximum(m, 1)
    squared = 0.5 * np.sum((np.sqrt(reference / n) - np.sqrt(current / m)) ** 2, axis=-1)
    filled = np.count_nonzero(reference + current, axis=-1)
    chance = (1 / n + 1 / m)[..., 0] * (filled - 1) / 8
    return np.asarray(np.where(some, np.sqrt(np.maximum(0.0, squared - chance)), 0.0))


def explained(inside: Table, whole: Table) -> Floats:
    """The share of a column's distance that disappears without a slice; at most 1.

    `inside` are counts (slices, cells), `whole` those of all rows, (cells,); 0 without a distance.

    >>> before, now = np.array([500.0, 500.0]), np.array([300.0, 700.0])
    >>> float(explained((np.array([100.0, 100.0]), np.array([0.0, 400.0])), (before, now)))
    1.0
    """
    all_rows = distance(*whole)
    if not all_rows > 0:
        return np.zeros(inside[0].shape[:-1])
    return np.asarray(1 - distance(whole[0] - inside[0], whole[1] - inside[1]) / all_rows)


def alike(counts: Floats) -> bool:
    """Whether two columns say nearly the same, by how often their values meet, (parts, cells).

    The mutual information is more than half of the entropy of either column.
    """
    joint = counts / max(1.0, float(counts.sum()))
    parts, cells = joint.sum(1), joint.sum(0)
    shared = _entropy(parts) + _entropy(cells) - _entropy(joint)
    least = min(_entropy(parts), _entropy(cells))
    return bool(least > 0 and shared > ALIKE * least)


def _entropy(shares: Floats) -> float:
    held = shares[shares > 0]
    return float(-np.sum(held * np.log(held)))


def worth_parts(parts: Parts, rows: Rows) -> Parts:
    """The parts worth naming among `rows`; all others are the last part."""
    n, m = rows.sizes
    before = np.bincount(parts.reference[rows.reference], minlength=len(parts.texts)) / max(1, n)
    now = np.bincount(parts.current[rows.current], minlength=len(parts.texts)) / max(1, m)
    named = np.flatnonzero(worth_naming((before, now)))
    places = np.full(len(parts.texts), named.size)
    places[named] = np.arange(named.size)
    texts = (*(parts.texts[i] for i in named), f"the rest of `{parts.column}`")
    return Parts(parts.column, texts, places[parts.reference], places[parts.current])
