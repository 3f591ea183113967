"""Stored pages as they were written: reports without scripts, pages for digging in a sandbox."""

import re
from html import escape
from pathlib import Path
from urllib.parse import quote

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from monitor.ports import StoredCheck
from monitor.web.drawing import draw
from monitor.web.missing import Missing
from monitor.web.views import Line, Views, line

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


def report_routes(views: Views, folder: Path) -> APIRouter:
    """`/reports/NAME`: a file of the reports folder; `/checks/ID`: wherever the check is shown."""
    routes = APIRouter(include_in_schema=False)

    @routes.api_route("/reports/{name:path}", methods=["GET", "HEAD"])
    def report(request: Request, name: str) -> Response:
        content = read(folder, name)
        if content is None:
            raise Missing(
                "report", name, [(c.id, f"/checks/{quote(c.id)}") for c in _newest(views)]
            )
        if name.endswith(EXPLORER):
            return _page(content, EXPLORER_POLICY)
        stored = views.find(name.removesuffix(".html"))
        if stored is not None:
            content = _with_bar(content, _bar(request, views, stored, folder))
        return _page(content, REPORT_POLICY)

    @routes.api_route("/checks/{check_id:path}", methods=["GET", "HEAD"])
    def check(request: Request, check_id: str) -> Response:
        stored = views.check(check_id)
        if stored.report and read(folder, stored.report) is not None:
            root = request.scope.get("root_path", "")
            return RedirectResponse(f"{root}/reports/{quote(stored.report)}", 303)
        return draw(
            request, "check.html.j2", check=line(stored), zone=views.zone(stored.check.monitor)
        )

    return routes


def read(folder: Path, name: str) -> bytes | None:
    """A page of the reports folder; None for what is not there or not in it."""
    if not _NAME.fullmatch(name):
        return None
    try:
        path = (folder / name).resolve()
        if path.parent != folder.resolve() or not path.is_file():
            return None  # a link that leads out of the folder
        return path.read_bytes()
    except (OSError, ValueError):
        return None


def explorer_of(check: Line, folder: Path) -> str | None:
    """The file name of the page for digging, when there is one."""
    name = f"{check.id}{EXPLORER}"
    return name if _NAME.fullmatch(name) and (folder / name).is_file() else None


def _newest(views: Views) -> list[Line]:
    return [line(stored) for stored in views.checks(None, limit=10) if stored.report]


def _page(content: bytes, policy: str) -> Response:
    return HTMLResponse(content, headers={"Content-Security-Policy": policy})


# --- The way back from a report ---


def _with_bar(content: bytes, bar: str) -> bytes:
    """The page with a line of links on top; the stored file stays as it is."""
    return _BODY.sub(lambda m: m[0] + bar.encode(), content, count=1)


def _bar(request: Request, views: Views, stored: StoredCheck, folder: Path) -> str:
    check, root = stored.check, request.scope.get("root_path", "")
    before, after = views.neighbours(check)
    links = [("/", "Monitors"), (f"/monitors/{quote(check.monitor or '')}", check.monitor or "")]
    if before is not None:
        links.append((f"/checks/{quote(before.id)}", "‹ earlier"))
    if after is not None:
        links.append((f"/checks/{quote(after.id)}", "later ›"))
    explorer = explorer_of(line(stored), folder)
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
