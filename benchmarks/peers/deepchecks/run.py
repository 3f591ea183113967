"""deepchecks on two Parquet files: `run.py REFERENCE CURRENT OUT`."""

import sys

import pandas as pd
import pyarrow.parquet as pq
from deepchecks.tabular import Dataset
from deepchecks.tabular.checks import FeatureDrift


def read(path: str) -> Dataset:
    table = pd.read_parquet(path, columns=[n for n in pq.read_schema(path).names if n != "id"])
    texts = [name for name in table.columns if not pd.api.types.is_numeric_dtype(table[name])]
    return Dataset(table, cat_features=texts)


def main() -> None:
    reference, current, out = sys.argv[1:]
    result = FeatureDrift().run(read(reference), read(current))
    result.save_as_html(f"{out}/report.html")


if __name__ == "__main__":
    main()
