"""Plain text files: one file, one record."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import BinaryIO, ClassVar

from pydantic import Field

from winnowry.sources.base import PAYLOAD_KEPT_BYTES, ReadLimits, Record, SourceFormat, Unreadable, unreadable
from winnowry.sources.content import text_chunks
from winnowry.sources.streams import BrokenStreamError
from winnowry.sources.transcode import Encoding

_OPERATOR = "source.text"
_BOM = b"\xef\xbb\xbf"


class Text(SourceFormat):
    """Reads a whole file as the record ``{"text": content, "name": file name}``."""

    name: ClassVar[str] = "text"
    opens_zip: ClassVar[bool] = True
    one_record: ClassVar[bool] = True

    encoding: Encoding | None = Field(
        default=None,
        description="character encoding of the objects, e.g. gb18030; UTF-8 unless set or said by a byte-order mark",
    )

    def read(self, stream: BinaryIO, uri: str, limits: ReadLimits) -> Iterator[Record | Unreadable]:
        """See :meth:`~winnowry.sources.base.Reader.read`.

        Reasons: ``bad_utf8``, ``over_long_record``, and those of
        :class:`~winnowry.sources.streams.BrokenStreamError`.
        """
        data, refusal = whole_object(text_chunks(stream, self.encoding, limits, any_text=True), limits, _OPERATOR)
        if data is not None:
            yield self._record(data.removeprefix(_BOM), uri)
        if refusal is not None:
            yield refusal

    def _record(self, data: bytes, uri: str) -> Record | Unreadable:
        try:
            text = data.decode("utf-8")
        except UnicodeDecodeError as error:
            return unreadable(0, _OPERATOR, "bad_utf8", data, f"{error.reason} at byte {error.start}")
        return Record(0, {"text": text, "name": uri.rpartition("/")[2]})


def whole_object(
    chunks: Iterable[bytes], limits: ReadLimits, operator: str
) -> tuple[bytes, Unreadable | None] | tuple[None, Unreadable]:
    """All bytes of an object, and what of it could not be read.

    Returns:
        The bytes, and the place of garbage after their end; or None and why the object is no record.
    """
    parts: list[bytes] = []
    size = 0
    try:
        for chunk in chunks:
            size += len(chunk)
            if size > limits.max_record_bytes:
                beginning = b"".join([*parts, chunk[:PAYLOAD_KEPT_BYTES]])
                threshold = str(limits.max_record_bytes)
                return None, unreadable(0, operator, "over_long_record", beginning, f"more than {threshold}", threshold)
            parts.append(chunk)
    except BrokenStreamError as broken:
        data = b"".join(parts)
        position, payload = (1, broken.beginning) if broken.after_whole else (0, data or broken.beginning)
        refusal = unreadable(
            position, operator, broken.reason, payload, broken.value, broken.threshold, ends_object=True
        )
        return (data, refusal) if broken.after_whole else (None, refusal)
    return b"".join(parts), None
