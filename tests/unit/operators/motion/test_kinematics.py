"""Where joints are: hand-computed poses of two bones, whatever the order of their angles."""

from __future__ import annotations

import numpy as np
import pytest

from winnowry.operators.motion.kinematics import positions_of, rig_of
from winnowry.records.motion import Joint, Motion

ARM = 2.0
RIGHT = 90.0


def chain(channels: tuple[str, ...], *angles: float) -> list[list[float]]:
    """Positions of a root at (1, 0, 0) with angles, and of a joint two to its left along x."""
    names = ("xposition", "yposition", "zposition", *channels)
    joints = (Joint("root", -1, (0.0, 0.0, 0.0), names), Joint("end", 0, (ARM, 0.0, 0.0)))
    motion = Motion(joints, np.array([[1.0, 0.0, 0.0, *angles]]), 0.1)
    placed: list[list[float]] = positions_of(motion, motion.values)[0].round(12).tolist()
    return placed


@pytest.mark.parametrize(
    ("channels", "angles", "end"),
    [
        ((), (), [3.0, 0.0, 0.0]),
        (("zrotation",), (RIGHT,), [1.0, 2.0, 0.0]),
        (("yrotation",), (RIGHT,), [1.0, 0.0, -2.0]),
        (("xrotation",), (RIGHT,), [3.0, 0.0, 0.0]),
        # The first channel is the outermost turn: about z last of all, after y has turned the arm down.
        (("zrotation", "yrotation"), (RIGHT, RIGHT), [1.0, 0.0, -2.0]),
        (("yrotation", "zrotation"), (RIGHT, RIGHT), [1.0, 2.0, 0.0]),
        (("xrotation", "zrotation"), (RIGHT, RIGHT), [1.0, 0.0, 2.0]),
        (("zrotation", "xrotation"), (RIGHT, RIGHT), [1.0, 2.0, 0.0]),
    ],
)
def test_the_first_channel_is_the_outermost_turn(
    channels: tuple[str, ...], angles: tuple[float, ...], end: list[float]
) -> None:
    assert chain(channels, *angles) == [[1.0, 0.0, 0.0], end]


@pytest.mark.parametrize(
    ("axis", "angle", "end"),
    [
        ((0.0, 0.0, 0.0), 0.0, [0.0, 2.0, 0.0]),
        ((0.0, 0.0, 0.0), RIGHT, [0.0, 0.0, 2.0]),  # about x
        ((0.0, 0.0, 90.0), RIGHT, [0.0, 2.0, 0.0]),  # about the bone's own x, which points up as the bone does
        ((0.0, 90.0, 0.0), RIGHT, [2.0, 0.0, 0.0]),  # about its own x, which points along -z
    ],
)
def test_a_bone_turns_about_its_own_axes(axis: tuple[float, float, float], angle: float, end: list[float]) -> None:
    joints = (
        Joint("root", -1, (0.0, 0.0, 0.0), (), (0.0, 0.0, 0.0), "xyz"),
        Joint("bone", 0, (0.0, ARM, 0.0), ("xrotation",), axis, "xyz"),
    )
    motion = Motion(joints, np.array([[angle]]), 0.1)
    assert positions_of(motion, motion.values)[0].round(12).tolist() == [[0.0, 0.0, 0.0], end]


def test_angles_of_a_bone_are_done_in_the_order_of_its_axis_whatever_the_order_of_its_channels() -> None:
    ends = []
    for names, angles in ((("xrotation", "zrotation"), (30.0, 50.0)), (("zrotation", "xrotation"), (50.0, 30.0))):
        bone = Joint("bone", -1, (0.0, ARM, 0.0), names, (0.0, 0.0, 0.0), "xyz")
        tip = Joint("tip", 0, (0.0, ARM, 0.0), (), (0.0, 0.0, 0.0), "xyz")
        motion = Motion((bone, tip), np.array([angles]), 0.1)
        ends.append(positions_of(motion, motion.values)[0, 1].tolist())
    assert ends[0] == ends[1]


def test_a_step_from_one_side_of_the_circle_to_the_other_is_a_small_turn() -> None:
    joint = Joint("root", -1, (0.0, 0.0, 0.0), ("zrotation", "xrotation", "yrotation"))
    same_pose = np.array([[179.0, 0.0, 0.0], [-179.0, 0.0, 0.0], [1.0, 180.0, 180.0], [91.0, 180.0, 180.0]])
    turns = rig_of((joint,)).turns(same_pose, np.pi / 180)[:, 0]
    assert turns.round(6).tolist() == [2.0, 0.0, 90.0]  # 180 about x and y is 180 about z
