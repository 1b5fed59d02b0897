"""Files that are no text, such as images, audio and video: one file, one record."""

from __future__ import annotations

import mimetypes
from collections.abc import Iterator
from typing import BinaryIO

from winnowry.sources.base import ReadLimits, Record, Unreadable

_UNKNOWN = "application/octet-stream"


class Files:
    """Reads each object as the record ``{"name": file name}`` with its bytes as content; nothing is decompressed."""

    def read(self, stream: BinaryIO, uri: str, limits: ReadLimits) -> Iterator[Record | Unreadable]:
        """See :meth:`Format.read`. The content is not read here: who only counts records opens no video."""
        name = uri.rpartition("/")[2]
        yield Record(0, {"name": name}, media_type_of(name), stream)


def media_type_of(name: str) -> str:
    """Media type by the file name's extension.

    >>> media_type_of("clip.mp4"), media_type_of("unknown.q")
    ('video/mp4', 'application/octet-stream')
    """
    return mimetypes.guess_type(name, strict=False)[0] or _UNKNOWN
