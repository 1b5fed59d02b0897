"""The frames of a Zstandard stream one after the other, in memory that is bounded by what each frame declares."""

from __future__ import annotations

from collections.abc import Iterator

from winnowry.sources.base import ReadLimits
from winnowry.sources.streams import (
    HEAD_BYTES,
    INPUT_BYTES,
    Ahead,
    BrokenStreamError,
    CompressionRatio,
    after_zeros,
    trailing_garbage,
)

MAX_WINDOW_BYTES = 1 << 31
"""Of a frame: what ``zstd --long=31`` writes, and the most that the format's own tools read."""
_STEP_BYTES = 1 << 10  # one 4-byte block can hold 128 KiB: at most 32 MiB from one step
ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"
_SKIPPABLE = range(0x184D2A50, 0x184D2A60)
_LONGEST_HEADER_BYTES = 18
_MIB = 1 << 20


def zstd(source: Ahead, limits: ReadLimits) -> Iterator[bytes]:
    """Chunks of the content of all frames; skippable frames hold none.

    Decompression holds the last bytes of the content, as many as the frame declares (its window) and the content has:
    8 MiB at most as ``zstd`` writes by default, up to 2 GiB with ``--long=31``.

    Raises:
        BrokenStreamError: after all bytes that could be recovered were yielded.
        MemoryError: this machine has not the memory that a frame declares; on another one the stream can be read.

    Source: RFC 8878, Zstandard Compression, sections 3.1.1 and 3.1.2.
    """
    ratio = CompressionRatio(limits)
    while after_zeros(source):
        head = source.begins_with(_LONGEST_HEADER_BYTES)
        if is_skippable(head):
            ratio.add(skip_frame(source, "zstd"), 0)
        elif head.startswith(ZSTD_MAGIC):
            yield from _frame(source, head, ratio)
        elif ZSTD_MAGIC.startswith(head) or (len(head) < 8 and head[:4].endswith(b"\x2a\x4d\x18")):
            raise BrokenStreamError("truncated_zstd", "the stream ends inside the header of a zstd frame")
        else:
            raise trailing_garbage("zstd", head[:HEAD_BYTES])


def is_skippable(head: bytes) -> bool:
    """Whether bytes begin a frame without content, which the formats of zstd and LZ4 share."""
    return len(head) >= 8 and int.from_bytes(head[:4], "little") in _SKIPPABLE


def skip_frame(source: Ahead, name: str) -> int:
    """Skip a frame without content; returns its bytes."""
    head = source.begins_with(8)
    n_left = n_bytes = 8 + int.from_bytes(head[4:8], "little")
    while n_left:
        data = source.read(min(n_left, INPUT_BYTES))
        if not data:
            raise BrokenStreamError(f"truncated_{name}", "the stream ends inside a skippable frame")
        n_left -= len(data)
    return n_bytes


def _frame(source: Ahead, head: bytes, ratio: CompressionRatio) -> Iterator[bytes]:
    import zstandard

    _check_header(head)
    frame = zstandard.ZstdDecompressor(max_window_size=MAX_WINDOW_BYTES).decompressobj()
    rest = b""
    while not frame.eof:
        rest = rest or source.read(INPUT_BYTES)
        if not rest:
            raise BrokenStreamError("truncated_zstd", "the stream ends inside a zstd frame")
        data, rest = rest[:_STEP_BYTES], rest[_STEP_BYTES:]
        try:
            chunk = frame.decompress(data)
        except zstandard.ZstdError as error:
            if "not enough memory" in str(error):
                raise MemoryError("the window that a zstd frame declares, up to 2 GiB (zstd --long)") from None
            raise BrokenStreamError("bad_zstd", str(error)) from error
        if chunk:
            yield chunk
        ratio.add(len(data) - len(frame.unused_data), len(chunk))
    source.put_back(frame.unused_data + rest)


def _check_header(head: bytes) -> None:
    import zstandard

    try:
        header = zstandard.get_frame_parameters(head)
    except zstandard.ZstdError as error:
        if len(head) < _LONGEST_HEADER_BYTES:
            raise BrokenStreamError("truncated_zstd", "the stream ends inside the header of a zstd frame") from error
        raise BrokenStreamError("bad_zstd", str(error), None, head) from error
    if header.dict_id:
        remedy = "frames without a dictionary: decompress with `zstd -d -D DICTIONARY` before it lands"
        raise BrokenStreamError("zstd_dictionary", f"needs the dictionary {header.dict_id}", remedy, head)
    if header.window_size > MAX_WINDOW_BYTES:
        value = f"a window of {header.window_size // _MIB} MiB"
        raise BrokenStreamError("zstd_window", value, f"{MAX_WINDOW_BYTES // _MIB} MiB", head)
