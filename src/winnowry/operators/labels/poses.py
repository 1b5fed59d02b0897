"""``labels.poses``: whether boxes in space have a size, a place, a rotation and a pose, and sensors agree in time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field

from winnowry.operators.base import Rule
from winnowry.operators.labels.checks import BoxChecks, finite
from winnowry.operators.labels.flat import FlatStructs, Floats, Mask
from winnowry.operators.labels.turns import PLACE, TURN, pose_of

_SIZE = ("h", "w", "l")
_NORM_SLACK = 1e-3
_NS_PER_MS = 1e6


class LabelPoses(BoxChecks):
    """Find boxes in space that are none, and records whose sensors are not of one time.

    Faults: ``not_in_space`` (some numbers of its size, place or rotation are missing or not finite, others are there),
    ``no_volume`` (a size of 0 or less), ``turn_length`` (a quaternion whose length is more than 0.001 from 1) and
    ``no_pose`` (in the frame `ego`, at a time without a pose of the vehicle). How many points of a lidar a box holds is
    a column, not a rule: released data sets hold a tenth and more of boxes without one.

    Writes ``ego_speed`` (greatest speed between two poses, metres a second), ``sync_ms`` (longest time between a frame
    and one of its sensors), ``n_without_points``, counts of each fault and ``poses_faults``.

    Source: nuScenes (Caesar et al. 2020) for the 50 ms; the tolerance of quaternions is ten thousand times what its and
    Argoverse 2's released files need.
    """

    FAULT_NAMES: ClassVar[tuple[str, ...]] = ("not_in_space", "no_volume", "turn_length", "no_pose")
    MEASURES: ClassVar[tuple[tuple[str, pa.DataType], ...]] = (
        ("ego_speed", pa.float64()), ("sync_ms", pa.float64()), ("n_without_points", pa.int32()),
    )  # fmt: skip
    LOOKS_AT: ClassVar[tuple[str, ...]] = ("frame", "poses", "sync_ns")

    op: Literal["labels.poses"] = "labels.poses"
    max_not_in_space: int | None = Field(default=0, ge=0, description="most boxes with missing numbers; null: any")
    max_no_volume: int | None = Field(default=0, ge=0, description="most boxes without a volume; null: any")
    max_turn_length: int | None = Field(default=0, ge=0, description="most rotations that are none; null: any")
    max_no_pose: int | None = Field(default=0, ge=0, description="most boxes without a pose of the vehicle; null: any")
    max_sync_ms: float | None = Field(
        default=50.0,
        gt=0,
        description="longest time between a frame and one of its sensors, in milliseconds; null: any",
    )

    def rules(self) -> tuple[Rule, ...]:
        """One for each limit that is set."""
        rules = super().rules()
        if self.max_sync_ms is None:
            return rules
        column = f"{self._prefix}sync_ms"
        sync = Rule(name="max_sync_ms", column=column, comparison="<=", threshold=self.max_sync_ms, null="keep")
        return (*rules, sync)

    def look(self, batch: pa.RecordBatch, boxes: FlatStructs) -> tuple[Mapping[str, Mask], Mapping[str, pa.Array]]:
        """See :class:`BoxChecks`."""
        poses = FlatStructs(batch.column("poses"))
        size, turn = boxes.stack(*_SIZE), boxes.stack(*TURN)
        known = np.isfinite(np.concatenate([size, boxes.stack(*PLACE), turn], axis=1))
        in_space = known.all(axis=1)
        in_ego = pc.fill_null(pc.equal(batch.column("frame"), "ego"), False)
        carried = np.asarray(in_ego.to_numpy(zero_copy_only=False), np.bool_)[boxes.row]
        points, has_points = boxes.whole("points")
        marks = {
            "not_in_space": known.any(axis=1) & ~in_space,
            "no_volume": (size <= 0).any(axis=1),
            "turn_length": np.abs(np.linalg.norm(turn, axis=1) - 1) > _NORM_SLACK,
            "no_pose": carried & (pose_of(boxes, poses) < 0),
        }
        return marks, {
            "ego_speed": finite(_greatest_speed(poses)),
            "sync_ms": pc.divide(batch.column("sync_ns").cast(pa.float64()), _NS_PER_MS),
            "n_without_points": pa.array(boxes.count(has_points & (points < 1)), mask=~boxes.valid),
        }


def _greatest_speed(poses: FlatStructs) -> Floats:
    """Of each record, between neighbouring poses; NaN with fewer than two."""
    time, place = poses.whole("time_ns")[0], poses.stack(*PLACE)
    order = np.lexsort((time, poses.row))
    same = poses.row[order][1:] == poses.row[order][:-1]
    before, after = order[:-1][same], order[1:][same]
    seconds = np.maximum((time[after] - time[before]) / 1e9, 1e-6)
    speed = np.linalg.norm(place[after] - place[before], axis=1) / seconds
    greatest = np.full(poses.n_rows, -np.inf)
    np.maximum.at(greatest, poses.row[after], np.nan_to_num(speed, nan=-np.inf))
    return np.where(np.isinf(greatest) & (greatest < 0), np.nan, greatest)
