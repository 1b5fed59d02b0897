"""What formats of motion capture share: an object is a clip, which is read whole or refused with a reason."""

from __future__ import annotations

import re
from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import replace
from typing import BinaryIO, ClassVar, Literal

from pydantic import Field, field_validator

from winnowry.records.motion import Motion, shown
from winnowry.sources.base import ReadLimits, Record, SourceFormat, Unreadable, unreadable
from winnowry.sources.text import whole_object

Unit = Literal["m", "dm", "cm", "mm", "in", "ft"]
Up = Literal["x", "y", "z"]


class NoClipError(Exception):
    """Why an object is no clip.

    Args:
        reason: snake_case code.
        value: what is there, and where.
        expected: what should be there.
    """

    def __init__(self, reason: str, value: str | None = None, expected: str | None = None) -> None:
        self.reason, self.value, self.expected = reason, value, expected
        super().__init__(f"{reason}: {value}")


class MotionFormat(SourceFormat):
    """A format of which an object is one clip.

    A subclass reads the bytes in :meth:`clip`, and says by :meth:`chunks` how they come out of the object.
    """

    payload_kind: ClassVar[Literal["text", "blob", "structured"]] = "structured"
    opens_zip: ClassVar[bool] = True
    one_record: ClassVar[bool] = True

    unit: Unit | None = Field(
        default=None, description="unit of lengths, where the files do not say it; unset: nothing is known of it"
    )
    up: Up | None = Field(
        default=None, description="axis that points up, where the files do not say it; unset: nothing is known of it"
    )
    subject: str | None = Field(
        default=None,
        min_length=1,
        description="regular expression whose group is the subject in an object's path, e.g. `/(\\d+)_\\d+\\.bvh`; "
        "unset: the subject that the file names, if it does",
    )

    @field_validator("subject")
    @classmethod
    def _has_one_group(cls, value: str | None) -> str | None:
        if value is None:
            return None
        try:
            pattern = re.compile(value)
        except re.error as wrong:
            raise ValueError(f"{value!r} is no regular expression: {wrong}") from None
        if pattern.groups != 1:
            raise ValueError(f"{value!r} has {pattern.groups} groups; expected one, which is the subject")
        return value

    @property
    def record_kind(self) -> str:
        """Motion, whose size is counted in seconds."""
        return "motion"

    def read(self, stream: BinaryIO, uri: str, limits: ReadLimits) -> Iterator[Record | Unreadable]:
        """See :meth:`~winnowry.sources.base.Reader.read`.

        Reasons: ``file_empty``, those of :meth:`clip`, ``over_long_record``, and those of
        :class:`~winnowry.sources.streams.BrokenStreamError`.
        """
        operator = f"source.{self.name}"
        data, refusal = whole_object(self.chunks(stream, limits), limits, operator)
        if data is not None:
            try:
                if not data.strip(b"\0 \t\r\n"):
                    raise NoClipError("file_empty", f"{len(data)} bytes")
                yield self._record(self.clip(data, uri), uri)
            except NoClipError as wrong:
                yield unreadable(0, operator, wrong.reason, data, wrong.value, wrong.expected)
        if refusal is not None:
            yield refusal

    @abstractmethod
    def chunks(self, stream: BinaryIO, limits: ReadLimits) -> Iterator[bytes]:
        """The bytes of an object."""

    @abstractmethod
    def clip(self, data: bytes, uri: str) -> Motion:
        """The clip that an object is.

        Raises:
            NoClipError: it is none.
        """

    def _record(self, clip: Motion, uri: str) -> Record:
        named = re.search(self.subject, uri) if self.subject is not None else None
        group = named[1] if named is not None else clip.group
        known = replace(clip, unit=clip.unit or self.unit, up=clip.up or self.up, group=group)
        columns = known.columns()
        name = uri.rpartition("/")[2]
        return Record(0, {"name": name}, text=f"{name}: {shown(columns)}", columns=columns)
