"""Seeded pairs of Parquet files of mixed columns, some of them drifted: the workload of benchmarks.

`python -m benchmarks.workload W1 FOLDER` (W1 to W4, or ROWSxCOLUMNS such as 200000x40) writes
FOLDER/W1_ref.parquet and FOLDER/W1_cur.parquet, row group by row group, so that memory is bound by
a row group however many rows there are. The same name gives the same rows.

70 % of the columns are float64 (normal, lognormal, zero-inflated in turn; 2 % missing), 15 % int64,
15 % text: Zipf levels, 5 to 5 000 of them, and `id`, which differs in nearly every row. A third of
the columns of the current file is drifted: its mean, its share of zeros or its first level.
"""

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

PRESETS = {
    "W1": (100_000, 30),
    "W2": (1_000_000, 50),
    "W3": (10_000_000, 20),
    "W4": (50_000, 1000),
}
ID = "id"
LEVELS = (5, 20, 100, 500, 1000, 5000)
ROW_GROUP = 122_880
SIDES = (("ref", 11, False), ("cur", 22, True))  # name, seed, drifted


@dataclass(frozen=True, slots=True)
class Layout:
    """How many columns there are of each kind; `texts` does not count the id."""

    floats: int
    integers: int
    texts: int

    @classmethod
    def of(cls, columns: int) -> "Layout":
        texts, floats = round(columns * 0.15), round(columns * 0.70)
        return cls(floats, columns - texts - floats, texts - 1)

    def schema(self) -> pa.Schema:
        floats = [(f"f{i:03d}", pa.float64()) for i in range(self.floats)]
        integers = [(f"i{i:03d}", pa.int64()) for i in range(self.integers)]
        texts = [(f"c{i:03d}", pa.string()) for i in range(self.texts)]
        return pa.schema([*floats, *integers, *texts, (ID, pa.string())])


def size_of(name: str) -> tuple[int, int]:
    """Rows of each side and columns.

    >>> size_of("W1"), size_of("2000x10")
    ((100000, 30), (2000, 10))
    """
    if name in PRESETS:
        return PRESETS[name]
    rows, _, columns = name.partition("x")
    if not (rows.isdigit() and columns.isdigit() and int(columns) >= 4):
        known = ", ".join(PRESETS)
        raise ValueError(f"{name!r} is no workload: there are {known} and ROWSxCOLUMNS, 4 or more")
    return int(rows), int(columns)


def paths_of(folder: Path, name: str) -> tuple[Path, Path]:
    """Where the two sides are kept: reference, current."""
    reference, current = (folder / f"{name}_{side}.parquet" for side, _, _ in SIDES)
    return reference, current


def write_pair(folder: Path, name: str) -> tuple[Path, Path]:
    """Write both sides, unless they are there; a side is in its place only when it is whole."""
    rows, columns = size_of(name)
    folder.mkdir(parents=True, exist_ok=True)
    pair = paths_of(folder, name)
    for path, (_, seed, drifted) in zip(pair, SIDES, strict=True):
        if not path.exists():
            unfinished = path.with_suffix(".unfinished")
            _write(unfinished, rows, Layout.of(columns), seed, drifted)
            unfinished.replace(path)
    return pair


def _write(path: Path, rows: int, layout: Layout, seed: int, drifted: bool) -> None:
    rng, schema = np.random.default_rng(seed), layout.schema()
    with pq.ParquetWriter(path, schema) as writer:
        for start in range(0, rows, ROW_GROUP):
            arrays = list(_columns(rng, min(ROW_GROUP, rows - start), layout, drifted))
            writer.write_table(pa.Table.from_arrays(arrays, schema=schema), ROW_GROUP)


def _columns(rng: np.random.Generator, n: int, layout: Layout, drifted: bool) -> Iterator[pa.Array]:
    """The next `n` rows, column by column."""
    for i in range(layout.floats):
        yield _float(rng, n, i, drifted and i % 9 < 3)
    for i in range(layout.integers):
        yield _integer(rng, n, i, drifted and i % 3 == 0)
    for i in range(layout.texts):
        yield _text(rng, n, i, drifted and i % 3 == 0)
    yield pa.array(np.char.add("u", rng.integers(0, 1 << 60, n).astype("U19")))


def _float(rng: np.random.Generator, n: int, index: int, drift: bool) -> pa.Array:
    if index % 3 == 0:
        scale = 1.0 + index % 4
        values = rng.normal(10.0 * (index % 7), scale, n) + 0.1 * scale * drift
    elif index % 3 == 1:
        values = rng.lognormal(1.0 + 0.1 * drift, 0.8, n)
    else:
        zero = rng.random(n) < (0.45 if drift else 0.40)
        values = np.where(zero, 0.0, rng.exponential(5.0, n))
    return pa.array(values, mask=rng.random(n) < 0.02)


def _integer(rng: np.random.Generator, n: int, index: int, drift: bool) -> pa.Array:
    if index % 3 == 0:
        return pa.array(rng.poisson(5.5 if drift else 5.0, n))
    if index % 3 == 1:
        return pa.array(rng.integers(50_000 if drift else 0, 1_000_000, n))
    return pa.array(rng.geometric(0.012 if drift else 0.01, n))


def _text(rng: np.random.Generator, n: int, index: int, drift: bool) -> pa.Array:
    levels = LEVELS[index % len(LEVELS)]
    weights = 1.0 / np.arange(1, levels + 1) ** 1.1
    weights[0] *= 0.8 if drift else 1.0
    reached = np.cumsum(weights / weights.sum())
    codes = np.minimum(np.searchsorted(reached, rng.random(n)), levels - 1).astype(np.int32)
    words = pa.array([f"cat_{index}_{code:05d}" for code in range(levels)])
    return pa.DictionaryArray.from_arrays(pa.array(codes), words).dictionary_decode()


if __name__ == "__main__":
    write_pair(Path(sys.argv[2]), sys.argv[1])
