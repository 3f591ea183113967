"""What is kept of the columns of a window: small enough to be stored with every check.

Numbers are kept as points, and their rows below the cuts of the reference exactly, so two windows
that were held against one reference have the same cells and compare in them without any error.
Where values may not be shown, levels are kept as what they hash to.
"""

import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import replace

from monitor.core.columns import Kind
from monitor.core.summaries.binary import Kept, to_bytes
from monitor.core.summaries.merging import merge
from monitor.core.summaries.summary import Cut, Summary

POINTS = 2**10  # that stand for the numbers of a column; where there are fewer, all are kept
_HIDDEN = re.compile(r"sha256:[0-9a-f]{20}")
_BOOLEANS = frozenset({"true", "false"})  # the words of every boolean column hide nothing


class WindowSummaries:
    """Filled while columns are compared, so that nothing is read or summarized twice.

    Each column is cut down at once: the values of a window are not held longer than its comparison.
    """

    def __init__(self) -> None:
        self.kept: dict[str, tuple[Kind, Summary]] = {}

    def add(self, name: str, kind: Kind, summary: Summary, reference: Summary) -> None:
        """One column of the window; `reference` has the cuts. Columns may come from two threads."""
        self.kept[name] = kind, cut_down(summary, reference)


def cut_down(summary: Summary, reference: Summary) -> Summary:
    """At most POINTS points of numbers, with the rows below the cuts of the reference exactly.

    >>> import numpy as np
    >>> window, training = (Summary(9000, 0, np.arange(n, n + 9000.0)) for n in (500, 0))
    >>> kept = cut_down(window, training)
    >>> kept.values.size, kept.cuts == training.cuts, kept.up_to(training.cuts).tolist()[:2]
    (1024, True, [401, 1301])
    """
    kept = summary.condensed(POINTS, spared=1)
    if summary.values is None or summary.rank_error:  # what is exact of points is told with them
        return kept
    return replace(kept, below=_rows_below(summary, reference.cuts))


def added_up(parts: Sequence[Summary]) -> Summary:
    """One column of several windows; cells that all of them have stay exact.

    >>> import numpy as np
    >>> training = Summary(100, 0, np.arange(100.0))
    >>> hours = [cut_down(Summary(50, 0, np.arange(n, n + 50.0)), training) for n in (0, 50)]
    >>> added_up(hours).cuts == training.cuts, added_up(hours).rows
    (True, 100)
    """
    if len(parts) == 1:
        return parts[0]
    whole = merge(parts)
    if whole.values is None or whole.rank_error:
        return whole
    shared = sorted(set.intersection(*(set(part.below) for part in parts)))
    return replace(whole, below=_rows_below(whole, shared))


def _rows_below(exact: Summary, cuts: Sequence[Cut]) -> dict[Cut, int]:
    return dict(zip(cuts, exact.up_to(cuts).tolist(), strict=True))


def stored_form(kept: Kept, hide_with: str = "") -> bytes | None:
    """What is stored with a check; None where nothing was compared.

    `hide_with`, when given, is what levels are hashed with: see `without_levels`.
    """
    if not kept:
        return None
    return to_bytes(without_levels(kept, hide_with) if hide_with else kept)


# --- Levels that may not be shown ---


def without_levels(kept: Kept, secret: str) -> Kept:
    """The same with levels as hashes; `secret` makes those of two monitors differ.

    A hash is the same in every window, so windows still compare; and whoever holds it can try
    likely values, so it hides a level from the eye and not from somebody who searches.
    """
    return {name: (kind, hide(s, kind, f"{secret}\x1f{name}")) for name, (kind, s) in kept.items()}


def hide(summary: Summary, kind: Kind, secret: str) -> Summary:
    """One column; what is hidden already stays as it is."""
    if not summary.counts:
        return summary
    shown = _BOOLEANS if kind is Kind.BOOLEAN else frozenset()
    counts: dict[str, int] = {}
    for level, rows in summary.counts.items():
        name = level if level in shown or _HIDDEN.fullmatch(level) else _hash(level, secret)
        counts[name] = counts.get(name, 0) + rows
    return replace(summary, counts=counts)


def any_hidden(summaries: Iterable[Summary]) -> bool:
    """Whether some levels are hashes; others then have to become such, too, to compare."""
    return any(_HIDDEN.fullmatch(level) for s in summaries for level in s.counts)


def _hash(level: str, secret: str) -> str:
    digest = hashlib.sha256(f"{secret}\x1f{level}".encode("utf-8", "surrogatepass"))
    return f"sha256:{digest.hexdigest()[:20]}"
