"""Pages from templates: the filters they use, the headers they carry."""

import re
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import quote

from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from monitor.core import words
from monitor.core.numerals import number, share

FOLDER = Path(__file__).parent / "templates"
REFRESH_S = 60

PAGE_POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self' data:; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)

_QUOTED = re.compile(r"`([^`]+)`")
_VERDICT = re.compile(r"^(Passed|Drifted|Violated|Undecided|Resolved): (\w)?")


def draw(request: Request, template: str, status_code: int = 200, **values: Any) -> HTMLResponse:
    """A page; links in it begin with the path that a proxy put before ours.

    `visitor` is whoever looks at it, None when nobody was let in yet.
    """
    known = {"root": request.scope.get("root_path", "")}
    known["visitor"] = getattr(request.state, "visitor", None)
    text = _environment().get_template(template).render(known | values)
    return HTMLResponse(text, status_code)


def style() -> str:
    """The style sheet of every page."""
    return (FOLDER / "style.css").read_text(encoding="utf-8")


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        marked=marked, after_verdict=after_verdict, address=address, grouped=grouped,
        day=words.day, day_and_time=words.day_and_time, window=words.window,
        how_long=words.length, near=words.near, plural=words.plural, number=number, percent=share,
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


def address(name: str) -> str:
    """A name as one part of a path."""
    return quote(name, safe="")


def grouped(count: int) -> str:
    """A whole number in groups of three, with spaces too thin to break."""
    return f"{count:,}".replace(",", "\u202f")
