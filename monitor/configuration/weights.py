"""Weights of columns from a file of their own: CSV with two columns, or a JSON object."""

import csv
import json
import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from monitor.configuration.fields import MOST_WEIGHT
from monitor.errors import AskedWrongly

ENDINGS = (".csv", ".json")
MOST_LETTERS = 10_000_000


def read_weights(path: Path) -> dict[str, float]:
    """Weights by column; AskedWrongly names the file and what is wrong with it.

    A first line of a CSV file whose second field is no number is its header.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise AskedWrongly(
            f"there is no file of weights {path}", hint="paths are relative to monitor.yaml"
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise AskedWrongly(f"the weights {path} cannot be read: {error}") from None
    if len(text) > MOST_LETTERS:
        raise AskedWrongly(f"{path} is too long to be weights: {len(text)} characters")
    pairs = _of_json(text, path) if path.suffix.lower() == ".json" else _of_csv(text, path)
    weights: dict[str, float] = {}
    for column, value in pairs:
        if column in weights:
            raise AskedWrongly(f"{path} gives column {column!r} two weights")
        weights[column] = _positive(column, value, path)
    if not weights:
        raise AskedWrongly(f"{path} holds no weights")
    return weights


def _of_json(text: str, path: Path) -> Iterable[tuple[str, Any]]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise AskedWrongly(f"the weights {path} are no JSON: {error}") from None
    if not isinstance(found, Mapping):
        raise AskedWrongly(
            f"the weights {path} are no object", hint='write {"column": weight, ...}'
        )
    return found.items()


def _of_csv(text: str, path: Path) -> Iterable[tuple[str, Any]]:
    try:
        read = list(csv.reader(text.splitlines()))
    except csv.Error as error:
        raise AskedWrongly(f"the weights {path} are no CSV: {error}") from None
    lines = [line for line in read if any(field.strip() for field in line)]
    for line in lines:
        if len(line) != 2:
            raise AskedWrongly(
                f"a line of {path} has {len(line)} fields: {','.join(line)[:80]!r}",
                hint="write one column and its weight a line",
            )
    if lines and _number(lines[0][1]) is None:
        lines = lines[1:]
    return [(column.strip(), value) for column, value in lines]


def _positive(column: str, value: Any, path: Path) -> float:
    number = _number(value)
    if number is None or not math.isfinite(number) or number <= 0:
        told = repr(value)[:80]
        raise AskedWrongly(f"the weight of {column!r} in {path} is {told}, no positive number")
    if not 1 / MOST_WEIGHT <= number <= MOST_WEIGHT:
        raise AskedWrongly(
            f"the weight of {column!r} in {path} is {number:g}",
            hint=f"weights lie between {1 / MOST_WEIGHT:g} and {MOST_WEIGHT:g}",
        )
    return number


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        return float(value)
    except (ValueError, OverflowError):
        return None
