"""`monitor mlflow`: a stored check as a run of MLflow, beside the runs that made the model.

Where to is MLflow's own affair: MLFLOW_TRACKING_URI, MLFLOW_EXPERIMENT_NAME and their like. A check
that is logged again goes into the same run.
"""

import json
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from monitor.cli.monitors import open_configured
from monitor.cli.options import DEFAULT_CONFIG, ConfigPath, JsonTo, Names, Verbose
from monitor.cli.output import Output
from monitor.errors import AskedWrongly, MonitorError, UnknownCheck

if TYPE_CHECKING:
    from monitor.archive import StoredCheck
    from monitor.core.records import Check
    from monitor.service import Service

MOST_COLUMNS = 200  # of which each has a metric; the worst first
TAG = "drift_monitor.check"


def register(app: typer.Typer) -> None:
    app.command("mlflow")(log)


def log(
    name: Names,
    check: Annotated[
        str | None, typer.Option(metavar="ID", help="By default the one of the newest window.")
    ] = None,
    json_to: JsonTo = None,
    config: ConfigPath = DEFAULT_CONFIG,
    verbose: Verbose = False,
) -> int:
    """Log a stored check of monitor NAME to MLflow: metrics, tags and the report.

    MLFLOW_TRACKING_URI and MLFLOW_EXPERIMENT_NAME say where to. Logged again, a check goes into the
    run that it has.
    """
    out = Output(json_to, verbose)
    mlflow = need_mlflow()
    with open_configured(config) as service:
        service.settings.monitor(name)
        stored = _stored(service, name, check)
        run = log_check(mlflow, service, stored)
        out.say(f"check:   {stored.check.id}: {stored.check.headline}")
        out.say(f"mlflow:  run {run}")
        out.document({"check": stored.check.id, "run": run})
    return 0


def _stored(service: "Service", name: str, check_id: str | None) -> "StoredCheck":
    known = [line.id for line in service.store.lines(name, limit=500)]
    wanted = check_id or next(iter(known), "")
    found = service.store.get_check(wanted)
    if found is None or found.check.monitor != name:
        raise UnknownCheck(check_id or "of the newest window", known)
    return found


def need_mlflow() -> Any:
    """The library, asked for before long work is done. It sends no usage data from here."""
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    try:
        import mlflow
    except ModuleNotFoundError:
        raise AskedWrongly(
            "this needs MLflow, which is not installed",
            hint="pip install 'drift-monitor[mlflow]'",
        ) from None
    return mlflow


def log_check(mlflow: Any, service: "Service", stored: "StoredCheck") -> str:
    """Log a check; the id of its run. NotLogged when MLflow does not take it."""
    check = stored.check
    try:
        with mlflow.start_run(run_id=_known(mlflow, check.id), run_name=check.id) as run:
            mlflow.set_tags(_tags(check))
            mlflow.log_metrics(metrics_of(check), step=_step(check))
            _log_files(mlflow, service, stored)
            return str(run.info.run_id)
    except Exception as error:
        first = str(error).splitlines()[:1]
        told = f"{type(error).__name__}: {first[0] if first else ''}"
        raise NotLogged(f"the check stands, but MLflow did not take it: {told}") from None


class NotLogged(MonitorError):
    """MLflow did not take a check."""

    hint = "is MLFLOW_TRACKING_URI right, and does it answer?"


def metrics_of(check: "Check") -> dict[str, float]:
    """A check in numbers: its verdict as the exit code, and how far each column moved."""
    from monitor.api import EXIT_CODES

    compared = sorted((c for c in check.columns if c.compared), key=lambda c: -c.strength)
    found: dict[str, float | None] = {
        "verdict": float(EXIT_CODES[check.verdict]),
        "rows": float(check.sample.rows_in_window),
        "drifted_columns": float(check.dataset.drifted_columns),
        "columns": float(check.dataset.columns),
        "p_value": check.dataset.p_value,
        "worst_effect": compared[0].strength if compared else None,
        **{f"effect/{_named(c.name)}": c.strength for c in compared[:MOST_COLUMNS]},
    }
    if check.expectations is not None:
        found["expectations"] = float(check.expectations.evaluated)
        found["failed_expectations"] = float(check.expectations.failed)
    return {name: value for name, value in found.items() if value is not None}


def _named(column: str) -> str:
    """MLflow takes letters, digits, _ - . / and spaces in the name of a metric."""
    return "".join(c if c.isascii() and (c.isalnum() or c in "_-. ") else "_" for c in column)[:200]


def _step(check: "Check") -> int:
    """Seconds of the window's start: steps are in the order of windows."""
    return int(check.window.start.timestamp()) if check.window else 0


def _tags(check: "Check") -> dict[str, str]:
    tags = {TAG: check.id, "drift_monitor.monitor": check.monitor or ""}
    tags |= {"drift_monitor.verdict": str(check.verdict), "mlflow.note.content": check.headline}
    if check.window is not None:
        tags["drift_monitor.window_start"] = check.window.start.isoformat()
        tags["drift_monitor.window_end"] = check.window.end.isoformat()
    if check.reference is not None:
        tags["drift_monitor.reference"] = check.reference.version
    return tags


def _log_files(mlflow: Any, service: "Service", stored: "StoredCheck") -> None:
    """The report and the check itself as artifacts."""
    from monitor.core.wire import check_to_json

    with tempfile.TemporaryDirectory() as folder:
        whole = json.dumps(check_to_json(stored.check), ensure_ascii=False, indent=2)
        (Path(folder) / "check.json").write_text(whole, encoding="utf-8")
        page = service.reports.read(stored.report) if stored.report else None
        if page is not None:
            (Path(folder) / "report.html").write_bytes(page)
        mlflow.log_artifacts(folder)


def _known(mlflow: Any, check_id: str) -> str | None:
    """The run that this check was logged to before."""
    asked = f"tags.`{TAG}` = '{check_id}'"
    runs = mlflow.search_runs(filter_string=asked, max_results=1, output_format="list")
    return str(runs[0].info.run_id) if runs else None
