"""Images, audio and video: taken in as blobs of Lance, or as references to where they lie, whole or as a range."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from winnowry.engine.chain import Reason
from winnowry.lakehouse.blobs import blob_at, blob_of
from winnowry.recipe.model import Source
from winnowry.sources.media_types import media_type_in
from winnowry.sources.streams import BrokenStreamError

_CHUNK_BYTES = 1 << 20


@dataclass(frozen=True)
class Content:
    """Bytes of a record.

    Attributes:
        payload: a large object of ``lakehouse.blobs``.
        sha256: hexadecimal.
        held_bytes: how much of it is in memory.
        media_type: by its bytes.
        place: first byte and size in the object, where a part of one is referred to.
    """

    payload: Any
    sha256: str
    held_bytes: int
    media_type: str
    place: tuple[int, int] | None = None


def take_content(
    stream: BinaryIO,
    source: Source,
    uri: str,
    max_bytes: int,
    place: tuple[int, int] | None = None,
    *,
    whole: bool = False,
) -> Content | Reason:
    """Read a file for ``raw``.

    Args:
        stream: its bytes.
        source: says whether they are copied or referenced; a reference is read for its hash and not kept.
        uri: where they lie.
        max_bytes: of a file that is copied; one at a time is in memory.
        place: first byte and size in the object, of a file inside one; one that has no place is copied.
        whole: whether the stream is all of an object, though objects of the source hold several records.

    Returns:
        The content, or why it is refused.
    """
    try:
        return _content(stream, source, uri, max_bytes, place, whole=whole)
    except BrokenStreamError as broken:  # a file inside an archive
        return Reason(f"source.{source.format}", broken.reason, broken.value, broken.threshold)


def _content(
    stream: BinaryIO, source: Source, uri: str, max_bytes: int, place: tuple[int, int] | None, *, whole: bool
) -> Content | Reason:
    # The files of a shard that is compressed have no place of their own.
    referenced = source.options.by_reference and (whole or place is not None or source.options.one_record)
    digest, parts, size, head = hashlib.sha256(), [], 0, b""
    while chunk := stream.read(_CHUNK_BYTES):
        head = head or chunk
        size += len(chunk)
        if not referenced:
            if size > max_bytes:
                limit = str(max_bytes)
                return Reason(f"source.{source.format}", "over_long_record", f"more than {limit} bytes", limit)
            parts.append(chunk)
        digest.update(chunk)
    media_type = media_type_in(head)
    if not referenced:
        return Content(blob_of(b"".join(parts)), digest.hexdigest(), size, media_type)
    if size == 0:
        return Content(blob_of(b""), digest.hexdigest(), 0, media_type)
    absolute = uri if "://" in uri else Path(uri).absolute().as_uri()
    return Content(blob_at(absolute, place), digest.hexdigest(), 0, media_type, place)
