"""Sound files decoded as a whole: their samples, what the header declared, and why a file is none.

The header is held against what is there (:mod:`~winnowry.operators.media.sound_files`). A file whose header says
more than there is has been cut; one whose header says less holds something that nobody declared. Neither is decoded
as if it were whole.
"""

from __future__ import annotations

import hashlib
import io
import math
import weakref
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from threading import Lock
from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from winnowry.operators.media.faults import DecodeError
from winnowry.operators.media.flac_frames import count_samples
from winnowry.operators.media.sound_files import (
    FlacHeader,
    behind_id3,
    declares_length,
    flac_header,
    is_cut_aiff,
    media_type_of_sound,
    ogg_links,
    wav_header,
    with_flac_samples,
    with_wav_size,
)

Samples = npt.NDArray[np.float32]

_FRAMES_AT_ONCE = 1 << 16
_MOST_VALUES = 1 << 28
"""Samples of all channels of a file: 93 minutes of stereo at 48 kHz. A few bytes of FLAC can stand for any length."""
_HELD_BYTES = 256 << 20
_NO_LENGTH = 1 << 60  # libsndfile says 2^63 - 1 where it does not know
_DECLARING = ("mov", "mp4", "matroska", "webm", "wav", "aiff", "caf", "w64")
"""Containers of FFmpeg that say how long a stream is; of others it is an estimate from the bit rate."""


class HasData(Protocol):
    """What gives the bytes of a file again."""

    @property
    def data(self) -> bytes:
        """The bytes."""
        ...


class _Read(NamedTuple):
    """What a decoder made of a file."""

    samples: Samples
    rate: int
    codec: str
    declared: float | None  # samples of each channel


@dataclass(frozen=True)
class SoundFacts:
    """What a sound file is.

    Attributes:
        audio_format: container, e.g. ``WAV``, ``FLAC``, ``MP3``, ``OGG``, ``MP4``.
        codec: e.g. ``PCM_16``, ``FLAC``, ``VORBIS``, ``aac``.
        rate_hz: samples a second.
        channels: their number.
        bits: of a sample; None for codecs that keep no samples.
        duration_s: seconds that are there, counted.
        declared_s: seconds that the header says; None where it does not.
        bit_rate: bits a second of the sound, tags left out.
        lossless: whether samples are kept as they are, so that lengths are exact.
    """

    audio_format: str
    codec: str
    rate_hz: int
    channels: int
    bits: int | None
    duration_s: float
    declared_s: float | None
    bit_rate: int | None
    lossless: bool


class Sound:
    """A decoded sound file.

    What it is stays known; its samples are held as long as those of all files together are no more than
    :data:`_HELD_BYTES`, and are decoded again where they are asked for later than that.

    Args:
        facts: what it is.
        samples: float32, n samples of c channels, −1 to 1 unless the file goes beyond.
        view: gives the bytes of the file once more; None: the samples are held as long as this is.
    """

    def __init__(self, facts: SoundFacts, samples: Samples, view: weakref.ref[HasData] | None = None) -> None:
        self.facts = facts
        self._samples: Samples | None = samples
        self._view = view
        if view is not None:
            _held.hold(self, samples.nbytes)

    @property
    def samples(self) -> Samples:
        """The samples."""
        samples = self._samples
        if samples is None:
            view = self._view() if self._view is not None else None
            assert view is not None
            samples = self._samples = decode_sound(view.data).samples
            _held.hold(self, samples.nbytes)
        return samples

    def let_go(self) -> None:
        """Let the samples go; they can be decoded again."""
        self._samples = None

    def between(self, start: float, end: float | None) -> Samples:
        """The samples of a span, in the rate of the file; neighbours share none and miss none.

        Args:
            start: seconds from the first sample.
            end: seconds; None, and what is beyond the end, is the end.
        """
        samples, rate = self.samples, self.facts.rate_hz
        n = len(samples)
        last = n if end is None else min(round(end * rate), n)
        return samples[min(round(start * rate), n) : last]


class _Held:
    """The sounds whose samples are in memory, the one asked for last at the end."""

    def __init__(self) -> None:
        self._sounds: OrderedDict[int, tuple[weakref.ref[Sound], int]] = OrderedDict()
        self._lock = Lock()

    def hold(self, sound: Sound, n_bytes: int) -> None:
        """Note a sound, and let others go where all together are more than may be held."""
        with self._lock:
            self._sounds[id(sound)] = (weakref.ref(sound), n_bytes)
            self._sounds.move_to_end(id(sound))
            for key in [key for key, (known, _) in self._sounds.items() if known() is None]:
                del self._sounds[key]
            total = sum(size for _, size in self._sounds.values())
            while total > _HELD_BYTES and len(self._sounds) > 1:
                _, (known, size) = self._sounds.popitem(last=False)
                total -= size
                if (other := known()) is not None:
                    other.let_go()


_held = _Held()


def open_sound(data: bytes, view: weakref.ref[HasData]) -> Sound:
    """Decode a sound file whose samples may be let go and decoded again.

    Args:
        data: its bytes.
        view: that gives them once more; it holds the sound, and is not held by it.

    Raises:
        DecodeError: as for :func:`decode_sound`.
    """
    sound = decode_sound(data)
    return Sound(sound.facts, sound.samples, view)


def decode_sound(data: bytes) -> Sound:
    """Decode a sound file.

    Args:
        data: the file; WAV, FLAC, AIFF, Ogg (Vorbis, Opus, FLAC), MP3 by libsndfile, the rest by FFmpeg.

    Raises:
        DecodeError: it is no sound, is damaged, was cut, or is not what its header says.
    """
    kind = media_type_of_sound(data)
    if kind == "audio/wav":
        return _wav(data)
    if kind == "audio/flac":
        return _flac(data)
    if kind == "audio/ogg":
        return _ogg(data)
    if kind == "audio/mpeg":
        return _mp3(data)
    if kind == "audio/aiff":
        if is_cut_aiff(data):
            raise DecodeError("truncated: its samples chunk is longer than the file")
        read = _by_libsndfile(data)
        return _sound(read, "AIFF", data, _bits(read.codec), lossless=True)
    return _by_streams(data)


def _wav(data: bytes) -> Sound:
    header = wav_header(data)
    if header is None:
        raise DecodeError("no WAV: a chunk of samples is missing")
    if header.declared_bytes is not None and header.found_bytes < header.declared_bytes:
        unit = header.block_bytes or 1
        declared, there = header.declared_bytes // unit, header.found_bytes // unit
        if there < declared:
            rate = header.rate if header.block_bytes else 0
            raise DecodeError(f"truncated: declares {_length(declared, rate)}, has {_length(there, rate)}")
    if header.behind_bytes:
        raise DecodeError(f"header says less: {header.behind_bytes} bytes behind the samples are none of its chunks")
    if not header.found_bytes:
        raise DecodeError("no samples")
    read = _by_libsndfile(with_wav_size(data, header))
    if header.declared_bytes is None:
        read = read._replace(declared=None)
    block, bits = header.block_bytes, header.bits if header.block_bytes else None
    return _sound(read, "WAV", data[header.data_at : header.data_at + header.found_bytes], bits, lossless=bool(block))


def _flac(data: bytes) -> Sound:
    header = flac_header(data)
    if header is None:
        raise DecodeError("no FLAC: its first block is missing")
    declared = header.declared_samples
    read = None
    if declared is not None:
        data = data[header.starts_at :]
        read = _flac_samples(data, header)
    if read is None:  # the header does not know, or is wrong: its last frame says it, and libFLAC checks each one
        counted = count_samples(data, header.block)
        if counted is None:
            raise DecodeError("damaged: no whole frame at its end, or frames before it are wrong")
        if declared is not None and counted != declared:
            more = "truncated: declares" if counted < declared else "header says less: declares"
            raise DecodeError(f"{more} {_length(declared, header.rate)}, has {_length(counted, header.rate)}")
        header = flac_header(whole := with_flac_samples(data, header, counted)) or header
        read = _flac_samples(whole, header)
        if read is None:
            raise DecodeError("damaged: frames or their checksum are wrong")
    read = read._replace(declared=declared)
    return _sound(read, "FLAC", data[header.samples_at - header.starts_at :], header.bits, lossless=True)


def _flac_samples(data: bytes, header: FlacHeader) -> _Read | None:
    """The samples where there are as many as declared and they have the checksum of the header; else None."""
    import soundfile

    width = -(-header.bits // 8)
    digest = hashlib.md5(usedforsecurity=False) if header.md5 is not None and header.bits in (8, 16, 24) else None
    parts: list[Samples] = []
    try:
        with soundfile.SoundFile(io.BytesIO(data)) as file:
            _refuse_too_long(file.frames, file.channels)
            for block in _blocks(file, "int32"):
                if digest is not None:
                    as_bytes = (block >> (32 - header.bits)).astype("<i4").view(np.uint8).reshape(-1, 4)
                    digest.update(as_bytes[:, :width].tobytes())
                parts.append(block.astype(np.float32) / np.float32(1 << 31))
            read = _Read(_joined(parts, file.channels), file.samplerate, "FLAC", header.declared_samples)
    except soundfile.SoundFileError:
        return None
    whole = len(read.samples) == header.declared_samples
    return read if whole and (digest is None or digest.digest() == header.md5) else None


def _ogg(data: bytes) -> Sound:
    parts: list[_Read] = []
    for link in ogg_links(data):
        if link is None:
            raise DecodeError("truncated: its last page is not whole")
        read = _by_libsndfile(link)
        if parts and (read.rate, read.samples.shape[1]) != (parts[0].rate, parts[0].samples.shape[1]):
            raise DecodeError("chained streams of different rates or channels")
        parts.append(read)
    samples = np.concatenate([part.samples for part in parts])
    read = parts[0]._replace(samples=samples, declared=None)  # a page's position is where it ends, not a declaration
    return _sound(read, "OGG", data, None, lossless=False)


def _mp3(data: bytes) -> Sound:
    read = _by_libsndfile(data)
    if not declares_length(data):
        read = read._replace(declared=None)
    return _sound(read, "MP3", data[behind_id3(data) :], None, lossless=False)


def _by_libsndfile(data: bytes) -> _Read:
    import soundfile

    try:
        with soundfile.SoundFile(io.BytesIO(data)) as file:
            if file.frames >= _NO_LENGTH:
                raise DecodeError("damaged: its length cannot be told")
            _refuse_too_long(file.frames, file.channels)
            parts = list(_blocks(file, "float32"))
            samples = _joined(parts, file.channels)
            return _Read(samples, file.samplerate, file.subtype, file.frames)
    except soundfile.SoundFileError as error:
        raise DecodeError(f"cannot be decoded: {_plain(error)}") from None


def _blocks(file: Any, dtype: str) -> Iterator[Any]:
    while len(block := file.read(_FRAMES_AT_ONCE, dtype=dtype, always_2d=True)):
        yield block


def _joined(parts: list[Samples], channels: int) -> Samples:
    return np.concatenate(parts) if parts else np.zeros((0, channels), np.float32)


def _refuse_too_long(frames: int, channels: int) -> None:
    if frames * channels > _MOST_VALUES:
        raise DecodeError(f"{frames} samples of {channels} channels, more than {_MOST_VALUES} in all")


def _by_streams(data: bytes) -> Sound:
    """Decode by FFmpeg, packet by packet: what comes behind damage is decoded, and the damage counted."""
    try:
        import av
    except ImportError:
        raise DecodeError("a container that needs the extra `video` (PyAV) to be read") from None

    try:
        container = av.open(io.BytesIO(data), metadata_errors="ignore")
    except (av.FFmpegError, ValueError) as error:
        raise DecodeError(f"no sound of a known format ({_plain(error)})") from None
    with container:
        if not container.streams.audio:
            raise DecodeError("no audio stream")
        stream = container.streams.audio[0]
        name = container.format.name
        resampler = av.AudioResampler(format="fltp", layout=stream.layout.name, rate=stream.rate)
        parts: list[Samples] = []
        held = packets = damaged = 0
        for packet in container.demux(stream):
            packets += packet.size > 0
            try:
                frames = [made for frame in packet.decode() for made in resampler.resample(frame)]
            except av.FFmpegError:
                damaged += 1
                continue
            parts += [frame.to_ndarray().T for frame in frames]
            held += sum(frame.samples for frame in frames)
            _refuse_too_long(held, stream.channels)
        parts += [frame.to_ndarray().T for frame in resampler.resample(None)]
        if damaged:
            raise DecodeError(f"damaged: {damaged} of {packets} packets cannot be decoded")
        declared = None
        if stream.duration and stream.time_base and any(part in name for part in _DECLARING):
            declared = float(stream.duration * stream.time_base) * stream.rate
        samples = np.ascontiguousarray(_joined(parts, stream.channels), np.float32)
        read = _Read(samples, stream.rate, stream.codec_context.name, declared)
    return _sound(read, "MP4" if "mp4" in name else name.partition(",")[0].upper(), data, None, lossless=False)


def _sound(read: _Read, audio_format: str, of: bytes, bits: int | None, *, lossless: bool) -> Sound:
    n, channels = read.samples.shape
    if not n:
        raise DecodeError("no samples" if not read.declared else f"truncated: no sample of {read.declared:.0f}")
    if not np.isfinite(read.samples).all():
        raise DecodeError("samples that are no numbers")
    seconds = n / read.rate
    facts = SoundFacts(
        audio_format=audio_format,
        codec=read.codec,
        rate_hz=read.rate,
        channels=channels,
        bits=bits,
        duration_s=seconds,
        declared_s=read.declared / read.rate if read.declared is not None else None,
        bit_rate=math.floor(len(of) * 8 / seconds + 0.5),
        lossless=lossless,
    )
    return Sound(facts, read.samples)


def _bits(subtype: str) -> int | None:
    """Bits of a coding of libsndfile such as ``PCM_16``; None where samples are not kept as numbers."""
    digits = subtype.rpartition("_")[2]
    return {"FLOAT": 32, "DOUBLE": 64, "ULAW": 8, "ALAW": 8}.get(
        subtype, int(digits[-2:]) if digits[-2:].isdigit() else 8
    )


def _length(samples: int, rate: int) -> str:
    return f"{samples / rate:.3f} s" if rate else f"{samples} bytes"


def _plain(error: Exception) -> str:
    """What a decoder says, without the place of an object in memory."""
    message = getattr(error, "error_string", None) or getattr(error, "strerror", None) or str(error)
    return str(message).strip() or type(error).__name__
