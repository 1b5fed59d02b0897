"""HTML files: one file, one record, in whatever encoding it is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO, ClassVar

from pydantic import Field

from winnowry.sources.base import ReadLimits, Record, SourceFormat, Unreadable, unreadable
from winnowry.sources.charset import decode, looks_binary
from winnowry.sources.content import content_chunks
from winnowry.sources.text import whole_object
from winnowry.sources.transcode import Encoding

_OPERATOR = "source.html"
_MOST_REPLACED = 0.1


class Html(SourceFormat):
    """Reads an HTML file as the record ``{"text": markup, "name": file name, "charset"}``."""

    name: ClassVar[str] = "html"
    opens_zip: ClassVar[bool] = True
    one_record: ClassVar[bool] = True

    encoding: Encoding | None = Field(
        default=None,
        description="character encoding of the objects, e.g. gb18030; unless set, the declared or detected one",
    )

    def read(self, stream: BinaryIO, uri: str, limits: ReadLimits) -> Iterator[Record | Unreadable]:
        """See :meth:`~winnowry.sources.base.Reader.read`.

        Reasons: ``over_long_record``, ``binary_content``, ``bad_encoding`` (more than a tenth of the characters cannot
        be decoded), and those of :class:`~winnowry.sources.streams.BrokenStreamError`.
        """
        data, refusal = whole_object(content_chunks(stream, limits, any_text=True), limits, _OPERATOR)
        if data is not None:
            yield self._record(data, uri)
        if refusal is not None:
            yield refusal

    def _record(self, data: bytes, uri: str) -> Record | Unreadable:
        decoded = decode(data, self.encoding)
        if looks_binary(decoded.text):
            return unreadable(0, _OPERATOR, "binary_content", data, f"read as {decoded.encoding}")
        if decoded.replaced_ratio > _MOST_REPLACED:
            value = f"{decoded.replaced_ratio:.3f} as {decoded.encoding}"
            return unreadable(0, _OPERATOR, "bad_encoding", data, value, str(_MOST_REPLACED))
        fields: dict[str, object] = {"text": decoded.text, "name": uri.rpartition("/")[2], "charset": decoded.encoding}
        return Record(0, fields, "text/html")
