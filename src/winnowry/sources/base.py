"""What a source format is, and what it yields: records, or what could not be read and why."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import BinaryIO, ClassVar, Literal, Protocol, Self

from pydantic import BaseModel, ConfigDict, PrivateAttr

from winnowry.records.kinds import FILE, TEXT

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
        media_type: of the content, where the format knows it; else it is detected from the text.
        content: bytes that are no text: images, audio, video. Read them before the next record.
        text: the text beside the content, of formats that carry one; None where the record has none.
        key: what identifies the record in its object, where that is not its position.
        place: first byte and size of the content, where it lies in the object as it is and can be referred to.
        content_at: where another object lies that is the content, as the record says it: a path of a manifest.
        span: the part of the content that the record is, as start and end in seconds; None: all of it. Without an end
            it goes to that of the content.
        columns: of a structured record a value for each column of its kind, as pyarrow takes it (null where one is
            missing; numpy arrays for long lists of numbers). ``data`` then holds everything else, and ``text`` what
            the record is to people and to operators on text.
    """

    position: int
    data: dict[str, object]
    media_type: str | None = None
    content: BinaryIO | None = None
    text: str | None = None
    key: str | None = None
    place: tuple[int, int] | None = None
    content_at: str | None = None
    span: tuple[float, float | None] | None = None
    columns: Mapping[str, object] | None = None

    @property
    def has_content(self) -> bool:
        """Whether it is bytes, here or elsewhere, that are no text."""
        return self.content is not None or self.content_at is not None


@dataclass(frozen=True)
class Unreadable:
    """A place in an object that is no usable record.

    Attributes:
        position: 0-based line or row of the object.
        operator: what refused it: ``source.<format>`` or ``source.map``.
        reason: snake_case code, e.g. ``bad_json``, ``truncated_gzip``, ``missing_event_time``.
        value: what is there, cut short.
        threshold: what was allowed, when there is a limit.
        payload: the bytes at that place, at most :data:`PAYLOAD_KEPT_BYTES`.
        ends_object: nothing of the object after this place is read (of the file, where it lies in an archive): it is
            truncated, damaged or of an unknown format.
        source_id: the id that the source gave it, where that can be told.
        content_sha256: hexadecimal SHA-256 of its text, where that can be told.
    """

    position: int
    operator: str
    reason: str
    value: str | None
    threshold: str | None
    payload: bytes
    ends_object: bool = False
    source_id: str | None = None
    content_sha256: str | None = None


class Reader(Protocol):
    """Reads the records of one object: a source format, or what stands around one (a tar archive)."""

    def read(self, stream: BinaryIO, uri: str, limits: ReadLimits) -> Iterator[Record | Unreadable]:
        """Yield records and unreadable places in position order, in memory bounded by the limits.

        Nothing is skipped silently, and one bad place does not end the object where the format can go on after it.
        Errors of the store (:class:`~winnowry.core.errors.StorageError`) pass through.
        """
        ...


class SourceFormat(BaseModel):
    """A format of landing objects, with its options as fields.

    A format is one class in one file: of this package, or of another package that names it under the entry points
    ``winnowry.sources``. A recipe writes ``format: NAME`` and the options beside it, in the source. Options are
    optional, unless a validator says what is missing; one that is not set is no part of the recipe's hash.

    Attributes:
        name: what a recipe calls it; reasons of unreadable records begin with ``source.NAME``.
        payload_kind: ``text``: records carry their text in ``data``; ``blob``: they carry bytes as ``content``;
            ``structured``: they carry ``columns``, and :attr:`record_kind` says which.
        carries_text: whether records of bytes may have a text beside them.
        carries_span: whether records may be parts of their content.
        opens_zip: whether an object that is a zip archive is read file by file without being asked for by ``members``.
        one_record: an object is one record.
        selects_by: reasons of records that read well and are not what the options choose: they are no loss.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: ClassVar[str]
    payload_kind: ClassVar[Literal["text", "blob", "structured"]] = "text"
    carries_text: ClassVar[bool] = False
    carries_span: ClassVar[bool] = False
    opens_zip: ClassVar[bool] = False
    one_record: ClassVar[bool] = False
    selects_by: ClassVar[frozenset[str]] = frozenset()

    _text_field: str = PrivateAttr(default="text")
    _id_field: str | None = PrivateAttr(default=None)
    _neighbour: Callable[[str], BinaryIO | None] | None = PrivateAttr(default=None)

    @abstractmethod
    def read(self, stream: BinaryIO, uri: str, limits: ReadLimits) -> Iterator[Record | Unreadable]:
        """See :meth:`Reader.read`."""

    @property
    def text_field(self) -> str:
        """The field of a record that the source maps as its text; ``text`` unless the source says so."""
        return self._text_field

    @property
    def record_kind(self) -> str:
        """Name of the kind of its records (see :mod:`winnowry.records.kinds`)."""
        return TEXT.name if self.payload_kind == "text" else FILE.name

    def with_text_field(self, name: str) -> Self:
        """This format for a source that maps another field as its text."""
        changed = self.model_copy()
        changed._text_field = name
        return changed

    @property
    def id_field(self) -> str | None:
        """The field of a record that the source maps as its id; None: it maps none."""
        return self._id_field

    def with_id_field(self, name: str | None) -> Self:
        """This format for a source that maps a field as the id."""
        changed = self.model_copy()
        changed._id_field = name
        return changed

    def neighbour(self, name: str) -> BinaryIO | None:
        """Another object of the folder that an object lies in; None where there is none of that name."""
        return self._neighbour(name) if self._neighbour is not None else None

    def with_neighbour(self, open_neighbour: Callable[[str], BinaryIO | None]) -> Self:
        """This format for an object beside which there are others that belong to it."""
        changed = self.model_copy()
        changed._neighbour = open_neighbour
        return changed

    @property
    def by_reference(self) -> bool:
        """Whether the lake only notes where the bytes of a ``blob`` lie, and does not copy them."""
        return False

    def why_no_members(self) -> str | None:
        """Why files inside tar archives cannot be read with these options; None where they can."""
        return None


class FieldsSpec(Protocol):
    """Which field of a record is what, nested ones as ``doc.text``; None: the record has no such field."""

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
        """How it is written, as for ``datetime.strptime`` or a unit of Unix time; None: one of the usual forms."""
        ...

    @property
    def event_time_range(self) -> tuple[str | int | None, str | int | None] | None:
        """First and last year, month or day that is plausible."""
        ...

    @property
    def license(self) -> str | None:
        """License of this record; wins over the source's."""
        ...


class PartitionSpec(Protocol):
    """What decides the partition of a record."""

    @property
    def by(self) -> str | None:
        """``event_time``, ``field``, ``path``; ``none`` or None puts all records into one partition."""
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

    @property
    def keys(self) -> tuple[str, ...]:
        """All partitions, where they are declared; empty where they come from the data."""
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
    def options(self) -> SourceFormat:
        """The format of the objects, with its options."""
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
    def hive(self) -> bool | None:
        """Whether folders of the path named ``key=value`` are fields of the record."""
        ...

    @property
    def members(self) -> str | None:
        """Glob of the files to read inside each object, which is a tar archive then."""
        ...


def unreadable(
    position: int,
    operator: str,
    reason: str,
    payload: bytes,
    value: str | None = None,
    threshold: str | None = None,
    *,
    ends_object: bool = False,
) -> Unreadable:
    """An :class:`Unreadable` whose payload and value are cut to the length that is kept.

    Lone surrogates in the value, which no table can hold, are escaped.
    """
    return Unreadable(
        position,
        operator,
        reason,
        value[:300].encode("utf-8", "backslashreplace").decode() if value is not None else None,
        threshold,
        payload[:PAYLOAD_KEPT_BYTES],
        ends_object,
    )
