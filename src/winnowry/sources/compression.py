"""Decompress a stream in bounded memory; its first bytes say how it is compressed."""

from __future__ import annotations

import bz2
import lzma
import zlib
from collections.abc import Callable, Iterator
from typing import BinaryIO, Protocol

from winnowry.sources.base import ReadLimits
from winnowry.sources.file_kinds import unread_compression
from winnowry.sources.lz4_frames import LZ4_MAGIC, lz4
from winnowry.sources.streams import (
    HEAD_BYTES,
    OUTPUT_BYTES,
    Ahead,
    BrokenStreamError,
    CompressionRatio,
    Readable,
    after_zeros,
    first_bytes,
    trailing_garbage,
)
from winnowry.sources.zstd_frames import ZSTD_MAGIC, is_skippable, skip_frame, zstd

_STEP_BYTES = 16 << 10  # fed at once, so that a bomb shows soon
_LZMA_MEMORY_BYTES = 1 << 30  # for a dictionary of 1 GiB; xz -9 needs 64 MiB
_GZIP_MAGIC = b"\x1f\x8b"
_BZIP2_MAGIC = b"BZh"
_BZIP2_BLOCKS = (bytes.fromhex("314159265359"), bytes.fromhex("177245385090"))
_XZ_MAGIC = b"\xfd7zXZ\0"
_LZMA_SIZES = range(1 << 40)


def decompressed(stream: BinaryIO | Readable, limits: ReadLimits) -> Iterator[bytes]:
    """Chunks of the content; a stream that is not compressed is passed on as it is.

    Read are gzip, bzip2, xz, lzma, LZ4 frames and Zstandard, each also as several streams one after the other.

    Raises:
        BrokenStreamError: after all bytes that could be recovered were yielded.
    """
    head = first_bytes(stream, HEAD_BYTES)
    if is_skippable(head):
        stream = Ahead(head, stream)
        while is_skippable(head):
            skip_frame(stream, "zstd")
            head = stream.begins_with(HEAD_BYTES)
        if head and not head.startswith((ZSTD_MAGIC, LZ4_MAGIC)):
            raise trailing_garbage("skippable frames", head)
        first_bytes(stream, len(head))
    read = _decompression(head)
    if read is not None:
        yield from read(Ahead(head, stream), limits)
        return
    unread = unread_compression(head)
    if unread is not None:
        raise BrokenStreamError("unknown_container", unread.name, unread.remedy, head)
    if head:
        yield head
    while chunk := stream.read(OUTPUT_BYTES):
        yield chunk


def compression_of(head: bytes) -> str | None:
    """The compression that :func:`decompressed` undoes, by the first bytes; None where there is none.

    >>> compression_of(bytes.fromhex("fd377a585a000004")), compression_of(b"BZh of 1996")
    ('xz', None)
    """
    if head.startswith(_GZIP_MAGIC):
        return "gzip"
    if head.startswith(_BZIP2_MAGIC) and head[3:4] in b"123456789" and head[4:10] in _BZIP2_BLOCKS:
        return "bzip2"
    if head.startswith(_XZ_MAGIC):
        return "xz"
    if head.startswith(LZ4_MAGIC):
        return "lz4"
    if head.startswith(ZSTD_MAGIC):
        return "zstd"
    return "lzma" if _is_lzma(head) else None


def _is_lzma(head: bytes) -> bool:
    """An ``.lzma`` file has no magic number: usual properties, a dictionary of a power of two, and a likely size."""
    if len(head) < 13 or head[0] != 0x5D:
        return False
    dictionary, size = int.from_bytes(head[1:5], "little"), int.from_bytes(head[5:13], "little")
    return dictionary >= 4096 and dictionary.bit_count() <= 2 and (size == (1 << 64) - 1 or size in _LZMA_SIZES)


def _decompression(head: bytes) -> Callable[[Ahead, ReadLimits], Iterator[bytes]] | None:
    readers = {"gzip": _gzip, "bzip2": _bzip2, "xz": _xz, "lzma": _xz, "lz4": lz4, "zstd": zstd}
    name = compression_of(head)
    return None if name is None else readers[name]


class _Decompressor(Protocol):
    @property
    def eof(self) -> bool: ...

    @property
    def needs_input(self) -> bool: ...

    @property
    def unused_data(self) -> bytes: ...

    def decompress(self, data: bytes, max_length: int = -1) -> bytes: ...


class _GzipMember:
    """A gzip member as Python's other decompressors are."""

    def __init__(self) -> None:
        self._member = zlib.decompressobj(wbits=31)
        self._full = False  # whether the last piece was as long as it may be: more may lie ready

    @property
    def eof(self) -> bool:
        return self._member.eof

    @property
    def needs_input(self) -> bool:
        return not (self._full or self._member.unconsumed_tail)

    @property
    def unused_data(self) -> bytes:
        return self._member.unused_data

    def decompress(self, data: bytes, max_length: int = -1) -> bytes:
        chunk = self._member.decompress(self._member.unconsumed_tail + data, max_length)
        self._full = len(chunk) == max_length
        return chunk


def _gzip(source: Ahead, limits: ReadLimits) -> Iterator[bytes]:
    def begins(head: bytes) -> bool:
        return _GZIP_MAGIC.startswith(head[:2])

    yield from _streams(source, limits, "gzip", lambda head: _GzipMember(), begins)


def _bzip2(source: Ahead, limits: ReadLimits) -> Iterator[bytes]:
    def begins(head: bytes) -> bool:
        return compression_of(head) == "bzip2" or (0 < len(head) < 10 and head.startswith(_BZIP2_MAGIC[: len(head)]))

    yield from _streams(source, limits, "bzip2", lambda head: bz2.BZ2Decompressor(), begins)


def _xz(source: Ahead, limits: ReadLimits) -> Iterator[bytes]:
    def begins(head: bytes) -> bool:
        return head.startswith(_XZ_MAGIC[: max(len(head), 1)]) or _is_lzma(head)

    def start(head: bytes) -> _Decompressor:
        kind = lzma.FORMAT_XZ if head.startswith(_XZ_MAGIC[:1]) else lzma.FORMAT_ALONE
        return lzma.LZMADecompressor(kind, memlimit=_LZMA_MEMORY_BYTES)

    yield from _streams(source, limits, "xz", start, begins)


def _streams(
    source: Ahead,
    limits: ReadLimits,
    name: str,
    start: Callable[[bytes], _Decompressor],
    begins: Callable[[bytes], bool],
) -> Iterator[bytes]:
    """The content of streams that lie one after the other, with zeros between them at most."""
    ratio = CompressionRatio(limits)
    while head := after_zeros(source):
        if ratio.bytes_in and not begins(head):
            raise trailing_garbage(name, head)
        stream = start(head)
        while not stream.eof:
            data = source.read(_STEP_BYTES) if stream.needs_input else b""
            if stream.needs_input and not data:
                raise BrokenStreamError(f"truncated_{name}", f"the data end inside a stream of {name}")
            try:
                chunk = stream.decompress(data, OUTPUT_BYTES)
            except (OSError, ValueError, EOFError, lzma.LZMAError, zlib.error) as error:
                raise BrokenStreamError(f"bad_{name}", str(error)) from error
            if chunk:
                yield chunk
            ratio.add(len(data), len(chunk))
        source.put_back(stream.unused_data)
        ratio.bytes_in -= len(stream.unused_data)
