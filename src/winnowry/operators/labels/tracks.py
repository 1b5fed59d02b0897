"""``labels.tracks``: whether an object that is followed stays itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field

from winnowry.operators.labels.checks import BoxChecks
from winnowry.operators.labels.flat import FlatStructs, Floats, Mask, Whole, grouped_median, wrapped
from winnowry.operators.labels.geometry import combined
from winnowry.operators.labels.turns import fixed_frame, heading

_LEAST_S = 1e-3
_FRAME_S = 0.1  # of boxes without times: scanners of cars turn ten times a second
_MOST_M_PER_S2 = 25.0


class LabelTracks(BoxChecks):
    """Find boxes that do not continue their track: two in a frame, jumps, another class or another size.

    A track is the boxes of one `track` in a record, in the order of their times, else of their frames. In the frame
    `ego` boxes are carried to the city by the poses of the vehicle first. A *position jump* is faster than `max_speed`
    where there are times, else farther than `max_step` a frame; a *yaw jump* turns by more than `max_turn` between
    neighbouring frames, or within 0.15 s; a box is *off course* where it lies farther than `max_bend` from the middle
    of its neighbours in time, or higher or lower by `max_rise` (more where frames are so far apart that a car could);
    a *class change* is another class than most of the track's; a *size change* a
    height, width or length more than `size_change` from the track's median. Two tracks that change places show as jumps
    of both.

    Writes counts of each, ``n_track_gaps`` (frames between the first and the last of a track without a box) and
    ``tracks_faults``.

    Source of the thresholds: released labels of Argoverse 2 (12,078 boxes) have no jump beyond 50 m/s and no
    turn beyond 1 radian; of KITTI's 0.6 % are beyond one of them.
    """

    FAULT_NAMES: ClassVar[tuple[str, ...]] = (
        "twice_in_frame", "position_jump", "yaw_jump", "off_course", "class_change", "size_change",
    )  # fmt: skip
    MEASURES: ClassVar[tuple[tuple[str, pa.DataType], ...]] = (("n_track_gaps", pa.int32()),)
    LOOKS_AT: ClassVar[tuple[str, ...]] = ("frame", "poses")

    op: Literal["labels.tracks"] = "labels.tracks"
    max_twice_in_frame: int | None = Field(
        default=0, ge=0, description="most second boxes of a track in a frame; null: any"
    )
    max_position_jump: int | None = Field(default=0, ge=0, description="most jumps of a place; null: any")
    max_yaw_jump: int | None = Field(default=0, ge=0, description="most jumps of a rotation; null: any")
    max_off_course: int | None = Field(
        default=0, ge=0, description="most boxes beside the way of their track; null: any"
    )
    max_class_change: int | None = Field(default=0, ge=0, description="most boxes of another class; null: any")
    max_size_change: int | None = Field(default=0, ge=0, description="most boxes of another size; null: any")
    max_speed: float = Field(default=50.0, gt=0, description="most metres a second, where boxes have times")
    max_step: float = Field(default=5.0, gt=0, description="most metres from a frame to the next, where they have none")
    max_turn: float = Field(default=1.0, gt=0, description="most radians from a frame to the next")
    max_bend: float = Field(default=1.2, gt=0, description="most metres from the middle of the boxes before and after")
    max_rise: float = Field(default=0.5, gt=0, description="most metres above or below that middle")
    size_change: float = Field(default=0.1, gt=0, description="most change of a size, as a share of the track's median")

    def look(self, batch: pa.RecordBatch, boxes: FlatStructs) -> tuple[Mapping[str, Mask], Mapping[str, pa.Array]]:
        """See :class:`BoxChecks`."""
        codes = boxes.codes("track")[0]
        track = combined(boxes.row, codes)
        time, has_time = boxes.whole("time_ns")
        number, has_number = boxes.whole("number")
        order = np.lexsort((number, time, track))
        followed = codes >= 0
        pair = (track[order][1:] == track[order][:-1]) & followed[order][1:]
        before, after = order[:-1][pair], order[1:][pair]
        timed = has_time[before] & has_time[after]
        seconds = (time[after] - time[before]) / 1e9
        frames = np.where(has_number[before] & has_number[after], number[after] - number[before], 1)
        place, turn = fixed_frame(batch, boxes)
        moved = np.linalg.norm(place[after] - place[before], axis=1)
        turned = np.abs(wrapped(heading(turn)[after] - heading(turn)[before]))
        far = np.where(
            timed, moved > self.max_speed * np.maximum(seconds, _LEAST_S), moved > self.max_step * np.maximum(frames, 1)
        )
        near = np.where(timed, seconds < 0.15, True)
        step = np.where(timed, 1, np.maximum(frames, 1))

        def at_second(mask: Mask) -> Mask:
            marks = np.zeros(len(boxes), np.bool_)
            marks[after[mask]] = True
            return marks

        same_frame = np.where(timed, seconds <= 0, has_number[after] & has_number[before] & (frames <= 0))
        gaps = np.bincount(boxes.row[after], weights=np.maximum(frames - 1, 0), minlength=boxes.n_rows)
        marks = {
            "twice_in_frame": at_second(same_frame),
            "position_jump": at_second(far),
            "yaw_jump": at_second(near & (turned > self.max_turn * step)),
            "off_course": self._off_course(batch, boxes, place, order, track, followed),
            "class_change": followed & _differs_from_most(boxes.codes("class")[0], track),
            "size_change": followed & self._other_size(boxes, track),
        }
        return marks, {"n_track_gaps": pa.array(gaps.astype(np.int64), mask=~boxes.valid)}

    def _off_course(
        self, batch: pa.RecordBatch, boxes: FlatStructs, place: Floats, order: Whole, track: Whole, followed: Mask
    ) -> Mask:
        """Boxes that do not lie where the ones before and after them say, which are as far apart on both sides."""
        before, middle, after = order[:-2], order[1:-1], order[2:]
        time, has_time = boxes.whole("time_ns")
        number, _ = boxes.whole("number")
        timed = has_time[before] & has_time[middle] & has_time[after]
        first, second = (
            np.where(timed, (time[b] - time[a]) / 1e9, (number[b] - number[a]) * _FRAME_S)
            for a, b in ((before, middle), (middle, after))
        )
        even = np.abs(first - second) <= 0.1 * first
        same = (track[before] == track[after]) & followed[middle] & even & (first > 0)
        off = place[middle] - (place[before] + place[after]) / 2
        in_camera = pc.fill_null(pc.equal(batch.column("frame"), "camera"), False)
        by_y = np.asarray(in_camera.to_numpy(zero_copy_only=False), np.bool_)[boxes.row[middle]]
        rise = np.abs(np.where(by_y, off[:, 1], off[:, 2]))
        free = _MOST_M_PER_S2 * first**2 / 2
        marks = np.zeros(len(boxes), np.bool_)
        bent = (np.linalg.norm(off, axis=1) > np.maximum(self.max_bend, free)) | (
            rise > np.maximum(self.max_rise, free)
        )
        marks[middle[same & bent]] = True
        return marks

    def _other_size(self, boxes: FlatStructs, track: Whole) -> Mask:
        other = np.zeros(len(boxes), np.bool_)
        for name in ("h", "w", "l"):
            size = boxes.numbers(name)
            known = np.isfinite(size)
            median = grouped_median(size[known], track[known], int(track.max(initial=-1)) + 1)
            usual = np.maximum(median[track], 1e-9) if len(track) else size
            other |= np.abs(size / usual - 1) > self.size_change
        return other


def _differs_from_most(code: Whole, group: Whole) -> Mask:
    """Values that are not the commonest of their group; of several as common the first by its code."""
    if not len(code):
        return np.zeros(0, np.bool_)
    pairs, _, counts = np.unique(np.stack([group, code], 1), axis=0, return_inverse=True, return_counts=True)
    order = np.lexsort((-pairs[:, 1], counts, pairs[:, 0]))
    most = np.full(int(group.max()) + 1, -1, np.int64)
    most[pairs[order, 0]] = pairs[order, 1]  # the last of a group wins
    mask: Mask = code != most[group]
    return mask
