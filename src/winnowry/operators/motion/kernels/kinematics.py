"""Where the joints of a skeleton are, from its angles."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from winnowry.core.compile import kernel

Float64s = npt.NDArray[np.float64]
Int64s = npt.NDArray[np.int64]


@kernel
def turn(rotation: Float64s, axis: int, angle: float) -> None:
    """Multiply a rotation from the right by one about an axis; radians."""
    cosine, sine = math.cos(angle), math.sin(angle)
    first, second = (axis + 1) % 3, (axis + 2) % 3
    for row in range(3):
        a, b = rotation[row, first], rotation[row, second]
        rotation[row, first] = cosine * a + sine * b
        rotation[row, second] = cosine * b - sine * a


@kernel
def product(left: Float64s, right: Float64s, out: Float64s) -> None:
    """The product of two 3 × 3 matrices, neither of which is the result."""
    for row in range(3):
        for column in range(3):
            out[row, column] = (
                left[row, 0] * right[0, column] + left[row, 1] * right[1, column] + left[row, 2] * right[2, column]
            )


@kernel
def place(
    values: Float64s,
    radians: float,
    parents: Int64s,
    offsets: Float64s,
    rests: Float64s,
    is_bone: npt.NDArray[np.bool_],
    turn_starts: Int64s,
    turn_columns: Int64s,
    turn_axes: Int64s,
    shift_columns: Int64s,
    positions: Float64s,
) -> None:
    """Positions of all joints in every frame, in the units and axes of the file.

    Args:
        values: n frames of c channels.
        radians: of one unit of an angle.
        parents: of m joints, -1 for a root; each lies behind its parent.
        offsets: m × 3.
        rests: m × 3 × 3, the axes of bones.
        is_bone: whether an offset is the bone itself, which turns with the joint, and not the way to it.
        turn_starts: m + 1; of each joint its first turn.
        turn_columns: of each turn the channel; the outermost turn of a joint comes first.
        turn_axes: of each turn its axis.
        shift_columns: m × 3, the channels that take the place of an offset, or -1.
        positions: n × m × 3, filled.
    """
    n_joints = len(parents)
    globally = np.empty((n_joints, 3, 3))
    local, turned, back = np.empty((3, 3)), np.empty((3, 3)), np.empty((3, 3))
    way = np.empty(3)
    for frame in range(len(values)):
        for joint in range(n_joints):
            local[:] = 0.0
            local[0, 0] = local[1, 1] = local[2, 2] = 1.0
            for index in range(turn_starts[joint], turn_starts[joint + 1]):
                turn(local, turn_axes[index], values[frame, turn_columns[index]] * radians)
            if is_bone[joint]:
                product(rests[joint], local, turned)
                for row in range(3):
                    for column in range(3):
                        back[row, column] = rests[joint, column, row]
                product(turned, back, local)
            for axis in range(3):
                column = shift_columns[joint, axis]
                way[axis] = offsets[joint, axis] if column < 0 else values[frame, column]
            parent = parents[joint]
            if parent < 0:
                globally[joint] = local
                for axis in range(3):
                    positions[frame, joint, axis] = way[axis]
                continue
            product(globally[parent], local, globally[joint])
            along = joint if is_bone[joint] else parent
            for axis in range(3):
                positions[frame, joint, axis] = positions[frame, parent, axis] + (
                    globally[along, axis, 0] * way[0]
                    + globally[along, axis, 1] * way[1]
                    + globally[along, axis, 2] * way[2]
                )


@kernel
def turns(
    values: Float64s, radians: float, turn_starts: Int64s, turn_columns: Int64s, turn_axes: Int64s, angles: Float64s
) -> None:
    """How far each joint turns from one frame to the next: the angle of the rotation between them, in radians.

    It does not depend on how angles are written: a step from 179 to -179 degrees is one of 2.

    Args:
        values: n frames of c channels.
        radians: of one unit of an angle.
        turn_starts: m + 1; of each joint its first turn.
        turn_columns: of each turn the channel.
        turn_axes: of each turn its axis.
        angles: (n - 1) × m, filled.
    """
    n_joints = len(turn_starts) - 1
    now, before = np.empty((3, 3)), np.empty((3, 3))
    for joint in range(n_joints):
        for frame in range(len(values)):
            now[:] = 0.0
            now[0, 0] = now[1, 1] = now[2, 2] = 1.0
            for index in range(turn_starts[joint], turn_starts[joint + 1]):
                turn(now, turn_axes[index], values[frame, turn_columns[index]] * radians)
            if frame > 0:
                trace = 0.0
                for row in range(3):
                    for column in range(3):
                        trace += now[row, column] * before[row, column]
                angles[frame - 1, joint] = math.acos(min(1.0, max(-1.0, (trace - 1.0) / 2.0)))
            before[:] = now
