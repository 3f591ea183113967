"""A uniform random sample of a stream of rows, in one pass and in stored order."""

from datetime import datetime

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from monitor.core.records import SampleInfo

Keys = NDArray[np.float64]


def thin(table: pa.Table, limit: int | None, seed: int) -> tuple[pa.Table, SampleInfo]:
    """At most `limit` rows of a table, and how they were drawn."""
    reservoir = Reservoir(limit, seed)
    reservoir.add(table)
    return pa.concat_tables(reservoir.take()), reservoir.info()


class Reservoir:
    """Keeps the `limit` rows with the smallest random keys; without a limit keeps every row.

    Every row gets one key, drawn in row order from a generator seeded with `seed`, so each subset
    of `limit` rows is equally likely and the outcome does not depend on how rows are batched.
    Holds at most twice `limit` rows besides the batch at hand.
    """

    def __init__(self, limit: int | None, seed: int) -> None:
        self._limit = limit
        self._seed = seed
        self._random = np.random.default_rng(seed)
        self._pieces: list[pa.Table] = []
        self._keys: list[Keys] = []
        self._held = 0
        self._bar = 1.0  # keys are below 1; a row at or above the bar has lost already
        self.seen = 0

    def add(self, rows: pa.Table) -> None:
        """Offer rows, which come after all rows offered before."""
        count = rows.num_rows
        self.seen += count
        if self._limit is None:
            self._pieces.append(rows)
            return
        keys = self._random.random(count)
        chosen = keys < self._bar
        if not chosen.all():
            rows, keys = rows.filter(pa.array(chosen)), keys[chosen]
        self._pieces.append(rows)
        self._keys.append(keys)
        self._held += len(keys)
        if self._held >= 2 * self._limit:
            self._settle(self._limit)

    def take(self) -> list[pa.Table]:
        """What was kept, in the order it was offered."""
        if self._limit is not None and self._held > self._limit:
            self._settle(self._limit)
        return self._pieces

    def info(self, newest: datetime | None = None) -> SampleInfo:
        """How the rows were drawn; `all` when none had to go."""
        if self._limit is None or self.seen <= self._limit:
            return SampleInfo(self.seen, self.seen, "all", newest=newest)
        return SampleInfo(self._limit, self.seen, "reservoir", self._seed, newest)

    def _settle(self, limit: int) -> None:
        """Let go of all rows but those with the `limit` smallest keys."""
        keys = np.concatenate(self._keys)
        winners = np.zeros(len(keys), dtype=np.bool_)
        order = np.argpartition(keys, limit - 1)[:limit]
        winners[order] = True
        self._bar = float(keys[order].max())
        masks = np.split(winners, np.cumsum([len(k) for k in self._keys])[:-1])
        pieces = [p.filter(pa.array(m)) for p, m in zip(self._pieces, masks, strict=True)]
        self._pieces, self._keys = _merged(
            pieces, [k[m] for k, m in zip(self._keys, masks, strict=True)]
        )
        self._held = limit


def _merged(pieces: list[pa.Table], keys: list[Keys]) -> tuple[list[pa.Table], list[Keys]]:
    """Neighbours of one schema become one piece, so that a long stream leaves no long tail."""
    tables: list[pa.Table] = []
    joined: list[Keys] = []
    for piece, key in zip(pieces, keys, strict=True):
        if tables and tables[-1].schema.equals(piece.schema):
            tables[-1] = pa.concat_tables([tables[-1], piece])
            joined[-1] = np.concatenate([joined[-1], key])
        else:
            tables.append(piece)
            joined.append(key)
    return [table.combine_chunks() for table in tables], joined
