"""Regular expressions in a process of their own, because only a process can be stopped.

Python's `re` keeps the interpreter's lock while it searches: one pattern with catastrophic
backtracking would hold up every thread, the one that watches the clock included.
"""

import json
import subprocess
import sys
import threading
import weakref
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

_PROGRAM = Path(__file__).with_name("matcher_process.py")


class Matcher:
    """Searches texts for patterns; the process starts when first needed and is used again."""

    def __init__(self, limit_s: float) -> None:
        self._limit_s = limit_s
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._finalizer: weakref.finalize | None = None  # type: ignore[type-arg]

    def search(self, patterns: Sequence[str], texts: Sequence[str]) -> list[list[bool]]:
        """For each pattern and text: is the pattern found anywhere in it? Blocks until known.

        EOFError when the process was stopped meanwhile, by `stop` or by its own limit.
        """
        with self._lock:
            process = self._running()
        request = {"patterns": list(patterns), "texts": list(texts), "limit_s": self._limit_s + 1}
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            process.stdin.write(json.dumps(request).encode() + b"\n")
            process.stdin.flush()
            answer = process.stdout.readline()
        except (OSError, ValueError):
            answer = b""
        if not answer:
            self._forget(process)
            raise EOFError("the search was stopped")
        return [[bool(found) for found in row] for row in json.loads(answer)]

    def stop(self) -> None:
        """End the process, and with it any search under way."""
        if self._process is not None:
            self._forget(self._process)

    def _forget(self, process: "subprocess.Popen[bytes]") -> None:
        with self._lock:
            if self._process is process and self._finalizer is not None:
                self._finalizer()
                self._process = self._finalizer = None

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-S", str(_PROGRAM)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
            )
            self._finalizer = weakref.finalize(self, _end, self._process)
        return self._process


def _end(process: "subprocess.Popen[bytes]") -> None:
    process.kill()
    process.wait()
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            with suppress(OSError):  # what was left to write has no reader any more
                pipe.close()
