"""Stored pages as they were written: reports without scripts, pages for digging in a sandbox."""

import logging
import re
from collections.abc import Sequence
from html import escape
from urllib.parse import quote

from fastapi import APIRouter, Depends, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from monitor.core.people import Scope
from monitor.errors import StoreUnavailable
from monitor.ports import Reports, StoredCheck
from monitor.web.access import Gate
from monitor.web.drawing import draw
from monitor.web.missing import Missing
from monitor.web.views import Line, Views, line

log = logging.getLogger(__name__)

EXPLORER = "-explore.html"  # how the page for digging is named beside the report

REPORT_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
# It brings its own scripts. The sandbox gives them an origin of their own and the rest no network:
# they see neither this service nor anything else.
EXPLORER_POLICY = (
    "sandbox allow-scripts allow-downloads; default-src 'none'; "
    "script-src 'unsafe-inline' 'unsafe-eval' data: blob:; style-src 'unsafe-inline' data:; "
    "img-src data: blob:; font-src data:; worker-src blob:; connect-src data: blob:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_NAME = re.compile(r"[^./\\:][^/\\:\x00-\x1f]*\.html")
_BODY = re.compile(rb"<body[^>]*>")


def report_routes(views: Views, reports: Reports, gate: Gate) -> APIRouter:
    """`/reports/NAME`: a stored report; `/checks/ID`: wherever the check is shown."""
    reads = Depends(gate.page(Scope.READ))
    routes = APIRouter(include_in_schema=False, dependencies=[reads])

    @routes.api_route("/reports/{name:path}", methods=["GET", "HEAD"])
    def report(request: Request, name: str) -> Response:
        content = read(reports, name)
        if content is None:
            raise Missing(
                "report", name, [(c.id, f"/checks/{quote(c.id)}") for c in _newest(views)]
            )
        if name.endswith(EXPLORER):
            return _page(content, EXPLORER_POLICY)
        stored = views.find(name.removesuffix(".html"))
        if stored is not None:
            content = _with_bar(content, _bar(request, views, stored, reports))
        return _page(content, REPORT_POLICY)

    @routes.api_route("/checks/{check_id:path}", methods=["GET", "HEAD"])
    def check(request: Request, check_id: str) -> Response:
        stored = views.check(check_id)
        if stored.report and reports.holding([stored.report]):
            root = request.scope.get("root_path", "")
            return RedirectResponse(f"{root}/reports/{quote(stored.report)}", 303)
        return draw(
            request, "check.html.j2", check=line(stored), zone=views.zone(stored.check.monitor)
        )

    return routes


def read(reports: Reports, name: str) -> bytes | None:
    """A stored page; None for what is not there, or is none."""
    return reports.read(name) if _NAME.fullmatch(name) else None


def explorers_of(checks: Sequence[Line], reports: Reports) -> dict[str, str | None]:
    """The name of the page for digging, where there is one, by the id of the check."""
    names = {check.id: f"{check.id}{EXPLORER}" for check in checks}
    try:
        there = reports.holding([name for name in names.values() if _NAME.fullmatch(name)])
    except StoreUnavailable as error:  # the rest of the page does not need them
        log.warning("%s", error)
        there = set()
    return {check_id: name if name in there else None for check_id, name in names.items()}


def _newest(views: Views) -> list[Line]:
    return [line(stored) for stored in views.checks(None, limit=10) if stored.report]


def _page(content: bytes, policy: str) -> Response:
    return HTMLResponse(content, headers={"Content-Security-Policy": policy})


# --- The way back from a report ---


def _with_bar(content: bytes, bar: str) -> bytes:
    """The page with a line of links on top; the stored file stays as it is."""
    return _BODY.sub(lambda m: m[0] + bar.encode(), content, count=1)


def _bar(request: Request, views: Views, stored: StoredCheck, reports: Reports) -> str:
    check, root = stored.check, request.scope.get("root_path", "")
    before, after = views.neighbours(check)
    links = [("/", "Monitors"), (f"/monitors/{quote(check.monitor or '')}", check.monitor or "")]
    if before is not None:
        links.append((f"/checks/{quote(before.id)}", "‹ earlier"))
    if after is not None:
        links.append((f"/checks/{quote(after.id)}", "later ›"))
    explorer = explorers_of([line(stored)], reports)[check.id]
    if explorer is not None:
        links.append((f"/reports/{quote(explorer)}", "explore"))
    links.append((f"/api/v1/checks/{quote(check.id)}", "JSON"))
    told = "".join(f'<a href="{escape(root + to)}">{escape(text)}</a>' for to, text in links)
    return f'<nav class="bar">{told}</nav>{_BAR_STYLE}'


_BAR_STYLE = (
    "<style>.bar{display:flex;flex-wrap:wrap;gap:.25rem 1.25rem;max-width:76rem;margin:0 auto;"
    "padding:.75rem 1rem 0;font-size:.8125rem}.bar a{color:inherit}"
    "@media print{.bar{display:none}}</style>"
)
