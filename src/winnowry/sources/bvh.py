"""BVH: a skeleton in words and braces, then a line of numbers a frame."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from typing import BinaryIO, ClassVar

import numpy as np

from winnowry.records.motion import POSITIONS, ROTATIONS, Joint, Motion
from winnowry.sources.base import ReadLimits
from winnowry.sources.content import text_chunks
from winnowry.sources.motion_format import MotionFormat, NoClipError
from winnowry.sources.number_table import numbers

_MOTION = re.compile(rb"^[ \t]*MOTION\b", re.MULTILINE | re.IGNORECASE)
_TIMES = re.compile(rb"\s*Frames\s*:\s*(\S+)\s+Frame\s+Time\s*:\s*(\S+)", re.IGNORECASE)
_CHANNELS = frozenset(POSITIONS + ROTATIONS)
_MOST_DEPTH = 200
_MOST_JOINTS = 5_000
_SHOWN = 40  # characters of a word
_BOM = b"\xef\xbb\xbf"


class Bvh(MotionFormat):
    """Reads a BVH file as a clip: joints, channels in the order of the file, frames, and the time of a frame.

    The order of the rotations is each joint's own, as it may differ within one file. Names may have blanks. A file
    says neither unit nor up axis.
    """

    name: ClassVar[str] = "bvh"

    def chunks(self, stream: BinaryIO, limits: ReadLimits) -> Iterator[bytes]:
        """The text."""
        return text_chunks(stream, None, limits, any_text=True)

    def clip(self, data: bytes, uri: str) -> Motion:
        """The clip of a file.

        Raises:
            NoClipError: ``no_motion``, ``bad_utf8``, ``no_hierarchy``, ``word_unknown``, ``braces``, ``roots``,
                ``offset``, ``channel_unknown``, ``joint_twice``, ``too_deep``, ``no_channels``, ``no_frame_count``,
                ``frame_time``, ``no_frames``, ``not_a_number``, ``not_finite``, ``value_count`` (a line with more or
                fewer numbers) or ``frames_differ``.
        """
        motion = _MOTION.search(data)
        if motion is None:
            raise NoClipError("no_motion", "no line MOTION", "HIERARCHY, then MOTION")
        try:
            words = data[: motion.start()].removeprefix(_BOM).decode("utf-8").split()
        except UnicodeDecodeError as wrong:
            raise NoClipError("bad_utf8", f"{wrong.reason} at byte {wrong.start}") from None
        joints = _Hierarchy(words).joints()
        n_columns = sum(len(joint.channels or ()) for joint in joints)
        if n_columns == 0:
            raise NoClipError("no_channels", f"{len(joints)} joints, none of which has CHANNELS")
        n_frames, frame_time, start = _times(data, motion.end())
        read = numbers(data, start, n_frames, n_columns)
        if read.stopped is not None and read.stopped.what == "number":
            word = data[read.stopped.at : read.stopped.at + _SHOWN].split(None, 1)[0].decode("utf-8", "replace")
            reason = "not_finite" if word.lower().lstrip("+-") in ("nan", "inf", "infinity") else "not_a_number"
            raise NoClipError(reason, f"{word!r} in frame {len(read.values) // n_columns + 1}", "numbers with blanks")
        if read.ragged is not None:
            value = f"frame {read.ragged + 1}: its line does not end with it"
            raise NoClipError("value_count", value, f"{n_columns} numbers")
        if read.stopped is not None or len(read.values) != n_frames * n_columns:
            there = (
                "more" if read.stopped is not None else f"{len(read.values) / n_columns:.2f}".rstrip("0").rstrip(".")
            )
            raise NoClipError("frames_differ", f"{there} frames of {n_columns} numbers", f"{n_frames}, as Frames: says")
        if not np.isfinite(read.values).all():
            place = int(np.flatnonzero(~np.isfinite(read.values))[0])
            raise NoClipError("not_finite", f"a number beyond all doubles in frame {place // n_columns + 1}")
        return Motion(joints, read.values.reshape(n_frames, n_columns), frame_time, layout={"format": "bvh"})


def _times(data: bytes, start: int) -> tuple[int, float, int]:
    """Number of frames, seconds of one, and the byte behind both."""
    match = _TIMES.match(data, start)
    if match is None:
        raise NoClipError(
            "no_frame_count", f"{data[start : start + _SHOWN]!r}", "Frames: and Frame Time: behind MOTION"
        )
    count, time = (word.decode("utf-8", "replace") for word in match.groups())
    if not (count.isascii() and count.isdigit()):
        raise NoClipError("no_frame_count", f"Frames: {count[:_SHOWN]}", "a whole number")
    if int(count) == 0:
        raise NoClipError("no_frames", "Frames: 0")
    try:
        seconds = float(time)
    except ValueError:
        seconds = math.nan
    if not (math.isfinite(seconds) and seconds > 0):
        raise NoClipError("frame_time", f"Frame Time: {time[:_SHOWN]}", "seconds, more than 0")
    return int(count), seconds, match.end()


class _Hierarchy:
    """The words before MOTION, as joints."""

    def __init__(self, words: list[str]) -> None:
        self._words = words
        self._at = 0
        self._joints: list[Joint] = []
        self._names: set[str] = set()

    def joints(self) -> tuple[Joint, ...]:
        """The joints, each behind its parent."""
        if self._next().upper() != "HIERARCHY":
            raise NoClipError("no_hierarchy", f"{self._words[0][:_SHOWN]!r}", "HIERARCHY")
        open_joints: list[int] = []
        opened = True  # whether the last joint has its brace
        n_roots = 0
        while self._at < len(self._words):
            word = self._next()
            kind = word.upper()
            if kind == "{" and not opened:
                open_joints.append(len(self._joints) - 1)
                opened = True
            elif not opened or (kind in ("{", "}", "OFFSET", "CHANNELS", "JOINT", "END") and not open_joints):
                raise NoClipError("braces", f"{word[:_SHOWN]!r} {self._place()}", "{ behind a joint, } at its end")
            elif kind == "}":
                open_joints.pop()
            elif kind in ("ROOT", "JOINT", "END"):
                n_roots += kind == "ROOT"
                self._add(kind, open_joints[-1] if open_joints else -1)
                opened = False
                if len(open_joints) >= _MOST_DEPTH or len(self._joints) > _MOST_JOINTS:
                    value = f"{len(self._joints)} joints, {len(open_joints)} deep"
                    raise NoClipError("too_deep", value, f"at most {_MOST_JOINTS} joints, {_MOST_DEPTH} deep")
            elif kind == "OFFSET":
                self._set(open_joints[-1], offset=self._offset())
            elif kind == "CHANNELS":
                self._set(open_joints[-1], channels=self._channels())
            else:
                raise NoClipError("word_unknown", f"{word[:_SHOWN]!r} {self._place()}")
        if open_joints or not opened:
            raise NoClipError("braces", f"{len(open_joints)} joints are not closed")
        if n_roots != 1:
            raise NoClipError("roots", f"{n_roots} roots", "one")
        return tuple(self._joints)

    def _place(self) -> str:
        return f"behind {self._joints[-1].name!r:.60}" if self._joints else "before the first joint"

    def _next(self) -> str:
        if self._at >= len(self._words):
            raise NoClipError("braces", "HIERARCHY ends early")
        self._at += 1
        return self._words[self._at - 1]

    def _add(self, kind: str, parent: int) -> None:
        """A joint; its name may have blanks. The end of a limb is named after it."""
        start = self._at
        while self._at < len(self._words) and self._words[self._at] != "{":
            self._at += 1
        name = " ".join(self._words[start : self._at])
        if kind == "END":
            self._joints.append(Joint(f"{self._joints[parent].name} End", parent, (0.0, 0.0, 0.0)))
            return
        if name in self._names:
            raise NoClipError("joint_twice", f"{name[:_SHOWN]!r}", "names that differ")
        self._names.add(name)
        self._joints.append(Joint(name, parent, (0.0, 0.0, 0.0), ()))

    def _set(self, index: int, **fields: object) -> None:
        joint = self._joints[index]
        self._joints[index] = Joint(**{**joint.__dict__, **fields})

    def _offset(self) -> tuple[float, float, float]:
        words = [self._next() for _ in range(3)]
        try:
            x, y, z = map(float, words)
        except ValueError:
            raise NoClipError("offset", f"{' '.join(words)[:_SHOWN]} {self._place()}", "three numbers") from None
        if not all(map(math.isfinite, (x, y, z))):
            raise NoClipError("offset", f"{' '.join(words)[:_SHOWN]} {self._place()}", "three finite numbers")
        return x, y, z

    def _channels(self) -> tuple[str, ...]:
        count = self._next()
        if not (count.isascii() and count.isdigit()):
            raise NoClipError("channel_unknown", f"CHANNELS {count[:_SHOWN]} {self._place()}", "their number")
        names = tuple(self._next().lower() for _ in range(min(int(count), len(self._words))))
        for name in names:
            if name not in _CHANNELS or names.count(name) > 1:
                raise NoClipError("channel_unknown", f"{name[:_SHOWN]!r} {self._place()}", "Xposition … Zrotation")
        return names
