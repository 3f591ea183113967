"""whylogs on two Parquet files: `run.py REFERENCE CURRENT OUT`."""

import json
import sys
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import whylogs as why
from whylogs.viz.drift.column_drift_algorithms import calculate_drift_scores


def read(path: str) -> pd.DataFrame:
    return pd.read_parquet(path, columns=[n for n in pq.read_schema(path).names if n != "id"])


def main() -> None:
    reference, current = (why.log(pandas=read(path)).view() for path in sys.argv[1:3])
    scores = calculate_drift_scores(
        target_view=current, reference_view=reference, with_thresholds=True
    )
    Path(sys.argv[3], "result.json").write_text(json.dumps(scores, default=str))


if __name__ == "__main__":
    main()
