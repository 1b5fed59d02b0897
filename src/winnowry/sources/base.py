"""What a source format yields: records, or what could not be read and why."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO, Protocol

PAYLOAD_KEPT_BYTES = 1 << 20
"""Of an unreadable record; the landing object still has all of it."""


@dataclass(frozen=True)
class ReadLimits:
    """Bounds that keep one bad object from taking the machine's memory.

    Attributes:
        max_record_bytes: longest record, decompressed.
        max_compression_ratio: decompressed ÷ compressed bytes above which the rest of an object is not read.
        ratio_applies_above_bytes: decompressed size from which the ratio counts.
    """

    max_record_bytes: int = 64 << 20
    max_compression_ratio: float = 500.0
    ratio_applies_above_bytes: int = 64 << 20


@dataclass(frozen=True)
class Record:
    """A record as its format holds it.

    Attributes:
        position: 0-based line or row of the object.
        data: field name to value.
        media_type: of the content, where the format knows it; else it is told from the text.
        content: bytes that are no text: images, audio, video. To be read before the next record is asked for.
    """

    position: int
    data: dict[str, object]
    media_type: str | None = None
    content: BinaryIO | None = None


@dataclass(frozen=True)
class Unreadable:
    """A place in an object that is no usable record.

    Attributes:
        position: 0-based line or row of the object.
        operator: who says so: ``source.<format>`` or ``source.map``.
        reason: snake_case code, e.g. ``bad_json``, ``truncated_gzip``, ``missing_event_time``.
        value: what was found, short.
        threshold: what was allowed, when there is a limit.
        payload: the bytes at that place, at most :data:`PAYLOAD_KEPT_BYTES`.
    """

    position: int
    operator: str
    reason: str
    value: str | None
    threshold: str | None
    payload: bytes


class Format(Protocol):
    """Reads the records of one object."""

    def read(self, stream: BinaryIO, uri: str, limits: ReadLimits) -> Iterator[Record | Unreadable]:
        """Yield records and unreadable places in position order, in memory bounded by the limits.

        Nothing is skipped silently, and one bad place does not end the object where the format can go on after it.
        Errors of the store (:class:`~winnowry.core.errors.StorageError`) pass through.
        """
        ...


class FieldsSpec(Protocol):
    """Which field of a record is what; None: the record has no such field."""

    @property
    def id(self) -> str | None:
        """The record's own identifier, unique in its source."""
        ...

    @property
    def text(self) -> str | None:
        """The text; None means ``text``."""
        ...

    @property
    def event_time(self) -> str | None:
        """When it happened."""
        ...

    @property
    def event_time_format(self) -> str | None:
        """How it is written, as for ``datetime.strptime``; None: ISO 8601 or Unix seconds."""
        ...

    @property
    def license(self) -> str | None:
        """License of this record; wins over the source's."""
        ...


class PartitionSpec(Protocol):
    """How a record's partition is told."""

    @property
    def by(self) -> str | None:
        """``event_time``, ``field``, ``path``; None puts all records into one partition."""
        ...

    @property
    def every(self) -> str | None:
        """``year``, ``month`` or ``day`` of the event time."""
        ...

    @property
    def field(self) -> str | None:
        """The field, when partitioned by field."""
        ...

    @property
    def part(self) -> int | None:
        """Index of the path component, when partitioned by path; negative counts from the file name."""
        ...

    @property
    def missing(self) -> str:
        """``quarantine``, or the partition of records that lack the value."""
        ...


class SourceSpec(Protocol):
    """A source as the recipe declares it (the recipe is a higher layer)."""

    @property
    def name(self) -> str:
        """Name, part of the record ids."""
        ...

    @property
    def uri(self) -> str:
        """Pattern of the objects."""
        ...

    @property
    def format(self) -> str:
        """Name of the format in :mod:`winnowry.sources.registry`."""
        ...

    @property
    def license(self) -> str | None:
        """License of all records."""
        ...

    @property
    def fields(self) -> FieldsSpec:
        """Field mapping."""
        ...

    @property
    def partition(self) -> PartitionSpec | None:
        """Partition rule; None puts all records into one partition."""
        ...

    @property
    def delimiter(self) -> str:
        """Of CSV; one character."""
        ...

    @property
    def encoding(self) -> str | None:
        """Character encoding of the objects; None: UTF-8, or what an object declares."""
        ...

    @property
    def members(self) -> str | None:
        """Glob of the files to read inside each object, which is a tar archive then."""
        ...

    @property
    def record_element(self) -> str | None:
        """Of SGML and XML: the element that is a record."""
        ...

    @property
    def record_types(self) -> tuple[str, ...] | None:
        """Of WARC: the types of records that hold documents."""
        ...

    @property
    def content_types(self) -> tuple[str, ...] | None:
        """Of WARC: the media types to read."""
        ...

    @property
    def statuses(self) -> tuple[int, ...] | None:
        """Of WARC: the HTTP status codes to read."""
        ...


def unreadable(
    position: int, operator: str, reason: str, payload: bytes, value: str | None = None, threshold: str | None = None
) -> Unreadable:
    """An :class:`Unreadable` with its payload and value cut to what is kept."""
    return Unreadable(
        position, operator, reason, value[:300] if value is not None else None, threshold, payload[:PAYLOAD_KEPT_BYTES]
    )
