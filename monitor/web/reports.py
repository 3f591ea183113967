"""Stored pages as they were written: reports without scripts, pages for digging in a sandbox."""

import logging
import re
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

from fastapi import APIRouter, Depends, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from monitor.archive import CheckLine, StoredCheck
from monitor.core.consequences import Episode
from monitor.core.people import Scope
from monitor.core.records import Check
from monitor.errors import StoreUnavailable
from monitor.ports import Reports
from monitor.web.drawing import draw, root_of, text_of
from monitor.web.kit import READ_METHODS, PageKit
from monitor.web.missing import Missing
from monitor.web.views import line

log = logging.getLogger(__name__)

EPISODES = 50  # the newest, among which those of a check are looked for
EXPLORER = "-explore.html"  # how the page for digging is named beside the report

REPORT_POLICY = (
    "default-src 'none'; style-src 'self' 'unsafe-inline'; img-src data:; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
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
# The report forbids itself what the line of actions on top of it needs: forms, and that they say
# where they are from. Our headers rule instead.
_OWN_POLICY = re.compile(
    rb'<meta (?:http-equiv="Content-Security-Policy"|name="referrer") [^>]*>\n?'
)


def report_routes(kit: PageKit) -> APIRouter:
    """`/reports/NAME`: a stored report; `/checks/ID`: wherever the check is shown."""
    reads = Depends(kit.gate.page(Scope.READ))
    routes = APIRouter(include_in_schema=False, dependencies=[reads])
    views, reports = kit.views, kit.reports

    @routes.api_route("/reports/{name:path}", methods=READ_METHODS)
    def report(request: Request, name: str) -> Response:
        content = read(reports, name)
        if content is None:
            newest = [c for c in views.store.lines(limit=10) if c.report]
            known = [(c.id, f"/checks/{quote(c.id)}") for c in newest]
            raise Missing("report", name, known)
        if name.endswith(EXPLORER):
            return _page(content, EXPLORER_POLICY)
        stored = views.find(name.removesuffix(".html"))
        if stored is not None:
            content = _with_bar(content, _bar(request, kit, stored))
        return _page(content, REPORT_POLICY)

    @routes.api_route("/checks/{check_id:path}", methods=READ_METHODS)
    def check(request: Request, check_id: str) -> Response:
        stored = views.check(check_id)
        if stored.report and reports.holding([stored.report]):
            done = f"?{request.url.query}" if request.url.query else ""
            return RedirectResponse(f"{root_of(request)}/reports/{quote(stored.report)}{done}", 303)
        return draw(request, "check.html.j2", check=line(stored), **_around(kit, stored))

    return routes


def read(reports: Reports, name: str) -> bytes | None:
    """A stored page; None for what is not there, or is none."""
    return reports.read(name) if _NAME.fullmatch(name) else None


def explorers_of(checks: Sequence[CheckLine], reports: Reports) -> dict[str, str | None]:
    """The name of the page for digging, where there is one, by the id of the check."""
    names = {check.id: f"{check.id}{EXPLORER}" for check in checks}
    try:
        there = reports.holding([name for name in names.values() if _NAME.fullmatch(name)])
    except StoreUnavailable as error:  # the rest of the page does not need them
        log.warning("%s", error)
        there = set()
    return {check_id: name if name in there else None for check_id, name in names.items()}


def _page(content: bytes, policy: str) -> Response:
    return HTMLResponse(content, headers={"Content-Security-Policy": policy})


# --- What stands on top of a report ---


def _with_bar(content: bytes, bar: str) -> bytes:
    """The page with its neighbours and actions on top; the stored file stays as it is."""
    allowed = _OWN_POLICY.sub(b"", content, count=2)
    return _BODY.sub(lambda m: m[0] + bar.encode(), allowed, count=1)


def _bar(request: Request, kit: PageKit, stored: StoredCheck) -> str:
    """Where it is in the story, and what can be done about it."""
    return text_of(request, "report_bar.html.j2", check=line(stored), **_around(kit, stored))


def _around_it(episodes: Sequence[Episode], check: Check) -> list[Episode]:
    """Those that were going on when the window began."""
    if check.window is None:
        return []
    start = check.window.start
    begun = (e for e in episodes if e.opened_at <= start)
    return [e for e in begun if e.resolved_at is None or start < e.resolved_at]


def _around(kit: PageKit, stored: StoredCheck) -> dict[str, Any]:
    """What a check lies between, and what it belongs to."""
    check, views = stored.check, kit.views
    before, after = views.neighbours(check)
    episodes = _around_it(views.store.newest_episodes(check.monitor, limit=EPISODES), check)
    return {
        "before": before,
        "after": after,
        "explorer": explorers_of([line(stored)], kit.reports)[check.id],
        "episodes": episodes,
        "acknowledged": views.store.acknowledgements([e.id for e in episodes]),
        "is_watched": views.is_watched(check.monitor),
        "asks_for_models": kit.desk.asks_for_models(check.monitor or ""),
        "zone": views.zone(check.monitor),
        "now": views.now(),
    }
