"""Decompression against Python's ``gzip`` and ``zlib`` and the zstandard package, whole, cut short and damaged."""

from __future__ import annotations

import gzip
import io
import random
import zlib

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


def test_rubbish_after_a_gzip_member_is_damage() -> None:
    out, error = inflate(gzip.compress(TEXT) + b"rubbish of more than a few bytes")
    assert out == TEXT
    assert error is not None
    assert error.reason == "bad_gzip"


@pytest.mark.parametrize(
    ("compress", "most_bytes"),
    # zstd inflates up to 128 KiB for every 4 bytes, and is fed 1 KiB a step
    [(lambda data: gzip.compress(data), 3 << 20), (lambda data: zstandard.compress(data), 34 << 20)],
    ids=["gzip", "zstd"],
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
