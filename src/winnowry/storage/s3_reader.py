"""A seekable stream over one S3 object, read in ranged requests."""

from __future__ import annotations

import io
from collections.abc import Callable

_SEQUENTIAL_BYTES = 8 << 20
_RANDOM_BYTES = 1 << 20


class RangedReader(io.RawIOBase):
    """Reads an object window by window: each window is one short request, retried by itself, on unchanged content.

    Args:
        size: bytes of the object.
        fetch: (first byte, byte after the last) to exactly these bytes; raises when the object has changed.
    """

    def __init__(self, size: int, fetch: Callable[[int, int], bytes]) -> None:
        super().__init__()
        self._size = size
        self._fetch = fetch
        self._position = 0
        self._start = 0
        self._window = memoryview(b"")

    def readable(self) -> bool:
        """True."""
        return True

    def seekable(self) -> bool:
        """True: a seek costs nothing until the next read."""
        return True

    def tell(self) -> int:
        """Position in bytes."""
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Move the position; see :meth:`io.IOBase.seek`."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size}[whence]
        if base + offset < 0:
            raise ValueError(f"cannot seek to {base + offset}")
        self._position = base + offset
        return self._position

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        """Fill the buffer as far as the present window reaches."""
        target = memoryview(buffer).cast("B")
        if self._position >= self._size or not target:
            return 0
        offset = self._position - self._start
        if not 0 <= offset < len(self._window):
            sequential = offset == len(self._window)  # also the first read of all
            wanted = max(len(target), _RANDOM_BYTES) if not sequential else _SEQUENTIAL_BYTES
            end = min(self._position + min(wanted, _SEQUENTIAL_BYTES), self._size)
            self._window = memoryview(self._fetch(self._position, end))
            self._start, offset = self._position, 0
        count = min(len(target), len(self._window) - offset)
        target[:count] = self._window[offset : offset + count]
        self._position += count
        return count
