"""Where in the rows: segments that tell more than the whole does, and those that are folded."""

from collections.abc import Sequence

from monitor.core.records import Check, Slice, Verdict
from monitor.core.verdict import beyond_whole
from monitor.reports import words

_FOLDED = {
    Verdict.DRIFTED: "drifted as the whole did",
    Verdict.WATCH: "watched",
    Verdict.UNDECIDED: "could not be decided",
    Verdict.PASSED: "passed",
}


def shown(check: Check) -> list[Slice]:
    """Segments in which more drifted than in the whole, the most certain first."""
    return beyond_whole(check.columns, check.segments)


def folded(check: Check) -> list[Slice]:
    """The other segments, drifted ones first."""
    told, order = shown(check), list(_FOLDED)
    quiet = [s for s in check.segments if s not in told]
    return sorted(quiet, key=lambda s: order.index(s.verdict))


def fold_title(segments: Sequence[Slice]) -> str:
    """What is folded: 12 segments: 3 could not be decided, 9 passed."""
    states = [s.verdict for s in segments]
    many = words.plural(len(states), "segment")
    told = [f"{states.count(v)} {what}" for v, what in _FOLDED.items() if v in states]
    return f"{many}: {', '.join(told)}" if len(told) > 1 else f"{many} {_FOLDED[states[0]]}"
