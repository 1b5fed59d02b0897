"""The body of an HTTP response without its transfer and content encodings.

By hand on purpose: a body that is cut short must not pass as a whole one, and libraries hand on what there is of it.
"""

from __future__ import annotations

import io
import re
import zlib
from collections.abc import Callable, Iterator

import pyarrow as pa

from winnowry.sources.base import ReadLimits
from winnowry.sources.compression import decompressed
from winnowry.sources.streams import BrokenStreamError, CompressionRatio

_CHUNK = re.compile(rb"([0-9a-fA-F]{1,8})[ \t]*(?:;[^\n]*)?\r?\n")
_LINE_END = re.compile(rb"\r?\n")
_STEP_BYTES = 64 << 10
_BROTLI_STEP_BYTES = 4 << 10
_CONTROLS = re.compile(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f]")
_SAMPLE_BYTES = 4096
_MOST_CONTROLS = 0.02
_MAGICS = {"gzip": b"\x1f\x8b", "zstd": b"\x28\xb5\x2f\xfd"}
_SAME = {"x-gzip": "gzip", "x-deflate": "deflate"}


class HttpEncodingError(Exception):
    """A body that cannot be decoded; the message says which encoding, and why."""


class LongBodyError(Exception):
    """A body that is longer than a record may be."""


def decoded_body(body: bytes, transfer: str | None, content: str | None, limits: ReadLimits) -> bytes:
    """A body without its encodings: chunks, gzip, deflate (with and without the header of zlib), br and zstd.

    Archives often keep an encoding in the headers that the crawler has already undone: a body that does not decode and
    does not look compressed is left as it is. Encodings of other names are taken as undone.

    Args:
        body: as it was archived.
        transfer: the header Transfer-Encoding.
        content: the header Content-Encoding.
        limits: longest record, and what a body may inflate to.

    Raises:
        HttpEncodingError: the body is cut short or damaged.
        LongBodyError: it is longer than a record may be.

    Source: RFC 9112, section 7.1 (chunks); RFC 9110, section 8.4.1 (content codings).
    """
    transfers = _names(transfer)
    if "chunked" in transfers:
        body = _dechunked(body)
    for name in (*reversed([name for name in transfers if name != "chunked"]), *reversed(_names(content))):
        body = _undone(name, body, limits)
    if len(body) > limits.max_record_bytes:
        raise LongBodyError
    return body


def _names(header: str | None) -> list[str]:
    names = [name.strip().lower() for name in (header or "").split(",")]
    return [_SAME.get(name, name) for name in names if name]


def _dechunked(body: bytes) -> bytes:
    if not _CHUNK.match(body):
        return body
    parts: list[bytes] = []
    at = 0
    while (head := _CHUNK.match(body, at)) is not None:
        n_bytes = int(head[1], 16)
        if n_bytes == 0:
            return b"".join(parts)
        parts.append(body[head.end() : head.end() + n_bytes])
        if len(parts[-1]) < n_bytes:
            raise HttpEncodingError(f"chunked: cut short, {n_bytes - len(parts[-1])} bytes of a chunk are missing")
        line_end = _LINE_END.match(body, head.end() + n_bytes)
        at = line_end.end() if line_end else head.end() + n_bytes
    if at < len(body):
        raise HttpEncodingError(f"chunked: no chunk begins at byte {at}")
    raise HttpEncodingError("chunked: cut short, the last chunk is missing")


def _undone(name: str, body: bytes, limits: ReadLimits) -> bytes:
    decode = _DECODERS.get(name)
    magic = _MAGICS.get(name)
    if decode is None or not body or (magic is not None and not body.startswith(magic)):
        return body
    parts: list[bytes] = []
    n_bytes = 0
    try:
        for chunk in decode(body, limits):
            parts.append(chunk)
            n_bytes += len(chunk)
            if n_bytes > limits.max_record_bytes:
                raise LongBodyError
    except BrokenStreamError as broken:
        if not broken.after_whole:
            if magic is None and not _looks_compressed(body):
                return body
            raise HttpEncodingError(f"{name}: {broken.value or broken.reason}") from broken
    return b"".join(parts)


def _looks_compressed(body: bytes) -> bool:
    """Whether control characters that no text has are frequent: a tenth of compressed bytes are some."""
    sample = body[:_SAMPLE_BYTES]
    return len(_CONTROLS.findall(sample)) > _MOST_CONTROLS * len(sample)


def _with_magic(body: bytes, limits: ReadLimits) -> Iterator[bytes]:
    return decompressed(io.BytesIO(body), limits)


def _deflate(body: bytes, limits: ReadLimits) -> Iterator[bytes]:
    """RFC 9110 says with the header of zlib; many servers send none."""
    has_header = len(body) > 1 and body[0] & 0x0F == 8 and int.from_bytes(body[:2], "big") % 31 == 0
    ratio = CompressionRatio(limits)
    stream = zlib.decompressobj(wbits=15 if has_header else -15)
    pending = body
    while pending and not stream.eof:
        try:
            chunk = stream.decompress(pending, _STEP_BYTES)
        except zlib.error as error:
            raise BrokenStreamError("bad_deflate", str(error)) from error
        ratio.add(len(pending) - len(stream.unconsumed_tail), len(chunk))
        pending = stream.unconsumed_tail
        yield chunk
    yield stream.flush()
    if not stream.eof:
        raise BrokenStreamError("truncated_deflate", "cut short")


def _brotli(body: bytes, limits: ReadLimits) -> Iterator[bytes]:
    stream = pa.CompressedInputStream(pa.BufferReader(body), "brotli")
    ratio = CompressionRatio(limits)
    ratio.add(len(body), 0)
    while True:
        try:
            chunk = stream.read(_BROTLI_STEP_BYTES)
        except (OSError, pa.ArrowException) as error:
            raise BrokenStreamError("bad_brotli", str(error)) from error
        if not chunk:
            return
        ratio.add(0, len(chunk))
        yield chunk


_DECODERS: dict[str, Callable[[bytes, ReadLimits], Iterator[bytes]]] = {
    "gzip": _with_magic,
    "zstd": _with_magic,
    "deflate": _deflate,
    "br": _brotli,
}
