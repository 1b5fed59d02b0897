"""SGML and XML: one element of a name, one record; its parts by path, entities decoded."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from itertools import chain
from typing import BinaryIO, Literal

from winnowry.core.errors import UsageError
from winnowry.sources.base import ReadLimits, Record, Unreadable, unreadable
from winnowry.sources.compression import BrokenStreamError, decompressed
from winnowry.sources.element_fields import BadMarkupError, fields_of
from winnowry.sources.elements import Broken, Element, split_elements
from winnowry.sources.transcode import checked_encoding, codec_name, utf8_chunks

_DECLARED = re.compile(rb"""\A\s*<\?xml\b[^>]{0,200}?\bencoding\s*=\s*["']([\w.:-]{1,40})["']""")
_HEAD_BYTES = 1024
_BOMS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))


class Markup:
    """Reads the elements of a name as records, e.g. ``<REUTERS …>…</REUTERS>``; plain, gzip or zstd.

    Fields are the attributes of the record element as ``@NAME``, the elements below it by path (``TEXT/TITLE``) and
    their attributes (``TEXT/@TYPE``). A value is the whole text of the element with entities decoded once; of an
    element that occurs several times a list. Elements that only hold elements have no field of their own, except the
    one mapped as text. Record elements do not nest: one that begins before the last has ended ends it, unreadable.

    SGML: names are in upper case however they are written, attribute values may lack quotes, and start tags may lack
    end tags: the end tag of an enclosing element closes them. XML: names are as written, tags must match. Known
    entities are those of HTML 5; numbered ones become their character, and are dropped where that is a control
    character; unknown entities stay as they are, and no document type is read.

    Args:
        dialect: ``sgml`` or ``xml``.
        record_element: name of the element.
        text_path: path of the text, e.g. ``TEXT/BODY``.
        encoding: of the objects; None: what a byte-order mark or XML declaration says, else UTF-8.

    Raises:
        UsageError: there is no such encoding, or no element is named.

    Source: ISO 8879 (SGML); W3C, XML 1.0 (fifth edition).
    """

    def __init__(
        self,
        dialect: Literal["sgml", "xml"],
        record_element: str | None,
        text_path: str = "text",
        encoding: str | None = None,
    ) -> None:
        if not record_element:
            raise UsageError(f"format {dialect} needs `record_element`, the name of the element that is a record")
        self._dialect = dialect
        self._record_element = record_element
        self._text_path = text_path
        self._encoding = checked_encoding(encoding) if encoding else None

    def read(self, stream: BinaryIO, uri: str, limits: ReadLimits) -> Iterator[Record | Unreadable]:
        """See :meth:`Format.read`.

        Reasons: ``bad_sgml`` or ``bad_xml`` (tags that do not match, nesting deeper than 256), ``unclosed_record``,
        ``truncated_record``, ``bad_encoding``, ``over_long_record``, and those of
        :class:`~winnowry.sources.compression.BrokenStreamError`. What lies between records is no record.
        """
        operator = f"source.{self._dialect}"
        chunks = _utf8(decompressed(stream, limits), self._encoding)
        elements = split_elements(chunks, self._record_element, self._dialect == "sgml", limits)
        for position, item in enumerate(elements):
            if isinstance(item, Broken):
                yield unreadable(position, operator, item.reason, item.data, item.value, item.threshold)
                continue
            yield self._record(position, item, operator)

    def _record(self, position: int, element: Element, operator: str) -> Record | Unreadable:
        try:
            markup = element.data.decode("utf-8")
        except UnicodeDecodeError as error:
            value = f"{error.reason} at byte {error.start} of the record"
            return unreadable(position, operator, "bad_encoding", element.data, value, self._encoding or "utf-8")
        try:
            return Record(position, fields_of(markup, self._dialect == "xml", self._text_path))
        except BadMarkupError as wrong:
            return unreadable(position, operator, f"bad_{self._dialect}", element.data, str(wrong))


def _utf8(chunks: Iterator[bytes], encoding: str | None) -> Iterator[bytes]:
    """The text as UTF-8; where no encoding is given, its beginning says which it is."""
    head = b""
    broken: BrokenStreamError | None = None
    if encoding is None:
        try:
            while len(head) < _HEAD_BYTES and (chunk := next(chunks, None)) is not None:
                head += chunk
        except BrokenStreamError as error:
            broken = error
        encoding = next((name for bom, name in _BOMS if head.startswith(bom)), None)
        if encoding is None:
            declared = _DECLARED.match(head)
            encoding = codec_name(declared[1].decode("ascii")) if declared else None
    yield from utf8_chunks(chain([head], chunks), encoding or "utf-8")
    if broken is not None:
        raise broken
