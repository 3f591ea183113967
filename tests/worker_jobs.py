"""What the worker's tests run in its process; a module of its own, because the child imports it."""

import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from monitor.core.records import Window
from monitor.errors import DeliveryDelayed, SourceUnreadable, UnknownName

Job = Callable[[str, Window, bool], Any]


def open_jobs(folder: str) -> Job:
    """A runner that does what the monitor's name says and counts how often it was opened."""
    notes = Path(folder)
    with (notes / "opened").open("a") as opened:
        opened.write(f"{os.getpid()}\n")

    def run(monitor: str, window: Window, again: bool) -> Any:
        name, _, argument = monitor.partition(":")
        job: Job | None = globals().get(f"_{name}")
        assert job is not None, f"there is no job {name}"
        return job(argument or str(notes), window, again)

    return run


def open_never(folder: str) -> Job:
    raise UnknownName("monitor", "loan", ["loans"])


def _echo(text: str, window: Window, again: bool) -> Any:
    return {"text": text, "window": window, "again": again, "pid": os.getpid()}


def _spool(text: str, window: Window, again: bool) -> Any:
    """Holds rows on disk as long as the process lives."""
    from monitor.tables.scratch import ScratchFolder

    _held.append(ScratchFolder())
    return str(_held[-1].path)


_held: list[Any] = []


def _nap(text: str, window: Window, again: bool) -> Any:
    time.sleep(float(text))
    return f"slept {text}"


def _note(folder: str, window: Window, again: bool) -> Any:
    """Says that it began, works for a second, says that it is done."""
    (Path(folder) / "began").touch()
    time.sleep(1)
    (Path(folder) / "done").touch()
    return "done"


def _die(text: str, window: Window, again: bool) -> Any:
    os.kill(os.getpid(), signal.SIGKILL)


def _exit(text: str, window: Window, again: bool) -> Any:
    sys.exit(7)


def _unreadable(text: str, window: Window, again: bool) -> Any:
    raise SourceUnreadable("rows.parquet is cut off", hint="write it again")


def _unknown(text: str, window: Window, again: bool) -> Any:
    raise UnknownName("column", "agee", ["age", "income"])


def _delayed(text: str, window: Window, again: bool) -> Any:
    raise DeliveryDelayed("later", retry_after_s=3.0)


def _fault(text: str, window: Window, again: bool) -> Any:
    return {}["nothing"]  # type: ignore[index]


def _lambda(text: str, window: Window, again: bool) -> Any:
    return lambda: None


def _big(text: str, window: Window, again: bool) -> Any:
    return "x" * 1_000_000


def _chatty(text: str, window: Window, again: bool) -> Any:
    from tqdm import tqdm

    for _ in tqdm(range(3), desc="progress bar"):
        pass
    print("printed by a library")
    os.write(1, b"written by a library\n")
    return "done"


def _descendant(text: str, window: Window, again: bool) -> Any:
    """Dies while a process it started goes on with everything it inherited."""
    import subprocess

    subprocess.Popen([sys.executable, "-c", "import time; time.sleep(8)"], close_fds=False)
    return _die(text, window, again)
