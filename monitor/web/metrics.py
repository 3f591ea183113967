"""`/metrics` for Prometheus: computed from the store when asked, so every replica tells the same.

Counts grow from the start of the process that is asked; what only this process knows (its loops,
the tries that failed, its memory) is its own. The one label with many values is the monitor, and
at most so many of them are told apart: never a column, a level or anything else of the data.
"""

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response

from monitor.archive import Store
from monitor.core.records import Verdict
from monitor.errors import StoreUnavailable
from monitor.ports import Clock
from monitor.settings import MonitorSettings
from monitor.web.figures import BUCKETS_S, ArrivedChecks, Figures, ServiceFigures
from monitor.web.strips import Strips

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry
    from prometheus_client.metrics_core import Metric

PREFIX = "drift_monitor"
PARTS = ("scheduler", "delivery", "web")
STATES = ("pending", "sent", "failed")
CODES = {Verdict.PASSED: 0, Verdict.DRIFTED: 1, Verdict.VIOLATED: 2, Verdict.UNDECIDED: 3}
KEPT_S = 2.0  # those who ask at the same time get the same answer


@dataclass(frozen=True, slots=True)
class Process:
    """What only this process knows."""

    alive: Callable[[], Mapping[str, bool]] = dict  # its loops, and whether each runs
    failed_tries: Callable[[], int] = lambda: 0
    is_stalled: Callable[[], bool] = lambda: False


def metrics_routes(
    store: Store,
    monitors: Mapping[str, MonitorSettings],
    clock: Clock,
    asks: Callable[..., Any],
    process: Process | None = None,
    *,
    strips: Strips | None = None,
    most: int = 1000,
) -> APIRouter:
    """`asks` lets in who may read: `gate.api(Scope.READ)`; `strips` are those of the pages."""
    routes = APIRouter(include_in_schema=False)
    figures = Figures(store, monitors, clock, strips or Strips(store), most=most)
    registry = _registry(ServiceCollector(store, clock, figures, process or Process()))

    @routes.api_route("/metrics", methods=["GET", "HEAD"], dependencies=[Depends(asks)])
    def metrics(request: Request) -> Response:
        """Everything in the text format that the asker prefers."""
        from prometheus_client.exposition import choose_encoder

        encode, media_type = choose_encoder(request.headers.get("accept", ""))
        return Response(encode(registry), headers={"Content-Type": media_type})

    return routes


def _registry(collector: "ServiceCollector") -> "CollectorRegistry":
    """One of our own: what another library of this process counts is not ours to tell."""
    from prometheus_client import CollectorRegistry, PlatformCollector, ProcessCollector

    registry = CollectorRegistry(auto_describe=False)
    registry.register(collector)
    ProcessCollector(registry=registry)
    PlatformCollector(registry=registry)
    return registry


class ServiceCollector:
    """Turns the figures of the service into families of metrics."""

    def __init__(self, store: Store, clock: Clock, figures: Figures, process: Process) -> None:
        self._store = store
        self._clock = clock
        self._figures = figures
        self._process = process
        self._turn = threading.Lock()
        self._kept: list[Metric] = []
        self._kept_until_s = 0.0

    def collect(self) -> Iterator["Metric"]:
        with self._turn:
            if time.monotonic() >= self._kept_until_s:
                self._kept = list(self._look())
                self._kept_until_s = time.monotonic() + KEPT_S
            yield from self._kept

    def _look(self) -> Iterator["Metric"]:
        """A store that does not answer is a number, too; the rest is then absent, not zero."""
        yield from self._of_process()
        began = time.perf_counter()
        try:
            self._store.last_stored()
            latency_s = time.perf_counter() - began
            seen = self._figures.look()
            stalled = self._process.is_stalled()
        except StoreUnavailable:
            yield _gauge("store_up", "1 when the store answers.", 0)
            return
        yield _gauge("store_up", "1 when the store answers.", 1)
        yield _gauge("store_latency_seconds", "How long a small question took it.", latency_s)
        yield _gauge("stalled", "1 when windows are due and no scheduler gets on.", float(stalled))
        yield from _of_checks(self._figures.arrived)
        yield from _of_monitors(seen, self._clock())
        yield from _of_service(seen, self._clock())
        took_s = time.perf_counter() - began
        yield _gauge("scrape_seconds", "How long it took to compute all this.", took_s)

    def _of_process(self) -> Iterator["Metric"]:
        told = {"version": version("drift-monitor")}
        yield _gauge("build_info", "The version that runs; always 1.", 1, told)
        loops = {loop: float(runs) for loop, runs in self._process.alive().items()}
        yield _by("loop_running", "1 while a loop of this process runs.", "loop", loops)
        tries = float(self._process.failed_tries())
        yield _counter("failed_tries", "Windows that could not be looked at, tries.", {"": tries})


def _of_checks(arrived: ArrivedChecks) -> Iterator["Metric"]:
    from prometheus_client.core import HistogramMetricFamily

    counted = {str(verdict): float(arrived.verdicts[verdict]) for verdict in CODES}
    yield _counter("checks", "Checks stored, by whichever process.", counted, "verdict")
    total, buckets = 0, []
    for bound, count in zip((*map(str, BUCKETS_S), "+Inf"), arrived.durations, strict=True):
        total += count
        buckets.append((bound, total))
    yield HistogramMetricFamily(
        f"{PREFIX}_check_duration_seconds",
        "How long checks took, all steps together.",
        buckets=buckets,
        sum_value=arrived.seconds,
    )


def _of_monitors(seen: ServiceFigures, now: datetime) -> Iterator["Metric"]:
    lines = {m.name: m.newest for m in seen.monitors if m.newest is not None}
    yield _gauge("monitors", "Monitors of the configuration.", len(seen.monitors) + seen.left_out)
    yield _gauge("monitors_left_out", "Monitors that are not told apart here.", seen.left_out)
    yield _by_monitor(
        "verdict",
        "The newest check: 0 passed, 1 drifted, 2 violated, 3 undecided.",
        {name: CODES[line.verdict] for name, line in lines.items()},
    )
    yield _by_monitor(
        "worst_effect",
        "Effect of the worst column of the newest check, as a multiple of what is tolerated.",
        {name: line.worst for name, line in lines.items() if line.worst is not None},
    )
    yield _by_monitor(
        "rows", "Rows in the newest window.", {name: line.rows for name, line in lines.items()}
    )
    yield _by_monitor(
        "lag_windows",
        "Complete windows without a check.",
        {m.name: m.lag for m in seen.monitors},
    )
    ages = {name: (now - line.window.end).total_seconds() for name, line in lines.items()}
    yield _by_monitor("newest_window_age_seconds", "Since the newest window ended.", ages)
    stored = {name: line.stored_at.timestamp() for name, line in lines.items()}
    yield _by_monitor("last_check_timestamp_seconds", "When the newest was stored.", stored)
    yield _by_monitor(
        "open_episodes", "Episodes that are open.", {m.name: m.open_episodes for m in seen.monitors}
    )


def _of_service(seen: ServiceFigures, now: datetime) -> Iterator["Metric"]:
    states = {state: float(seen.messages.get(state, 0)) for state in STATES}
    yield _by("outbox_messages", "Messages in the outbox.", "state", states)
    oldest = seen.oldest_pending
    waiting_s = (now - oldest).total_seconds() if oldest is not None else 0.0
    yield _gauge("outbox_oldest_age_seconds", "Age of the oldest pending message.", waiting_s)
    parts = {part: float(seen.replicas.get(part, 0)) for part in PARTS}
    yield _by("replicas", "Living processes that have this part.", "part", parts)
    yield _gauge("claims", "Windows that are being looked at.", seen.claims)


def _gauge(name: str, text: str, value: float, labels: Mapping[str, str] | None = None) -> "Metric":
    from prometheus_client.core import GaugeMetricFamily

    family = GaugeMetricFamily(f"{PREFIX}_{name}", text, labels=list(labels or {}))
    family.add_metric(list((labels or {}).values()), value)
    return family


def _by(name: str, text: str, label: str, values: Mapping[str, float]) -> "Metric":
    from prometheus_client.core import GaugeMetricFamily

    family = GaugeMetricFamily(f"{PREFIX}_{name}", text, labels=[label])
    for key, value in values.items():
        family.add_metric([key], value)
    return family


def _by_monitor(name: str, text: str, values: Mapping[str, float]) -> "Metric":
    return _by(f"monitor_{name}", text, "monitor", values)


def _counter(name: str, text: str, values: Mapping[str, float], label: str = "") -> "Metric":
    from prometheus_client.core import CounterMetricFamily

    labels = [label] if label else []
    family = CounterMetricFamily(f"{PREFIX}_{name}", text, labels=labels)
    for key, value in values.items():
        family.add_metric([key] if label else [], value)
    return family
