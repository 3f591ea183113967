"""What a column of text holds: whole numbers, numbers, booleans, times, or just text."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import pyarrow as pa
import pyarrow.compute as pc

_KINDS: Mapping[str, pa.DataType] = {
    "integer": pa.int64(),
    "float": pa.float64(),
    "boolean": pa.bool_(),
    "time": pa.timestamp("us"),
    "instant": pa.timestamp("us", "UTC"),
    "text": pa.string(),
}


@dataclass
class TextTypes:
    """Learns from every block of a dataset and settles each column's type at the end.

    A column is what all of its values are: one word among a million numbers makes it text, in
    whichever block it stands. Numbers with leading zeros (007) are codes and stay text.
    """

    decimal: str = "."
    kinds: dict[str, str] = field(default_factory=dict)  # column -> kind so far; absent: no value

    def learn(self, table: pa.Table) -> None:
        """Narrow down the kinds by one block of text columns."""
        for name, column in zip(table.column_names, table.columns, strict=True):
            known = self.kinds.get(name)
            if known == "text" or column.null_count == len(column):
                continue
            found = self._kind(column, known)
            self.kinds[name] = found if known is None else _joined(known, found)

    def apply(self, table: pa.Table) -> pa.Table:
        """The columns as what they were found to hold; one without any value has no type."""
        typed = {}
        for name, column in zip(table.column_names, table.columns, strict=True):
            kind = self.kinds.get(name)
            typed[name] = (
                pa.chunked_array([pa.nulls(len(column))])
                if kind is None
                else self._as(column, kind)
            )
        return pa.table(typed)

    def _kind(self, column: pa.ChunkedArray, first: str | None) -> str:
        """The narrowest kind that fits all values of a block; `first` is the likely one."""
        order = dict.fromkeys([*([first] if first else []), *_KINDS])
        return next(kind for kind in order if self._fits(column, kind))

    def _fits(self, column: pa.ChunkedArray, kind: str) -> bool:
        if kind in ("integer", "float") and _has_leading_zeros(column):
            return False
        try:
            self._as(column, kind)
        except pa.ArrowInvalid:
            return False
        return True

    def _as(self, column: pa.ChunkedArray, kind: str) -> pa.ChunkedArray:
        """ArrowInvalid when a value does not fit."""
        if kind == "text":
            return column
        if kind == "boolean":
            return _booleans(column)
        if kind == "float" and self.decimal == ",":
            column = _with_point(column)
        try:
            return column.cast(_KINDS[kind])
        except pa.ArrowInvalid:
            return pc.utf8_trim_whitespace(column).cast(_KINDS[kind])


def _joined(one: str, other: str) -> str:
    if one == other:
        return one
    return "float" if {one, other} == {"integer", "float"} else "text"


def _has_leading_zeros(column: pa.ChunkedArray) -> bool:
    suspects = column.filter(pc.starts_with(column, "0"))  # most columns have none or few
    return bool(pc.any(pc.match_substring_regex(suspects, r"^0[0-9xX]")).as_py())


def _booleans(column: pa.ChunkedArray) -> pa.ChunkedArray:
    lower = pc.utf8_lower(column)
    yes = pc.equal(lower, "true")
    if not pc.all(pc.or_(yes, pc.equal(lower, "false")), min_count=0).as_py():
        raise pa.ArrowInvalid("not all true or false")
    return yes


def _with_point(column: pa.ChunkedArray) -> pa.ChunkedArray:
    if pc.any(pc.match_substring(column, ".")).as_py():
        raise pa.ArrowInvalid("a point where the decimal comma is used")
    return pc.replace_substring(column, ",", ".")
