"""WHERE: the part of the rows that explains why a column drifted; searched, then confirmed.

1. For up to three drifted columns, the main causes; without drift nothing is searched.
2. The rows of both sides are split at random: one half is searched, the other one confirms.
3. Searched are levels of other columns and quarters of their numbers, then pairs of the best: a
   slice explains a column when most of its drift disappears without the rows of the slice.
4. The few best are compared anew on rows that had no say in choosing them. A slice is reported
   when the column is within its tolerance without it, and either drifted in it or its share of
   rows moved; the p-values of both are corrected for the number of slices confirmed.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import reduce

import numpy as np

from monitor.core.columns import Column, Flags, Kind
from monitor.core.numerals import count
from monitor.core.parts import CUTTING, Parts, by_length, cut, largest, where
from monitor.core.records import ColumnResult, Slice, Verdict
from monitor.core.slices.confirm import Confirmed, Confirming, Held, told
from monitor.core.slices.scores import (
    Rows,
    alike,
    explained,
    row_shares,
    table,
    totals,
    worth_naming,
    worth_parts,
)
from monitor.core.slices.within import Within

CAUSES = 3  # drifted columns that are explained
ROWS = 50_000  # looked at on each side
CANDIDATES = 500  # slices by one column
PARENTS, PARTNERS = 6, 80  # of which pairs are made
ENOUGH = 0.5  # share of the drift that must disappear
AS_GOOD = 0.15  # less than this more explained does not make up for a larger slice
PAIR = 1.5  # a pair must be this many times smaller than a single condition
CONFIRMED = 5  # slices that are compared anew


@dataclass(frozen=True, slots=True, eq=False)
class _Drawn:
    """The rows that are looked at, and which of them are searched; the others confirm."""

    reference: Mapping[str, Column]
    current: Mapping[str, Column]
    searched: Rows
    confirming: Rows
    all_rows: bool


@dataclass(frozen=True, slots=True)
class _Found:
    """A slice that explains a column on the searched half: conditions as (column, part)."""

    conditions: tuple[tuple[int, int], ...]
    explained: float
    rows_share: float


def search_slices(
    reference: Mapping[str, Column],
    current: Mapping[str, Column],
    within: Within,
    results: Sequence[ColumnResult],
    *,
    seed: int = 0,
    whole: bool = True,
) -> tuple[Slice, ...]:
    """The confirmed slices, at most one a drifted column; none without drift.

    `results` are what the comparison of all rows said. Of more than 50 000 rows a side a random
    sample is looked at, fixed by `seed`; `whole` is false when the rows are a sample already.
    """
    causes = _causes(results)
    if not causes:
        return ()
    drawn = _draw(reference, current, [c.name for c in results], seed)
    cuts = _cuts(drawn, results, names=within.plan.names)
    cells = {c.name: _cells(drawn, c) for c in causes if not _broken(drawn, c.name)}
    found = {name: _searched(drawn, cuts, tenths) for name, tenths in cells.items()}
    chosen = _most_telling(found)
    confirming = Confirming(within.frozen({c.name: c.kind for c in results}), len(chosen))
    confirmed = _confirmed(drawn, cuts, cells, chosen, confirming)
    return tuple(
        told(group, within.versus, _looked_at(drawn, whole=whole)) for group in _by_slice(confirmed)
    )


def _causes(results: Sequence[ColumnResult]) -> list[ColumnResult]:
    drifted = [c for c in results if c.verdict is Verdict.DRIFTED]
    return sorted(drifted, key=lambda c: -c.weight)[:CAUSES]


# --- Rows ---


def _draw(
    reference: Mapping[str, Column], current: Mapping[str, Column], names: Sequence[str], seed: int
) -> _Drawn:
    generator = np.random.default_rng(seed)
    before, searched_before = _draw_side(reference, names, generator)
    now, searched_now = _draw_side(current, names, generator)
    return _Drawn(
        before,
        now,
        Rows(searched_before, searched_now),
        Rows(~searched_before, ~searched_now),
        max(reference[names[0]].rows, current[names[0]].rows) <= ROWS,
    )


def _draw_side(
    side: Mapping[str, Column], names: Sequence[str], generator: np.random.Generator
) -> tuple[dict[str, Column], Flags]:
    """The columns in the rows that are looked at, and which half of these is searched."""
    rows = side[names[0]].rows
    half = np.zeros(min(rows, ROWS), dtype=np.bool_)
    half[generator.permutation(half.size)[: half.size // 2]] = True
    if rows <= ROWS:
        return {name: side[name] for name in names}, half
    kept = np.zeros(rows, dtype=np.bool_)
    kept[generator.permutation(rows)[:ROWS]] = True
    return {name: where(side[name], kept) for name in names}, half


def _looked_at(drawn: _Drawn, *, whole: bool) -> str:
    if whole and drawn.all_rows:
        return ""
    most = max(drawn.searched.reference.size, drawn.searched.current.size)
    return f"looked for in {count(most)} rows a side"


# --- Searching ---


def _cuts(drawn: _Drawn, results: Sequence[ColumnResult], *, names: bool) -> list[Parts]:
    """The candidates: each column in the parts worth naming.

    Numbers that drifted themselves are left out: whatever moved along with them would be explained
    by their own drift.
    """
    moved = {c.name for c in results if c.verdict is Verdict.DRIFTED and c.kind is Kind.NUMBER}
    cuts, left = [], CANDIDATES
    for column in results:
        if not left:
            break
        if column.kind not in CUTTING or column.name in moved or _broken(drawn, column.name):
            continue
        sides = drawn.reference[column.name], drawn.current[column.name]
        parts = worth_parts(cut(*sides, column.kind, names=names), drawn.searched)
        if 1 < len(parts.texts) <= left + 1:
            cuts.append(parts)
            left -= len(parts.texts) - 1
    return cuts


def _broken(drawn: _Drawn, name: str) -> bool:
    return bool(drawn.reference[name].problem or drawn.current[name].problem)


def _searched(drawn: _Drawn, cuts: Sequence[Parts], cells: Parts) -> list[_Found]:
    """The slices that explain one column on the searched half, the best first."""
    singles = _singles(cells, cuts, drawn.searched)
    return _ranked([*singles, *_pairs(cells, cuts, drawn.searched, singles)])


def _cells(drawn: _Drawn, cause: ColumnResult) -> Parts:
    """A drifted column in the cells whose shares are compared: tenths, or its levels."""
    before, now = drawn.reference[cause.name], drawn.current[cause.name]
    if cause.kind is Kind.TEXT:
        before, now = by_length(before), by_length(now)
    kind = Kind.NUMBER if cause.kind is Kind.TEXT else cause.kind
    return largest(cut(before, now, kind, pieces=10), 20)


def _singles(cells: Parts, cuts: Sequence[Parts], rows: Rows) -> list[_Found]:
    """Every part of every column that does not say the same as the drifted one."""
    found = []
    for at, parts in enumerate(cuts):
        counts = table(parts, cells, rows)
        if parts.column == cells.column or alike(counts[0]):
            continue
        gains = explained(counts, totals(cells, rows))
        shares = np.maximum(*row_shares(counts, rows.sizes))
        found += [
            _Found(((at, place),), float(gains[place]), float(shares[place]))
            for place in range(len(parts.texts) - 1)
        ]
    return found


def _pairs(
    cells: Parts, cuts: Sequence[Parts], rows: Rows, singles: Sequence[_Found]
) -> list[_Found]:
    """The best single conditions, each with the next best of other columns."""
    best = sorted(singles, key=lambda s: s.rows_share / 4 - s.explained)
    parents, partners = best[:PARENTS], {s.conditions[0] for s in best[:PARTNERS]}
    whole = totals(cells, rows)
    found = []
    for parent in parents:
        [(at, place)] = parent.conditions
        within = _within(cuts[at], place, rows)
        for other in sorted({index for index, _ in partners} - {at}):
            counts = table(cuts[other], cells, within)
            gains = explained(counts, whole)
            shares = row_shares(counts, rows.sizes)
            sizes, worth = np.maximum(*shares), worth_naming(shares)
            found += [
                _Found(tuple(sorted(((at, place), (other, part)))), float(gains[part]), size)
                for part, size in enumerate(sizes.tolist())
                if worth[part] and (other, part) in partners
            ]
    return found


def _within(parts: Parts, place: int, rows: Rows) -> Rows:
    return rows.among(Rows(parts.reference == place, parts.current == place))


def _ranked(found: Sequence[_Found]) -> list[_Found]:
    """Of those that explain about as much as the best one, the smaller and simpler come first."""
    enough = {f.conditions: f for f in found if f.explained >= ENOUGH}
    limit = max((f.explained for f in enough.values()), default=0.0) - AS_GOOD
    return sorted(
        (f for f in enough.values() if f.explained >= limit),
        key=lambda f: (f.rows_share * PAIR ** (len(f.conditions) - 1), f.conditions),
    )


# --- Confirming ---


def _most_telling(found: Mapping[str, Sequence[_Found]]) -> list[tuple[str, _Found]]:
    """(column, slice): the best slices of each column, at most five slices in all."""
    slices: dict[tuple[tuple[int, int], ...], None] = {}
    for rank in range(CONFIRMED):
        for ranked in found.values():
            if rank < len(ranked) and len(slices) < CONFIRMED:
                slices.setdefault(ranked[rank].conditions)
    return [(name, f) for name, ranked in found.items() for f in ranked if f.conditions in slices]


def _confirmed(
    drawn: _Drawn,
    cuts: Sequence[Parts],
    cells: Mapping[str, Parts],
    chosen: Sequence[tuple[str, _Found]],
    confirming: Confirming,
) -> list[Confirmed]:
    """The first slice of each column that holds on the other half."""
    kept: dict[str, Confirmed] = {}
    for name, found in chosen:
        slice_rows = _mask(cuts, found)
        if name in kept or not _explains(cells[name], slice_rows, drawn.confirming):
            continue
        held = Held((drawn.reference[name], drawn.current[name]), slice_rows, drawn.confirming)
        if result := confirming.confirm(held, _text(cuts, found)):
            kept[name] = result
    return list(kept.values())


def _explains(cells: Parts, inside: Rows, rows: Rows) -> bool:
    """Whether most of a column's drift among `rows` disappears without those inside."""
    gain = explained(totals(cells, inside.among(rows)), totals(cells, rows))
    return bool(gain >= ENOUGH)


def _text(cuts: Sequence[Parts], found: _Found) -> str:
    return " and ".join(cuts[at].texts[place] for at, place in found.conditions)


def _mask(cuts: Sequence[Parts], found: _Found) -> Rows:
    each = [
        Rows(cuts[at].reference == place, cuts[at].current == place)
        for at, place in found.conditions
    ]
    return reduce(Rows.among, each)


def _by_slice(confirmed: Sequence[Confirmed]) -> list[list[Confirmed]]:
    """Columns that are explained by the same slice in the same way are told together."""
    groups: dict[tuple[str, bool], list[Confirmed]] = {}
    for one in confirmed:
        groups.setdefault((one.where, one.mix), []).append(one)
    return list(groups.values())
