from __future__ import annotations

import io

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pydantic import ValidationError

from winnowry.sources.base import ReadLimits, Record, Unreadable
from winnowry.sources.csv import Csv
from winnowry.sources.parquet import Parquet


def read_csv(data: bytes, delimiter: str = ",") -> list[Record | Unreadable]:
    return list(Csv(delimiter=delimiter).read(io.BytesIO(data), "a.csv", ReadLimits()))


@pytest.mark.parametrize(
    ("row", "reason"),
    [(b"1", "wrong_field_count"), (b"1,2,3", "wrong_field_count"), (b'"1"x,2', "bad_csv"), (b"\xff,2", "bad_utf8")],
)
def test_a_bad_csv_row_keeps_its_position_and_bytes_and_the_rest_goes_on(row: bytes, reason: str) -> None:
    first, bad, last = read_csv(b"a,b\n1,2\n" + row + b"\n3,4\n")
    assert isinstance(bad, Unreadable)
    assert (bad.position, bad.reason, bad.payload) == (1, reason, row)
    assert (first, last) == (Record(0, {"a": "1", "b": "2"}), Record(2, {"a": "3", "b": "4"}))


def test_a_repeated_field_name_makes_the_file_unreadable() -> None:
    [bad] = read_csv(b"a,a\n1,2\n")
    assert isinstance(bad, Unreadable)
    assert bad.reason == "bad_header"


def test_the_delimiter_is_the_sources() -> None:
    assert read_csv(b"a\tb\n1\t2,3\n", "\t") == [Record(0, {"a": "1", "b": "2,3"})]
    for wrong in (",,", "", '"', "\n"):
        with pytest.raises(ValidationError, match="delimiter"):
            Csv(delimiter=wrong)


def test_a_damaged_row_group_is_one_unreadable_place_and_the_next_keeps_its_positions() -> None:
    out = io.BytesIO()
    table = pa.table({"a": [f"value {i}" for i in range(30)]})
    pq.write_table(table, out, row_group_size=10, compression="none", use_dictionary=False)
    data = bytearray(out.getvalue())
    column = pq.ParquetFile(io.BytesIO(out.getvalue())).metadata.row_group(1).column(0)
    for place in range(column.data_page_offset, column.data_page_offset + 8):
        data[place] = 0xFF
    items = list(Parquet().read(io.BytesIO(bytes(data)), "a.parquet", ReadLimits()))
    bad = [item for item in items if isinstance(item, Unreadable)]
    assert [(item.position, item.reason) for item in bad] == [(10, "bad_parquet")]
    assert bad[0].value is not None
    assert bad[0].value.startswith("10 rows of row group 1")
    assert [item.position for item in items] == [*range(10), 10, *range(20, 30)]
