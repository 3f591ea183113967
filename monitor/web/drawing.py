"""Pages from templates: the filters they use, the headers they carry."""

import re
from datetime import datetime, tzinfo
from functools import cache
from pathlib import Path
from secrets import token_hex
from typing import Any
from urllib.parse import quote, urlencode

from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from monitor.core import words
from monitor.core.numerals import number, share
from monitor.core.people import MUTES_H
from monitor.web.charts import strip, times
from monitor.web.named import CAUSES, DONE, LASTS_DAYS
from monitor.web.signs import icon, word

FOLDER = Path(__file__).parent / "templates"

PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; connect-src 'self'; style-src 'self'; "
    "img-src 'self' data:; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)

_UNSEEN = re.compile(
    "[\\x00-\\x08\\x0b-\\x1f\\x7f-\\x9f\\u061c\\u200e\\u200f\\u202a-\\u202e\\u2066-\\u2069]"
)
_QUOTED = re.compile(r"`([^`]+)`")
_VERDICT = re.compile(r"^(Passed|Drifted|Violated|Undecided|Resolved): (\w)?")


def draw(request: Request, template: str, status_code: int = 200, **values: Any) -> HTMLResponse:
    """A page from a template."""
    return HTMLResponse(text_of(request, template, **values), status_code)


def text_of(request: Request, template: str, **values: Any) -> str:
    """A template filled in; links in it begin with the path that a proxy put before ours.

    `visitor` is whoever looks at it, None when nobody was let in yet; `here` is where they are,
    for forms that lead back.
    """
    known = {
        "root": root_of(request),
        "visitor": getattr(request.state, "visitor", None),
        "here": _here(request),
        "notice": DONE.get(request.query_params.get("done", ""), ""),
    }
    return visible(_environment().get_template(template).render(known | values))


def visible(page: str) -> str:
    """Characters that only steer how others are shown, told by their number.

    >>> visible("abc\u202edef")
    'abc⟨U+202E⟩def'
    """
    return _UNSEEN.sub(lambda found: f"⟨U+{ord(found[0]):04X}⟩", page)


def root_of(request: Request) -> str:
    """The path that a proxy put before ours."""
    root: str = request.scope.get("root_path", "")
    return root


def _here(request: Request) -> str:
    """The address of a page below our root; what came of a deed is no part of it."""
    path: str = request.scope["path"].removeprefix(root_of(request)) or "/"
    query = [(k, v) for k, v in request.query_params.multi_items() if k != "done"]
    return quote(path) + (f"?{urlencode(query)}" if query else "")


@cache
def asset(name: str) -> str:
    """The style sheet or the script of every page."""
    return (FOLDER / name).read_text(encoding="utf-8")


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,  # they do not change under a running service
    )
    environment.filters.update(
        marked=marked, after_verdict=after_verdict, address=address, grouped=grouped,
        day=words.day, day_and_time=words.day_and_time, window=words.window,
        how_long=words.length, near=words.near, plural=words.plural, number=number, percent=share,
        local=local,
    )  # fmt: skip
    environment.globals.update(
        fresh=token_hex, causes=CAUSES, mutes=MUTES_H, lasts=LASTS_DAYS, strip=strip, times=times,
        icon=icon, word=word,
    )  # fmt: skip
    return environment


def marked(text: str) -> Markup:
    """A sentence with its `quoted` names as code."""
    return Markup(_QUOTED.sub(r"<code>\1</code>", str(escape(text))))


def after_verdict(headline: str) -> str:
    """A headline where the verdict stands beside it already.

    >>> after_verdict("Drifted: `age` is higher than in training")
    '`age` is higher than in training'
    >>> after_verdict("Passed: all columns are as in training")
    'All columns are as in training'
    """
    return _VERDICT.sub(lambda m: (m[2] or "").upper(), headline)


def local(moment: datetime, zone: tzinfo) -> str:
    """A moment as a field for date and time holds it."""
    return f"{moment.astimezone(zone):%Y-%m-%dT%H:%M}"


def address(name: str) -> str:
    """A name as one part of a path."""
    return quote(name, safe="")


def grouped(count: int) -> str:
    """A whole number in groups of three, with spaces too thin to break."""
    return f"{count:,}".replace(",", "\u202f")
