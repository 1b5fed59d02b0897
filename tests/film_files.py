"""Films that tests write: known pictures at known times."""

from __future__ import annotations

import io
import struct
from collections.abc import Callable, Iterable
from fractions import Fraction
from typing import Any

import numpy as np

Picture = Callable[[float], Any]
MILLISECOND = Fraction(1, 1000)
RATE = 8000


def ground(scene: int, size: tuple[int, int] = (240, 180)) -> Any:
    """A still picture; two scenes have nothing in common."""
    width, height = size
    cells = np.random.default_rng(scene).integers(30, 226, (9, 12, 3))
    return cells[np.arange(height)[:, None] * 9 // height, np.arange(width)[None, :] * 12 // width].astype(np.uint8)


def moving(scene: int, at_ms: int, size: tuple[int, int] = (240, 180)) -> Any:
    """A scene with a block that moves to the right."""
    picture = ground(scene, size)
    left = (at_ms // 12) % (size[0] - 40)
    picture[size[1] // 3 : size[1] // 2, left : left + 30] = 250 if scene % 3 != 1 else 5
    return picture


def film(
    times_ms: Iterable[int],
    picture: Callable[[int], Any],
    *,
    rate: int = 10,
    form: str = "mp4",
    sound_ms: tuple[int, int] | None = None,
    ratio: tuple[int, int] | None = None,
) -> bytes:
    """An H.264 film whose frames are shown at given times.

    Args:
        times_ms: of its frames, ascending.
        picture: of a time, RGB.
        rate: frames a second that the container declares; the last frame is shown for that long.
        form: container.
        sound_ms: begin and end of a tone; None: no sound.
        ratio: of a pixel's width to its height.
    """
    import av

    times = list(times_ms)
    height, width, _ = picture(times[0]).shape
    written = io.BytesIO()
    with av.open(written, "w", format=form, options={"fflags": "bitexact"}) as container:
        options = {"crf": "28", "g": "250", "bf": "0", "sc_threshold": "0", "threads": "1"}
        stream = container.add_stream("libx264", rate=rate, options=options)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.codec_context.time_base = stream.time_base = MILLISECOND
        if ratio is not None:
            stream.codec_context.sample_aspect_ratio = Fraction(*ratio)
        tone = container.add_stream("flac" if form == "matroska" else "aac", rate=RATE) if sound_ms else None
        for at in times:
            frame = av.VideoFrame.from_ndarray(picture(at), "rgb24")
            frame.pts, frame.time_base = at, MILLISECOND
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
        if tone is not None and sound_ms is not None:
            _sing(container, tone, sound_ms)
    return written.getvalue()


def _sing(container: Any, stream: Any, sound_ms: tuple[int, int]) -> None:
    import av

    first, last = (at * RATE // 1000 for at in sound_ms)
    for start in range(first, last, 1024):
        at = np.arange(start, min(start + 1024, last))
        samples = (np.sin(at * 2 * np.pi * 440 / RATE) * 8000).astype(np.int16)
        frame = av.AudioFrame.from_ndarray(samples[None, :], format="s16", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = RATE, start, Fraction(1, RATE)
        container.mux(stream.encode(frame))
    container.mux(stream.encode())


def turned(data: bytes, degrees: int, size: tuple[int, int]) -> bytes:
    """An MP4 whose display matrix turns it clockwise (ISO/IEC 14496-12, 6.2.2)."""
    one, (width, height) = 0x10000, size
    matrix = {
        0: (one, 0, 0, one, 0, 0),
        90: (0, one, -one, 0, height, 0),
        180: (-one, 0, 0, -one, width, height),
        270: (0, -one, one, 0, 0, width),
    }[degrees]
    a, b, c, d, x, y = matrix
    at = data.index(b"tkhd") + 4 + 4 + 20 + 8 + 8
    return data[:at] + struct.pack(">9i", a, b, 0, c, d, 0, x * one, y * one, 0x40000000) + data[at + 36 :]
