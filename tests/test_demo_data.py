"""The demo's data does what its constants say, and its suites see what they should."""

import json
import shutil
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from functools import cache
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq
import pytest
from scipy.stats import ks_2samp

from monitor.core.records import ExpectationReport, SampleInfo, Severity
from monitor.demo import generator
from monitor.demo.generator import (
    CENTS_WEEK,
    DRIFT_ONSET,
    DRIFTED_COLUMNS,
    INCIDENTS,
    LABEL_DELAY,
    MOVED_OUTPUTS,
    PRODUCTION_END,
    PRODUCTION_START,
    REFERENCE_START,
    SILENT_DAY,
    STEADY_COLUMNS,
)
from monitor.demo.project import install_project
from monitor.errors import AskedWrongly
from monitor.settings import MonitorSettings, RangeSettings, datasets_folder, load_settings
from monitor.tables.columns import to_sample
from monitor.validation.validator import SuiteValidator

TOP = Path(__file__).parents[1]
REFERENCE = TOP / "reference_data" / "loans" / "reference.parquet"
RETRAIN = {"DEMO_RETRAIN_URL": "http://127.0.0.1:9/hook", "DEMO_RETRAIN_SECRET": "s"}
DAYS = [
    PRODUCTION_START + timedelta(days=n) for n in range((PRODUCTION_END - PRODUCTION_START).days)
]
QUIET = [
    day
    for day in DAYS
    if not CENTS_WEEK[0] <= day < CENTS_WEEK[1] and day != SILENT_DAY and day < DRIFT_ONSET.date()
]
AFTER = [day for day in DAYS if day > DRIFT_ONSET.date()]


def made(day: date, seed: int = generator.SEED) -> pa.Table:
    """What the feed delivered on a day on which something came."""
    table = generator.make_day(day, seed)
    assert table is not None
    return table


COMPARED = [
    name
    for name in made(PRODUCTION_START).column_names
    if name not in ("application_id", "applied_at")
]


@pytest.fixture(scope="module")
def project(demo_project: Path) -> Path:
    return demo_project


@pytest.fixture(scope="module")
def reference() -> pa.Table:
    return pq.read_table(REFERENCE)


@pytest.fixture(scope="module")
def validator() -> Iterator[SuiteValidator]:
    one = SuiteValidator()
    yield one
    one.close()


def production(project: Path, days: list[date]) -> pa.Table:
    return pa.concat_tables(
        [pq.read_table(project / "data" / "loans" / f"{day}.parquet") for day in days]
    )


@cache
def training_cells(column: str) -> tuple[np.ndarray, np.ndarray]:
    """Levels, or the cuts between tenths, and the shares of the training data in them."""
    values = pq.read_table(REFERENCE, columns=[column])[column].drop_null().to_numpy()
    levels, counts = np.unique(values, return_counts=True)
    if len(levels) <= 20:
        return levels, counts / len(values)
    cuts = np.quantile(values, np.linspace(0.1, 0.9, 9))
    return cuts, np.bincount(np.searchsorted(cuts, values), minlength=10) / len(values)


def psi(rows: pa.Table, column: str) -> float:
    """Against the training data, by the definition; no level here is absent on one side."""
    marks, p = training_cells(column)
    values = rows[column].drop_null().to_numpy()
    cells = np.searchsorted(marks, values)
    q = np.bincount(cells, minlength=len(p)) / len(values)
    some = (p > 0) & (q > 0)
    return float(np.sum((p - q)[some] * np.log(p[some] / q[some])))


# --- The generator ------------------------------------------------------------


def test_the_committed_reference_is_what_the_generator_makes(reference: pa.Table) -> None:
    assert reference.equals(generator.make_reference())
    assert REFERENCE.stat().st_size < 1_500_000


def test_the_same_seed_gives_the_same_bytes(tmp_path: Path) -> None:
    generator.write_reference(tmp_path / "a.parquet")
    generator.write_reference(tmp_path / "b.parquet")
    assert (tmp_path / "a.parquet").read_bytes() == (tmp_path / "b.parquet").read_bytes()
    assert not made(DAYS[0], 1).equals(made(DAYS[0], 2))


def test_a_day_made_alone_is_the_day_of_the_project(project: Path) -> None:
    for day in (PRODUCTION_START, CENTS_WEEK[0], DRIFT_ONSET.date(), DAYS[-1]):
        assert made(day).equals(production(project, [day]))


def test_there_is_a_file_for_every_day_but_one(project: Path) -> None:
    files = {path.stem for path in (project / "data" / "loans").iterdir()}
    assert files == {str(day) for day in DAYS if day != SILENT_DAY}
    assert PRODUCTION_START.weekday() == 0
    assert len(DAYS) == 20 * 7


def test_rows_lie_within_their_day_and_weekends_are_quieter(project: Path) -> None:
    for day in (day for day in DAYS if day != SILENT_DAY):
        rows = production(project, [day])
        times = rows["applied_at"].to_pylist()
        assert times == sorted(times)
        assert {time.date() for time in times} == {day}
        assert times[0].tzinfo is not None
        low, high = (500, 700) if day.weekday() < 5 else (350, 480)
        assert low <= rows.num_rows <= high


def test_production_does_not_know_the_label(project: Path, reference: pa.Table) -> None:
    columns = production(project, DAYS[:1]).column_names
    assert "repaid" not in columns
    assert reference.column_names == [*columns, "repaid"]


def test_training_ends_where_production_starts(reference: pa.Table) -> None:
    times = reference["applied_at"]
    assert pc.min(times).as_py().date() == REFERENCE_START
    assert pc.max(times).as_py().date() == PRODUCTION_START - timedelta(days=1)


def test_the_probability_means_something(reference: pa.Table) -> None:
    probability, repaid = (reference[name].to_numpy() for name in ("probability", "repaid"))
    for low in np.arange(0.4, 1, 0.1):
        band = (probability >= low) & (probability < low + 0.1)
        assert abs(probability[band].mean() - repaid[band].mean()) < 0.05
    likely = probability >= np.median(probability)
    assert repaid[likely].mean() - repaid[~likely].mean() > 0.2


@pytest.mark.parametrize("weekend", [False, True])
def test_quiet_days_differ_from_training_by_very_little(
    project: Path, reference: pa.Table, weekend: bool
) -> None:
    rows = production(project, [day for day in QUIET if (day.weekday() >= 5) == weekend])
    for name in COMPARED:
        assert psi(rows, name) < 0.02, name
        if pa.types.is_floating(reference.schema.field(name).type):
            before, now = (table[name].drop_null().to_numpy() for table in (reference, rows))
            assert ks_2samp(before, now).statistic < 0.03, name


def test_no_quiet_day_stands_out(project: Path) -> None:
    for day in QUIET:
        rows = production(project, [day])
        assert max(psi(rows, name) for name in COMPARED) < 0.1, day


def test_one_week_sends_cents(project: Path, reference: pa.Table) -> None:
    week = production(project, [d for d in DAYS if CENTS_WEEK[0] <= d < CENTS_WEEK[1]])
    ratio = pc.mean(week["loan_amount"]).as_py() / pc.mean(reference["loan_amount"]).as_py()
    assert ratio == pytest.approx(100, rel=0.05)
    others = set(COMPARED) - {"loan_amount", *MOVED_OUTPUTS}
    assert max(psi(week, name) for name in others) < 0.02


def test_after_the_onset_four_columns_move_and_the_output_with_them(
    project: Path,
) -> None:
    after = production(project, AFTER)
    for name in (*DRIFTED_COLUMNS, *MOVED_OUTPUTS):
        assert psi(after, name) > 0.35, name
    for name in set(COMPARED) - {*DRIFTED_COLUMNS, *MOVED_OUTPUTS}:
        assert psi(after, name) < 0.01, name
    assert set(STEADY_COLUMNS) < set(COMPARED)


def test_the_onset_is_an_hour_of_a_day_with_enough_left(project: Path) -> None:
    day = production(project, [DRIFT_ONSET.date()])
    late = pc.greater_equal(day["applied_at"], pa.scalar(DRIFT_ONSET, day["applied_at"].type))
    before, after = day.filter(pc.invert(late)), day.filter(late)
    assert after.num_rows > 400
    assert pc.mean(after["income"]).as_py() < 0.8 * pc.mean(before["income"]).as_py()
    assert all(psi(day, name) > 0.25 for name in DRIFTED_COLUMNS)


def test_the_incidents_tell_the_truth() -> None:
    spans = {each.name: (each.start, each.end) for each in INCIDENTS}
    assert spans["drift"] == (DRIFT_ONSET, datetime(2026, 5, 25, tzinfo=UTC))
    assert [start.isoweekday() for start, _ in spans.values()] == [1, 4, 3]
    assert spans["cents"][1] - spans["cents"][0] == timedelta(weeks=1)
    assert (spans["silence"][0].date(), DRIFT_ONSET.hour) == (SILENT_DAY, 9)


def test_labels_arrive_two_to_four_weeks_later(project: Path) -> None:
    folder = project / "data" / "loans_labels"
    labels = pa.concat_tables([pq.read_table(path) for path in sorted(folder.iterdir())])
    applications = production(project, [day for day in DAYS if day != SILENT_DAY])
    joined = labels.join(
        applications.select(["application_id", "applied_at"]), "application_id", join_type="inner"
    )
    assert joined.num_rows == labels.num_rows == len(pc.unique(labels["application_id"]))
    delays = pc.subtract(joined["labelled_at"], joined["applied_at"]).to_pylist()
    assert LABEL_DELAY[0] <= min(delays)
    assert max(delays) < LABEL_DELAY[1]
    old = pc.less(applications["applied_at"], pa.scalar(datetime(2026, 4, 27, tzinfo=UTC)))
    assert set(applications.filter(old)["application_id"].to_pylist()) <= set(
        labels["application_id"].to_pylist()
    )


def test_a_day_of_labels_made_alone_is_the_one_of_the_project(project: Path) -> None:
    for day in (DAYS[14], DAYS[60], DAYS[-1]):
        written = pq.read_table(project / "data" / "loans_labels" / f"{day}.parquet")
        assert written.equals(generator.make_labels(day))
        assert {time.date() for time in written["labelled_at"].to_pylist()} == {day}
    assert generator.make_labels(DAYS[13]) is None


# --- The suites ---------------------------------------------------------------


def look(validator: SuiteValidator, suite: str, table: pa.Table) -> ExpectationReport:
    sample = to_sample(table, SampleInfo(table.num_rows, table.num_rows, "all"))
    path = TOP / "expectations" / f"{suite}.json"
    return validator.validate(str(path), sample, show_values="levels")


def broken(report: ExpectationReport) -> set[tuple[str, str | None, Severity]]:
    """What failed or could not be evaluated."""
    return {(r.type, r.column, r.severity) for r in report.results if r.success is not True}


@pytest.mark.parametrize("suite", ["loans", "car_loan", "bike_days"])
def test_every_expectation_says_why(suite: str) -> None:
    written = json.loads((TOP / "expectations" / f"{suite}.json").read_text(encoding="utf-8"))
    assert written["name"] == suite
    for each in written["expectations"]:
        assert set(each) == {"type", "kwargs", "severity", "meta"}
        assert each["meta"]["why"].endswith(".")


def test_training_and_quiet_days_meet_the_suite(
    validator: SuiteValidator, project: Path, reference: pa.Table
) -> None:
    report = look(validator, "loans", reference)
    assert (report.evaluated, broken(report)) == (23, set())
    together = production(project, [*QUIET, *AFTER])
    assert not broken(look(validator, "loans", together))
    for day in (QUIET[0], QUIET[5], SILENT_DAY - timedelta(days=1), DRIFT_ONSET.date()):
        assert not broken(look(validator, "loans", production(project, [day])))


@pytest.mark.slow
def test_every_single_quiet_day_meets_the_suite(validator: SuiteValidator, project: Path) -> None:
    for day in (*QUIET, DRIFT_ONSET.date(), *AFTER):
        assert not broken(look(validator, "loans", production(project, [day]))), day


def test_every_day_of_cents_violates_the_suite(validator: SuiteValidator, project: Path) -> None:
    for day in (day for day in DAYS if CENTS_WEEK[0] <= day < CENTS_WEEK[1]):
        assert broken(look(validator, "loans", production(project, [day]))) == {
            ("expect_column_values_to_be_between", "loan_amount", Severity.CRITICAL),
            ("expect_column_mean_to_be_between", "loan_amount", Severity.WARNING),
        }


# --- The public data sets -----------------------------------------------------


@pytest.fixture(scope="module")
def datasets() -> Path:
    folder = datasets_folder()
    if folder is None:
        pytest.skip("MONITOR_DATASETS names no folder")
    return folder


@pytest.fixture(scope="module")
def bikes(datasets: Path) -> pa.Table:
    return pyarrow.csv.read_csv(datasets / "bike-sharing" / "hour.csv")


def bike_day(bikes: pa.Table, day: str) -> pa.Table:
    return bikes.filter(pc.equal(bikes["dteday"], pa.scalar(date.fromisoformat(day))))


FAULTY_SENSORS = {"2011-03-10": "hum", "2012-08-17": "atemp"}


def test_car_loans_meet_their_suite(validator: SuiteValidator, datasets: Path) -> None:
    for name in ("reference", "monitoring"):
        table = pq.read_table(datasets / "nannyml-car-loan" / f"{name}.parquet")
        assert not broken(look(validator, "car_loan", table))


def test_faulty_sensors_violate_the_suite(validator: SuiteValidator, bikes: pa.Table) -> None:
    for day, column in FAULTY_SENSORS.items():
        assert broken(look(validator, "bike_days", bike_day(bikes, day))) == {
            ("expect_column_values_to_be_between", column, Severity.CRITICAL)
        }
    for day in ("2011-01-27", "2011-03-09", "2012-08-16", "2012-08-18", "2012-10-29"):
        assert not broken(look(validator, "bike_days", bike_day(bikes, day)))


def test_no_other_day_breaks_the_two_rules_for_sensors(bikes: pa.Table) -> None:
    warm = pc.and_(pc.greater(bikes["temp"], 0.6), pc.less(bikes["atemp"], 0.4))
    odd = bikes.filter(pc.or_(warm, pc.equal(bikes["hum"], 0)))
    assert set(odd["dteday"].to_pylist()) == {date.fromisoformat(day) for day in FAULTY_SENSORS}


@pytest.mark.slow
def test_no_other_day_of_both_years_does(validator: SuiteValidator, bikes: pa.Table) -> None:
    days = {str(day) for day in bikes["dteday"].to_pylist()}
    found = {day for day in days if broken(look(validator, "bike_days", bike_day(bikes, day)))}
    assert (len(days), found) == (731, set(FAULTY_SENSORS))


# --- The project --------------------------------------------------------------


def monitors(folder: Path, **environment: str) -> dict[str, MonitorSettings]:
    return dict(load_settings(folder / "monitor.yaml", **RETRAIN, **environment).monitors)


def test_the_project_is_complete(project: Path) -> None:
    loans = monitors(project)["loans"]
    assert list(monitors(project)) == ["loans"]
    assert loans.expectations
    assert (project / loans.expectations).is_file()
    assert (project / "reference_data" / "loans" / "reference.parquet").is_file()
    assert list(project.glob(loans.production.path))
    assert not list(project.rglob("*.unfinished"))
    columns = production(project, DAYS[:1]).column_names
    assert loans.production.time in columns
    assert {loans.model.prediction, loans.model.probability, loans.model.id} <= set(columns)
    assert set(loans.columns) <= set(columns)


def test_with_data_sets_there_are_three_more_monitors(project: Path, tmp_path: Path) -> None:
    (tmp_path / "data").symlink_to(project / "data")
    install_project(tmp_path, datasets=True)
    found = monitors(tmp_path, MONITOR_DATASETS="/somewhere")
    assert list(found) == ["loans", "car_loan", "bike_days", "bike_months"]
    assert found["bike_days"].reference is None
    year = found["bike_months"].reference
    assert isinstance(year, RangeSettings)
    assert (year.from_, year.to) == ("2011-01-01", "2012-01-01")
    for name, each in found.items():
        assert name == "loans" or each.production.path.startswith("/somewhere/")
        assert each.expectations is None or (tmp_path / each.expectations).is_file()


def test_a_second_run_keeps_what_is_there_and_writes_the_rest(
    project: Path, tmp_path: Path
) -> None:
    shutil.copytree(project / "data", tmp_path / "data")
    mine = tmp_path / "data" / "loans" / f"{PRODUCTION_START}.parquet"
    mine.write_bytes(b"mine")
    for folder in ("loans", "loans_labels"):
        (tmp_path / "data" / folder / f"{DAYS[-1]}.parquet").unlink()
    suite = tmp_path / "expectations" / "loans.json"
    suite.parent.mkdir()
    suite.write_text("{}")
    install_project(tmp_path, datasets=True)
    install_project(tmp_path, datasets=False)
    assert mine.read_bytes() == b"mine"
    assert suite.read_text() == "{}"
    assert list(monitors(tmp_path)) == ["loans"]

    def names(folder: Path) -> set[str]:
        return {str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file()}

    assert names(tmp_path) == names(project)


@pytest.mark.parametrize("text", ["", "monitors: {}\n", "# mine\n# Demo project, written\n"])
def test_a_configuration_that_is_not_the_demos_is_left_alone(tmp_path: Path, text: str) -> None:
    (tmp_path / "monitor.yaml").write_text(text)
    with pytest.raises(AskedWrongly, match="is not the demo's") as caught:
        install_project(tmp_path, datasets=False)
    assert "another folder" in caught.value.hint
    assert [path.name for path in tmp_path.iterdir()] == ["monitor.yaml"]
    assert (tmp_path / "monitor.yaml").read_text() == text


def test_a_place_that_cannot_hold_it_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(AskedWrongly, match="cannot be written"):
        install_project(tmp_path / "file" / "demo", datasets=False)


def test_the_configuration_says_who_wrote_it(project: Path) -> None:
    text = (project / "monitor.yaml").read_text(encoding="utf-8")
    assert text.startswith("# Demo project, written by `monitor demo`.\n")
