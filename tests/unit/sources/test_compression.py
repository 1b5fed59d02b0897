"""Decompression against Python's own modules, Arrow and the zstandard package, whole, cut short and damaged."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import random
import subprocess
import sys
import zlib
from collections.abc import Callable

import pyarrow as pa
import pytest
import zstandard

from winnowry.sources.base import ReadLimits
from winnowry.sources.compression import decompressed
from winnowry.sources.streams import BrokenStreamError, CompressionRatio

TEXT = random.Random(1).randbytes(3000) + b"a line of text\n" * 1000


class Trickle(io.RawIOBase):
    """A stream that gives one byte a call, as a slow network may."""

    def __init__(self, data: bytes) -> None:
        self._data = io.BytesIO(data)

    def read(self, size: int = -1, /) -> bytes:
        return self._data.read(min(size, 1))


def inflate(data: bytes, limits: ReadLimits | None = None) -> tuple[bytes, BrokenStreamError | None]:
    """All bytes that come out, and the error after them."""
    parts: list[bytes] = []
    try:
        for chunk in decompressed(io.BytesIO(data), limits or ReadLimits()):
            parts.append(chunk)
    except BrokenStreamError as error:
        return b"".join(parts), error
    return b"".join(parts), None


def gzip_with_name(data: bytes) -> bytes:
    out = io.BytesIO()
    with gzip.GzipFile("a name.txt", "wb", fileobj=out) as file:  # RFC 1952: FNAME in the header
        file.write(data)
    return out.getvalue()


def lz4(data: bytes) -> bytes:
    out = pa.BufferOutputStream()
    with pa.CompressedOutputStream(out, "lz4") as stream:
        stream.write(data)
    return out.getvalue().to_pybytes()


def long_window(data: bytes) -> bytes:
    """A frame that declares a window of 2 GiB, as those of ``zstd --long=31`` do."""
    if not data:
        return zstandard.compress(b"")  # a frame without content declares no window
    stream = zstandard.ZstdCompressor().compressobj()
    frame = bytearray(stream.compress(data) + stream.flush())
    frame[5] = (31 - 10) << 3  # RFC 8878, section 3.1.1.1.2: a window of 2 ** 31 bytes
    assert zstandard.get_frame_parameters(bytes(frame)).window_size == 1 << 31
    return bytes(frame)


COMPRESSIONS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "bzip2": bz2.compress,
    "xz": lzma.compress,
    "lzma": lambda data: lzma.compress(data, lzma.FORMAT_ALONE),
    "lz4": lz4,
    "zstd": zstandard.compress,
    "zstd --long=31": long_window,
}
SKIPPABLE = bytes.fromhex("502a4d18 03000000 616263")  # RFC 8878, section 3.1.2


@pytest.mark.parametrize("name", COMPRESSIONS)
def test_every_compression_is_read_in_one_stream_and_in_several(name: str) -> None:
    compress = COMPRESSIONS[name]
    assert inflate(compress(TEXT)) == (TEXT, None)
    assert inflate(compress(TEXT[:99]) + compress(b"") + compress(TEXT[99:])) == (TEXT, None)
    assert inflate(compress(TEXT) + bytes(700)) == (TEXT, None)  # padding
    assert b"".join(decompressed(Trickle(compress(TEXT)), ReadLimits())) == TEXT


@pytest.mark.parametrize("name", ["zstd", "lz4"])
def test_skippable_frames_hold_no_content(name: str) -> None:
    whole = COMPRESSIONS[name](TEXT)
    assert inflate(SKIPPABLE * 2 + whole + SKIPPABLE + whole) == (TEXT * 2, None)
    assert inflate(SKIPPABLE) == (b"", None)
    _, error = inflate(whole + SKIPPABLE[:-1])
    assert error is not None
    assert error.reason == f"truncated_{name}"


@pytest.mark.parametrize("name", COMPRESSIONS)
def test_a_stream_without_its_end_is_cut_whatever_its_compression(name: str) -> None:
    whole = COMPRESSIONS[name](TEXT)
    for n_bytes in (20, len(whole) // 2, len(whole) - 1):
        out, error = inflate(whole[:n_bytes])
        assert TEXT.startswith(out)
        assert error is not None
        assert error.reason.startswith("truncated_")


def test_a_frame_that_needs_a_dictionary_names_it_and_says_what_to_do() -> None:
    dictionary = zstandard.train_dictionary(
        4096, [b"%d of some text to train with, %d" % (i, i * i) for i in range(999)]
    )
    _, error = inflate(zstandard.ZstdCompressor(dict_data=dictionary).compress(TEXT))
    assert error is not None
    assert error.reason == "zstd_dictionary"
    assert str(dictionary.dict_id()) in str(error.value)
    assert "zstd -d -D" in str(error.threshold)


def test_a_window_of_two_gibibytes_costs_only_what_the_content_fills() -> None:
    code = (
        "import io, resource, sys\n"
        "from winnowry.sources.base import ReadLimits\n"
        "from winnowry.sources.compression import decompressed\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "n_bytes = sum(map(len, decompressed(io.BytesIO(bytes.fromhex(sys.argv[1])), ReadLimits())))\n"
        "print(n_bytes, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)\n"
    )
    command = [sys.executable, "-c", code, long_window(bytes(8 << 20)).hex()]
    n_bytes, grown_kib = map(int, subprocess.run(command, capture_output=True, text=True, check=True).stdout.split())
    assert n_bytes == 8 << 20
    assert grown_kib < 64 << 10


@pytest.mark.parametrize(
    ("magic", "name"),
    [
        ("1f9d90", "compress (.Z)"), ("4c5a495001", "lzip"), ("ff060000734e61507059", "Snappy"),
        ("377abcaf271c", "7z"), ("526172211a0700", "RAR"), ("02214c18", "legacy"),
    ],
)  # fmt: skip
def test_a_compression_that_is_not_read_is_named_with_those_that_are(magic: str, name: str) -> None:
    out, error = inflate(bytes.fromhex(magic) + TEXT)
    assert out == b""
    assert error is not None
    assert error.reason == "unknown_container"
    assert name in str(error.value)
    assert "gzip, bzip2, xz, lz4, zstd or zip" in str(error.threshold)


@pytest.mark.parametrize(
    "data",
    [
        TEXT,
        gzip.compress(TEXT),
        gzip.compress(TEXT, 1),
        gzip_with_name(TEXT),
        gzip.compress(TEXT[:99]) + gzip.compress(b"") + gzip.compress(TEXT[99:]),
        gzip.compress(TEXT[:99]) + bytes(700) + gzip.compress(TEXT[99:]) + bytes(512),
        zstandard.compress(TEXT),
        zstandard.ZstdCompressor(write_checksum=True, write_content_size=False).compress(TEXT),
        zstandard.compress(TEXT[:99]) + zstandard.compress(TEXT[99:]),
    ],
    ids=[
        "plain", "gzip", "gzip level 1", "gzip with a name", "members", "padded members", "zstd", "zstd with checksum",
        "frames",
    ],
)  # fmt: skip
def test_the_content_is_told_by_its_first_bytes_and_comes_out_whole(data: bytes) -> None:
    assert inflate(data) == (TEXT, None)
    assert b"".join(decompressed(Trickle(data), ReadLimits())) == TEXT  # type: ignore[arg-type]


@pytest.mark.parametrize("data", [b"", b"a", b"\x1f", b"\x28\xb5\x2f", b"\0\0\0\0", zlib.compress(TEXT), b"BZh9"])
def test_what_is_neither_gzip_nor_zstd_is_passed_on(data: bytes) -> None:
    assert inflate(data) == (data, None)


@pytest.mark.parametrize(
    ("data", "reason"), [(gzip.compress(TEXT, mtime=0), "truncated_gzip"), (zstandard.compress(TEXT), "truncated_zstd")]
)
def test_a_cut_stream_gives_its_beginning_and_says_that_it_was_cut(data: bytes, reason: str) -> None:
    for cut in [*range(4, 40), *range(40, len(data), 97), len(data) - 1]:
        out, error = inflate(data[:cut])
        assert TEXT.startswith(out)
        assert error is not None, cut
        assert error.reason == reason


def test_a_member_cut_after_a_whole_one_costs_only_itself() -> None:
    out, error = inflate(gzip.compress(b"whole") + gzip.compress(TEXT)[:-9])
    assert out.startswith(b"whole" + TEXT[:2000])
    assert error is not None
    assert error.reason == "truncated_gzip"


@pytest.mark.parametrize("field", ["checksum", "length"])
def test_a_wrong_trailer_of_gzip_is_damage_although_all_bytes_came_out(field: str) -> None:
    data = bytearray(gzip.compress(TEXT))  # RFC 1952: CRC32, then ISIZE, four bytes each
    data[-8 if field == "checksum" else -4] ^= 0xFF
    out, error = inflate(bytes(data))
    assert error is not None
    assert error.reason == "bad_gzip"
    assert TEXT.startswith(out)


def test_a_flipped_bit_of_zstd_is_damage_where_the_frame_has_a_checksum() -> None:
    data = bytearray(zstandard.ZstdCompressor(write_checksum=True).compress(TEXT))
    data[-1] ^= 1
    _, error = inflate(bytes(data))
    assert error is not None
    assert error.reason == "bad_zstd"


@pytest.mark.parametrize("name", COMPRESSIONS)
def test_rubbish_after_the_last_stream_is_told_from_damage_inside_it(name: str) -> None:
    out, error = inflate(COMPRESSIONS[name](TEXT) + b"rubbish of more than a few bytes")
    assert out == TEXT
    assert error is not None
    assert (error.reason, error.after_whole) == ("trailing_garbage", True)


@pytest.mark.parametrize(
    ("compress", "most_bytes"),
    # zstd inflates up to 128 KiB for every 4 bytes, and is fed 1 KiB a step
    [
        (gzip.compress, 3 << 20),
        (bz2.compress, 3 << 20),
        (lzma.compress, 3 << 20),
        (COMPRESSIONS["lz4"], 3 << 20),
        (zstandard.compress, 34 << 20),
    ],
    ids=["gzip", "bzip2", "xz", "lz4", "zstd"],
)
def test_a_bomb_is_stopped_soon_after_the_size_from_which_the_ratio_counts(compress: object, most_bytes: int) -> None:
    data: bytes = compress(bytes(64 << 20))  # type: ignore[operator]
    out, error = inflate(data, ReadLimits(max_compression_ratio=100, ratio_applies_above_bytes=1 << 20))
    assert error is not None
    assert (error.reason, error.threshold) == ("compression_ratio", "100")
    assert int(error.value or 0) > 100
    assert len(out) <= most_bytes


def test_the_ratio_does_not_count_below_its_size() -> None:
    assert inflate(gzip.compress(bytes(1 << 20)), ReadLimits(max_compression_ratio=2)) == (bytes(1 << 20), None)


def test_the_ratio_is_of_all_bytes_so_far() -> None:
    ratio = CompressionRatio(ReadLimits(max_compression_ratio=10, ratio_applies_above_bytes=100))
    ratio.add(1, 100)  # not above the size yet
    ratio.add(20, 100)
    with pytest.raises(BrokenStreamError, match="compression_ratio: 14"):
        ratio.add(0, 100)


@pytest.mark.parametrize("compress", [gzip.compress, zstandard.compress])
def test_chunks_are_bounded_so_that_memory_is(compress: object) -> None:
    data: bytes = compress(bytes(40 << 20))  # type: ignore[operator]
    limits = ReadLimits(max_compression_ratio=1e9)
    assert max(map(len, decompressed(io.BytesIO(data), limits))) <= 33 << 20
