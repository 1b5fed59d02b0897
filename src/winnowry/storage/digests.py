"""SHA-256 of objects: while they are read, and of those that have another entity tag than they had.

What was computed is noted on this machine, in ``XDG_CACHE_HOME``: a copy of a large landing is read once, not with
every plan. Nothing of it lies in the lake.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
from collections.abc import Iterator
from typing import BinaryIO, cast

from winnowry.core.machine_notes import MachineNotes
from winnowry.storage.objects import ObjectInfo, ObjectStore

_BLOCK_BYTES = 1 << 20
_NOTES = MachineNotes("digests.json", "XDG_CACHE_HOME", "~/.cache")


class DigestedStream(io.RawIOBase):
    """An object that is hashed as it is read.

    Args:
        stream: the object.
    """

    def __init__(self, stream: BinaryIO) -> None:
        super().__init__()
        self._stream = stream
        self._digest = hashlib.sha256()
        self._n_bytes = 0
        self._at = 0
        self._whole = True

    def readable(self) -> bool:
        """True."""
        return True

    def seekable(self) -> bool:
        """As the object is."""
        return self._stream.seekable()

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        """As of any file."""
        self._at = self._stream.seek(offset, whence)
        return self._at

    def tell(self) -> int:
        """As of any file."""
        return self._at

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        """As of any file."""
        data = self._stream.read(len(buffer))
        buffer[: len(data)] = data
        if self._at > self._n_bytes:
            self._whole = False  # a part was left out
        elif self._at + len(data) > self._n_bytes:
            self._digest.update(memoryview(data)[self._n_bytes - self._at :])
            self._n_bytes = self._at + len(data)
        self._at += len(data)
        return len(data)

    def buffered(self) -> BinaryIO:
        """The stream to read from."""
        return cast(BinaryIO, io.BufferedReader(self, _BLOCK_BYTES))

    def sha256(self, size: int) -> str | None:
        """Of the object, hexadecimal; None where not all of it was read, or not in order.

        Args:
            size: bytes of the object.
        """
        return self._digest.hexdigest() if self._whole and self._n_bytes == size else None


def object_sha256(store: ObjectStore, info: ObjectInfo) -> str:
    """SHA-256 of an object, hexadecimal; read once a machine as long as its entity tag stays.

    Raises:
        ObjectChangedError: it is not the one that was listed.
    """
    key = hashlib.sha256("\0".join((store.resolve(info.uri), info.etag, str(info.size))).encode()).hexdigest()
    if key not in _known:
        _known.update(_NOTES.read())
    if key not in _known:
        digest = hashlib.sha256()
        with store.open(info.uri, etag=info.etag) as stream:
            while block := stream.read(_BLOCK_BYTES):
                digest.update(block)
        _known[key] = _new[key] = digest.hexdigest()
    return _known[key]


@contextlib.contextmanager
def digests_noted() -> Iterator[None]:
    """Note what is computed meanwhile for other processes; where that cannot be written, it holds in this one."""
    try:
        yield
    finally:
        if _new:
            _NOTES.add(_new)
            _new.clear()


_known: dict[str, str] = {}
_new: dict[str, str] = {}
