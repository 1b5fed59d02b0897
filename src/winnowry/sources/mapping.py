"""From a record of a format to a row of ``raw``: identity, partition, text, and everything else as ``meta``."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import BinaryIO
from uuid import UUID

import numpy as np
import orjson

from winnowry.core.ids import RecordId, record_id
from winnowry.core.partition_keys import wrong_key
from winnowry.sources.base import FieldsSpec, PartitionSpec, Record, SourceSpec, Unreadable, unreadable
from winnowry.sources.event_time import EventTimeError, parse_event_time, parse_with_format, time_range
from winnowry.sources.fields import (
    HiveConflictError,
    absent,
    described,
    hive_columns,
    value_at,
    with_hive_columns,
    without,
)

_OPERATOR = "source.map"
ALL = "all"
"""The partition of every record of a source without a partition rule."""
READING = 2
"""Raised when the same object and recipe would give other partitions: the landing then reads its objects again."""


@dataclass(frozen=True)
class MappedRecord:
    """A record ready for ``raw``.

    Attributes:
        record_id: 32 hexadecimal characters.
        position: 0-based line or row of the object.
        partition: partition key.
        event_time: UTC; None when the source maps none, or this record lacks one.
        text: the text as it arrived; of a record with content the one beside it, or None.
        meta: JSON object of all other fields, mapped ones included, keys sorted.
        license: of the record, else of the source.
        content_sha256: hexadecimal SHA-256 of the text in UTF-8, of a structured record of its columns as JSON; empty
            for a record with content, not read yet.
        media_type: that of the format; else ``application/json`` of a structured record, ``text/html`` when the text
            starts as an HTML document or the object is named so, and ``text/plain``.
        content: bytes that are no text; read them before the next record.
        source_id: the id that the source gave it, if the recipe maps one.
        place: where they lie in the object, as (first byte, size); None: not as they are, or the object is the content.
        content_at: where another object lies that is the content, as the record says it.
        span: the part of the content that the record is, as in :class:`~winnowry.sources.base.Record`.
        columns: of a structured record, a value for each.
    """

    record_id: RecordId
    position: int
    partition: str
    event_time: datetime | None
    text: str | None
    meta: str
    license: str | None
    content_sha256: str
    media_type: str
    content: BinaryIO | None = None
    source_id: str | None = None
    place: tuple[int, int] | None = None
    content_at: str | None = None
    span: tuple[float, float | None] | None = None
    columns: Mapping[str, object] | None = None


class _Unmappable(Exception):
    def __init__(self, reason: str, value: str | None = None, threshold: str | None = None) -> None:
        self.reason, self.value, self.threshold = reason, value, threshold
        super().__init__(reason)


def map_record(
    record: Record, source: SourceSpec, uri: str, relative_path: str, written_at: datetime | None = None
) -> MappedRecord | Unreadable:
    """Find a record's identity, partition and text.

    Args:
        record: from a :class:`~winnowry.sources.base.Reader`.
        source: the recipe's source.
        uri: the object.
        relative_path: path of the object below the literal prefix of the source's pattern.
        written_at: when the object was last modified: it bounds the event times that are plausible.

    Returns:
        The mapped record, or an :class:`Unreadable` with the record as JSON and one of the reasons
        ``missing_field`` (text), ``missing_id``, ``wrong_type`` (text, id, license or partition field),
        ``missing_event_time``, ``bad_event_time``, ``missing_partition_field``, ``missing_partition_part``,
        ``bad_partition_key``, ``undeclared_partition`` and ``hive_conflict``. A bad event time that does not decide the
        partition becomes null and stays in ``meta``.
    """
    try:
        return _map(record, source, uri, relative_path, written_at)
    except _Unmappable as wrong:
        payload = serialized(record.data)
        refused = unreadable(record.position, _OPERATOR, wrong.reason, payload, wrong.value, wrong.threshold)
        return _with_identities(refused, record, source)


def _with_identities(refused: Unreadable, record: Record, source: SourceSpec) -> Unreadable:
    """What a record that is refused is known by: one that was erased must not be quoted."""
    source_id = sha256 = None
    with suppress(_Unmappable):
        source_id = _mapped_id(record.data, source.fields.id) if source.fields.id else None
    with suppress(_Unmappable):
        sha256 = _content(record, source.fields.text or "text")[1] or None
    return replace(refused, source_id=source_id, content_sha256=sha256)


def _map(record: Record, source: SourceSpec, uri: str, relative_path: str, written_at: datetime | None) -> MappedRecord:
    data, fields = record.data, source.fields
    if source.hive:
        try:
            data = with_hive_columns(data, hive_columns(source.uri, relative_path))
        except HiveConflictError as error:
            raise _Unmappable("hive_conflict", str(error)) from None
    text_field = fields.text or "text"
    text, sha256 = _content(replace(record, data=data), text_field)
    mapped_id = _mapped_id(data, fields.id) if fields.id else None
    event_time, wrong_time = _event_time(data, fields, written_at)
    partition = _partition(data, source.partition, fields.event_time, event_time, wrong_time, relative_path)
    keys = source.partition.keys if source.partition is not None else ()
    if keys and partition not in keys:
        raise _Unmappable("undeclared_partition", partition, f"one of the {len(keys)} in partition.keys")
    # A key that identifies the record in its object keeps its id where the object is packed in another order.
    path, index = (relative_path, record.position) if record.key is None else (f"{relative_path}#{record.key}", 0)
    return MappedRecord(
        record_id=record_id(source.name, mapped_id=mapped_id, path=path, index=index),
        position=record.position,
        partition=partition,
        event_time=event_time,
        text=text,
        meta=serialized(without(data, text_field) if _text_is_field(record) else data).decode(),
        license=_license(data, fields.license) or source.license,
        content_sha256=sha256,
        media_type=record.media_type or ("application/json" if record.columns else _media_type(text or "", uri)),
        content=record.content,
        source_id=mapped_id,
        place=record.place,
        content_at=record.content_at,
        span=record.span,
        columns=record.columns,
    )


def _text_is_field(record: Record) -> bool:
    return not record.has_content and record.columns is None


def _content(record: Record, text_field: str) -> tuple[str | None, str]:
    """The text, and the SHA-256 of what the record is; empty where that is not read yet."""
    if record.columns is not None:
        return record.text, hashlib.sha256(serialized(record.columns)).hexdigest()
    return (record.text, "") if record.has_content else _text(record.data, text_field)


def _text(data: dict[str, object], name: str) -> tuple[str, str]:
    """The text and its SHA-256."""
    text = value_at(data, name)
    if text is None:
        raise _Unmappable("missing_field", absent(data, name))
    if not isinstance(text, str):
        raise _wrong_type(name, text, "text")
    try:
        encoded = text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise _Unmappable("bad_utf8", f"{name}: {error.reason} at character {error.start}") from None
    return text, hashlib.sha256(encoded).hexdigest()


def serialized(data: object) -> bytes:
    """JSON with sorted keys; dates as ISO 8601, decimals as strings, bytes as base64, NaN as null, arrays as lists."""
    try:
        options = orjson.OPT_SORT_KEYS | orjson.OPT_NON_STR_KEYS | orjson.OPT_UTC_Z | orjson.OPT_SERIALIZE_NUMPY
        return orjson.dumps(data, default=_plain, option=options)
    except TypeError:  # integers beyond 64 bits, lone surrogates
        return json.dumps(data, default=_plain, sort_keys=True, separators=(",", ":")).encode("utf-8")


def _plain(value: object) -> object:
    if isinstance(value, bytes | bytearray | memoryview):
        return base64.b64encode(value).decode("ascii")
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, set | frozenset | tuple):
        return sorted(value, key=repr) if not isinstance(value, tuple) else list(value)
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, np.ndarray):  # not contiguous, or beside what orjson does not take
        return value.tolist()
    return str(value)


def _mapped_id(data: dict[str, object], name: str) -> str:
    """The id as it is written, white space included; a whole number is its digits."""
    value = value_at(data, name)
    if value is None:
        raise _Unmappable("missing_id", absent(data, name))
    if isinstance(value, bool) or not isinstance(value, str | int | UUID):
        raise _wrong_type(name, value, "text or whole number")
    if isinstance(value, str) and not value.strip():
        raise _Unmappable("missing_id", f"{name} is {value!r}")
    return str(value)


def _license(data: dict[str, object], name: str | None) -> str | None:
    """The licence; of several, all of them."""
    value = value_at(data, name) if name else None
    if isinstance(value, list | tuple):
        several = [item for item in value if item is not None and item != ""]
        if all(isinstance(item, str) for item in several):
            return ", ".join(dict.fromkeys(map(str, several))) or None
    if value is None or value == "":
        return None
    if not isinstance(value, str):
        raise _wrong_type(str(name), value, "text, or list of texts")
    return value


def _event_time(
    data: dict[str, object], fields: FieldsSpec, written_at: datetime | None
) -> tuple[datetime | None, _Unmappable | None]:
    """The time, or why the value of the record is none."""
    value = value_at(data, fields.event_time) if fields.event_time else None
    if value is None or (isinstance(value, str) and not value.strip()):
        return None, None
    earliest, latest = fields.event_time_range or (None, None)
    plausible = time_range(earliest, latest, written_at)
    layout = fields.event_time_format
    try:
        if layout is None:
            return parse_event_time(value, plausible), None
        return parse_with_format(value, layout, plausible), None
    except EventTimeError as error:
        return None, _Unmappable("bad_event_time", f"{value!r:.80}: {error}", error.expected)


def _partition(
    data: dict[str, object],
    spec: PartitionSpec | None,
    time_field: str | None,
    event_time: datetime | None,
    wrong_time: _Unmappable | None,
    relative_path: str,
) -> str:
    if spec is None or spec.by is None or spec.by == "none":
        return ALL
    if spec.by == "event_time":
        if wrong_time is not None:
            raise wrong_time
        if event_time is None:
            return _missing(spec, "missing_event_time", absent(data, time_field or ""))
        return partition_key(event_time, spec.every or "day")
    if spec.by == "field":
        name = spec.field or ""
        value = value_at(data, name)
        if value is None or value == "":
            return _missing(spec, "missing_partition_field", absent(data, name))
        if isinstance(value, bool) or not isinstance(value, str | int):
            raise _wrong_type(name, value, "text or whole number")
        return _checked_key(str(value))
    parts = [part for part in relative_path.split("/") if part]
    index = spec.part if spec.part is not None else -2
    if not -len(parts) <= index < len(parts):
        return _missing(spec, "missing_partition_part", relative_path)
    return _checked_key(parts[index])


def partition_key(event_time: datetime, every: str) -> str:
    """Partition of an event time.

    Args:
        event_time: UTC.
        every: ``year``, ``month`` or ``day``.

    >>> partition_key(parse_event_time("2019-05-01"), "month")
    '2019-05'
    """
    return event_time.isoformat()[: {"year": 4, "month": 7, "day": 10}[every]]


def _missing(spec: PartitionSpec, reason: str, value: str) -> str:
    if spec.missing == "quarantine":
        raise _Unmappable(reason, value)
    return spec.missing


def _checked_key(key: str) -> str:
    reason = wrong_key(key)
    if reason is not None:
        raise _Unmappable("bad_partition_key", repr(key), reason)
    return key


def _wrong_type(name: str, value: object, expected: str) -> _Unmappable:
    return _Unmappable("wrong_type", f"{name} is {described(value)}", expected)


def _media_type(text: str, uri: str) -> str:
    start = text[:256].lstrip("\ufeff \t\r\n").lower()
    if start.startswith(("<!doctype html", "<html")) or uri.lower().endswith((".html", ".htm")):
        return "text/html"
    return "text/plain"
