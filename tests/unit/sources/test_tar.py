"""Tar archives against Python's ``tarfile``, and against damage to every field that the reader relies on."""

from __future__ import annotations

import bz2
import gzip
import io
import tarfile
from collections.abc import Iterator

import pytest
import zstandard

from winnowry.sources.base import ReadLimits, Record, Unreadable
from winnowry.sources.jsonl import JsonLines
from winnowry.sources.tar import Tar
from winnowry.sources.text import Text

BLOCK = 512  # POSIX.1-2017, pax, "ustar Interchange Format": logical records of 512 bytes


def archive(*members: tuple[tarfile.TarInfo | str, bytes], layout: int = tarfile.GNU_FORMAT) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=layout) as tar:
        for name, content in members:
            info = tarfile.TarInfo(name) if isinstance(name, str) else name
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return out.getvalue()


def special(name: str, kind: bytes, **attributes: object) -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    info.type = kind
    for key, value in attributes.items():
        setattr(info, key, value)
    return info, b""


def read(data: bytes, members: str = "*", max_record_bytes: int = 1 << 20) -> list[Record | Unreadable]:
    return list(Tar(Text(), members).read(io.BytesIO(data), "a.tar", ReadLimits(max_record_bytes=max_record_bytes)))


def files(items: list[Record | Unreadable]) -> list[tuple[object, object]]:
    return [
        (item.data["member"], item.data["text"]) if isinstance(item, Record) else (item.reason, item.value)
        for item in items
    ]


def with_checksum(header: bytes) -> bytes:
    """A changed header made valid: the sum of its bytes, its own field counted as eight spaces."""
    total = sum(header[:148]) + 8 * ord(" ") + sum(header[156:])
    return header[:148] + b"%06o\0 " % total + header[156:]


@pytest.mark.parametrize("layout", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
@pytest.mark.parametrize("size", [0, 1, BLOCK - 1, BLOCK, BLOCK + 1, 3 * BLOCK])
def test_contents_of_any_size_end_where_tarfile_ended_them(size: int, layout: int) -> None:
    data = archive(("a", b"x" * size), ("b", b"next"), layout=layout)
    assert files(read(data)) == [("a", "x" * size), ("b", "next")]


@pytest.mark.parametrize("length", [99, 100, 101, 155, 255])
@pytest.mark.parametrize("layout", [tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_names_at_the_edges_of_the_name_fields_are_whole(length: int, layout: int) -> None:
    name = "n" * length
    assert files(read(archive((name, b"1"), ("short", b"2"), layout=layout))) == [(name, "1"), ("short", "2")]


def test_only_regular_files_are_records() -> None:
    data = archive(
        special("folder", tarfile.DIRTYPE),
        special("link", tarfile.SYMTYPE, linkname="a"),
        special("hard", tarfile.LNKTYPE, linkname="a"),
        special("pipe", tarfile.FIFOTYPE),
        special("device", tarfile.CHRTYPE, devmajor=1),
        ("a", b"one"),
        special("old", tarfile.AREGTYPE),
        special("contiguous", tarfile.CONTTYPE),
    )
    assert files(read(data)) == [("a", "one"), ("old", ""), ("contiguous", "")]


def test_a_global_pax_header_names_no_file() -> None:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT, pax_headers={"comment": "of all"}) as tar:
        info = tarfile.TarInfo("é" * 80)
        info.size = 3
        tar.addfile(info, io.BytesIO(b"one"))
    assert files(read(out.getvalue())) == [("é" * 80, "one")]


def test_a_size_in_base_256_is_read_as_gnu_tar_writes_it() -> None:
    data = archive(("a", b"one"), ("b", b"two"))
    header = data[:124] + b"\x80" + (3).to_bytes(11, "big") + data[136:BLOCK]
    changed = with_checksum(header) + data[BLOCK:]
    assert files(read(changed)) == [("a", "one"), ("b", "two")]
    with tarfile.open(fileobj=io.BytesIO(changed)) as tar:
        assert [info.size for info in tar] == [3, 3]


def test_members_are_chosen_by_a_glob_whose_star_matches_slashes_and_case() -> None:
    data = archive(("a/b/c.txt", b"1"), ("a/d.TXT", b"2"), ("e.md", b"3"))
    assert files(read(data, "a*.txt")) == [("a/b/c.txt", "1")]
    assert files(read(data, "?.md")) == [("e.md", "3")]
    assert files(read(data, "nothing")) == []


def test_positions_run_on_over_the_records_of_all_files() -> None:
    data = archive(("a", b'{"n": 1}\n\n{"n": 2}\n'), ("b", b"no json\n"), ("c", b'{"n": 3}\n'))
    items = list(Tar(JsonLines(), "*").read(io.BytesIO(data), "a.tar", ReadLimits()))
    # positions of JSON Lines count blank lines
    assert [(item.position, type(item).__name__) for item in items] == [
        (0, "Record"), (2, "Record"), (3, "Unreadable"), (4, "Record"),
    ]  # fmt: skip


def test_what_a_format_leaves_unread_of_a_file_does_not_shift_the_next_one() -> None:
    class FirstByte:
        def read(self, stream: io.BytesIO, uri: str, limits: ReadLimits) -> Iterator[Record]:
            yield Record(0, {"byte": stream.read(1), "uri": uri})

    data = archive(("a", b"x" * 5000), ("b", b"y" * 5000))
    items = list(Tar(FirstByte(), "*").read(io.BytesIO(data), "s3://b/a.tar", ReadLimits()))  # type: ignore[arg-type]
    assert [(item.data["byte"], item.data["uri"]) for item in items if isinstance(item, Record)] == [
        (b"x", "s3://b/a.tar#a"),
        (b"y", "s3://b/a.tar#b"),
    ]


@pytest.mark.parametrize("compress", [gzip.compress, zstandard.compress], ids=["gzip", "zstd"])
def test_a_compressed_archive_is_the_same_archive(compress: object) -> None:
    data = archive(("a", b"one"))
    assert files(read(compress(data))) == files(read(data))  # type: ignore[operator]


def test_what_is_no_tar_archive_is_one_unreadable_place() -> None:
    for data in (b"text " * 200, bz2.compress(b"x" * 5000) * 20):
        [(reason, value)] = files(read(data))
        assert reason in {"bad_tar", "truncated_tar"}, value
    assert files(read(b"")) == []
    assert files(read(bytes(1024))) == []  # two blocks of zeros: an archive without files


@pytest.mark.parametrize(
    ("change", "value"),
    [
        (lambda header: b"X" + header[1:], "the checksum of a header is wrong"),
        (lambda header: with_checksum(header[:124] + b"9" * 11 + b"\0" + header[136:]), "a header has no size"),
        (
            lambda header: with_checksum(header[:124] + b"%011o\0" % (1 << 20) + header[136:156] + b"L" + header[157:]),
            "a name header of 1048576 bytes",
        ),
    ],
    ids=["checksum", "size", "name"],
)
def test_a_damaged_header_ends_the_archive_with_its_bytes_kept(change: object, value: str) -> None:
    data = archive(("a", b"one"), ("b", b"two"), ("c", b"three"))
    damaged: bytes = change(data[2 * BLOCK : 3 * BLOCK])  # type: ignore[operator]
    first, bad = read(data[: 2 * BLOCK] + damaged + data[3 * BLOCK :])
    assert isinstance(first, Record)
    assert isinstance(bad, Unreadable)
    assert (bad.position, bad.reason, bad.value, bad.payload) == (1, "bad_tar", value, damaged)


def test_an_archive_cut_inside_a_file_says_how_much_is_missing() -> None:
    data = archive(("a", b"one"), ("b", b"x" * 1000))
    assert files(read(data[: 3 * BLOCK + 400])) == [
        ("a", "one"),
        ("truncated_tar", "b: 600 bytes of the file are missing"),
    ]


def test_an_archive_without_its_last_blocks_of_zeros_is_whole() -> None:
    data = archive(("a", b"one"))
    assert files(read(data[: 2 * BLOCK])) == [("a", "one")]


def test_a_broken_compression_after_the_last_file_is_reported() -> None:
    data = gzip.compress(archive(("a", b"one")), mtime=0)
    items = read(data[:-4])
    assert files(items)[0] == ("a", "one")
    assert [item.reason for item in items if isinstance(item, Unreadable)] == ["truncated_gzip"]
