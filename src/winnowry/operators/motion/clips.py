"""Rows of a batch as clips, and what is known of a clip's unit and its up axis."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from winnowry.operators.motion.kinematics import positions_of
from winnowry.records.motion import MOTION_COLUMNS, Joint, Motion, metres, motion_of

Float64s = npt.NDArray[np.float64]
Origin = Literal["stated", "guessed"]

_READ = ("skeleton", "values", "frames", "frame_time", "unit", "up", "labels", "layout")
CLIP = pa.schema([column for column in MOTION_COLUMNS if column.name in _READ])
"""The columns that a clip is made of."""
_FEET = re.compile(r"foot|toe|ankle|heel|^[lr](ank|toe|hee|mt[0-9]+)$")
_HEAD = re.compile(r"head")
_ADULT_M = 1.7
_GUESSED = (1.0, 0.01, 0.001, 0.0254, 0.0254 / 0.45)
"""Metres that a unit may have: m, cm, mm, inches, and those of CMU."""
_LOOKED_AT = 200  # frames


def clips(batch: pa.RecordBatch) -> Iterator[Motion | None]:
    """The clip of each row; None of a row that is none, or whose values fill no whole frames.

    Args:
        batch: with the columns of :data:`CLIP`.
    """
    values = batch.column("values")
    numbers, offsets = values.values.to_numpy(zero_copy_only=False), values.offsets.to_numpy()
    known = values.is_valid().to_pylist()
    rest = batch.select([name for name in CLIP.names if name != "values"])
    for index in range(batch.num_rows):
        if not known[index]:
            yield None
            continue
        (row,) = rest.slice(index, 1).to_pylist()
        yield motion_of({**row, "values": numbers[offsets[index] : offsets[index + 1]]})


def as_batch(schema: pa.Schema, rows: Iterable[Sequence[Any]]) -> pa.RecordBatch:
    """Rows of values as a batch."""
    columns = list(zip(*rows, strict=True)) or [()] * len(schema)
    arrays = [pa.array(values, field.type) for values, field in zip(columns, schema, strict=True)]
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


@dataclass(frozen=True)
class Frame:
    """How the space of a clip lies in the world.

    Attributes:
        metres: of its unit of length.
        unit_from: whether the file states the unit, or it was guessed from the size of the body.
        up: axis that points up: ``x``, ``y``, ``z``, or one of them with a minus.
        up_from: whether the file states the axis, or it was guessed from how the body stands.
    """

    metres: float
    unit_from: Origin
    up: str
    up_from: Origin

    def upright(self, positions: Float64s) -> Float64s:
        """Positions in metres with the third axis up."""
        axis = "xyz".index(self.up[-1])
        order = [(axis + 1) % 3, (axis + 2) % 3, axis]
        turned = positions[..., order] * self.metres
        return turned * np.array([1.0, -1.0, -1.0]) if self.up.startswith("-") else turned


def names_of(motion: Motion) -> tuple[str, ...]:
    """Names of what has a place: joints or points."""
    if motion.skeleton:
        return tuple(joint.name for joint in motion.skeleton)
    return tuple(motion.labels[index] for index in motion.places)


@lru_cache(maxsize=64)
def feet_of(names: tuple[str, ...]) -> tuple[int, ...]:
    """Places of feet, ankles and toes among names; the ends of limbs only where there are no others."""
    matches = [index for index, name in enumerate(names) if _FEET.search(_word(name))]
    return tuple(index for index in matches if not _word(names[index]).endswith("end")) or tuple(matches)


def _word(name: str) -> str:
    """A name without its prefix and case: `mixamorig:LeftFoot` is `leftfoot`."""
    return name.rpartition(":")[2].strip().lower()


def frame_of(motion: Motion) -> Frame | None:
    """How a clip lies in the world; None where nothing of it has a place."""
    step = max(1, motion.n_frames // _LOOKED_AT)
    looked_at = positions_of(motion, motion.values[::step])
    if not looked_at.size or not np.isfinite(looked_at).any():
        return None
    stated = metres(motion.unit)
    unit = stated if stated is not None else _unit(motion, looked_at)
    if unit is None:
        return None
    up = motion.up or _up(looked_at, names_of(motion))
    return Frame(
        unit, "stated" if stated is not None else "guessed", up, "stated" if motion.up is not None else "guessed"
    )


def _unit(motion: Motion, looked_at: Float64s) -> float | None:
    """The unit in which the body is most nearly 1.7 m; of a skeleton as it stands without any angle."""
    size = _size_at_rest(motion.skeleton) if motion.skeleton else float(_usual(_extents(looked_at)).max())
    if not np.isfinite(size) or size <= 0:
        return None
    return min(_GUESSED, key=lambda unit: abs(np.log(size * unit / _ADULT_M)))


@lru_cache(maxsize=64)
def _size_at_rest(skeleton: tuple[Joint, ...]) -> float:
    """Largest extent of a skeleton with all angles 0; joints that have positions lie at their offsets."""
    still = tuple(Joint(one.name, one.parent, one.offset, (), one.axis, one.axis_order) for one in skeleton)
    (pose,) = positions_of(Motion(still, np.empty((1, 0)), None), np.empty((1, 0)))
    return float(np.ptp(pose, axis=0).max())


def _up(looked_at: Float64s, names: tuple[str, ...]) -> str:
    """From the feet to the head, where there are both; else the axis along which the body is longest."""
    heads = [index for index, name in enumerate(names) if _HEAD.search(_word(name))]
    feet = list(feet_of(names))
    if heads and feet:
        way = _usual(_middle(looked_at[:, heads]) - _middle(looked_at[:, feet]))
        if np.isfinite(way).all() and np.abs(way).max() > 0:
            axis = int(np.abs(way).argmax())
            return "xyz"[axis] if way[axis] > 0 else f"-{'xyz'[axis]}"
    extents = _extents(looked_at)
    whole = extents[np.isfinite(extents).all(axis=1)]
    return "xyz"[int(np.bincount(whole.argmax(axis=1), minlength=3).argmax())] if len(whole) else "z"


def _extents(positions: Float64s) -> Float64s:
    """How far what was seen reaches along each axis, frame by frame; -inf where nothing was."""
    unseen = np.isnan(positions)
    highest = np.where(unseen, -np.inf, positions).max(axis=1)
    lowest = np.where(unseen, np.inf, positions).min(axis=1)
    return np.where(np.isfinite(highest) & np.isfinite(lowest), highest - lowest, np.nan)


def _middle(positions: Float64s) -> Float64s:
    """The middle of what was seen, frame by frame; NaN where nothing was."""
    seen = np.isfinite(positions)
    counts = seen.sum(axis=1)
    sums = np.where(seen, positions, 0.0).sum(axis=1)
    return np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)


def _usual(values: Float64s) -> Float64s:
    """The median over the frames that have one, for each axis; NaN where none has."""
    whole = values[np.isfinite(values).all(axis=1)]
    return np.median(whole, axis=0) if len(whole) else np.full(values.shape[1], np.nan)
