"""The LZ4 frames of a stream one after the other.

Arrow decompresses them. The frames are cut here, since Arrow gives up what it has decompressed where it meets a byte
that belongs to no frame.
"""

from __future__ import annotations

from collections.abc import Iterator

from winnowry.sources.base import ReadLimits
from winnowry.sources.streams import (
    INPUT_BYTES,
    Ahead,
    BrokenStreamError,
    CompressionRatio,
    after_zeros,
    first_bytes,
    trailing_garbage,
)
from winnowry.sources.zstd_frames import is_skippable, skip_frame

LZ4_MAGIC = b"\x04\x22\x4d\x18"
_STEP_BYTES = 4 << 10  # what is lost before a damaged place, at most
_MOST_BLOCK_BYTES = 4 << 20
_STORED = 1 << 31


def lz4(source: Ahead, limits: ReadLimits) -> Iterator[bytes]:
    """Chunks of the content of all frames; before a damaged place up to 4 KiB are lost.

    Source: LZ4 Frame Format Description, version 1.6.4.
    """
    ratio = CompressionRatio(limits)
    while head := after_zeros(source):
        if is_skippable(head):
            ratio.add(skip_frame(source, "lz4"), 0)
        elif head.startswith(LZ4_MAGIC):
            yield from _content(_Frame(source, ratio), ratio)
        elif LZ4_MAGIC.startswith(head[:4]):
            raise BrokenStreamError("truncated_lz4", "the stream ends inside the header of a frame")
        else:
            raise trailing_garbage("lz4", head)


def _content(frame: _Frame, ratio: CompressionRatio) -> Iterator[bytes]:
    import pyarrow as pa

    frame.check()
    stream = pa.CompressedInputStream(pa.PythonFile(frame, mode="r"), "lz4")
    while True:
        try:
            chunk = stream.read(_STEP_BYTES)
        except (OSError, pa.ArrowException) as error:
            raise BrokenStreamError("truncated_lz4" if frame.cut else "bad_lz4", str(error)) from error
        if not chunk:
            break
        yield chunk
        ratio.add(0, len(chunk))
    if frame.cut or not frame.ended:
        raise BrokenStreamError("truncated_lz4", "the stream ends inside an LZ4 frame")


class _Frame:
    """The bytes of one frame, as a file that Arrow reads.

    Attributes:
        cut: whether the stream ended inside the frame.
        ended: whether the end of the frame was read.
    """

    closed = False

    def __init__(self, source: Ahead, ratio: CompressionRatio) -> None:
        self._source = source
        self._ratio = ratio
        self._n_left = 0  # of the part of the frame that is being read
        self._head = first_bytes(source, 7)
        flags = self._head[4] if len(self._head) > 4 else 0
        extra = 8 * bool(flags & 0x08) + 4 * bool(flags & 0x01)
        self._head += first_bytes(source, extra)
        self.dictionary = int.from_bytes(self._head[-5:-1], "little") if flags & 0x01 else None
        self.cut = len(self._head) < 7 + extra
        self._block_checksum = 4 * bool(flags & 0x10)
        self._content_checksum = 4 * bool(flags & 0x04)
        self.ended = False
        ratio.add(len(self._head), 0)

    def check(self) -> None:
        """Refuse what cannot be read without more than the stream."""
        if self.cut:
            raise BrokenStreamError("truncated_lz4", "the stream ends inside the header of a frame")
        if self.dictionary is not None:
            raise BrokenStreamError("lz4_dictionary", f"needs the dictionary {self.dictionary}", "frames without one")

    def close(self) -> None:
        """Nothing to close: the stream goes on with the next frame."""

    def read(self, size: int) -> bytes:
        """At most ``size`` bytes of the frame; empty at its end."""
        if self._head:
            data, self._head = self._head[:size], self._head[size:]
            return data
        if self.cut:
            return b""
        if not self._n_left:
            if self.ended:
                return b""
            self._next_block()
            return self.read(size)
        data = self._source.read(min(size, self._n_left, INPUT_BYTES))
        self.cut = not data
        self._n_left -= len(data)
        self._ratio.add(len(data), 0)
        return data

    def _next_block(self) -> None:
        """The length of the next block becomes the next bytes to be read, then its content."""
        self._head = first_bytes(self._source, 4)
        self._ratio.add(len(self._head), 0)
        self.cut = len(self._head) < 4
        n_bytes = int.from_bytes(self._head, "little")
        if n_bytes == 0:
            self.ended, self._n_left = True, self._content_checksum
        else:
            n_bytes &= _STORED - 1
            if n_bytes > _MOST_BLOCK_BYTES:
                raise BrokenStreamError("bad_lz4", f"a block of {n_bytes} bytes", str(_MOST_BLOCK_BYTES))
            self._n_left = n_bytes + self._block_checksum
