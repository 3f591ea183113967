"""Evidently's page of a window: made offline, of any column, and safe to open."""

import re
import socket
from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from monitor.core.records import SampleInfo
from monitor.errors import CouldNotLook
from monitor.explorers.evidently import EvidentlyExplorer
from monitor.ports import Sample
from monitor.tables.columns import to_sample

RNG = np.random.default_rng(3)
KINDS = {"income": "number", "region": "category"}


def sample(columns: Mapping[str, Any]) -> Sample:
    table = pa.table(dict(columns))
    return to_sample(table, SampleInfo(table.num_rows, table.num_rows, "all"))


def two_columns(rows: int, mean: float) -> dict[str, Any]:
    return {
        "income": RNG.normal(mean, 1, rows),
        "region": RNG.choice(["north", "south"], rows).tolist(),
    }


def page(
    extra_reference: Mapping[str, Any], extra_current: Mapping[str, Any], kinds: Mapping[str, str]
) -> str:
    """A page of two sound columns and something else; 100 rows a side."""
    return EvidentlyExplorer().explore(
        sample({**two_columns(100, 0), **extra_reference}),
        sample({**two_columns(100, 1), **extra_current}),
        {**KINDS, **kinds},
    )


def note(html: str) -> str:
    found = re.search(r"<p [^>]*>(For digging.*?)</p>", html)
    assert found
    return found[1]


def drawn(html: str) -> set[str]:
    return set(re.findall(r'"column_name": "([^"]+)"', html))


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Every attempt to reach anything over a socket."""
    tried: list[Any] = []

    def refuse(_: socket.socket, address: Any) -> None:
        tried.append(address)
        raise OSError("no network here")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **_: refuse(None, args))  # type: ignore[arg-type]
    return tried


def test_a_page_is_one_file_and_needs_no_network(offline: list[Any]) -> None:
    html = EvidentlyExplorer().explore(
        sample(two_columns(5000, 0)), sample(two_columns(500, 1)), KINDS
    )
    assert drawn(html) == {"income", "region"}
    assert not offline
    assert html.startswith("<!DOCTYPE html>")
    assert not re.search(r"<(script|img|iframe)[^>]+src\s*=\s*[\"']?(https?:)?//", html)
    assert not re.search(r"<link\b[^>]*href|@import\s|url\(\s*[\"']?(https?:)?//", html)


def test_the_page_says_that_it_decides_nothing() -> None:
    assert "the verdict stands in the report" in note(page({}, {}, {}))


def test_times_ids_and_texts_are_left_out_and_named() -> None:
    extra = {
        "key": [f"K{n}" for n in range(100)],
        "at": np.datetime64("2026-01-05", "s") + np.arange(100),
        "comment": [f"the {n}th thing to say" for n in range(100)],
    }
    html = page(extra, extra, {"key": "id", "at": "time", "comment": "text"})
    assert "Not shown: key, at, comment." in note(html)
    assert "the 7th thing" not in html
    assert "K17" not in html


@pytest.mark.parametrize(
    ("reference", "current", "kind"),
    [
        (np.full(100, np.nan), np.arange(100.0), "number"),
        (np.arange(100.0), np.full(100, np.nan), "number"),
        (np.full(100, np.inf), np.arange(100.0), "number"),
        ([None] * 100, ["a"] * 100, "category"),
        (np.arange(100.0), ["nothing"] * 100, "number"),
        ([[1]] * 100, [[1]] * 100, "category"),
        # Evidently cannot draw a histogram between numbers this far apart.
        (np.tile([1e308, -1e308], 50), np.tile([1e308, -1e308], 50), "number"),
    ],
    ids=["empty before", "empty now", "infinite", "no level", "no numbers", "nested", "too far"],
)
def test_a_column_that_cannot_be_shown_leaves_the_others(
    reference: Any, current: Any, kind: str
) -> None:
    html = page({"odd": reference}, {"odd": current}, {"odd": kind})
    assert drawn(html) == {"income", "region"}
    assert "Not shown: odd." in note(html)


def test_a_column_absent_on_one_side_is_named() -> None:
    html = page({"gone": np.arange(100)}, {}, {"gone": "number"})
    assert "Not shown: gone." in note(html)


@pytest.mark.parametrize(
    ("reference", "current", "kind"),
    [
        ([0, 1] * 50, [0.0, 1.0] * 50, "category"),
        ([0, 1] * 50, ["0", "1"] * 50, "category"),
        ([True, False] * 50, [1, 0] * 50, "boolean"),
    ],
    ids=["float", "text", "boolean"],
)
def test_a_retyped_column_has_not_drifted(reference: Any, current: Any, kind: str) -> None:
    html = page({"x": reference}, {"x": current}, {"x": kind})
    row = re.search(r'"column_name": "x".*?"data_drift": "([^"]+)"', html)
    assert row
    assert row[1] == "Not Detected"


def test_nothing_to_show_is_said() -> None:
    nothing = sample({"income": np.full(10, np.nan)})
    with pytest.raises(CouldNotLook, match="no column has values on both sides"):
        EvidentlyExplorer().explore(nothing, nothing, {"income": "number"})


def test_a_script_in_the_data_stays_text() -> None:
    attack = "</script><script>alert(1)</script>"
    levels = [attack, "plain"] * 50
    html = page({attack: levels, "x": levels}, {attack: levels, "x": levels}, {
        attack: "category", "x": "category", "<b>": "number",
    })  # fmt: skip
    assert "<script>alert(1)" not in html
    assert "Not shown: &lt;b&gt;." in note(html)


def test_at_most_so_many_values_fixed_by_the_seed() -> None:
    columns = two_columns(3000, 0)
    explorer = EvidentlyExplorer(rows=50, seed=1)
    both = sample(columns), sample(columns)

    def plotted(html: str) -> list[str]:
        return re.findall(r'"x": \[[^\]]*\]', html)

    first = explorer.explore(*both, KINDS)
    assert plotted(first) == plotted(explorer.explore(*both, KINDS))
    assert plotted(first) != plotted(EvidentlyExplorer(rows=50, seed=2).explore(*both, KINDS))


def test_rare_levels_share_a_bar() -> None:
    many = [f"level {n}" for n in range(1000)]
    odd = {"postcode": [*many, *["common"] * 1000]}
    html = EvidentlyExplorer().explore(sample(odd), sample(odd), {"postcode": "category"})
    assert "(all others)" in html
    assert "common" in html
    assert "level 999" not in html
