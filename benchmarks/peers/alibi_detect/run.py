"""alibi-detect on two Parquet files: `run.py REFERENCE CURRENT OUT`."""

import json
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
from alibi_detect.cd import TabularDrift


def read(path: str) -> pd.DataFrame:
    return pd.read_parquet(path, columns=[n for n in pq.read_schema(path).names if n != "id"])


def main() -> None:
    reference, current = read(sys.argv[1]), read(sys.argv[2])
    texts = [n for n in reference.columns if not pd.api.types.is_numeric_dtype(reference[n])]
    for name in texts:  # it wants one array of numbers: text as codes, nothing missing
        levels = pd.Index(pd.concat([reference[name], current[name]]).unique())
        reference[name] = levels.get_indexer(reference[name])
        current[name] = levels.get_indexer(current[name])
    middle = reference.median()
    before, now = (side.fillna(middle).to_numpy(np.float32) for side in (reference, current))
    categories = {reference.columns.get_loc(name): None for name in texts}
    detector = TabularDrift(before, p_val=0.05, categories_per_feature=categories)
    found = detector.predict(now, drift_type="feature")["data"]
    answer = dict(zip(reference.columns, found["p_val"].tolist(), strict=True))
    Path(sys.argv[3], "result.json").write_text(json.dumps(answer))


if __name__ == "__main__":
    main()
