"""The pages in a real browser: nothing is blocked, the script runs, and no name becomes code."""

import itertools
import re
import shutil
import subprocess
from collections.abc import Iterator
from datetime import UTC
from pathlib import Path

import pytest
from served import served
from test_pages import hostile_house
from web_service import WebService

from monitor.due import MonitorStatus
from monitor.reports.html import draw
from monitor.web.views import Views

BROWSER = shutil.which("chromium") or shutil.which("chromium-browser")
QUIET = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--no-first-run", "--virtual-time-budget=3000",
    "--enable-logging=stderr", "--dump-dom",
)  # fmt: skip
PAGES = (
    "/",
    "/?q=script",
    "/monitors/loan",
    "/checks/c1",
    "/reports/c0.html",
    "/episodes/e0",
    "/compare?check=c0&check=c1",
    "/operations",
    "/operations/tokens",
    "/operations/audit",
    "/nowhere",
)

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(BROWSER is None, reason="there is no Chromium here"),
]


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    service = WebService(tmp_path_factory.mktemp("reports"), lone=True)
    hostile_house(service)
    stored = service.store.get_check("c0")
    assert stored is not None
    (service.folder / "c0.html").write_text(draw(stored.check))
    with served(service.app) as address:
        yield address


@pytest.mark.parametrize("page", PAGES)
def test_the_browser_has_nothing_to_complain_about(address: str, page: str, tmp_path: Path) -> None:
    assert BROWSER is not None
    command = [BROWSER, *QUIET, f"--user-data-dir={tmp_path}", f"{address}{page}"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    told = [line for line in done.stderr.splitlines() if "CONSOLE" in line]
    if page == "/nowhere":
        told = [line for line in told if "404" not in line]
    assert told == []
    assert "</html>" in done.stdout
    assert "<img" not in done.stdout
    assert done.stdout.count("<script") == (0 if page.startswith("/reports") else 1)


def test_a_page_follows_what_happens(tmp_path: Path) -> None:
    """It was served with the first try; after two beats it shows a later one."""
    assert BROWSER is not None
    service = WebService(tmp_path, lone=True)
    tries = itertools.count(1)
    service.states = lambda: [
        MonitorStatus("loan", UTC, None, 0, error=f"try number {next(tries)}")
    ]
    words = itertools.count()
    with (
        pytest.MonkeyPatch.context() as patch,
        served(service.app) as address,
    ):
        patch.setattr(Views, "news", lambda _: f"word {next(words)}")
        patch.setattr("monitor.web.views._STATUS_S", 0)  # its time runs faster
        command = [BROWSER, *QUIET, f"--user-data-dir={tmp_path}", address]
        command[command.index("--virtual-time-budget=3000")] = "--virtual-time-budget=35000"
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert [line for line in done.stderr.splitlines() if "CONSOLE" in line] == []
    (shown,) = re.findall(r"try number (\d+)", done.stdout)
    assert int(shown) > 1
