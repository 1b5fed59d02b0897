"""Arrow UTF-8 columns as numpy arrays, without copying, and back: what compiled kernels work on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

TEXT = pa.large_string()


@dataclass(frozen=True)
class Utf8Buffers:
    """A string column of n rows as arrays.

    Attributes:
        offsets: int64, n + 1 values; row i is ``data[offsets[i]:offsets[i + 1]]``. The first is not 0 in a slice.
        data: uint8, UTF-8 bytes, shared with the Arrow buffer.
        valid: bool, n values; False where the row is null (its bytes mean nothing then).
    """

    offsets: npt.NDArray[np.int64]
    data: npt.NDArray[np.uint8]
    valid: npt.NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.offsets) - 1


def as_text(values: pa.Array | pa.ChunkedArray) -> pa.Array:
    """One contiguous ``large_string`` array of any string column: chunked, sliced, ``string``, view or dictionary.

    Raises:
        pa.ArrowInvalid: the column cannot be read as strings.
    """
    if isinstance(values, pa.ChunkedArray):
        values = values.combine_chunks()
    if isinstance(values, pa.ChunkedArray):  # an older pyarrow returns chunks when one array cannot hold them
        values = pa.concat_arrays([chunk.cast(TEXT) for chunk in values.chunks]) if values.num_chunks else pa.nulls(0)
    return values if values.type == TEXT else values.cast(TEXT)


def utf8_buffers(values: pa.Array | pa.ChunkedArray) -> Utf8Buffers:
    """Give kernels access to the bytes of a string column.

    Args:
        values: n strings, nulls allowed; any layout that :func:`as_text` takes.

    Returns:
        Arrays over the same memory, which they keep alive.
    """
    text = as_text(values)
    n = len(text)
    _, offset_buffer, data_buffer = text.buffers()
    if n == 0 or offset_buffer is None or offset_buffer.size == 0:
        offsets = np.zeros(n + 1, dtype=np.int64)
    else:
        offsets = np.frombuffer(offset_buffer, dtype=np.int64, count=text.offset + n + 1)[text.offset :]
    if data_buffer is None or data_buffer.size == 0:
        data = np.empty(0, dtype=np.uint8)
    else:
        data = np.frombuffer(data_buffer, dtype=np.uint8)
    if text.null_count:
        valid = np.asarray(pc.is_valid(text).to_numpy(zero_copy_only=False), dtype=np.bool_)
    else:
        valid = np.ones(n, dtype=np.bool_)
    return Utf8Buffers(offsets, data, valid)


def from_utf8(offsets: npt.NDArray[np.int64], data: npt.NDArray[np.uint8], valid: npt.NDArray[np.bool_]) -> pa.Array:
    """The ``large_string`` column of such arrays; the opposite of :func:`utf8_buffers`."""
    validity = None if valid.all() else pa.array(valid).buffers()[1]
    return pa.Array.from_buffers(TEXT, len(valid), [validity, pa.py_buffer(offsets), pa.py_buffer(data)])


def column(values: npt.NDArray[np.int64] | npt.NDArray[np.float64], valid: npt.NDArray[np.bool_]) -> pa.Array:
    """An Arrow column of numbers, null where ``valid`` is False (n values each)."""
    return pa.array(values, mask=None if valid.all() else ~valid)


def ratio(part: npt.NDArray[np.int64], whole: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """``part / whole`` row by row, and 0.0 where ``whole`` is 0."""
    result = np.zeros(len(part), dtype=np.float64)
    np.divide(part, whole, out=result, where=whole != 0)
    return result
