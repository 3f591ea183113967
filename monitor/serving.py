"""The process of `monitor serve`: scheduler, delivery and pages side by side until told to stop."""

import gc
import logging
import queue
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
from monitor.core.people import Scope
from monitor.core.reach import Reach
from monitor.core.records import Window
from monitor.core.windows import Span, window_at
from monitor.deeds.planning import Actor
from monitor.due import MonitorStatus, look
from monitor.errors import AskedWrongly, MonitorError, one_line
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
SLACK_GRACE_S = 5
FIRST_FORGETS_S = 60.0  # after the start, when there is more urgent work
FORGETS_S = 600.0  # how often is looked whether another day has begun
FORGETTING = "(forgetting)"  # what is claimed for it; no monitor can have this name
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Startup:
    """Which parts of the service this process does, where its pages are, and how it logs."""

    scheduler: bool = True
    web: bool = True
    host: str = "127.0.0.1"
    port: int = 8080
    log_level: int = logging.INFO
    log_form: logs.Form = "text"

    @property
    def parts(self) -> tuple[str, ...]:
        """By name, for people who look which processes there are."""
        chosen = {"scheduler": self.scheduler, "delivery": True, "web": self.web}
        return tuple(name for name, is_part in chosen.items() if is_part)


def serve(config: Path, startup: Startup, say: Callable[[str], None]) -> None:
    """Run until SIGTERM or SIGINT, then end cleanly.

    1. Listen for signals: from now on an end is a clean one.
    2. Open the store and take the port; what is wrong with either is told before anything runs.
    3. Show the other processes that this one lives. Start the scheduler with its worker, the
       outbox loop, what listens to Slack, what forgets the old, and the pages.
    4. Wait. When told to stop: no new window, the running check finishes, then everything closes,
       and what was claimed is free for others.
    """
    stop = threading.Event()
    with ExitStack() as parts:
        told = parts.enter_context(_signals())
        service = open_service(config)
        parts.callback(service.close)
        if startup.web:
            must_be_guarded(service, startup.host)
        claimant = Claimant(service.store, service.clock, parts=startup.parts)
        replica = claimant.replica.id
        logs.set_up(log_lines(service.settings, startup.log_form, replica), startup.log_level)
        listening = parts.enter_context(_listen(startup)) if startup.web else None
        parts.enter_context(claimant.living())
        delivering = parts.enter_context(_beside("delivery", service.delivery().run))
        parts.enter_context(_slack(service))
        scheduler = parts.enter_context(_scheduler(service, claimant, config, startup))
        if startup.scheduler and service.settings.retention != RetentionSettings():
            parts.enter_context(_forgetting(service, claimant))
        watch = parts.enter_context(_heartbeat(service, scheduler, startup, replica))
        if listening is not None:
            alive = {"delivery": delivering.is_alive, "scheduler": lambda: scheduler.alive}
            checked = alive if startup.scheduler else {"delivery": delivering.is_alive}
            web = _pages(service, scheduler, watch, checked, startup)
            web.state.draining = stop.is_set
            prefix = urlsplit(service.settings.base_url).path.rstrip("/")
            parts.enter_context(_web(web, listening, prefix))
            say(f"pages at http://{startup.host}:{listening.getsockname()[1]} (Ctrl-C stops)")
        else:
            say("running without pages (Ctrl-C stops)")
        gc.freeze()  # what is loaded by now stays: collections need not look through it again
        told.get()
        stop.set()
        log.info("stopping")
        scheduler.stop(GRACE_S)  # meanwhile the pages answer, and say that this process is ending


@contextmanager
def _beside(
    name: str, run: Callable[[threading.Event], object], grace_s: float = GRACE_S
) -> Iterator[threading.Thread]:
    """A loop in a thread of its own until the end of the block; what it is at, it finishes."""
    stop = threading.Event()
    thread = threading.Thread(target=run, args=(stop,), name=name, daemon=True)
    thread.start()
    try:
        yield thread
    finally:
        stop.set()
        thread.join(grace_s)


@contextmanager
def _scheduler(
    service: Service, claimant: Claimant, config: Path, startup: Startup
) -> Iterator[Scheduler]:
    """The scheduler, and the worker process its checks run in."""
    logging_as = startup.log_level, startup.log_form, claimant.replica.id
    worker = Worker(open_runner, str(config.resolve()), *logging_as)
    monitors = service.settings.monitors
    scheduler = Scheduler(
        monitors,
        service.store,
        worker.run,
        service.clock,
        give_up=service.give_up,
        claimant=claimant,
    )
    if startup.scheduler:
        scheduler.start()
    try:
        yield scheduler
    finally:
        finished = scheduler.stop(GRACE_S)
        worker.close(GRACE_S if finished else 0.0)


@contextmanager
def _forgetting(service: Service, claimant: Claimant) -> Iterator[None]:
    """Once a day one of the processes forgets what is too old, a little at a time."""

    def run(stop: threading.Event) -> None:
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

    with _beside("forgetting", run):
        yield


@contextmanager
def _slack(service: Service) -> Iterator[None]:
    """Listening for what is pressed in Slack, where that comes by Socket Mode."""
    with ExitStack() as listening:
        for app in service.slack_apps:
            if app.socket_mode is not None:
                listening.enter_context(_beside("slack", app.socket_mode.run, SLACK_GRACE_S))
        yield


@contextmanager
def _heartbeat(
    service: Service, scheduler: Scheduler, startup: Startup, replica: str
) -> Iterator[StallWatch]:
    """The watch over the schedulers of all processes, and the ping of this one."""
    asked, reach = service.settings.heartbeat, Reach.of(service.settings.allow_private_addresses)
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
        endpoint=Endpoint(asked.url.get_secret_value(), reach=reach) if asked.url else None,
        every=asked.every.duration,
        patience=patience,
        moved_at=scheduler.moved_at if startup.scheduler else lambda: None,
        replica=replica,
    )
    with _beside("heartbeat", heartbeat.run):
        yield watch


def _pages(
    service: Service,
    scheduler: Scheduler,
    watch: StallWatch,
    loops: Mapping[str, Callable[[], bool]],
    startup: Startup,
) -> "FastAPI":
    from monitor.web.access import Gate, is_this_machine
    from monitor.web.app import add_routes, make_app
    from monitor.web.metrics import Process, metrics_routes
    from monitor.web.slack import slack_routes

    def alive() -> dict[str, bool]:
        return {name: runs() for name, runs in loops.items()}

    store, desk, clock = service.store, service.desk, service.clock
    base_url = service.settings.base_url
    gate = Gate(store, desk, clock, lone=is_this_machine(startup.host), base_url=base_url)
    made = make_app(
        store,
        service.reports,
        scheduler.status,
        clock,
        desk=desk,
        gate=gate,
        alive=alive,
        difference=service.diff,
    )
    process = Process(alive, lambda: scheduler.failed_tries, lambda: watch.stalled)
    monitors, asks = service.settings.monitors, gate.api(Scope.READ)
    strips = made.state.strips
    add_routes(made, metrics_routes(store, monitors, clock, asks, process, strips=strips))
    doors = [(app.proof, app.interactions.hear) for app in service.slack_apps if app.proof]
    if doors:
        add_routes(made, slack_routes(doors, clock))
    return made


def local_app(service: Service, actor: Actor) -> "FastAPI":
    """The same for one who sits here and has the store, without a port: it may do everything."""
    from monitor.web.access import Sitting
    from monitor.web.app import make_app

    def status() -> list[MonitorStatus]:
        monitors, now = service.settings.monitors.values(), service.clock()
        last = service.store.last_windows()
        return [look(settings, last.get(settings.name), now) for settings in monitors]

    store, desk, clock = service.store, service.desk, service.clock
    gate = Sitting(store, desk, clock, actor)
    return make_app(store, service.reports, status, clock, desk=desk, gate=gate)


@contextmanager
def _web(app: "FastAPI", listening: socket.socket, prefix: str) -> Iterator[None]:
    """The pages, in a thread of their own: signals stay with the main thread.

    `prefix` is the path below which a proxy shows them.
    """
    import uvicorn

    from monitor.web.connections import Patient

    server = uvicorn.Server(
        uvicorn.Config(
            app,
            http=Patient,
            ws="none",
            log_config=None,
            log_level=logging.WARNING,
            lifespan="off",
            server_header=False,
            proxy_headers=False,  # anybody could write them
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
def _listen(startup: Startup) -> Iterator[socket.socket]:
    """The port, taken before anything else starts."""
    try:
        taken = socket.create_server((startup.host, startup.port))
    except (OSError, OverflowError) as error:
        raise AskedWrongly(
            f"the pages cannot listen on {startup.host}:{startup.port}: {error}",
            hint="choose another with --port, or do without pages with --no-web",
        ) from None
    with taken:
        yield taken


@contextmanager
def _signals() -> Iterator["queue.SimpleQueue[int]"]:
    """Where SIGTERM and SIGINT are told from now on; a second one ends the process at once.

    A command is cut short wherever it is (`cli/stopping.py`); here nothing is, so none is raised.
    Whoever waits here may be interrupted anywhere, also with the lock in hand that an event would
    take to be set: only a queue like this one may be written to from there.
    """
    told: queue.SimpleQueue[int] = queue.SimpleQueue()
    if threading.current_thread() is not threading.main_thread():
        yield told
        return

    def tell(number: int, _: FrameType | None) -> None:
        told.put(number)
        signal.signal(number, signal.SIG_DFL)

    before = {s: signal.signal(s, tell) for s in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield told
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
