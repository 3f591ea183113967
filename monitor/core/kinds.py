"""What a column holds: decided once from the reference, then frozen."""

import re
from dataclasses import dataclass

import numpy as np

from monitor.core.columns import Column, Floats, Kind
from monitor.core.summaries.moments import is_whole

FEW_INTEGERS = 20  # integers with at most this many distinct values are categories
MANY_ROWS = 1000  # below this, distinct integers may well be a measurement
NEARLY_UNIQUE = 0.95  # share of distinct strings above which a column names rows
MOSTLY_DISTINCT = 0.5  # share of distinct strings above which a column is free text
ENOUGH_ROWS = 20  # distinct shares of fewer rows say nothing
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:?\d{2})?)?")


@dataclass(frozen=True, slots=True)
class KindDecision:
    """A kind and the one sentence that explains it."""

    kind: Kind
    reason: str


def decide_kind(column: Column) -> KindDecision:
    """The kind of a reference column, from its dtype family and its values.

    Times and identifiers are recognised because comparing them says nothing; integers with few
    distinct values are categories; strings are identifiers, dates, free text or categories by how
    often values repeat and what they look like. A column without values keeps what its dtype says.

    >>> import numpy as np
    >>> terms = Column("term", "integer", 4, 0, numbers=np.array([12.0, 24.0, 24.0, 36.0]))
    >>> decide_kind(terms).kind
    <Kind.CATEGORY: 'category'>
    """
    if column.dtype == "time":
        return KindDecision(Kind.TIME, "a time is not compared")
    if column.dtype == "boolean":
        return KindDecision(Kind.BOOLEAN, "true or false")
    if column.numbers is not None:
        return _of_numbers(column)
    return _of_strings(column)


def _of_numbers(column: Column) -> KindDecision:
    values = column.numbers
    assert values is not None
    if not values.size or not _integral(values):
        return KindDecision(Kind.NUMBER, "numbers")
    distinct = np.unique(values).size
    if distinct <= FEW_INTEGERS:
        return KindDecision(Kind.CATEGORY, f"integers with {distinct} distinct values")
    counting = values.size >= ENOUGH_ROWS and bool(np.all(np.diff(values) > 0))
    if distinct == values.size and (values.size >= MANY_ROWS or counting):
        return KindDecision(Kind.ID, "every integer is different: an identifier, not compared")
    return KindDecision(Kind.NUMBER, "integers with many distinct values")


def _integral(values: Floats) -> bool:
    return is_whole(values) and bool(np.all(np.isfinite(values)))


def _of_strings(column: Column) -> KindDecision:
    levels, present = column.levels, column.rows - column.missing
    if not levels:
        return KindDecision(Kind.CATEGORY, "no values to judge by")
    if all(_DATE.fullmatch(level) for level in levels):
        return KindDecision(Kind.TIME, "dates written as text are not compared")
    distinct_share = len(levels) / present
    looked_at = levels[:: max(1, len(levels) // 1000)]
    sentences = sum(" " in level.strip() for level in looked_at) / len(looked_at)
    if present >= ENOUGH_ROWS and distinct_share >= NEARLY_UNIQUE and sentences < 0.5:
        return KindDecision(
            Kind.ID, f"{distinct_share:.0%} of the values are distinct: an identifier, not compared"
        )
    if present >= ENOUGH_ROWS and distinct_share >= MOSTLY_DISTINCT:
        return KindDecision(Kind.TEXT, "free text: compared by length and missing values")
    return KindDecision(Kind.CATEGORY, f"text with {len(levels)} levels")
