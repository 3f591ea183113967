"""Evidently on two Parquet files: `run.py REFERENCE CURRENT OUT [ks-psi]`."""

import sys

import pandas as pd
import pyarrow.parquet as pq
from evidently import Report
from evidently.presets import DataDriftPreset


def read(path: str) -> pd.DataFrame:
    return pd.read_parquet(path, columns=[n for n in pq.read_schema(path).names if n != "id"])


def main() -> None:
    reference, current, out, *asked = sys.argv[1:]
    presets = [DataDriftPreset()]
    if asked == ["ks-psi"]:
        presets = [
            DataDriftPreset(num_method="ks", cat_method="chisquare"),
            DataDriftPreset(method="psi"),
        ]
    result = Report(presets).run(current_data=read(current), reference_data=read(reference))
    result.save_html(f"{out}/report.html")


if __name__ == "__main__":
    main()
