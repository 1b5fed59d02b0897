"""How much the rows of a batch hold."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

Bytes = npt.NDArray[np.int64]


def row_bytes(batch: pa.RecordBatch) -> Bytes:
    """Bytes of the strings, binaries and lists of each row, however deep they lie; single numbers do not count.

    >>> row_bytes(pa.RecordBatch.from_pylist([{"text": "ab", "n": 1}, {"text": None, "n": 2}])).tolist()
    [2, 0]
    >>> nested = {"turns": [{"text": "abc"}, {"text": "d"}], "values": [1.0, 2.0]}
    >>> row_bytes(pa.RecordBatch.from_pylist([nested])).tolist()
    [20]
    """
    return sum((_bytes(column) for column in batch.columns), np.zeros(batch.num_rows, np.int64))


def _bytes(column: pa.Array) -> Bytes:
    kind = column.type
    if pa.types.is_struct(kind):
        parts = [_bytes(column.field(index)) for index in range(kind.num_fields)]  # nulls hold nothing that counts
        return sum(parts, np.zeros(len(column), np.int64))
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        lengths = pc.fill_null(pc.list_value_length(column), 0).to_numpy(zero_copy_only=False).astype(np.int64)
        if not (pa.types.is_nested(kind.value_type) or _has_length(kind.value_type)):
            return np.asarray(lengths * kind.value_type.bit_width // 8)
        inner = _bytes(column.flatten())
        ends = np.concatenate([[0], np.cumsum(inner)])
        stops = np.cumsum(lengths)
        return np.asarray(ends[stops] - ends[stops - lengths])
    if _has_length(kind):
        return np.asarray(pc.fill_null(pc.binary_length(column), 0).to_numpy(zero_copy_only=False), np.int64)
    return np.zeros(len(column), np.int64)


def _has_length(kind: pa.DataType) -> bool:
    tests = (pa.types.is_string, pa.types.is_large_string, pa.types.is_binary, pa.types.is_large_binary)
    return any(test(kind) for test in tests)
