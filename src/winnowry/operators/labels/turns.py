"""Rotations and places of boxes, carried by the poses of the vehicle where they are in its frame."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from winnowry.operators.labels.flat import FlatStructs, Floats, Whole

TURN = ("qw", "qx", "qy", "qz")
PLACE = ("x", "y", "z")


def matrices(turn: Floats) -> Floats:
    """Rotation matrices, m × 3 × 3, of m quaternions with w first, of whatever length.

    >>> matrices(np.array([[0.0, 0.0, 0.0, 2.0]]))[0].round(6).tolist()
    [[-1.0, 0.0, 0.0], [0.0, -1.0, 0.0], [0.0, 0.0, 1.0]]
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        w, x, y, z = (turn / np.linalg.norm(turn, axis=1, keepdims=True)).T
    rows = [
        1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w),
        2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w),
        2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y),
    ]  # fmt: skip
    return np.stack(rows, axis=1).reshape(-1, 3, 3)


def heading(turn: Floats) -> Floats:
    """Angle of each rotation about its vertical axis, in radians: z, or y of a camera, whichever it turns about."""
    about_y = np.abs(turn[:, 2, 1]) < np.abs(turn[:, 0, 2])
    about_z: Floats = np.arctan2(turn[:, 1, 0], turn[:, 0, 0])
    return np.where(about_y & (np.abs(turn[:, 1, 1]) > 1 - 1e-9), np.arctan2(-turn[:, 2, 0], turn[:, 0, 0]), about_z)


def pose_of(boxes: FlatStructs, poses: FlatStructs) -> Whole:
    """The pose of each box's record at exactly its time; -1 where there is none."""
    if not len(poses):
        return np.full(len(boxes), -1, np.int64)
    time, known = boxes.whole("time_ns")
    pose_time, _ = poses.whole("time_ns")
    times = np.concatenate([time, pose_time])
    rank = np.unique(times, return_inverse=True)[1].astype(np.int64)
    n_times = int(rank.max()) + 1
    key = boxes.row * n_times + rank[: len(time)]
    pose_key = poses.row * n_times + rank[len(time) :]
    order = np.argsort(pose_key, kind="stable")
    at = np.minimum(np.searchsorted(pose_key[order], key), len(order) - 1)
    return np.where(known & (pose_key[order][at] == key), order[at], -1)


def fixed_frame(batch: pa.RecordBatch, boxes: FlatStructs) -> tuple[Floats, Floats]:
    """Places and rotation matrices of boxes in a frame that does not move with the vehicle.

    Boxes in the frame `ego` are carried by the pose at their time, and are NaN without one; others are as they are.
    """
    place, turn = boxes.stack(*PLACE), matrices(boxes.stack(*TURN))
    in_ego = pc.fill_null(pc.equal(batch.column("frame"), "ego"), False)
    carried = np.asarray(in_ego.to_numpy(zero_copy_only=False), np.bool_)[boxes.row]
    if not carried.any():
        return place, turn
    poses = FlatStructs(batch.column("poses"))
    index = pose_of(boxes, poses)
    place[carried & (index < 0)] = np.nan
    some = carried & (index >= 0)
    pose_turn, pose_place = matrices(poses.stack(*TURN)), poses.stack(*PLACE)
    by = index[some]
    place[some] = np.einsum("nij,nj->ni", pose_turn[by], place[some]) + pose_place[by]
    turn[some] = np.einsum("nij,njk->nik", pose_turn[by], turn[some])
    return place, turn
