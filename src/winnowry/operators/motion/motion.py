"""``mocap.motion``: whether a clip moves as a body does."""

from __future__ import annotations

from typing import Any, Literal

import pyarrow as pa
from pydantic import Field

from winnowry.operators.base import Operator, Rule
from winnowry.operators.motion.clips import CLIP, as_batch, clips, frame_of
from winnowry.operators.motion.movement import movement_of
from winnowry.operators.motion.strip import strip
from winnowry.records.motion import Motion

THUMBNAIL = "thumbnail"
_JUMP_RATIO = 25.0
_COLUMNS = (
    ("step_deg", pa.float64()),
    ("step_at", pa.string()),
    ("wraps", pa.int64()),
    ("turn_deg", pa.float64()),
    ("jump_ratio", pa.float64()),
    ("jump_frame", pa.int64()),
    ("frozen_frames", pa.int64()),
    ("frozen_frame", pa.int64()),
    ("slide_mps", pa.float64()),
    ("below_floor_m", pa.float64()),
    ("length_change", pa.float64()),
    ("t_pose", pa.float64()),
)


class MotionMeasure(Operator):
    """Measure how a clip of captured motion moves, and draw it as eight stick figures.

    Places are computed from the angles (forward kinematics, with each joint's own order of rotations), in metres, with
    the unit and the up axis that the file states or that are guessed as ``mocap.structure`` guesses them.

    Writes, null where a clip has nothing that they could be measured of: ``step_deg`` (largest change of an angle from
    one frame to the next, roots left out) and ``step_at`` (the joint, its channel, and the later frame, from 1);
    ``wraps`` (changes beyond 170 degrees in joints whose angles never go round: bones of ASF files, and joints with
    one or two angles; three angles of one joint have several writings of each pose); ``turn_deg`` (largest rotation of
    a joint from one frame to the next, whatever its angles say, roots left out); ``jump_ratio`` (largest acceleration
    of a joint over the median of the largest ones of all frames, which counts as at least 10 m/s²) and ``jump_frame``;
    ``frozen_frames`` (most steps in a row in which no number changes) and ``frozen_frame``; ``slide_mps`` (mean speed
    over the floor of the foot that moves least, while one is within 5 cm of where it stands; feet are known by their
    names); ``below_floor_m`` (how far the lowest part goes below the floor, which is where the lowest part is most of
    the time); ``length_change`` (largest change, as a share, of a length that should not change: bones, or the
    distance of points that keep it most of the time); ``t_pose`` (share of frames with both arms held out sideways);
    ``thumbnail`` (SVG of at most 8 KiB, the figure next to a jump beyond 25 in red).

    Source of the thresholds: measured on clips of the CMU database and of public C3D files, which lie below all of
    them but for known faults; a human joint turns less than 170 degrees within a frame of 1/30 s.
    """

    COST = "costly"

    op: Literal["mocap.motion"] = "mocap.motion"
    max_frozen_frames: int | None = Field(
        default=10, ge=0, description="most steps in a row in which nothing moves; null: any"
    )
    max_turn_deg: float | None = Field(
        default=170.0, gt=0, description="most that a joint turns from one frame to the next, in degrees; null: any"
    )
    max_wraps: int | None = Field(
        default=0, ge=0, description="most changes beyond 170 degrees in joints whose angles never go round; null: any"
    )
    max_length_change: float | None = Field(
        default=0.5, gt=0, description="most change of a length that should not change, as a share; null: any"
    )
    max_below_floor_m: float | None = Field(
        default=0.2, gt=0, description="most depth of the lowest part below the floor, in metres; null: any"
    )
    max_slide_mps: float | None = Field(
        default=0.5, gt=0, description="most speed of a standing foot over the floor, in metres a second; null: any"
    )
    max_jump_ratio: float | None = Field(
        default=_JUMP_RATIO, gt=0, description="most of the largest acceleration over the usual one; null: any"
    )
    max_t_pose: float | None = Field(
        default=None, ge=0, le=1, description="most of the frames in a T-pose, as a share; null: any"
    )

    def reads(self) -> pa.Schema:
        """The columns of a clip."""
        return CLIP

    def writes(self) -> pa.Schema:
        """The measures, and the strip."""
        named = [(self._prefix + name, kind) for name, kind in _COLUMNS]
        return pa.schema([*named, (self._prefix + THUMBNAIL, pa.binary())])

    @property
    def _prefix(self) -> str:
        return f"{self.as_}_" if self.as_ is not None else ""

    def rules(self) -> tuple[Rule, ...]:
        """One for each limit that is set; what cannot be measured fails none.

        The first that a clip fails is the reason it is left out for, so those that say most come first: what stands
        still and goes on jumps, too.
        """
        return tuple(
            Rule(
                name=name,
                column=self._prefix + name.removeprefix("max_"),
                comparison="<=",
                threshold=getattr(self, name),
                null="keep",
            )
            for name in type(self).model_fields
            if name.startswith("max_") and getattr(self, name) is not None
        )

    def apply(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Measure n clips, each by itself."""
        return as_batch(self.writes(), map(self._values, clips(batch)))

    def _values(self, motion: Motion | None) -> tuple[Any, ...]:
        if motion is None or motion.n_frames == 0:
            return (None,) * (len(_COLUMNS) + 1)
        frame = frame_of(motion)
        moved = movement_of(motion, frame)
        jumps = moved.jump_ratio is not None and moved.jump_ratio > _JUMP_RATIO
        drawn = strip(motion, frame, moved.jump_frame if jumps else None) if frame is not None else None
        return (*(getattr(moved, name) for name, _ in _COLUMNS), drawn)
