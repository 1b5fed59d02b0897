"""What readers of compressed streams share: bytes ahead, why a stream breaks off, and how much it may inflate."""

from __future__ import annotations

from typing import BinaryIO, Protocol

from winnowry.sources.base import ReadLimits

HEAD_BYTES = 16
"""Of the beginning of a stream; enough to tell how it is compressed."""
INPUT_BYTES = 256 << 10
OUTPUT_BYTES = 1 << 20


class BrokenStreamError(Exception):
    """The rest of a stream cannot be read.

    Args:
        reason: ``truncated_X`` or ``bad_X`` with X one of ``gzip``, ``bzip2``, ``xz``, ``lz4`` and ``zstd``,
            ``zstd_window``, ``zstd_dictionary``, ``compression_ratio``, ``trailing_garbage`` (bytes after the last
            whole stream that begin no other), or ``unknown_container`` (what it is instead of what was expected).
        value: what is there.
        threshold: what was allowed, or what to do.
        beginning: the first bytes, where nothing of the stream was yielded.
    """

    def __init__(
        self, reason: str, value: str | None = None, threshold: str | None = None, beginning: bytes = b""
    ) -> None:
        self.reason, self.value, self.threshold, self.beginning = reason, value, threshold, beginning
        super().__init__(f"{reason}: {value}")

    @property
    def after_whole(self) -> bool:
        """Whether what was yielded before is whole: what cannot be read comes after its end."""
        return self.reason == "trailing_garbage"


class Readable(Protocol):
    """What :func:`decompressed` needs of a stream."""

    def read(self, size: int, /) -> bytes:
        """At most ``size`` bytes, at least one; empty at the end."""
        ...


def first_bytes(stream: BinaryIO | Readable, n_bytes: int) -> bytes:
    """The next ``n_bytes`` bytes of a stream; fewer at its end."""
    head = b""
    while len(head) < n_bytes and (more := stream.read(n_bytes - len(head))):
        head += more
    return head


class Ahead:
    """A stream into which bytes can be put back.

    Args:
        head: the bytes that come first.
        stream: the others.
    """

    def __init__(self, head: bytes, stream: BinaryIO | Readable) -> None:
        self._head = head
        self._stream = stream

    def read(self, size: int, /) -> bytes:
        """At most ``size`` bytes, at least one; empty at the end."""
        if not self._head:
            return self._stream.read(size)
        data, self._head = self._head[:size], self._head[size:]
        return data

    def put_back(self, data: bytes) -> None:
        """Make these the next bytes."""
        self._head = data + self._head

    def begins_with(self, n_bytes: int) -> bytes:
        """The next bytes, still to be read; fewer at the end."""
        head = first_bytes(self, n_bytes)
        self.put_back(head)
        return head


def after_zeros(source: Ahead) -> bytes:
    """The beginning of what comes after padding with zeros, still to be read; empty at the end."""
    while data := source.read(INPUT_BYTES):
        if rest := data.lstrip(b"\0"):
            source.put_back(rest)
            return source.begins_with(HEAD_BYTES)
    return b""


class CompressionRatio:
    """Watches how much a stream inflates; :meth:`add` raises where it is more than the limits allow."""

    def __init__(self, limits: ReadLimits) -> None:
        self._limits = limits
        self.bytes_in = self.bytes_out = 0

    def add(self, bytes_in: int, bytes_out: int) -> None:
        """Count bytes read and written."""
        self.bytes_in += bytes_in
        self.bytes_out += bytes_out
        limits = self._limits
        if self.bytes_out > limits.ratio_applies_above_bytes:
            ratio = self.bytes_out / max(self.bytes_in, 1)
            if ratio > limits.max_compression_ratio:
                raise BrokenStreamError("compression_ratio", f"{ratio:.0f}", f"{limits.max_compression_ratio:g}")


def trailing_garbage(name: str, beginning: bytes) -> BrokenStreamError:
    """The error for bytes after the last stream that begin no other."""
    value = f"{beginning[:HEAD_BYTES].hex(' ')} … after the end of the {name} data"
    return BrokenStreamError("trailing_garbage", value, None, beginning)
