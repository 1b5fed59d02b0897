"""Clips as files that programs of animation read: BVH, and ASF with AMC. Read again, every number is the same."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import accumulate

from winnowry.records.motion import Joint, Motion

_SPELLED = {
    "xposition": "Xposition", "yposition": "Yposition", "zposition": "Zposition",
    "xrotation": "Xrotation", "yrotation": "Yrotation", "zrotation": "Zrotation",
}  # fmt: skip


def files_of(motion: Motion) -> Mapping[str, bytes]:
    """The files that a clip is, by their extension: ``bvh``, or ``amc`` and ``asf``; none of a clip of points."""
    layout = motion.layout or {}
    if layout.get("format") == "amc" and "asf" in layout:
        return {"amc": amc_of(motion), "asf": str(layout["asf"]).encode()}
    if motion.skeleton and motion.frame_time and not any(joint.axis for joint in motion.skeleton):
        return {"bvh": bvh_of(motion)}
    return {}


def bvh_of(motion: Motion) -> bytes:
    """A clip of joints as BVH.

    Raises:
        ValueError: it has no joints, bones of an ASF file, or no time of a frame.
    """
    joints = motion.skeleton
    if not joints or any(joint.axis is not None for joint in joints):
        raise ValueError("BVH has joints that turn about the axes of their parents: these are none")
    if motion.frame_time is None:
        raise ValueError("BVH needs the time of a frame")
    children: list[list[int]] = [[] for _ in joints]
    for index, joint in enumerate(joints):
        if joint.parent >= 0:
            children[joint.parent].append(index)
    order: list[int] = []
    lines = ["HIERARCHY", *_joint(joints, children, 0, order), "MOTION", f"Frames: {motion.n_frames}"]
    lines.append(f"Frame Time: {motion.frame_time!r}")
    ends = list(accumulate(len(joint.channels or ()) for joint in joints))
    columns = [
        column for index in order for column in range(ends[index] - len(joints[index].channels or ()), ends[index])
    ]
    lines += (" ".join(map(repr, row)) for row in motion.values[:, columns].tolist())
    return ("\n".join(lines) + "\n").encode()


def _joint(
    joints: tuple[Joint, ...], children: list[list[int]], index: int, order: list[int], depth: int = 0
) -> Iterator[str]:
    """The lines of a joint and those below it; notes the order in which they come, which that of numbers follows."""
    order.append(index)
    joint, blanks = joints[index], "\t" * depth
    if joint.channels is None:
        yield f"{blanks}End Site"
    else:
        yield f"{blanks}{'ROOT' if joint.parent < 0 else 'JOINT'} {joint.name}"
    yield f"{blanks}{{"
    yield f"{blanks}\tOFFSET {' '.join(map(repr, joint.offset))}"
    if joint.channels is not None:
        yield " ".join([f"{blanks}\tCHANNELS {len(joint.channels)}", *(_SPELLED[name] for name in joint.channels)])
    for child in children[index]:
        yield from _joint(joints, children, child, order, depth + 1)
    yield f"{blanks}}}"


def amc_of(motion: Motion) -> bytes:
    """A clip of bones as AMC, whose skeleton is the ASF file that it was read with."""
    layout = motion.layout or {}
    starts: dict[str, int] = {}
    first = 0
    for joint in motion.skeleton:
        starts[joint.name] = first
        first += len(joint.channels or ())
    counts = {joint.name: len(joint.channels or ()) for joint in motion.skeleton}
    order = layout.get("order") or [name for name, count in counts.items() if count]
    lines = list(layout.get("header") or [":FULLY-SPECIFIED", ":DEGREES"])
    for number, row in enumerate(motion.values.tolist(), 1):
        lines.append(str(number))
        for name in order:
            start = starts[name]
            lines.append(" ".join([name, *map(repr, row[start : start + counts[name]])]))
    return ("\n".join(lines) + "\n").encode()
