"""What a Parquet file decodes to has a bound, whatever its footer says; an honest file reads as it did."""

from __future__ import annotations

import io
import random
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from winnowry.sources import parquet
from winnowry.sources.base import ReadLimits, Record, Unreadable
from winnowry.sources.parquet_pages import read_struct

LONG = "x" * 100_000
LIMITS = ReadLimits(ratio_applies_above_bytes=1 << 20)
ONE_LONG = pa.DictionaryArray.from_arrays(pa.array([0] * 260, pa.int32()), pa.array([LONG]))


def written(table: pa.Table, **options: Any) -> bytes:
    out = io.BytesIO()
    pq.write_table(table, out, **{"compression": "zstd", **options})
    return out.getvalue()


def read(data: bytes, limits: ReadLimits = LIMITS) -> list[Record | Unreadable]:
    return list(parquet.Parquet().read(io.BytesIO(data), "a.parquet", limits))


def beside(column: pa.Array) -> pa.Table:
    return pa.table({"text": ["a"] * len(column), "more": column})


def list_of(values: pa.Array) -> pa.Array:
    return pa.ListArray.from_arrays(pa.array([0, len(values)], pa.int32()), values)


BOMBS = {
    "one value in every row": written(pa.table({"text": ONE_LONG}), store_schema=False),
    "one value in every row, known to be a dictionary": written(pa.table({"text": ONE_LONG})),
    "in another column": written(beside(ONE_LONG), store_schema=False),
    "as bytes": written(beside(ONE_LONG.cast(pa.dictionary(pa.int32(), pa.binary()))), store_schema=False),
    "in a list": written(beside(list_of(ONE_LONG)), store_schema=False),
    "in a struct": written(beside(pa.StructArray.from_arrays([ONE_LONG], ["s"])), store_schema=False),
    "in a map": written(
        beside(pa.MapArray.from_arrays([0, 260], pa.array([str(n) for n in range(260)]), ONE_LONG)), store_schema=False
    ),
    "as JSON": written(beside(pa.ExtensionArray.from_storage(pa.json_(), pa.array([f'"{LONG}"'] * 260)))),
    "the beginning of the one before": written(
        pa.table({"text": [LONG] * 260}), use_dictionary=False, column_encoding={"text": "DELTA_BYTE_ARRAY"}
    ),
    "of a fixed length": written(beside(pa.array([b"y" * 100_000] * 260, pa.binary(100_000)))),
    "nulls in one list": written(beside(list_of(pa.nulls(3_000_000)))),
    "numbers in one list": written(beside(list_of(pa.array(np.zeros(3_000_000, np.int8))))),
    "numbers in one list, version 2": written(
        beside(list_of(pa.array(np.zeros(3_000_000, np.int8)))), data_page_version="2.0"
    ),
    "truths in one list": written(beside(list_of(pa.array(np.zeros(3_000_000, bool))))),
    "one page": written(pa.table({"text": [LONG] * 260}), use_dictionary=False, write_batch_size=1024),
    "names of fields": written(
        beside(list_of(pa.array([{"n" * 1000: None}] * 20_000, pa.struct([("n" * 1000, pa.int8())]))))
    ),
}


@pytest.mark.parametrize("name", BOMBS)
def test_a_file_that_inflates_is_one_place_with_the_reason(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parquet, "_DECODED_BYTES", 16 << 20)
    assert len(BOMBS[name]) < 30_000
    *records, item = read(BOMBS[name])
    assert len(records) <= LIMITS.ratio_applies_above_bytes // len(LONG)  # those that were still within the ratio
    assert isinstance(item, Unreadable)
    assert item.reason in ("compression_ratio", "pages_too_large")
    assert item.ends_object
    assert item.threshold is not None


ROWS = [
    {
        "text": f"text {n} " * (n % 7),
        "word": ["red", "green", None][n % 3],
        "n": n if n % 5 else None,
        "list": [f"{n}", None, "b"][: n % 4] if n % 6 else None,
        "deep": [{"k": n, "v": [1.5, None]}] * (n % 3),
        "map": [("k", n)] if n % 2 else None,
        "bytes": bytes([n % 256]) * 3,
        "fixed": b"abc",
        "none": None,
    }
    for n in range(700)
]
SCHEMA = pa.schema(
    [
        ("text", pa.large_string()),
        ("word", pa.string()),
        ("n", pa.int16()),
        ("list", pa.list_(pa.string())),
        ("deep", pa.list_(pa.struct([("k", pa.int64()), ("v", pa.list_(pa.float32()))]))),
        ("map", pa.map_(pa.string(), pa.int64())),
        ("bytes", pa.binary()),
        ("fixed", pa.binary(3)),
        ("none", pa.null()),
    ]
)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"use_dictionary": False},
        {"data_page_version": "2.0", "compression": "snappy"},
        {"row_group_size": 100, "dictionary_pagesize_limit": 64},
        {"data_page_size": 256, "write_batch_size": 8, "compression": "none"},
        {"use_dictionary": False, "column_encoding": {"text": "DELTA_BYTE_ARRAY", "word": "DELTA_LENGTH_BYTE_ARRAY"}},
        {"store_schema": False, "write_page_index": True},
    ],
    ids=str,
)
def test_an_honest_file_reads_as_arrow_reads_it(options: dict[str, Any]) -> None:
    data = written(pa.Table.from_pylist(ROWS, SCHEMA), **options)
    items = read(data)
    assert [item.position for item in items] == list(range(700))
    assert [item.data for item in items if isinstance(item, Record)] == pq.read_table(io.BytesIO(data)).to_pylist()


def test_rows_that_are_too_large_together_are_read_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parquet, "_DECODED_BYTES", 800_000)
    random.seed(3)
    texts = [random.randbytes(50_000).hex() for _ in range(40)]
    data = written(pa.table({"text": texts}), use_dictionary=False, write_batch_size=1, data_page_size=1)
    asked: list[int] = []
    batches = parquet._File._batches
    monkeypatch.setattr(
        parquet._File, "_batches", lambda self, group, n_rows: asked.append(n_rows) or batches(self, group, n_rows)
    )
    items = read(data, ReadLimits())
    assert asked == [256, 1]
    assert [item.data["text"] for item in items if isinstance(item, Record)] == texts


def test_a_row_longer_than_a_record_may_be_costs_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    data = written(pa.table({"text": ["a", LONG, "b"], "list": [["c"], None, ["d"] * 40_000]}))
    items = read(data, ReadLimits(max_record_bytes=50_000))
    assert [getattr(item, "reason", "read") for item in items] == ["read", "over_long_record", "over_long_record"]
    assert isinstance(items[1], Unreadable)
    assert items[1].payload == LONG.encode()


def test_a_page_is_as_large_as_its_header_says_and_not_as_the_footer_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parquet, "_DECODED_BYTES", 8000)
    data = bytearray(written(pa.table({"n": list(range(20))}), use_dictionary=False, compression="none"))
    assert len(read(bytes(data))) == 20
    start = pq.ParquetFile(io.BytesIO(data)).metadata.row_group(0).column(0).data_page_offset
    header, _ = read_struct(data, start)
    assert data[start : start + 3] == b"\x15\x00\x15"  # a data page, then the size
    size = int.from_bytes(data[start + 3 : start + 5], "little")
    assert (size & 0x7F | (size >> 8) << 7) == 2 * header[2]  # zigzag, two bytes
    data[start + 3 : start + 5] = b"\xfe\x7f"  # 8191
    [item] = read(bytes(data))
    assert isinstance(item, Unreadable)
    assert item.reason == "pages_too_large"


@pytest.mark.parametrize("n_bytes", range(5))
def test_a_header_that_ends_early_is_told_from_a_wrong_one(n_bytes: int) -> None:
    whole = bytes.fromhex("15 02 15 90 03 00")
    with pytest.raises(IndexError):
        read_struct(whole[:n_bytes], 0)


@pytest.mark.parametrize("wrong", ["1c" * 40, "19" + "f9" * 40, "1d00", "15" + "ff" * 12], ids=str)
def test_a_header_without_end_is_wrong(wrong: str) -> None:
    with pytest.raises((ValueError, IndexError)):
        read_struct(bytes.fromhex(wrong) + bytes(64), 0)
    with pytest.raises(ValueError, match="header"):
        read_struct(bytes.fromhex("1c" * 40), 0)
