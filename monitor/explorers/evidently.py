"""Evidently's interactive drift page of a window: for digging, never for deciding.

Evidently is given what the comparison itself reads, column by column: the same kinds, the same
levels, 1 and 1.0 and "1" as one value. Nothing is left for it to guess. Rows are not kept
together across columns, because the page shows one column at a time.
"""

import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from monitor.core.columns import Column, Kind
from monitor.core.summaries.collecting import summarize
from monitor.core.summaries.summary import Summary
from monitor.errors import CouldNotLook
from monitor.ports import Sample

if TYPE_CHECKING:
    import pandas as pd

ROWS = 20_000  # a side
LEVELS = 40  # a bar each; what is rarer shares one
LETTERS = 60  # of a level
THRESHOLD = 0.1  # of PSI; only colours Evidently's own marks
_OTHERS = "(all others)"
_SHOWN = (Kind.NUMBER, Kind.CATEGORY, Kind.BOOLEAN)

_Values = NDArray[Any]


@dataclass(frozen=True, slots=True, eq=False)
class _Pair:
    """One column as the page shows it, on both sides."""

    name: str
    kind: Kind
    reference: _Values
    current: _Values


class EvidentlyExplorer:
    """Draws the page from at most `rows` values a column and side; `seed` fixes which."""

    def __init__(self, *, rows: int = ROWS, seed: int = 0) -> None:
        self._rows = rows
        self._seed = seed

    def explore(self, reference: Sample, current: Sample, kinds: Mapping[str, str]) -> str:
        """One HTML page that needs no network; raises CouldNotLook when there is nothing to show.

        Times, ids and texts are left out, and so is a column that is empty, unreadable or absent
        on one side, or that Evidently cannot draw: the others are shown, and the page says which
        are missing.
        """
        pairs = self._pairs(reference, current, kinds)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            page, shown = _draw(pairs)
        return _with_note(page, [name for name in kinds if name not in shown])

    def _pairs(self, reference: Sample, current: Sample, kinds: Mapping[str, str]) -> list[_Pair]:
        rng = np.random.default_rng(self._seed)
        pairs = []
        for name, text in kinds.items():
            sides = reference.columns.get(name), current.columns.get(name)
            if text not in _SHOWN or None in sides:
                continue
            before, now = (side.drawn() for side in sides if side is not None)
            if not _has_values(before) or not _has_values(now):
                continue
            pair = _read(name, Kind(text), before, now)
            shown = (_some(side, self._rows, rng) for side in (pair.reference, pair.current))
            pairs.append(_Pair(name, pair.kind, *shown))
        return [pair for pair in pairs if pair.reference.size and pair.current.size]


def _has_values(column: Column) -> bool:
    return not column.problem and column.missing < column.rows


def _read(name: str, kind: Kind, reference: Column, current: Column) -> _Pair:
    before = summarize(reference, kind)
    now = summarize(current, kind, before)
    if kind is Kind.NUMBER:
        return _Pair(name, kind, _finite(before), _finite(now))
    kept = _frequent(before, now)
    return _Pair(name, kind, _levels(before, kept), _levels(now, kept))


def _finite(summary: Summary) -> _Values:
    values = summary.values if summary.values is not None else np.empty(0)
    return values[np.isfinite(values)]


def _frequent(before: Summary, now: Summary) -> set[str]:
    """The levels that get a bar of their own: those with the largest share on either side."""

    def largest_share(level: str) -> float:
        return max(
            before.counts.get(level, 0) / max(before.present, 1),
            now.counts.get(level, 0) / max(now.present, 1),
        )

    levels = sorted({*before.counts, *now.counts})
    return set(sorted(levels, key=largest_share, reverse=True)[:LEVELS])


def _levels(summary: Summary, kept: set[str]) -> _Values:
    """One entry a row, in no particular order."""
    names = [_harmless(level)[:LETTERS] if level in kept else _OTHERS for level in summary.counts]
    return np.repeat(np.array(names, dtype=object), list(summary.counts.values()))


def _harmless(text: str) -> str:
    """Without "<": Evidently puts names and levels into a script of the page as they are.

    A row of production data could otherwise bring a script of its own.
    """
    return text.replace("<", "‹")


def _some(values: _Values, rows: int, rng: np.random.Generator) -> _Values:
    """At most `rows` of the values, shuffled: their order means nothing and must not show."""
    return rng.permutation(values)[:rows]


def _draw(pairs: Sequence[_Pair]) -> tuple[str, set[str]]:
    """The page and which columns are on it."""
    if not pairs:
        raise CouldNotLook("no column has values on both sides, so there is no page to draw")
    try:
        return _page(pairs), {pair.name for pair in pairs}
    except Exception:  # one column can end the whole run: find it, and draw without it
        good = [pair for pair in pairs if _can_be_drawn(pair)]
        if len(good) in (0, len(pairs)):
            raise
        return _page(good), {pair.name for pair in good}


def _can_be_drawn(pair: _Pair) -> bool:
    try:
        _page([pair])
    except Exception:
        return False
    return True


def _page(pairs: Sequence[_Pair]) -> str:
    from evidently import DataDefinition, Dataset, Report
    from evidently.presets import DataDriftPreset

    names = {pair.name: _harmless(pair.name) for pair in pairs}
    definition = DataDefinition(
        numerical_columns=[names[p.name] for p in pairs if p.kind is Kind.NUMBER],
        categorical_columns=[names[p.name] for p in pairs if p.kind is not Kind.NUMBER],
    )
    reference, current = (
        Dataset.from_pandas(_frame(side), data_definition=definition)
        for side in (
            {names[p.name]: p.reference for p in pairs},
            {names[p.name]: p.current for p in pairs},
        )
    )
    # PSI, like the default comparison: Evidently would otherwise choose by the number of rows. And
    # one column is enough: with its default, half of them, "NOT detected" would head this page.
    preset = DataDriftPreset(method="psi", threshold=THRESHOLD, drift_share=1 / len(pairs))
    snapshot = Report([preset]).run(current, reference)
    return str(snapshot.get_html_str(as_iframe=False)).lstrip()


def _frame(columns: Mapping[str, _Values]) -> "pd.DataFrame":
    """Side by side; shorter columns end in missing values, which Evidently drops."""
    import pandas as pd

    return pd.DataFrame({name: pd.Series(values) for name, values in columns.items()})


def _with_note(page: str, left_out: Iterable[str]) -> str:
    """Say on top what the page is, and what is not on it."""
    missing = ", ".join(escape(name) for name in left_out)
    note = (
        '<p style="font:14px sans-serif;margin:16px 24px">For digging: the marks below are '
        "Evidently's own and decide nothing; the verdict stands in the report."
        + (f" Not shown: {missing}." if missing else "")
        + "</p>"
    )
    head, body, rest = page.partition("<body>")
    return head + body + note + rest if body else note + page
