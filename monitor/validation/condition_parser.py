"""Reads row conditions by hand, in both spellings that suites use, and refuses everything else.

The structured conditions of Great Expectations 1.x, and strings like
`col("age") >= 18 and country in ["DE", "AT"]`, which the library would hand to an evaluator that
can run code.
"""

import math
import re
from collections.abc import Callable, Iterator
from typing import Any

from monitor.validation.conditions import (
    SIGNS,
    Compare,
    Condition,
    IsNull,
    Joined,
    Opposite,
    Scalar,
)

MAX_LENGTH = 4000
MAX_DEPTH = 40


def parse_condition(value: object) -> Condition:
    """A row condition as a suite writes it; ValueError says what is not understood.

    >>> parse_condition('col("age") >= 18 and not country.isnull()')
    Joined(word='and', parts=(Compare(column='age', sign='>=', value=18), Opposite(part=IsNull(column='country', null=True))))
    """  # noqa: E501
    if isinstance(value, str):
        return _Parser(value).whole()
    return _from_structure(value, 0)


# --- The structured form ---


def _from_structure(value: object, depth: int) -> Condition:
    if not isinstance(value, dict) or depth > MAX_DEPTH:
        raise ValueError("a row_condition is a text or an object with a `type`")
    kind = value.get("type")
    if kind == "pass_through":
        return parse_condition(str(value.get("pass_through_filter", "")))
    if kind in ("and", "or"):
        parts = value.get("conditions")
        if not isinstance(parts, list) or not parts:
            raise ValueError(f"a condition of type {kind!r} needs a list of `conditions`")
        return Joined(kind, tuple(_from_structure(part, depth + 1) for part in parts))
    if kind == "nullity":
        if not isinstance(value.get("is_null"), bool):
            raise ValueError("a condition of type 'nullity' needs `is_null`: true or false")
        return IsNull(_column_name(value), value["is_null"])
    if kind == "comparison":
        return _comparison(value)
    raise ValueError(
        f"unknown condition type {kind!r}; there are: and, comparison, nullity, or, pass_through"
    )


def _column_name(value: dict[str, Any]) -> str:
    column = value.get("column")
    name = column.get("name") if isinstance(column, dict) else column
    if not isinstance(name, str) or not name:
        raise ValueError("a condition needs its `column`: {'name': ...}")
    return name


def _comparison(value: dict[str, Any]) -> Compare:
    sign = str(value.get("operator")).replace("_", " ").lower()
    parameter = value.get("parameter")
    if sign in ("in", "not in"):
        if not isinstance(parameter, list) or not all(map(_is_scalar, parameter)):
            raise ValueError(f"the operator {sign.upper()} needs a list of texts or numbers")
        return Compare(_column_name(value), sign, tuple(parameter))
    if sign not in SIGNS:
        raise ValueError(f"unknown operator {value.get('operator')!r} in a row_condition")
    if not _is_scalar(parameter):
        raise ValueError("a comparison needs a `parameter`: a text, a number, true or false")
    return Compare(_column_name(value), sign, parameter)  # type: ignore[arg-type]


def _is_scalar(value: object) -> bool:
    return isinstance(value, str | int | float) and not (
        isinstance(value, float) and not math.isfinite(value)
    )


# --- The written form ---

_TOKEN = re.compile(
    r"""\s*(?:
      (?P<string>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')
    | (?P<number>-?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)
    | (?P<quoted>`[^`]+`)
    | (?P<name>[^\W\d]\w*)
    | (?P<sign>==|!=|<=|>=|<|>|&&?|\|\|?|~|[()\[\],.])
    )""",
    re.VERBOSE,
)
_WORDS = {"&": "and", "&&": "and", "|": "or", "||": "or", "~": "not"}
_NULL_TESTS = {"isnull": True, "isna": True, "notnull": False, "notna": False}
_CONSTANTS = {"True": True, "False": False, "true": True, "false": False}
_RESERVED = {"and", "or", "not", "in", "None", *_CONSTANTS}


class _Parser:
    """Recursive descent over at most MAX_LENGTH characters and MAX_DEPTH brackets."""

    def __init__(self, text: str) -> None:
        if not text.strip() or len(text) > MAX_LENGTH:
            raise ValueError(f"a row_condition has 1 to {MAX_LENGTH} characters")
        self._tokens = [*_tokens(text), ("end", "")]
        self._at = 0
        self._depth = 0

    def whole(self) -> Condition:
        condition = self._either()
        if self._tokens[self._at][0] != "end":
            raise self._surprise("`and`, `or` or the end")
        return condition

    def _either(self) -> Condition:
        return self._joined("or", lambda: self._joined("and", self._one))

    def _joined(self, word: str, part: Callable[[], Condition]) -> Condition:
        parts = [part()]
        while self._take(word):
            parts.append(part())
        return parts[0] if len(parts) == 1 else Joined(word, tuple(parts))

    def _one(self) -> Condition:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise ValueError(f"the row_condition is nested more than {MAX_DEPTH} deep")
        try:
            if self._take("not"):
                return Opposite(self._one())
            if self._take("("):
                condition = self._either()
                self._need(")")
                return condition
            return self._test(self._column())
        finally:
            self._depth -= 1

    def _test(self, column: str) -> Condition:
        if self._take("."):
            return self._method(column)
        if self._take("not"):
            self._need("in")
            return Compare(column, "not in", self._list())
        if self._take("in"):
            return Compare(column, "in", self._list())
        kind, text = self._tokens[self._at]
        if kind != "sign" or text not in SIGNS:
            raise self._surprise("a comparison")
        self._at += 1
        return Compare(column, text, self._scalar())

    def _method(self, column: str) -> Condition:
        name = self._tokens[self._at][1]
        self._at += 1
        self._need("(")
        if name == "isin":
            values = self._list()
            self._need(")")
            return Compare(column, "in", values)
        if name not in _NULL_TESTS:
            raise ValueError(
                f"a row_condition cannot call {name!r}; it can call: isin, {', '.join(_NULL_TESTS)}"
            )
        self._need(")")
        return IsNull(column, _NULL_TESTS[name])

    def _column(self) -> str:
        kind, text = self._tokens[self._at]
        if kind == "quoted":
            self._at += 1
            return text[1:-1]
        if kind != "name" or text in _RESERVED:
            raise self._surprise("a column")
        self._at += 1
        if text == "col" and self._take("("):
            name = self._scalar()
            self._need(")")
            if not isinstance(name, str):
                raise ValueError('write a column as col("name")')
            return name
        return text

    def _list(self) -> tuple[Scalar, ...]:
        closing = ")" if self._take("(") else "]"
        if closing == "]":
            self._need("[")
        values: list[Scalar] = []
        while not self._take(closing):
            if values:
                self._need(",")
            values.append(self._scalar())
        return tuple(values)

    def _scalar(self) -> Scalar:
        kind, text = self._tokens[self._at]
        self._at += 1
        if kind == "string":
            return re.sub(r"\\(.)", r"\1", text[1:-1])
        if kind == "number":
            return int(text) if re.fullmatch(r"-?\d+", text) else float(text)
        if text in _CONSTANTS:
            return _CONSTANTS[text]
        if text == "date" and self._take("("):
            value = self._scalar()
            self._need(")")
            return value
        self._at -= 1
        raise self._surprise("a text in quotes or a number")

    def _take(self, text: str) -> bool:
        kind, found = self._tokens[self._at]
        taken = kind in ("name", "sign") and found == text
        self._at += taken
        return taken

    def _need(self, text: str) -> None:
        if not self._take(text):
            raise self._surprise(f"`{text}`")

    def _surprise(self, wanted: str) -> ValueError:
        found = self._tokens[self._at][1] or "the end"
        return ValueError(f"the row_condition has {found!r} where {wanted} was expected")


def _tokens(text: str) -> Iterator[tuple[str, str]]:
    at, end = 0, len(text.rstrip())
    while at < end:
        match = _TOKEN.match(text, at)
        if match is None or match.lastgroup is None:
            raise ValueError(
                f"the row_condition has {text[at:].strip()[:1]!r}, which means nothing"
            )
        found = match[match.lastgroup]
        yield match.lastgroup, _WORDS.get(found, found)
        at = match.end()
