"""Tables of one dataset whose columns differ from file to file become one table."""

import json
from collections.abc import Callable, Sequence
from functools import reduce
from zoneinfo import ZoneInfo

import pyarrow as pa

from monitor.tables.frames import text_of
from monitor.tables.times import INSTANT, instants


def unify(tables: Sequence[pa.Table], zone: ZoneInfo) -> pa.Table:
    """All rows in order, with every column that occurs; null where a table lacks it.

    Whole numbers and fractions become float64, times of different make become instants (naive ones
    local to `zone`), anything else that differs becomes text, each value as people write it.
    """
    if not tables:
        return pa.table({})
    if all(table.schema.equals(tables[0].schema) for table in tables):
        return pa.concat_tables(tables)
    names = list(dict.fromkeys(name for table in tables for name in table.column_names))
    rows = [table.num_rows for table in tables]
    return pa.table({name: _column(name, tables, rows, zone) for name in names})


def joint_type(one: pa.DataType, other: pa.DataType) -> pa.DataType:
    """The type that holds the values of both.

    >>> joint_type(pa.int64(), pa.float32()), joint_type(pa.int8(), pa.string())
    (DataType(double), DataType(string))
    """
    one, other = _decoded(one), _decoded(other)
    if one.equals(other) or pa.types.is_null(other):
        return one
    if pa.types.is_null(one):
        return other
    for matches, joint in _JOINTS:
        if matches(one) and matches(other):
            return joint
    return pa.string()


def _column(
    name: str, tables: Sequence[pa.Table], rows: Sequence[int], zone: ZoneInfo
) -> pa.ChunkedArray:
    pieces = [table[name] if name in table.column_names else None for table in tables]
    types = [piece.type for piece in pieces if piece is not None]
    target = types[0] if len(set(types)) == 1 else reduce(joint_type, types)
    chunks: list[pa.Array] = []
    for piece, count in zip(pieces, rows, strict=True):
        if piece is None:
            chunks.append(pa.nulls(count, target))
        else:
            chunks.extend(as_type(piece, target, zone).chunks)
    return pa.chunked_array(chunks, type=target)


def as_type(values: pa.ChunkedArray, target: pa.DataType, zone: ZoneInfo) -> pa.ChunkedArray:
    if values.type.equals(target):
        return values
    if pa.types.is_dictionary(values.type):
        return as_type(values.cast(values.type.value_type), target, zone)
    if target.equals(INSTANT):
        return instants(values, zone)
    try:
        return values.cast(target, safe=False)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        return pa.chunked_array([[_text(value) for value in values.to_pylist()]], target)


def _text(value: object) -> str | None:
    if value is None:
        return None
    nested = isinstance(value, dict | list)
    return json.dumps(value, default=str, ensure_ascii=False) if nested else text_of(value)


def _decoded(kind: pa.DataType) -> pa.DataType:
    return kind.value_type if pa.types.is_dictionary(kind) else kind


def _is_number(kind: pa.DataType) -> bool:
    return bool(
        pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)
    )


def _is_moment(kind: pa.DataType) -> bool:
    return bool(pa.types.is_timestamp(kind) or pa.types.is_date(kind))


_JOINTS: tuple[tuple[Callable[[pa.DataType], bool], pa.DataType], ...] = (
    (pa.types.is_integer, pa.int64()),
    (_is_number, pa.float64()),
    (_is_moment, INSTANT),
)
