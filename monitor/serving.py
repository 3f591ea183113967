"""The process of `monitor serve`: scheduler, delivery and pages side by side until told to stop."""

import logging
import signal
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, timedelta
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from monitor.claiming import Claimant
from monitor.configuration.keeping import RetentionSettings
from monitor.core.records import Window
from monitor.core.windows import Span, window_at
from monitor.errors import AskedWrongly, MonitorError, one_line
from monitor.scheduler import Scheduler
from monitor.service import Service, open_runner, open_service
from monitor.worker import Worker

if TYPE_CHECKING:
    from fastapi import FastAPI

GRACE_S = 30.0  # how long a running check may take to finish when the service is told to stop
WEB_GRACE_S = 5
FIRST_FORGETS_S = 60.0  # after the start, when there is more urgent work
FORGETS_S = 600.0  # how often is looked whether another day has begun
FORGETTING = "(forgetting)"  # what is claimed for it; no monitor can have this name
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Shape:
    """Which parts of the service this process is, and where its pages are."""

    host: str = "127.0.0.1"
    port: int = 8080
    scheduler: bool = True
    web: bool = True
    log_level: int = logging.INFO

    @property
    def parts(self) -> tuple[str, ...]:
        """By name, for people who look which processes there are."""
        chosen = {"scheduler": self.scheduler, "delivery": True, "web": self.web}
        return tuple(name for name, is_part in chosen.items() if is_part)


def serve(config: Path, shape: Shape, say: Callable[[str], None]) -> None:
    """Run until SIGTERM or SIGINT, then end cleanly.

    1. Listen for signals: from now on an end is a clean one.
    2. Open the store and take the port; what is wrong with either is told before anything runs.
    3. Show the other processes that this one lives. Start the scheduler with its worker, the
       outbox loop, what forgets the old, and the pages.
    4. Wait. When told to stop: no new window, the running check finishes, then everything closes,
       and what was claimed is free for others.
    """
    stop = threading.Event()
    with ExitStack() as parts:
        parts.enter_context(_signals(stop))
        service = open_service(config)
        parts.callback(service.close)
        claimant = Claimant(service.store, service.clock, parts=shape.parts)
        listening = parts.enter_context(_listen(shape)) if shape.web else None
        parts.enter_context(claimant.living())
        delivering = parts.enter_context(_delivery(service))
        scheduler = parts.enter_context(_scheduler(service, claimant, config, shape))
        if shape.scheduler and service.settings.retention != RetentionSettings():
            parts.enter_context(_forgetting(service, claimant))
        if listening is not None:
            alive = {"delivery": delivering.is_alive, "scheduler": lambda: scheduler.alive}
            checked = alive if shape.scheduler else {"delivery": delivering.is_alive}
            web = _pages(service, scheduler, checked)
            prefix = urlsplit(service.settings.base_url).path.rstrip("/")
            parts.enter_context(_web(web, listening, prefix))
            say(f"pages at http://{shape.host}:{listening.getsockname()[1]} (Ctrl-C stops)")
        else:
            say("running without pages (Ctrl-C stops)")
        stop.wait()
        log.info("stopping")


@contextmanager
def _scheduler(
    service: Service, claimant: Claimant, config: Path, shape: Shape
) -> Iterator[Scheduler]:
    """The scheduler, and the worker process its checks run in."""
    worker = Worker(open_runner, str(config.resolve()), shape.log_level)
    monitors = service.settings.monitors
    scheduler = Scheduler(
        monitors,
        service.store,
        worker.run,
        service.clock,
        give_up=service.give_up,
        claimant=claimant,
    )
    if shape.scheduler:
        scheduler.start()
    try:
        yield scheduler
    finally:
        finished = scheduler.stop(GRACE_S)
        worker.close(GRACE_S if finished else 0.0)


@contextmanager
def _forgetting(service: Service, claimant: Claimant) -> Iterator[None]:
    """Once a day one of the processes forgets what is too old, a little at a time."""
    stop = threading.Event()

    def run() -> None:
        done: Window | None = None
        while not stop.wait(FIRST_FORGETS_S if done is None else FORGETS_S):
            today = window_at(service.clock(), Span(1, "d"), UTC)
            if today == done:
                continue
            try:
                if claimant.claim_for(FORGETTING, today, timedelta(days=1)):
                    service.forget(lambda: not stop.is_set())
                done = today
            except MonitorError as error:
                log.warning("not forgotten error=%r", one_line(error))

    thread = threading.Thread(target=run, name="forgetting", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(GRACE_S)


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


def _pages(
    service: Service, scheduler: Scheduler, alive: Mapping[str, Callable[[], bool]]
) -> "FastAPI":
    from monitor.web.app import make_app

    return make_app(
        service.store,
        service.reports,
        scheduler.status,
        service.clock,
        alive=lambda: {name: runs() for name, runs in alive.items()},
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
