"""Plain text files: one file, one record."""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO, ClassVar

from pydantic import Field

from winnowry.sources.base import PAYLOAD_KEPT_BYTES, ReadLimits, Record, SourceFormat, Unreadable, unreadable
from winnowry.sources.compression import decompressed
from winnowry.sources.streams import BrokenStreamError
from winnowry.sources.transcode import Encoding, utf8_stream

_OPERATOR = "source.text"
_BOM = b"\xef\xbb\xbf"


class Text(SourceFormat):
    """Reads a whole file (plain, gzip or zstd) as the record ``{"text": content, "name": file name}``."""

    name: ClassVar[str] = "text"

    encoding: Encoding | None = Field(
        default=None, description="character encoding of the objects, e.g. gb18030; UTF-8 unless set"
    )

    def read(self, stream: BinaryIO, uri: str, limits: ReadLimits) -> Iterator[Record | Unreadable]:
        """See :meth:`~winnowry.sources.base.Reader.read`.

        Reasons: ``bad_utf8``, ``over_long_record``, and those of
        :class:`~winnowry.sources.streams.BrokenStreamError`.
        """
        data = whole_object(utf8_stream(stream, self.encoding, limits), limits, _OPERATOR)
        if isinstance(data, Unreadable):
            yield data
            return
        data = data.removeprefix(_BOM)
        try:
            text = data.decode("utf-8")
        except UnicodeDecodeError as error:
            yield unreadable(0, _OPERATOR, "bad_utf8", data, f"{error.reason} at byte {error.start}")
            return
        yield Record(0, {"text": text, "name": uri.rpartition("/")[2]})


def whole_object(stream: BinaryIO, limits: ReadLimits, operator: str) -> bytes | Unreadable:
    """All bytes of an object, decompressed; unreadable where they are more than a record may have."""
    parts: list[bytes] = []
    size = 0
    try:
        for chunk in decompressed(stream, limits):
            size += len(chunk)
            if size > limits.max_record_bytes:
                beginning = b"".join([*parts, chunk[:PAYLOAD_KEPT_BYTES]])
                threshold = str(limits.max_record_bytes)
                return unreadable(0, operator, "over_long_record", beginning, f"more than {threshold}", threshold)
            parts.append(chunk)
    except BrokenStreamError as broken:
        return unreadable(0, operator, broken.reason, b"".join(parts), broken.value, broken.threshold)
    return b"".join(parts)
