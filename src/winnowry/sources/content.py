"""The text of an object as UTF-8, or what the object is where it is no text."""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from itertools import chain
from typing import BinaryIO

from winnowry.sources.base import ReadLimits
from winnowry.sources.compression import decompressed
from winnowry.sources.file_kinds import KIND_BYTES, FileKind, kind_of
from winnowry.sources.streams import BrokenStreamError
from winnowry.sources.transcode import codec_name, utf8_chunks

_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),  # left to the reader, which knows where the text begins
    (codecs.BOM_UTF32_LE, "utf-32"),  # begins as the one of UTF-16 does
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_ZEROS = {b"\0\0\0.": "utf-32-be", b".\0\0\0": "utf-32-le", b"\0.\0.": "utf-16-be", b".\0.\0": "utf-16-le"}


def text_chunks(
    stream: BinaryIO, encoding: str | None, limits: ReadLimits, *, any_text: bool = False
) -> Iterator[bytes]:
    """Decompressed chunks of an object's text as UTF-8.

    Without an encoding a byte-order mark of UTF-16 or UTF-32 says which it is. Bytes that cannot be decoded become
    invalid UTF-8.

    Args:
        stream: the object, plain or compressed.
        encoding: of the text; None: UTF-8, unless a byte-order mark says otherwise.
        limits: for the decompression.
        any_text: whether HTML, XML and the like are text as any other, not another format than the declared one.

    Raises:
        BrokenStreamError: where the decompression fails; ``unknown_container`` before the first chunk, where the
            object is of another format.
    """
    chunks = content_chunks(stream, limits, any_text=any_text)
    if encoding is not None:
        yield from utf8_chunks(chunks, codec_name(encoding) or encoding)
        return
    head = next(chunks, b"")
    mark = next((name for mark, name in _BOMS if head.startswith(mark)), "utf-8")
    unmarked = _without_mark(head) if mark == "utf-8" else None
    if unmarked is not None:
        value = f"text in {unmarked} without a byte-order mark"
        raise BrokenStreamError("unknown_container", value, f"`encoding: {unmarked}` of the source", head)
    yield from utf8_chunks(chain([head], chunks), mark)


def content_chunks(stream: BinaryIO, limits: ReadLimits, *, any_text: bool = False) -> Iterator[bytes]:
    """Decompressed chunks of an object, as they are; the first has the first 512 bytes.

    Raises:
        BrokenStreamError: as for :func:`text_chunks`.
    """
    chunks = decompressed(stream, limits)
    head = b""
    broken: BrokenStreamError | None = None
    try:
        while len(head) < KIND_BYTES and (chunk := next(chunks, None)) is not None:
            head += chunk
    except BrokenStreamError as error:
        broken = error
    kind = kind_of(head)
    if kind is not None and not (kind.is_text and any_text):
        raise unknown_container(kind, head)
    if head:
        yield head
    if broken is not None:
        raise broken
    yield from chunks


def unknown_container(kind: FileKind, head: bytes) -> BrokenStreamError:
    """The error for an object that is of another kind than its source declares."""
    return BrokenStreamError("unknown_container", kind.name, kind.remedy, head)


def _without_mark(head: bytes) -> str | None:
    """The encoding of text that begins with two ASCII characters in UTF-16 or UTF-32, by its zeros."""
    shape = bytes(0 if byte == 0 else 0x2E for byte in head[:4])
    return _ZEROS.get(shape) if len(head) >= 4 else None
