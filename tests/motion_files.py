"""Files of captured motion, as small as they can be, written by hand or from the layout that their formats define."""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from winnowry.records.motion import Joint, Motion

Processor = Literal["intel", "dec", "mips"]

JOINTS = (
    ("Hips", -1, (0.0, 0.0, 0.0)), ("Spine", 0, (0.0, 30.0, 0.0)), ("Head", 1, (0.0, 40.0, 0.0)),
    ("Head End", 2, (0.0, 20.0, 0.0)),
    ("LeftArm", 1, (20.0, 30.0, 0.0)), ("LeftHand", 4, (60.0, 0.0, 0.0)), ("LeftHand End", 5, (10.0, 0.0, 0.0)),
    ("RightArm", 1, (-20.0, 30.0, 0.0)), ("RightHand", 7, (-60.0, 0.0, 0.0)), ("RightHand End", 8, (-10.0, 0.0, 0.0)),
    ("LeftUpLeg", 0, (10.0, 0.0, 0.0)), ("LeftFoot", 10, (0.0, -80.0, 0.0)), ("LeftFoot End", 11, (0.0, 0.0, 15.0)),
    ("RightUpLeg", 0, (-10.0, 0.0, 0.0)), ("RightFoot", 13, (0.0, -80.0, 0.0)),
    ("RightFoot End", 14, (0.0, 0.0, 15.0)),
)  # fmt: skip
"""A body of 180 cm with its arms held out: names, parents, and offsets in centimetres."""
POSITIONS = ("xposition", "yposition", "zposition")
TURNS = ("zrotation", "xrotation", "yrotation")
FPS = 30


def skeleton() -> tuple[Joint, ...]:
    """The joints; roots have positions and angles, the ends of limbs nothing."""
    return tuple(
        Joint(name, parent, offset, None if name.endswith("End") else (*(POSITIONS if parent < 0 else ()), *TURNS))
        for name, parent, offset in JOINTS
    )


def column(motion: Motion, joint: str, channel: str) -> int:
    """The column of a channel."""
    first = 0
    for one in motion.skeleton:
        if one.name == joint:
            return first + (one.channels or ()).index(channel)
        first += len(one.channels or ())
    raise KeyError(joint)


def march(n_frames: int = 90, *, swing: float = 20.0, seed: int = 0) -> Motion:
    """Marching on the spot: legs and arms swing, the feet never leave the ground far."""
    joints = skeleton()
    motion = Motion(joints, np.zeros((n_frames, sum(len(j.channels or ()) for j in joints))), 1 / FPS)
    time = np.arange(n_frames) / FPS
    phase = 2 * math.pi * (0.8 * time + np.random.default_rng(seed).random())
    values = motion.values
    values[:, column(motion, "Hips", "yposition")] = 80.0
    for joint, sign in (("LeftUpLeg", 1), ("RightUpLeg", -1)):
        values[:, column(motion, joint, "xrotation")] = sign * swing * np.maximum(0, sign * np.sin(phase))
    for joint, sign in (("LeftArm", 1), ("RightArm", -1)):
        values[:, column(motion, joint, "zrotation")] = -sign * 75.0 + swing / 4 * np.sin(phase)
    values[:, column(motion, "Head", "yrotation")] = 10 * np.sin(phase / 3)
    return motion


ASF = """\
# a root, a spine, and two legs
:version 1.10
:name small
:units
  mass 1.0
  length 0.45
  angle deg
:root
   order TX TY TZ RX RY RZ
   axis XYZ
   position 0 0 0
   orientation 0 0 0
:bonedata
  begin
     id 1
     name spine
     direction 0 1 0
     length 10
     axis 0 0 0 XYZ
    dof rx ry rz
    limits (-20.0 45.0)
           (-30.0 30.0)
           (-30.0 30.0)
  end
  begin
     id 2
     name lhipjoint
     direction 1 0 0
     length 2
     axis 0 0 0 XYZ
  end
  begin
     id 3
     name ltibia
     direction 0 -2 0
     length 15
     axis 0 0 20 XYZ
    dof rx
    limits (-10.0 170.0)
  end
:hierarchy
  begin
    root lhipjoint spine
    lhipjoint ltibia
  end
"""


def amc(n_frames: int = 3) -> str:
    """Frames of that skeleton; the bones come in another order than in its hierarchy."""
    lines = [":FULLY-SPECIFIED", ":DEGREES"]
    for frame in range(1, n_frames + 1):
        lines += [str(frame), f"root {frame} 17.5 -1.5e-3 0 90 0", f"ltibia {frame * 10}", "spine 1 -2.25 3e-014"]
    return "\n".join(lines) + "\n"


def c3d(points: np.ndarray, **options: Any) -> bytes:
    """A C3D file; see :class:`C3dFile`."""
    return C3dFile(points, **options).written()


@dataclass(frozen=True)
class C3dFile:
    """A C3D file that is to be written.

    Attributes:
        points: frames × points × 3; whole multiples of the scale where they are integers.
        processor: how numbers are written.
        real: whether points are floating-point numbers.
        scale: of whole numbers.
        labels: LABELS, LABELS2, …
        analog: samples × channels, as stored; a whole number of samples a frame.
        beside: the word beside each point: cameras in the high byte, the residual in the low one.
        unseen: frames and points that were not seen.
        unsigned: whether analog whole numbers have no sign.
        offset: of the analog channels.
        header_frames: what the header states, where it is not the truth.
        long_frames: TRIAL:ACTUAL_END_FIELD, where there is one.
        units: of lengths.
    """

    points: np.ndarray
    processor: Processor = "intel"
    real: bool = True
    scale: float = 0.5
    labels: Sequence[Sequence[str]] = (("LANK", "HEAD"),)
    analog: np.ndarray | None = None
    beside: int = 0x0302
    unseen: Sequence[tuple[int, int]] = ()
    unsigned: bool = False
    offset: int = 0
    header_frames: int | None = None
    long_frames: int | None = None
    units: str = "mm"

    def written(self) -> bytes:
        """Header, parameters and frames, each in whole blocks."""
        section = self._parameters()
        n_blocks = (4 + len(section) + 2 + 511) // 512
        kind = {"intel": 84, "dec": 85, "mips": 86}[self.processor]
        parameters = (bytes([1, 0x50, n_blocks, kind]) + section).ljust(n_blocks * 512, b"\0")
        rows = self._rows()
        frames = self._reals(rows.reshape(-1)) if self.real else self._shorts(rows.reshape(-1))
        whole = self._header(2 + n_blocks).ljust(512, b"\0") + parameters + frames
        return whole + b"\0" * (-len(whole) % 512)

    def _header(self, data_block: int) -> bytes:
        n_frames, n_points, _ = self.points.shape
        samples, channels = self._analog_shape()
        stated = n_frames if self.header_frames is None else self.header_frames
        words = (n_points, channels * samples, 1, min(stated, 65535), 10)
        header = bytes([2, 0x50]) + b"".join(map(self._short, words))
        header += self._reals(np.array([-self.scale if self.real else self.scale]))
        return header + self._short(data_block) + self._short(samples) + self._reals(np.array([100.0]))

    def _parameters(self) -> bytes:
        groups = ("POINT", "ANALOG", "TRIAL", "SUBJECTS")
        section = b"".join(
            struct.pack("bb", len(name), -number) + name.encode() + self._short(3) + b"\0"
            for number, name in enumerate(groups, 1)
        )
        for index, some in enumerate(self.labels):
            section += self._texts(1, "LABELS" + (str(index + 1) if index else ""), some)
        section += self._texts(1, "UNITS", [self.units]) + self._texts(4, "NAMES", ["anna"])
        _, channels = self._analog_shape()
        if channels:
            section += self._texts(2, "LABELS", [f"EMG{number}" for number in range(channels)])
            section += self._texts(2, "FORMAT", ["UNSIGNED" if self.unsigned else "SIGNED"])
            section += self._parameter(2, "SCALE", 4, [channels], self._reals(np.full(channels, 0.25)))
            section += self._parameter(2, "OFFSET", 2, [channels], self._short(self.offset) * channels)
            section += self._parameter(2, "GEN_SCALE", 4, [], self._reals(np.array([2.0])))
        if self.long_frames is not None:
            low, high = self.long_frames % 65536, self.long_frames // 65536
            section += self._parameter(3, "ACTUAL_START_FIELD", 2, [2], self._short(1) + self._short(0))
            section += self._parameter(3, "ACTUAL_END_FIELD", 2, [2], self._short(low) + self._short(high))
        return section

    def _rows(self) -> np.ndarray:
        n_frames, n_points, _ = self.points.shape
        words = np.full((n_frames, n_points, 1), self.beside, np.float64)
        for frame, point in self.unseen:
            words[frame, point] = -1
        stored = self.points if self.real else np.round(self.points / self.scale)
        rows = np.concatenate([stored, words], axis=2).reshape(n_frames, -1)
        return rows if self.analog is None else np.concatenate([rows, self.analog.reshape(n_frames, -1)], axis=1)

    def _analog_shape(self) -> tuple[int, int]:
        """Samples a frame, and channels."""
        return (0, 0) if self.analog is None else (len(self.analog) // len(self.points), self.analog.shape[1])

    def _short(self, value: int) -> bytes:
        return struct.pack(">H" if self.processor == "mips" else "<H", value % 65536)

    def _shorts(self, values: np.ndarray) -> bytes:
        return (values.astype(np.int64) % 65536).astype(">u2" if self.processor == "mips" else "<u2").tobytes()

    def _reals(self, values: np.ndarray) -> bytes:
        if self.processor == "dec":  # four times as large, and the halves of the word swapped
            words = (values.astype("<f4") * np.float32(4)).astype("<f4").view("<u2").reshape(-1, 2)
            return np.ascontiguousarray(words[:, ::-1]).tobytes()
        return values.astype(">f4" if self.processor == "mips" else "<f4").tobytes()

    def _texts(self, group: int, name: str, values: Sequence[str]) -> bytes:
        width = max(len(value) for value in values)
        data = "".join(value.ljust(width) for value in values).encode()
        return self._parameter(group, name, -1, [width, len(values)], data)

    def _parameter(self, group: int, name: str, kind: int, dimensions: Sequence[int], data: bytes) -> bytes:
        body = struct.pack("bB", kind, len(dimensions)) + bytes(dimensions) + data + b"\0"
        return struct.pack("bb", len(name), group) + name.encode() + self._short(2 + len(body)) + body
