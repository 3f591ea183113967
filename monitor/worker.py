"""The warm process that may import heavy libraries: whole checks run there, one at a time.

The scheduler and the web process stay small, and a check that is killed for its memory or never
ends takes nobody with it. The child is told what to do over a pipe, and the pipe is its life line:
when its parent is gone, it goes at once.
"""

import logging
import multiprocessing
import os
import pickle
import queue
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from multiprocessing.util import Finalize
from typing import Any

from monitor.core.records import Window
from monitor.errors import CouldNotLook, MonitorError, WorkerDied, WorkerTimeout
from monitor.tables.scratch import remove_leftovers, remove_ours

log = logging.getLogger(__name__)

TIMEOUT_S = 3600.0
IDLE_S = 600.0
_OURS = {signal.SIGINT, signal.SIGTERM}  # the signals that only the parent listens to
_LOOK_S = 1.0
_FAREWELL_S = 5.0  # an idle child leaves at once; after this it is killed

# A runner looks at one window of one monitor: (monitor, window, again) -> a small result.
Runner = Callable[[str, Window, bool], Any]


class WorkerFault(Exception):
    """A fault of ours in the worker process; `told` is its traceback, for the log."""

    def __init__(self, message: str, told: str) -> None:
        super().__init__(message)
        self.told = told


class Worker:
    """Runs checks in one spawned process that is started when first needed.

    `open_runner(*arguments)` is called once in the child and makes what runs each check. Both must
    be picklable, so `open_runner` is a function at the top of a module; it also sets up logging,
    which a spawned process does not inherit. Results travel back through the pipe: keep them small.
    """

    def __init__(
        self,
        open_runner: Callable[..., Runner],
        *arguments: Any,
        idle_s: float = IDLE_S,
        timeout_s: float = TIMEOUT_S,
    ) -> None:
        # Pickled here, so that the child is safe from Ctrl-C before it imports anything of it.
        self._opening = pickle.dumps((open_runner, arguments))
        self._idle_s = idle_s
        self._timeout_s = timeout_s
        self._one_job = threading.Lock()
        self._child: _Child | None = None
        self._idle = threading.Timer(0, lambda: None)
        self._closed = False

    def run(
        self, monitor: str, window: Window, again: bool = False, *, timeout_s: float | None = None
    ) -> Any:
        """The runner's result for this window; blocks until it is there, after those before it.

        Raises what the runner raised when it is a MonitorError; WorkerFault for anything else;
        WorkerTimeout after `timeout_s` of work; WorkerDied when the process ended meanwhile, and
        CouldNotLook when this worker was closed. After each of them the next call works again.
        """
        with self._one_job:
            if self._closed:
                raise CouldNotLook("the service is stopping")
            self._idle.cancel()
            try:
                return self._run((monitor, window, again), timeout_s or self._timeout_s)
            finally:
                self._idle = threading.Timer(self._idle_s, self._rest)
                self._idle.daemon = True
                self._idle.start()

    def close(self, grace_s: float = 0.0) -> bool:
        """Take no more work, let the running check finish for `grace_s`, then kill its process.

        True when nothing was cut short.
        """
        self._closed = True
        finished = self._one_job.acquire(timeout=max(0.0, grace_s))
        child = self._child
        try:
            if child is not None:
                child.leave() if finished else child.kill()
        finally:
            self._idle.cancel()
            if finished:
                self._child = None
                self._one_job.release()
        return finished

    @property
    def pid(self) -> int | None:
        """The process id of the child, None while there is none."""
        child = self._child
        return child.pid if child is not None and child.alive else None

    def _run(self, job: tuple[str, Window, bool], timeout_s: float) -> Any:
        """One job from start to answer.

        1. A child that died unnoticed, or was never there, is started.
        2. It gets the job. Nobody answering in time, or the process ending, is the end of it.
        3. Its answer is a result, an error of the house, or a fault.
        """
        if self._child is None or not self._child.alive:
            self._drop()
            self._child = _Child(self._opening)
        try:
            kind, content = self._child.ask(job, timeout_s)
        except CouldNotLook:
            self._drop()
            if self._closed:
                raise WorkerDied("the check was cut short: the service is stopping") from None
            raise
        if kind == "done":
            return content
        if kind == "error":
            raise _rebuilt(*content)
        raise WorkerFault(*content)

    def _drop(self) -> None:
        if self._child is not None:
            self._child.kill()
            self._child = None

    def _rest(self) -> None:
        """End a child that has had nothing to do for a while, and give its memory back."""
        if not self._one_job.acquire(blocking=False):
            return
        try:
            if self._child is not None:
                log.info("worker idle pid=%d idle_s=%g", self._child.pid, self._idle_s)
                self._child.leave()
                self._child = None
        finally:
            self._one_job.release()


class _Child:
    """The parent's end of the process and its pipe."""

    def __init__(self, opening: bytes) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, far_end = context.Pipe()
        self._process = context.Process(target=_serve, args=(far_end, opening), name="monitor")
        with _no_interrupts():
            self._process.start()
        far_end.close()
        # At exit multiprocessing waits for its children, and calls its own finalizers before that:
        # a worker that nobody closed must not hold the exit up.
        self._end = Finalize(self, _kill, (self._process, self._pipe), exitpriority=1)
        log.info("worker started pid=%d", self.pid)

    @property
    def pid(self) -> int:
        return self._process.pid or 0

    @property
    def alive(self) -> bool:
        return self._process.is_alive()

    def ask(self, job: tuple[str, Window, bool], timeout_s: float) -> tuple[str, Any]:
        began = time.monotonic()
        with suppress(OSError):  # it is gone already; the wait below finds out how
            self._pipe.send(job)
        if not self._has_news(began + timeout_s):
            self.kill()
            raise WorkerTimeout(f"the check took longer than {timeout_s:g} s and was ended")
        with suppress(EOFError, OSError):
            if self._pipe.poll():  # not so when it is gone and a process of its own holds the pipe
                answer: tuple[str, Any] = self._pipe.recv()
                return answer
        self._process.join(_FAREWELL_S)
        raise WorkerDied(
            f"the worker process {_how(self._process)} after {time.monotonic() - began:.0f} s",
            hint=_hint(self._process),
        )

    def _has_news(self, deadline: float) -> bool:
        """Wait for an answer or the end of the process; False when neither came in time.

        A process that it started may outlive it and hold everything it inherited open, so that
        neither pipe nor sentinel tells of the end: look at it now and then.
        """
        while (left_s := deadline - time.monotonic()) > 0:
            if wait([self._pipe, self._process.sentinel], min(left_s, _LOOK_S)) or not self.alive:
                return True
        return False

    def leave(self) -> None:
        """Closing the pipe tells the child to go; it is killed if it does not."""
        with suppress(OSError):
            self._pipe.close()
        self._process.join(_FAREWELL_S)
        self._end()

    def kill(self) -> None:
        self._end()


def _kill(process: SpawnProcess, pipe: "Connection[Any, Any]") -> None:
    process.kill()
    process.join()
    remove_leftovers()  # it had no time to do so itself
    with suppress(OSError):
        pipe.close()


def _how(process: SpawnProcess) -> str:
    code = process.exitcode
    if code is None:
        return "stopped answering"
    return f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with code {code}"


def _hint(process: SpawnProcess) -> str:
    if process.exitcode == -9:  # SIGKILL, which has no name on every system
        return (
            "often the system was short of memory; `sample: {rows: ...}` bounds what a check reads"
        )
    return ""


def _rebuilt(kind: type[MonitorError], text: tuple[Any, ...], state: dict[str, Any]) -> Exception:
    """The child's error: made without its constructor, which may want something else."""
    error = kind.__new__(kind, *text)
    error.__dict__.update(state)
    return error


@contextmanager
def _no_interrupts() -> Iterator[None]:
    """A child inherits this thread's signal mask: Ctrl-C finds it deaf from its first moment."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    from multiprocessing import resource_tracker

    resource_tracker.ensure_running()  # starting it changes the mask, so it has to be there first
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _OURS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


# --- In the child ---


def _serve(pipe: "Connection[Any, Any]", opening: bytes) -> None:
    """Answer jobs until the pipe closes."""
    _stay_out_of_the_way()
    jobs: queue.SimpleQueue[tuple[str, Window, bool]] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(pipe, jobs), daemon=True).start()
    runner: Runner | None = None
    while True:
        job = jobs.get()
        try:
            if runner is None:
                open_runner, arguments = pickle.loads(opening)
                runner = open_runner(*arguments)
            answer = ("done", runner(*job))
        except MonitorError as error:
            answer = ("error", (type(error), error.args, vars(error)))
        except Exception as error:
            answer = ("fault", (f"{type(error).__name__}: {error}", traceback.format_exc()))
        _send(pipe, answer)


def _listen(
    pipe: "Connection[Any, Any]", jobs: "queue.SimpleQueue[tuple[str, Window, bool]]"
) -> None:
    """Hand jobs to the main thread; without a parent there is nobody to work for.

    The house stores a check in one transaction and writes pages whole, so stopping anywhere is
    safe, and better than finishing beside the parent's successor.
    """
    while True:
        try:
            jobs.put(pipe.recv())
        except (EOFError, OSError):
            remove_ours()
            os._exit(0)


def _send(pipe: "Connection[Any, Any]", answer: tuple[str, Any]) -> None:
    try:
        pipe.send(answer)
    except (TypeError, AttributeError, pickle.PicklingError) as error:
        pipe.send(("fault", (f"the answer cannot be sent: {error}", traceback.format_exc())))


def _stay_out_of_the_way() -> None:
    """Signals are the parent's to judge, and its output is no place for progress bars.

    A terminal sends Ctrl-C, and a service manager SIGTERM, to every process of the service; the
    parent then lets the running check finish.
    """
    for ours in _OURS:
        signal.signal(ours, signal.SIG_IGN)
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _OURS)
    os.environ["TQDM_DISABLE"] = "1"
    os.dup2(2, 1)  # what a library prints must not mix with the parent's output
    sys.stdout = sys.stderr
