"""How a clip moves: steps, jumps, standstill, feet and floor, lengths that should not change."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from winnowry.operators.motion.clips import Frame, feet_of, names_of
from winnowry.operators.motion.kinematics import blocks, radians_of, rig_of
from winnowry.records.motion import ROTATIONS, Motion

Float64s = npt.NDArray[np.float64]

_WRAP_DEG = 170.0
_STILL = 1e-9  # of any number of the file
_CONTACT_M = 0.05
_FLOOR_BIN_M = 0.02
_CALM_MPS2 = 10.0
"""Acceleration below which no clip lies for long; a clip that rests would make any movement a jump."""
_LOOKED_AT = 60  # frames, to find points that keep their distance
_MOST_POINTS = 300
_RIGID = 0.05  # of a distance, as the median of its deviations
_LEAST_RIGID_M = 0.04
_ARM_DEG = 20.0
_UPRIGHT = 0.9
_LEFT = re.compile(
    r"^(l|left)(?=[_.\- ]|hand|wrist|arm|shoulder|upperarm|humerus|clavicle|collar|sho|wra|fin)|left|[_.]l$"
)
_HAND = re.compile(r"hand|wrist|^[lr](wra|fin)$")
_SHOULDER = re.compile(r"shoulder|upperarm|humerus|^[lr]sho$|(left|right|^[lr]_?)arm$")


@dataclass(frozen=True)
class Movement:
    """What is measured of a clip; None where it has nothing that it could be measured of.

    Attributes:
        step_deg: largest change of an angle from one frame to the next, of any joint but the root.
        step_at: the joint, its channel and the later frame, counted from 1.
        wraps: changes of an angle beyond 170 degrees, in joints whose angles never go round: bones of ASF files, and
            joints with one or two angles. Three angles of one joint may, as each pose has several writings in them.
        turn_deg: largest rotation of a joint from one frame to the next, whatever its angles say; of any but the root.
        jump_ratio: largest acceleration of a joint over the median of the largest ones of all frames.
        jump_frame: where that is, counted from 1.
        frozen_frames: most steps in a row in which no number changes.
        frozen_frame: where they begin, counted from 1.
        slide_mps: mean speed over the floor of the foot that moves least among those on the floor.
        below_floor_m: how far the lowest part goes below the floor, which is where the lowest part is most of the time.
        length_change: largest change of a length that should not change, as a share: of bones, or of the distance of
            points that keep it most of the time.
        t_pose: share of frames with both arms held out sideways and straight.
    """

    step_deg: float | None
    step_at: str | None
    wraps: int | None
    turn_deg: float | None
    jump_ratio: float | None
    jump_frame: int | None
    frozen_frames: int
    frozen_frame: int | None
    slide_mps: float | None
    below_floor_m: float | None
    length_change: float | None
    t_pose: float | None


def movement_of(motion: Motion, frame: Frame | None) -> Movement:
    """Measure a clip.

    Args:
        motion: at least one frame.
        frame: how it lies in the world; None where that cannot be told.
    """
    step, step_at, wraps = _steps(motion)
    frozen, frozen_at = _frozen(motion.values)
    placed = _Placed(motion, frame) if frame is not None and motion.frame_time else None
    jump, jump_at = placed.jump() if placed is not None else (None, None)
    return Movement(
        step,
        step_at,
        wraps,
        _turn(motion),
        jump,
        jump_at,
        frozen,
        frozen_at,
        placed.slide() if placed is not None else None,
        placed.below_floor() if placed is not None else None,
        _length_change(motion, frame),
        placed.t_pose() if placed is not None else None,
    )


class _Angle(NamedTuple):
    column: int
    name: str
    goes_round: bool


def _angles(motion: Motion) -> list[_Angle]:
    """The angles of all joints but roots."""
    angles = []
    first = 0
    for joint in motion.skeleton:
        goes_round = joint.axis is None and len(joint.rotations) == 3
        for place, name in enumerate(joint.channels or ()):
            if name in ROTATIONS and joint.parent >= 0:
                angles.append(_Angle(first + place, f"{joint.name} {name}", goes_round))
        first += len(joint.channels or ())
    return angles


def _steps(motion: Motion) -> tuple[float | None, str | None, int | None]:
    """The largest step, where it is, and how many go round in joints whose angles do not."""
    angles = _angles(motion)
    if motion.n_frames < 2 or not angles:
        return None, None, None
    steps = np.abs(np.diff(motion.values[:, [angle.column for angle in angles]], axis=0))
    steps *= np.degrees(1.0) if motion.in_radians else 1.0
    row, column = divmod(int(steps.argmax()), steps.shape[1])
    hinges = [place for place, angle in enumerate(angles) if not angle.goes_round]
    n_wraps = int((steps[:, hinges] > _WRAP_DEG).sum())
    return float(steps[row, column]), f"{angles[column].name}, frame {row + 2}", n_wraps


def _turn(motion: Motion) -> float | None:
    inner = [index for index, joint in enumerate(motion.skeleton) if joint.parent >= 0 and joint.rotations]
    if motion.n_frames < 2 or not inner:
        return None
    return float(rig_of(motion.skeleton).turns(motion.values, radians_of(motion))[:, inner].max())


def _frozen(values: Float64s) -> tuple[int, int | None]:
    if len(values) < 2:
        return 0, None
    with np.errstate(invalid="ignore"):
        same = np.abs(np.diff(values, axis=0)) < _STILL
    unseen = np.isnan(values)  # points that were seen in neither frame have not moved, unless nothing was seen
    stands = (same | (unseen[1:] & unseen[:-1])).all(axis=1) & same.any(axis=1)
    moves = np.flatnonzero(~stands)
    bounds = np.concatenate([[-1], moves, [len(values) - 1]])
    runs = np.diff(bounds) - 1
    longest = int(runs.argmax())
    return int(runs[longest]), int(bounds[longest]) + 2 if runs[longest] else None


class _Placed:
    """The places of a clip in metres, with the third axis up, block by block; what is kept of them is small."""

    def __init__(self, motion: Motion, frame: Frame) -> None:
        names = names_of(motion)
        assert motion.frame_time is not None
        self._time = motion.frame_time
        feet = list(feet_of(names))
        arms = _arms(names)
        n_frames = motion.n_frames
        self._feet = np.empty((n_frames, len(feet), 3))
        self._lowest = np.empty(n_frames)
        self._accelerations = np.zeros(n_frames)
        self._t_pose = np.zeros(n_frames, np.bool_)
        self._has_arms = arms is not None
        for begin, positions in blocks(motion, overlap=2):
            placed = frame.upright(positions)
            end = begin + len(placed)
            self._feet[begin:end] = placed[:, feet]
            with np.errstate(invalid="ignore"):
                low = placed[..., 2]
                self._lowest[begin:end] = np.where(np.isnan(low), np.inf, low).min(axis=1, initial=np.inf)
                if len(placed) > 2:
                    size = np.linalg.norm(np.diff(placed, 2, axis=0), axis=2) / self._time**2
                    largest = np.where(np.isnan(size), 0.0, size).max(axis=1, initial=0.0)
                    self._accelerations[begin + 1 : end - 1] = largest
                if arms is not None:
                    self._t_pose[begin:end] = _is_t_pose(placed, arms)

    def jump(self) -> tuple[float | None, int | None]:
        if len(self._accelerations) < 3:
            return None, None
        inner = self._accelerations[1:-1]
        usual = max(float(np.median(inner)), _CALM_MPS2)
        return float(inner.max()) / usual, int(inner.argmax()) + 2

    def floor(self) -> float | None:
        """Where the lowest part is most of the time."""
        low = self._lowest[np.isfinite(self._lowest)]
        if not len(low):
            return None
        bins = np.round(low / _FLOOR_BIN_M).astype(np.int64)
        counts = np.bincount(bins - bins.min())
        smooth = np.convolve(counts, [1, 1, 1], mode="same")
        return float((int(smooth.argmax()) + bins.min()) * _FLOOR_BIN_M)

    def below_floor(self) -> float | None:
        floor = self.floor()
        if floor is None:
            return None
        return max(0.0, floor - float(self._lowest[np.isfinite(self._lowest)].min()))

    def slide(self) -> float | None:
        """Of the foot that moves least, where one is on the floor; None where none ever is, or none is known."""
        if not self._feet.size or len(self._feet) < 2:
            return None
        heights = self._feet[..., 2]
        known = np.isfinite(heights).any(axis=0)
        if not known.any():
            return None
        feet, heights = self._feet[:, known], heights[:, known]
        with np.errstate(invalid="ignore"):
            level = np.nanpercentile(heights, 2, axis=0)  # of each: an ankle never comes as low as toes do
            low = heights - level < _CONTACT_M
            speeds = np.linalg.norm(np.diff(feet[..., :2], axis=0), axis=2) / self._time
        least = np.where(low[1:] & low[:-1] & np.isfinite(speeds), speeds, np.inf).min(axis=1)
        there = least[np.isfinite(least)]
        return float(there.mean()) if len(there) else None

    def t_pose(self) -> float | None:
        return float(self._t_pose.mean()) if self._has_arms else None


def _arms(names: tuple[str, ...]) -> tuple[int, int, int, int] | None:
    """Places of the left shoulder and hand and the right ones; None where one of them has no name."""
    sides: dict[tuple[str, str], int] = {}
    for index, name in enumerate(names):
        word = name.rpartition(":")[2].strip().lower()
        part = "hand" if _HAND.search(word) else "shoulder" if _SHOULDER.search(word) else None
        if part is not None:
            sides.setdefault(("left" if _LEFT.search(word) else "right", part), index)
    keys = [(side, part) for side in ("left", "right") for part in ("shoulder", "hand")]
    if any(key not in sides for key in keys):
        return None
    left_shoulder, left_hand, right_shoulder, right_hand = (sides[key] for key in keys)
    return left_shoulder, left_hand, right_shoulder, right_hand


def _is_t_pose(placed: Float64s, arms: tuple[int, int, int, int]) -> npt.NDArray[np.bool_]:
    """Whether both arms point sideways, level and away from each other."""
    left = placed[:, arms[1]] - placed[:, arms[0]]
    right = placed[:, arms[3]] - placed[:, arms[2]]
    sizes = np.linalg.norm(left, axis=1) * np.linalg.norm(right, axis=1)
    slope = np.sin(np.radians(_ARM_DEG))
    level = (np.abs(left[:, 2]) <= slope * np.linalg.norm(left, axis=1)) & (
        np.abs(right[:, 2]) <= slope * np.linalg.norm(right, axis=1)
    )
    opposite = (left * right).sum(axis=1) <= -_UPRIGHT * sizes
    apart = np.linalg.norm(placed[:, arms[1]] - placed[:, arms[3]], axis=1) > np.linalg.norm(
        placed[:, arms[0]] - placed[:, arms[2]], axis=1
    )
    return level & opposite & apart & (sizes > 0)  # type: ignore[no-any-return]


def _length_change(motion: Motion, frame: Frame | None) -> float | None:
    if motion.skeleton:
        return _bone_change(motion)
    return _distance_change(motion, frame) if frame is not None else None


def _bone_change(motion: Motion) -> float:
    """Of joints that have positions of their own; the others cannot change their bones."""
    largest = 0.0
    rig = rig_of(motion.skeleton)
    for joint in np.flatnonzero((rig.parents >= 0) & (rig.shift_columns >= 0).any(axis=1)).tolist():
        columns = rig.shift_columns[joint]
        way = np.stack(
            [
                np.full(motion.n_frames, rig.offsets[joint, axis]) if column < 0 else motion.values[:, column]
                for axis, column in enumerate(columns.tolist())
            ]
        )
        lengths = np.linalg.norm(way, axis=0)
        usual = float(np.median(lengths)) if len(lengths) else 0.0
        if usual > 0:
            largest = max(largest, float(np.abs(lengths / usual - 1).max()))
    return largest


def _distance_change(motion: Motion, frame: Frame) -> float | None:
    """Of each point and the one that keeps its distance best, where they keep it most of the time."""
    step = max(1, motion.n_frames // _LOOKED_AT)
    points = motion.values.reshape(motion.n_frames, -1, 3)[:, list(motion.places)[:_MOST_POINTS]]
    looked_at = points[::step] * frame.metres
    n_points = points.shape[1]
    if n_points < 2:
        return None
    partners: dict[tuple[int, int], float] = {}
    for point in range(n_points):
        with np.errstate(all="ignore"):
            distances = np.linalg.norm(looked_at - looked_at[:, point : point + 1], axis=2)
            usual = _median(distances)
            deviation = _median(np.abs(distances / usual - 1))
        deviation[(usual < _LEAST_RIGID_M) | ~np.isfinite(deviation)] = np.inf
        deviation[point] = np.inf
        best = int(deviation.argmin())
        if deviation[best] <= _RIGID:
            partners[min(point, best), max(point, best)] = float(usual[best])
    if not partners:
        return None
    changes = []
    for (first, second), length in partners.items():
        distances = np.linalg.norm(points[:, first] - points[:, second], axis=1) * frame.metres
        there = distances[np.isfinite(distances)]
        changes.append(float(np.abs(there / length - 1).max()) if len(there) else 0.0)
    return max(changes)


def _median(values: Float64s) -> Float64s:
    """Medians over frames; of a point that was never seen, NaN without a word."""
    medians = np.full(values.shape[1], np.nan)
    seen = np.isfinite(values).any(axis=0)
    medians[seen] = np.nanmedian(values[:, seen], axis=0)
    return medians
