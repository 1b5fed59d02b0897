"""What operators on films share: the extra they need, the part of a film that a record is."""

from __future__ import annotations

import importlib.util

import numpy as np
import numpy.typing as npt

from winnowry.operators.media.films import Film
from winnowry.operators.media.views import DecodeError, View

TOLERANCE_S = 0.05
"""Seconds by which a span may go beyond the end of its film."""


def need_video(op: str) -> None:
    """Refuse a recipe whose operator cannot run here.

    Raises:
        ValueError: the extra is missing.
    """
    missing = [name for name in ("av", "PIL", "simplejpeg") if importlib.util.find_spec(name) is None]
    if missing:
        raise ValueError(f"{op} needs {', '.join(missing)}; install it with: pip install 'winnowry[video]'")


def part_of(view: View) -> tuple[Film, float, float, npt.NDArray[np.bool_]]:
    """The film of a record, the seconds at which its part begins and ends, and which frames are in it.

    Raises:
        DecodeError: the film cannot be decoded, or the span is not in it.
    """
    film, span = view.film(), view.span
    length = film.facts.duration_s
    start, end = (0.0, None) if span is None else (span.start, span.end)
    if span is not None and span.unit != "s":
        raise DecodeError(f"a span in {span.unit!r}, expected seconds")
    if start < 0 or start >= length or (end is not None and not start < end <= length + TOLERANCE_S):
        raise DecodeError(f"span {start:g} s to {end or length:g} s, the film has 0 s to {length:.3f} s")
    end = length if end is None else min(end, length)
    return film, start, end, (film.times >= start) & (film.times < end)
