"""The floor: what any exact comparison of two Parquet files has to do at least, and nothing else.

`python floor.py FILE FILE` reads every column but `id` of both files with pyarrow on two threads,
text as dictionaries, and sorts every column of numbers in place with numpy.
"""

import sys
from concurrent.futures import ThreadPoolExecutor

import pyarrow as pa
import pyarrow.parquet as pq

THREADS = 2


def read(path: str) -> pa.Table:
    schema = pq.read_schema(path)
    names = [name for name in schema.names if name != "id"]
    texts = [name for name in names if pa.types.is_string(schema.field(name).type)]
    return pq.read_table(path, columns=names, read_dictionary=texts)


def sort(column: pa.ChunkedArray) -> None:
    numbers = column.to_numpy()  # what is missing becomes NaN
    if not numbers.flags.writeable:  # a column in one piece comes as a view of the table
        numbers = numbers.copy()
    numbers.sort()


def main() -> None:
    pa.set_cpu_count(THREADS)
    columns = [column for path in sys.argv[1:] for column in read(path).columns]
    numbers = [column for column in columns if not pa.types.is_dictionary(column.type)]
    with ThreadPoolExecutor(THREADS) as pool:  # numpy's sort leaves the interpreter to the other
        list(pool.map(sort, numbers))


if __name__ == "__main__":
    main()
