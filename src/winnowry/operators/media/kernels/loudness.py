"""Loudness of ITU-R BS.1770-4: K-weighted, gated, in LUFS."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from winnowry.operators.text.kernels.compile import kernel

Filter = tuple[float, float, float, float, float]
"""b0, b1, b2, a1, a2 of a section, a0 being 1."""

_STEPS = 10  # a second: blocks of 400 ms that overlap by 75 %
_STEPS_OF_BLOCK = 4
_OFFSET_DB = -0.691
_ABSOLUTE_GATE_LUFS = -70.0
_RELATIVE_GATE_LU = -10.0
_WEIGHTS = {5: (1.0, 1.0, 1.0, 1.41, 1.41), 6: (1.0, 1.0, 1.0, 0.0, 1.41, 1.41)}
"""Of the channels of 5.0 and 5.1; the subwoofer does not count. Of all others: 1."""


def integrated_loudness(samples: npt.NDArray[np.float32], rate: int) -> float | None:
    """Loudness of a whole programme.

    The filters are those of the recommendation for 48 kHz, derived for other rates from the same analogue ones.

    Args:
        samples: n samples of c channels.
        rate: samples a second.

    Returns:
        LUFS; None for less than 400 ms, and where no block is louder than −70 LUFS.
    """
    n_steps = len(samples) * _STEPS // rate
    if n_steps < _STEPS_OF_BLOCK:
        return None
    ends = np.arange(1, n_steps + 1) * rate // _STEPS
    weights = _WEIGHTS.get(samples.shape[1], (1.0,) * samples.shape[1])
    shelf, high_pass = k_weighting(rate)
    power = np.zeros(n_steps)
    for channel, weight in enumerate(weights):
        if weight:
            power += weight * _step_energy(np.ascontiguousarray(samples[:, channel]), ends, *shelf, *high_pass)
    sizes = np.diff(ends, prepend=0)
    blocks = _running(power) / _running(sizes.astype(np.float64))
    loud = blocks[_lufs(blocks) > _ABSOLUTE_GATE_LUFS]
    if not len(loud):
        return None
    gate = float(_lufs(loud.mean())) + _RELATIVE_GATE_LU
    return float(_lufs(loud[_lufs(loud) > gate].mean()))


def k_weighting(rate: int) -> tuple[Filter, Filter]:
    """The two sections of the K filter: the head as a shelf, and a high pass.

    Source: BS.1770-4, tables 1 and 2; centre frequencies, gains and qualities of the analogue filters behind them as
    in libebur128 (MIT) and pyloudnorm (Steinmetz and Reiss, AES 150, 2021).
    """
    k = math.tan(math.pi * 1681.974450955533 / rate)
    quality, gain = 0.7071752369554196, 10 ** (3.999843853973347 / 20)
    middle = gain**0.4996667741545416
    a0 = 1 + k / quality + k * k
    shelf = (
        (gain + middle * k / quality + k * k) / a0,
        2 * (k * k - gain) / a0,
        (gain - middle * k / quality + k * k) / a0,
        2 * (k * k - 1) / a0,
        (1 - k / quality + k * k) / a0,
    )
    k = math.tan(math.pi * 38.13547087602444 / rate)
    quality = 0.5003270373238773
    a0 = 1 + k / quality + k * k
    return shelf, (1.0, -2.0, 1.0, 2 * (k * k - 1) / a0, (1 - k / quality + k * k) / a0)


def _running(steps: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Sums of four steps that follow one another."""
    return np.convolve(steps, np.ones(_STEPS_OF_BLOCK), "valid")


def _lufs(power: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return _OFFSET_DB + 10 * np.log10(np.maximum(power, 1e-30))


@kernel
def _step_energy(  # type: ignore[no-untyped-def]
    samples: npt.NDArray[np.float32], ends: npt.NDArray[np.int64],
    b0, b1, b2, a1, a2, c0, c1, c2, d1, d2,
) -> npt.NDArray[np.float64]:  # fmt: skip
    """Sum of squares of the filtered samples of each step."""
    energy = np.zeros(len(ends))
    s1 = s2 = t1 = t2 = 0.0
    at = 0
    for step in range(len(ends)):
        total = 0.0
        while at < ends[step]:
            x = samples[at]
            y = b0 * x + s1
            s1 = b1 * x - a1 * y + s2
            s2 = b2 * x - a2 * y
            z = c0 * y + t1
            t1 = c1 * y - d1 * z + t2
            t2 = c2 * y - d2 * z
            total += z * z
            at += 1
        energy[step] = total
    return energy
