"""One value, many spellings: 1, 1.0 and "1" are one level, and so are true, True and yes."""

import math
import re
from collections.abc import Iterable, Mapping

import numpy as np

from monitor.core.columns import Codes, Column, Floats

LARGEST_WHOLE = 2.0**53  # above, float64 cannot tell neighbouring integers apart
TRUE = frozenset({"1", "true", "t", "yes", "y", "on"})
FALSE = frozenset({"0", "false", "f", "no", "n", "off"})
_WHOLE = re.compile(r"([+-]?[0-9]+)\.0+")


def canonical(number: float) -> str:
    """A number as a level: 1.0 is "1", 2.5 is "2.5".

    >>> canonical(1.0), canonical(-0.0), canonical(2.5), canonical(float("inf"))
    ('1', '0', '2.5', 'inf')
    """
    whole = abs(number) < LARGEST_WHOLE and number == int(number)
    return str(int(number)) if whole else repr(float(number))


def number_in(text: str) -> float:
    """The number that text spells, booleans being 1 and 0; NaN when it spells none.

    >>> number_in(" 1e3 "), number_in("True"), number_in("1_000")
    (1000.0, 1.0, nan)
    """
    if "_" in text:  # a digit separator in Python, in data it is not
        return math.nan
    try:
        return float(text)
    except ValueError:
        return {"true": 1.0, "false": 0.0}.get(text.strip().casefold(), math.nan)


def plain(level: str) -> str:
    """Drop the fraction of a whole number written as one, and nothing else: "007" stays.

    >>> plain("1.0"), plain("-0.0"), plain("007"), plain("1.50"), plain("v1.0")
    ('1', '0', '007', '1.50', 'v1.0')
    """
    whole = _WHOLE.fullmatch(level) if level.endswith("0") else None
    if whole is None:
        return level
    head = whole[1].removeprefix("+")
    return "0" if head == "-0" else head


def level_counts(column: Column) -> dict[str, int]:
    """Rows by level, levels in one spelling whatever the dtype of the column."""
    if column.numbers is not None:
        values, sizes = np.unique(column.numbers, return_counts=True)
        names = _names(values)
    elif column.codes is not None:
        sizes = np.bincount(column.codes, minlength=len(column.levels))
        names = [plain(level) for level in column.levels]
    else:
        return {}
    return _added_up(zip(names, sizes.tolist(), strict=True))


def levels_by_value(column: Column) -> tuple[list[str], Codes]:
    """Levels, of which two may be spelt alike, and the place of each value's level among them.

    The places have shape (present,); a column without values has no levels.
    """
    if column.numbers is not None:
        values, places = np.unique(column.numbers, return_inverse=True)
        return _names(values), places
    if column.codes is None:
        return [], np.empty(0, dtype=np.int64)
    return [plain(level) for level in column.levels], column.codes


def _names(values: Floats) -> list[str]:
    """Numbers as levels; 0.1 that came as float32 is called 0.1 too."""
    if is_single(values):
        return [canonical(float(str(np.float32(v)))) for v in values]
    return [canonical(v) for v in values.tolist()]


def is_single(values: Floats) -> bool:
    """Whether values with fractions all fit float32, and so probably were kept in it.

    A first look at a few spares most columns the long one.
    """
    few = values[:: max(1, values.size // 64)]
    if not np.all(single(few) == few):
        return False
    return bool(np.all(single(values) == values)) and not bool(np.all(values == np.trunc(values)))


def single(values: Floats) -> Floats:
    """The values rounded to float32; what lies beyond its range stays."""
    with np.errstate(over="ignore"):
        rounded = values.astype(np.float32).astype(np.float64)
    return np.where(np.isinf(rounded), values, rounded)


def as_booleans(counts: Mapping[str, int]) -> dict[str, int]:
    """Levels of a boolean column: every spelling of true is `true`.

    >>> as_booleans({"Yes": 2, "1": 1, "0": 4, "maybe": 1})
    {'true': 3, 'false': 4, 'maybe': 1}
    """
    names = {level: _boolean(level) or level for level in counts}
    return _added_up((names[level], size) for level, size in counts.items())


def spelt_like(counts: Mapping[str, int], reference: Mapping[str, int]) -> dict[str, int]:
    """Levels of a window that came as true and false, in the two words the reference has for them.

    >>> spelt_like({"true": 2, "false": 1}, {"yes": 5, "no": 5})
    {'yes': 2, 'no': 1}
    """
    if not counts.keys() <= {"true", "false"}:
        return dict(counts)
    words = {_boolean(level): level for level in reference}
    if len(words) < len(reference) or None in words:  # more, or other, than two such words
        return dict(counts)
    return {words.get(level, level): size for level, size in counts.items()}


def _boolean(level: str) -> str | None:
    word = level.strip().casefold()
    return "true" if word in TRUE else "false" if word in FALSE else None


def _added_up(pairs: Iterable[tuple[str, int]]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for level, size in pairs:
        if size:
            counts[level] = counts.get(level, 0) + size
    return counts
