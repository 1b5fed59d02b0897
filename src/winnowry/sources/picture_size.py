"""How large a picture is as its file stores it, and how it is to be turned, from the first bytes of the file."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import BinaryIO, Literal

_MOST_BYTES = 4 << 20
_PNG = b"\x89PNG\r\n\x1a\n"
_ORIENTATION = 0x0112
_TURNED = (5, 6, 7, 8)  # orientations by which width and height change places
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}  # markers of JPEG that begin a frame
_ALONE = frozenset({0x01, *range(0xD0, 0xD9)})  # markers of JPEG without a length


@dataclass(frozen=True)
class PictureSize:
    """Size in pixels as stored, and the EXIF orientation; None where the file has none."""

    width: int
    height: int
    orientation: int | None = None

    @property
    def shown(self) -> tuple[int, int]:
        """Width and height as a viewer shows it.

        >>> PictureSize(64, 48, 6).shown, PictureSize(64, 48, 3).shown
        ((48, 64), (64, 48))
        """
        return (self.height, self.width) if self.orientation in _TURNED else (self.width, self.height)


def picture_size(file: BinaryIO) -> PictureSize | None:
    """The size of a JPEG, PNG, GIF, BMP or WebP file; None for other and broken ones.

    Args:
        file: at its beginning; the pixels are not read.
    """
    head = file.read(32)
    try:
        if head.startswith(b"\xff\xd8"):
            return _jpeg(head + file.read(_MOST_BYTES))
        if head.startswith(_PNG):
            return _png(head + file.read(1 << 16))
        if head.startswith((b"GIF87a", b"GIF89a")):
            return PictureSize(*struct.unpack("<HH", head[6:10]))
        if head.startswith(b"BM"):
            width, height = struct.unpack("<ii", head[18:26])
            return PictureSize(width, abs(height))
        if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
            return _webp(head)
    except (struct.error, IndexError):
        return None
    return None


def _png(data: bytes) -> PictureSize:
    width, height = struct.unpack(">II", data[16:24])
    at = 8
    while at + 8 <= len(data):
        length, kind = struct.unpack(">I4s", data[at : at + 8])
        if kind == b"eXIf":
            return PictureSize(width, height, _orientation(data[at + 8 : at + 8 + length]))
        if kind == b"IDAT":
            break
        at += 12 + length
    return PictureSize(width, height)


def _jpeg(data: bytes) -> PictureSize | None:
    at, orientation = 2, None
    while at + 4 <= len(data):
        if data[at] != 0xFF:
            return None
        marker = data[at + 1]
        if marker == 0xFF:
            at += 1
        elif marker in _ALONE:
            at += 2
        else:
            (length,) = struct.unpack(">H", data[at + 2 : at + 4])
            if marker in _FRAMES:
                height, width = struct.unpack(">HH", data[at + 5 : at + 9])
                return PictureSize(width, height, orientation)
            if marker == 0xE1 and data[at + 4 : at + 10] == b"Exif\0\0":
                orientation = _orientation(data[at + 10 : at + 2 + length])
            at += 2 + length
    return None


def _webp(head: bytes) -> PictureSize | None:
    kind = head[12:16]
    if kind == b"VP8X":
        width, height = (1 + int.from_bytes(head[at : at + 3], "little") for at in (24, 27))
        return PictureSize(width, height)
    if kind == b"VP8L":
        bits = int.from_bytes(head[21:25], "little")
        return PictureSize(1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF))
    if kind == b"VP8 ":
        width, height = struct.unpack("<HH", head[26:30])
        return PictureSize(width & 0x3FFF, height & 0x3FFF)
    return None


def _orientation(exif: bytes) -> int | None:
    """The orientation of a block of EXIF, 1 to 8; None where it has none."""
    order: Literal["<", ">"] = "<" if exif[:2] == b"II" else ">"
    try:
        (first,) = struct.unpack(f"{order}I", exif[4:8])
        (n_entries,) = struct.unpack(f"{order}H", exif[first : first + 2])
        for entry in range(first + 2, first + 2 + 12 * n_entries, 12):
            tag, kind, _, value = struct.unpack(f"{order}HHIH", exif[entry : entry + 10])
            if tag == _ORIENTATION and kind == 3:
                return value if 1 <= value <= 8 else None
    except struct.error:
        return None
    return None
