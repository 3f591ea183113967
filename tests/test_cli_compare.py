"""`monitor compare`: formats, flags, exit codes and mistakes, as people and pipelines meet them."""

import gzip
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.feather
import pytest

from monitor.cli.main import run
from monitor.core.wire import check_from_json, check_schema

KEYS = {
    "schema", "id", "monitor", "verdict", "headline", "window", "reference", "sample", "dataset",
    "columns", "expectations", "notices", "timings_s", "engine",
}  # fmt: skip
FINDING_KEYS = {
    "test", "statistic", "effect", "effect_low", "effect_high", "p_value", "p_tolerance",
    "threshold", "tolerance", "minimum_detectable", "verdict", "rows_reference", "rows_current",
    "exact", "error_bound", "reason",
}  # fmt: skip
SCHEMA = jsonschema.Draft202012Validator(check_schema())

Compare = Callable[..., tuple[int, dict[str, Any]]]


def rows(count: int, seed: int, shift: float = 0.0, start: str = "2026-01-01") -> pd.DataFrame:
    """Loan applicants; `shift` makes them older."""
    draw = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "id": [f"a{seed}-{n}" for n in range(count)],
            "at": pd.date_range(start, periods=count, freq="7min").astype(str),
            "age": draw.normal(40 + shift, 10, count).round(1),
            "city": draw.choice(["Rome", "Oslo", "Lima"], count, p=[0.5, 0.3, 0.2]),
            "owner": draw.random(count) < 0.3,
            "term": draw.choice([12, 24, 36], count),
        }
    )


REFERENCE, ALIKE, OLDER = rows(1500, 1), rows(800, 2), rows(800, 3, 15.0, "2026-02-01")


def write(frame: pd.DataFrame, path: Path) -> None:
    table = pa.Table.from_pandas(frame, preserve_index=False)
    writers: dict[str, Callable[[], object]] = {
        ".parquet": lambda: frame.to_parquet(path, index=False),
        ".csv": lambda: frame.to_csv(path, index=False),
        ".gz": lambda: frame.to_csv(path, index=False),
        ".ndjson": lambda: frame.to_json(path, orient="records", lines=True),
        ".arrow": lambda: pyarrow.feather.write_feather(table, path, compression="uncompressed"),
    }
    writers[path.suffix]()


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    for name, frame in (("reference", REFERENCE), ("alike", ALIKE), ("older", OLDER)):
        for suffix in ("csv", "csv.gz", "parquet", "ndjson", "arrow"):
            write(frame, folder / f"{name}.{suffix}")
        (folder / name).mkdir()
        write(frame.iloc[:500], folder / name / "1.parquet")
        write(frame.iloc[500:], folder / name / "2.parquet")
    (folder / "header.csv").write_text("id,at,age,city,owner,term\n")
    (folder / "empty.csv").write_text("")
    (folder / "other.csv").write_text("x,y\n1,2\n3,4\n")
    (folder / "shouted.csv").write_text("ID,AT,AGE\n1,2026-03-01,3\n")
    (folder / "noise.parquet").write_bytes(b"PAR1" + b"\x00noise" * 200 + b"PAR1")
    (folder / "cut.parquet").write_bytes((folder / "older.parquet").read_bytes()[:4000])
    (folder / "cut.csv.gz").write_bytes((folder / "older.csv.gz").read_bytes()[:2000])
    (folder / "bytes.csv").write_bytes(b"age,city\n1,\xff\xfe\n")
    (folder / "ragged.csv").write_text("a,b\n1,2\n1,2,3\n4,5\n")
    (folder / "nothing").mkdir()
    (folder / "texts").mkdir()
    (folder / "texts" / "README.txt").write_text("no data")
    return folder


@pytest.fixture
def compare(
    data: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Compare:
    """Run `monitor compare ... --json -` in the folder of the data; the exit code and the JSON."""
    monkeypatch.chdir(data)

    def call(*arguments: str) -> tuple[int, dict[str, Any]]:
        code = run(["compare", *arguments, "--json", "-"])
        said = capsys.readouterr()
        assert said.out, said.err
        document: dict[str, Any] = json.loads(said.out)
        SCHEMA.validate(document)
        check_from_json(document)
        return code, document

    return call


@pytest.fixture
def refused(
    data: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., str]:
    """Run `monitor compare ... --json -`, which must be asked wrongly; what stderr says."""
    monkeypatch.chdir(data)

    def call(*arguments: str) -> str:
        assert run(["compare", *arguments, "--json", "-"]) == 64
        said = capsys.readouterr()
        assert said.out == ""
        assert said.err.startswith("monitor: ")
        assert "Traceback" not in said.err
        return said.err.removeprefix("monitor: ").strip()

    return call


def column(document: dict[str, Any], name: str) -> dict[str, Any]:
    found: dict[str, Any] = next(c for c in document["columns"] if c["name"] == name)
    return found


def finding(document: dict[str, Any], name: str, test: str) -> dict[str, Any]:
    found: dict[str, Any] = next(f for f in column(document, name)["findings"] if f["test"] == test)
    return found


def verdicts(document: dict[str, Any]) -> dict[str, str]:
    return {c["name"]: c["verdict"] for c in document["columns"]}


# --- As a process: streams and exit codes ---


def process(folder: Path, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "monitor", *arguments],
        cwd=folder,
        env={**os.environ, **more},
        capture_output=True,
        text=True,
        check=False,
    )


def test_json_alone_is_on_stdout(data: Path) -> None:
    done = process(data, "compare", "reference.csv", "older.parquet", "--json", "-")
    assert done.returncode == 1
    document = json.loads(done.stdout)
    assert document["verdict"] == "drifted"
    assert "Drifted: `age` is" in done.stderr


def test_words_alone_are_on_stdout_without_json(data: Path, tmp_path: Path) -> None:
    html, out = tmp_path / "r.html", tmp_path / "r.json"
    files = ("--html", str(html), "--json", str(out))
    done = process(data, "compare", "reference.csv", "older.csv", *files, PYTHONIOENCODING="ascii")
    assert (done.returncode, done.stderr) == (1, "")
    first, second, *_, last = done.stdout.splitlines()
    assert first.startswith("Drifted: `age` is ")
    assert "\\u2192" in first  # the arrow, on a terminal that has none
    assert second.split()[:3] == ["drifted", "age", "PSI"]
    assert last == f"report: {html}"
    SCHEMA.validate(json.loads(out.read_text(encoding="utf-8")))
    assert html.read_text(encoding="utf-8").startswith("<!doctype html>")


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        pytest.param(["reference.csv", "alike.csv"], 0, marks=pytest.mark.slow),
        (["reference.csv", "older.csv"], 1),
        pytest.param(["reference.csv", "older.csv", "--exit-zero"], 0, marks=pytest.mark.slow),
        pytest.param(["reference.csv", "cut.parquet"], 3, marks=pytest.mark.slow),
        (["reference.csv", "nosuch.csv"], 64),
        (["reference.csv", "no**.csv"], 64),
        (["reference.csv", ""], 64),
        (["reference.csv"], 64),
    ],
)
def test_exit_codes_of_a_process(data: Path, arguments: Sequence[str], code: int) -> None:
    done = process(data, "compare", *arguments)
    assert done.returncode == code
    assert "Traceback" not in done.stderr
    assert bool(done.stderr) is (code == 64)


def test_a_fault_of_ours_is_one_line_and_a_traceback_only_when_asked_for(
    data: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError("division\nby zero")

    monkeypatch.chdir(data)
    monkeypatch.setattr("monitor.api.compare_rows", broken)
    assert run(["compare", "reference.csv", "alike.csv"]) == 70
    said = capsys.readouterr().err
    assert said == (
        "monitor: a fault in drift-monitor: ZeroDivisionError: division by zero\n"
        "  hint: -v shows where\n"
    )
    assert run(["compare", "reference.csv", "alike.csv", "-v"]) == 70
    assert "Traceback (most recent call last)" in capsys.readouterr().err


# --- What is compared ---


@pytest.mark.parametrize(
    ("reference", "current"),
    [
        ("reference.csv", "older.csv"),
        ("reference.parquet", "older.parquet"),
        ("reference.csv.gz", "older.ndjson"),
        ("reference.arrow", "older.csv.gz"),
        ("reference", "older"),
        ("reference/*.parquet", "older/*.parquet"),
        ("reference.ndjson", "older.arrow"),
    ],
)
def test_every_format_says_the_same(compare: Compare, reference: str, current: str) -> None:
    code, document = compare(reference, current)
    assert code == 1
    assert document.keys() >= KEYS
    assert document["monitor"] is document["window"] is document["expectations"] is None
    assert document["reference"]["rows"] == 1500
    assert document["reference"]["version"].startswith("sha256:")
    assert document["sample"] == {
        "rows": 800, "rows_in_window": 800, "method": "all", "seed": None, "newest": None,
    }  # fmt: skip
    assert document["engine"] == "local"
    assert document["dataset"].keys() >= {"p_value", "drifted_columns", "columns", "findings"}
    assert (document["dataset"]["drifted_columns"], document["dataset"]["columns"]) == (1, 4)
    kinds = {c["name"]: c["kind"] for c in document["columns"]}
    assert kinds == {
        "id": "id", "at": "time", "age": "number", "city": "category", "owner": "boolean",
        "term": "category",
    }  # fmt: skip
    assert column(document, "age")["verdict"] == "drifted"
    for name in ("age", "city", "owner", "term"):
        assert finding(document, name, "psi").keys() >= FINDING_KEYS
    assert finding(document, "age", "psi")["statistic"] == pytest.approx(2.0, abs=0.6)
    assert "NaN" not in json.dumps(document)


def test_the_same_question_has_the_same_answer(compare: Compare) -> None:
    question = ("reference.csv", "older.csv", "--sample", "300", "--seed", "7")
    first, second = compare(*question)[1], compare(*question)[1]
    for document in (first, second):
        for key in ("id", "made_at", "timings_s"):
            del document[key]
    assert first == second
    other = compare(*question[:-1], "8")[1]
    assert finding(other, "age", "psi")["statistic"] != finding(first, "age", "psi")["statistic"]
    assert first["sample"] == {
        "rows": 300, "rows_in_window": 800, "method": "reservoir", "seed": 7, "newest": None,
    }  # fmt: skip


def test_retyped_columns_are_compared_as_values(compare: Compare, tmp_path: Path) -> None:
    retyped = ALIKE.assign(
        term=ALIKE["term"].astype(str), owner=ALIKE["owner"].astype(int), age=ALIKE["age"] + 0j.real
    )
    retyped.to_parquet(tmp_path / "retyped.parquet", index=False)
    code, document = compare("reference.parquet", str(tmp_path / "retyped.parquet"))
    assert code == 0
    told = {n["column"]: n["kind"] for n in document["notices"] if n["column"]}
    assert told == {"term": "dtype_changed", "owner": "dtype_changed"}
    assert column(document, "term")["verdict"] in ("passed", "watch")


def test_a_lost_column_violates_and_a_new_one_is_a_notice(compare: Compare, tmp_path: Path) -> None:
    changed = ALIKE.drop(columns="city").assign(extra=1)
    changed.to_csv(tmp_path / "changed.csv", index=False)
    code, document = compare("reference.csv", str(tmp_path / "changed.csv"))
    assert (code, document["verdict"]) == (2, "violated")
    assert "city" in document["headline"]
    assert [n["column"] for n in document["notices"] if n["column"]] == ["extra"]
    for question in (("--exclude", "city,extra,id,at"), ("--columns", "age,term")):
        code, document = compare("reference.csv", str(tmp_path / "changed.csv"), *question)
        assert (code, document["notices"]) == (0, [])


def test_a_column_that_cannot_be_compared_takes_no_other_along(
    compare: Compare, tmp_path: Path
) -> None:
    for name, frame in (("before", REFERENCE), ("after", OLDER)):
        nested = frame.assign(point=[{"x": 1.0}] * len(frame), tags=[["a", "b"]] * len(frame))
        nested.to_parquet(tmp_path / f"{name}.parquet")
    code, document = compare(*(str(tmp_path / f"{n}.parquet") for n in ("before", "after")))
    assert code == 1
    assert verdicts(document)["point"] == verdicts(document)["tags"] == "undecided"
    assert "struct" in column(document, "point")["reason"]
    assert verdicts(document)["age"] == "drifted"


def test_infinite_and_missing_values_become_findings_not_faults(
    compare: Compare, tmp_path: Path
) -> None:
    odd = ALIKE.copy()
    odd.loc[::3, "age"] = np.inf
    odd.loc[::2, "city"] = None
    odd["term"] = None
    odd.to_parquet(tmp_path / "odd.parquet")
    code, document = compare("reference.parquet", str(tmp_path / "odd.parquet"))
    assert code == 1
    assert {n: v for n, v in verdicts(document).items() if v == "drifted"}.keys() == {
        "age", "city", "term",
    }  # fmt: skip
    json.dumps(document, allow_nan=False)


def test_a_label_may_arrive_later(compare: Compare, tmp_path: Path) -> None:
    OLDER.drop(columns="owner").to_csv(tmp_path / "unlabelled.csv", index=False)
    current = str(tmp_path / "unlabelled.csv")
    assert compare("reference.csv", current)[0] == 2
    code, document = compare("reference.csv", current, "--label", "owner")
    assert code == 1
    assert [n["kind"] for n in document["notices"]] == ["label_absent", "not_compared"]


# --- Flags ---


def test_tests_can_be_chosen(compare: Compare) -> None:
    _, document = compare("reference.csv", "older.csv", "--tests", "ks")
    tests = {f["test"] for f in column(document, "age")["findings"] if not f["guard"]}
    assert tests == {"ks"}
    _, document = compare("reference.csv", "older.csv")
    assert {f["test"] for f in column(document, "age")["findings"]} == {"ks", "psi"}


def test_tolerance_decides_what_matters(compare: Compare) -> None:
    tolerant = ("--tolerance", "psi=10,ks=0.9")
    code, document = compare("reference.csv", "older.csv", *tolerant)
    assert (code, column(document, "age")["verdict"]) == (0, "watch")
    assert finding(document, "age", "psi")["tolerance"] == 10
    code, document = compare(
        "reference.csv", "older.csv", "--tolerance", "psi=10", "--tolerance", "ks=0.1"
    )
    assert (code, finding(document, "age", "ks")["verdict"]) == (1, "drifted")


def test_what_must_be_seen_makes_small_windows_undecided(compare: Compare, tmp_path: Path) -> None:
    ALIKE.head(60).to_csv(tmp_path / "few.csv", index=False)
    few = ("reference.csv", str(tmp_path / "few.csv"), "--tests", "psi", "--columns", "age")
    code, document = compare(*few, "--must-see", "psi=0.5")
    assert (code, document["verdict"]) == (3, "undecided")
    assert finding(document, "age", "psi")["rows_needed"] > 60
    assert compare(*few, "--must-see", "psi=5")[0] == 0


def test_alpha_moves_the_threshold(compare: Compare) -> None:
    loose = compare("reference.csv", "alike.csv", "--alpha", "0.4")[1]
    strict = compare("reference.csv", "alike.csv", "--alpha", "0.0001")[1]
    thresholds = [finding(d, "age", "psi")["threshold"] for d in (loose, strict)]
    assert thresholds[0] < thresholds[1]


def test_the_classical_rules(compare: Compare) -> None:
    code, document = compare("reference.csv", "alike.csv", "--threshold", "psi=0.0000001")
    assert (code, finding(document, "age", "psi")["threshold"]) == (1, 1e-7)
    assert finding(document, "age", "ks")["verdict"] != "drifted"
    code, document = compare("reference.csv", "alike.csv", "--threshold", "0.0000001")
    assert finding(document, "age", "ks")["verdict"] == "drifted"
    assert compare("reference.csv", "older.csv", "--threshold", "99")[0] == 0
    assert compare("reference.csv", "older.csv", "--p-value", "0.05")[0] == 1
    assert compare("reference.csv", "alike.csv", "--p-value", "1e-12")[0] == 0


def test_columns_can_be_chosen_and_kinds_told(compare: Compare) -> None:
    _, document = compare("reference.csv", "alike.csv", "--columns", "age, city")
    assert verdicts(document).keys() == {"age", "city"}
    _, document = compare("reference.csv", "alike.csv", "--exclude", "age")
    assert "age" not in verdicts(document)
    _, document = compare(
        "reference.csv", "alike.csv", "--kind", "term=number,age=category", "--kind", "city=text"
    )
    kinds = {c["name"]: c["kind"] for c in document["columns"]}
    assert (kinds["term"], kinds["age"], kinds["city"]) == ("number", "category", "text")


@pytest.mark.parametrize("current", ["older.csv", "older.parquet", "older.ndjson"])
def test_the_time_column_tells_the_window(compare: Compare, current: str) -> None:
    _, document = compare("reference.csv", current, "--time-column", "at")
    window = {"start": "2026-02-01T00:00:00+00:00", "end": "2026-02-04T21:13:00.000001+00:00"}
    assert document["window"] == window
    sampled = compare("reference.csv", current, "--time-column", "at", "--sample", "50")[1]
    assert sampled["window"] == window


def test_the_time_column_may_be_absent_in_training_data(compare: Compare, tmp_path: Path) -> None:
    REFERENCE.drop(columns="at").to_csv(tmp_path / "timeless.csv", index=False)
    code, document = compare(str(tmp_path / "timeless.csv"), "alike.csv", "--time-column", "at")
    assert code == 0
    assert document["window"]["start"] == "2026-01-01T00:00:00+00:00"


@pytest.mark.parametrize("current", ["alike.csv", "alike.parquet", "alike"])
def test_a_time_column_without_any_time_is_asked_wrongly(
    refused: Callable[..., str], current: str
) -> None:
    said = refused("reference.csv", current, "--time-column", "city")
    assert said.splitlines() == [
        "time_column: no row has a readable time in 'city'; there are times in 'at'",
        "  hint: times are timestamps, ISO 8601 text, or seconds since 1970",
    ]  # fmt: skip


def test_a_time_column_is_told_to_be_left_out(compare: Compare, tmp_path: Path) -> None:
    code, document = compare("reference.csv", "alike.csv", "--time-column", "at")
    told = {"kind": "time_column", "column": "at"}
    told["text"] = "at tells the time of a row and is not compared"
    assert code == 0 and document["notices"][0] == told
    [apart] = document["notices"][1:]
    assert apart["text"] == (
        "1 column is not compared: `id` (it identifies rows); to have one compared, say its kind: "
        "`--kind id=category`"
    )
    text = Path("alike.csv").read_text().replace("2026-01-01 00:07:00", "never", 1)
    (tmp_path / "odd.csv").write_text(text)
    code, document = compare("reference.csv", str(tmp_path / "odd.csv"), "--time-column", "at")
    assert [n["kind"] for n in document["notices"]][:2] == ["time_unreadable", "time_column"]


def test_a_configuration_that_was_named_has_to_be_there(
    compare: Compare, refused: Callable[..., str], tmp_path: Path
) -> None:
    said = refused("reference.csv", "alike.csv", "--config", "nope.yaml")
    assert said.startswith("there is no nope.yaml")
    (tmp_path / "there.yaml").touch()
    assert compare("reference.csv", "alike.csv", "--config", str(tmp_path / "there.yaml"))[0] == 0


@pytest.mark.parametrize("frozen", [False, True], ids=["rows", "frozen"])
def test_the_report_names_both_sides_first(compare: Compare, tmp_path: Path, frozen: bool) -> None:
    page, reference = tmp_path / "report.html", "reference.csv"
    if frozen:
        reference = str(tmp_path / "train.reference")
        assert run(["reference", "freeze", "reference.csv", reference]) == 0
    assert run(["compare", reference, "alike.csv", "--html", str(page)]) == 0
    first = page.read_text().partition("</header>")[0]
    added = ", a frozen reference" if frozen else ""
    assert f"<dt>Compared</dt><dd>alike.csv against {reference}{added}</dd>" in first


def test_roles_are_told_and_ids_are_not_compared(compare: Compare) -> None:
    roles = ("--prediction", "owner", "--probability", "age", "--label", "city", "--id", "term")
    _, document = compare("reference.csv", "alike.csv", *roles)
    assert column(document, "term")["kind"] == "id"
    assert document["setup"]["roles"] == {
        "prediction": "owner", "probability": "age", "label": "city", "id": "term",
    }  # fmt: skip


def test_other_ways_to_write_csv(compare: Compare, tmp_path: Path) -> None:
    for name, frame in (("before", REFERENCE), ("after", ALIKE)):
        frame.assign(city="Köln").to_csv(
            tmp_path / f"{name}.csv", sep=";", decimal=",", encoding="latin-1", index=False
        )
    files = [str(tmp_path / f"{name}.csv") for name in ("before", "after")]
    style = ("--separator", ";", "--decimal", ",", "--encoding", "latin-1")
    code, document = compare(*files, *style)
    assert (code, column(document, "age")["kind"]) == (0, "number")


# --- A suite ---


def suite(folder: Path, severity: str, lowest: float = 0, column: str = "age") -> str:
    path = folder / f"{severity}-{lowest}-{column}.json"
    expectation = {
        "type": "expect_column_values_to_be_between",
        "kwargs": {"column": column, "min_value": lowest},
        "severity": severity,
    }
    path.write_text(json.dumps({"name": "s", "expectations": [expectation]}))
    return str(path)


def test_a_failed_critical_expectation_beats_drift(compare: Compare, tmp_path: Path) -> None:
    code, document = compare(
        "reference.csv", "older.csv", "--suite", suite(tmp_path, "critical", 60)
    )
    assert (code, document["verdict"]) == (2, "violated")
    assert document["dataset"]["drifted_columns"] == 1
    report = document["expectations"]
    assert (report["evaluated"], report["failed"]) == (1, 1)
    assert report["results"][0].keys() >= {
        "type", "column", "severity", "success", "observed", "unexpected_rows",
        "unexpected_share", "examples", "reason",
    }  # fmt: skip


def test_a_failed_warning_does_not(
    compare: Compare, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    failed = suite(tmp_path, "warning", 60)
    code, document = compare("reference.csv", "alike.csv", "--suite", failed)
    assert (code, document["expectations"]["failed"]) == (0, 1)
    run(["compare", "reference.csv", "alike.csv", "--suite", failed])
    assert ["warning", "age"] in [line.split()[:2] for line in capsys.readouterr().out.splitlines()]
    code, document = compare(
        "reference.csv", "alike.csv", "--suite", suite(tmp_path, "critical", -99)
    )
    assert (code, document["expectations"]["failed"]) == (0, 0)


def test_an_expectation_that_cannot_be_evaluated_is_undecided(
    compare: Compare, tmp_path: Path
) -> None:
    unknown = suite(tmp_path, "critical", 0, "nosuch")
    code, document = compare("reference.csv", "alike.csv", "--suite", unknown)
    assert code == 3
    assert document["expectations"]["results"][0]["success"] is None


def test_an_excluded_column_is_still_held_to_the_suite(compare: Compare, tmp_path: Path) -> None:
    held = suite(tmp_path, "critical", 60)
    assert compare("reference.csv", "alike.csv", "--exclude", "age", "--suite", held)[0] == 2


# --- What could not be looked at ---


@pytest.mark.parametrize(
    ("current", "told"),
    [
        ("cut.parquet", "cut.parquet: the end of the Parquet file is missing"),
        ("noise.parquet", "noise.parquet: "),
        ("cut.csv.gz", "cut.csv.gz: the gzip data is cut off"),
        ("bytes.csv", "bytes.csv: not text in the expected encoding"),
        ("ragged.csv", "has 3 cells where the header has 2"),
        ("empty.csv", "empty.csv is empty (0 bytes)"),
        ("header.csv", "no rows in the window"),
    ],
)
def test_what_cannot_be_read_is_undecided(compare: Compare, current: str, told: str) -> None:
    code, document = compare("reference.csv", current)
    assert (code, document["verdict"]) == (3, "undecided")
    assert told in document["headline"]
    assert document["reference"]["rows"] == 1500
    assert document["columns"] == []
    assert compare("reference.csv", current, "--exit-zero")[0] == 0


def test_what_may_help_is_said_with_what_cannot_be_read(compare: Compare) -> None:
    assert "`--encoding latin-1`" in compare("reference.csv", "bytes.csv")[1]["headline"]


def test_sides_with_different_separators_are_compared_as_the_hint_says(
    compare: Compare, data: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    lines = (data / "alike.csv").read_text().replace(",", ";")
    (other := tmp_path / "other.csv").write_text(lines)
    assert run(["compare", str(data / "reference.csv"), str(other)]) == 64
    assert "is its separator ';'? `--separator`" in capsys.readouterr().err
    flags = ("--separator", ";")
    assert run(["compare", str(data / "reference.csv"), str(other), *flags]) == 64
    assert "`monitor reference freeze` the training data with their" in capsys.readouterr().err
    frozen = str(tmp_path / "train.reference")
    assert run(["reference", "freeze", str(data / "reference.csv"), frozen]) == 0
    capsys.readouterr()
    assert compare(frozen, str(other), *flags)[0] == 0


def test_an_unreadable_reference_is_undecided(compare: Compare) -> None:
    code, document = compare("cut.parquet", "alike.csv")
    assert (code, document["reference"]) == (3, None)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read_is_undecided(compare: Compare, tmp_path: Path) -> None:
    locked = tmp_path / "locked.csv"
    shutil.copy("reference.csv", locked)
    locked.chmod(0)
    code, document = compare("reference.csv", str(locked))
    assert code == 3
    assert "Permission denied" in document["headline"]


def test_columns_that_are_not_compared_are_told_when_nothing_is_left(
    data: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(data)
    assert run(["compare", "reference.csv", "alike.csv", "--columns", "id,at"]) == 3
    first, *others = capsys.readouterr().out.splitlines()
    assert first == "Undecided: there is no column that can be compared"
    told = [line.split()[:2] for line in others]
    assert told == [["skipped", "id"], ["skipped", "at"], ["notice", "2"]]
    assert "to have one compared, say its kind: `--kind id=category`" in others[-1]


# --- What was asked wrongly ---

ALPHA = "alpha: should be "
WRONG: list[tuple[str, str]] = [
    ("nosuch.csv alike.csv", "there is no nosuch.csv; . has: alike, "),
    ("reference.csv alik.csv", "did you mean 'alike.csv'?"),
    ("reference.csv nosuch/*.csv", "nothing matches nosuch/*.csv"),
    ("reference.csv nothing", "there is no data file in nothing"),
    ("reference.csv texts", "does not tell its format; known are "),
    ("header.csv alike.csv", "the reference has no rows: header.csv\n  hint: the training data"),
    ("empty.csv alike.csv", "the reference empty.csv is empty (0 bytes)"),
    ("reference.csv other.csv", "the two datasets share no column: the reference has id, at, age"),
    (
        "reference.csv shouted.csv",
        "hint: names differ only in upper and lower case: 'id' and 'ID', ",
    ),
    ("--tests nosuch", "there is no drift test named 'nosuch'; there are: anderson_darling, "),
    ("--tests chi_sqared", "hint: did you mean 'chi_squared'?"),
    ("--alpha 2", f"{ALPHA}less than 0.5"),
    ("--alpha 0", f"{ALPHA}greater than 0"),
    ("--alpha nan", f"{ALPHA}a finite number"),
    ("--alpha small", "Invalid value for '--alpha': "),
    ("--sample 0", "sample: should be greater than or equal to 1"),
    ("--seed -1", "seed: should be greater than or equal to 0"),
    ("--tolerance psi=abc", "--tolerance 'psi=abc' cannot be read\n  hint: write --tolerance NAME"),
    ("--tolerance psi", "--tolerance 'psi' cannot be read"),
    ("--tolerance psi=-1", "tolerance.psi: should be greater than or equal to 0"),
    ("--tolerance psi=nan", "tolerance.psi: should be a finite number"),
    ("--tolerance psi=inf", "tolerance.psi: should be a finite number"),
    ("--tolerance nosuch=1", "there is no drift test named 'nosuch'"),
    ("--must-see psi=0", "must_see.psi: should be greater than 0"),
    ("--must-see psi=0.05", "must_see of psi is 0.05, and effects up to its tolerance of 0.1"),
    ("--threshold nosuch=1", "there is no drift test named 'nosuch'"),
    ("--threshold psi=-1", "threshold.psi: should be greater than 0"),
    ("--threshold high", "--threshold 'high' cannot be read"),
    ("--p-value 3", "p_value: should be less than 1"),
    ("--p-value 0.05 --threshold 0.1", "`p_value` and `threshold` are two different rules"),
    ("--kind age=nosuch", "kinds.age: should be 'number', 'category', "),
    ("--kind nosuch=number", "kinds: there is no column named 'nosuch'; there are: age, at"),
    ("--kind age", "--kind 'age' cannot be read"),
    ("--columns agee", "columns: there is no column named 'agee'"),
    ("--exclude agee", "hint: did you mean 'age'?"),
    ("--label nosuch", "label: there is no column named 'nosuch'"),
    ("--id nosuch", "id: there is no column named 'nosuch'"),
    ("--time-column nosuch", "there is no column named 'nosuch'"),
    ("--suite nosuch.json", "there is no expectation suite nosuch.json"),
    ("--suite other.csv", "other.csv:1: this is not JSON"),
    ("--html nosuch/r.html", "nosuch/r.html cannot be written: there is no folder nosuch"),
    ("--html nothing", "nothing cannot be written: it is a folder"),
    ("--show-values bogus", "show_values: should be 'never', 'levels' or 'all'"),
    ("--decimal x", "csv.decimal: should be '.' or ','"),
    ("--separator ;;", "a CSV separator is one character, not ';;'"),
    ("--encoding nosuch", "there is no text encoding named 'nosuch'"),
    ("--nosuch", "No such option: --nosuch"),
]


@pytest.mark.parametrize(("line", "told"), WRONG, ids=[line for line, _ in WRONG])
def test_a_wrong_question_is_told_with_its_remedy(
    refused: Callable[..., str], line: str, told: str
) -> None:
    files = [] if line.partition(" ")[0].endswith(".csv") else ["reference.csv", "alike.csv"]
    assert told in refused(*files, *line.split())


def test_several_mistakes_are_told_at_once(refused: Callable[..., str]) -> None:
    said = refused("reference.csv", "alike.csv", "--alpha", "2", "--seed", "-1", "--sample", "0")
    assert said.splitlines() == [
        "3 mistakes",
        "  alpha: should be less than 0.5",
        "  sample: should be greater than or equal to 1",
        "  seed: should be greater than or equal to 0",
    ]


def test_json_goes_to_a_file_that_can_be_written(
    data: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(data)
    assert run(["compare", "reference.csv", "alike.csv", "--json", "nosuch/r.json"]) == 64
    assert "nosuch/r.json cannot be written" in capsys.readouterr().err


def test_names_in_the_data_do_not_steer_a_terminal(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    evil = "age\x1b[31m\nx"
    for name, frame in (("before", REFERENCE), ("after", OLDER)):
        frame.rename(columns={"age": evil}).to_parquet(tmp_path / f"{name}.parquet", index=False)
    files = [str(tmp_path / f"{name}.parquet") for name in ("before", "after")]
    assert run(["compare", *files]) == 1
    assert "\x1b" not in capsys.readouterr().out
    assert run(["compare", *files, "--json", "-"]) == 1
    document = json.loads(capsys.readouterr().out)
    assert column(document, evil)["verdict"] == "drifted"


def test_compressed_text_is_what_it_is(data: Path) -> None:
    with gzip.open(data / "older.csv.gz", "rt") as file:
        assert file.readline().startswith("id,at,age")
