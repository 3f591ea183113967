"""Work with a time limit, on any thread."""

import ctypes
import threading
from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T")


class TookTooLong(Exception):
    """The work was given up."""


class _Stop(SystemExit):
    """Ends an abandoned thread; a SystemExit, because threads end on it without a word."""


def run_within(timeout_s: float, work: Callable[[], T]) -> T:
    """The result of `work`, or TookTooLong after `timeout_s` seconds.

    The work runs in a daemon thread of its own, so this serves the main thread and any other
    alike. Work that is given up is asked to end: it does so at its next step of Python code. What
    never comes back to Python (a single long call into C that keeps the interpreter's lock) can
    neither be ended nor overtaken; regular expressions are such calls, see `matcher`.
    """
    done: dict[str, Any] = {}

    def run() -> None:
        try:
            done["result"] = work()
        except BaseException as error:  # handed to the caller, whatever it is
            done["error"] = error

    thread = threading.Thread(target=run, name="expectation", daemon=True)
    thread.start()
    thread.join(timeout_s)
    if not done and thread.is_alive():
        _ask_to_end(thread)
        raise TookTooLong
    if "error" in done:
        raise done["error"]
    return done["result"]  # type: ignore[no-any-return]


def _ask_to_end(thread: threading.Thread) -> None:
    identifier = ctypes.c_ulong(thread.ident or 0)
    ctypes.pythonapi.PyThreadState_SetAsyncExc(identifier, ctypes.py_object(_Stop))
