"""Arrow in, core columns out: every type, every oddity, and never an exception."""

import datetime as dt
from collections.abc import Iterator
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.core.columns import Column
from monitor.core.records import SampleInfo
from monitor.errors import AskedWrongly
from monitor.tables.columns import to_column, to_sample
from monitor.tables.frames import from_frame, text_of, to_array, to_frame
from monitor.tables.inference import TextTypes
from monitor.tables.reservoir import Reservoir, thin
from monitor.tables.times import instants, to_datetime, to_epoch_us
from monitor.tables.unify import unify

UTC = ZoneInfo("UTC")
BERLIN = ZoneInfo("Europe/Berlin")
NAN, INF = float("nan"), float("inf")
DAY_S = 86_400.0


def column(values: Any, kind: pa.DataType | None = None) -> Column:
    array = values if isinstance(values, pa.Array) else pa.array(values, kind)
    return to_column("x", pa.chunked_array([array]))


def words(made: Column) -> list[str]:
    assert made.codes is not None
    return [made.levels[code] for code in made.codes]


# --- to_column ---


@pytest.mark.parametrize(
    ("values", "kind", "dtype", "missing", "numbers"),
    [
        ([1, None, -3], pa.int8(), "integer", 1, [1, -3]),
        ([2**64 - 1], pa.uint64(), "integer", 0, [2.0**64]),
        ([2**60, None], pa.int64(), "integer", 1, [2.0**60]),
        ([1.5, NAN, None, INF, -INF], pa.float64(), "float", 2, [1.5, INF, -INF]),
        ([0.1, None], pa.float32(), "float", 1, [np.float32(0.1)]),
        ([0.5, None], pa.float16(), "float", 1, [0.5]),
        ([Decimal("1.25"), None], pa.decimal128(9, 2), "float", 1, [1.25]),
        ([Decimal(7)], pa.decimal128(9, 0), "integer", 0, [7]),
        ([dt.date(1970, 1, 2), None], pa.date32(), "time", 1, [DAY_S]),
        ([dt.date(1970, 1, 2)], pa.date64(), "time", 0, [DAY_S]),
        ([dt.datetime(1970, 1, 2), None], pa.timestamp("s"), "time", 1, [DAY_S]),
        ([dt.datetime(1970, 1, 2, microsecond=500_000)], pa.timestamp("ms"), "time", 0, [86400.5]),
        ([dt.datetime(1970, 1, 2)], pa.timestamp("ns", "Asia/Tokyo"), "time", 0, [DAY_S]),
        ([dt.time(0, 1)], pa.time32("s"), "time", 0, [60]),
        ([dt.time(0, 1)], pa.time64("ns"), "time", 0, [60]),
        ([dt.timedelta(minutes=1), None], pa.duration("us"), "time", 1, [60]),
        ([None, None], pa.float64(), "float", 2, []),
        ([], pa.int32(), "integer", 0, []),
    ],
)
def test_numbers_and_times(
    values: list[Any], kind: pa.DataType, dtype: str, missing: int, numbers: list[float]
) -> None:
    made = column(values, kind)
    assert (made.dtype, made.rows, made.missing) == (dtype, len(values), missing)
    assert made.numbers is not None and made.numbers.dtype == np.float64
    assert made.numbers.tolist() == numbers
    assert made.codes is None and made.levels == () and made.problem == ""


@pytest.mark.parametrize(
    ("values", "expected", "missing"),
    [
        (pa.array(["a", None, "b", "a", ""]), ["a", "b", "a", ""], 1),
        (pa.array(["a", "ü"], pa.large_string()), ["a", "ü"], 0),
        (pa.array(["a", None], pa.string_view()), ["a"], 1),
        (pa.array(["b", None, "b"]).dictionary_encode(), ["b", "b"], 1),
        (pa.array([b"a", b"\xff\x00", None]), ["a", "0xff00"], 1),
        (pa.array([b"ab"], pa.binary(2)), ["ab"], 0),
        (pa.array([], pa.string()), [], 0),
        (pa.nulls(2, pa.string()), [], 2),
        (pa.nulls(2, pa.dictionary(pa.int32(), pa.string())), [], 2),
        (  # repeated, null and unused entries in the dictionary
            pa.DictionaryArray.from_arrays([0, 1, 2, None], pa.array(["x", None, "x", "unused"])),
            ["x", "x"],
            2,
        ),
        (pa.RunEndEncodedArray.from_arrays([2, 3], ["a", "b"]), ["a", "a", "b"], 0),
    ],
)
def test_text_becomes_codes_into_levels_that_occur(
    values: pa.Array, expected: list[str], missing: int
) -> None:
    made = column(values)
    assert words(made) == expected
    assert made.codes is not None and made.codes.dtype == np.int64
    assert sorted(made.levels) == sorted(set(expected))
    assert (made.dtype, made.rows, made.missing) == ("string", len(values), missing)


def test_booleans_always_have_both_levels() -> None:
    made = column([True, None, True])
    assert (made.dtype, made.missing, made.levels) == ("boolean", 1, ("false", "true"))
    assert words(made) == ["true", "true"]


def test_a_dictionary_of_numbers_is_numbers() -> None:
    made = column(pa.array([3, 3, None, 1]).dictionary_encode())
    assert made.dtype == "integer" and made.numbers is not None
    assert made.numbers.tolist() == [3, 3, 1]


def test_a_column_without_type_is_all_missing() -> None:
    made = column(pa.nulls(3))
    assert (made.dtype, made.rows, made.missing) == ("other", 3, 3)
    assert made.numbers is None and made.codes is None and made.problem == ""


@pytest.mark.parametrize("values", [[[1], None], [{"a": 1}, None]])
def test_nested_values_are_a_problem_and_no_exception(values: list[Any]) -> None:
    made = column(values)
    assert "not compared" in made.problem and (made.rows, made.missing) == (2, 1)


def test_text_that_is_no_utf8_is_shown_as_bytes() -> None:
    offsets = pa.array([0, 1, 2], pa.int32()).buffers()[1]
    broken = pa.StringArray.from_buffers(2, offsets, pa.py_buffer(b"a\xff"))
    assert words(column(broken)) == ["a", "0xff"]


def test_dictionaries_of_chunks_are_unified() -> None:
    chunks = [pa.array(["a", "b"]).dictionary_encode(), pa.array(["b", "c"]).dictionary_encode()]
    made = to_column("x", pa.chunked_array(chunks))
    assert words(made) == ["a", "b", "b", "c"] and len(made.levels) == 3


def test_a_column_without_chunks() -> None:
    assert to_column("x", pa.chunked_array([], pa.string())).rows == 0
    assert to_column("x", pa.chunked_array([], pa.bool_())).rows == 0


def test_floats_without_nulls_are_not_copied() -> None:
    array = pa.array(np.arange(1000.0))
    made = column(array)
    assert made.numbers is not None
    assert made.numbers.ctypes.data == array.buffers()[1].address


SIMPLE_TYPES = st.sampled_from(
    [pa.int64(), pa.float64(), pa.string(), pa.bool_(), pa.timestamp("us"), pa.date32()]
)


@given(kind=SIMPLE_TYPES, data=st.data())
@settings(max_examples=60, deadline=None)
def test_rows_are_present_or_missing_however_they_are_chunked(
    kind: pa.DataType, data: st.DataObject
) -> None:
    raw = data.draw(st.lists(st.one_of(st.none(), st.integers(0, 3)), max_size=12))
    stored = pa.int32() if pa.types.is_date(kind) else pa.int64()
    array = pa.array(raw, stored).cast(kind)
    cut = data.draw(st.integers(0, len(raw)))
    made = to_column("x", pa.chunked_array([array[:cut], array[cut:]], type=kind))
    values = made.numbers if made.numbers is not None else made.codes
    assert values is not None
    assert made.rows == len(raw) and made.missing == raw.count(None)
    assert len(values) == made.rows - made.missing
    there = made.present if made.present is not None else np.ones(made.rows, bool)
    assert there.tolist() == [value is not None for value in raw]


def test_one_bad_column_leaves_its_neighbours_alone() -> None:
    class Broken(pa.ExtensionType):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__(pa.list_(pa.int8()), "tests.broken")

        def __arrow_ext_serialize__(self) -> bytes:
            return b""

        @classmethod
        def __arrow_ext_deserialize__(cls, storage: Any, data: Any) -> "Broken":
            return cls()

    bad = pa.ExtensionArray.from_storage(Broken(), pa.array([[1]], pa.list_(pa.int8())))
    sample = to_sample(pa.table({"bad": bad, "good": [1]}), SampleInfo(1, 1, "all"))
    assert sample.columns["bad"].problem and not sample.columns["good"].problem


# --- Frames ---


def test_a_frame_of_every_pandas_type() -> None:
    frame = pd.DataFrame(
        {
            "int": [1, 2],
            "float": [0.5, NAN],
            "text": ["a", None],
            "nullable": pd.array([1, None], dtype="Int64"),
            "string": pd.array(["a", None], dtype="string"),
            "category": pd.Categorical(["a", None]),
            "bool": [True, False],
            "maybe": pd.array([True, None], dtype="boolean"),
            "when": pd.to_datetime(["2026-01-01", None]),
            "zoned": pd.to_datetime(["2026-01-01", None]).tz_localize("Europe/Berlin"),
            "span": pd.to_timedelta(["1h", None]),
            "period": pd.period_range("2026-01-01", periods=2, freq="D"),
            "interval": pd.interval_range(0, 2),
            "sparse": pd.arrays.SparseArray([0.0, 1.0]),
            "complex": [1j, 2],
            3: [3, 3],
        },
        index=["one", "two"],
    )
    sample = to_sample(from_frame(frame), SampleInfo(2, 2, "all"))
    assert {name: c.dtype for name, c in sample.columns.items()} == {
        "int": "integer", "float": "float", "text": "string", "nullable": "integer",
        "string": "string", "category": "string", "bool": "boolean", "maybe": "boolean",
        "when": "time", "zoned": "time", "span": "time", "period": "time", "interval": "string",
        "sparse": "float", "complex": "string", "3": "integer",
    }  # fmt: skip
    assert not any(c.problem for c in sample.columns.values())
    with_gap = ["float", "text", "nullable", "string", "category", "maybe", "when", "zoned", "span"]
    assert [name for name, c in sample.columns.items() if c.missing] == with_gap


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (
            [1, "a", 2.0, 2.5, True, None, NAN, b"z"],
            ["1", "a", "2", "2.5", "true", None, None, "z"],
        ),
        (
            [pd.Timestamp("2026-01-01"), "x", pd.NaT, pd.NA],
            ["2026-01-01 00:00:00", "x", None, None],
        ),
        ([np.int64(1), np.float64(2), "x"], ["1", "2", "x"]),
        ([{"a": 1}, 1], ["{'a': 1}", "1"]),
        ([10**30, 1, None], [1e30, 1.0, None]),
        ([10**400, 1], [str(10**400), "1"]),
    ],
)
def test_mixed_values_become_text(values: list[Any], expected: list[Any]) -> None:
    frame = pd.DataFrame({"x": pd.Series(values, dtype=object)})
    assert from_frame(frame)["x"].to_pylist() == expected


def test_a_categorical_of_mixed_values() -> None:
    frame = pd.DataFrame({"x": pd.Categorical([1, "a", None])})
    assert from_frame(frame)["x"].to_pylist() == ["1", "a", None]


def test_text_of_values_that_are_no_text() -> None:
    assert text_of(np.bool_(True)) == "true" and text_of(b"\xff") == "\\xff"
    assert to_array([]).type == pa.null()


class _Stream:
    """What a polars frame looks like from here."""

    def __init__(self, table: pa.Table) -> None:
        self._table = table

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        return self._table.__arrow_c_stream__(requested_schema)


def test_arrow_and_whatever_speaks_arrow() -> None:
    table = pa.table({"x": [1, 2], "y": ["a", "b"]})
    assert from_frame(table) is table or from_frame(table).equals(table)
    assert from_frame(table.to_batches()[0]).equals(table)
    assert from_frame(table.to_reader()).equals(table)
    assert from_frame(_Stream(table)).equals(table)


def test_what_holds_no_rows_is_refused() -> None:
    with pytest.raises(AskedWrongly, match="cannot read rows from a int") as caught:
        from_frame(3)
    assert "data frame" in caught.value.hint


@pytest.mark.parametrize(
    "twice",
    [
        pd.DataFrame([[1, 2]], columns=["a", "a"]),
        pd.DataFrame([[1, 2]], columns=[1, "1"]),
        pa.table([[1], [2]], names=["a", "a"]),
    ],
)
def test_two_columns_of_one_name_are_refused(twice: Any) -> None:
    with pytest.raises(AskedWrongly, match="same name"):
        from_frame(twice)


def test_a_sample_as_a_frame() -> None:
    table = pa.table(
        {
            "n": [1, 2],
            "c": pa.array(["a", None]).dictionary_encode(),
            "d": pa.array([dt.date(2026, 1, 1), None]),
        }
    )
    frame = to_frame(to_sample(table, SampleInfo(2, 2, "all")), columns=["d", "c", "absent"])
    assert list(frame.columns) == ["d", "c"]
    assert frame["c"].tolist() == ["a", None] and frame["c"].dtype == object
    assert frame["d"].dtype.kind == "M"


# --- Times ---

NEW_YEAR = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ([dt.datetime(2026, 1, 1)], pa.timestamp("s")),
        ([dt.datetime(2026, 1, 1)], pa.timestamp("ns")),
        ([NEW_YEAR], pa.timestamp("ms", "America/New_York")),
        ([dt.date(2026, 1, 1)], pa.date32()),
        ([dt.date(2026, 1, 1)], pa.date64()),
        (["2026-01-01"], pa.string()),
        (["2026-01-01 00:00"], pa.large_string()),
        (["2026-01-01T00:00:00"], pa.string()),
        (["2026-01-01 00:00:00.000000000"], pa.string()),
        (["2026-01-01T00:00:00Z"], pa.string()),
        (["2026-01-01T01:00:00+01:00", "2025-12-31 19:00:00-0500"], pa.string()),
        (["2026-01-01T01:00+01:00", "2026-01-01", " 2026-01-01 00:00:00 UTC"], pa.string()),
        (["2026-01-01 02:00:00 +0200", "1767225600", "1767225600000"], pa.string()),
        (["1767225600", "1767225600.0"], pa.string()),
        ([1_767_225_600], pa.int64()),
        ([1_767_225_600], pa.uint32()),
        ([1_767_225_600_000], pa.int64()),
        ([1_767_225_600_000_000], pa.int64()),
        ([1_767_225_600_000_000_000], pa.int64()),
        ([1_767_225_600.0, 1_767_225_600_000.0], pa.float64()),
        ([Decimal(1_767_225_600)], pa.decimal128(12, 0)),
    ],
)
def test_one_instant_in_many_writings(values: list[Any], kind: pa.DataType) -> None:
    array = pa.array(values, kind)
    for stored in (array, array.dictionary_encode()):
        read = instants(pa.chunked_array([stored]), UTC).to_pylist()
        assert read == [NEW_YEAR] * len(values)


@pytest.mark.parametrize(
    "values",
    [
        ["", "yesterday", "2026-13-01", "12:30", None],
        [NAN, INF, -INF, None, 1e300],
        [2**63 - 1, -(2**63), None],
        [True, None],
        [[1]],
    ],
)
def test_what_is_no_time_is_null(values: list[Any]) -> None:
    read = instants(pa.chunked_array([values]), UTC)
    known = [v for v in read.to_pylist() if v is not None]
    assert len(read) == len(values)
    assert not known or all(v.year > 2200 or v.year < 1700 for v in known)  # int64 as nanoseconds


def test_one_unreadable_text_does_not_take_the_others_along() -> None:
    read = instants(pa.chunked_array([["2026-01-01", "n/a"], ["2026-01-01T00:00:00Z"]]), UTC)
    assert read.to_pylist() == [NEW_YEAR, None, NEW_YEAR]


@pytest.mark.parametrize("as_text", [False, True])
def test_times_without_offset_are_local(as_text: bool) -> None:
    local = ["2026-07-01 12:00:00", "2026-10-25 02:30:00", "2026-03-29 02:30:00"]
    values = pa.chunked_array([local if as_text else pa.array(local).cast(pa.timestamp("us"))])
    summer, twice, never = instants(values, BERLIN).to_pylist()
    assert summer == dt.datetime(2026, 7, 1, 10, tzinfo=dt.UTC)
    assert twice == dt.datetime(2026, 10, 25, 0, 30, tzinfo=dt.UTC)  # the first of the two
    assert never == dt.datetime(2026, 3, 29, 1, 0, tzinfo=dt.UTC)  # the moment that is skipped


def test_an_aware_timestamp_ignores_the_zone() -> None:
    values = pa.chunked_array([pa.array([NEW_YEAR], pa.timestamp("us", "UTC"))])
    assert instants(values, BERLIN).to_pylist() == [NEW_YEAR]


@given(st.datetimes(min_value=dt.datetime(1, 1, 2), max_value=dt.datetime(9999, 12, 30)))
def test_microseconds_and_datetimes_are_the_same(moment: dt.datetime) -> None:
    aware = moment.replace(tzinfo=dt.UTC)
    assert to_datetime(to_epoch_us(aware)) == aware


# --- Types of text ---


def typed(*blocks: list[str | None], decimal: str = ".") -> pa.ChunkedArray:
    types = TextTypes(decimal)
    tables = [pa.table({"x": pa.array(block, pa.string())}) for block in blocks]
    for table in tables:
        types.learn(table)
    return types.apply(pa.concat_tables(tables))["x"]


@pytest.mark.parametrize(
    ("blocks", "expected"),
    [
        ([["1", None], ["-2"]], [1, None, -2]),
        ([[" 1", "2 "]], [1, 2]),
        ([["1"], ["2.5", "1e3"]], [1.0, 2.5, 1000.0]),
        ([["2.5"], ["3"]], [2.5, 3.0]),
        ([["1"], ["inf"]], [1.0, INF]),
        ([["1"], ["x"]], ["1", "x"]),
        ([["x"], ["1"]], ["x", "1"]),
        ([["007", "1"]], ["007", "1"]),
        ([["1"], ["007"]], ["1", "007"]),
        ([["0", "0.5", "10"]], [0.0, 0.5, 10.0]),
        ([["0x1F"]], ["0x1F"]),
        ([["True", "false", None]], [True, False, None]),
        ([["true"], ["1"]], ["true", "1"]),
        (
            [["2026-01-01"], ["2026-01-01 00:00:01"]],
            [dt.datetime(2026, 1, 1), dt.datetime(2026, 1, 1, 0, 0, 1)],
        ),
        ([["2026-01-01T01:00:00+01:00"]], [NEW_YEAR]),
        ([["2026-01-01"], ["n/a"]], ["2026-01-01", "n/a"]),
        ([["12345678901234567890"]], [12345678901234567890.0]),
        ([[None], [None]], [None, None]),
        ([[None], ["3"]], [None, 3]),
        ([["1_000"]], ["1_000"]),
    ],
)
def test_a_column_is_what_all_its_values_are(blocks: list[Any], expected: list[Any]) -> None:
    assert typed(*blocks).to_pylist() == expected


def test_decimal_comma() -> None:
    assert typed(["1,5", "2"], decimal=",").to_pylist() == [1.5, 2.0]
    assert typed(["1.5", "2"], decimal=",").to_pylist() == ["1.5", "2"]


@given(
    st.lists(st.one_of(st.none(), st.text("0123456789.-eTZtrue: ", max_size=6)), max_size=8),
    st.data(),
)
@settings(max_examples=80, deadline=None)
def test_blocks_do_not_matter(values: list[str | None], data: st.DataObject) -> None:
    cut = data.draw(st.integers(0, len(values)))
    together, apart = typed(values), typed(values[:cut], values[cut:])
    assert together.type == apart.type
    assert repr(together.to_pylist()) == repr(apart.to_pylist())


# --- Different schemas ---


def joined(*columns: Any) -> pa.ChunkedArray:
    tables = [pa.table({"x": values} if values is not None else {"y": [0]}) for values in columns]
    return unify(tables, UTC)["x"]


def dictionary(*values: str) -> pa.Array:
    return pa.array(values).dictionary_encode()


@pytest.mark.parametrize(
    ("columns", "expected", "kind"),
    [
        (([1], [2.5]), [1.0, 2.5], pa.float64()),
        ((pa.array([1], pa.int8()), pa.array([2], pa.uint32())), [1, 2], pa.int64()),
        (([1], ["a"]), ["1", "a"], pa.string()),
        (([1.0, 2.5, None], ["a"]), ["1", "2.5", None, "a"], pa.string()),
        (([True], ["a"]), ["true", "a"], pa.string()),
        (([True], [1]), ["true", "1"], pa.string()),
        ((pa.nulls(1), ["a"]), [None, "a"], pa.string()),
        ((["a"], pa.nulls(1)), ["a", None], pa.string()),
        (([1], None, [2]), [1, None, 2], pa.int64()),
        ((dictionary("a"), ["b"]), ["a", "b"], pa.string()),
        ((dictionary("a"), None), ["a", None], None),
        (([[1]], ["a"]), ["[1]", "a"], pa.string()),
        (([{"a": 1}], [{"b": 2}]), ['{"a": 1}', '{"b": 2}'], pa.string()),
        (([dt.date(2026, 1, 1)], [dt.datetime(2026, 1, 1)]), [NEW_YEAR] * 2, None),
    ],
)
def test_columns_of_different_types(columns: Any, expected: list[Any], kind: Any) -> None:
    made = joined(*columns)
    assert made.to_pylist() == expected
    assert kind is None or made.type == kind


def test_nothing_to_unify() -> None:
    assert unify([], UTC).num_rows == 0


# --- The reservoir ---


def kept(rows: int, limit: int, seed: int, batches: Iterator[int] | None = None) -> list[int]:
    reservoir = Reservoir(limit, seed)
    table = pa.table({"x": np.arange(rows)})
    start = 0
    while start < rows:
        size = next(batches) if batches else 7
        reservoir.add(table.slice(start, size))
        start += size
    assert reservoir.seen == rows
    return [x for piece in reservoir.take() for x in piece["x"].to_pylist()]


@given(st.integers(1, 300), st.integers(1, 60), st.integers(0, 5), st.lists(st.integers(1, 50)))
@settings(max_examples=60, deadline=None)
def test_batches_do_not_matter_to_the_reservoir(
    rows: int, limit: int, seed: int, sizes: list[int]
) -> None:
    def stream() -> Iterator[int]:
        yield from sizes
        while True:
            yield 1_000

    whole = kept(rows, limit, seed, iter([rows]))
    assert kept(rows, limit, seed, stream()) == whole
    assert whole == sorted(set(whole)) and len(whole) == min(rows, limit)


def test_a_table_is_thinned_as_a_stream_is() -> None:
    table = pa.table({"x": np.arange(100)})
    thinned, info = thin(table, 9, seed=4)
    assert thinned["x"].to_pylist() == kept(100, 9, 4)
    assert info == SampleInfo(9, 100, "reservoir", 4)
    assert thin(table, None, 4)[1] == thin(table, 100, 4)[1] == SampleInfo(100, 100, "all")


def test_every_row_is_equally_likely_to_be_kept() -> None:
    rows, limit, draws = 40, 8, 500
    counts = np.zeros(rows)
    for seed in range(draws):
        counts[kept(rows, limit, seed)] += 1
    share = limit / rows
    # Each row's count is binomial; with 40 rows, 4.5 standard deviations are hardly ever passed.
    assert np.abs(counts - draws * share).max() < 4.5 * np.sqrt(draws * share * (1 - share))


def test_the_reservoir_holds_no_more_than_it_promises() -> None:
    reservoir = Reservoir(100, 0)
    table = pa.table({"x": np.arange(1_000)})
    for _ in range(50):
        reservoir.add(table)
        assert sum(piece.num_rows for piece in reservoir._pieces) <= 200 + 1_000
