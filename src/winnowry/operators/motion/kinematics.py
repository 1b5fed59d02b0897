"""Poses of a clip: where its joints or points are, frame by frame."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from winnowry.records.motion import POSITIONS, ROTATIONS, Joint, Motion

Float64s = npt.NDArray[np.float64]
BLOCK_FRAMES = 4_096
"""Frames of which all joints are in memory at once."""


@dataclass(frozen=True)
class Rig:
    """A skeleton as the compiled loops take it; see :func:`~winnowry.operators.motion.kernels.kinematics.place`."""

    parents: npt.NDArray[np.int64]
    offsets: Float64s
    rests: Float64s
    is_bone: npt.NDArray[np.bool_]
    turn_starts: npt.NDArray[np.int64]
    turn_columns: npt.NDArray[np.int64]
    turn_axes: npt.NDArray[np.int64]
    shift_columns: npt.NDArray[np.int64]
    turn_joints: npt.NDArray[np.int64]

    @property
    def n_joints(self) -> int:
        """Its joints, the ends of limbs among them."""
        return len(self.parents)

    def positions(self, values: Float64s, radians: float) -> Float64s:
        """Positions of all joints: frames × joints × 3, in the units and axes of the file.

        Args:
            values: frames × channels.
            radians: of one unit of an angle.
        """
        from winnowry.operators.motion.kernels.kinematics import place

        placed = np.empty((len(values), self.n_joints, 3))
        place(
            np.ascontiguousarray(values),
            radians,
            self.parents,
            self.offsets,
            self.rests,
            self.is_bone,
            self.turn_starts,
            self.turn_columns,
            self.turn_axes,
            self.shift_columns,
            placed,
        )
        return placed

    def turns(self, values: Float64s, radians: float) -> Float64s:
        """How far each joint turns from one frame to the next, in degrees: (frames - 1) × joints.

        Args:
            values: frames × channels.
            radians: of one unit of an angle.
        """
        from winnowry.operators.motion.kernels.kinematics import turns

        angles = np.zeros((max(0, len(values) - 1), self.n_joints))
        turns(np.ascontiguousarray(values), radians, self.turn_starts, self.turn_columns, self.turn_axes, angles)
        return np.degrees(angles)


@lru_cache(maxsize=64)
def rig_of(skeleton: tuple[Joint, ...]) -> Rig:
    """The rig of a skeleton."""
    n_joints = len(skeleton)
    shifts = np.full((n_joints, 3), -1, np.int64)
    columns: list[int] = []
    axes: list[int] = []
    joints: list[int] = []
    starts = [0]
    rests = np.tile(np.eye(3), (n_joints, 1, 1))
    first = 0
    for index, joint in enumerate(skeleton):
        names = joint.channels or ()
        turns = [name for name in names if name in ROTATIONS]
        if joint.axis is not None:
            order = joint.axis_order or "xyz"
            rests[index] = _rotation(joint.axis, order)
            turns.sort(key=lambda name: -order.index(name[0]))
        for name in turns:
            columns.append(first + names.index(name))
            axes.append(ROTATIONS.index(name))
            joints.append(index)
        for axis, name in enumerate(POSITIONS):
            if name in names:
                shifts[index, axis] = first + names.index(name)
        starts.append(len(columns))
        first += len(names)
    return Rig(
        np.array([joint.parent for joint in skeleton], np.int64),
        np.array([joint.offset for joint in skeleton], np.float64).reshape(n_joints, 3),
        rests,
        np.array([joint.axis is not None for joint in skeleton], np.bool_),
        np.array(starts, np.int64),
        np.array(columns, np.int64),
        np.array(axes, np.int64),
        shifts,
        np.array(joints, np.int64),
    )


def blocks(motion: Motion, overlap: int = 0) -> Iterator[tuple[int, Float64s]]:
    """Positions of a clip, some frames at a time: the first frame of each block, and frames × joints × 3.

    Args:
        motion: the clip, in the units of its file.
        overlap: frames of the block before that each further block begins with.
    """
    first = 0
    while first < motion.n_frames:
        begin = max(0, first - overlap)
        values = motion.values[begin : first + BLOCK_FRAMES]
        yield begin, positions_of(motion, values)
        first += BLOCK_FRAMES


def positions_of(motion: Motion, values: Float64s) -> Float64s:
    """Positions in some frames of a clip: frames × joints or points × 3."""
    if not motion.skeleton:
        return values.reshape(len(values), -1, 3)[:, list(motion.places)]
    return rig_of(motion.skeleton).positions(values, radians_of(motion))


def radians_of(motion: Motion) -> float:
    """Radians of one unit of the angles of a clip."""
    return 1.0 if motion.in_radians else math.pi / 180


def _rotation(angles: Sequence[float], order: str) -> Float64s:
    """A rotation by degrees about x, y and z, of which the first in the order is done first."""
    made = np.eye(3)
    for name in order:
        axis = "xyz".index(name)
        cosine, sine = math.cos(math.radians(angles[axis])), math.sin(math.radians(angles[axis]))
        one = np.eye(3)
        first, second = (axis + 1) % 3, (axis + 2) % 3
        one[first, first] = one[second, second] = cosine
        one[first, second], one[second, first] = -sine, sine
        made = one @ made
    return made
