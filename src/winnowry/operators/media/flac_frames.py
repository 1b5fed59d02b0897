"""How many samples a FLAC stream has, told by its last frame: for headers that do not know, or lie.

A frame says its number, or that of its first sample, and how many samples it has; its last two bytes are a checksum of
all of it. So the frame that ends where the file ends says how long the sound is, and nothing else has to be decoded.

Source: RFC 9639, section 9 (frame structure), 9.1.8 (CRC-8, polynomial 0x07) and 9.3 (CRC-16, polynomial 0x8005).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

_MOST_FRAME_BYTES = 1 << 20  # 65,535 samples of 8 channels at 24 bits, kept as they are, are a little more
_ID3V1_BYTES = 128
_OF_BITS_8, _OF_BITS_16 = 6, 7
_LEAST_HEADER, _MOST_HEADER = 6, 16


@dataclass(frozen=True)
class _Frame:
    first_sample: int | None  # None: the number is that of the frame
    number: int
    samples: int


def count_samples(data: bytes, block: int) -> int | None:
    """Samples of each channel.

    Args:
        data: the file.
        block: samples of a frame, where all have the same number; that is the smallest block of the header.

    Returns:
        The number; None where no whole frame ends at the end of the file.
    """
    end = len(data) - (_ID3V1_BYTES if data[-_ID3V1_BYTES:][:3] == b"TAG" else 0)
    at = end
    least = max(0, end - _MOST_FRAME_BYTES)
    while (at := data.rfind(b"\xff", least, at)) >= 0:
        frame = _frame(data, at)
        if frame is not None and _crc16(data[at:end]) == 0:
            before = frame.first_sample if frame.first_sample is not None else frame.number * block
            return before + frame.samples
    return None


def _frame(data: bytes, at: int) -> _Frame | None:
    """The header of a frame at a place; None where there is none."""
    head = data[at : at + _MOST_HEADER]
    if len(head) < _LEAST_HEADER or head[1] & 0xFE != 0xF8 or head[3] & 1:
        return None
    size_code, rate_code = head[2] >> 4, head[2] & 15
    if size_code == 0 or rate_code == 15 or head[3] >> 4 > 10:
        return None
    number, place = _number(head, 4)
    if number is None:
        return None
    if size_code in (_OF_BITS_8, _OF_BITS_16):
        width = size_code - 5
        samples = int.from_bytes(head[place : place + width], "big") + 1
        place += width
    else:
        samples = 192 if size_code == 1 else 576 << (size_code - 2) if size_code < 6 else 256 << (size_code - 8)
    place += {12: 1, 13: 2, 14: 2}.get(rate_code, 0)
    if place >= len(head) or _crc8(head[:place]) != head[place]:
        return None
    return _Frame(number if head[1] & 1 else None, number, samples)


def _number(head: bytes, at: int) -> tuple[int | None, int]:
    """A number coded as UTF-8 codes characters, to 36 bits, and where it ends."""
    first = head[at]
    if first < 0x80:
        return first, at + 1
    more = 0
    while more < 7 and first & 0x80 >> more:
        more += 1
    tail = head[at + 1 : at + more]
    if more == 1 or len(tail) != more - 1 or any(byte & 0xC0 != 0x80 for byte in tail):
        return None, at
    value = first & (0x7F >> more)
    for byte in tail:
        value = value << 6 | byte & 0x3F
    return value, at + more


@cache
def _table(polynomial: int, bits: int) -> tuple[int, ...]:
    top, mask = 1 << bits - 1, (1 << bits) - 1
    made = []
    for byte in range(256):
        value = byte << bits - 8
        for _ in range(8):
            value = (value << 1 ^ polynomial if value & top else value << 1) & mask
        made.append(value)
    return tuple(made)


def _crc8(data: bytes) -> int:
    table, value = _table(0x07, 8), 0
    for byte in data:
        value = table[value ^ byte]
    return value


def _crc16(data: bytes) -> int:
    table, value = _table(0x8005, 16), 0
    for byte in data:
        value = (value << 8 & 0xFFFF) ^ table[value >> 8 ^ byte]
    return value
