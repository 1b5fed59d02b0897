"""BVH files: joints, each with its own order of rotations, and every way in which a file does not fit together."""

from __future__ import annotations

import gzip
import io

import numpy as np
import pytest

from tests.motion_files import march
from winnowry.records.motion import Joint, Motion, motion_of
from winnowry.records.motion_files import bvh_of
from winnowry.sources.base import ReadLimits, Record, Unreadable
from winnowry.sources.bvh import Bvh

SMALL = """\
HIERARCHY
ROOT Hips
{
  OFFSET 0.0 0.0 0.0
  CHANNELS 6 Xposition Yposition Zposition Zrotation Xrotation Yrotation
  JOINT Bip01 L Thigh
  {
    OFFSET 1.5 -2e-1 .5
    CHANNELS 3 Yrotation Xrotation Zrotation
    End Site
    {
      OFFSET 0 -40 0
    }
  }
}
MOTION
Frames: 2
Frame Time: 0.0333333
1 2 3 4 5 6 7 8 9
-1.2e-05 0 -0 +4 .5 6. 123456789.123456789 1e-30 9
"""


def read(data: bytes | str, **options: object) -> Record | Unreadable:
    octets = data.encode() if isinstance(data, str) else data
    (item,) = Bvh(**options).read(io.BytesIO(octets), "landing/anna/walk_01.bvh", ReadLimits())
    return item


def clip(item: Record | Unreadable) -> Motion:
    assert isinstance(item, Record), item
    assert item.columns is not None
    motion = motion_of(item.columns)
    assert motion is not None
    return motion


def test_joints_keep_their_names_parents_offsets_and_the_order_of_their_channels() -> None:
    motion = clip(read(SMALL))
    assert [(joint.name, joint.parent, joint.offset, joint.channels) for joint in motion.skeleton] == [
        (
            "Hips",
            -1,
            (0.0, 0.0, 0.0),
            ("xposition", "yposition", "zposition", "zrotation", "xrotation", "yrotation"),
        ),
        ("Bip01 L Thigh", 0, (1.5, -0.2, 0.5), ("yrotation", "xrotation", "zrotation")),
        ("Bip01 L Thigh End", 1, (0.0, -40.0, 0.0), None),
    ]
    assert (motion.frame_time, motion.n_frames, motion.unit, motion.up) == (0.0333333, 2, None, None)


def test_numbers_are_those_that_python_reads() -> None:
    lines = SMALL.splitlines()[-2:]
    assert clip(read(SMALL)).values.tolist() == [[float(word) for word in line.split()] for line in lines]


def test_what_is_said_in_the_recipe_is_stated_and_the_subject_comes_from_the_path() -> None:
    motion = clip(read(SMALL, unit="cm", up="y", subject=r"/(\w+)/walk_"))
    assert (motion.unit, motion.up, motion.group) == ("cm", "y", "anna")
    item = read(SMALL, subject=r"/(\w+)/walk_")
    assert isinstance(item, Record)
    assert item.text == "walk_01.bvh: subject anna, 2 frames, 0.1 s, 3 joints"


@pytest.mark.parametrize("pattern", ["(", "anna", "(a)(b)"])
def test_a_pattern_of_subjects_has_one_group(pattern: str) -> None:
    with pytest.raises(ValueError, match=r"regular expression|groups"):
        Bvh(subject=pattern)


def test_a_clip_written_and_read_again_has_the_same_joints_and_floats() -> None:
    motion = march(20)
    motion.values[3, 4:7] = (0.1 + 0.2, 1e-17, -123456789.12345679)
    again = clip(read(bvh_of(motion)))
    assert again.skeleton == motion.skeleton
    assert again.frame_time == motion.frame_time
    assert np.array_equal(again.values, motion.values)


def test_numbers_are_written_in_the_order_of_the_hierarchy() -> None:
    names, parents = ("root", "left", "right", "left foot"), (-1, 0, 0, 1)
    joints = [Joint(name, parent, (0.0, 0.0, 0.0), ("xrotation",)) for name, parent in zip(names, parents, strict=True)]
    again = clip(read(bvh_of(Motion(tuple(joints), np.array([[1.0, 2.0, 3.0, 4.0]]), 0.1))))
    assert [joint.name for joint in again.skeleton] == ["root", "left", "left foot", "right"]
    assert again.values.tolist() == [[1.0, 2.0, 4.0, 3.0]]


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.replace("\n", "\r\n"),
        lambda text: text.rstrip("\n"),
        lambda text: "\ufeff" + text,
        lambda text: text.replace("HIERARCHY", "Hierarchy").replace("ROOT", "root").replace("MOTION", "Motion"),
        lambda text: text.replace("Frames: 2", "Frames:\t2 ").replace("Frame Time: ", "Frame  Time:\t"),
        lambda text: text.replace("5 6 7", "5\t6   7 "),
        lambda text: text + "\n\n  \n",
        lambda text: text.replace("4 5 6 7 8 9", "4 5 6\n7 8 9").replace("+4 .5 6. ", "+4 .5 6.\n"),  # wrapped alike
    ],
)
def test_white_space_and_case_mean_nothing(change: object) -> None:
    assert callable(change)
    assert clip(read(change(SMALL))).values[0].tolist() == [1, 2, 3, 4, 5, 6, 7, 8, 9]


def test_a_packed_file_is_read_as_the_plain_one() -> None:
    assert np.array_equal(clip(read(gzip.compress(SMALL.encode()))).values, clip(read(SMALL)).values)


BROKEN = [
    ("", "file_empty", None),
    ("\n \n", "file_empty", None),
    ("\0" * 2000, "file_empty", None),
    (SMALL.partition("MOTION")[0], "no_motion", None),
    (SMALL.replace("HIERARCHY", "HIERACHY"), "no_hierarchy", "'HIERACHY'"),
    (SMALL.replace("    }\n", "", 1), "braces", "1 joints are not closed"),
    (SMALL.replace("ROOT Hips\n{", "ROOT Hips\n{\n}\n}"), "braces", "'}' behind 'Hips'"),
    (SMALL.replace("End Site\n    {", "End Site\n"), "braces", None),
    (SMALL.replace("JOINT Bip01 L Thigh", "ROOT Thigh"), "roots", "2 roots"),
    (SMALL.replace("ROOT", "JOINT", 1), "braces", None),
    (SMALL.replace("CHANNELS 3 Yrotation", "CHANNELS 3 Wrotation"), "channel_unknown", "'wrotation' behind"),
    (SMALL.replace("3 Yrotation Xrotation", "3 Xrotation Xrotation"), "channel_unknown", "'xrotation'"),
    (SMALL.replace("CHANNELS 3", "CHANNELS three"), "channel_unknown", "CHANNELS three"),
    (SMALL.replace("CHANNELS 3", "CHANNELS 2"), "word_unknown", "'Zrotation'"),
    (SMALL.replace("OFFSET 0 -40 0", "OFFSET 0 -40"), "offset", "0 -40 }"),
    (SMALL.replace("OFFSET 0 -40 0", "OFFSET 0 nan 0"), "offset", "nan"),
    (SMALL.replace("Bip01 L Thigh", "Hips"), "joint_twice", "'Hips'"),
    (SMALL.replace("Hips", "Hüfte").encode("latin-1"), "bad_utf8", None),
    (SMALL.replace("Frames: 2\n", ""), "no_frame_count", None),
    (SMALL.replace("Frames: 2", "Frames: many"), "no_frame_count", "many"),
    (SMALL.replace("Frames: 2", "Frames: 0"), "no_frames", None),
    (SMALL.replace("0.0333333", "0"), "frame_time", "0"),
    (SMALL.replace("0.0333333", "-0.03"), "frame_time", "-0.03"),
    (SMALL.replace("0.0333333", "nan"), "frame_time", "nan"),
    (SMALL.replace("0.0333333", "fast"), "frame_time", "fast"),
    (SMALL.replace("Frames: 2", "Frames: 3"), "frames_differ", "2 frames of 9 numbers"),
    (SMALL.replace("Frames: 2", "Frames: 1"), "frames_differ", "more frames"),
    (SMALL.replace("Frames: 2", "Frames: 99999999999999"), "frames_differ", "2 frames"),
    (SMALL[: SMALL.rindex("\n1 2")] + "\n", "frames_differ", "0 frames"),
    (SMALL[: SMALL.rindex(" 1e-30")], "frames_differ", "1.78 frames"),
    (SMALL.replace("1 2 3 4", "1 2 3", 1) + "1\n", "value_count", "frame 1: its line"),
    (SMALL.replace(".5 6. 1234", "0.0-7.5 6. 1234"), "not_a_number", "'0.0-7.5' in frame 2"),
    (SMALL.replace("1 2 3 4", "1 2 3,5 4", 1), "not_a_number", "'3,5' in frame 1"),
    (SMALL.replace("1 2 3 4", "1 2 1_000 4", 1), "not_a_number", "'1_000'"),
    (SMALL.replace("1 2 3 4", "1 2 nan 4", 1), "not_finite", "'nan' in frame 1"),
    (SMALL.replace("1 2 3 4", "1 2 -Infinity 4", 1), "not_finite", "'-Infinity'"),
    (SMALL.replace("1 2 3 4", "1 2 1e999 4", 1), "not_finite", "beyond all doubles in frame 1"),
]


@pytest.mark.parametrize(("data", "reason", "value"), BROKEN, ids=[f"{n}-{one[1]}" for n, one in enumerate(BROKEN)])
def test_a_file_that_does_not_fit_together_is_refused_with_the_place(
    data: bytes | str, reason: str, value: str | None
) -> None:
    item = read(data)
    assert isinstance(item, Unreadable)
    assert (item.operator, item.reason) == ("source.bvh", reason)
    assert value is None or (item.value is not None and value in item.value)


def test_a_skeleton_deeper_than_any_body_is_refused_before_it_takes_the_machine() -> None:
    deep = "".join(f"JOINT j{n}\n{{\nOFFSET 0 0 0\nCHANNELS 1 Xrotation\n" for n in range(300))
    head = "HIERARCHY\nROOT r\n{\nOFFSET 0 0 0\nCHANNELS 1 Xrotation\n"
    item = read(f"{head}{deep}{'}' * 301}\nMOTION\nFrames: 1\nFrame Time: 1\n0\n")
    assert isinstance(item, Unreadable)
    assert item.reason == "too_deep"
