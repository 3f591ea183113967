"""What lies in deploy/: read by the programs it is for where they are, by rules where not."""

import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml
from fastapi import FastAPI
from fastapi.testclient import TestClient
from projects import write_project

from monitor import wiring
from monitor.settings import load_settings
from monitor.stores import sql
from monitor.web.metrics import Process, metrics_routes

ROOT = Path(__file__).parents[1]
DEPLOY = ROOT / "deploy"
MONITOR = [sys.executable, "-m", "monitor"]
FORMS = ("long-running", "cronjob")
USER = 10001


# --- Metrics that are asked for ---


@pytest.fixture(scope="module")
def told() -> set[str]:
    """The names of all samples that a service with one checked monitor tells."""
    from datetime import UTC, datetime

    from making import day
    from prometheus_client.parser import text_string_to_metric_families
    from test_metrics import drifted, monitors

    from monitor.archive import Outcome

    store = sql.make("memory:", Path(), wiring.now)
    store.save(Outcome(drifted("c1", day(1))))
    app = FastAPI()
    process = Process(lambda: {"scheduler": True})
    routes = metrics_routes(
        store, monitors("loan"), lambda: datetime.now(UTC), lambda: None, process
    )
    app.include_router(routes)
    text = TestClient(app).get("/metrics").text
    store.close()
    return {s.name for family in text_string_to_metric_families(text) for s in family.samples}


def metrics_in(text: str) -> set[str]:
    return set(re.findall(r"\b((?:drift_monitor|process|python)_[a-z_]+)\b", text))


def expressions(dashboard: dict[str, Any]) -> list[str]:
    return [t["expr"] for panel in dashboard["panels"] for t in panel["targets"]]


def test_every_metric_of_the_dashboard_exists(told: set[str]) -> None:
    dashboard = json.loads((DEPLOY / "grafana" / "drift-monitor.json").read_text())
    asked = metrics_in(" ".join(expressions(dashboard)))
    variables = dashboard["templating"]["list"]
    asked |= metrics_in(" ".join(v.get("definition", "") for v in variables))
    assert asked - told == set()
    ours = {name for name in told if name.startswith("drift_monitor_")}
    assert ours - asked == set(), "a metric that no panel shows"


def test_the_dashboard_is_laid_out_without_overlap() -> None:
    dashboard = json.loads((DEPLOY / "grafana" / "drift-monitor.json").read_text())
    taken: set[tuple[int, int]] = set()
    for panel in dashboard["panels"]:
        at = panel["gridPos"]
        cells = {(at["x"] + i, at["y"] + j) for i in range(at["w"]) for j in range(at["h"])}
        assert at["x"] + at["w"] <= 24
        assert not cells & taken, panel["title"]
        taken |= cells
    assert len({p["id"] for p in dashboard["panels"]}) == len(dashboard["panels"])


def test_alert_rules_ask_for_metrics_that_exist(told: set[str]) -> None:
    rules = yaml.safe_load((DEPLOY / "prometheus" / "alerts.yaml").read_text())
    found = [rule for group in rules["groups"] for rule in group["rules"]]
    for rule in found:
        assert metrics_in(rule["expr"]) and metrics_in(rule["expr"]) <= told, rule["alert"]
        assert rule["labels"]["severity"] in ("critical", "warning")
        assert {"summary", "description"} <= set(rule["annotations"])
        assert rule["expr"].count("(") == rule["expr"].count(")")
    assert len({rule["alert"] for rule in found}) == len(found)
    if promtool := shutil.which("promtool"):
        file = str(DEPLOY / "prometheus" / "alerts.yaml")
        subprocess.run([promtool, "check", "rules", file], check=True)


# --- The image ---


def instructions() -> list[tuple[str, str]]:
    text = re.sub(r"\\\n\s*", "", (DEPLOY / "Dockerfile").read_text())
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    return [(head, rest.strip()) for head, _, rest in (line.partition(" ") for line in lines)]


def test_the_image_runs_as_nobody_with_a_health_check() -> None:
    told = instructions()
    last_stage = told[max(i for i, (head, _) in enumerate(told) if head == "FROM") :]
    assert ("USER", "10001:10001") in last_stage
    heads = [head for head, _ in last_stage]
    assert heads.index("USER") < heads.index("ENTRYPOINT")
    assert "HEALTHCHECK" in heads
    assert ("ENTRYPOINT", '["monitor"]') in last_stage
    assert "--require-hashes" in (DEPLOY / "Dockerfile").read_text()


def test_the_image_names_no_host_but_its_base() -> None:
    for head, rest in instructions():
        hosts = [h for h in re.findall(r"https?://([^/:'\"]+)", rest) if h != "127.0.0.1"]
        assert hosts == [], (head, hosts)


def test_everything_that_the_image_copies_is_in_its_context() -> None:
    wanted = {"requirements-image.lock"}  # made by `make lock`
    let_in = {
        line[1:].rstrip("/")
        for line in (DEPLOY / "Dockerfile.dockerignore").read_text().splitlines()
        if line.startswith("!")
    }
    for head, rest in instructions():
        if head == "COPY" and not rest.startswith("--from"):
            for name in rest.split()[:-1]:
                assert name in let_in
                assert (ROOT / name).exists() or name in wanted, name


def test_the_command_of_the_image_is_one(tmp_path: Path) -> None:
    [command] = [json.loads(rest) for head, rest in instructions() if head == "CMD"]
    asked = subprocess.run(
        [*MONITOR, command[0], "--help"], capture_output=True, text=True, check=True
    )
    for flag in [word for word in command if word.startswith("--")]:
        assert flag in asked.stdout


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that everybody may read."""
    folder = Path(tempfile.mkdtemp(prefix="deploy-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def nobody(open_folder: Path) -> list[str]:
    """What makes a command run as the user of the image; skips where that is not to be had."""
    tool = shutil.which("setpriv")
    if os.geteuid() != 0 or tool is None:
        pytest.skip("only root can become somebody else, by setpriv")
    user = [tool, f"--reuid={USER}", f"--regid={USER}", "--clear-groups", "--no-new-privs"]
    tried = subprocess.run([*user, *MONITOR, "--version"], cwd="/", env=bare(), check=False)
    if tried.returncode:
        pytest.skip("nobody else may read this Python")
    return user


def bare() -> dict[str, str]:
    here = os.environ.get("PYTHONPATH", str(ROOT))
    plain = {"HOME": "/nonexistent", "PYTHONDONTWRITEBYTECODE": "1", "PYTHONPATH": here}
    return plain | {"PATH": os.environ["PATH"]}


def test_a_check_writes_nowhere_but_where_it_is_told(open_folder: Path, nobody: list[str]) -> None:
    """As in a container: no right but to read the project, and one place for what is kept."""
    config = write_project(open_folder / "project", suite=False)
    kept = open_folder / "kept"
    kept.mkdir()
    os.chown(kept, USER, USER)
    text = config.read_text().replace("sqlite:///", f"sqlite:///{kept}/")
    config.write_text(f"reports: {kept}/reports/\nsnapshots: {kept}/references/\n{text}")
    before = sorted(p.name for p in (open_folder / "project").rglob("*"))
    done = subprocess.run(
        [*nobody, *MONITOR, "check", "orders", "--at", "2026-03-02", "--config", str(config)],
        env=bare() | {"TMPDIR": str(kept)}, cwd="/", capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert list((kept / "reports").glob("*.html"))
    assert sorted(p.name for p in (open_folder / "project").rglob("*")) == before


# --- Compose ---


def test_the_services_of_compose() -> None:
    compose = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
    service, database = compose["services"]["monitor"], compose["services"]["database"]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert all(port.startswith("127.0.0.1:") for port in service["ports"])
    assert service["depends_on"]["database"]["condition"] == "service_healthy"
    assert "healthcheck" in database
    named = {v.partition(":")[0] for s in compose["services"].values() for v in s["volumes"]}
    assert {v for v in named if not v.startswith(".")} == set(compose["volumes"])
    text = (DEPLOY / "compose.yaml").read_text()
    variables = set(re.findall(r"\$\{(\w+)", text)) - {"STORE_URL"}
    given = {
        line.partition("=")[0] for line in (DEPLOY / "environment.example").read_text().splitlines()
    }
    assert variables <= given
    assert seconds(service["stop_grace_period"]) > graces()


def seconds(text: str) -> float:
    return float(text.removesuffix("s"))


def graces() -> float:
    """How long a service may take to end by itself."""
    from monitor.serving import GRACE_S, WEB_GRACE_S

    return GRACE_S + WEB_GRACE_S


# --- Kubernetes ---


def rendered(form: str) -> list[dict[str, Any]]:
    """The objects of a form: as kubectl renders them, or the files themselves without it."""
    folder = DEPLOY / "kubernetes" / form
    if tool := shutil.which("kubectl"):
        done = subprocess.run(
            [tool, "kustomize", str(folder)], capture_output=True, text=True, check=True
        )
        return list(yaml.safe_load_all(done.stdout))
    files = [*folder.glob("*.yaml"), *(folder.parent / "base").glob("*.yaml")]
    documents = [yaml.safe_load(file.read_text()) for file in files]
    return [one for one in documents if one.get("kind") not in (None, "Kustomization")]


def pods(form: str) -> Iterator[dict[str, Any]]:
    for one in rendered(form):
        if one["kind"] == "Deployment":
            yield one["spec"]["template"]
        elif one["kind"] == "CronJob":
            yield one["spec"]["jobTemplate"]["spec"]["template"]


@pytest.mark.parametrize("form", FORMS)
def test_pods_may_do_nothing_that_they_need_not(form: str) -> None:
    for pod in pods(form):
        spec = pod["spec"]
        assert spec["automountServiceAccountToken"] is False
        assert spec["securityContext"]["runAsNonRoot"] is True
        assert spec["securityContext"]["runAsUser"] == USER
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        [container] = spec["containers"]
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert container["envFrom"] == [{"secretRef": {"name": "drift-monitor"}}]
        assert "memory" in container["resources"]["limits"]
        mounts = {m["name"]: m["mountPath"] for m in container["volumeMounts"]}
        assert set(mounts) == {v["name"] for v in spec["volumes"]}
        assert mounts["scratch"] == "/tmp"


@pytest.mark.parametrize("form", FORMS)
def test_what_pods_name_is_there_and_their_arguments_are_a_command(form: str) -> None:
    names = {(one["kind"], one["metadata"]["name"]) for one in rendered(form)}
    for pod in pods(form):
        spec = pod["spec"]
        for volume in spec["volumes"]:
            if claim := volume.get("persistentVolumeClaim"):
                assert ("PersistentVolumeClaim", claim["claimName"]) in names
            if shutil.which("kubectl") and (kept := volume.get("configMap")):
                assert ("ConfigMap", kept["name"]) in names
        assert ("ServiceAccount", spec["serviceAccountName"]) in names
        arguments = spec["containers"][0]["args"]
        asked = subprocess.run(
            [*MONITOR, arguments[0], "--help"], capture_output=True, text=True, check=True
        )
        for flag in [word for word in arguments if word.startswith("--")]:
            assert flag in asked.stdout


def test_the_long_running_form_is_probed_and_ends_in_peace() -> None:
    [pod] = pods("long-running")
    [container] = pod["spec"]["containers"]
    paths = {p: container[p]["httpGet"]["path"] for p in container if p.endswith("Probe")}
    assert paths == {
        "startupProbe": "/healthz",
        "livenessProbe": "/healthz",
        "readinessProbe": "/readyz",
    }
    assert pod["spec"]["terminationGracePeriodSeconds"] > graces()
    [service] = [one for one in rendered("long-running") if one["kind"] == "Service"]
    labels = pod["metadata"]["labels"]
    assert service["spec"]["selector"].items() <= labels.items()


def test_jobs_do_not_overlap_and_a_wrong_configuration_is_not_tried_again() -> None:
    [job] = [one for one in rendered("cronjob") if one["kind"] == "CronJob"]
    assert job["spec"]["concurrencyPolicy"] == "Forbid"
    [rule] = job["spec"]["jobTemplate"]["spec"]["podFailurePolicy"]["rules"]
    assert rule["action"] == "FailJob"
    assert rule["onExitCodes"]["values"] == [64]


def test_the_configuration_of_the_example_loads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = yaml.safe_load((DEPLOY / "kubernetes" / "secret.example.yaml").read_text())
    for name, value in secret["stringData"].items():
        monkeypatch.setenv(name, value)
    settings = load_settings(DEPLOY / "kubernetes" / "base" / "monitor.yaml")
    [job] = [one for one in rendered("cronjob") if one["kind"] == "CronJob"]
    [container] = job["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"]
    assert container["args"][1] in settings.monitors


# --- systemd ---


def test_the_unit_is_one_that_systemd_reads() -> None:
    unit = DEPLOY / "systemd" / "drift-monitor.service"
    if (tool := shutil.which("systemd-analyze")) is None:
        pytest.skip("no systemd-analyze")
    done = subprocess.run(
        [tool, "verify", str(unit)], capture_output=True, text=True, check=False, timeout=60
    )
    said = [line for line in done.stderr.splitlines() if "drift-monitor" in line]
    assert [line for line in said if "is not executable" not in line] == []


def test_the_unit_is_confined_and_ends_in_peace() -> None:
    text = (DEPLOY / "systemd" / "drift-monitor.service").read_text()
    for line in ("NoNewPrivileges=yes", "ProtectSystem=strict", "DynamicUser=yes",
                 "RestartPreventExitStatus=64", "KillMode=mixed"):  # fmt: skip
        assert f"\n{line}\n" in text
    [stop] = re.findall(r"TimeoutStopSec=(\d+)", text)
    assert float(stop) > graces()


# --- Airflow and Prefect ---


def example(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(
        f"{name}_example", DEPLOY / name / "drift_checks.py"
    )
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_project(tmp_path_factory.mktemp("orders"), suite=False)


def test_a_task_of_airflow_reads_the_exit_code(project: Path) -> None:
    airflow = example("airflow")
    calm = airflow.check("orders", "2026-03-02", MONITOR, str(project))
    assert (calm["verdict"], calm["drifted"]) == ("passed", 0)
    moved = airflow.check("orders", "2026-03-04", MONITOR, str(project))
    assert moved["verdict"] == "drifted" and moved["drifted"] >= 1
    with pytest.raises(airflow.AskedWrongly, match="no monitor named"):
        airflow.check("nobody", "2026-03-02", MONITOR, str(project))
    with pytest.raises(airflow.NotLookedAt):
        airflow.check("orders", "2026-05-01", ["false"], str(project))


def test_a_flow_of_prefect_says_what_to_do_next(project: Path) -> None:
    prefect = example("prefect")
    assert prefect.check("orders", "2026-03-02", MONITOR, str(project))["next"] == "go on"
    found = prefect.check("orders", "2026-03-04", MONITOR, str(project))
    assert found["next"] == "look at the report"
    with pytest.raises(prefect.NotLookedAt) as raised:
        prefect.check("nobody", "2026-03-02", MONITOR, str(project))
    assert not raised.value.worth_another_try
