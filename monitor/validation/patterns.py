"""Regular expressions of Python in the words that the engines of databases understand alike.

Python, Java and PostgreSQL differ in what `.`, `$` and `\\d` stand for, and in how they search.
What they share is enough for most patterns of a suite: signs, sets of signs, groups, alternatives,
repetition and both ends. Everything else is searched for here, in rows that are here.
"""

import re
from collections.abc import Iterable
from functools import cache

_MOST_TIMES = 255  # that PostgreSQL repeats
_MARKS = {"n": "\\n", "t": "\\t", "r": "\\r"}
_REPEATS = re.compile(r"[*+?]|\{(\d+)(,?)(\d*)\}")
_ANY = "[^\\n]"
_END = "(?![^\\n]|\\n[^\\n]|\\n\\n)"  # or before a line break that is the last sign
_SPECIAL = frozenset("\\.[]{}()*+?^$|&~#-")


class _Strange(Exception):
    """A pattern says what not all engines understand alike."""


def portable(pattern: str) -> str | None:
    """The same pattern for any engine, or None.

    A group may not be repeated without end, nor hold a repetition of several lengths where it is
    repeated at all: searches that go back and forth could take for ever.

    >>> portable("^[A-Z]{2}-.+$"), portable("(a|b)*")
    ('^[A-Z]{2}\\\\-[^\\\\n]+(?![^\\\\n]|\\\\n[^\\\\n]|\\\\n\\\\n)', None)
    """
    try:
        return _Translation(pattern).whole()
    except _Strange:
        return None


class _Translation:
    """Recursive descent; nothing is understood that is not written here."""

    def __init__(self, pattern: str) -> None:
        self._text = pattern
        self._at = 0

    def whole(self) -> str:
        found, _ = self._alternatives()
        if self._at < len(self._text):
            raise _Strange
        return found

    def _alternatives(self) -> tuple[str, bool]:
        """As far as a closing bracket or the end; and whether it is of several lengths."""
        parts, varies = [], False
        while True:
            sequence, part_varies = self._sequence()
            parts.append(sequence)
            varies |= part_varies
            if not self._take("|"):
                return "|".join(parts), varies
            varies = True

    def _sequence(self) -> tuple[str, bool]:
        found, varies = "", False
        while self._at < len(self._text) and self._text[self._at] not in "|)":
            if self._take("^"):
                found += "^"
                self._refuse_repeat()
            elif self._take("$"):
                found += _END
                self._refuse_repeat()
            else:
                piece, group, inner = self._piece()
                repeat, several = self._repeat()
                if group and repeat and (repeat != "?") and (inner or several == "endless"):
                    raise _Strange
                found += piece + repeat
                varies = varies or inner or several != ""
        if not found:
            raise _Strange
        return found, varies

    def _piece(self) -> tuple[str, bool, bool]:
        """One sign, set or group: as text, whether it is a group, whether its length varies."""
        sign = self._next()
        if sign == "(":
            if self._text.startswith("?", self._at) and not self._take("?:"):
                raise _Strange
            inner, varies = self._alternatives()
            if not self._take(")"):
                raise _Strange
            return f"(?:{inner})", True, varies
        if sign == "[":
            return self._set(), False, False
        if sign == ".":
            return _ANY, False, False
        if sign == "\\":
            return self._escaped(), False, False
        if sign in "*+?{}]":
            raise _Strange
        return _literal(sign), False, False

    def _escaped(self) -> str:
        sign = self._next()
        if sign in "dsw":
            return f"[{_signs_of(sign)}]"
        if sign in "DSW":
            return f"[^{_signs_of(sign.lower())}]"
        return self._mark(sign)

    def _mark(self, sign: str) -> str:
        if sign in _MARKS:
            return _MARKS[sign]
        if sign.isalnum():
            raise _Strange
        return _literal(sign)

    def _set(self) -> str:
        found = "[^" if self._take("^") else "["
        empty = True
        while empty or not self._take("]"):
            sign = self._next()
            if sign == "\\" and self._text[self._at : self._at + 1] in ("d", "s", "w"):
                found += _signs_of(self._next())
            else:
                found += self._range(sign)
            empty = False
        return found + "]"

    def _range(self, first: str) -> str:
        """One sign of a set, or all between two."""
        low = self._sign(first)
        if not self._text.startswith("-", self._at) or self._text.startswith("-]", self._at):
            return low
        self._next()
        return f"{low}-{self._sign(self._next())}"

    def _sign(self, sign: str) -> str:
        if sign in "[]":  # a bracket first in a set, or a set of sets
            raise _Strange
        return self._mark(self._next()) if sign == "\\" else _literal(sign)

    def _repeat(self) -> tuple[str, str]:
        """How often the piece comes, and whether that is fixed, `bounded` or `endless`."""
        match = _REPEATS.match(self._text, self._at)
        if match is None:
            return "", ""
        self._at = match.end()
        self._take("?")  # as few as can be: no matter for whether it is found
        self._refuse_repeat()
        least, comma, most = match[1], match[2], match[3]
        if least is None:
            return match[0], "bounded" if match[0] == "?" else "endless"
        if max(int(least), int(most or 0)) > _MOST_TIMES or (most and int(most) < int(least)):
            raise _Strange
        return match[0], "" if not comma or least == most else "bounded" if most else "endless"

    def _refuse_repeat(self) -> None:
        if self._text[self._at : self._at + 1] in ("*", "+", "?", "{"):
            raise _Strange

    def _next(self) -> str:
        if self._at >= len(self._text):
            raise _Strange
        self._at += 1
        return self._text[self._at - 1]

    def _take(self, text: str) -> bool:
        taken = self._text.startswith(text, self._at)
        self._at += len(text) * taken
        return taken


def _literal(sign: str) -> str:
    if "\ud800" <= sign <= "\udfff" or (ord(sign) < 32 and sign not in "\n\t\r"):
        raise _Strange
    named = {"\n": "\\n", "\t": "\\t", "\r": "\\r"}
    return named.get(sign, f"\\{sign}" if sign in _SPECIAL else sign)


@cache
def _signs_of(name: str) -> str:
    """The signs that `\\d`, `\\s` or `\\w` stand for in Python, as the inside of a set."""
    member = {"d": str.isdecimal, "s": str.isspace, "w": _is_word}[name]
    codes = (code for code in range(0x110000) if member(chr(code)))
    return "".join(
        _code(low) if low == high else f"{_code(low)}-{_code(high)}"
        for low, high in _stretches(codes)
    )


def _is_word(sign: str) -> bool:
    return sign.isalnum() or sign == "_"


def _stretches(codes: Iterable[int]) -> list[tuple[int, int]]:
    found: list[tuple[int, int]] = []
    for code in codes:
        if found and found[-1][1] == code - 1:
            found[-1] = found[-1][0], code
        else:
            found.append((code, code))
    return found


def _code(code: int) -> str:
    """A sign by its number, where both engines read it alike; as it is beyond 16 bits."""
    return chr(code) if code > 0xFFFF or chr(code).isalnum() else f"\\u{code:04x}"
