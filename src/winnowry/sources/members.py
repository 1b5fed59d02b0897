"""The gzip members of an archive one by one, so that a damaged one costs only itself.

By hand on purpose: Python's ``gzip`` reads all members as one stream and ends at the first damaged one.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import BinaryIO

from winnowry.sources.base import ReadLimits
from winnowry.sources.compression import decompressed
from winnowry.sources.streams import Ahead, BrokenStreamError, CompressionRatio, first_bytes

_INPUT_BYTES = 64 << 10
_OUTPUT_BYTES = 1 << 20
_GZIP_MAGIC = b"\x1f\x8b"
_MEMBER_START = re.compile(rb"\x1f\x8b\x08[\x00-\x1f]")
_START_BYTES = 4
_TRIED_BYTES = 16 << 10
_TRIED_OUTPUT_BYTES = 8 << 10


@dataclass(frozen=True)
class MemberEnd:
    """The end of a gzip member (or of another stream).

    Attributes:
        error: why the rest of the member could not be read, else None.
        ends_stream: whether nothing after it can be read either.
    """

    error: BrokenStreamError | None = None
    ends_stream: bool = False


def member_pieces(
    stream: BinaryIO, limits: ReadLimits, begins_record: Callable[[bytes], bool]
) -> Iterator[bytes | MemberEnd]:
    """Decompressed pieces with the ends of gzip members between them; the last item is always an end.

    A member that is damaged, or inflates beyond the limits, ends with its error, and reading goes on at the
    next member whose content begins as a record does. Other streams (plain, or of another compression) are one member.

    Args:
        stream: the archive.
        limits: what a member may inflate to.
        begins_record: whether decompressed bytes are the start of a record.
    """
    head = first_bytes(stream, _START_BYTES)
    if head.startswith(_GZIP_MAGIC):
        yield from _gzip_members(Ahead(head, stream), limits, begins_record)
        return
    error = None
    try:
        yield from decompressed(Ahead(head, stream), limits)
    except BrokenStreamError as broken:
        error = broken
    yield MemberEnd(error, ends_stream=error is not None)


def _gzip_members(
    source: Ahead, limits: ReadLimits, begins_record: Callable[[bytes], bool]
) -> Iterator[bytes | MemberEnd]:
    ratio = CompressionRatio(limits)
    first = True
    while True:
        start = source.read(_INPUT_BYTES)
        if not first:
            start = start.lstrip(b"\0")  # padding after a member
            while not start and (start := source.read(_INPUT_BYTES)):
                start = start.lstrip(b"\0")
        if not start:
            return
        source.put_back(start)
        first = False
        try:
            yield from _one_member(source, ratio)
        except BrokenStreamError as error:
            goes_on = _skip_to_member(source, begins_record)
            yield MemberEnd(error, ends_stream=not goes_on)
            if not goes_on:
                return
            ratio = CompressionRatio(limits)
        else:
            yield MemberEnd()


def _one_member(source: Ahead, ratio: CompressionRatio) -> Iterator[bytes]:
    member = zlib.decompressobj(wbits=31)
    pending = source.read(_INPUT_BYTES)
    while True:
        try:
            chunk = member.decompress(pending, _OUTPUT_BYTES)
        except zlib.error as error:
            source.put_back(pending[1:])  # the next member may begin in here
            raise BrokenStreamError("bad_gzip", str(error)) from error
        ended = member.eof
        left = member.unused_data if ended else member.unconsumed_tail
        if chunk:
            yield chunk
        try:
            ratio.add(len(pending) - len(left), len(chunk))
        except BrokenStreamError:
            source.put_back(left)
            raise
        if ended:
            source.put_back(left)
            return
        if not pending and not chunk:
            raise BrokenStreamError("truncated_gzip", "the stream ends inside a gzip member")
        pending = left or source.read(_INPUT_BYTES)


def _skip_to_member(source: Ahead, begins_record: Callable[[bytes], bool]) -> bool:
    """Move to the next start of a member whose content begins as a record; False at the end of the stream."""
    window = b""
    while True:
        more = source.read(_INPUT_BYTES)
        window += more
        begin = 0
        while start := _MEMBER_START.search(window, begin):
            at = start.start()
            if len(window) - at < _TRIED_BYTES and more:
                break  # try it when enough is there
            if begins_record(_beginning(window[at : at + _TRIED_BYTES])):
                source.put_back(window[at:])
                return True
            begin = at + 1
        if not more:
            return False
        window = window[start.start() :] if start else window[-(_START_BYTES - 1) :]


def _beginning(compressed: bytes) -> bytes:
    try:
        return zlib.decompressobj(wbits=31).decompress(compressed, _TRIED_OUTPUT_BYTES)
    except zlib.error:
        return b""
