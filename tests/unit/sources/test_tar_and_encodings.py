from __future__ import annotations

import gzip
import io
import tarfile
from datetime import UTC, datetime

import pytest
from pydantic import ValidationError

from winnowry.sources.base import ReadLimits, Record, Unreadable
from winnowry.sources.charset import decode, looks_binary
from winnowry.sources.event_time import parse_with_format
from winnowry.sources.html import Html
from winnowry.sources.registry import formats, reader_of
from winnowry.sources.transcode import utf8_chunks


def archive(files: dict[str, bytes], layout: int = tarfile.PAX_FORMAT) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=layout) as tar:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
        folder = tarfile.TarInfo("folder.txt")
        folder.type = tarfile.DIRTYPE
        tar.addfile(folder)
    return out.getvalue()


def read(data: bytes, name: str = "text", **options: str) -> list[Record | Unreadable]:
    reader = reader_of(formats()[name](**options), members="*.txt")
    return list(reader.read(io.BytesIO(data), "a.tar", ReadLimits(max_record_bytes=100_000)))


def brief(items: list[Record | Unreadable]) -> list[tuple[int, object]]:
    return [(item.position, item.data["text"] if isinstance(item, Record) else item.reason) for item in items]


@pytest.mark.parametrize("layout", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_files_have_the_names_that_tarfile_gave_them(layout: int) -> None:
    names = ["a.txt", "d/" * 60 + "long.txt"]
    if layout != tarfile.USTAR_FORMAT:
        names += ["e/" * 200 + "longer.txt", "中文.txt", "after.txt"]
    data = archive({name: name.encode() for name in names}, layout)
    items = read(data)
    assert [(item.data["member"], item.data["text"]) for item in items if isinstance(item, Record)] == [
        (name, name) for name in names
    ]


def test_an_unreadable_file_costs_only_itself_and_is_named() -> None:
    items = read(archive({"a.txt": b"one", "b.txt": b"\xff", "c.md": b"no", "d.txt": b"x" * 200_000, "e.txt": b"five"}))
    assert brief(items) == [(0, "one"), (1, "bad_utf8"), (2, "over_long_record"), (3, "five")]
    assert isinstance(items[1], Unreadable)
    assert (items[1].value or "").startswith("b.txt: ")


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda data: data[: 512 + 512 + 100], "truncated_tar"),
        (lambda data: data[: 512 + 512 + 512 + 2], "truncated_tar"),
        (lambda data: data[:1024] + b"x" + data[1025:], "bad_tar"),
        (lambda data: gzip.compress(data)[:-20], "truncated_gzip"),
    ],
    ids=["in a header", "in a file", "checksum", "gzip"],
)
def test_a_damaged_archive_ends_with_one_report(damage: object, reason: str) -> None:
    data = archive({"a.txt": b"one", "b.txt": bytes(range(1, 128)) * 20, "c.txt": b"three"}, tarfile.USTAR_FORMAT)
    items = read(damage(data))  # type: ignore[operator]
    assert brief(items)[:1] == [(0, "one")] or reason == "truncated_gzip"
    assert [item.reason for item in items if isinstance(item, Unreadable)] == [reason]
    assert isinstance(items[-1], Unreadable)


def test_every_truncation_of_an_archive_is_survived() -> None:
    data = archive({"a.txt": b"one", "b" * 150 + ".txt": b"two"}, tarfile.GNU_FORMAT)
    for cut in range(0, len(data), 7):
        assert len([item for item in read(data[:cut]) if isinstance(item, Unreadable)]) <= 1


def test_objects_in_another_encoding_are_read_line_by_line() -> None:
    lines = ['{"text": "第一"}'.encode("gb18030"), b'{"text": "\xff\xff"}', '{"text": "第三"}'.encode("gb18030")]
    reader = formats()["jsonl"].model_validate({"encoding": "gb18030"})
    items = list(reader.read(io.BytesIO(b"\n".join(lines)), "a", ReadLimits()))
    assert brief(items) == [(0, "第一"), (1, "bad_utf8"), (2, "第三")]


@pytest.mark.parametrize("encoding", ["utf-16", "gb18030", "shift_jis", "cp1252", "utf-8-sig"])
def test_a_character_may_lie_across_chunks(encoding: str) -> None:
    text = "naïve é" if encoding == "cp1252" else "日本の text 日本"
    data = text.encode(encoding)
    chunks = [data[i : i + 1] for i in range(len(data))]
    assert b"".join(utf8_chunks(chunks, encoding)).decode() == text


def test_half_a_character_at_the_end_is_not_lost() -> None:
    with pytest.raises(UnicodeDecodeError):
        b"".join(utf8_chunks(["中".encode("gb18030")[:1]], "gb18030")).decode()


def test_an_unknown_encoding_is_refused() -> None:
    for name in ("klingon", "base64", "rot13"):
        with pytest.raises(ValidationError, match=f"`encoding: {name}` is unknown"):
            formats()["jsonl"].model_validate({"encoding": name})


RUSSIAN = "Все люди рождаются свободными и равными в своем достоинстве и правах. " * 3
CHINESE = "人人生而自由，在尊严和权利上一律平等。他们赋有理性和良心。" * 3
FRENCH = "Tous les êtres humains naissent libres et égaux en dignité et en droits, œuvre. " * 3


@pytest.mark.parametrize(
    ("text", "stored", "declared"),
    [
        (FRENCH, "utf-8", None),
        (FRENCH, "utf-8", "iso-8859-1"),  # declared wrongly: it is valid UTF-8
        (FRENCH, "cp1252", "iso-8859-1"),  # œ is not in ISO 8859-1: browsers read Windows-1252
        (FRENCH, "cp1252", "utf-8"),
        (FRENCH, "cp1252", None),
        (RUSSIAN, "cp1251", "windows-1251"),
        (RUSSIAN, "koi8-r", None),
        (RUSSIAN, "cp1251", None),
        (CHINESE, "gbk", "gb2312"),
        (CHINESE, "gb18030", None),
        (CHINESE, "big5", "big5") if CHINESE.isascii() else (FRENCH, "utf-16", None),
        (CHINESE, "utf-16-le", "utf-16"),
        (CHINESE, "gbk", "no-such-charset"),
        ('<meta charset="koi8-r">' + RUSSIAN, "koi8-r", None),
        ('<meta charset="utf-16">' + RUSSIAN, "utf-8", None),  # impossible where it can be read
        ("".join("こんにちは、世界。" * 5), "iso-2022-jp", "iso-2022-jp"),
    ],
)
def test_texts_are_decoded_as_a_browser_would_or_better(text: str, stored: str, declared: str | None) -> None:
    decoded = decode(text.encode(stored), declared)
    assert decoded.text == text
    assert decoded.n_replaced == 0


def test_what_fits_no_encoding_is_decoded_with_replacements_that_are_counted() -> None:
    decoded = decode("grüße ".encode() * 50 + b"\x81\x8d\x90 " * 2, "utf-8")
    assert "grüße" in decoded.text or decoded.encoding != "utf-8"
    assert decode(b"\xff" * 9 + "é".encode() * 99 + b"\xe9", "utf-8").n_replaced in {0, 10}


def test_nul_and_control_characters_are_binary_when_there_are_many() -> None:
    assert looks_binary("\x00\x01abc")
    assert not looks_binary("a\tb\r\nc\x1b[0m\x00" * 2)
    assert not looks_binary("")


def test_an_html_file_is_read_in_its_own_encoding() -> None:
    page = f'<html><head><meta charset="windows-1251"></head><body>{RUSSIAN}</body></html>'
    (record,) = Html().read(io.BytesIO(gzip.compress(page.encode("cp1251"))), "s3://b/a.html.gz", ReadLimits())
    assert record == Record(0, {"text": page, "name": "a.html.gz", "charset": "cp1251"}, "text/html")


@pytest.mark.parametrize(("data", "reason"), [(bytes(100), "binary_content"), (b"x" * 2000, "over_long_record")])
def test_html_files_that_are_none_are_unreadable(data: bytes, reason: str) -> None:
    (item,) = Html().read(io.BytesIO(data), "a", ReadLimits(max_record_bytes=1000))
    assert isinstance(item, Unreadable)
    assert item.reason == reason


def test_event_times_are_read_as_their_format_says() -> None:
    written = "%d-%b-%Y %H:%M:%S.%f"
    assert parse_with_format(" 5-MAR-1987 09:22:57.75", written) == datetime(1987, 3, 5, 9, 22, 57, 750_000, UTC)
    for wrong in ("31-MAR-1987 605:12:19.12", "1987-03-05", 7, None):
        with pytest.raises(ValueError):
            parse_with_format(wrong, written)
