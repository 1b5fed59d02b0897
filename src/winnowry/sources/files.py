"""Files that are no text, such as images, audio and video: one file, one record."""

from __future__ import annotations

import mimetypes
from collections.abc import Iterator
from typing import BinaryIO, ClassVar, Literal

from pydantic import Field, field_validator

from winnowry.records.kinds import INTERLEAVED, kinds
from winnowry.sources.base import ReadLimits, Record, SourceFormat, Unreadable

_UNKNOWN = "application/octet-stream"


class Files(SourceFormat):
    """Reads each object as the record ``{"name": file name}`` with its bytes as content; nothing is decompressed."""

    name: ClassVar[str] = "files"
    one_record: ClassVar[bool] = True
    payload_kind: ClassVar[Literal["text", "blob"]] = "blob"

    payload: Literal["copied", "referenced"] = Field(
        default="copied",
        description="whether the lake holds the bytes (copied) or where they lie (referenced), which then must neither "
        "move nor change",
    )

    kind: str | None = Field(
        default=None,
        description="what the files are: image, audio, video, document or file (unset), which counts sizes in bytes",
    )

    @field_validator("kind")
    @classmethod
    def _of_files(cls, value: str | None) -> str | None:
        known = [name for name, kind in kinds().items() if kind.carries == "blob" and kind != INTERLEAVED]
        if value is not None and value not in known:
            raise ValueError(f"files have one of the kinds {', '.join(known)}; got {value!r}")
        return value

    @property
    def record_kind(self) -> str:
        """The kind that the source says; else that of files of which nothing is known."""
        return self.kind or super().record_kind

    @property
    def by_reference(self) -> bool:
        """Whether the lake only notes where the bytes lie."""
        return self.payload == "referenced"

    def why_no_members(self) -> str | None:
        """Files inside archives have no place of their own to refer to."""
        if not self.by_reference:
            return None
        return "`payload: referenced` is for objects that lie there; files inside archives are copied"

    def read(self, stream: BinaryIO, uri: str, limits: ReadLimits) -> Iterator[Record | Unreadable]:
        """See :meth:`~winnowry.sources.base.Reader.read`.

        The content is not read here, so that counting records opens no video.
        """
        name = uri.rpartition("/")[2]
        yield Record(0, {"name": name}, media_type_of(name), stream)


def media_type_of(name: str) -> str:
    """Media type by the file name's extension.

    >>> media_type_of("clip.mp4"), media_type_of("unknown.q")
    ('video/mp4', 'application/octet-stream')
    """
    return mimetypes.guess_type(name, strict=False)[0] or _UNKNOWN
