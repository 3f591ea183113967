"""What rows come as: columns, whole or piece by piece, and what they may hold."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Codes = NDArray[np.int64]
Flags = NDArray[np.bool_]


class Kind(StrEnum):
    """What a column holds, decided once from the reference."""

    NUMBER = "number"
    CATEGORY = "category"
    BOOLEAN = "boolean"
    TIME = "time"
    TEXT = "text"
    ID = "id"


COMPARED_KINDS = (Kind.NUMBER, Kind.CATEGORY, Kind.BOOLEAN, Kind.TEXT)


@dataclass(frozen=True, slots=True, eq=False)
class Column:
    """The values of one column of a sample, as arrays.

    Numbers and times live in `numbers`, everything else in `codes` into `levels`; missing values
    (null, NaN) are counted and left out, so both arrays have shape (rows - missing,). `present`
    tells which rows they belong to.
    """

    name: str
    dtype: str  # logical family: integer, float, boolean, string, time, other
    rows: int
    missing: int
    numbers: Floats | None = None  # float64; times as epoch seconds; may hold +-inf
    codes: Codes | None = None  # indices into levels
    levels: tuple[str, ...] = ()
    problem: str = ""  # why this column could not be read; empty when it could
    present: Flags | None = None  # shape (rows,): which rows hold a value; None when all do

    @property
    def kind(self) -> Kind | None:
        """A column of rows does not say by itself what it holds."""
        return None

    def head(self) -> "Column":
        """A whole column is a stream of one piece."""
        return self

    def pieces(self) -> "Iterator[Column]":
        return iter((self,))

    def drawn(self) -> "Column":
        return self


class Stream(Protocol):
    """A column that need not be held as a whole: known by what it is, read piece by piece."""

    @property
    def name(self) -> str: ...
    @property
    def dtype(self) -> str: ...
    @property
    def rows(self) -> int: ...
    @property
    def missing(self) -> int: ...
    @property
    def problem(self) -> str: ...
    @property
    def kind(self) -> Kind | None:
        """What it was frozen as; None when that is to be decided."""

    def head(self) -> Column:
        """The first piece, large enough to tell what the column holds."""

    def pieces(self) -> Iterator[Column]:
        """All rows in order, a piece at a time; may be asked for again."""

    def drawn(self) -> Column:
        """A uniform draw of rows, the same rows for every column of a dataset; all when few."""
