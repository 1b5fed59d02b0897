"""Captured motion: a skeleton and its angles, or points in space, frame by frame; as columns and as Python sees it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

Float64s = npt.NDArray[np.float64]

_NUMBERS = pa.list_(pa.float64())
_JOINT = pa.struct(
    [
        pa.field("name", pa.string()),
        pa.field("parent", pa.int32()),
        pa.field("offset", pa.list_(pa.float64())),
        pa.field("axis", pa.list_(pa.float64())),
        pa.field("axis_order", pa.string()),
        pa.field("channels", pa.list_(pa.string())),
    ]
)


def _column(name: str, kind: pa.DataType, description: str) -> pa.Field:
    return pa.field(name, kind, metadata={"description": description})


MOTION_COLUMNS: tuple[pa.Field, ...] = (
    _column("skeleton", pa.list_(_JOINT), "Joints, each behind its parent; null where the values are points"),
    _column("values", _NUMBERS, "Frame by frame the numbers of all channels, or x, y and z of each point"),
    _column("frames", pa.int64(), "Number of frames"),
    _column("frame_time", pa.float64(), "Seconds from one frame to the next"),
    _column("unit", pa.string(), "Unit of lengths as the file states it"),
    _column("up", pa.string(), "Axis that points up, as the file states it"),
    _column("labels", pa.list_(pa.string()), "Names of the points"),
    _column("residuals", _NUMBERS, "Frame by frame the residual of each point; -1 where it was not seen"),
    _column("analog", _NUMBERS, "Samples of the analog channels, one behind the other"),
    _column("analog_rate", pa.float64(), "Analog samples a second"),
    _column("analog_labels", pa.list_(pa.string()), "Names of the analog channels"),
    _column("duration_ms", pa.int64(), "Length in milliseconds"),
    _column("group", pa.string(), "The subject, of whose clips no split should part any from the others"),
    _column("extra", pa.string(), "What else the file says, as JSON"),
    _column("layout", pa.string(), "How the file was written, as JSON"),
)
"""What every record of motion has.

``skeleton``: ``parent`` is a place in the list, -1 for a root. ``offset`` is from the parent's joint; where there is an
``axis`` (degrees about x, y and z, in ``axis_order``), the joint is a bone as in ASF files, and ``offset`` the bone
itself, in the frame of the world. ``channels`` are null for the end of a limb, which never moves by itself; otherwise
``xposition`` … ``zrotation`` in the order of the file. ``values``: NaN where a point was not seen. ``unit`` (see
:func:`metres`) and ``up`` (``x``, ``y`` or ``z``, or one with a minus) are null where the file does not state them.
"""

POSITIONS = ("xposition", "yposition", "zposition")
ROTATIONS = ("xrotation", "yrotation", "zrotation")

UNITS = {
    "m": 1.0, "dm": 0.1, "cm": 0.01, "mm": 0.001, "in": 0.0254, "ft": 0.3048,
}  # fmt: skip
"""Metres of the units of length."""
_SPELLINGS = {
    "meter": "m", "meters": "m", "metre": "m", "metres": "m", "decimeters": "dm",
    "centimeter": "cm", "centimeters": "cm", "centimetres": "cm", "millimeter": "mm", "millimeters": "mm",
    "millimetres": "mm", "inch": "in", "inches": "in", "foot": "ft", "feet": "ft",
}  # fmt: skip
_NUMBER_OF = re.compile(r"([\d.]+(?:e[+-]?\d+)?) (\w+)")


def metres(unit: str | None) -> float | None:
    """Metres of a unit of length: its name, or a number of others; None where it is no unit.

    >>> metres("mm"), metres("Inches"), metres("0.5 m"), metres("furlong"), metres(None)
    (0.001, 0.0254, 0.5, None, None)
    """
    if unit is None:
        return None
    word = unit.strip().lower()
    match = _NUMBER_OF.fullmatch(word)
    number, name = (float(match[1]), match[2]) if match else (1.0, word)
    of_one = UNITS.get(_SPELLINGS.get(name, name))
    return None if of_one is None or number <= 0 else number * of_one


@dataclass(frozen=True)
class Joint:
    """A joint of a skeleton, a bone of an ASF file, or the end of a limb; see :data:`MOTION_COLUMNS`."""

    name: str
    parent: int
    offset: tuple[float, float, float]
    channels: tuple[str, ...] | None = None
    axis: tuple[float, float, float] | None = None
    axis_order: str | None = None

    @property
    def rotations(self) -> tuple[str, ...]:
        """Its channels that are angles."""
        return tuple(name for name in self.channels or () if name in ROTATIONS)


@dataclass(frozen=True)
class Motion:
    """A clip of captured motion.

    Attributes:
        skeleton: its joints; empty where it holds points.
        values: frames × channels, or frames × (x, y, z of each point).
        frame_time: seconds; None where nothing says it.
        labels: of the points.
        residuals: frames × points, -1 where a point was not seen.
        analog: samples × channels.
    """

    skeleton: tuple[Joint, ...]
    values: Float64s
    frame_time: float | None
    unit: str | None = None
    up: str | None = None
    labels: tuple[str, ...] = ()
    residuals: Float64s | None = None
    analog: Float64s | None = None
    analog_rate: float | None = None
    analog_labels: tuple[str, ...] = ()
    group: str | None = None
    extra: Mapping[str, Any] | None = None
    layout: Mapping[str, Any] | None = None

    @property
    def n_frames(self) -> int:
        """Its frames."""
        return len(self.values)

    @property
    def duration_ms(self) -> int | None:
        """How long it is shown: a frame lasts until the next one."""
        return None if self.frame_time is None else round(self.n_frames * self.frame_time * 1000)

    @property
    def places(self) -> tuple[int, ...]:
        """Those of its points that are places: laboratories keep angles, forces and moments among them, too."""
        others = frozenset((self.layout or {}).get("no_places", ()))
        return tuple(index for index, label in enumerate(self.labels) if label not in others)

    @property
    def in_radians(self) -> bool:
        """Whether its file states that angles are in radians; else they are in degrees."""
        return (self.layout or {}).get("angle") == "rad"

    def columns(self) -> dict[str, Any]:
        """Its columns: those of :data:`MOTION_COLUMNS`."""
        return {
            "skeleton": [_joint_row(joint) for joint in self.skeleton] if self.skeleton else None,
            "values": self.values.reshape(-1),
            "frames": self.n_frames,
            "frame_time": self.frame_time,
            "unit": self.unit,
            "up": self.up,
            "labels": list(self.labels) or None,
            "residuals": None if self.residuals is None else self.residuals.reshape(-1),
            "analog": None if self.analog is None else self.analog.reshape(-1),
            "analog_rate": self.analog_rate,
            "analog_labels": list(self.analog_labels) or None,
            "duration_ms": self.duration_ms,
            "group": self.group,
            "extra": _as_json(self.extra),
            "layout": _as_json(self.layout),
        }


def motion_of(row: Mapping[str, Any]) -> Motion | None:
    """The clip of a row; columns that it lacks are unknown. None where its values fill no whole frames.

    Args:
        row: the columns of :data:`MOTION_COLUMNS`, long lists as arrays of numbers or as lists.
    """
    n_frames, labels = row.get("frames") or 0, tuple(row.get("labels") or ())
    joints = tuple(map(_joint_of, row.get("skeleton") or ()))
    n_columns = sum(len(joint.channels or ()) for joint in joints) if joints else 3 * len(labels)
    values = _array(row.get("values"))
    if values is None or values.size != n_frames * n_columns:
        return None
    analog, analog_labels = _array(row.get("analog")), tuple(row.get("analog_labels") or ())
    residuals = _array(row.get("residuals"))
    return Motion(
        joints,
        values.reshape(n_frames, n_columns),
        row.get("frame_time"),
        row.get("unit"),
        row.get("up"),
        labels,
        None if residuals is None else residuals.reshape(n_frames, -1),
        None if analog is None else analog.reshape(-1, max(1, len(analog_labels))),
        row.get("analog_rate"),
        analog_labels,
        row.get("group"),
        _from_json(row.get("extra")),
        _from_json(row.get("layout")),
    )


def shown(row: Mapping[str, Any]) -> str:
    """What people are shown of a clip, by the columns that a row has.

    >>> shown({"group": "02", "frames": 343, "duration_ms": 2858, "skeleton": [{}] * 31})
    'subject 02, 343 frames, 2.9 s, 31 joints'
    """
    parts = []
    if row.get("group") is not None:
        parts.append(f"subject {row['group']}")
    if row.get("frames") is not None:
        parts.append(f"{row['frames']:,} frames")
    if row.get("duration_ms") is not None:
        parts.append(f"{row['duration_ms'] / 1000:.1f} s")
    if row.get("skeleton"):
        parts.append(f"{len(row['skeleton'])} joints")
    elif row.get("labels"):
        parts.append(f"{len(row['labels'])} points")
    return ", ".join(parts)


def _joint_row(joint: Joint) -> dict[str, Any]:
    return {
        "name": joint.name,
        "parent": joint.parent,
        "offset": list(joint.offset),
        "axis": None if joint.axis is None else list(joint.axis),
        "axis_order": joint.axis_order,
        "channels": None if joint.channels is None else list(joint.channels),
    }


def _joint_of(row: Mapping[str, Any]) -> Joint:
    axis, channels = row.get("axis"), row.get("channels")
    return Joint(
        row["name"],
        row["parent"],
        _three(row["offset"]),
        None if channels is None else tuple(channels),
        None if axis is None else _three(axis),
        row.get("axis_order"),
    )


def _three(numbers: Sequence[float]) -> tuple[float, float, float]:
    x, y, z = numbers
    return x, y, z


def _array(values: Any) -> Float64s | None:
    return None if values is None else np.asarray(values, np.float64)


def _as_json(value: Mapping[str, Any] | None) -> str | None:
    return json.dumps(value, ensure_ascii=False, sort_keys=True) if value else None


def _from_json(text: str | None) -> dict[str, Any] | None:
    return None if text is None else json.loads(text)
