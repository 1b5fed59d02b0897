"""The index of a tar archive, compared with Python's ``tarfile``."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import pytest

from tests.shards import shard
from winnowry.sources.tar_headers import BLOCK_BYTES
from winnowry.sources.tar_index import MemberBytes, tar_index

LONG = "a" * 90 + "/" + "b" * 120 + ".jpg"
FILES = [("0.jpg", b"0" * 700), (LONG, b"long"), ("été/ü.txt", "ü".encode()), ("e.txt", b""), ("f/", b"")]


@pytest.mark.parametrize("format", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
@pytest.mark.parametrize("mtime", [1_700_000_000, 1_700_000_000.25])
def test_files_lie_where_tarfile_finds_them(format: int, mtime: float) -> None:
    files = [pair for pair in FILES if format != tarfile.USTAR_FORMAT or pair[0] != LONG]
    data = shard(files, format, mtime)
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        expected = [(info.name, info.offset_data, info.size) for info in archive if info.isfile()]
    index = tar_index(io.BytesIO(data))
    assert [(member.name, member.offset, member.size) for member in index.members] == expected
    assert index.fault is None
    bodies = [MemberBytes(io.BytesIO(data), member).read() for member in index.members]
    assert bodies == [body for name, body in files if not name.endswith("/")]


def linked(kind: bytes, target: str, size: int = 0) -> bytes:
    written = io.BytesIO()
    with tarfile.open(fileobj=written, mode="w", format=tarfile.GNU_FORMAT) as archive:
        archive.addfile(info := tarfile.TarInfo("a.jpg"), io.BytesIO())
        info = tarfile.TarInfo("1.jpg")
        info.size = 3
        archive.addfile(info, io.BytesIO(b"abc"))
        info = tarfile.TarInfo("2.jpg")
        info.type, info.linkname, info.size = kind, target, size
        archive.addfile(info)
        info = tarfile.TarInfo("3.jpg")
        info.size = 1
        archive.addfile(info, io.BytesIO(b"z"))
    return written.getvalue()


@pytest.mark.parametrize(
    ("kind", "target", "expected"),
    [
        (tarfile.LNKTYPE, "1.jpg", (None, b"abc")),
        (tarfile.LNKTYPE, "x" * 150, (f"a link to {'x' * 150}, which the archive does not hold before it", b"")),
        (tarfile.SYMTYPE, "1.jpg", ("a symbolic link", b"")),
        (tarfile.CHRTYPE, "", ("a device", b"")),
        (tarfile.FIFOTYPE, "", ("a named pipe", b"")),
    ],
)
def test_a_hard_link_is_the_file_it_leads_to_and_other_links_are_none(
    kind: bytes, target: str, expected: tuple[str | None, bytes]
) -> None:
    data = linked(kind, target)
    members = {member.name: member for member in tar_index(io.BytesIO(data)).members}
    two = members["2.jpg"]
    assert (two.obstacle, MemberBytes(io.BytesIO(data), two).read() if expected[1] else b"") == expected
    assert MemberBytes(io.BytesIO(data), members["3.jpg"]).read() == b"z"


def test_archives_one_after_the_other_are_read_and_other_bytes_behind_the_end_are_told() -> None:
    first, second = shard([("0.jpg", b"0")]), shard([("1.jpg", b"1")])
    assert [member.name for member in tar_index(io.BytesIO(first + second)).members] == ["0.jpg", "1.jpg"]
    index = tar_index(io.BytesIO(first + b"something else" * 50))
    assert [member.name for member in index.members] == ["0.jpg"]
    assert index.fault is not None
    assert (index.fault.reason, index.fault.offset) == ("trailing_garbage", len(first))


def test_a_size_that_leads_beyond_the_end_names_the_file() -> None:
    data = shard([("0.jpg", b"0"), ("1.jpg", b"1" * 5000)])
    fault = tar_index(io.BytesIO(data[: 4 * BLOCK_BYTES])).fault
    assert fault is not None
    assert (fault.reason, fault.name, fault.value) == ("truncated_tar", "1.jpg", "4488 bytes of 1.jpg are missing")


def test_a_size_above_the_header_is_the_one_of_pax(tmp_path: Path) -> None:
    path = tmp_path / "large.tar"
    info = tarfile.TarInfo("large.jpg")
    info.size = 9 << 30  # more than eleven octal digits say
    with path.open("wb") as file:
        file.write(info.tobuf(tarfile.PAX_FORMAT))
        start = file.tell()
        file.truncate(start + info.size + 2 * BLOCK_BYTES)
    with path.open("rb") as file:
        (member,) = tar_index(file).members
    assert (member.offset, member.size) == (start, 9 << 30)


def test_every_flipped_byte_of_a_header_gives_a_fault_or_the_files_that_are_there() -> None:
    data = shard([("0.jpg", b"0"), ("1.jpg", b"1")])
    for at in range(BLOCK_BYTES):
        flipped = bytearray(data)
        flipped[at] ^= 0x41
        index = tar_index(io.BytesIO(bytes(flipped)))
        assert index.fault is not None or len(index.members) == 2
