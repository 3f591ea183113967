"""Reports: one file that needs nothing else, says what happened first, and fears no input."""

import re
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser

import pytest
import report_fixtures as fixtures

from monitor.core.columns import Kind
from monitor.core.records import Check, ColumnResult, Notice, SampleInfo, Shape, Verdict
from monitor.reports.html import draw

VOID = {"meta", "link", "img", "br", "hr", "input", "base"}
SELF_CLOSING = {"path", "rect", "line", "circle", "use"}
CHECKS: list[Callable[[], Check]] = [
    fixtures.drifted,
    fixtures.violated,
    fixtures.empty,
    fixtures.nothing,
    fixtures.bare,
    fixtures.passed,
    fixtures.hostile,
    fixtures.sixty_levels,
    fixtures.extreme,
]


class Page(HTMLParser):
    """A page taken apart: tags, ids, links, text; AssertionError where tags do not balance."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.texts: list[str] = []
        self.feed(html)
        self.close()
        assert self.open == [], f"never closed: {self.open}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in SELF_CLOSING, f"<{tag}/> does not close in HTML"
        self.tags.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open[-1:] != ["style"]:
            self.texts.append(data)

    def values(self, name: str) -> list[str]:
        return [value for _, attribute, value in self.attributes if attribute == name]

    @property
    def text(self) -> str:
        return re.sub(r"\s+", " ", " ".join(self.texts)).replace("\u202f", " ")


def page_of(check: Check, **more: object) -> Page:
    return Page(draw(check, **more))  # type: ignore[arg-type]


# --- One file, whole, harmless ---


@pytest.mark.parametrize("make", CHECKS)
@pytest.mark.parametrize("show_values", ["never", "levels", "all"])
def test_a_page_is_whole_and_needs_nothing_else(
    make: Callable[[], Check], show_values: str
) -> None:
    check = make()
    html = draw(check, history=fixtures.history(check, 5), show_values=show_values)
    page = Page(html)
    assert "script" not in page.tags
    assert not {"img", "iframe", "object", "embed", "form", "base"} & set(page.tags)
    assert not [name for _, name, _ in page.attributes if name.startswith("on")]
    links = page.values("href") + page.values("src")
    assert all(link.startswith(("#v-", "data:,")) for link in links)
    assert "@import" not in html
    assert "url(" not in html
    ids = page.values("id")
    assert len(ids) == len(set(ids))
    assert {link[1:] for link in links if link.startswith("#")} <= set(ids)
    assert not re.search("nan|inf(?!orm)", " ".join(page.values("d") + page.values("width")))
    html.encode("utf-8")


def test_no_name_becomes_markup_or_a_template() -> None:
    html = draw(fixtures.hostile(), history=fixtures.history(fixtures.hostile(), 3))
    for attack in ("<script", "<img", "<h1>alert", "</style></svg>"):
        assert attack not in html
    assert "{{ 7*7 }}" in html
    assert not re.search("[\x00-\x08\x0b\x0e-\x1f\x7f\u202a-\u202e\ud800-\udfff]", html)
    assert "default-src 'none'" in html


def test_the_same_check_makes_the_same_page() -> None:
    assert draw(fixtures.drifted()) == draw(fixtures.drifted())


@pytest.mark.parametrize(("columns", "most_bytes"), [(1, 30_000), (50, 300_000), (1000, 3_000_000)])
def test_a_page_stays_small(columns: int, most_bytes: int) -> None:
    check = fixtures.wide(columns)
    assert len(draw(check, history=fixtures.history(check)).encode()) < most_bytes


def test_a_thousand_drifted_columns_stay_small_too() -> None:
    check = fixtures.wide(1000)
    columns = tuple(replace(c, verdict=Verdict.DRIFTED) for c in check.columns)
    page = draw(replace(check, columns=columns))
    assert len(page.encode()) < 3_000_000
    assert "900 more that drifted or are watched" in page


# --- What it says, in which order ---


def test_the_page_tells_its_story_in_order() -> None:
    check = fixtures.drifted()
    page = page_of(
        check, history=fixtures.history(check), sent=["slack: episode.opened"], explorer="e.html"
    )
    parts = [
        "Drifted:",
        "car_value is 62 % higher",
        "Sun 31 Mar 2019 00:00–24:00 UTC",
        "10 000 against 50 000 in training",
        "drifted for 5 checks, since Wed 27 Mar 2019",
        "9f31c07ad2b5",
        "slack: episode.opened",
        "Why",
        "training mean 30.1 k",
        "2 more causes below",
        "Since when",
        "Of 31 checks: 25 passed, 5 drifted, 1 undecided.",
        "Columns",
        "5 of 10 compared columns drifted",
        "PSI 1.81 [1.68, 1.95]",
        "loan_length",
        "1 column could not be decided",
        "needs about 120 rows",
        "4 columns unchanged",
        "1 column not compared",
        "Expectations",
        "failed",
        "20 other expectations passed.",
        "Data set",
        "Any change at all? p < 0.001",
        "promo_code",
        "How it was made",
        "monitor check car_loan --at 2019-03-31 --again",
        '"alpha": 0.01',
    ]
    text, at = page.text.replace(" :", ":"), 0
    for part in parts:
        found = text.find(part, at)
        assert found >= 0, f"{part!r} is not where it should be"
        at = found
    assert "./e.html" in page.values("href")


def test_the_verdict_is_said_once_before_the_sentence() -> None:
    html = draw(fixtures.drifted())
    heading = Page(re.search("<h1>.*?</h1>", html, re.S)[0]).text  # type: ignore[index]
    assert heading.strip().startswith("Drifted: car_value is 62 %")
    other = draw(replace(fixtures.drifted(), headline="Note: all is well"))
    assert "Note: all is well</h1>" in other


def test_every_state_has_a_shape_and_a_word() -> None:
    html = draw(fixtures.violated(), history=fixtures.history(fixtures.violated()))
    page = Page(html)
    for state in Verdict:
        assert f"v-{state}" in page.values("id")
    for word in ("violated", "drifted", "watch", "undecided"):
        assert f"#v-{word}" in page.values("href")
        assert word in page.text


def test_broken_expectations_come_before_drift() -> None:
    html = draw(fixtures.violated())
    why = html[html.index(">Why<") : html.index('id="columns"')]
    page = Page(why[why.index("<div") : why.rindex("<p ")])
    assert "car_value" not in page.text
    assert page.text.index("age") < page.text.index("region") < page.text.index("loan_length")
    assert "1 more expectation failed too." in page.text
    assert "found 61.2" in page.text
    assert "expected 36 to 48" in page.text
    assert "34 % of rows (3 400)" in page.text


def test_freshness_and_volume_are_causes_with_pictures() -> None:
    check = replace(fixtures.violated(), expectations=None)
    page = page_of(check)
    assert "Freshness" in page.text
    assert "expected at most 2 h" in page.text
    assert "found 5 h" in page.text
    html = draw(check)
    found = html[html.index('<section id="dataset"') :]
    entry = found[found.index("<b>freshness</b>") :]
    assert 'class="n"' not in entry[: entry.index("</li>")]  # its sentence has every figure
    empty = fixtures.empty()
    told = page_of(empty, history=fixtures.history(fixtures.drifted(), 5)).text
    assert "0 rows; the last 5 checks saw 10 000 in the middle" in told


def test_an_expectation_that_could_not_be_evaluated_is_no_failure() -> None:
    text = page_of(fixtures.violated()).text
    assert "could not be evaluated · warning" in text
    assert "expected regex ([a-z" in text


def test_a_passed_check_says_what_came_closest() -> None:
    text = page_of(fixtures.passed()).text
    assert "Passed:" in text
    assert "Closest to the tolerance" in text
    assert "None of 4 compared columns drifted." in text
    assert "All 20 expectations passed." in text


def test_an_empty_window_is_not_a_pass() -> None:
    page = page_of(fixtures.empty(), history=fixtures.history(fixtures.drifted(), drift_from=30))
    assert "Undecided:" in page.text
    assert "11 columns could not be decided" in page.text
    assert "unchanged" not in page.text
    assert "new: the check before said passed" in page.text


def test_a_bare_comparison_speaks_of_a_reference_not_of_training() -> None:
    check = replace(fixtures.bare(), headline="Drifted: `car_value`")
    text = page_of(check).text
    assert "Comparison of two data sets" in text
    assert "reference mean 30.1 k" in text
    assert "Expectations" not in text
    assert "Window" not in text
    assert "Since when" not in text


def test_a_check_says_how_to_make_it_again() -> None:
    check = replace(fixtures.drifted(), setup={}, monitor="car loan")
    text = page_of(check).text
    assert "monitor backfill 'car loan' --from 2019-03-31T00:00:00+00:00 --to 2019-04-01T" in text


def test_times_are_told_in_the_zone_of_the_monitor() -> None:
    check = replace(fixtures.drifted(), setup={"timezone": "Europe/Berlin"})
    assert "Sun 31 Mar 01:00 – Mon 1 Apr 2019 02:00 CET/CEST" in page_of(check).text
    unknown = replace(fixtures.drifted(), setup={"timezone": "../etc/passwd"})
    assert "00:00–24:00 UTC" in page_of(unknown).text


@pytest.mark.parametrize(
    ("location", "link"),
    [
        ("https://monitor.example/x.html", "https://monitor.example/x.html"),
        ("/srv/reports/a b.html", "./a%20b.html"),
        ("C:\\reports\\a.html", "./a.html"),
        ("javascript:alert(1)", "./javascript%3Aalert%281%29"),
    ],
)
def test_a_link_leads_to_a_page_or_to_a_neighbour(location: str, link: str) -> None:
    assert link in page_of(fixtures.drifted(), explorer=location).values("href")


# --- What may be shown ---


def test_values_that_may_not_be_shown_are_not() -> None:
    check = replace(fixtures.violated(), headline="Violated", notices=())
    levels = ("20k-40k", "60k-80k", "abroad", "centre")
    hidden = page_of(check, show_values="never").text
    for value in (*levels, "expected value set north"):
        assert value not in hidden
    assert "level 2" in hidden
    assert "1 level new" in hidden
    assert "expected value set 4 values" in hidden
    shown = page_of(check, show_values="levels").text
    assert all(value in shown for value in levels)


# --- Pictures ---


def column(**more: object) -> ColumnResult:
    given: dict[str, object] = {"name": "c", "kind": Kind.CATEGORY, "verdict": Verdict.DRIFTED}
    return ColumnResult(reason="", **{**given, **more})  # type: ignore[arg-type]


def with_columns(*columns: ColumnResult) -> Check:
    return replace(fixtures.drifted(), columns=columns, expectations=None, notices=())


def test_many_levels_are_gathered_and_the_new_one_is_named() -> None:
    text = page_of(fixtures.sixty_levels()).text
    assert "56 more" in text
    assert "new: brand new one" in text


def test_the_remainder_of_a_shape_counts_as_many_levels() -> None:
    levels = (*(f"l{i}" for i in range(12)), "30 other levels")
    shape = Shape((0.05,) * 12 + (0.4,), (0.05,) * 12 + (0.4,), (), levels)
    text = page_of(with_columns(column(shape=shape))).text
    assert "37 more" in text
    assert "30 other levels" not in text


def test_both_sides_are_drawn_on_one_axis() -> None:
    shape = Shape((0.5, 0.5, 0.0), (0.0, 0.25, 0.75), (0.0, 1.0, 2.0, 3.0))
    check = with_columns(column(kind=Kind.NUMBER, shape=shape, statistics={"max": (2.5, 9.0)}))
    page = page_of(check)
    assert "≥ 3" in page.text
    assert "≤ 0" not in page.text
    assert "M0 100V36h1h1V100h1V100Z" in page.values("d")
    assert "M0 100h1V68h1V4h1V100" in page.values("d")


def test_whole_number_bars_are_labelled_with_whole_numbers() -> None:
    shape = Shape((0.5, 0.5), (0.4, 0.6), (0.5, 1.5, 2.5))
    text = page_of(with_columns(column(kind=Kind.NUMBER, shape=shape))).text
    assert "0.5" not in text[text.index("Columns") : text.index("Data set")]


def test_missing_values_that_came_are_drawn() -> None:
    check = with_columns(
        column(shape=Shape((1.0,), (1.0,), (), ("a",)), missing_reference=0.0, missing_current=0.3)
    )
    assert page_of(check).text.count("missing") >= 3


def test_notices_and_samples_are_told() -> None:
    check = replace(
        fixtures.drifted(),
        notices=(Notice("column_new", "`x` is new"),),
        sample=SampleInfo(1000, 230_000, "reservoir", 7),
    )
    text = page_of(check).text
    assert "column new x is new" in text
    assert "random sample of 1 000 out of 230 000, seed 7" in text
