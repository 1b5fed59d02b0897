"""SGML and XML: one element of a name, one record; its parts by path, entities decoded."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from itertools import chain
from typing import Any, BinaryIO, ClassVar

from pydantic import Field, model_validator

from winnowry.sources.base import ReadLimits, Record, SourceFormat, Unreadable, unreadable
from winnowry.sources.content import content_chunks
from winnowry.sources.element_fields import BadMarkupError, fields_of
from winnowry.sources.elements import Broken, Element, split_elements
from winnowry.sources.streams import BrokenStreamError
from winnowry.sources.transcode import Encoding, codec_name, utf8_chunks

_DECLARED = re.compile(rb"""\A\s*<\?xml\b[^>]{0,200}?\bencoding\s*=\s*["']([\w.:-]{1,40})["']""")
_HEAD_BYTES = 1024
_BOMS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))


class _Markup(SourceFormat):
    """Elements of a name as records; the field mapped as text may hold elements."""

    opens_zip: ClassVar[bool] = True

    encoding: Encoding | None = Field(
        default=None, description="character encoding of the objects, e.g. gb18030; unless set, the declared one"
    )
    record_element: str = Field(min_length=1, description="the element that is a record, e.g. `page`")

    @model_validator(mode="before")
    @classmethod
    def _names_an_element(cls, data: Any) -> Any:
        if isinstance(data, dict) and data.get("record_element") is None:
            raise ValueError(f"`format: {cls.name}` needs `record_element`, the element that is a record")
        return data

    def read(self, stream: BinaryIO, uri: str, limits: ReadLimits) -> Iterator[Record | Unreadable]:
        """See :meth:`~winnowry.sources.base.Reader.read`.

        Reasons: ``bad_sgml`` or ``bad_xml`` (tags that do not match, nesting deeper than 256), ``unclosed_record``,
        ``truncated_record``, ``bad_encoding``, ``over_long_record``, and those of
        :class:`~winnowry.sources.streams.BrokenStreamError`. What lies between records is no record; an object without
        any tag is ``unknown_container``.
        """
        operator = f"source.{self.name}"
        codec = codec_name(self.encoding) if self.encoding is not None else None
        chunks = _utf8(content_chunks(stream, limits, any_text=True), codec)
        elements = split_elements(chunks, self.record_element, self.name == "sgml", limits)
        for position, item in enumerate(elements):
            if isinstance(item, Broken):
                yield unreadable(
                    position, operator, item.reason, item.data, item.value, item.threshold,
                    ends_object=item.ends_stream,
                )  # fmt: skip
                continue
            yield self._record(position, item, operator, codec or "utf-8")

    def _record(self, position: int, element: Element, operator: str, codec: str) -> Record | Unreadable:
        try:
            markup = element.data.decode("utf-8")
        except UnicodeDecodeError as error:
            value = f"{error.reason} at byte {error.start} of the record"
            return unreadable(position, operator, "bad_encoding", element.data, value, codec)
        try:
            return Record(position, fields_of(markup, self.name == "xml", self.text_field))
        except BadMarkupError as wrong:
            return unreadable(position, operator, f"bad_{self.name}", element.data, str(wrong))


class Sgml(_Markup):
    """Reads the SGML elements of a name as records, e.g. ``<REUTERS …>…</REUTERS>``.

    Fields are the attributes of the record element as ``@NAME``, the elements below it by path (``TEXT/TITLE``) and
    their attributes (``TEXT/@TYPE``). A value is the whole text of the element with entities decoded once; of an
    element that occurs several times a list. Elements that only hold elements have no field of their own, except the
    one mapped as text. Record elements do not nest: one that begins before the last has ended ends it, unreadable.

    Names are in upper case however they are written, attribute values may lack quotes, and start tags may lack end
    tags: the end tag of an enclosing element closes them. Known entities are those of HTML 5; numbered ones become
    their character, and are dropped where that is a control character; unknown entities stay as they are, and no
    document type is read.

    Source: ISO 8879 (SGML).
    """

    name: ClassVar[str] = "sgml"


class Xml(_Markup):
    """Reads the XML elements of a name as records, with fields and entities as for SGML.

    Names are as written, and tags must match.

    Source: W3C, XML 1.0 (fifth edition).
    """

    name: ClassVar[str] = "xml"


def _utf8(chunks: Iterator[bytes], encoding: str | None) -> Iterator[bytes]:
    """The text as UTF-8; without an encoding, its beginning says which it is."""
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
