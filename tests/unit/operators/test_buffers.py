from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from winnowry.operators.buffers import column, ratio, utf8_buffers

VALUES = ["", "é", None, "中文", "abc"]


def rows(values: pa.Array | pa.ChunkedArray) -> list[str | None]:
    buffers = utf8_buffers(values)
    return [
        buffers.data[start:end].tobytes().decode() if valid else None
        for start, end, valid in zip(buffers.offsets[:-1], buffers.offsets[1:], buffers.valid, strict=True)
    ]


@pytest.mark.parametrize(
    "values",
    [
        pa.array(VALUES, pa.large_string()),
        pa.array(VALUES, pa.string()),
        pa.array(VALUES, pa.string_view()),
        pa.array(VALUES, pa.string()).dictionary_encode(),
        pa.chunked_array([VALUES[:2], VALUES[2:]], pa.large_string()),
        pa.array(["cut", *VALUES, "off"], pa.large_string()).slice(1, 5),
        pa.array(["cut", *VALUES, "off"], pa.string()).slice(1, 5),
    ],
    ids=["large", "string", "view", "dictionary", "chunked", "slice", "slice of string"],
)
def test_every_layout_of_a_string_column_is_read(values: pa.Array | pa.ChunkedArray) -> None:
    assert rows(values) == VALUES


@pytest.mark.parametrize(
    "values",
    [
        pa.array([], pa.large_string()),
        pa.chunked_array([], pa.string()),
        pa.array(["a"], pa.large_string()).slice(1),
        pa.nulls(0),
    ],
    ids=["array", "chunks", "slice", "null type"],
)
def test_a_column_without_rows_has_no_rows(values: pa.Array | pa.ChunkedArray) -> None:
    assert rows(values) == []


def test_a_column_of_nulls_is_null() -> None:
    assert rows(pa.nulls(3)) == [None, None, None]


def test_the_bytes_are_not_copied() -> None:
    values = pa.array(["abc", "de"], pa.large_string())
    assert utf8_buffers(values).data.ctypes.data == values.buffers()[2].address


def test_ratios_of_nothing_are_zero_and_nulls_stay_null() -> None:
    shares = ratio(np.array([1, 0, 5]), np.array([4, 0, 0]))
    assert column(shares, np.array([True, True, False])).to_pylist() == [0.25, 0.0, None]
