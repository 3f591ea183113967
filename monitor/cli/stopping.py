"""Ctrl-C and SIGTERM end a command, wherever they meet it.

A signal becomes an exception at the place where the main thread happens to be. That may be a
library that is being imported and takes whatever is raised for "not installed", or a callback whose
exceptions Python only prints. So while a command is asked to end, somebody looks whether the
exception is still on its way, and has it raised again when it is not. What is put away because of
it is left in peace.
"""

import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

LOOKS_EVERY_S = 0.25
_ENOUGH = 4  # looks that do not find it: between two frames it is nowhere for a moment


class Ended(BaseException):
    """SIGTERM came: end as Ctrl-C does, so that everything is put away."""


class Interrupted(KeyboardInterrupt):
    """Ctrl-C. Where the plain one leaves code made at run time, as every dataclass makes some,
    Python takes it for unhandled, and ends by the signal instead of with our exit code."""


_RAISED: dict[int, type[BaseException]] = {signal.SIGINT: Interrupted, signal.SIGTERM: Ended}


class Stopping:
    """Raises Interrupted or Ended in the main thread, anew for as long as it gets lost."""

    def __init__(self) -> None:
        self._raised: BaseException | None = None
        self._anew = False  # whether the next signal is one of our own
        self._arrived = threading.Event()
        self._watcher: threading.Thread | None = None

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Until the end of the block signals are exceptions; one that leaves it has arrived."""
        before = {signal.SIGTERM: signal.signal(signal.SIGTERM, self._told)}
        if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # else it is ignored
            before[signal.SIGINT] = signal.signal(signal.SIGINT, self._told)
        printing = sys.unraisablehook
        sys.unraisablehook = self._all_but_ours(printing)
        try:
            yield
        finally:
            self._arrived.set()
            if self._watcher is not None:
                self._watcher.join()  # so that no signal of its own comes later
            for number, handler in before.items():
                signal.signal(number, handler)
            sys.unraisablehook = printing

    def _told(self, number: int, _: FrameType | None) -> None:
        first, anew = self._raised is None, self._anew
        if anew and self._arrived.is_set():
            return
        if number == signal.SIGTERM and not first and not anew:
            signal.signal(number, signal.SIG_DFL)  # a second one ends the process at once
            signal.raise_signal(number)
        self._anew = False
        self._raised = _RAISED[number]()
        if first:
            self._watcher = threading.Thread(target=self._watch, args=(number,), daemon=True)
            self._watcher.start()
        raise self._raised

    def _watch(self, number: int) -> None:
        missed = 0
        while not self._arrived.wait(LOOKS_EVERY_S):
            missed = 0 if self._is_on_its_way() else missed + 1
            if missed == _ENOUGH:
                missed, self._anew = 0, True
                _signal_main_thread(number)

    def _is_on_its_way(self) -> bool:
        """Whether the main thread is putting things away because of it."""
        handled: Any = sys._current_exceptions().get(threading.main_thread().ident or 0)
        error = handled[1] if isinstance(handled, tuple) else handled  # until Python 3.12
        while error is not None and error is not self._raised:
            error = error.__context__
        return error is not None

    def _all_but_ours(self, printing: Callable[[Any], object]) -> Callable[[Any], object]:
        """What is raised again need not be printed where it was lost."""

        def told(lost: Any) -> None:
            if lost.exc_value is None or lost.exc_value is not self._raised:
                printing(lost)

        return told


def _signal_main_thread(number: int) -> None:
    """A real one, where there are any: it ends a wait, too."""
    if hasattr(signal, "pthread_kill"):
        signal.pthread_kill(threading.main_thread().ident or 0, number)
    else:
        signal.raise_signal(number)
