"""AMC: the angles of a skeleton, which an ASF file beside it describes."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import BinaryIO, ClassVar, Self

import numpy as np
from pydantic import Field, model_validator

from winnowry.records.motion import Joint, Motion
from winnowry.sources.asf import Skeleton, channel_counts, skeleton_of, unit_of
from winnowry.sources.base import ReadLimits
from winnowry.sources.content import text_chunks
from winnowry.sources.motion_format import MotionFormat, NoClipError
from winnowry.sources.number_table import Stopped, frames
from winnowry.sources.text import whole_object

_FRAME = re.compile(rb"^[ \t]*(\d+)[ \t\r]*$", re.MULTILINE)
_SHOWN = 60
_SKELETON_BYTES = 1 << 20


class Amc(MotionFormat):
    """Reads an AMC file as a clip of the skeleton in the ASF file beside it.

    The skeleton is ``skeleton``, if it is said; else the file of the same name, ``NAME.asf``, or that of its subject:
    ``02.asf`` of ``02_07.amc``, or ``02.asf`` in a folder ``02``. Its name is the subject. The file says the unit of
    lengths; it does not say how long a frame is.
    """

    name: ClassVar[str] = "amc"
    opens_zip: ClassVar[bool] = False

    fps: float | None = Field(
        default=None, gt=0, allow_inf_nan=False, description="frames a second, which no AMC file says: CMU has 120"
    )
    skeleton: str | None = Field(
        default=None,
        min_length=1,
        description="name of the ASF file in the folder of each AMC file; unset: by its name",
    )

    @model_validator(mode="after")
    def _knows_its_rate(self) -> Self:
        if self.fps is None:
            raise ValueError("an AMC file does not say how long a frame is: say `fps`, e.g. `fps: 120` (CMU)")
        return self

    def why_no_members(self) -> str | None:
        """Files inside archives have no skeleton beside them that can be opened."""
        return "an AMC file needs the ASF file beside it; unpack the archive"

    def chunks(self, stream: BinaryIO, limits: ReadLimits) -> Iterator[bytes]:
        """The text."""
        return text_chunks(stream, None, limits, any_text=True)

    def clip(self, data: bytes, uri: str) -> Motion:
        """The clip of a file.

        Raises:
            NoClipError: ``no_skeleton`` (no ASF file beside it), ``skeleton`` (which is none), ``no_frames``,
                ``bone_unknown``, ``bone_missing``, ``bone_twice``, ``value_count``, ``not_a_number``,
                ``layout_changes`` (other bones than in the first frame, or in another order), ``frame_gap``, or
                ``not_finite``.
        """
        name, asf = self._skeleton(uri)
        skeleton = skeleton_of(asf)
        first = _FRAME.search(data)
        if first is None:
            raise NoClipError("no_frames", None, "a line with the number of each frame, from 1")
        if int(first[1]) != 1:
            raise NoClipError("frame_gap", f"the first frame is {first[1].decode()[:_SHOWN]}", "1")
        counts = channel_counts(skeleton.joints)
        words = _layout(data, first.end(), counts)
        values, stopped = frames(data, first.start(), [word.encode() for word in words], [counts[w] for w in words])
        if stopped is not None:
            raise _why(data, stopped, len(values), words, counts)
        if not np.isfinite(values).all():
            row = int(np.flatnonzero(~np.isfinite(values).all(axis=1))[0])
            raise NoClipError("not_finite", f"a number beyond all doubles in frame {row + 1}")
        header = data[: first.start()].decode("utf-8", "replace").splitlines()
        stated = _angle(header, skeleton)
        assert self.fps is not None
        return Motion(
            _in_file_order(skeleton.joints),
            _of_joints(values, words, skeleton.joints),
            1 / self.fps,
            unit=unit_of(skeleton.metres),
            group=name.removesuffix(".asf"),
            layout={
                "format": "amc", "angle": stated, "order": words, "header": header,
                "asf": asf.decode("utf-8", "replace"), "asf_name": name,
            },
        )  # fmt: skip

    def _skeleton(self, uri: str) -> tuple[str, bytes]:
        """Name and bytes of the skeleton beside a file."""
        folder, _, file = uri.rpartition("/")
        stem = re.sub(r"\.amc(\.\w+)?$", "", file, flags=re.IGNORECASE)
        stems = dict.fromkeys((stem, stem.rpartition("_")[0], stem.partition("_")[0], folder.rpartition("/")[2]))
        names = [self.skeleton] if self.skeleton is not None else [f"{one}.asf" for one in stems if one]
        for name in names:
            stream = self.neighbour(name)
            if stream is not None:
                break
        else:
            raise NoClipError("no_skeleton", f"no {' or '.join(names)} beside it", "`skeleton` names the ASF file")
        limits = ReadLimits(max_record_bytes=_SKELETON_BYTES)
        with stream:
            data, refusal = whole_object(text_chunks(stream, None, limits, any_text=True), limits, self.name)
        if data is None:
            raise NoClipError("skeleton", f"{name}: {refusal.reason if refusal else ''}", "an ASF file")
        return name, data


def _angle(header: list[str], skeleton: Skeleton) -> str:
    """Whether the file states degrees or radians; else what its skeleton does."""
    marks = {line.strip().upper() for line in header}
    if ":DEGREES" in marks:
        return "deg"
    return "rad" if ":RADIANS" in marks or skeleton.radians else "deg"


def _layout(data: bytes, start: int, counts: Mapping[str, int]) -> list[str]:
    """The bones of the first frame, in its order."""
    words: list[str] = []
    at = start
    while at < len(data):
        end = data.find(b"\n", at)
        end = len(data) if end < 0 else end
        line = data[at:end].split()
        at = end + 1
        if not line:
            continue
        if len(line) == 1 and line[0].isdigit():
            break
        word = line[0].decode("utf-8", "replace")
        if word not in counts:
            raise NoClipError("bone_unknown", f"{word[:_SHOWN]!r} in frame 1", f"one of {', '.join(counts)}")
        if word in words:
            raise NoClipError("bone_twice", f"{word[:_SHOWN]!r} in frame 1")
        words.append(word)
    lacking = [name for name in counts if name not in words]
    if lacking:
        raise NoClipError("bone_missing", f"no {', '.join(lacking)[:_SHOWN]} in frame 1", "every bone with a dof")
    return words


def _why(data: bytes, stopped: Stopped, n_frames: int, words: list[str], counts: Mapping[str, int]) -> NoClipError:
    """What stands where the reading stopped, in words."""
    end = data.find(b"\n", stopped.at)
    line = data[stopped.at : len(data) if end < 0 else end].decode("utf-8", "replace").split()
    here = f"frame {n_frames + 1}"
    if stopped.what == "frame":
        if len(line) > 1 or not line[0].isdigit():
            return NoClipError("layout_changes", f"{' '.join(line)[:_SHOWN]!r} behind frame {n_frames}", words[0])
        return NoClipError("frame_gap", f"frame {n_frames} is followed by {line[0][:_SHOWN]}", str(n_frames + 1))
    word = line[0] if line else "the end of the file"
    if stopped.what == "word":
        if word not in counts and not word.isdigit() and line:
            return NoClipError("bone_unknown", f"{word[:_SHOWN]!r} in {here}", f"one of {', '.join(counts)}")
        return NoClipError("layout_changes", f"{word[:_SHOWN]!r} in {here}", "the bones of frame 1, in its order")
    wrong = next((one for one in line[1:] if not _is_number(one)), None)
    if wrong is not None:
        reason = "not_finite" if wrong.lower().lstrip("+-") in ("nan", "inf", "infinity") else "not_a_number"
        return NoClipError(reason, f"{wrong[:_SHOWN]!r} of {word} in {here}", "numbers with blanks")
    expected = str(counts.get(word, 0))
    return NoClipError("value_count", f"{word[:_SHOWN]} has {len(line) - 1} numbers in {here}", expected)


def _is_number(word: str) -> bool:
    return re.fullmatch(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?", word) is not None


def _in_file_order(joints: tuple[Joint, ...]) -> tuple[Joint, ...]:
    """The joints as records have them: a bone that has no channels is one all the same, and not the end of a limb."""
    return tuple(replace(joint, channels=joint.channels or ()) for joint in joints)


def _of_joints(values: np.ndarray, words: list[str], joints: tuple[Joint, ...]) -> np.ndarray:
    """The columns of the file in the order of the joints."""
    counts = channel_counts(joints)
    starts = dict(zip(words, np.cumsum([0, *(counts[word] for word in words)])[:-1].tolist(), strict=True))
    order = [starts[name] + place for name, count in counts.items() for place in range(count)]
    return np.ascontiguousarray(values[:, order])
