"""A sample as the plain pandas frame that expectations are evaluated on."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from monitor.errors import CouldNotLook
from monitor.ports import Sample
from monitor.tables.frames import to_frame

NAIVE, AWARE = "naive", "aware"  # what a time column knows about zones
_EXACT = 2**53  # integers up to here survive as float64


def plain_frame(sample: Sample, columns: Sequence[str]) -> Any:
    """The named columns with dtypes that Great Expectations knows well.

    A column that is absent, or cannot be turned into a series, is left out.

    Integers with nulls are float64 (Int64 where that would lose digits), times are datetime64[ns]
    where they fit, decimals are float64; missing values are NaN, NaT or None.
    """
    try:
        frame = to_frame(sample, columns)
    except CouldNotLook:  # of all the rows
        raise
    except Exception:  # one bad column must not take its neighbours along
        frame = to_frame(sample, [name for name in columns if _is_readable(sample, name)])
    for name in frame.columns:
        series = _plain_series(frame[name], sample.table.column(name))
        if series is not None:
            frame[name] = series
    return frame


def _is_readable(sample: Sample, name: str) -> bool:
    try:
        to_frame(sample, [name])
    except Exception:
        return False
    return True


def _plain_series(series: Any, values: Any) -> Any | None:
    """A better series for a column, or None when it is fine as it is."""
    import pandas as pd
    import pyarrow as pa

    if series.dtype.kind == "M":
        return _in_nanoseconds(series)
    if pa.types.is_decimal(values.type):
        return pd.to_numeric(series, errors="coerce").astype("float64")
    if series.dtype.kind == "f" and pa.types.is_integer(values.type):
        largest = series.abs().max()
        return values.to_pandas(types_mapper=_whole_numbers) if largest >= _EXACT else None
    return None


def _whole_numbers(kind: Any) -> Any:
    import pandas as pd
    import pyarrow as pa

    return pd.UInt64Dtype() if pa.types.is_unsigned_integer(kind) else pd.Int64Dtype()


def _in_nanoseconds(series: Any) -> Any | None:
    import pandas as pd

    if series.dt.unit == "ns":
        return None
    try:
        return series.dt.as_unit("ns")
    except pd.errors.OutOfBoundsDatetime:
        return None  # before 1677 or after 2262


def zone_of(series: Any) -> str:
    """NAIVE or AWARE for a time column, empty for any other."""
    if series.dtype.kind != "M":
        return ""
    return AWARE if getattr(series.dtype, "tz", None) is not None else NAIVE


def as_moment(value: Any, zone: str) -> Any:
    """An ISO text as a datetime comparable with a column of that zone; anything else unchanged.

    Times without an offset are UTC, on both sides.

    >>> as_moment("2026-01-01", AWARE).isoformat(), as_moment("2026-01-01T02:00+02:00", NAIVE)
    ('2026-01-01T00:00:00+00:00', datetime.datetime(2026, 1, 1, 0, 0))
    """
    if not zone or not isinstance(value, str):
        return value
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        return value
    aware = moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    return aware if zone == AWARE else aware.replace(tzinfo=None)
