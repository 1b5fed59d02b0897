"""HTML files: one file, one record, in whatever encoding it is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO, ClassVar

from pydantic import Field

from winnowry.sources.base import ReadLimits, Record, SourceFormat, Unreadable, unreadable
from winnowry.sources.charset import decode, looks_binary
from winnowry.sources.text import whole_object
from winnowry.sources.transcode import Encoding

_OPERATOR = "source.html"
_MOST_REPLACED = 0.1


class Html(SourceFormat):
    """Reads an HTML file (plain, gzip or zstd) as the record ``{"text": markup, "name": file name, "charset"}``."""

    name: ClassVar[str] = "html"

    encoding: Encoding | None = Field(
        default=None,
        description="character encoding of the objects, e.g. gb18030; unless set, the declared or detected one",
    )

    def read(self, stream: BinaryIO, uri: str, limits: ReadLimits) -> Iterator[Record | Unreadable]:
        """See :meth:`~winnowry.sources.base.Reader.read`.

        Reasons: ``over_long_record``, ``binary_content``, ``bad_encoding`` (more than a tenth of the characters cannot
        be decoded), and those of :class:`~winnowry.sources.streams.BrokenStreamError`.
        """
        data = whole_object(stream, limits, _OPERATOR)
        if isinstance(data, Unreadable):
            yield data
            return
        decoded = decode(data, self.encoding)
        if looks_binary(decoded.text):
            yield unreadable(0, _OPERATOR, "binary_content", data, f"read as {decoded.encoding}")
        elif decoded.replaced_ratio > _MOST_REPLACED:
            value = f"{decoded.replaced_ratio:.3f} as {decoded.encoding}"
            yield unreadable(0, _OPERATOR, "bad_encoding", data, value, str(_MOST_REPLACED))
        else:
            fields: dict[str, object] = {
                "text": decoded.text,
                "name": uri.rpartition("/")[2],
                "charset": decoded.encoding,
            }
            yield Record(0, fields, "text/html")
