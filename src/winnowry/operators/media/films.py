"""Decode a film once: what it is, how every frame differs from the one before, one reduced frame a second.

Times are presentation times, in seconds from the first picture that is shown; nothing is counted in frames, because
phones and screen recorders write frames at uneven times.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from winnowry.operators.media.faults import DecodeError
from winnowry.operators.media.pictures import MOST_PIXELS, Picture, PictureFacts, PictureReduction, Pixels, Plane

_PLANE_WIDTH_PX = 96
_SMALL_WIDTH_PX, _SMALL_HEIGHT_PX = 24, 14
_SAMPLES_AT_MOST = 3600
"""Of a film; of a longer one frames are kept less often than once a second."""
_DIGITS = 6
"""Times are kept in microseconds: sums of fractions differ in the last bits."""
_UNEVEN = 1.5
"""Longest step between two frames over the usual one, above which times are uneven."""
_TURNED = {0: 1, 90: 6, 180: 3, 270: 8}
"""EXIF orientations that show a picture turned clockwise."""
_LIMITED_BLACK, _LIMITED_RANGE = 16.0, 219.0
_FULL_RANGE = 2  # AVCOL_RANGE_JPEG


class FilmFacts(NamedTuple):
    """What a film is.

    Attributes:
        video_format: of the container, e.g. ``mov``.
        codec: of the pictures, e.g. ``h264``.
        width: in pixels, as shown: turned, with square pixels.
        height: as ``width``.
        rotation: degrees clockwise by which stored frames are turned to be shown.
        n_frames: that were decoded.
        n_frames_declared: by the container; None where it does not say.
        fps: frames over duration.
        duration_s: from the first picture to the end of the last one.
        starts_s: of the first picture on the clock of the container.
        longest_step_s: between two frames.
        uneven: whether frames are not shown for equally long.
        n_backward: frames whose time is not after that of the frame before; they are left out.
        n_damaged: packets that could not be decoded, and frames that the decoder made up.
        bit_rate: of the file, in bits a second.
        sound_starts_s: of the first sound, from the first picture; None without sound.
        sound_ends_s: of the last sound, from the first picture; None without sound.
    """

    video_format: str
    codec: str
    width: int
    height: int
    rotation: int
    n_frames: int
    n_frames_declared: int | None
    fps: float
    duration_s: float
    starts_s: float
    longest_step_s: float
    uneven: bool
    n_backward: int
    n_damaged: int
    bit_rate: int
    sound_starts_s: float | None
    sound_ends_s: float | None


@dataclass(frozen=True)
class Film:
    """What was kept of a film of n frames.

    Attributes:
        facts: what it is.
        times: n seconds, ascending, 0 first.
        luma: n means, 0 black to 255 white.
        steps: n mean absolute differences of luma to the frame before, in grey levels; 0 first.
        changes: n mean absolute differences to the frame before, of luma and twice both colours, over three.
        small: n × 336 values of luma, 24 × 14 pixels.
        motion: n lengths of motion over the diagonal, by the codec's own vectors; NaN where a frame has none of them.
        samples: times and reduced frames, about one a second; a frame stays until the next.
    """

    facts: FilmFacts
    times: npt.NDArray[np.float64]
    luma: npt.NDArray[np.float64]
    steps: npt.NDArray[np.float64]
    changes: npt.NDArray[np.float64]
    small: Plane
    motion: npt.NDArray[np.float64]
    samples: list[tuple[float, Picture]]


def decode_film(data: bytes, reductions: Iterable[PictureReduction[Any]]) -> Film:
    """Decode a film to its end, packet by packet, past what is damaged.

    Args:
        data: the file.
        reductions: what is made of a frame a second.

    Raises:
        DecodeError: it has no stream of pictures (a cover of music is none), none of them can be decoded, or they have
            more than :data:`~winnowry.operators.media.pictures.MOST_PIXELS` pixels.
    """
    import av

    try:
        container = av.open(io.BytesIO(data), metadata_errors="ignore")
    except av.error.FFmpegError as error:
        raise DecodeError(f"no film: {error.strerror}") from None
    with container:
        stream = pictures_of(container)
        if stream is None:
            raise DecodeError("no film: no stream of pictures")
        if stream.width * stream.height > MOST_PIXELS:
            raise DecodeError(f"{stream.width}×{stream.height} pixels a frame, more than {MOST_PIXELS:,}")
        scan = _Scan(container, stream, frozenset(reductions))
        for frame in scan.frames():
            scan.take(frame)
        return scan.film(len(data))


def pictures_of(container: Any) -> Any:
    """The first stream of moving pictures."""
    from av.stream import Disposition

    return next((s for s in container.streams.video if not s.disposition & Disposition.attached_pic), None)


@dataclass
class _Scan:
    """A film under way."""

    container: Any
    stream: Any
    reductions: frozenset[PictureReduction[Any]]
    times: list[float] = field(default_factory=list)
    luma: list[float] = field(default_factory=list)
    steps: list[float] = field(default_factory=list)
    changes: list[float] = field(default_factory=list)
    small: list[Plane] = field(default_factory=list)
    motion: list[float] = field(default_factory=list)
    samples: list[tuple[float, Picture]] = field(default_factory=list)
    starts: float = 0.0
    lasts: float | None = None
    n_backward: int = 0
    n_damaged: int = 0
    sound: tuple[float, float] | None = None
    rotation: int = 0
    stored: tuple[int, int] = (0, 0)
    shown: Any = None
    before: tuple[npt.NDArray[np.int16], ...] | None = None

    def __post_init__(self) -> None:
        from av.codec.context import Flags2

        context = self.stream.codec_context
        context.thread_count = 1
        context.flags2 |= Flags2.export_mvs
        declared = (self.stream.duration or 0) * float(self.stream.time_base or 0)
        self.every = max(1.0, declared / _SAMPLES_AT_MOST)

    def frames(self) -> Iterator[Any]:
        """Frames in the order in which they are shown; the times of sound are noted on the way."""
        from av.error import FFmpegError

        sounds = self.container.streams.audio[:1]
        packets = self.container.demux(self.stream, *sounds)
        while True:
            try:
                packet = next(packets)
            except StopIteration:
                return
            except FFmpegError:
                self.n_damaged += 1
                return
            if packet.stream is not self.stream:
                self._hear(packet)
                continue
            try:
                yield from packet.decode()
            except FFmpegError:
                self.n_damaged += 1

    def _hear(self, packet: Any) -> None:
        if packet.pts is None:
            return
        start = float(packet.pts * packet.time_base)
        end = start + float((packet.duration or 0) * packet.time_base)
        start = max(0.0, start)  # what lies before the clock begins primes the decoder, and is not heard
        first, last = self.sound or (start, end)
        self.sound = min(first, start), max(last, end)

    def take(self, frame: Any) -> None:
        """Measure a frame against the one before, and let that one go."""
        if frame.is_corrupt:
            self.n_damaged += 1
        time = float(frame.time) if frame.time is not None else self._expected()
        if not self.times:
            self.starts = time
            self.rotation = -round(frame.rotation) % 360 if frame.rotation else 0
            self.stored = frame.width, frame.height
        time = round(time - self.starts, _DIGITS)
        if self.times and time <= self.times[-1]:
            self.n_backward += 1
            return
        self._sample_until(time)
        self.shown = frame
        self.lasts = float(frame.duration * frame.time_base) if frame.duration else None
        self.times.append(time)
        self._measure(frame)

    def _expected(self) -> float:
        if not self.times:
            return 0.0
        step = self.times[-1] - self.times[-2] if len(self.times) > 1 else 1 / float(self.stream.average_rate or 25)
        return self.starts + self.times[-1] + step

    def _sample_until(self, time: float) -> None:
        """Keep the frame that is shown now for every sampled moment before ``time``; it is reduced once."""
        reduced: Picture | None = None
        while self.shown is not None and len(self.samples) * self.every < time:
            reduced = reduced or self._reduced(self.shown)
            self.samples.append((len(self.samples) * self.every, reduced))

    def _reduced(self, frame: Any) -> Picture:
        width, height = square_size(frame, self.stream)
        stored = frame.to_ndarray(format="rgb24", width=width, height=height)
        turn = _TURNED.get(self.rotation, 1)
        facts = PictureFacts("frame", *_turned((width, height), self.rotation), None, 8, 1, None)
        pixels = Pixels(facts, stored, turn)
        return Picture(facts, {reduction: reduction(pixels) for reduction in self.reductions})

    def _measure(self, frame: Any) -> None:
        height = max(2, round(_PLANE_WIDTH_PX * frame.height / frame.width / 2) * 2)
        plane = frame.reformat(width=_PLANE_WIDTH_PX, height=min(height, 4 * _PLANE_WIDTH_PX), format="yuv444p")
        light, *colours = plane.to_ndarray()
        if frame.color_range != _FULL_RANGE:
            light = ((light - _LIMITED_BLACK) * (255 / _LIMITED_RANGE)).clip(0, 255)
        now = (light.astype(np.int16), *(colour.astype(np.int16) for colour in colours))
        before = self.before or now
        step, *of_colours = (float(np.abs(a - b).mean()) for a, b in zip(now, before, strict=True))
        self.luma.append(float(light.mean()))
        self.steps.append(step)
        self.changes.append((step + 2 * sum(of_colours)) / 3)
        self.small.append(_means(now[0]))
        self.motion.append(_motion(frame))
        self.before = now

    def film(self, n_bytes: int) -> Film:
        """What was kept, and what the film is.

        Raises:
            DecodeError: no frame could be decoded.
        """
        if not self.times:
            raise DecodeError("no film: none of its pictures can be decoded")
        times = np.asarray(self.times)
        gaps = np.diff(times)
        usual = float(np.median(gaps)) if len(gaps) else 1 / float(self.stream.average_rate or 25)
        duration = round(float(times[-1]) + (self.lasts if self.lasts is not None else usual), _DIGITS)
        self._sample_until(duration)
        width, height = _turned(square_size(self.shown, self.stream), self.rotation)
        longest = float(gaps.max()) if len(gaps) else duration
        sound = self.sound
        facts = FilmFacts(
            video_format=self.container.format.name.partition(",")[0],
            codec=self.stream.codec_context.name,
            width=width,
            height=height,
            rotation=self.rotation,
            n_frames=len(times),
            n_frames_declared=self.stream.frames or None,
            fps=len(times) / duration,
            duration_s=duration,
            starts_s=self.starts,
            longest_step_s=longest,
            uneven=longest > _UNEVEN * usual,
            n_backward=self.n_backward,
            n_damaged=self.n_damaged,
            bit_rate=round(8 * n_bytes / duration),
            sound_starts_s=sound[0] - self.starts if sound is not None else None,
            sound_ends_s=sound[1] - self.starts if sound is not None else None,
        )
        luma, steps, changes, motion = map(np.asarray, (self.luma, self.steps, self.changes, self.motion))
        return Film(facts, times, luma, steps, changes, np.asarray(self.small), motion, self.samples)


def square_size(frame: Any, stream: Any) -> tuple[int, int]:
    """Width and height of a frame of a stream once its pixels are square; not turned."""
    ratio = stream.sample_aspect_ratio or 1
    return max(1, round(frame.width * float(ratio))), frame.height


def _turned(size: tuple[int, int], rotation: int) -> tuple[int, int]:
    return size[::-1] if rotation in (90, 270) else size


def _means(plane: npt.NDArray[np.int16]) -> Plane:
    """24 × 14 means of a plane, whose parts may be one pixel larger or smaller than others."""
    rows = np.linspace(0, plane.shape[0], _SMALL_HEIGHT_PX + 1).astype(int)
    columns = np.linspace(0, plane.shape[1], _SMALL_WIDTH_PX + 1).astype(int)
    first, left = np.minimum(rows[:-1], plane.shape[0] - 1), columns[:-1]
    sums = np.add.reduceat(np.add.reduceat(plane.astype(np.int32), first, axis=0), left, axis=1)
    counts = np.maximum(np.diff(rows), 1)[:, None] * np.diff(columns)[None, :]
    return np.asarray(sums // counts, dtype=np.uint8).ravel()


def _motion(frame: Any) -> float:
    """Mean length of the motion of a frame's area, over its diagonal; NaN where the codec gives no vectors.

    Source: NeMo Curator, motion filter, whose threshold it is compared with.
    """
    from av.sidedata.sidedata import Type

    vectors = None
    with suppress(KeyError):
        vectors = frame.side_data.get(Type.MOTION_VECTORS)
    if vectors is None:
        return float("nan")
    table = vectors.to_ndarray()
    table = table[table["source"] < 0]
    if not len(table):
        return 0.0
    area = table["w"].astype(np.float64) * table["h"]
    length = np.hypot(table["motion_x"], table["motion_y"]) / np.maximum(1, table["motion_scale"])
    diagonal = float(np.hypot(frame.width, frame.height))
    return float((length * area).sum() / (frame.width * frame.height)) / diagonal
