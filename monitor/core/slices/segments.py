"""SEGMENTS: the same comparison within the rows of each value of the columns a user named.

1. Each named column cuts both sides into segments: a level, a quarter of the reference's numbers.
2. Within a segment every other column is compared by the same plan, kinds as in the whole.
3. All segments × columns are one family of their own for the control of false discoveries.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from monitor.core.columns import COMPARED_KINDS, Column, Kind
from monitor.core.comparison import Plan, kind_of
from monitor.core.headline import change_in_words
from monitor.core.numerals import count
from monitor.core.parts import CUTTING, Parts, cut, largest, where
from monitor.core.records import ColumnResult, Slice, Verdict
from monitor.core.slices.within import Sides, Within
from monitor.core.verdict import judge_columns
from monitor.core.words import plural

MOST = 20  # segments of one column; the last one holds the others
FAMILIES = 2  # the columns of the whole, and those of the segments
_APART = "\0"  # between the number of a segment and the name of a column


@dataclass(frozen=True, slots=True)
class _Segment:
    """One segment and what was found in it, before all of them are judged together."""

    where: str
    rows: tuple[int, int]  # (reference, window)
    columns: tuple[ColumnResult, ...] = ()
    reason: str = ""  # why nothing was compared


def share_alpha(plan: Plan) -> Plan:
    """The plan of either family when segments are looked at too: alpha is split between them.

    A check is drifted when either family says so, so both at the full alpha would cry wolf twice
    as often. Classical rules are used exactly as written.
    """
    return replace(plan, rule=replace(plan.rule, alpha=plan.rule.alpha / FAMILIES))


def compare_segments(
    reference: Mapping[str, Column],
    current: Mapping[str, Column],
    within: Within,
    columns: Sequence[str],
) -> tuple[Slice, ...]:
    """One slice per segment of each of `columns`, judged together; the plan has its share of alpha.

    A segment without rows on one side is `undecided` and says whether it is new or gone.
    """
    if not columns:
        return ()
    kinds = {name: kind_of(column, within.plan)[0] for name, column in reference.items()}
    within = within.frozen(kinds)
    found = [s for name in columns for s in _safely(name, (reference, current), within)]
    return _judged(found, within)


def _safely(name: str, sides: Sides, within: Within) -> list[_Segment]:
    """What breaks in the segments of one column ends no check: it is told here."""
    try:
        return _segments_of(name, sides, within)
    except Exception as error:
        reason = f"its segments could not be compared ({type(error).__name__}: {error})"
        return [_Segment(f"`{name}`", (0, 0), reason=reason[:300])]


def _segments_of(name: str, sides: Sides, within: Within) -> list[_Segment]:
    (reference, current), plan = sides, within.plan
    if obstacle := _obstacle(name, reference, current, plan.kinds):
        return [_Segment(f"`{name}`", (0, 0), reason=obstacle)]
    parts = cut(reference[name], current[name], plan.kinds[name], names=plan.names)
    parts = largest(parts, MOST)
    others = _others(name, reference, plan), _others(name, current, plan)
    sizes = zip(*(side.tolist() for side in parts.sizes), strict=True)
    return [
        _compared(parts.texts[place], rows, _rows_of(parts, place, others), within)
        for place, rows in enumerate(sizes)
        if any(rows)
    ]


def _obstacle(
    name: str,
    reference: Mapping[str, Column],
    current: Mapping[str, Column],
    kinds: Mapping[str, Kind],
) -> str:
    for side, told in ((reference, "the reference"), (current, "the window")):
        if name not in side:
            return f"no segments: {told} has no column `{name}`"
        if side[name].problem:
            return f"no segments: {side[name].problem}"
    if kinds[name] not in CUTTING:
        return f"no segments: `{name}` is a column of the kind {kinds[name]}"
    return ""


def _others(name: str, side: Mapping[str, Column], plan: Plan) -> dict[str, Column]:
    """What is compared within a segment: all that is compared, but the column that cuts."""
    return {
        other: column
        for other, column in side.items()
        if other != name and plan.wants(other) and plan.kinds.get(other) in COMPARED_KINDS
    }


def _rows_of(parts: Parts, place: int, sides: Sides) -> Sides:
    """The columns of both sides in the rows of one part."""
    before, now = (
        {name: where(column, mask) for name, column in side.items()}
        for side, mask in zip(
            sides, (parts.reference == place, parts.current == place), strict=True
        )
    )
    return before, now


def _compared(text: str, rows: tuple[int, int], sides: Sides, within: Within) -> _Segment:
    if not all(rows):
        return _Segment(text, rows, reason=_one_sided(*rows, within.versus))
    return _Segment(text, rows, within.compare(sides))


def _one_sided(reference: int, current: int, versus: str) -> str:
    if reference:
        return f"gone: {count(reference)} rows {versus}, none in the window"
    return f"new: {count(current)} rows in the window, none {versus}"


# --- Judging ---


def _judged(segments: Sequence[_Segment], within: Within) -> tuple[Slice, ...]:
    """All segments × columns as one family."""
    family = [
        replace(column, name=f"{place}{_APART}{column.name}")
        for place, segment in enumerate(segments)
        for column in segment.columns
    ]
    adjusted = _adjusted(family)
    judged: list[list[ColumnResult]] = [[] for _ in segments]
    chances: list[list[float]] = [[] for _ in segments]
    for column in judge_columns(family, within.plan.rule):
        place, _, name = column.name.partition(_APART)
        judged[int(place)].append(replace(column, name=name))
        if column.name in adjusted:
            chances[int(place)].append(adjusted[column.name])
    return tuple(
        _slice(segment, columns, min(p, default=None), within)
        for segment, columns, p in zip(segments, judged, chances, strict=True)
    )


def _adjusted(family: Sequence[ColumnResult]) -> dict[str, float]:
    """p_tolerance of each column after weighted Benjamini–Hochberg: the alpha that rejects it."""
    tested = [c for c in family if c.p_tolerance is not None]
    mean = sum(c.importance for c in tested) / max(1, len(tested))
    weighted = np.array([(c.p_tolerance or 0.0) * mean / c.importance for c in tested])
    order = np.argsort(weighted)
    raised = weighted[order] * len(tested) / np.arange(1, len(tested) + 1)
    least = np.minimum.accumulate(raised[::-1])[::-1].clip(max=1.0)
    return {tested[i].name: p for i, p in zip(order.tolist(), least.tolist(), strict=True)}


def _slice(
    segment: _Segment, columns: Sequence[ColumnResult], p_value: float | None, within: Within
) -> Slice:
    verdict, reason = _told(segment, columns, within)
    drifted = [c for c in columns if c.verdict is Verdict.DRIFTED]
    return Slice(
        where=segment.where,
        rows_reference=segment.rows[0],
        rows_current=segment.rows[1],
        verdict=verdict,
        reason=reason,
        p_value=p_value,
        columns=tuple(c.name for c in sorted(drifted, key=lambda c: -c.weight)),
    )


def _told(
    segment: _Segment, columns: Sequence[ColumnResult], within: Within
) -> tuple[Verdict, str]:
    """The worst that was found in a segment and the sentence that says it."""
    if not columns:
        return Verdict.UNDECIDED, segment.reason or "there is no column that can be compared"
    by_verdict = {v: [c for c in columns if c.verdict is v] for v in Verdict}
    if drifted := by_verdict[Verdict.DRIFTED]:
        first = max(drifted, key=lambda c: c.weight)
        more = f"; {plural(len(drifted) - 1, 'other column')} drifted" if len(drifted) > 1 else ""
        words = change_in_words(first, names=within.plan.names, versus=within.versus)
        return Verdict.DRIFTED, f"`{first.name}` {words}{more}"
    undecided = by_verdict[Verdict.UNDECIDED]
    if len(undecided) == len(columns):
        return Verdict.UNDECIDED, undecided[0].reason
    left = f"; {plural(len(undecided), 'column')} undecided" if undecided else ""
    if watched := by_verdict[Verdict.WATCH]:
        return Verdict.WATCH, f"`{watched[0].name}`: {watched[0].reason}{left}"
    alike = plural(len(columns) - len(undecided), "column")
    return Verdict.PASSED, f"{alike} as {within.versus}{left}"
