"""How numbers and shares are told to people: short, in human units, never misleading."""

import sys

_UNITS = ((1e9, " bn"), (1e6, " M"), (1e3, " k"))
_LARGEST = sys.float_info.max
_SUPERSCRIPT = str.maketrans("0123456789-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻")
NOTHING = "–"


def number(value: object, digits: int = 3) -> str:
    """A number to `digits` significant digits: 30.1 k, 0.12, 1 × 10³⁰⁰; a dash for none.

    >>> number(30123.4), number(-0.00042), number(1e300), number(None)
    ('30.1 k', '-0.00042', '1 × 10³⁰⁰', '–')
    """
    if not isinstance(value, int | float):
        return NOTHING
    if not -_LARGEST <= value <= _LARGEST:
        return "∞" if value > 0 else "-∞" if value < 0 else NOTHING
    size, rounded = abs(value), float(f"{value:.{digits}g}")
    if size and (abs(rounded) >= 1e12 or size < 1e-4):
        return _power(value, digits)
    if 1000 <= size < 10_000 and value == int(value):
        return count(int(value))
    if abs(rounded) < 1000:
        return _plain(rounded)
    return _scaled(value, digits)


def _scaled(value: float, digits: int) -> str:
    """With the largest unit that leaves at least one in front of it."""
    for unit, name in _UNITS:
        scaled = float(f"{value / unit:.{digits}g}")
        if abs(scaled) >= 1:
            return _plain(scaled) + name
    return _plain(float(f"{value:.{digits}g}"))


def _plain(value: float) -> str:
    text = f"{value:.12f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def _power(value: float, digits: int) -> str:
    mantissa, exponent = f"{value:.{digits - 1}e}".split("e")
    if "." in mantissa:
        mantissa = mantissa.rstrip("0").rstrip(".")
    return f"{mantissa} × 10{str(int(exponent)).translate(_SUPERSCRIPT)}"


def count(value: object) -> str:
    """A whole number in full, in groups of three.

    >>> count(50000).replace(chr(0x202f), " ")
    '50 000'
    """
    return f"{value:,}".replace(",", "\u202f") if isinstance(value, int) else NOTHING


def share(value: object) -> str:
    """A share of rows in per cent; only nothing reads as 0 % and only all of them as 100 %.

    >>> share(0.1234), share(0.0123), share(0.00001), share(0.9999)
    ('12 %', '1.2 %', '< 0.1 %', '> 99.9 %')
    """
    if not isinstance(value, int | float) or not -1e9 < value < 1e9:
        return NOTHING
    percent = 100 * value
    if 0 < percent < 0.1:
        return "< 0.1 %"
    if 99.9 < percent < 100:
        return "> 99.9 %"
    decimals = 1 if abs(percent) < 9.95 or 99 < percent < 100 else 0
    return _plain(round(percent, decimals)) + " %"


def pair(before: object, after: object) -> str:
    """Two numbers to as many digits as it takes to tell them apart.

    >>> pair(30.112, 30.118), pair(30100, 48600)
    ('30.11 → 30.12', '30.1 k → 48.6 k')
    """
    told = ("", "")
    for digits in (3, 4, 5, 6):
        told = number(before, digits), number(after, digits)
        if told[0] != told[1] or before == after:
            break
    return f"{told[0]} → {told[1]}"
