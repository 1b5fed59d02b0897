"""``mocap.structure``: what a clip is, and whether it holds together."""

from __future__ import annotations

import math
from typing import Any, Literal

import numpy as np
import pyarrow as pa
from pydantic import Field

from winnowry.operators.base import Operator, Rule
from winnowry.operators.motion.clips import CLIP, as_batch, clips, frame_of, names_of
from winnowry.records.motion import Motion

_LEAST_FRAMES = 2


class MotionStructure(Operator):
    """Write what a clip of captured motion is, and whether its parts fit together.

    Files that do not fit together are refused where they are read; this asks the same of clips from other tables, and
    states what no file does: how large a unit of length is, and which axis points up. Where the file states neither
    they are guessed, and marked as guessed: the unit is the one of m, cm, mm, inches and 1/0.45 inches (CMU) in which
    the body is most nearly 1.7 m, and up is from the feet to the head.

    Writes ``structure_fault`` (string; null where there is none: ``no_values`` where the values fill no whole frames,
    ``no_frames`` with fewer than two, ``not_finite``, ``frame_time``), ``n_joints`` (or points), ``n_channels``
    (numbers a frame), ``fps``, ``missing`` (share of the points that were not seen), ``metres_per_unit``,
    ``unit_from`` (``stated`` or ``guessed``), ``up_axis`` (``x``, ``y``, ``z``, or one with a minus) and ``up_from``;
    after ``as``, if given.
    """

    op: Literal["mocap.structure"] = "mocap.structure"
    sound: bool = Field(default=True, description="whether only clips without a fault of structure are kept")
    max_missing: float | None = Field(
        default=None, ge=0, le=1, description="most of the points that were not seen, as a share; null: any"
    )

    def reads(self) -> pa.Schema:
        """The columns of a clip."""
        return CLIP

    def writes(self) -> pa.Schema:
        """The facts."""
        columns = [
            ("structure_fault", pa.string()),
            ("n_joints", pa.int64()),
            ("n_channels", pa.int64()),
            ("fps", pa.float64()),
            ("missing", pa.float64()),
            ("metres_per_unit", pa.float64()),
            ("unit_from", pa.string()),
            ("up_axis", pa.string()),
            ("up_from", pa.string()),
        ]
        return pa.schema([(self._prefix + name, kind) for name, kind in columns])

    @property
    def _prefix(self) -> str:
        return f"{self.as_}_" if self.as_ is not None else ""

    def rules(self) -> tuple[Rule, ...]:
        """``sound``: no fault; ``max_missing``."""
        rules = []
        if self.sound:
            rules.append(
                Rule(name="sound", column=f"{self._prefix}structure_fault", comparison="==", threshold="", null="keep")
            )
        if self.max_missing is not None:
            rules.append(
                Rule(name="max_missing", column=f"{self._prefix}missing", comparison="<=", threshold=self.max_missing)
            )
        return tuple(rules)

    def apply(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Describe n clips."""
        return as_batch(self.writes(), map(_facts, clips(batch)))


def _facts(motion: Motion | None) -> tuple[Any, ...]:
    if motion is None:
        return ("no_values", *(None,) * 8)
    seen = np.isfinite(motion.values)
    frame = frame_of(motion)
    time = motion.frame_time
    has_time = time is not None and math.isfinite(time) and time > 0
    return (
        _fault(motion, bool(seen.all()), has_time),
        len(names_of(motion)),
        motion.values.shape[1],
        1 / time if time is not None and has_time else None,
        _missing(motion, seen),
        *((None,) * 4 if frame is None else (frame.metres, frame.unit_from, frame.up, frame.up_from)),
    )


def _fault(motion: Motion, is_finite: bool, has_time: bool) -> str | None:
    if motion.n_frames < _LEAST_FRAMES:
        return "no_frames"
    if not has_time:
        return "frame_time"
    if np.isinf(motion.values).any() or (motion.skeleton and not is_finite):
        return "not_finite"
    return None


def _missing(motion: Motion, seen: np.ndarray) -> float | None:
    if motion.skeleton:
        return 0.0
    points = seen.reshape(motion.n_frames, -1, 3).all(axis=2)
    return float(1 - points.mean()) if points.size else None
