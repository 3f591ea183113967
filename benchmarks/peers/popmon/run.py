"""popmon on two Parquet files: `run.py REFERENCE CURRENT OUT [report]`."""

import sys

import pandas as pd
import popmon
import pyarrow.parquet as pq

DAY_NS = pd.Timedelta("1d").value


def read(path: str, day: str) -> pd.DataFrame:
    table = pd.read_parquet(path, columns=[n for n in pq.read_schema(path).names if n != "id"])
    table["day"] = pd.Timestamp(day)  # it compares stretches of time: each side is one
    return table


def main() -> None:
    reference, current = read(sys.argv[1], "2026-01-01"), read(sys.argv[2], "2026-01-02")
    days = {"day": {"bin_width": DAY_NS, "bin_offset": 0}}
    before = popmon.make_histograms(reference, time_axis="day", bin_specs=days)
    asked = {"time_axis": "day", "reference_type": "external", "reference": before}
    if sys.argv[4:] == ["report"]:
        popmon.df_stability_report(current, **asked).to_file(f"{sys.argv[3]}/report.html")
    else:
        found = popmon.df_stability_metrics(current, **asked)
        pd.concat(found["comparisons"]).to_csv(f"{sys.argv[3]}/comparisons.csv")


if __name__ == "__main__":
    main()
