"""C3D files of all processors and ways of storage; and files that are cut, or state what they do not hold."""

from __future__ import annotations

import io

import numpy as np
import pytest

from tests.motion_files import Processor, c3d
from winnowry.records.motion import Motion, motion_of
from winnowry.sources.base import ReadLimits, Record, Unreadable
from winnowry.sources.c3d import C3d

POINTS = np.arange(3 * 2 * 3).reshape(3, 2, 3) * 1.5 - 4
ANALOG = np.arange(12).reshape(6, 2) - 4


def read(data: bytes) -> Record | Unreadable:
    (item,) = C3d().read(io.BytesIO(data), "landing/gait.c3d", ReadLimits())
    return item


def clip(data: bytes) -> Motion:
    item = read(data)
    assert isinstance(item, Record), item
    assert item.columns is not None
    motion = motion_of(item.columns)
    assert motion is not None
    return motion


@pytest.mark.parametrize("real", [True, False])
@pytest.mark.parametrize("processor", ["intel", "dec", "mips"])
def test_the_same_points_are_read_however_they_are_written(processor: Processor, real: bool) -> None:
    motion = clip(c3d(POINTS, processor=processor, real=real, unseen=[(1, 0)], analog=ANALOG))
    expected = POINTS.copy()
    expected[1, 0] = np.nan
    assert np.array_equal(motion.values, expected.reshape(3, 6), equal_nan=True)
    # The low byte beside a point is its residual, in units of the scale; the high one says which cameras saw it.
    assert motion.residuals is not None
    assert motion.residuals.tolist() == [[1.0, 1.0], [-1.0, 1.0], [1.0, 1.0]]
    assert motion.analog is not None
    assert np.array_equal(motion.analog, ANALOG * 0.25 * 2.0)
    assert (motion.labels, motion.analog_labels) == (("LANK", "HEAD"), ("EMG0", "EMG1"))
    assert (motion.frame_time, motion.analog_rate, motion.unit, motion.group) == (0.01, 200.0, "mm", "anna")


def test_labels_go_on_in_further_lists_and_points_without_a_label_get_a_number() -> None:
    points = np.zeros((1, 5, 3))
    motion = clip(c3d(points, labels=(("A", "B"), ("C", "D"))))
    assert motion.labels == ("A", "B", "C", "D", "*5")


@pytest.mark.parametrize(("stored", "offset", "expected"), [(0, -32768, -16384.0), (65535, -32768, 16383.5)])
def test_analog_numbers_without_a_sign_have_an_offset_without_one(stored: int, offset: int, expected: float) -> None:
    analog = np.full((3, 1), stored)
    motion = clip(c3d(POINTS, real=False, analog=analog, unsigned=True, offset=offset))
    assert motion.analog is not None
    assert motion.analog[0, 0] == expected  # (stored - 32768) x 0.25 x 2


@pytest.mark.parametrize(
    ("stated", "long_frames"),
    [(65_535, None), (65_535, 70_000), (70_000 % 65_536, None), (0, 65_535)],
    ids=["the header ends at 65,535", "stated elsewhere", "the header went round", "it ends at 65,535 elsewhere"],
)
def test_more_frames_than_the_header_can_count_are_all_read(stated: int, long_frames: int | None) -> None:
    points = np.zeros((70_000, 40, 3), np.float32)
    points[-1] = 7
    motion = clip(c3d(points, real=False, scale=1.0, header_frames=stated, long_frames=long_frames))
    assert motion.n_frames == 70_000
    assert motion.values[-1, 0] == 7


WHOLE = c3d(np.ones((40, 30, 3)))


@pytest.mark.parametrize(
    ("data", "reason", "value"),
    [
        (b"", "file_empty", None),
        (b"HIERARCHY\nROOT" + b" " * 2000, "not_c3d", "begins with 48 49"),
        (WHOLE[:1], "not_c3d", None),
        (WHOLE[:300], "parameters", "at byte 512 of 300"),
        (WHOLE[:600], "parameters", None),
        (WHOLE[:515] + b"\x57" + WHOLE[516:], "processor", "87"),
        (WHOLE[: 1024 + 30 * 16 * 29], "frames_differ", "29 frames"),
        (WHOLE[: 1024 + 30 * 16 * 39 + 17], "frames_differ", "39 frames"),
        (c3d(np.ones((40, 30, 3)), header_frames=1149), "frames_differ", "40 frames"),
        (c3d(np.ones((40, 30, 3)), header_frames=20), "frames_differ", "40 frames"),
        (c3d(np.ones((40, 30, 3)), header_frames=0), "no_frames", None),
        (WHOLE[:2] + bytes(4) + WHOLE[6:], "no_channels", None),
        (WHOLE[:20] + bytes(4) + WHOLE[24:], "frame_time", "0 frames a second"),
    ],
)
def test_a_cut_file_or_one_that_states_something_else_is_refused(data: bytes, reason: str, value: str | None) -> None:
    item = read(data)
    assert isinstance(item, Unreadable)
    assert (item.operator, item.reason) == ("source.c3d", reason)
    assert value is None or (item.value is not None and value in item.value)


def test_every_cut_of_a_file_is_refused_or_reads_as_the_whole_one() -> None:
    points = np.ones((4, 3, 3))
    whole = c3d(points)
    n_bytes = 1024 + 4 * 3 * 16  # what lies behind fills up the block
    for cut in range(1, len(whole), 7):
        item = read(whole[:cut])
        assert isinstance(item, Record) == (cut >= n_bytes), cut
