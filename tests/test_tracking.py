"""`monitor mlflow`: a check as a run of a real MLflow, where it is installed."""

import os
import subprocess
import sys
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import pytest
from making import a_check
from projects import write_project

from monitor.cli.main import run
from monitor.cli.tracking import MOST_COLUMNS, metrics_of
from monitor.core.columns import Kind
from monitor.core.records import ColumnResult, DatasetResult, SampleInfo, Verdict


def test_numbers_of_a_check_have_names_that_mlflow_takes() -> None:
    names = ("amount (€)", *(f"c{n}" for n in range(300)))
    columns = tuple(
        ColumnResult(name, Kind.NUMBER, Verdict.PASSED, "", strength=float(-place))
        for place, name in enumerate(names)
    )
    sample = SampleInfo(100, 120, "all")
    whole = DatasetResult(0.5, 1, 301)
    check = replace(a_check("c1"), columns=columns, dataset=whole, sample=sample)
    told = metrics_of(replace(check, verdict=Verdict.DRIFTED))
    assert (told["verdict"], told["rows"], told["drifted_columns"]) == (1.0, 120.0, 1.0)
    assert "effect/amount (€)" not in told
    assert sum(name.startswith("effect/") for name in told) <= MOST_COLUMNS
    assert all(all(c.isascii() for c in name) for name in told)


@pytest.mark.skipif(find_spec("mlflow") is not None, reason="MLflow is installed")
def test_without_mlflow_it_is_said_before_anything_is_done(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["mlflow", "orders", "--config", str(tmp_path / "none.yaml")]) == 64
    assert "drift-monitor[mlflow]" in capsys.readouterr().err


@pytest.mark.slow
def test_a_check_is_a_run_with_its_report(tmp_path: Path) -> None:
    pytest.importorskip("mlflow", reason="the extra `mlflow` is not installed")
    config = write_project(tmp_path, suite=False)
    place = f"sqlite:///{tmp_path}/runs.db"
    commands = (["check", "orders", "--at", "2026-03-04"], *(["mlflow", "orders"],) * 2)
    for command, code in zip(commands, (1, 0, 0), strict=True):
        done = subprocess.run(
            [sys.executable, "-m", "monitor", *command, "--config", str(config)],
            env=environment(place), cwd=tmp_path, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == code, done.stderr
    assert "mlflow:  run " in done.stdout
    program = (
        "import mlflow\n"
        "(one,) = mlflow.search_runs(output_format='list')\n"
        "print(one.data.metrics['verdict'], one.data.tags['drift_monitor.monitor'])\n"
        "client = mlflow.MlflowClient()\n"
        "print(*sorted(f.path for f in client.list_artifacts(one.info.run_id)))\n"
    )
    told = subprocess.run(
        [sys.executable, "-c", program],
        env=environment(place), cwd=tmp_path, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert told.stdout.splitlines()[-2:] == ["1.0 orders", "check.json report.html"]


def environment(place: str) -> dict[str, str]:
    return {**os.environ, "MLFLOW_TRACKING_URI": place}
