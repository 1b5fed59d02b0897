"""How much the rows of a batch hold."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc


def row_bytes(batch: pa.RecordBatch) -> npt.NDArray[np.int64]:
    """Bytes of the strings and binaries of each row; what lies in lists does not count.

    >>> row_bytes(pa.RecordBatch.from_pylist([{"text": "ab", "n": 1}, {"text": None, "n": 2}])).tolist()
    [2, 0]
    """
    total = np.zeros(batch.num_rows, np.int64)
    for column in batch.columns:
        if _has_length(column.type):
            total += pc.fill_null(pc.binary_length(column), 0).to_numpy(zero_copy_only=False)
    return total


def _has_length(kind: pa.DataType) -> bool:
    tests = (pa.types.is_string, pa.types.is_large_string, pa.types.is_binary, pa.types.is_large_binary)
    return any(test(kind) for test in tests)
