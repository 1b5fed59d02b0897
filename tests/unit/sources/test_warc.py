from __future__ import annotations

import gzip
import io
import random
import tracemalloc
import zlib
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest
import zstandard

from winnowry.sources.base import ReadLimits, Record, Unreadable
from winnowry.sources.warc import Warc

WEB = Path(__file__).parents[4] / "shared" / "data" / "web"
NEEDS_DATA = pytest.mark.skipif(not WEB.is_dir(), reason=f"needs the development data at {WEB}")
HTML = b"HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\n\r\n"


def warc(block: bytes, kind: str = "response", length: int | None = None, **fields: str) -> bytes:
    headers = {
        "WARC-Type": kind,
        "WARC-Target-URI": "http://example.org/",
        "WARC-Date": "2020-02-03T04:05:06Z",
        "WARC-Record-ID": "<urn:uuid:0>",
        "Content-Type": "application/http; msgtype=response",
        "Content-Length": str(len(block) if length is None else length),
        **{name.replace("_", "-"): value for name, value in fields.items()},
    }
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return b"WARC/1.0\r\n" + lines.encode() + b"\r\n" + block + b"\r\n\r\n"


def brotli(data: bytes) -> bytes:
    out = pa.BufferOutputStream()
    with pa.CompressedOutputStream(out, "brotli") as stream:
        stream.write(data)
    return out.getvalue().to_pybytes()


def chunked(data: bytes) -> bytes:
    return b"%x\r\n" % len(data) + data + b"\r\n0\r\n\r\n"


def page(body: str, **fields: str) -> bytes:
    return warc(HTML + body.encode(), **fields)


def read(data: bytes, limits: ReadLimits | None = None, reader: Warc | None = None) -> list[Record | Unreadable]:
    return list((reader or Warc()).read(io.BytesIO(data), "a.warc", limits or ReadLimits()))


def brief(items: list[Record | Unreadable]) -> list[tuple[int, object]]:
    return [(item.position, item.data["text"] if isinstance(item, Record) else item.reason) for item in items]


def test_a_page_carries_its_address_fetch_date_status_and_type() -> None:
    (record,) = read(page("<p>grüße</p>", WARC_Payload_Digest="sha1:ABC"))
    assert record == Record(
        0,
        {
            "text": "<p>grüße</p>",
            "url": "http://example.org/",
            "date": "2020-02-03T04:05:06Z",
            "status": 200,
            "content_type": "text/html",
            "charset": "utf-8",
            "record_type": "response",
            "warc_record_id": "urn:uuid:0",
            "payload_digest": "sha1:ABC",
        },
        "text/html",
    )


def test_requests_and_metadata_are_no_documents_but_count_in_the_positions() -> None:
    data = warc(b"", "warcinfo") + warc(b"GET / HTTP/1.1\r\n\r\n", "request") + page("a") + warc(b"x", "metadata")
    assert brief(read(data)) == [(2, "a")]


def test_wet_gives_text_and_wat_its_json() -> None:
    wet = warc("Grüße\nan alle".encode(), "conversion", Content_Type="text/plain")
    assert brief(read(wet)) == [(0, "Grüße\nan alle")]
    wat = warc(b'{"Envelope":{}}', "metadata", Content_Type="application/json")
    assert brief(read(wat)) == []
    reader = Warc(record_types=("metadata",), content_types=("application/json",))
    assert brief(read(wat, reader=reader)) == [(0, '{"Envelope":{}}')]


@pytest.mark.parametrize(
    ("record", "reason", "value"),
    [
        (warc(HTML, "revisit", WARC_Refers_To_Target_URI="http://a/"), "revisit", "http://a/"),
        (warc(b"HTTP/1.1 404 Not Found\r\nContent-Type: text/html\r\n\r\nx"), "http_status", "404"),
        (warc(b"HTTP/1.1 200 OK\r\nContent-Type: image/gif\r\n\r\nGIF"), "content_type", "image/gif"),
        (page("half", WARC_Truncated="length"), "truncated_payload", "length"),
        (warc(b"no http"), "bad_http", "no http"),
        (warc(b"HTTP/1.1 abc\r\n\r\nx"), "bad_http", "HTTP/1.1 abc"),
        (warc(HTML + b"\x00\x01\x02\x03ab"), "binary_content", "text/html, read as utf-8"),
        (warc(HTML[:-2] + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n4000\r\nd"), "bad_http_encoding", None),
        (warc(HTML[:-2] + b"Content-Encoding: gzip\r\n\r\n\x1f\x8b\x08no"), "bad_http_encoding", None),
        (warc(b"x" * 5000, "resource", Content_Type="image/png"), "content_type", "image/png"),
    ],
)
def test_what_is_no_usable_document_is_reported_with_its_bytes(record: bytes, reason: str, value: str | None) -> None:
    item, after = read(record + page("next"))
    assert isinstance(item, Unreadable)
    assert (item.position, item.operator, item.reason) == (0, "source.warc", reason)
    assert value is None or item.value == value
    assert item.payload == record.partition(b"\r\n\r\n")[2].removesuffix(b"\r\n\r\n")[:4096]
    assert brief([after]) == [(1, "next")]


@pytest.mark.parametrize(
    ("headers", "payload"),
    [
        (b"Transfer-Encoding: chunked", b"5\r\n<p>ab\r\n5\r\nc</p>\r\n0\r\n\r\n"),
        (b"Content-Encoding: gzip", gzip.compress(b"<p>abc</p>", mtime=0)),
        (b"Content-Encoding: deflate", zlib.compress(b"<p>abc</p>")),
        (b"Transfer-Encoding: chunked", b"<p>abc</p>"),  # the crawler has undone it and kept the header
        (b"Content-Encoding: gzip", b"<p>abc</p>"),
        (b"Content-Encoding: deflate", b"<p>abc</p>"),
        (b"Content-Encoding: br", b"<p>abc</p>"),
        (b"Content-Encoding: deflate", zlib.compress(b"<p>abc</p>")[2:-4]),  # without the header of zlib
        (b"Content-Encoding: x-gzip", gzip.compress(b"<p>abc</p>", mtime=0)),
        (b"Content-Encoding: zstd", zstandard.compress(b"<p>abc</p>")),
        (b"Content-Encoding: br", brotli(b"<p>abc</p>")),
        (b"Content-Encoding: deflate, gzip", gzip.compress(zlib.compress(b"<p>abc</p>"), mtime=0)),
        (b"Transfer-Encoding: chunked\r\nContent-Encoding: gzip", chunked(gzip.compress(b"<p>abc</p>", mtime=0))),
    ],
)
def test_transfer_and_content_encodings_are_undone_once(headers: bytes, payload: bytes) -> None:
    assert brief(read(warc(HTML[:-2] + headers + b"\r\n\r\n" + payload))) == [(0, "<p>abc</p>")]


@pytest.mark.parametrize(
    ("headers", "payload"),
    [
        (b"Transfer-Encoding: chunked", b"5\r\n<p>ab\r\n5\r\nc</"),
        (
            b"Transfer-Encoding: chunked",
            b"5\r\n<p>ab\r\n5\r\nc</p>\r\n",
        ),  # the last chunk is missing: RFC 9112, section 8
        (b"Transfer-Encoding: chunked", b"5\r\n<p>ab\r\nrubbish"),
        (b"Content-Encoding: gzip", gzip.compress(b"<p>abc</p>", mtime=0)[:-9]),
        (b"Content-Encoding: deflate", zlib.compress(b"<p>abc</p>" * 99)[:-9]),
        (b"Content-Encoding: deflate", zlib.compress(random.Random(0).randbytes(999))[2:-99]),
        (b"Content-Encoding: zstd", zstandard.compress(b"<p>abc</p>")[:-3]),
        (b"Content-Encoding: br", brotli(random.Random(0).randbytes(999))[:-99]),
    ],
)
def test_a_body_that_is_cut_short_is_no_document(headers: bytes, payload: bytes) -> None:
    items = read(warc(HTML[:-2] + headers + b"\r\n\r\n" + payload) + page("next"))
    assert brief(items) == [(0, "bad_http_encoding"), (1, "next")]


@pytest.mark.parametrize(
    ("payload", "media_type"),
    [
        (b"<p>a fragment</p>", "text/html"), (b" \n<!DOCTYPE html><p>x", "text/html"),
        (b"<!-- a --><div>b", "text/html"), (b"<pre>no tag of the list", "text/plain"), (b"a < b", "text/plain"),
    ],
)  # fmt: skip
def test_a_payload_without_a_media_type_is_told_by_its_first_tag(payload: bytes, media_type: str) -> None:
    [item] = read(warc(b"HTTP/1.1 200 OK\r\nServer: x\r\n\r\n" + payload))
    assert isinstance(item, Record)
    assert item.data["content_type"] == media_type


def test_a_compressed_payload_that_inflates_beyond_the_limit_is_refused_without_holding_it() -> None:
    bomb = HTML[:-2] + b"Content-Encoding: gzip\r\n\r\n" + gzip.compress(bytes(256 << 20))
    archive = warc(bomb) + page("next")
    tracemalloc.start()
    items = read(archive, ReadLimits(max_record_bytes=1 << 20))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert brief(items) == [(0, "over_long_record"), (1, "next")]
    assert peak < 16 << 20


@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "one gzip member a record"])
@pytest.mark.parametrize(
    ("length", "reason"),
    [(3, "wrong_content_length"), (100_000, "wrong_content_length"), (10**15, "over_long_record"),
     (None, "bad_content_length")],
)  # fmt: skip
def test_a_lying_content_length_costs_only_its_own_record(pack: object, length: int | None, reason: str) -> None:
    liar = page("<p>two</p>", Content_Length="many" if length is None else str(length))
    archive = b"".join(pack(part) for part in (page("one"), liar, page("three"), page("four")))  # type: ignore[operator]
    items = read(archive)
    if pack is gzip.compress and length == 100_000:
        reason = "truncated_record"  # the member has ended
    assert brief(items) == [(0, "one"), (1, reason), (2, "three"), (3, "four")]
    assert isinstance(items[1], Unreadable)
    assert b"<p>two</p>" in items[1].payload
    if length is not None:
        assert length == int(items[1].threshold or 0) or items[1].value == str(length)


def test_rubbish_between_records_is_one_unreadable_place() -> None:
    items = read(page("one") + b"rubbish\nmore rubbish\n" + page("two") + b"\r\n\r\n\r\n" + page("three"))
    assert brief(items) == [(0, "one"), (1, "bad_warc_header"), (2, "two"), (3, "three")]
    assert isinstance(items[1], Unreadable)
    assert items[1].payload == b"rubbish\nmore rubbish\n"


def test_a_header_without_end_is_unreadable() -> None:
    endless = b"WARC/1.0\r\n" + b"X-Header: y\r\n" * 10_000
    assert brief(read(endless + b"\n" + page("two"))) == [(0, "bad_warc_header"), (1, "two")]


def test_records_may_end_lines_with_lf_only_and_lack_the_blank_lines_after_them() -> None:
    lf = page("one").replace(b"\r\n", b"\n")
    n_lost = HTML.count(b"\r\n")
    lf = lf.replace(b"Content-Length: %d" % len(HTML + b"one"), b"Content-Length: %d" % (len(HTML) + 3 - n_lost))
    assert brief(read(lf + page("two").rstrip() + page("three"))) == [(0, "one"), (1, "two"), (2, "three")]


def test_a_damaged_gzip_member_costs_only_itself() -> None:
    noise = random.Random(7).randbytes(30_000).hex()
    members = [bytearray(gzip.compress(page(f"{name} {noise}"))) for name in ("one", "two", "three")]
    for place in (30, 2000, len(members[1]) - 6):  # in the header, in the middle, in the checksum
        broken = [bytes(members[0]), bytearray(members[1]), bytes(members[2])]
        broken[1][place] ^= 0x55  # type: ignore[index]
        items = read(b"".join(broken))
        assert [item.position for item in items] == list(range(len(items)))
        texts = [item.data["text"][:5] for item in items if isinstance(item, Record)]  # type: ignore[index]
        assert texts == ["one 6", "three"] or texts == [f"one {noise[0]}", "three"]
        assert {item.reason for item in items if isinstance(item, Unreadable)} == {"bad_gzip"}


def test_a_member_cut_short_costs_only_itself() -> None:
    noise = random.Random(7).randbytes(30_000).hex()
    one, two, three = (gzip.compress(page(f"{name} {noise}")) for name in ("one", "two", "three"))
    items = read(one + two[: len(two) // 2] + three)
    assert [item.reason if isinstance(item, Unreadable) else "ok" for item in items] == ["ok", "bad_gzip", "ok"]


def test_a_member_without_its_whole_checksum_is_not_trusted() -> None:
    assert brief(read(gzip.compress(page("one")) + gzip.compress(page("two"))[:-3])) == [
        (0, "one"),
        (1, "truncated_gzip"),
    ]


def test_a_gzip_bomb_among_the_members_costs_only_itself() -> None:
    bomb = gzip.compress(page("\0" * (32 << 20)))
    limits = ReadLimits(max_record_bytes=1 << 20, max_compression_ratio=100, ratio_applies_above_bytes=1 << 20)
    items = read(gzip.compress(page("one")) + bomb + gzip.compress(page("three")), limits)
    assert brief(items) == [(0, "one"), (1, "compression_ratio"), (2, "three")]


def test_the_last_record_cut_short_is_reported() -> None:
    assert brief(read(page("one") + page("two" * 99)[:-150])) == [(0, "one"), (1, "truncated_record")]


def test_a_record_inside_a_page_is_part_of_the_page() -> None:
    text = "<pre>\r\n\r\n" + page("inner").decode() + "</pre>"
    assert brief(read(page(text) + page("two"))) == [(0, text), (1, "two")]


def test_arc_files_hold_pages_too() -> None:
    block = HTML + b"<p>a</p>"
    head = b"filedesc://a.arc 0.0.0.0 20080430204825 text/plain 76\n1 1 InternetArchive\n"
    names = b"URL IP-address Archive-date Content-type Archive-length\n"
    line = b"http://example.org/a 207.241.229.39 20080430204833 text/html %d\n"
    dns = b"dns:example.org 1.1.1.1 20080430204825 text/dns 3\nabc\n"
    data = head + (names + b"\n")[:57] + b"\n" + dns + line % len(block) + block + b"\n" + line % 3 + block + b"\n"
    items = read(data + line % len(block) + block + b"\n")
    assert brief(items) == [(1, "content_type"), (2, "<p>a</p>"), (3, "wrong_content_length"), (4, "<p>a</p>")]
    assert isinstance(items[1], Record)
    assert items[1].data["date"] == "2008-04-30T20:48:33Z"
    assert items[1].data["url"] == "http://example.org/a"


class Endless(io.RawIOBase):
    """An archive that is made while it is read."""

    def __init__(self, parts: Iterator[bytes]) -> None:
        self._parts = parts

    def read(self, size: int = -1, /) -> bytes:
        return next(self._parts, b"")


LONG = page(random.Random(7).randbytes(1000).hex() * 250)


@pytest.mark.parametrize("member", [LONG, gzip.compress(LONG, mtime=0)], ids=["plain", "gzip"])
def test_a_large_archive_never_sits_in_memory(member: bytes) -> None:
    n_records = 300
    tracemalloc.start()
    stream = Endless(member for _ in range(n_records))
    n_read = sum(1 for item in Warc().read(stream, "a", ReadLimits()) if isinstance(item, Record))  # type: ignore[arg-type]
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert n_read == n_records
    assert peak < 24 << 20


@NEEDS_DATA
@pytest.mark.parametrize("path", sorted(WEB.glob("*.warc*")), ids=lambda path: path.name)
def test_real_archives_hold_the_documents_that_fastwarc_finds(path: Path) -> None:
    from fastwarc.warc import ArchiveIterator, WarcRecordType

    asked = WarcRecordType.response | WarcRecordType.resource | WarcRecordType.conversion | WarcRecordType.revisit
    with path.open("rb") as stream:
        found = [(record.headers["WARC-Record-ID"].strip("<>"), record.headers["WARC-Type"])
                 for record in ArchiveIterator(stream, record_types=asked)]  # fmt: skip
    with path.open("rb") as stream:
        items = list(Warc().read(stream, path.name, ReadLimits()))
    assert len(items) == len(found)
    ids = {item.data["warc_record_id"] for item in items if isinstance(item, Record)}
    assert ids <= {record_id for record_id, _ in found}
    revisits = [item for item in items if isinstance(item, Unreadable) and item.reason == "revisit"]
    assert len(revisits) == sum(kind == "revisit" for _, kind in found)
    assert not [item for item in items if isinstance(item, Unreadable) and "length" in item.reason]


@NEEDS_DATA
def test_the_same_crawl_as_arc_and_as_warc_holds_the_same_pages() -> None:
    texts = []
    for name in ("aut_example.arc.gz", "aut_example.warc.gz"):
        with (WEB / name).open("rb") as stream:
            items = list(Warc().read(stream, name, ReadLimits()))
        texts.append(sorted(str(item.data["text"]) for item in items if isinstance(item, Record)))
    assert texts[0] == texts[1]
    assert len(texts[0]) == 130
