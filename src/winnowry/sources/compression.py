"""Decompress a stream in bounded memory; its first bytes say how it is compressed."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import BinaryIO

from winnowry.sources.base import ReadLimits
from winnowry.sources.streams import BrokenStreamError, CompressionRatio

_INPUT_BYTES = 256 << 10
_OUTPUT_BYTES = 1 << 20
_ZSTD_INPUT_BYTES = 1 << 10  # one 4-byte block can hold 128 KiB: at most 32 MiB from one step
_ZSTD_WINDOW_BYTES = 128 << 20
_GZIP_MAGIC = b"\x1f\x8b"
_ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"


def decompressed(stream: BinaryIO, limits: ReadLimits) -> Iterator[bytes]:
    """Chunks of the content; a stream that is not gzip or zstd is passed on as it is.

    Raises:
        BrokenStreamError: after all bytes that could be recovered were yielded.
    """
    head = b""
    while len(head) < len(_ZSTD_MAGIC) and (more := stream.read(len(_ZSTD_MAGIC) - len(head))):
        head += more
    if head.startswith(_GZIP_MAGIC):
        yield from _gzip(head, stream, limits)
    elif head == _ZSTD_MAGIC:
        yield from _zstd(head, stream, limits)
    else:
        if head:
            yield head
        while chunk := stream.read(_OUTPUT_BYTES):
            yield chunk


def _gzip(head: bytes, stream: BinaryIO, limits: ReadLimits) -> Iterator[bytes]:
    ratio = CompressionRatio(limits)
    member = zlib.decompressobj(wbits=31)
    pending = head
    started = False  # whether the present member has seen a byte
    while True:
        if not pending:
            pending = stream.read(_INPUT_BYTES)
            if not pending:
                break
        if not started:
            pending = pending.lstrip(b"\0") if ratio.bytes_out or ratio.bytes_in else pending  # padding after a member
            if not pending:
                continue
            started = True
        try:
            chunk = member.decompress(pending, _OUTPUT_BYTES)
        except zlib.error as error:
            raise BrokenStreamError("bad_gzip", str(error)) from error
        left = member.unused_data if member.eof else member.unconsumed_tail
        if chunk:
            yield chunk
        ratio.add(len(pending) - len(left), len(chunk))
        pending = left
        if member.eof:
            member, started = zlib.decompressobj(wbits=31), False
    while started and (chunk := member.decompress(b"", _OUTPUT_BYTES)):
        yield chunk
        ratio.add(0, len(chunk))
        started = not member.eof
    if started:
        raise BrokenStreamError("truncated_gzip", "the stream ends inside a gzip member")


def _zstd(head: bytes, stream: BinaryIO, limits: ReadLimits) -> Iterator[bytes]:
    import zstandard

    ratio = CompressionRatio(limits)
    context = zstandard.ZstdDecompressor(max_window_size=_ZSTD_WINDOW_BYTES)
    frame = context.decompressobj()
    started = False
    rest = head
    while rest or (rest := stream.read(_INPUT_BYTES)):
        step, rest = rest[:_ZSTD_INPUT_BYTES], rest[_ZSTD_INPUT_BYTES:]
        started = True
        try:
            chunk = frame.decompress(step)
        except zstandard.ZstdError as error:
            raise BrokenStreamError("bad_zstd", str(error)) from error
        if chunk:
            yield chunk
        ratio.add(len(step), len(chunk))
        if frame.eof:
            rest = frame.unused_data + rest
            frame, started = context.decompressobj(), False
    if started:
        raise BrokenStreamError("truncated_zstd", "the stream ends inside a zstd frame")
