"""The process of `monitor serve`: scheduler, delivery and pages side by side until told to stop."""

import logging
import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from monitor.core.people import Scope
from monitor.errors import AskedWrongly
from monitor.heartbeat import Heartbeat, StallWatch
from monitor.posting import Endpoint
from monitor.scheduler import Scheduler
from monitor.service import Service, log_lines, open_runner, open_service
from monitor.sight import logs
from monitor.worker import Worker

if TYPE_CHECKING:
    from fastapi import FastAPI

GRACE_S = 30.0  # how long a running check may take to finish when the service is told to stop
WEB_GRACE_S = 5
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Shape:
    """Which parts of the service this process is, and where its pages are."""

    host: str = "127.0.0.1"
    port: int = 8080
    scheduler: bool = True
    web: bool = True
    log_level: int = logging.INFO
    log_form: logs.Form = "text"


def serve(config: Path, shape: Shape, say: Callable[[str], None]) -> None:
    """Run until SIGTERM or SIGINT, then end cleanly.

    1. Listen for signals: from now on an end is a clean one.
    2. Open the store and take the port; what is wrong with either is told before anything runs.
    3. Start the scheduler with its worker, the outbox loop, and the pages.
    4. Wait. When told to stop: no new window, the running check finishes, then everything closes.
    """
    stop = threading.Event()
    with ExitStack() as parts:
        parts.enter_context(_signals(stop))
        service = open_service(config)
        parts.callback(service.close)
        replica = f"{socket.gethostname()}-{os.getpid()}"
        logs.set_up(log_lines(service.settings, shape.log_form, replica), shape.log_level)
        listening = parts.enter_context(_listen(shape)) if shape.web else None
        delivering = parts.enter_context(_delivery(service))
        scheduler = parts.enter_context(_scheduler(service, config, shape, replica))
        watch = parts.enter_context(_heartbeat(service, scheduler, shape, replica))
        if listening is not None:
            alive = {"delivery": delivering.is_alive, "scheduler": lambda: scheduler.alive}
            checked = alive if shape.scheduler else {"delivery": delivering.is_alive}
            web = _pages(service, scheduler, watch, checked, stop.is_set)
            prefix = urlsplit(service.settings.base_url).path.rstrip("/")
            parts.enter_context(_web(web, listening, prefix))
            say(f"pages at http://{shape.host}:{listening.getsockname()[1]} (Ctrl-C stops)")
        else:
            say("running without pages (Ctrl-C stops)")
        stop.wait()
        log.info("stopping")
        scheduler.stop(GRACE_S)  # meanwhile the pages answer, and say that this process is ending


@contextmanager
def _scheduler(service: Service, config: Path, shape: Shape, replica: str) -> Iterator[Scheduler]:
    """The scheduler, and the worker process its checks run in."""
    logging_as = shape.log_level, shape.log_form, replica
    worker = Worker(open_runner, str(config.resolve()), *logging_as)
    monitors = service.settings.monitors
    scheduler = Scheduler(
        monitors, service.store, worker.run, service.clock, give_up=service.give_up
    )
    if shape.scheduler:
        scheduler.start()
    try:
        yield scheduler
    finally:
        finished = scheduler.stop(GRACE_S)
        worker.close(GRACE_S if finished else 0.0)


@contextmanager
def _delivery(service: Service) -> Iterator[threading.Thread]:
    """The outbox loop; a send under way is finished."""
    stop = threading.Event()
    thread = threading.Thread(
        target=service.delivery().run, args=(stop,), name="delivery", daemon=True
    )
    thread.start()
    try:
        yield thread
    finally:
        stop.set()
        thread.join(GRACE_S)


@contextmanager
def _heartbeat(
    service: Service, scheduler: Scheduler, shape: Shape, replica: str
) -> Iterator[StallWatch]:
    """The watch over the schedulers of all processes, and the ping of this one."""
    asked = service.settings.heartbeat
    patience = asked.stalled_after.duration
    watch = StallWatch(
        service.settings.monitors,
        service.store,
        service.clock,
        patience=patience,
        channels=service.alert_channels,
    )
    heartbeat = Heartbeat(
        watch,
        service.clock,
        endpoint=Endpoint(asked.url.get_secret_value()) if asked.url else None,
        every=asked.every.duration,
        patience=patience,
        moved_at=scheduler.moved_at if shape.scheduler else lambda: None,
        replica=replica,
    )
    stop = threading.Event()
    thread = threading.Thread(target=heartbeat.run, args=(stop,), name="heartbeat", daemon=True)
    thread.start()
    try:
        yield watch
    finally:
        stop.set()
        thread.join(GRACE_S)


def _pages(
    service: Service,
    scheduler: Scheduler,
    watch: StallWatch,
    loops: Mapping[str, Callable[[], bool]],
    draining: Callable[[], bool],
) -> "FastAPI":
    from monitor.web.access import Gate
    from monitor.web.app import make_app
    from monitor.web.metrics import Process, metrics_routes

    def alive() -> dict[str, bool]:
        return {name: runs() for name, runs in loops.items()}

    monitors, store, clock = service.settings.monitors, service.store, service.clock
    gate = Gate(store, service.desk, clock, lone=True)
    process = Process(alive, lambda: scheduler.failed_tries, lambda: watch.stalled)
    metrics = metrics_routes(store, monitors, clock, gate.api(Scope.READ), process)
    return make_app(
        store,
        service.reports,
        scheduler.status,
        clock,
        alive=alive,
        draining=draining,
        beside=(metrics,),
    )


@contextmanager
def _web(app: "FastAPI", listening: socket.socket, prefix: str) -> Iterator[None]:
    """The pages, in a thread of their own: signals stay with the main thread.

    `prefix` is the path below which a proxy shows them.
    """
    import uvicorn

    server = uvicorn.Server(
        uvicorn.Config(
            app,
            log_config=None,
            log_level=logging.WARNING,
            lifespan="off",
            timeout_graceful_shutdown=WEB_GRACE_S,
            root_path=prefix,
        )
    )
    thread = threading.Thread(target=server.run, args=([listening],), name="web", daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.should_exit = True
        thread.join(WEB_GRACE_S + 1)


@contextmanager
def _listen(shape: Shape) -> Iterator[socket.socket]:
    """The port, taken before anything else starts."""
    try:
        taken = socket.create_server((shape.host, shape.port))
    except (OSError, OverflowError) as error:
        raise AskedWrongly(
            f"the pages cannot listen on {shape.host}:{shape.port}: {error}",
            hint="choose another with --port, or do without pages with --no-web",
        ) from None
    with taken:
        yield taken


@contextmanager
def _signals(stop: threading.Event) -> Iterator[None]:
    """SIGTERM and SIGINT set `stop`; a second one ends the process at once."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def told(number: int, _: FrameType | None) -> None:
        stop.set()
        signal.signal(number, signal.SIG_DFL)

    before = {s: signal.signal(s, told) for s in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
