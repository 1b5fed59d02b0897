"""One channel of several: what is listened to for speech, bandwidth and levels of a whole recording.

The mean of the channels is silence where one of them is wired the other way round, and 6 dB too low where one is dead.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Samples = npt.NDArray[np.float32]

_EMPTY_DB = 60.0
"""A channel that is this far below the loudest one carries nothing."""


class Mono(NamedTuple):
    """One channel of a recording.

    Attributes:
        samples: n samples.
        used: ``mono``, ``mean``, or ``channel 1`` and so on.
        empty_channels: channels that carry nothing beside another one that does.
        correlation: of the first two channels, −1 to 1; None for one channel, and where one of them is empty.
    """

    samples: Samples
    used: str
    empty_channels: int
    correlation: float | None


def mono_of(samples: Samples) -> Mono:
    """The mean of the channels that carry something; the loudest one where the mean would cancel them out.

    It cancels them where it holds less than half of the energy that unrelated channels would leave in it; of two
    channels that is a correlation below −0.5.

    Args:
        samples: n samples of c channels.
    """
    n, channels = samples.shape
    if channels == 1 or not n:
        return Mono(np.ascontiguousarray(samples[:, 0]), "mono" if channels == 1 else "mean", 0, None)
    power = np.square(samples, dtype=np.float64).mean(axis=0)
    carrying = np.flatnonzero(power > power.max() * 10 ** (-_EMPTY_DB / 10))
    empty = int(channels - len(carrying)) if power.max() > 0 else 0
    loudest = int(power.argmax())
    correlation = _correlation(samples[:, 0], samples[:, 1]) if {0, 1} <= set(carrying.tolist()) else None
    if len(carrying) <= 1:
        used = "mean" if not len(carrying) else f"channel {loudest + 1}"
        return Mono(np.ascontiguousarray(samples[:, loudest]), used, empty, correlation)
    mean = samples[:, carrying].mean(axis=1, dtype=np.float32)
    left = float(np.square(mean, dtype=np.float64).mean())
    if left < float(power[carrying].mean()) / (2 * len(carrying)):
        return Mono(np.ascontiguousarray(samples[:, loudest]), f"channel {loudest + 1}", empty, correlation)
    return Mono(mean, "mean", empty, correlation)


def _correlation(one: Samples, other: Samples) -> float | None:
    a, b = one.astype(np.float64), other.astype(np.float64)
    a -= a.mean()
    b -= b.mean()
    scale = float(np.sqrt(np.dot(a, a) * np.dot(b, b)))
    return float(np.dot(a, b)) / scale if scale > 0 else None
