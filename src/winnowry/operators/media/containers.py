"""What the files of pictures say of themselves: read from their marks, without decoding a pixel."""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass, field

from winnowry.operators.media.faults import DecodeError

_JPEG_ALONE = frozenset({0x01, *range(0xD0, 0xD9)})
"""Markers without a length: TEM, restarts, start of image."""
_FRAMES = frozenset({*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC})
_PROGRESSIVE = frozenset({0xC2, 0xC6, 0xCA, 0xCE})
PNG_START = b"\x89PNG\r\n\x1a\n"
_CRITICAL = (b"IHDR", b"PLTE", b"IDAT")


@dataclass
class JpegMarks:
    """A JPEG file up to its end mark.

    Attributes:
        bits: of a sample.
        width: in pixels, as stored.
        height: in pixels, as stored.
        n_components: 1 grey, 3 colour, 4 inks.
        exif: the block of metadata, without its signature; empty where there is none.
        profile: the ICC profile; empty where there is none.
        missing_scans: whether a progressive picture lacks scans, so that it shows less than was meant.
    """

    bits: int = 8
    width: int = 0
    height: int = 0
    n_components: int = 3
    exif: bytes = b""
    profile: bytes = b""
    missing_scans: bool = False


def jpeg_marks(data: bytes) -> JpegMarks:
    """Walk the segments of a JPEG file.

    Raises:
        DecodeError: it has no frame.
    """
    marks = JpegMarks()
    components: dict[int, int] = {}  # bands of coefficients seen with all their bits: bit 0 is DC
    profile: dict[int, bytes] = {}
    progressive = False
    framed = False
    at = 2
    while 0 <= (at := data.find(b"\xff", at)) < len(data) - 1:
        kind = data[at + 1]
        if kind in (0x00, 0xFF) or kind in _JPEG_ALONE:
            at += 1 if kind == 0xFF else 2
            continue
        if kind == 0xD9 or at + 4 > len(data):
            break
        length = int.from_bytes(data[at + 2 : at + 4], "big")
        body = data[at + 4 : at + 2 + length]
        if kind in _FRAMES and len(body) >= 6 and not framed:
            framed = True
            marks.bits, marks.height, marks.width, marks.n_components = struct.unpack_from(">BHHB", body)
            progressive = kind in _PROGRESSIVE
            components = {body[6 + 3 * n]: 0 for n in range(min(body[5], (len(body) - 6) // 3))}
        elif kind == 0xE1 and body.startswith(b"Exif\0\0") and not marks.exif:
            marks.exif = body[6:]
        elif kind == 0xE2 and body.startswith(b"ICC_PROFILE\0") and len(body) > 14:
            profile[body[12]] = body[14:]
        elif kind == 0xDA:
            if not progressive:
                break  # the rest is pixels
            _note_scan(body, components)
        at += 2 + length
    if not framed:
        raise DecodeError("JPEG without a frame")
    marks.profile = b"".join(profile[number] for number in sorted(profile))
    marks.missing_scans = progressive and any(bands != (1 << 64) - 1 for bands in components.values())
    return marks


def _note_scan(body: bytes, components: dict[int, int]) -> None:
    """Which bands of coefficients a scan completes: those whose lowest bit it brings."""
    n = body[0] if body else 0
    if len(body) < 4 + 2 * n or body[3 + 2 * n] & 0x0F:
        return
    first, last = body[1 + 2 * n], body[2 + 2 * n]
    bands = ((1 << (last + 1)) - 1) & ~((1 << first) - 1)
    for number in range(n):
        component = body[1 + 2 * number]
        if component in components:
            components[component] |= bands


@dataclass
class PngMarks:
    """A PNG file.

    Attributes:
        bits: of a sample.
        n_frames: of its animation; 1 without one.
        hidden_default: whether the picture of readers without animation is no frame of it.
        ends: whether the end mark is there.
    """

    bits: int = 8
    n_frames: int = 1
    hidden_default: bool = False
    ends: bool = False
    _kinds: set[bytes] = field(default_factory=set, repr=False)


def png_marks(data: bytes) -> PngMarks:
    """Walk the chunks of a PNG file.

    Raises:
        DecodeError: a chunk is cut off, or its checksum says that it has changed.
    """
    marks = PngMarks()
    n_shown = 0
    view = memoryview(data)
    at = len(PNG_START)
    while at + 8 <= len(data) and not marks.ends:
        length, kind = struct.unpack_from(">I4s", data, at)
        if at + 12 + length > len(data):
            raise DecodeError(f"truncated: chunk {_printable(kind)} ends {at + 12 + length - len(data)} bytes early")
        body = view[at + 8 : at + 8 + length]
        if kind in _CRITICAL or kind in (b"fdAT", b"fcTL"):
            (expected,) = struct.unpack_from(">I", data, at + 8 + length)
            if zlib.crc32(view[at + 4 : at + 8 + length]) != expected:
                raise DecodeError(f"damaged: wrong checksum of chunk {_printable(kind)}")
        if kind == b"IHDR" and length >= 13:
            marks.bits = body[8]
        elif kind == b"acTL" and length >= 4 and b"IDAT" not in marks._kinds:
            marks.n_frames = int.from_bytes(body[:4], "big")
        elif kind == b"fcTL":
            n_shown += 1
            marks.hidden_default |= n_shown == 1 and b"IDAT" in marks._kinds
        marks.ends = kind == b"IEND"
        marks._kinds.add(kind)
        at += 12 + length
    if b"acTL" not in marks._kinds:
        marks.n_frames, marks.hidden_default = 1, False
    elif n_shown < marks.n_frames:
        raise DecodeError(f"truncated: {n_shown} of {marks.n_frames} frames")
    return marks


def _printable(kind: bytes) -> str:
    return kind.decode("ascii", "replace")


@dataclass
class GifMarks:
    """A GIF file: how many frames it has, and whether the end mark is there."""

    n_frames: int = 0
    ends: bool = False


def gif_marks(data: bytes) -> GifMarks:
    """Walk the blocks of a GIF file, to its end mark or to what is no block.

    Raises:
        DecodeError: a block is cut off, or there is no frame.
    """
    marks = GifMarks()
    at = 13 + _table_bytes(data, 10)
    while at < len(data):
        kind = data[at]
        if kind == 0x3B:
            marks.ends = True
            break
        if kind == 0x21:
            at = _after_sub_blocks(data, at + 2)
        elif kind == 0x2C:
            at = _after_sub_blocks(data, at + 11 + _table_bytes(data, at + 9))
            marks.n_frames += 1
        elif kind == 0:  # some writers pad
            at += 1
        else:
            break
    if not marks.n_frames:
        raise DecodeError("truncated: no frame")
    return marks


def _table_bytes(data: bytes, flags_at: int) -> int:
    flags = data[flags_at] if flags_at < len(data) else 0
    return 3 << ((flags & 7) + 1) if flags & 0x80 else 0


def _after_sub_blocks(data: bytes, at: int) -> int:
    while at < len(data):
        if not data[at]:
            return at + 1
        at += data[at] + 1
    raise DecodeError(f"truncated: a block ends {at - len(data) + 1} bytes early")
