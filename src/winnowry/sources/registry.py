"""Formats by name."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO

from winnowry.core.errors import UsageError
from winnowry.sources.base import Format, ReadLimits, Record, SourceSpec, Unreadable

FORMATS = ("jsonl", "parquet", "csv", "text", "html", "warc", "sgml", "xml", "files")
_UTF8_ONLY = ("jsonl", "csv", "text")


@dataclass(frozen=True)
class FormatOptions:
    """How objects of a format are set up; a format passes over what it has no use for.

    Attributes:
        delimiter: of CSV.
        encoding: of the objects; None: UTF-8, or what they declare.
        members: glob of the files inside, where the objects are tar archives.
        record_element: of SGML and XML.
        text: name of the text field.
        record_types: of WARC; None: :data:`~winnowry.sources.warc.RECORD_TYPES`.
        content_types: of WARC; None: :data:`~winnowry.sources.warc.CONTENT_TYPES`.
        statuses: of WARC; None: :data:`~winnowry.sources.warc.STATUSES`.
        profile: ``tc609``: records of SAC/TC609; None: records as they are.
    """

    delimiter: str = ","
    encoding: str | None = None
    members: str | None = None
    record_element: str | None = None
    text: str = "text"
    record_types: tuple[str, ...] | None = None
    content_types: tuple[str, ...] | None = None
    statuses: tuple[int, ...] | None = None
    profile: str | None = None


def format_of(source: SourceSpec) -> Format:
    """The reader of a source, set up as the source says.

    Raises:
        UsageError: there is no such format, or an option does not fit it.
    """
    named: dict[str, Any] = {name: getattr(source, name, None) for name in FormatOptions.__dataclass_fields__}
    named["text"] = source.fields.text
    return format_named(source.format, FormatOptions(**{name: value for name, value in named.items() if value}))


def format_named(name: str, options: FormatOptions | None = None) -> Format:
    """The reader of a format.

    Args:
        name: one of :data:`FORMATS`.
        options: how it is set up.

    Raises:
        UsageError: there is no such format, or an option does not fit it.
    """
    options = options or FormatOptions()
    content = _content(name, options)
    if options.profile == "tc609":
        from winnowry.sources.tc609 import Tc609Records

        content = Tc609Records(content, options.text)
    if options.encoding is not None and name in _UTF8_ONLY:
        content = _Transcoded(content, options.encoding)
    if options.members is not None:
        from winnowry.sources.tar import Tar

        return Tar(content, options.members)
    return content


def _content(name: str, options: FormatOptions) -> Format:
    # Imported when used: Parquet loads a large library.
    if name == "jsonl":
        from winnowry.sources.jsonl import JsonLines

        return JsonLines()
    if name == "parquet":
        from winnowry.sources.parquet import Parquet

        return Parquet()
    if name == "csv":
        from winnowry.sources.csv import Csv

        return Csv(options.delimiter)
    if name == "text":
        from winnowry.sources.text import Text

        return Text()
    if name == "html":
        from winnowry.sources.html import Html

        return Html(options.encoding)
    if name == "warc":
        from winnowry.sources.warc import CONTENT_TYPES, RECORD_TYPES, STATUSES, Warc

        return Warc(
            options.record_types or RECORD_TYPES, options.content_types or CONTENT_TYPES, options.statuses or STATUSES
        )
    if name in ("sgml", "xml"):
        from winnowry.sources.markup import Markup

        return Markup("sgml" if name == "sgml" else "xml", options.record_element, options.text, options.encoding)
    if name == "files":
        from winnowry.sources.files import Files

        return Files()
    raise UsageError(f"format {name!r} is unknown; expected one of {', '.join(FORMATS)}")


class _Transcoded:
    """A format that reads UTF-8, over objects in another encoding."""

    def __init__(self, content: Format, encoding: str) -> None:
        from winnowry.sources.transcode import checked_encoding

        self._content = content
        self._encoding = checked_encoding(encoding)

    def read(self, stream: BinaryIO, uri: str, limits: ReadLimits) -> Iterator[Record | Unreadable]:
        """See :meth:`Format.read`."""
        from winnowry.sources.transcode import Utf8Stream

        return self._content.read(Utf8Stream(stream, self._encoding, limits), uri, limits)  # type: ignore[arg-type]
