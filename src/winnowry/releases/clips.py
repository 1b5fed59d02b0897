"""A clip of a film as a film of its own, from the first picture of its span to the last, with the sound of that time.

Pictures are encoded again: a copy of the stream could only begin at a key frame. They are written as they are shown, so
that no reader has to turn them.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import numpy as np

from winnowry.operators.media.views import DecodeError

CODEC = "H.264, constant rate factor 18; sound AAC"
"""What clips are written with."""
_PICTURES, _QUALITY, _SOUND = "libx264", "18", "aac"
_TICK = Fraction(1, 90_000)
_EVEN = 2  # sides of 4:2:0 pictures are even


def clip_of(data: bytes, start: float, end: float) -> bytes:
    """Cut a clip out of a film.

    Args:
        data: the film.
        start: seconds from its first picture.
        end: seconds; the frame that is shown at this time is not in the clip.

    Returns:
        MP4: the frames of the span at their times, upright, with the shape of their pixels.

    Raises:
        DecodeError: the film has no pictures, or none in the span.
    """
    import av

    from winnowry.operators.media.films import pictures_of

    written = io.BytesIO()
    with av.open(io.BytesIO(data), metadata_errors="ignore") as film:
        stream = pictures_of(film)
        if stream is None:
            raise DecodeError("no film: no stream of pictures")
        with av.open(written, "w", format="mp4", options={"fflags": "bitexact"}) as clip:
            _copy(film, stream, clip, start, end)
    return written.getvalue()


def _copy(film: Any, stream: Any, clip: Any, start: float, end: float) -> None:
    import av

    pictures = sound = None
    first: float | None = None
    sounds = film.streams.audio[:1]
    if sounds:
        sound = clip.add_stream(_SOUND, rate=sounds[0].codec_context.sample_rate)
        sound.layout = sounds[0].codec_context.layout
    waiting: list[Any] = []  # the first picture, which may come after them, says which of them are in the span
    seen = listened = False
    for frame in _frames(film, [stream, *sounds]):
        time = float(frame.time or 0.0)
        if not isinstance(frame, av.VideoFrame):
            listened = first is not None and time >= first + end
            if first is None or (first + start <= time + frame.samples / frame.sample_rate and not listened):
                waiting.append(frame)
        else:
            first = time if first is None else first
            at = round(time - first, 6)
            seen = at >= end
            if start <= at < end:
                upright = _upright(frame, stream)
                pictures = pictures or _pictures(clip, stream, upright)
                picture = av.VideoFrame.from_ndarray(upright, "rgb24")
                picture.pts, picture.time_base = round((at - start) / _TICK), _TICK
                clip.mux(pictures.encode(picture))
        if seen and (listened or not sounds):
            break
    if pictures is None or first is None:
        raise DecodeError(f"no picture between {start:g} s and {end:g} s")
    clip.mux(pictures.encode())
    if sound is not None:
        resampler = av.AudioResampler(format=sound.format or "fltp", layout=sound.layout, rate=sound.rate)
        for part in _between(waiting, resampler, first + start, first + end):
            clip.mux(sound.encode(part))
        clip.mux(sound.encode())


def _frames(film: Any, streams: list[Any]) -> Iterator[Any]:
    """Frames of the streams, past packets that are damaged."""
    from av.error import FFmpegError

    packets = film.demux(*streams)
    while True:
        try:
            packet = next(packets)
        except (StopIteration, FFmpegError):
            return
        try:
            yield from packet.decode()
        except FFmpegError:
            continue


def _pictures(clip: Any, stream: Any, first: Any) -> Any:
    """The stream of a clip's pictures."""
    pictures = clip.add_stream(_PICTURES, rate=stream.average_rate or 25, options={"crf": _QUALITY, "threads": "1"})
    pictures.height, pictures.width = first.shape[:2]
    pictures.pix_fmt = "yuv420p"
    pictures.codec_context.time_base = pictures.time_base = _TICK
    return pictures


def _upright(frame: Any, stream: Any) -> Any:
    """The picture as it is shown, with square pixels and even sides."""
    from winnowry.operators.media.films import square_size

    width, height = (side - side % _EVEN or _EVEN for side in square_size(frame, stream))
    picture = frame.to_ndarray(format="rgb24", width=width, height=height)
    # numpy turns against the clock, as the rotation of a frame is counted.
    return np.ascontiguousarray(np.rot90(picture, round((frame.rotation or 0) / 90) % 4))


def _between(frames: list[Any], resampler: Any, start: float, end: float) -> Iterator[Any]:
    """Sound of a time, whose clock begins with it."""
    rate = resampler.rate
    for frame in frames:
        if frame.time is None or frame.time >= end or frame.time + frame.samples / frame.sample_rate <= start:
            continue
        for part in resampler.resample(frame):
            yield from _trimmed(part, rate, start, end)


def _trimmed(part: Any, rate: int, start: float, end: float) -> Iterator[Any]:
    import av

    begins = round(float(part.time) * rate)
    first, last = max(0, round(start * rate) - begins), min(part.samples, round(end * rate) - begins)
    if first >= last:
        return
    samples = np.ascontiguousarray(part.to_ndarray()[:, first:last])
    cut = av.AudioFrame.from_ndarray(samples, format=part.format.name, layout=part.layout.name)
    cut.sample_rate, cut.time_base, cut.pts = rate, Fraction(1, rate), begins + first - round(start * rate)
    yield cut
