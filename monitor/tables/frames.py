"""Data frames in and out: what people hold in memory becomes an Arrow table, and back."""

import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

import pyarrow as pa

from monitor.errors import AskedWrongly
from monitor.ports import Sample


def from_frame(frame: Any) -> pa.Table:
    """A pandas or polars frame, an Arrow table, or anything with `__arrow_c_stream__`, as a table.

    A pandas column of mixed types becomes text, each value as people write it (1, not 1.0; true).
    The index of a pandas frame is not a column. Raises AskedWrongly for anything else, and when
    two columns have the same name.
    """
    if _is_pandas(frame):
        _refuse_repeated(str(name) for name in frame.columns)
        columns = [_from_series(frame.iloc[:, i]) for i in range(frame.shape[1])]
        return pa.table(dict(zip(map(str, frame.columns), columns, strict=True)))
    if not isinstance(frame, pa.Table | pa.RecordBatch) and not hasattr(
        frame, "__arrow_c_stream__"
    ):
        raise AskedWrongly(
            f"cannot read rows from a {type(frame).__name__}",
            hint="give a path, a pandas or polars data frame, or an Arrow table",
        )
    batch = isinstance(frame, pa.RecordBatch)
    table = pa.Table.from_batches([frame]) if batch else pa.table(frame)
    _refuse_repeated(table.column_names)
    return table


def to_frame(sample: Sample, columns: Sequence[str] | None = None) -> Any:
    """A sample's rows as a pandas frame, text as plain strings and dates as datetime64.

    `columns` None takes all of them; a name that is absent is left out.
    """
    table: pa.Table = sample.table
    if columns is not None:
        table = table.select([name for name in columns if name in table.column_names])
    return plain(table).to_pandas(date_as_object=False)


def plain(table: pa.Table) -> pa.Table:
    """The same rows with every dictionary-encoded column decoded."""
    for i, field in enumerate(table.schema):
        if pa.types.is_dictionary(field.type):
            decoded = table.column(i).cast(field.type.value_type)
            table = table.set_column(i, field.name, decoded)
    return table


def _is_pandas(frame: Any) -> bool:
    pandas = sys.modules.get("pandas")  # nobody can hold a frame without having imported it
    return pandas is not None and isinstance(frame, pandas.DataFrame)


def is_spark(frame: Any) -> bool:
    """Whether it is a Spark data frame, of a session of this process or of a server."""
    spark = sys.modules.get("pyspark.sql")
    return spark is not None and isinstance(frame, spark.DataFrame)


def _refuse_repeated(names: Iterable[str]) -> None:
    repeated = [name for name, times in Counter(names).items() if times > 1]
    if repeated:
        raise AskedWrongly(
            f"two columns have the same name: {', '.join(repeated)}", hint="rename one of them"
        )


def _from_series(series: Any) -> pa.Array | pa.ChunkedArray:
    kind = str(series.dtype)
    if kind.startswith("period"):
        series = series.dt.to_timestamp()
    elif kind.startswith("Sparse"):
        series = series.sparse.to_dense()
    elif kind.startswith(("interval", "complex")):
        series = series.astype(object)
    if series.dtype.kind == "f":
        # NaN stays NaN: a validity bitmap for it would be a copy for nothing.
        return pa.array(series, from_pandas=False)
    try:
        return pa.array(series, from_pandas=True)
    except (pa.ArrowException, TypeError, ValueError, OverflowError):
        gone = series.isna()
        return to_array([None if miss else v for v, miss in zip(series, gone, strict=True)])


def to_array(values: Sequence[Any]) -> pa.Array:
    """Plain values, possibly of mixed types, as one Arrow array; never raises.

    Numbers too large for int64 become floats, every other mixture becomes text.
    """
    try:
        return pa.array(values)
    except (pa.ArrowException, TypeError, ValueError, OverflowError):
        pass
    if all(type(value) in (int, float, type(None)) for value in values):
        try:
            return pa.array([None if v is None else float(v) for v in values], pa.float64())
        except OverflowError:
            pass  # beyond float64 too: keep the digits
    return pa.array([None if value is None else text_of(value) for value in values], pa.string())


def text_of(value: Any) -> str:
    """One value as people write it.

    >>> [text_of(value) for value in (1, 1.0, 1.5, True, "x", b"y")]
    ['1', '1', '1.5', 'true', 'x', 'y']
    """
    if hasattr(value, "item"):  # a numpy scalar
        value = value.item()
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, bytes):
        return value.decode("utf-8", errors="backslashreplace")
    return str(value)
