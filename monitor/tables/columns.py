"""Arrow columns become core columns: the only place where Arrow meets numpy."""

from collections.abc import Callable, Iterable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from monitor.core.columns import Codes, Column, Flags, Floats
from monitor.core.records import Notice, SampleInfo
from monitor.ports import Sample
from monitor.tables import arrays

HELD_VALUES = 2**23  # rows times columns that are held in memory, 64 MB; more are streamed
_PER_SECOND = {"s": 1.0, "ms": 1e3, "us": 1e6, "ns": 1e9}
_SECONDS_PER_DAY = 86_400.0


def to_sample(
    table: pa.Table,
    info: SampleInfo,
    notices: Iterable[Notice] = (),
    times: Floats | None = None,
) -> Sample:
    """The rows of a table as a sample; a column that cannot be read says so in its `problem`."""
    columns = {name: to_column(name, table[name]) for name in table.column_names}
    return Sample(info, columns, table, tuple(notices), times)


def to_piece(name: str, values: pa.ChunkedArray) -> Column:
    """The same as `to_column`, faster, for those who do not ask which rows hold a value."""
    if pa.types.is_floating(values.type) or pa.types.is_integer(values.type):
        numbers = _floats(values.drop_null())
        gone = _not_numbers(numbers)
        numbers = numbers if gone is None else numbers[~gone]
        missing = len(values) - numbers.size
        return Column(name, _number_family(values.type), len(values), missing, numbers=numbers)
    return to_column(name, values)


def to_column(name: str, values: pa.ChunkedArray) -> Column:
    """One Arrow column as a core column; never raises.

    Integers, floats and decimals become float64 numbers, with null and NaN missing and infinities
    kept. Booleans become codes into ("false", "true"); text, categories and bytes become codes
    into the levels that occur, in no promised order (bytes that are not UTF-8 as 0x...). Dates,
    timestamps (naive ones as if in UTC), times of day and durations become seconds. Nested values
    are not compared: the column has a `problem`.

    >>> column = to_column("x", pa.chunked_array([[1, None, 3]]))
    >>> column.dtype, column.missing, column.numbers.tolist()
    ('integer', 1, [1.0, 3.0])
    """
    try:
        return _convert(name, _unwrapped(values))
    except Exception as error:  # one bad column must not take its neighbours along
        reason = f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
        return _without_values(name, values, f"could not be read: {reason}")


def _convert(name: str, values: pa.ChunkedArray) -> Column:
    for matches, convert in _RULES:
        if matches(values.type):
            return convert(name, values)
    return _without_values(name, values, f"values of type {values.type} are not compared")


def _unwrapped(values: pa.ChunkedArray) -> pa.ChunkedArray:
    """Without the wrappings that say nothing about the value: extensions, runs, views."""
    if isinstance(values.type, pa.BaseExtensionType):
        chunks = [chunk.storage for chunk in values.chunks]
        return _unwrapped(pa.chunked_array(chunks, type=values.type.storage_type))
    if pa.types.is_run_end_encoded(values.type):
        chunks = [pc.run_end_decode(chunk) for chunk in values.chunks]
        return _unwrapped(pa.chunked_array(chunks, type=values.type.value_type))
    if pa.types.is_dictionary(values.type) and not _is_text(values.type.value_type):
        return _unwrapped(values.cast(values.type.value_type))
    if values.type in (pa.string_view(), pa.binary_view()):
        plain = pa.large_string() if values.type == pa.string_view() else pa.large_binary()
        return values.cast(plain)
    return values


# --- One rule a family of types ---


def _number(name: str, values: pa.ChunkedArray) -> Column:
    return _of_floats(name, _number_family(values.type), values)


def _number_family(kind: pa.DataType) -> str:
    whole = pa.types.is_integer(kind) or (pa.types.is_decimal(kind) and kind.scale <= 0)
    return "integer" if whole else "float"


def _time(name: str, values: pa.ChunkedArray) -> Column:
    kind = values.type
    if pa.types.is_date32(kind):
        return _of_floats(name, "time", values.cast(pa.int32()), _SECONDS_PER_DAY)
    if pa.types.is_date64(kind):
        raw, per_second = values.cast(pa.int64()), _PER_SECOND["ms"]
    else:
        stored = pa.int32() if pa.types.is_time32(kind) else pa.int64()
        raw, per_second = values.cast(stored), _PER_SECOND[kind.unit]
    return _of_floats(name, "time", raw, over=per_second)


def _boolean(name: str, values: pa.ChunkedArray) -> Column:
    present = arrays.to_numpy(values.drop_null())
    return Column(
        name,
        "boolean",
        len(values),
        len(values) - len(present),
        codes=present.astype(np.int64),
        levels=("false", "true"),
        present=arrays.valid(values),
    )


def _text(name: str, values: pa.ChunkedArray) -> Column:
    """Codes and levels; the levels are cleaned of repeats, nulls and what does not occur."""
    coded = _as_dictionary(values)
    rows = len(coded)
    if rows == 0:
        return Column(name, "string", 0, 0, codes=np.empty(0, np.int64))
    indices = pa.chunked_array([chunk.indices for chunk in coded.chunks])
    present = arrays.valid(indices)
    codes = arrays.to_numpy(indices.drop_null()).astype(np.int64)
    distinct = coded.chunk(0).dictionary.dictionary_encode()
    renamed = _renamed(distinct)
    if not np.array_equal(renamed, np.arange(len(renamed))):
        codes = renamed[codes]
        present = _narrowed(present, codes >= 0)
        codes = codes[codes >= 0]
    occurring = np.bincount(codes, minlength=len(distinct.dictionary)) > 0
    levels = distinct.dictionary
    if not occurring.all():
        codes = (np.cumsum(occurring) - 1)[codes]
        levels = levels.filter(arrays.flags(occurring))
    missing, words = rows - len(codes), _words(levels)
    return Column(name, "string", rows, missing, codes=codes, levels=words, present=present)


def _nothing(name: str, values: pa.ChunkedArray) -> Column:
    return Column(name, "other", len(values), len(values))


def _is_number(kind: pa.DataType) -> bool:
    return bool(
        pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)
    )


def _is_time(kind: pa.DataType) -> bool:
    return bool(pa.types.is_temporal(kind)) and not pa.types.is_interval(kind)


def _is_text(kind: pa.DataType) -> bool:
    t = pa.types
    tests = (t.is_string, t.is_large_string, t.is_binary, t.is_large_binary, t.is_fixed_size_binary)
    return any(test(kind) for test in tests)


def _is_coded(kind: pa.DataType) -> bool:
    return bool(pa.types.is_dictionary(kind)) or _is_text(kind)


_RULES: tuple[tuple[Callable[[pa.DataType], bool], Callable[[str, pa.ChunkedArray], Column]], ...]
_RULES = (
    (_is_number, _number),
    (_is_time, _time),
    (pa.types.is_boolean, _boolean),
    (_is_coded, _text),
    (pa.types.is_null, _nothing),
)


# --- Arrays ---


def _floats(values: pa.ChunkedArray) -> Floats:
    """Shape (n,), of values without nulls; a view of Arrow's memory where that is possible."""
    wide = values if values.type == pa.float64() else values.cast(pa.float64(), safe=False)
    return arrays.to_numpy(wide)


def _of_floats(
    name: str, family: str, values: pa.ChunkedArray, times: float = 1.0, *, over: float = 1.0
) -> Column:
    """A column of the numbers that are there, scaled; null and NaN are missing."""
    numbers, present = _floats(values.drop_null()), arrays.valid(values)
    gone = _not_numbers(numbers)
    if gone is not None:
        numbers, present = numbers[~gone], _narrowed(present, ~gone)
    if times != over:
        numbers = numbers * times / over
    missing = len(values) - numbers.size
    return Column(name, family, len(values), missing, numbers=numbers, present=present)


def _not_numbers(numbers: Floats) -> Flags | None:
    """Which values are NaN; None when none is, which the smallest one tells."""
    return np.isnan(numbers) if numbers.size and np.isnan(np.min(numbers)) else None


def _renamed(distinct: pa.DictionaryArray) -> Codes:
    """The place of each level among those that differ; -1 for a level that is null."""
    indices = pa.chunked_array([distinct.indices])
    found, there = arrays.to_numpy(indices).astype(np.int64), arrays.valid(indices)
    return found if there is None else np.where(there, found, -1)


def _narrowed(present: Flags | None, kept: Flags) -> Flags | None:
    """`present` with only those of its values that are `kept`, shape (present values,)."""
    if kept.all():
        return present
    if present is None:
        return kept
    narrowed = present.copy()
    narrowed[present] = kept
    return narrowed


def _as_dictionary(values: pa.ChunkedArray) -> pa.ChunkedArray:
    """Dictionary-encoded, with one dictionary for all chunks."""
    if pa.types.is_dictionary(values.type):
        for chunk in values.chunks:
            _refuse_strays(chunk)
        return values.unify_dictionaries() if values.num_chunks > 1 else values
    return values.dictionary_encode()


def _refuse_strays(coded: pa.DictionaryArray) -> None:
    """ValueError for codes of no level, which damaged files hold and Arrow does not look for."""
    lowest, highest = pc.min_max(coded.indices).as_py().values()
    if lowest is not None and not 0 <= lowest <= highest < len(coded.dictionary):
        raise ValueError(f"it holds codes up to {highest} of {len(coded.dictionary)} levels")


def _words(levels: pa.Array) -> tuple[str, ...]:
    if pa.types.is_string(levels.type) or pa.types.is_large_string(levels.type):
        try:
            return tuple(levels.to_pylist())
        except UnicodeDecodeError:  # files may hold text that is none; show its bytes
            levels = levels.cast(pa.large_binary())
    return tuple(_word(value) for value in levels.to_pylist())


def _word(value: bytes) -> str:
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError:
        return f"0x{value.hex()}"


def _without_values(name: str, values: pa.ChunkedArray, problem: str) -> Column:
    return Column(name, "other", len(values), values.null_count, problem=problem)
