"""The floor: read every column but `id` of two files and sort the numbers, and nothing else."""

import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq


def read_and_sort(path: str) -> int:
    names = [name for name in pq.read_schema(path).names if name != "id"]
    table = pq.read_table(path, columns=names, read_dictionary=names)
    for column in table.columns:
        if pa.types.is_floating(column.type) or pa.types.is_integer(column.type):
            np.sort(column.drop_null().to_numpy())
    return int(table.num_rows)


if __name__ == "__main__":
    with ThreadPoolExecutor(2) as pool:
        sum(pool.map(read_and_sort, sys.argv[1:]))
