"""Zip archives against Python's ``zipfile``: their files as objects of another format, and what cannot be read."""

from __future__ import annotations

import io
import zipfile

import pytest

from winnowry.sources.base import ReadLimits, Record, SourceFormat, Unreadable
from winnowry.sources.files import Files
from winnowry.sources.jsonl import JsonLines
from winnowry.sources.registry import formats, reader_of
from winnowry.sources.text import Text

LINES = b'{"n": 1}\n{"n": 2}\n'


def packed(files: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return out.getvalue()


def read(
    data: bytes, options: SourceFormat | None = None, members: str | None = None, limits: ReadLimits | None = None
) -> list[Record | Unreadable]:
    reader = reader_of(options or JsonLines(), members=members)
    return list(reader.read(io.BytesIO(data), "in/a.zip", limits or ReadLimits()))


def brief(items: list[Record | Unreadable]) -> list[tuple[object, ...]]:
    return [
        (item.position, item.data.get("n"), item.data["member"]) if isinstance(item, Record)
        else (item.position, item.reason, item.ends_object)
        for item in items
    ]  # fmt: skip


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2])
def test_the_files_are_read_one_after_the_other_with_positions_that_run_on(method: int) -> None:
    data = packed({"b.jsonl": LINES, "a/": b"", "__MACOSX/._b.jsonl": b"\0\5\x16\7", "a/c.jsonl": LINES}, method)
    assert brief(read(data)) == [(0, 1, "b.jsonl"), (1, 2, "b.jsonl"), (2, 1, "a/c.jsonl"), (3, 2, "a/c.jsonl")]


def test_members_choose_the_files_as_in_tar_archives() -> None:
    assert brief(read(packed({"b": LINES, "a/c": LINES}), members="a/*")) == [(0, 1, "a/c"), (1, 2, "a/c")]


def test_a_file_that_is_compressed_itself_is_decompressed() -> None:
    import gzip

    assert brief(read(packed({"b.gz": gzip.compress(LINES)}))) == [(0, 1, "b.gz"), (1, 2, "b.gz")]


def test_each_file_is_a_record_where_the_format_is_of_whole_files() -> None:
    items = read(packed({"x/one.txt": b"1", "two.txt": b"2"}), Text())
    assert [(item.position, item.data["text"]) for item in items if isinstance(item, Record)] == [(0, "1"), (1, "2")]


def test_a_zip_archive_stays_one_file_where_the_source_takes_files_as_they_are() -> None:
    [item] = read(packed({"a": LINES}), Files())
    assert isinstance(item, Record)
    assert item.data == {"name": "a.zip"}


def encrypted(data: bytes) -> bytes:
    """The flag of encryption set in the local header and in the directory (APPNOTE, section 4.4.4)."""
    changed = bytearray(data)
    changed[6] |= 1
    changed[data.index(b"PK\x01\x02") + 8] |= 1
    return bytes(changed)


def damaged(data: bytes) -> bytes:
    changed = bytearray(data)
    changed[36] ^= 0xFF
    return bytes(changed)


@pytest.mark.parametrize(
    ("data", "reason", "what"),
    [
        (packed({"a": LINES})[:-30], "bad_zip", "directory"),
        (encrypted(packed({"a": LINES})), "encrypted_file", "a"),
        (damaged(packed({"a": LINES})), "bad_zip", "a: "),
        (packed({"a": LINES}, zipfile.ZIP_LZMA), "unknown_container", "method 14"),
        (packed({"a": packed({"b": LINES})}), "unknown_container", "a: a zip archive"),
        (packed({"[Content_Types].xml": b"<x/>", "word/document.xml": b"<x/>"}), "unknown_container", "Office"),
        (packed({"mimetype": b"application/epub+zip", "META-INF/container.xml": b"<x/>"}), "unknown_container", "EPUB"),
    ],
    ids=["cut", "encrypted", "damaged", "LZMA", "nested", "docx", "EPUB"],
)
def test_what_cannot_be_read_is_one_row_that_says_what_it_is(data: bytes, reason: str, what: str) -> None:
    [item] = read(data)
    assert isinstance(item, Unreadable)
    assert (item.reason, item.ends_object) == (reason, True)
    assert what in str(item.value)


def test_a_file_that_cannot_be_read_costs_only_itself() -> None:
    assert brief(read(damaged(packed({"a": LINES, "b": LINES})))) == [(0, "bad_zip", True), (1, 1, "b"), (2, 2, "b")]


def test_a_bomb_ends_the_archive() -> None:
    data = packed({"a": bytes(4 << 20), "b": LINES})
    items = read(data, limits=ReadLimits(max_compression_ratio=100, ratio_applies_above_bytes=1 << 20))
    assert brief(items) == [(0, "compression_ratio", True)]


def test_an_empty_archive_holds_no_record() -> None:
    assert read(packed({})) == []


@pytest.mark.parametrize(
    ("place", "piece", "reason"),
    [
        (42, b"\xff\xff\xff\x7f", "before the archive"),  # offset of the local header
        (8, b"\0\x08", "codec can't decode"),  # the bit of UTF-8, and then a name that is none
    ],
    ids=["an offset that cannot be", "a name that is no text"],
)
def test_a_directory_that_lies_about_a_file_costs_that_file(place: int, piece: bytes, reason: str) -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("a.jsonl", b'{"text": "x"}\n')
    data = bytearray(out.getvalue())
    start = data.rindex(b"PK\x01\x02")
    data[start + place : start + place + len(piece)] = piece
    if reason == "before the archive":  # the archive seems to begin later than it does
        end = data.rindex(b"PK\x05\x06")
        data[start + 42 : start + 46] = (0).to_bytes(4, "little")
        data[end + 16 : end + 20] = (start + 5).to_bytes(4, "little")
    else:
        data[6:8] = piece
        data[30] = data[start + 46] = 0xFF
    [item] = reader_of(formats()["jsonl"]()).read(io.BytesIO(bytes(data)), "a.zip", ReadLimits())
    assert isinstance(item, Unreadable)
    assert item.reason == "bad_zip"
