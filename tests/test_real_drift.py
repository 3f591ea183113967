"""Known drift of public data sets, found and named; skipped where MONITOR_DATASETS names none."""

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from monitor.api import Result, compare
from monitor.core.records import ColumnResult, Verdict
from monitor.settings import datasets_folder

FOLDER = datasets_folder() or Path()
pytestmark = pytest.mark.skipif(
    datasets_folder() is None,
    reason="MONITOR_DATASETS names no folder of public data sets (docs/datasets.md)",
)


def column(result: Result, name: str) -> ColumnResult:
    return next(c for c in result.check.columns if c.name == name)


def drifted(result: Result) -> set[str]:
    return {c.name for c in result.check.causes()}


# --- Car loans: drift begins with row 25 000 of the monitored rows ---


@pytest.fixture(scope="module")
def loans() -> tuple[pd.DataFrame, pd.DataFrame]:
    folder = FOLDER / "nannyml-car-loan"
    roles = ["timestamp", "repaid"]
    reference, monitored = (
        pd.read_parquet(folder / f"{name}.parquet") for name in ("reference", "monitoring")
    )
    return reference.drop(columns=roles), monitored.drop(columns=roles)


MODEL: dict[str, Any] = {"prediction": "y_pred", "probability": "y_pred_proba"}


def test_no_chunk_before_the_onset_alarms_and_the_first_after_it_does(
    loans: tuple[pd.DataFrame, pd.DataFrame],
) -> None:
    reference, monitored = loans
    for start in range(0, 25_000, 2500):
        quiet = compare(reference, monitored[start : start + 2500], **MODEL)
        assert quiet.verdict == "passed", start
    first = compare(reference, monitored[25_000:27_500], **MODEL)
    assert first.verdict == "drifted"
    assert drifted(first) >= {"car_value", "loan_length", "y_pred_proba"}
    assert not drifted(first) & {
        "debt_to_income_ratio",
        "size_of_downpayment",
        "driver_tenure",
    }
    assert column(first, "y_pred_proba").role == "probability"


# --- Flights: US Airways became part of American on 1 July ---


@pytest.fixture(scope="module")
def flights() -> dict[str, Result]:
    folder = FOLDER / "flights-2015"
    reference, incoming = (
        pd.read_csv(folder / f"{name}.csv.gz", index_col=0) for name in ("reference", "incoming")
    )
    every = pd.concat([reference, incoming])
    months = dict(iter(every.groupby(every["DATE"].str[:7])))
    reference = reference.drop(columns="DATE")
    return {m: compare(reference, rows.drop(columns="DATE")) for m, rows in months.items()}


def test_an_airline_that_disappears_is_named_from_july_on(flights: dict[str, Result]) -> None:
    assert [m for m, r in flights.items() if "AIRLINE" in drifted(r)] == [
        f"2015-{month:02}" for month in range(7, 13)
    ]
    lost = next(
        f for f in column(flights["2015-07"], "AIRLINE").findings if f.test == "lost_levels"
    )
    assert "'US'" in lost.reason


def test_steady_columns_of_flights_are_quiet_all_year(flights: dict[str, Result]) -> None:
    assert len(flights) == 12
    for result in flights.values():
        assert not drifted(result) & {"TAXI_OUT", "AIR_TIME", "DISTANCE"}


# --- Electricity: three constant columns come alive at row 17 424 ---


def test_constant_columns_that_come_alive() -> None:
    rows = pd.read_parquet(FOLDER / "elec2" / "elec2.parquet").drop(columns=["row", "date"])
    alive = {"vicprice", "vicdemand", "transfer"}
    week = 7 * 48
    onset = 17_424
    reference = rows[: onset - 4 * week]
    for start in range(onset - 4 * week, onset, week):
        assert not drifted(compare(reference, rows[start : start + week])) & alive
    assert drifted(compare(reference, rows[onset : onset + week])) >= alive


# --- Taxi trips: card payments and new companies, year by year ---


def test_taxi_trips_against_those_of_2013() -> None:
    trips = pd.read_csv(FOLDER / "chicago-taxi" / "data.csv")
    when = pd.to_datetime(trips["trip_start_timestamp"], unit="s")
    years = dict(iter(trips.groupby(when.dt.year)))
    known = ["fare", "trip_seconds", "trip_miles", "payment_type", "company", "tips"]
    found = {year: compare(years[2013], years[year], columns=known) for year in (2014, 2015, 2016)}
    for result in found.values():
        assert "trip_miles" in drifted(result)
        assert not drifted(result) & {"fare", "trip_seconds"}
    company = column(found[2016], "company")
    assert company.verdict is not Verdict.PASSED and "new: " in " ".join(
        f.reason for f in company.findings
    )
    shares = [column(r, "payment_type").findings[0].effect or 0.0 for r in found.values()]
    assert shares == sorted(shares)
