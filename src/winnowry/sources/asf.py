"""ASF: the skeleton that the angles of AMC files move."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from winnowry.records.motion import POSITIONS, ROTATIONS, Joint
from winnowry.sources.motion_format import NoClipError

_NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?")
_CHANNELS = dict(zip(("tx", "ty", "tz", "rx", "ry", "rz"), POSITIONS + ROTATIONS, strict=True))
_ORDERS = frozenset({"xyz", "xzy", "yxz", "yzx", "zxy", "zyx"})
_METRES_A_UNIT = 0.0254  # `length 0.45` says that a unit is 1/0.45 inches
_ROOT = "root"
_SHOWN = 40


@dataclass
class _Bone:
    name: str = ""
    direction: tuple[float, float, float] = (0.0, 0.0, 0.0)
    length: float = 0.0
    axis: tuple[float, float, float] = (0.0, 0.0, 0.0)
    axis_order: str = "xyz"
    channels: tuple[str, ...] = ()


@dataclass(frozen=True)
class Skeleton:
    """A skeleton as its file says it.

    Attributes:
        joints: the root, and the bones behind their parents; those without channels move with their parents.
        metres: of a unit of length; None where the file does not say.
        radians: whether angles are in radians.
        name: of the skeleton, where it has one.
    """

    joints: tuple[Joint, ...]
    metres: float | None
    radians: bool
    name: str | None


def skeleton_of(data: bytes) -> Skeleton:
    """Read an ASF file.

    Raises:
        NoClipError: ``skeleton``: it is none; the value says why.
    """
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        text = data.decode("latin-1")
    try:
        return _Reader().read(text)
    except (ValueError, IndexError) as wrong:
        raise NoClipError("skeleton", str(wrong), "an ASF file") from None


@dataclass
class _Reader:
    """An ASF file that is being read, section by section."""

    bones: dict[str, _Bone] = field(default_factory=dict)
    children: dict[str, list[str]] = field(default_factory=dict)
    root: _Bone = field(default_factory=lambda: _Bone(name=_ROOT))
    units: dict[str, str] = field(default_factory=dict)
    name: str | None = None

    def read(self, text: str) -> Skeleton:
        section = ""
        bone: _Bone | None = None
        for words in _lines(text):
            if words[0].startswith(":"):
                section = words[0].lower()
                if section == ":name":
                    self.name = " ".join(words[1:]) or None
            elif section == ":units":
                self.units[words[0].lower()] = words[1]
            elif section == ":root":
                self._of_root(words)
            elif section == ":bonedata":
                bone = self._of_bone(words, bone)
            elif section == ":hierarchy" and words[0].lower() not in ("begin", "end"):
                self.children.setdefault(words[0], []).extend(words[1:])
        angle = self.units.get("angle", "deg").lower()
        if not angle.startswith(("deg", "rad")):
            raise ValueError(f"units angle {angle[:_SHOWN]}: expected deg or rad")
        radians = angle.startswith("rad")
        length = float(self.units["length"]) if "length" in self.units else None
        if length is not None and not (math.isfinite(length) and length > 0):
            raise ValueError(f"units length {length:g}: expected more than 0")
        metres = None if length is None else _METRES_A_UNIT / length
        return Skeleton(tuple(self._joints(radians)), metres, radians, self.name)

    def _of_root(self, words: list[str]) -> None:
        key = words[0].lower()
        if key == "order":
            self.root.channels = _channels(_ROOT, words[1:])
        elif key == "axis":
            self.root.axis_order = _order(_ROOT, words[1])
        elif key in ("position", "orientation"):
            numbers = _three(_ROOT, words)
            if any(numbers):  # no file was seen that has them, and readers differ in what they mean
                raise ValueError(f"root {key} {' '.join(words[1:4])}: expected 0 0 0")

    def _of_bone(self, words: list[str], bone: _Bone | None) -> _Bone | None:
        key = words[0].lower()
        if key == "begin":
            return _Bone()
        if bone is None:
            return None
        if key == "end":
            if not bone.name or bone.name in self.bones or bone.name == _ROOT:
                raise ValueError(f"bone {bone.name!r:.60}: expected a name that no other has")
            self.bones[bone.name] = bone
            return None
        if key == "name":
            bone.name = words[1]
        elif key == "direction":
            bone.direction = _three(bone.name, words)
        elif key == "length":
            (bone.length,) = map(_finite, words[1:2])
        elif key == "axis":
            bone.axis = _three(bone.name, words)
            bone.axis_order = _order(bone.name, words[4]) if len(words) > 4 else "xyz"
        elif key == "dof":
            bone.channels = _channels(bone.name, words[1:])
        return bone

    def _joints(self, radians: bool) -> Iterator[Joint]:
        """The root and the bones in the order of the hierarchy, each behind its parent."""
        if not self.root.channels:
            raise ValueError("no order of the root's channels")
        root = self.root
        yield Joint(_ROOT, -1, (0.0, 0.0, 0.0), root.channels, (0.0, 0.0, 0.0), root.axis_order)
        places = {_ROOT: 0}
        waiting = [(name, _ROOT) for name in self.children.get(_ROOT, ())]
        while waiting:
            name, parent = waiting.pop(0)
            bone = self.bones.get(name)
            if bone is None or name in places:
                raise ValueError(f"hierarchy: {name[:_SHOWN]!r} " + ("is no bone" if bone is None else "comes twice"))
            yield self._joint(bone, places[parent], radians)
            places[name] = len(places)
            waiting = [(child, name) for child in self.children.get(name, ())] + waiting
        lost = [name for name in self.bones if name not in places]
        if lost:
            raise ValueError(f"hierarchy: {lost[0]!r:.60} hangs on no other bone")

    def _joint(self, bone: _Bone, parent: int, radians: bool) -> Joint:
        size = math.sqrt(sum(part * part for part in bone.direction))
        if bone.length < 0 or (bone.length > 0 and size == 0):
            raise ValueError(f"bone {bone.name[:_SHOWN]}: length {bone.length:g} in direction {bone.direction}")
        x, y, z = (part / size * bone.length if size else 0.0 for part in bone.direction)
        ax, ay, az = (math.degrees(angle) if radians else angle for angle in bone.axis)
        return Joint(bone.name, parent, (x, y, z), bone.channels, (ax, ay, az), bone.axis_order)


def _lines(text: str) -> Iterator[list[str]]:
    for line in text.splitlines():
        words = line.split()
        if words and not words[0].startswith("#"):
            yield words


def _channels(bone: str, words: list[str]) -> tuple[str, ...]:
    names = [word.lower() for word in words]
    for name in names:
        if name not in _CHANNELS or names.count(name) > 1:
            raise ValueError(f"bone {bone[:_SHOWN]}: dof {name[:_SHOWN]!r}: expected {', '.join(_CHANNELS)}")
    return tuple(_CHANNELS[name] for name in names)


def _order(bone: str, word: str) -> str:
    if word.lower() not in _ORDERS:
        raise ValueError(f"bone {bone[:_SHOWN]}: axis {word[:_SHOWN]}: expected an order such as XYZ")
    return word.lower()


def _three(bone: str, words: list[str]) -> tuple[float, float, float]:
    if len(words) < 4:
        raise ValueError(f"bone {bone[:_SHOWN]}: {words[0]} has {len(words) - 1} numbers, expected three")
    x, y, z = map(_finite, words[1:4])
    return x, y, z


def _finite(word: str) -> float:
    if not _NUMBER.fullmatch(word):
        raise ValueError(f"{word[:_SHOWN]!r} is no number")
    value = float(word)
    if not math.isfinite(value):
        raise ValueError(f"{word[:_SHOWN]!r} is beyond all numbers")
    return value


def unit_of(metres: float | None) -> str | None:
    """A unit of length as records of motion name it."""
    return None if metres is None else f"{metres!r} m"


def channel_counts(joints: tuple[Joint, ...]) -> Mapping[str, int]:
    """Numbers that a frame has of each joint that moves by itself."""
    return {joint.name: len(joint.channels) for joint in joints if joint.channels}
