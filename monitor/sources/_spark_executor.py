"""What runs on the executors: Arrow batches of rows → summaries, and those → merged ones.

Executors need the core, numpy and pyarrow; nothing of Spark is imported here. Summaries travel as
bytes in the versioned form of `core/summaries/binary.py`, a few columns a row.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pyarrow as pa

from monitor.core.columns import Column, Kind
from monitor.core.summaries.binary import from_bytes, to_bytes
from monitor.core.summaries.collecting import LevelCollector, NumberCollector
from monitor.core.summaries.merging import merge
from monitor.core.summaries.summary import Cut, Summary
from monitor.tables.columns import to_piece

ROWS = "part int, content binary"  # of what travels; a part is a group of columns
PIECE_ROWS, PIECE_BYTES = 2**17, 2**25  # that are worked on together
HELD_NUMBERS = 2**25, 2**16, 2**20  # of a task: of all columns, and of each at least and at most
POINTS = 2**14  # that stand for the numbers of a column
FAN_IN = 16  # summaries of numbers that are merged at once, so that few errors add up
_EXPECTED = 2**14  # rows, for a start

_NUMERIC = (Kind.NUMBER, Kind.TEXT)


@dataclass(frozen=True, slots=True)
class Wanted:
    """One column seen as one kind."""

    key: str  # by which the driver knows it
    part: int
    place: int  # of the column in the batches
    kind: Kind
    cuts: tuple[Cut, ...] = ()  # below which rows are counted exactly
    levels: frozenset[str] = frozenset()  # whose counts stay exact


def summarize_rows(
    wanted: Sequence[Wanted], batches: Iterable[pa.RecordBatch]
) -> Iterator[pa.RecordBatch]:
    """The rows of one partition → one row of summaries a part."""
    collectors = [_collector(each, len(wanted)) for each in wanted]
    for table in _pieces(batches):
        seen: dict[int, Column] = {}
        for each, collector in zip(wanted, collectors, strict=True):
            if each.place not in seen:
                seen[each.place] = to_piece(each.key, table.column(each.place))
            collector.add(seen[each.place], each.kind)
    found = {
        each.key: _to_send(each, collector.done())
        for each, collector in zip(wanted, collectors, strict=True)
    }
    yield from _rows(wanted, found)


def merge_summaries(
    wanted: Sequence[Wanted], batches: Iterable[pa.RecordBatch]
) -> Iterator[pa.RecordBatch]:
    """Rows of summaries of some parts → one row a part."""
    mergers: dict[str, _Merger] = {}
    known = {each.key: each for each in wanted}
    for batch in batches:
        for content in batch.column(1):
            for key, (_, summary) in from_bytes(content.as_py()).items():
                mergers.setdefault(key, _Merger(known[key])).add(summary)
    yield from _rows(wanted, {key: merger.done() for key, merger in mergers.items()})


def _collector(each: Wanted, columns: int) -> NumberCollector | LevelCollector:
    if each.kind not in _NUMERIC:
        return LevelCollector(each.levels)
    whole, least, most = HELD_NUMBERS
    held = min(most, max(least, whole // columns))
    return NumberCollector(_EXPECTED, each.cuts, most=held, points=POINTS)


def _to_send(each: Wanted, summary: Summary) -> Summary:
    """No more numbers than points; before they go, the rows below the cuts that were asked for."""
    if each.kind not in _NUMERIC:
        return summary
    if each.cuts and not summary.rank_error:
        rows = summary.up_to(each.cuts).tolist()
        summary = replace(summary, below=dict(zip(each.cuts, rows, strict=True)))
    kept = summary.condensed(POINTS)
    return kept if each.cuts else replace(kept, below={})


def _pieces(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.Table]:
    """Batches joined to pieces that are worth the while."""
    held: list[pa.RecordBatch] = []
    rows = size = 0
    for batch in batches:
        held.append(batch)
        rows, size = rows + batch.num_rows, size + batch.nbytes
        if rows >= PIECE_ROWS or size >= PIECE_BYTES:
            yield pa.Table.from_batches(held)
            held, rows, size = [], 0, 0
    if rows:
        yield pa.Table.from_batches(held)


def _rows(wanted: Sequence[Wanted], found: dict[str, Summary]) -> Iterator[pa.RecordBatch]:
    parts: dict[int, dict[str, tuple[Kind, Summary]]] = {}
    for each in wanted:
        if each.key in found:
            parts.setdefault(each.part, {})[each.key] = each.kind, found[each.key]
    for part, summaries in parts.items():
        columns: list[Any] = [pa.array([part], pa.int32()), pa.array([to_bytes(summaries)])]
        yield pa.record_batch(columns, names=["part", "content"])


class _Merger:
    """Summaries of one column in any order → one; holds few of them, and merges like with like."""

    def __init__(self, each: Wanted) -> None:
        self._levels = each.levels
        self._cuts = each.cuts  # without any, those of some parts are not those of the whole
        self._fan_in = FAN_IN if each.kind in _NUMERIC else 2  # levels may be many
        self._tiers: list[list[Summary]] = []

    def add(self, part: Summary, tier: int = 0) -> None:
        if tier == len(self._tiers):
            self._tiers.append([])
        held = self._tiers[tier]
        held.append(part)
        if len(held) == self._fan_in:
            merged = self._merge(held)
            held.clear()
            self.add(merged if self._cuts else replace(merged, below={}), tier + 1)

    def done(self) -> Summary:
        return self._merge([part for tier in self._tiers for part in tier])

    def _merge(self, parts: Sequence[Summary]) -> Summary:
        if len(parts) == 1:
            return parts[0]
        return merge(parts, points=POINTS, kept=self._levels)
