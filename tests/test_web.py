"""The pages and the JSON, asked over real HTTP."""

import http.client
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import pytest
from fastapi import FastAPI
from served import served

from monitor import wiring
from monitor.archive import Outcome, Store
from monitor.core.columns import Kind
from monitor.core.consequences import Cause, Change, Episode, EpisodeChange, Message, RetrainRequest
from monitor.core.records import (
    Check,
    ColumnResult,
    DatasetResult,
    ReferenceInfo,
    SampleInfo,
    Verdict,
    Window,
)
from monitor.core.words import near, window
from monitor.desk import Desk
from monitor.due import MonitorStatus
from monitor.errors import StoreUnavailable
from monitor.ports import StoredReference
from monitor.reports.folder import ReportFolder
from monitor.stores import sql
from monitor.tables.local_files import LocalPlace
from monitor.web.access import Gate
from monitor.web.app import make_app
from monitor.web.history import RANGES

NOW = datetime(2026, 1, 31, 7, 20, tzinfo=UTC)
BERLIN = ZoneInfo("Europe/Berlin")
CHECKS = RANGES[0]  # on the page of a monitor
DAY = timedelta(days=1)
PASSED, DRIFTED = Verdict.PASSED, Verdict.DRIFTED
SENTENCES = {
    PASSED: "Passed: 2 of 2 columns are as in training",
    DRIFTED: "Drifted: `car_value` is 62 % higher than in training",
    Verdict.VIOLATED: "Violated: `amount`: 12 rows are missing",
    Verdict.UNDECIDED: "Undecided: no rows in the window",
}


def day(number: int) -> Window:
    start = datetime(2026, 1, 1, tzinfo=UTC) + (number - 1) * DAY
    return Window(start, start + DAY)


def check(name: str, number: int, verdict: Verdict = PASSED, **more: Any) -> Check:
    columns = tuple(
        ColumnResult(column, Kind.NUMBER, verdict, "", strength=strength)
        for column, strength in (("car_value", 3.0 if verdict is DRIFTED else 0.2), ("age", 0.1))
        if verdict in (PASSED, DRIFTED)
    )
    made = Check(
        id=f"{name}-{number:02}",
        verdict=verdict,
        headline=SENTENCES[verdict],
        columns=columns,
        dataset=DatasetResult(None, 0, 2),
        sample=SampleInfo(12_345, 12_345, "all"),
        reference=ReferenceInfo("sha256:9f31c07ad2b5", 50_000),
        monitor=name,
        window=day(number),
    )
    return replace(made, **more)


def episode(opened_by: Check, **more: Any) -> Episode:
    assert opened_by.monitor is not None
    assert opened_by.window is not None
    made = Episode(
        id=f"e-{opened_by.id}",
        monitor=opened_by.monitor,
        cause=Cause.DRIFT,
        opened_by=opened_by.id,
        opened_at=opened_by.window.start,
        headline=opened_by.headline,
        last_check=opened_by.id,
        columns=("car_value",),
    )
    return replace(made, **more)


@dataclass
class House:
    """A store, a folder of reports and a status, as a test wants them."""

    folder: Path
    store: Store = field(default_factory=lambda: sql.make("memory:", Path(), wiring.now))
    statuses: list[MonitorStatus] = field(default_factory=list)
    alive: dict[str, bool] = field(default_factory=lambda: {"scheduler": True, "delivery": True})

    @property
    def reports(self) -> ReportFolder:
        return ReportFolder(LocalPlace(self.folder))

    def app(self) -> FastAPI:
        desk = Desk(self.store, lambda: NOW, {})
        return make_app(
            self.store,
            self.reports,
            lambda: self.statuses,
            lambda: NOW,
            desk=desk,
            gate=Gate(self.store, desk, lambda: NOW, lone=True),
            alive=lambda: self.alive,
        )

    def watch(self, name: str, **more: Any) -> None:
        made = MonitorStatus(name, UTC, self.store.last_window(name), 0, NOW + DAY / 24)
        self.statuses.append(replace(made, **more))

    def save(self, made: Check, *changes: EpisodeChange, report: bool = False, **more: Any) -> None:
        name = f"{made.id}.html" if report else None
        if name:
            (self.folder / name).write_text(f"<html><body><h1>Report {made.id}</h1></body></html>")
        assert self.store.save(Outcome(made, changes, report=name, **more))


class Client(httpx.Client):
    """Asks the running service."""

    def page(self, path: str, status: int = 200) -> str:
        answer = self.get(path)
        assert answer.status_code == status, answer.text
        policy = answer.headers["content-security-policy"]
        if path.startswith("/reports/"):
            assert ("<script" not in answer.text and "script-src" not in policy) or status != 200
        else:
            ours = answer.text.count('<script src="/live.js" defer>')
            assert answer.text.count("<script") == ours
            assert "script-src 'self';" in policy
        return answer.text


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


@pytest.fixture
def client(house: House) -> Iterator[Client]:
    with served(house.app()) as address, Client(base_url=address) as asks:
        yield asks


def order(page: str, *texts: str) -> None:
    places = [page.index(text) for text in texts]
    assert places == sorted(places), dict(zip(texts, places, strict=True))


# --- Home ---


def test_without_monitors_the_first_command_is_taught(client: Client) -> None:
    assert "monitor init" in client.page("/")


def test_before_the_first_check_the_commands_are_taught(house: House, client: Client) -> None:
    house.watch("loans", lag=1)
    page = client.page("/")
    assert "monitor check loans" in page
    assert "monitor backfill loans" in page
    assert "Waiting" in page


def test_monitors_come_by_urgency_with_their_state_in_a_word(house: House, client: Client) -> None:
    house.save(check("calm", 30))
    house.save(check("moved", 30, DRIFTED))
    house.save(check("broken", 30, Verdict.VIOLATED))
    house.save(check("blank", 30, Verdict.UNDECIDED))
    house.save(check("stuck", 30))
    for name in ("calm", "moved", "broken", "blank", "unseen"):
        house.watch(name)
    house.watch("stuck", error="the disk is away (look at it)", lag=3)
    page = client.page("/")
    order(page, ">broken<", ">moved<", ">stuck<", ">blank<", ">unseen<", ">calm<")
    for told in (
        "<title>1 violated, 1 drifted, 1 cannot look, 1 undecided, 1 waiting, 1 passed</title>",
        "<code>car_value</code> is 62 % higher than in training",
        "The last try failed: the disk is away (look at it)",
        "3 complete windows wait for a check",
        'next look in 1 h, <span class="whole">08:20 UTC</span>',
    ):
        assert told in page
    assert "Passed at the last look" in page


def test_since_when_and_the_strip(house: House, client: Client) -> None:
    for number in range(1, 28):
        house.save(check("loans", number))
    first = check("loans", 28, DRIFTED)
    house.save(first, EpisodeChange(Change.OPENED, episode(first)))
    house.save(check("loans", 29, DRIFTED))
    house.watch("loans", running=day(30))
    page = client.page("/")
    assert "since Wed 28 Jan 00:00 UTC, 3 days" in page
    assert "last 29 checks: 2 drifted, 27 passed" in page
    strip = page[page.index('<svg class="strip"') :]
    assert strip.count("<title>") == 29
    assert strip.count('tabindex="-1"') == 28  # one step for the keyboard
    order(strip, "loans-01", "loans-28", "loans-29")
    assert "checking Fri 30 Jan 2026" in page


def test_a_new_check_is_seen_at_once(house: House, client: Client) -> None:
    house.save(check("loans", 29))
    house.watch("loans")
    assert "Passed" in client.page("/")
    house.save(check("loans", 30, DRIFTED))
    house.statuses.clear()
    house.watch("loans")
    assert "Drifted" in client.page("/")


def test_a_second_look_at_the_newest_window_is_seen_on_its_page(
    house: House, client: Client
) -> None:
    house.save(check("loans", 30))
    house.watch("loans")
    client.page("/")
    house.save(check("loans", 30, DRIFTED, id="loans-30-2"), revision=1)
    page = client.page("/monitors/loans")
    assert "<title>Drifted: loans</title>" in page
    assert "looked at 2 times" in page
    assert "1 drifted" in client.page("/")


# --- A monitor ---


def test_a_monitor_lists_its_checks_newest_first(house: House, client: Client) -> None:
    for number, verdict in ((28, PASSED), (29, DRIFTED), (30, PASSED)):
        house.save(check("loans", number, verdict), report=True)
    (house.folder / "loans-29-explore.html").write_text("<body>dig</body>")
    house.store.add_reference(
        StoredReference("loans", "sha256:9f31c07ad2b5ee", 50_000, "r.parquet", {}, {}, NOW)
    )
    house.watch("loans", timezone=BERLIN)
    page = client.page("/monitors/loans")
    listed = page[page.index(">Checks<") :]
    order(
        listed, 'class="when"><a href="/checks/loans-30"', 'class="when"><a href="/checks/loans-29"'
    )
    for told in ("9f31c07ad2b5", "Europe/Berlin", "Fri 30 Jan 2026 01:00 – Sat 31 Jan 2026 01:00"):
        assert told in page
    assert page.count("/reports/loans-29-explore.html") == 1
    assert "loans-30-explore" not in page


def test_columns_are_drawn_over_time_the_strongest_first(house: House, client: Client) -> None:
    house.save(check("loans", 28))
    house.save(check("loans", 29, Verdict.UNDECIDED))
    house.save(check("loans", 30, DRIFTED))
    house.watch("loans")
    page = client.page("/monitors/loans")
    order(page, 'title="car_value"', 'title="age"')
    assert 'aria-label="car_value: drifted in 1 of 3 checks"' in page
    assert "3 × tolerance" in page
    assert page.count('class="t none"') == 2


def test_older_checks_are_a_link_away(house: House, client: Client) -> None:
    for number in range(1, CHECKS + 4):
        house.save(check("loans", number))
    house.watch("loans")
    page = client.page("/monitors/loans")
    assert page.count('class="when"') == CHECKS
    link = re.findall(r'href="([^"]*before=[^"]*)#checks"', page)[0].replace("&amp;", "&")
    older = client.page(link)
    assert older.count('class="when"') == 3
    assert "older checks</a>" not in older


def test_the_story_of_episodes_and_retraining(house: House, client: Client) -> None:
    old, new = check("loans", 3, DRIFTED), check("loans", 30, DRIFTED)
    gone = episode(old, resolved_by="loans-05", resolved_at=day(5).start)
    house.save(old, EpisodeChange(Change.OPENED, gone))
    request = RetrainRequest(
        "r1", "loans", new.id, "e1", ("2 of 2 columns drifted",), "sha256:9f", new.window, NOW
    )
    house.save(new, EpisodeChange(Change.OPENED, episode(new)), retrain=request)
    house.watch("loans")
    page = client.page("/monitors/loans")
    order(page, "Open episodes", "open since Fri 30 Jan 2026 00:00, 31 h", "Earlier episodes")
    assert "Sat 3 Jan 2026 00:00 – Mon 5 Jan 2026 00:00, 48 h" in page
    assert "2 of 2 columns drifted" in page


def test_names_from_outside_cannot_write_html(house: House, client: Client) -> None:
    evil = "<script>alert(1)</script>"
    made = check("loans", 30, DRIFTED, headline=f"Drifted: `{evil}` moved {evil}")
    house.save(made, EpisodeChange(Change.OPENED, episode(made, columns=(evil,))))
    house.watch("loans", error=evil)
    for path in ("/", "/monitors/loans", "/operations", f"/checks/{made.id}"):
        assert "&lt;script&gt;" in client.page(path)
    client.page(f"/monitors/{evil}", 404)


# --- Reports ---


def test_a_check_leads_to_its_report_which_leads_back(house: House, client: Client) -> None:
    for number in (28, 29, 30):
        house.save(check("loans", number), report=True)
    house.watch("loans")
    answer = client.get("/checks/loans-29", follow_redirects=True)
    assert answer.url.path == "/reports/loans-29.html"
    assert '<div class="bar"><nav' in answer.text
    for link in ("/monitors/loans", "/checks/loans-28", "/checks/loans-30", "/api/v1/checks/loans"):
        assert f'href="{link}' in answer.text
    assert "Report loans-29" in answer.text
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "script" not in policy
    assert (house.folder / "loans-29.html").read_text().count("<nav") == 0


def test_a_report_of_a_check_that_is_gone_is_still_shown(house: House, client: Client) -> None:
    (house.folder / "old.html").write_text("<body>an old one</body>")
    assert client.page("/reports/old.html") == "<body>an old one</body>"


def test_the_page_for_digging_runs_in_a_sandbox(house: House, client: Client) -> None:
    (house.folder / "loans-30-explore.html").write_text("<body><script>1</script></body>")
    answer = client.get("/reports/loans-30-explore.html")
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("sandbox allow-scripts ")
    assert "allow-same-origin" not in policy
    assert "default-src 'none'" in policy


def test_a_check_without_a_report_says_how_to_draw_it(house: House, client: Client) -> None:
    house.save(check("loans", 30, DRIFTED))
    house.watch("loans")
    page = client.page("/checks/loans-30")
    assert "monitor report loans-30" in page
    assert "12\u202f345 against 50\u202f000 in training" in page


@pytest.mark.parametrize(
    "path",
    [
        "/reports/../secret.html",
        "/reports/%2e%2e/secret.html",
        "/reports/..%2fsecret.html",
        "/reports/..%5csecret.html",
        "/reports//etc/passwd",
        "/reports/link.html",
        "/reports/inner/deep.html",
        "/reports/.hidden.html",
        "/reports/notes.txt",
        "/reports/folder.html",
        "/reports/a%00.html",
        "/reports/" + "x" * 300 + ".html",
        "/reports/",
    ],
)
def test_nothing_outside_the_folder_is_served(house: House, client: Client, path: str) -> None:
    secret = house.folder.parent / f"{house.folder.name}-secret.html"
    secret.write_text("SECRET")
    (house.folder.parent / "secret.html").write_text("SECRET")
    (house.folder / "link.html").symlink_to(secret)
    for name in ("inner", "folder.html"):
        (house.folder / name).mkdir()
    for name in ("inner/deep.html", ".hidden.html", "notes.txt"):
        (house.folder / name).write_text("SECRET")
    raw = http.client.HTTPConnection(client.base_url.host, client.base_url.port or 80)
    raw.request("GET", path)  # a client that does not tidy the path up
    answer = raw.getresponse()
    assert answer.status == 404
    assert b"SECRET" not in answer.read()
    raw.close()


# --- Operations ---


def test_operations_show_what_waits_and_what_failed_and_why(house: House, client: Client) -> None:
    made = check("loans", 30, DRIFTED)
    told = [
        Message(f"m-{channel}", channel, "loans", "episode.opened", {}, NOW)
        for channel in ("slack", "webhook", "console")
    ]
    house.save(made, EpisodeChange(Change.OPENED, episode(made)), messages=tuple(told))
    house.store.mark_failed("m-slack", NOW, "Slack refused: channel_not_found")
    house.store.mark_delayed("m-webhook", NOW + DAY / 24 / 12, "HTTP 503")
    house.store.mark_sent("m-console", NOW, {})
    house.watch("loans", skipped=(day(12),))
    house.alive["delivery"] = False
    page = client.page("/operations")
    order(page, "does not run", "Messages that failed", "channel_not_found", "Messages that wait")
    assert "1 try, next in 5 min" in page
    assert "HTTP 503" in page
    assert "monitor backfill loans --from 2026-01-12T00:00:00+00:00" in page
    assert "1 failed, 1 waiting, 1 sent" in page


def test_operations_of_an_idle_service(house: House, client: Client) -> None:
    house.alive.clear()
    page = client.page("/operations")
    assert "everything was delivered" in page
    assert "pages only" in page


# --- Machines ---


def test_health_is_of_this_process_and_readiness_of_what_it_needs(
    house: House, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    loops = {"scheduler": True, "delivery": True}
    answer = client.get("/healthz")
    assert (answer.status_code, answer.json()) == (200, {"status": "ok", **loops})
    answer = client.get("/readyz")
    parts = {"store": True, "schema": True, **loops, "accepting": True}
    assert (answer.status_code, answer.json()) == (200, {"status": "ready", **parts})
    house.alive["scheduler"] = False
    for path in ("/healthz", "/readyz"):
        answer = client.get(path)
        assert (answer.status_code, answer.json()["scheduler"]) == (503, False)
    house.alive["scheduler"] = True
    monkeypatch.setattr(house.store, "schema", lambda: ("0001", "0003"))
    answer = client.get("/readyz")
    assert (answer.status_code, answer.json()["schema"]) == (503, False)
    monkeypatch.setattr(house.store, "schema", unavailable)
    answer = client.get("/readyz")
    assert (answer.status_code, answer.json()["store"]) == (503, False)
    assert client.get("/healthz").status_code == 200


def unavailable(*_: object, **__: object) -> None:
    raise StoreUnavailable("the database is locked", hint="stop the other process")


# --- Errors ---


@pytest.mark.parametrize(
    ("path", "status", "told"),
    [
        ("/monitors/loan", 404, "Did you mean &#39;loans&#39;?"),
        ("/checks/nothing", 404, 'href="/checks/loans-30"'),
        ("/reports/nothing.html", 404, "There is no report named"),
        ("/nowhere", 404, "There is no page /nowhere"),
        ("/monitors/loans?before=yesterday", 400, "Before: "),
    ],
)
def test_errors_of_people_are_pages_that_say_what_exists(
    house: House, client: Client, path: str, status: int, told: str
) -> None:
    house.save(check("loans", 30))
    house.watch("loans")
    page = client.page(path, status)
    assert told in page
    assert 'href="/"' in page


def test_it_is_read_only(client: Client) -> None:
    for method in ("POST", "PUT", "DELETE", "PATCH"):
        for path in ("/", "/operations", "/api/v1/checks/x", "/reports/x.html"):
            assert client.request(method, path).status_code == 405


def test_a_store_that_is_away_is_said(
    house: House, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.watch("loans")
    monkeypatch.setattr(house.store, "strips", unavailable)
    page = client.page("/", 503)
    assert "the database is locked" in page
    assert "top the other process" in page


def test_a_fault_shows_nothing_of_its_inside(
    house: House, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError("secret token")

    house.watch("loans")
    monkeypatch.setattr(house.store, "strips", broken)
    page = client.page("/", 500)
    assert "A fault of ours (ZeroDivisionError)" in page
    assert "secret token" not in page


# --- All pages ---


def test_pages_need_nothing_from_elsewhere_and_can_be_probed(house: House, client: Client) -> None:
    house.save(check("loans", 30), report=True)
    house.watch("loans")
    for path in ("/", "/monitors/loans", "/operations", "/style.css", "/live.js"):
        answer = client.get(path)
        assert "http" not in answer.text.replace('http-equiv="', "")
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert client.head(path).status_code == 200
    assert client.get("/style.css").headers["content-type"].startswith("text/css")


def test_links_keep_the_prefix_of_a_proxy(house: House) -> None:
    house.save(check("loans", 30), report=True)
    house.watch("loans")
    with served(house.app(), "/drift") as address:
        page = httpx.get(address).text
        links = [part.split('"')[0] for part in page.split('href="')[1:] if part[0] == "/"]
        missing = httpx.get(f"{address}/api/v1/checks/none").json()["detail"]
        report = httpx.get(f"{address}/checks/loans-30").headers["location"]
    assert links
    assert all(link.startswith("/drift/") for link in links)
    assert "no check named 'none'" in missing
    assert report == "/drift/reports/loans-30.html"


# --- Words ---


def test_windows_are_told_in_local_time() -> None:
    hour = timedelta(hours=1)
    evening = datetime(2026, 1, 5, 22, tzinfo=UTC)
    assert window(Window(evening, evening + hour), BERLIN) == "Mon 5 Jan 2026 23:00–24:00"
    spring = datetime(2026, 3, 28, 23, tzinfo=UTC)
    assert window(Window(spring, spring + 23 * hour), BERLIN) == "Sun 29 Mar 2026"
    assert near(evening, BERLIN, evening - hour) == "23:00 CET"
