"""The pages as people meet them: whole, inert whatever data is called, quick; and their deeds."""

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import pytest
import sqlalchemy as sa
from crowd import COLUMNS, fill, name_of, statuses
from crowd import NOW as THEN
from making import a_check, a_message, a_reference, a_retrain, an_episode, day, opened
from page_reading import Page
from web_service import ROOT, WebService, id_of

from monitor import wiring
from monitor.archive import CheckLine, Outcome, Store
from monitor.core import words
from monitor.core.consequences import Cause
from monitor.core.people import (
    Acknowledgement,
    AuditEntry,
    Deed,
    Replica,
    Scope,
    Silence,
    SilenceKind,
)
from monitor.core.records import Finding, Notice, SampleInfo, Verdict, Window
from monitor.due import MonitorStatus
from monitor.ledger import Act
from monitor.reports.folder import ReportFolder
from monitor.stores import sql
from monitor.tables.local_files import LocalPlace
from monitor.web import arrivals
from monitor.web.arrivals import Arrivals
from monitor.web.axis import Axis
from monitor.web.drawing import visible
from monitor.web.forms import FORMS
from monitor.web.named import DONE
from monitor.web.story import story
from monitor.web.strips import Strips

HOUR = timedelta(hours=1)
EVIL = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' onmouseover='alert(1)",
    "</title></svg></textarea><b>",
    "javascript:alert(1)",
    "`<i>code</i>` {{ 7 * 7 }} {% x %} &lt;",
    "\u202ertl \u2066 日本 😀 é",
)
EVERYTHING = " ".join(EVIL)


@pytest.fixture
def service(tmp_path: Path) -> WebService:
    return WebService(tmp_path, lone=True)


def get(client: httpx.Client, path: str, status: int = 200) -> Page:
    answer = client.get(path, follow_redirects=True)
    assert answer.status_code == status, answer.text
    return Page(answer.text)


def breach(store: Store, check_id: str = "c0", number: int = 0, **values: Any) -> None:
    episode = an_episode(
        opened_at=day(number).start, told=True, opened_by=check_id, last_check=check_id
    )
    made = a_check(check_id, day(number))
    store.save(Outcome(made, changes=(opened(replace(episode, **values)),)))


# --- Whole ---

PAGES = (
    "/",
    "/?q=lo&state=drifted",
    "/?page=9",
    "/monitors/loan",
    "/monitors/loan?last=120&columns=all",
    "/monitors/loan?before=2026-03-05T00:00:00Z",
    "/operations",
    "/operations/schedule",
    "/operations/schedule?page=7",
    "/operations/references",
    "/operations/tokens",
    "/operations/audit",
    "/operations/audit?monitor=loan",
)


@pytest.mark.parametrize("checks", [0, 1, 40])
def test_every_page_is_well_formed_with_none_one_and_many(service: WebService, checks: int) -> None:
    for number in range(checks):
        if number % 3:
            breach(service.store, f"c{number}", number, id=f"e{number}", resolved_by="x")
        else:
            quiet = replace(a_check(f"c{number}", day(number)), verdict=Verdict.PASSED)
            service.store.save(Outcome(quiet))
    paths = [*PAGES, *(["/checks/c0", "/episodes/e1"] if checks > 1 else [])]
    paths += ["/compare?check=c0&check=c7"] if checks > 7 else []
    client = service.client()
    for path in paths:
        page = get(client, path)
        assert page.links, path


def test_what_is_not_there_is_told_with_what_is(service: WebService) -> None:
    breach(service.store)
    client = service.client()
    for path, told in (("/episodes/x", "/episodes/e0"), ("/monitors/laon", "/monitors/loan")):
        assert told in get(client, path, 404).links
    for path in ("/compare?check=c0", "/compare?check=c0&check=c0"):
        assert "two checks" in client.get(path).text


# --- Inert ---


def hostile_house(service: WebService) -> None:
    """Every text that comes from outside is hostile."""
    store, text = service.store, EVERYTHING
    check = a_check("c0")
    columns = tuple(
        replace(check.columns[0], name=f"{evil} {n}", reason=text) for n, evil in enumerate(EVIL)
    )
    assert check.expectations is not None
    failed = replace(check.expectations.results[0], reason=text, column=text)
    check = replace(
        check,
        columns=columns,
        headline=f"Drifted: `{text}` moved {text}",
        notices=(Notice("x", text),),
        expectations=replace(check.expectations, results=(failed,)),
        dataset=replace(
            check.dataset, findings=(Finding(text, Verdict.DRIFTED, text, effect=1.0),)
        ),
    )
    episode = an_episode(
        headline=f"Drifted: {text}", columns=EVIL, told=True, opened_at=day(0).start
    )
    message = a_message(
        "m0",
        episode="e0",
        channel=text,
        kind="episode.worsened",
        payload={"headline": text, "check_id": text},
    )
    asked = a_retrain(
        "r0",
        reasons=EVIL,
        answer=text,
        model_version=text,
        state="accepted",
        answered_at=service.now,
    )
    store.save(Outcome(check, changes=(opened(episode),), messages=(message,), retrain=asked))
    store.save(Outcome(replace(check, id="c1", window=day(1), expectations=None)))
    store.mark_sent("m0", service.now, {})
    store.add_message(a_message("m1", channel=text, episode="e0", kind=text))
    store.mark_failed("m1", service.now, text)
    store.add_message(a_message("m2", channel=text, error=text))
    for version in ("sha256:1", f"sha256:{text}"):
        store.add_reference(a_reference(version, path=text, origin=text))
    entry = AuditEntry("a0", service.now, text, "page", Deed.ACKNOWLEDGED, "e0", text, "loan")
    seen = Acknowledgement("e0", service.now, text, text)
    quiet = Silence("s0", SilenceKind.MUTE, day(0).start, service.now + HOUR, text, text, "loan")
    store.act(Act(entry, acknowledged=seen, silence=quiet))
    store.beat(Replica(text, text, service.now, service.now, (text,)))


@pytest.mark.parametrize("prefix", ["", "/drift"])
def test_names_from_outside_are_inert_on_every_page(service: WebService, prefix: str) -> None:
    hostile_house(service)
    stuck = [
        MonitorStatus(
            "loan", ZoneInfo("Europe/Berlin"), day(1), 3, error=EVERYTHING, skipped=(day(0),)
        )
    ]
    service.states = lambda: stuck
    service.app.root_path = prefix
    client = service.client()
    paths = [
        *PAGES,
        "/checks/c0",
        "/episodes/e0",
        "/compare?check=c0&check=c1",
        f"/?q={EVERYTHING}",
    ]
    seen = ""
    for path in paths:
        answer = client.get(path, follow_redirects=True)
        assert answer.status_code == 200, answer.text
        page = Page(answer.text, prefix)  # refuses every element and attribute that is none of ours
        assert all(link.startswith((f"{prefix}/", "#", "data:")) for link in page.links)
        seen += " ".join([*page.text, *page.labels])
    for evil in EVIL:
        assert visible(evil).replace("`", "") in seen.replace("`", "")
    assert "49" not in re.findall(r"code (\S+)", seen)


def test_the_policy_of_pages_lets_in_our_own_script_alone(service: WebService) -> None:
    answer = service.client().get("/")
    policy = dict(
        part.strip().split(" ", 1) for part in answer.headers["content-security-policy"].split(";")
    )
    assert policy["script-src"] == policy["connect-src"] == policy["style-src"] == "'self'"
    assert policy["default-src"] == policy["frame-ancestors"] == policy["base-uri"] == "'none'"
    script = service.client().get("/live.js")
    assert script.headers["content-type"].startswith("text/javascript")
    for risky in ("innerHTML =", "insertAdjacentHTML", "eval(", "document.write", "http"):
        assert risky not in script.text


# --- Quick: how many statements a page takes does not depend on how much there is ---


@pytest.fixture(scope="module")
def crowd() -> Iterator[sql.SqlStore]:
    store = sql.make("memory:", Path(), wiring.now)
    fill(store, 60, 40)
    yield store
    store.close()


def crowded(store: sql.SqlStore, folder: Path) -> WebService:
    known = statuses(store)
    return WebService(folder, now=THEN, lone=True, store=store, states=lambda: known)


@pytest.mark.parametrize(
    ("path", "most"),
    [
        ("/", 6),
        ("/?q=fraud", 6),
        (f"/monitors/{name_of(5)}?columns=all", 20),
        (f"/checks/{name_of(5)}-20260531", 12),
        (f"/compare?check={name_of(5)}-20260531&check={name_of(5)}-20260520", 4),
        ("/operations", 10),
        ("/operations/schedule", 2),
        ("/operations/references", 4),
        ("/operations/audit", 3),
        ("/pulse", 5),
    ],
)
def test_the_statements_of_a_page_are_bounded(
    crowd: sql.SqlStore, tmp_path: Path, path: str, most: int
) -> None:
    client = crowded(crowd, tmp_path).client()
    client.get("/")  # the strips are read once
    asked: list[str] = []
    engine = crowd._database._reader

    def note(*told: Any) -> None:
        asked.append(told[2])

    sa.event.listen(engine, "before_cursor_execute", note)
    try:
        answer = client.get(path)
    finally:
        sa.event.remove(engine, "before_cursor_execute", note)
    assert answer.status_code == 200
    asked = [statement for statement in asked if statement.startswith(("SELECT", "WITH"))]
    assert len(asked) <= most, asked
    assert path.startswith(("/checks", "/compare")) or not any("document" in s for s in asked)


def test_home_is_paged_and_filtered(crowd: sql.SqlStore, tmp_path: Path) -> None:
    client = crowded(crowd, tmp_path).client()
    first, second = client.get("/").text, client.get("/?page=2").text
    rows = [re.findall(r'<h2><a href="/monitors/([^"]+)"', page) for page in (first, second)]
    assert [len(r) for r in rows] == [50, 10]
    assert len({*rows[0], *rows[1]}) == 60
    found = client.get("/?q=CHURN+car_value").text
    assert re.findall(r'<h2><a href="/monitors/([^"]+)"', found)
    assert "has “nothing at all”" in client.get("/?q=nothing+at+all").text
    drifted = re.findall(r'<h2><a href="/monitors/([^"]+)"', client.get("/?state=drifted").text)
    assert drifted and set(drifted) < {*rows[0]}


def test_monitors_that_somebody_looks_after_come_after_others(
    crowd: sql.SqlStore, tmp_path: Path
) -> None:
    page = crowded(crowd, tmp_path).client().get("/").text
    assert (
        page.index(f">{name_of(17)}<")
        < page.index(f">{name_of(5)}<")
        < page.index(f">{name_of(0)}<")
    )
    assert "mia looks after it: the new price list of May" in page
    assert "Muted until" in page


def test_everything_of_a_monitor_stands_on_one_axis(crowd: sql.SqlStore, tmp_path: Path) -> None:
    text = crowded(crowd, tmp_path).client().get(f"/monitors/{name_of(5)}").text
    page = Page(text)
    for name in COLUMNS:
        assert f'title="{name}"' in text
    for told in (
        "Rows",
        "Missing values",
        "Age of the newest row",
        "Columns drifted",
        "promised 6 h",
    ):
        assert told in text
    for kind in ("episode", "mute"):
        assert f'<g class="{kind}' in text
    assert any("drifted in 9 of 30 checks" in label for label in page.labels)
    heat = text[text.index('class="heat"') :]
    first = re.findall(r"<rect class=\"t[^>]* x=\"([\d.]+)\"", heat[: heat.index("</svg>")])
    assert [float(x) for x in first] == sorted(float(x) for x in first)


# --- Strips ---


def line(number: int, check_id: str = "", **more: Any) -> CheckLine:
    made = CheckLine(
        check_id or f"c{number}",
        "loan",
        Verdict.PASSED,
        "",
        day(number),
        1,
        None,
        None,
        None,
        day(number).end,
        0,
    )
    return replace(made, **more)


class Lines:
    """A store that knows only lines, to say when each is stored."""

    def __init__(self, *lines: CheckLine) -> None:
        self.lines = list(lines)
        self.asked: list[datetime] = []

    def clock(self) -> datetime:
        """The newest was stored just now."""
        return max(c.stored_at for c in self.lines)

    def strips(self, length: int) -> dict[str, list[CheckLine]]:
        return {"loan": sorted(self.lines, key=lambda c: c.window.start, reverse=True)[:length]}

    def lines_since(
        self, moment: datetime, limit: int = 1000, *, after: str = ""
    ) -> list[CheckLine]:
        self.asked.append(moment)
        found = [c for c in self.lines if (c.stored_at, c.id) > (moment, after)]
        return sorted(found, key=lambda c: (c.stored_at, c.id))[:limit]


def held_of(store: Lines, length: int) -> Strips:
    known: Any = store
    return Strips(known, Arrivals(known, store.clock), length=length)


def ids(held: Strips) -> list[str]:
    return [c.id for c in held.look()["loan"]]


def test_a_strip_takes_in_what_is_new_and_nothing_else() -> None:
    store = Lines(line(1), line(2))
    held = held_of(store, 3)
    assert ids(held) == ["c1", "c2"]
    late = line(3, stored_at=line(2).stored_at - timedelta(seconds=30))  # committed behind another
    again = line(2, "c2-2", revision=1, stored_at=line(2).stored_at + HOUR)
    store.lines += [late, again]
    assert ids(held) == ["c1", "c2-2", "c3"]
    store.lines += [line(0, stored_at=day(9).end), line(4, stored_at=day(9).end)]
    assert ids(held) == ["c2-2", "c3", "c4"]
    looked_at = [line(2).stored_at, line(2).stored_at, again.stored_at]
    assert store.asked == [moment - arrivals.OVERLAP for moment in looked_at]


def test_a_strip_forgets_what_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    store = Lines(line(1), line(2))
    held = held_of(store, 3)
    assert ids(held) == ["c1", "c2"]
    del store.lines[0]
    held._read_anew()
    assert ids(held) == ["c2"]


def test_what_arrives_while_everything_is_read_anew_is_kept() -> None:
    store = Lines(line(1))
    held = held_of(store, 3)
    assert ids(held) == ["c1"]
    read = store.strips

    def slowly(length: int) -> dict[str, list[CheckLine]]:
        before = read(length)
        store.lines.append(line(2))
        assert ids(held) == ["c1", "c2"]
        return before

    store.strips = slowly  # type: ignore[method-assign]
    held._read_anew()
    assert ids(held) == ["c1", "c2"]


def test_what_arrives_is_told_once_to_everybody() -> None:
    store = Lines(line(1))
    told: list[list[str]] = [[], []]
    followed = Arrivals(store, store.clock)  # type: ignore[arg-type]
    for one in told:
        followed.follow(lambda news, one=one: one.extend(c.id for c in news))  # type: ignore[misc]
    followed.look()  # what was there before is old
    store.lines += [line(2), line(3)]
    followed.look()
    late = line(4, stored_at=line(3).stored_at - timedelta(seconds=30))
    store.lines.append(late)
    followed.look()
    followed.look()
    assert told == [["c2", "c3", "c4"]] * 2


def test_more_checks_at_once_than_one_answer_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arrivals, "_AT_ONCE", 2)
    store = Lines(line(1))
    held = held_of(store, 9)
    assert ids(held) == ["c1"]
    store.lines += [line(n) for n in range(2, 8)]
    assert ids(held) == [f"c{n}" for n in range(1, 8)]
    store.lines += [line(n, stored_at=day(9).end) for n in range(8, 13)]
    assert ids(held) == [f"c{n}" for n in range(4, 13)]


def test_one_who_fails_keeps_nothing_from_those_behind(caplog: pytest.LogCaptureFixture) -> None:
    store = Lines(line(1))
    told: list[str] = []
    followed = Arrivals(store, store.clock)  # type: ignore[arg-type]
    followed.follow(lambda news: told.append(f"lost {news[7]}"))
    followed.follow(lambda news: told.extend(c.id for c in news))
    followed.look()
    store.lines.append(line(2))
    followed.look()
    assert told == ["c2"]
    assert "checks that arrived were not taken in count=1" in caplog.text


# --- Axis ---


def test_ticks_stand_at_local_midnight_whatever_the_clock_does() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    start = datetime(2026, 3, 26, tzinfo=berlin)
    axis = Axis(start, start + timedelta(days=8), berlin)
    assert [label for _, label in axis.ticks] == [f"{n} Mar" for n in range(26, 32)] + [
        "1 Apr",
        "2 Apr",
    ]
    places = [x for x, _ in axis.ticks]
    assert places == sorted(places) and places[0] == 0.0
    assert axis.at(start - HOUR) == 0.0 and axis.at(start + timedelta(days=99)) == 100.0
    day_long = Axis(start, start + timedelta(hours=20), berlin)
    assert [label for _, label in day_long.ticks][:3] == ["26 Mar", "03:00", "06:00"]


# --- An episode's story ---


def told_window(window: Window) -> dict[str, str]:
    """As a payload has it."""
    return {"start": window.start.isoformat(), "end": window.end.isoformat()}


def test_the_story_of_an_episode_is_told_in_order(service: WebService) -> None:
    store = service.store
    told = a_message("m0", episode="e0", channel="slack", created_at=day(1).start)
    worse = a_message(
        "m1",
        episode="e0",
        channel="slack",
        kind="episode.worsened",
        created_at=day(2).start,
        payload={"headline": "worse", "check_id": "c1", "window": told_window(day(1))},
    )
    lost = a_message("m2", episode="e0", channel="webhook", created_at=day(1).start)
    episode = an_episode(opened_at=day(0).start, told=True)
    made = replace(a_check("c0"), made_at=day(0).end)
    store.save(Outcome(made, changes=(opened(episode),), messages=(told, lost)))
    second = replace(a_check("c1", day(1)), made_at=day(1).end)
    store.save(Outcome(second, messages=(worse,), retrain=a_retrain(requested_at=day(3).start)))
    store.mark_sent("m0", day(1).start + HOUR, {})
    store.mark_failed("m2", day(1).start + HOUR, "410 Gone")
    store.mark_sent("m1", day(2).start + HOUR, {})
    client = service.client()
    page = get(client, "/episodes/e0")
    for deed in ("acknowledge", "resolve"):
        page = get(client, "/episodes/e0")
        send(client, page, deed, why=f"because of {deed}")
    found = store.get_episode("e0")
    assert found is not None
    events = [e.what for e in story(store, found, service.now).events]
    assert events == [
        "Opened: drift",
        "Could not tell webhook that it opened",
        "Told slack that it opened",
        "Got worse",
        "Told slack that it got worse",
        "New model asked for",
        "Acknowledged",
        "Resolved by hand",
        "Still to tell slack that somebody looks after it",
        "Still to tell slack that it is over",
    ]
    text = client.get("/episodes/e0").text
    assert (
        text.index("Opened: drift") < text.index("Got worse") < text.index("because of acknowledge")
    )
    assert "410 Gone" in text
    for seen in (day(0), day(1)):  # the window first, and small beside it when somebody looked
        window, looked = words.window(seen, UTC), words.day_and_time(seen.end, UTC)
        assert f'<p class="when">{window}<time' in text, window
        assert f"looked at {looked}</time>" in text
    assert not Page(text).offers("/deeds/resolve")


def test_a_story_says_that_older_windows_were_looked_at_later(service: WebService) -> None:
    store = service.store
    checks = [replace(a_check(f"c{n}", day(n)), made_at=day(6).end) for n in range(5)]
    episode = an_episode(opened_at=day(3).start, opened_by="c3", last_check="c4")
    store.save(Outcome(replace(checks[3], made_at=day(3).end), changes=(opened(episode),)))
    store.save(Outcome(replace(checks[4], made_at=day(4).end)))
    for late in (replace(checks[0], verdict=Verdict.PASSED), checks[1], checks[2]):
        store.save(Outcome(late))
    first, then = story(store, episode, service.now).events
    assert (first.what, first.link) == ("Opened: drift", "/checks/c3")
    assert (then.what, then.link) == ("Found to have begun earlier", "/checks/c1")
    assert then.text == "2 windows before it, looked at later, had it as well"
    assert first.at < then.at


def test_a_long_story_still_says_how_it_began(
    service: WebService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("monitor.web.story._CHECKS", 2)
    store = service.store
    episode = an_episode(opened_at=day(1).start, opened_by="c1", last_check="c4")
    for number in (1, 2, 3, 4, 0):
        made = replace(a_check(f"c{number}", day(number)), made_at=day(number or 6).end)
        store.save(Outcome(made, changes=(opened(episode),) if number == 1 else ()))
    told = story(store, episode, service.now)
    assert [line.id for line in told.lines] == ["c3", "c4"]
    first, then = told.events
    assert (first.at, first.text) == (day(1).end, "age drifted")
    assert (then.what, then.link) == ("Found to have begun earlier", "/checks/c0")


def test_few_rows_are_no_earlier_beginning_of_nothing_to_look_at(service: WebService) -> None:
    store = service.store
    episode = an_episode(
        cause=Cause.NO_LOOK, opened_at=day(3).start, opened_by="c3", last_check="c3"
    )
    rows = {3: 0, 2: 0, 1: 5, 0: 0}
    for number, seen in rows.items():
        made = replace(
            a_check(f"c{number}", day(number)),
            verdict=Verdict.UNDECIDED,
            sample=SampleInfo(seen, seen, "all"),
            made_at=day(9 - number).end,
        )
        store.save(Outcome(made, changes=(opened(episode),) if number == 3 else ()))
    _, then = story(store, episode, service.now).events
    assert (then.link, then.text) == (
        "/checks/c2",
        "The window before it, looked at later, had it as well",
    )


# --- Deeds ---


def send(
    client: httpx.Client,
    page: Page,
    deed: str,
    *,
    holding: dict[str, str] | None = None,
    **typed: str,
) -> httpx.Response:
    form = page.form(f"/deeds/{deed}", **(holding or {}))
    return client.post(form.action, data=form.fields | typed)


def test_every_form_has_its_notice() -> None:
    assert set(FORMS) == set(DONE)


def test_deeds_of_a_monitor_lead_back_and_leave_a_trace(service: WebService) -> None:
    breach(service.store)
    service.store.add_reference(a_reference("sha256:old"))
    service.store.add_reference(a_reference("sha256:new"))
    client = service.client()
    page = get(client, "/monitors/loan?last=60")
    typed: dict[str, dict[str, Any]] = {
        "acknowledge": {},
        "mute": {"hours": "4"},
        "maintain": {"end": "2026-03-20T18:00"},
        "check-again": {},
        "retrain": {},
        "promote": {},
        "resolve": {},
    }
    for deed, fields in typed.items():
        answer = send(client, page, deed, why=f"for {deed}", **fields)
        assert answer.status_code == 303, answer.text
        assert answer.headers["location"] == f"/monitors/loan?last=60&done={deed}"
        assert DONE[deed] in client.get(answer.headers["location"]).text
    assert {e.why for e in service.store.audit()} == {f"for {deed}" for deed in typed}
    assert {e.who for e in service.store.audit()} == {"somebody at this machine"}
    kinds = {s.kind: s for s in service.store.silences()}
    assert kinds[SilenceKind.MUTE].end == service.now + 4 * HOUR
    assert kinds[SilenceKind.MAINTENANCE].end == datetime(2026, 3, 20, 18, tzinfo=UTC)
    current = service.store.current_reference("loan")
    assert current is not None and current.version == "sha256:old"
    assert [r.window for r in service.store.oldest_check_requests()] == [day(0)]


def test_a_mute_lasts_until_a_time_of_its_own_in_the_zone_of_the_monitor(
    service: WebService,
) -> None:
    status = [MonitorStatus("loan", ZoneInfo("Europe/Berlin"), None, 0)]
    service.states = lambda: status
    client = service.client()
    page = get(client, "/monitors/loan")
    send(client, page, "mute", why="x", until="2026-03-21T08:00")
    assert service.store.silences()[0].end == datetime(2026, 3, 21, 7, tzinfo=UTC)


def test_deeds_of_operations(service: WebService) -> None:
    service.store.add_message(a_message("m0"))
    service.store.mark_failed("m0", service.now, "gone")
    client = service.client()
    page = get(client, "/operations")
    assert send(client, page, "resend", why="x").status_code == 303
    assert send(client, page, "mute", hours="1", why="every one").status_code == 303
    page = get(client, "/operations")
    assert "every monitor" in " ".join(page.text)
    assert send(client, page, "lift", why="x").status_code == 303
    assert service.store.silences(since=service.now) == []


def test_a_form_that_is_sent_twice_is_done_once(service: WebService) -> None:
    client = service.client()
    page = get(client, "/monitors/loan")
    answers = [send(client, page, "mute", hours="4", why="x") for _ in range(2)]
    assert [a.status_code for a in answers] == [303, 303]
    assert len(service.store.silences()) == 1


def test_somebody_was_faster(service: WebService) -> None:
    breach(service.store)
    client = service.client()
    pages = [get(client, "/monitors/loan") for _ in range(2)]
    assert send(client, pages[0], "acknowledge", why="mine").status_code == 303
    answer = send(client, pages[1], "acknowledge", why="a long reason that nobody types twice")
    assert answer.status_code == 409
    Page(answer.text)
    assert "Somebody was faster" in answer.text and "a long reason" in answer.text
    assert 'href="/monitors/loan"' in answer.text


@pytest.mark.parametrize(
    ("deed", "typed", "told"),
    [
        ("mute", {"why": " ", "hours": "1"}, "Say why"),
        ("mute", {"why": "x", "hours": "1000000"}, "choose"),
        ("mute", {"why": "x", "until": "yesterday"}, "not a time"),
        ("maintain", {"why": "x", "end": ""}, "does not say end"),
        ("maintain", {"why": "x", "end": "2026-03-19T00:00"}, "ends after it begins"),
    ],
)
def test_a_mistake_is_told_and_changes_nothing(
    service: WebService, deed: str, typed: dict[str, Any], told: str
) -> None:
    client = service.client()
    answer = send(client, get(client, "/monitors/loan"), deed, **typed)
    assert answer.status_code == 422
    assert told.casefold() in answer.text.casefold()
    Page(answer.text)
    assert service.store.silences() == [] and service.store.audit() == []


@pytest.mark.parametrize("back", ["https://evil.example", "//evil.example", "/\\evil", "x", ""])
def test_a_form_leads_back_to_our_pages_alone(service: WebService, back: str) -> None:
    client = service.client()
    answer = send(client, get(client, "/monitors/loan"), "mute", hours="1", why="x", back=back)
    assert answer.headers["location"].startswith("/?done=") or not back


def test_a_form_without_our_mark_is_refused(service: WebService) -> None:
    client = service.client()
    answer = send(client, get(client, "/monitors/loan"), "mute", hours="1", why="x", mark="0" * 64)
    assert answer.status_code == 403
    assert service.store.silences() == []


def signed_in(service: WebService, *scopes: Scope) -> httpx.Client:
    shown = service.token(*scopes)
    return service.client(session=service.gate.sign_in(shown, "127.0.0.1"))


def test_who_may_not_sees_no_button_and_is_refused(tmp_path: Path) -> None:
    service = WebService(tmp_path)
    breach(service.store)
    reader, operator = (signed_in(service, scope) for scope in (Scope.READ, Scope.OPERATE))
    for path in ("/monitors/loan", "/episodes/e0", "/operations", "/checks/c0"):
        page = get(reader, path)
        assert [f.action for f in page.forms if f.action.startswith("/deeds/")] == [], path
        assert page.form("/sign-out").fields["mark"]
    page = get(operator, "/monitors/loan")
    assert page.offers("/deeds/mute") and not page.offers("/deeds/maintain")
    mark = get(reader, "/monitors/loan").form("/sign-out").fields["mark"]
    for deed in FORMS:
        answer = reader.post(f"/deeds/{deed}", data={"mark": mark, "why": "x"})
        assert answer.status_code == 403, deed
    get(operator, "/operations/tokens", 403)


def test_maintenance_is_ended_by_those_who_may_set_it(tmp_path: Path) -> None:
    service = WebService(tmp_path)
    admin, operator = (signed_in(service, scope) for scope in (Scope.ADMIN, Scope.OPERATE))
    send(admin, get(admin, "/operations"), "maintain", end="2026-03-21T00:00", why="x")
    (made,) = service.store.silences()
    page = get(operator, "/operations")
    assert not page.offers("/deeds/lift")
    mark = page.form("/sign-out").fields["mark"]
    fields = {"mark": mark, "why": "x", "silence": made.id}
    assert operator.post("/deeds/lift", data=fields).status_code == 403
    assert send(admin, get(admin, "/operations"), "lift", why="x").status_code == 303


def test_the_secret_of_a_token_is_shown_once(tmp_path: Path) -> None:
    service = WebService(tmp_path)
    admin = signed_in(service, Scope.ADMIN)
    page = get(admin, "/operations/tokens")
    made = send(admin, page, "make-token", name="ci <b>", why="x", scope_read="on", days="30")
    assert made.status_code == 200 and made.headers["cache-control"] == "no-store"
    shown = re.findall(r"dm_[0-9a-f]{12}_[\w-]{43}", made.text)
    assert len(shown) == 1
    Page(made.text)
    again = send(admin, page, "make-token", name="ci <b>", why="x", scope_read="on", days="30")
    assert again.status_code == 303 and len(service.store.list_tokens()) == 2
    listing = admin.get("/operations/tokens").text
    assert shown[0] not in listing and id_of(shown[0]) in listing and "ci &lt;b&gt;" in listing
    rotated = send(
        admin, Page(listing), "rotate-token", holding={"token": id_of(shown[0])}, why="x"
    )
    assert re.search(r"dm_[0-9a-f]{12}_[\w-]{43}", rotated.text)
    assert service.stored(shown[0]).revoked_at == service.now


# --- Compare ---


def test_two_checks_differences_first(service: WebService) -> None:
    quiet = a_check("c0")
    calm = tuple(
        replace(c, verdict=Verdict.PASSED, strength=0.1, missing_current=0.0) for c in quiet.columns
    )
    service.store.save(Outcome(replace(quiet, columns=calm, verdict=Verdict.PASSED)))
    loud = replace(quiet.columns[0], name="income")
    service.store.save(Outcome(replace(a_check("c1", day(1)), columns=(calm[0], loud))))
    text = service.client().get("/compare?check=c1&check=c0").text  # in whichever order
    Page(text)
    assert "1 column has another verdict" in text
    assert text.index("Then:") < text.index("Now:")
    assert text.index("What differs") < text.index(">income<") < text.index("The same in both")


def test_windows_held_against_each_other(service: WebService) -> None:
    service.store.save(Outcome(a_check("c0")))
    service.store.save(Outcome(a_check("c1", day(1))))
    assert "directly=yes" not in service.client().get("/compare?check=c0&check=c1").text
    from monitor.web.app import make_app

    asked = []

    def difference(*told: str) -> Any:
        asked.append(told)
        return replace(a_check("d"), headline="Drifted: they differ")

    service.app = make_app(
        service.store,
        ReportFolder(LocalPlace(service.folder)),
        service.status,
        service.clock,
        desk=service.desk,
        gate=service.gate,
        difference=difference,
    )
    client = service.client()
    assert "directly=yes" in client.get("/compare?check=c0&check=c1").text
    assert asked == []
    assert "They differ" in client.get("/compare?check=c0&check=c1&directly=yes").text
    assert asked == [("loan", "c0", "c1")]


# --- News ---


def test_the_pulse_changes_with_what_happens(service: WebService) -> None:
    client = service.client()
    words = [client.get("/pulse").text]
    for happens in (
        lambda: service.store.save(Outcome(a_check("c0"))),
        lambda: service.store.add_message(a_message("m0")),
        lambda: service.desk.do(service.desk.mute(ROOT, "loan", service.now + HOUR, "x")),
    ):
        assert client.get("/pulse").text == words[-1]
        happens()
        words.append(client.get("/pulse").text)
    assert len(set(words)) == len(words)
