"""Questions about all rows of a window, as an engine answers them where the rows are.

What asks knows no engine, and an engine knows nothing of what the answers are for. A condition is
true or false of every row, never unknown: a missing value (null, or a float that is no number)
meets `Missing` and nothing else, and its `Not` meets all others.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, TypeAlias

# What the values of a column are; of `other` it is known only which are missing. Decimals are held
# as floats, days as the midnight they begin with.
Family: TypeAlias = Literal[
    "whole", "fraction", "decimal", "text", "boolean", "moment", "local", "day", "other"
]
NUMBERS: frozenset[Family] = frozenset(["whole", "fraction", "decimal"])
TIMES: frozenset[Family] = frozenset(["moment", "local", "day"])

Value: TypeAlias = str | int | float | bool | datetime
Sign: TypeAlias = Literal["==", "<", "<=", ">", ">="]


@dataclass(frozen=True, slots=True)
class Missing:
    """The column has no value."""

    column: str


@dataclass(frozen=True, slots=True)
class Compared:
    """The value beside another of its family; texts by their code points."""

    column: str
    sign: Sign
    value: Value


@dataclass(frozen=True, slots=True)
class Among:
    """The value is one of some."""

    column: str
    values: tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class Long:
    """The number of code points of a text beside another number."""

    column: str
    sign: Sign
    length: int


@dataclass(frozen=True, slots=True)
class Found:
    """A pattern is found in a text; of the syntax, only what every engine understands alike."""

    column: str
    pattern: str


@dataclass(frozen=True, slots=True)
class Beside:
    """The values of two columns beside each other; both are there."""

    column: str
    sign: Sign
    other: str


@dataclass(frozen=True, slots=True)
class Every:
    """All of the parts hold; without parts, of every row."""

    parts: tuple["Condition", ...]


@dataclass(frozen=True, slots=True)
class Some:
    """At least one of the parts holds."""

    parts: tuple["Condition", ...]


@dataclass(frozen=True, slots=True)
class Not:
    """The part does not hold."""

    part: "Condition"


Condition: TypeAlias = Missing | Compared | Among | Long | Found | Beside | Every | Some | Not
ALWAYS = Every(())

Measure: TypeAlias = Literal["min", "max", "sum", "mean", "deviation", "distinct"]


@dataclass(frozen=True, slots=True)
class Count:
    """How many rows meet a condition."""

    where: Condition = ALWAYS


@dataclass(frozen=True, slots=True)
class Of:
    """A measure of the values of a column, in the rows that meet a condition.

    None where there are too few; `deviation` is that of a sample, `distinct` counts.
    """

    measure: Measure
    column: str
    where: Condition = ALWAYS


@dataclass(frozen=True, slots=True)
class Repeated:
    """How many rows hold values (missing ones as well) that another row of them holds, too."""

    columns: tuple[str, ...]
    where: Condition = ALWAYS


Aggregate: TypeAlias = Count | Of | Repeated


def columns_in(condition: Condition) -> frozenset[str]:
    """Every column a condition looks at.

    >>> sorted(columns_in(Some((Missing("b"), Not(Beside("a", "<", "c"))))))
    ['a', 'b', 'c']
    """
    if isinstance(condition, Every | Some):
        return frozenset().union(*map(columns_in, condition.parts))
    if isinstance(condition, Not):
        return columns_in(condition.part)
    if isinstance(condition, Beside):
        return frozenset([condition.column, condition.other])
    return frozenset([condition.column])


def columns_asked(asked: Sequence[Aggregate]) -> frozenset[str]:
    """Every column that some aggregates look at."""
    found = frozenset[str]().union(*(columns_in(each.where) for each in asked))
    found |= {each.column for each in asked if isinstance(each, Of)}
    return found.union(*(each.columns for each in asked if isinstance(each, Repeated)))
