"""NannyML on two Parquet files: `run.py REFERENCE CURRENT OUT`."""

import sys

import nannyml as nml
import pandas as pd
import pyarrow.parquet as pq


def read(path: str) -> pd.DataFrame:
    return pd.read_parquet(path, columns=[n for n in pq.read_schema(path).names if n != "id"])


def main() -> None:
    reference, current = read(sys.argv[1]), read(sys.argv[2])
    calculator = nml.UnivariateDriftCalculator(
        column_names=list(reference.columns),
        continuous_methods=["kolmogorov_smirnov", "jensen_shannon"],
        categorical_methods=["chi2", "jensen_shannon"],
        chunk_number=1,
    )
    result = calculator.fit(reference).calculate(current)
    result.to_df().to_json(f"{sys.argv[3]}/result.json")


if __name__ == "__main__":
    main()
