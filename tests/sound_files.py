"""Small sound files for tests, written by the rules of the formats, with what a test puts wrong."""

from __future__ import annotations

import io
import struct
from typing import Any

import numpy as np
import numpy.typing as npt

RATE = 8000
LIST = b"LIST" + struct.pack("<I", 26) + b"INFOISFT" + struct.pack("<I", 14) + b"Lavf58.76.100\0"
DATA_IN_A_LIST = b"LIST" + struct.pack("<I", 20) + b"INFOICMT" + struct.pack("<I", 8) + b"data\x10\0\0\0"


def tone(seconds: float, hz: float = 330, rate: int = RATE, level: float = 0.3) -> npt.NDArray[np.float32]:
    return (level * np.sin(2 * np.pi * hz * np.arange(round(seconds * rate)) / rate)).astype(np.float32)


def written(samples: Any, rate: int = RATE, format: str = "FLAC", subtype: str = "PCM_16") -> bytes:
    import soundfile

    file = io.BytesIO()
    soundfile.write(file, samples, rate, format=format, subtype=subtype)
    return file.getvalue()


def pcm(seconds: float = 0.4, hz: float = 200) -> bytes:
    return (8000 * np.sin(2 * np.pi * hz * np.arange(int(seconds * RATE)) / RATE)).astype("<i2").tobytes()


def wav(
    data: bytes, declared: int | None = None, riff: int | None = None, before: bytes = b"", after: bytes = b""
) -> bytes:
    """16-bit mono WAV of 8 kHz, with sizes as they are said to be."""
    declared = len(data) if declared is None else declared
    form = b"fmt " + struct.pack("<IHHIIHH", 16, 1, 1, RATE, 2 * RATE, 2, 16)
    body = b"WAVE" + before + form + b"data" + struct.pack("<I", declared) + data + after
    return b"RIFF" + struct.pack("<I", len(body) if riff is None else riff) + body


def flac_with_total(data: bytes, samples: int, md5: bytes | None = None) -> bytes:
    """A FLAC file whose header says another number of samples (36 bits behind the sample size)."""
    changed = bytearray(data)
    changed[21] = changed[21] & 0xF0 | samples >> 32 & 15
    changed[22:26] = (samples & 0xFFFFFFFF).to_bytes(4, "big")
    if md5 is not None:
        changed[26:42] = md5
    return bytes(changed)


def id3(n_bytes: int = 5000) -> bytes:
    """An ID3v2.3 tag with that many bytes of a picture in it."""
    frame = b"APIC" + n_bytes.to_bytes(4, "big") + b"\0\0" + bytes(n_bytes)
    return b"ID3\3\0\0" + bytes((len(frame) >> shift) & 127 for shift in (21, 14, 7, 0)) + frame
