"""What commands print: JSON where it was asked for, words for people, errors with a hint."""

import json
import logging
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from enum import IntEnum
from pathlib import Path
from typing import Any, TypeVar

from monitor.errors import AskedWrongly

Item = TypeVar("Item")
STDOUT = "-"


class ExitCode(IntEnum):
    """0 passed, 1 drifted, 2 violated, 3 undecided, 64 asked wrongly, 70 a fault of ours."""

    UNDECIDED = 3
    ASKED_WRONGLY = 64
    FAULT = 70


class Output:
    """Where a command's words and its JSON go; words leave stdout alone when JSON is there."""

    def __init__(self, json_to: str | None, verbose: bool) -> None:
        self._json_to = json_to
        self._words = sys.stderr if json_to == STDOUT else sys.stdout
        level = logging.DEBUG if verbose else logging.WARNING
        logging.basicConfig(stream=sys.stderr, format="%(levelname)s %(name)s %(message)s")
        logging.getLogger("monitor").setLevel(level)

    def say(self, text: str = "") -> None:
        print(text, file=self._words, flush=True)

    def table(self, rows: Iterable[Sequence[str]]) -> None:
        """Columns aligned by their widest cell, the last one left as it is."""
        cells = [[str(cell) for cell in row] for row in rows]
        widths = [max(map(len, column)) for column in zip(*(row[:-1] for row in cells), strict=True)]
        for row in cells:
            padded = [cell.ljust(width) for cell, width in zip(row[:-1], widths, strict=True)]
            self.say("  ".join([*padded, row[-1]]).rstrip())

    def document(self, value: Any) -> None:
        """Write the command's result as JSON, when `--json` asked for it."""
        if self._json_to is None:
            return
        text = json.dumps(value, ensure_ascii=False, allow_nan=False, indent=2)
        if self._json_to == STDOUT:
            sys.stdout.write(text + "\n")
            sys.stdout.flush()
        else:
            write_file(Path(self._json_to), text + "\n")

    @contextmanager
    def progress(self, items: Sequence[Item], what: str) -> Iterator[Iterator[Item]]:
        """The items, with a bar on a terminal and nothing on a pipe."""
        if not sys.stderr.isatty():
            yield iter(items)
            return
        from rich.console import Console
        from rich.progress import track

        yield iter(track(items, what, console=Console(stderr=True), transient=True))


def write_file(path: Path, text: str) -> None:
    """Write a file a user named; AskedWrongly when it cannot be written."""
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise AskedWrongly(f"{path} cannot be written: {error.strerror}") from None


def complain(message: str, hint: str = "") -> None:
    """One error, for people, on stderr."""
    print(f"monitor: {message}", file=sys.stderr)
    if hint:
        print(f"  hint: {hint}", file=sys.stderr)
