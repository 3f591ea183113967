"""TensorFlow Data Validation on two Parquet files: `run.py REFERENCE CURRENT OUT`."""

import sys

import pandas as pd
import pyarrow.parquet as pq
import tensorflow_data_validation as tfdv


def read(path: str) -> pd.DataFrame:
    return pd.read_parquet(path, columns=[n for n in pq.read_schema(path).names if n != "id"])


def main() -> None:
    reference, current = read(sys.argv[1]), read(sys.argv[2])
    before, now = (tfdv.generate_statistics_from_dataframe(side) for side in (reference, current))
    schema = tfdv.infer_schema(before)
    for name in reference.columns:
        comparator = tfdv.get_feature(schema, name).drift_comparator
        if pd.api.types.is_numeric_dtype(reference[name]):
            comparator.jensen_shannon_divergence.threshold = 0.1
        else:
            comparator.infinity_norm.threshold = 0.1
    anomalies = tfdv.validate_statistics(now, schema, previous_statistics=before)
    tfdv.write_anomalies_text(anomalies, f"{sys.argv[3]}/anomalies.txt")


if __name__ == "__main__":
    main()
