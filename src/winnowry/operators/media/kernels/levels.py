"""Levels of samples: runs that were cut off, energies of short frames, how far up a sound reaches."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from winnowry.operators.text.kernels.compile import kernel

FRAME_S = 0.02
_CLIPPED_RUN = 3
_FFT = 512
_HOP_S = 0.01
_MOST_FRAMES = 3000
_BELOW_PEAK_DB = 50.0
_DIGITAL_SILENCE = 1e-12


@kernel
def clipped_samples(samples: npt.NDArray[np.float32], peak: float, step: float) -> np.int64:
    """Samples of runs in which a channel was cut off.

    A run is at least three equal samples at the largest value of the file, and the sample before or after it is well
    below: so a slow wave that is only rounded at its top is none, and neither is a single sample at full scale.

    Args:
        samples: n samples of c channels.
        peak: largest absolute value of the file.
        step: how far the sample beside a run must be from it.
    """
    n, channels = samples.shape
    clipped = np.int64(0)
    least = peak * 0.9999
    for channel in range(channels):
        at = 0
        while at < n:
            value = samples[at, channel]
            if abs(value) < least or peak == 0.0:
                at += 1
                continue
            end = at + 1
            while end < n and samples[end, channel] == value:
                end += 1
            before = abs(samples[at - 1, channel] - value) if at > 0 else 0.0
            after = abs(samples[end, channel] - value) if end < n else 0.0
            if end - at >= _CLIPPED_RUN and max(before, after) >= step:
                clipped += end - at
            at = end
    return clipped


def frame_energies(samples: npt.NDArray[np.float32], rate: int) -> npt.NDArray[np.float64]:
    """Mean square of each 20 ms, over all channels: that of channels in opposite phase is not zero.

    Args:
        samples: n samples of c channels; what is left at the end is a frame where there is no other.
        rate: samples a second.
    """
    size = max(1, round(rate * FRAME_S))
    whole = len(samples) // size * size
    if not whole:
        return np.array([np.mean(np.square(samples, dtype=np.float64))]) if len(samples) else np.empty(0)
    squares = np.square(samples[:whole], dtype=np.float64).mean(axis=1)
    energies: npt.NDArray[np.float64] = squares.reshape(-1, size).mean(axis=1)
    return energies


def in_db(power: npt.NDArray[np.float64] | float) -> npt.NDArray[np.float64]:
    """Decibels relative to full scale; −120 where there is nothing."""
    level: npt.NDArray[np.float64] = 10 * np.log10(np.maximum(power, _DIGITAL_SILENCE))
    return level


def bandwidth_hz(mono: npt.NDArray[np.float32], rate: int) -> float | None:
    """The highest frequency whose mean power is within 50 dB of the strongest one.

    Frames of 512 samples every 10 ms with a Hann window; of long sounds 3,000 of them, evenly spread.

    Source: NVIDIA NeMo Curator, bandwidth filter (n_fft 512, hop 10 ms, −50 dB).

    Args:
        mono: n samples.
        rate: samples a second.

    Returns:
        Hz; None for fewer than 512 samples, and for silence.
    """
    if len(mono) < _FFT:
        return None
    hop = max(1, round(rate * _HOP_S))
    n_frames = 1 + (len(mono) - _FFT) // hop
    chosen = np.unique(np.linspace(0, n_frames - 1, min(n_frames, _MOST_FRAMES)).astype(np.int64)) * hop
    window = np.hanning(_FFT + 1)[:-1].astype(np.float32)
    power = np.zeros(_FFT // 2 + 1)
    for start in range(0, len(chosen), 256):
        frames = mono[chosen[start : start + 256, None] + np.arange(_FFT)] * window
        power += np.square(np.abs(np.fft.rfft(frames, axis=1))).sum(axis=0)
    power /= len(chosen)
    if power.max() <= _DIGITAL_SILENCE:
        return None
    strong = np.flatnonzero(10 * np.log10(np.maximum(power, 1e-30) / power.max()) > -_BELOW_PEAK_DB)
    return float(strong[-1] * rate / _FFT)
