"""Where one shot of a film ends and the next begins: cuts, dissolves and fades."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from winnowry.operators.media.films import Film

_HALF_WINDOW_S = 0.25
_NOTHING = 1e-5
_MOST = 255.0


def cuts(film: Film, *, adaptive: float, window: int, min_scene_s: float, min_change: float) -> list[int]:
    """Frames at which the picture changes much more than around them.

    Args:
        film: n frames.
        adaptive: change of a frame over the mean change of its neighbours, from which it is a cut.
        window: neighbours on each side.
        min_scene_s: least seconds between two cuts.
        min_change: least change of a cut, in grey levels.

    Returns:
        Numbers of frames, ascending: each is the first of a shot.

    Source: PySceneDetect, AdaptiveDetector; 3.5, 3 and 0.6 s are the best of its own sweep over three test sets.
    """
    change = film.changes
    n = len(change)
    starts: list[int] = []
    begun = 0.0
    for frame in np.flatnonzero(change >= min_change).tolist():
        first, last = max(1, frame - window), min(n, frame + window + 1)
        around = (change[first:last].sum() - change[frame]) / max(1, last - first - 1)
        ratio = change[frame] / around if around > _NOTHING else _MOST
        if frame and ratio >= adaptive and film.times[frame] - begun >= min_scene_s:
            starts.append(frame)
            begun = float(film.times[frame])
    return starts


def dissolves(film: Film, hard: list[int], *, straight: float, min_change: float) -> list[int]:
    """Frames in the middle of a dissolve or a fade: in half a second the picture goes far, and straight there.

    Motion takes a longer way to the same difference: its path, frame by frame, is longer than the distance.

    Args:
        film: n frames.
        hard: cuts; nothing around them is a dissolve.
        straight: least distance over path.
        min_change: least distance, in grey levels.
    """
    small, n = film.small.astype(np.float32), len(film.times)
    usual = float(np.median(np.diff(film.times))) if n > 1 else 1.0
    half = max(2, round(_HALF_WINDOW_S / usual))
    if n < 2 * half + 1:
        return []
    path = np.concatenate([[0.0], np.cumsum(np.abs(np.diff(small, axis=0)).mean(axis=1))])
    distance = np.abs(small[2 * half :] - small[: -2 * half]).mean(axis=1)
    going = (distance >= min_change) & (distance >= straight * (path[2 * half :] - path[: -2 * half]))
    for cut in hard:
        going[max(0, cut - 2 * half - 1) : cut + 1] = False
    return [first + (last - first) // 2 + half for first, last in _runs(going, half)]


def _runs(flags: npt.NDArray[np.bool_], apart: int) -> list[tuple[int, int]]:
    """First and last of each run of true values; runs that are closer than ``apart`` are one."""
    at = np.flatnonzero(flags)
    if not len(at):
        return []
    parts = np.split(at, np.flatnonzero(np.diff(at) > apart) + 1)
    return [(int(part[0]), int(part[-1])) for part in parts]
