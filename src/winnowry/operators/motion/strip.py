"""A clip as eight stick figures in a row: a small drawing that says at a glance what moves."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from winnowry.operators.motion.clips import Frame
from winnowry.operators.motion.kinematics import positions_of
from winnowry.records.motion import Motion

STRIP_BYTES = 8 << 10
"""Most of a strip."""
_FIGURES = 8
_WIDTH_PX, _HEIGHT_PX, _FOOT_PX = 70, 90, 12
_FILLED = 0.9
_MOST_LINES = 40  # of a figure: fingers would take the room of everything else
_INK, _MARKED, _FLOOR = "#135", "#c00", "#999"


def strip(motion: Motion, frame: Frame, marked: int | None = None) -> bytes | None:
    """Eight poses, seen from where most of the movement shows, on one floor line, as SVG; None where nothing has one.

    Args:
        motion: the clip.
        frame: how it lies in the world.
        marked: a frame, counted from 1, whose nearest figure is drawn in red.
    """
    shown = np.unique(np.linspace(0, motion.n_frames - 1, _FIGURES).round().astype(np.int64))
    placed = frame.upright(positions_of(motion, motion.values[shown]))
    side, heights = _seen_from(placed), placed[..., 2]
    if not np.isfinite(heights).any():
        return None
    low = float(np.nanmin(heights))
    extent = max(float(np.nanmax(heights)) - low, _widest(side), 1e-6)
    scale = _HEIGHT_PX * _FILLED / extent
    at = None if marked is None else int(np.abs(shown - (marked - 1)).argmin())
    width = _WIDTH_PX * len(shown)
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {_HEIGHT_PX + _FOOT_PX}" width="{width}" '
        f'height="{_HEIGHT_PX + _FOOT_PX}"><path d="M0 {_HEIGHT_PX}H{width}" stroke="{_FLOOR}"/>'
    )
    parts = [head]
    lines = _lines(motion)
    for number, row in enumerate(shown.tolist()):
        across = side[number]
        middle = _WIDTH_PX * number + _WIDTH_PX / 2
        known = across[np.isfinite(across)]
        x = middle + scale * (across - (float(np.median(known)) if len(known) else 0.0))
        y = _HEIGHT_PX - scale * (heights[number] - low)
        drawn = _figure(x, y, lines)
        ink = _MARKED if number == at else _INK
        parts.append(
            f'<path d="{drawn}" stroke="{ink}" stroke-width="1.5" stroke-linecap="round" fill="none"/>'
            f'<text x="{middle:.0f}" y="{_HEIGHT_PX + _FOOT_PX - 2}" font-size="9" font-family="sans-serif" '
            f'text-anchor="middle" fill="{ink}">{row + 1}</text>'
        )
    made = ("".join(parts) + "</svg>").encode()
    return made if len(made) <= STRIP_BYTES else None


def _seen_from(placed: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Positions along the level axis on which bodies are widest."""
    spreads = []
    for axis in (0, 1):
        values = placed[..., axis]
        known = np.isfinite(values).any(axis=1)
        with np.errstate(invalid="ignore"):
            widths = [float(np.nanmax(row) - np.nanmin(row)) for row in values[known]]
        spreads.append(float(np.median(widths)) if widths else 0.0)
    return placed[..., int(np.argmax(spreads))]


def _widest(side: npt.NDArray[np.float64]) -> float:
    widths = [float(np.nanmax(row) - np.nanmin(row)) for row in side if np.isfinite(row).any()]
    return max(widths, default=0.0) * _HEIGHT_PX / _WIDTH_PX


def _lines(motion: Motion) -> list[tuple[int, int]]:
    """Which places are joined: joints with their parents, the ones nearest to the root first; points with none."""
    if not motion.skeleton:
        return []
    depths: list[int] = []
    for joint in motion.skeleton:
        depths.append(0 if joint.parent < 0 else depths[joint.parent] + 1)
    joined = [(joint.parent, index) for index, joint in enumerate(motion.skeleton) if joint.parent >= 0]
    return sorted(sorted(joined, key=lambda line: depths[line[1]])[:_MOST_LINES])


def _figure(x: npt.NDArray[np.float64], y: npt.NDArray[np.float64], lines: list[tuple[int, int]]) -> str:
    """A path: lines from joint to joint, or a dot for each point."""
    if lines:
        joined = [(a, b) for a, b in lines if np.isfinite([x[a], y[a], x[b], y[b]]).all()]
        drawn: list[str] = []
        last = -1
        for a, b in joined:
            start = "" if a == last else f"M{x[a]:.0f} {y[a]:.0f}"
            drawn.append(f"{start}L{x[b]:.0f} {y[b]:.0f}")
            last = b
        return "".join(drawn)
    seen = np.flatnonzero(np.isfinite(x) & np.isfinite(y))[: 2 * _MOST_LINES]
    return "".join(f"M{x[index]:.0f} {y[index]:.0f}h0" for index in seen)
