"""AMC files with the skeleton beside them: what is read, and every way in which the two do not fit together."""

from __future__ import annotations

import io
from collections.abc import Mapping

import numpy as np
import pytest

from tests.motion_files import ASF, amc
from winnowry.records.motion import Motion, motion_of
from winnowry.records.motion_files import files_of
from winnowry.sources.amc import Amc
from winnowry.sources.base import ReadLimits, Record, Unreadable


def read(
    data: str, beside: Mapping[str, str] | None = None, uri: str = "landing/07/07_01.amc", **options: object
) -> Record | Unreadable:
    files = {"07.asf": ASF} if beside is None else beside
    format = Amc(**{"fps": 120, **options}).with_neighbour(
        lambda name: io.BytesIO(files[name].encode()) if name in files else None
    )
    (item,) = format.read(io.BytesIO(data.encode()), uri, ReadLimits())
    return item


def clip(item: Record | Unreadable) -> Motion:
    assert isinstance(item, Record), item
    assert item.columns is not None
    motion = motion_of(item.columns)
    assert motion is not None
    return motion


def test_values_come_in_the_order_of_the_skeleton_whatever_the_order_of_the_lines() -> None:
    motion = clip(read(amc()))
    assert [(joint.name, joint.parent, joint.channels) for joint in motion.skeleton] == [
        ("root", -1, ("xposition", "yposition", "zposition", "xrotation", "yrotation", "zrotation")),
        ("lhipjoint", 0, ()),
        ("ltibia", 1, ("xrotation",)),
        ("spine", 0, ("xrotation", "yrotation", "zrotation")),
    ]
    assert motion.values.tolist() == [
        [float(k), 17.5, -1.5e-3, 0.0, 90.0, 0.0, 10.0 * k, 1.0, -2.25, 3e-14] for k in (1, 2, 3)
    ]


def test_bones_are_as_long_as_the_skeleton_says_and_its_unit_is_stated() -> None:
    motion = clip(read(amc()))
    tibia = motion.skeleton[2]
    assert (tibia.offset, tibia.axis, tibia.axis_order) == ((0.0, -15.0, 0.0), (0.0, 0.0, 20.0), "xyz")
    assert motion.unit == f"{0.0254 / 0.45!r} m"  # length 0.45: 1/0.45 inches
    assert (motion.group, motion.frame_time, motion.duration_ms) == ("07", 1 / 120, 25)


@pytest.mark.parametrize(
    ("uri", "beside", "options"),
    [
        ("landing/07/07_01.amc", "07_01.asf", {}),
        ("landing/07/07_01.amc", "07.asf", {}),
        ("landing/07/walk.amc", "07.asf", {}),
        ("landing/x/walk_a_2.amc", "walk_a.asf", {}),
        ("landing/x/walk.amc", "body.asf", {"skeleton": "body.asf"}),
    ],
)
def test_the_skeleton_is_found_by_its_name(uri: str, beside: str, options: dict[str, object]) -> None:
    assert clip(read(amc(), {beside: ASF}, uri, **options)).group == beside.removesuffix(".asf")


def test_the_rate_of_frames_has_to_be_said() -> None:
    with pytest.raises(ValueError, match="say `fps`"):
        Amc()


def test_both_files_written_and_read_again_have_the_same_bones_and_floats() -> None:
    motion = clip(read(amc(5)))
    motion.values[2, 6:8] = (0.1 + 0.2, 1e-17)
    files = files_of(motion)
    again = clip(read(files["amc"].decode(), {"07.asf": files["asf"].decode()}))
    assert again.skeleton == motion.skeleton
    assert np.array_equal(again.values, motion.values)
    assert files["asf"].decode() == ASF


def test_radians_are_known_by_the_skeleton_or_the_file() -> None:
    assert not clip(read(amc())).in_radians
    assert clip(read(amc().replace(":DEGREES", ":RADIANS"))).in_radians
    assert clip(read(amc().replace(":DEGREES\n", ""), {"07.asf": ASF.replace("angle deg", "angle rad")})).in_radians


BROKEN = [
    ("", "file_empty", None),
    (":DEGREES\n", "no_frames", None),
    (amc().replace("\n1\n", "\n2\n", 1), "frame_gap", "the first frame is 2"),
    (amc().replace("\n3\n", "\n4\n"), "frame_gap", "frame 2 is followed by 4"),
    (amc().replace("\n3\n", "\n2\n"), "frame_gap", "frame 2 is followed by 2"),
    (amc().replace("ltibia 10", "ltiba 10"), "bone_unknown", "'ltiba' in frame 1"),
    (amc().replace("ltibia 20", "ltiba 20"), "bone_unknown", "'ltiba' in frame 2"),
    (amc().replace("ltibia 10\n", ""), "bone_missing", "ltibia"),
    (amc().replace("ltibia 10\n", "ltibia 10\nltibia 10\n"), "bone_twice", "'ltibia'"),
    (amc().replace("ltibia 20\n", ""), "layout_changes", "'spine' in frame 2"),
    (amc().replace("ltibia 20\n", "ltibia 20\nltibia 20\n"), "layout_changes", "'ltibia' in frame 2"),
    (amc() + "ltibia 3\n", "layout_changes", "'ltibia 3' behind frame 3"),
    (amc().replace("ltibia 10", "ltibia 10 5"), "value_count", "ltibia has 2 numbers in frame 1"),
    (amc().replace("ltibia 20", "ltibia"), "value_count", "ltibia has 0 numbers in frame 2"),
    (amc()[: amc().rindex(" -2.25")], "value_count", "spine has 1 numbers in frame 3"),
    (amc()[: amc().rindex("spine")], "layout_changes", "the end of the file"),
    (amc().replace("ltibia 20", "ltibia 0.0-7.5"), "not_a_number", "'0.0-7.5' of ltibia in frame 2"),
    (amc().replace("ltibia 20", "ltibia nan"), "not_finite", "'nan' of ltibia in frame 2"),
    (amc().replace("ltibia 20", "ltibia 1e999"), "not_finite", "frame 2"),
]


@pytest.mark.parametrize(("data", "reason", "value"), BROKEN, ids=[f"{n}-{one[1]}" for n, one in enumerate(BROKEN)])
def test_a_file_that_does_not_fit_its_skeleton_is_refused_with_the_place(
    data: str, reason: str, value: str | None
) -> None:
    item = read(data)
    assert isinstance(item, Unreadable)
    assert (item.operator, item.reason) == ("source.amc", reason)
    assert value is None or (item.value is not None and value in item.value)


@pytest.mark.parametrize(
    ("asf", "value"),
    [
        (None, "no 07_01.asf or 07.asf beside it"),
        ("", "no order of the root's channels"),
        (ASF.replace("length 0.45", "length 0"), "units length 0"),
        (ASF.replace("angle deg", "angle gon"), "units angle gon"),
        (ASF.replace("dof rx\n", "dof rw\n"), "bone ltibia: dof 'rw'"),
        (ASF.replace("20 XYZ", "20 XYX"), "bone ltibia: axis XYX"),
        (ASF.replace("0 -2 0", "0 down 0"), "'down' is no number"),
        (ASF.replace("0 -2 0", "0 0 0"), "bone ltibia: length 15"),
        (ASF.replace("name ltibia", "name spine"), "bone 'spine'"),
        (ASF.replace("    lhipjoint ltibia\n", ""), "'ltibia' hangs on no other bone"),
        (ASF.replace("    lhipjoint ltibia", "    lhipjoint ltibia ltibia"), "'ltibia' comes twice"),
        (ASF.replace("    lhipjoint ltibia", "    lhipjoint ltoes"), "'ltoes' is no bone"),
        (ASF.replace("position 0 0 0", "position 0 1 0"), "root position 0 1 0"),
    ],
)
def test_a_skeleton_that_is_none_is_refused_and_named(asf: str | None, value: str) -> None:
    item = read(amc(), {} if asf is None else {"07.asf": asf})
    assert isinstance(item, Unreadable)
    assert item.reason == ("no_skeleton" if asf is None else "skeleton")
    assert item.value is not None
    assert value in item.value
