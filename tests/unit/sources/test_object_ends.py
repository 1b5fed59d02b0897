"""The places after which nothing of an object is read, format by format; and those after which reading goes on."""

from __future__ import annotations

import gzip
import io
import tarfile

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.conformance.test_sources import OPTIONS, ROWS, encoded
from winnowry.sources.base import ReadLimits, Unreadable
from winnowry.sources.registry import formats, reader_of

LINE = b'{"text": "a"}\n'
XML = encoded("xml", ROWS)
CSV = encoded("csv", ROWS)


def parquet() -> bytes:
    out = io.BytesIO()
    pq.write_table(
        pa.table({"text": ["a" * 99, "b" * 99]}), out, row_group_size=1, compression="none", use_dictionary=False
    )
    return out.getvalue()


def tar() -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        info = tarfile.TarInfo("a")
        info.size = len(LINE)
        archive.addfile(info, io.BytesIO(LINE))
    return out.getvalue()


def flipped(data: bytes, place: int) -> bytes:
    changed = bytearray(data)
    changed[place] ^= 0xFF
    return bytes(changed)


def last(name: str, data: bytes, members: str | None = None, limits: ReadLimits | None = None) -> Unreadable:
    reader = reader_of(formats()[name](**OPTIONS.get(name, {})), members=members)
    item = list(reader.read(io.BytesIO(data), f"a.{name}", limits or ReadLimits()))[-1]
    assert isinstance(item, Unreadable)
    return item


@pytest.mark.parametrize("name", ["jsonl", "csv", "text", "html", "sgml", "xml", "warc"])
@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda data: gzip.compress(data)[:-9], "truncated_gzip"),
        (lambda data: flipped(gzip.compress(data), -5), "bad_gzip"),
        (lambda data: b"7z\xbc\xaf\x27\x1c" + data, "unknown_container"),
        (lambda data: b"%PDF-1.7\n" + data, "unknown_container"),
    ],
    ids=["cut", "damaged", "7z", "PDF"],
)
def test_a_stream_that_is_cut_damaged_or_unknown_ends_the_object(name: str, damage: object, reason: str) -> None:
    rows = b"" if (name, reason) == ("warc", "unknown_container") else encoded(name, ROWS)  # which it would find
    item = last(name, damage(rows))  # type: ignore[operator]
    assert (item.reason, item.ends_object) == (reason, True)


@pytest.mark.parametrize("name", ["jsonl", "csv", "sgml", "xml"])
def test_a_bomb_ends_the_object(name: str) -> None:
    limits = ReadLimits(max_compression_ratio=100, ratio_applies_above_bytes=1 << 20)
    item = last(name, gzip.compress(encoded(name, ROWS) + b"\0" * (4 << 20)), limits=limits)
    assert (item.reason, item.ends_object) == ("compression_ratio", True)


@pytest.mark.parametrize(
    ("name", "data", "members", "reason"),
    [
        ("jsonl", LINE + LINE[:9], None, "bad_json"),
        ("csv", b"a,b,a\n1,2,3\n", None, "bad_header"),
        ("csv", b'a,b\n1,"2', None, "bad_csv"),
        ("parquet", b"no parquet", None, "bad_parquet"),
        ("parquet", parquet()[:-9], None, "bad_parquet"),
        ("warc", encoded("warc", ROWS[:2])[:-9], None, "truncated_record"),
        ("warc", b"no archive at all", None, "bad_warc_header"),
        ("warc", b"<html><p>an error page</p></html>", None, "unknown_container"),
        ("xml", XML[:-9], None, "truncated_record"),
        ("xml", LINE, None, "unknown_container"),
        ("jsonl", tar()[:520], "*", "truncated_tar"),
        ("jsonl", flipped(tar(), 3), "*", "bad_tar"),
        ("jsonl", LINE * 99, "*", "bad_tar"),
        ("files", tar()[:515], "*", "truncated_tar"),
    ],
)
def test_damage_of_a_format_that_leaves_the_rest_unread_ends_the_object(
    name: str, data: bytes, members: str | None, reason: str
) -> None:
    item = last(name, data, members)
    assert (item.reason, item.ends_object) == (reason, True)


@pytest.mark.parametrize(
    ("name", "data", "reason"),
    [
        ("jsonl", LINE + b"rubbish\n", "bad_json"),
        ("csv", CSV + b"1,2,3\n", "wrong_field_count"),
        ("text", b"\xff", "bad_utf8"),  # the record itself is bad, and there is no other
        ("xml", XML + b"<row><a></b></row>", "bad_xml"),
    ],
)
def test_a_bad_record_does_not_end_the_object(name: str, data: bytes, reason: str) -> None:
    item = last(name, data)
    assert (item.reason, item.ends_object) == (reason, False)


def test_bytes_after_the_end_of_compressed_data_cost_no_record() -> None:
    for name in ("jsonl", "csv", "text", "html"):
        reader = reader_of(formats()[name]())
        whole = encoded(name, ROWS).removesuffix(b"\n")
        records = list(reader.read(io.BytesIO(gzip.compress(whole)), "a", ReadLimits()))
        *same, item = reader.read(io.BytesIO(gzip.compress(whole) + b"rubbish"), "a", ReadLimits())
        assert same == records
        assert isinstance(item, Unreadable)
        assert (item.reason, item.ends_object, item.position) == ("trailing_garbage", True, len(records))
