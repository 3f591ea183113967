"""The process of `monitor serve`: scheduler, delivery and pages side by side until told to stop."""

import logging
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

from monitor.desk import Actor
from monitor.errors import AskedWrongly
from monitor.scheduler import MonitorStatus, Scheduler, look
from monitor.service import Service, open_runner, open_service
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
        if shape.web:
            must_be_guarded(service, shape.host)
        listening = parts.enter_context(_listen(shape)) if shape.web else None
        delivering = parts.enter_context(_delivery(service))
        scheduler = parts.enter_context(_scheduler(service, config, shape))
        if listening is not None:
            alive = {"delivery": delivering.is_alive, "scheduler": lambda: scheduler.alive}
            checked = alive if shape.scheduler else {"delivery": delivering.is_alive}
            web = _pages(service, scheduler, checked, shape)
            prefix = urlsplit(service.settings.base_url).path.rstrip("/")
            parts.enter_context(_web(web, listening, prefix))
            say(f"pages at http://{shape.host}:{listening.getsockname()[1]} (Ctrl-C stops)")
        else:
            say("running without pages (Ctrl-C stops)")
        stop.wait()
        log.info("stopping")


@contextmanager
def _scheduler(service: Service, config: Path, shape: Shape) -> Iterator[Scheduler]:
    """The scheduler, and the worker process its checks run in."""
    worker = Worker(open_runner, str(config.resolve()), shape.log_level)
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


def _pages(
    service: Service,
    scheduler: Scheduler,
    alive: Mapping[str, Callable[[], bool]],
    shape: Shape,
) -> "FastAPI":
    from monitor.web.access import Gate, is_this_machine
    from monitor.web.app import make_app

    gate = Gate(
        service.store,
        service.desk,
        service.clock,
        lone=is_this_machine(shape.host),
        base_url=service.settings.base_url,
    )
    return make_app(
        service.store,
        service.reports,
        scheduler.status,
        service.clock,
        desk=service.desk,
        gate=gate,
        alive=lambda: {name: runs() for name, runs in alive.items()},
    )


def local_app(service: Service, actor: Actor) -> "FastAPI":
    """The same for one who sits here and has the store, without a port: it may do everything."""
    from monitor.core.people import Scope
    from monitor.web.access import Gate, Visitor
    from monitor.web.app import make_app

    class Sitting(Gate):
        def program(self, request: object) -> Visitor:
            return Visitor(actor.name, frozenset({Scope.ADMIN}), actor.via, "")

    def status() -> list[MonitorStatus]:
        monitors, now = service.settings.monitors.values(), service.clock()
        return [look(settings, service.store, now) for settings in monitors]

    store, desk, clock = service.store, service.desk, service.clock
    gate = Sitting(store, desk, clock, lone=True)
    return make_app(store, service.reports, status, clock, desk=desk, gate=gate)


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
            server_header=False,
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


def must_be_guarded(service: Service, host: str) -> None:
    """What other machines can reach must ask for tokens, and somebody must have one."""
    from monitor.web.access import is_this_machine

    now = service.clock()
    if is_this_machine(host) or any(t.is_good(now) for t in service.store.list_tokens()):
        return
    raise AskedWrongly(
        f"at {host} other machines can reach the service, and there is no token to ask for",
        hint="make one first: `monitor token make NAME --scope admin --why TEXT`",
    )


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
