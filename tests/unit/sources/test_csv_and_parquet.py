from __future__ import annotations

import gzip
import io
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pydantic import ValidationError

from winnowry.sources.base import ReadLimits, Record, Unreadable
from winnowry.sources.csv import Csv
from winnowry.sources.parquet import Parquet


def read_csv(data: bytes, delimiter: str = ",", **options: Any) -> list[Record | Unreadable]:
    return list(Csv(delimiter=delimiter, **options).read(io.BytesIO(data), "a.csv", ReadLimits()))


def rows(items: list[Record | Unreadable]) -> list[Any]:
    """Values of records, reasons of what is none."""
    return [list(item.data.values()) if isinstance(item, Record) else item.reason for item in items]


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


def test_tab_separated_values_have_no_quotes_unless_the_recipe_says_so() -> None:
    data = b'a\tb\n1\t"open\n2\tin "side"\n3\t"x ""y"""\n'
    assert rows(read_csv(data, "\t")) == [["1", '"open'], ["2", 'in "side"'], ["3", '"x ""y"""']]
    assert rows(read_csv(b'a\tb\n3\t"x ""y""\n z"\n', "\t", quoting="double")) == [["3", 'x "y"\n z']]
    assert rows(read_csv(b'a,b\n1,"x\n2,y"\n', quoting="none")) == [["1", '"x'], ["2", 'y"']]
    assert Csv(delimiter="\t").quoting == "none"
    assert Csv().quoting is None


def test_a_quote_that_is_never_closed_says_how_many_lines_it_took() -> None:
    [bad] = read_csv(b'a,b\n1,"x\n2,y\n3,z\n')
    assert isinstance(bad, Unreadable)
    assert (bad.reason, bad.value) == ("bad_csv", "unexpected end of data; 3 lines of the file in one row")


@pytest.mark.parametrize(
    ("data", "options", "expected"),
    [
        (b"x,1\ny,2\n", {"columns": ("t", "n")}, [{"t": "x", "n": "1"}, {"t": "y", "n": "2"}]),
        (b"x,1\n", {"columns": ("t", "n"), "header": False}, [{"t": "x", "n": "1"}]),
        (b"a,a\nx,1\n", {"columns": ("t", "n"), "header": True}, [{"t": "x", "n": "1"}]),
        (b"sep=;\nid;text\n1;a,b\n", {}, [{"id": "1", "text": "a,b"}]),
        (b'\xef\xbb\xbf"sep=|"\r\nid|text\r\n1|a\r\n', {}, [{"id": "1", "text": "a"}]),
        (b'sep=\t\nid\ttext\n1\t"a\n', {}, [{"id": "1", "text": '"a'}]),
        (b"sep=;\n1;a\n", {"columns": ("id", "text")}, [{"id": "1", "text": "a"}]),
        (b"id,text\r1,a\r2,b\r", {}, [{"id": "1", "text": "a"}, {"id": "2", "text": "b"}]),
        (b'id,text\r1,"a\r\nb"\r', {}, [{"id": "1", "text": "a\nb"}]),
        (b"\xef\xbb\xbfid, text\n1, a\n", {}, [{"id": "1", " text": " a"}]),
        (b",text\n0,a\n", {}, [{"": "0", "text": "a"}]),
        (b"id,text\n1,a\x00b\n", {}, [{"id": "1", "text": "a\x00b"}]),
        (b"", {"columns": ("t",)}, []),
    ],
)
def test_a_file_is_read_as_it_is_written(data: bytes, options: dict[str, Any], expected: list[dict[str, str]]) -> None:
    items = read_csv(data, **options)
    assert [item.data if isinstance(item, Record) else item for item in items] == expected
    assert [item.position for item in items] == [*range(len(expected))]


@pytest.mark.parametrize(
    ("data", "options", "expected"),
    [
        (b"t,n\nx,1\n", {"columns": ("t", "n")}, ["repeated_header", ["x", "1"]]),
        (b"x,1,2\ny,2\n", {"columns": ("t", "n")}, ["wrong_field_count", ["y", "2"]]),
        (b"a,b,c\nx,1\n", {"columns": ("t", "n"), "header": True}, ["bad_header"]),
        (b"a,,\nx,1,2\n", {}, ["bad_header"]),
        (b"\na,b\n", {}, ["bad_header"]),
    ],
)
def test_what_does_not_fit_the_names_is_named(data: bytes, options: dict[str, Any], expected: list[Any]) -> None:
    assert rows(read_csv(data, **options)) == expected


@pytest.mark.parametrize(
    ("options", "why"),
    [({"header": False}, "needs `columns`"), ({"columns": ("a", "a")}, "repeated field names"), ({"columns": ()}, "1")],
)
def test_names_of_fields_must_be_complete(options: dict[str, Any], why: str) -> None:
    with pytest.raises(ValidationError, match=why):
        Csv(**options)


def test_a_stream_that_breaks_before_its_first_line_ends_keeps_what_there_is() -> None:
    packed = gzip.compress(b"id,text and more")[:-9]
    [bad] = read_csv(packed)
    assert isinstance(bad, Unreadable)
    assert bad.reason == "truncated_gzip"


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
