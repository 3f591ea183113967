"""OpenTelemetry: spans of real checks at a real receiver, and nothing at all unless asked for."""

import os
import subprocess
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest
from projects import write_project

from monitor.settings import traces_wanted
from monitor.sight import traces

NAMES = ("OTEL_TRACES_EXPORTER", "OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_SDK_DISABLED")


class Collector:
    """Takes traces as any backend does: OTLP over HTTP, on this machine."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []
        collector = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                collector.bodies.append(self.rfile.read(int(self.headers["Content-Length"])))
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: object) -> None: ...

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        Thread(target=self.server.serve_forever, daemon=True).start()

    def spans(self) -> dict[str, dict[str, str]]:
        """Attributes by name."""
        from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
            ExportTraceServiceRequest,
        )

        found = {}
        for body in self.bodies:
            request = ExportTraceServiceRequest.FromString(body)
            for resource in request.resource_spans:
                for span in [s for scope in resource.scope_spans for s in scope.spans]:
                    values = {a.key: a.value.string_value for a in span.attributes}
                    found[span.name] = values | {"parent": span.parent_span_id.hex()}
        return found


@pytest.fixture
def collector() -> Iterator[Collector]:
    pytest.importorskip("opentelemetry.sdk", reason="the extra `otel` is not installed")
    pytest.importorskip("opentelemetry.exporter.otlp.proto.http", reason="as above")
    made = Collector()
    yield made
    made.server.shutdown()
    made.server.server_close()


def monitor(config: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("OTEL_")}
    return subprocess.run(
        [sys.executable, "-m", "monitor", *arguments, "--config", str(config)],
        env={**clean, **variables}, capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip


def test_the_steps_of_a_check_are_spans_of_one_trace(tmp_path: Path, collector: Collector) -> None:
    config = write_project(tmp_path, suite=False)
    done = monitor(
        config, "check", "orders", "--at", "2026-03-02", OTEL_EXPORTER_OTLP_ENDPOINT=collector.url
    )
    assert done.returncode == 0, done.stderr
    spans = collector.spans()
    check = spans["monitor.check"]
    assert (check["monitor"], check["verdict"]) == ("orders", "passed")
    assert check["check"].startswith("orders")
    assert {"monitor.sample", "monitor.compare", "monitor.report"} <= set(spans)
    assert spans["monitor.sample"]["parent"]
    assert not check["parent"]
    told = str(spans)
    assert "amount" not in told and str(tmp_path) not in told


def test_requests_are_spans_named_by_route(tmp_path: Path, collector: Collector) -> None:
    config = write_project(tmp_path, suite=False)
    code = (
        "import sys\n"
        "from pathlib import Path\n"
        "from fastapi import FastAPI\n"
        "from fastapi.testclient import TestClient\n"
        "from monitor.sight import traces\n"
        "from monitor.web.tracing import Traced\n"
        "assert traces.start(True)\n"
        "app = FastAPI()\n"
        "app.add_middleware(Traced)\n"
        "@app.get('/monitors/{name}')\n"
        "def one(name: str): return name\n"
        "asked = TestClient(app)\n"
        "parent = '00-' + 'a' * 32 + '-' + 'b' * 16 + '-01'\n"
        "asked.get('/monitors/secret', headers={'traceparent': parent})\n"
        "traces.flush(5)\n"
    )
    environment = {**os.environ, "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url}
    subprocess.run([sys.executable, "-c", code], env=environment, cwd=config.parent, check=True)
    span = collector.spans()["GET /monitors/{name}"]
    assert span["parent"] == "b" * 16
    assert span["http.route"] == "/monitors/{name}"
    assert "secret" not in str(span)


def test_without_a_word_from_anybody_nothing_is_imported(tmp_path: Path) -> None:
    code = (
        "import sys\n"
        "from monitor.settings import traces_wanted\n"
        "from monitor.sight import traces\n"
        "assert not traces.start(traces_wanted())\n"
        "with traces.span('check') as span:\n"
        "    traces.note(span, verdict='passed')\n"
        "print(*[name for name in sys.modules if name.startswith('opentelemetry')])\n"
    )
    clean = {name: value for name, value in os.environ.items() if not name.startswith("OTEL_")}
    done = subprocess.run(
        [sys.executable, "-c", code], env=clean, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == ""


@pytest.mark.parametrize(
    ("said", "wanted"),
    [
        ({}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318"}, True),
        ({"OTEL_TRACES_EXPORTER": "otlp"}, True),
        ({"OTEL_TRACES_EXPORTER": "none", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://x"}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://x", "OTEL_SDK_DISABLED": "true"}, False),
    ],
)
def test_when_traces_are_wanted(
    said: dict[str, str], wanted: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)
    for name, value in said.items():
        monkeypatch.setenv(name, value)
    assert traces_wanted() is wanted


def test_off_costs_next_to_nothing() -> None:
    from timeit import timeit

    assert not traces.are_on()

    def work() -> None:
        with traces.span("check", monitor="loan"):
            pass

    assert timeit(work, number=10_000) < 1.0
