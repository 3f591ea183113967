"""Seeded pairs of Parquet files of mixed columns, some of them drifted: the workload of benchmarks.

70 % float64 (normal, lognormal, zero-inflated in turn; 2 % missing), 15 % int64, 15 % text (Zipf
levels, 5 to 5 000 of them; the last one nearly unique). A third of the columns of the current file
is drifted.
"""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

CARDINALITIES = (5, 20, 100, 500, 1000, 5000)
ROW_GROUP = 122_880


def write_pair(folder: Path, rows: int, columns: int) -> tuple[Path, Path]:
    """Write `ROWSxCOLUMNS_ref.parquet` and `..._cur.parquet`, unless they are there."""
    name = f"{rows}x{columns}"
    pair = folder / f"{name}_ref.parquet", folder / f"{name}_cur.parquet"
    for path, seed, drifted in zip(pair, (11, 22), (False, True), strict=True):
        if not path.exists():
            pq.write_table(_table(rows, columns, seed, drifted), path, row_group_size=ROW_GROUP)
    return pair


def _table(rows: int, columns: int, seed: int, drifted: bool) -> pa.Table:
    rng = np.random.default_rng(seed)
    texts, floats = round(columns * 0.15), round(columns * 0.70)
    integers = columns - texts - floats
    made = {f"f{i:03d}": _float(rng, rows, i, drifted and i % 9 < 3) for i in range(floats)}
    made |= {f"i{i:03d}": _integer(rng, rows, i, drifted and i % 3 == 0) for i in range(integers)}
    made |= {f"c{i:03d}": _text(rng, rows, i, drifted and i % 3 == 0) for i in range(texts - 1)}
    made["id"] = pa.array(np.char.add("u", rng.integers(0, 1 << 60, rows).astype("U19")))
    return pa.table(made)


def _float(rng: np.random.Generator, rows: int, index: int, drift: bool) -> pa.Array:
    if index % 3 == 0:
        scale = 1.0 + index % 4
        values = rng.normal(10.0 * (index % 7) + 0.1 * scale * drift, scale, rows)
    elif index % 3 == 1:
        values = rng.lognormal(1.0 + 0.1 * drift, 0.8, rows)
    else:
        zero = rng.random(rows) < (0.45 if drift else 0.40)
        values = np.where(zero, 0.0, rng.exponential(5.0, rows))
    return pa.array(values, mask=rng.random(rows) < 0.02)


def _integer(rng: np.random.Generator, rows: int, index: int, drift: bool) -> pa.Array:
    if index % 3 == 0:
        return pa.array(rng.poisson(5.5 if drift else 5.0, rows))
    if index % 3 == 1:
        return pa.array(rng.integers(50_000 if drift else 0, 1_000_000, rows))
    return pa.array(rng.geometric(0.012 if drift else 0.01, rows))


def _text(rng: np.random.Generator, rows: int, index: int, drift: bool) -> pa.Array:
    levels = CARDINALITIES[index % len(CARDINALITIES)]
    weights = 1.0 / np.arange(1, levels + 1) ** 1.1
    weights[0] *= 0.8 if drift else 1.0
    codes = rng.choice(levels, rows, p=weights / weights.sum()).astype(np.int32)
    words = pa.array([f"cat_{index}_{code:05d}" for code in range(levels)])
    return pa.DictionaryArray.from_arrays(pa.array(codes), words).dictionary_decode()
