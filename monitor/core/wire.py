"""Records to plain JSON and back; the shape of a check that other systems rely on.

The shape follows the records: one form a type says how its values travel both ways and what the
JSON Schema says of them, so document, reader and schema cannot part. Three rules hold throughout:
every key is present; times are UTC in ISO 8601; a number is finite or null. A number that a record
requires reads back from null as infinity ("beyond measure").
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, fields, is_dataclass
from datetime import UTC, date, datetime, time
from decimal import Decimal
from enum import Enum, StrEnum
from functools import cache
from types import NoneType, UnionType
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

import numpy as np

from monitor.core.records import Check, ExpectationReport

SCHEMA_VERSION = 1

Record = TypeVar("Record")

# The keys of a check in the order people read them; later additions follow.
_CHECK_KEYS = (
    "id", "monitor", "verdict", "headline", "window", "reference", "sample", "dataset", "columns",
    "expectations", "notices", "timings_s", "engine",
)  # fmt: skip

# What a document says beyond the fields of its record: computed on the way out, ignored back.
_COMPUTED = {ExpectationReport: ("evaluated", "failed")}

# The verdicts a record can have, where that is fewer than all.
_VERDICTS = {
    "Check": ["passed", "drifted", "violated", "undecided"],
    "ColumnResult": ["passed", "watch", "drifted", "undecided"],
}


def check_to_json(check: Check) -> dict[str, Any]:
    """A check as the document that the contract promises; `json.dumps` takes it as it is."""
    document = to_json(check)
    return {"schema": SCHEMA_VERSION, **{key: document[key] for key in _CHECK_KEYS}, **document}


def check_from_json(document: Mapping[str, Any]) -> Check:
    """The check that a document of `check_to_json` tells of; unknown keys are passed over.

    Raises ValueError when it is no such document, or one of a schema this version cannot read.
    """
    version = document.get("schema")
    if version != SCHEMA_VERSION:
        raise ValueError(f"a check of schema {version!r}; this version reads {SCHEMA_VERSION}")
    return from_json(Check, document)


def check_schema() -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of a check: closed in what it promises, open for more."""
    parts: dict[str, Any] = {}
    _name_parts(_form(Check).schema, parts)
    for record, verdicts in _VERDICTS.items():
        parts[record]["properties"]["verdict"] = {"enum": verdicts}
    check = parts.pop("Check")
    properties = {"schema": {"const": SCHEMA_VERSION}, **check["properties"]}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **check,
        "properties": properties,
        "required": list(properties),
        "$defs": parts,
    }


def to_json(record: Any) -> dict[str, Any]:
    """Any record as plain JSON, every field a key.

    >>> from monitor.core.records import Window
    >>> to_json(Window(datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 2, tzinfo=UTC)))
    {'start': '2026-01-01T00:00:00+00:00', 'end': '2026-01-02T00:00:00+00:00'}
    """
    kind: Any = type(record)
    document: dict[str, Any] = _form(kind).encode(record)
    return document


def from_json(kind: type[Record], document: Mapping[str, Any]) -> Record:
    """The record of type `kind` in a document; absent keys take the field's default.

    Raises ValueError when a key without a default is absent or a value has the wrong form.
    """
    hint: Any = kind
    try:
        record: Record = _form(hint).decode(document)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise ValueError(f"this is no {kind.__name__} document: {error}") from None
    return record


def plain(value: Any) -> Any:
    """Any value as plain JSON: numbers finite or null, times ISO 8601, the unknown as text.

    >>> plain({"share": np.float64("nan"), "seen": (np.int64(2), date(2026, 1, 2))})
    {'share': None, 'seen': [2, '2026-01-02']}
    """
    if value is None or (isinstance(value, bool | str | int) and not isinstance(value, Enum)):
        return value
    if isinstance(value, float | np.floating | Decimal):
        return _finite(value)
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(item) for item in value]
    return _plain_other(value)


def _plain_other(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return plain(value.tolist())
    if isinstance(value, np.bool_ | np.integer):
        return value.item()
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    return plain(value.value) if isinstance(value, Enum) else str(value)


# --- Forms ---


@dataclass(frozen=True, slots=True)
class _Form:
    """How the values of one type travel, and what a JSON Schema says of them."""

    encode: Callable[[Any], Any]
    decode: Callable[[Any], Any]
    schema: dict[str, Any]


@cache
def _form(hint: Any) -> _Form:
    """The form of a type as records write it."""
    if hint in _SCALARS:
        return _SCALARS[hint]
    if is_dataclass(hint):
        return _record(hint)
    if isinstance(hint, type) and issubclass(hint, StrEnum):
        return _Form(lambda value: str(hint(value)), hint, {"enum": [str(m) for m in hint]})
    return _compound(hint)


def _compound(hint: Any) -> _Form:
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is UnionType and NoneType in arguments:
        return _optional(next(a for a in arguments if a is not NoneType))
    if origin is Mapping:
        return _mapping(_form(arguments[1]))
    if origin is tuple and arguments[1] is Ellipsis:
        return _list(_form(arguments[0]))
    if origin is tuple and len(arguments) == 2:
        return _pair(_form(arguments[0]))
    raise TypeError(f"{hint} has no form in JSON")


def _optional(hint: Any) -> _Form:
    inner = _form(hint)
    simple = isinstance(inner.schema.get("type"), str) and "properties" not in inner.schema
    schema = (
        {**inner.schema, "type": [inner.schema["type"], "null"]}
        if simple
        else {"anyOf": [inner.schema, {"type": "null"}]}
    )
    if hint is float:  # may be null by itself already, and stays absent instead of infinite
        schema = inner.schema
    return _Form(
        lambda value: None if value is None else inner.encode(value),
        lambda value: None if value is None else inner.decode(value),
        schema,
    )


def _mapping(inner: _Form) -> _Form:
    return _Form(
        lambda value: {str(key): inner.encode(item) for key, item in value.items()},
        lambda value: {key: inner.decode(item) for key, item in value.items()},
        {"type": "object", "additionalProperties": inner.schema},
    )


def _list(inner: _Form) -> _Form:
    return _Form(
        lambda value: [inner.encode(item) for item in value],
        lambda value: tuple(inner.decode(item) for item in value),
        {"type": "array", "items": inner.schema},
    )


def _pair(inner: _Form) -> _Form:
    """Two values side by side, which in this house are always (reference, current)."""
    sides = ("reference", "current")
    return _Form(
        lambda value: {s: inner.encode(v) for s, v in zip(sides, value, strict=True)},
        lambda value: tuple(inner.decode(value[side]) for side in sides),
        {
            "type": "object",
            "properties": dict.fromkeys(sides, inner.schema),
            "required": list(sides),
        },
    )


def _record(kind: Any) -> _Form:
    hints = get_type_hints(kind)
    forms = {field.name: _form(hints[field.name]) for field in fields(kind)}
    optional = {
        field.name
        for field in fields(kind)
        if field.default is not MISSING or field.default_factory is not MISSING
    }
    computed = _COMPUTED.get(kind, ())

    def encode(record: Any) -> dict[str, Any]:
        values = {name: form.encode(getattr(record, name)) for name, form in forms.items()}
        return {**{name: getattr(record, name) for name in computed}, **values}

    def decode(document: Mapping[str, Any]) -> Any:
        if absent := forms.keys() - optional - document.keys():
            raise ValueError(f"{kind.__name__} has no {', '.join(sorted(absent))}")
        return kind(**{n: f.decode(document[n]) for n, f in forms.items() if n in document})

    properties = {
        **dict.fromkeys(computed, _SCALARS[int].schema),
        **{name: form.schema for name, form in forms.items()},
    }
    schema = {
        "title": kind.__name__,
        "description": (kind.__doc__ or "").partition("\n")[0],
        "type": "object",
        "properties": properties,
        "required": list(properties),
    }
    return _Form(encode, decode, schema)


def _name_parts(schema: Any, parts: dict[str, Any]) -> Any:
    """A copy of `schema` in which every record is a reference to its one entry in `parts`."""
    if isinstance(schema, list):
        return [_name_parts(item, parts) for item in schema]
    if not isinstance(schema, dict):
        return schema
    copy = {key: _name_parts(item, parts) for key, item in schema.items()}
    if not isinstance(schema.get("title"), str):
        return copy
    parts[schema["title"]] = copy
    return {"$ref": f"#/$defs/{schema['title']}"}


def _finite(value: Any) -> float | None:
    number = float(value)
    return number if math.isfinite(number) else None


def _utc_text(moment: datetime) -> str:
    if moment.tzinfo is None:
        raise ValueError(f"{moment} has no time zone")
    return moment.astimezone(UTC).isoformat()


def _utc(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"{text} has no offset")
    return moment.astimezone(UTC)


_SCALARS: dict[Any, _Form] = {
    Any: _Form(plain, lambda value: value, {}),
    str: _Form(str, str, {"type": "string"}),
    int: _Form(int, int, {"type": "integer"}),
    bool: _Form(bool, bool, {"type": "boolean"}),
    float: _Form(
        _finite,
        lambda value: math.inf if value is None else float(value),
        {"type": ["number", "null"]},
    ),
    datetime: _Form(_utc_text, _utc, {"type": "string", "format": "date-time"}),
}
