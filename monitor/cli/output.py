"""What commands print: JSON where it was asked for, words for people, errors with a hint."""

import codecs
import json
import logging
import re
import shutil
import sys
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from enum import IntEnum
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from monitor.errors import AskedWrongly

Item = TypeVar("Item")
STDOUT = "-"
_WIDEST = 40  # characters of a cell that the cells below it are aligned to
_PAGE = 100  # characters of a line of prose
_NARROWEST = 30  # a last column with less room is not wrapped

_LOG = logging.StreamHandler()
_LOG.setFormatter(logging.Formatter("%(levelname)s %(name)s %(message)s"))


class ExitCode(IntEnum):
    """How a command ends that has no verdict to tell (0 passed, 1 drifted, 2 violated)."""

    DONE = 0
    UNDECIDED = 3
    ASKED_WRONGLY = 64
    FAULT = 70
    STOPPED = 130  # by Ctrl-C
    UNREAD = 141  # whoever read the output went away
    ENDED = 143  # by SIGTERM


class Output:
    """Where a command's words and its JSON go; words leave stdout alone when JSON is there."""

    def __init__(self, json_to: str | None, verbose: bool) -> None:
        self._json_to = json_to
        if json_to is not None and json_to != STDOUT:
            check_place(Path(json_to))
        self._words = sys.stderr if json_to == STDOUT else sys.stdout
        _log_to_stderr(verbose)

    def say(self, text: str = "") -> None:
        print(_printable(text), file=self._words, flush=True)

    def prose(self, text: str) -> None:
        """Paragraphs wrapped for reading; lists and examples are left as they are."""
        width = min(shutil.get_terminal_size().columns, _PAGE)
        told = []
        for paragraph in text.split("\n\n"):
            laid_out = any(line[:1] in " >-*" for line in paragraph.splitlines())
            words = " ".join(paragraph.split())
            wrapped = textwrap.fill(words, width, break_on_hyphens=False)
            told.append(paragraph if laid_out else wrapped)
        self.say("\n\n".join(told))

    def table(self, rows: Iterable[Sequence[str]], heads: Sequence[str] = ()) -> None:
        """Columns aligned by their widest cell; on a terminal the last one wraps within itself.

        Without rows there are no heads either.
        """
        found = list(rows)
        lines = [heads, *found] if heads and found else found
        cells = [[_printable(" ".join(str(cell).splitlines())) for cell in row] for row in lines]
        columns = zip(*(row[:-1] for row in cells), strict=True)
        widths = [min(max(map(len, column)), _WIDEST) for column in columns]
        for row in cells:
            padded = [cell.ljust(width) for cell, width in zip(row[:-1], widths, strict=True)]
            self._row("  ".join([*padded, ""]), row[-1])

    def _row(self, start: str, last: str) -> None:
        width = shutil.get_terminal_size().columns - len(start)
        if not self._words.isatty() or width < _NARROWEST:
            self.say((start + last).rstrip())
            return
        for line in textwrap.wrap(last, width, break_on_hyphens=False) or [""]:
            self.say((start + line).rstrip())
            start = " " * len(start)

    def document(self, value: Any) -> None:
        """Write the command's result as JSON, when `--json` asked for it."""
        if self._json_to is None:
            return
        if self._json_to == STDOUT:
            old = codecs.lookup(sys.stdout.encoding or "utf-8").name != "utf-8"
            print(_json(value, ascii_only=old), flush=True)
        else:
            write_file(Path(self._json_to), _json(value) + "\n")

    @contextmanager
    def progress(self, items: Sequence[Item], what: str) -> Iterator[Iterator[Item]]:
        """The items, with a bar on a terminal and nothing on a pipe."""
        if not sys.stderr.isatty():
            yield iter(items)
            return
        from rich.console import Console
        from rich.progress import track

        yield iter(track(items, what, console=Console(stderr=True), transient=True))


def _log_to_stderr(verbose: bool) -> None:
    _LOG.stream = sys.stderr
    logging.getLogger().addHandler(_LOG)
    logging.getLogger("monitor").setLevel(logging.DEBUG if verbose else logging.WARNING)
    # What libraries warn of is for developers.
    logging.captureWarnings(True)
    logging.getLogger("py.warnings").setLevel(logging.WARNING if verbose else logging.ERROR)


def check_place(path: Path) -> None:
    """AskedWrongly when a file can plainly not be written, before long work is done for it."""
    if re.match(r"[a-z][a-z0-9+.-]*:/", str(path)):
        raise AskedWrongly(
            f"{path} is an address, and this command writes to this machine alone",
            hint="name a file; `reports:` in monitor.yaml takes addresses of object stores",
        )
    if path.is_dir():
        raise AskedWrongly(f"{path} cannot be written: it is a folder", hint="name a file in it")
    if not path.parent.is_dir():
        raise AskedWrongly(f"{path} cannot be written: there is no folder {path.parent}")


def write_file(path: Path, text: str) -> None:
    """Write a file a user named; AskedWrongly when it cannot be written."""
    try:
        path.write_text(text, encoding="utf-8", errors="backslashreplace")
    except OSError as error:
        raise AskedWrongly(f"{path} cannot be written: {error.strerror}") from None


NEXT = "\n  "  # line, below the first


def _json(value: Any, *, ascii_only: bool = False) -> str:
    """A line for each key and for each entry of its list: a column, a check, a message.

    Laid out further, a thousand columns would take Python longer to write than to compare.
    """
    write = partial(json.dumps, ensure_ascii=ascii_only, allow_nan=False)

    def lines(value: Any, start: str) -> str:
        if not isinstance(value, list) or not value:
            return write(value)
        entries = f",{start}  ".join(map(write, value))
        return f"[{start}  {entries}{start}]"

    if not isinstance(value, dict) or not value:
        return lines(value, "\n")
    keys = f",{NEXT}".join(f"{write(key)}: {lines(item, NEXT)}" for key, item in value.items())
    return f"{{{NEXT}{keys}\n}}"


_SPACES = "\n\u202f"  # the second one groups the digits of a count


def _printable(text: str) -> str:
    """Without control characters: a name in the data must not steer a terminal."""
    return "".join(c if c.isprintable() or c in _SPACES else f"\\x{ord(c):02x}" for c in text)


def complain(message: str, hint: str = "") -> None:
    """One error, for people, on stderr."""
    lines = _printable(message).splitlines()
    if len(lines) > 1:
        lines = [f"{len(lines)} mistakes", *(f"  {line}" for line in lines)]
    print("monitor: " + "\n".join(lines), file=sys.stderr)
    for line in _printable(hint).splitlines():
        print(f"  hint: {line}", file=sys.stderr)
