"""Arrow's arrays and numpy's, one as the other without a copy.

The library's own ways (`pa.array`, `to_numpy`, `fill_null`) ask whether pandas is there, and so
import it: a third of a second, in which a comparison of a hundred thousand rows could be done.
"""

from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

_STORED: dict[pa.DataType, Any] = {
    pa.int8(): np.int8,
    pa.int16(): np.int16,
    pa.int32(): np.int32,
    pa.int64(): np.int64,
    pa.uint8(): np.uint8,
    pa.uint16(): np.uint16,
    pa.uint32(): np.uint32,
    pa.uint64(): np.uint64,
    pa.float32(): np.float32,
    pa.float64(): np.float64,
}


def to_numpy(values: pa.ChunkedArray) -> NDArray[Any]:
    """Numbers or booleans, shape (n,): a view where there is one chunk. What is null is anything.

    >>> to_numpy(pa.chunked_array([[1, 2], [3]])).tolist()
    [1, 2, 3]
    """
    parts = [_view(chunk) for chunk in values.chunks if len(chunk)]
    if len(parts) == 1:
        return parts[0]
    dtype = np.bool_ if pa.types.is_boolean(values.type) else _STORED[values.type]
    return np.concatenate(parts) if parts else np.empty(0, dtype)


def valid(values: pa.ChunkedArray) -> NDArray[np.bool_] | None:
    """Which values are not null, shape (n,); None when all are."""
    return to_numpy(values.is_valid()) if values.null_count else None


def places(at: NDArray[np.int64]) -> pa.Array:
    """Whole numbers, shape (k,), as Arrow takes them for `take`."""
    whole = np.ascontiguousarray(at, dtype=np.int64)
    return pa.Array.from_buffers(pa.int64(), whole.size, [None, pa.py_buffer(whole)])


def flags(kept: NDArray[np.bool_]) -> pa.Array:
    """Booleans, shape (n,), as Arrow takes them for `filter`."""
    bits = np.packbits(kept, bitorder="little")
    return pa.Array.from_buffers(pa.bool_(), kept.size, [None, pa.py_buffer(bits)])


def _view(chunk: pa.Array) -> NDArray[Any]:
    start, end = chunk.offset, chunk.offset + len(chunk)
    data = chunk.buffers()[1]
    if pa.types.is_boolean(chunk.type):
        bits = np.unpackbits(np.frombuffer(data, np.uint8), count=end, bitorder="little")
        return bits[start:].astype(np.bool_)
    return np.frombuffer(data, _STORED[chunk.type], count=end)[start:]
