"""A slice held against rows that had no say in choosing it, and the sentence that tells of it."""

from collections.abc import Sequence
from dataclasses import dataclass

from monitor.core.columns import Column
from monitor.core.comparison import Plan
from monitor.core.laws.proportions import change_p
from monitor.core.numerals import number, share
from monitor.core.parts import where
from monitor.core.records import ColumnResult, Slice, Verdict
from monitor.core.slices.scores import Rows
from monitor.core.slices.within import Within
from monitor.core.verdict import deciding

MOVED = 0.02  # change of a slice's share of rows that is worth telling
_WITHIN = (Verdict.PASSED, Verdict.WATCH)


@dataclass(frozen=True, slots=True)
class Confirmed:
    """A slice that explains one column, with the figures that say so."""

    column: str
    where: str
    mix: bool  # its share of rows moved, not what is in it
    p_value: float  # corrected for the number of slices confirmed
    rows: tuple[int, int]  # in the slice (reference, window), of both halves
    shares: tuple[float, float]  # of all rows
    effects: str  # PSI 0.9 inside, 0.02 outside


@dataclass(frozen=True, slots=True, eq=False)
class Held:
    """One drifted column on both sides, a slice of its rows, and the rows that confirm."""

    sides: tuple[Column, Column]
    inside: Rows
    rows: Rows

    def share_p(self) -> float:
        """p of "the slice has the same share of rows on both sides"."""
        n, m = self.rows.sizes
        before, now = self.inside.among(self.rows).sizes
        return change_p(before, n, now, m) if 0 < before + now < n + m else 1.0


@dataclass(frozen=True, slots=True, eq=False)
class Confirming:
    """How slices are compared anew; both p-values are multiplied by the number that are `tried`."""

    within: Within
    tried: int

    def confirm(self, held: Held, slice_text: str) -> Confirmed | None:
        """The slice as the explanation of a column's drift; None when the rows do not bear it."""
        without = self._compare(held, held.inside.others())
        if without.verdict not in _WITHIN or without.strength > 1:
            return None
        inside = self._compare(held, held.inside)
        p_inside = 1.0 if inside.p_tolerance is None else inside.p_tolerance
        drifted, moved = min(1.0, self.tried * p_inside), min(1.0, self.tried * held.share_p())
        mix = drifted > self.within.plan.rule.alpha
        if mix and (moved > self.within.plan.rule.alpha or inside.verdict is Verdict.DRIFTED):
            return None
        before, now = held.inside.sizes
        return Confirmed(
            column=held.sides[0].name,
            where=slice_text,
            mix=mix,
            p_value=moved if mix else drifted,
            rows=(before, now),
            shares=(before / held.rows.reference.size, now / held.rows.current.size),
            effects=_effects(inside, without, self.within.plan),
        )

    def _compare(self, held: Held, part: Rows) -> ColumnResult:
        """The column in the confirming rows of a part."""
        part = part.among(held.rows)
        before, now = where(held.sides[0], part.reference), where(held.sides[1], part.current)
        [result] = self.within.compare(({before.name: before}, {now.name: now}))
        return result


def _effects(within: ColumnResult, without: ColumnResult, plan: Plan) -> str:
    """The same test inside and outside: the one that says most of the two."""
    inside, outside = (
        {f.test: f for f in deciding(side.findings) if f.effect is not None}
        for side in (within, without)
    )
    both = [test for test in outside if test in inside]
    if not outside:
        return "nothing to measure outside"
    if not both:
        test = max(outside, key=lambda t: outside[t].strength)
        return f"{plan.tests[test].SPEC.title} {number(outside[test].effect)} outside"
    test = max(both, key=lambda t: inside[t].strength)
    figures = number(inside[test].effect, 2), number(outside[test].effect, 2)
    return f"{plan.tests[test].SPEC.title} {figures[0]} inside, {figures[1]} outside"


# --- Words ---


def told(group: Sequence[Confirmed], versus: str, looked_at: str) -> Slice:
    """One slice and all the columns it explains."""
    first = group[0]
    names = [f"`{c.column}`" for c in group]
    listed = names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
    effects = first.effects if len(group) == 1 else f"{names[0]} {first.effects}"
    after = f" ({looked_at})" if looked_at else ""
    return Slice(
        where=first.where,
        rows_reference=first.rows[0],
        rows_current=first.rows[1],
        verdict=Verdict.DRIFTED,
        reason=f"{listed} {_how(first, versus)}: {effects}{after}",
        p_value=max(c.p_value for c in group),
        columns=tuple(c.column for c in group),
        mix=first.mix,
    )


def _how(found: Confirmed, versus: str) -> str:
    before, now = (share(s) for s in found.shares)
    if found.mix:
        return f"drifted with the share of rows with {found.where} ({before} → {now})"
    moved = abs(found.shares[1] - found.shares[0]) >= MOVED
    then = f", {before} {versus}" if moved else ""
    return f"drifted only in rows with {found.where} ({now} of rows{then})"
