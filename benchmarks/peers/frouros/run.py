"""frouros on two Parquet files: `run.py REFERENCE CURRENT OUT`."""

import json
import sys
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
from frouros.detectors.data_drift import PSI, ChiSquareTest, KSTest


def read(path: str) -> pd.DataFrame:
    return pd.read_parquet(path, columns=[n for n in pq.read_schema(path).names if n != "id"])


def main() -> None:
    reference, current = read(sys.argv[1]), read(sys.argv[2])
    answer = {}
    for name in reference.columns:
        before, now = (side[name].dropna().to_numpy() for side in (reference, current))
        tests = [KSTest(), PSI()] if before.dtype.kind in "fi" else [ChiSquareTest()]
        for test in tests:
            test.fit(X=before)
            answer[f"{name} {type(test).__name__}"] = str(test.compare(X=now)[0])
    Path(sys.argv[3], "result.json").write_text(json.dumps(answer))


if __name__ == "__main__":
    main()
