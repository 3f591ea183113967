"""Times as people and systems store them, read as instants in UTC."""

import re
from datetime import UTC, datetime, tzinfo
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from monitor.core.columns import Floats
from monitor.core.records import Window

INSTANT = pa.timestamp("us", "UTC")

# The years 1 to 9999, which is what the standard library's datetime can say.
EARLIEST_US = -62_135_596_800_000_000
LATEST_US = 253_402_300_799_999_999

# Seconds, milliseconds, microseconds, nanoseconds since 1970 are told apart by size: as seconds
# these limits lie past the year 5000, as the next finer unit they lie in 1973.
EPOCH_LIMITS = (1e11, 1e14, 1e17)
_NUMBER = re.compile(r"[+-]?\d+(\.\d+)?")


def instants(values: pa.ChunkedArray, zone: ZoneInfo) -> pa.ChunkedArray:
    """Any column that tells time, as `timestamp[us, UTC]`; null where no time can be read.

    Reads timestamps, dates (their midnight), ISO text (`T` or blank, fraction, `Z` or offset, also
    mixed in one column) and numbers or text of seconds, ms, us or ns since 1970. What is written
    without an offset is local to `zone`; of an hour that happens twice it is the first.
    Finer than a microsecond is cut off.

    >>> zone = ZoneInfo("Europe/Berlin")
    >>> instants(pa.chunked_array([["2026-07-01", "?"]]), zone).to_pylist()[0].isoformat()
    '2026-06-30T22:00:00+00:00'
    """
    kind = values.type
    if pa.types.is_dictionary(kind):
        read = [_take(chunk, zone) for chunk in values.chunks]
        return pa.chunked_array(read, type=INSTANT)
    if pa.types.is_timestamp(kind) or pa.types.is_date(kind):
        return _plausible(_from_timestamps(values, zone))
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return _plausible(_from_text(values, zone))
    if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        return _plausible(_from_numbers(values))
    return pa.chunked_array([pa.nulls(len(values), INSTANT)])


def epoch_seconds(values: pa.ChunkedArray, zone: ZoneInfo) -> Floats | None:
    """The time of each row in seconds since 1970, shape (rows,); None when a row tells none."""
    moments = instants(values, zone)
    if moments.null_count or not len(moments):
        return None
    seconds: Floats = moments.cast(pa.int64()).to_numpy() / 1e6
    return seconds


def row_times(table: pa.Table, column: str | None, zone: ZoneInfo) -> Floats | None:
    """`epoch_seconds` of the time column of some rows; None when there is no such column."""
    if column is None or column not in table.column_names:
        return None
    return epoch_seconds(table[column], zone)


def span(values: pa.ChunkedArray, zone: ZoneInfo) -> Window | None:
    """First to just after the last time of a column; None when no time can be read.

    >>> span(pa.chunked_array([["2026-07-02", "2026-07-01"]]), ZoneInfo("UTC")).start.isoformat()
    '2026-07-01T00:00:00+00:00'
    """
    low, high = pc.min_max(instants(values, zone).cast(pa.int64())).as_py().values()
    return None if low is None else Window(to_datetime(low), to_datetime(min(high + 1, LATEST_US)))


def to_datetime(epoch_us: int) -> datetime:
    """Microseconds since 1970 as an aware datetime in UTC; exact."""
    return datetime.fromtimestamp(epoch_us // 1_000_000, UTC).replace(
        microsecond=epoch_us % 1_000_000
    )


def to_epoch_us(moment: datetime) -> int:
    """An aware datetime as microseconds since 1970; exact."""
    utc = moment.astimezone(UTC)
    return int(utc.replace(microsecond=0).timestamp()) * 1_000_000 + utc.microsecond


def _take(chunk: pa.DictionaryArray, zone: ZoneInfo) -> pa.Array:
    """Each distinct value is read once."""
    distinct = instants(pa.chunked_array([chunk.dictionary]), zone).combine_chunks()
    return distinct.take(chunk.indices)


def _from_timestamps(values: pa.ChunkedArray, zone: ZoneInfo) -> pa.ChunkedArray:
    aware = pa.types.is_timestamp(values.type) and values.type.tz is not None
    fine = values.cast(pa.timestamp("us", values.type.tz if aware else None), safe=False)
    return fine.cast(INSTANT) if aware else _placed(fine, zone)


def _placed(naive: pa.ChunkedArray, zone: ZoneInfo) -> pa.ChunkedArray:
    """Local times as instants; an hour that the clocks skip becomes the moment they skip."""
    if str(zone) == "UTC":
        return naive.cast(pa.int64()).cast(INSTANT)
    aware = pc.assume_timezone(naive, str(zone), ambiguous="earliest", nonexistent="latest")
    return aware.cast(INSTANT)


def _from_numbers(values: pa.ChunkedArray) -> pa.ChunkedArray:
    whole = pa.types.is_integer(values.type) and values.null_count == 0
    wide = values.cast(pa.int64() if whole else pa.float64(), safe=False).to_numpy()
    size = np.abs(wide)
    seconds, millis, micros = (size <= limit for limit in EPOCH_LIMITS)
    if whole:
        scaled = [wide * 1_000_000, wide * 1_000, wide, wide // 1_000]
    else:
        with np.errstate(over="ignore"):
            scaled = [np.rint(wide * factor) for factor in (1e6, 1e3, 1.0, 1e-3)]
    epoch_us = np.select([seconds, millis, micros], scaled[:3], default=scaled[3])
    readable = np.isfinite(epoch_us) & (np.abs(epoch_us) < 2.0**62)
    whole_us = np.where(readable, epoch_us, 0).astype(np.int64)
    return pa.chunked_array([pa.array(whole_us, mask=~readable).cast(INSTANT)])


def _from_text(values: pa.ChunkedArray, zone: ZoneInfo) -> pa.ChunkedArray:
    """All at once when the column is written one way, else value by value."""
    for attempt in (_all_local, _all_with_offset, _all_numbers):
        try:
            return attempt(values, zone)
        except pa.ArrowInvalid:
            continue
    coded = values.dictionary_encode()
    distinct = coded.chunk(0).dictionary if coded.num_chunks else pa.array([], values.type)
    read = pa.array([_parse(text, zone) for text in distinct.to_pylist()], pa.int64())
    taken = [read.take(chunk.indices).cast(INSTANT) for chunk in coded.chunks]
    return pa.chunked_array(taken, type=INSTANT)


def _all_local(values: pa.ChunkedArray, zone: ZoneInfo) -> pa.ChunkedArray:
    return _placed(values.cast(pa.timestamp("us")), zone)


def _all_with_offset(values: pa.ChunkedArray, zone: ZoneInfo) -> pa.ChunkedArray:
    return values.cast(INSTANT)


def _all_numbers(values: pa.ChunkedArray, zone: ZoneInfo) -> pa.ChunkedArray:
    return _from_numbers(values.cast(pa.float64()))


def _parse(text: str | None, zone: tzinfo) -> int | None:
    """Microseconds since 1970 of one text, None when it tells no time."""
    if text is None:
        return None
    text = text.strip()
    if _NUMBER.fullmatch(text):
        return _parse_number(float(text))
    text = re.sub(r"\s*UTC$", "Z", text)
    text = re.sub(r"\s+([+-]\d\d:?(\d\d)?)$", r"\1", text)
    text = re.sub(r"(\.\d{6})\d+", r"\1", text)
    try:
        moment = datetime.fromisoformat(text)
        return to_epoch_us(moment if moment.tzinfo else moment.replace(tzinfo=zone))
    except (ValueError, OverflowError):
        return None


def _parse_number(value: float) -> int | None:
    read: int | None = _from_numbers(pa.chunked_array([[value]])).cast(pa.int64())[0].as_py()
    return read


def _plausible(moments: pa.ChunkedArray) -> pa.ChunkedArray:
    """Null where the year is outside 1 to 9999: an overflow or a sentinel, not a time."""
    epoch_us = moments.cast(pa.int64())
    lowest, highest = pc.min_max(epoch_us).as_py().values()
    if lowest is None or (lowest >= EARLIEST_US and highest <= LATEST_US):
        return moments
    good = pc.and_(pc.greater_equal(epoch_us, EARLIEST_US), pc.less_equal(epoch_us, LATEST_US))
    return pc.if_else(good, moments, pa.scalar(None, INSTANT))
