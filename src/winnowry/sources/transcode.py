"""A stream in another encoding as a stream of UTF-8."""

from __future__ import annotations

import codecs
import io
from collections.abc import Iterable, Iterator
from typing import Annotated, BinaryIO, cast

from pydantic import AfterValidator

from winnowry.sources.base import ReadLimits
from winnowry.sources.compression import decompressed

_ERRORS = "winnowry.undecodable"


def _keep_undecodable(error: UnicodeError) -> tuple[str, int]:
    """Lone surrogates for bytes that cannot be decoded: invalid UTF-8 again, so that only their line is refused."""
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return "".join(chr(0xDC00 + byte) for byte in error.object[error.start : error.end]), error.end


codecs.register_error(_ERRORS, _keep_undecodable)


def codec_name(name: str) -> str | None:
    """Python's name of a text encoding; None where there is none of that name."""
    try:
        codec = codecs.lookup(name)
    except (LookupError, ValueError):
        return None
    return codec.name if getattr(codec, "_is_text_encoding", True) else None


def _known(name: str) -> str:
    if codec_name(name) is None:
        raise ValueError(f"`encoding: {name}` is unknown; e.g. utf-8, windows-1252 or gb18030")
    return name


Encoding = Annotated[str, AfterValidator(_known)]
"""An option of a format: the name of a character encoding, as it was written."""


def utf8_chunks(chunks: Iterable[bytes], encoding: str) -> Iterator[bytes]:
    """Chunks of text in an encoding as chunks of UTF-8; bytes that cannot be decoded become invalid UTF-8.

    A character may lie across two chunks. What the chunks raise passes through.
    """
    if encoding == "utf-8":
        yield from chunks
        return
    decoder = codecs.getincrementaldecoder(encoding)(_ERRORS)
    for chunk in chunks:
        yield decoder.decode(chunk).encode("utf-8", "surrogatepass")
    yield decoder.decode(b"", final=True).encode("utf-8", "surrogatepass")


class Utf8Stream(io.RawIOBase):
    """Decompresses a stream and hands on its text as UTF-8, piece by piece.

    Args:
        stream: plain, gzip or zstd.
        encoding: of the decompressed bytes, as Python names it.
        limits: for the decompression.

    Raises:
        BrokenStreamError: from ``read``, where the decompression fails.
    """

    def __init__(self, stream: BinaryIO, encoding: str, limits: ReadLimits) -> None:
        self._chunks = utf8_chunks(decompressed(stream, limits), encoding)
        self._left = b""

    def readable(self) -> bool:
        """True."""
        return True

    def read(self, size: int = -1, /) -> bytes:
        """Up to ``size`` bytes, all of them where it is negative; empty at the end."""
        if size < 0:
            data, self._left = self._left + b"".join(self._chunks), b""
            return data
        while not self._left and (chunk := next(self._chunks, None)) is not None:
            self._left = chunk
        data, self._left = self._left[:size], self._left[size:]
        return data


def utf8_stream(stream: BinaryIO, encoding: str | None, limits: ReadLimits) -> BinaryIO:
    """A stream for a format that reads UTF-8.

    Args:
        stream: plain, gzip or zstd.
        encoding: of the decompressed bytes; None: they are UTF-8 already, and the stream is handed on as it is.
        limits: for the decompression.
    """
    codec = codec_name(encoding) if encoding is not None else None
    return stream if codec is None else cast(BinaryIO, Utf8Stream(stream, codec, limits))
