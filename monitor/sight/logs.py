"""Log lines that can be searched and cannot be forged: text for eyes, JSON for machines.

1. What a line is about (monitor, window, check) is said once, around the work, and every line that
   is written meanwhile carries it, also those of libraries.
2. Whatever a line quotes came from somewhere: line breaks and control characters are escaped, so
   that one line stays one line, and the lines of a traceback cannot pass for records.
3. Secrets that are known are struck out, should a library ever print one.
"""

import json
import logging
import traceback
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any, Literal

from monitor.errors import UnknownName

Form = Literal["text", "json"]
FORMS: tuple[Form, ...] = ("text", "json")
HIDDEN = "***"
_SHORTEST = 6  # characters of a secret that is struck out: shorter ones are in every other word
_CONTINUED = "    | "  # before each line of a traceback; no record begins like this

_about: ContextVar[Mapping[str, str]] = ContextVar("about")


def form_of(name: str) -> Form:
    """The form that people ask for by its name."""
    for form in FORMS:
        if form == name:
            return form
    raise UnknownName("form of log lines", name, FORMS)


@contextmanager
def about(**what: str) -> Iterator[None]:
    """Whatever is logged inside carries this, in this thread."""
    before = _about.set({**said_now(), **what})
    try:
        yield
    finally:
        _about.reset(before)


def said_now() -> Mapping[str, str]:
    """What the lines of this thread are about."""
    return _about.get({})


class Lines(logging.Formatter):
    """One record, one line. `always` is on every line: which replica this is."""

    def __init__(
        self, form: Form, always: Mapping[str, str] | None = None, secrets: Iterable[str] = ()
    ) -> None:
        super().__init__()
        self._form = form
        self._always = dict(always or {})
        long = {secret for secret in secrets if len(secret) >= _SHORTEST}
        self._secrets = sorted(long, key=len, reverse=True)

    def format(self, record: logging.LogRecord) -> str:
        facts = {**self._always, **said_now()}
        message, trace = self._hide(_message(record)), self._hide(_trace(record))
        return (_as_json if self._form == "json" else _as_text)(record, facts, message, trace)

    def _hide(self, text: str) -> str:
        for secret in self._secrets:
            text = text.replace(secret, HIDDEN)
        return text


def set_up(lines: Lines, level: int) -> None:
    """Whatever this process logs to stderr is such a line from now on."""
    root = logging.getLogger()
    ours = [h for h in root.handlers if type(h) is logging.StreamHandler]
    if not ours:
        ours = [logging.StreamHandler()]
        root.addHandler(ours[0])
    for handler in ours:
        handler.setFormatter(lines)
    logging.getLogger("monitor").setLevel(level)


def escaped(text: str) -> str:
    r"""Without anything that breaks or steers a line.

    >>> escaped("a\nERROR forged \x1b[31m")
    'a\\nERROR forged \\x1b[31m'
    """
    return "".join(c if c.isprintable() else _spelt(c) for c in text)


def _spelt(character: str) -> str:
    return character.encode("unicode_escape", "backslashreplace").decode()


def _message(record: logging.LogRecord) -> str:
    """A line whose arguments do not fit its words is still a line."""
    try:
        return record.getMessage()
    except (TypeError, ValueError):
        return f"{record.msg} {record.args!r}"


def _trace(record: logging.LogRecord) -> str:
    """The traceback of an error, or one that the worker sent as text: `extra={"trace": ...}`."""
    if record.exc_info and record.exc_info[0] is not None:
        return "".join(traceback.format_exception(*record.exc_info)).rstrip()
    return str(getattr(record, "trace", "") or "").rstrip()


def _as_text(record: logging.LogRecord, facts: Mapping[str, str], message: str, trace: str) -> str:
    named = "".join(f" {name}={escaped(value)}" for name, value in facts.items())
    line = f"{_at(record)} {record.levelname} {record.name}{named}: {escaped(message)}"
    return "\n".join([line, *(_CONTINUED + escaped(one) for one in trace.splitlines())])


def _as_json(record: logging.LogRecord, facts: Mapping[str, str], message: str, trace: str) -> str:
    """ASCII alone: no reader of lines is too old for it."""
    told: dict[str, Any] = {"at": _at(record), "level": record.levelname, "logger": record.name}
    told |= {**facts, "message": message}
    return json.dumps(told | ({"trace": trace} if trace else {}), ensure_ascii=True)


def _at(record: logging.LogRecord) -> str:
    moment = datetime.fromtimestamp(record.created, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
