"""Pictures that tests make: photographs that are none, and files as cameras and careless programs write them."""

from __future__ import annotations

import io
import struct
import zlib
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

Array = npt.NDArray[np.uint8]

INVERSE = {
    1: None, 2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180, 4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE, 6: Image.Transpose.ROTATE_90, 7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}  # fmt: skip
"""How a camera stores an upright picture under each EXIF orientation."""


def saved(picture: Image.Image | Array, form: str, **options: Any) -> bytes:
    """A picture as a file."""
    written = io.BytesIO()
    (picture if isinstance(picture, Image.Image) else Image.fromarray(picture)).save(written, form, **options)
    return written.getvalue()


def scene(seed: int = 0, height: int = 200, width: int = 240) -> Array:
    """Something with the tones and edges of a photograph: waves, shapes, a little noise."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width]
    shown = np.zeros((height, width, 3))
    for channel in range(3):
        for _ in range(6):
            a, b, phase = (*rng.uniform(-0.08, 0.08, 2).tolist(), rng.uniform(0, 6.3))
            shown[..., channel] += rng.uniform(8, 30) * np.sin(a * x + b * y + phase)
    for _ in range(8):
        top, left = int(rng.integers(0, height)), int(rng.integers(0, width))
        shown[top : top + int(rng.integers(10, 70)), left : left + int(rng.integers(10, 70))] += rng.uniform(-60, 60, 3)
    return (128 + shown + rng.normal(0, 2, shown.shape)).clip(0, 255).astype(np.uint8)


def quadrants() -> Array:
    """240 × 160: red, green; blue, white; a black bar at the top left."""
    shown = np.zeros((160, 240, 3), np.uint8)
    shown[:80, :120], shown[:80, 120:] = (250, 30, 30), (30, 220, 30)
    shown[80:, :120], shown[80:, 120:] = (30, 30, 250), (240, 240, 240)
    shown[10:30, 10:70] = 0
    return shown


def turned(shown: Array, orientation: int, form: str, **options: Any) -> bytes:
    """A file that stores a picture turned, and says so; orientations that are not defined store it upright."""
    picture = Image.fromarray(shown)
    inverse = INVERSE.get(orientation)
    exif = Image.Exif()
    exif[0x0112] = orientation
    return saved(picture if inverse is None else picture.transpose(inverse), form, exif=exif, **options)


def png(rows: list[bytes], colours: int, bits: int, width: int, height: int) -> bytes:
    """A PNG file written by hand: depths and colours that no library here writes, and sizes that are lies."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width, height, bits, colours, 0, 0, 0)
    data = zlib.compress(b"".join(b"\0" + row for row in rows), 9)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def gif(*frames: tuple[int, int, int, int, int], width: int = 240, height: int = 200) -> bytes:
    """A GIF file with a white ground: frames of left, top, width, height and colour (1 red, 2 blue, 3 black)."""
    palette = bytes([255, 255, 255, 220, 30, 30, 30, 30, 220, 0, 0, 0])
    head = b"GIF89a" + struct.pack("<HHBBB", width, height, 0x91, 0, 0) + palette
    loop = b"\x21\xff\x0bNETSCAPE2.0\3\1\0\0\0"
    return head + loop + b"".join(_gif_frame(*frame) for frame in frames) + b";"


def _gif_frame(left: int, top: int, width: int, height: int, colour: int) -> bytes:
    bits, n_bits, packed = 0, 0, bytearray()
    codes = [4]
    for pixel in range(width * height):  # a clear code before the table grows: all codes have three bits
        codes += [colour] + ([4] if pixel % 2 else [])
    for code in [*codes, 5]:
        bits |= code << n_bits
        n_bits += 3
        while n_bits >= 8:
            packed.append(bits & 255)
            bits >>= 8
            n_bits -= 8
    packed.append(bits & 255)
    blocks = b"".join(bytes([len(packed[at : at + 255])]) + packed[at : at + 255] for at in range(0, len(packed), 255))
    control = b"\x21\xf9\4\4" + struct.pack("<H", 10) + b"\0\0"
    return control + b"\x2c" + struct.pack("<HHHHB", left, top, width, height, 0) + b"\2" + blocks + b"\0"
