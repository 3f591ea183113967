"""Draws a check as one HTML page that needs nothing else: no network, no script, no font."""

import json
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, tzinfo
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any
from urllib.parse import quote
from zoneinfo import ZoneInfo

from markupsafe import Markup, escape

from monitor.core import numerals
from monitor.core.records import Check, Verdict
from monitor.reports import bars, evidence, picture, places, story, words

if TYPE_CHECKING:
    from jinja2 import Template

    from monitor.ports import PastCheck

PAGE = "page.html.j2"
# What keeps a page of a thousand columns light.
IN_FULL = 100  # drifted and watched columns that are shown in full; the others get a line
PICTURED = 200  # with more columns than this, a line holds no picture

# What a page may not hold: control characters, halves of surrogate pairs, and the marks that
# turn the reading direction of all that follows.
_UNPRINTABLE = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)
_QUOTED = re.compile(r"`([^`]+)`")


def draw(
    check: Check,
    *,
    history: Sequence["PastCheck"] = (),
    explorer: str | None = None,
    sent: Sequence[str] = (),
    show_values: str = "levels",
) -> str:
    """The report of `check`; see ports.Draw.

    `history` holds older checks of the same monitor, oldest first and without this one; `sent`
    says in short texts who was told what. With `show_values` "never" levels are numbered and
    examples left out. `explorer` is a web address or a file beside the report.
    `setup["timezone"]` names the zone that times are told in, UTC when absent.
    """
    named = show_values != "never"
    page = template(PAGE).render(
        check=check,
        story=story.told(check, history, zone=_zone(check.setup), named=named),
        explorer=_link(explorer) if explorer else None,
        sent=sent,
        named=named,
        in_full=IN_FULL,
        pictured=len(check.columns) <= PICTURED,
        setup=json.dumps(dict(check.setup), indent=1, ensure_ascii=False, default=_plain),
    )
    return printable(page)


def printable(page: str) -> str:
    """A page without what no page may hold, each replaced by a mark that something was there."""
    return _UNPRINTABLE.sub("�", page)


def _link(location: str) -> str:
    """A web address as it is, anything else as a file beside the report; never what could run."""
    if location.startswith(("http://", "https://")):
        return location
    return "./" + quote(re.split(r"[/\\]", location)[-1])


def _zone(setup: Mapping[str, Any]) -> tzinfo:
    name = setup.get("timezone")
    if isinstance(name, str):
        try:
            return ZoneInfo(name)
        except (KeyError, ValueError, OSError):
            pass  # a report of a check that was made elsewhere is still worth drawing
    return UTC


def _plain(value: object) -> object:
    return dict(value) if isinstance(value, Mapping) else str(value)


def _marked(text: object) -> Markup:
    """A sentence with its `quoted` names as code."""
    return Markup(_QUOTED.sub(r"<code>\1</code>", str(escape(text))))


def _opening(headline: str, verdict: Verdict) -> tuple[str, str]:
    """The verdict as the headline opens with it, "Passed in part", and what follows."""
    opening, colon, rest = headline.partition(":")
    if colon and opening.lower().split()[:1] == [verdict.value]:
        return opening, rest.strip()
    return verdict.value.capitalize(), headline


@cache
def template(name: str) -> "Template":
    """A page of this folder, compiled once a process."""
    from jinja2 import Environment, StrictUndefined

    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters.update(
        marked=_marked, number=numerals.number, count=numerals.count,
        share=numerals.share, chance=words.chance, label=words.label, plural=words.plural,
        shorten=words.shorten,
    )  # fmt: skip
    environment.globals.update(
        style=Markup(_compact(_read("style.css"))),
        words=words, evidence=evidence, bars=bars, picture=picture, places=places,
        opening_of=_opening,
    )  # fmt: skip
    return environment.from_string(re.sub(r"^[ \t]+", "", _read(name), flags=re.M))


def _read(name: str) -> str:
    return (files("monitor.reports") / name).read_text(encoding="utf-8")


def _compact(style: str) -> str:
    """A style sheet without comments and the blanks that only people need."""
    bare = re.sub(r"/\*.*?\*/", "", style, flags=re.S)
    return re.sub(r"\s*([{};,])\s*|\s+", lambda m: m[1] or " ", bare).strip()
