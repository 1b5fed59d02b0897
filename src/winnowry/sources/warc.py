"""WARC (also WET and WAT) and ARC: one document of a web archive, one record."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import BinaryIO, ClassVar

from pydantic import Field

from winnowry.sources.archive_frames import Damage, Frame, archive_frames
from winnowry.sources.base import ReadLimits, Record, SourceFormat, Unreadable, unreadable
from winnowry.sources.charset import decode, looks_binary
from winnowry.sources.file_kinds import kind_of
from winnowry.sources.http_body import HttpEncodingError, LongBodyError, decoded_body

RECORD_TYPES = ("response", "resource", "conversion")
CONTENT_TYPES = ("text/html", "application/xhtml+xml", "text/plain")
STATUSES = (200,)

_OPERATOR = "source.warc"
_REFUSED_KEPT_BYTES = 4 << 10
_MOST_REPLACED = 0.1
_HTML = ("text/html", "application/xhtml+xml")
_ARC_TYPES = {"dns": "resource", "filedesc": "warcinfo"}
_SNIFFED_BYTES = 1024
_HTML_START = re.compile(
    rb"(?:\xef\xbb\xbf)?[\t\n\x0c\r ]*(?:<!--|<(?:!doctype html|html|head|script|iframe|h1|div|font|table|a|style|"
    rb"title|b|body|br|p)[\t\n\x0c\r >])",
    re.IGNORECASE,
)
_CHARSET = re.compile(r"""charset\s*=\s*["']?([^\s"';,]{1,40})""", re.IGNORECASE)


class _RefusedError(Exception):
    """A record that is no document, or none that the options choose."""

    def __init__(self, reason: str, value: str | None, threshold: str | None = None) -> None:
        self.reason, self.value, self.threshold = reason, value, threshold
        super().__init__(reason)


@dataclass(frozen=True)
class _Document:
    """The payload of a record, still bytes."""

    payload: bytes
    content_type: str | None
    charset: str | None = None
    status: int | None = None


class Warc(SourceFormat):
    """Reads web archives: WARC 0.17 to 1.1, WET, WAT and ARC; one record in memory at a time.

    A record of the archive becomes ``{"text", "url", "date", "status", "content_type", "charset", "record_type",
    "warc_record_id", "payload_digest"}``: the payload without HTTP headers, transfer and content encoding, decoded
    from the declared or detected charset; ``date`` is the time of the fetch. Positions count all records of the
    archive, so that those of other types (requests, metadata, warcinfo) leave gaps; such records are no documents and
    leave no trace.

    Source: ISO 28500:2017 (WARC 1.1); RFC 9112 (HTTP/1.1); Internet Archive, "ARC file format" (1996).
    """

    name: ClassVar[str] = "warc"
    opens_zip: ClassVar[bool] = True
    selects_by: ClassVar[frozenset[str]] = frozenset({"revisit", "http_status", "content_type"})

    record_types: tuple[str, ...] = Field(
        default=RECORD_TYPES, min_length=1, description="types of records that are documents; WAT needs metadata"
    )
    content_types: tuple[str, ...] = Field(
        default=CONTENT_TYPES,
        min_length=1,
        description="media types to read, without parameters, the others are quarantined; WAT needs application/json",
    )
    statuses: tuple[int, ...] = Field(
        default=STATUSES,
        min_length=1,
        description="HTTP status codes to read, the others are quarantined; payloads fetched without HTTP have none "
        "and are read",
    )

    @cached_property
    def _media_types(self) -> frozenset[str]:
        return frozenset(media_type.lower() for media_type in self.content_types)

    def read(self, stream: BinaryIO, uri: str, limits: ReadLimits) -> Iterator[Record | Unreadable]:
        """See :meth:`~winnowry.sources.base.Reader.read`.

        Reasons: those of :func:`~winnowry.sources.archive_frames.archive_frames`; ``revisit`` (the payload is in
        another record, which is the value), ``http_status``, ``content_type``, ``truncated_payload`` (the crawler
        says so), ``bad_http`` (no HTTP response), ``bad_http_encoding`` (chunks or compression), ``binary_content``
        and ``bad_encoding`` (more than a tenth of the characters cannot be decoded). Of those that are refused but
        whole only the first 4,096 bytes are kept.
        """
        for position, frame in enumerate(archive_frames(stream, limits)):
            if not isinstance(frame, Frame):
                yield _damaged(position, frame)
                continue
            record_type = _record_type(frame)
            if record_type != "revisit" and record_type not in self.record_types:
                continue
            try:
                yield self._record(position, frame, record_type, limits)
            except _RefusedError as refused:
                beginning = frame.body[:_REFUSED_KEPT_BYTES]
                yield unreadable(position, _OPERATOR, refused.reason, beginning, refused.value, refused.threshold)

    def _record(self, position: int, frame: Frame, record_type: str, limits: ReadLimits) -> Record:
        headers = frame.headers
        url = headers.get("warc-target-uri", headers.get("url", "")).strip("<>")
        if record_type == "revisit":
            raise _RefusedError("revisit", headers.get("warc-refers-to") or headers.get("warc-refers-to-target-uri"))
        if cause := headers.get("warc-truncated"):
            raise _RefusedError("truncated_payload", cause)
        document = self._document(frame, url, limits)
        content_type = document.content_type or _sniffed(document.payload)
        if content_type not in self._media_types:
            raise _RefusedError("content_type", content_type, ", ".join(sorted(self._media_types)))
        decoded = decode(document.payload, document.charset)
        if looks_binary(decoded.text):
            raise _RefusedError("binary_content", f"{content_type}, read as {decoded.encoding}")
        if decoded.replaced_ratio > _MOST_REPLACED:
            raise _RefusedError(
                "bad_encoding", f"{decoded.replaced_ratio:.3f} as {decoded.encoding}", str(_MOST_REPLACED)
            )
        data: dict[str, object] = {
            "text": decoded.text,
            "url": url,
            "date": headers.get("warc-date") or _arc_date(headers.get("date", "")),
            "status": document.status,
            "content_type": content_type,
            "charset": decoded.encoding,
            "record_type": record_type,
        }
        if decoded.n_replaced:
            data["n_undecodable"] = decoded.n_replaced
        for name, field in (("warc_record_id", "warc-record-id"), ("payload_digest", "warc-payload-digest")):
            if field in headers:
                data[name] = headers[field].strip("<>")
        media_type = "text/html" if content_type in _HTML else "text/plain"
        return Record(position, data, media_type)

    def _document(self, frame: Frame, url: str, limits: ReadLimits) -> _Document:
        content_type, charset = _media_type(frame.headers.get("content-type"))
        over_http = content_type == "application/http" if frame.kind == "warc" else url.lower().startswith("http")
        if not over_http:
            return _Document(frame.body, content_type, charset)
        document = _http_document(frame.body, limits)
        if document.status not in self.statuses:
            raise _RefusedError("http_status", str(document.status), ", ".join(map(str, sorted(set(self.statuses)))))
        return document


def _damaged(position: int, damage: Damage) -> Unreadable:
    foreign = position == 0 and damage.reason == "bad_warc_header" and not damage.payload.startswith(b"WARC/")
    kind = kind_of(damage.payload) if foreign else None
    reason, value = (damage.reason, damage.value) if kind is None else ("unknown_container", kind.name)
    threshold = damage.threshold if kind is None else kind.remedy
    return unreadable(position, _OPERATOR, reason, damage.payload, value, threshold, ends_object=damage.ends_archive)


def _record_type(frame: Frame) -> str:
    if frame.kind == "warc":
        return frame.headers.get("warc-type", "").lower()
    return _ARC_TYPES.get(frame.headers["url"].partition(":")[0].lower(), "response")


def _http_document(block: bytes, limits: ReadLimits) -> _Document:
    """An HTTP response without its headers and encodings."""
    from fastwarc.warc import WarcRecord

    if not block.startswith(b"HTTP/"):
        raise _RefusedError("bad_http", repr(block[:40])[2:-1], "a status line")
    record = WarcRecord()
    record.set_bytes_content(block)
    record.is_http = True
    try:
        record.parse_http(auto_decode="none", quirks_mode=True)
        body = record.reader.read()
    except OSError as wrong:
        raise _RefusedError("bad_http", str(wrong)) from wrong
    headers = record.http_headers
    if headers.status_code is None:
        raise _RefusedError("bad_http", headers.status_line, "a status code")
    try:
        payload = decoded_body(body, headers.get("Transfer-Encoding"), headers.get("Content-Encoding"), limits)
    except HttpEncodingError as wrong:
        raise _RefusedError("bad_http_encoding", str(wrong)) from wrong
    except LongBodyError:
        limit = str(limits.max_record_bytes)
        raise _RefusedError("over_long_record", f"more than {limit}", limit) from None
    content_type, charset = _media_type(headers.get("Content-Type"))
    return _Document(payload, content_type, charset, int(headers.status_code))


def _media_type(header: str | None) -> tuple[str | None, str | None]:
    """Media type and charset of a Content-Type header."""
    if not header:
        return None, None
    charset = _CHARSET.search(header)
    return header.partition(";")[0].strip().lower() or None, charset[1] if charset else None


def _sniffed(payload: bytes) -> str:
    """The media type of a payload without one, by its beginning.

    Source: WHATWG, MIME Sniffing Standard, section 7.1 (tags), in addition to resiliparse.
    """
    from resiliparse.parse.encoding import detect_mime

    beginning = payload[:_SNIFFED_BYTES]
    return "text/html" if _HTML_START.match(beginning) else str(detect_mime(beginning))


def _arc_date(digits: str) -> str | None:
    try:
        return datetime.strptime(digits[:14].ljust(14, "0"), "%Y%m%d%H%M%S").isoformat() + "Z"
    except ValueError:
        return None
