"""Where in a recording somebody speaks: by energy, or by a model of the user's; and segments made of that."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

Samples = npt.NDArray[np.float32]
Segment = tuple[float, float]

_HOP_S = 0.02
_VOICE_HZ = (80.0, 4000.0)
_FLOOR_DB = -60.0
_LEAST_ABOVE_NOISE_DB = 6.0
_SHARE_OF_RANGE = 0.35
_HYSTERESIS_DB = 3.0
_STEADY_DB = 6.0

_MIN_SPEECH_S = 0.25  # Silero's defaults: get_speech_timestamps of silero-vad 6
_MIN_SILENCE_S = 0.1
_PAD_S = 0.03
_MODEL_RATE = 16_000
_MODEL_WINDOW = 512
_MODEL_CONTEXT = 64
_BELOW_THRESHOLD = 0.15


def speech_by_energy(mono: Samples, rate: int) -> list[Segment]:
    """Stretches whose energy between 80 and 4,000 Hz stands out of what lies under the recording.

    The floor is the tenth percentile of all frames of 20 ms, the level of speech the ninety-fifth; a frame is speech
    from a third of the way between them on, and 6 dB at least. A recording without such a range is speech as a whole
    or not at all, by its level. It cannot tell a voice from music: that takes a model.

    Args:
        mono: n samples.
        rate: samples a second.

    Returns:
        Start and end in seconds, ascending, apart from each other.
    """
    level = _voice_levels(mono, rate)
    audible = level[level > _FLOOR_DB]
    if not len(audible):
        return []
    noise, voice = max(float(np.percentile(level, 10)), _FLOOR_DB), float(np.percentile(audible, 95))
    if voice - noise < _STEADY_DB:
        return [(0.0, len(mono) / rate)]
    threshold = noise + max(_LEAST_ABOVE_NOISE_DB, _SHARE_OF_RANGE * (voice - noise))
    return _stretches(level >= threshold, level >= threshold - _HYSTERESIS_DB, _HOP_S, len(mono) / rate)


def speech_by_model(mono: Samples, rate: int, path: str, threshold: float) -> list[Segment]:
    """Stretches that a Silero VAD model (ONNX, version 5 or 6) takes for speech.

    Args:
        mono: n samples.
        rate: samples a second; resampled to 16 kHz.
        path: of the model.
        threshold: probability from which a window is speech.
    """
    import soxr

    samples = mono if rate == _MODEL_RATE else soxr.resample(mono, rate, _MODEL_RATE)
    session = _session(path)
    n = -(-len(samples) // _MODEL_WINDOW)
    padded = np.pad(samples, (_MODEL_CONTEXT, n * _MODEL_WINDOW - len(samples))).astype(np.float32)
    state, rate_of_model = np.zeros((2, 1, 128), np.float32), np.array(_MODEL_RATE, np.int64)
    probability = np.empty(n, np.float32)
    for window in range(n):
        at = window * _MODEL_WINDOW
        piece = padded[None, at : at + _MODEL_CONTEXT + _MODEL_WINDOW]
        output, state = session.run(None, {"input": piece, "state": state, "sr": rate_of_model})
        probability[window] = output[0, 0]
    hop = _MODEL_WINDOW / _MODEL_RATE
    return _stretches(probability >= threshold, probability >= threshold - _BELOW_THRESHOLD, hop, len(mono) / rate)


@lru_cache(maxsize=2)
def _session(path: str) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1  # workers are processes
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def merged(speech: Sequence[Segment], *, gap_s: float, max_s: float) -> list[Segment]:
    """Neighbours joined whose gap is shorter than ``gap_s``, as long as they are no longer than ``max_s`` together.

    Source: Emilia (He et al., 2024), section 2.2: VAD segments of one speaker.
    """
    joined: list[Segment] = []
    for start, end in speech:
        if joined and start - joined[-1][1] < gap_s and end - joined[-1][0] <= max_s:
            joined[-1] = (joined[-1][0], end)
        else:
            joined.append((start, end))
    return joined


def cut_to(segments: Sequence[Segment], mono: Samples, rate: int, max_s: float) -> list[Segment]:
    """Segments of at most ``max_s``: longer ones are cut at the quietest 20 ms of the second half of what may be."""
    pieces: list[Segment] = []
    level = np.empty(0)
    for start, end in segments:
        at = start
        while end - at > max_s:
            if not len(level):
                level = _voice_levels(mono, rate)
            first, last = int((at + max_s / 2) / _HOP_S), int((at + max_s) / _HOP_S)
            quietest = first + int(level[first:last].argmin()) if last > first and first < len(level) else last
            cut = max(quietest * _HOP_S, at + max_s / 2)
            pieces.append((at, cut))
            at = cut
        pieces.append((at, end))
    return pieces


def _voice_levels(mono: Samples, rate: int) -> npt.NDArray[np.float64]:
    """Level in dB of each 20 ms, of what lies between 80 and 4,000 Hz."""
    size = max(2, round(rate * _HOP_S))
    n = -(-len(mono) // size)
    frames = np.pad(mono, (0, n * size - len(mono))).reshape(n, size)
    frequency = np.fft.rfftfreq(size, 1 / rate)
    passes = (frequency >= _VOICE_HZ[0] / 2) & (frequency <= _VOICE_HZ[1])
    power = np.empty(n)
    for start in range(0, n, 4096):
        spectrum = np.square(np.abs(np.fft.rfft(frames[start : start + 4096], axis=1)))
        power[start : start + 4096] = 2 * spectrum[:, passes].sum(axis=1) / size**2
    level: npt.NDArray[np.float64] = 10 * np.log10(np.maximum(power, 1e-12))
    return level


def _stretches(on: npt.NDArray[np.bool_], stays: npt.NDArray[np.bool_], hop: float, end_s: float) -> list[Segment]:
    """Stretches that begin where ``on`` holds and end where ``stays`` has not held for 100 ms; padded by 30 ms."""
    stretches: list[Segment] = []
    start: float | None = None
    quiet: float | None = None
    for window, (begins, goes_on) in enumerate(zip(on.tolist(), stays.tolist(), strict=True)):
        at = window * hop
        if begins:
            quiet = None
            start = at if start is None else start
        elif start is not None and not goes_on:
            quiet = at if quiet is None else quiet
            if at + hop - quiet >= _MIN_SILENCE_S:
                if quiet - start >= _MIN_SPEECH_S:
                    stretches.append((start, quiet))
                start = quiet = None
        elif goes_on:
            quiet = None
    if start is not None and end_s - start >= _MIN_SPEECH_S:
        stretches.append((start, end_s if quiet is None else quiet))
    padded: list[Segment] = []
    for begin, finish in stretches:
        first = max(begin - _PAD_S, padded[-1][1] if padded else 0.0)
        padded.append((first, min(finish + _PAD_S, end_s)))
    return padded
