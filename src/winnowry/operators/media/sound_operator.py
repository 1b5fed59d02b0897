"""What operators on sound share: the extra they need, the part of a file that a record is."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from winnowry.operators.media.sounds import Sound
from winnowry.operators.media.views import DecodeError, View

TOLERANCE_S = 0.05
"""Seconds by which a span may go beyond the end of its file: manifests are rounded."""


def need_audio(op: str) -> None:
    """Refuse a recipe whose operator cannot run here.

    Raises:
        ValueError: the extra is missing.
    """
    if importlib.util.find_spec("soundfile") is None:
        raise ValueError(f"{op} needs soundfile; install it with: pip install 'winnowry[audio]'")


@dataclass(frozen=True)
class Part:
    """The part of a decoded file that a record is.

    Attributes:
        sound: the whole file.
        start: seconds.
        end: seconds; not beyond the end of the file.
        samples: float32, n samples of c channels.
    """

    sound: Sound
    start: float
    end: float
    samples: npt.NDArray[np.float32]

    @property
    def duration_ms(self) -> int:
        """Length in milliseconds, rounded."""
        return round(len(self.samples) * 1000 / self.sound.facts.rate_hz)


def part_of(view: View, tolerance_s: float = TOLERANCE_S) -> Part:
    """The samples of a record.

    Args:
        view: of the record.
        tolerance_s: by how much its span may go beyond the end of the file, where it then ends.

    Raises:
        DecodeError: the file cannot be decoded, or the span is not in it.
    """
    sound = view.sound()
    length, span = sound.facts.duration_s, view.span
    start, end = (0.0, None) if span is None else (span.start, span.end)
    if span is not None and span.unit != "s":
        raise DecodeError(f"a span in {span.unit!r}, expected seconds")
    if end is not None and end > length + tolerance_s:
        raise DecodeError(f"span {start:g} s to {end:g} s, the file ends at {length:.3f} s")
    samples = sound.between(start, end)
    if start < 0 or not len(samples):
        raise DecodeError(
            f"span {start:g} s to {length if end is None else end:g} s, the file has 0 s to {length:.3f} s"
        )
    return Part(sound, start, length if end is None else min(end, length), samples)
