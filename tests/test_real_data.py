"""Public data sets with known drift and known faults; skipped where MONITOR_DATASETS names none."""

from collections.abc import Container, Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from monitor.core.records import Check, Verdict
from monitor.demo.project import install_project
from monitor.service import Service
from monitor.settings import datasets_folder, load_settings

pytestmark = pytest.mark.skipif(
    datasets_folder() is None,
    reason="MONITOR_DATASETS names no folder of public data sets (docs/datasets.md)",
)

ONSET = datetime(2019, 3, 31, 3, tzinfo=UTC)


@pytest.fixture(scope="module")
def service(demo_project: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    folder: Path = tmp_path_factory.mktemp("real")
    (folder / "data").symlink_to(demo_project / "data")  # nobody reads it, so it is not made again
    install_project(folder, datasets=True)
    settings = load_settings(folder / "monitor.yaml")
    made = Service(settings.model_copy(update={"store": "memory://"}))
    yield made
    made.close()


def play(service: Service, name: str, starts: Container[str] | None = None) -> list[Check]:
    """All windows, or those that start on some days."""
    windows = service.windows(service.settings.monitor(name))
    chosen = [w for w in windows if starts is None or f"{w.start:%Y-%m-%d}" in starts]
    return [service.check(name, window).check for window in chosen]


def starts(checks: list[Check]) -> list[str]:
    return [f"{c.window.start:%Y-%m-%d}" for c in checks if c.window]


# Six weeks on either side of the onset; every week is for `make test-slow`.
WEEKS = {str(date(2019, 2, 11) + timedelta(weeks=by)) for by in range(13)}


@pytest.fixture(
    scope="module",
    params=[WEEKS, pytest.param(None, marks=pytest.mark.slow)],
    ids=["weeks around the onset", "all"],
)
def car_loan(service: Service, request: pytest.FixtureRequest) -> list[Check]:
    checks = play(service, "car_loan", request.param)
    assert request.param is None or len(checks) == len(request.param)
    return checks


def test_car_loan_is_quiet_until_the_drift_begins(car_loan: list[Check]) -> None:
    before = [c for c in car_loan if c.window and c.window.end <= ONSET]
    assert len(before) == (6 if len(car_loan) == len(WEEKS) else 21)
    assert {c.verdict for c in before} == {Verdict.PASSED}


def test_car_loan_drifts_in_the_window_of_the_onset_or_the_next(car_loan: list[Check]) -> None:
    after = [c for c in car_loan if c.window and c.window.end > ONSET]
    first = next(c for c in after if c.verdict is not Verdict.PASSED)
    assert after.index(first) <= 1
    assert first.verdict is Verdict.DRIFTED and first.causes()[0].name == "car_value"
    assert {c.verdict for c in after[1:]} == {Verdict.DRIFTED}


def test_columns_of_car_loan_that_never_drift_are_never_flagged(car_loan: list[Check]) -> None:
    steady = {"debt_to_income_ratio", "size_of_downpayment", "driver_tenure"}
    flagged = {c.name for check in car_loan for c in check.causes()}
    assert "car_value" in flagged and not flagged & steady


def test_a_retyped_label_is_a_notice_and_no_drift(car_loan: list[Check]) -> None:
    for check in car_loan:
        [label] = [c for c in check.columns if c.name == "repaid"]
        assert label.verdict is not Verdict.DRIFTED
        assert ("dtype_changed", "repaid") in {(n.kind, n.column) for n in check.notices}


FAULTY_SENSORS = ["2011-03-10", "2012-08-17"]
FEW_ROWS = ["2011-01-27", "2011-08-27", "2012-10-29", "2012-10-30"]


def days_around(days: list[str]) -> set[str]:
    """The days, and one on either side of each."""
    each = [date.fromisoformat(day) for day in days]
    return {str(day + timedelta(days=by)) for day in each for by in (-1, 0, 1)}


@pytest.mark.parametrize(
    "days",
    [days_around(FAULTY_SENSORS + FEW_ROWS), pytest.param(None, marks=pytest.mark.slow)],
    ids=["those around a fault", "all"],
)
def test_sensor_faults_of_bike_sharing_are_violations_and_ask_for_no_model(
    service: Service, days: set[str] | None
) -> None:
    checks = play(service, "bike_days", days)
    assert len(checks) == (731 if days is None else len(days))
    violated = [c for c in checks if c.verdict is Verdict.VIOLATED]
    by_suite = [c for c in violated if c.expectations and c.expectations.failed]
    assert starts(by_suite) == FAULTY_SENSORS
    by_volume = set(starts(violated)) - set(starts(by_suite))
    assert set(FEW_ROWS) <= by_volume
    assert {c.verdict for c in checks} == {Verdict.PASSED, Verdict.VIOLATED}
    assert service.store.newest_retrains("bike_days") == []


def test_bike_sharing_grew_in_2012(service: Service) -> None:
    checks = play(service, "bike_months")
    assert starts(checks)[0] == "2012-01-01" and len(checks) == 12
    drifted = [c for c in checks if c.verdict is Verdict.DRIFTED]
    assert starts(drifted) == [f"2012-{month:02d}-01" for month in range(3, 12)]
    assert {c.name for check in drifted for c in check.causes()} == {"registered", "cnt"}


@pytest.fixture(scope="module")
def bikes_by_year(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Check]]:
    """Each month of 2012 against the same month of 2011, without any reference."""
    folder: Path = tmp_path_factory.mktemp("bikes")
    (folder / "monitor.yaml").write_text(
        "store: memory://\nmonitors:\n  bikes:\n    window: 1mo\n    explorer: never\n"
        f"    production: {{path: {datasets_folder()}/bike-sharing/hour.csv, time: dteday}}\n"
        "    drift:\n      compare_with: same_period_last_year\n"
        "      columns: [registered, cnt, temp]\n"
    )
    made = Service(load_settings(folder / "monitor.yaml"))
    yield play(made, "bikes")
    made.close()


def months(checks: list[Check], column: str) -> list[int]:
    """Of 2012, in which a column drifted."""
    drifted = [c for c in checks if column in {cause.name for cause in c.causes()}]
    return [c.window.start.month for c in drifted if c.window]


def test_the_first_year_has_no_year_before(bikes_by_year: list[Check]) -> None:
    assert {c.verdict for c in bikes_by_year[:12]} == {Verdict.UNDECIDED}
    assert "the feed begins later" in bikes_by_year[0].headline


@pytest.mark.parametrize("column", ["registered", "cnt"])
def test_rentals_grew_from_one_year_to_the_next(bikes_by_year: list[Check], column: str) -> None:
    assert months(bikes_by_year[12:], column) == list(range(1, 12))


def test_the_weather_of_like_months_is_alike_but_in_a_warm_spring(
    bikes_by_year: list[Check],
) -> None:
    """2012 had a warm winter and spring and a cold November."""
    assert months(bikes_by_year[12:], "temp") == [1, 2, 3, 5, 11]
