"""A stream in another encoding as a stream of UTF-8."""

from __future__ import annotations

import codecs
from collections.abc import Iterable, Iterator
from typing import Annotated

from pydantic import AfterValidator

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
